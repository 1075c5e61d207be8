//! One mask against its truth. How each measure is defined stands at [`Comparison`].

use ndarray::{ArrayView3, Axis, Slice};
use rayon::prelude::*;
use serde::Serialize;

use super::elements::SurfaceElements;
use super::lesions::components;
use super::surface;
use crate::{Error, Result};

/// The measures of one prediction.
///
/// Dice, Jaccard, precision and recall are fractions from 0 to 1; volumes are in mL, distances in mm. A measure that has no
/// value, such as a distance to an empty mask, is none (`null` in JSON).
///
/// Overlap counts voxels. With P the voxels of the prediction and T those of the truth:
///
/// | measure | definition | P empty | T empty | both empty |
/// | --- | --- | --- | --- | --- |
/// | Dice | 2 \|P ∩ T\| / (\|P\| + \|T\|) | 0 | 0 | none |
/// | Jaccard | \|P ∩ T\| / \|P ∪ T\| | 0 | 0 | none |
/// | precision | \|P ∩ T\| / \|P\| | none | 0 | none |
/// | recall | \|P ∩ T\| / \|T\| | 0 | none | none |
/// | volume error | \|P\| - \|T\|, in mL and in percent of \|T\| | as it is | percent: none | percent: none |
/// | surface distances | below | none | none | none |
/// | normalised surface distance | below | 0 | 0 | none |
/// | components | below | as it is | as it is | as it is |
///
/// Two empty masks have no measure but their volumes, as the Medical Segmentation Decathlon, nnU-Net and MONAI have it: that there is
/// nothing to find is no merit of what finds nothing. One empty mask has a Dice of 0, which enters means.
///
/// Distances are taken between surfaces. The surface of a mask is those of its voxels that have a voxel outside of it across
/// one of their six faces; what lies beyond the array is outside. Each surface voxel of either mask has one distance: from
/// its centre to the centre of the nearest surface voxel of the other mask, in mm, exact. All of them, from P to T and from T
/// to P, make one set. Its mean is the mean surface distance. Its 95th percentile is the 95 % Hausdorff distance; with the n
/// distances sorted it stands at place 0.95 (n - 1), counted from 0, linearly interpolated between neighbours.
///
/// The normalised surface distance (surface Dice) and the Hausdorff distance by area are those of Google DeepMind's package
/// `surface-distance`: surfaces are elements between voxels, each with its area by marching cubes and its distance to the nearest
/// element of the other mask. The normalised surface distance at a tolerance is the area, of both masks, of the elements that are no
/// further than the tolerance, over the area of all. The Hausdorff distance by area is, for each mask, the smallest distance within
/// which 95 % of its area lies, and of these two the larger. It differs from `hausdorff95_mm` in three ways: voxel centres are
/// weighted by area, the directions are not pooled, and nothing is interpolated.
///
/// Components are connected if they touch by a corner. One of the truth is missed if the prediction has none of its voxels, one of the
/// prediction false if the truth has none of its voxels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Twice the common voxels over the sum of both masks' voxels; none if both are empty.
    pub dice: Option<f64>,
    /// Common voxels over the voxels of either; none if both are empty.
    pub jaccard: Option<f64>,
    /// The part of the prediction that is true; none if the prediction is empty.
    pub precision: Option<f64>,
    /// The part of the truth that was found; none if the truth is empty.
    pub recall: Option<f64>,
    /// Volume of the prediction, in mL.
    pub prediction_ml: f64,
    /// Volume of the truth, in mL.
    pub truth_ml: f64,
    /// Volume of the prediction less that of the truth, in mL.
    pub volume_error_ml: f64,
    /// The same in percent of the truth; none if the truth is empty.
    pub volume_error_percent: Option<f64>,
    /// 95th percentile of the distances between the surfaces, both ways pooled, in mm; none if a mask is empty.
    pub hausdorff95_mm: Option<f64>,
    /// Mean of the same distances, in mm; none if a mask is empty.
    pub mean_surface_mm: Option<f64>,
    /// 95 % Hausdorff distance by area, in mm; none if a mask is empty.
    pub hausdorff95_area_mm: Option<f64>,
    /// Normalised surface distance at a tolerance of 1 mm; none if both masks are empty.
    pub nsd_1mm: Option<f64>,
    /// The same at 2 mm.
    pub nsd_2mm: Option<f64>,
    /// The same at 5 mm.
    pub nsd_5mm: Option<f64>,
    /// Connected components of the truth.
    pub truth_components: u64,
    /// Of those, which the prediction does not touch.
    pub missed_components: u64,
    /// Connected components of the prediction.
    pub prediction_components: u64,
    /// Of those, which the truth does not touch.
    pub false_components: u64,
}

