//! Reading masks, probability maps and scans that are to be compared, each on the grid of the truth.

use std::path::Path;

use ggpfn::evaluation::{compare, Comparison};
use ggpfn::io::{self, results, ReadOptions};
use ggpfn::volume::{lps_geometry, lps_spacing, lps_view, same_grid, Content, Geometry, Volume};
use ggpfn::{Error, Result};
use ndarray::{Array3, ArrayView3};

/// Which values of label maps are looked for; none: every value but 0.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// In the prediction.
    pub prediction: Option<Vec<u16>>,
    /// In the truth.
    pub truth: Option<Vec<u16>>,
}

impl Selection {
    /// One value of the truth, or all.
    pub fn of_truth(label: Option<u16>) -> Self {
        Selection { prediction: None, truth: label.map(|label| vec![label]) }
    }
}

/// A mask and its truth on one grid, whose axes either may have in another order.
pub struct Pair {
    found: Array3<u8>,
    found_geometry: Geometry,
    expected: Array3<u8>,
    geometry: Geometry,
}

impl Pair {
    /// Reads two files.
    pub fn read(prediction: &Path, truth: &Path, selection: &Selection) -> Result<Self> {
        Self::read_with(prediction, truth, selection, true)
    }

    /// Reads two files that have been read before, without warning again.
    pub fn read_again(prediction: &Path, truth: &Path, selection: &Selection) -> Result<Self> {
        Self::read_with(prediction, truth, selection, false)
    }

    fn read_with(prediction: &Path, truth: &Path, selection: &Selection, warn: bool) -> Result<Self> {
        let read_mask = |path: &Path, values, grid: Option<&Geometry>| read_mask(path, values, grid, warn);
        let (wanted, label) = (selection.prediction.as_deref(), selection.truth.as_deref());
        // One after the other: a scan's voxels as they are read take four times the memory of the mask that stays.
        let ((found, found_geometry), (expected, geometry)) = match [prediction, truth].map(results::is_segmentation) {
            // A DICOM segmentation has the slices alone on which something is; the other says what grid they are of.
            [true, true] => {
                let grid = results::common_grid(&[prediction, truth])?;
                (read_mask(prediction, wanted, Some(&grid))?, read_mask(truth, label, Some(&grid))?)
            }
            [true, false] => {
                let truth = read_mask(truth, label, None)?;
                (read_mask(prediction, wanted, Some(&truth.1))?, truth)
            }
            [false, segmentation] => {
                let found = read_mask(prediction, wanted, None)?;
                let grid = segmentation.then_some(&found.1);
                let expected = read_mask(truth, label, grid)?;
                (found, expected)
            }
        };
        check_grid((prediction, &found_geometry), (truth, &geometry))?;
        Ok(Pair { found, found_geometry, expected, geometry })
    }

    pub fn compare(&self) -> Result<Comparison> {
        compare(self.prediction(), self.truth(), self.spacing())
    }

    /// `[z, y, x]` of the LPS frame.
    pub fn prediction(&self) -> ArrayView3<'_, u8> {
        lps_view(self.found.view(), &self.found_geometry)
    }

    /// `[z, y, x]` of the LPS frame.
    pub fn truth(&self) -> ArrayView3<'_, u8> {
        lps_view(self.expected.view(), &self.geometry)
    }

    /// Along z, y and x.
    pub fn spacing(&self) -> [f64; 3] {
        lps_spacing(&self.geometry)
    }

    /// Reads a probability map or a scan of the case, which must be on the truth's grid.
    pub fn read_volume(&self, path: &Path, truth: &Path, content: Content) -> Result<Volume> {
        let options = ReadOptions::of(content);
        let volume = match results::is_segmentation(path) {
            true => results::read_on(path, &options, &self.geometry)?,
            false => io::read(path, &options)?,
        };
        check_grid((path, volume.geometry()), (truth, &self.geometry))?;
        Ok(volume)
    }
}

/// Compares two files; with `label`, that value of the truth alone.
pub fn compare_files(prediction: &Path, truth: &Path, label: Option<u16>) -> Result<Comparison> {
    Pair::read(prediction, truth, &Selection::of_truth(label))?.compare()
}

/// Refuses a file that is not on the truth's grid.
fn check_grid((path, geometry): (&Path, &Geometry), (truth, truth_geometry): (&Path, &Geometry)) -> Result<()> {
    if same_grid(&lps_geometry(geometry), &lps_geometry(truth_geometry)) {
        return Ok(());
    }
    let fault = format!(
        "its grid is {}; that of {} is {}; resample one to the other, labels by the nearest voxel",
        describe(geometry),
        truth.display(),
        describe(truth_geometry)
    );
    Err(Error::image(path, fault))
}

/// How far a number of a mask may be from a whole one: files that store masks as scaled integers or floats round.
const WHOLE: f32 = 1e-3;
/// How many values a label map may have. Fewer than any CT, more than any list of organs.
const MOST_LABELS: usize = 256;

/// Reads a mask, 1 where it has one of `values`, or any value but 0 if there are none; a DICOM segmentation on a grid.
fn read_mask(
    path: &Path,
    values: Option<&[u16]>,
    grid: Option<&Geometry>,
    warn: bool,
) -> Result<(Array3<u8>, Geometry)> {
    let options = ReadOptions::of(Content::Labels);
    let volume = match grid {
        Some(grid) => results::read_on(path, &options, grid)?,
        None => io::read(path, &options)?,
    };
    let labels = labels(path, &volume)?;
    match values {
        // Of several a map may lack some, or all: not every patient has a tumour.
        Some([label]) if warn && !labels.contains(label) => {
            log::warn!("{}: no voxel has the label {label}; it counts as empty", path.display());
        }
        None if warn && labels.len() > 1 => {
            let list: Vec<_> = labels.iter().map(u16::to_string).collect();
            let hint =
                "all of them count as pancreas (--label N takes one of the truth, --labels several, each for itself)";
            log::warn!("{}: it has the labels {}; {hint}", path.display(), list.join(", "));
        }
        _ => {}
    }
    let geometry = volume.geometry().clone();
    let mask = volume.voxels().mapv(|value| match values {
        Some(values) => u8::from(values.iter().any(|label| value.round() == f32::from(*label))),
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

fn describe(geometry: &Geometry) -> String {
    let ([i, j, k], [a, b, c], [x, y, z]) =
        (geometry.size, geometry.spacing.map(rounded), geometry.origin.map(rounded));
    format!("{i} x {j} x {k} voxels of {a} x {b} x {c} mm, {}, from ({x}, {y}, {z}) mm in LPS", geometry.orientation())
}

/// To a thousandth, for people.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
