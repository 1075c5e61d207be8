//! Equation (2) of the paper.
//!
//! Each C is the mean binary cross entropy over its map, computed on logits; truths of smaller maps are area-downsampled and lie between 0
//! and 1.

use tch::{Reduction, Tensor};

use crate::network::{GlobalOutput, LocalOutput};
use crate::Result;

/// C(P, G): the mean binary cross entropy of `logits` against `truth`, of the same shape.
pub fn cross_entropy(logits: &Tensor, truth: &Tensor) -> Result<Tensor> {
    Ok(logits.f_binary_cross_entropy_with_logits::<Tensor>(truth, None, None, Reduction::Mean)?)
}

/// The local branch's part: `C(P, G) + 1/4 sum_j C(P^(j), G^(j))`, and its two terms. `truth` is `[N, 1, H, W]`.
pub fn local(output: &LocalOutput, truth: &Tensor) -> Result<[Tensor; 2]> {
    let main = cross_entropy(&output.logits, truth)?;
    let mut side = main.f_zeros_like()?;
    for (j, logits) in output.side.iter().enumerate() {
        let scale = 1 << j;
        // H and W are multiples of 8: the mean over whole blocks is the area's.
        let truth = truth.f_avg_pool2d([scale, scale], [scale, scale], [0, 0], false, true, None::<i64>)?;
        side = side.f_add(&cross_entropy(logits, &truth)?)?;
    }
    Ok([main, side.f_mul_scalar(1.0 / output.side.len() as f64)?])
}

/// The global branch's part: `C(P^f, G^f)` and `C(P^f', G^f')`.
pub fn global(output: &GlobalOutput, truth: &[Tensor; 2]) -> Result<[Tensor; 2]> {
    Ok([cross_entropy(&output.logits, &truth[0])?, cross_entropy(&output.finer_logits, &truth[1])?])
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
        let got = cross_entropy(&logits, &truth).unwrap().double_value(&[]);
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
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
        };
        let entropy = |p: f64| -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
        let expected =
            (2.0_f64.ln() / 64.0 + entropy(0.25) / 16.0 + entropy(1.0 / 16.0) / 4.0 + entropy(1.0 / 64.0)) / 4.0;
        let [main, side] = local(&output, &truth).unwrap().map(|t| t.double_value(&[]));
        assert!((main - 2.0_f64.ln() / 64.0).abs() < 1e-6);
        assert!((side - expected).abs() < 1e-6, "{side} {expected}");
    }
}
