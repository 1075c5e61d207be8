//! What is typical of a set of labelled scans, in numbers that a training can be set up by: sizes, spacings, densities in the labels, the organ's
//! extent.
//!
//! Quantiles are interpolated linearly between the sorted values, as numpy does by default. Densities are counted voxel by voxel, in bins of
//! 1/8 HU: of whole numbers, which nearly all CTs hold, their quantiles are exact.

use std::collections::BTreeMap;

use ndarray::Zip;
use serde::Serialize;

use super::each::each;
use super::{load_labels, scan_faults, Case};
use crate::io::ReadOptions;
use crate::labels::LabelBits;
use crate::quality::InputFeatures;
use crate::volume::{lps_size, lps_spacing, lps_view};
use crate::{Error, Result};

/// Cases that are in memory at a time.
const MOST_AT_A_TIME: usize = 2;
/// Bins for each Hounsfield unit.
const BINS: f64 = 8.0;
/// The densities that have bins; what lies beyond counts in the outermost ones.
const RANGE: [f64; 2] = [-2048.0, 6144.0];

/// The fingerprint of a set. Triples are in the order of the patient's x (right to left), y (anterior to posterior) and z (inferior to
/// superior).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fingerprint {
    /// What is said of single cases, by name.
    pub cases: Vec<CaseFingerprint>,
    /// Voxels of the scans.
    pub size: [Quantiles; 3],
    /// Their spacing.
    pub spacing_mm: [Quantiles; 3],
    /// How many scans have each orientation of their axes.
    pub orientations: BTreeMap<String, usize>,
    /// The extent of what is labelled, of cases with a label.
    pub extent_mm: [Quantiles; 3],
    /// Its volume.
    pub volume_ml: Quantiles,
    /// The share of a scan's voxels that are labelled.
    pub foreground_share: Quantiles,
    /// The densities of all labelled voxels.
    pub foreground_hu: Densities,
    /// The same of each label.
    pub label_hu: BTreeMap<String, Densities>,
}

/// One case of a fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseFingerprint {
    /// Its name.
    pub name: String,
    /// Voxels of the scan.
    pub size: [usize; 3],
    /// Their spacing.
    pub spacing_mm: [f64; 3],
    /// The orientation of the file's axes: where they point to.
    pub orientation: String,
    /// Labelled voxels.
    pub foreground_voxels: usize,
    /// Their volume.
    pub volume_ml: f64,
    /// The box around them; none without a label.
    pub extent_mm: Option<[f64; 3]>,
}

/// The distribution of a number over the cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The smallest.
    pub min: f64,
    /// The 10th percentile.
    pub p10: f64,
    /// The median.
    pub median: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The largest.
    pub max: f64,
}

impl Quantiles {
    /// Of at least one value.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let place = q * (sorted.len() - 1) as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
        };
        Quantiles { min: at(0.0), p10: at(0.1), median: at(0.5), p90: at(0.9), p95: at(0.95), max: at(1.0) }
    }
}

/// The distribution of densities over voxels, in HU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Densities {
    /// Voxels.
    pub voxels: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// The smallest.
    pub min: f64,
    /// The percentile 0.5.
    #[serde(rename = "p0.5")]
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The percentile 99.5.
    #[serde(rename = "p99.5")]
    pub high: f64,
    /// The largest.
    pub max: f64,
}

/// Densities while they are counted.
#[derive(Clone)]
struct Counts {
    bins: Vec<u64>,
    voxels: u64,
    sum: f64,
    squares: f64,
    range: [f64; 2],
}

impl Counts {
    fn new() -> Self {
        let bins = vec![0; ((RANGE[1] - RANGE[0]) * BINS) as usize + 1];
        Counts { bins, voxels: 0, sum: 0.0, squares: 0.0, range: [f64::INFINITY, f64::NEG_INFINITY] }
    }

