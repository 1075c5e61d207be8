//! What touches the pancreas, and organs that touch one another.
//!
//! A label map shows a few organs; all between them would be fat. In a body it is not: of the 5 mm around a pancreas three tenths are fat
//! in the median patient, hardly any in a lean one, three quarters in a stout one; the rest is stomach, bowel, spleen, kidney, liver and
//! veins. Here the fat of a map gives way until the share that a patient is meant to have is left: loops of bowel are laid along the
//! pancreas' surface, in front and below it, and organs grow into the fat between them. The pancreas itself stays as it was drawn.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ndarray::Array3;
use rand::Rng;

use super::bowel::{loop_of_bowel, Lumen};
use super::labels::{organ, Labels};
use super::leanness::Leanness;
use super::noise::normal;

/// How far from its surface a neighbour counts as touching the pancreas, in mm.
const NEAR: f64 = 5.0;
/// How far organs grow at the most, in mm.
const FARTHEST: f64 = 9.0;

/// How readily an organ takes the place of fat: 0 not at all. Vessels and bones keep their width.
fn growth(id: u8) -> f64 {
    match id {
        organ::STOMACH | organ::DUODENUM | organ::SMALL_BOWEL => 1.0,
        organ::LIVER | organ::SPLEEN | organ::COLON => 0.8,
        organ::GALLBLADDER | organ::MUSCLE => 0.5,
        organ::LEFT_KIDNEY | organ::RIGHT_KIDNEY | organ::VENA_CAVA | organ::PORTAL_VEIN => 0.4,
        organ::ADRENALS | organ::OESOPHAGUS | organ::MESENTERIC_VESSELS => 0.25,
        _ => 0.0,
    }
}

/// Lets the fat around the pancreas and between organs give way until `leanness` is reached, as far as that can be. `taken` says whose
/// loop of bowel each voxel is, as [`super::bowel::bowel`] left it.
pub(super) fn crowd(map: &mut Labels, taken: &mut Labels, leanness: &Leanness, random: &mut impl Rng) {
    const AWAY: f64 = 26.0;
    let from_pancreas = costs(map, AWAY, |id| if id == organ::PANCREAS { 1.0 } else { 0.0 }, |_| true).0;
    let shell: Vec<[usize; 3]> = from_pancreas
        .indexed_iter()
        .filter(|(_, away)| **away > 0.0 && f64::from(**away) <= NEAR)
        .map(|((z, y, x), _)| [z, y, x])
        .collect();
    if shell.is_empty() {
        return;
    }
    let share =
        |map: &Labels| shell.iter().filter(|at| map.ids[**at] == organ::FAT).count() as f64 / shell.len() as f64;
    // Loops do a part of it, growth the rest: neither alone looks like a body.
    let by_loops = random.random_range(0.25..0.75);
    let first = share(map);
    let wanted = leanness.fat_around + (1.0 - by_loops) * (first - leanness.fat_around).max(0.0);
    let lumen = Lumen::draw(random);
    for number in 0..60 {
        if share(map) <= wanted {
            break;
        }
        lay_loop(map, taken, &from_pancreas, &shell, leanness, (number % 200) as u8, lumen, random);
    }
    let (cost, owner) = costs(map, FARTHEST, growth, |id| id == organ::FAT);
    let mut candidates: Vec<f32> = shell.iter().filter(|at| map.ids[**at] == organ::FAT).map(|at| cost[*at]).collect();
    candidates.sort_by(f32::total_cmp);
    let spare = (leanness.fat_around * shell.len() as f64) as usize;
    let filled = candidates.len().saturating_sub(spare);
    let reach = match filled {
        0 => 0.0,
        n => candidates[n - 1].min(FARTHEST as f32),
    };
    let here = from_pancreas.map(|away| if f64::from(*away) < AWAY { 1.0_f32 } else { 0.8 });
    ndarray::Zip::from(&mut map.ids).and(&cost).and(&owner).and(&here).for_each(|id, cost, owner, here| {
        if *id == organ::FAT && *owner != organ::BACKGROUND && *cost <= reach * here {
            *id = *owner;
        }
    });
}

