//! `ggpfn dataset`: what a set of labelled CTs is worth, and how it is split.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ggpfn::dataset::{self, CheckReport, Fingerprint, Layout, Quantiles, Severity, SplitCounts};
use ggpfn::files::{self, AtomicFile};
use ggpfn::inference::Progress;
use ggpfn::io::ReadOptions;
use ggpfn::labels::{LabelBits, LabelSource};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::training::{Preset, Suggestion, TrainOptions};
use ggpfn::{Error, Result};
use serde_json::json;

use crate::terminal::{self, Display};

/// Check a set of labelled CTs, split it for training, or see which options fit it
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
    Fingerprint(FingerprintArguments),
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

/// Measure what is typical of a set, and suggest the options of a training
///
/// Prints sizes and spacings, the extent and volume of what is labelled, and its densities, over all cases. From these it suggests working
/// spacing, window, patches and the size of whole slices for a GGPFN of the preset's size, each with its reason. --config-out writes them
/// for ggpfn train --config; look at them before weeks of training.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ggpfn dataset fingerprint my-set --layout pairs --config-out options.toml
  ggpfn train my-set --config options.toml --out run")]
struct FingerprintArguments {
    /// The set's folder
    folder: PathBuf,
    /// How its files are arranged: msd, nihc or pairs
    #[arg(long)]
    layout: Layout,
    /// What is segmented, and which values it has in the label maps, as for ggpfn train; everything above 0 if left out
    #[arg(long, value_name = "NAME=V,...", num_args = 1..)]
    labels: Vec<LabelSource>,
    /// The network's size, and all that the data do not decide: small, for processors, or the paper's, msd or nihc
    #[arg(long, value_name = "NAME", default_value = "small")]
    preset: Preset,
    /// Memory that a step of the training may take, in GB; as much as it takes if left out
    #[arg(long, value_name = "GB")]
    memory: Option<f64>,
    /// Write the suggested options, with a line of reason each (TOML)
    #[arg(long, value_name = "FILE")]
    config_out: Option<PathBuf>,
    /// Write all numbers, with those of each case
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Check(arguments) => check(&arguments),
        Command::Split(arguments) => split(&arguments),
        Command::Fingerprint(arguments) => fingerprint(&arguments),
    }
}

/// What a file of suggested options begins with.
const SUGGESTED: &str = "Suggested by ggpfn dataset fingerprint";

fn fingerprint(arguments: &FingerprintArguments) -> Result<()> {
    if let Some(memory) = arguments.memory.filter(|memory| !(memory.is_finite() && *memory > 0.0)) {
        let fault = format!("{memory}; a number of GB above 0 was expected");
        return Err(Error::Argument { name: "--memory", fault });
    }
    let outputs = [
        arguments.json.as_ref().map(|path| Output::new("--json", path, Kind::Json(&["fingerprint", "suggestion"]))),
        arguments.config_out.as_ref().map(|path| Output::new("--config-out", path, Kind::Text("# Suggested by ggpfn"))),
    ];
    outputs::check([], &outputs.into_iter().flatten().collect::<Vec<_>>())?;
    for path in [&arguments.json, &arguments.config_out].into_iter().flatten() {
        AtomicFile::create(path)?;
    }
    let cases = dataset::cases(&arguments.folder, arguments.layout)?;
    let bits = LabelBits::new(&arguments.labels);
    let named: Vec<&str> = arguments.labels.iter().map(|label| label.name.as_str()).collect();
    let names = if named.is_empty() { vec!["pancreas"] } else { named };
    let found = {
        let display = Display::new("measuring");
        let progress = |done: usize, name: &str| display.set(done as f64 / cases.len() as f64, name);
        dataset::fingerprint(&cases, &bits, &names, &progress, &|| terminal::cancel().is_cancelled())?
    };
    let budget = arguments.memory.map(|memory| (memory * 1e9) as u64);
    let suggestion = Suggestion::of(&found, arguments.preset, &arguments.labels, budget)?;
    print_fingerprint(&found);
    print_suggestion(&suggestion);
    if let Some(path) = &arguments.config_out {
        let set = arguments.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let head = format!(
            "{SUGGESTED} {} from {} of {set}.\nUse: ggpfn train SET --config FILE --out FOLDER",
            env!("CARGO_PKG_VERSION"),
            counted(found.cases.len(), "case")
        );
        files::write(path, suggestion.to_toml(&head.replace(char::is_control, "\n")).as_bytes())?;
        say!("{}", path.display());
    }
    if let Some(path) = &arguments.json {
        let reasons: Vec<_> =
            suggestion.reasons.iter().map(|reason| json!({ "entry": reason.entry, "reason": reason.text })).collect();
        let options = &suggestion.options;
        let value = json!({
            "ggpfn": env!("CARGO_PKG_VERSION"),
            "layout": arguments.layout,
            "fingerprint": found,
            "suggestion": {
                "preset": suggestion.preset.name(),
                "spacing": options.spacing,
                "window": options.window,
                "patch": options.patch,
                "global_size": options.global_size,
                "recompute": options.recompute,
                "step_bytes": suggestion.memory,
                "reasons": reasons,
            },
        });
        files::write_json(path, &value)?;
    }
    Ok(())
}

