//! What a scan is, before anything is segmented: densities, size, the body in it.
//!
//! All but the range of values comes from a sample of a quarter of a million voxels at most, evenly spread, and from 64 slices.

use ndarray::{s, ArrayView3, Axis};
use rayon::prelude::*;
use serde::Serialize;

use super::warning::{Warning, WarningKind};
use crate::volume::{lps_spacing, lps_view, Geometry, Volume};

/// Hounsfield units of soft tissue, with noise and contrast agent.
pub const SOFT_TISSUE: [f32; 2] = [-50.0, 200.0];
/// The least share of a pancreas' voxels that must be soft tissue.
pub const LEAST_SOFT: f64 = 0.6;

/// A CT in Hounsfield units has values below the first (fat, air) and above the second (bone, contrast agent).
const HOUNSFIELD: [f32; 2] = [-200.0, 100.0];
/// Fat, muscle and organs in HU, and what is denser: bone, contrast agent.
const TISSUE: [f32; 2] = [-200.0, 300.0];
const DENSE: [f32; 2] = [300.0, 4000.0];
/// Air, with noise, is not below this; what is, is a value that fills the corners, always the same.
const LOWEST_AIR: f32 = -1500.0;
/// Beyond these, in HU, only metal and fill values are found, and they in more than a few voxels; beyond twice 16 bits nothing is.
const FAR: f32 = 5000.0;
const NOWHERE: f32 = 65_536.0;
const FEW_VOXELS: usize = 10;
/// Above this, in HU, is body or table, not air.
const BODY: f32 = -400.0;
/// Lung in HU; gas of stomach and bowel is below.
const LUNG: [f32; 2] = [-950.0, -500.0];
/// Voxels sampled along each axis, at most.
const SAMPLE: usize = 64;
/// Slices, and rows and columns of each, in which the body is looked for, at most.
const SLICES: usize = 64;
const PIXELS: usize = 128;
/// The part of the body's voxels that lie before, and behind, its box along each axis: a table, an arm.
const OUTSIDE_BOX: f64 = 0.02;
/// Values that are counted apart, at most.
const MOST_DISTINCT: usize = 64;
/// Voxel sizes in mm that a CT can have.
const SPACING_MM: [f64; 2] = [0.1, 20.0];
/// Widths of a body, or of a field of view, in mm.
const WIDTH_MM: [f64; 2] = [60.0, 1000.0];
/// The width in mm from which on a body is an adult's trunk.
const TRUNK_MM: f64 = 150.0;
/// The longest scan in mm: a tall patient from head to foot.
const LONGEST_MM: f64 = 2500.0;
/// The least length in mm in which a pancreas has room.
const LEAST_LENGTH_MM: f64 = 50.0;
/// The largest distance of slices in mm that shows a pancreas.
const THICKEST_MM: f64 = 8.0;
/// The share of lung in the lowest slices from which on a scan ends in the chest.
const CHEST: f64 = 0.1;

/// Features of a scan. Axes are the patient's: x, y and z to left, posterior and superior.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputFeatures {
    /// The lowest value.
    pub lowest_hu: f32,
    /// The highest value.
    pub highest_hu: f32,
    /// 1st percentile of the values.
    pub p1_hu: f32,
    /// Their median.
    pub median_hu: f32,
    /// 99th percentile.
    pub p99_hu: f32,
    /// The share of air, -1100 to -900 HU.
    pub air_share: f64,
    /// The share of tissue, -200 to 300 HU.
    pub tissue_share: f64,
    /// Voxels whose value no scanner writes, or that lie far from all others: damaged ones.
    pub stray_voxels: usize,
    /// The share of whole numbers.
    pub whole_share: f64,
    /// Different values, counted up to 64.
    pub distinct_values: usize,
    /// Why the values are no Hounsfield units of a CT; none if they are.
    pub hounsfield_fault: Option<String>,
    /// The share of voxels that were not numbers and were taken for air.
    pub unmeasured_share: f64,
    /// Distance of voxels in mm along x, y and z.
    pub spacing_mm: [f64; 3],
    /// Size of the scan in mm along x, y and z.
    pub extent_mm: [f64; 3],
    /// The body's width in mm along x and y in the middle third of the slices; none if there is none.
    pub body_mm: Option<[f64; 2]>,
    /// The share of body in the lowest tenth of the slices.
    pub lower_body: f64,
    /// The share of lung in the body there.
    pub lower_lung: f64,
    /// The share of body in the highest tenth of the slices.
    pub upper_body: f64,
    /// The share of lung in the body there.
    pub upper_lung: f64,
    /// The largest share of lung in the body of any slice.
    pub most_lung: f64,
    /// Whether this is a region of a scan, of which nothing is known beyond it.
    pub region: bool,
    #[serde(skip)]
    grid: Geometry,
    /// The first and last voxel of the body's box along x and y.
    #[serde(skip)]
    body: Option<[[f64; 2]; 2]>,
}

