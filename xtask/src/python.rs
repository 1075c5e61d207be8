//! The Python environments inside the checkout: `.python`, libtorch's home where none is found, with the tests' oracles; and
//! `.python-slicer`, with the core of 3D Slicer, apart because no torch must be in it.
//!
//! A stamp file is written after each set of packages is installed whole; an installation that was interrupted has none and
//! is made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::shell::{headline, quietly, Fault};

/// Readers and writers of images that the tests compare with, a reader of the descriptions of command-line modules, and one of C headers;
/// DICOM results; what the Python package takes images from, a checker of its types, what runs its notebook, its cohorts, its DICOM node and
/// its ONNX files, and shows its trainings; MPI, for trainings with several processes; measures of masks and statistics.
const TEST_PACKAGES: [&str; 24] = [
    "numpy==2.2.6",
    "nibabel==5.3.2",
    "SimpleITK==2.5.2",
    "ctk-cli==1.5",
    "cffi==2.1.1",
    "highdicom==0.28.2",
    "itk-core==5.4.4",
    "xarray==2025.4.0",
    "tqdm==4.70.1",
    "mypy==2.4.1",
    "nbclient==0.11.0",
    "ipykernel==7.4.0",
    "matplotlib==3.10.3",
    "scipy==1.15.3",
    "scikit-learn==1.7.2",
    "surface-distance==0.1",
    "distributed==2026.8.0",
    "pyarrow==26.0.1",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "tensorboard==2.20.0",
    "pynetdicom==3.0.4",
    "mpi4py==4.1.2; sys_platform == 'linux'",
    "mpich==5.0.2; sys_platform == 'linux'",
];

/// What the tests of the Slicer module run on: Slicer's scene without its application, Qt for the panel (PySide6 6.12 counts references
/// to None wrongly under Python 3.11), and Slicer's views for the pictures, which want this slicer-core.
const SLICER_PACKAGES: [&str; 5] = [
    "numpy==2.2.6",
    "slicer-core==5.11.0.6",
    "PySide6_Essentials==6.8.3",
    "trame-slicer==2.0.0",
    "slicer-layer-dm==2.0.0",
];

/// An environment, by its folder in the checkout.
#[derive(Clone, Copy)]
struct Environment(&'static str);

const MAIN: Environment = Environment(".python");
const SLICER: Environment = Environment(".python-slicer");

impl Environment {
    fn folder(self) -> PathBuf {
        root().join(self.0)
    }

    fn interpreter(self) -> PathBuf {
        self.folder().join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" })
    }
}

/// The interpreter of the environment with libtorch.
pub fn interpreter() -> PathBuf {
    MAIN.interpreter()
}

/// The folder of its packages.
pub fn packages() -> Result<PathBuf, Fault> {
    const QUESTION: &str = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    Ok(PathBuf::from(quietly(Command::new(interpreter()).args(["-c", QUESTION]))?.trim()))
}

/// The interpreter for the tests, with what they need.
pub fn for_tests() -> Result<PathBuf, Fault> {
    install("test", &[&TEST_PACKAGES], "the tests' oracles (numpy, nibabel, SimpleITK)")?;
    Ok(interpreter())
}

/// The interpreter for the tests of the Slicer module; none where its packages are not to be had, which is said: they exist for some
/// systems and Pythons alone.
pub fn for_slicer_tests() -> Option<PathBuf> {
    match install_into(SLICER, "test", &[&SLICER_PACKAGES], "the core of 3D Slicer for the tests") {
        Ok(()) => Some(SLICER.interpreter()),
        Err(fault) => {
            headline(&format!("NOT CHECKED: the Slicer module. {fault}"));
            None
        }
    }
}

/// Installs sets of packages, each by one call of pip, unless the stamp says that just these are there.
pub fn install(stamp: &str, sets: &[&[&str]], what: &str) -> Result<(), Fault> {
    install_into(MAIN, stamp, sets, what)
}

fn install_into(environment: Environment, stamp: &str, sets: &[&[&str]], what: &str) -> Result<(), Fault> {
    let interpreter = environment.interpreter();
    let stamp = environment.folder().join(format!("installed-{stamp}"));
    let content = sets.iter().map(|set| set.join(" ")).collect::<Vec<_>>().join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == content) && interpreter.exists() {
        return Ok(());
    }
    create(environment)?;
    headline(&format!("installing {what} into {}", environment.0));
    for set in sets {
        let mut command = Command::new(&interpreter);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(*set);
        quietly(&mut command).map_err(|fault| {
            Fault::new(format!(
                "{fault}\nThe packages come from the Python package index: is there a way to it from here?"
            ))
        })?;
    }
    fs::write(&stamp, content).map_err(|error| cannot_write(&stamp, &error))
}

fn create(environment: Environment) -> Result<(), Fault> {
    let folder = environment.folder();
    let ready = folder.join("created");
    if ready.exists() && environment.interpreter().exists() {
        return Ok(());
    }
    let python = find()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
    }
    quietly(Command::new(python).args(["-m", "venv"]).arg(&folder)).map_err(|fault| {
        Fault::new(format!(
            "{fault}\nPython cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
        ))
    })?;
    fs::write(&ready, "").map_err(|error| cannot_write(&ready, &error))
}

/// The Python that is active outside.
pub fn find() -> Result<&'static str, Fault> {
    ["python3", "python"]
        .into_iter()
        .find(|name| quietly(Command::new(name).args(["-c", "import sys; assert sys.version_info >= (3, 9)"])).is_ok())
        .ok_or_else(|| {
            Fault::new("Python 3.9 or later was not found. On Debian and Ubuntu: apt-get install python3 python3-venv")
        })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(format!("cannot write {}: {error}", path.display()))
}
