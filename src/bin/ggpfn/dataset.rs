//! `ggpfn dataset`: what a set of labelled CTs is worth, and how it is split.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ggpfn::dataset::{self, CheckReport, Layout, Severity, SplitCounts};
use ggpfn::files::AtomicFile;
use ggpfn::inference::Progress;
use ggpfn::io::ReadOptions;
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::{Error, Result};

use crate::terminal::{self, Display};

/// Check a set of labelled CTs, or split it for training
///
/// The layouts: msd is Task07_Pancreas of the Medical Segmentation Decathlon, as unpacked. nihc is NIH Pancreas-CT, as the
/// TCIA's downloader leaves it, with the labels anywhere in the folder. pairs is any folder with images and labels of the same
/// names, in sub-folders images and labels, or side by side as NAME.nii.gz and NAME_label.nii.gz (_seg, _mask).
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(CheckArguments),
    Split(SplitArguments),
}

/// Load every case and say what is odd about it; exit code 3 if anything is an error
///
/// Errors: files that are missing or cannot be read, grids of image and label that differ, labels that are empty or hold
/// other than whole numbers, images that are not in Hounsfield units, copies of an image. Warnings: unexpected label
/// values, several parts, implausible volume, spacing unlike the others', a label at the image's border or not on soft
/// tissue, images without a label.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ggpfn dataset check Task07_Pancreas --layout msd --json check.json")]
struct CheckArguments {
    /// The set's folder
    folder: PathBuf,
    /// How its files are arranged: msd, nihc or pairs
    #[arg(long)]
    layout: Layout,
    /// Write the whole report, with size, spacing, orientation and volume of each case
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Draw cases for training, validation and test
///
/// Without counts, the paper's: 236/5/40 of 281 for msd and pairs, 48/5/29 of 82 for nihc; in proportion for other numbers
/// of cases. The same seed gives the same split on every machine.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ggpfn dataset split Task07_Pancreas --layout msd --seed 0 --out split.json")]
struct SplitArguments {
    /// The set's folder
    folder: PathBuf,
    /// How its files are arranged: msd, nihc or pairs
    #[arg(long)]
    layout: Layout,
    /// The seed that the split is drawn from
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Cases to train on
    #[arg(long, value_name = "N")]
    train: Option<usize>,
    /// Cases to choose the best epoch by
    #[arg(long, value_name = "N")]
    validation: Option<usize>,
    /// Cases for the test
    #[arg(long, value_name = "N")]
    test: Option<usize>,
    /// The file to write (JSON)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Check(arguments) => check(&arguments),
        Command::Split(arguments) => split(&arguments),
    }
}

fn check(arguments: &CheckArguments) -> Result<()> {
    // The set's images and lists are no reports, and so are safe too.
    if let Some(path) = &arguments.json {
        outputs::check([], &[Output::new("--json", path, Kind::Json(&["layout", "cases", "problems"]))])?;
    }
    // Nobody should wait for a report that cannot be stored.
    let json = arguments.json.as_deref().map(|path| AtomicFile::create(path).map(|file| (path, file))).transpose()?;
    let report = {
        let display = Display::new("");
        let progress = |done: usize, all: usize, name: &str| {
            let phase = if terminal::is_interactive() { name.to_string() } else { "check".to_string() };
            display.show(&Progress { phase, fraction: done as f64 / all as f64, seconds_left: None });
        };
        let cancelled = || terminal::cancel().is_cancelled();
        dataset::check(&arguments.folder, arguments.layout, &ReadOptions::default(), &progress, &cancelled)?
    };
    if let Some((path, mut file)) = json {
        let fail = |e| Error::file("write", path, e);
        serde_json::to_writer_pretty(&mut file, &report).map_err(|e| fail(e.into()))?;
        file.write_all(b"\n").map_err(fail)?;
        file.commit()?;
    }
    print(&report);
    match report.count(Severity::Error) {
        0 => Ok(()),
        errors => Err(Error::image(&arguments.folder, format!("{} in this set", counted(errors, "error")))),
    }
}

fn print(report: &CheckReport) {
    for problem in &report.problems {
        let word = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let case = problem.case.as_ref().map_or(String::new(), |name| format!("{name}: "));
        say!("{word}: {case}{}: {}", within(&problem.file, &report.folder), problem.text);
    }
    let noted: Vec<_> = report.cases.iter().filter(|case| !case.notes.is_empty()).collect();
    for case in &noted {
        say!("note: {}: {}", case.name, case.notes.join("; "));
    }
    say!(
        "{} of {} read; {}, {}",
        report.cases.len(),
        counted(report.pairs, "case"),
        counted(report.count(Severity::Error), "error"),
        counted(report.count(Severity::Warning), "warning")
    );
    let mut volumes: Vec<f64> = report.cases.iter().map(|case| case.volume_ml).collect();
    volumes.sort_by(f64::total_cmp);
    if let (Some(low), Some(high)) = (volumes.first(), volumes.last()) {
        say!("volume {low:.1} to {high:.1} mL, median {:.1} mL", volumes[volumes.len() / 2]);
    }
    for (axis, name) in ["i", "j", "k"].into_iter().enumerate() {
        let all = || report.cases.iter().map(|case| (case.spacing_mm[axis], case.size[axis]));
        let (low, high) = all().fold((f64::INFINITY, 0.0_f64), |(a, b), (s, _)| (a.min(s), b.max(s)));
        let (least, most) = all().fold((usize::MAX, 0), |(a, b), (_, n)| (a.min(n), b.max(n)));
        if most > 0 {
            say!("along {name}: {least} to {most} voxels of {low:.3} to {high:.3} mm");
        }
    }
}

/// A path as seen from the set's folder.
fn within(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn split(arguments: &SplitArguments) -> Result<()> {
    let kind = Kind::Json(&["seed", "train", "validation", "test"]);
    outputs::check([], &[Output::new("--out", &arguments.out, kind)])?;
    let cases = dataset::cases(&arguments.folder, arguments.layout)?;
    let names: Vec<String> = cases.into_iter().map(|case| case.name).collect();
    let (train, validation, test) = (arguments.train, arguments.validation, arguments.test);
    let counts = SplitCounts::with(arguments.layout, names.len(), train, validation, test)?;
    let split = dataset::split(&names, counts, arguments.seed)?;
    split.write(&arguments.out)?;
    say!(
        "{}: {} to train on, {} for validation, {} for the test, of {}",
        arguments.out.display(),
        split.train.len(),
        split.validation.len(),
        split.test.len(),
        counted(names.len(), "case")
    );
    Ok(())
}
