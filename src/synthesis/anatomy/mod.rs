//! A made-up abdomen: a label map drawn from a seed, for where no real one is at hand.
//!
//! The frame of everything here: x to the left of the patient, y to the back, z up, in mm; the origin lies in the midline,
//! at the height of the disc between the first and second lumbar vertebra, about 33 mm in front of the spine. There a set of
//! solids ([`shape`]) is laid out: the trunk ([`trunk`]), vessels and solid organs ([`viscera`]), the pancreas
//! ([`pancreas`]), and stomach and bowel ([`bowel`]). Each is drawn around a typical place and size, and the neighbours follow
//! one another: the splenic vein runs along the pancreas that was drawn, the duodenum around its head.
//!
//! Painting asks, for each voxel, the solids one after another; the first that holds the point and keeps its distance from
//! those before it gets it. So nothing overlaps, soft organs yield to firm ones, and fat lies between. At last the whole is
//! bent by a smooth random displacement.
//!
//! Sizes are what handbooks of radiology and sonography give for adults: liver 1.0 to 2.3 L, spleen 80 to 400 mL, a
//! kidney 9 to 13 cm long and 100 to 250 mL, pancreas 40 to 130 mL with a head of 20 to 30, a body of 10 to 25 and a tail
//! of 10 to 28 mm, aorta 15 to 25 mm, vena cava 15 to 28 mm, portal vein 9 to 15 mm, small bowel 18 to 30 mm, colon 25
//! to 60 mm wide.

mod bowel;
mod pancreas;
mod shape;
#[cfg(test)]
mod tests;
mod trunk;
mod viscera;

use ndarray::{Array3, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::field::Field;
use super::labels::{organ, Labels};
use shape::{add, length, sub, Dice, Tube, P};
use trunk::Trunk;

/// Low and high corner of what is drawn, 380 x 300 x 260 mm.
const BOX: [P; 2] = [[-190.0, -156.0, -145.0], [190.0, 144.0, 115.0]];

/// Widest gap that a body may keep; bodies farther away than this need not be asked.
const WIDEST_GAP: f64 = 6.0;

/// What is known of a point before the bodies are asked.
struct Local {
    /// The distance from the space inside the abdominal wall.
    wall: f64,
    /// How far above the diaphragm.
    above: f64,
    /// Noise within 1 of zero that roughens surfaces.
    noise: f64,
}

/// A distance and what there is where it is negative.
type Answer = (f64, u8);

/// Answers for any point.
type Solid = dyn Fn(P, &Local) -> Answer + Send + Sync;

/// Something that fills a part of the abdomen.
struct Body {
    /// Bodies in a row of the same group are one organ, which keeps no gap from itself.
    group: u8,
    /// Least distance from all bodies before it.
    gap: f64,
    bounds: [P; 2],
    answer: Box<Solid>,
}

impl Body {
    fn new(group: u8, gap: f64, bounds: [P; 2], answer: impl Fn(P, &Local) -> Answer + Send + Sync + 'static) -> Self {
        Body { group, gap, bounds, answer: Box::new(answer) }
    }

    /// A full tube of one label.
    fn tube(label: u8, gap: f64, tube: Tube) -> Self {
        Body::new(label, gap, tube.bounds(), move |p, _| (tube.distance(p), label))
    }

    /// The distance of a point from the box around the body.
    fn outside(&self, p: P) -> f64 {
        length(std::array::from_fn(|a| (self.bounds[0][a] - p[a]).max(p[a] - self.bounds[1][a]).max(0.0)))
    }
}

/// All bodies, first come first served, and how they are bent.
struct Scene {
    trunk: Trunk,
    bodies: Vec<Body>,
    bend: Field<3>,
    noise: Field<1>,
    size: f64,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let trunk = Trunk::new(&mut dice);
        let bend = dice.between(10.0, 24.0);
        let bend = Field::new(&mut dice.0, BOX[0], BOX[1], 62.0, bend);
        let ripple = Field::new(&mut dice.0, BOX[0], BOX[1], 34.0, 6.0);
        // Both vary over centimetres: between points 6 mm apart they are straight.
        let bend = Field::from_fn(BOX[0], BOX[1], 6.0, |p| add(bend.cubic(p), ripple.cubic(p)));
        let noise = Field::new(&mut dice.0, BOX[0], BOX[1], 11.0, 1.0);
        // The displacement can push the skin out by some millimetres more.
        let reach = trunk.reach();
        let fit = (179.0 / reach[0]).min(145.0 / reach[1]).min(134.0 / reach[2]);
        let size = dice.between(0.9, 1.06).min(fit);
        let mut scene = Scene { trunk, bodies: Vec::new(), bend, noise, size };

        scene.bodies = scene.trunk.bodies(&mut dice);
        let line = pancreas::Line::new(&mut dice, &scene.trunk);
        viscera::vessels(&mut dice, &mut scene, &line);
        pancreas::pancreas(&mut dice, &mut scene, &line);
        viscera::firm(&mut dice, &mut scene);
        bowel::upper(&mut dice, &mut scene, &line);
        viscera::soft(&mut dice, &mut scene);
        bowel::colon(&mut dice, &mut scene);
        bowel::small(&mut dice, &mut scene);
        scene
    }

    /// Where a point of the bent abdomen comes from.
    fn straight(&self, p: P) -> P {
        let moved = add(p, self.bend.linear(p));
        moved.map(|v| v / self.size)
    }

    fn local(&self, p: P) -> Local {
        let wall = self.trunk.wall(p);
        Local { wall, above: self.trunk.above(p, wall), noise: self.noise.linear(p)[0] }
    }

    /// The least distance of a point from all bodies so far.
    fn clearance(&self, p: P) -> f64 {
        let local = self.local(p);
        self.bodies.iter().map(|b| b.outside(p).max((b.answer)(p, &local).0)).fold(f64::MAX, f64::min)
    }

    /// The bodies that can reach into a ball.
    fn around(&self, centre: P, radius: f64) -> Vec<&Body> {
        let local = self.local(centre);
        let reach = radius + WIDEST_GAP;
        // The distances are of first order: some slack.
        self.bodies.iter().filter(|b| b.outside(centre) < reach && (b.answer)(centre, &local).0 < 1.6 * reach).collect()
    }

    /// What lies at a point, of these bodies.
    fn label(&self, p: P, bodies: &[&Body]) -> u8 {
        let local = self.local(p);
        let mut before = f64::MAX;
        // Of an organ's pieces the deepest speaks: a tube has no walls where its pieces meet.
        for organ in bodies.chunk_by(|a, b| a.group == b.group) {
            let nearest = organ.iter().map(|body| (body.answer)(p, &local)).min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((distance, label)) = nearest else { continue };
            if distance < 0.0 && before >= organ[0].gap {
                return label;
            }
            before = before.min(distance);
        }
        self.trunk.layer(p, &local)
    }
}

