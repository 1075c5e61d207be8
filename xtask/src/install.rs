//! `cargo xtask install`: the library, its headers and the program as a tree that C and C++ projects find.
//!
//!     bin/ggpfn                                  the program; ggpfn-evaluate, a link to it, is the command-line module that compares
//!     include/                                   headers for C, C++ and ITK
//!     lib/libggpfn.so.VERSION                    the library, and links to it: .so.ABI for programs, .so for linkers
//!     lib/cmake/ggpfn, lib/pkgconfig             how CMake and pkg-config find it
//!     share/doc/ggpfn                            documents, what they link to, and licences, those of others' work in it too
//!
//! Nothing in it names the folder that it lies in, so it may be moved; libtorch stays where it was when the library was built. The tree
//! that brings libtorch along is made in `bundle.rs`, from the same pieces. Windows and macOS are untested.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{quietly, Fault};
use crate::{documents, libtorch, licences, root};

/// What goes into a tree: the two files that cargo made, and what they need of libtorch, as the CMake package is to name it.
pub struct Parts {
    pub library: PathBuf,
    pub program: PathBuf,
    pub needed: Vec<String>,
}

/// What was asked for.
struct Wish {
    prefix: PathBuf,
    /// Goes before the prefix, for packagers: the tree is made here, to be moved to the prefix.
    destdir: Option<PathBuf>,
    /// Files that cargo has made already. For the tests, which have a library that no cargo command leaves in its place.
    made: Option<(PathBuf, PathBuf)>,
}

/// Installs. `build` makes the release library and program.
pub fn install(arguments: &[String], build: impl Fn(&libtorch::Found) -> Result<(), Fault>) -> Result<(), Fault> {
    let wish = Wish::read(arguments)?;
    let (library, program) = match wish.made {
        Some(made) => made,
        None => {
            build(&libtorch::settle(false)?)?;
            built(&crate::target_folder().join("release"))
        }
    };
    let needed = needed_of(&library)?.into_iter().map(|(_, path)| path.display().to_string()).collect();
    let prefix = absolute(&wish.prefix);
    let tree = match wish.destdir {
        // `join` would take an absolute prefix alone.
        Some(folder) => absolute(&folder).join(prefix.components().skip_while(is_root).collect::<PathBuf>()),
        None => prefix,
    };
    assemble(&tree, &Parts { library, program, needed })?;
    eprintln!("== installed into {}", tree.display());
    Ok(())
}

impl Wish {
    fn read(arguments: &[String]) -> Result<Self, Fault> {
        let (mut prefix, mut destdir, mut library, mut program) = (None, None, None, None);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (argument.as_str(), rest.next().cloned()),
            };
            let place = match name {
                "--prefix" => &mut prefix,
                "--destdir" => &mut destdir,
                "--library" => &mut library,
                "--program" => &mut program,
                other => return Err(Fault::new(format!("install knows --prefix and --destdir, and not {other}"))),
            };
            *place = Some(PathBuf::from(value.ok_or_else(|| Fault::new(format!("{name} wants a folder")))?));
        }
        let prefix = prefix.ok_or_else(|| Fault::new("install where? Say --prefix FOLDER"))?;
        Ok(Wish { prefix, destdir, made: library.zip(program) })
    }
}

fn is_root(part: &std::path::Component) -> bool {
    matches!(part, std::path::Component::RootDir | std::path::Component::Prefix(_))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or(path.to_path_buf())
}

/// The library and the program in a folder of cargo's.
pub fn built(folder: &Path) -> (PathBuf, PathBuf) {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
    (folder.join(format!("{DLL_PREFIX}ggpfn{DLL_SUFFIX}")), folder.join(format!("ggpfn{EXE_SUFFIX}")))
}

/// Makes a tree, or brings one up to date.
pub fn assemble(tree: &Path, parts: &Parts) -> Result<(), Fault> {
    let numbers = Numbers::read()?;
    place_programs(&parts.program, &tree.join("bin"))?;
    place_library(&parts.library, tree, &numbers)?;
    for header in files_in(&root().join("include"))? {
        place(&header, &tree.join("include").join(file_name(&header)))?;
    }
    let package = tree.join("lib/cmake/ggpfn");
    for name in ["ggpfn-targets.cmake", "ggpfn-itk.cmake"] {
        place(&root().join("cmake").join(name), &package.join(name))?;
    }
    let needed: Vec<String> = parts.needed.iter().map(|path| format!("[==[{path}]==]")).collect();
    for (template, folder) in [
        ("ggpfn-config.cmake", &package),
        ("ggpfn-config-version.cmake", &package),
        ("ggpfn.pc", &tree.join("lib/pkgconfig")),
    ] {
        let source = root().join("cmake").join(format!("{template}.in"));
        let text = read(&source)?
            .replace("@VERSION@", &numbers.version)
            .replace("@MAJOR@", &numbers.major)
            .replace("@MINOR@", &numbers.minor)
            .replace("@ABI@", &numbers.abi)
            .replace("@NEEDED@", &needed.join(" "));
        write(&folder.join(template), &text)?;
    }
    let documents = tree.join("share/doc/ggpfn");
    for path in documents::all()? {
        place(&root().join(&path), &documents.join(&path))?;
    }
    licences::compiled_in(&documents.join("licences"))
}

/// The program under both names that it answers to.
fn place_programs(program: &Path, folder: &Path) -> Result<(), Fault> {
    let suffix = std::env::consts::EXE_SUFFIX;
    let (name, compares) = (format!("ggpfn{suffix}"), folder.join(format!("ggpfn-evaluate{suffix}")));
    place_program(program, &folder.join(&name))?;
    match cfg!(windows) {
        true => place_program(program, &compares),
        false => link(&compares, &name),
    }
}

