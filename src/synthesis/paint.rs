//! A label map painted as a CT: densities, texture, and what a scanner does to them.
//!
//! Densities in Hounsfield units are drawn for each patient: the pancreas' first, the others' relative to it, as they were measured on 30
//! abdominal CTs with organs labelled by hand. The pancreas loses density with the fat between its lobules. A third of the patients has
//! positive contrast medium in stomach or bowel. Where two organs touch, their border is a film of fat here and nothing there. [`Style::Randomised`] draws them far wider than any patient has them, as SynthSeg does (Billot et al., 2023), for networks that
//! have to meet scanners they never saw.

use ndarray::Array3;
use rand::Rng;

use super::labels::{organ, Labels};
use super::noise::{blurred, normal, smooth, white};
use crate::volume::{resample, Geometry, Volume};
use crate::Result;

/// How a CT is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As patients and scanners are.
    Realistic,
    /// Contrast, texture, resolution and artefacts far wider than real.
    Randomised,
}

/// Contrast phases of an abdominal CT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Native,
    /// Late arterial, when the pancreas is brightest.
    Arterial,
    Venous,
}

/// An organ's mean density relative to the pancreas' and how much patients differ, in Hounsfield units.
type Relative = (u8, f64, f64);

/// Native scans: absolute means. Handbook values; the pancreas of 30 real CTs with labels by hand was 0 and 10 HU in the two native ones.
const NATIVE: [Relative; 17] = [
    (organ::SPLEEN, 48.0, 7.0),
    (organ::RIGHT_KIDNEY, 33.0, 6.0),
    (organ::LEFT_KIDNEY, 33.0, 6.0),
    (organ::LIVER, 54.0, 10.0),
    (organ::STOMACH, 40.0, 8.0),
    (organ::AORTA, 43.0, 6.0),
    (organ::PANCREAS, 40.0, 9.0),
    (organ::OESOPHAGUS, 34.0, 8.0),
    (organ::DUODENUM, 38.0, 9.0),
    (organ::VENA_CAVA, 42.0, 6.0),
    (organ::PORTAL_VEIN, 42.0, 6.0),
    (organ::MESENTERIC_VESSELS, 42.0, 6.0),
    (organ::SMALL_BOWEL, 38.0, 12.0),
    (organ::COLON, 36.0, 10.0),
    (organ::ADRENALS, 28.0, 8.0),
    (organ::HEART, 42.0, 5.0),
    (organ::BLADDER, 6.0, 5.0),
];

/// The pancreas in contrast-enhanced phases: mean, deviation, least, most. Real CTs: 14 to 124 HU (5 to 95 %), 171 at most; real crops
/// of 345 patients: 35 to 140 HU, median 90. These are densities of lobules; fat between them takes up to 20 HU off.
const PANCREAS: [[f64; 4]; 2] = [[136.0, 20.0, 84.0, 182.0], [109.0, 23.0, 48.0, 163.0]];

/// Late arterial phase, relative to the pancreas.
const ARTERIAL: [Relative; 16] = [
    (organ::SPLEEN, 6.0, 18.0),
    (organ::RIGHT_KIDNEY, 55.0, 30.0),
    (organ::LEFT_KIDNEY, 55.0, 30.0),
    (organ::LIVER, -28.0, 15.0),
    (organ::STOMACH, -20.0, 16.0),
    (organ::AORTA, 130.0, 45.0),
    (organ::OESOPHAGUS, -70.0, 20.0),
    (organ::DUODENUM, -14.0, 18.0),
    (organ::VENA_CAVA, -15.0, 25.0),
    (organ::PORTAL_VEIN, 84.0, 26.0),
    (organ::MESENTERIC_VESSELS, 105.0, 30.0),
    (organ::SMALL_BOWEL, -4.0, 18.0),
    (organ::COLON, -30.0, 16.0),
    (organ::ADRENALS, -38.0, 18.0),
    (organ::HEART, 100.0, 40.0),
    (organ::BLADDER, -108.0, 8.0),
];

