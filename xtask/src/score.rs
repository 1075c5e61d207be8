//! How good a model is on a set of CTs with their truth, by the program as a user would ask it.

use std::path::Path;
use std::process::Command;

use crate::install::files_in;
use crate::shell::{run, Fault};

/// Segments the images of a set in the layout `pairs`, prints how good that is, and gives the mean Dice. Masks and figures go into `out`;
/// `more` is what else is asked of `ggpfn segment`.
pub fn score(program: &dyn Fn() -> Command, set: &Path, out: &Path, model: &Path, more: &[&str]) -> Result<f64, Fault> {
    let (masks, json) = (out.join("masks"), out.join("figures.json"));
    let mut command = program();
    command.arg("--quiet").arg("segment").args(files_in(&set.join("images"))?).arg(format!("{}/", masks.display()));
    run(command.arg("--model").arg(model).args(more))?;
    run(program().arg("evaluate").arg(&masks).arg(set.join("labels")).arg("--json").arg(&json))?;
    let text = std::fs::read_to_string(&json).map_err(|e| Fault::new(format!("{}: {e}", json.display())))?;
    mean_dice(&text).ok_or_else(|| Fault::new(format!("{}: a mean Dice was expected", json.display())))
}

/// The mean Dice out of the program's JSON, which this crate without dependencies reads by its words.
fn mean_dice(json: &str) -> Option<f64> {
    let summary = json.split("\"summary\"").nth(1)?;
    let mean = summary.split("\"dice\"").nth(1)?.split("\"mean\":").nth(1)?;
    mean.split([',', '}']).next()?.trim().parse().ok()
}
