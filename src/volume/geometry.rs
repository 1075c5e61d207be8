//! Where the voxels of a grid lie in the patient.

use crate::{Error, Result};

/// How far two axes of a grid may be from perpendicular (the cosine between them) before the grid counts as sheared.
/// Direction cosines in files are often rounded to 4 or 5 digits; a gantry tilt of 0.1 degree is 1.7e-3.
const SHEAR_TOLERANCE: f64 = 1e-3;

/// The axis of the patient that an axis of a grid runs along most closely, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearestAxis {
    /// 0 = x (right to left), 1 = y (anterior to posterior), 2 = z (inferior to superior).
    pub patient: usize,
    /// Whether the grid's axis runs against the patient's.
    pub flipped: bool,
}

/// A grid of voxels in the patient: size, spacing, origin and direction as ITK has them, in the LPS frame.
///
/// A voxel with index (i, j, k) has its centre at `origin + direction * (spacing * (i, j, k))`. LPS: x grows to the
/// patient's Left, y to Posterior, z to Superior; lengths are in mm.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Number of voxels along i, j and k.
    pub size: [usize; 3],
    /// Distance between neighbouring voxels along i, j and k, in mm.
    pub spacing: [f64; 3],
    /// Centre of voxel (0, 0, 0), in mm, LPS.
    pub origin: [f64; 3],
    /// Row-major 3 x 3 matrix; its **columns** are the unit vectors of i, j and k in LPS.
    pub direction: [[f64; 3]; 3],
}

/// A box of voxels on a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first voxel (i, j, k).
    pub start: [usize; 3],
    /// Voxels along i, j and k.
    pub size: [usize; 3],
}

