//! The trunk: skin, fat, wall, ribs, spine, diaphragm, and what is left inside for the organs.

use super::shape::{brick, ellipse, ellipsoid, mix, ramp, Dice, Node, Tube, P};
use super::{organ, Body, Local};

/// The measures of a trunk, in the frame of [`super`].
pub struct Trunk {
    /// Half width, depth to the front and to the back of the space inside the wall, from `MIDDLE`.
    width: f64,
    front: f64,
    back: f64,
    /// Fat under the skin in front, at the sides and behind.
    fat: [f64; 3],
    /// How much thicker than usual the muscles are.
    brawn: f64,
    /// Heights of the right and left dome of the diaphragm.
    pub domes: [f64; 2],
    /// How deep the lungs reach down behind.
    recess: f64,
    /// From one vertebra to the next.
    pub pitch: f64,
    /// How the spine curves.
    curve: f64,
    /// How much fat lies inside, 0 to 1.
    pub visceral: f64,
}

/// y of the middle of the cavity's outline.
const MIDDLE: f64 = 15.0;

impl Trunk {
    pub fn new(dice: &mut Dice) -> Self {
        // Fat under the skin and fat inside go together, but not closely.
        let fat = dice.between(0.0, 1.0);
        let visceral = 0.65 * fat * fat + dice.between(0.0, 0.35);
        Trunk {
            width: 127.0 + 15.0 * visceral + dice.between(-4.0, 4.0),
            front: 84.0 + 36.0 * visceral + dice.between(-6.0, 6.0),
            back: dice.between(82.0, 90.0),
            fat: [
                5.0 + 28.0 * fat * dice.between(0.6, 1.0),
                4.0 + 20.0 * fat * dice.between(0.6, 1.0),
                5.0 + 18.0 * fat * dice.between(0.5, 1.0),
            ],
            brawn: dice.between(0.75, 1.25),
            domes: [dice.between(90.0, 110.0), dice.between(80.0, 100.0)],
            recess: dice.between(50.0, 75.0),
            pitch: dice.between(33.0, 37.0),
            curve: dice.between(0.4, 1.3),
            visceral,
        }
    }

    /// Half width, front and back y of the skin: what the grid has to hold.
    pub fn reach(&self) -> [f64; 3] {
        [
            self.width + 17.0 * self.brawn + self.fat[1] + 2.0,
            self.front - MIDDLE + 11.0 * self.brawn + self.fat[0] + 2.0,
            self.back + MIDDLE + 12.0 * self.brawn + self.fat[2] + 2.0,
        ]
    }

    /// y of the wall in front, without its sign.
    pub fn depth(&self) -> f64 {
        self.front - MIDDLE
    }

    /// More than the wall is thick anywhere.
    pub fn thickest(&self) -> f64 {
        20.0 * self.brawn + self.fat.iter().fold(0.0, |most, fat| fat.max(most))
    }

    /// The distance from the space inside the wall.
    pub fn wall(&self, p: P) -> f64 {
        // The waist is narrower than the ribs, and the belly falls forward below them.
        let low = ramp(20.0, -110.0, p[2]);
        let a = self.width * (1.0 - 0.05 * low);
        let y = p[1] - MIDDLE;
        let (b, n) = if y < 0.0 { (self.front * (0.94 + 0.06 * low), 2.2) } else { (self.back, 2.7) };
        let (u, v) = (p[0].abs() / a, y.abs() / b);
        let (un, vn) = (u.powf(n - 1.0), v.powf(n - 1.0));
        let sum = u * un + v * vn;
        let r = sum.powf(1.0 / n);
        let slope = (un / a).hypot(vn / b) * r / sum.max(1e-9);
        (r - 1.0) / slope.max(1e-4)
    }

    /// How thick muscle and fat of the wall are in the direction of a point.
    fn layers(&self, p: P) -> [f64; 2] {
        let side = p[0].abs();
        let front = ramp(20.0, -50.0, p[1]);
        let back = ramp(50.0, 95.0, p[1]);
        // In front two straight muscles with a thin seam between, at the sides three sheets and the ribs.
        let straight = mix(3.0, 9.0, ramp(4.0, 14.0, side)) - 3.0 * ramp(50.0, 62.0, side) * ramp(84.0, 72.0, side);
        let muscle = self.brawn * mix(mix(14.0, straight, front * ramp(100.0, 60.0, side)), 11.0, back);
        // Fat fills what the muscles leave, so that the skin is smooth.
        let filled = (1.0 - back) * front * (9.0 - straight) * self.brawn;
        let fat = mix(mix(self.fat[1], self.fat[0], front), self.fat[2], back) + 0.85 * filled;
        // The furrow along the back.
        [muscle, (fat - 4.0 * back * (-side * side / 150.0).exp()).max(5.0)]
    }

