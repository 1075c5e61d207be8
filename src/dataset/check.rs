//! Everything that is odd about a set, before a training finds out by itself.
//!
//! Each case is loaded once, looked at on its own, and let go of; what is kept of it is a few numbers. Then the cases are compared:
//! spacings with the set's median, voxels by their hash. An error is what makes a case useless or a result wrong; a warning is
//! what a person should look at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{s, Array3, ArrayView3};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::each::each;
use super::find::survey;
use super::problem::{lossy, Problem, ProblemKind, Severity};
use super::{list, open, scan_faults, Case, Fault, Layout, Loaded, Opened};
use crate::io::ReadOptions;
use crate::labels::LabelBits;
use crate::quality::{InputFeatures, LEAST_SOFT, SOFT_TISSUE};
use crate::volume::{keep_largest_component, lps_spacing, lps_view, Volume};
use crate::{Error, Result};

/// Pancreas volumes in mL outside of which something is likely wrong. Those of healthy adults are 40 to 170 mL; cysts and
/// tumours add to it.
const PLAUSIBLE_ML: [f64; 2] = [10.0, 400.0];
/// The share of a label's volume that may lie outside its largest connected part.
const LOOSE_SHARE: f64 = 0.05;
/// How many times the set's median spacing, or what part of it, is out of line.
const OUTLIER: f64 = 3.0;
/// The largest spacing along the body's axis that shows a pancreas, in mm.
const THICKEST_MM: f64 = 6.0;
/// The most cases in memory at a time: a CT of 500 slices and its label take 1.2 GB.
const MOST_AT_A_TIME: usize = 3;

/// What a case is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseFacts {
    /// The case's name.
    pub name: String,
    /// Voxels of the image along i, j and k.
    pub size: [usize; 3],
    /// Their spacing in mm.
    pub spacing_mm: [f64; 3],
    /// Orientation letters of i, j and k.
    pub orientation: String,
    /// The lowest and highest value of the image.
    pub range_hu: [f32; 2],
    /// Labelled voxels.
    pub voxels: usize,
    /// Their volume in mL.
    pub volume_ml: f64,
    /// SHA-256 of the image's voxels in the LPS frame: the same for copies of an image, however they are stored.
    pub sha256: String,
    /// What was done to bring label and image together.
    pub notes: Vec<String>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// The set's folder.
    #[serde(serialize_with = "lossy")]
    pub folder: PathBuf,
    /// Its layout.
    pub layout: Layout,
    /// Pairs of image and label that were found, readable or not.
    pub pairs: usize,
    /// The cases that could be read, by name.
    pub cases: Vec<CaseFacts>,
    /// Errors first, then warnings; by name within each.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// How many problems of a severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|p| p.severity == severity).count()
    }
}

/// Loads every case of a set and reports what is odd about it.
///
/// `progress` is called after each case, from whatever thread finished it, with the number of cases done, that of all, and the
/// case's name. `cancelled` is asked before each case. No more than three cases are in memory at a time.
///
/// # Errors
/// [`Error::File`] or [`Error::Image`] if the folder cannot be read or does not have the layout; [`Error::Cancelled`]. What
/// is wrong with single files is in the report.
pub fn check(
    folder: &Path,
    layout: Layout,
    options: &ReadOptions,
    progress: &(dyn Fn(usize, usize, &str) + Sync),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<CheckReport> {
    let found = survey(folder, layout)?;
    let cases = found.cases;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_A_TIME);
    let progress = |done: usize, name: &str| progress(done, cases.len(), name);
    let results = each(&cases, threads, &|case| Ok(examine(case, options)), &progress, cancelled)?;

    let mut problems = found.problems;
    let mut read: Vec<(&Case, Examined)> = Vec::new();
    for (case, (examined, odd)) in cases.iter().zip(results) {
        problems.extend(odd);
        read.extend(examined.map(|examined| (case, examined)));
    }
    problems.extend(spacing_outliers(&read));
    problems.extend(duplicates(&read));
    problems.sort_by(|a, b| {
        let key = |p: &Problem| (p.severity, p.case.clone(), p.file.clone(), p.kind);
        key(a).cmp(&key(b))
    });
    Ok(CheckReport {
        folder: folder.to_path_buf(),
        layout,
        pairs: cases.len(),
        cases: read.into_iter().map(|(_, examined)| examined.facts).collect(),
        problems,
    })
}