impl InputFeatures {
    /// Looks at a scan.
    pub fn of(volume: &Volume) -> Self {
        Self::look(volume, false)
    }

    /// Looks at a region of a scan. Where the body lies and what the scan covers cannot be known from it.
    pub fn of_region(volume: &Volume) -> Self {
        InputFeatures { body: None, body_mm: None, ..Self::look(volume, true) }
    }

    fn look(volume: &Volume, region: bool) -> Self {
        let grid = volume.geometry().clone();
        let voxels = lps_view(volume.voxels(), &grid);
        let [z, y, x] = lps_spacing(&grid);
        let spacing_mm = [x, y, z];
        let extent_mm = std::array::from_fn(|axis| spacing_mm[axis] * voxels.shape()[2 - axis] as f64);
        let (lowest_hu, highest_hu) = range(volume.voxels());
        let values = Values::of(voxels.view(), [lowest_hu, highest_hu]);
        let body = Body::of(voxels);
        let body_mm = body.sides.map(|sides| [0, 1].map(|axis| spacing_mm[axis] * (sides[axis][1] - sides[axis][0])));
        InputFeatures {
            lowest_hu,
            highest_hu,
            p1_hu: values.percentile(0.01),
            median_hu: values.percentile(0.5),
            p99_hu: values.percentile(0.99),
            air_share: values.share(-1100.0, -900.0),
            tissue_share: values.share(TISSUE[0], TISSUE[1]),
            stray_voxels: stray(volume.voxels(), [lowest_hu, highest_hu]),
            whole_share: values.whole_share(),
            distinct_values: values.distinct(),
            // In a small region there may be nothing but muscle, or air.
            hounsfield_fault: match region && extent_mm.iter().any(|side| *side < LEAST_LENGTH_MM) {
                true => None,
                false => values.hounsfield_fault(region),
            },
            unmeasured_share: volume.unmeasured() as f64 / volume.voxels().len().max(1) as f64,
            spacing_mm,
            extent_mm,
            body_mm,
            lower_body: body.lower[0],
            lower_lung: body.lower[1],
            upper_body: body.upper[0],
            upper_lung: body.upper[1],
            most_lung: body.most_lung,
            region,
            grid,
            body: body.sides,
        }
    }

    /// Where a point of the patient, LPS in mm, lies in the body's box along x and y, and in the scan along z: 0 to 1 from right to left,
    /// anterior to posterior and inferior to superior. None where no body was found.
    pub(super) fn place(&self, point: [f64; 3]) -> Option<[f64; 3]> {
        let sides = self.body?;
        let mut at = [0.0; 3];
        for (axis, nearest) in self.grid.nearest_axes().into_iter().enumerate() {
            let along: f64 =
                (0..3).map(|row| self.grid.direction[row][axis] * (point[row] - self.grid.origin[row])).sum();
            let index = along / self.grid.spacing[axis];
            let last = (self.grid.size[axis] - 1) as f64;
            let index = if nearest.flipped { last - index } else { index };
            at[nearest.patient] = match sides.get(nearest.patient) {
                Some([low, high]) => (index - low) / (high - low).max(1.0),
                None => (index + 0.5) / (last + 1.0),
            };
        }
        Some(at)
    }

    /// Why its voxels cannot have the size that it says; none if they can. A field of view smaller than a body is possible: of a crop.
    pub fn voxel_size_fault(&self) -> Option<String> {
        let [x, y, z] = self.spacing_mm;
        let [least, most] = SPACING_MM;
        if !self.has_possible_spacing() {
            return Some(format!("its voxels are {x:.3} x {y:.3} x {z:.3} mm; {least} to {most} mm were expected"));
        }
        let [width, depth, length] = self.extent_mm;
        let [across, through] = self.body_mm.unwrap_or([width, depth]);
        (across.max(through) > WIDTH_MM[1] || length > LONGEST_MM).then(|| self.size_in_words())
    }

