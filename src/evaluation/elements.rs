//! Surfaces as elements that have an area: the normalised surface distance, and the Hausdorff distance by area.
//!
//! The definition is that of the surface Dice (Nikolov et al., Clinically Applicable Segmentation of Head and Neck Anatomy, 2021) and
//! of its published package `surface-distance`. An element sits where the corners of eight voxels meet, wherever these are
//! neither all inside nor all outside. Its area is that of the triangles which marching cubes lays between the eight; its
//! distance to another mask is that to the nearest element of that mask. What lies beyond the array is outside.

use ndarray::{Array3, ArrayView3};

use super::surface::{directed, Points};

/// Triangles between eight voxels: the voxels that are inside, as (z, y, x), and the triangles' area vectors for voxels of 1 mm.
/// Of a vector only the components' sizes matter. All other patterns are these, turned or mirrored, or with inside and outside
/// exchanged.
type Pattern = (&'static [[usize; 3]], &'static [[f64; 3]]);

/// A corner cut off at the middles of its three edges.
const CORNER: [f64; 3] = [0.125; 3];
/// The triangle through the middles of three edges that are not of one corner: four corners' worth for each cut corner.
const WIDE: [f64; 3] = [0.25; 3];

const PATTERNS: [Pattern; 13] = [
    // A corner; two along an edge, across a face, across the cube.
    (&[[1, 1, 1]], &[CORNER]),
    (&[[1, 1, 0], [1, 1, 1]], &[[0.25, 0.25, 0.0], [0.25, 0.25, 0.0]]),
    (&[[1, 0, 1], [1, 1, 0]], &[CORNER, CORNER]),
    (&[[0, 1, 1], [1, 0, 0]], &[CORNER, CORNER]),
    // Three: around a corner of a face, an edge and a corner apart, three corners apart.
    (&[[1, 0, 1], [1, 1, 0], [1, 1, 1]], &[CORNER, WIDE, [0.5, 0.0, 0.0]]),
    (&[[0, 1, 1], [1, 0, 0], [1, 1, 1]], &[CORNER, [0.0, 0.25, 0.25], [0.0, 0.25, 0.25]]),
    (&[[0, 1, 1], [1, 0, 1], [1, 1, 0]], &[CORNER, CORNER, CORNER]),
    // Four: a face, a corner with its neighbours, a path, three and one apart, two edges apart, four corners apart.
    (&[[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]], &[[0.5, 0.0, 0.0], [0.5, 0.0, 0.0]]),
    (&[[0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1]], &[CORNER, CORNER, WIDE, WIDE]),
    (&[[0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]], &[CORNER, [0.375; 3], [0.0, 0.25, 0.25], [0.25, 0.0, 0.25]]),
    (&[[0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0]], &[CORNER, CORNER, WIDE, [0.5, 0.0, 0.0]]),
    (
        &[[0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]],
        &[[0.25, 0.25, 0.0], [0.25, 0.25, 0.0], [0.25, 0.25, 0.0], [0.25, 0.25, 0.0]],
    ),
    (&[[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]], &[CORNER, CORNER, CORNER, CORNER]),
];

/// All orders of three axes.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The bit of one of eight voxels.
fn bit(place: [usize; 3]) -> u8 {
    1 << (4 * place[0] + 2 * place[1] + place[2])
}

/// The area, in mm², of the element between eight voxels, for each pattern of those that are inside.
fn areas(spacing: [f64; 3]) -> [f64; 256] {
    let mut areas = [0.0; 256];
    // An area vector's component along an axis is spanned by the other two.
    let face = [spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]];
    for (inside, triangles) in PATTERNS {
        for (order, mirror) in ORDERS.iter().flat_map(|order| (0..8_usize).map(move |mirror| (order, mirror))) {
            let turned = |place: &[usize; 3]| std::array::from_fn(|axis| place[order[axis]] ^ (mirror >> axis & 1));
            let code = inside.iter().fold(0, |code, place| code | bit(turned(place)));
            let area = |vector: &[f64; 3]| (0..3).map(|axis| (vector[order[axis]] * face[axis]).powi(2)).sum::<f64>();
            let sum = triangles.iter().map(|vector| area(vector).sqrt()).sum();
            areas[usize::from(code)] = sum;
            areas[usize::from(!code)] = sum;
        }
    }
    areas
}

/// A mask's elements: where eight voxels meet, which of them are inside. One longer than the mask along each axis.
fn codes(mask: ArrayView3<u8>) -> Array3<u8> {
    let (depth, height, width) = mask.dim();
    let mut codes = Array3::zeros((depth + 1, height + 1, width + 1));
    for ((z, y, x), _) in mask.indexed_iter().filter(|(_, value)| **value != 0) {
        for corner in 0..8_usize {
            let [a, b, c] = [corner >> 2, corner >> 1 & 1, corner & 1];
            // Seen from that corner, the voxel lies on the other side.
            codes[[z + a, y + b, x + c]] |= bit([1 - a, 1 - b, 1 - c]);
        }
    }
    codes
}

/// The elements of one mask: distance to the other mask in mm, area in mm², ascending.
type Elements = Vec<(f64, f64)>;

