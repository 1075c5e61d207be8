//! Vessels around the organs of a label map: what leaves aorta and vena cava, and the portal vein's tributaries.
//!
//! They lie where anatomy has them relative to pancreas, kidneys and spleen. To a network they matter for what they are taken for: in a
//! native scan the left renal vein, which crosses in front of the aorta, and the mesenteric vein are as dense as a pancreas.

use rand::Rng;

use super::frame::Frame;
use super::labels::{organ, Labels};
use super::noise::normal;
use super::shapes::{distance, fill_tube, tube};

/// All vessels but aorta and vena cava, which lie there already. Arteries come first: where they would meet, the vein yields.
pub(super) fn vessels(map: &mut Labels, frame: &Frame, random: &mut impl Rng) {
    let levels = Levels::draw(map, frame, random);
    let line = line_of_pancreas(map, frame);
    arteries(map, frame, &levels, &line, random);
    renal(map, frame, &levels, random);
    portal(map, frame, &line, random);
    within_liver(map, random);
}

/// Veins within the liver: three from the back of its dome downwards, branches of the portal vein from its middle.
fn within_liver(map: &mut Labels, random: &mut impl Rng) {
    let (Some(middle), Some([low, high])) = (map.centroid(organ::LIVER), map.bounds(|id| id == organ::LIVER)) else {
        return;
    };
    let [low, high]: [[f64; 3]; 2] = [low, high].map(|c| std::array::from_fn(|a| c[a] as f64 * map.spacing[a]));
    let dome = [high[0] - 18.0, middle[1] + 20.0, middle[2] + 25.0];
    for number in 0..random.random_range(8..18) {
        let hepatic = number % 2 == 0;
        let start = if hepatic { dome } else { [middle[0], middle[1] + 5.0, middle[2] + 22.0] };
        let end: [f64; 3] = std::array::from_fn(|a| random.random_range(low[a]..high[a].max(low[a] + 1.0)));
        let bend: [f64; 3] = std::array::from_fn(|a| 0.5 * (start[a] + end[a]) + 8.0 * normal(random));
        let thick = random.random_range(1.6..4.2);
        let radii = [thick, 0.7 * thick, 0.35 * thick];
        // The vena cava's own number: what is measured as portal vein stays the trunk.
        fill_tube(map, &[start, bend, end], &radii, organ::LIVER, organ::VENA_CAVA);
    }
}

/// Heights in mm at which the large branches leave.
struct Levels {
    coeliac: f64,
    mesenteric: f64,
    /// Where the left renal vein crosses the aorta, below the mesenteric artery.
    crossing: f64,
}

impl Levels {
    fn draw(map: &Labels, frame: &Frame, random: &mut impl Rng) -> Self {
        let near = |place: &[f64; 3]| (place[2] - frame.middle[1]).abs() < 25.0;
        let at_midline = map.places(organ::PANCREAS).filter(near);
        let top = at_midline.map(|place| place[0]).reduce(f64::max).unwrap_or(frame.pancreas[0]);
        let coeliac = top + random.random_range(0.0..10.0);
        let mesenteric = coeliac - random.random_range(9.0..15.0);
        Levels { coeliac, mesenteric, crossing: mesenteric - random.random_range(8.0..18.0) }
    }
}

/// Where the pancreas runs, from the neck to the tail: for columns of 6 mm the middle of its back and of its upper edge.
struct Line {
    back: Vec<[f64; 3]>,
    top: Vec<[f64; 3]>,
}

fn line_of_pancreas(map: &Labels, frame: &Frame) -> Line {
    const STEP: f64 = 6.0;
    const COLUMNS: usize = 30;
    let start = frame.middle[1] - 12.0;
    // By column: backmost y, highest z, and sums of z, y and one.
    let mut columns = vec![(f64::MIN, f64::MIN, [0.0_f64; 3]); COLUMNS];
    for [z, y, x] in map.places(organ::PANCREAS) {
        let column = (x - start) / STEP;
        if (0.0..COLUMNS as f64).contains(&column) {
            let (back, top, sums) = &mut columns[column as usize];
            (*back, *top) = (back.max(y), top.max(z));
            *sums = [sums[0] + z, sums[1] + y, sums[2] + 1.0];
        }
    }
    let (mut back, mut top) = (Vec::new(), Vec::new());
    for (number, (backmost, highest, [z, y, count])) in columns.into_iter().enumerate() {
        if count > 0.0 {
            let x = start + (number as f64 + 0.5) * STEP;
            back.push([z / count + 2.0, backmost + 1.0, x]);
            top.push([highest + 2.0, y / count + 3.0, x]);
        }
    }
    Line { back: smoothed(&back), top: smoothed(&top) }
}

