//! What a mask says about an organ: volume, place, density, connected parts.

use ndarray::{s, Array3, ArrayView2, ArrayView3, Ix3, SliceInfo, SliceInfoElem};
use ndarray_ndimage::{label, Kernel3d};
use rayon::prelude::*;
use serde::Serialize;

use super::{Geometry, Volume};

/// Measurements of a mask on a volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurements {
    /// Voxels in the mask.
    pub voxels: usize,
    /// Their volume in mL.
    pub volume_ml: f64,
    /// The smallest and largest index (i, j, k) in the mask; none if it is empty.
    pub bounding_box: Option<[[usize; 3]; 2]>,
    /// The edges of the bounding box in mm, along i, j and k.
    pub bounding_box_mm: Option<[f64; 3]>,
    /// The centroid, in mm, LPS.
    pub centroid_lps: Option<[f64; 3]>,
    /// Mean of the CT's Hounsfield units in the mask.
    pub mean_hu: Option<f64>,
    /// Their standard deviation.
    pub std_hu: Option<f64>,
    /// Number of connected parts (voxels that touch by a corner are connected).
    pub components: usize,
}

impl Measurements {
    /// Voxels of the bounding box along i, j and k; 0 for an empty mask.
    pub fn box_size(&self) -> [usize; 3] {
        self.bounding_box.map_or([0; 3], sides)
    }
}

/// Measures `mask`, `[k, j, i]` on the volume's grid, 0 being outside.
pub fn measure(mask: ArrayView3<u8>, volume: &Volume) -> Measurements {
    measure_components(mask, volume).0
}

/// The same, with the voxels of each connected part.
pub fn measure_components(mask: ArrayView3<u8>, volume: &Volume) -> (Measurements, Vec<usize>) {
    let geometry = volume.geometry();
    let (mut count, mut sum, mut squares) = (0_usize, 0.0_f64, 0.0_f64);
    let mut centre = [0.0_f64; 3];
    let bounds = bounds(mask);
    if let Some([low, high]) = bounds {
        let inside = mask.slice(boxed(low, high));
        for (((k, j, i), inside), hu) in inside.indexed_iter().zip(volume.voxels().slice(boxed(low, high))) {
            if *inside != 0 {
                count += 1;
                sum += *hu as f64;
                squares += (*hu as f64).powi(2);
                for (axis, index) in [i, j, k].into_iter().enumerate() {
                    centre[axis] += (low[axis] + index) as f64;
                }
            }
        }
    }
    let some = count > 0;
    let mean = sum / count as f64;
    let components = bounds.map_or(Vec::new(), |[low, high]| {
        let (labels, count) = components(mask.slice(boxed(low, high)));
        sizes(&labels, count)
    });
    let measurements = Measurements {
        voxels: count,
        volume_ml: count as f64 * geometry.voxel_volume() / 1000.0,
        bounding_box: bounds,
        bounding_box_mm: bounds.map(|bounds| {
            let sides = sides(bounds);
            std::array::from_fn(|axis| sides[axis] as f64 * geometry.spacing[axis])
        }),
        centroid_lps: some.then(|| geometry.point(centre.map(|c| c / count as f64))),
        mean_hu: some.then_some(mean),
        std_hu: some.then(|| (squares / count as f64 - mean * mean).max(0.0).sqrt()),
        components: components.len(),
    };
    (measurements, components)
}

/// Voxels of a box along i, j and k.
fn sides([low, high]: [[usize; 3]; 2]) -> [usize; 3] {
    std::array::from_fn(|axis| high[axis] - low[axis] + 1)
}

/// The smallest and largest index (i, j, k) in a mask; none if it is empty.
fn bounds(mask: ArrayView3<u8>) -> Option<[[usize; 3]; 2]> {
    let of_slice = |(k, slice): (usize, ArrayView2<u8>)| {
        let mut found: Option<[[usize; 3]; 2]> = None;
        for (j, row) in slice.outer_iter().enumerate() {
            let Some(first) = row.iter().position(|inside| *inside != 0) else { continue };
            let last = row.len() - 1 - row.iter().rev().position(|inside| *inside != 0).unwrap_or(0);
            found = joined(found, Some([[first, j, k], [last, j, k]]));
        }
        found
    };
    mask.outer_iter().into_par_iter().enumerate().map(of_slice).reduce(|| None, joined)
}

/// The box around two boxes.
fn joined(one: Option<[[usize; 3]; 2]>, other: Option<[[usize; 3]; 2]>) -> Option<[[usize; 3]; 2]> {
    let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
    Some([
        std::array::from_fn(|axis| a[0][axis].min(b[0][axis])),
        std::array::from_fn(|axis| a[1][axis].max(b[1][axis])),
    ])
}

/// A box of indices (i, j, k), its last one included, for arrays `[k, j, i]`.
fn boxed(low: [usize; 3], high: [usize; 3]) -> SliceInfo<[SliceInfoElem; 3], Ix3, Ix3> {
    s![low[2]..=high[2], low[1]..=high[1], low[0]..=high[0]]
}