/// Portal-venous phase, relative to the pancreas' lobules; what is measured is less by the fat in the pancreas and the films around
/// narrow veins. Of 30 real CTs (all phases): liver +21 (-17 to +45), portal vein +60 (+29 to +112); the
/// medians of the other organs less the pancreas' 70: spleen 33, kidneys 50, aorta 68, vena cava 35, stomach -12, oesophagus -46,
/// adrenals -33.
const VENOUS: [Relative; 16] = [
    (organ::SPLEEN, 16.0, 15.0),
    (organ::RIGHT_KIDNEY, 38.0, 34.0),
    (organ::LEFT_KIDNEY, 38.0, 34.0),
    (organ::LIVER, -2.0, 15.0),
    (organ::STOMACH, -10.0, 15.0),
    (organ::AORTA, 58.0, 28.0),
    (organ::OESOPHAGUS, -74.0, 20.0),
    (organ::DUODENUM, -8.0, 16.0),
    (organ::VENA_CAVA, 32.0, 24.0),
    (organ::PORTAL_VEIN, 102.0, 30.0),
    (organ::MESENTERIC_VESSELS, 100.0, 30.0),
    (organ::SMALL_BOWEL, -2.0, 18.0),
    (organ::COLON, -16.0, 15.0),
    (organ::ADRENALS, -16.0, 16.0),
    (organ::HEART, 62.0, 24.0),
    (organ::BLADDER, -78.0, 8.0),
];

/// What hardly takes contrast medium up: mean and how much patients differ. Real gallbladders: 24 HU (5 to 61).
const PLAIN: [Relative; 6] = [
    (organ::GALLBLADDER, 24.0, 16.0),
    (organ::VERTEBRAE, 195.0, 55.0),
    (organ::RIBS, 330.0, 70.0),
    (organ::SPINAL_CANAL, 24.0, 5.0),
    (organ::MUSCLE, 58.0, 8.0),
    (organ::DISC, 85.0, 12.0),
];

/// How much an organ's own voxels differ, noise aside: half the width of the middle 68 % of 30 real CTs' voxels (pancreas 25, liver 16,
/// spleen 18, kidneys 35, stomach 68 with its content) less what a scanner's noise adds.
fn texture_of(id: u8) -> f32 {
    match id {
        organ::PANCREAS => 19.0,
        organ::LIVER | organ::SPLEEN | organ::GALLBLADDER | organ::SPINAL_CANAL | organ::BLADDER => 5.0,
        organ::LEFT_KIDNEY | organ::RIGHT_KIDNEY => 20.0,
        organ::STOMACH | organ::DUODENUM | organ::SMALL_BOWEL | organ::COLON => 16.0,
        organ::OESOPHAGUS => 28.0,
        organ::ADRENALS => 16.0,
        organ::VERTEBRAE => 35.0,
        organ::RIBS => 60.0,
        organ::AORTA | organ::VENA_CAVA | organ::PORTAL_VEIN | organ::MESENTERIC_VESSELS => 14.0,
        _ => 8.0,
    }
}

/// Paints a whole map (everything around the organs included). The CT lies on the map's grid, axis-aligned in LPS.
///
/// # Errors
/// None that its input could cause.
pub(super) fn paint(map: &Labels, style: Style, random: &mut impl Rng) -> Result<Volume> {
    let size: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let table = Table::draw(style, random);
    let softness =
        if style == Style::Randomised { random.random_range(0.5..2.5) } else { random.random_range(0.8..1.6) };
    let texture = smooth(size, [softness; 3], random);
    let lobules = smooth(size, map.spacing.map(|s| table.lobules.size / s), random);
    let uneven = smooth(size, map.spacing.map(|s| 9.0 / s), random);
    let depth = |id: u8| part_inside(map, id);
    let (stomach, duodenum, colon) = (depth(organ::STOMACH), depth(organ::DUODENUM), depth(organ::COLON));
    let kidneys = {
        let mask = map.ids.mapv(|id| f32::from(u8::from(id == organ::LEFT_KIDNEY || id == organ::RIGHT_KIDNEY)));
        blurred(mask, map.spacing.map(|s| 6.0 / s))
    };
    let bones = {
        let mask = map.ids.mapv(|id| f32::from(u8::from(id == organ::VERTEBRAE || id == organ::RIBS)));
        blurred(mask, map.spacing.map(|s| 2.2 / s))
    };
    let filling = Filling::draw(map, &table, random);
    let film = film(map, random);
    let mut image = Array3::<f32>::zeros(size);
    let fat = table.of(organ::FAT);
    for ((index, id), hu) in map.ids.indexed_iter().zip(image.iter_mut()) {
        let (mean, spread) = table.of(*id);
        let mut value = mean + spread * texture[index];
        match *id {
            organ::PANCREAS => {
                value += table.uneven * uneven[index];
                value = table.lobules.mixed(lobules[index], value, fat.0 + fat.1 * texture[index]);
            }
            organ::FAT => value += table.strands * (lobules[index] - 1.0).max(0.0),
            organ::STOMACH if stomach[index] > 0.86 => value = filling.value(0, index, texture[index]),
            organ::DUODENUM if duodenum[index] > 0.9 && table.open_duodenum => {
                value = filling.value(1, index, texture[index])
            }
            organ::COLON if colon[index] > 0.86 => value = filling.value(2, index, texture[index]),
            organ::LEFT_KIDNEY | organ::RIGHT_KIDNEY if kidneys[index] > 0.86 => value += table.medulla,
            organ::VERTEBRAE | organ::RIBS if bones[index] < 0.72 => value += table.cortex,
            organ::CONTENT => value = filling.loops.0 + filling.loops.1 * texture[index],
            _ => {}
        }
        *hu = value + film[index] * (fat.0 - value);
    }
    couch(&mut image, map, random);
    scan(&mut image, map, style, random);
    image.mapv_inplace(|v| v.clamp(-1024.0, 3071.0).round());
    let mut geometry =
        Geometry::axis_aligned([size[2], size[1], size[0]], [map.spacing[2], map.spacing[1], map.spacing[0]]);
    geometry.origin = std::array::from_fn(|a| -0.5 * (geometry.size[a] as f64 - 1.0) * geometry.spacing[a]);
    Volume::new(image, geometry)
}