/// Compares a prediction with its truth, both on one grid in whatever order of axes; every voxel that is not 0 is inside.
///
/// `spacing` is in mm, along the arrays' axes in their order ([`lps_spacing`](crate::volume::lps_spacing) for the LPS frame).
/// The time goes with the number of voxels; the memory, beyond the masks, with the box around both.
///
/// # Errors
/// [`Error::Argument`] if the shapes differ or the spacing is not three positive numbers.
pub fn compare(prediction: ArrayView3<u8>, truth: ArrayView3<u8>, spacing: [f64; 3]) -> Result<Comparison> {
    if prediction.dim() != truth.dim() {
        let fault = format!("{:?} voxels; {:?} were expected, as the truth has", prediction.dim(), truth.dim());
        return Err(Error::argument("prediction", fault));
    }
    if spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(Error::argument("spacing", format!("{spacing:?} mm; three positive numbers were expected")));
    }
    // No measure depends on the order of the axes: the one that is densest in memory goes last, so that rows are read as
    // they lie.
    let mut order = [0, 1, 2];
    order.sort_by_key(|axis| std::cmp::Reverse(truth.strides()[*axis].unsigned_abs()));
    let (prediction, truth) = (prediction.permuted_axes(order), truth.permuted_axes(order));
    let spacing = order.map(|axis| spacing[axis]);

    let counts = Counts::of(&prediction, &truth);
    let [prediction, truth] = [prediction, truth].map(|mut mask| {
        if counts.prediction + counts.truth > 0 {
            mask.slice_each_axis_inplace(|a| Slice::from(counts.low[a.axis.0]..=counts.high[a.axis.0]));
        } else {
            mask.slice_each_axis_inplace(|_| Slice::from(0..0));
        }
        mask
    });
    let both = counts.prediction > 0 && counts.truth > 0;
    let distances = both.then(|| {
        let mut distances = surface::distances(prediction, truth, spacing);
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        (percentile(&mut distances, 0.95), mean)
    });
    let elements = both.then(|| SurfaceElements::of(prediction, truth, spacing));
    let either_inside = counts.prediction + counts.truth > 0;
    let nsd = |tolerance: f64| match &elements {
        Some(elements) => Some(elements.normalised_distance(tolerance)),
        None => either_inside.then_some(0.0),
    };
    let parts = components(prediction, truth);
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let either = counts.prediction + counts.truth - counts.common;
    let voxel_ml = spacing.iter().product::<f64>() / 1000.0;
    let excess = counts.prediction as f64 - counts.truth as f64;
    Ok(Comparison {
        dice: ratio(2 * counts.common, counts.prediction + counts.truth),
        jaccard: ratio(counts.common, either),
        precision: ratio(counts.common, counts.prediction),
        recall: ratio(counts.common, counts.truth),
        prediction_ml: counts.prediction as f64 * voxel_ml,
        truth_ml: counts.truth as f64 * voxel_ml,
        volume_error_ml: excess * voxel_ml,
        volume_error_percent: (counts.truth > 0).then(|| 100.0 * excess / counts.truth as f64),
        hausdorff95_mm: distances.map(|(hausdorff95, _)| hausdorff95),
        mean_surface_mm: distances.map(|(_, mean)| mean),
        hausdorff95_area_mm: elements.as_ref().map(|elements| elements.hausdorff(0.95)),
        nsd_1mm: nsd(1.0),
        nsd_2mm: nsd(2.0),
        nsd_5mm: nsd(5.0),
        truth_components: parts.truth,
        missed_components: parts.missed,
        prediction_components: parts.prediction,
        false_components: parts.invented,
    })
}

/// The voxels of each mask and of both, and the box around all of them.
struct Counts {
    prediction: u64,
    truth: u64,
    common: u64,
    low: [usize; 3],
    high: [usize; 3],
}

impl Counts {
    const NONE: Counts = Counts { prediction: 0, truth: 0, common: 0, low: [usize::MAX; 3], high: [0; 3] };

