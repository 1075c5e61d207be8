//! Oesophagus, stomach, duodenum, colon and small bowel: hollow tubes with gas where it rises to.

use super::pancreas::Line;
use super::shape::{add, length, meet, mix, sub, Dice, Node, Tube, P};
use super::viscera::push_tube;
use super::{organ, Body, Scene};

/// Oesophagus, stomach and duodenum.
pub fn upper(dice: &mut Dice, scene: &mut Scene, line: &Line) {
    let cardia = dice.near([18.0, 2.0, 66.0], 3.0);
    let spine = scene.trunk.before_spine(120.0);
    let gullet = [
        Node::round([6.0, spine - 24.0, 160.0], 9.0),
        Node::round([7.0, spine - 24.0, 112.0], 9.0),
        Node::round([10.0, 14.0, 84.0], 8.0),
        Node::round(cardia, 8.5),
        Node::round(add(cardia, [12.0, -4.0, -4.0]), 8.0),
    ];
    push_tube(scene, organ::OESOPHAGUS, 0.0, &Tube::through(&gullet, 8.0));
    duodenum(dice, scene, line);
    stomach(dice, scene, cardia);
}

/// Where the pylorus ends and the bulb begins.
const PYLORUS: P = [-30.0, -37.0, 10.0];

/// A C around the head of the pancreas: bulb, descending, horizontal under the mesenteric vessels, ascending part.
fn duodenum(dice: &mut Dice, scene: &mut Scene, line: &Line) {
    let top = line.head[1];
    let low = line.head[3];
    let r = dice.between(9.5, 12.5);
    let right = top.at[0] - top.half[0] - r + 5.0;
    let under = low.at[2] - r - dice.between(1.0, 7.0);
    let c = line.confluence;
    let aorta = scene.trunk.before_spine(under) - 20.0;
    // Where it crosses, the mesenteric vessels leave it some centimetre before the aorta.
    let crossing = aorta - 8.5;
    let sag = dice.between(0.0, 8.0);
    let full = |dice: &mut Dice| if dice.chance(0.3) { dice.between(-0.6, 0.2) } else { -2.0 };
    let mut places = vec![
        Node::round(add(PYLORUS, [-2.0, 0.0, 1.0]), 0.8 * r),
        Node::round([0.5 * (PYLORUS[0] + right) - 4.0, PYLORUS[1] + 10.0, c[2] + 14.0], 1.15 * r),
        Node::round([right, c[1] + 4.0, c[2] + 4.0], r),
        Node::round([right - 2.0, c[1] + 14.0, c[2] - 16.0], 1.05 * r),
        Node::round([right, c[1] + 16.0, under + 14.0], 1.05 * r),
        Node::round([right + 15.0, c[1] + 13.0, under - 2.0 - sag], r),
        Node::oval([c[0] - 6.0, crossing, under - sag], r, 8.0),
        Node::oval([c[0] + 20.0, crossing, under - sag + 2.0], r, 8.0),
        Node::round([c[0] + 40.0, aorta + 2.0, under + 16.0], r),
        Node::round([c[0] + 46.0, aorta - 6.0, c[2] - 20.0], r),
        Node::round([c[0] + 55.0, aorta - 26.0, c[2] - 26.0], r),
    ];
    for place in &mut places {
        place.at = dice.near(place.at, 1.2);
        place.gas = full(dice);
    }
    for piece in Tube::through(&places, 6.0).pieces(8) {
        scene.bodies.push(Body::new(organ::DUODENUM, 0.0, piece.bounds(), move |p, local| {
            let hit = piece.hit(p);
            let d = hit.distance + 0.8 * local.noise;
            (d, if d < -3.0 && hit.is_gas(p) { organ::GAS } else { organ::DUODENUM })
        }));
    }
}