/// One loop of bowel along the pancreas' surface, where there is still fat.
#[allow(clippy::too_many_arguments)]
fn lay_loop(
    map: &mut Labels,
    taken: &mut Labels,
    from_pancreas: &Array3<f32>,
    shell: &[[usize; 3]],
    leanness: &Leanness,
    number: u8,
    lumen: Lumen,
    random: &mut impl Rng,
) {
    const STEP: f64 = 4.0;
    let spacing = map.spacing;
    let outwards = |at: [f64; 3]| -> Option<([f64; 3], f64)> {
        let index: [isize; 3] = std::array::from_fn(|a| (at[a] / spacing[a]).round() as isize);
        let inside = (0..3).all(|a| index[a] > 0 && index[a] + 1 < from_pancreas.shape()[a] as isize);
        if !inside {
            return None;
        }
        let index = index.map(|i| i as usize);
        let slope: [f64; 3] = std::array::from_fn(|a| {
            let (mut up, mut down) = (index, index);
            up[a] += 1;
            down[a] -= 1;
            let value = |at: [usize; 3]| f64::from(from_pancreas[at]).min(40.0);
            (value(up) - value(down)) / spacing[a]
        });
        let norm = slope.iter().map(|s| s * s).sum::<f64>().sqrt();
        (norm > 1e-6).then(|| (slope.map(|s| s / norm), f64::from(from_pancreas[index])))
    };
    // A place with fat whose way out does not lead to the back: there are kidney, spine and great vessels.
    let place = (0..40).find_map(|_| {
        let at = shell[random.random_range(0..shell.len())];
        let mm: [f64; 3] = std::array::from_fn(|a| at[a] as f64 * spacing[a]);
        let (out, _) = outwards(mm)?;
        (map.ids[at] == organ::FAT && out[1] < 0.35).then_some((mm, out))
    });
    let Some((mut at, mut out)) = place else { return };
    let thick = random.random_range(6.0..14.0);
    let gap = random.random_range(-1.0..1.2 + leanness.sheath());
    let mut heading: [f64; 3] = std::array::from_fn(|_| normal(random));
    let mut points = Vec::new();
    for _ in 0..random.random_range(4..18) {
        // Along the surface, at the distance at which the loop touches it.
        let along: f64 = (0..3).map(|a| heading[a] * out[a]).sum();
        heading = std::array::from_fn(|a| heading[a] - along * out[a] + 0.25 * normal(random));
        let norm = heading.iter().map(|h| h * h).sum::<f64>().sqrt().max(1e-6);
        heading = heading.map(|h| h / norm);
        let Some((way, away)) = outwards(at) else { break };
        out = way;
        let correction = if away < 25.0 { thick + gap - away } else { 0.0 };
        at = std::array::from_fn(|a| at[a] + correction * out[a]);
        points.push(at);
        at = std::array::from_fn(|a| at[a] + STEP * heading[a]);
    }
    if points.len() < 2 {
        return;
    }
    // Owners of the abdomen's own loops end at 252.
    let ids = [organ::SMALL_BOWEL, lumen.of_loop(random)];
    loop_of_bowel(map, taken, &points, thick, 253 - number.min(120), ids, 0.5 * leanness.sheath());
}

/// For each voxel that `passable` lets be crossed how far it is from the nearest organ, in mm divided by the organ's `speed`, up to
/// `farthest` (beyond: infinite), and which organ that is. Organs of speed 0 are no sources; sources have 0.
fn costs(
    map: &Labels,
    farthest: f64,
    speed: impl Fn(u8) -> f64,
    passable: impl Fn(u8) -> bool,
) -> (Array3<f32>, Array3<u8>) {
    let shape: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let mut cost = Array3::from_elem(shape, f32::INFINITY);
    let mut owner = Array3::from_elem(shape, organ::BACKGROUND);
    let mut queue = BinaryHeap::new();
    let steps: Vec<([isize; 3], f64)> = (0..27)
        .map(|n| [n / 9 - 1, n / 3 % 3 - 1, n % 3 - 1])
        .filter(|step| *step != [0; 3])
        .map(|step| (step, (0..3).map(|a| (step[a] as f64 * map.spacing[a]).powi(2)).sum::<f64>().sqrt()))
        .collect();
    let next = |at: [usize; 3], step: &[isize; 3]| -> Option<[usize; 3]> {
        let to: [isize; 3] = std::array::from_fn(|a| at[a] as isize + step[a]);
        (0..3).all(|a| to[a] >= 0 && to[a] < shape[a] as isize).then(|| to.map(|i| i as usize))
    };
    let speeds: Vec<f64> = (0..=u8::MAX).map(&speed).collect();
    for ((z, y, x), id) in map.ids.indexed_iter() {
        if speeds[*id as usize] > 0.0 {
            (cost[[z, y, x]], owner[[z, y, x]]) = (0.0, *id);
        }
    }
    let relax = |at: [usize; 3], cost: &mut Array3<f32>, owner: &mut Array3<u8>, queue: &mut BinaryHeap<Reached>| {
        let id = owner[at];
        for (step, length) in &steps {
            let Some(to) = next(at, step) else { continue };
            let there = cost[at] + (length / speeds[id as usize]) as f32;
            if there < cost[to] && f64::from(there) <= farthest && passable(map.ids[to]) {
                (cost[to], owner[to]) = (there, id);
                queue.push(Reached { cost: there, at: to });
            }
        }
    };
    // Only from its surface does an organ grow.
    let faces = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]];
    let at_surface = |at: [usize; 3]| faces.iter().any(|step| next(at, step).is_some_and(|to| cost[to] > 0.0));
    let sources: Vec<[usize; 3]> = cost
        .indexed_iter()
        .filter(|((z, y, x), c)| **c == 0.0 && at_surface([*z, *y, *x]))
        .map(|((z, y, x), _)| [z, y, x])
        .collect();
    for at in sources {
        relax(at, &mut cost, &mut owner, &mut queue);
    }
    while let Some(Reached { cost: reached, at }) = queue.pop() {
        if reached <= cost[at] {
            relax(at, &mut cost, &mut owner, &mut queue);
        }
    }
    (cost, owner)
}