/// Keeps the largest connected part of a mask and clears the others; voxels that touch by a corner are connected. Of two
/// parts of one size the first in memory order stays.
pub fn keep_largest_component(mask: &mut Array3<u8>) {
    let Some([low, high]) = bounds(mask.view()) else { return };
    let mask = mask.slice_mut(boxed(low, high));
    let (labels, count) = components(mask.view());
    if count < 2 {
        return;
    }
    let sizes = sizes(&labels, count);
    let largest = (1..count).fold(0, |best, part| if sizes[part] > sizes[best] { part } else { best });
    ndarray::Zip::from(mask).and(&labels).for_each(|voxel, label| {
        if *label as usize != largest + 1 {
            *voxel = 0;
        }
    });
}

/// Clears the connected parts of a mask that have less than `share` of the largest one's voxels; voxels that touch by a face are connected.
pub fn keep_large_components(mask: &mut Array3<u8>, share: f64) {
    let Some([low, high]) = bounds(mask.view()) else { return };
    let mask = mask.slice_mut(boxed(low, high));
    let (labels, count) = label::<u32>(&mask.mapv(|v| v != 0), &Kernel3d::Star.generate());
    let sizes = sizes(&labels, count);
    let least = share * sizes.iter().max().copied().unwrap_or(0) as f64;
    ndarray::Zip::from(mask).and(&labels).for_each(|voxel, label| {
        if *label > 0 && (sizes[*label as usize - 1] as f64) < least {
            *voxel = 0;
        }
    });
}

/// The Dice coefficient of two masks, of which each pair is a voxel, 0 or 1; 1 where both are empty.
pub fn dice(voxels: impl Iterator<Item = [u8; 2]>) -> f64 {
    let (both, either) = voxels
        .fold((0_u64, 0_u64), |(both, either), [a, b]| (both + u64::from(a & b), either + u64::from(a) + u64::from(b)));
    if either == 0 {
        1.0
    } else {
        2.0 * both as f64 / either as f64
    }
}

fn components(mask: ArrayView3<u8>) -> (Array3<u32>, usize) {
    label::<u32>(&mask.mapv(|v| v != 0), &Kernel3d::Full.generate())
}

/// Voxels of each connected part.
fn sizes(labels: &Array3<u32>, count: usize) -> Vec<usize> {
    let mut sizes = vec![0; count + 1];
    labels.iter().for_each(|label| sizes[*label as usize] += 1);
    sizes.remove(0);
    sizes
}

/// The largest distance between the corners of two grids beyond which they count as different, in mm.
pub const GEOMETRY_TOLERANCE_MM: f64 = 1e-2;

/// Whether two grids are the same to [`GEOMETRY_TOLERANCE_MM`].
pub fn same_grid(a: &Geometry, b: &Geometry) -> bool {
    a.distance(b) <= GEOMETRY_TOLERANCE_MM
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_parts() -> Array3<u8> {
        let mut mask = Array3::zeros((6, 6, 6));
        mask[[0, 0, 0]] = 1;
        mask[[1, 1, 1]] = 1; // touches by a corner
        mask[[4, 4, 4]] = 1;
        mask[[4, 4, 5]] = 1;
        mask[[4, 5, 5]] = 1;
        mask
    }

    #[test]
    fn components_of_half_the_largest_size_stay() {
        let mut mask = two_parts();
        mask[[0, 5, 0]] = 1;
        mask[[0, 5, 1]] = 1;
        keep_large_components(&mut mask, 0.5);
        // Parts that touch by a corner alone are two, of one voxel each; two voxels are more than half of three.
        assert_eq!(mask.iter().filter(|v| **v != 0).count(), 5);
        assert_eq!((mask[[0, 0, 0]], mask[[0, 5, 1]], mask[[4, 5, 5]]), (0, 1, 1));
        let mut empty = Array3::zeros((2, 2, 2));
        keep_large_components(&mut empty, 0.5);
        assert_eq!(empty.sum(), 0);
    }

    #[test]
    fn the_largest_component_stays() {
        let mut mask = two_parts();
        keep_largest_component(&mut mask);
        assert_eq!(mask.iter().filter(|v| **v != 0).count(), 3);
        assert_eq!(mask[[4, 4, 4]], 1);
    }

    #[test]
    fn measurements_of_a_known_mask() {
        let mut geometry = Geometry::axis_aligned([6, 6, 6], [1.0, 2.0, 5.0]);
        geometry.origin = [10.0, 20.0, 30.0];
        let voxels = Array3::from_shape_fn((6, 6, 6), |(k, j, i)| (100 * k + 10 * j + i) as f32);
        let volume = Volume::new(voxels, geometry).unwrap();
        let mut mask = two_parts();
        keep_largest_component(&mut mask);
        let m = measure(mask.view(), &volume);
        assert_eq!((m.voxels, m.components), (3, 1));
        assert!((m.volume_ml - 0.03).abs() < 1e-12);
        assert_eq!(m.bounding_box, Some([[4, 4, 4], [5, 5, 4]]));
        assert_eq!(m.bounding_box_mm, Some([2.0, 4.0, 5.0]));
        assert!((m.mean_hu.unwrap() - (444.0 + 445.0 + 455.0) / 3.0).abs() < 1e-9);
        let c = m.centroid_lps.unwrap();
        assert!((c[0] - (10.0 + 14.0 / 3.0)).abs() < 1e-9 && (c[2] - 50.0).abs() < 1e-9);
        assert_eq!(measure_components(two_parts().view(), &volume).1, [2, 3]);
        assert_eq!(measure(Array3::zeros((6, 6, 6)).view(), &volume).mean_hu, None);
    }
}
