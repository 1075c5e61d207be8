//! Samples: a patch with its neighbouring slices, its truth, and the downsampled whole slice, cut out of a case.
//!
//! Two patches of each volume enter an epoch: one centred anywhere, one centred in the pancreas' box (paper, section 3.2).
//! Rotation, about the middle of what is cut, and elastic deformation are one map of the slice, applied alike to image, truth and whole slice.
//! Contrast, brightness and noise change intensities alone.
//! Where a sample reaches beyond the volume, the nearest voxel is repeated, as in inference, and does not count in the loss.

use ndarray::{Array2, Array3, Array4, ArrayView3, Axis};
use rand::Rng;
use tch::Tensor;

use super::deform::Deformation;
use super::loss::Target;
use super::{Augmentation, TrainingCase};
use crate::dataset::UNKNOWN_ORGAN;
use crate::network::ggpfn::sampling::{self, Extent};
use crate::volume::{resample, View};
use crate::{Error, Result};

/// What a sample looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The view that slices are cut in.
    pub view: View,
    /// T: neighbours on each side.
    pub t: usize,
    /// S: slices segmented, side by side.
    pub slices: usize,
    /// Rows and columns; none leaves the patch out (stage 1).
    pub patch: Option<[usize; 2]>,
    /// h_g and w_g; none leaves the whole slices out (stage 2).
    pub global: Option<[usize; 2]>,
}

/// Where a sample lies, in slices, rows and columns of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first slice that is segmented.
    pub slice: usize,
    /// The patch's first row.
    pub row: usize,
    /// The patch's first column.
    pub column: usize,
}

/// One sample. D = 2T + S.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The case's name.
    pub name: String,
    /// Where it was cut.
    pub place: Place,
    /// Rows and columns of the case's slices.
    pub slice_size: [usize; 2],
    /// The patch in all slices, 0 to 1, `[D, H, W]`.
    pub windows: Option<Array3<f32>>,
    /// The patch's truth, 0 or 1, for each of L labels, `[S, L, H, W]`.
    pub truth: Option<Array4<f32>>,
    /// Which of the truth's pixels come from the volume: 1, or 0 where its border is repeated.
    pub counted: Option<Array3<f32>>,
    /// The organs in the patch, of a case that has a map of them, `[S, H, W]`; 255 where its border is repeated.
    pub organs: Option<Array3<u8>>,
    /// The downsampled whole slices, `[S, h_g, w_g]`.
    pub global: Option<Array3<f32>>,
    /// The whole slices' truth at the sizes of P^f and P^f', `[S, L, h_g / 32, w_g / 32]` and `[S, L, h_g / 16, w_g / 16]`, 0 to 1.
    pub global_truth: Option<[Array4<f32>; 2]>,
    /// The part of each of those pixels that comes from the volume, 0 to 1, `[S, h_g / 32, w_g / 32]` and so on. Their truth is the mean over that part.
    pub global_counted: Option<[Array3<f32>; 2]>,
}

/// Draws where a sample's centre lies: anywhere in the case, or in the pancreas' box. Gives the place, and the voxel that was drawn as (row,
/// column): where the slice's border allows it, it is the patch's middle.
pub fn draw(case: &TrainingCase, shape: &Shape, anywhere: bool, random: &mut impl Rng) -> (Place, [f64; 2]) {
    let size = case.size();
    let whole = [[0; 3], size.map(|n| n - 1)];
    let [low, high] = if anywhere { whole } else { case.pancreas().unwrap_or(whole) };
    let centre: [usize; 3] = std::array::from_fn(|axis| random.random_range(low[axis]..=high[axis]));
    let axes = shape.view.axes();
    let [slice, row, column] = axes.map(|axis| centre[axis]);
    let [slices, rows, columns] = axes.map(|axis| size[axis]);
    let patch = shape.patch.unwrap_or([rows, columns]);
    // As central as the slice's border allows.
    let fit =
        |centre: usize, length: usize, size: usize| centre.saturating_sub(length / 2).min(size.saturating_sub(length));
    let place = Place {
        slice: fit(slice, shape.slices, slices),
        row: fit(row, patch[0], rows),
        column: fit(column, patch[1], columns),
    };
    (place, [row as f64, column as f64])
}

