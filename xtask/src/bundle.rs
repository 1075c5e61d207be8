//! `cargo xtask bundle`: one archive with the library, the program, headers, libtorch for processors and all licences, that works from any
//! folder of any Linux machine of the same processor whose C and C++ libraries are not older than this machine's.
//!
//! It is the tree of `install.rs` and libtorch's libraries beside the own one. What is in it names no folder of this machine, neither as a
//! place to look for libraries nor in messages; so it is built apart, in a target folder of its own, with paths cut short. CUDA's part
//! of libtorch, of some gigabytes, is not in it. Whether all this came true is checked at the end, on the unpacked archive.

use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{assemble, built, needed_of, place_program, write, Numbers, Parts};
use crate::shell::{headline, quietly, run, Fault};
use crate::{cargo_command, libtorch, licences, root, target_folder};

/// Makes the archive, and gives the folder that was packed.
pub fn bundle() -> Result<PathBuf, Fault> {
    if !cfg!(target_os = "linux") {
        return Err(Fault::new("bundles are made on Linux alone so far; `cargo xtask install` is there"));
    }
    let found = libtorch::settle(false)?;
    let folders = Folders::find(&found)?;
    let (library, program) = build_in_place(&found, &folders)?;

    let name = format!("ggpfn-{}-{}-{}", Numbers::read()?.version, std::env::consts::OS, std::env::consts::ARCH);
    let out = root().join("out");
    let tree = out.join(&name);
    remove(&tree)?;
    headline(&format!("out/{name}"));
    let core = found.folder().join("lib/libtorch_cpu.so");
    let mut brought = needed_of(&core)?;
    brought.push(("libtorch_cpu.so".into(), core));
    brought.sort();
    for (name, path) in &brought {
        place_program(path, &tree.join("lib").join(name))?;
    }
    assemble(&tree, &Parts { library, program, needed: brought.iter().map(|(name, _)| name.clone()).collect() })?;
    licences::libraries(&brought, &tree.join("share/doc/ggpfn/licences/libraries"))?;

    headline(&format!("out/{name}.tar.gz"));
    let archive = out.join(format!("{name}.tar.gz"));
    pack(&out, &name, &archive)?;
    headline("checking the archive");
    let own = brought.iter().map(|(name, _)| tree.join("lib").join(name)).collect::<Vec<_>>();
    no_traces(&tree, &own, &folders)?;
    works(&out, &name, &archive)?;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let size = fs::metadata(&archive).map_or(0, |data| data.len());
    println!("{}: {:.0} MB, {:.0} MB unpacked", archive.display(), megabytes(size), megabytes(size_of(&tree)));
    Ok(tree)
}

/// Library and program that name no folder of this machine, for packages that find libtorch by other means; checked.
pub fn without_traces() -> Result<(PathBuf, PathBuf), Fault> {
    if !cfg!(target_os = "linux") {
        return Err(Fault::new("such packages are made on Linux alone so far"));
    }
    let found = libtorch::settle(false)?;
    let folders = Folders::find(&found)?;
    let made = build_in_place(&found, &folders)?;
    traces_in(&[made.0.clone(), made.1.clone()], &folders)?;
    Ok(made)
}

fn build_in_place(found: &libtorch::Found, folders: &Folders) -> Result<(PathBuf, PathBuf), Fault> {
    let target = target_folder().join("bundle");
    headline("building without this machine's paths (some minutes the first time)");
    build(found, folders, &target)?;
    Ok(built(&target.join("release")))
}

/// Folders of this machine that must not be in the bundle, and what stands for them in messages.
struct Folders(Vec<(PathBuf, &'static str)>);

impl Folders {
    fn find(found: &libtorch::Found) -> Result<Self, Fault> {
        let sysroot = quietly(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()))?;
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let mut folders = vec![(PathBuf::from(sysroot.trim()), "rust")];
        folders.extend(home.map(|home| (home, "cargo")));
        folders.push((target_folder(), "target"));
        folders.push((root(), "ggpfn"));
        folders.push((found.folder().to_path_buf(), "libtorch"));
        Ok(Folders(folders))
    }
}

fn build(found: &libtorch::Found, folders: &Folders, target: &Path) -> Result<(), Fault> {
    let mut prefixes = OsString::new();
    for (folder, short) in &folders.0 {
        if !prefixes.is_empty() {
            prefixes.push("\u{1f}");
        }
        prefixes.push("--remap-path-prefix=");
        prefixes.push(folder);
        prefixes.push("=");
        prefixes.push(short);
    }
    let mut command = cargo_command(found);
    command.args(["build", "--release", "--locked", "--target-dir"]).arg(target);
    command.env("GGPFN_BUNDLE", "1").env_remove("RUSTFLAGS");
    command.env("CARGO_ENCODED_RUSTFLAGS", prefixes);
    // The C and C++ in crates.
    let prefixes = folders.0.iter().map(|(folder, short)| format!("-ffile-prefix-map={}={short}", folder.display()));
    let flags = Flags::write(target, prefixes)?;
    command.env("CFLAGS", &flags.0).env("CXXFLAGS", &flags.0);
    run(&mut command)
}

/// Flags for C and C++ compilers that may have spaces in them. Whatever hands `CFLAGS` on splits it there, so the flags stand in a
/// file, which compilers read themselves, under a name that needs no quotation marks.
struct Flags(String);

impl Flags {
    fn write(target: &Path, flags: impl Iterator<Item = String>) -> Result<Self, Fault> {
        // The same name for the same target folder: for another one, all C and C++ would be compiled anew.
        let mut hash = std::hash::DefaultHasher::new();
        target.hash(&mut hash);
        let file = std::env::temp_dir().join(format!("ggpfn-bundle-{:016x}.flags", hash.finish()));
        let name = file.to_str().filter(|name| !name.contains(char::is_whitespace));
        let name = name.ok_or_else(|| {
            Fault::new(format!(
                "{}: a folder for temporary files without spaces was expected; set TMPDIR",
                file.display()
            ))
        })?;
        let mut text = String::new();
        for flag in flags {
            for letter in flag.chars() {
                if letter.is_whitespace() || matches!(letter, '\\' | '"' | '\'') {
                    text.push('\\');
                }
                text.push(letter);
            }
            text.push('\n');
        }
        write(&file, &text)?;
        Ok(Flags(format!("@{name}")))
    }
}

impl Drop for Flags {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0[1..]);
    }
}

