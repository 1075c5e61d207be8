//! Label maps: which organ each voxel is.

use ndarray::{Array3, ArrayView3};

use super::noise::displacement;
use crate::volume::{keep_largest_component, lps_spacing, lps_view, Geometry};
use rand::Rng;

/// The organs' numbers. 1 to 10 are those of the label maps that evalseg publishes.
pub mod organ {
    /// Outside the body.
    pub const BACKGROUND: u8 = 0;
    /// Spleen.
    pub const SPLEEN: u8 = 1;
    /// Right kidney.
    pub const RIGHT_KIDNEY: u8 = 2;
    /// Left kidney.
    pub const LEFT_KIDNEY: u8 = 3;
    /// Gallbladder, which not everybody has; in a whole body the bile duct too.
    pub const GALLBLADDER: u8 = 4;
    /// Liver.
    pub const LIVER: u8 = 5;
    /// Stomach; in a map of organs with what it holds, in a whole body its wall.
    pub const STOMACH: u8 = 6;
    /// Aorta with the beginnings of its branches.
    pub const AORTA: u8 = 7;
    /// Pancreas.
    pub const PANCREAS: u8 = 8;
    /// Oesophagus.
    pub const OESOPHAGUS: u8 = 9;
    /// Duodenum with what it holds, but gas.
    pub const DUODENUM: u8 = 10;
    /// Inferior vena cava with the renal veins.
    pub const VENA_CAVA: u8 = 11;
    /// Portal and splenic vein.
    pub const PORTAL_VEIN: u8 = 12;
    /// Superior mesenteric artery and vein, and smaller vessels.
    pub const MESENTERIC_VESSELS: u8 = 13;
    /// Jejunum and ileum.
    pub const SMALL_BOWEL: u8 = 14;
    /// Colon.
    pub const COLON: u8 = 15;
    /// Adrenal glands.
    pub const ADRENALS: u8 = 16;
    /// Vertebrae.
    pub const VERTEBRAE: u8 = 17;
    /// Bony ribs, and hip bones.
    pub const RIBS: u8 = 18;
    /// Spinal canal.
    pub const SPINAL_CANAL: u8 = 19;
    /// Muscles, and what is as dense.
    pub const MUSCLE: u8 = 20;
    /// Fat within the abdomen.
    pub const FAT: u8 = 21;
    /// Skin and the fat under it.
    pub const SUBCUTANEOUS_FAT: u8 = 22;
    /// Lung.
    pub const LUNG: u8 = 23;
    /// Gas in stomach and bowel.
    pub const GAS: u8 = 24;
    /// What is in stomach and bowel, gas aside.
    pub const CONTENT: u8 = 25;
    /// Discs between vertebrae.
    pub const DISC: u8 = 26;
    /// Skin alone.
    pub const SKIN: u8 = 27;
    /// Heart with the blood in it.
    pub const HEART: u8 = 28;
    /// Urinary bladder.
    pub const BLADDER: u8 = 29;
    /// Numbers in use.
    pub const COUNT: usize = 30;
}

/// A label map in the LPS frame: `[z, y, x]`, x grows to the left, y to the back, z up.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Organ numbers.
    pub ids: Array3<u8>,
    /// Spacing along z, y and x in mm.
    pub spacing: [f64; 3],
}

impl Labels {
    /// A label map that was read as an image, `[k, j, i]` on `geometry`, at another spacing. Each voxel gets the organ that most of it
    /// is.
    pub fn from_image(ids: ArrayView3<u8>, geometry: &Geometry, spacing: f64) -> Self {
        let ids = lps_view(ids, geometry);
        let from = lps_spacing(geometry);
        let size: [usize; 3] =
            std::array::from_fn(|a| ((ids.shape()[a] as f64 * from[a] / spacing).round() as usize).max(1));
        let source = |z: f64, y: f64, x: f64| [z, y, x];
        let ratio: [f64; 3] = std::array::from_fn(|a| ids.shape()[a] as f64 / size[a] as f64);
        Labels { ids: sample(ids, size, ratio, &source), spacing: [spacing; 3] }
    }

