//! Linear resampling to another number of voxels over the same extent.
//!
//! Voxels are boxes with their values at the centres: both grids cover the same box, so that voxel i of n has its centre at
//! (i + 1/2) / n of the way. Going to fewer voxels, the linear kernel is widened by the ratio, which averages instead of
//! skipping (anti-aliasing); the outermost voxels' values hold beyond their centres. Linear interpolation is separable: one
//! axis after the other.

use std::ops::Range;

use ndarray::{s, Array3, ArrayView3, Axis, Zip};

/// The voxel counts of the grid with the given spacing over the extent of `size` voxels of `spacing`, each axis on its own.
pub fn resampled_size(size: [usize; 3], spacing: [f64; 3], target: [f64; 3]) -> [usize; 3] {
    std::array::from_fn(|a| ((size[a] as f64 * spacing[a] / target[a]).round() as usize).max(1))
}

/// `volume` on `size` voxels over the same extent. With `anti_alias`, the kernel is widened where voxels get fewer.
pub fn resample(volume: ArrayView3<f32>, size: [usize; 3], anti_alias: bool) -> Array3<f32> {
    planes_of(volume, size, anti_alias, 0..size[0])
}

/// As [`resample`] without anti-aliasing, of the result the planes `planes` along the first axis alone: the same values, and memory for no more
/// than these take.
pub fn resample_planes(volume: ArrayView3<f32>, size: [usize; 3], planes: Range<usize>) -> Array3<f32> {
    planes_of(volume, size, false, planes)
}

fn planes_of(volume: ArrayView3<f32>, size: [usize; 3], anti_alias: bool, planes: Range<usize>) -> Array3<f32> {
    // The axis that shrinks most first: less to do for the others.
    let mut axes = [0, 1, 2];
    let growth = |a: usize| size[a] as f64 / volume.shape()[a] as f64;
    axes.sort_by(|a, b| growth(*a).total_cmp(&growth(*b)));
    let first = match volume.shape()[0] == size[0] {
        true => None,
        false => Some(Kernel::new(volume.shape()[0], size[0], anti_alias).part(planes.clone())),
    };
    let source = first.as_ref().map_or(planes, |(_, source)| source.clone());
    let source = volume.slice_move(s![source, .., ..]);
    let mut result: Option<Array3<f32>> = None;
    for axis in axes {
        let from = result.as_ref().map_or(source.view(), |result| result.view());
        let next = match (axis, &first) {
            (0, Some((kernel, _))) => along(from, 0, kernel),
            (0, None) => continue,
            _ if from.shape()[axis] == size[axis] => continue,
            _ => along(from, axis, &Kernel::new(from.shape()[axis], size[axis], anti_alias)),
        };
        result = Some(next);
    }
    result.unwrap_or_else(|| source.to_owned())
}

/// For each voxel of the result: the first voxel of the source that it reads, and the weights from there on.
struct Kernel(Vec<(usize, Vec<f32>)>);

impl Kernel {
    fn new(source: usize, target: usize, anti_alias: bool) -> Self {
        let ratio = source as f64 / target as f64;
        let width = if anti_alias { ratio.max(1.0) } else { 1.0 };
        Kernel(
            (0..target)
                .map(|i| {
                    let centre = ((i as f64 + 0.5) * ratio - 0.5).clamp(0.0, (source - 1) as f64);
                    let centre = if width > 1.0 { (i as f64 + 0.5) * ratio - 0.5 } else { centre };
                    let first = (centre - width).ceil().max(0.0) as usize;
                    let last = ((centre + width).floor() as usize).min(source - 1);
                    let weights: Vec<f64> =
                        (first..=last).map(|j| (1.0 - (j as f64 - centre).abs() / width).max(0.0)).collect();
                    let sum: f64 = weights.iter().sum();
                    (first, weights.iter().map(|w| (w / sum) as f32).collect())
                })
                .collect(),
        )
    }
}

impl Kernel {
    /// That of some voxels of the result, for the part of the source that they read, which comes with it.
    fn part(mut self, voxels: Range<usize>) -> (Self, Range<usize>) {
        let mut kept: Vec<_> = self.0.drain(voxels).collect();
        let start = kept.iter().map(|(first, _)| *first).min().unwrap_or(0);
        let end = kept.iter().map(|(first, weights)| first + weights.len()).max().unwrap_or(start);
        kept.iter_mut().for_each(|(first, _)| *first -= start);
        (Kernel(kept), start..end)
    }
}

fn along(volume: ArrayView3<f32>, axis: usize, kernel: &Kernel) -> Array3<f32> {
    let mut shape = volume.raw_dim();
    shape[axis] = kernel.0.len();
    let mut result = Array3::<f32>::zeros(shape);
    Zip::indexed(result.axis_iter_mut(Axis(axis))).par_for_each(|i, mut plane| {
        let (first, weights) = &kernel.0[i];
        for (j, weight) in weights.iter().enumerate() {
            plane.scaled_add(*weight, &volume.index_axis(Axis(axis), first + j));
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(size: [usize; 3]) -> Array3<f32> {
        // A linear function of the position of the voxels' centres in the unit box.
        let at = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
        Array3::from_shape_fn(size, |(z, y, x)| 3.0 * at(z, size[0]) - 2.0 * at(y, size[1]) + at(x, size[2]))
    }

    #[test]
    fn a_linear_function_stays_itself_away_from_the_border() {
        for size in [[20, 24, 40], [8, 10, 11], [33, 16, 20]] {
            let expected = ramp(size);
            let result = resample(ramp([16, 16, 20]).view(), size, true);
            let inner = ndarray::s![4..size[0] - 4, 4..size[1] - 4, 4..size[2] - 4];
            for (a, b) in expected.slice(inner).iter().zip(result.slice(inner)) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn coarser_means_averaged_not_skipped() {
        let stripes = Array3::from_shape_fn([1, 1, 64], |(_, _, x)| (x % 2) as f32);
        for value in resample(stripes.view(), [1, 1, 16], true).iter().skip(1).take(14) {
            assert!((value - 0.5).abs() < 0.01, "{value}");
        }
    }

    #[test]
    fn planes_are_those_of_the_whole() {
        let volume = Array3::from_shape_fn([9, 7, 11], |(z, y, x)| ((z * 77 + y * 11 + x) as f32 * 1.7).sin());
        for size in [[20, 24, 40], [5, 24, 6], [9, 7, 11], [9, 14, 11], [30, 5, 11]] {
            let whole = resample(volume.view(), size, false);
            for planes in [0..size[0], 0..1, 2..5, size[0] - 1..size[0]] {
                let part = resample_planes(volume.view(), size, planes.clone());
                assert_eq!(part, whole.slice(s![planes, .., ..]), "{size:?}");
            }
        }
    }

    #[test]
    fn the_same_size_is_the_same_volume() {
        let volume = ramp([5, 6, 7]);
        assert_eq!(resample(volume.view(), [5, 6, 7], true), volume);
    }

    #[test]
    fn sizes_follow_the_extent() {
        assert_eq!(resampled_size([100, 512, 512], [2.5, 0.7, 0.7], [2.0, 2.0, 2.0]), [125, 179, 179]);
        assert_eq!(resampled_size([1, 4, 4], [0.1, 1.0, 1.0], [9.0, 9.0, 9.0]), [1, 1, 1]);
    }
}
