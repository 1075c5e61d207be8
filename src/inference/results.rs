//! From the grid that the network works on back to the caller's: masks and probabilities, some planes at a time, so that nothing is held
//! whole that nobody wants.

use std::ops::Range;

use ndarray::{s, Array3, ArrayView3, ArrayViewMut3, Zip};

use crate::quality::Overall;
use crate::volume::{lps_box, lps_size, lps_view_mut, resample_planes, zeros, Geometry, Region};
use crate::Result;

/// Planes of the caller's grid that are brought there together.
const PLANES: usize = 8;

/// The masks of all labels on the caller's grid.
pub(super) struct Masks {
    /// For each label 1 where it is, 0 elsewhere, `[k, j, i]`.
    pub masks: Vec<Array3<u8>>,
    /// What there is to say about all of the first label's probabilities.
    pub overall: Overall,
}

/// Where the labels reach their thresholds. `fused` are their probabilities, LPS `[z, y, x]` on a grid over the volume's extent. Of `exclusive`
/// labels a voxel has the most probable one alone.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory).
pub(super) fn masks(
    fused: &[ArrayView3<f32>],
    geometry: &Geometry,
    thresholds: &[f64],
    exclusive: bool,
) -> Result<Masks> {
    let [i, j, k] = geometry.size;
    let size = lps_size(geometry);
    let mut masks = fused.iter().map(|_| zeros::<u8>((k, j, i))).collect::<Result<Vec<_>>>()?;
    let mut overall = Overall::default();
    for planes in blocks(0..size[0]) {
        let parts: Vec<_> = fused.iter().map(|fused| resample_planes(fused.view(), size, planes.clone())).collect();
        overall = overall.joined(Overall::of(parts[0].view()));
        for ((mask, own), threshold) in masks.iter_mut().zip(&parts).zip(thresholds) {
            let mut mask = lps_view_mut(mask.view_mut(), geometry);
            let mut mask = mask.slice_mut(s![planes.clone(), .., ..]);
            Zip::from(&mut mask).and(own).par_for_each(|inside, p| *inside = u8::from(f64::from(*p) >= *threshold));
            if exclusive {
                Zip::indexed(&mut mask).and(own).par_for_each(|at, inside, p| {
                    *inside &= u8::from(parts.iter().all(|other| other[at] <= *p));
                });
            }
        }
    }
    Ok(Masks { masks, overall })
}

/// An array on the working grid, LPS `[z, y, x]`, on the caller's, `[k, j, i]`.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory).
pub(super) fn on_caller_grid(working: ArrayView3<f32>, geometry: &Geometry) -> Result<Array3<f32>> {
    let whole = Region { start: [0; 3], size: geometry.size };
    part_on_caller_grid(working, geometry, whole)
}

/// A part of it alone: the voxels of `region`, `[k, j, i]`.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory); [`Error::Argument`](crate::Error::Argument) for a region that reaches beyond the grid.
pub(super) fn part_on_caller_grid(
    working: ArrayView3<f32>,
    geometry: &Geometry,
    region: Region,
) -> Result<Array3<f32>> {
    let [i, j, k] = region.size;
    let part = geometry.part(region)?;
    let [planes, rows, columns] = lps_box(geometry, region);
    let mut result = zeros::<f32>((k, j, i))?;
    let mut target = lps_view_mut(result.view_mut(), &part);
    for block in blocks(planes.clone()) {
        let values = resample_planes(working.view(), lps_size(geometry), block.clone());
        let from = values.slice(s![.., rows.clone(), columns.clone()]);
        target.slice_mut(s![block.start - planes.start..block.end - planes.start, .., ..]).assign(&from);
    }
    Ok(result)
}

/// Adds an array to one on a grid over the same extent, `[z, y, x]` both.
pub(super) fn add_resampled(mut sum: ArrayViewMut3<f32>, array: ArrayView3<f32>) {
    if sum.dim() == array.dim() {
        Zip::from(&mut sum).and(array).par_for_each(|sum, value| *sum += value);
        return;
    }
    let (z, y, x) = sum.dim();
    for planes in blocks(0..z) {
        let values = resample_planes(array.view(), [z, y, x], planes.clone());
        Zip::from(sum.slice_mut(s![planes, .., ..])).and(&values).par_for_each(|sum, value| *sum += value);
    }
}

fn blocks(planes: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    planes.clone().step_by(PLANES).map(move |start| start..(start + PLANES).min(planes.end))
}
