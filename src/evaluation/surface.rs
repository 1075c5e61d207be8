//! Distances between the surfaces of two masks.
//!
//! The squared distance to the nearest of a set of voxels is separable: along a row it is a square, and each further axis takes
//! the lower envelope of parabolas (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012). All of it is in
//! f64, with the spacing in the parabolas' places, so the distances are exact for any spacing.
//!
//! Only the distances at the other mask's surface are asked for. The envelopes of an axis are therefore taken only in the
//! columns that hold such a voxel, and what is kept between the slices and the last axis is one number per slice and column:
//! masks that fill a whole scan cost little more than those in a corner.

use ndarray::ArrayView3;
use rayon::prelude::*;

/// The distances, in mm, from each surface voxel of `a` to the nearest one of `b`, then from each of `b` to the nearest of `a`.
///
/// Both masks have one shape and are not empty; `spacing` is along their axes.
pub fn distances(a: ArrayView3<u8>, b: ArrayView3<u8>, spacing: [f64; 3]) -> Vec<f64> {
    let (a, b) = (Points::surface(a), Points::surface(b));
    let mut distances = directed(&a, &b, spacing);
    distances.extend(directed(&b, &a, spacing));
    distances
}

/// Some points of a grid: for each slice those of its rows that have any, with their places along the row, ascending.
pub struct Points {
    shape: [usize; 3],
    slices: Vec<Vec<Row>>,
}

struct Row {
    y: usize,
    places: Vec<u32>,
}

impl Points {
    /// Those for which `chosen` is true.
    pub fn chosen(values: ArrayView3<u8>, chosen: impl Fn(u8) -> bool + Sync) -> Self {
        let (depth, height, width) = values.dim();
        let slice = |z: usize| {
            let places = |y: usize| -> Vec<u32> {
                (0..width).filter(|x| chosen(values[[z, y, *x]])).map(|x| x as u32).collect()
            };
            (0..height).map(|y| Row { y, places: places(y) }).filter(|row| !row.places.is_empty()).collect()
        };
        Points { shape: [depth, height, width], slices: (0..depth).into_par_iter().map(slice).collect() }
    }

    /// The surface voxels of a mask.
    fn surface(mask: ArrayView3<u8>) -> Self {
        let (depth, height, width) = mask.dim();
        let mask = mask.as_standard_layout();
        let voxels = mask.as_slice().unwrap_or_default();
        let row = |z: usize, y: usize| &voxels[(z * height + y) * width..][..width];
        let slice = |z: usize| {
            let mut rows = Vec::new();
            for y in 0..height {
                let here = row(z, y);
                if here.iter().all(|v| *v == 0) {
                    continue;
                }
                // At the array's border there is no neighbour, and all of the row is surface.
                let inner = z > 0 && z + 1 < depth && y > 0 && y + 1 < height;
                let around = inner.then(|| [row(z - 1, y), row(z + 1, y), row(z, y - 1), row(z, y + 1)]);
                let covered = |x: usize| {
                    x > 0
                        && x + 1 < width
                        && here[x - 1] != 0
                        && here[x + 1] != 0
                        && around.is_some_and(|rows| rows.iter().all(|row| row[x] != 0))
                };
                let places = (0..width).filter(|x| here[*x] != 0 && !covered(*x)).map(|x| x as u32).collect();
                rows.push(Row { y, places });
            }
            rows
        };
        Points { shape: [depth, height, width], slices: (0..depth).into_par_iter().map(slice).collect() }
    }

    /// All of them as (z, y, x), in the order of what [`directed`] returns.
    pub fn in_order(&self) -> Vec<[usize; 3]> {
        let columns = self.columns();
        let of_column = |(number, (x, y)): (usize, &(usize, usize))| {
            let slices = &columns.slices[columns.starts[number]..columns.starts[number + 1]];
            slices.iter().map(|z| [*z as usize, *y, *x]).collect::<Vec<_>>()
        };
        columns.places.iter().enumerate().flat_map(of_column).collect()
    }

