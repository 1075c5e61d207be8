//! What the tests share that use the library as a file: where it is, programs compiled and run, a CT as a raw file.
#![allow(dead_code)]

#[path = "needs.rs"]
pub mod needs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ggpfn::io::{self, ReadOptions};
use ggpfn::volume::Geometry;

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library that was built for these tests: it lies beside them.
pub fn library() -> PathBuf {
    let file = std::env::current_exe().unwrap().with_file_name("libggpfn.so");
    assert!(file.exists(), "{} is not there", file.display());
    file
}

/// Its folder, where it also has the name by which programs ask for it once installed.
#[cfg(unix)]
pub fn library_folder() -> PathBuf {
    let file = library();
    let name = file.with_file_name("libggpfn.so.0");
    if !name.exists() {
        let _ = std::os::unix::fs::symlink("libggpfn.so", name);
    }
    file.parent().unwrap().to_path_buf()
}

/// Runs what must succeed. cargo's own search path, and the caller's, would lead programs to other libraries than this one, and hide that the
/// library does not find its libtorch by itself.
pub fn run(command: &mut Command) -> Output {
    let output = command.env_remove("LD_LIBRARY_PATH").output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    output
}

/// The flag by which compilers build with the sanitizers for addresses and undefined behaviour.
pub const SANITIZE: &str = "-fsanitize=address,undefined";

/// Whether a compiler, of C or C++, has them; if not, says what is skipped.
pub fn has_sanitizers(compiler: &str, folder: &Path) -> bool {
    let source = folder.join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let there = Command::new(compiler).arg(SANITIZE).arg(&source).arg("-o").arg(folder.join("empty")).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        needs::skip(format!("{compiler} has no sanitizers"));
    }
    there
}

/// The real CT; none where it is absent, which is said.
pub fn real_ct() -> Option<PathBuf> {
    needs::shared("ct/example_ct.nii.gz")
}

/// Writes a CT's voxels as a raw file of int16, i fastest, and gives its grid.
pub fn write_raw(ct: &Path, raw: &Path) -> Geometry {
    let volume = io::read(ct, &ReadOptions::default()).unwrap();
    assert!(volume.voxels().iter().all(|v| f32::from(*v as i16) == *v), "whole numbers of 16 bits");
    let bytes: Vec<u8> = volume.voxels().iter().flat_map(|v| (*v as i16).to_le_bytes()).collect();
    std::fs::write(raw, bytes).unwrap();
    volume.geometry().clone()
}

/// The mask that `ggpfn segment` makes of an image, as bytes.
pub fn mask_by_the_program(ct: &Path, folder: &Path) -> Vec<u8> {
    let file = folder.join("by the program.nii");
    run(Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("segment").arg(ct).arg(&file));
    io::read(&file, &ReadOptions::default()).unwrap().voxels().iter().map(|v| *v as u8).collect()
}

/// Refuses a mask that is empty, or differs in a byte from the expected one; says in how many, and by how many voxels it is larger.
pub fn expect_mask(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "voxels");
    let count = |mask: &[u8]| mask.iter().filter(|voxel| **voxel == 1).count();
    assert!(count(found) > 0, "the mask is empty");
    let differ = found.iter().zip(expected).filter(|(a, b)| a != b).count();
    assert_eq!(differ, 0, "the masks differ; {} voxels in this one, {} expected", count(found), count(expected));
}
