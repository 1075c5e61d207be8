//! What the tests skip: printed by name at the end of the test command, and a failure where nothing excuses it.
//!
//! Tests in Rust and Python write a line for each skip to a file: its kind, the test's name and the reason, parted by tabs. There are two
//! kinds. What is *skipped* could run if something were installed or copied here. What is *not applicable* could not: it wants a GPU, another
//! operating system, rights that this machine does not give, or the application 3D Slicer, which no package index has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::shell::Fault;
use crate::{root, target_folder};

/// The record of one run of the tests.
pub struct Skips {
    file: PathBuf,
    /// Whether what is skipped is a failure.
    strict: bool,
}

impl Skips {
    /// An empty record. It is strict where the shared data is there: who has that has, or can have, the rest.
    pub fn begin() -> Result<Self, Fault> {
        let file = target_folder().join("skips.txt");
        fs::write(&file, "").map_err(|error| Fault::new(format!("cannot write {}: {error}", file.display())))?;
        let shared = std::env::var_os("GGPFN_SHARED").map_or(root().join("../shared"), PathBuf::from);
        Ok(Skips { file, strict: shared.is_dir() })
    }

    /// Tells a command's tests where to write.
    pub fn apply(&self, command: &mut Command) {
        command.env("GGPFN_SKIPS", &self.file);
    }

    /// Prints what was recorded, and fails for it where that is strict.
    pub fn report(&self) -> Result<(), Fault> {
        let record = fs::read_to_string(&self.file)
            .map_err(|error| Fault::new(format!("cannot read {}: {error}", self.file.display())))?;
        let (skipped, not_applicable) = read(&record);
        for (title, lines) in [("not applicable on this machine", &not_applicable), ("SKIPPED", &skipped)] {
            if !lines.is_empty() {
                println!("\n{title}:");
                lines.iter().for_each(|line| println!("  {line}"));
            }
        }
        judge(skipped.len(), self.strict)
    }
}

/// What was skipped and what is not applicable, sorted, each once.
fn read(record: &str) -> (Vec<String>, Vec<String>) {
    let of_kind = |excused: bool| {
        let lines = record.lines().filter(|line| line.starts_with("not applicable\t") == excused);
        // A line that is not understood counts as skipped: nothing is lost.
        let mut lines: Vec<String> =
            lines.map(|line| line.split_once('\t').map_or(line, |(_, rest)| rest).replacen('\t', ": ", 1)).collect();
        lines.sort();
        lines.dedup();
        lines
    };
    (of_kind(false), of_kind(true))
}

fn judge(skipped: usize, strict: bool) -> Result<(), Fault> {
    match (skipped, strict) {
        (0, _) => Ok(()),
        (_, false) => {
            println!("\n{skipped} skipped; where the shared data is, that would be a failure");
            Ok(())
        }
        (_, true) => Err(Fault::new(format!(
            "{skipped} skipped, which is a failure where the shared data is; the list is above"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_fails_the_strict_command_and_what_is_not_applicable_does_not() {
        let record = "not applicable\tprogram::gpu\tthere is none\nskipped\tc::valgrind\tthere is no valgrind\n\
                      skipped\tc::valgrind\tthere is no valgrind\n";
        let (skipped, not_applicable) = read(record);
        assert_eq!(skipped, ["c::valgrind: there is no valgrind"]);
        assert_eq!(not_applicable, ["program::gpu: there is none"]);
        assert!(judge(skipped.len(), true).is_err());
        assert!(judge(skipped.len(), false).is_ok());
        assert!(judge(0, true).is_ok());
    }

    #[test]
    fn a_line_that_is_not_understood_counts_as_skipped() {
        assert_eq!(read("half a li").0, ["half a li"]);
    }
}
