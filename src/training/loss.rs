//! Equation (2) of the paper.
//!
//! Each C is the mean binary cross entropy over its map, and over the labels where there are several, computed on logits; truths of smaller maps are area-downsampled and lie between 0
//! and 1. What only repeats the volume's border (a patch larger than its slice, what a rotation turns in) is no part of the map: the mean
//! is over the pixels that come from the volume.

use tch::{Kind, Reduction, Tensor};

use crate::network::{GlobalOutput, LocalOutput};
use crate::Result;

/// What a map should be, and how much each of its pixels counts.
#[derive(Debug)]
pub struct Target {
    /// The truth, 0 to 1, for each of L labels, `[N, L, H, W]`.
    pub truth: Tensor,
    /// `[N, 1, H, W]`; 1 in all.
    pub weights: Tensor,
}

impl Target {
    /// Of each pixel the part `counted` counts, 0 to 1: each map's mean is over those, and all maps that have any count alike.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) for tensors of other than four dimensions.
    pub fn new(truth: Tensor, counted: &Tensor) -> Result<Self> {
        let of_maps = counted.f_sum_dim_intlist([1_i64, 2, 3].as_slice(), true, Kind::Float)?;
        let maps = of_maps.f_gt(0.0)?.f_sum(Kind::Float)?.f_clamp_min(1.0)?;
        let weights = counted.f_div(&of_maps.f_clamp_min(TINY)?)?.f_div(&maps)?;
        Ok(Target { truth, weights })
    }

    /// The mean binary cross entropy of `logits`.
    pub fn cross_entropy(&self, logits: &Tensor) -> Result<Tensor> {
        let labels = self.truth.size()[1];
        let sum = logits.f_binary_cross_entropy_with_logits(&self.truth, Some(&self.weights), None, Reduction::Sum)?;
        Ok(if labels == 1 { sum } else { sum.f_mul_scalar(1.0 / labels as f64)? })
    }

    /// One minus the soft Dice coefficient of `logits`, of all maps together, and the mean over the labels: `1 - 2 sum(P G) / sum(P + G)`
    /// over the pixels that count. Taken of each map alone, one without the organ would have its whole loss from a single wrong pixel.
    pub fn soft_dice(&self, logits: &Tensor) -> Result<Tensor> {
        let probability = logits.f_sigmoid()?;
        let sum = |x: &Tensor| x.f_mul(&self.weights)?.f_sum_dim_intlist([0_i64, 2, 3].as_slice(), false, x.kind());
        let both = sum(&probability.f_mul(&self.truth)?)?.f_mul_scalar(2.0)?.f_add_scalar(SMOOTH)?;
        let either = sum(&probability.f_add(&self.truth)?)?.f_add_scalar(SMOOTH)?;
        Ok(both.f_div(&either)?.f_mean(probability.kind())?.f_neg()?.f_add_scalar(1.0)?)
    }

    /// The target of a map whose pixels are `scale` of these wide; height and width are multiples of it.
    fn coarser(&self, scale: i64) -> Result<Target> {
        let mean = |x: &Tensor| x.f_avg_pool2d([scale, scale], [scale, scale], [0, 0], false, true, None::<i64>);
        let weights = mean(&self.weights)?;
        let truth = mean(&self.truth.f_mul(&self.weights)?)?.f_div(&weights.f_clamp_min(TINY)?)?;
        Ok(Target { truth, weights: weights.f_mul_scalar((scale * scale) as f64)? })
    }

    /// The share of each label.
    pub fn shares(&self) -> Result<Vec<f64>> {
        let all = self.truth.f_mul(&self.weights)?.f_sum_dim_intlist([0_i64, 2, 3].as_slice(), false, Kind::Double)?;
        Ok(Vec::<f64>::try_from(&all)?)
    }
}

/// Keeps what is divided by off zero; far below any weight.
const TINY: f64 = 1e-20;

/// Keeps the Dice of nothing with nothing at 1; a share of all pixels, far below any organ's.
const SMOOTH: f64 = 1e-6;

