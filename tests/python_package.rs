//! The Python package `ggpfn` of `slicer_module`, against the library that was built for these tests.
//!
//! Runs the tests of `tests/python_package` with the Python that `GGPFN_TEST_PYTHON` names, which needs numpy; where it is
//! unset they say that they skip.

#[path = "common/native.rs"]
mod native;

use std::process::Command;

use native::{library, needs, root};

/// Runs one file of tests, and prints what it says, skipped tests included.
fn passes(name: &str) {
    let Some(python) = needs::python() else { return };
    let output = Command::new(python)
        .args(["-W", "ignore::DeprecationWarning"])
        .arg(root().join("slicer_module/tests/recorded.py"))
        .args(["-v", name])
        .current_dir(root().join("tests/python_package"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // cargo's own, in which the system's loader would find the library.
        .env_remove("LD_LIBRARY_PATH")
        .env("GGPFN_LIBRARY", library())
        .env("GGPFN_PROGRAM", env!("CARGO_BIN_EXE_ggpfn"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}{said}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{name}: {said}");
    assert!(!said.contains("Ran 0 tests"), "{name} has no tests");
}

#[test]
fn the_interface_is_the_headers() {
    passes("test_abi");
}

#[test]
fn arrays_of_all_kinds_are_images() {
    passes("test_images");
}

#[test]
fn networks_run_elsewhere_as_onnx() {
    passes("test_onnx");
}

#[test]
fn the_library_is_found_or_refused() {
    passes("test_library");
}

#[test]
fn a_real_ct_gives_the_programs_mask() {
    passes("test_real_ct");
}

#[test]
fn options_results_and_models() {
    passes("test_segment");
}

#[test]
fn a_child_process_does_the_work() {
    passes("test_child");
}

#[test]
fn networks_are_trained() {
    passes("test_training");
}

#[test]
fn networks_are_trained_by_several_processes() {
    passes("test_distributed");
}

#[test]
fn work_is_followed_and_cancelled() {
    passes("test_work");
}

#[test]
fn files_and_images_of_other_packages() {
    passes("test_inputs");
}

#[test]
fn cohorts_are_done_once_and_resumed() {
    passes("test_cohort");
}

#[test]
fn a_dicom_node_loses_nothing_and_sends_nothing_twice() {
    passes("test_node");
}

#[test]
fn the_wheel_is_installed_and_used() {
    passes("test_wheel");
}

#[test]
fn the_notebook_runs_and_shows_pictures() {
    passes("test_notebook");
}
