//! How far a result can be trusted: features, the Dice to expect, warnings.
//!
//! A network always answers, and a mask of 2 mL on a chest scan looks like any other file. What a segmentation has at hand anyway says more:
//! whether the views agree, how sure the probabilities are, whether volume, density and place are those of a pancreas, and whether the
//! scan is a CT of the upper abdomen at all. Three steps, each in a file of its own:
//!
//! - [`InputFeatures`] describe a scan, [`Features`] a result on it. No network runs for them.
//! - `expected.rs` turns features into the Dice to expect, by one table of coefficients.
//! - [`Warning`]s are sentences with a number and what was expected, each of a [`WarningKind`] whose code and name stay the same.
//!
//! A result is doubtful if the Dice to expect is low or a warning is grave ([`WarningKind::is_grave`]). The coefficients hold for the
//! shipped model; for other models the warnings mean the same, and the expected Dice is a hint until
//! `experiments/fit_quality.py` has fitted it anew.
//!
//! Whether voxels are Hounsfield units is decided in one place, [`InputFeatures::hounsfield_fault`]; checks of data sets use it too.
//!
//! This room knows volumes and masks. It knows no networks, no files and no command line.

mod expected;
mod features;
mod input;
mod warning;
mod warnings;

use ndarray::ArrayView3;
use serde::Serialize;

pub use expected::{DOUBTFUL_BELOW, FITTED_FOR};
pub use features::{surroundings, Agreement, Features, Overall};
pub use input::{InputFeatures, LEAST_SOFT, SOFT_TISSUE};
pub use warning::{Warning, WarningKind};

use crate::volume::{Measurements, Volume};

/// How far a result can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// The Dice coefficient to expect against a manual segmentation, 0 to 1.
    pub expected_dice: f64,
    /// Whether a person should look before the result is used.
    pub doubtful: bool,
    /// What is odd about scan and result.
    pub warnings: Vec<Warning>,
    /// What all this was decided by.
    pub features: Features,
}

/// A result to be judged. Arrays are `[k, j, i]` on the volume's grid.
pub struct Found<'a> {
    /// The scan, or the region of it that was segmented.
    pub volume: &'a Volume,
    /// Its features.
    pub input: &'a InputFeatures,
    /// 1 in the pancreas, 0 outside.
    pub mask: ArrayView3<'a, u8>,
    /// What is said of all its probabilities.
    pub overall: Overall,
    /// The fused probability in the mask's [surroundings], `[k, j, i]`; of an empty mask it is not looked at.
    pub probability: ArrayView3<'a, f32>,
    /// The mask's measurements.
    pub measurements: &'a Measurements,
    /// Voxels of each connected component of the mask.
    pub components: &'a [usize],
    /// How many views were computed.
    pub views: usize,
    /// How far they agree; none of a single view.
    pub agreement: Option<Agreement>,
    /// The threshold that made the mask.
    pub threshold: f64,
}

impl Quality {
    /// Judges a result.
    pub fn of(found: &Found) -> Self {
        let features = Features::of(found);
        let mut warnings = features.input.warnings();
        warnings.extend(warnings::of_result(&features, found.threshold));
        let expected_dice = expected::dice(&features);
        let doubtful = expected_dice < DOUBTFUL_BELOW || warnings.iter().any(|warning| warning.kind.is_grave());
        Quality { expected_dice, doubtful, warnings, features }
    }
}

impl std::fmt::Display for Quality {
    /// One line: `expected Dice 0.78`, or `doubtful: expected Dice 0.12`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let doubt = if self.doubtful { "doubtful: " } else { "" };
        write!(f, "{doubt}expected Dice {:.2}", self.expected_dice)
    }
}

#[cfg(test)]
mod tests;