    /// Whether the map is of a whole body, not of some organs alone.
    pub fn is_whole(&self) -> bool {
        self.ids.iter().any(|id| *id == organ::FAT)
    }

    /// The box around the organs that `wanted` names, grown by `margin` mm on the sides [z low, z high, y low, y high, x low, x
    /// high]; beyond the map there is background.
    pub fn cropped(&self, wanted: impl Fn(u8) -> bool, margin: [f64; 6]) -> Self {
        let Some([low, high]) = self.bounds(wanted) else { return self.clone() };
        let voxels = |side: usize| (margin[side] / self.spacing[side / 2]).round() as isize;
        let start: [isize; 3] = std::array::from_fn(|a| low[a] as isize - voxels(2 * a));
        let size: [usize; 3] =
            std::array::from_fn(|a| (high[a] as isize + voxels(2 * a + 1) - start[a] + 1).max(1) as usize);
        self.section(start, size)
    }

    /// The part of `size` voxels from the index `start` on, both along z, y and x; beyond the map there is background.
    pub fn section(&self, start: [isize; 3], size: [usize; 3]) -> Self {
        let shape = self.ids.shape();
        let ids = Array3::from_shape_fn(size, |(z, y, x)| {
            let at = [z as isize + start[0], y as isize + start[1], x as isize + start[2]];
            let inside = (0..3).all(|a| at[a] >= 0 && (at[a] as usize) < shape[a]);
            if inside {
                self.ids[[at[0] as usize, at[1] as usize, at[2] as usize]]
            } else {
                organ::BACKGROUND
            }
        });
        Labels { ids, spacing: self.spacing }
    }

    /// Lowest and highest index along z, y and x of the organs that `wanted` names.
    pub fn bounds(&self, wanted: impl Fn(u8) -> bool) -> Option<[[usize; 3]; 2]> {
        let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
        for ((z, y, x), id) in self.ids.indexed_iter() {
            if *id != 0 && wanted(*id) {
                for (axis, index) in [z, y, x].into_iter().enumerate() {
                    low[axis] = low[axis].min(index);
                    high[axis] = high[axis].max(index);
                }
            }
        }
        (low[0] != usize::MAX).then_some([low, high])
    }

    /// The centroid of an organ, in mm from the middle of voxel (0, 0, 0), as [z, y, x].
    pub fn centroid(&self, id: u8) -> Option<[f64; 3]> {
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for place in self.places(id) {
            sum = std::array::from_fn(|a| sum[a] + place[a]);
            count += 1.0;
        }
        (count > 0.0).then(|| sum.map(|s| s / count))
    }