/// Draws a sample of a case, varied as `augmentation` says.
pub fn random(
    case: &TrainingCase,
    shape: &Shape,
    anywhere: bool,
    augmentation: &Augmentation,
    random: &mut impl Rng,
) -> Sample {
    let (place, _) = draw(case, shape, anywhere, random);
    let axes = shape.view.axes();
    let (size, spacing) = (case.size(), case.spacing());
    let slice = [size[axes[1]], size[axes[2]]];
    let centre = middle(place, shape, slice);
    let deformation = Deformation::random(augmentation, slice, [spacing[axes[1]], spacing[axes[2]]], centre, random);
    let mut sample = cut(case, shape, place, &deformation);
    vary_intensities(&mut sample, augmentation, random);
    sample
}

/// Contrast, brightness and noise of patch and whole slices alike. What is not asked for draws no random number.
fn vary_intensities(sample: &mut Sample, augmentation: &Augmentation, random: &mut impl Rng) {
    let mut within = |largest: f64| if largest > 0.0 { (2.0 * random.random::<f64>() - 1.0) * largest } else { 0.0 };
    let contrast = 1.0 + within(augmentation.contrast);
    let brightness = within(augmentation.brightness);
    let noise = within(augmentation.noise).abs();
    if (contrast, brightness, noise) == (1.0, 0.0, 0.0) {
        return;
    }
    let offset = (0.5 - 0.5 * contrast + brightness) as f32;
    for pixel in sample.windows.iter_mut().chain(&mut sample.global).flatten() {
        let mut value = *pixel * contrast as f32 + offset;
        if noise > 0.0 {
            value += noise as f32 * nearly_normal(random.random());
        }
        *pixel = value.clamp(0.0, 1.0);
    }
}

/// A number of mean 0 and standard deviation 1 from 64 random bits: four numbers of 16 bits, summed. Cheap, and near enough to a normal
/// distribution for noise.
fn nearly_normal(bits: u64) -> f32 {
    let sum: u32 = (0..4).map(|i| u32::from((bits >> (16 * i)) as u16)).sum();
    // The variance of one number between 0 and 1 is 1/12.
    (sum as f32 / 65536.0 - 2.0) * 3.0_f32.sqrt()
}

/// The middle, in rows and columns, of the part of a patch that lies in its slice; without a patch, of the slice.
fn middle(place: Place, shape: &Shape, slice: [usize; 2]) -> [f64; 2] {
    let patch = shape.patch.unwrap_or(slice);
    let start = [place.row, place.column];
    std::array::from_fn(|a| start[a] as f64 + (patch[a].min(slice[a]) as f64 - 1.0) / 2.0)
}

/// Cuts the sample at a place out of a case, deformed.
pub fn cut(case: &TrainingCase, shape: &Shape, place: Place, deformation: &Deformation) -> Sample {
    let reader = Reader::new(case, shape.view);
    let [slices, rows, columns] = reader.size;
    let window = |first: isize, count: usize| -> Vec<usize> {
        (0..count).map(|i| (first + i as isize).clamp(0, slices as isize - 1) as usize).collect()
    };
    let own = window(place.slice as isize, shape.slices);
    // Of fewer slices than a sample has, the last is repeated.
    let real = slices.saturating_sub(place.slice);
    let (mut windows, mut truth, mut counted, mut organs) = (None, None, None, None);
    if let Some([h, w]) = shape.patch {
        let all = window(place.slice as isize - shape.t as isize, 2 * shape.t + shape.slices);
        let (taps, inside) = reader.taps(deformation, [place.row, place.column], [h, w]);
        windows = Some(reader.image(&all, &taps, [h, w]));
        truth = Some(reader.truth(&own, &taps, [h, w]));
        let inside = of_slices(&inside, own.len(), real);
        organs = case.has_organs().then(|| reader.organs(&own, &taps, &inside));
        counted = Some(inside);
    }
    let (mut global, mut global_truth, mut global_counted) = (None, None, None);
    if let Some([h, w]) = shape.global {
        let (taps, inside) = reader.taps(deformation, [0, 0], [rows, columns]);
        let whole = reader.image(&own, &taps, [rows, columns]);
        global = Some(resample(whole.view(), [own.len(), h, w], true));
        let inside = of_slices(&inside, own.len(), real);
        let whole = reader.truth(&own, &taps, [rows, columns]);
        let parts = [32, 16].map(|scale| {
            let part = area_downsample(inside.view(), [h / scale, w / scale]);
            let mut all = Array4::zeros((own.len(), whole.dim().1, h / scale, w / scale));
            for (label, mut target) in all.axis_iter_mut(Axis(1)).enumerate() {
                let counted = &whole.index_axis(Axis(1), label) * &inside;
                let mut truth = area_downsample(counted.view(), [h / scale, w / scale]);
                truth.zip_mut_with(&part, |truth, part| *truth = if *part > 0.0 { *truth / part } else { 0.0 });
                target.assign(&truth);
            }
            (all, part)
        });
        let [(coarse, coarse_part), (fine, fine_part)] = parts;
        (global_truth, global_counted) = (Some([coarse, fine]), Some([coarse_part, fine_part]));
    }
    let slice_size = [rows, columns];
    let name = case.name().into();
    Sample { name, place, slice_size, windows, truth, counted, organs, global, global_truth, global_counted }
}