    fn of(prediction: &ArrayView3<u8>, truth: &ArrayView3<u8>) -> Self {
        (0..prediction.len_of(Axis(0)))
            .into_par_iter()
            .map(|z| {
                let mut counts = Counts::NONE;
                let slices = [prediction, truth].map(|mask| mask.index_axis(Axis(0), z));
                for (y, (p, t)) in slices[0].outer_iter().zip(slices[1].outer_iter()).enumerate() {
                    let before = counts.prediction + counts.truth;
                    let (mut first, mut last) = (usize::MAX, 0);
                    let mut voxel = |x: usize, p: u8, t: u8| {
                        if p | t != 0 {
                            counts.prediction += u64::from(p != 0);
                            counts.truth += u64::from(t != 0);
                            counts.common += u64::from(p != 0 && t != 0);
                            first = first.min(x);
                            last = x;
                        }
                    };
                    match (p.as_slice(), t.as_slice()) {
                        // Most rows of most masks are empty, which slices tell fastest.
                        (Some(p), Some(t)) if is_zero(p) && is_zero(t) => {}
                        (Some(p), Some(t)) => p.iter().zip(t).enumerate().for_each(|(x, (p, t))| voxel(x, *p, *t)),
                        _ => p.iter().zip(t).enumerate().for_each(|(x, (p, t))| voxel(x, *p, *t)),
                    }
                    if counts.prediction + counts.truth > before {
                        counts = counts.around([z, y, first], [z, y, last]);
                    }
                }
                counts
            })
            .reduce(|| Counts::NONE, Counts::and)
    }

    fn around(mut self, low: [usize; 3], high: [usize; 3]) -> Self {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(low[axis]);
            self.high[axis] = self.high[axis].max(high[axis]);
        }
        self
    }

    fn and(self, other: Counts) -> Self {
        let sum = Counts {
            prediction: self.prediction + other.prediction,
            truth: self.truth + other.truth,
            common: self.common + other.common,
            ..self
        };
        sum.around(other.low, other.high)
    }
}

/// Whether all bytes are 0; looks at whole blocks, which the compiler turns into wide instructions.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