/// What is kept of a case that was read.
struct Examined {
    facts: CaseFacts,
    /// Spacing along z, y and x of the patient, in mm.
    spacing: [f64; 3],
}

/// Problems of one case.
struct Problems<'a> {
    case: &'a Case,
    list: Vec<Problem>,
}

impl Problems<'_> {
    fn image(&mut self, severity: Severity, kind: ProblemKind, text: String) {
        let file = self.case.image.clone();
        self.list.push(Problem { severity, kind, case: Some(self.case.name.clone()), file, text });
    }

    fn label(&mut self, severity: Severity, kind: ProblemKind, text: String) {
        self.image(severity, kind, text);
        if let Some(last) = self.list.last_mut() {
            last.file = self.case.label.clone();
        }
    }
}

fn examine(case: &Case, options: &ReadOptions) -> (Option<Examined>, Vec<Problem>) {
    let mut problems = Problems { case, list: Vec::new() };
    let Opened { loaded, values } = match open(case, options, &LabelBits::default()) {
        Ok(opened) => opened,
        Err(fault) => return (None, vec![unreadable(case, fault)]),
    };
    let Loaded { volume, mut mask, notes } = loaded;
    let geometry = volume.geometry();

    let features = InputFeatures::of(&volume);
    for (kind, fault) in scan_faults(&features) {
        problems.image(Severity::Error, kind, fault);
    }
    let spacing = lps_spacing(geometry);
    if spacing[0] > THICKEST_MM {
        let text = format!("its slices are {:.2} mm apart; no more than {THICKEST_MM} mm was expected", spacing[0]);
        problems.image(Severity::Warning, ProblemKind::Spacing, text);
    }
    if values.iter().any(|v| *v > case.layout.highest_label()) {
        let text = format!(
            "it holds the values {}; 0 to {} were expected, and all above 0 count as pancreas",
            list(&values),
            case.layout.highest_label()
        );
        problems.label(Severity::Warning, ProblemKind::LabelValues, text);
    }
    let sha256 = hash(&volume);
    let voxels = mask.iter().filter(|v| **v != 0).count();
    let volume_ml = voxels as f64 * geometry.voxel_volume() / 1000.0;
    look_at_label(&mut problems, &volume, &mut mask, voxels, volume_ml);
    let facts = CaseFacts {
        name: case.name.clone(),
        size: geometry.size,
        spacing_mm: geometry.spacing,
        orientation: geometry.orientation(),
        range_hu: [features.lowest_hu, features.highest_hu],
        voxels,
        volume_ml,
        sha256,
        notes,
    };
    (Some(Examined { facts, spacing }), problems.list)
}

/// Problems of the labelled voxels; the mask is used up.
fn look_at_label(problems: &mut Problems, volume: &Volume, mask: &mut Array3<u8>, voxels: usize, volume_ml: f64) {
    use ProblemKind as Kind;
    use Severity::{Error, Warning};
    let Some([low, high]) = bounds(mask.view()) else {
        problems.label(Error, Kind::EmptyLabel, "the label is empty".into());
        return;
    };
    if !(PLAUSIBLE_ML[0]..=PLAUSIBLE_ML[1]).contains(&volume_ml) {
        let text =
            format!("the pancreas has {volume_ml:.1} mL; {} to {} mL were expected", PLAUSIBLE_ML[0], PLAUSIBLE_ML[1]);
        problems.label(Warning, Kind::Volume, text);
    }
    let [soft_low, soft_high] = SOFT_TISSUE;
    let inside = mask.iter().zip(volume.voxels()).filter(|(m, _)| **m != 0);
    let soft = inside.filter(|(_, hu)| (soft_low..=soft_high).contains(*hu)).count();
    if (soft as f64) < LEAST_SOFT * voxels as f64 {
        let text = format!(
            "{:.0} % of what it labels is soft tissue ({soft_low} to {soft_high} HU); it may be another scan's, or flipped",
            100.0 * soft as f64 / voxels as f64
        );
        problems.label(Warning, Kind::Tissue, text);
    }
    let shape = mask.dim();
    let last = [shape.0 - 1, shape.1 - 1, shape.2 - 1];
    let sides: Vec<&str> = [["first slice", "last slice"], ["first row", "last row"], ["first column", "last column"]]
        .into_iter()
        .enumerate()
        .flat_map(|(a, [first, end])| {
            [(low[a] == 0).then_some(first), (high[a] == last[a]).then_some(end)].into_iter().flatten()
        })
        .collect();
    if !sides.is_empty() {
        let text = format!("it touches the image's border ({}); the pancreas may be cut off", sides.join(", "));
        problems.label(Warning, Kind::Border, text);
    }
    // Components are found in the label's box, which is small; labelling a whole CT would take four bytes a voxel.
    let mut cut = mask.slice(s![low[0]..=high[0], low[1]..=high[1], low[2]..=high[2]]).to_owned();
    keep_largest_component(&mut cut);
    let loose = 1.0 - cut.iter().filter(|v| **v != 0).count() as f64 / voxels as f64;
    if loose > LOOSE_SHARE {
        let text = format!("it has several parts: {:.0} % of it is not connected to the largest", 100.0 * loose);
        problems.label(Warning, Kind::Parts, text);
    }
}

