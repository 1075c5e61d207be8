//! The pancreas: a lobulated tube of changing elliptic cross-section around the vessels behind it.
//!
//! Head to the right of the superior mesenteric vein and in front of the vena cava, its uncinate process behind that vein,
//! the neck in front of where splenic and mesenteric vein become the portal vein, the body bent forward over the aorta,
//! the tail to the hilum of the spleen. Handbooks give 40 to 130 mL, less in the old, with fat between the lobules.

use super::shape::{add, join, mix, scale, sub, unit, Dice, Node, Tube, P};
use super::trunk::Trunk;
use super::{organ, Body, Scene};
use crate::synthesis::field::Field;

/// Where the pancreas runs, for its neighbours to follow.
pub struct Line {
    /// From the neck to the tip of the tail; half axes are half height and half thickness.
    pub body: Vec<Node>,
    /// From the top of the head to its lower end.
    pub head: Vec<Node>,
    /// The uncinate process.
    uncinate: Vec<Node>,
    /// Where splenic and mesenteric vein meet.
    pub confluence: P,
}

impl Line {
    /// A course and a calibre: tails rise, run level, fall or wind; glands are atrophic to bulky.
    pub fn new(dice: &mut Dice, trunk: &Trunk) -> Self {
        let bulk = dice.between(0.78, 1.22);
        let part = |dice: &mut Dice, low: f64, high: f64| 0.5 * bulk * dice.between(low, high);
        let confluence = dice.near([-9.0, -9.0 - 3.0 * trunk.visceral, 2.0], 2.0);
        let c = confluence;
        // Heights of body middle, body end, tail and tip above the neck.
        let rise = match dice.below(10) {
            0..=4 => [7.0, 16.0, 27.0, 35.0],
            5..=6 => [8.0, 13.0, 14.0, 13.0],
            7 => [12.0, 15.0, 4.0, -8.0],
            _ => [15.0, 13.0, 17.0, 31.0],
        };
        let rise: Vec<f64> = rise.iter().map(|z| z + dice.between(-4.0, 4.0)).collect();
        let stretch = dice.between(0.92, 1.08);
        let [neck_h, neck_t] = [part(dice, 20.0, 26.0), part(dice, 10.0, 14.0)];
        let [body_h, body_t] = [part(dice, 24.0, 33.0), part(dice, 13.0, 20.0)];
        let [tail_h, tail_t] = [part(dice, 24.0, 38.0), part(dice, 15.0, 25.0)];
        let neck_y = c[1] - 7.0 - neck_t;
        let forward = dice.between(0.0, 7.0);
        let far = |x: f64| c[0] + x * stretch;
        let body = vec![
            Node::oval([c[0] - 7.0, neck_y + 3.0, c[2] - 4.0], neck_h, neck_t),
            Node::oval([far(4.0), neck_y - 2.0, c[2] + 2.0], neck_h, neck_t),
            Node::oval([far(25.0), neck_y - forward, c[2] + rise[0]], body_h, body_t),
            Node::oval([far(50.0), neck_y + 12.0 - 0.5 * forward, c[2] + rise[1]], body_h, body_t),
            Node::oval([far(75.0), neck_y + 33.0 + dice.between(-4.0, 6.0), c[2] + rise[2]], tail_h, tail_t),
            Node::oval(
                [far(93.0), neck_y + 51.0 + dice.between(-5.0, 7.0), c[2] + rise[3]],
                0.7 * tail_h,
                0.7 * tail_t,
            ),
        ];
        let [head_w, head_d] = [part(dice, 24.0, 34.0), part(dice, 22.0, 30.0)];
        let low = dice.between(34.0, 48.0);
        let x = c[0] - 10.0 - 0.75 * head_w;
        let head = vec![
            Node::oval([x + 6.0, neck_y + 5.0, c[2] + 6.0], 0.65 * head_w, 0.75 * head_d),
            Node::oval([x, c[1] - 1.0, c[2] - 8.0], head_w, head_d),
            Node::oval([x - 1.0, c[1] + 5.0, c[2] - 0.6 * low], head_w, 0.9 * head_d),
            Node::oval([x + 1.0, c[1] + 8.0, c[2] - low], 0.7 * head_w, 0.6 * head_d),
        ];
        let behind = dice.between(1.0, 9.0);
        let uncinate = vec![
            Node::oval([x + 2.0, c[1] + 9.0, c[2] - 0.65 * low], 11.0 * bulk, 8.0 * bulk),
            Node::oval([c[0] - 6.0, c[1] + 13.0, c[2] - 0.7 * low], 11.0 * bulk, 5.8 * bulk),
            Node::oval([c[0] + behind, c[1] + 13.0, c[2] - 0.72 * low], 8.0 * bulk, 3.6 * bulk),
        ];
        Line { body, head, uncinate, confluence }
    }

