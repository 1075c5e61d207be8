//! What a result is like, in numbers.

use ndarray::{s, Array3, ArrayView3, Axis, Slice, Zip};
use rayon::prelude::*;
use serde::Serialize;

use super::input::{InputFeatures, SOFT_TISSUE};
use super::Found;
use crate::volume::{Measurements, Region};

/// Connected components count from this volume on, in mL.
const LEAST_PART_ML: f64 = 0.5;
/// Probabilities that are neither.
const UNSURE: [f32; 2] = [0.2, 0.8];
/// Voxels around the mask that are near it.
const NEAR: usize = 2;
/// Gas below, fat below, contrast medium and bone above, in HU.
const GAS: f32 = -200.0;
const FAT: f32 = -30.0;
const BRIGHT: f32 = 200.0;
/// Voxels of the mask whose densities are sorted, at most.
const MOST_DENSITIES: usize = 1 << 20;

/// Features of a result. What has no value, in an empty mask or with a single view, is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Features {
    /// Views that were computed.
    pub views: usize,
    /// Mean Dice of the views' masks at the threshold, over pairs of views.
    pub view_dice: Option<f64>,
    /// Soft Dice of the views' probabilities, over pairs of views.
    pub view_soft_dice: Option<f64>,
    /// The largest probability anywhere.
    pub largest_probability: f64,
    /// Mean probability in the mask.
    pub mean_probability: Option<f64>,
    /// Mean binary entropy of the probability in the mask, in bits.
    pub entropy_inside: Option<f64>,
    /// The same in the two voxels around the mask.
    pub entropy_near: Option<f64>,
    /// Voxels of the scan with probabilities from 0.2 to 0.8, relative to the mask's voxels.
    pub unsure_share: Option<f64>,
    /// Volume of the mask in mL.
    pub volume_ml: f64,
    /// Connected components above 0.5 mL.
    pub parts: usize,
    /// The share of the mask in its largest component.
    pub largest_share: Option<f64>,
    /// Size of the mask in mm along x, y and z of the patient.
    pub extent_mm: Option<[f64; 3]>,
    /// Mean density in the mask, in HU.
    pub mean_hu: Option<f64>,
    /// Median.
    pub median_hu: Option<f64>,
    /// 10th percentile.
    pub p10_hu: Option<f64>,
    /// 90th percentile.
    pub p90_hu: Option<f64>,
    /// The share of the mask below -200 HU.
    pub gas_share: Option<f64>,
    /// The share from -200 to -30 HU.
    pub fat_share: Option<f64>,
    /// The share from -50 to 200 HU.
    pub soft_share: Option<f64>,
    /// The share above 200 HU.
    pub bright_share: Option<f64>,
    /// The centroid in the body's box along x and y, and in the scan along z: 0 to 1 from right to left, anterior to posterior and
    /// inferior to superior.
    pub place: Option<[f64; 3]>,
    /// Whether the mask touches the lowest and the highest slice of what was segmented.
    pub touches_ends: [bool; 2],
    /// Whether it touches the border of the slices.
    pub touches_sides: bool,
    /// The scan's features.
    pub input: InputFeatures,
}

/// What is said of all probabilities of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overall {
    /// The largest one.
    pub largest: f32,
    /// How many are unsure: from 0.2 to 0.8.
    pub unsure: usize,
}

impl Overall {
    /// Of some probabilities, or all.
    pub fn of(probability: ArrayView3<f32>) -> Self {
        let of_slice = |slice: ndarray::ArrayView2<f32>| {
            slice.iter().fold(Overall::default(), |so_far, p| Overall {
                largest: so_far.largest.max(*p),
                unsure: so_far.unsure + usize::from((UNSURE[0]..=UNSURE[1]).contains(p)),
            })
        };
        probability.outer_iter().into_par_iter().map(of_slice).reduce(Overall::default, Overall::joined)
    }

    /// Of two parts.
    pub fn joined(self, other: Self) -> Self {
        Overall { largest: self.largest.max(other.largest), unsure: self.unsure + other.unsure }
    }
}

/// The voxels in which a mask is looked at closely: its box and what is near it. None of an empty mask.
pub fn surroundings(measurements: &Measurements, size: [usize; 3]) -> Option<Region> {
    let [low, high] = measurements.bounding_box?;
    let start: [usize; 3] = std::array::from_fn(|axis| low[axis].saturating_sub(NEAR));
    let end: [usize; 3] = std::array::from_fn(|axis| (high[axis] + 1 + NEAR).min(size[axis]));
    Some(Region { start, size: std::array::from_fn(|axis| end[axis] - start[axis]) })
}

