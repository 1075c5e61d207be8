//! Outlines of a mask's slice along the borders of its pixels, so that whoever fills them by the pixels' centres has the mask back.
//!
//! Pixels that touch by an edge are one part, with one closed outline. A hole in it is cut out by a channel of no width that joins its
//! border with the outer one (what radiotherapy calls a keyhole): readers that fill each polygon by itself get the hole right, and so do
//! those that take what lies in an odd number of polygons.

use std::collections::BTreeMap;

use ndarray::ArrayView2;

/// A corner of pixels: column and row, (0, 0) being the first pixel's corner that lies before it along both.
pub(super) type Corner = [i32; 2];

/// Directions along the borders, each turned clockwise (rows grow downwards) from the one before.
const STEPS: [Corner; 4] = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/// The parts of a slice, a closed polygon each, `[row, column]`, 0 outside. The first corner is not repeated at the end.
pub(super) fn outlines(plane: ArrayView2<u8>) -> Vec<Vec<Corner>> {
    let borders = Borders::of(plane);
    let (rings, parts) = (borders.rings(), parts(plane));
    let part_of = |ring: &Ring| parts[ring.inside];
    let mut outer: BTreeMap<usize, Vec<Corner>> = BTreeMap::new();
    let mut holes: Vec<(usize, &Ring)> = Vec::new();
    for ring in &rings {
        match ring.area > 0 {
            true => drop(outer.insert(part_of(ring), ring.corners.clone())),
            false => holes.push((part_of(ring), ring)),
        }
    }
    // From the left on, so that what lies to the left of a hole belongs to the polygon already.
    holes.sort_by_key(|(part, ring)| (*part, ring.leftmost()));
    for (part, hole) in holes {
        if let Some(polygon) = outer.get_mut(&part) {
            cut(polygon, hole);
        }
    }
    outer.into_values().map(without_straight_corners).collect()
}

/// The borders between pixels inside and outside, each with the inside to its right.
struct Borders<'a> {
    plane: ArrayView2<'a, u8>,
    /// For each corner the directions in which a border leaves it, as bits.
    leaving: Vec<u8>,
    columns: usize,
}

/// A closed line of borders.
struct Ring {
    corners: Vec<Corner>,
    /// Twice the area within; negative for a hole.
    area: i64,
    /// A pixel inside of the mask beside it, by its place in the plane.
    inside: usize,
}

impl Ring {
    fn leftmost(&self) -> Corner {
        self.corners.iter().copied().min().unwrap_or_default()
    }
}

impl<'a> Borders<'a> {
    fn of(plane: ArrayView2<'a, u8>) -> Self {
        let (rows, columns) = plane.dim();
        let mut leaving = vec![0_u8; (rows + 1) * (columns + 1)];
        let is_inside = |row: i64, column: i64| {
            let place = usize::try_from(row).ok().zip(usize::try_from(column).ok());
            place.and_then(|place| plane.get(place)).is_some_and(|inside| *inside != 0)
        };
        for ((row, column), _) in plane.indexed_iter().filter(|(_, inside)| **inside != 0) {
            let (r, c) = (row as i64, column as i64);
            let mut border = |row: usize, column: usize, step: u8| leaving[row * (columns + 1) + column] |= 1 << step;
            if !is_inside(r - 1, c) {
                border(row, column, 0);
            }
            if !is_inside(r, c + 1) {
                border(row, column + 1, 1);
            }
            if !is_inside(r + 1, c) {
                border(row + 1, column + 1, 2);
            }
            if !is_inside(r, c - 1) {
                border(row + 1, column, 3);
            }
        }
        Borders { plane, leaving, columns: columns + 1 }
    }

    fn rings(&self) -> Vec<Ring> {
        let mut open = self.leaving.clone();
        let mut rings = Vec::new();
        for start in 0..open.len() {
            while open[start] != 0 {
                rings.push(self.ring(start, open[start].trailing_zeros() as usize, &mut open));
            }
        }
        rings
    }

    /// Follows a border until it is closed, and takes it out of those that are open.
    fn ring(&self, start: usize, first: usize, open: &mut [u8]) -> Ring {
        let corner = |place: usize| [(place % self.columns) as i32, (place / self.columns) as i32];
        let (mut place, mut step) = (start, first);
        let (mut corners, mut area) = (Vec::new(), 0);
        loop {
            open[place] &= !(1 << step);
            let from = corner(place);
            corners.push(from);
            let [dx, dy] = STEPS[step];
            let to = [from[0] + dx, from[1] + dy];
            area += i64::from(from[0]) * i64::from(to[1]) - i64::from(to[0]) * i64::from(from[1]);
            place = to[1] as usize * self.columns + to[0] as usize;
            // Where two parts touch by a corner, the turn to the right stays with this one.
            let turns = [1, 0, 3].map(|turn| (step + turn) % 4);
            let Some(next) = turns.into_iter().find(|next| self.leaving[place] & 1 << next != 0) else { break };
            step = next;
            if (place, step) == (start, first) {
                break;
            }
        }
        // The pixel to the right of the first border.
        let [x, y] = corner(start);
        let [x, y] = match first {
            0 => [x, y],
            1 => [x - 1, y],
            2 => [x - 1, y - 1],
            _ => [x, y - 1],
        };
        Ring { corners, area, inside: y as usize * self.plane.ncols() + x as usize }
    }
}