    /// The course of the splenic vein: behind the pancreas, a little above its middle, on to the hilum of the spleen.
    pub fn splenic_vein(&self, radius: f64) -> Tube {
        let along = Tube::through(&self.body[1..], 12.0).nodes;
        let mut places = vec![Node::round(self.confluence, radius + 1.0)];
        for (n, pair) in along.windows(2).enumerate().skip(1) {
            let forward = unit(sub(pair[1].at, pair[0].at));
            // Square to the course, to the back and level.
            let back = unit([-forward[1], forward[0], 0.0]);
            let away = pair[0].half[1] + radius - 1.0;
            let at = add(add(pair[0].at, scale(back, away)), [0.0, 0.0, 0.2 * pair[0].half[0]]);
            places.push(Node::round(at, radius * mix(1.0, 0.85, n as f64 / along.len() as f64)));
        }
        let tip = self.body[self.body.len() - 1].at;
        places.push(Node::round(add(tip, [8.0, 8.0, 5.0]), 0.7 * radius));
        Tube::through(&places, 5.0)
    }
}

/// Puts the pancreas behind the vessels, which leave their grooves in it.
pub fn pancreas(dice: &mut Dice, scene: &mut Scene, line: &Line) {
    let body = Tube::through(&line.body, 5.0);
    let head = Tube::through(&line.head, 5.0).upright([1.0, 0.0, 0.0]);
    let uncinate = Tube::through(&line.uncinate, 4.0);
    let boxes = [body.bounds(), head.bounds(), uncinate.bounds()];
    let low = std::array::from_fn(|a| boxes.iter().map(|b| b[0][a]).fold(f64::MAX, f64::min) - 6.0);
    let high = std::array::from_fn(|a| boxes.iter().map(|b| b[1][a]).fold(f64::MIN, f64::max) + 6.0);
    let rough = dice.between(1.6, 4.4);
    let pitch = dice.between(5.0, 7.5);
    let lobules = Field::<1>::new(&mut dice.0, low, high, pitch, rough);
    let smooth = move |p: P| {
        let d = join(body.distance(p), head.distance(p), 9.0);
        join(d, uncinate.distance(p), 7.0)
    };
    let offset = offset_for(dice.between(48.0, 112.0), [low, high], &smooth);
    scene.bodies.push(Body::new(organ::PANCREAS, 0.0, [low, high], move |p, _| {
        let d = smooth(p) - offset;
        (if d.abs() < 5.0 { d + lobules.linear(p)[0] } else { d }, organ::PANCREAS)
    }));
}

/// By how much a solid has to grow, within -2 and 3.5 mm, to hold some millilitres.
fn offset_for(millilitres: f64, bounds: [P; 2], distance: &impl Fn(P) -> f64) -> f64 {
    const STEP: f64 = 3.0;
    let [nx, ny, nz] = [0, 1, 2].map(|a| ((bounds[1][a] - bounds[0][a]) / STEP) as usize);
    let mut distances = Vec::with_capacity(nx * ny * nz);
    for (z, y, x) in (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x)))) {
        let at = [x, y, z];
        distances.push(distance(std::array::from_fn(|a| bounds[0][a] + (at[a] as f64 + 0.5) * STEP)));
    }
    distances.sort_by(f64::total_cmp);
    let wanted = (millilitres * 1000.0 / STEP.powi(3)) as usize;
    distances.get(wanted).copied().unwrap_or(3.5).clamp(-2.0, 3.5)
}
