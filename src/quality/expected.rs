//! The Dice to expect: a logistic model over a few features.
//!
//! `experiments/fit_quality.py` fits the table and prints it. Each term is a feature's value, less `mean`, in units of `scale` and cut to
//! ±3, times `weight`; a value that is missing, such as the agreement of a single view, counts as the mean. The terms' names are
//! those of the script, where they are computed the same way.

use super::features::Features;

/// What the coefficients were fitted for.
pub const FITTED_FOR: &str =
    "none: weights chosen by hand; the threshold on 45 results of the shipped model of 2026-11-26";

/// Results with a lower expected Dice are doubtful.
pub const DOUBTFUL_BELOW: f64 = 0.48;

/// The logarithm of the odds with every feature at its mean.
const INTERCEPT: f64 = 0.4;

const TERMS: [Term; 7] = [
    Term { name: "view_dice", of: |f| f.view_dice, mean: 0.6, scale: 0.2, weight: 0.4 },
    Term { name: "view_soft_dice", of: |f| f.view_soft_dice, mean: 0.7, scale: 0.15, weight: 0.3 },
    Term { name: "mean_probability", of: |f| f.mean_probability, mean: 0.7, scale: 0.1, weight: 0.3 },
    Term { name: "entropy_near", of: |f| f.entropy_near, mean: 0.5, scale: 0.15, weight: -0.1 },
    Term { name: "volume_off", of: volume_off, mean: 0.5, scale: 0.6, weight: -0.6 },
    Term { name: "largest_share", of: |f| f.largest_share, mean: 0.85, scale: 0.15, weight: 0.3 },
    Term { name: "soft_share", of: |f| f.soft_share, mean: 0.9, scale: 0.1, weight: 0.2 },
];

/// The median volume of a pancreas in mL.
const USUAL_ML: f64 = 80.0;
/// How far, in scales, a feature counts.
const FARTHEST: f64 = 3.0;

struct Term {
    #[cfg_attr(not(test), allow(dead_code))]
    name: &'static str,
    of: fn(&Features) -> Option<f64>,
    mean: f64,
    scale: f64,
    weight: f64,
}

/// How far the volume is from usual, as the logarithm of the ratio.
fn volume_off(features: &Features) -> Option<f64> {
    (features.volume_ml > 0.0).then(|| (features.volume_ml / USUAL_ML).ln().abs())
}

/// The Dice to expect, 0 to 1; 0 where nothing was found.
pub(super) fn dice(features: &Features) -> f64 {
    if features.volume_ml == 0.0 {
        return 0.0;
    }
    let terms = TERMS.iter().filter_map(|term| {
        let value = ((term.of)(features)? - term.mean) / term.scale;
        Some(term.weight * value.clamp(-FARTHEST, FARTHEST))
    });
    let odds = INTERCEPT + terms.sum::<f64>();
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_that_fits_knows_each_term() {
        let script = include_str!("../../experiments/fit_quality.py");
        for term in &TERMS {
            assert!(script.contains(&format!("\"{}\":", term.name)), "{}", term.name);
            assert!(term.scale > 0.0, "{}", term.name);
        }
    }
}