    fn has_possible_spacing(&self) -> bool {
        let [least, most] = SPACING_MM;
        self.spacing_mm.iter().all(|side| (least..=most).contains(side))
    }

    fn size_in_words(&self) -> String {
        let ([width, depth, length], [narrow, wide]) = (self.extent_mm, WIDTH_MM);
        format!(
            "it is {width:.0} x {depth:.0} x {length:.0} mm large; {narrow:.0} to {wide:.0} mm were expected across the body, \
             and {LONGEST_MM:.0} mm at most along it: its voxel sizes may be wrong"
        )
    }

    /// What is odd about the scan.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut list = Vec::new();
        let mut warn = |kind, text: String| list.push(Warning { kind, text });
        if let Some(fault) = &self.hounsfield_fault {
            warn(WarningKind::NotHounsfield, fault.clone());
        }
        if self.unmeasured_share > 0.0 {
            let text = format!(
                "{:.3} % of its voxels are not numbers, as outside of a field of view; they were taken for air (-1024 HU)",
                100.0 * self.unmeasured_share
            );
            warn(WarningKind::Unmeasured, text);
        }
        if self.stray_voxels > 0 && self.hounsfield_fault.is_none() {
            let text = format!(
                "its values run from {} to {}, and voxels beyond {FAR} or below -{FAR} are but {}; metal and fill values take more: they \
                 may be damaged",
                self.lowest_hu, self.highest_hu, self.stray_voxels
            );
            warn(WarningKind::StrayValues, text);
        }
        let [width, depth, length] = self.extent_mm;
        let z = self.spacing_mm[2];
        let [_, most] = SPACING_MM;
        match self.voxel_size_fault() {
            Some(fault) => warn(WarningKind::VoxelSize, fault),
            None if width.min(depth) < WIDTH_MM[0] && !self.region => {
                warn(WarningKind::VoxelSize, self.size_in_words())
            }
            None => {}
        }
        if self.has_possible_spacing() && !self.region && length < LEAST_LENGTH_MM {
            let text = format!(
                "it is {length:.0} mm long from feet to head; {LEAST_LENGTH_MM:.0} mm at least were expected to hold a pancreas"
            );
            warn(WarningKind::NotCovered, text);
        }
        if z > THICKEST_MM && z <= most {
            let text = format!("its slices are {z:.1} mm apart; {THICKEST_MM:.0} mm at most were expected");
            warn(WarningKind::ThickSlices, text);
        }
        if self.hounsfield_fault.is_none() && !self.region {
            if self.lower_lung > CHEST {
                let text = format!(
                    "{:.0} % of the body in its lowest slices is lung; below {:.0} % were expected: it seems to end in the chest, above \
                     the pancreas",
                    100.0 * self.lower_lung,
                    100.0 * CHEST
                );
                warn(WarningKind::NotCovered, text);
            }
            match self.body_mm {
                Some([across, _]) if across < TRUNK_MM && self.extent_mm[0] >= WIDTH_MM[0] => {
                    let text = format!(
                        "it shows {across:.0} mm of a body from right to left; {TRUNK_MM:.0} mm at least were expected of an adult's trunk"
                    );
                    warn(WarningKind::NotCovered, text);
                }
                None => warn(WarningKind::NotCovered, "its middle slices show no body; an abdomen was expected".into()),
                _ => {}
            }
        }
        list
    }
}

/// The lowest and the highest value.
fn range(voxels: ArrayView3<f32>) -> (f32, f32) {
    let of_slice = |slice: ndarray::ArrayView2<f32>| {
        slice.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
    };
    let joined = |a: (f32, f32), b: (f32, f32)| (a.0.min(b.0), a.1.max(b.1));
    voxels.outer_iter().into_par_iter().map(of_slice).reduce(|| (f32::MAX, f32::MIN), joined)
}

/// How many voxels are damaged by their values, of which `range` are the lowest and the highest.
fn stray(voxels: ArrayView3<f32>, range: [f32; 2]) -> usize {
    let farthest = range[0].abs().max(range[1].abs());
    if farthest <= FAR {
        return 0;
    }
    let beyond = |bound: f32| {
        let of_slice = |slice: ndarray::ArrayView2<f32>| slice.iter().filter(|value| value.abs() > bound).count();
        voxels.outer_iter().into_par_iter().map(of_slice).sum::<usize>()
    };
    match beyond(FAR) {
        few if few <= FEW_VOXELS => few,
        _ if farthest > NOWHERE => beyond(NOWHERE),
        _ => 0,
    }
}