    fn add(&mut self, hu: f64) {
        let bin = ((hu.clamp(RANGE[0], RANGE[1]) - RANGE[0]) * BINS).round() as usize;
        self.bins[bin] += 1;
        self.voxels += 1;
        self.sum += hu;
        self.squares += hu * hu;
        self.range = [self.range[0].min(hu), self.range[1].max(hu)];
    }

    fn join(&mut self, other: &Counts) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(own, other)| *own += other);
        self.voxels += other.voxels;
        self.sum += other.sum;
        self.squares += other.squares;
        self.range = [self.range[0].min(other.range[0]), self.range[1].max(other.range[1])];
    }

    /// What they say; none without a voxel.
    fn densities(&self) -> Option<Densities> {
        let last = self.voxels.checked_sub(1)?;
        let count = self.voxels as f64;
        let mean = self.sum / count;
        // The value at a place of the sorted voxels.
        let at = |place: u64| {
            let mut before = 0;
            let bin = self.bins.iter().position(|voxels| {
                before += voxels;
                before > place
            });
            bin.map_or(self.range[1], |bin| (RANGE[0] + bin as f64 / BINS).clamp(self.range[0], self.range[1]))
        };
        let quantile = |q: f64| {
            let place = q * last as f64;
            let low = at(place.floor() as u64);
            low + (at(place.ceil() as u64) - low) * (place - place.floor())
        };
        Some(Densities {
            voxels: self.voxels,
            mean,
            std: (self.squares / count - mean * mean).max(0.0).sqrt(),
            min: self.range[0],
            low: quantile(0.005),
            median: quantile(0.5),
            high: quantile(0.995),
            max: self.range[1],
        })
    }
}