/// Distances and areas of all elements of two masks.
pub struct SurfaceElements([Elements; 2]);

/// Distances that differ by less, in parts, are the same: 3 steps of 0.2 mm and 0.6 mm. NIfTI keeps spacings in float32, and DICOM as
/// text, so that one mask in two formats has distances that differ in the seventh digit.
const ROUNDING: f64 = 1e-6;

/// Parts of an area that differ by less are the same, in whichever order they were summed.
const ROUNDING_OF_SUMS: f64 = 1e-9;

impl SurfaceElements {
    /// Of two masks of one shape, neither of them empty; `spacing` in mm along their axes.
    pub fn of(a: ArrayView3<u8>, b: ArrayView3<u8>, spacing: [f64; 3]) -> Self {
        let areas = areas(spacing);
        let codes = [codes(a), codes(b)];
        let points = [&codes[0], &codes[1]].map(|c| Points::chosen(c.view(), |code| code != 0 && code != u8::MAX));
        let elements = |from: usize| {
            let distances = directed(&points[from], &points[1 - from], spacing);
            let area = |place: [usize; 3]| areas[usize::from(codes[from][place])];
            let mut elements: Elements =
                distances.into_iter().zip(points[from].in_order().into_iter().map(area)).collect();
            elements.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            elements
        };
        SurfaceElements([elements(0), elements(1)])
    }

    /// The part of both surfaces, by area, that is within `tolerance` mm of the other.
    pub fn normalised_distance(&self, tolerance: f64) -> f64 {
        let all = || self.0.iter().flatten();
        let near = all().filter(|(distance, _)| *distance <= tolerance * (1.0 + ROUNDING)).map(|(_, area)| area);
        near.sum::<f64>() / all().map(|(_, area)| area).sum::<f64>()
    }

    /// The distance within which `part` of a surface lies, by area; of the two directions the larger one.
    pub fn hausdorff(&self, part: f64) -> f64 {
        let directed = |elements: &Elements| {
            let whole: f64 = elements.iter().map(|(_, area)| area).sum();
            let mut sum = 0.0;
            let reached = elements.iter().find(|(_, area)| {
                sum += area;
                sum >= whole * (part - ROUNDING_OF_SUMS)
            });
            reached.or(elements.last()).map_or(0.0, |(distance, _)| *distance)
        };
        self.0.iter().map(directed).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

    #[test]
    fn every_pattern_has_an_area_but_the_two_uniform_ones() {
        let areas = areas([2.5, 0.8, 0.7]);
        assert_eq!(areas.iter().filter(|area| **area == 0.0).count(), 2);
        assert!(areas[0] == 0.0 && areas[255] == 0.0);
    }

    /// A cube's faces, edges and corners by hand: of n³ voxels, (n - 1)² whole elements a face, n - 1 cut edges along each of 12,
    /// 8 cut corners.
    #[test]
    fn the_surface_of_a_cube() {
        let mut mask = Array3::zeros((9, 9, 9));
        mask.slice_mut(s![2..6, 2..6, 2..6]).fill(1_u8);
        let [z, y, x] = [3.0, 2.0, 0.5];
        let elements = SurfaceElements::of(mask.view(), mask.view(), [z, y, x]);
        let area: f64 = elements.0[0].iter().map(|(_, area)| area).sum();
        let faces = 2.0 * 9.0 * (z * y + z * x + y * x);
        let edge = |along: f64, a: f64, b: f64| 4.0 * 3.0 * along * 0.5 * a.hypot(b);
        let corner = 0.125 * ((y * x).powi(2) + (z * x).powi(2) + (z * y).powi(2)).sqrt();
        let expected = faces + edge(z, y, x) + edge(y, z, x) + edge(x, z, y) + 8.0 * corner;
        assert!((area - expected).abs() < 1e-12, "{area} {expected}");
        assert_eq!((elements.normalised_distance(0.0), elements.hausdorff(0.95)), (1.0, 0.0));
    }

    /// Two slabs through the whole array, three steps apart: all faces are three steps from each other.
    #[test]
    fn a_tolerance_of_just_the_distance_counts() {
        let slab = |at: usize| {
            let mut mask = Array3::zeros((12, 5, 5));
            mask.slice_mut(s![at..at + 1, .., ..]).fill(1_u8);
            mask
        };
        let elements = SurfaceElements::of(slab(2).view(), slab(6).view(), [0.2, 1.0, 1.0]);
        // From the far face 4 steps, from the near face 3.
        assert!(elements.normalised_distance(0.59) < 0.01 && elements.normalised_distance(0.8) == 1.0);
        let half = elements.normalised_distance(0.6);
        assert!((half - 0.5).abs() < 1e-12, "{half}");
        assert!((elements.hausdorff(0.95) - 0.8).abs() < 1e-12);
        for as_stored in [f64::from(0.2_f32), 0.2 * (1.0 - 1e-7), 0.2 * (1.0 + 1e-7)] {
            let elements = SurfaceElements::of(slab(2).view(), slab(6).view(), [as_stored, 1.0, 1.0]);
            assert!((elements.normalised_distance(0.6) - half).abs() < 1e-6, "{as_stored}");
        }
    }
}
