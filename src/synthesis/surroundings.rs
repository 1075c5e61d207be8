//! Everything around the organs of a label map: spine, ribs, muscles, fat, lungs, vessels, bowel.
//!
//! Real label maps show a few organs and nothing else. What is made up here lies where anatomy has it relative to them, and only where
//! the map has nothing. The pancreas stays exactly as it was drawn; its neighbours may grow into the fat between them ([`super::contact`]).

use ndarray::Array3;
use rand::Rng;

use super::bowel::bowel;
use super::contact::crowd;
use super::frame::{radius, Frame};
use super::labels::{organ, Labels};
use super::noise::displacement;
use super::shapes::{ball, tube};
use super::vessels::vessels;

/// A map with everything around its organs, varied at random.
pub(super) fn surround(organs: &Labels, random: &mut impl Rng) -> Labels {
    let Some(frame) = Frame::of(organs, random) else { return organs.clone() };
    let mut map = Labels { ids: organs.ids.clone(), spacing: organs.spacing };
    mirror_kidney(&mut map, &frame, random);
    spine_and_vessels(&mut map, &frame, random);
    vessels(&mut map, &frame, random);
    adrenals(&mut map, &frame, random);
    let inner = wall_and_fat(&mut map, &frame, random);
    lungs(&mut map, &inner);
    heart(&mut map, &frame, random);
    bladder(&mut map, &frame, random);
    let mut loops = bowel(&mut map, &frame, random);
    crowd(&mut map, &mut loops, &frame.leanness, random);
    map
}

/// Maps without a right kidney get the left one's mirror image, a little lower.
fn mirror_kidney(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    if map.centroid(organ::RIGHT_KIDNEY).is_some() {
        return;
    }
    let down = (random.random_range(2.0..16.0) / map.spacing[0]).round() as usize;
    let middle = frame.middle[1] / map.spacing[2];
    let left = map.ids.mapv(|id| id == organ::LEFT_KIDNEY);
    let shape = map.ids.raw_dim();
    for ((z, y, x), _) in left.indexed_iter().filter(|(_, inside)| **inside) {
        let mirrored = (2.0 * middle - x as f64).round();
        if z >= down && mirrored >= 0.0 && (mirrored as usize) < shape[2] {
            let voxel = &mut map.ids[[z - down, y, mirrored as usize]];
            if *voxel == organ::BACKGROUND {
                *voxel = organ::RIGHT_KIDNEY;
            }
        }
    }
}

/// Aorta, vena cava, vertebrae with discs, canal and processes, psoas and back muscles, the diaphragm's crura.
fn spine_and_vessels(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    let size: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let spacing = map.spacing;
    let sway = displacement(size, spacing, 60.0, 1.5, random);
    let period = random.random_range(29.0..35.0);
    let phase = random.random_range(0.0..period);
    let cava_radius = [random.random_range(6.0..11.0), random.random_range(9.0..14.0)];
    let psoas = random.random_range(12.0..17.0);
    // The crura grow upwards from beside the aorta and close before it above the coeliac trunk.
    let crus = random.random_range(2.6..5.0);
    let crus_foot = frame.pancreas_z[0] + random.random_range(-20.0..15.0);
    let crus_arch = frame.pancreas_z[1] + random.random_range(5.0..20.0);
    let f = *frame;
    ndarray::Zip::indexed(&mut map.ids).par_for_each(|(z, y, x), voxel| {
        if *voxel != organ::BACKGROUND {
            return;
        }
        let moved = sway([z as f64, y as f64, x as f64]);
        let (mz, my, mx) = (z as f64 * spacing[0], y as f64 * spacing[1] + moved[1], x as f64 * spacing[2] + moved[2]);
        let inside = |cy: f64, cx: f64, ry: f64, rx: f64| ((my - cy) / ry).powi(2) + ((mx - cx) / rx).powi(2) <= 1.0;
        let m = f.middle[1];
        let body_y = f.vertebra;
        let cava = f.cava.at(mz);
        let canal_y = body_y + f.vertebra_radius + 8.0;
        let level = (mz + phase).rem_euclid(period);
        let arch = inside(canal_y, m, 13.0, 16.0) && level > 9.0;
        let spinous = (mx - m).abs() < 4.5 && my > canal_y && my < canal_y + 34.0 && (7.0..24.0).contains(&level);
        let transverse = (mx - m).abs() < 42.0 && (my - canal_y + 2.0).abs() < 4.5 && (14.0..24.0).contains(&level);
        let beside =
            |cy: f64, away: f64, ry: f64, rx: f64| inside(cy, m - away, ry, rx) || inside(cy, m + away, ry, rx);
        let crura = || {
            let thick = crus * ((mz - crus_foot) / 30.0).clamp(0.0, 1.3);
            let away = ((my - f.aorta).hypot(mx - f.aorta_x) - f.aorta_radius - 2.0 - thick).abs();
            let beside = my > f.aorta - 0.5 * f.aorta_radius || mz > crus_arch;
            beside && my < f.vertebra - 0.5 * f.vertebra_radius && away < thick
        };
        *voxel = if inside(f.aorta, f.aorta_x, f.aorta_radius, f.aorta_radius) {
            organ::AORTA
        } else if inside(cava[0], cava[1], cava_radius[0], cava_radius[1]) {
            organ::VENA_CAVA
        } else if inside(body_y, m, f.vertebra_radius, 1.3 * f.vertebra_radius) {
            if level < 7.0 {
                organ::DISC
            } else {
                organ::VERTEBRAE
            }
        } else if inside(canal_y, m, 7.5, 10.0) {
            organ::SPINAL_CANAL
        } else if crura() {
            organ::MUSCLE
        } else if arch || spinous || transverse {
            organ::VERTEBRAE
        } else if beside(body_y + 4.0, 36.0, 1.25 * psoas, psoas) || beside(canal_y + 18.0, 30.0, 20.0, 27.0) {
            organ::MUSCLE
        } else {
            organ::BACKGROUND
        };
    });
}