fn print_fingerprint(found: &Fingerprint) {
    let unlabelled = found.cases.iter().filter(|case| case.foreground_voxels == 0).count();
    say!(
        "{}{}",
        counted(found.cases.len(), "case"),
        match unlabelled {
            0 => String::new(),
            count => format!(", {count} without a labelled voxel"),
        }
    );
    let orientations: Vec<String> =
        found.orientations.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    say!("orientation {}", orientations.join(", "));
    say!("{:<28}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "smallest", "10 %", "median", "90 %", "largest");
    let line = |name: &str, q: &Quantiles, factor: f64, digits: usize| {
        let cells: String =
            [q.min, q.p10, q.median, q.p90, q.max].iter().map(|v| format!("{:>9.digits$}", v * factor)).collect();
        say!("{name:<28}{cells}");
    };
    let axes = ["x, right to left", "y, front to back", "z, bottom to top"];
    for (axis, name) in axes.into_iter().enumerate() {
        line(&format!("voxels along {name}"), &found.size[axis], 1.0, 0);
    }
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        line(&format!("spacing along {name}, mm"), &found.spacing_mm[axis], 1.0, 3);
    }
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        line(&format!("labelled along {name}, mm"), &found.extent_mm[axis], 1.0, 1);
    }
    line("labelled volume, mL", &found.volume_ml, 1.0, 1);
    line("labelled share of voxels, %", &found.foreground_share, 100.0, 3);
    say!("{:<28}{:>9}{:>9}{:>9}{:>9}{:>9}", "HU", "mean", "std", "0.5 %", "median", "99.5 %");
    let all = ("all labels".to_string(), &found.foreground_hu);
    let each = found.label_hu.iter().map(|(name, hu)| (name.clone(), hu));
    let of_labels: Vec<_> =
        if found.label_hu.len() > 1 { std::iter::once(all).chain(each).collect() } else { each.collect() };
    for (name, hu) in of_labels {
        let cells: String = [hu.mean, hu.std, hu.low, hu.median, hu.high].map(|v| format!("{v:>9.1}")).concat();
        say!("{name:<28}{cells}");
    }
}

fn print_suggestion(suggestion: &Suggestion) {
    let preset = TrainOptions::preset(suggestion.preset);
    let options = &suggestion.options;
    say!("\nsuggested, for the preset {}:", suggestion.preset.name());
    let grid = |spacing: Option<[f64; 3]>| match spacing {
        Some([z, y, x]) => format!("{x} x {y} x {z} mm (x, y, z)"),
        None => "each scan's own".into(),
    };
    say!("spacing      {} (preset: {})", grid(options.spacing), grid(preset.spacing));
    let window = |[low, high]: [f64; 2]| format!("{low} to {high} HU");
    say!("window       {} (preset: {})", window(options.window), window(preset.window));
    let sizes = [("patch", &options.patch, &preset.patch), ("global_size", &options.global_size, &preset.global_size)];
    for (name, own, of_preset) in sizes {
        for (view, [rows, columns]) in own {
            let before = of_preset.get(view).map_or("-".into(), |[rows, columns]| format!("{rows} x {columns}"));
            say!("{name:<13}{:<9}{rows} x {columns} (preset: {before})", view.name());
        }
    }
    say!(
        "memory       {:.1} GB for a step{}",
        suggestion.memory as f64 / 1e9,
        if options.recompute { ", with recompute" } else { "" }
    );
    for reason in &suggestion.reasons {
        say!("{}: {}", reason.entry, reason.text);
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
