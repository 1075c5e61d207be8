//! Several systems on the same cases: whether one is better than another, or was lucky.

use std::collections::BTreeMap;

use serde::Serialize;

use super::significance::{confidence_interval, holm, signed_rank, SignedRank};
use super::{Comparison, Measure, Spread};

/// One case of a system.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, by which it is paired with the same case of another system.
    pub name: String,
    /// How good the mask is.
    pub comparison: Comparison,
    /// The probability map over the thresholds, where there is one.
    pub spread: Option<Spread>,
}

/// What makes masks, with the cases that it was evaluated on.
#[derive(Clone, Debug)]
pub struct System {
    /// Its name in tables.
    pub name: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

impl System {
    /// The measures of all cases.
    pub fn comparisons(&self) -> Vec<Comparison> {
        self.cases.iter().map(|case| case.comparison.clone()).collect()
    }

    /// The voxels of all cases' probability maps, pooled; none if no case has one.
    pub fn pooled(&self) -> Option<Spread> {
        self.cases.iter().filter_map(|case| case.spread.as_ref()).fold(None, |pooled: Option<Spread>, spread| {
            let mut pooled = pooled.unwrap_or_default();
            pooled.add(spread);
            Some(pooled)
        })
    }

    /// The mean over cases of the Dice at each of some thresholds, multiples of 0.0001; cases without a probability map do not enter.
    pub fn mean_dice_at(&self, thresholds: &[f64]) -> Vec<Option<f64>> {
        let curves: Vec<_> = self.cases.iter().filter_map(|case| case.spread.as_ref()).map(Spread::curve).collect();
        let mean_at = |threshold: &f64| {
            let values: Vec<f64> = curves.iter().filter_map(|curve| Spread::at(curve, *threshold)?.dice).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        thresholds.iter().map(mean_at).collect()
    }
}

/// The measures by which systems are tested against each other.
pub const TESTED: [Measure; 7] = [
    Measure::Dice,
    Measure::Nsd1,
    Measure::Nsd2,
    Measure::Nsd5,
    Measure::Hausdorff95Area,
    Measure::Hausdorff95,
    Measure::MeanSurface,
];

/// How two systems differ in a measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The measure's key.
    pub measure: &'static str,
    /// The first system.
    pub first: String,
    /// The second system.
    pub second: String,
    /// How many cases both have a value for; no others enter.
    pub cases: usize,
    /// The mean of the first system's values less the second's; none without such cases.
    pub mean_difference: Option<f64>,
    /// Its 95 % confidence interval, by the bootstrap over cases.
    pub ci95: Option<[f64; 2]>,
    /// The signed-rank test; none where no case differs.
    pub test: Option<SignedRank>,
    /// Its p-value by Holm's correction for all pairs of systems in this measure. A pair that does not differ counts with a p of 1.
    pub p_holm: f64,
}

/// Tests each pair of systems in each of the [`TESTED`] measures, on the cases that both have.
pub fn compare_systems(systems: &[System], seed: u64) -> Vec<Difference> {
    let pairs: Vec<(&System, &System)> = (0..systems.len())
        .flat_map(|first| (first + 1..systems.len()).map(move |second| (&systems[first], &systems[second])))
        .collect();
    let mut result = Vec::new();
    for measure in TESTED {
        let mut differences: Vec<Difference> =
            pairs.iter().map(|(first, second)| difference(measure, first, second, seed)).collect();
        let p: Vec<f64> = differences.iter().map(|d| d.test.map_or(1.0, |test| test.p)).collect();
        for (difference, corrected) in differences.iter_mut().zip(holm(&p)) {
            difference.p_holm = corrected;
        }
        result.extend(differences);
    }
    result
}

fn difference(measure: Measure, first: &System, second: &System, seed: u64) -> Difference {
    let values = |system: &System| -> BTreeMap<String, f64> {
        system.cases.iter().filter_map(|case| Some((case.name.clone(), measure.of(&case.comparison)?))).collect()
    };
    let others = values(second);
    let differences: Vec<f64> =
        values(first).iter().filter_map(|(name, value)| Some(value - others.get(name)?)).collect();
    let count = differences.len();
    Difference {
        measure: measure.key(),
        first: first.name.clone(),
        second: second.name.clone(),
        cases: count,
        mean_difference: (count > 0).then(|| differences.iter().sum::<f64>() / count as f64),
        ci95: confidence_interval(&differences, seed),
        test: signed_rank(&differences),
        p_holm: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::compare;
    use ndarray::{s, Array3};

    /// A system that hits so many of ten voxels in each case.
    fn system(name: &str, hits: &[(&str, usize)]) -> System {
        let truth = Array3::from_elem((1, 1, 10), 1_u8);
        let case = |(name, hits): &(&str, usize)| {
            let mut mask = Array3::zeros((1, 1, 10));
            mask.slice_mut(s![.., .., ..*hits]).fill(1_u8);
            let comparison = compare(mask.view(), truth.view(), [1.0; 3]).unwrap();
            Case { name: name.to_string(), comparison, spread: None }
        };
        System { name: name.into(), cases: hits.iter().map(case).collect() }
    }

    #[test]
    fn cases_are_paired_by_name_and_pairs_are_corrected() {
        let a = system("a", &[("1", 9), ("2", 8), ("3", 9), ("4", 7), ("5", 10), ("only here", 1)]);
        let b = system("b", &[("5", 9), ("4", 5), ("3", 4), ("2", 2), ("1", 1)]);
        let found = compare_systems(&[a.clone(), b, a], 0);
        assert_eq!(found.len(), 3 * TESTED.len());
        let dice = &found[0];
        assert_eq!((dice.measure, dice.first.as_str(), dice.second.as_str(), dice.cases), ("dice", "a", "b", 5));
        // All five differences are positive, and one of 32 choices of signs is as good, one as bad.
        assert_eq!(dice.test.unwrap().p, 2.0 / 32.0);
        assert_eq!(dice.p_holm, 3.0 * 2.0 / 32.0);
        let [low, high] = dice.ci95.unwrap();
        assert!(0.0 < low && low < dice.mean_difference.unwrap() && dice.mean_difference.unwrap() < high);
        // With itself.
        assert_eq!((found[1].test, found[1].mean_difference, found[1].p_holm), (None, Some(0.0), 1.0));
        assert_eq!(found[2].test.unwrap().p, 2.0 / 32.0);
        assert!(found[3].measure == "nsd_1mm");
    }
}