/// The value at `part` of the way through the sorted values, linearly interpolated; the values must not be empty.
fn percentile(values: &mut [f64], part: f64) -> f64 {
    let place = part * (values.len() - 1) as f64;
    let index = place.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + (place - index as f64) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{s, Array3};

    /// A cube of 4³ voxels in a corner away from the border, moved by `shift`.
    fn cube(shift: [usize; 3]) -> Array3<u8> {
        let mut mask = Array3::zeros((12, 10, 11));
        let [z, y, x] = shift;
        mask.slice_mut(s![2 + z..6 + z, 2 + y..6 + y, 2 + x..6 + x]).fill(3);
        mask
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12 * b.abs().max(1.0)
    }

    #[test]
    fn a_mask_equals_itself() {
        let c = compare(cube([0; 3]).view(), cube([0; 3]).view(), [2.5, 0.8, 0.7]).unwrap();
        assert_eq!((c.dice, c.jaccard, c.precision, c.recall), (Some(1.0), Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!((c.hausdorff95_mm, c.mean_surface_mm), (Some(0.0), Some(0.0)));
        assert!(near(c.truth_ml, 64.0 * 2.5 * 0.8 * 0.7 / 1000.0));
        assert_eq!((c.volume_error_ml, c.volume_error_percent), (0.0, Some(0.0)));
    }

    /// Two cubes one step apart along z: of each cube's 56 surface voxels the outer 16 are a step from the other cube, the 4
    /// in the middle of the inner face too (the other's surface goes around what lies inside of it), and the rest are common.
    #[test]
    fn a_shifted_cube_by_hand() {
        let spacing = [3.0, 2.0, 2.5];
        let c = compare(cube([1, 0, 0]).view(), cube([0; 3]).view(), spacing).unwrap();
        assert_eq!((c.dice, c.jaccard, c.precision, c.recall), (Some(0.75), Some(0.6), Some(0.75), Some(0.75)));
        // A middle voxel of the inner face is 2 mm from the other cube's side, nearer than the 3 mm along z.
        assert!(near(c.mean_surface_mm.unwrap(), (16.0 * 3.0 + 4.0 * 2.0) / 56.0), "{c:?}");
        // 112 distances: the 32 largest are 3 mm.
        assert_eq!(c.hausdorff95_mm, Some(3.0));
    }

    #[test]
    fn two_voxels_are_as_far_apart_as_their_centres() {
        let mut masks = [Array3::zeros((9, 9, 9)), Array3::zeros((9, 9, 9))];
        masks[0][[1, 2, 3]] = 1;
        masks[1][[4, 0, 8]] = 255;
        let c = compare(masks[0].view(), masks[1].view(), [2.0, 0.5, 0.75]).unwrap();
        let distance = (6.0_f64.powi(2) + 1.0 + 3.75_f64.powi(2)).sqrt();
        assert!(near(c.hausdorff95_mm.unwrap(), distance) && near(c.mean_surface_mm.unwrap(), distance));
        assert_eq!((c.dice, c.precision, c.recall), (Some(0.0), Some(0.0), Some(0.0)));
    }

    /// Concentric balls: their surfaces are as far apart as their radii differ, to within a voxel.
    #[test]
    fn concentric_balls() {
        let spacing = [1.5, 0.8, 0.8];
        let ball = |radius: f64| {
            Array3::from_shape_fn((40, 70, 70), |(z, y, x)| {
                let squares = [z as f64 - 19.5, y as f64 - 35.0, x as f64 - 34.0].into_iter().zip(spacing);
                u8::from(squares.map(|(steps, mm)| (steps * mm).powi(2)).sum::<f64>().sqrt() <= radius)
            })
        };
        let c = compare(ball(24.0).view(), ball(16.0).view(), spacing).unwrap();
        assert!((c.mean_surface_mm.unwrap() - 8.0).abs() < 0.5, "{c:?}");
        assert!((c.hausdorff95_mm.unwrap() - 8.0).abs() < 1.0, "{c:?}");
        assert!((c.dice.unwrap() - 2.0 / (1.0 + 1.5_f64.powi(3))).abs() < 0.005, "{c:?}");
        assert!((c.volume_error_percent.unwrap() - 237.5).abs() < 5.0, "{c:?}");
        assert!((c.truth_ml - 4.0 / 3.0 * std::f64::consts::PI * 4.096).abs() < 0.1, "{c:?}");
    }

    #[test]
    fn empty_masks() {
        let (empty, full) = (Array3::zeros((12, 10, 11)), cube([0; 3]));
        let both = compare(empty.view(), empty.view(), [1.0; 3]).unwrap();
        assert_eq!((both.dice, both.jaccard, both.precision, both.recall), (None, None, None, None));
        assert_eq!((both.hausdorff95_mm, both.mean_surface_mm), (None, None));
        assert_eq!((both.volume_error_ml, both.volume_error_percent), (0.0, None));
        let missed = compare(empty.view(), full.view(), [1.0; 3]).unwrap();
        assert_eq!((missed.dice, missed.precision, missed.recall), (Some(0.0), None, Some(0.0)));
        assert_eq!((missed.hausdorff95_mm, missed.mean_surface_mm), (None, None));
        assert_eq!((missed.volume_error_ml, missed.volume_error_percent), (-0.064, Some(-100.0)));
        let invented = compare(full.view(), empty.view(), [1.0; 3]).unwrap();
        assert_eq!((invented.dice, invented.precision, invented.recall), (Some(0.0), Some(0.0), None));
        assert_eq!((invented.mean_surface_mm, invented.volume_error_percent), (None, None));
    }

    #[test]
    fn neither_order_nor_direction_of_the_axes_matters() {
        let (a, b) = (cube([1, 2, 0]), cube([0, 0, 1]));
        let expected = compare(a.view(), b.view(), [2.0, 0.9, 0.7]).unwrap();
        let turned = |mask: &Array3<u8>| {
            let mut view = mask.clone().permuted_axes([2, 0, 1]);
            view.invert_axis(Axis(1));
            view
        };
        let of_views = compare(turned(&a).view(), turned(&b).view(), [0.7, 2.0, 0.9]).unwrap();
        // Once the same in memory, once with the truth copied to another order.
        let copied = turned(&b).as_standard_layout().into_owned();
        let of_copies = compare(turned(&a).view(), copied.view(), [0.7, 2.0, 0.9]).unwrap();
        for other in [of_views, of_copies] {
            assert!(near(other.mean_surface_mm.unwrap(), expected.mean_surface_mm.unwrap()));
            assert!(near(other.hausdorff95_mm.unwrap(), expected.hausdorff95_mm.unwrap()));
            assert_eq!((other.dice, other.truth_ml), (expected.dice, expected.truth_ml));
        }
    }

    #[test]
    fn percentiles_are_interpolated() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&mut values, 0.5), 2.5);
        assert_eq!(percentile(&mut values, 1.0), 4.0);
        assert!(near(percentile(&mut values, 0.95), 3.85));
        assert_eq!(percentile(&mut [7.0], 0.95), 7.0);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (a, b) = (Array3::zeros((2, 2, 2)), Array3::zeros((2, 2, 3)));
        assert!(matches!(compare(a.view(), b.view(), [1.0; 3]), Err(Error::Argument { name: "prediction", .. })));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                compare(a.view(), a.view(), [1.0, bad, 1.0]),
                Err(Error::Argument { name: "spacing", .. })
            ));
        }
        let none = Array3::zeros((0, 2, 2));
        assert_eq!(compare(none.view(), none.view(), [1.0; 3]).unwrap().dice, None);
    }
}