    /// Where the voxels of an organ are, in mm from the middle of voxel (0, 0, 0), as [z, y, x].
    pub(super) fn places(&self, id: u8) -> impl Iterator<Item = [f64; 3]> + '_ {
        let of_organ = self.ids.indexed_iter().filter(move |(_, found)| **found == id);
        of_organ.map(|((z, y, x), _)| std::array::from_fn(|a| [z, y, x][a] as f64 * self.spacing[a]))
    }

    /// The map without what lies apart from an organ's largest part, if that is little: slips of a hand that drew it.
    pub fn without_specks(mut self, id: u8) -> Self {
        let mut largest = self.ids.mapv(|found| u8::from(found == id));
        let all = largest.iter().filter(|v| **v != 0).count();
        keep_largest_component(&mut largest);
        let kept = largest.iter().filter(|v| **v != 0).count();
        if (all - kept) * 20 < all {
            ndarray::Zip::from(&mut self.ids).and(&largest).for_each(|found, kept| {
                if *found == id && *kept == 0 {
                    *found = organ::BACKGROUND;
                }
            });
        }
        self
    }

    /// The volume of an organ in mL.
    pub fn volume_ml(&self, id: u8) -> f64 {
        self.ids.iter().filter(|found| **found == id).count() as f64 * self.spacing.iter().product::<f64>() / 1000.0
    }

    /// The map of another body: stretched, turned and smoothly deformed. `strength` 1 is what differs between adults.
    pub fn deformed(&self, strength: f64, random: &mut impl Rng) -> Self {
        let size: [usize; 3] = std::array::from_fn(|a| self.ids.shape()[a]);
        let mut draw = |range: f64| strength * random.random_range(-range..range);
        let scale: [f64; 3] = std::array::from_fn(|_| 1.0 + draw(0.1));
        let (turn, tilt) = (draw(0.1), draw(0.08));
        let amplitude = 5.0 * strength;
        let field = displacement(size, self.spacing, 38.0, amplitude, random);
        let centre: [f64; 3] = std::array::from_fn(|a| size[a] as f64 / 2.0);
        let spacing = self.spacing;
        let swollen = Swelling::draw(self, strength, random);
        let source = move |z: f64, y: f64, x: f64| {
            let mm: [f64; 3] = std::array::from_fn(|a| ([z, y, x][a] - centre[a]) * spacing[a] * scale[a]);
            let moved = field([z, y, x]);
            let (sin, cos) = turn.sin_cos();
            let (y1, x1) = (cos * mm[1] - sin * mm[2], sin * mm[1] + cos * mm[2]);
            let (sin, cos) = tilt.sin_cos();
            let (z1, y1) = (cos * mm[0] - sin * y1, sin * mm[0] + cos * y1);
            let turned = [z1, y1, x1];
            let at = std::array::from_fn(|a| turned[a] + moved[a] + centre[a] * spacing[a]);
            let from = swollen.source(at);
            std::array::from_fn(|a| from[a] / spacing[a])
        };
        Labels { ids: sample(self.ids.view(), size, [1.0; 3], &source), spacing }
    }

    /// Puts the pancreas of another map in the place of this one's, centre on centre. It lies over what was there, and touches it.
    pub fn with_pancreas_of(&self, other: &Labels) -> Self {
        let (Some(here), Some(there)) = (self.centroid(organ::PANCREAS), other.centroid(organ::PANCREAS)) else {
            return self.clone();
        };
        let mut ids = self.ids.mapv(|id| if id == organ::PANCREAS { organ::BACKGROUND } else { id });
        let share = Array3::from_shape_fn(self.ids.raw_dim(), |(z, y, x)| {
            let at: [f64; 3] = std::array::from_fn(|a| {
                ([z, y, x][a] as f64 * self.spacing[a] - here[a] + there[a]) / other.spacing[a]
            });
            let inside = (0..3).all(|a| at[a] > -0.5 && at[a] < other.ids.shape()[a] as f64 - 0.5);
            f32::from(u8::from(inside && other.ids[at.map(|v| v.round() as usize)] == organ::PANCREAS))
        });
        ndarray::Zip::from(&mut ids).and(&share).for_each(|id, share| {
            if *share > 0.0 {
                *id = organ::PANCREAS;
            }
        });
        Labels { ids, spacing: self.spacing }
    }

    /// How well the pancreas of another map would lie in the place of this one's: the share of it that would lie where a pancreas lay,
    /// less the share that would lie over other organs.
    pub fn room_for_pancreas_of(&self, other: &Labels) -> f64 {
        let (Some(here), Some(there)) = (self.centroid(organ::PANCREAS), other.centroid(organ::PANCREAS)) else {
            return -1.0;
        };
        let (mut all, mut score) = (0, 0);
        for place in other.places(organ::PANCREAS) {
            let at: [f64; 3] = std::array::from_fn(|a| (place[a] - there[a] + here[a]) / self.spacing[a]);
            let inside = (0..3).all(|a| at[a] > -0.5 && at[a] < self.ids.shape()[a] as f64 - 0.5);
            all += 1;
            score += match inside.then(|| self.ids[at.map(|v| v.round() as usize)]) {
                Some(organ::PANCREAS) => 1,
                None | Some(organ::BACKGROUND) => 0,
                Some(_) => -1,
            };
        }
        f64::from(score) / f64::from(all.max(1))
    }
}