/// How far views agree.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Mean Dice of the views' masks over pairs of views; none if all are empty.
    pub dice: Option<f64>,
    /// Soft Dice of the views' probabilities over pairs of views; none where no two views weigh anything.
    pub soft_dice: Option<f64>,
}

impl Agreement {
    /// The agreement of views from what can be gathered while they are computed one after the other.
    ///
    /// Bit n of a voxel's `votes` says whether view n's probability reaches the threshold. `weights` are the views' in the fusion, `squares`
    /// the sums of each one's squared probabilities, and `fused` is that of their weighted sum: the products of two views'
    /// probabilities are what it has beyond the weighted squares of each, so that no view's probabilities have to be kept.
    pub fn of(votes: ArrayView3<u8>, weights: &[f64], squares: &[f64], fused: f64) -> Self {
        let views = weights.len().min(squares.len()).min(8);
        let patterns = votes
            .axis_iter(Axis(0))
            .into_par_iter()
            .map(|slice| {
                let mut counts = [0_u64; 256];
                slice.iter().for_each(|pattern| counts[usize::from(*pattern)] += 1);
                counts
            })
            .reduce(|| [0; 256], |a, b| std::array::from_fn(|pattern| a[pattern] + b[pattern]));
        let voxels = |bits: usize| -> u64 {
            patterns.iter().enumerate().filter(|(pattern, _)| pattern & bits == bits).map(|(_, count)| count).sum()
        };
        let pairs = || (0..views).flat_map(|a| (a + 1..views).map(move |b| (a, b)));
        let dices: Vec<f64> = pairs()
            .filter_map(|(a, b)| {
                let sum = voxels(1 << a) + voxels(1 << b);
                (sum > 0).then(|| 2.0 * voxels(1 << a | 1 << b) as f64 / sum as f64)
            })
            .collect();
        let own: f64 = weights.iter().zip(squares).map(|(weight, square)| weight * weight * square).sum();
        let both: f64 = pairs().map(|(a, b)| weights[a] * weights[b] * (squares[a] + squares[b])).sum();
        Agreement {
            dice: (!dices.is_empty()).then(|| dices.iter().sum::<f64>() / dices.len() as f64),
            soft_dice: (both > 0.0).then(|| ((fused - own) / both).clamp(0.0, 1.0)),
        }
    }
}

impl Features {
    /// Looks at a result.
    pub(super) fn of(found: &Found) -> Self {
        let measured = found.measurements;
        let geometry = found.volume.geometry();
        let mut extent_mm = measured.bounding_box_mm;
        let (mut touches_ends, mut touches_sides) = ([false; 2], false);
        if let Some([low, high]) = measured.bounding_box {
            for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
                if let (Some(extent), Some(along)) = (&mut extent_mm, measured.bounding_box_mm) {
                    extent[nearest.patient] = along[axis];
                }
                let mut ends = [low[axis] == 0, high[axis] + 1 == geometry.size[axis]];
                if nearest.flipped {
                    ends.reverse();
                }
                match nearest.patient {
                    2 => touches_ends = ends,
                    _ => touches_sides |= ends[0] || ends[1],
                }
            }
        }
        let sure = Sureness::of(found);
        let densities = Densities::of(found);
        let some = |count: usize, value: f64| (count > 0).then_some(value);
        let voxels = measured.voxels;
        let share = |low: f32, high: f32| densities.as_ref().map(|densities| densities.share(low, high));
        let percentile = |part: f64| densities.as_ref().map(|densities| densities.percentile(part));
        let least_part = LEAST_PART_ML * 1000.0 / geometry.voxel_volume();
        Features {
            views: found.views,
            view_dice: found.agreement.and_then(|agreement| agreement.dice),
            view_soft_dice: found.agreement.and_then(|agreement| agreement.soft_dice),
            largest_probability: found.overall.largest.into(),
            mean_probability: some(sure.inside, sure.probability),
            entropy_inside: some(sure.inside, sure.entropy_inside),
            entropy_near: some(sure.near, sure.entropy_near),
            unsure_share: some(voxels, found.overall.unsure as f64 / voxels as f64),
            volume_ml: measured.volume_ml,
            parts: found.components.iter().filter(|size| **size as f64 >= least_part).count(),
            largest_share: found.components.iter().max().map(|largest| *largest as f64 / voxels as f64),
            extent_mm,
            mean_hu: measured.mean_hu,
            median_hu: percentile(0.5),
            p10_hu: percentile(0.1),
            p90_hu: percentile(0.9),
            gas_share: share(f32::MIN, GAS),
            fat_share: share(GAS, FAT),
            soft_share: share(SOFT_TISSUE[0], SOFT_TISSUE[1]),
            bright_share: share(BRIGHT, f32::MAX),
            place: measured.centroid_lps.and_then(|centroid| found.input.place(centroid)),
            touches_ends,
            touches_sides,
            input: found.input.clone(),
        }
    }
}

