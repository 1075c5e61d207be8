//! Sets of CTs with a pancreas label: what lies where, loading one case, checking a set, splitting it.
//!
//! This room knows files of images and volumes. It knows no network and no training.
//!
//! A set is a folder in one of three layouts ([`Layout`]). [`cases`] pairs images with labels; [`load`] reads one pair and
//! brings the label onto the image's grid by swapping and flipping axes, never by resampling; [`check`] goes through a
//! whole set and says everything that is odd about it; [`split`](split()) draws training, validation and test cases, [`folds`](folds()) those of a
//! cross-validation; [`fingerprint`](fingerprint()) is what is typical of a set.
//!
//! A label is trusted where its header says that it lies on the image's grid. The labels of NIH Pancreas-CT do not say so:
//! `evidence` finds the flip with which they fit the image, and refuses where none fits clearly better than the others.

mod align;
mod check;
mod each;
mod evidence;
mod find;
mod fingerprint;
mod folds;
mod problem;
mod split;

use std::path::PathBuf;

use ndarray::Array3;

pub use check::{check, CaseFacts, CheckReport};
pub use find::cases;
pub use fingerprint::{fingerprint, CaseFingerprint, Densities, Fingerprint, Quantiles};
pub use folds::{folds, Folds};
pub use problem::{Problem, ProblemKind, Severity};
pub use split::{split, Split, SplitCounts};

use crate::io::{self, ReadOptions};
use crate::labels::LabelBits;
use crate::quality::InputFeatures;
use crate::volume::{Content, Geometry, Volume, GEOMETRY_TOLERANCE_MM};
use crate::{Error, Result};

/// How the files of a set are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `Task07_Pancreas` of the Medical Segmentation Decathlon: `dataset.json`, `imagesTr`, `labelsTr`. Label 1 is pancreas,
    /// 2 a tumour in it; both count as pancreas.
    Msd,
    /// Pancreas-CT of the NIH, from the TCIA: a DICOM series somewhere in each folder `PANCREAS_0001` (or a file
    /// `PANCREAS_0001.nii.gz`), labels `label0001.nii.gz` anywhere in the folder.
    Nihc,
    /// Any images and labels of the same names: in `images` and `labels` (or `imagesTr`/`labelsTr`, `image`/`label`), or in one
    /// folder as `NAME.nii.gz` and `NAME_label.nii.gz` (or `_seg`, `_mask`). nnU-Net's `_0000` is passed over. A folder `organs` beside the
    /// first two may hold maps of other organs under the same names.
    Pairs,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Layout; 3] = [Layout::Msd, Layout::Nihc, Layout::Pairs];

    /// The name that options and files write.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Msd => "msd",
            Layout::Nihc => "nihc",
            Layout::Pairs => "pairs",
        }
    }

    /// The largest label value that a set of this layout is known to hold.
    fn highest_label(self) -> f32 {
        match self {
            Layout::Msd => 2.0,
            Layout::Nihc | Layout::Pairs => 1.0,
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Layout::ALL
            .into_iter()
            .find(|layout| layout.name() == text.to_lowercase())
            .ok_or_else(|| format!("\"{text}\" is not a layout; expected msd, nihc or pairs"))
    }
}

/// One CT and its label, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The case's name, unique in its set: "pancreas_001", "PANCREAS_0001".
    pub name: String,
    /// The CT: a file, or the folder with its DICOM series.
    pub image: PathBuf,
    /// The label's file.
    pub label: PathBuf,
    /// A map of other organs on the same grid, for trainings that let the network name them too; few sets have any.
    pub organs: Option<PathBuf>,
    /// The layout of the set that it is from, which says how far the label's header is to be believed.
    pub layout: Layout,
}

/// One case in memory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The CT in Hounsfield units.
    pub volume: Volume,
    /// The labels, `[k, j, i]` on the volume's grid, the bits of each voxel's byte: bit 0 is the first label's. Of the pancreas alone that
    /// is a mask: 1 is pancreas, 0 is not.
    pub mask: Array3<u8>,
    /// What was done to bring the two together, in sentences; empty where nothing had to be.
    pub notes: Vec<String>,
}