/// Means and spreads by organ.
struct Table {
    values: [(f32, f32); organ::COUNT],
    lobules: Lobules,
    /// HU by which a pancreas differs from place to place over centimetres: tumours, ducts, inflammation.
    uneven: f32,
    /// HU by which strands in the fat of the abdomen are denser, for each deviation of their noise above the first.
    strands: f32,
    medulla: f32,
    cortex: f32,
    open_duodenum: bool,
    /// The density of positive oral contrast medium, where there is some.
    oral: Option<f32>,
}

/// A normal deviate of mean, deviation, least and most.
fn drawn([mean, deviation, least, most]: [f64; 4], random: &mut impl Rng) -> f64 {
    (mean + deviation * normal(random)).clamp(least, most)
}

impl Table {
    fn draw(style: Style, random: &mut impl Rng) -> Self {
        let mut values = [(-1000.0_f32, 4.0_f32); organ::COUNT];
        let phase = match random.random::<f64>() {
            p if p < 0.08 => Phase::Native,
            p if p < 0.3 => Phase::Arterial,
            _ => Phase::Venous,
        };
        // How well the contrast medium has come moves everything that it reaches, the pancreas first.
        let (base, relative): (f64, &[Relative]) = match phase {
            Phase::Native => (0.0, &NATIVE),
            Phase::Arterial => (drawn(PANCREAS[0], random), &ARTERIAL),
            Phase::Venous => (drawn(PANCREAS[1], random), &VENOUS),
        };
        if phase != Phase::Native {
            values[organ::PANCREAS as usize].0 = base as f32;
        }
        for (id, mean, patients) in relative {
            values[*id as usize].0 = (base + mean + patients * normal(random)) as f32;
        }
        for (id, mean, patients) in PLAIN {
            values[id as usize].0 = (mean + patients * normal(random)) as f32;
        }
        // A pair is alike but for a few units.
        values[organ::LEFT_KIDNEY as usize].0 = values[organ::RIGHT_KIDNEY as usize].0 + 5.0 * normal(random) as f32;
        let rough: f32 = random.random_range(0.5..1.3);
        for (id, value) in values.iter_mut().enumerate() {
            value.1 = rough * texture_of(id as u8);
        }
        let fat = -96.0 + 6.0 * normal(random);
        values[organ::FAT as usize] = (fat as f32, random.random_range(3.0..9.0));
        values[organ::SUBCUTANEOUS_FAT as usize] = ((fat - 3.0) as f32, 6.0);
        values[organ::SKIN as usize] = (10.0, 10.0);
        values[organ::LUNG as usize] = (-840.0 + 30.0 * normal(random) as f32, 35.0);
        values[organ::GAS as usize] = (-960.0, 10.0);
        values[organ::BACKGROUND as usize] = (-1000.0, 4.0);
        let lobules = Lobules::draw(random);
        // Clefts that the slice does not resolve lower the mean as well.
        values[organ::PANCREAS as usize].0 -= lobules.unresolved;
        // Many a scan has bowel of exactly the pancreas' density.
        if random.random::<f64>() < 0.5 {
            let pancreas = values[organ::PANCREAS as usize].0;
            values[organ::SMALL_BOWEL as usize].0 = pancreas + 9.0 * normal(random) as f32;
            values[organ::DUODENUM as usize].0 = pancreas + 9.0 * normal(random) as f32;
        }
        // A third of the patients drank a positive contrast medium.
        let oral = (random.random::<f64>() < 0.36).then(|| (230.0 + 90.0 * normal(random)).clamp(110.0, 550.0) as f32);
        let mut table = Table {
            values,
            lobules,
            uneven: random.random_range(0.0..36.0),
            strands: if random.random::<f64>() < 0.7 { random.random_range(0.0..60.0) } else { 0.0 },
            medulla: if phase == Phase::Arterial {
                random.random_range(-70.0..-15.0)
            } else {
                random.random_range(-25.0..8.0)
            },
            cortex: random.random_range(180.0..420.0),
            open_duodenum: random.random::<f64>() < 0.5,
            oral,
        };
        if style == Style::Randomised {
            table.randomise(random);
        }
        table
    }

