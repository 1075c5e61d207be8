//! Samples of networks that see volumes: a box of the case, turned within the axial slice and deformed in 3D, and the truth of its middle.
//!
//! Where a sample reaches beyond the volume, the nearest voxel is repeated and does not count in the loss, as in [slices](super::sample).

use ndarray::{Array3, Array4};
use rand::Rng;
use tch::Tensor;

use super::deform::{cell, control_points};
use super::loss::Target;
use super::sample::{Batch, Place, Sample};
use super::{Augmentation, TrainingCase};
use crate::{Error, Result};

/// What a sample looks like, in voxels along z, y and x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeShape {
    /// What is segmented; none: the whole case.
    pub size: Option<[usize; 3]>,
    /// What the network sees beyond that, on each side.
    pub border: usize,
}

/// A smooth map from voxels of the new volume to places in the old one.
struct Warp {
    centre: [f64; 3],
    spacing: [f64; 3],
    cos: f64,
    sin: f64,
    /// Displacements in mm of control points, `[z, y, x]` of them.
    control: Vec<[f64; 3]>,
    points: [usize; 3],
    distance: f64,
}

impl Warp {
    fn random(options: &Augmentation, case: &TrainingCase, centre: [f64; 3], random: &mut impl Rng) -> Self {
        let (size, spacing) = (case.size(), case.spacing());
        let angle = (2.0 * random.random::<f64>() - 1.0) * options.rotation_degrees.to_radians();
        let distance = options.elastic_spacing_mm;
        let (mut points, mut control) = ([0; 3], Vec::new());
        if options.elastic_mm > 0.0 {
            (points, control) = control_points(options, size, spacing, random);
        }
        Warp { centre, spacing, cos: angle.cos(), sin: angle.sin(), control, points, distance }
    }

    /// Where the voxels of a row, from `first` on along x, lie in the old volume.
    fn row(&self, [z, y]: [f64; 2], first: f64, count: usize, places: &mut Vec<[f64; 3]>) {
        places.clear();
        let of_axis = |axis: usize, at: f64| cell(at * self.spacing[axis], self.distance, self.points[axis]);
        // The control points' rows, blended along z and y once for the whole row.
        let blended: Vec<[f64; 3]> = if self.control.is_empty() {
            Vec::new()
        } else {
            let ((k, wz), (j, wy)) = (of_axis(0, z), of_axis(1, y));
            (0..self.points[2])
                .map(|i| {
                    let mut sum = [0.0; 3];
                    for (a, wa) in wz.iter().enumerate() {
                        for (b, wb) in wy.iter().enumerate() {
                            let point = self.control[((k + a) * self.points[1] + j + b) * self.points[2] + i];
                            (0..3).for_each(|axis| sum[axis] += wa * wb * point[axis]);
                        }
                    }
                    sum
                })
                .collect()
        };
        for number in 0..count {
            let x = first + number as f64;
            let from = [z - self.centre[0], y - self.centre[1], x - self.centre[2]];
            let [v, u] = [from[1] * self.spacing[1], from[2] * self.spacing[2]];
            let mut moved = [from[0] * self.spacing[0], self.cos * v - self.sin * u, self.sin * v + self.cos * u];
            if !blended.is_empty() {
                let (i, weights) = of_axis(2, x);
                for (c, weight) in weights.iter().enumerate() {
                    (0..3).for_each(|axis| moved[axis] += weight * blended[i + c][axis]);
                }
            }
            places.push(std::array::from_fn(|axis| self.centre[axis] + moved[axis] / self.spacing[axis]));
        }
    }
}

/// Draws a sample of a case, centred anywhere or in the box of its labels, varied as `augmentation` says.
pub fn random(
    case: &TrainingCase,
    shape: &VolumeShape,
    anywhere: bool,
    augmentation: &Augmentation,
    random: &mut impl Rng,
) -> Sample {
    let size = case.size();
    let segmented = shape.size.unwrap_or(size);
    let whole = [[0; 3], size.map(|n| n - 1)];
    let [low, high] = if anywhere { whole } else { case.pancreas().unwrap_or(whole) };
    let start: [isize; 3] = std::array::from_fn(|axis| {
        if shape.size.is_none() {
            return 0;
        }
        let centre = random.random_range(low[axis]..=high[axis]) as isize;
        // As central as the volume's border allows.
        let last = size[axis] as isize - segmented[axis] as isize;
        (centre - segmented[axis] as isize / 2).clamp(last.min(0), last.max(0))
    });
    let centre = std::array::from_fn(|axis| start[axis] as f64 + (segmented[axis] as f64 - 1.0) / 2.0);
    let warp = Warp::random(augmentation, case, centre, random);
    cut(case, start, segmented, shape.border, &warp)
}