/// Each point the mean of those up to two away.
fn smoothed(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    (0..points.len())
        .map(|i| {
            let near = &points[i.saturating_sub(2)..(i + 3).min(points.len())];
            std::array::from_fn(|a| near.iter().map(|p| p[a]).sum::<f64>() / near.len() as f64)
        })
        .collect()
}

/// Coeliac trunk with its arteries to liver and spleen, and the superior mesenteric artery.
fn arteries(map: &mut Labels, frame: &Frame, levels: &Levels, line: &Line, random: &mut impl Rng) {
    let (x, front) = (frame.aorta_x, frame.aorta - frame.aorta_radius);
    let fork = [levels.coeliac + 3.0, front - random.random_range(12.0..20.0), x];
    tube(map, &[[levels.coeliac, front + 3.0, x], fork], &[4.0, 3.5], organ::AORTA);
    let liver = [
        fork,
        [fork[0] - 1.0, fork[1], x - 14.0],
        [fork[0] + random.random_range(2.0..10.0), fork[1] + 1.0, x - 32.0],
        [fork[0] + random.random_range(10.0..24.0), fork[1] - 2.0, x - 46.0],
    ];
    tube(map, &liver, &[2.8, 2.6, 2.4, 2.0], organ::AORTA);
    // The splenic artery winds along the upper edge, more so in the old.
    let winding = random.random_range(1.0..6.0);
    let beyond_neck = line.top.iter().filter(|p| p[2] > x + 8.0).enumerate();
    let mut course = vec![fork];
    course.extend(beyond_neck.map(|(n, p)| [p[0] + winding * if n % 2 == 0 { 1.0 } else { -0.4 }, p[1], p[2]]));
    course.extend(course.last().and_then(|end| towards(map, organ::SPLEEN, *end)));
    let thick = random.random_range(2.2..3.0);
    tube(map, &course, &vec![thick; course.len()], organ::AORTA);

    let Some(confluence) = line.back.first().copied() else { return };
    let thick = random.random_range(3.2..4.4);
    let below = random.random_range(70.0..120.0);
    let [far, near] = [confluence[0] - below, confluence[0] - 0.5 * below];
    let course = [
        [levels.mesenteric, front + 3.0, x],
        [levels.mesenteric - 5.0, front - 6.0, x],
        [levels.mesenteric - 18.0, (front - 9.0).min(confluence[1] + 5.0), confluence[2] + 10.0],
        [near, confluence[1] - 2.0, confluence[2] + 9.0 + 3.0 * normal(random)],
        [far, confluence[1] + 2.0, confluence[2] + 1.0],
    ];
    tube(map, &course, &[thick, thick, thick, thick, 0.7 * thick], organ::MESENTERIC_VESSELS);
}

/// Arteries and veins of both kidneys; the left vein crosses in front of the aorta.
fn renal(map: &mut Labels, frame: &Frame, levels: &Levels, random: &mut impl Rng) {
    let aorta = frame.aorta;
    for (kidney, side) in [(organ::RIGHT_KIDNEY, -1.0), (organ::LEFT_KIDNEY, 1.0)] {
        let Some(hilum) = hilum(map, kidney, side, levels.crossing - random.random_range(0.0..16.0)) else { continue };
        let from = [levels.crossing + random.random_range(-2.0..6.0), aorta, frame.aorta_x];
        // Behind the vena cava on the right.
        let behind =
            [0.5 * (from[0] + hilum[0]), aorta + 9.0, frame.aorta_x + side * 0.45 * (hilum[2] - frame.aorta_x).abs()];
        tube(map, &[from, behind, [hilum[0], hilum[1] + 2.0, hilum[2]]], &[2.8, 2.6, 2.2], organ::AORTA);
        let thick = random.random_range(3.8..6.2);
        let down = if side < 0.0 { random.random_range(0.0..12.0) } else { 0.0 };
        let [y, x] = frame.cava.at(levels.crossing - down);
        let mouth = [levels.crossing - down, y, x];
        let mut course = vec![mouth];
        if side > 0.0 {
            let before = aorta - frame.aorta_radius - 0.6 * thick;
            course.push([levels.crossing, before, frame.aorta_x - 4.0]);
            course.push([levels.crossing, before + 0.5, frame.aorta_x + 5.0]);
            course.push([levels.crossing - 2.0, before + 6.0, frame.aorta_x + frame.aorta_radius + 9.0]);
        }
        course.push(hilum);
        let radii: Vec<f64> = (0..course.len()).map(|n| if n == 1 || n == 2 { 0.8 * thick } else { thick }).collect();
        tube(map, &course, &radii, organ::VENA_CAVA);
    }
}