/// An organ that is larger than it was drawn, and pushes what is around it aside: a spleen of a litre or three, a full stomach.
struct Swelling {
    centre: [f64; 3],
    /// How far the surroundings are pushed at the most, and within which distance, in mm.
    push: f64,
    reach: f64,
}

impl Swelling {
    fn draw(labels: &Labels, strength: f64, random: &mut impl Rng) -> Self {
        let drawn: f64 = random.random();
        let organ = match drawn {
            p if p < 0.15 => Some((organ::SPLEEN, 45.0)),
            p if p < 0.30 => Some((organ::STOMACH, 25.0)),
            p if p < 0.38 => Some((organ::LIVER, 25.0)),
            _ => None,
        };
        let (most, reach) = (random.random_range(0.2..1.0), random.random_range(60.0..95.0));
        match organ.and_then(|(id, push)| Some((labels.centroid(id)?, push))) {
            Some((centre, push)) => Swelling { centre, push: strength.min(1.0) * most * push, reach },
            None => Swelling { centre: [0.0; 3], push: 0.0, reach },
        }
    }

    /// Where a place in mm comes from. At a distance r things come from r - p (r / w) exp(1 / 2 - r^2 / (2 w^2)) with w half the reach:
    /// they are pushed outwards by p at the most, and order along r is kept while p < 0.6 w.
    fn source(&self, at: [f64; 3]) -> [f64; 3] {
        if self.push == 0.0 {
            return at;
        }
        let width = 0.5 * self.reach;
        let push = self.push.min(0.55 * width);
        let way: [f64; 3] = std::array::from_fn(|a| at[a] - self.centre[a]);
        let r = way.iter().map(|d| d * d).sum::<f64>().sqrt() / width;
        let back = push / width * (0.5 - 0.5 * r * r).exp();
        std::array::from_fn(|a| at[a] - back * way[a])
    }
}