/// From the cardia up into the fundus, down the body, across to the pylorus; nearly empty to well filled.
fn stomach(dice: &mut Dice, scene: &mut Scene, cardia: P) {
    let fill = dice.between(0.62, 1.2);
    // The fundus follows the left dome of the diaphragm.
    let up = 0.7 * (scene.trunk.domes[1] - 86.0);
    let hang = dice.between(0.0, 26.0);
    let front = -0.32 * scene.trunk.depth();
    let places = [
        Node::round(add(cardia, [38.0, 22.0, 10.0 + up]), 27.0 * fill.powf(0.7)),
        Node::round(add(cardia, [45.0, 0.0, -1.0 + up]), 36.0 * fill.powf(0.7)),
        Node::round([63.0, front - 6.0, 40.0 - 0.2 * hang], 32.0 * fill),
        Node::round([46.0, front - 26.0, 14.0 - 0.7 * hang], 26.0 * fill),
        Node::round([14.0, front - 30.0, 2.0 - hang], 22.0 * fill),
        Node::round([-14.0, 0.5 * (front - 24.0 + PYLORUS[1]), 4.0 - 0.4 * hang], 15.0 * fill.sqrt()),
        Node::round(PYLORUS, 8.5),
    ];
    let wall = mix(5.5, 3.0, (fill - 0.6) / 0.6);
    // One level of fluid for all of it, since it is one space.
    let level = front + dice.between(-38.0, 8.0);
    let tube = Tube::through(&places, 8.0);
    let meal = dice.between(0.0, 2.0);
    for piece in tube.pieces(6) {
        scene.bodies.push(Body::new(organ::STOMACH, 0.0, piece.bounds().grown(4.0), move |p, local| {
            let d = piece.distance(p) + 1.5 * local.noise;
            let d = meet(d, local.wall + 3.0, 9.0).max(local.above + 2.0);
            let label = match () {
                _ if d > -wall - meal * local.noise.abs() => organ::STOMACH,
                _ if p[1] < level => organ::GAS,
                _ => organ::CONTENT,
            };
            (d, label)
        }));
    }
}

trait Grown {
    fn grown(self, by: f64) -> Self;
}

impl Grown for [P; 2] {
    fn grown(self, by: f64) -> Self {
        [self[0].map(|v| v - by), self[1].map(|v| v + by)]
    }
}

/// The frame of the colon: up on the right, across in front, down on the left; with haustra.
pub fn colon(dice: &mut Dice, scene: &mut Scene) {
    let v = scene.trunk.visceral;
    let side = 92.0 + 14.0 * v;
    let front = 27.0 - scene.trunk.depth();
    let sag = dice.between(0.0, 45.0);
    let wide = dice.between(0.8, 1.25);
    let mut points = vec![
        ([-side + 2.0, 18.0, -175.0], 25.0),
        ([-side, 22.0, -120.0], 25.0),
        ([-side - 2.0, 24.0, -82.0], 23.0),
        ([-side + 8.0, 4.0, -56.0 + dice.between(-8.0, 6.0)], 21.0),
        ([-62.0, front + 12.0, -52.0 - 0.3 * sag], 19.0),
        ([-28.0, front - 4.0, -52.0 - 0.8 * sag], 19.0),
        ([14.0, front - 8.0, -44.0 - sag], 18.0),
        ([54.0, front + 2.0, -28.0 - 0.6 * sag], 17.0),
        ([side - 8.0, front + 28.0, 0.0], 17.0),
        ([side + 4.0, 18.0, 24.0], 16.0),
        ([side + 6.0, 42.0, -6.0], 14.5),
        ([side + 2.0, 40.0, -60.0], 14.0),
        ([side - 2.0, 34.0, -110.0], 14.0),
        ([side - 8.0, 26.0, -175.0], 15.0),
    ];
    for (at, _) in &mut points {
        *at = dice.near(*at, 5.0);
    }
    let places: Vec<Node> = points.iter().map(|(at, r)| Node::round(*at, r * wide)).collect();
    let mut tube = Tube::through(&places, 4.0);
    let haustrum = dice.between(24.0, 34.0);
    let depth = dice.between(0.16, 0.32);
    let (mut gas, mut next) = (-2.0, 0.0);
    let mut along = 0.0;
    for n in 0..tube.nodes.len() {
        if n > 0 {
            along += length(sub(tube.nodes[n].at, tube.nodes[n - 1].at));
        }
        if along >= next {
            // The transverse colon lies in front and holds most of the gas.
            let high = tube.nodes[n].at[1] < 0.0;
            gas = if dice.chance(if high { 0.75 } else { 0.4 }) {
                dice.between(-0.7, if high { 0.9 } else { 0.3 })
            } else {
                -2.0
            };
            next = along + dice.between(25.0, 70.0);
        }
        let fold = (along / haustrum * std::f64::consts::PI).cos().abs().powi(6);
        let r = tube.nodes[n].half[0] * (1.0 - depth * fold);
        tube.nodes[n] = Node { at: tube.nodes[n].at, half: [r; 2], gas };
    }
    for piece in tube.pieces(9) {
        scene.bodies.push(Body::new(organ::COLON, 1.5, piece.bounds().grown(3.0), move |p, local| {
            let hit = piece.hit(p);
            let d = meet(hit.distance + 1.5 * local.noise, local.wall + 2.0, 5.0).max(local.above + 2.0);
            (d, if d < -2.5 && hit.is_gas(p) { organ::GAS } else { organ::COLON })
        }));
    }
}

