//! Rotation and elastic deformation of a slice: one smooth map for image, truth and global slice alike.
//!
//! The map says for each pixel of the new slice where in the old one it comes from. Elastic displacements are drawn at control points and
//! interpolated by cubic B-splines, so that the map is smooth and, with the default sizes, never folds.

use rand::Rng;

use super::Augmentation;

/// A map from pixels of the new slice to places in the old one, both as (row, column), fractional.
#[derive(Clone, Debug)]
pub struct Deformation {
    /// The pixel that rotation leaves where it is.
    centre: [f64; 2],
    /// Pixel size along rows and columns, in mm.
    spacing: [f64; 2],
    /// Cosine and sine of the angle, over the magnification.
    cos: f64,
    sin: f64,
    /// Displacements in mm, (row, column), `[rows, columns]` of control points.
    control: Vec<[f64; 2]>,
    /// Control points along rows and columns.
    points: [usize; 2],
    /// Their distance in mm.
    distance: f64,
}

impl Deformation {
    /// No deformation.
    pub fn identity() -> Self {
        Deformation {
            centre: [0.0; 2],
            spacing: [1.0; 2],
            cos: 1.0,
            sin: 0.0,
            control: Vec::new(),
            points: [0; 2],
            distance: 1.0,
        }
    }

    /// A random deformation of slices of `size` pixels with the given `spacing` in mm (rows, columns) around the pixel `centre`.
    pub fn random(
        options: &Augmentation,
        size: [usize; 2],
        spacing: [f64; 2],
        centre: [f64; 2],
        random: &mut impl Rng,
    ) -> Self {
        let angle = (2.0 * random.random::<f64>() - 1.0) * options.rotation_degrees.to_radians();
        let distance = options.elastic_spacing_mm;
        let mut points = [0; 2];
        let mut control = Vec::new();
        if options.elastic_mm > 0.0 {
            (points, control) = control_points(options, size, spacing, random);
        }
        // As likely larger as smaller; drawn only where it is asked for, so that other trainings keep their random numbers.
        let mut scale = 1.0;
        if options.zoom > 0.0 {
            let zoom = 1.0 + options.zoom * random.random::<f64>();
            scale = if random.random() { zoom } else { 1.0 / zoom };
        }
        Deformation { centre, spacing, cos: angle.cos() / scale, sin: angle.sin() / scale, control, points, distance }
    }

    /// Where the pixel (row, column) of the new slice lies in the old one.
    pub fn source(&self, row: f64, column: f64) -> [f64; 2] {
        let mm = [(row - self.centre[0]) * self.spacing[0], (column - self.centre[1]) * self.spacing[1]];
        let mut turned = [self.cos * mm[0] - self.sin * mm[1], self.sin * mm[0] + self.cos * mm[1]];
        if !self.control.is_empty() {
            let displacement = self.displacement(row * self.spacing[0], column * self.spacing[1]);
            turned[0] += displacement[0];
            turned[1] += displacement[1];
        }
        std::array::from_fn(|a| self.centre[a] + turned[a] / self.spacing[a])
    }

    fn displacement(&self, row_mm: f64, column_mm: f64) -> [f64; 2] {
        let (row, row_weights) = cell(row_mm, self.distance, self.points[0]);
        let (column, column_weights) = cell(column_mm, self.distance, self.points[1]);
        let mut sum = [0.0; 2];
        for (a, wa) in row_weights.iter().enumerate() {
            for (b, wb) in column_weights.iter().enumerate() {
                let point = self.control[(row + a) * self.points[1] + column + b];
                sum[0] += wa * wb * point[0];
                sum[1] += wa * wb * point[1];
            }
        }
        sum
    }
}

