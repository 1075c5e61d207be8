//! The 3D Slicer module of `slicer_module`, against the library and the program that were built for these tests.
//!
//! Runs `slicer_module/tests/run_tests.py` with the Python that `GGPFN_TEST_SLICER_PYTHON` names, which needs slicer-core,
//! numpy and PySide6-Essentials (that file says how to install them); where it is unset the tests say that they skip.

#[path = "common/native.rs"]
mod native;

use std::process::Command;

use native::{library, needs, root};

#[test]
fn the_module_works_on_the_real_mrml_classes() {
    let Some(python) = needs::slicer_python() else { return };
    let output = Command::new(&python)
        .arg(root().join("slicer_module/tests/run_tests.py"))
        .env("GGPFN_LIBRARY", library())
        .env("GGPFN_PROGRAM", env!("CARGO_BIN_EXE_ggpfn"))
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}");
    assert!(said.matches("\nRan ").count() >= 5 && !said.contains("Ran 0 tests"), "{said}");
}