/// The same plane for each of the first `real` of `count` slices, and nothing for the others.
fn of_slices(plane: &Array2<f32>, count: usize, real: usize) -> Array3<f32> {
    let mut all = Array3::zeros((count, plane.nrows(), plane.ncols()));
    all.outer_iter_mut().take(real).for_each(|mut slice| slice.assign(plane));
    all
}

/// Four pixels of a slice, as offsets within it, and their weights.
type Tap = ([u32; 4], [f32; 4]);

/// Reads slices of a view out of a case.
struct Reader<'a> {
    case: &'a TrainingCase,
    /// Slices, rows, columns.
    size: [usize; 3],
    /// Voxels from one slice, row, column to the next.
    stride: [usize; 3],
}

impl<'a> Reader<'a> {
    fn new(case: &'a TrainingCase, view: View) -> Self {
        let [z, y, x] = case.size();
        let axes = view.axes();
        Reader { case, size: axes.map(|axis| [z, y, x][axis]), stride: axes.map(|axis| [y * x, x, 1][axis]) }
    }

    /// For each pixel of a patch at `start` what it is interpolated from, and whether it comes from the slice: 1, or 0 where the patch reaches
    /// beyond the slice, before or after the deformation.
    fn taps(&self, deformation: &Deformation, start: [usize; 2], size: [usize; 2]) -> (Vec<Tap>, Array2<f32>) {
        let [_, rows, columns] = self.size;
        let [_, row_stride, column_stride] = self.stride;
        let split = |at: f64, size: usize| {
            let at = at.clamp(0.0, (size - 1) as f64);
            let below = at.floor() as usize;
            (below, (below + 1).min(size - 1), (at - below as f64) as f32)
        };
        let within = |at: f64, size: usize| (-0.5..=size as f64 - 0.5).contains(&at);
        let mut taps = Vec::with_capacity(size[0] * size[1]);
        let mut inside = Array2::zeros(size);
        for row in start[0]..start[0] + size[0] {
            for column in start[1]..start[1] + size[1] {
                let [r, c] = deformation.source(row as f64, column as f64);
                let real = row < rows && column < columns && within(r, rows) && within(c, columns);
                inside[[row - start[0], column - start[1]]] = f32::from(u8::from(real));
                let (top, bottom, v) = split(r, rows);
                let (left, right, u) = split(c, columns);
                let at = |r: usize, c: usize| (r * row_stride + c * column_stride) as u32;
                taps.push((
                    [at(top, left), at(top, right), at(bottom, left), at(bottom, right)],
                    [(1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u],
                ));
            }
        }
        (taps, inside)
    }

    fn gather(&self, slices: &[usize], taps: &[Tap], size: [usize; 2], value: impl Fn(usize) -> f32) -> Array3<f32> {
        let mut result = Array3::zeros((slices.len(), size[0], size[1]));
        for (slice, mut plane) in slices.iter().zip(result.axis_iter_mut(Axis(0))) {
            let start = slice * self.stride[0];
            for (pixel, (offsets, weights)) in plane.iter_mut().zip(taps) {
                *pixel = if weights[0] == 1.0 {
                    value(start + offsets[0] as usize)
                } else {
                    (0..4).map(|i| weights[i] * value(start + offsets[i] as usize)).sum()
                };
            }
        }
        result
    }

    fn image(&self, slices: &[usize], taps: &[Tap], size: [usize; 2]) -> Array3<f32> {
        self.gather(slices, taps, size, |index| self.case.intensity(index))
    }

    /// A label is where its interpolated share reaches one half.
    fn truth(&self, slices: &[usize], taps: &[Tap], size: [usize; 2]) -> Array4<f32> {
        let mut all = Array4::zeros((slices.len(), self.case.labels(), size[0], size[1]));
        for (label, mut truth) in all.axis_iter_mut(Axis(1)).enumerate() {
            let share = self.gather(slices, taps, size, |index| f32::from(self.case.truth(index) >> label & 1));
            truth.zip_mut_with(&share, |truth, share| *truth = f32::from(u8::from(*share >= 0.5)));
        }
        all
    }

    /// The organ of the nearest pixel; unknown where `inside` is 0.
    fn organs(&self, slices: &[usize], taps: &[Tap], inside: &Array3<f32>) -> Array3<u8> {
        let mut result = Array3::from_elem(inside.dim(), UNKNOWN_ORGAN);
        for ((slice, mut plane), inside) in slices.iter().zip(result.outer_iter_mut()).zip(inside.outer_iter()) {
            let start = slice * self.stride[0];
            for ((pixel, (offsets, weights)), inside) in plane.iter_mut().zip(taps).zip(&inside) {
                if *inside > 0.0 {
                    let nearest = (1..4).fold(0, |best, i| if weights[i] > weights[best] { i } else { best });
                    *pixel = self.case.organ(start + offsets[nearest] as usize);
                }
            }
        }
        result
    }
}

/// Slices `[S, H, W]` on `size` pixels over the same extent, each the mean over its own area; pixels at its edge count by the part
/// that lies inside. `size` is at most the slices' own.
pub fn area_downsample(slices: ArrayView3<f32>, size: [usize; 2]) -> Array3<f32> {
    let (count, rows, columns) = slices.dim();
    let (row_weights, column_weights) = (area_weights(rows, size[0]), area_weights(columns, size[1]));
    let mut result = Array3::zeros((count, size[0], size[1]));
    for (slice, mut target) in slices.axis_iter(Axis(0)).zip(result.axis_iter_mut(Axis(0))) {
        for (r, (first_row, row_weights)) in row_weights.iter().enumerate() {
            for (c, (first_column, column_weights)) in column_weights.iter().enumerate() {
                let mut sum = 0.0;
                for (i, wr) in row_weights.iter().enumerate() {
                    for (j, wc) in column_weights.iter().enumerate() {
                        sum += wr * wc * slice[[first_row + i, first_column + j]];
                    }
                }
                target[[r, c]] = sum;
            }
        }
    }
    result
}

/// For each of `target` cells the first of `source` pixels that it covers, and its pixels' shares.
fn area_weights(source: usize, target: usize) -> Vec<(usize, Vec<f32>)> {
    let ratio = source as f64 / target as f64;
    (0..target)
        .map(|i| {
            let (start, end) = (i as f64 * ratio, (i + 1) as f64 * ratio);
            let first = start.floor() as usize;
            let last = ((end - 1e-9).ceil() as usize).clamp(first + 1, source);
            let share = |j: usize| (end.min((j + 1) as f64) - start.max(j as f64)) / ratio;
            (first, (first..last).map(|j| share(j) as f32).collect())
        })
        .collect()
}

/// A batch of N samples as tensors, float32 on the CPU.
#[derive(Debug, Default)]
pub struct Batch {
    /// The samples' cases.
    pub names: Vec<String>,
    /// `[N, D, H, W]`; of networks of volumes `[N, 1, D, H, W]`.
    pub windows: Option<Tensor>,
    /// Of `[N S, L, H, W]`; of networks of volumes `[N, L, Z Y, X]`.
    pub target: Option<Target>,
    /// The organs in the patches, `[N S, H, W]` in int64; 255 where there is no knowing, and none if there is none anywhere.
    pub organs: Option<Tensor>,
    /// `[N S, 1, h_g, w_g]`.
    pub global: Option<Tensor>,
    /// Of `[N S, L, h_g / 32, w_g / 32]` and `[N S, L, h_g / 16, w_g / 16]`.
    pub global_target: Option<[Target; 2]>,
    /// The weights of sub-pixel sampling, `[N S, 1, H / 8, h_g / 32]` and `[N S, 1, W / 8, w_g / 32]`.
    pub sampling: Option<[Tensor; 2]>,
    /// The batch's number in its stage, from 0.
    pub number: u64,
    /// What else is random about it is drawn from this seed.
    pub seed: u64,
    /// For each sample the margins around a crop, in pixels: above, below, left, right. Networks that crop use them.
    pub margins: Vec<[i64; 4]>,
}

impl Batch {
    /// Puts samples of one shape together.
    ///
    /// # Errors
    /// [`Error::Argument`] if the samples differ in shape or there is none.
    pub fn new(samples: &[Sample], shape: &Shape) -> Result<Self> {
        let join = |part: &dyn Fn(&Sample) -> Option<&Array3<f32>>, fold: bool| -> Result<Option<Tensor>> {
            let arrays: Vec<&Array3<f32>> = samples.iter().filter_map(part).collect();
            let Some(first) = arrays.first() else { return Ok(None) };
            if arrays.iter().any(|a| a.dim() != first.dim()) || arrays.len() != samples.len() {
                return Err(Error::argument("samples", "they differ in shape; those of one batch are all alike"));
            }
            let (d, h, w) = first.dim();
            let values: Vec<f32> = arrays.iter().flat_map(|a| a.iter().copied()).collect();
            let [n, d, h, w] = [arrays.len(), d, h, w].map(|v| v as i64);
            let shape = if fold { [n * d, 1, h, w] } else { [n, d, h, w] };
            Ok(Some(Tensor::f_from_slice(&values)?.f_reshape(shape)?))
        };
        let join_labels = |part: &dyn Fn(&Sample) -> Option<&Array4<f32>>| -> Result<Option<Tensor>> {
            let arrays: Vec<&Array4<f32>> = samples.iter().filter_map(part).collect();
            let Some(first) = arrays.first() else { return Ok(None) };
            if arrays.iter().any(|a| a.dim() != first.dim()) || arrays.len() != samples.len() {
                return Err(Error::argument(
                    "samples",
                    "they differ in shape or labels; those of one batch are all alike",
                ));
            }
            let values: Vec<f32> = arrays.iter().flat_map(|a| a.iter().copied()).collect();
            let (slices, labels, rows, columns) = first.dim();
            let shape = [arrays.len() * slices, labels, rows, columns].map(|n| n as i64);
            Ok(Some(Tensor::f_from_slice(&values)?.f_reshape(shape)?))
        };
        if samples.is_empty() {
            return Err(Error::argument("samples", "none; at least one was expected"));
        }
        let organs = match samples.iter().find_map(|s| s.organs.as_ref()) {
            None => None,
            Some(first) => {
                let (slices, rows, columns) = first.dim();
                let mut values: Vec<i64> = Vec::with_capacity(samples.len() * first.len());
                for sample in samples {
                    match &sample.organs {
                        Some(organs) => values.extend(organs.iter().map(|organ| i64::from(*organ))),
                        None => values.resize(values.len() + first.len(), i64::from(UNKNOWN_ORGAN)),
                    }
                }
                let shape = [samples.len() * slices, rows, columns].map(|n| n as i64);
                Some(Tensor::f_from_slice(&values)?.f_reshape(shape)?)
            }
        };
        let target = |truth: Option<Tensor>, counted: Option<Tensor>| {
            truth.zip(counted).map(|(truth, counted)| Target::new(truth, &counted)).transpose()
        };
        let global_target = |which: usize| {
            target(
                join_labels(&|s| s.global_truth.as_ref().map(|t| &t[which]))?,
                join(&|s| s.global_counted.as_ref().map(|t| &t[which]), true)?,
            )
        };
        let (coarse, fine) = (global_target(0)?, global_target(1)?);
        let sampling = match (shape.patch, shape.global) {
            (Some(patch), Some(global)) => {
                let axis = |axis: usize| -> Result<Tensor> {
                    let mut rows = Vec::new();
                    for sample in samples {
                        let start = [sample.place.row, sample.place.column][axis];
                        let extent = Extent { start, slice: sample.slice_size[axis] };
                        let weights = sampling::weights(patch[axis] / 8, global[axis] / 32, extent)?;
                        rows.extend((0..shape.slices).map(|_| weights.shallow_clone()));
                    }
                    Ok(Tensor::f_stack(&rows, 0)?.f_unsqueeze(1)?)
                };
                Some([axis(0)?, axis(1)?])
            }
            _ => None,
        };
        Ok(Batch {
            names: samples.iter().map(|s| s.name.clone()).collect(),
            windows: join(&|s| s.windows.as_ref(), false)?,
            target: target(join_labels(&|s| s.truth.as_ref())?, join(&|s| s.counted.as_ref(), true)?)?,
            organs,
            global: join(&|s| s.global.as_ref(), true)?,
            global_target: coarse.zip(fine).map(|(coarse, fine)| [coarse, fine]),
            sampling,
            ..Batch::default()
        })
    }
}