    /// How far a point lies above the diaphragm (mm along z, shortened where that is steep).
    pub fn above(&self, p: P, wall: f64) -> f64 {
        let [right, left] = self.domes;
        let lobe = |x: f64| (-(p[0] - x).powi(2) / 2800.0 - (p[1] + 5.0).powi(2) / 9000.0).exp();
        let top = 66.0 + (right - 66.0) * lobe(-66.0) + (left - 66.0) * lobe(68.0);
        let reach = mix(0.3, 1.0, ramp(-50.0, 70.0, p[1])) * self.recess;
        let near = (1.0 - (-wall / 34.0).clamp(0.0, 1.0)).powi(2);
        (p[2] - top + reach * near) * (1.0 - 0.45 * near)
    }

    /// y of the middle of the vertebral bodies at a height.
    pub fn spine(&self, z: f64) -> f64 {
        let up = (z - 20.0).max(0.0);
        let down = (-20.0 - z).max(0.0);
        50.0 + self.curve * (0.0012 * up * up - 0.0006 * down * down)
    }

    /// y of the front of the spine at a height.
    pub fn before_spine(&self, z: f64) -> f64 {
        self.spine(z) - 17.5
    }

    /// What lies at a point where there is no organ.
    pub fn layer(&self, p: P, local: &Local) -> u8 {
        if p[0].abs() < 34.0 && p[1] > self.spine(p[2]) + 18.0 && local.wall < 4.0 {
            return organ::MUSCLE;
        }
        if local.wall < 0.0 {
            if local.above < 0.0 {
                return organ::FAT;
            }
            if local.above < 2.5 {
                return organ::MUSCLE;
            }
            let middle = ellipse([p[0] - 6.0, p[1] - 12.0], [26.0, 48.0]);
            return if local.wall < -1.5 && middle > 0.0 { organ::LUNG } else { organ::FAT };
        }
        let [muscle, fat] = self.layers(p);
        match local.wall {
            w if w < muscle => organ::MUSCLE,
            w if w < muscle + fat => organ::SUBCUTANEOUS_FAT,
            _ => organ::BACKGROUND,
        }
    }

    /// Spine, ribs, and the muscles that are not part of the wall.
    pub fn bodies(&self, dice: &mut Dice) -> Vec<Body> {
        let mut bodies = vec![self.vertebrae(dice)];
        self.ribs(&mut bodies);
        let brawn = self.brawn;
        for side in [-1.0, 1.0] {
            let place = |x: f64, back: f64, z: f64, wide: f64, deep: f64| {
                let sized = brawn.sqrt();
                Node::oval([side * x, self.spine(z) + back, z], wide * sized, deep * sized)
            };
            let tubes = [
                // Psoas, quadratus lumborum, crus.
                vec![
                    place(24.0, 4.0, 30.0, 3.0, 6.0),
                    place(31.0, 2.0, -25.0, 10.0, 13.0),
                    place(40.0, 0.0, -80.0, 15.0, 17.0),
                    place(49.0, -4.0, -160.0, 18.0, 19.0),
                ],
                vec![
                    place(46.0, 26.0, 34.0, 7.0, 4.0),
                    place(56.0, 27.0, -50.0, 14.0, 6.0),
                    place(66.0, 26.0, -160.0, 18.0, 7.0),
                ],
                vec![
                    place(13.0, -30.0, 72.0, 3.5, 5.0),
                    place(17.0, -20.0, 45.0, 4.0, 6.5),
                    place(18.0, -14.0, 8.0, 3.5, 5.5),
                    place(14.0, -14.0, -28.0, 2.5, 3.0),
                ],
            ];
            for tube in tubes {
                bodies.push(Body::tube(organ::MUSCLE, 0.0, Tube::through(&tube, 8.0).upright([1.0, 0.0, 0.0])));
            }
        }
        // The long muscles of the back, right and left, as columns.
        let spine = [self.spine(-140.0), self.spine(0.0), self.spine(130.0)];
        bodies.push(Body::new(organ::MUSCLE, 0.0, [[-70.0, 55.0, -200.0], [70.0, 150.0, 200.0]], move |p, local| {
            let y = if p[2] < 0.0 {
                mix(spine[1], spine[0], (p[2] / -140.0).powi(2))
            } else {
                mix(spine[1], spine[2], (p[2] / 130.0).powi(2))
            };
            let wide = 31.0 - 0.05 * p[2].max(0.0);
            let d = ellipse([p[0].abs() - 34.0, p[1] - y - 43.0], [wide, 19.0 * brawn.sqrt()]);
            (d.max(local.wall - 11.0 * brawn), organ::MUSCLE)
        }));
        // The heart's lower face; between the lungs it is seen in the highest slices only.
        let heart = dice.near([24.0, -32.0, 122.0], 4.0);
        bodies.push(Body::new(organ::MUSCLE, 0.0, [[-50.0, -100.0, 70.0], [100.0, 40.0, 190.0]], move |p, local| {
            let d = ellipsoid([p[0] - heart[0], p[1] - heart[1], p[2] - heart[2]], [56.0, 42.0, 42.0]);
            (d.max(local.wall + 6.0).max(4.0 - local.above), organ::MUSCLE)
        }));
        bodies
    }

