//! Voxels that were never measured.
//!
//! A scanner's field of view is round, and what turned or resampled an image left corners that it knew nothing of: they are not numbers. Such
//! voxels reach the image's border, and air is what is there in a patient's scan. A voxel that is no number amid the body is something
//! else: something was lost, and nobody but its owner knows what.

use ndarray::Array3;

/// The density of air where nothing was measured, in Hounsfield units.
pub const AIR: f32 = -1024.0;

/// The sides of the voxels, first and last of each axis `[k, j, i]`, that are the image's border.
pub(super) type Sides = [[bool; 2]; 3];

/// Makes air of all NaNs that are connected with the border over faces of voxels; how many there were.
pub(super) fn fill_from_border(voxels: &mut Array3<f32>, border: Sides) -> usize {
    let (depth, height, width) = voxels.dim();
    let size = [depth, height, width];
    let mut open: Vec<[usize; 3]> = Vec::new();
    let mut filled = 0;
    let mut reach = |voxels: &mut Array3<f32>, open: &mut Vec<[usize; 3]>, at: [usize; 3]| {
        if voxels[at].is_nan() {
            voxels[at] = AIR;
            filled += 1;
            open.push(at);
        }
    };
    for axis in 0..3 {
        let [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
        for first in 0..size[a] {
            for second in 0..size[b] {
                for side in
                    [0, size[axis] - 1].into_iter().zip(border[axis]).filter(|(_, is)| *is).map(|(side, _)| side)
                {
                    let mut at = [0; 3];
                    (at[axis], at[a], at[b]) = (side, first, second);
                    reach(voxels, &mut open, at);
                }
            }
        }
    }
    while let Some(at) = open.pop() {
        for axis in 0..3 {
            if at[axis] > 0 {
                let mut next = at;
                next[axis] -= 1;
                reach(voxels, &mut open, next);
            }
            if at[axis] + 1 < size[axis] {
                let mut next = at;
                next[axis] += 1;
                reach(voxels, &mut open, next);
            }
        }
    }
    filled
}

/// Makes air of all NaNs; how many there were.
pub(super) fn fill_all(voxels: &mut Array3<f32>) -> usize {
    let mut filled = 0;
    voxels.iter_mut().filter(|value| value.is_nan()).for_each(|value| {
        *value = AIR;
        filled += 1;
    });
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_connected_with_the_border_is_air_and_what_is_not_stays() {
        let mut voxels = Array3::from_elem((6, 7, 8), 40.0_f32);
        for at in [[0, 3, 3], [1, 3, 3], [2, 3, 3], [2, 4, 3], [5, 6, 7]] {
            voxels[at] = f32::NAN;
        }
        // Alone, and over an edge of a voxel alone.
        voxels[[3, 5, 3]] = f32::NAN;
        voxels[[4, 2, 5]] = f32::INFINITY;
        // Neither side that they reach is the border: a region's edge within the image.
        let inner = [[false, true], [true, false], [true, false]];
        assert_eq!(fill_from_border(&mut voxels.clone(), inner), 1);
        assert_eq!(fill_from_border(&mut voxels, [[true; 2]; 3]), 5);
        assert!(voxels[[2, 4, 3]] == AIR && voxels[[5, 6, 7]] == AIR);
        assert!(voxels[[3, 5, 3]].is_nan() && voxels[[4, 2, 5]].is_infinite());
        assert_eq!(fill_all(&mut voxels), 1);
        assert_eq!(voxels.iter().filter(|value| !value.is_finite()).count(), 1);
    }
}