/// The smallest and largest index, `[k, j, i]`, of a mask; none if it is empty.
fn bounds(mask: ArrayView3<u8>) -> Option<[[usize; 3]; 2]> {
    let mut found: Option<[[usize; 3]; 2]> = None;
    for ((k, j, i), value) in mask.indexed_iter() {
        if *value != 0 {
            let at = [k, j, i];
            let [low, high] = found.get_or_insert([at, at]);
            for a in 0..3 {
                low[a] = low[a].min(at[a]);
                high[a] = high[a].max(at[a]);
            }
        }
    }
    found
}

fn unreadable(case: &Case, fault: Fault) -> Problem {
    let (file, text) = match fault.error {
        Error::Image { path, fault } => (path, fault),
        Error::File { action, path, source } => (path, format!("cannot {action} it: {source}")),
        other => (case.image.clone(), other.to_string()),
    };
    Problem { severity: Severity::Error, kind: fault.kind, case: Some(case.name.clone()), file, text }
}

/// SHA-256 of the voxels in the LPS frame, with their number along each axis.
fn hash(volume: &Volume) -> String {
    let view = lps_view(volume.voxels(), volume.geometry());
    let mut sha = Sha256::new();
    for size in view.shape() {
        sha.update((*size as u64).to_le_bytes());
    }
    let mut bytes = Vec::new();
    for slice in view.outer_iter() {
        bytes.clear();
        // Adding 0 makes -0 and 0 alike.
        bytes.extend(slice.iter().flat_map(|value| (value + 0.0).to_le_bytes()));
        sha.update(&bytes);
    }
    crate::files::hex(&sha.finalize())
}

fn spacing_outliers(read: &[(&Case, Examined)]) -> Vec<Problem> {
    const NAMES: [&str; 3] = ["z", "y", "x"];
    let mut problems = Vec::new();
    for (axis, name) in NAMES.iter().enumerate() {
        let mut all: Vec<f64> = read.iter().map(|(_, examined)| examined.spacing[axis]).collect();
        all.sort_by(f64::total_cmp);
        let Some(median) = all.get(all.len() / 2).copied() else { continue };
        for (case, examined) in read {
            let spacing = examined.spacing[axis];
            if spacing > OUTLIER * median || spacing * OUTLIER < median {
                let text = format!("its spacing along {name} is {spacing:.3} mm; the set's median is {median:.3} mm");
                let mut of_case = Problems { case, list: Vec::new() };
                of_case.image(Severity::Warning, ProblemKind::Spacing, text);
                problems.extend(of_case.list);
            }
        }
    }
    problems
}

/// An image that is in the set twice can be trained on and tested with at once.
fn duplicates(read: &[(&Case, Examined)]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Case> = BTreeMap::new();
    let mut problems = Vec::new();
    for (case, examined) in read {
        if let Some(other) = first.get(examined.facts.sha256.as_str()) {
            let text = format!("its voxels are those of {} ({})", other.name, other.image.display());
            let mut of_case = Problems { case, list: Vec::new() };
            of_case.image(Severity::Error, ProblemKind::Duplicate, text);
            problems.extend(of_case.list);
        } else {
            first.insert(&examined.facts.sha256, case);
        }
    }
    problems
}