    /// The columns along the first axis that hold a voxel, ordered by x, then y, each with its slices.
    fn columns(&self) -> Columns {
        let [_, height, width] = self.shape;
        let voxels = || {
            self.slices.iter().enumerate().flat_map(|(z, rows)| {
                rows.iter().flat_map(move |row| row.places.iter().map(move |x| (z, row.y, *x as usize)))
            })
        };
        let mut next = vec![0_usize; width * height];
        voxels().for_each(|(_, y, x)| next[x * height + y] += 1);
        let mut columns = Columns { places: Vec::new(), starts: vec![0], slices: Vec::new() };
        let mut total = 0;
        for (index, next) in next.iter_mut().enumerate() {
            let count = std::mem::replace(next, total);
            if count > 0 {
                total += count;
                columns.places.push((index / height, index % height));
                columns.starts.push(total);
            }
        }
        columns.slices.resize(total, 0);
        for (z, y, x) in voxels() {
            let at = &mut next[x * height + y];
            columns.slices[*at] = z as u32;
            *at += 1;
        }
        columns
    }
}

struct Columns {
    /// (x, y) of each.
    places: Vec<(usize, usize)>,
    /// Where each one's slices begin, and where the last one's end.
    starts: Vec<usize>,
    /// The slices of all columns, ascending in each.
    slices: Vec<u32>,
}

/// The distance from each point of `from` to the nearest of `to`, in mm and in the order of [`Points::in_order`].
pub fn directed(from: &Points, to: &Points, spacing: [f64; 3]) -> Vec<f64> {
    let columns = from.columns();
    let slices: Vec<(f64, Vec<f64>)> = to
        .slices
        .par_iter()
        .enumerate()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(z, rows)| (z as f64, in_slice(rows, &columns.places, spacing)))
        .collect();
    (0..columns.places.len())
        .into_par_iter()
        .map_init(
            || Envelope::new(spacing[0]),
            |envelope, column| {
                envelope.clear();
                slices.iter().for_each(|(place, squares)| envelope.add(*place, squares[column]));
                let asked = &columns.slices[columns.starts[column]..columns.starts[column + 1]];
                let mut cursor = envelope.cursor();
                asked.iter().map(|z| cursor.at(f64::from(*z)).sqrt()).collect::<Vec<f64>>()
            },
        )
        .collect::<Vec<_>>()
        .concat()
}

/// The squared distance within one slice from each of `places`, as (x, y) ordered by x, then y, to the nearest voxel of `rows`.
fn in_slice(rows: &[Row], places: &[(usize, usize)], spacing: [f64; 3]) -> Vec<f64> {
    let mut squares = Vec::with_capacity(places.len());
    let mut envelope = Envelope::new(spacing[1]);
    // For each row, the first of its voxels that is not left of the column at hand.
    let mut next = vec![0_usize; rows.len()];
    for column in places.chunk_by(|a, b| a.0 == b.0) {
        let x = column[0].0;
        envelope.clear();
        for (row, next) in rows.iter().zip(&mut next) {
            while row.places.get(*next).is_some_and(|place| (*place as usize) < x) {
                *next += 1;
            }
            let right = row.places.get(*next).map(|place| *place as usize - x);
            let left = next.checked_sub(1).and_then(|left| row.places.get(left)).map(|place| x - *place as usize);
            if let Some(steps) = left.into_iter().chain(right).min() {
                envelope.add(row.y as f64, (steps as f64 * spacing[2]).powi(2));
            }
        }
        let mut cursor = envelope.cursor();
        squares.extend(column.iter().map(|(_, y)| cursor.at(*y as f64)));
    }
    squares
}

/// The lower envelope of parabolas of one width: at p the smallest of ((p - place) spacing)² + height, p and place in steps.
struct Envelope {
    spacing: f64,
    parabolas: Vec<Parabola>,
}

#[derive(Clone, Copy)]
struct Parabola {
    place: f64,
    height: f64,
    /// From here on it is the lowest, until the next one is.
    start: f64,
}

