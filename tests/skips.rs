//! No test passes unrun without a word: what skips is recorded by name, in Rust and in Python.

#[path = "common/needs.rs"]
mod needs;

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Only where this very program was started by the tests below: something to skip.
#[test]
fn something_that_skips() {
    if std::env::var_os("GGPFN_SKIP_SOMETHING").is_some() {
        needs::shared("no such data");
        needs::not_applicable("there is no\nmoon");
    }
}

#[test]
fn a_skip_in_rust_is_recorded_by_the_tests_name() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("skips.txt");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["something_that_skips", "--exact"]).env("GGPFN_SKIP_SOMETHING", "1");
    let output = command.env("GGPFN_SKIPS", &record).env("GGPFN_SHARED", folder.path()).output().unwrap();
    assert!(output.status.success());
    let missing = folder.path().join("data").join("no such data");
    assert_eq!(
        std::fs::read_to_string(&record).unwrap(),
        format!(
            "skipped\tskips::something_that_skips\t{} is not there\n\
             not applicable\tskips::something_that_skips\tthere is no moon\n",
            missing.display()
        )
    );
}

#[test]
fn a_skip_in_python_is_recorded_however_it_comes_about() {
    let Some(python) = needs::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let tests = "
import unittest

class Some(unittest.TestCase):
    def test_called(self):
        self.skipTest('no\\nthing')
    @unittest.skipIf(True, 'not applicable: no GPU')
    def test_decorated(self):
        pass
    def test_that_runs(self):
        pass

class Setup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest('no child')
    def test_any(self):
        pass

@unittest.skipUnless(False, 'no data')
class Whole(unittest.TestCase):
    def test_any(self):
        pass
";
    std::fs::write(folder.path().join("test_some.py"), tests).unwrap();
    let record = folder.path().join("skips.txt");
    let mut command = Command::new(python);
    command.arg(Path::new(ROOT).join("slicer_module/tests/recorded.py")).arg("test_some");
    let output = command.current_dir(folder.path()).env("GGPFN_SKIPS", &record).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&record).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "not applicable\ttest_some.Some.test_decorated\tno GPU",
            "skipped\tsetUpClass (test_some.Setup)\tno child",
            "skipped\ttest_some.Some.test_called\tno thing",
            "skipped\ttest_some.Whole.test_any\tno data",
        ]
    );
}

/// Nobody goes past the record: no test says by itself that it skips, every file of Python tests is run, and by the runner that records.
#[test]
fn there_is_one_way_to_skip() {
    let files = |folder: &str, ending: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
    };
    for path in files("tests", ".rs").into_iter().chain(files("tests/common", ".rs")) {
        let own = path.ends_with("tests/skips.rs") || path.ends_with("common/needs.rs");
        let text = std::fs::read_to_string(&path).unwrap();
        let wanted =
            ["GGPFN_SHARED\")", "GGPFN_TEST_PYTHON\")", "GGPFN_TEST_SLICER_PYTHON\")", "../shared", "\"mount\""];
        for line in text.lines().filter(|line| !own && !line.starts_with("//")) {
            let says = line.contains("println!(") && line.to_lowercase().contains("skip");
            assert!(!says && wanted.iter().all(|word| !line.contains(word)), "{}: {line}", path.display());
        }
        assert!(own || !text.contains("\"unittest\""), "{} runs Python's tests by itself", path.display());
    }
    let runs = std::fs::read_to_string(Path::new(ROOT).join("tests/python_package.rs")).unwrap();
    for path in files("tests/python_package", ".py") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!name.starts_with("test_") || runs.contains(&format!("passes(\"{name}\")")), "{name} is run by nobody");
    }
}
