//! Bowel around the organs of a label map: colon, loops of small bowel, and the small vessels of the mesentery.

use ndarray::Array3;
use rand::Rng;

use super::frame::Frame;
use super::labels::{organ, Labels};
use super::noise::{blurred, normal};
use super::shapes::{ball, distance};

/// What is in a patient's loops of small bowel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lumen {
    /// The shares of loops that hold gas, and that hold something else; the others are collapsed.
    gas: f64,
    filled: f64,
}

impl Lumen {
    pub fn draw(random: &mut impl Rng) -> Self {
        Lumen { gas: random.random_range(0.02..0.2), filled: random.random_range(0.1..0.7) }
    }

    /// What one loop is filled with. Collapsed ones are the pancreas' doubles.
    pub fn of_loop(&self, random: &mut impl Rng) -> u8 {
        let drawn = random.random::<f64>();
        if drawn < self.gas {
            organ::GAS
        } else if drawn < self.gas + self.filled {
            organ::CONTENT
        } else {
            organ::SMALL_BOWEL
        }
    }
}

/// Colon, loops of small bowel and small vessels in the fat of the abdomen; the less fat there is, the closer loops lie. Gives whose loop
/// each voxel is: 0 nobody's.
pub(super) fn bowel(map: &mut Labels, frame: &Frame, random: &mut impl Rng) -> Labels {
    let sheath = frame.leanness.sheath();
    /// The owner of places that loops stay out of.
    const NOBODY: u8 = u8::MAX;
    let size: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let extent: [f64; 3] = std::array::from_fn(|a| size[a] as f64 * map.spacing[a]);
    let mut taken = Labels { ids: Array3::zeros(size), spacing: map.spacing };
    let f = *frame;

    // Colon: up on the right, across in front, down on the left.
    let z_cross = f.pancreas_z[0] - random.random_range(-25.0..30.0);
    let side = f.half[1] * 0.62;
    let front = f.middle[0] - f.half[0] + f.fat + f.wall + random.random_range(18.0..34.0);
    let lateral = f.middle[0] + random.random_range(0.0..18.0);
    let right = f.middle[1] - side - random.random_range(0.0..16.0);
    let left = f.middle[1] + side + random.random_range(0.0..16.0);
    let colon = [
        [z_cross - 140.0, lateral, right],
        [z_cross - 20.0, lateral, right],
        [z_cross + 6.0, front + 14.0, right + 24.0],
        [z_cross - random.random_range(5.0..40.0), front, f.middle[1]],
        [z_cross + random.random_range(5.0..40.0), front + 20.0, left - 14.0],
        [z_cross + 10.0, lateral, left],
        [z_cross - 140.0, lateral + 10.0, left],
    ];
    let points = rounded(&colon);
    let thick = random.random_range(13.0..22.0);
    loop_of_bowel(map, &mut taken, &points, thick, 1, [organ::COLON, organ::COLON], sheath);

    // Small bowel: wandering loops, most of them below and to the left of the pancreas, some right before it.
    let closed = retroperitoneum(map, frame, random);
    ndarray::Zip::from(&mut taken.ids).and(&closed).for_each(|owner, closed| {
        if *closed {
            *owner = NOBODY;
        }
    });
    let count = random.random_range(60..110) + (50.0 * frame.leanness.degree) as usize;
    let lumen = Lumen::draw(random);
    for number in 0..count {
        let near = random.random::<f64>() < 0.3;
        let start = if near {
            std::array::from_fn(|a| f.pancreas[a] + [-22.0, -14.0, 16.0][a] + [26.0, 22.0, 48.0][a] * normal(random))
        } else {
            [
                random.random_range(0.0..f.pancreas[0] + 30.0),
                f.middle[0] + random.random_range(-0.8..0.25) * f.half[0],
                f.middle[1] + random.random_range(-0.7..0.8) * f.half[1],
            ]
        };
        let mut heading: [f64; 3] = std::array::from_fn(|_| normal(random));
        let mut at: [f64; 3] = start;
        let length = random.random_range(8..34);
        let mut points = Vec::new();
        for _ in 0..length {
            points.push(at);
            for (a, h) in heading.iter_mut().enumerate() {
                *h += 0.55 * normal(random) - 0.012 * (at[a] - start[a]);
            }
            let norm = heading.iter().map(|h| h * h).sum::<f64>().sqrt().max(1e-6);
            heading = heading.map(|h| h / norm);
            at = std::array::from_fn(|a| at[a] + 5.0 * heading[a]);
            if (0..3).any(|a| at[a] < -20.0 || at[a] > extent[a] + 20.0) {
                break;
            }
        }
        let thick = random.random_range(6.5..13.0);
        // Owners from 133 on are those of loops that are laid along the pancreas.
        let owner = 2 + (number % 130) as u8;
        let ids = [organ::SMALL_BOWEL, lumen.of_loop(random)];
        loop_of_bowel(map, &mut taken, &points, thick, owner, ids, sheath);
    }

    // Small vessels of the mesentery.
    for _ in 0..random.random_range(40..90) {
        let mut at: [f64; 3] = std::array::from_fn(|a| f.pancreas[a] + [50.0, 30.0, 60.0][a] * normal(random));
        let heading: [f64; 3] = std::array::from_fn(|_| normal(random));
        let thick = random.random_range(1.2..2.6);
        for _ in 0..random.random_range(6..20) {
            ball(map, at, thick, |voxel, _, _| {
                if *voxel == organ::FAT {
                    *voxel = organ::MESENTERIC_VESSELS;
                }
            });
            at = std::array::from_fn(|a| at[a] + 1.6 * heading[a] + 0.8 * normal(random));
        }
    }
    taken.ids.mapv_inplace(|owner| if owner == NOBODY { 0 } else { owner });
    taken
}