/// Adrenal glands on the kidneys: two thin limbs each, upright, that part towards the back.
fn adrenals(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    for (kidney, side) in [(organ::RIGHT_KIDNEY, -1.0), (organ::LEFT_KIDNEY, 1.0)] {
        let (Some([_, high]), Some(middle)) = (map.bounds(|id| id == kidney), map.centroid(kidney)) else { continue };
        let top = high[0] as f64 * map.spacing[0];
        let x = frame.middle[1] + side * random.random_range(0.5..0.66) * (middle[2] - frame.middle[1]).abs();
        let y = frame.aorta + random.random_range(-6.0..6.0);
        let thick = random.random_range(1.6..2.8);
        let tall = random.random_range(18.0..30.0);
        for level in 0..(tall / 2.0) as usize {
            let z = top - 14.0 + 2.0 * level as f64;
            for (out, back) in [(4.0, 20.0), (14.0, 15.0)] {
                tube(map, &[[z, y, x], [z, y + back, x + side * out]], &[thick, 0.8 * thick], organ::ADRENALS);
            }
        }
    }
}

/// Skin, fat, muscular wall with ribs, fat inside. Gives where the abdominal cavity is.
fn wall_and_fat(map: &mut Labels, frame: &Frame, random: &mut impl Rng) -> Array3<bool> {
    let size: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let spacing = map.spacing;
    let sway = displacement(size, spacing, 70.0, 2.5, random);
    let (rib_period, rib_phase) = (random.random_range(24.0..30.0), random.random_range(0.0..30.0));
    let rib_slope = random.random_range(60.0..100.0);
    let rib_end = frame.pancreas_z[0] - random.random_range(-10.0..50.0);
    // From some hand's breadths below the pancreas on the hip bones stand within the wall.
    let hip = frame.pancreas_z[0] - random.random_range(95.0..140.0);
    let f = *frame;
    let mut inner = Array3::from_elem(size, false);
    ndarray::Zip::indexed(&mut map.ids).and(&mut inner).par_for_each(|(z, y, x), voxel, inside| {
        let moved = sway([z as f64, y as f64, x as f64]);
        let at = [y as f64 * spacing[1] + moved[1], x as f64 * spacing[2] + moved[2]];
        let r = radius(at, f.middle, f.half, f.power);
        let depth = (1.0 - r) * f.half[0].min(f.half[1]);
        // Fat is thicker in front and at the sides than over the spine.
        let back = ((at[0] - f.middle[0]) / f.half[0]).clamp(-1.0, 1.0);
        let fat = f.fat * (1.0 - 0.35 * back);
        let wall = f.wall * (1.0 + 0.5 * back.max(0.0));
        *inside = depth > fat + wall;
        if *voxel != organ::BACKGROUND || depth <= 0.0 {
            return;
        }
        *voxel = if depth < 2.0 {
            organ::SKIN
        } else if depth < fat {
            organ::SUBCUTANEOUS_FAT
        } else if depth <= fat + wall {
            let z_mm = z as f64 * spacing[0];
            let forward = 0.5 * (1.0 - back);
            let course = (z_mm + rib_slope * forward + rib_phase).rem_euclid(rib_period);
            let middle = (depth - fat - 0.55 * wall).abs();
            let rib = (course - 0.5 * rib_period).hypot(1.3 * middle) < 5.5;
            let crest = hip - 45.0 * (back - 0.25).abs();
            let wing = z_mm < crest && back > -0.35 && middle < 0.2 * wall + 0.02 * (crest - z_mm).min(100.0);
            if wing || (rib && forward < 0.8 && z_mm > rib_end + 40.0 * forward) {
                organ::RIBS
            } else {
                organ::MUSCLE
            }
        } else {
            organ::FAT
        };
    });
    inner
}