/// Loads every case and counts. `labels` says which values of the cases' label maps are which of the labels `names`.
///
/// `progress` is called after each case, from whatever thread finished it, with the number of cases done and the case's name. `cancelled` is
/// asked before each case. Two cases are in memory at a time.
///
/// # Errors
/// As [`load_labels`], and [`Error::Image`] for scans that a training refuses too ([`scan_faults`]); [`Error::Argument`] for no case, or none
/// with a label; [`Error::Cancelled`].
pub fn fingerprint(
    cases: &[Case],
    labels: &LabelBits,
    names: &[&str],
    progress: &(dyn Fn(usize, &str) + Sync),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Fingerprint> {
    let examined = each(cases, MOST_AT_A_TIME, &|case| examine(case, labels, names.len()), progress, cancelled)?;

    let mut all = vec![Counts::new(); names.len() + 1];
    for one in &examined {
        all.iter_mut().zip(&one.counts).for_each(|(all, counts)| all.join(counts));
    }
    let cases: Vec<CaseFingerprint> = examined.into_iter().map(|one| one.case).collect();
    let Some(foreground_hu) = all[0].densities() else {
        let fault = match cases.len() {
            0 => "there is no case".to_string(),
            count => format!(
                "none of the {count} cases has a labelled voxel; other values of the labels may be meant (--labels)"
            ),
        };
        return Err(Error::argument("data set", fault));
    };
    let labelled = || cases.iter().filter(|case| case.foreground_voxels > 0);
    let extents: Vec<[f64; 3]> = labelled().filter_map(|case| case.extent_mm).collect();
    let mut orientations = BTreeMap::new();
    cases.iter().for_each(|case| *orientations.entry(case.orientation.clone()).or_insert(0) += 1);
    let share = |case: &CaseFingerprint| case.foreground_voxels as f64 / case.size.iter().product::<usize>() as f64;
    Ok(Fingerprint {
        size: std::array::from_fn(|axis| Quantiles::of(cases.iter().map(|case| case.size[axis] as f64))),
        spacing_mm: std::array::from_fn(|axis| Quantiles::of(cases.iter().map(|case| case.spacing_mm[axis]))),
        orientations,
        extent_mm: std::array::from_fn(|axis| Quantiles::of(extents.iter().map(|extent| extent[axis]))),
        volume_ml: Quantiles::of(labelled().map(|case| case.volume_ml)),
        foreground_share: Quantiles::of(labelled().map(share)),
        foreground_hu,
        label_hu: names
            .iter()
            .zip(&all[1..])
            .filter_map(|(name, counts)| Some((name.to_string(), counts.densities()?)))
            .collect(),
        cases,
    })
}

/// What one case brings.
struct One {
    case: CaseFingerprint,
    /// Of all labels together, then of each.
    counts: Vec<Counts>,
}

fn examine(case: &Case, labels: &LabelBits, count: usize) -> Result<One> {
    let loaded = load_labels(case, &ReadOptions::default(), labels)?;
    if let Some((_, fault)) = scan_faults(&InputFeatures::of(&loaded.volume)).into_iter().next() {
        return Err(Error::image(&case.image, fault));
    }
    let geometry = loaded.volume.geometry();
    let mut counts = vec![Counts::new(); count + 1];
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    // [z, y, x]
    let (voxels, mask) = (lps_view(loaded.volume.voxels(), geometry), lps_view(loaded.mask.view(), geometry));
    Zip::indexed(&voxels).and(&mask).for_each(|(z, y, x), hu, bits| {
        if *bits == 0 {
            return;
        }
        let hu = f64::from(*hu);
        counts[0].add(hu);
        (0..count).filter(|label| bits >> label & 1 == 1).for_each(|label| counts[label + 1].add(hu));
        for (axis, at) in [x, y, z].into_iter().enumerate() {
            low[axis] = low[axis].min(at);
            high[axis] = high[axis].max(at);
        }
    });
    let turned = |[z, y, x]: [f64; 3]| [x, y, z];
    let spacing = turned(lps_spacing(geometry));
    let [z, y, x] = lps_size(geometry);
    let foreground = counts[0].voxels as usize;
    let case = CaseFingerprint {
        name: case.name.clone(),
        size: [x, y, z],
        spacing_mm: spacing,
        orientation: geometry.orientation(),
        foreground_voxels: foreground,
        volume_ml: foreground as f64 * spacing.iter().product::<f64>() / 1000.0,
        extent_mm: (foreground > 0)
            .then(|| std::array::from_fn(|axis| (high[axis] - low[axis] + 1) as f64 * spacing[axis])),
    };
    Ok(One { case, counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        let found = Quantiles::of([4.0, 1.0, 10.0, 2.0].into_iter());
        // numpy.percentile([1, 2, 4, 10], [10, 50, 90, 95])
        let expected = [1.0, 1.3, 3.0, 8.2, 9.1, 10.0];
        let found = [found.min, found.p10, found.median, found.p90, found.p95, found.max];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn densities_are_counted_exactly() {
        let mut counts = [Counts::new(), Counts::new()];
        for n in 0..1000 {
            counts[n % 2].add(f64::from((n * n % 613) as u32) - 300.0);
        }
        let other = counts[1].clone();
        counts[0].join(&other);
        let found = counts[0].densities().unwrap();
        let mut values: Vec<f64> = (0..1000).map(|n| f64::from(n * n % 613) - 300.0).collect();
        values.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / 1000.0;
        let at = |q: f64| {
            let place = q * 999.0;
            let low = values[place.floor() as usize];
            low + (values[place.ceil() as usize] - low) * place.fract()
        };
        assert_eq!((found.min, found.max, found.voxels), (values[0], values[999], 1000));
        for (found, expected) in [(found.low, at(0.005)), (found.median, at(0.5)), (found.high, at(0.995))] {
            assert!((found - expected).abs() < 1e-9, "{found}, {expected}");
        }
        let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
        assert!((found.mean - mean).abs() < 1e-9 && (found.std - std).abs() < 1e-6);
        assert!(Counts::new().densities().is_none());
    }
}
