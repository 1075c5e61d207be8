//! Images in somebody else's memory: in which frame they are described, and where each voxel lies.

use super::Geometry;
use crate::{Error, Result};

/// The largest side of an image; what is beyond is no CT, and arithmetic on sizes stays far from overflow.
const LONGEST: usize = 1 << 16;

/// The frame of coordinates in the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Frame {
    /// Coordinates grow to the patient's Left, Posterior, Superior: ITK, DICOM, and this library.
    #[serde(rename = "LPS")]
    Lps,
    /// Coordinates grow to the patient's Right, Anterior, Superior: 3D Slicer, NIfTI.
    #[serde(rename = "RAS")]
    Ras,
}

impl Frame {
    /// A point of LPS in this frame, or one of this frame in LPS: they differ in two signs. Adding 0 turns -0 into 0.
    pub fn turned(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        match self {
            Frame::Lps => [x, y, z],
            Frame::Ras => [-x + 0.0, -y + 0.0, z],
        }
    }

    /// The grid, in LPS, of an image that is described in this frame; `direction` is rows, its columns are the unit vectors of i, j and k.
    /// `name` is what an error calls the image.
    ///
    /// # Errors
    /// [`Error::Argument`] for a side that is 0 or longer than 65536, [`Error::Volume`] for what no grid has.
    pub fn grid(
        self,
        name: &'static str,
        size: [usize; 3],
        spacing: [f64; 3],
        origin: [f64; 3],
        direction: [[f64; 3]; 3],
    ) -> Result<Geometry> {
        if let Some(side) = size.iter().find(|n| !(1..=LONGEST).contains(*n)) {
            return Err(Error::argument(name, format!("a size is {side}; numbers from 1 to {LONGEST} were expected")));
        }
        let columns = [0, 1, 2].map(|axis| self.turned([0, 1, 2].map(|row: usize| direction[row][axis])));
        let direction = std::array::from_fn(|row| [0, 1, 2].map(|axis: usize| columns[axis][row]));
        let geometry = Geometry { size, spacing, origin: self.turned(origin), direction };
        geometry.check()?;
        Ok(geometry)
    }
}

/// Where the voxels of a 3D array lie, relative to voxel (0, 0, 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strided {
    /// Bytes from a voxel to the next one along i, j and k; may be negative.
    pub strides: [i64; 3],
    /// The first byte of the voxel that lies lowest, 0 or less.
    pub low: i128,
    /// The byte after the voxel that lies highest.
    pub high: i128,
}

impl Strided {
    /// The layout of an array of `size` voxels along i, j and k, `voxel` bytes each; without strides dense, i fastest.
    pub fn new(size: [usize; 3], strides: Option<[i64; 3]>, voxel: usize) -> Self {
        let dense = |sides: &[usize]| sides.iter().fold(voxel as i64, |bytes, n| bytes.saturating_mul(*n as i64));
        let strides = strides.unwrap_or([dense(&[]), dense(&size[..1]), dense(&size[..2])]);
        // In numbers that no sides of an image overflow, and at whose end the sums for other sides stay.
        let ends = size.iter().zip(strides).map(|(n, stride)| (*n as i128 - 1) * i128::from(stride));
        let (low, high) = ends.fold((0_i128, 0_i128), |(low, high), end| {
            (low.saturating_add(end.min(0)), high.saturating_add(end.max(0)))
        });
        Strided { strides, low, high: high.saturating_add(voxel as i128) }
    }

    /// Whether voxels of `voxel` bytes may lie on each other: two results in one place, of which one is lost.
    pub fn overlaps(&self, size: [usize; 3], voxel: usize) -> bool {
        let mut axes: Vec<(i128, i128)> = size
            .iter()
            .zip(self.strides)
            .filter(|(n, _)| **n > 1)
            .map(|(n, stride)| (i128::from(stride).abs(), *n as i128 - 1))
            .collect();
        axes.sort_unstable();
        // From the finest axis on, each has to step over all that lies within it.
        let mut within = voxel as i128;
        axes.into_iter().any(|(stride, steps)| {
            let overlaps = stride < within;
            within = within.saturating_add(stride.saturating_mul(steps));
            overlaps
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_reaches_from_its_lowest_to_its_highest_voxel() {
        let dense = Strided::new([4, 3, 2], None, 2);
        assert_eq!(dense, Strided { strides: [2, 8, 24], low: 0, high: 48 });
        let flipped = Strided::new([4, 3, 2], Some([-2, 8, -24]), 2);
        assert_eq!((flipped.low, flipped.high), (-30, 18));
        let far = Strided::new([1 << 16; 3], Some([i64::MAX, i64::MIN, 0]), 8);
        assert_eq!(far.high - far.low - 8, 65535 * (i128::from(i64::MAX) - i128::from(i64::MIN)));
        let sides = [usize::MAX; 3];
        let beyond = [i64::MAX, i64::MIN].map(|stride| Strided::new(sides, Some([stride; 3]), 8));
        assert!(beyond[0].high > i128::from(u64::MAX) && beyond[1].low < i128::from(i64::MIN));
        assert!(beyond[0].overlaps(sides, 8));
    }

    #[test]
    fn voxels_that_lie_on_each_other_are_noticed() {
        let overlaps = |strides| Strided::new([4, 3, 2], Some(strides), 2).overlaps([4, 3, 2], 2);
        for strides in [[2, 8, 24], [-2, 8, -24], [12, 4, 2], [2, 80, 10], [6, 2, 100]] {
            assert!(!overlaps(strides), "{strides:?}");
        }
        for strides in [[0, 8, 24], [2, 0, 24], [1, 8, 24], [2, 6, 24], [2, 8, 16], [2, -8, 8]] {
            assert!(overlaps(strides), "{strides:?}");
        }
        // An axis of one voxel steps nowhere.
        assert!(!Strided::new([4, 1, 2], Some([2, 0, 8]), 2).overlaps([4, 1, 2], 2));
    }

    #[test]
    fn ras_is_turned_to_lps_and_back() {
        let direction = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let grid = Frame::Ras.grid("image", [4, 5, 6], [1.0; 3], [10.0, 0.0, -3.0], direction).unwrap();
        assert_eq!(grid.origin, [-10.0, 0.0, -3.0]);
        assert!(grid.origin[1].is_sign_positive());
        assert_eq!(grid.direction, [[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(Frame::Ras.turned(grid.origin), [10.0, 0.0, -3.0]);
        assert!(Frame::Lps.grid("image", [4, 70_000, 6], [1.0; 3], [0.0; 3], direction).is_err());
    }
}