/// An abdomen from the lung bases to the lower lumbar spine, drawn from a seed: 380 x 300 x 260 mm at `spacing` mm, in each
/// direction. The skin of the stoutest may just reach the edge. Spacings are kept within 0.5 and 10 mm. A seed gives one
/// map per spacing, on any number of threads.
pub fn anatomy(seed: u64, spacing: f64) -> Labels {
    let spacing = if spacing.is_finite() { spacing.clamp(0.5, 10.0) } else { 2.0 };
    let scene = Scene::new(seed);
    let [nx, ny, nz] = [0, 1, 2].map(|a| ((BOX[1][a] - BOX[0][a]) / spacing).round() as usize);
    let point = |x: f64, y: f64, z: f64| {
        let at = [x, y, z];
        std::array::from_fn(|a| BOX[0][a] + (at[a] + 0.5) * spacing)
    };
    // Blocks of about 12 mm, each with the few bodies that reach it.
    let edge = (12.0 / spacing).round().max(2.0) as usize;
    let mut ids = Array3::zeros((nz, ny, nx));
    ids.axis_chunks_iter_mut(Axis(0), edge).into_par_iter().enumerate().for_each(|(slab, mut voxels)| {
        let deep = voxels.len_of(Axis(0));
        for y0 in (0..ny).step_by(edge) {
            for x0 in (0..nx).step_by(edge) {
                let half = 0.5 * (edge - 1) as f64;
                let z0 = (slab * edge) as f64;
                let middle = point(x0 as f64 + half, y0 as f64 + half, z0 + half);
                let corner = point(x0 as f64 - 0.5, y0 as f64 - 0.5, z0 - 0.5);
                // The displacement can stretch a block.
                let radius = 1.6 * length(sub(middle, corner)) / scene.size;
                let centre = scene.straight(middle);
                if scene.trunk.wall(centre) > scene.trunk.thickest() + 1.6 * radius {
                    continue;
                }
                let bodies = scene.around(centre, radius);
                for z in 0..deep {
                    for y in y0..(y0 + edge).min(ny) {
                        for x in x0..(x0 + edge).min(nx) {
                            let p = scene.straight(point(x as f64, y as f64, z0 + z as f64));
                            voxels[[z, y, x]] = scene.label(p, &bodies);
                        }
                    }
                }
            }
        }
    });
    Labels { ids, spacing: [spacing; 3] }
}
