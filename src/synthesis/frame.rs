//! The frame of a body: where wall, spine, aorta and vena cava lie around the organs of a label map.

use rand::Rng;

use super::labels::{organ, Labels};
use super::leanness::Leanness;

/// The body's frame in mm: x to the left, y to the back, z up, from the middle of voxel (0, 0, 0).
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The body's middle and its half depth and half width, as [y, x].
    pub middle: [f64; 2],
    pub half: [f64; 2],
    /// Exponent of the outline's superellipse.
    pub power: f64,
    /// Thickness of skin and fat, and of the muscular wall.
    pub fat: f64,
    pub wall: f64,
    /// How much fat there is between organs.
    pub leanness: Leanness,
    /// y of aorta and vertebral bodies, and their radii.
    pub aorta: f64,
    pub aorta_radius: f64,
    pub vertebra: f64,
    pub vertebra_radius: f64,
    /// x of the aorta.
    pub aorta_x: f64,
    pub cava: Cava,
    /// z of the pancreas' centre, and its lowest and highest z.
    pub pancreas: [f64; 3],
    pub pancreas_z: [f64; 2],
}

/// Where the vena cava runs: upright, and from a height on forward towards the liver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cava {
    pub x: f64,
    /// y below the bend.
    pub y: f64,
    /// The height of the bend, and mm forward for each mm above it.
    pub bend: f64,
    pub slope: f64,
}

impl Frame {
    /// The frame that fits a map of organs, varied at random; none for a map without a pancreas.
    pub fn of(organs: &Labels, random: &mut impl Rng) -> Option<Frame> {
        let mm = |index: usize, axis: usize| index as f64 * organs.spacing[axis];
        let all = organs.bounds(|_| true)?;
        let box_of_pancreas = organs.bounds(|id| id == organ::PANCREAS)?;
        let mut middle_x = 0.5 * (mm(all[0][2], 2) + mm(all[1][2], 2));
        if let Some(kidney) = organs.centroid(organ::LEFT_KIDNEY) {
            middle_x = 0.35 * middle_x + 0.65 * (kidney[2] - random.random_range(58.0..68.0));
        }
        // The aorta lies behind the backmost part of the pancreas near the midline.
        let near = |place: &[f64; 3]| (place[2] - middle_x).abs() < 28.0;
        let mut behind: Vec<f64> = organs.places(organ::PANCREAS).filter(near).map(|place| place[1]).collect();
        behind.sort_by(f64::total_cmp);
        let back_of_pancreas = match behind.len() {
            0 => mm(box_of_pancreas[1][1], 1),
            n => behind[n * 95 / 100],
        };
        let aorta_radius = random.random_range(8.0..12.0);
        let aorta = back_of_pancreas + aorta_radius + random.random_range(3.0..9.0);
        let vertebra_radius = random.random_range(16.0..20.0);
        let vertebra = aorta + aorta_radius + 2.0 + vertebra_radius;
        let leanness = Leanness::draw(random);
        let fat = (3.0 + 25.0 * (1.0 - leanness.degree)) * random.random_range(0.75..1.25);
        let wall = random.random_range(9.0..15.0);
        let back = vertebra + random.random_range(52.0..66.0) + 0.5 * fat;
        let front = mm(all[0][1], 1).min(mm(box_of_pancreas[0][1], 1) - 30.0) - 0.8 * fat - 6.0;
        let depth = (0.5 * (back - front)).max(88.0);
        let mut half = [depth, (0.5 * (mm(all[1][2], 2) - mm(all[0][2], 2)) + fat + wall + 4.0).max(1.25 * depth)];
        let power = random.random_range(2.2..2.9);
        let middle = [back - half[0], middle_x];
        // As wide as the organs need, and if that is not enough a little deeper.
        for _ in 0..12 {
            let outermost = organs
                .ids
                .indexed_iter()
                .filter(|(_, id)| **id != organ::BACKGROUND)
                .map(|((_, y, x), _)| radius([mm(y, 1), mm(x, 2)], middle, half, power))
                .fold(0.0, f64::max);
            if outermost <= 1.0 - (0.8 * fat + 0.6 * wall) / half[0] {
                break;
            }
            half = [half[0] * 1.01, half[1] * 1.035];
        }
        Some(Frame {
            middle,
            half,
            power,
            fat,
            wall,
            leanness,
            aorta,
            aorta_radius,
            vertebra,
            vertebra_radius,
            aorta_x: middle_x + random.random_range(4.0..14.0),
            cava: Cava {
                x: middle_x - random.random_range(14.0..22.0),
                y: aorta - random.random_range(-1.0..8.0),
                bend: mm(box_of_pancreas[0][0], 0) + random.random_range(0.0..25.0),
                slope: random.random_range(0.1..0.5),
            },
            pancreas: organs.centroid(organ::PANCREAS)?,
            pancreas_z: [mm(box_of_pancreas[0][0], 0), mm(box_of_pancreas[1][0], 0)],
        })
    }
}

impl Cava {
    /// y and x of its middle at a height.
    pub fn at(&self, z: f64) -> [f64; 2] {
        [self.y - (self.slope * (z - self.bend)).clamp(0.0, 32.0), self.x]
    }
}

/// 1 on the body's outline, less inside.
pub(super) fn radius(at: [f64; 2], middle: [f64; 2], half: [f64; 2], power: f64) -> f64 {
    let part = |a: usize| ((at[a] - middle[a]) / half[a]).abs().powf(power);
    (part(0) + part(1)).powf(1.0 / power)
}