fn cut(case: &TrainingCase, start: [isize; 3], segmented: [usize; 3], border: usize, warp: &Warp) -> Sample {
    let size = case.size();
    let stride = [size[1] * size[2], size[2], 1];
    let seen = segmented.map(|n| n + 2 * border);
    let first: [f64; 3] = std::array::from_fn(|axis| (start[axis] - border as isize) as f64);
    let labels = case.labels();
    let mut image = Array3::zeros(seen);
    let mut truth = Array4::zeros((segmented[0], labels, segmented[1], segmented[2]));
    let mut counted = Array3::zeros(segmented);
    let own = |at: usize, axis: usize| at.checked_sub(border).filter(|at| *at < segmented[axis]);
    let mut places = Vec::new();
    for k in 0..seen[0] {
        for j in 0..seen[1] {
            warp.row([first[0] + k as f64, first[1] + j as f64], first[2], seen[2], &mut places);
            let of_truth = own(k, 0).zip(own(j, 1));
            for (i, place) in places.iter().enumerate() {
                let split: [(usize, usize, f32); 3] = std::array::from_fn(|axis| {
                    let at = place[axis].clamp(0.0, (size[axis] - 1) as f64);
                    let below = at.floor() as usize;
                    (below * stride[axis], (below + 1).min(size[axis] - 1) * stride[axis], (at - below as f64) as f32)
                });
                let corners: [(usize, f32); 8] = std::array::from_fn(|corner| {
                    let mut index = 0;
                    let mut weight = 1.0;
                    for (axis, (below, above, part)) in split.iter().enumerate() {
                        if corner >> axis & 1 == 1 {
                            (index, weight) = (index + above, weight * part);
                        } else {
                            (index, weight) = (index + below, weight * (1.0 - part));
                        }
                    }
                    (index, weight)
                });
                image[[k, j, i]] = corners.iter().map(|(index, weight)| weight * case.intensity(*index)).sum();
                let (Some((tk, tj)), Some(ti)) = (of_truth, own(i, 2)) else { continue };
                let real = |axis: usize, at: f64| {
                    let here = first[axis] + [k, j, i][axis] as f64;
                    (0.0..size[axis] as f64).contains(&here) && (-0.5..=size[axis] as f64 - 0.5).contains(&at)
                };
                counted[[tk, tj, ti]] = f32::from(u8::from((0..3).all(|axis| real(axis, place[axis]))));
                for label in 0..labels {
                    let share: f32 =
                        corners.iter().map(|(index, weight)| weight * f32::from(case.truth(*index) >> label & 1)).sum();
                    truth[[tk, label, tj, ti]] = f32::from(u8::from(share >= 0.5));
                }
            }
        }
    }
    let place =
        Place { slice: start[0].max(0) as usize, row: start[1].max(0) as usize, column: start[2].max(0) as usize };
    Sample {
        name: case.name().into(),
        place,
        slice_size: [size[1], size[2]],
        windows: Some(image),
        truth: Some(truth),
        counted: Some(counted),
        organs: None,
        global: None,
        global_truth: None,
        global_counted: None,
    }
}

/// Puts volumes of one shape together: windows `[N, 1, D, H, W]`, and targets as of tall slices, `[N, L, Z Y, X]`.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) if they differ in shape.
pub(super) fn batch(samples: &[Sample]) -> Result<Batch> {
    let part = |of: &dyn Fn(&Sample) -> Option<Vec<usize>>| -> Result<Vec<i64>> {
        let first = samples.first().and_then(of);
        let alike = samples.iter().all(|sample| of(sample) == first);
        match first.filter(|_| alike) {
            Some(shape) => Ok(shape.into_iter().map(|n| n as i64).collect()),
            None => Err(Error::argument("samples", "they differ in shape; those of one batch are all alike")),
        }
    };
    let n = samples.len() as i64;
    let seen = part(&|s| s.windows.as_ref().map(|a| a.shape().to_vec()))?;
    let own = part(&|s| s.truth.as_ref().map(|a| a.shape().to_vec()))?;
    let join = |of: &dyn Fn(&Sample) -> Option<Vec<f32>>, shape: &[i64]| -> Result<Tensor> {
        let values: Vec<f32> = samples.iter().filter_map(of).flatten().collect();
        Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?)
    };
    let windows = join(&|s| Some(s.windows.as_ref()?.iter().copied().collect()), &[n, 1, seen[0], seen[1], seen[2]])?;
    let [z, labels, y, x] = [own[0], own[1], own[2], own[3]];
    let truth = join(&|s| Some(s.truth.as_ref()?.iter().copied().collect()), &[n, z, labels, y, x])?;
    let truth = truth.f_transpose(1, 2)?.f_reshape([n, labels, z * y, x])?;
    let counted = join(&|s| Some(s.counted.as_ref()?.iter().copied().collect()), &[n, 1, z * y, x])?;
    Ok(Batch {
        names: samples.iter().map(|s| s.name.clone()).collect(),
        windows: Some(windows),
        target: Some(Target::new(truth, &counted)?),
        ..Batch::default()
    })
}
