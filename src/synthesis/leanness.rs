//! How lean a patient is: how much fat lies under the skin and between organs.

use rand::Rng;

use super::noise::normal;

/// How much fat a patient has between organs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leanness {
    /// 0 stout, 1 lean; evenly spread over patients.
    pub degree: f64,
    /// The share of the map's voxels within 5 mm of the pancreas that are meant to stay fat.
    pub fat_around: f64,
}

impl Leanness {
    /// The share of voxels below -30 HU within 5 mm of the pancreas, measured on 30 abdominal CTs with labels by hand (smallest, 10, 25,
    /// 50, 75, 90 % and largest), as a function of the share of patients who have less.
    pub const FAT_AROUND: [(f64, f64); 7] =
        [(0.0, 0.02), (0.1, 0.05), (0.25, 0.21), (0.5, 0.31), (0.75, 0.46), (0.9, 0.68), (1.0, 0.75)];

    /// How much of a map's fat is measured as fat in the CT, where that share is wanted: the rest lies in layers so thin that their voxels
    /// are brighter than -30 HU, and a lean patient's layers are the thinnest. From painted CTs (`experiments/realism.py quantiles`).
    fn part_measured(share: f64) -> f64 {
        0.48 + 0.46 * share
    }

    pub fn draw(random: &mut impl Rng) -> Self {
        let degree: f64 = random.random();
        // Fat within the abdomen goes with the fat elsewhere, loosely.
        let rank = (1.0 - degree + 0.12 * normal(random)).clamp(0.0, 1.0);
        let above = Self::FAT_AROUND.partition_point(|(part, _)| *part < rank).clamp(1, Self::FAT_AROUND.len() - 1);
        let ((p0, f0), (p1, f1)) = (Self::FAT_AROUND[above - 1], Self::FAT_AROUND[above]);
        let measured = f0 + (rank - p0) / (p1 - p0) * (f1 - f0);
        Leanness { degree, fat_around: measured / Self::part_measured(measured) }
    }

    /// Fat between loops of bowel, in mm.
    pub fn sheath(&self) -> f64 {
        (2.8 - 3.4 * self.degree).max(0.0)
    }
}
