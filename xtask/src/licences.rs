//! Whose work is in an installed tree or a bundle, and under which licences: the crates that are compiled in, and a bundle's libraries
//! beside them.
//!
//! Texts are taken from the sources themselves, so that nothing here has to be kept up to date by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{file_name, files_in, place, write};
use crate::root;
use crate::shell::{headline, quietly, Fault};

/// How a file begins that holds a licence.
const NAMES: [&str; 6] = ["license", "licence", "copying", "notice", "copyright", "unlicense"];

/// A crate that is compiled in.
struct Crate {
    name: String,
    version: String,
    licence: String,
    address: String,
}

/// Writes into a folder whose work is in the library and the program themselves: the crates, and the standard library.
pub fn compiled_in(to: &Path) -> Result<(), Fault> {
    crates(&to.join("crates.txt"))?;
    standard_library(to)
}

/// Writes one file on all crates: a list, then each text once, under the names of those whose text it is.
fn crates(to: &Path) -> Result<(), Fault> {
    let crates = all_crates()?;
    let sources = sources()?;
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut silent = Vec::new();
    for entry in &crates {
        let folder = sources.get(&format!("{}-{}", entry.name, entry.version));
        let files = folder.map_or(Ok(Vec::new()), |folder| texts_below(folder, 3))?;
        if files.is_empty() {
            silent.push(entry);
        }
        for file in files {
            let bytes = fs::read(&file).map_err(|error| Fault::new(format!("{}: {error}", file.display())))?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_string();
            let users = texts.entry(text).or_default();
            let name = format!("{} {}", entry.name, entry.version);
            if !users.contains(&name) {
                users.push(name);
            }
        }
    }
    let mut page = String::from(
        "The library and the program contain work of others. These are the crates that are compiled in, each with its licence and where\n\
         its source is; below are the texts that come with them.\n\n",
    );
    for Crate { name, version, licence, address } in &crates {
        page += &format!("{:<40}{licence:<40}{address}\n", format!("{name} {version}"));
    }
    page += "\nRust's standard library: MIT OR Apache-2.0, https://github.com/rust-lang/rust\n";
    page += "\nThe sources of these hold no text. LICENSE-MIT and LICENSE-APACHE, in the folder above, have the words of the two common licences,\n\
             and the addresses above say who holds the rights:\n\n";
    for Crate { name, version, licence, .. } in silent {
        page += &format!("    {name} {version}: {licence}\n");
    }
    let mut texts: Vec<_> = texts.into_iter().map(|(text, users)| (users, text)).collect();
    texts.sort();
    for (users, text) in texts {
        page += &format!("\n{}\n{}\n\n{text}\n", "=".repeat(100), users.join(", "));
    }
    write(to, &page)
}

/// cargo, only to be asked: for that libtorch need not be there.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root());
    command
}

fn all_crates() -> Result<Vec<Crate>, Fault> {
    let words = ["tree", "-p", "ggpfn", "--locked", "-e", "normal,no-proc-macro", "--prefix", "none"];
    let mut command = cargo();
    // Without --target, cargo lists the crates of this machine's system alone.
    command.args(words).args(["--format", "{p}\t{l}\t{r}"]);
    let mut crates = BTreeMap::new();
    for line in quietly(&mut command)?.lines() {
        let mut columns = line.trim_end_matches(" (*)").split('\t');
        let mut words = columns.next().unwrap_or_default().split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let version = version.trim_start_matches('v').to_string();
        let mut column = || columns.next().unwrap_or_default().to_string();
        if !name.is_empty() && name != "ggpfn" {
            let entry = Crate { name: name.into(), version: version.clone(), licence: column(), address: column() };
            crates.insert((name.to_string(), version), entry);
        }
    }
    Ok(crates.into_values().collect())
}