/// The local branch's part: `C(P, G) + 1/4 sum_j C(P^(j), G^(j))`, and its two terms.
pub fn local(output: &LocalOutput, target: &Target) -> Result<[Tensor; 2]> {
    let main = target.cross_entropy(&output.logits)?;
    let mut side = main.f_zeros_like()?;
    for (j, logits) in output.side.iter().enumerate() {
        side = side.f_add(&target.coarser(1 << j)?.cross_entropy(logits)?)?;
    }
    Ok([main, side.f_mul_scalar(1.0 / output.side.len() as f64)?])
}

/// The global branch's part: `C(P^f, G^f)` and `C(P^f', G^f')`.
pub fn global(output: &GlobalOutput, targets: &[Target; 2]) -> Result<[Tensor; 2]> {
    Ok([targets[0].cross_entropy(&output.logits)?, targets[1].cross_entropy(&output.finer_logits)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_by_hand() {
        let logits = Tensor::from_slice(&[0.0, 2.0_f32.ln(), -(3.0_f32.ln()), 0.0]).reshape([1, 1, 2, 2]);
        let truth = Tensor::from_slice(&[1.0_f32, 1.0, 0.0, 0.25]).reshape([1, 1, 2, 2]);
        // -ln 1/2, -ln 2/3, -ln 3/4, -ln 1/2
        let expected = (2.0 * 2.0_f64.ln() + 1.5_f64.ln() + (4.0_f64 / 3.0).ln()) / 4.0;
        let counted = truth.ones_like();
        let got = Target::new(truth, &counted).unwrap().cross_entropy(&logits).unwrap().double_value(&[]);
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }

    #[test]
    fn soft_dice_by_hand() {
        let logits = Tensor::from_slice(&[0.0, 3.0_f32.ln(), -(3.0_f32.ln()), 9.0]).reshape([1, 1, 2, 2]);
        let truth = Tensor::from_slice(&[1.0_f32, 1.0, 0.0, 0.0]).reshape([1, 1, 2, 2]);
        // The last pixel does not count: P is 1/2, 3/4, 1/4.
        let counted = Tensor::from_slice(&[1.0_f32, 1.0, 1.0, 0.0]).reshape([1, 1, 2, 2]);
        let dice = |truth: Tensor, logits: &Tensor| {
            Target::new(truth, &counted).unwrap().soft_dice(logits).unwrap().double_value(&[])
        };
        assert!((dice(truth.copy(), &logits) - (1.0 - 2.5 / 3.5)).abs() < 1e-5);
        assert!(dice(truth.zeros_like(), &(logits * 0.0 - 30.0)).abs() < 1e-5, "nothing where there is nothing");
        // Two labels, one of which is found exactly.
        let maps = Tensor::cat(&[truth.copy(), truth.copy()], 1);
        let logits =
            Tensor::cat(&[(truth * 2.0 - 1.0) * 40.0, Tensor::zeros([1, 1, 2, 2], (Kind::Float, tch::Device::Cpu))], 1);
        assert!((dice(maps, &logits) - 0.5 * (1.0 - 2.0 / 3.5)).abs() < 1e-5);
    }

    /// What lies below a slice of 4 rows changes no term and gets no gradient; where it counted before it was most of the patch.
    #[test]
    fn pixels_that_repeat_the_border_do_not_count() {
        let float = (Kind::Float, tch::Device::Cpu);
        let counted = Tensor::zeros([2, 1, 16, 8], float);
        let _ = counted.narrow(2, 0, 4).fill_(1.0);
        let truth = (Tensor::arange(256, float) * 2.3).sin().gt(0.0).to_kind(Kind::Float).reshape([2, 1, 16, 8]);
        let output = |beyond: f64| {
            let map = |scale: i64| {
                let size = [2, 1, 16 / scale, 8 / scale];
                // No probability is a multiple of 1/64, which a truth can be: each pixel's gradient is there.
                let logits = (Tensor::arange(size.iter().product::<i64>(), float) * 1.7).sin().reshape(size) + 0.3;
                let rows = (4 + scale - 1) / scale;
                let _ = logits.narrow(2, rows, 16 / scale - rows).fill_(beyond);
                logits.set_requires_grad(true)
            };
            LocalOutput { logits: map(1), side: vec![map(1), map(2), map(4), map(8)], finest: map(1), coarsest: map(8) }
        };
        let target = |below: f64| {
            let truth = truth.copy();
            let _ = truth.narrow(2, 4, 12).fill_(below);
            Target::new(truth, &counted).unwrap()
        };
        let terms = |output: &LocalOutput, below: f64| local(output, &target(below)).unwrap();
        let values = |beyond: f64, below: f64| terms(&output(beyond), below).map(|term| term.double_value(&[]));
        assert_eq!(values(3.0, 0.0), values(-8.0, 1.0));
        let own = output(3.0);
        let of_slice = own.logits.narrow(2, 0, 4).detach();
        let mean =
            of_slice.binary_cross_entropy_with_logits::<Tensor>(&truth.narrow(2, 0, 4), None, None, Reduction::Mean);
        let [main, side] = terms(&own, 0.0);
        assert!((main.double_value(&[]) - mean.double_value(&[])).abs() < 1e-6);
        (main + side).backward();
        for (logits, scale) in own.side.iter().zip([1, 2, 4, 8]) {
            let gradient = logits.grad();
            let rows = (4 + scale - 1) / scale;
            assert!(gradient.narrow(2, 0, rows).abs().min().double_value(&[]) > 0.0, "scale {scale}");
            if rows < 16 / scale {
                let beyond = gradient.narrow(2, rows, 16 / scale - rows);
                assert_eq!(beyond.abs().max().double_value(&[]), 0.0, "scale {scale}");
            }
        }
        // Half of the last side output's first pixel lies below: its truth is the mean over the other half.
        let coarsest = target(0.0).coarser(8).unwrap();
        let expected = truth.narrow(2, 0, 4).mean_dim([1_i64, 2, 3].as_slice(), false, Kind::Float);
        let difference = coarsest.truth.select(2, 0).flatten(0, -1) - expected;
        assert!(difference.abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn a_map_of_which_nothing_counts_leaves_the_mean_to_the_others() {
        let float = (Kind::Float, tch::Device::Cpu);
        let (truth, counted) = (Tensor::zeros([3, 1, 8, 8], float), Tensor::ones([3, 1, 8, 8], float));
        let _ = counted.get(1).fill_(0.0);
        let target = Target::new(truth.copy(), &counted).unwrap();
        let ones = Tensor::ones([3, 1, 8, 8], float);
        let got = target.cross_entropy(&ones).unwrap().double_value(&[]);
        assert!((got - (1.0 + 1.0_f64.exp()).ln()).abs() < 1e-6, "{got}");
        let nothing = Target::new(truth, &counted.zeros_like()).unwrap();
        assert_eq!(nothing.cross_entropy(&ones).unwrap().double_value(&[]), 0.0);
    }

    #[test]
    fn side_outputs_see_the_truths_area() {
        // A truth with one of 64 pixels set is 1/4 at half scale, 1/16, 1/64 in one pixel: logits that say exactly that are optimal.
        let truth = Tensor::zeros([1, 1, 8, 8], (tch::Kind::Float, tch::Device::Cpu));
        let _ = truth.get(0).get(0).get(0).get(0).fill_(1.0);
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let map = |n: i64, p: f64| {
            let map = Tensor::full([1, 1, n, n], -30.0, (tch::Kind::Float, tch::Device::Cpu));
            let _ = map.get(0).get(0).get(0).get(0).fill_(logit(p));
            map
        };
        let output = LocalOutput {
            logits: map(8, 0.5),
            side: vec![map(8, 0.5), map(4, 0.25), map(2, 1.0 / 16.0), map(1, 1.0 / 64.0)],
            finest: map(8, 0.5),
            coarsest: map(1, 0.5),
        };
        let entropy = |p: f64| -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
        let expected =
            (2.0_f64.ln() / 64.0 + entropy(0.25) / 16.0 + entropy(1.0 / 16.0) / 4.0 + entropy(1.0 / 64.0)) / 4.0;
        let counted = truth.ones_like();
        let target = Target::new(truth, &counted).unwrap();
        let [main, side] = local(&output, &target).unwrap().map(|t| t.double_value(&[]));
        assert!((main - 2.0_f64.ln() / 64.0).abs() < 1e-6);
        assert!((side - expected).abs() < 1e-6, "{side} {expected}");
    }
}