/// Packs the tree so that the same tree gives the same bytes: sorted, without owners, everything as old as the last commit.
fn pack(out: &Path, name: &str, archive: &Path) -> Result<(), Fault> {
    let time = std::env::var("SOURCE_DATE_EPOCH").ok();
    let time =
        time.or_else(|| quietly(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root())).ok());
    let time = format!("--mtime=@{}", time.as_deref().map_or("0", str::trim));
    let mut command = Command::new("tar");
    command.args([
        "--sort=name",
        &time,
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=u+w,go-w",
        "--format=gnu",
    ]);
    run(command.args(["-I", "gzip -n", "-cf"]).arg(archive).arg("-C").arg(out).arg(name))
}

/// Looks for this machine's folders in all files but libtorch's own.
fn no_traces(tree: &Path, but: &[PathBuf], folders: &Folders) -> Result<(), Fault> {
    let files: Vec<PathBuf> = all_files(tree).into_iter().filter(|file| !but.contains(file)).collect();
    traces_in(&files, folders)
}

fn traces_in(files: &[PathBuf], folders: &Folders) -> Result<(), Fault> {
    let mut faults = Vec::new();
    for file in files {
        let bytes = fs::read(file).map_err(|error| Fault::new(format!("{}: {error}", file.display())))?;
        for (folder, _) in &folders.0 {
            let trace = folder.as_os_str().as_encoded_bytes();
            // Most bytes are no slash, which makes this fast enough.
            let mut starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == trace[0]);
            if starts.any(|(at, _)| bytes[at..].starts_with(trace)) {
                faults.push(format!("{} names {}", file.display(), folder.display()));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("there are traces of this machine:\n  {}", faults.join("\n  "))))
}

/// Unpacks the archive into a folder of an awkward name and uses it there, with nothing in the environment that could help.
fn works(out: &Path, name: &str, archive: &Path) -> Result<(), Fault> {
    let place = out.join("check the bundle's $paths: ä;ö");
    remove(&place)?;
    fs::create_dir_all(&place).map_err(|error| Fault::new(format!("cannot write {}: {error}", place.display())))?;
    run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&place))?;
    let tree = place.join(name);
    let library = tree.join("lib/libggpfn.so");
    for (name, path) in needed_of(&library)? {
        let path = fs::canonicalize(&path).unwrap_or(path);
        if !path.starts_with(fs::canonicalize(&tree).unwrap_or(tree.clone())) {
            return Err(Fault::new(format!("the bundle's {name} is taken from {}", path.display())));
        }
    }
    let program = tree.join("bin/ggpfn");
    quietly(Command::new(&program).env_clear().arg("doctor"))?;
    quietly(Command::new(&program).env_clear().args(["demo", "--out"]).arg(place.join("demo")))?;
    let compiler = std::env::var_os("CC").unwrap_or("cc".into());
    if quietly(Command::new(&compiler).arg("--version")).is_ok() {
        // Beside the program, as the bundle's guest: a run path with this folder's colon in it would be two.
        let consumer = tree.join("bin/consumer");
        let mut command = Command::new(&compiler);
        command.arg(root().join("tests/package/consumer.c")).arg("-I").arg(tree.join("include"));
        command.arg(&library).arg("-Wl,-rpath,$ORIGIN/../lib").arg("-o").arg(&consumer);
        quietly(&mut command)?;
        quietly(Command::new(&consumer).env_clear())?;
    } else {
        headline("there is no C compiler; only the program was tried");
    }
    remove(&place)
}

fn remove(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::new(format!("cannot remove {}: {error}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// All files below a folder; links are not followed.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(all_files(&entry.path())),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

fn size_of(folder: &Path) -> u64 {
    all_files(folder).iter().filter_map(|file| fs::metadata(file).ok()).map(|data| data.len()).sum()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The bundle of a checkout in any folder names none of it, as C and C++ see it too.
    #[test]
    fn c_compilers_take_flags_with_spaces_and_umlauts() {
        let folder = std::env::temp_dir().join(format!("größe \"1\" it's {}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let source = folder.join("where.c");
        fs::write(&source, "#include <stdio.h>\nint main(void) { puts(__FILE__); return 0; }\n").unwrap();
        let flag = format!("-ffile-prefix-map={}=short", folder.display());
        let flags = Flags::write(&folder, [flag].into_iter()).unwrap();
        let program = folder.join("where");
        // As make's shell has it, which is what splits the words.
        let line = format!("cc {} \"$SOURCE\" -o \"$PROGRAM\"", flags.0);
        let mut command = Command::new("sh");
        quietly(command.args(["-c", &line]).env("SOURCE", &source).env("PROGRAM", &program)).unwrap();
        assert_eq!(quietly(&mut Command::new(&program)).unwrap().trim(), "short/where.c");
        let file = flags.0[1..].to_string();
        drop(flags);
        assert!(!Path::new(&file).exists());
        remove(&folder).unwrap();
    }
}