/// The number of the part that each pixel belongs to; 0 outside.
fn parts(plane: ArrayView2<u8>) -> Vec<usize> {
    let (rows, columns) = plane.dim();
    let inside: Vec<bool> = plane.iter().map(|inside| *inside != 0).collect();
    let mut parts = vec![0; inside.len()];
    let (mut number, mut open) = (0, Vec::new());
    for first in 0..inside.len() {
        if !inside[first] || parts[first] != 0 {
            continue;
        }
        number += 1;
        open.push(first);
        while let Some(at) = open.pop() {
            if !inside[at] || std::mem::replace(&mut parts[at], number) == number {
                continue;
            }
            let (row, column) = (at / columns, at % columns);
            open.extend((row > 0).then(|| at - columns));
            open.extend((row + 1 < rows).then(|| at + columns));
            open.extend((column > 0).then(|| at - 1));
            open.extend((column + 1 < columns).then(|| at + 1));
        }
    }
    parts
}

/// Joins a hole with the polygon around it: from the hole's leftmost corner straight to the left. No such channel goes through a pixel's centre.
fn cut(polygon: &mut Vec<Corner>, hole: &Ring) {
    let [x, y] = hole.leftmost();
    let Some(begin) = hole.corners.iter().position(|corner| *corner == [x, y]) else { return };
    let left = polygon.iter().enumerate().filter(|(_, corner)| corner[1] == y && corner[0] <= x);
    let Some((at, _)) = left.max_by_key(|(_, corner)| corner[0]) else { return };
    let mut way = [&hole.corners[begin..], &hole.corners[..begin]].concat();
    way.extend([[x, y], polygon[at]]);
    polygon.splice(at + 1..at + 1, way);
}

/// Leaves out the corners at which a polygon does not turn.
fn without_straight_corners(polygon: Vec<Corner>) -> Vec<Corner> {
    let mut kept: Vec<Corner> = Vec::new();
    let turns = |[a, b, c]: [Corner; 3]| {
        let (to, from) = ([b[0] - a[0], b[1] - a[1]], [c[0] - b[0], c[1] - b[1]]);
        let across = i64::from(to[0]) * i64::from(from[1]) - i64::from(to[1]) * i64::from(from[0]);
        let along = i64::from(to[0]) * i64::from(from[0]) + i64::from(to[1]) * i64::from(from[1]);
        // Back on itself is a turn too.
        b != c && (across != 0 || along < 0)
    };
    let count = polygon.len();
    for (n, corner) in polygon.iter().enumerate() {
        let before = kept.last().copied().unwrap_or(polygon[count - 1]);
        if turns([before, *corner, polygon[(n + 1) % count]]) {
            kept.push(*corner);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ndarray::{array, Array2};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Fills a polygon by the pixels' centres: what a ray to the right crosses an odd number of times is inside.
    fn filled(polygon: &[Corner], (rows, columns): (usize, usize)) -> Array2<u8> {
        Array2::from_shape_fn((rows, columns), |(row, column)| {
            let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
            let next = polygon.iter().cycle().skip(1);
            let crossings = polygon.iter().zip(next).filter(|([x0, y0], [x1, y1])| {
                let (low, high) = (f64::from(*y0.min(y1)), f64::from(*y0.max(y1)));
                low < y && y < high && f64::from((*x0).max(*x1)) > x
            });
            (crossings.count() % 2) as u8
        })
    }

    #[test]
    fn a_block_is_its_four_corners() {
        let plane = array![[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0_u8]];
        assert_eq!(outlines(plane.view()), [[[1, 1], [3, 1], [3, 3], [1, 3]]]);
    }

    #[test]
    fn a_hole_is_cut_out_by_a_channel() {
        let plane = array![[1, 1, 1], [1, 0, 1], [1, 1, 1_u8]];
        let outlines = outlines(plane.view());
        assert_eq!(outlines.len(), 1);
        assert_eq!(filled(&outlines[0], plane.dim()), plane);
        // The channel begins and ends there.
        assert_eq!(outlines[0].iter().filter(|corner| **corner == [0, 1]).count(), 2);
    }

    #[test]
    fn what_touches_by_a_corner_is_two_parts() {
        let plane = array![[1, 0], [0, 1_u8]];
        assert_eq!(outlines(plane.view()).len(), 2);
        assert!(outlines(array![[0, 0_u8]].view()).is_empty());
    }

    /// Each polygon by itself is one part, and none lies on another: filled one by one or by odd numbers they are the mask.
    #[test]
    fn outlines_of_noise_are_the_noise() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for round in 0..300 {
            let share = f64::from(round % 10) / 10.0 + 0.05;
            let plane = Array2::from_shape_fn((9, 13), |_| u8::from(random.random_bool(share)));
            let mut sum = Array2::<u8>::zeros(plane.dim());
            for polygon in outlines(plane.view()) {
                sum += &filled(&polygon, plane.dim());
                let next = polygon.iter().cycle().skip(1);
                assert!(polygon.iter().zip(next).all(|(a, b)| a != b && (a[0] == b[0] || a[1] == b[1])));
            }
            assert_eq!(sum, plane);
        }
    }
}
