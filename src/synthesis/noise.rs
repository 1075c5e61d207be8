//! Random fields: white noise, noise of a given smoothness, smooth displacements.

use ndarray::{Array3, Axis};
use rand::Rng;

use crate::volume::resample;

/// A number from the normal distribution of mean 0 and deviation 1.
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// White noise of deviation 1.
pub(super) fn white(size: [usize; 3], random: &mut impl Rng) -> Array3<f32> {
    Array3::from_shape_simple_fn(size, || normal(random) as f32)
}

/// Noise of deviation 1 whose correlation is a Gaussian's with these deviations, in voxels along z, y and x.
pub(super) fn smooth(size: [usize; 3], sigma: [f64; 3], random: &mut impl Rng) -> Array3<f32> {
    let mut field = blurred(white(size, random), sigma);
    let squares: f64 = field.iter().map(|v| f64::from(*v).powi(2)).sum();
    let deviation = (squares / field.len() as f64).sqrt().max(1e-12);
    field.mapv_inplace(|v| v / deviation as f32);
    field
}

/// A field convolved with a Gaussian of these deviations, in voxels along z, y and x; borders are repeated.
pub(super) fn blurred(mut field: Array3<f32>, sigma: [f64; 3]) -> Array3<f32> {
    for (axis, sigma) in sigma.into_iter().enumerate() {
        if sigma > 0.05 && field.shape()[axis] > 1 {
            field = blur_along(&field, axis, sigma);
        }
    }
    field
}

fn blur_along(field: &Array3<f32>, axis: usize, sigma: f64) -> Array3<f32> {
    let reach = (3.0 * sigma).ceil() as isize;
    let mut kernel: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp() as f32).collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|v| *v /= sum);
    let length = field.shape()[axis] as isize;
    let mut result = Array3::<f32>::zeros(field.raw_dim());
    if axis == 2 {
        // Rows lie in one piece: each by itself is several times faster than planes of single voxels.
        ndarray::Zip::from(result.rows_mut()).and(field.rows()).par_for_each(|mut target, row| {
            let longer: Vec<f32> = (-reach..length + reach).map(|i| row[i.clamp(0, length - 1) as usize]).collect();
            for (k, weight) in kernel.iter().enumerate() {
                for (sum, value) in target.iter_mut().zip(&longer[k..]) {
                    *sum += weight * value;
                }
            }
        });
        return result;
    }
    ndarray::Zip::indexed(result.axis_iter_mut(Axis(axis))).par_for_each(|i, mut plane| {
        for (k, weight) in kernel.iter().enumerate() {
            let from = (i as isize + k as isize - reach).clamp(0, length - 1) as usize;
            plane.scaled_add(*weight, &field.index_axis(Axis(axis), from));
        }
    });
    result
}

/// A smooth random displacement in mm of deviation `amplitude`, varying over about `scale` mm: at a voxel [z, y, x] of a grid of
/// `size` and `spacing`.
pub(super) fn displacement(
    size: [usize; 3],
    spacing: [f64; 3],
    scale: f64,
    amplitude: f64,
    random: &mut impl Rng,
) -> impl Fn([f64; 3]) -> [f64; 3] + Sync {
    let coarse: [usize; 3] =
        std::array::from_fn(|a| ((size[a] as f64 * spacing[a] / (scale / 4.0)).ceil() as usize).max(4));
    let components: [Array3<f32>; 3] = std::array::from_fn(|_| {
        let field = smooth(coarse, [2.0; 3], random);
        resample(field.view(), size, false)
    });
    move |at: [f64; 3]| {
        let index: [usize; 3] = std::array::from_fn(|a| (at[a].max(0.0) as usize).min(size[a] - 1));
        std::array::from_fn(|a| amplitude * f64::from(components[a][index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn smooth_noise_has_its_deviation_and_its_correlation() {
        let field = smooth([40, 40, 40], [2.0, 2.0, 2.0], &mut ChaCha8Rng::seed_from_u64(1));
        let mean_square: f32 = field.iter().map(|v| v * v).sum::<f32>() / field.len() as f32;
        assert!((mean_square - 1.0).abs() < 1e-3);
        // Blurring by sigma correlates neighbours at distance d by exp(-d^2 / (4 sigma^2)).
        let pairs = (0..40).flat_map(|z| (0..40).flat_map(move |y| (0..38).map(move |x| (z, y, x))));
        let product: f32 = pairs.map(|(z, y, x)| field[[z, y, x]] * field[[z, y, x + 2]]).sum::<f32>() / 60800.0;
        assert!((product - (-0.25_f32).exp()).abs() < 0.08, "{product}");
    }
}