/// Means over the mask, and over what is near it.
#[derive(Default)]
struct Sureness {
    inside: usize,
    probability: f64,
    entropy_inside: f64,
    near: usize,
    entropy_near: f64,
}

impl Sureness {
    fn of(found: &Found) -> Self {
        let size = found.volume.geometry().size;
        let Some(Region { start, size }) = surroundings(found.measurements, size) else { return Sureness::default() };
        let range = |axis: usize| start[axis]..start[axis] + size[axis];
        let mask = found.mask.slice(s![range(2), range(1), range(0)]);
        let probability = found.probability;
        let near = dilated(mask);
        let mut sum = Sureness::default();
        Zip::from(mask).and(&near).and(probability).for_each(|inside, near, p| {
            if *inside != 0 {
                sum.inside += 1;
                sum.probability += f64::from(*p);
                sum.entropy_inside += entropy(*p);
            } else if *near {
                sum.near += 1;
                sum.entropy_near += entropy(*p);
            }
        });
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        sum.probability = mean(sum.probability, sum.inside);
        sum.entropy_inside = mean(sum.entropy_inside, sum.inside);
        sum.entropy_near = mean(sum.entropy_near, sum.near);
        sum
    }
}

/// Entropy of a yes or no, in bits.
fn entropy(p: f32) -> f64 {
    let bits = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    let p = f64::from(p).clamp(0.0, 1.0);
    bits(p) + bits(1.0 - p)
}

/// The mask and all within [`NEAR`] voxels of it along each axis, edges and corners included.
fn dilated(mask: ArrayView3<u8>) -> Array3<bool> {
    let mut grown = mask.mapv(|inside| inside != 0);
    for axis in [0, 1, 2].map(Axis) {
        let before = grown.clone();
        for shift in 1..=NEAR.min(before.len_of(axis).saturating_sub(1)) {
            let shift = shift as isize;
            let (ahead, behind) = (Slice::new(shift, None, 1), Slice::new(0, Some(-shift), 1));
            for (to, from) in [(ahead, behind), (behind, ahead)] {
                grown
                    .slice_axis_mut(axis, to)
                    .zip_mut_with(&before.slice_axis(axis, from), |grown, near| *grown |= near);
            }
        }
    }
    grown
}

/// The mask's densities in ascending order.
struct Densities(Vec<f32>);

impl Densities {
    fn of(found: &Found) -> Option<Self> {
        let [low, high] = found.measurements.bounding_box?;
        let boxed = s![low[2]..=high[2], low[1]..=high[1], low[0]..=high[0]];
        let (mask, voxels) = (found.mask.slice(boxed), found.volume.voxels());
        let inside = mask.iter().zip(voxels.slice(boxed)).filter(|(inside, _)| **inside != 0).map(|(_, hu)| *hu);
        let mut sorted: Vec<f32> = inside.step_by(found.measurements.voxels.div_ceil(MOST_DENSITIES).max(1)).collect();
        sorted.sort_by(f32::total_cmp);
        (!sorted.is_empty()).then_some(Densities(sorted))
    }

    fn percentile(&self, part: f64) -> f64 {
        f64::from(self.0[(part * (self.0.len() - 1) as f64).round() as usize])
    }

    /// The share from `low` to before `high`.
    fn share(&self, low: f32, high: f32) -> f64 {
        let before = |bound: f32| self.0.partition_point(|value| *value < bound);
        (before(high) - before(low)) as f64 / self.0.len() as f64
    }
}