/// A voxel on the front of a growth; the nearest comes first.
struct Reached {
    cost: f32,
    at: [usize; 3],
}

impl Ord for Reached {
    fn cmp(&self, other: &Self) -> Ordering {
        other.cost.total_cmp(&self.cost).then_with(|| other.at.cmp(&self.at))
    }
}

impl PartialOrd for Reached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Reached {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Reached {}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// A ball of a pancreas of 20 mm in fat, a stomach before it and a liver beside it, a gap of 6 mm away.
    fn body() -> Labels {
        let ids = Array3::from_shape_fn((50, 60, 60), |(z, y, x)| {
            let away = |c: [f64; 3]| (0..3).map(|a| ([z, y, x][a] as f64 * 2.0 - c[a]).powi(2)).sum::<f64>().sqrt();
            match () {
                _ if away([50.0, 60.0, 60.0]) < 20.0 => organ::PANCREAS,
                _ if y < 17 => organ::STOMACH,
                _ if x < 17 => organ::LIVER,
                _ => organ::FAT,
            }
        });
        Labels { ids, spacing: [2.0; 3] }
    }

    fn share_of_fat(map: &Labels) -> f64 {
        let away = costs(map, 5.0, |id| f64::from(u8::from(id == organ::PANCREAS)), |_| true).0;
        let shell = || away.iter().zip(&map.ids).filter(|(c, _)| **c > 0.0 && c.is_finite());
        shell().filter(|(_, id)| **id == organ::FAT).count() as f64 / shell().count() as f64
    }

    #[test]
    fn fat_around_the_pancreas_gives_way_to_the_share_that_is_wanted_and_the_pancreas_stays() {
        for (seed, degree, fat_around) in [(1, 0.9, 0.05), (2, 0.5, 0.31), (3, 0.1, 0.6)] {
            let before = body();
            let mut map = before.clone();
            let mut taken = Labels { ids: Array3::zeros(map.ids.raw_dim()), spacing: map.spacing };
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            crowd(&mut map, &mut taken, &Leanness { degree, fat_around }, &mut random);
            let left = share_of_fat(&map);
            assert!((left - fat_around).abs() < 0.12, "{left} where {fat_around} was wanted");
            for (old, new) in before.ids.iter().zip(&map.ids) {
                assert!(old == new || *old == organ::FAT, "{old} became {new}");
                assert!(*old == organ::PANCREAS || *new != organ::PANCREAS);
            }
        }
    }

    #[test]
    fn patients_have_as_much_fat_around_the_pancreas_as_thirty_real_ones_had() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let measured = |of_map: f64| of_map * 0.48 / (1.0 - 0.46 * of_map);
        let mut shares: Vec<f64> = (0..2000).map(|_| measured(Leanness::draw(&mut random).fat_around)).collect();
        shares.sort_by(f64::total_cmp);
        for (part, share) in Leanness::FAT_AROUND {
            let drawn = shares[((part * 1999.0) as usize).min(1999)];
            assert!((drawn - share).abs() < 0.08, "{part}: {drawn}, not {share}");
        }
    }

    #[test]
    fn costs_are_distances_divided_by_speed() {
        let mut map = Labels { ids: Array3::from_elem((1, 1, 20), organ::FAT), spacing: [2.0; 3] };
        map.ids[[0, 0, 0]] = organ::STOMACH;
        map.ids[[0, 0, 19]] = organ::LEFT_KIDNEY;
        let (cost, owner) = costs(&map, 100.0, growth, |id| id == organ::FAT);
        assert_eq!((cost[[0, 0, 3]], owner[[0, 0, 3]]), (6.0, organ::STOMACH));
        assert_eq!((cost[[0, 0, 18]], owner[[0, 0, 18]]), (5.0, organ::LEFT_KIDNEY));
        assert!(costs(&map, 5.0, growth, |id| id == organ::FAT).0[[0, 0, 9]].is_infinite());
    }
}