    /// Any contrast between neighbours that could be, as long as organs are not air.
    fn randomise(&mut self, random: &mut impl Rng) {
        for (id, value) in self.values.iter_mut().enumerate() {
            let id = id as u8;
            if matches!(id, organ::BACKGROUND | organ::GAS | organ::LUNG) {
                continue;
            }
            let fat = matches!(id, organ::FAT | organ::SUBCUTANEOUS_FAT);
            let bone = matches!(id, organ::VERTEBRAE | organ::RIBS);
            *value = match (fat, bone) {
                (true, _) => (random.random_range(-140.0..-40.0), random.random_range(3.0..16.0)),
                (_, true) => (random.random_range(80.0..600.0), random.random_range(10.0..70.0)),
                _ => (random.random_range(-15.0..230.0), random.random_range(2.0..16.0)),
            };
        }
        // The pancreas stays apart from fat, or nobody could see it.
        self.values[organ::PANCREAS as usize].0 = random.random_range(5.0..180.0);
    }

    fn of(&self, id: u8) -> (f32, f32) {
        self.values[id as usize]
    }
}

/// The pancreas' lobules and the fat between them.
struct Lobules {
    /// Deviation in mm of the Gaussian that the lobules are correlated by.
    size: f64,
    /// Where of that noise, of deviation 1, fat begins, and how gently.
    border: f32,
    softness: f32,
    /// HU by which clefts finer than voxels lower the mean.
    unresolved: f32,
}

impl Lobules {
    /// The share of patients whose pancreas is mostly or half fat, as in the old, the stout and the diabetic. Of 30 real pancreases the
    /// fattest had 14 % of voxels below -30 HU, the median one 1.3 %.
    const INFILTRATED: f64 = 0.05;

    fn draw(random: &mut impl Rng) -> Self {
        let size = random.random_range(1.4..3.4);
        if random.random::<f64>() < Self::INFILTRATED {
            // Fat in 25 to 60 of 100 voxels.
            let (border, softness) = (random.random_range(-0.3..0.7), random.random_range(0.2..0.5));
            Lobules { size, border, softness, unresolved: random.random_range(0.0..20.0) }
        } else {
            let fat = random.random_range(0.0_f32..1.15).powi(2);
            Lobules { size, border: 2.3 - 0.65 * fat, softness: 0.4, unresolved: 8.0 * fat }
        }
    }

    /// The density where the noise has a value.
    fn mixed(&self, noise: f32, lobule: f32, fat: f32) -> f32 {
        let share = 1.0 / (1.0 + ((self.border - noise) / self.softness).exp());
        lobule + share * (fat - lobule)
    }
}

/// How far inside an organ each voxel is: 1 deep, about one half at the surface.
fn part_inside(map: &Labels, id: u8) -> Array3<f32> {
    let mask = map.ids.mapv(|found| f32::from(u8::from(found == id)));
    blurred(mask, map.spacing.map(|s| 3.2 / s))
}

/// What is inside stomach, duodenum and colon: fluid or food below a level, gas above it.
struct Filling {
    /// The row (along y) above which there is gas, and the density below it; by organ.
    organs: [(usize, f32, f32); 3],
    /// Density and spread in loops of small bowel, and wherever a map has content by itself.
    loops: (f32, f32),
}