/// A step over `size` voxels that meets `most` of them at most.
fn step(size: usize, most: usize) -> usize {
    size.div_ceil(most).max(1)
}

/// A sample of a scan's values in ascending order, and the range of all.
struct Values {
    sorted: Vec<f32>,
    range: [f32; 2],
}

impl Values {
    fn of(voxels: ArrayView3<f32>, range: [f32; 2]) -> Self {
        let [a, b, c] = [0, 1, 2].map(|axis| step(voxels.shape()[axis], SAMPLE));
        let mut sorted: Vec<f32> = voxels.slice(s![..;a, ..;b, ..;c]).iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        Values { sorted, range }
    }

    fn percentile(&self, part: f64) -> f32 {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get((part * last as f64).round() as usize).copied().unwrap_or(0.0)
    }

    /// The share of values from `low` to before `high`.
    fn share(&self, low: f32, high: f32) -> f64 {
        let before = |bound: f32| self.sorted.partition_point(|value| *value < bound);
        (before(high) - before(low)) as f64 / self.sorted.len().max(1) as f64
    }

    fn whole_share(&self) -> f64 {
        let whole = self.sorted.iter().filter(|value| value.fract() == 0.0).count();
        whole as f64 / self.sorted.len().max(1) as f64
    }

    fn distinct(&self) -> usize {
        let changes = self.sorted.windows(2).filter(|pair| pair[0] != pair[1]).take(MOST_DISTINCT - 1).count();
        changes + usize::from(!self.sorted.is_empty())
    }

    /// Why these are not the Hounsfield units of a CT, or of a region of one; none if they are.
    fn hounsfield_fault(&self, region: bool) -> Option<String> {
        let [low, high] = self.range;
        let [below, above] = HOUNSFIELD;
        let looks_like = |what: &str| {
            Some(format!(
                "its values run from {low} to {high}{what}; Hounsfield units of a CT run from below {below} to above {above}"
            ))
        };
        if low == high {
            return Some(format!("all its voxels have the value {low}; a CT in Hounsfield units was expected"));
        }
        if low >= -20.0 && high <= 20.0 && self.whole_share() < 1.0 {
            return looks_like(", as scaled images have them");
        }
        if low >= 0.0 && high <= 1024.0 && self.whole_share() == 1.0 && self.distinct() < MOST_DISTINCT / 4 {
            return looks_like(", few whole numbers, as in a mask or label map");
        }
        if low >= 0.0 && high <= 255.0 {
            return looks_like(", as 8-bit grey values do");
        }
        // With 1024 added, air is near 24 and soft tissue near 1064; a fill value of 0 is as low as it gets.
        let soft = self.share(950.0, 1300.0);
        if low >= -60.0 && soft >= 0.05 && soft > self.share(300.0, 800.0) {
            return looks_like(", and soft tissue seems to be near 1064: 1024 may have been added");
        }
        if low >= 0.0 {
            return looks_like(", as in MR images");
        }
        // Tenths of HU, say: air is far below -1024, with the noise that a fill value has not.
        let deep = &self.sorted[..self.sorted.partition_point(|value| *value < LOWEST_AIR)];
        let apart = deep.windows(2).filter(|pair| pair[0] != pair[1]).count();
        if deep.len() as f64 > 0.02 * self.sorted.len() as f64 && apart >= MOST_DISTINCT / 4 {
            let share = 100.0 * deep.len() as f64 / self.sorted.len() as f64;
            return looks_like(&format!(
                ", {share:.0} % of them below {LOWEST_AIR}, where nothing is: an offset or a factor may have been applied"
            ));
        }
        // A region has fat in it, but perhaps no air and no bone; and perhaps nothing but bone.
        if region {
            return None;
        }
        let [tissue, dense] = [TISSUE, DENSE].map(|[from, to]| self.share(from, to));
        if dense > tissue {
            return looks_like(&format!(
                ", with more voxels from {} to {} than from {} to {}, where fat, muscle and organs are",
                DENSE[0], DENSE[1], TISSUE[0], TISSUE[1]
            ));
        }
        if low > below || high < above {
            return looks_like("");
        }
        if tissue < 0.01 {
            return Some(format!(
                "{:.1} % of its voxels are from -200 to 300; Hounsfield units of a body were expected, of which tissue takes several percent",
                100.0 * tissue
            ));
        }
        None
    }
}

