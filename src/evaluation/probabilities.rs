//! A probability map against its truth at every threshold at once: precision and recall, Dice, calibration.

use ndarray::{ArrayView3, Axis};
use rayon::prelude::*;

use crate::{Error, Result};

/// Thresholds are the multiples of 0.0001 up to 0.99, and from there of 0.000001 up to 1: what a network is sure of piles up below 1.
const COARSE: usize = 9_900;
const LAST: usize = COARSE + 10_000;
/// Bins of equal width for the calibration.
const BINS: usize = 10;

/// How the voxels of one or more probability maps spread over the thresholds.
///
/// A voxel counts as pancreas at a threshold that its probability reaches, as in `ggpfn segment`. All that follows from the map is exact
/// at the thresholds 0, 0.0001, ..., 0.99, 0.990001, ..., 1, whatever the map's size, in one pass and 480 kB. [`add`](Self::add) pools cases: every voxel of
/// all cases counts alike then, as in figure 4 of the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    bins: Vec<Bin>,
}

/// The voxels whose probability reaches a threshold and not the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    inside: u64,
    outside: u64,
    /// Of their probabilities.
    sum: f64,
}

/// Precision and recall at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct OperatingPoint {
    /// From 0 to 1.
    pub threshold: f64,
    /// The part of the voxels at or above the threshold that is true; none where there is no such voxel.
    pub precision: Option<f64>,
    /// The part of the truth that is at or above the threshold; none if the truth is empty.
    pub recall: Option<f64>,
    /// 2 true / (predicted + truth): the F-score, which for voxels is the Dice coefficient; none if both are empty.
    pub dice: Option<f64>,
}

/// The voxels whose probability lies in a range, for a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Reliability {
    /// The lowest probability of the bin; the highest is 0.1 more.
    pub from: f64,
    /// How many voxels.
    pub voxels: u64,
    /// Their mean probability; none without voxels.
    pub probability: Option<f64>,
    /// The part of them that is inside the truth; none without voxels.
    pub frequency: Option<f64>,
}

impl Spread {
    /// Of one map and its truth, both of one shape; every voxel of the truth that is not 0 is inside.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shapes differ or a probability is not within 0 to 1.
    pub fn of(probability: ArrayView3<f32>, truth: ArrayView3<u8>) -> Result<Self> {
        if probability.dim() != truth.dim() {
            let fault = format!("{:?} voxels; {:?} were expected, as the truth has", probability.dim(), truth.dim());
            return Err(Error::argument("probability", fault));
        }
        (0..probability.len_of(Axis(0)))
            .into_par_iter()
            .try_fold(Spread::default, |mut spread, z| {
                let (probabilities, truths) = (probability.index_axis(Axis(0), z), truth.index_axis(Axis(0), z));
                for (p, t) in probabilities.iter().zip(truths) {
                    if !(0.0..=1.0).contains(p) {
                        return Err(Error::argument(
                            "probability",
                            format!("it holds {p}; numbers from 0 to 1 were expected"),
                        ));
                    }
                    let p = f64::from(*p);
                    let bin = &mut spread.bins[reached(p)];
                    match t {
                        0 => bin.outside += 1,
                        _ => bin.inside += 1,
                    }
                    bin.sum += p;
                }
                Ok(spread)
            })
            .try_reduce(Spread::default, |mut a, b| {
                a.add(&b);
                Ok(a)
            })
    }

