//! Tools that some tests want beyond what building wants: valgrind, pkg-config, ITK with its headers, OpenGL without a display, a browser,
//! senders of DICOM objects, and certificates.
//!
//! On Debian and Ubuntu, as root, they are installed: such machines are containers for tests. Elsewhere what is missing is named, and the
//! tests that want it say that they skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{headline, quietly, Fault};

struct Tool {
    name: &'static str,
    /// Debian's packages.
    packages: &'static [&'static str],
    /// What is not tested without it.
    checks: &'static str,
    there: fn() -> bool,
}

const TOOLS: [Tool; 6] = [
    Tool {
        name: "valgrind",
        packages: &["valgrind"],
        checks: "memory of the C interface",
        there: || quietly(Command::new("valgrind").arg("--version")).is_ok(),
    },
    Tool {
        name: "pkg-config",
        packages: &["pkg-config"],
        checks: "programs built by pkg-config",
        there: || quietly(Command::new("pkg-config").arg("--version")).is_ok(),
    },
    Tool {
        name: "ITK 5 with headers",
        packages: &["libinsighttoolkit5-dev"],
        checks: "the ITK filter, and the package's component ITK",
        there: itk,
    },
    Tool {
        name: "OpenGL without a display (EGL by Mesa)",
        packages: &["libegl1", "libgl1", "libgl1-mesa-dri"],
        checks: "panel and pictures of the Slicer module",
        there: egl,
    },
    Tool {
        name: "Chromium",
        packages: &["chromium"],
        checks: "the report of `ggpfn evaluate` in a browser",
        there: || quietly(Command::new("chromium").arg("--version")).is_ok(),
    },
    Tool {
        name: "DCMTK with its programs, and openssl",
        packages: &["dcmtk", "openssl"],
        checks: "the DICOM node with other senders than its own library, and with TLS",
        there: || {
            quietly(Command::new("storescu").arg("--version")).is_ok()
                && quietly(Command::new("openssl").arg("version")).is_ok()
        },
    },
];

/// Makes sure of them as far as it goes. Nothing here fails the tests: a machine without a way to its packages can run the others.
pub fn settle() {
    let missing = || TOOLS.iter().filter(|tool| !(tool.there)()).collect::<Vec<_>>();
    let wanted = missing();
    if wanted.is_empty() {
        return;
    }
    if let Err(fault) = install(&wanted) {
        headline(&fault.to_string());
    }
    for Tool { name, packages, checks, .. } in missing() {
        let package = packages.join(" ");
        headline(&format!(
            "NOT CHECKED: {checks}. There is no {name}; on Debian and Ubuntu: apt-get install {package}"
        ));
    }
}

fn install(tools: &[&Tool]) -> Result<(), Fault> {
    let root = quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root
        || !Path::new("/etc/debian_version").is_file()
        || quietly(Command::new("apt-get").arg("--version")).is_err()
    {
        return Ok(());
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        // Behind a wall it should give up soon, and it must not ask.
        command.args(["-q", "-y", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=30"]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let names: Vec<&str> = tools.iter().flat_map(|tool| tool.packages).copied().collect();
    headline(&format!("installing {} for the tests", names.join(", ")));
    quietly(apt().arg("update"))?;
    // One at a time: where one is not to be had, the others are.
    for name in names {
        if let Err(fault) = quietly(apt().args(["install", "--no-install-recommends", name])) {
            headline(&fault.to_string());
        }
    }
    Ok(())
}

/// Asks the loader, where there is one that can be asked.
fn egl() -> bool {
    let known = ["ldconfig", "/sbin/ldconfig"].into_iter().find_map(|name| quietly(Command::new(name).arg("-p")).ok());
    known.is_none_or(|known| ["libEGL.so.1", "libGL.so.1", "libEGL_mesa"].iter().all(|name| known.contains(name)))
}

/// Looks where CMake would.
fn itk() -> bool {
    let mut folders: Vec<PathBuf> = std::env::var_os("ITK_DIR").map(PathBuf::from).into_iter().collect();
    let prefixes = std::env::var_os("CMAKE_PREFIX_PATH").unwrap_or_default();
    let mut bases: Vec<PathBuf> = std::env::split_paths(&prefixes).map(|prefix| prefix.join("lib")).collect();
    bases.extend(["/usr/lib", "/usr/local/lib"].map(PathBuf::from));
    for base in bases {
        // Debian has some packages in a folder of the processor's name, some not.
        let inner = std::fs::read_dir(&base).into_iter().flatten().flatten().map(|entry| entry.path());
        for folder in inner.chain([base.clone()]).map(|folder| folder.join("cmake")) {
            folders.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    folders.iter().any(|folder| folder.join("ITKConfig.cmake").is_file())
}
