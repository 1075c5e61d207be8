//! A program that was built against today's header, on a library whose structs have grown.
//!
//! A copy of the sources gets one more field at the end of every struct of the C face, as a later version may, and is built. The C test
//! program, compiled with the committed header, then has to find that all is as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::libtorch::Found;
use crate::shell::{headline, run, Fault};
use crate::{cargo_command, root, target_folder};

/// What the package is built from.
const SOURCES: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "cbindgen.toml",
    "src",
    "include",
    "models",
    "benches",
    "examples",
    "xtask",
];

/// Lines with which a struct's value begins.
const BEGINNINGS: [&str; 3] = ["struct_size: 0,", "struct_size,", "struct_size: std::mem::size_of::<Self>(),"];

/// Builds the grown library and runs the C test program on it.
pub fn growth(found: &Found) -> Result<(), Fault> {
    let folder = target_folder().join("growth");
    let copy = folder.join("sources");
    headline("a copy whose structs have grown");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy).map_err(|e| fault(&copy, &e))?;
    for name in SOURCES {
        copied(&root().join(name), &copy.join(name))?;
    }
    let grown = grow(&copy.join("src/capi"))?;
    headline(&format!("building it with {grown} grown structs (some minutes the first time)"));
    let target = folder.join("target");
    run(cargo_command(found).current_dir(&copy).args(["build", "--lib", "--target-dir"]).arg(&target))?;

    let library = target.join("debug");
    let link = library.join("libggpfn.so.0");
    if !link.exists() {
        #[cfg(unix)]
        std::os::unix::fs::symlink("libggpfn.so", &link).map_err(|e| fault(&link, &e))?;
    }
    let program = folder.join("behaviour");
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-I"]).arg(root().join("include"));
    compiler.arg(root().join("tests/c/behaviour.c")).arg("-o").arg(&program).arg("-L").arg(&library).arg("-lggpfn");
    compiler.args(["-Xlinker", "-rpath", "-Xlinker"]).arg(&library);
    run(compiler.args(["-Wl,--disable-new-dtags,--allow-shlib-undefined", "-lm", "-lpthread", "-ldl"]))?;
    headline("the C test program, compiled with the header as it is");
    let work = folder.join("work");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).map_err(|e| fault(&work, &e))?;
    run(Command::new(&program).arg(&work))
}

fn fault(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(format!("{}: {error}", path.display()))
}

fn copied(from: &Path, to: &PathBuf) -> Result<(), Fault> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ()).map_err(|e| fault(from, &e));
    }
    fs::create_dir_all(to).map_err(|e| fault(to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| fault(from, &e))?.flatten() {
        copied(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Gives each growing struct a field more, and says how many there are.
fn grow(folder: &Path) -> Result<usize, Fault> {
    let mut grown = 0;
    for entry in fs::read_dir(folder).map_err(|e| fault(folder, &e))?.flatten() {
        let path = entry.path();
        let text = fs::read_to_string(&path).map_err(|e| fault(&path, &e))?;
        let (tests_apart, tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let mut lines = Vec::new();
        let mut within = false;
        for line in tests_apart.lines() {
            if within && line == "}" {
                lines.push("    /// Came later.".to_string());
                lines.push("    pub later: u64,".to_string());
                within = false;
            }
            within |= line == "    pub struct_size: usize,";
            if let Some(name) = line.strip_prefix("growing!(").and_then(|rest| rest.split(',').next()) {
                lines.push(format!("growing!({name}, later);"));
                grown += 1;
                continue;
            }
            lines.push(line.replace("= std::mem::size_of::<$name>();", "= std::mem::size_of::<$name>() - 8;"));
            if BEGINNINGS.contains(&line.trim()) && !line.contains("usize") {
                lines.push("later: 7,".to_string());
            }
        }
        let mut text = lines.join("\n") + "\n";
        if !tests.is_empty() {
            text += &format!("#[cfg(test)]{tests}");
        }
        fs::write(&path, text).map_err(|e| fault(&path, &e))?;
    }
    Ok(grown)
}