    /// Adds the voxels of another.
    pub fn add(&mut self, other: &Spread) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.inside += more.inside;
            bin.outside += more.outside;
            bin.sum += more.sum;
        }
    }

    /// All thresholds with their precision and recall, ascending.
    pub fn curve(&self) -> Vec<OperatingPoint> {
        let truth: u64 = self.bins.iter().map(|bin| bin.inside).sum();
        let (mut hits, mut predicted) = (0, 0);
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let mut points: Vec<OperatingPoint> = (0..=LAST)
            .rev()
            .map(|step| {
                hits += self.bins[step].inside;
                predicted += self.bins[step].inside + self.bins[step].outside;
                OperatingPoint {
                    threshold: threshold(step),
                    precision: ratio(hits, predicted),
                    recall: ratio(hits, truth),
                    dice: ratio(2 * hits, predicted + truth),
                }
            })
            .collect();
        points.reverse();
        points
    }

    /// Recall and precision at all thresholds that have both, from the highest threshold to the lowest.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        self.curve().iter().rev().filter_map(|point| Some((point.recall?, point.precision?))).collect()
    }

    /// The point of a [`curve`](Self::curve) at a threshold, a multiple of 0.0001.
    pub fn at(curve: &[OperatingPoint], threshold: f64) -> Option<OperatingPoint> {
        curve.get(step_of(threshold)).copied()
    }

    /// The point with the largest F-score, of several the one with the lowest threshold; none if the truth is empty.
    pub fn best(&self) -> Option<OperatingPoint> {
        let better = |a: OperatingPoint, b: OperatingPoint| if b.dice > a.dice { b } else { a };
        self.curve().into_iter().filter(|point| point.recall.is_some()).reduce(better)
    }

    /// The area below the curve as average precision: the sum of precision times gain in recall, from high thresholds to low; none
    /// if the truth is empty.
    pub fn average_precision(&self) -> Option<f64> {
        let curve = self.curve();
        let mut recall = 0.0;
        let mut sum = 0.0;
        for point in curve.iter().rev() {
            let reached = point.recall?;
            sum += point.precision.unwrap_or(0.0) * (reached - recall);
            recall = reached;
        }
        Some(sum)
    }

    /// Ten bins of equal width with their mean probability and the frequency of pancreas. The last one includes 1.
    pub fn reliability(&self) -> Vec<Reliability> {
        (0..BINS)
            .map(|number| {
                let edge = |number: usize| step_of(number as f64 / BINS as f64);
                let (first, mut last) = (edge(number), edge(number + 1));
                if number + 1 == BINS {
                    last += 1;
                }
                let bins = &self.bins[first..last];
                let inside: u64 = bins.iter().map(|bin| bin.inside).sum();
                let voxels = inside + bins.iter().map(|bin| bin.outside).sum::<u64>();
                let of = |sum: f64| (voxels > 0).then(|| sum / voxels as f64);
                Reliability {
                    from: threshold(first),
                    voxels,
                    probability: of(bins.iter().map(|bin| bin.sum).sum()),
                    frequency: of(inside as f64),
                }
            })
            .collect()
    }

    /// The expected calibration error: the mean over voxels of how far the frequency is from the mean probability in their bin, of all
    /// voxels whose probability is at least `from`, a multiple of 0.1; none without such voxels.
    pub fn calibration_error(&self, from: f64) -> Option<f64> {
        let bins: Vec<_> = self.reliability().into_iter().filter(|bin| bin.from >= from - 1e-9).collect();
        let voxels: u64 = bins.iter().map(|bin| bin.voxels).sum();
        let gap = |bin: &Reliability| Some(bin.voxels as f64 * (bin.probability? - bin.frequency?).abs());
        (voxels > 0).then(|| bins.iter().filter_map(gap).sum::<f64>() / voxels as f64)
    }
}

impl Default for Spread {
    fn default() -> Self {
        Spread { bins: vec![Bin::default(); LAST + 1] }
    }
}

fn threshold(step: usize) -> f64 {
    match step {
        0..=COARSE => step as f64 / 1e4,
        _ => (step - COARSE + 990_000) as f64 / 1e6,
    }
}

/// The threshold nearest to a number from 0 to 1.
fn step_of(number: f64) -> usize {
    match number < 0.99 {
        true => (number * 1e4).round() as usize,
        false => ((number * 1e6).round() as usize + COARSE - 990_000).min(LAST),
    }
}

/// The last threshold that a probability reaches.
fn reached(probability: f64) -> usize {
    let nearest = step_of(probability);
    if probability < threshold(nearest) {
        nearest - 1
    } else {
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use rand::{Rng, SeedableRng};

    #[test]
    fn counts_are_those_of_each_threshold() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let truth = Array3::from_shape_simple_fn((6, 7, 8), || u8::from(random.random_bool(0.3)));
        // Some just at thresholds, as decimals in float32 are just below or above.
        let p = Array3::from_shape_simple_fn((6, 7, 8), || match random.random_range(0..5) {
            0 => random.random_range(0..=10) as f32 / 10.0,
            1 => random.random_range(0..=10_000) as f32 / 10_000.0,
            2 => random.random_range(990_000..=1_000_000) as f32 / 1e6,
            3 => 0.9898 + 0.0004 * random.random::<f32>(),
            _ => random.random::<f32>(),
        });
        let spread = Spread::of(p.view(), truth.view()).unwrap();
        for point in spread.curve() {
            let at = |p: &f32| f64::from(*p) >= point.threshold;
            let predicted = p.iter().filter(|p| at(p)).count() as f64;
            let hits = p.iter().zip(&truth).filter(|(p, t)| at(p) && **t != 0).count() as f64;
            let all = truth.iter().filter(|t| **t != 0).count() as f64;
            assert_eq!(point.precision, (predicted > 0.0).then(|| hits / predicted), "{point:?}");
            assert_eq!((point.recall, point.dice), (Some(hits / all), Some(2.0 * hits / (predicted + all))));
        }
        for step in 0..=LAST {
            assert_eq!((step_of(threshold(step)), reached(threshold(step))), (step, step));
        }
        let best = spread.best().unwrap();
        assert!(spread.curve().iter().all(|point| point.dice <= best.dice));
        let mut twice = spread.clone();
        twice.add(&spread);
        assert_eq!(twice.curve(), spread.curve());
    }

    #[test]
    fn what_is_no_probability_is_refused_and_an_empty_truth_has_no_curve() {
        let truth = Array3::zeros((2, 2, 2));
        for p in [1.5, -0.1, f32::NAN] {
            assert!(Spread::of(Array3::from_elem((2, 2, 2), p).view(), truth.view()).is_err());
        }
        assert!(Spread::of(Array3::zeros((2, 2, 3)).view(), truth.view()).is_err());
        let spread = Spread::of(Array3::from_elem((2, 2, 2), 0.5).view(), truth.view()).unwrap();
        assert_eq!((spread.best(), spread.average_precision()), (None, None));
        assert_eq!((spread.calibration_error(0.0), spread.calibration_error(0.6)), (Some(0.5), None));
    }
}