/// Where vessels enter a kidney, as near as the kidney allows to a height: a little inside its edge towards the spine.
fn hilum(map: &Labels, kidney: u8, side: f64, height: f64) -> Option<[f64; 3]> {
    let [low, high] = map.bounds(|id| id == kidney)?.map(|corner| corner[0] as f64 * map.spacing[0]);
    let quarter = 0.25 * (high - low);
    let height = height.clamp(low + quarter, high - quarter);
    let (mut edge, mut y_sum, mut count) = (f64::MAX, 0.0, 0.0);
    for [_, y, x] in map.places(kidney).filter(|place| (place[0] - height).abs() < 6.0) {
        edge = edge.min(side * x);
        y_sum += y;
        count += 1.0;
    }
    (count > 0.0).then(|| [height, y_sum / count - 3.0, side * (edge + 8.0)])
}

/// The way on from a point to the nearest voxel of an organ, if that is not far.
fn towards(map: &Labels, organ: u8, from: [f64; 3]) -> Option<[f64; 3]> {
    const FAR: f64 = 70.0;
    let away = |place: &[f64; 3]| distance(*place, from);
    map.places(organ).min_by(|a, b| away(a).total_cmp(&away(b))).filter(|place| away(place) < FAR)
}

/// Splenic vein along the back of the pancreas, portal vein to the liver, superior and inferior mesenteric vein and their branches.
fn portal(map: &mut Labels, frame: &Frame, line: &Line, random: &mut impl Rng) {
    let Some(confluence) = line.back.first().copied() else { return };
    let vein = random.random_range(3.0..5.0);
    let mut course = line.back.clone();
    course.extend(course.last().and_then(|end| towards(map, organ::SPLEEN, *end)));
    tube(map, &course, &vec![vein; course.len()], organ::PORTAL_VEIN);
    let ahead = [
        confluence[0] + random.random_range(25.0..48.0),
        confluence[1] - random.random_range(-5.0..12.0),
        confluence[2] - random.random_range(24.0..42.0),
    ];
    let hilum = towards(map, organ::LIVER, ahead).unwrap_or(ahead);
    let thick = random.random_range(5.0..8.0);
    tube(map, &[confluence, hilum], &[thick, thick], organ::PORTAL_VEIN);
    // Its branches as far as the liver's fissures leave room for them, and the bile duct beside it, behind the head.
    for way in [[10.0, 6.0, -28.0], [16.0, -16.0, 24.0]] {
        let end = std::array::from_fn(|a| hilum[a] + way[a] + 4.0 * normal(random));
        tube(map, &[hilum, end], &[0.8 * thick, 0.4 * thick], organ::PORTAL_VEIN);
    }
    let duct = random.random_range(1.8..4.0);
    let beside = [hilum[0] - 2.0, hilum[1] - 3.0, hilum[2] - thick - 1.5];
    let end = [confluence[0] - 10.0, confluence[1] + 4.0, confluence[2] - 20.0];
    tube(map, &[beside, end], &[duct, duct], organ::GALLBLADDER);

    let below = random.random_range(70.0..120.0);
    let thick = random.random_range(4.5..6.5);
    let trunk = [
        [confluence[0], confluence[1] - 2.0, confluence[2] - 4.0],
        [confluence[0] - 0.5 * below, confluence[1] - 10.0, confluence[2] - 4.0 + 3.0 * normal(random)],
        [confluence[0] - below, confluence[1] - 6.0, confluence[2] - 12.0],
    ];
    tube(map, &trunk, &[thick, thick, 0.8 * thick], organ::MESENTERIC_VESSELS);
    // Jejunal veins come from the left, some of them as wide as the splenic vein.
    for _ in 0..random.random_range(2..6) {
        let part = random.random_range(0.1..0.9);
        let start: [f64; 3] = std::array::from_fn(|a| trunk[0][a] + part * (trunk[2][a] - trunk[0][a]));
        let reach = random.random_range(25.0..60.0);
        let bend = [start[0] - random.random_range(-6.0..10.0), start[1] - 3.0, start[2] + 0.5 * reach];
        let end = [bend[0] - random.random_range(-8.0..22.0), bend[1] + 6.0 * normal(random), start[2] + reach];
        let thick = random.random_range(1.6..3.4);
        tube(map, &[start, bend, end], &[thick, thick, 0.6 * thick], organ::MESENTERIC_VESSELS);
    }
    // The inferior mesenteric vein, down beside the aorta.
    let start = line.back[line.back.len() / 3];
    let end = [start[0] - below, frame.aorta - 4.0, frame.aorta_x + random.random_range(22.0..40.0)];
    tube(map, &[start, end], &[2.4, 1.8], organ::MESENTERIC_VESSELS);
}