/// Where loops of small bowel do not come: the pancreas' own fat, which is thicker in those who have more of it, and, as high as the
/// pancreas reaches, everything behind it.
fn retroperitoneum(map: &Labels, frame: &Frame, random: &mut impl Rng) -> Array3<bool> {
    let spacing = map.spacing;
    let fat = (1.0 + frame.fat * random.random_range(0.05..0.3)).clamp(1.5, 7.0) * (1.0 - frame.leanness.degree);
    let pancreas = map.ids.mapv(|id| f32::from(u8::from(id == organ::PANCREAS)));
    // By column from right to left the row behind which nothing of the pancreas is.
    let (_, ny, nx) = map.ids.dim();
    let mut back: Vec<Option<usize>> = vec![None; nx];
    for ((_, y, x), share) in pancreas.indexed_iter() {
        if *share > 0.0 {
            back[x] = Some(back[x].map_or(y, |row| row.max(y)));
        }
    }
    let ends = back.iter().position(Option::is_some).zip(back.iter().rposition(Option::is_some));
    let Some((right, left)) = ends else { return Array3::from_elem(map.ids.raw_dim(), false) };
    let back: Vec<usize> = (0..nx).map(|x| back[x.clamp(right, left)].unwrap_or(ny)).collect();
    // Blurred by a deviation of d, a plane's edge falls to 0.16 at a distance of d.
    let around = blurred(pancreas, spacing.map(|s| fat / s));
    let levels = [frame.pancreas_z[0] - 8.0, frame.pancreas_z[1] + 8.0];
    Array3::from_shape_fn(map.ids.raw_dim(), |(z, y, x)| {
        let level = z as f64 * spacing[0];
        (fat > 0.5 && around[[z, y, x]] > 0.12) || (level > levels[0] && level < levels[1] && y > back[x])
    })
}

/// A polyline with its corners rounded.
fn rounded(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let mut points = points.to_vec();
    for _ in 0..3 {
        let mut finer = vec![points[0]];
        for ends in points.windows(2) {
            finer.push(std::array::from_fn(|a| 0.75 * ends[0][a] + 0.25 * ends[1][a]));
            finer.push(std::array::from_fn(|a| 0.25 * ends[0][a] + 0.75 * ends[1][a]));
        }
        finer.push(points[points.len() - 1]);
        points = finer;
    }
    points
}

/// One loop: `ids` are its wall and its lumen. It fills fat that no other loop has, or keeps clear.
pub(super) fn loop_of_bowel(
    map: &mut Labels,
    taken: &mut Labels,
    points: &[[f64; 3]],
    thick: f64,
    owner: u8,
    ids: [u8; 2],
    sheath: f64,
) {
    const WALL: f64 = 2.6;
    let step = 3.0_f64;
    let mut dense = Vec::new();
    for ends in points.windows(2) {
        let parts = (distance(ends[0], ends[1]) / step).ceil().max(1.0) as usize;
        dense.extend((0..parts).map(|part| {
            let t = part as f64 / parts as f64;
            std::array::from_fn(|a| ends[0][a] + t * (ends[1][a] - ends[0][a]))
        }));
    }
    for (number, centre) in dense.iter().enumerate() {
        // Folds and haustra.
        let here = thick * (1.0 + 0.12 * (number as f64 * 0.9).sin());
        ball(taken, *centre, here + sheath, |voxel, _, _| {
            if *voxel == 0 {
                *voxel = owner;
            }
        });
        ball(map, *centre, here, |voxel, index, far| {
            if taken.ids[index] != owner {
                return;
            }
            if far <= here - WALL {
                if *voxel == organ::FAT || *voxel == ids[0] {
                    *voxel = ids[1];
                }
            } else if *voxel == organ::FAT {
                *voxel = ids[0];
            }
        });
    }
}