impl Geometry {
    /// An axis-aligned LPS grid with the given size and spacing, its first voxel at the origin.
    pub fn axis_aligned(size: [usize; 3], spacing: [f64; 3]) -> Self {
        Geometry { size, spacing, origin: [0.0; 3], direction: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] }
    }

    /// The grid whose index-to-LPS map is `affine`: three rows of four numbers, the last column being the origin.
    pub fn from_affine(size: [usize; 3], affine: [[f64; 4]; 3]) -> Result<Self> {
        let mut spacing = [0.0; 3];
        let mut direction = [[0.0; 3]; 3];
        for axis in 0..3 {
            let column = [affine[0][axis], affine[1][axis], affine[2][axis]];
            spacing[axis] = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            for row in 0..3 {
                // Adding 0 turns the -0 of a flipped frame into 0, for people to read.
                direction[row][axis] = column[row] / spacing[axis] + 0.0;
            }
        }
        let origin = [0, 1, 2].map(|row: usize| affine[row][3] + 0.0);
        let geometry = Geometry { size, spacing, origin, direction };
        geometry.check()?;
        Ok(geometry)
    }

    /// Refuses an empty grid, a spacing that is not a positive number, and axes that are not perpendicular unit vectors.
    pub fn check(&self) -> Result<()> {
        let fault = |text: String| Err(Error::Volume(text));
        if self.size.contains(&0) {
            let [i, j, k] = self.size;
            return fault(format!("it has no voxels ({i} x {j} x {k})"));
        }
        if self.spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            let [i, j, k] = self.spacing;
            return fault(format!("its spacing is {i} x {j} x {k} mm; three positive numbers were expected"));
        }
        if self.origin.iter().chain(self.direction.iter().flatten()).any(|v| !v.is_finite()) {
            return fault("its origin or direction holds a value that is not a number".into());
        }
        for a in 0..3 {
            for b in a..3 {
                let dot: f64 = (0..3).map(|row| self.direction[row][a] * self.direction[row][b]).sum();
                let expected = if a == b { 1.0 } else { 0.0 };
                if (dot - expected).abs() > SHEAR_TOLERANCE {
                    return fault(if a == b {
                        format!("its direction is not a unit vector along axis {a} (length {:.4})", dot.sqrt())
                    } else {
                        format!(
                            "its axes {a} and {b} are not perpendicular (they are {:.2} degrees apart): a tilted gantry \
                             or a sheared affine; resample it to a rectangular grid first",
                            dot.clamp(-1.0, 1.0).acos().to_degrees()
                        )
                    });
                }
            }
        }
        Ok(())
    }

    /// The grid of a region.
    ///
    /// # Errors
    /// [`Error::Argument`] if the region is empty or reaches beyond the grid.
    pub fn part(&self, region: Region) -> Result<Geometry> {
        self.check_region(region)?;
        let origin = self.point(region.start.map(|n| n as f64));
        Ok(Geometry { size: region.size, origin, ..self.clone() })
    }

    /// Refuses a region that is empty or reaches beyond the grid.
    pub(crate) fn check_region(&self, region: Region) -> Result<()> {
        let Region { start, size } = region;
        let whole = self.size;
        let fits =
            |axis: usize| size[axis] > 0 && start[axis].checked_add(size[axis]).is_some_and(|end| end <= whole[axis]);
        if !(0..3).all(fits) {
            let fault =
                format!("{size:?} voxels from {start:?}; a box within the volume's {whole:?} voxels was expected");
            return Err(Error::argument("region", fault));
        }
        Ok(())
    }

    /// The number of voxels.
    pub fn voxels(&self) -> usize {
        self.size.iter().product()
    }

    /// The volume of one voxel in mm³.
    pub fn voxel_volume(&self) -> f64 {
        self.spacing.iter().product()
    }

    /// The map from (i, j, k) to LPS: three rows of four numbers.
    pub fn affine(&self) -> [[f64; 4]; 3] {
        let [a, b, c] = self.spacing;
        std::array::from_fn(|row| {
            let [i, j, k] = self.direction[row];
            [i * a, j * b, k * c, self.origin[row]]
        })
    }

    /// The point of the patient, LPS in mm, at a (fractional) index (i, j, k).
    pub fn point(&self, index: [f64; 3]) -> [f64; 3] {
        self.affine().map(|row| row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3])
    }

    /// For i, j and k the patient's axis that each runs along most closely.
    ///
    /// Each patient axis is given out once; of all ways to do so the one with the largest sum of cosines is taken, so that
    /// a grid turned by 45 degrees still has three different axes.
    pub fn nearest_axes(&self) -> [NearestAxis; 3] {
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let cosine = |axis: usize, patient: usize| self.direction[patient][axis];
        let sum = |order: &[usize; 3]| (0..3).map(|axis| cosine(axis, order[axis]).abs()).sum::<f64>();
        // `max_by` would take the last of equals: the first keeps ties at the identity.
        let best = ORDERS.iter().fold(&ORDERS[0], |best, order| if sum(order) > sum(best) { order } else { best });
        std::array::from_fn(|axis| NearestAxis { patient: best[axis], flipped: cosine(axis, best[axis]) < 0.0 })
    }

    /// Orientation letters of i, j and k, as radiology software prints them: "LPS" for a grid whose i grows to the Left,
    /// j to Posterior and k to Superior.
    pub fn orientation(&self) -> String {
        const LETTERS: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['S', 'I']];
        self.nearest_axes().iter().map(|a| LETTERS[a.patient][a.flipped as usize]).collect()
    }

    /// The largest distance, in mm, between the same corner of two grids; infinite if their sizes differ.
    pub fn distance(&self, other: &Geometry) -> f64 {
        if self.size != other.size {
            return f64::INFINITY;
        }
        let mut largest = 0.0_f64;
        for corner in 0..8 {
            let index = std::array::from_fn(|a| if corner >> a & 1 == 1 { (self.size[a] - 1) as f64 } else { 0.0 });
            let (p, q) = (self.point(index), other.point(index));
            largest = largest.max((0..3).map(|a| (p[a] - q[a]).powi(2)).sum::<f64>().sqrt());
        }
        largest
    }
}
