//! `ggpfn evaluate`: masks against their truth.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use ggpfn::evaluation::{compare, summarise, Comparison, Measure, Summary};
use ggpfn::files::AtomicFile;
use ggpfn::io::{self, results, ReadOptions};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{lps_spacing, lps_view, same_grid, Content, Geometry, Volume};
use ggpfn::{Error, Result};
use ndarray::Array3;
use serde_json::json;

use crate::segment::{split_extension, write_json};
use crate::terminal;

/// Compare masks with their truth: Dice, volumes, surface distances
///
/// PREDICTION and TRUTH are two images, or two folders of images that are matched by their names: case1.nii.gz and case1.nrrd
/// belong together, and so do case1_pancreas, case1_mask, case1_pred, case1_label, case1_seg, labelcase1 and PANCREAS_case1
/// where no name is the same. Every voxel that is not 0 counts as pancreas. Both must lie on one grid; how its axes are ordered
/// and flipped does not matter. Either may be a DICOM segmentation (a .dcm file), of which slices without anything are left out.
#[derive(clap::Args)]
#[command(after_help = "\
Surface distances are between voxels that have a face on the outside; HD95 is the 95th percentile,
MSD the mean of those from the prediction to the truth and back, pooled. A measure without a value,
such as a distance to an empty mask, is \"-\" (CSV: nothing, JSON: null) and does not enter the mean.

Empty masks are as the Decathlon, nnU-Net and MONAI have them: where prediction and truth are both
empty, no measure but the volumes has a value, and the case enters no mean of them; where one of them
is, Dice and Jaccard are 0 and enter. A truth without a prediction is an error, since means over
those that were found alone would be too good; --allow-missing leaves such cases out.

Examples:
  ggpfn evaluate pancreas.nii.gz truth.nii.gz
  ggpfn evaluate masks/ labels/ --label 8 --csv cases.csv --json summary.json")]