/// Lungs above the organs: air from a dome upwards.
fn lungs(map: &mut Labels, inner: &Array3<bool>) {
    let (nz, ny, nx) = map.ids.dim();
    let mut height = ndarray::Array2::<f64>::from_elem((ny, nx), f64::MIN);
    for ((z, y, x), id) in map.ids.indexed_iter() {
        let lifts =
            matches!(*id, organ::LIVER | organ::SPLEEN | organ::STOMACH | organ::LEFT_KIDNEY | organ::RIGHT_KIDNEY);
        if lifts {
            height[[y, x]] = f64::max(height[[y, x]], z as f64 * map.spacing[0]);
        }
    }
    let top = height.iter().copied().fold(f64::MIN, f64::max);
    // A dome falls off by not more than its slope: two sweeps of a distance transform.
    let slope = [1.1 * map.spacing[1], 1.1 * map.spacing[2]];
    for y in 0..ny {
        for x in 0..nx {
            let before =
                [(y > 0).then(|| height[[y - 1, x]] - slope[0]), (x > 0).then(|| height[[y, x - 1]] - slope[1])];
            height[[y, x]] = before.into_iter().flatten().fold(height[[y, x]], f64::max);
        }
    }
    for y in (0..ny).rev() {
        for x in (0..nx).rev() {
            let behind = [
                (y + 1 < ny).then(|| height[[y + 1, x]] - slope[0]),
                (x + 1 < nx).then(|| height[[y, x + 1]] - slope[1]),
            ];
            height[[y, x]] = behind.into_iter().flatten().fold(height[[y, x]], f64::max);
        }
    }
    for z in 0..nz {
        let z_mm = z as f64 * map.spacing[0];
        if z_mm < top - 75.0 {
            continue;
        }
        for y in 0..ny {
            for x in 0..nx {
                if inner[[z, y, x]] && map.ids[[z, y, x]] == organ::FAT && z_mm > height[[y, x]] + 4.0 {
                    map.ids[[z, y, x]] = organ::LUNG;
                }
            }
        }
    }
}

/// The heart on the diaphragm, left of the middle, in front.
fn heart(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    let x = frame.middle[1] + random.random_range(5.0..30.0);
    let y = frame.middle[0] - random.random_range(0.25..0.45) * frame.half[0];
    let [iy, ix] = [y / map.spacing[1], x / map.spacing[2]].map(|i| i.round().max(0.0) as usize);
    let (nz, ny, nx) = map.ids.dim();
    if iy >= ny || ix >= nx {
        return;
    }
    let Some(base) = (0..nz).find(|z| map.ids[[*z, iy, ix]] == organ::LUNG) else { return };
    let [rz, ry, rx] = [(45.0, 62.0), (34.0, 48.0), (42.0, 62.0)].map(|(low, high)| random.random_range(low..high));
    let z = base as f64 * map.spacing[0] + 0.75 * rz;
    let spacing = map.spacing;
    ndarray::Zip::indexed(&mut map.ids).par_for_each(|(k, j, i), voxel| {
        let away = ((k as f64 * spacing[0] - z) / rz).powi(2)
            + ((j as f64 * spacing[1] - y) / ry).powi(2)
            + ((i as f64 * spacing[2] - x) / rx).powi(2);
        if *voxel == organ::LUNG && away < 1.0 {
            *voxel = if away < 0.72 { organ::HEART } else { organ::MUSCLE };
        }
    });
}

/// The bladder, in scans that reach into the pelvis.
fn bladder(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    let z = frame.pancreas_z[0] - random.random_range(190.0..250.0);
    let centre = [z, frame.middle[0] - 0.25 * frame.half[0], frame.middle[1] + random.random_range(-8.0..8.0)];
    ball(map, centre, random.random_range(22.0..48.0), |voxel, _, _| {
        if *voxel == organ::FAT {
            *voxel = organ::BLADDER;
        }
    });
}