/// Loops of jejunum and ileum through all the room that is left below the pancreas.
///
/// The room is a jittered lattice; each loop is a walk over free neighbours, which prefers those with few ways out and so
/// leaves little behind. Neighbouring runs are a pitch apart and thinner than that: they touch at most.
pub fn small(dice: &mut Dice, scene: &mut Scene) {
    let pitch = dice.between(21.0, 28.0);
    let mesentery = 0.25 * scene.trunk.visceral;
    // Turned against the axes, so that no slice runs between two layers.
    let turn = [dice.between(0.2, 0.7), dice.between(0.2, 0.7)];
    let middle = [0.0, -30.0, -85.0];
    let size = [260.0, 260.0, 260.0].map(|v: f64| (v / pitch) as usize + 1);
    let count = size[0] * size[1] * size[2];
    let cell = |n: usize| [n % size[0], n / size[0] % size[1], n / (size[0] * size[1])];
    let mut points = Vec::with_capacity(count);
    let mut free = Vec::with_capacity(count);
    for n in 0..count {
        let at = cell(n);
        let [x, y, z] = std::array::from_fn(|a| (at[a] as f64 - 0.5 * size[a] as f64) * pitch);
        let [(s, c), (t, d)] = turn.map(f64::sin_cos);
        let [y, z] = [c * y - s * z, s * y + c * z];
        let p = dice.near(add(middle, [d * x - t * z, y, t * x + d * z]), 0.08 * pitch);
        let skipped = dice.chance(mesentery);
        // Below the transverse mesocolon on the right, up to the pancreas on the left; in front of the kidneys.
        let roof = mix(-46.0, 8.0, ((p[0] - 5.0) / 45.0).clamp(0.0, 1.0));
        let root = length(sub(p, [0.0, 0.0, -70.0])) < 0.7 * pitch;
        let room =
            p[2] < roof && p[2] > -170.0 && p[1] < 46.0 && !root && !skipped && scene.trunk.wall(p) < -0.3 * pitch;
        // Not into the hilum of a kidney.
        let near = if p[1] > 18.0 { 0.5 } else { 0.24 };
        free.push(room && scene.clearance(p) > near * pitch);
        points.push(p);
    }
    let neighbours = |n: usize, free: &[bool]| -> Vec<usize> {
        let at = cell(n);
        let mut found = Vec::new();
        for (a, stride) in [1, size[0], size[0] * size[1]].into_iter().enumerate() {
            if at[a] > 0 && free[n - stride] {
                found.push(n - stride);
            }
            if at[a] + 1 < size[a] && free[n + stride] {
                found.push(n + stride);
            }
        }
        found
    };
    for start in (0..count).rev() {
        if !free[start] {
            continue;
        }
        free[start] = false;
        let mut walk = vec![start];
        while let Some(last) = walk.last() {
            let ways = neighbours(*last, &free);
            let Some(next) = ways.into_iter().min_by_key(|w| (neighbours(*w, &free).len(), dice.below(8))) else {
                break;
            };
            free[next] = false;
            walk.push(next);
        }
        if walk.len() > 2 {
            bowel_loop(dice, scene, &walk.iter().map(|n| points[*n]).collect::<Vec<_>>(), pitch);
        }
    }
}

/// One run of small bowel through some points.
fn bowel_loop(dice: &mut Dice, scene: &mut Scene, points: &[P], pitch: f64) {
    let mut gas = -2.0;
    let places: Vec<Node> = points
        .iter()
        .map(|at| {
            if dice.chance(0.3) {
                gas = if dice.chance(0.25) { dice.between(-0.6, 0.6) } else { -2.0 };
            }
            Node { at: *at, half: [pitch * dice.between(0.44, 0.54); 2], gas }
        })
        .collect();
    for piece in Tube::through(&places, 7.0).pieces(6) {
        scene.bodies.push(Body::new(organ::SMALL_BOWEL, 0.8, piece.bounds().grown(2.0), move |p, local| {
            let hit = piece.hit(p);
            let d = (hit.distance + 1.2 * local.noise).max(local.wall + 2.0);
            (d, if d < -2.5 && hit.is_gas(p) { organ::GAS } else { organ::SMALL_BOWEL })
        }));
    }
}