pub struct Arguments {
    /// The mask, or a folder of masks
    prediction: PathBuf,
    /// Its truth, or a folder
    truth: PathBuf,
    /// Only this value of the truth is pancreas; every value but 0 if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    label: Option<u16>,
    /// Leave out, with a warning, cases of the truth that have no prediction; without it they are an error
    #[arg(long)]
    allow_missing: bool,
    /// Write a table with one row per case too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the cases and their summary too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A prediction and its truth.
struct Case {
    name: String,
    prediction: PathBuf,
    truth: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let cases = cases(&arguments.prediction, &arguments.truth, arguments.allow_missing)?;
    let inputs = cases.iter().flat_map(|case| [case.prediction.as_path(), case.truth.as_path()]);
    let csv = arguments.csv.iter().map(|path| Output::new("--csv", path, Kind::Csv("case,prediction,truth,")));
    let json = arguments.json.iter().map(|path| Output::new("--json", path, Kind::Json(&["ggpfn", "summary"])));
    outputs::check(inputs, &csv.chain(json).collect::<Vec<_>>())?;
    for path in arguments.csv.iter().chain(&arguments.json) {
        AtomicFile::create(path)?;
    }
    let table = Table::new(&cases);
    let mut done: Vec<(&Case, Comparison)> = Vec::new();
    let mut failure = None;
    for case in &cases {
        if terminal::cancel().is_cancelled() {
            return Err(Error::Cancelled);
        }
        match compare_files(&case.prediction, &case.truth, arguments.label) {
            Ok(comparison) => {
                if done.is_empty() {
                    table.print_head();
                }
                table.print(&case.name, |measure| measure.of(&comparison));
                done.push((case, comparison));
            }
            Err(error) if cases.len() > 1 => {
                terminal::error(&error);
                failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    if terminal::cancel().is_cancelled() {
        return Err(Error::Cancelled);
    }
    let comparisons: Vec<_> = done.iter().map(|(_, comparison)| comparison.clone()).collect();
    let summary = summarise(&comparisons);
    if done.len() > 1 {
        table.print_summary(&summary);
    }
    if let (Some(path), false) = (&arguments.csv, done.is_empty()) {
        write_csv(path, &done)?;
    }
    if let (Some(path), false) = (&arguments.json, done.is_empty()) {
        let cases: Vec<_> = done
            .iter()
            .map(|(case, comparison)| {
                let (prediction, truth) = (case.prediction.display().to_string(), case.truth.display().to_string());
                json!({ "case": case.name, "prediction": prediction, "truth": truth, "measures": comparison })
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        write_json(path, &json!({ "ggpfn": version, "label": arguments.label, "cases": cases, "summary": summary }))?;
    }
    match failure {
        None => Ok(()),
        Some(error) => {
            note!("{} of {} cases failed; the summary is of the others", cases.len() - done.len(), cases.len());
            Err(error)
        }
    }
}

/// Compares two files; with `label`, that value of the truth alone.
pub fn compare_files(prediction: &Path, truth: &Path, label: Option<u16>) -> Result<Comparison> {
    // One after the other: a scan's voxels as they are read take four times the memory of the mask that stays.
    let ((found, geometry), (expected, truth_geometry)) = match [prediction, truth].map(results::is_segmentation) {
        // A DICOM segmentation has the slices alone on which something is; the other says what grid they are of.
        [true, true] => {
            let grid = results::common_grid(&[prediction, truth])?;
            (read_mask(prediction, None, Some(&grid))?, read_mask(truth, label, Some(&grid))?)
        }
        [true, false] => {
            let truth = read_mask(truth, label, None)?;
            (read_mask(prediction, None, Some(&truth.1))?, truth)
        }
        [false, segmentation] => {
            let found = read_mask(prediction, None, None)?;
            let grid = segmentation.then_some(&found.1);
            let expected = read_mask(truth, label, grid)?;
            (found, expected)
        }
    };
    if !same_grid(&in_lps(&geometry), &in_lps(&truth_geometry)) {
        let fault = format!(
            "its grid is {}; that of {} is {}; resample one to the other, labels by the nearest voxel",
            describe(&geometry),
            truth.display(),
            describe(&truth_geometry)
        );
        return Err(Error::image(prediction, fault));
    }
    let (found, expected) = (lps_view(found.view(), &geometry), lps_view(expected.view(), &truth_geometry));
    compare(found, expected, lps_spacing(&truth_geometry))
}

/// How far a number of a mask may be from a whole one: files that store masks as scaled integers or floats round.
const WHOLE: f32 = 1e-3;
/// How many values a label map may have. Fewer than any CT, more than any list of organs.
const MOST_LABELS: usize = 256;

/// Reads a mask, 1 where it has `label`, or any value but 0 if there is none; a DICOM segmentation on a grid.
fn read_mask(path: &Path, label: Option<u16>, grid: Option<&Geometry>) -> Result<(Array3<u8>, Geometry)> {
    let options = ReadOptions::of(Content::Labels);
    let volume = match grid {
        Some(grid) => results::read_on(path, &options, grid)?,
        None => io::read(path, &options)?,
    };
    let labels = labels(path, &volume)?;
    match label {
        Some(label) if !labels.contains(&label) => {
            log::warn!("{}: no voxel has the label {label}; it counts as empty", path.display());
        }
        None if labels.len() > 1 => {
            let list: Vec<_> = labels.iter().map(u16::to_string).collect();
            let hint = "all of them count as pancreas (--label N takes one of the truth)";
            log::warn!("{}: it has the labels {}; {hint}", path.display(), list.join(", "));
        }
        _ => {}
    }
    let geometry = volume.geometry().clone();
    let mask = volume.voxels().mapv(|value| match label {
        Some(label) => u8::from(value.round() == f32::from(label)),
        None => u8::from(value.round() != 0.0),
    });
    Ok((mask, geometry))
}

/// The values of a label map but 0, ascending. Refuses a probability map, a CT or anything else that is no mask.
pub fn labels(path: &Path, volume: &Volume) -> Result<Vec<u16>> {
    let mut seen = vec![false; 1 << 16];
    let (mut low, mut high) = (0.0_f32, 0.0_f32);
    let mut broken = false;
    for value in volume.voxels().iter().copied().filter(|value| *value != 0.0) {
        let whole = value.round();
        (low, high) = (low.min(value), high.max(value));
        broken |= (value - whole).abs() > WHOLE;
        // Casting keeps to the range of the type; what is beyond is refused by `low` and `high`.
        seen[whole as u16 as usize] = true;
    }
    let labels: Vec<u16> = (1..=u16::MAX).filter(|label| seen[usize::from(*label)]).collect();
    if broken && low >= 0.0 && high <= 1.0 {
        let fault =
            "it holds fractions from 0 to 1, as a probability does; a mask of 0 and 1 was expected: give the one that \
                     `ggpfn segment` writes, or cut this at a threshold (`ggpfn fuse` does)";
        return Err(Error::image(path, fault));
    }
    if broken || low < 0.0 || high > f32::from(u16::MAX) || labels.len() > MOST_LABELS {
        let fault = format!(
            "it holds values from {low} to {high}, as a scan does{}; a mask was expected, with 0 outside and a whole number \
             from 1 on inside",
            if broken { ", or a mask that was resampled other than by the nearest voxel" } else { "" }
        );
        return Err(Error::image(path, fault));
    }
    Ok(labels)
}

/// The grid that [`lps_view`] makes of a grid, with x, y and z for i, j and k.
fn in_lps(geometry: &Geometry) -> Geometry {
    let mut lps = geometry.clone();
    let mut first = [0.0; 3];
    for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
        let to = nearest.patient;
        lps.size[to] = geometry.size[axis];
        lps.spacing[to] = geometry.spacing[axis];
        for row in 0..3 {
            lps.direction[row][to] = if nearest.flipped { -1.0 } else { 1.0 } * geometry.direction[row][axis];
        }
        if nearest.flipped {
            first[axis] = (geometry.size[axis] - 1) as f64;
        }
    }
    lps.origin = geometry.point(first);
    lps
}

fn describe(geometry: &Geometry) -> String {
    let ([i, j, k], [a, b, c], [x, y, z]) =
        (geometry.size, geometry.spacing.map(rounded), geometry.origin.map(rounded));
    format!("{i} x {j} x {k} voxels of {a} x {b} x {c} mm, {}, from ({x}, {y}, {z}) mm in LPS", geometry.orientation())
}

/// To a thousandth, for people.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What is to be compared with what.
fn cases(prediction: &Path, truth: &Path, allow_missing: bool) -> Result<Vec<Case>> {
    for path in [prediction, truth] {
        std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?;
    }
    match (prediction.is_dir(), truth.is_dir()) {
        (false, false) => {
            let name = name_of(prediction);
            Ok(vec![Case { name, prediction: prediction.to_path_buf(), truth: truth.to_path_buf() }])
        }
        (true, true) => matched(prediction, truth, allow_missing),
        (folder, _) => {
            let (folder, file) = if folder { (prediction, truth) } else { (truth, prediction) };
            let fault = format!("{} is a folder and {} is not", folder.display(), file.display());
            Err(Error::argument("PREDICTION TRUTH", format!("{fault}; two files or two folders were expected")))
        }
    }
}

/// The cases of two folders: first those with the same name in both, then those with the same name but for what people add.
fn matched(prediction: &Path, truth: &Path, allow_missing: bool) -> Result<Vec<Case>> {
    let (mut predictions, mut truths) = (images(prediction)?, images(truth)?);
    let mut cases = Vec::new();
    predictions.retain(|name, path| match truths.remove(name) {
        Some(truth) => {
            cases.push(Case { name: name.clone(), prediction: path.clone(), truth });
            false
        }
        None => true,
    });
    let (mut predictions, mut truths) = (bare(predictions)?, bare(truths)?);
    predictions.retain(|name, path| match truths.remove(name) {
        Some(truth) => {
            cases.push(Case { name: name.clone(), prediction: path.clone(), truth });
            false
        }
        None => true,
    });
    if cases.is_empty() {
        let fault = format!(
            "no image in {} has the name of one in {}; both sides were expected to be named by case, as case1.nii.gz or \
             case1_pancreas.nii.gz",
            prediction.display(),
            truth.display()
        );
        return Err(Error::argument("PREDICTION TRUTH", fault));
    }
    if let (false, Some((_, first))) = (allow_missing, truths.first_key_value()) {
        let fault = format!(
            "there is no prediction for {} of {} cases in {} ({} is one); add them, or leave those cases out with --allow-missing",
            truths.len(),
            truths.len() + cases.len(),
            truth.display(),
            first.display()
        );
        return Err(Error::argument("PREDICTION", fault));
    }
    for (paths, missing) in [(predictions, "truth"), (truths, "prediction")] {
        for path in paths.values() {
            log::warn!("{}: there is no {missing} for it; it is left out", path.display());
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

/// The images of a folder by their names without ending.
fn images(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let fault = |e| Error::file("read the folder", folder, e);
    let mut images = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (name, ending) = split_extension(&file);
        // The voxels' half of a pair is read by its header.
        let half = ending.to_lowercase().starts_with(".img");
        let header = |ending| folder.join(format!("{name}{ending}")).exists();
        if name.is_empty()
            || name.starts_with('.')
            || ending.is_empty()
            || half && (header(".hdr") || header(".hdr.gz"))
        {
            continue;
        }
        add(&mut images, name.to_string(), path)?;
    }
    Ok(images)
}

/// The same images by what their names have in common with those of other tools.
fn bare(images: BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, PathBuf>> {
    let mut result = BTreeMap::new();
    for (name, path) in images {
        add(&mut result, bare_name(&name).to_string(), path)?;
    }
    Ok(result)
}

fn add(images: &mut BTreeMap<String, PathBuf>, name: String, path: PathBuf) -> Result<()> {
    if let Some(twin) = images.get(&name) {
        let fault = format!("{} and {} could both be the case {name}", twin.display(), path.display());
        return Err(Error::argument("PREDICTION TRUTH", format!("{fault}; move one of them out of the folder")));
    }
    images.insert(name, path);
    Ok(())
}

fn name_of(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    split_extension(&file).0.to_string()
}

/// A name without what tools and data sets add to that of the case; never empty.
fn bare_name(name: &str) -> &str {
    const SUFFIXES: [&str; 5] = ["_pancreas", "_mask", "_pred", "_label", "_seg"];
    const PREFIXES: [&str; 3] = ["pancreas_", "label_", "label"];
    let cut =
        |name: &str, part: &str, at: usize| name.get(at..at + part.len()).is_some_and(|s| s.eq_ignore_ascii_case(part));
    let mut bare = name;
    while let Some(suffix) =
        SUFFIXES.iter().find(|suffix| bare.len() > suffix.len() && cut(bare, suffix, bare.len() - suffix.len()))
    {
        bare = &bare[..bare.len() - suffix.len()];
    }
    let prefix = PREFIXES.iter().find(|prefix| bare.len() > prefix.len() && cut(bare, prefix, 0));
    prefix.map_or(bare, |prefix| &bare[prefix.len()..])
}

/// The printed table: a column for the cases, and one for each measure.
struct Table {
    names: usize,
}

/// The columns: measure, heading, factor (fractions are printed in percent) and digits.
const COLUMNS: [(Measure, &str, f64, usize); 9] = [
    (Measure::Dice, "Dice %", 100.0, 2),
    (Measure::Jaccard, "Jaccard %", 100.0, 2),
    (Measure::Precision, "precision %", 100.0, 2),
    (Measure::Recall, "recall %", 100.0, 2),
    (Measure::PredictionMl, "mL", 1.0, 1),
    (Measure::TruthMl, "truth mL", 1.0, 1),
    (Measure::VolumeErrorPercent, "error %", 1.0, 1),
    (Measure::Hausdorff95, "HD95 mm", 1.0, 2),
    (Measure::MeanSurface, "MSD mm", 1.0, 2),
];

impl Table {
    fn new(cases: &[Case]) -> Self {
        Table { names: cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max("smallest".len()) }
    }

    fn print_head(&self) {
        self.line("case", COLUMNS.map(|(_, heading, _, _)| heading.to_string()));
    }

    fn print(&self, name: &str, value: impl Fn(Measure) -> Option<f64>) {
        self.line(name, COLUMNS.map(|(measure, _, factor, digits)| number(value(measure), factor, digits)));
    }

    fn print_summary(&self, summary: &Summary) {
        say!("");
        self.print("mean", |measure| summary.of(measure).mean);
        let deviation = |(measure, _, factor, digits): (Measure, &str, f64, usize)| {
            summary.of(measure).std.map_or("-".into(), |std| format!("±{:.digits$}", std * factor))
        };
        self.line("", COLUMNS.map(deviation));
        self.print("smallest", |measure| summary.of(measure).min);
        self.print("largest", |measure| summary.of(measure).max);
        self.line("cases", COLUMNS.map(|(measure, _, _, _)| summary.of(measure).count.to_string()));
    }

    fn line(&self, name: &str, cells: [String; COLUMNS.len()]) {
        let mut text = format!("{name:<width$}", width = self.names);
        for (cell, (_, heading, _, _)) in cells.iter().zip(COLUMNS) {
            text += &format!("  {cell:>width$}", width = heading.len().max(7));
        }
        say!("{text}");
    }
}

fn number(value: Option<f64>, factor: f64, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{:.digits$}", value * factor))
}

/// One row per case, with all digits; names are quoted where they have to be.
fn write_csv(path: &Path, done: &[(&Case, Comparison)]) -> Result<()> {
    let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    let mut file = AtomicFile::create(path)?;
    let mut row = |cells: Vec<String>| writeln!(file, "{}", cells.join(",")).map_err(|e| Error::file("write", path, e));
    let keys = Measure::ALL.map(|measure| measure.key().to_string());
    row(["case", "prediction", "truth"].map(String::from).into_iter().chain(keys).collect())?;
    for (case, comparison) in done {
        let names = [case.name.clone(), case.prediction.display().to_string(), case.truth.display().to_string()];
        let values = Measure::ALL.map(|m| m.of(comparison).map_or(String::new(), |value| value.to_string()));
        row(names.iter().map(|name| quoted(name)).chain(values).collect())?;
    }
    file.commit()
}