/// The folder of each crate's source, by the folder's name, which is the crate's with its version. cargo says it in JSON, of which only
/// these paths matter.
fn sources() -> Result<BTreeMap<String, PathBuf>, Fault> {
    let compiler = quietly(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let mut command = cargo();
    // Those of other systems need not have been downloaded.
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let text = quietly(&mut command)?;
    let paths = text.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let folders = paths.filter_map(|path| Some(Path::new(&path.replace(r"\\", r"\")).parent()?.to_path_buf()));
    Ok(folders.map(|folder| (file_name(&folder), folder)).collect())
}

/// Files with a licence in a folder and some way below it: crates that bring C or C++ along have more than one.
fn texts_below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, Fault> {
    let licence = |path: &PathBuf| {
        let name = file_name(path).to_lowercase();
        // Not a source file that is called so.
        NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs") && !name.ends_with(".h")
    };
    let mut found: Vec<PathBuf> = files_in(folder)?.into_iter().filter(licence).collect();
    if depth > 0 {
        let mut folders: Vec<PathBuf> = fs::read_dir(folder)
            .map_err(|error| Fault::new(format!("cannot read {}: {error}", folder.display())))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        for inner in folders {
            // A folder `LICENSES` holds nothing else.
            let all = NAMES.iter().any(|start| file_name(&inner).to_lowercase().starts_with(start));
            found.extend(if all { files_in(&inner)? } else { texts_below(&inner, depth - 1)? });
        }
    }
    Ok(found)
}

/// Copies the licences of libraries into a folder, one folder for each package that they come from. What has none is named: a bundle
/// without them is not to be handed on.
pub fn libraries(libraries: &[(String, PathBuf)], to: &Path) -> Result<(), Fault> {
    let mut index = String::from("Libraries in lib, and whose licence is which:\n\n");
    for (name, path) in libraries {
        let owner = owner_of(path);
        let (package, files) = match &owner {
            Some((package, folder)) => (package.clone(), texts_below(folder, 2)?),
            None => (String::new(), Vec::new()),
        };
        if files.is_empty() {
            headline(&format!("WARNING: no licence was found for {name}; add it before you hand the bundle on"));
        }
        for file in files {
            place(&file, &to.join(&package).join(file_name(&file)))?;
        }
        index += &format!("{name:<24}{package}\n");
    }
    if libraries.iter().any(|(name, _)| name.starts_with("libgomp")) {
        index += "\nlibgomp is GNU's OpenMP run time, under the GPL 3 with the GCC Runtime Library Exception 3.1, which lets any program use it.\n\
                  Its source is part of GCC, https://gcc.gnu.org.\n";
        gnu(to)?;
    }
    write(&to.join("README.txt"), &index)
}

/// The package that a library came in: a wheel keeps a list of its files, an unpacked libtorch has its licence in its own folder.
fn owner_of(library: &Path) -> Option<(String, PathBuf)> {
    let library = fs::canonicalize(library).ok()?;
    for folder in library.ancestors().skip(1).take(5) {
        let inside = library.strip_prefix(folder).ok()?.display().to_string().replace('\\', "/");
        for entry in fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()) {
            let Some(package) = file_name(&entry).strip_suffix(".dist-info").map(String::from) else { continue };
            let list = fs::read_to_string(entry.join("RECORD")).unwrap_or_default();
            if list.lines().any(|line| line.split(',').next() == Some(inside.as_str())) {
                return Some((package, entry));
            }
        }
        if folder.join("build-version").is_file() {
            return Some(("libtorch".into(), folder.to_path_buf()));
        }
    }
    None
}

/// The GPL and the exception, from where GCC's own package on this system has them.
fn gnu(to: &Path) -> Result<(), Fault> {
    let places =
        ["/usr/share/common-licenses/GPL-3", "/usr/share/doc/libgomp1/copyright", "/usr/share/licenses/libgomp"];
    let mut any = false;
    for path in places.map(Path::new) {
        let name = if path.ends_with("copyright") { "copyright".to_string() } else { file_name(path) };
        if path.is_file() {
            place(path, &to.join("libgomp").join(name))?;
            any = true;
        } else if path.is_dir() {
            for file in files_in(path)? {
                place(&file, &to.join("libgomp").join(file_name(&file)))?;
                any = true;
            }
        }
    }
    if !any {
        headline("WARNING: the GPL's text is not on this system; add it for libgomp before you hand the bundle on");
    }
    Ok(())
}

/// Copies what the compiler's own library asks for, where the toolchain has it.
fn standard_library(to: &Path) -> Result<(), Fault> {
    let sysroot = quietly(Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()))?;
    let page = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    if page.is_file() {
        return place(&page, &to.join("rust-standard-library.html"));
    }
    headline("the toolchain has no COPYRIGHT-library.html; the list of crates names the standard library's licence");
    Ok(())
}