/// What slices show of a body.
struct Body {
    /// The first and last voxel along x and y of the middle third of the slices.
    sides: Option<[[f64; 2]; 2]>,
    /// The shares of body in the slice and of lung in the body, in the lowest and the highest slices.
    lower: [f64; 2],
    upper: [f64; 2],
    most_lung: f64,
}

impl Body {
    /// `voxels` is `[z, y, x]` of the patient.
    fn of(voxels: ArrayView3<f32>) -> Self {
        let (slices, rows, columns) = voxels.dim();
        let (down, along) = (step(rows, PIXELS), step(columns, PIXELS));
        let sampled = voxels.slice(s![..;step(slices, SLICES), ..;down, ..;along]);
        let of_slices: Vec<BodySlice> = sampled.axis_iter(Axis(0)).into_par_iter().map(|s| BodySlice::of(&s)).collect();
        let count = of_slices.len();
        let mean = |part: &[BodySlice]| {
            let body: usize = part.iter().map(|slice| slice.body).sum();
            let lung: usize = part.iter().map(|slice| slice.lung).sum();
            let pixels: usize = part.len() * sampled.dim().1 * sampled.dim().2;
            [body as f64 / pixels.max(1) as f64, lung as f64 / body.max(1) as f64]
        };
        let tenth = count.div_ceil(10);
        let middle = &of_slices[count / 3..(count - count / 3).max(count / 3 + 1).min(count)];
        let profile = |of: fn(&BodySlice) -> &Vec<usize>| {
            let length = middle.first().map_or(0, |slice| of(slice).len());
            let mut sum = vec![0; length];
            middle.iter().for_each(|slice| sum.iter_mut().zip(of(slice)).for_each(|(sum, n)| *sum += n));
            sum
        };
        let sides = held(&profile(|slice| &slice.columns), along).zip(held(&profile(|slice| &slice.rows), down));
        Body {
            sides: sides.map(|(x, y)| [x, y]),
            lower: mean(&of_slices[..tenth]),
            upper: mean(&of_slices[count - tenth..]),
            most_lung: of_slices.iter().map(|s| s.lung as f64 / s.body.max(1) as f64).fold(0.0, f64::max),
        }
    }
}

/// The stretch of a profile that holds all but [`OUTSIDE_BOX`] of it at either end, in voxels of which every `step`-th was sampled.
fn held(profile: &[usize], step: usize) -> Option<[f64; 2]> {
    let total: usize = profile.iter().sum();
    if total == 0 {
        return None;
    }
    // The first place up to which more than a part of all is seen.
    let at = |part: f64| {
        let mut seen = 0;
        let past = |count: &usize| {
            seen += count;
            seen as f64 > part * total as f64
        };
        profile.iter().position(past).unwrap_or(profile.len() - 1)
    };
    let (first, last) = (at(OUTSIDE_BOX), at(1.0 - OUTSIDE_BOX));
    Some([(first * step) as f64, ((last + 1) * step) as f64 - 1.0])
}

/// The body in one slice: its pixels, lung among them, and its pixels by column and by row.
struct BodySlice {
    body: usize,
    lung: usize,
    columns: Vec<usize>,
    rows: Vec<usize>,
}

impl BodySlice {
    fn of(slice: &ndarray::ArrayView2<f32>) -> Self {
        let (rows, columns) = slice.dim();
        let mut found = BodySlice { body: 0, lung: 0, columns: vec![0; columns], rows: vec![0; rows] };
        for (row, values) in slice.outer_iter().enumerate() {
            let is_body = |value: &f32| *value > BODY;
            let Some(first) = values.iter().position(is_body) else { continue };
            let last = columns - 1 - values.iter().rev().position(is_body).unwrap_or(0);
            for column in first..=last {
                let value = values[column];
                let lung = (LUNG[0]..=LUNG[1]).contains(&value);
                if value > BODY || lung {
                    found.body += 1;
                    found.lung += usize::from(lung);
                    found.columns[column] += 1;
                    found.rows[row] += 1;
                }
            }
        }
        found
    }
}