/// How far, in voxels, a label's corners may lie from the image's for the difference to count as rounding in a header.
const ROUNDING_VOXELS: f64 = 0.1;
/// How far a label's values may be from whole numbers: scaled integers come back with float32's rounding.
const WHOLE: f32 = 1e-3;
/// How many distinct values of a label are remembered, for messages.
const MOST_VALUES: usize = 8;

/// Reads a case: the CT, and the label on the CT's grid. Every label value above 0 is pancreas.
///
/// # Errors
/// As [`io::read`] for either file; [`Error::Image`] naming the label where its grid is not the image's (by more than rounding
/// in a header; for [`Layout::Nihc`], where no flip of it fits the image clearly best), or where it holds other than whole
/// numbers from 0.
pub fn load(case: &Case, options: &ReadOptions) -> Result<Loaded> {
    load_labels(case, options, &LabelBits::default())
}

/// As [`load`], with a bit for each of several labels: `labels` says which values of the label's file set which. Values that it does not name
/// are background.
///
/// # Errors
/// As [`load`].
pub fn load_labels(case: &Case, options: &ReadOptions, labels: &LabelBits) -> Result<Loaded> {
    open(case, options, labels).map(|opened| opened.loaded).map_err(|fault| fault.error)
}

/// Value of a map of organs where nobody knows what there is.
pub const UNKNOWN_ORGAN: u8 = 255;

/// The map of organs of a case, `[k, j, i]` on the grid of its CT: whole numbers from 0 to 255, of which 255 is [unknown](UNKNOWN_ORGAN).
/// None if the case has no map.
///
/// # Errors
/// As [`load`], naming the map.
pub fn load_organs(case: &Case, volume: &Volume, options: &ReadOptions) -> Result<Option<Array3<u8>>> {
    let Some(path) = &case.organs else { return Ok(None) };
    let map = io::read(path, &ReadOptions { series: None, content: Content::Labels, ..options.clone() })?;
    let whole = |v: &f32| (0.0..=255.0).contains(v) && (v - v.round()).abs() <= WHOLE;
    if let Some(odd) = map.voxels().iter().find(|v| !whole(v)) {
        return Err(Error::image(path, format!("it holds the value {odd}; whole numbers from 0 to 255 were expected")));
    }
    let own = Case { label: path.clone(), layout: Layout::Pairs, ..case.clone() };
    let (placement, _) = place(&own, &map, volume).map_err(|text| Error::image(path, text))?;
    let organs = placement.apply(map.voxels()).mapv(|value| value.round() as u8);
    Ok(Some(if organs.is_standard_layout() { organs } else { organs.as_standard_layout().into_owned() }))
}

/// Why nothing can be learned from a scan, with what to do: it is no CT in Hounsfield units, or its voxels have an impossible size. A
/// [`check`] reports it, a training refuses it.
pub fn scan_faults(features: &InputFeatures) -> Vec<(ProblemKind, String)> {
    let hounsfield = features.hounsfield_fault.as_ref().map(|fault| {
        let advice = "convert it to Hounsfield units (slope and intercept may be lost), or leave the case out";
        (ProblemKind::Hounsfield, format!("{fault}; {advice}"))
    });
    let size = features.voxel_size_fault().map(|fault| {
        let advice = "correct the spacing in its header (millimetres are meant), or leave the case out";
        (ProblemKind::Spacing, format!("{fault}; {advice}"))
    });
    hounsfield.into_iter().chain(size).collect()
}

/// A loaded case and what only a check wants to know of it.
struct Opened {
    loaded: Loaded,
    /// Distinct values of the label, ascending; no more than [`MOST_VALUES`].
    values: Vec<f32>,
}

/// Why a case could not be loaded.
struct Fault {
    kind: ProblemKind,
    error: Error,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault { kind: ProblemKind::Unreadable, error }
    }
}