impl Filling {
    fn draw(map: &Labels, table: &Table, random: &mut impl Rng) -> Self {
        // Contrast medium that was drunk does not reach everywhere, and is diluted on its way.
        let mut oral = |reaches: f64| {
            let here = random.random::<f64>() < reaches;
            let diluted = random.random_range(0.5..1.1_f32);
            table.oral.filter(|_| here).map(|density| (density * diluted, 0.12 * density))
        };
        let positive = [oral(0.8), oral(0.5), oral(0.6)];
        let loops = oral(0.8).unwrap_or((random.random_range(5.0..45.0), random.random_range(4.0..20.0)));
        // Stool is mottled: fibres, fat and bubbles.
        let stool = random.random::<f64>() < 0.6;
        let mut level = |id: u8, gas: f64, positive: Option<(f32, f32)>| {
            let bounds = map.bounds(|found| found == id).unwrap_or([[0; 3], [0; 3]]);
            let part: f64 = if random.random::<f64>() < gas { random.random_range(0.05..0.27) } else { 0.0 };
            let row = bounds[0][1] as f64 + part * (bounds[1][1] - bounds[0][1]) as f64;
            let food = random.random::<f64>();
            let density = match food {
                _ if food < 0.6 => random.random_range(0.0..25.0),
                _ => random.random_range(25.0..80.0),
            };
            let mottled = (random.random_range(-70.0..50.0), random.random_range(30.0..120.0));
            let plain = (density as f32, random.random_range(3.0..18.0));
            let without = if stool && id == organ::COLON { mottled } else { plain };
            let (density, spread) = positive.unwrap_or(without);
            (row as usize, density, spread)
        };
        let [stomach, duodenum, colon] = positive;
        let organs = [
            level(organ::STOMACH, 0.9, stomach),
            level(organ::DUODENUM, 0.15, duodenum),
            level(organ::COLON, 0.8, colon),
        ];
        Filling { organs, loops }
    }

    fn value(&self, organ: usize, index: (usize, usize, usize), texture: f32) -> f32 {
        let (level, density, spread) = self.organs[organ];
        if index.1 < level {
            -950.0
        } else {
            density + spread * texture
        }
    }
}

/// The share of fat in the film between two organs that touch: in some places a thin line, in others nothing.
fn film(map: &Labels, random: &mut impl Rng) -> Array3<f32> {
    let size: [usize; 3] = std::array::from_fn(|a| map.ids.shape()[a]);
    let most: f32 = random.random_range(0.0_f32..0.75);
    let cover: f32 = random.random_range(-0.8..0.8);
    let patches = smooth(size, map.spacing.map(|s| 4.0 / s), random);
    let soft = |id: u8| {
        let hollow = matches!(id, organ::BACKGROUND | organ::FAT | organ::SUBCUTANEOUS_FAT | organ::SKIN | organ::GAS);
        !hollow && !matches!(id, organ::CONTENT | organ::LUNG | organ::VERTEBRAE | organ::RIBS | organ::DISC)
    };
    Array3::from_shape_fn(size, |(z, y, x)| {
        let id = map.ids[[z, y, x]];
        // On one side of the border alone, or the line would be two voxels wide.
        let other = |at: [usize; 3]| {
            let next = map.ids[at];
            next < id && soft(next)
        };
        let at_border = soft(id)
            && ((z > 0 && other([z - 1, y, x]))
                || (z + 1 < size[0] && other([z + 1, y, x]))
                || (y > 0 && other([z, y - 1, x]))
                || (y + 1 < size[1] && other([z, y + 1, x]))
                || (x > 0 && other([z, y, x - 1]))
                || (x + 1 < size[2] && other([z, y, x + 1])));
        if at_border {
            // Veins lie bare against the pancreas more often than not.
            let vessel = matches!(id, organ::PORTAL_VEIN | organ::MESENTERIC_VESSELS | organ::VENA_CAVA | organ::AORTA);
            let most = if vessel { 0.25 * most } else { most };
            most * (0.5 + patches[[z, y, x]] - cover).clamp(0.0, 1.0)
        } else {
            0.0
        }
    })
}

/// The table under the patient: a curved shell.
fn couch(image: &mut Array3<f32>, map: &Labels, random: &mut impl Rng) {
    let Some([low, high]) = map.bounds(|id| id != organ::BACKGROUND) else { return };
    if random.random::<f64>() < 0.25 {
        return;
    }
    let back = high[1] as f64 * map.spacing[1] + random.random_range(1.0..6.0);
    let middle = 0.5 * (low[2] + high[2]) as f64 * map.spacing[2];
    let curve = random.random_range(0.0..0.0012);
    let (shell, thick) = (random.random_range(-250.0..60.0), random.random_range(22.0..50.0));
    let filled = random.random_range(-980.0..-850.0);
    for ((_, y, x), hu) in image.indexed_iter_mut() {
        if *hu > -900.0 {
            continue;
        }
        let beyond = y as f64 * map.spacing[1] - back + curve * (x as f64 * map.spacing[2] - middle).powi(2);
        if (0.0..4.0).contains(&beyond) || (thick - 4.0..thick).contains(&beyond) {
            *hu = shell;
        } else if (4.0..thick - 4.0).contains(&beyond) {
            *hu = filled;
        }
    }
}

