//! Finding libtorch, or installing it.
//!
//! torch-sys builds against a folder with `include` and `lib`; a Python wheel of torch is such a folder. The wheel names gigabytes
//! of CUDA packages as its needs, but on a processor libtorch loads only two small ones of them, so that without a GPU those
//! are all that is installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python;
use crate::shell::{headline, quietly, Fault};

/// The version that tch wants. `runtime.rs` and `Cargo.toml` go with it.
const VERSION: &str = "2.11.0";

/// What libtorch_cpu of that wheel loads, on a machine without a GPU too.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const PROCESSOR_NEEDS: [&str; 1] = ["cuda-toolkit[cudart,cupti]==13.0.2"];
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
const PROCESSOR_NEEDS: [&str; 0] = [];

/// Where libtorch is, and what else building needs.
pub struct Found {
    folder: PathBuf,
    /// Folders to look for programs in first.
    programs: Option<PathBuf>,
}

impl Found {
    /// The folder with libtorch's `include` and `lib`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets a command build against it.
    pub fn apply(&self, command: &mut Command) {
        for (name, value) in self.settings() {
            command.env(name, value);
        }
        for name in ["LIBTORCH_USE_PYTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "LIBTORCH_STATIC"] {
            command.env_remove(name);
        }
    }

    /// Prints the same for a shell.
    pub fn print_exports(&self) {
        for (name, value) in self.settings() {
            println!("export {name}='{}'", value.to_string_lossy().replace('\'', r"'\''"));
        }
    }

    fn settings(&self) -> Vec<(&'static str, OsString)> {
        let mut settings: Vec<(&str, OsString)> = vec![("LIBTORCH", self.folder.clone().into())];
        if let Some(programs) = &self.programs {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let paths = std::iter::once(programs.clone()).chain(std::env::split_paths(&path));
            settings.push(("PATH", std::env::join_paths(paths).unwrap_or(path.clone())));
        }
        settings
    }
}

/// Finds libtorch or installs it, and checks the other tools that building needs.
pub fn settle(full: bool) -> Result<Found, Fault> {
    compiler()?;
    let folder = match (std::env::var_os("LIBTORCH"), full) {
        (Some(folder), _) => from_variable(PathBuf::from(folder))?,
        (None, false) => match from_python()? {
            Some(folder) => folder,
            None => installed(false)?,
        },
        (None, true) => installed(true)?,
    };
    headline(&format!("libtorch {VERSION} in {}", folder.display()));
    // CharLS, the JPEG-LS codec, is built with CMake.
    let cmake = quietly(Command::new("cmake").arg("--version")).is_ok();
    if !cmake {
        python::install("cmake", &[&["cmake==3.31.6"]], "CMake")?;
    }
    // The program itself: the script in bin names its Python by an absolute path, and fails once the checkout has moved.
    let programs = if cmake { None } else { Some(python::packages()?.join("cmake/data/bin")) };
    Ok(Found { folder, programs })
}

fn compiler() -> Result<(), Fault> {
    let named = std::env::var("CXX").ok();
    let names = named.iter().map(String::as_str).chain(["c++", "g++", "clang++"]);
    for name in names {
        if quietly(Command::new(name).arg("--version")).is_ok() {
            return Ok(());
        }
    }
    Err(Fault::new("no C++ compiler was found. On Debian and Ubuntu: apt-get install g++"))
}

/// The version of the libtorch in a folder: a downloaded one has it in `build-version`, a wheel in `version.py`.
fn version_of(folder: &Path) -> Option<String> {
    let own = std::fs::read_to_string(folder.join("build-version")).ok();
    let wheel = || {
        let text = std::fs::read_to_string(folder.join("version.py")).ok()?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        Some(line.split(['\'', '"']).nth(1)?.to_string())
    };
    let text = own.or_else(wheel)?;
    Some(text.trim().split('+').next().unwrap_or_default().to_string())
}

fn from_variable(folder: PathBuf) -> Result<PathBuf, Fault> {
    // torch-sys's build script runs in another folder.
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let found = match version_of(&folder) {
        Some(version) if version == VERSION => match lacks(&folder) {
            None => return Ok(folder),
            Some(fault) => format!("a libtorch that {fault}"),
        },
        Some(version) => format!("libtorch {version}"),
        None => "no libtorch".into(),
    };
    Err(Fault::new(format!(
        "LIBTORCH names {}, which holds {found}; {VERSION} was expected. Unset LIBTORCH to have it installed",
        folder.display()
    )))
}

/// The active Python's torch, if it is of the right version. It is looked up, not imported: that takes seconds.
fn from_python() -> Result<Option<PathBuf>, Fault> {
    const QUESTION: &str = "import importlib.util as u\ns = u.find_spec('torch')\n\
                            print(s.submodule_search_locations[0] if s and s.submodule_search_locations else '')";
    let answer = quietly(Command::new(python::find()?).args(["-c", QUESTION])).unwrap_or_default();
    let folder = PathBuf::from(answer.trim());
    let fault = match version_of(&folder) {
        _ if answer.trim().is_empty() => return Ok(None),
        Some(version) if version == VERSION => match lacks(&folder) {
            None => return Ok(Some(folder)),
            Some(fault) => format!("it {fault}"),
        },
        version => format!("it is {}, and {VERSION} is needed", version.as_deref().unwrap_or("of no known version")),
    };
    headline(&format!("the active Python's torch is passed over: {fault}"));
    Ok(None)
}

/// What a libtorch lacks to be built and run with: headers, or libraries that its loader does not find (a wheel without
/// its CUDA packages). Only Linux's loader is asked, where `ldd` is there.
fn lacks(folder: &Path) -> Option<String> {
    if !folder.join("include/torch/csrc/api/include/torch/torch.h").is_file() {
        return Some("has no C++ headers".into());
    }
    if !cfg!(target_os = "linux") {
        return None;
    }
    let library = folder.join("lib/libtorch_cpu.so");
    if !library.is_file() {
        return Some("has no lib/libtorch_cpu.so".into());
    }
    let needs = quietly(Command::new("ldd").arg(library)).unwrap_or_default();
    let missing: Vec<&str> = needs
        .lines()
        .filter(|line| line.contains("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    (!missing.is_empty()).then(|| format!("lacks {}", missing.join(", ")))
}

fn gpu() -> bool {
    ["/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"].iter().any(|path| Path::new(path).exists())
}

/// The one in the checkout's own environment, installed if need be.
fn installed(full: bool) -> Result<PathBuf, Fault> {
    let torch = format!("torch=={VERSION}");
    if full || gpu() {
        python::install("torch-full", &[&[&torch]], "PyTorch with CUDA (about 5 GB)")?;
    } else {
        let alone: &[&str] = &["--no-deps", &torch];
        let mut sets = vec![alone];
        if !PROCESSOR_NEEDS.is_empty() {
            sets.push(&PROCESSOR_NEEDS);
        }
        python::install("torch", &sets, "libtorch (about 500 MB to download)")?;
    }
    let folder = python::packages()?.join("torch");
    match version_of(&folder) {
        Some(version) if version == VERSION && lacks(&folder).is_none() => Ok(folder),
        _ => Err(Fault::new("the installation in .python is broken; remove that folder and try again")),
    }
}
