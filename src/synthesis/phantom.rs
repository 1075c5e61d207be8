//! An upper abdomen drawn from simple bodies: no real patient, but the right organs at the right places.

use ndarray::Array3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::volume::{Geometry, Volume};
use crate::Result;

/// A body in millimetres around the middle of the abdomen: x to the left, y to the back, z up (LPS).
enum Body {
    /// Centre and half axes.
    Ellipsoid([f64; 3], [f64; 3]),
    /// A tube of a radius along points.
    Tube(&'static [[f64; 3]], f64),
    /// An upright elliptic cylinder: centre x, y and half axes.
    Column([f64; 2], [f64; 2]),
}

impl Body {
    /// How deep a point lies inside, in units in which the surface is at 0; negative outside.
    fn depth(&self, p: [f64; 3]) -> f64 {
        match self {
            Body::Ellipsoid(centre, axes) => 1.0 - (0..3).map(|a| ((p[a] - centre[a]) / axes[a]).powi(2)).sum::<f64>(),
            Body::Column(centre, axes) => 1.0 - (0..2).map(|a| ((p[a] - centre[a]) / axes[a]).powi(2)).sum::<f64>(),
            Body::Tube(points, radius) => {
                let nearest =
                    points.windows(2).map(|ends| squared_distance(p, ends[0], ends[1])).fold(f64::MAX, f64::min);
                1.0 - nearest / (radius * radius)
            }
        }
    }
}

/// The squared distance of a point from a line segment.
fn squared_distance(p: [f64; 3], a: [f64; 3], b: [f64; 3]) -> f64 {
    let along: [f64; 3] = std::array::from_fn(|i| b[i] - a[i]);
    let length: f64 = along.iter().map(|v| v * v).sum();
    let t = ((0..3).map(|i| (p[i] - a[i]) * along[i]).sum::<f64>() / length).clamp(0.0, 1.0);
    (0..3).map(|i| (p[i] - a[i] - t * along[i]).powi(2)).sum()
}

/// Head, neck, body and tail of the pancreas, bending in front of the spine and rising to the left.
const PANCREAS: [[f64; 3]; 5] =
    [[-32.0, -18.0, -22.0], [-24.0, -24.0, -6.0], [0.0, -38.0, 4.0], [32.0, -20.0, 12.0], [62.0, 2.0, 22.0]];
const DUODENUM: [[f64; 3]; 5] =
    [[-30.0, -46.0, 18.0], [-52.0, -20.0, 8.0], [-54.0, -12.0, -34.0], [-30.0, -14.0, -48.0], [10.0, -16.0, -44.0]];
const STOMACH: [[f64; 3]; 4] = [[52.0, -18.0, 70.0], [66.0, -40.0, 40.0], [40.0, -70.0, 8.0], [-14.0, -64.0, 12.0]];
const RIBS: [[f64; 3]; 5] =
    [[-40.0, 84.0, 40.0], [-128.0, 50.0, 26.0], [-142.0, -20.0, 10.0], [-110.0, -80.0, -8.0], [-60.0, -98.0, -14.0]];
const RIBS_LEFT: [[f64; 3]; 5] =
    [[40.0, 84.0, 40.0], [128.0, 50.0, 26.0], [142.0, -20.0, 10.0], [110.0, -80.0, -8.0], [60.0, -98.0, -14.0]];

/// A CT of 112 x 96 x 48 voxels (3 x 3 x 4 mm) in the portal-venous phase, and the mask of its pancreas, `[k, j, i]`, which
/// is exact. The seed moves the noise and, a little, the anatomy.
///
/// # Errors
/// None that its input could cause.
pub fn phantom(seed: u64) -> Result<(Volume, Array3<u8>)> {
    const SIZE: [usize; 3] = [112, 96, 48];
    const SPACING: [f64; 3] = [3.0, 3.0, 4.0];
    const NOISE_HU: f32 = 9.0;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let shift: [f64; 3] = std::array::from_fn(|_| random.random_range(-4.0..4.0));

    // Later bodies cover earlier ones; each with its Hounsfield units.
    let bodies: [(Body, f32); 19] = [
        (Body::Column([0.0, 0.0], [152.0, 112.0]), -100.0), // fat
        (Body::Column([0.0, 2.0], [140.0, 100.0]), 55.0),   // muscle
        (Body::Column([0.0, -4.0], [130.0, 90.0]), -95.0),  // fat inside
        (Body::Column([-34.0, 66.0], [26.0, 24.0]), 58.0),
        (Body::Column([34.0, 66.0], [26.0, 24.0]), 58.0),
        (Body::Column([0.0, 42.0], [22.0, 18.0]), 190.0), // vertebra
        (Body::Column([0.0, 66.0], [8.0, 8.0]), 30.0),
        (Body::Tube(&RIBS, 6.0), 320.0),
        (Body::Tube(&RIBS_LEFT, 6.0), 320.0),
        (Body::Ellipsoid([-78.0, -14.0, 30.0], [54.0, 66.0, 66.0]), 105.0), // liver
        (Body::Ellipsoid([-20.0, -58.0, 46.0], [62.0, 26.0, 34.0]), 105.0),
        (Body::Ellipsoid([104.0, 28.0, 46.0], [22.0, 38.0, 42.0]), 120.0), // spleen
        (Body::Ellipsoid([-58.0, 40.0, -30.0], [24.0, 26.0, 50.0]), 165.0), // kidneys
        (Body::Ellipsoid([60.0, 42.0, -18.0], [24.0, 26.0, 50.0]), 165.0),
        (Body::Column([14.0, 18.0], [10.0, 10.0]), 155.0), // aorta
        (Body::Column([-16.0, 14.0], [12.0, 9.0]), 140.0), // vena cava
        (Body::Tube(&STOMACH, 24.0), 35.0),
        (Body::Tube(&DUODENUM, 13.0), 60.0),
        (Body::Tube(&PANCREAS, 12.0), 95.0),
    ];
    let mut geometry = Geometry::axis_aligned(SIZE, SPACING);
    geometry.origin = std::array::from_fn(|a| -0.5 * (SIZE[a] as f64 - 1.0) * SPACING[a]);
    let [ni, nj, nk] = SIZE;
    let mut truth = Array3::<u8>::zeros((nk, nj, ni));
    let mut voxels = Array3::<f32>::from_elem((nk, nj, ni), -1000.0);
    for ((k, j, i), hu) in voxels.indexed_iter_mut() {
        let point = geometry.point([i as f64, j as f64, k as f64]);
        let moved = std::array::from_fn(|a| point[a] - shift[a]);
        for (number, (body, density)) in bodies.iter().enumerate() {
            if body.depth(moved) >= 0.0 {
                *hu = *density;
                truth[[k, j, i]] = u8::from(number + 1 == bodies.len());
            }
        }
        // Twelve uniform numbers add up to nearly a normal one of deviation 1.
        let normal: f32 = (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0;
        *hu = (*hu + NOISE_HU * normal).round();
    }
    Ok((Volume::new(voxels, geometry)?, truth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::measure;

    #[test]
    fn the_pancreas_has_a_pancreas_volume_and_lies_before_the_spine() {
        let (volume, truth) = phantom(1).unwrap();
        let m = measure(truth.view(), &volume);
        assert!((40.0..120.0).contains(&m.volume_ml), "{} mL", m.volume_ml);
        assert_eq!(m.components, 1);
        assert!(m.centroid_lps.unwrap()[1] < 20.0);
        assert!((80.0..110.0).contains(&m.mean_hu.unwrap()));
    }

    #[test]
    fn a_seed_gives_one_ct() {
        assert_eq!(phantom(3).unwrap().0.voxels(), phantom(3).unwrap().0.voxels());
        assert_ne!(phantom(3).unwrap().0.voxels(), phantom(4).unwrap().0.voxels());
    }
}