fn place_library(library: &Path, tree: &Path, numbers: &Numbers) -> Result<(), Fault> {
    let folder = tree.join("lib");
    if cfg!(windows) {
        place_program(library, &tree.join("bin/ggpfn.dll"))?;
        return place(&library.with_extension("dll.lib"), &folder.join("ggpfn.lib"));
    }
    // The run-time name carries the number of the interface, as build.rs has it.
    let (file, run_time, link_time) = if cfg!(target_os = "macos") {
        (format!("libggpfn.{}.dylib", numbers.version), format!("libggpfn.{}.dylib", numbers.abi), "libggpfn.dylib")
    } else {
        (format!("libggpfn.so.{}", numbers.version), format!("libggpfn.so.{}", numbers.abi), "libggpfn.so")
    };
    place_program(library, &folder.join(&file))?;
    link(&folder.join(&run_time), &file)?;
    link(&folder.join(link_time), &run_time)
}

/// Version and interface number.
pub struct Numbers {
    pub version: String,
    pub abi: String,
    major: String,
    minor: String,
}

impl Numbers {
    pub fn read() -> Result<Self, Fault> {
        let manifest = read(&root().join("Cargo.toml"))?;
        let version = manifest
            .lines()
            .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
            .ok_or_else(|| Fault::new("Cargo.toml has no version"))?;
        let header = read(&root().join("include/ggpfn.h"))?;
        let abi = header
            .lines()
            .find_map(|line| line.strip_prefix("#define GGPFN_ABI_VERSION "))
            .ok_or_else(|| Fault::new("include/ggpfn.h has no GGPFN_ABI_VERSION"))?;
        let mut words = version.split('.').map(String::from);
        let (major, minor) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Numbers { version: version.into(), abi: abi.trim().into(), major, minor })
    }
}

/// The libraries that a library needs and that are no part of the system: their names, and where the loader finds them.
pub fn needed_of(library: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    if !cfg!(target_os = "linux") {
        return Ok(Vec::new());
    }
    // Without the caller's search path: what is found has to be what the library itself finds.
    let text = quietly(Command::new("ldd").arg(library).env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD"))?;
    let mut needed = Vec::new();
    for line in text.lines() {
        let Some((name, rest)) = line.trim().split_once(" => ") else { continue };
        if rest.starts_with("not found") {
            return Err(Fault::new(format!("{} needs {name}, which is not found", library.display())));
        }
        let path = rest.rsplit_once(" (").map_or(rest, |(path, _)| path);
        if !of_the_system(name, Path::new(path)) {
            // The loader says `lib/../../other/lib` as run paths do. The name has to stay, though it may be a link's.
            let folder = Path::new(path).parent().and_then(|folder| fs::canonicalize(folder).ok());
            needed.push((name.to_string(), folder.map_or(PathBuf::from(path), |folder| folder.join(name))));
        }
    }
    needed.sort();
    Ok(needed)
}

/// Whether a library is one that every Linux has, by the folder that it lies in. libtorch never is.
fn of_the_system(name: &str, path: &Path) -> bool {
    let folder = path.parent().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = folder.strip_prefix("/usr").unwrap_or(&folder);
    let of_the_system =
        matches!(folder, "/lib" | "/lib64") || folder.starts_with("/lib/") && folder.ends_with("-linux-gnu");
    of_the_system && !name.starts_with("libtorch") && !name.starts_with("libc10")
}

/// Copies a file that may be in use: a program that has it open keeps the old one.
pub fn place(from: &Path, to: &Path) -> Result<(), Fault> {
    copy(from, to, 0o644)
}

/// The same for what is run or loaded.
pub fn place_program(from: &Path, to: &Path) -> Result<(), Fault> {
    if !from.is_file() {
        return Err(Fault::new(format!("{} is not there", from.display())));
    }
    copy(from, to, 0o755)
}

/// What is the same already keeps its time, so that nobody who links to it has to link anew.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), Fault> {
    let cannot = |error| Fault::new(format!("cannot read {}: {error}", from.display()));
    let length = fs::metadata(from).map_err(cannot)?.len();
    let same = fs::symlink_metadata(to).is_ok_and(|old| old.is_file() && old.len() == length)
        && fs::read(to).ok() == Some(fs::read(from).map_err(cannot)?);
    if same {
        return Ok(());
    }
    put(to, mode, |to| fs::copy(from, to).map(|_| ()))
}

/// Writes a text file.
pub fn write(to: &Path, text: &str) -> Result<(), Fault> {
    put(to, 0o644, |to| fs::write(to, text))
}

/// Makes a link to a file in the same folder.
fn link(at: &Path, file: &str) -> Result<(), Fault> {
    #[cfg(unix)]
    return put(at, 0, |at| std::os::unix::fs::symlink(file, at));
    #[cfg(not(unix))]
    Err(Fault::new(format!("no links are made on this system: {} to {file}", at.display())))
}

fn put(to: &Path, mode: u32, make: impl Fn(&Path) -> std::io::Result<()>) -> Result<(), Fault> {
    let attempt = || {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        if fs::symlink_metadata(to).is_ok() {
            fs::remove_file(to)?;
        }
        make(to)?;
        // The checkout's own modes may be anything.
        #[cfg(unix)]
        if mode != 0 {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    };
    attempt().map_err(|error: std::io::Error| Fault::new(format!("cannot write {}: {error}", to.display())))
}

pub fn read(path: &Path) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|error| Fault::new(format!("cannot read {}: {error}", path.display())))
}

/// The files of a folder, in the order of their names.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries =
        fs::read_dir(folder).map_err(|error| Fault::new(format!("cannot read {}: {error}", folder.display())))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

pub fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