/// How many control points lie along each axis, and their random displacements in mm.
pub(super) fn control_points<const N: usize>(
    options: &Augmentation,
    size: [usize; N],
    spacing: [f64; N],
    random: &mut impl Rng,
) -> ([usize; N], Vec<[f64; N]>) {
    // One point beyond each side for the spline's reach, and one for the rounding.
    let points: [usize; N] = std::array::from_fn(|axis| {
        (size[axis] as f64 * spacing[axis] / options.elastic_spacing_mm).ceil() as usize + 4
    });
    let mut displacement = |_| ((0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0) * options.elastic_mm;
    let control = (0..points.iter().product()).map(|_| std::array::from_fn(&mut displacement)).collect();
    (points, control)
}

/// The first of the four control points along an axis that move what lies at `mm`, and their weights.
pub(super) fn cell(mm: f64, distance: f64, points: usize) -> (usize, [f64; 4]) {
    let u = (mm / distance).clamp(0.0, (points - 4) as f64);
    let cell = (u.floor() as usize).min(points - 4);
    (cell, b_spline(u - cell as f64))
}

/// The four weights of a uniform cubic B-spline at a fraction of a cell.
fn b_spline(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [
        s * s * s / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (-3.0 * t * t * t + 3.0 * t * t + 3.0 * t + 1.0) / 6.0,
        t * t * t / 6.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_rotation_turns_about_its_centre_in_millimetres() {
        let options = Augmentation { rotation_degrees: 40.0, elastic_mm: 0.0, ..Default::default() };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let d = Deformation::random(&options, [40, 50], [2.0, 0.5], [20.0, 30.0], &mut random);
        assert_eq!(d.source(20.0, 30.0), [20.0, 30.0]);
        // 10 mm down stays 10 mm away, whatever the pixels' shape.
        let [row, column] = d.source(25.0, 30.0);
        let mm = [(row - 20.0) * 2.0, (column - 30.0) * 0.5];
        assert!((mm[0].hypot(mm[1]) - 10.0).abs() < 1e-9);
        assert!(mm[1].abs() > 0.01, "it does not turn");
    }

    #[test]
    fn a_quarter_turn_by_hand() {
        let d = Deformation { sin: 1.0, cos: 0.0, centre: [5.0, 5.0], ..Deformation::identity() };
        let near = |a: [f64; 2], b: [f64; 2]| assert!((a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-12, "{a:?} {b:?}");
        near(d.source(5.0, 8.0), [2.0, 5.0]);
        near(d.source(7.0, 5.0), [5.0, 7.0]);
    }

    #[test]
    fn equal_control_points_move_everything_alike() {
        // B-splines add up to 1: a constant displacement is exact everywhere, also at the border.
        let d = Deformation {
            control: vec![[3.0, -2.0]; 49],
            points: [7, 7],
            distance: 10.0,
            spacing: [1.0, 2.0],
            ..Deformation::identity()
        };
        for at in [[0.0, 0.0], [12.3, 4.5], [39.0, 19.0]] {
            let [row, column] = d.source(at[0], at[1]);
            assert!((row - at[0] - 3.0).abs() < 1e-12 && (column - at[1] + 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_default_deformation_moves_by_millimetres_and_does_not_fold() {
        let options = Augmentation { rotation_degrees: 0.0, ..Default::default() };
        let mut largest = 0.0_f64;
        for seed in 0..20 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let d = Deformation::random(&options, [128, 128], [2.0, 2.0], [64.0, 64.0], &mut random);
            for row in 0..127 {
                for column in 0..127 {
                    let at = |r: usize, c: usize| d.source(r as f64, c as f64);
                    let (a, down, right) = (at(row, column), at(row + 1, column), at(row, column + 1));
                    let area = (down[0] - a[0]) * (right[1] - a[1]) - (down[1] - a[1]) * (right[0] - a[0]);
                    assert!(area > 0.2, "folds at {row}, {column}: {area}");
                    largest = largest.max((a[0] - row as f64).hypot(a[1] - column as f64));
                }
            }
        }
        assert!((1.0..6.0).contains(&largest), "{largest} pixels");
    }
}