    /// Vertebral bodies with waists, discs, arches, processes and the canal. Discs have the density of muscle and get its
    /// number.
    fn vertebrae(&self, dice: &mut Dice) -> Body {
        let (pitch, brawn) = (self.pitch, self.brawn);
        let first = dice.between(-6.0, 6.0) + 0.5 * pitch;
        let size = dice.between(0.93, 1.07);
        let knots: Vec<f64> = (-40..=40).map(|n| self.spine(n as f64 * 5.0)).collect();
        Body::new(organ::VERTEBRAE, 0.0, [[-46.0, 15.0, -220.0], [46.0, 130.0, 220.0]], move |p, local| {
            let at = ((p[2] + 200.0) / 5.0).clamp(0.0, 79.9);
            let y = p[1] - mix(knots[at as usize], knots[at as usize + 1], at.fract());
            let x = p[0].abs();
            let level = (p[2] - first) / pitch;
            let high = (level - level.round()) * pitch;
            let middle = high.abs() / pitch * 2.0;
            let flare = size * (0.9 + 0.1 * middle * middle);
            let body = ellipse([x, y], [23.5 * flare, 17.5 * flare]).max(y - 15.0);
            let disc = body.max(pitch * 0.5 - 4.5 - high.abs());
            let bone = body.max(high.abs() - pitch * 0.5 + 3.5);
            let canal = ellipse([x, y - 24.5], [11.0, 8.0]);
            // Pedicles stand on the upper half alone; below them the nerves leave.
            let pedicle = brick([x - 14.0, y - 18.0, high - 5.0], [4.0, 8.0, 7.0], 2.0);
            let ring = ellipse([x, y - 25.0], [16.5, 14.0]);
            let arch = ring.max(-canal).max(24.0 - y).max((high + 3.0).abs() - 13.0);
            let lower = high + 9.0 + 0.3 * (y - 36.0);
            let tip = if p[2] > 60.0 { 58.0 } else { 62.0 };
            let spinous = brick([x, y - 0.5 * (34.0 + tip), lower], [3.2, 0.5 * (tip - 34.0) + 2.0, 9.0], 2.5);
            let out = if p[2] > 55.0 { 30.0 } else { 39.0 };
            let across =
                brick([x - 0.5 * out - 6.0, y - 26.0 - 0.12 * x, high - 3.0], [0.5 * out - 6.0, 3.2, 5.0], 2.5);
            let facet = ellipsoid([x - 16.0, y - 33.0, 0.5 * pitch - high.abs()], [6.5, 7.5, 12.0]);
            let bone = bone.min(pedicle).min(arch).min(spinous).min(across).min(facet);
            let label = match () {
                _ if canal < 0.0 => organ::SPINAL_CANAL,
                _ if bone < 0.0 => organ::VERTEBRAE,
                _ => organ::MUSCLE,
            };
            (bone.min(disc).min(canal).max(local.wall - 7.5 * brawn), label)
        })
    }

    /// Ribs: from beside the spine around the wall, falling to the side and in front rising as cartilage, which is left out.
    fn ribs(&self, bodies: &mut Vec<Body>) {
        // Height where a rib leaves the spine in vertebrae above the origin, fall to its lowest, end in degrees from behind.
        for (above, fall, end) in [
            (1.62, 52.0, 62.0),
            (2.62, 78.0, 98.0),
            (3.6, 92.0, 122.0),
            (4.55, 98.0, 132.0),
            (5.5, 100.0, 138.0),
            (6.45, 102.0, 142.0),
        ] {
            for side in [-1.0, 1.0] {
                let z = above * self.pitch;
                let mut places = vec![Node::oval([side * 24.0, self.spine(z.min(150.0)) + 20.0, z], 5.5, 4.0)];
                let mut degrees: f64 = 24.0;
                while degrees <= end {
                    let z = z - fall * (1.0 - (1.0 - degrees / 140.0).powf(1.7));
                    places.push(Node::oval(self.in_wall(side, degrees, z), 6.0, 3.4));
                    degrees += 12.0;
                }
                for piece in Tube::through(&places, 7.0).pieces(6) {
                    bodies.push(Body::new(organ::RIBS, 0.0, piece.bounds(), move |p, local| {
                        (piece.distance(p).max(local.wall - 6.8), organ::RIBS)
                    }));
                }
            }
        }
    }

    /// The point in the wall's muscle at a height, some degrees from the back.
    fn in_wall(&self, side: f64, degrees: f64, z: f64) -> P {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let at = |r: f64| [side * sin * r, MIDDLE + cos * r, z];
        let (mut low, mut high) = (40.0, 260.0);
        for _ in 0..30 {
            let r = 0.5 * (low + high);
            if self.wall(at(r)) < 4.5 {
                low = r;
            } else {
                high = r;
            }
        }
        at(low)
    }
}