impl Envelope {
    fn new(spacing: f64) -> Self {
        Envelope { spacing, parabolas: Vec::new() }
    }

    fn clear(&mut self) {
        self.parabolas.clear();
    }

    /// Adds a parabola to the right of all others.
    fn add(&mut self, place: f64, height: f64) {
        let mut start = f64::NEG_INFINITY;
        while let Some(last) = self.parabolas.last() {
            let slope = (height - last.height) / ((place - last.place) * self.spacing * self.spacing);
            start = 0.5 * (place + last.place) + 0.5 * slope;
            if start > last.start {
                break;
            }
            self.parabolas.pop();
            start = f64::NEG_INFINITY;
        }
        self.parabolas.push(Parabola { place, height, start });
    }

    fn cursor(&self) -> Cursor<'_> {
        Cursor { spacing: self.spacing, parabolas: &self.parabolas }
    }
}

/// Reads an envelope from left to right.
struct Cursor<'a> {
    spacing: f64,
    parabolas: &'a [Parabola],
}

impl Cursor<'_> {
    /// The envelope at `p`, which is not left of where it was read last.
    fn at(&mut self, p: f64) -> f64 {
        while self.parabolas.get(1).is_some_and(|next| next.start <= p) {
            self.parabolas = &self.parabolas[1..];
        }
        self.parabolas
            .first()
            .map_or(f64::INFINITY, |lowest| ((p - lowest.place) * self.spacing).powi(2) + lowest.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use rand::{Rng, SeedableRng};

    /// All pairs, by the definition.
    fn by_definition(a: &Array3<u8>, b: &Array3<u8>, spacing: [f64; 3]) -> Vec<f64> {
        let surface = |mask: &Array3<u8>| -> Vec<[f64; 3]> {
            let inside = |index: [i64; 3]| {
                let index = index.map(usize::try_from);
                matches!(index, [Ok(z), Ok(y), Ok(x)] if mask.get([z, y, x]).is_some_and(|v| *v != 0))
            };
            let steps = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1_i64]];
            mask.indexed_iter()
                .map(|((z, y, x), _)| [z as i64, y as i64, x as i64])
                .filter(|at| inside(*at) && steps.iter().any(|s| !inside([at[0] + s[0], at[1] + s[1], at[2] + s[2]])))
                .map(|at| std::array::from_fn(|axis| at[axis] as f64 * spacing[axis]))
                .collect()
        };
        let (a, b) = (surface(a), surface(b));
        let nearest = |p: &[f64; 3], others: &[[f64; 3]]| {
            let squared = |q: &[f64; 3]| (0..3).map(|axis| (p[axis] - q[axis]).powi(2)).sum::<f64>();
            others.iter().map(squared).fold(f64::INFINITY, f64::min).sqrt()
        };
        a.iter().map(|p| nearest(p, &b)).chain(b.iter().map(|p| nearest(p, &a))).collect()
    }

    #[test]
    fn random_masks_of_all_densities_are_as_by_definition() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for round in 0..200 {
            let shape: [usize; 3] = std::array::from_fn(|_| random.random_range(1..9));
            let spacing: [f64; 3] = std::array::from_fn(|_| random.random_range(0.3..5.0));
            let mut mask = || {
                let density = [0.02, 0.2, 0.6, 0.95][random.random_range(0..4)];
                let mut mask = Array3::from_shape_simple_fn(shape, || u8::from(random.random_bool(density)));
                let any: [usize; 3] = std::array::from_fn(|axis| random.random_range(0..shape[axis]));
                mask[any] = 1;
                mask
            };
            let (a, b) = (mask(), mask());
            let (mut expected, mut found) = (by_definition(&a, &b, spacing), distances(a.view(), b.view(), spacing));
            expected.sort_by(f64::total_cmp);
            found.sort_by(f64::total_cmp);
            assert_eq!(expected.len(), found.len(), "round {round}");
            for (e, f) in expected.iter().zip(&found) {
                assert!((e - f).abs() < 1e-12, "round {round}: {e} {f}");
            }
        }
    }
}