/// A label map at new voxels: `source` gives for each new voxel (in units of `ratio`ed old voxels) where it comes from. Of the eight old
/// voxels around that place the organ with the largest part is taken. Outside there is background.
fn sample(
    ids: ArrayView3<u8>,
    size: [usize; 3],
    ratio: [f64; 3],
    source: &(dyn Fn(f64, f64, f64) -> [f64; 3] + Sync),
) -> Array3<u8> {
    let shape: [usize; 3] = std::array::from_fn(|a| ids.shape()[a]);
    let mut result = Array3::<u8>::zeros(size);
    ndarray::Zip::indexed(&mut result).par_for_each(|(z, y, x), voxel| {
        let from = source(z as f64, y as f64, x as f64);
        let at: [f64; 3] = std::array::from_fn(|a| (from[a] + 0.5) * ratio[a] - 0.5);
        if (0..3).any(|a| at[a] < -0.5 || at[a] > shape[a] as f64 - 0.5) {
            return;
        }
        let (mut votes, mut found) = ([0.0_f64; 8], [0_u8; 8]);
        let mut kinds = 0;
        for corner in 0..8 {
            let mut weight = 1.0;
            let index: [usize; 3] = std::array::from_fn(|a| {
                let below = at[a].floor();
                let up = corner >> a & 1;
                weight *= if up == 1 { at[a] - below } else { 1.0 - at[a] + below };
                (below + up as f64).clamp(0.0, (shape[a] - 1) as f64) as usize
            });
            let id = ids[index];
            let kind = (0..kinds).find(|k| found[*k] == id).unwrap_or_else(|| {
                found[kinds] = id;
                kinds += 1;
                kinds - 1
            });
            votes[kind] += weight;
        }
        let best = (1..kinds).fold(0, |best, kind| if votes[kind] > votes[best] { kind } else { best });
        *voxel = found[best];
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn ball(centre: [f64; 3], radius: f64) -> Labels {
        let ids = Array3::from_shape_fn((40, 50, 60), |(z, y, x)| {
            let d = [z, y, x].iter().zip(centre).map(|(i, c)| (*i as f64 * 2.0 - c).powi(2)).sum::<f64>();
            if d < radius * radius {
                organ::PANCREAS
            } else {
                0
            }
        });
        Labels { ids, spacing: [2.0; 3] }
    }

    #[test]
    fn a_deformed_ball_stays_one_body_of_about_its_volume() {
        let labels = ball([40.0, 50.0, 60.0], 22.0);
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let deformed = labels.deformed(1.0, &mut random);
        let ratio = deformed.volume_ml(organ::PANCREAS) / labels.volume_ml(organ::PANCREAS);
        assert!((0.6..1.6).contains(&ratio), "{ratio}");
        assert_ne!(deformed.ids, labels.ids);
        assert_eq!(deformed.ids, labels.deformed(1.0, &mut ChaCha8Rng::seed_from_u64(4)).ids);
    }

    #[test]
    fn an_image_in_another_orientation_and_spacing_gives_the_same_body() {
        let labels = ball([40.0, 60.0, 70.0], 20.0);
        let mut geometry = Geometry::axis_aligned([60, 50, 40], [2.0; 3]);
        geometry.direction[0][0] = -1.0;
        let flipped = labels.ids.slice(ndarray::s![.., .., ..;-1]).to_owned();
        let read = Labels::from_image(flipped.view(), &geometry, 1.5);
        let (a, b) = (labels.centroid(organ::PANCREAS).unwrap(), read.centroid(organ::PANCREAS).unwrap());
        assert!((0..3).all(|axis| (a[axis] - b[axis]).abs() < 0.8), "{a:?} {b:?}");
        let ratio = read.volume_ml(organ::PANCREAS) / labels.volume_ml(organ::PANCREAS);
        assert!((ratio - 1.0).abs() < 0.03, "{ratio}");
    }

    #[test]
    fn a_transplanted_pancreas_lies_where_the_old_one_lay() {
        let (here, there) = (ball([40.0, 60.0, 70.0], 16.0), ball([44.0, 40.0, 50.0], 22.0));
        let new = here.with_pancreas_of(&there);
        let (a, b) = (here.centroid(organ::PANCREAS).unwrap(), new.centroid(organ::PANCREAS).unwrap());
        assert!((0..3).all(|axis| (a[axis] - b[axis]).abs() < 1.5));
        let ratio = new.volume_ml(organ::PANCREAS) / there.volume_ml(organ::PANCREAS);
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn organs_touch_a_transplanted_pancreas() {
        let mut here = ball([40.0, 60.0, 70.0], 16.0);
        here.ids.mapv_inplace(|id| if id == 0 { organ::STOMACH } else { id });
        let new = here.with_pancreas_of(&ball([44.0, 40.0, 50.0], 22.0));
        let surface = new.ids.indexed_iter().filter(|((_, _, x), id)| **id == organ::PANCREAS && *x > 0);
        let touching = surface.filter(|((z, y, x), _)| new.ids[[*z, *y, x - 1]] == organ::STOMACH).count();
        assert!(touching > 100, "{touching}");
    }

    #[test]
    fn there_is_room_where_a_pancreas_lay_and_none_where_organs_are() {
        let (here, small) = (ball([40.0, 60.0, 70.0], 22.0), ball([44.0, 40.0, 50.0], 16.0));
        assert!(here.room_for_pancreas_of(&small) > 0.99);
        let larger = ball([40.0, 50.0, 60.0], 28.0);
        let free = here.room_for_pancreas_of(&larger);
        assert!((0.4..0.6).contains(&free), "{free}");
        let full = Labels { ids: here.ids.mapv(|id| if id == 0 { organ::LIVER } else { id }), spacing: here.spacing };
        assert!(full.room_for_pancreas_of(&larger) < 0.1);
        assert_eq!(here.room_for_pancreas_of(&Labels { ids: here.ids.mapv(|_| 0), spacing: [2.0; 3] }), -1.0);
    }
}
