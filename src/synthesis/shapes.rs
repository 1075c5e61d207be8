//! Tubes and balls in a label map.

use super::labels::{organ, Labels};

/// Fills background around a polyline.
pub(super) fn tube(map: &mut Labels, points: &[[f64; 3]], radii: &[f64], id: u8) {
    fill_tube(map, points, radii, organ::BACKGROUND, id);
}

/// Turns what is `from` into `id` around a polyline.
pub(super) fn fill_tube(map: &mut Labels, points: &[[f64; 3]], radii: &[f64], from: u8, id: u8) {
    for (step, ends) in points.windows(2).enumerate() {
        let length = distance(ends[0], ends[1]);
        let parts = (length / 1.5).ceil().max(1.0) as usize;
        for part in 0..=parts {
            let t = part as f64 / parts as f64;
            let centre = std::array::from_fn(|a| ends[0][a] + t * (ends[1][a] - ends[0][a]));
            let radius = radii[step] + t * (radii[(step + 1).min(radii.len() - 1)] - radii[step]);
            ball(map, centre, radius, |voxel, _, _| {
                if *voxel == from {
                    *voxel = id;
                }
            });
        }
    }
}

/// Hands over each voxel of a ball, with its index and its distance from the centre.
pub(super) fn ball(map: &mut Labels, centre: [f64; 3], radius: f64, mut paint: impl FnMut(&mut u8, [usize; 3], f64)) {
    let spacing = map.spacing;
    let range = |a: usize, size: usize| {
        let low = ((centre[a] - radius) / spacing[a]).ceil().max(0.0) as usize;
        let high = ((centre[a] + radius) / spacing[a]).floor().min(size as f64 - 1.0);
        low..if high < 0.0 { 0 } else { high as usize + 1 }
    };
    let shape: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    for z in range(0, shape[0]) {
        for y in range(1, shape[1]) {
            for x in range(2, shape[2]) {
                let at = std::array::from_fn(|a| [z, y, x][a] as f64 * spacing[a]);
                let far = distance(at, centre);
                if far <= radius {
                    paint(&mut map.ids[[z, y, x]], [z, y, x], far);
                }
            }
        }
    }
}

pub(super) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}