fn open(case: &Case, options: &ReadOptions, labels: &LabelBits) -> std::result::Result<Opened, Fault> {
    // The series of a DICOM folder is the image's business; a label is a file.
    let volume = io::read(&case.image, options)?;
    let label_options = ReadOptions { series: None, content: Content::Labels, ..options.clone() };
    // A DICOM segmentation has the slices alone on which something is.
    let label = match io::results::is_segmentation(&case.label) {
        true => io::results::read_on(&case.label, &label_options, volume.geometry())?,
        false => io::read(&case.label, &label_options)?,
    };
    let fault = |kind, text| Fault { kind, error: Error::image(&case.label, text) };

    let values = distinct(&label);
    if let Some(odd) = values.iter().find(|v| **v < 0.0 || (**v - v.round()).abs() > WHOLE) {
        let text =
            format!("the label holds the value {odd}; whole numbers from 0 were expected (it holds {})", list(&values));
        return Err(fault(ProblemKind::LabelValues, text));
    }
    let (placement, notes) = place(case, &label, &volume).map_err(|text| fault(ProblemKind::Grid, text))?;
    let mask = placement.apply(label.voxels()).mapv(|value| labels.of(value.round().min(f32::from(u16::MAX)) as u16));
    // `mapv` keeps the order in memory, which after a swap of axes is not that of the volume.
    let mask = if mask.is_standard_layout() { mask } else { mask.as_standard_layout().into_owned() };
    Ok(Opened { loaded: Loaded { volume, mask, notes }, values })
}

/// Which axes of the label run along the image's, and what there is to say about it.
fn place(case: &Case, label: &Volume, volume: &Volume) -> std::result::Result<(align::Placement, Vec<String>), String> {
    let (theirs, ours) = (label.geometry(), volume.geometry());
    let (placement, distance) = align::nearest(theirs, ours);
    let mut notes = Vec::new();
    let rounding = ROUNDING_VOXELS * ours.spacing.iter().fold(f64::INFINITY, |a, b| a.min(*b));
    if distance <= GEOMETRY_TOLERANCE_MM.max(rounding) {
        if !placement.is_identity() {
            notes.push(format!("the label's axes were put in the image's order: {placement}"));
        }
        if distance > GEOMETRY_TOLERANCE_MM {
            notes.push(format!(
                "the label's grid is off the image's by up to {distance:.3} mm; taken for rounding in its header"
            ));
        }
        return Ok((placement, notes));
    }
    let grids =
        format!("the label's grid, {}, is not that of {}, {}", words(theirs), case.image.display(), words(ours));
    if case.layout != Layout::Nihc {
        let hint = if distance.is_finite() {
            format!("; their corners are up to {distance:.2} mm apart")
        } else {
            String::new()
        };
        return Err(grids + &hint);
    }
    let (placement, note) = evidence::settle(label, volume).map_err(|why| format!("{grids}; {why}"))?;
    notes.push(note);
    Ok((placement, notes))
}

/// A grid in words.
fn words(geometry: &Geometry) -> String {
    let ([i, j, k], [x, y, z], o) = (geometry.size, geometry.spacing, geometry.origin);
    format!(
        "{i} x {j} x {k} of {x:.4} x {y:.4} x {z:.4} mm, {}, from ({:.2}, {:.2}, {:.2})",
        geometry.orientation(),
        o[0],
        o[1],
        o[2]
    )
}

/// The distinct values of a label, ascending, as many as are worth naming; one that is not a whole number is among them if
/// there is any.
fn distinct(label: &Volume) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::new();
    let mut last = f32::NAN;
    let mut odd = false;
    for value in label.voxels() {
        if *value == last {
            continue;
        }
        last = *value;
        let odd_one = last < 0.0 || (last - last.round()).abs() > WHOLE;
        let room = values.len() < MOST_VALUES || (odd_one && !odd);
        if room && !values.contains(&last) {
            values.push(last);
            odd |= odd_one;
        }
    }
    values.sort_by(f32::total_cmp);
    values
}

/// Numbers in words.
fn list(values: &[f32]) -> String {
    let more = if values.len() >= MOST_VALUES { ", ..." } else { "" };
    values.iter().map(f32::to_string).collect::<Vec<_>>().join(", ") + more
}
