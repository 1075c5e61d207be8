//! A label's axes along an image's: every way to swap and flip three axes, and the one that brings two grids together.

use ndarray::{ArrayView3, Axis};

use crate::volume::Geometry;

/// A way to put a label's axes along an image's, without resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// For i, j and k of the image: the label's axis that runs along it.
    pub order: [usize; 3],
    /// For i, j and k of the image: whether the label's axis is turned round.
    pub flips: [bool; 3],
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

impl Placement {
    pub fn is_identity(&self) -> bool {
        self.order == ORDERS[0] && self.flips == [false; 3]
    }

    /// The eight ways to flip axes in the given order.
    pub fn flips_of(order: [usize; 3]) -> impl Iterator<Item = Placement> {
        (0..8).map(move |bits| Placement { order, flips: std::array::from_fn(|a| bits >> a & 1 == 1) })
    }

    /// All 48 of them, those that change least first.
    fn all() -> impl Iterator<Item = Placement> {
        ORDERS.into_iter().flat_map(Placement::flips_of)
    }

    /// The label's size in the image's order.
    pub fn size(&self, label: &Geometry) -> [usize; 3] {
        self.order.map(|axis| label.size[axis])
    }

    /// The label's grid with its axes in the image's order: the same voxels at the same places, counted differently.
    fn geometry(&self, label: &Geometry) -> Geometry {
        let mut first = [0.0; 3];
        for (axis, flip) in self.order.into_iter().zip(self.flips) {
            if flip {
                first[axis] = label.size[axis] as f64 - 1.0;
            }
        }
        let sign = |a: usize| if self.flips[a] { -1.0 } else { 1.0 };
        Geometry {
            size: self.size(label),
            spacing: self.order.map(|axis| label.spacing[axis]),
            origin: label.point(first),
            direction: std::array::from_fn(|row| {
                std::array::from_fn(|a| sign(a) * label.direction[row][self.order[a]])
            }),
        }
    }

    /// The label's voxels, `[k, j, i]`, as `[k, j, i]` of the image; nothing is copied.
    pub fn apply<'a, T>(&self, voxels: ArrayView3<'a, T>) -> ArrayView3<'a, T> {
        // Arrays count their axes from k to i.
        let mut view = voxels.permuted_axes([2, 1, 0].map(|a: usize| 2 - self.order[a]));
        for (a, flip) in self.flips.into_iter().enumerate() {
            if flip {
                view.invert_axis(Axis(2 - a));
            }
        }
        view
    }
}

impl std::fmt::Display for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [char; 3] = ['i', 'j', 'k'];
        if self.is_identity() {
            return f.write_str("as stored");
        }
        if self.order != ORDERS[0] {
            let [a, b, c] = self.order.map(|axis| NAMES[axis]);
            write!(f, "axes in the order {a}, {b}, {c}")?;
        }
        let flipped: Vec<String> = (0..3).filter(|a| self.flips[*a]).map(|a| NAMES[a].to_string()).collect();
        if !flipped.is_empty() {
            let comma = if self.order == ORDERS[0] { "" } else { ", " };
            write!(f, "{comma}flipped along {}", flipped.join(" and "))?;
        }
        Ok(())
    }
}

/// The placement that brings the label's corners nearest to the image's, and the largest distance left, in mm: infinite if
/// no order of axes gives the image's size.
pub(super) fn nearest(label: &Geometry, image: &Geometry) -> (Placement, f64) {
    let mut best = (Placement { order: ORDERS[0], flips: [false; 3] }, f64::INFINITY);
    for placement in Placement::all() {
        let distance = placement.geometry(label).distance(image);
        if distance < best.1 {
            best = (placement, distance);
        }
    }
    best
}

/// The placement by the directions of the axes alone, wherever the grids lie; none if the sizes do not fit.
pub(super) fn by_direction(label: &Geometry, image: &Geometry) -> Option<Placement> {
    let cosines = |placement: &Placement| -> f64 {
        let turned = placement.geometry(label).direction;
        (0..3).flat_map(|r| (0..3).map(move |a| (r, a))).map(|(r, a)| turned[r][a] * image.direction[r][a]).sum()
    };
    Placement::all()
        .filter(|placement| placement.size(label) == image.size)
        .map(|placement| (cosines(&placement), placement))
        .fold(None, |best: Option<(f64, Placement)>, next| match best {
            Some(best) if best.0 >= next.0 - 1e-9 => Some(best),
            _ => Some(next),
        })
        .map(|(_, placement)| placement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::lps_view;
    use ndarray::Array3;

    /// Every permutation and flip of one grid is found, and gives the voxels back.
    #[test]
    fn all_48_placements_are_undone() {
        let mut image = Geometry::axis_aligned([4, 5, 6], [0.7, 0.8, 2.5]);
        let (sin, cos) = 20_f64.to_radians().sin_cos();
        image.direction = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
        image.origin = [-120.0, 33.0, 700.0];
        let voxels = Array3::from_shape_fn((6, 5, 4), |(k, j, i)| 100 * k + 10 * j + i);
        for stored in Placement::all() {
            let geometry = stored.geometry(&image);
            let label = stored.apply(voxels.view());
            let (placement, distance) = nearest(&geometry, &image);
            assert!(distance < 1e-9, "{stored}: {distance}");
            assert_eq!(placement.apply(label), voxels, "{stored}");
            assert_eq!(by_direction(&geometry, &image), Some(placement), "{stored}");
        }
    }

    #[test]
    fn it_agrees_with_the_lps_view() {
        let lps = Geometry::axis_aligned([4, 5, 6], [0.7, 0.8, 2.5]);
        let voxels = Array3::from_shape_fn((6, 5, 4), |(k, j, i)| 100 * k + 10 * j + i);
        for stored in Placement::all() {
            let geometry = stored.geometry(&lps);
            let label = stored.apply(voxels.view());
            assert_eq!(nearest(&geometry, &lps).0.apply(label), lps_view(label, &geometry), "{stored}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_infinitely_far() {
        let a = Geometry::axis_aligned([4, 5, 6], [1.0; 3]);
        let b = Geometry::axis_aligned([4, 5, 7], [1.0; 3]);
        assert_eq!(nearest(&a, &b).1, f64::INFINITY);
        assert_eq!(by_direction(&a, &b), None);
    }
}
