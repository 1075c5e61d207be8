//! What tests need and a machine may lack. Whoever lacks it says so here, by name.
//!
//! A test that cannot run passes, and libtest shows nothing of what passing tests print. So each skip is also written, as a line, to the
//! file that `GGPFN_SKIPS` names; `cargo xtask test` prints that file at its end, and fails for what could have run. The Python tests write
//! to the same file (`slicer_module/tests/recorded.py`).
#![allow(dead_code)]

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that the running test, or a part of it, is skipped for want of something that can be installed or copied here.
pub fn skip(reason: impl Display) {
    record("skipped", &reason.to_string());
}

/// Says the same where nothing that is installed would help: hardware, another operating system, rights that the machine does not give.
pub fn not_applicable(reason: impl Display) {
    record("not applicable", &reason.to_string());
}

fn record(kind: &str, reason: &str) {
    let program = std::env::current_exe().unwrap();
    let program = program.file_stem().unwrap().to_string_lossy().into_owned();
    // Without the hash that cargo puts behind.
    let program = program.rsplit_once('-').map_or(program.as_str(), |(name, _)| name);
    let thread = std::thread::current();
    let name = format!("{program}::{}", thread.name().unwrap_or("?"));
    println!("{}: {reason}", kind.to_uppercase());
    if let Some(file) = std::env::var_os("GGPFN_SKIPS") {
        // One write for a whole line: other tests append at the same time.
        let line = format!("{kind}\t{name}\t{}\n", reason.replace(['\n', '\t'], " "));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// A file or folder of the shared data, which is not part of the repository: beside the checkout, or in the folder that `GGPFN_SHARED`
/// names.
pub fn shared(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("GGPFN_SHARED").map(PathBuf::from);
    let path =
        shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("data").join(name);
    if !path.exists() {
        skip(format!("{} is not there", path.display()));
        return None;
    }
    Some(path)
}

/// The Python that `GGPFN_TEST_PYTHON` names, with the tests' oracles.
pub fn python() -> Option<OsString> {
    interpreter("GGPFN_TEST_PYTHON")
}

/// The Python that `GGPFN_TEST_SLICER_PYTHON` names, with the core of 3D Slicer.
pub fn slicer_python() -> Option<OsString> {
    interpreter("GGPFN_TEST_SLICER_PYTHON")
}

fn interpreter(variable: &str) -> Option<OsString> {
    let python = std::env::var_os(variable);
    if python.is_none() {
        skip(format!("{variable} is not set"));
    }
    python
}

/// Whether a program is there, for what is to be done with it.
pub fn tool(name: &str, what: &str) -> bool {
    let there = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(format!("{what}: there is no {name}"));
    }
    there
}

/// A file system of a few kilobytes on a folder, to be filled up. It takes rights that few but root on Linux have.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of this size, as mount has it.
    pub fn new(folder: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder.to_path_buf()));
        }
        not_applicable("a small file system cannot be mounted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