/// What a scanner does: blurs by its focus and by slice thickness, hardens the beam, adds noise of its kernel's grain.
fn scan(image: &mut Array3<f32>, map: &Labels, style: Style, random: &mut impl Rng) {
    let wild = style == Style::Randomised;
    let size: [usize; 3] = std::array::from_fn(|a| image.shape()[a]);
    let spacing = map.spacing;
    let focus = if wild { random.random_range(0.4..2.6) } else { random.random_range(0.9..1.6) };
    let mut result = blurred(std::mem::take(image), spacing.map(|s| focus / s));

    // Thick slices: the mean over their thickness, between them interpolated as a reader would.
    let thickness = if wild { random.random_range(1.0..9.0) } else { random.random_range(1.0..5.5) };
    if thickness > 1.2 * spacing[0] {
        let slices = ((size[0] as f64 * spacing[0] / thickness).round() as usize).max(2);
        result = resample(resample(result.view(), [slices, size[1], size[2]], true).view(), size, false);
    }

    // Beam hardening: the middle of the body a little too dark, and streaks across it.
    let [cz, cy, cx] = size.map(|n| n as f32 / 2.0);
    let cup = if wild { random.random_range(-25.0..25.0) } else { random.random_range(-6.0..2.0) };
    let streak = if wild { random.random_range(0.0..18.0) } else { random.random_range(0.0_f32..1.0).powi(3) * 10.0 };
    let streaks = smooth(size, [0.6, 1.0, 22.0], random);
    let noise = if wild { random.random_range(1.0..45.0) } else { random.random_range(3.0..13.0) };
    let grain = random.random_range(0.35..1.1);
    let fine = white(size, random);
    let coarse = smooth(size, [0.5, grain, grain], random);
    let mix: f32 = random.random_range(0.1..0.5);
    let scale = noise / (mix * mix + (1.0 - mix) * (1.0 - mix)).sqrt();
    for ((index, hu), (fine, coarse)) in result.indexed_iter_mut().zip(fine.iter().zip(&coarse)) {
        let [y, x] = [(index.1 as f32 - cy) / cy, (index.2 as f32 - cx) / cx];
        let inside = (1.0 - (y * y + x * x)).max(0.0);
        let along = (index.0 as f32 - cz) / cz;
        *hu += cup * inside + streak * streaks[index] * inside * (0.6 + 0.4 * along);
        // More noise where more body is in the way.
        *hu += scale * (0.55 + 0.6 * inside) * (mix * fine + (1.0 - mix) * coarse);
    }
    *image = result;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// The share of fat in a pancreas, over noise of deviation 1.
    fn share_of_fat(lobules: &Lobules, random: &mut ChaCha8Rng) -> f32 {
        (0..2000).map(|_| lobules.mixed(normal(random) as f32, 0.0, 1.0)).sum::<f32>() / 2000.0
    }

    #[test]
    fn few_pancreases_are_a_quarter_or_more_fat_and_none_is_fat_alone() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let shares: Vec<f32> = (0..400)
            .map(|_| {
                let lobules = Lobules::draw(&mut random);
                share_of_fat(&lobules, &mut random)
            })
            .collect();
        let fatty = shares.iter().filter(|share| **share > 0.22).count();
        assert!((15..=50).contains(&fatty), "{fatty} of 400");
        assert!(shares.iter().all(|share| *share < 0.7), "{shares:?}");
        let lean = shares.iter().filter(|share| **share < 0.1).count();
        assert!(lean > 280, "{lean} of 400");
    }

    #[test]
    fn noise_far_from_the_border_is_lobule_or_fat() {
        let lobules = Lobules { size: 2.0, border: 0.0, softness: 0.3, unresolved: 0.0 };
        assert!((lobules.mixed(-5.0, 40.0, -100.0) - 40.0).abs() < 0.01);
        assert!((lobules.mixed(5.0, 40.0, -100.0) + 100.0).abs() < 0.01);
        assert_eq!(lobules.mixed(0.0, 40.0, -100.0), -30.0);
    }
}
