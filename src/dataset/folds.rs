//! The division of cases for a cross-validation: each is in one fold, and is held out from the training of that fold's model.
//!
//! As a [`Split`] it is drawn from the sorted names, and a seed gives the same division on every machine.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::split::{shuffled, split, Split, SplitCounts};
use super::Layout;
use crate::files;
use crate::{Error, Result};

/// Fewer cases than these are all trained on; of more, some choose the best epoch.
const WORTH_VALIDATING: usize = 8;

/// A division of cases into folds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folds {
    /// The seed that it was drawn with.
    pub seed: u64,
    /// Names of the cases of each fold, sorted. Folds differ by one case at most.
    pub folds: Vec<Vec<String>>,
}

/// Draws a division from case names, in whatever order they come.
///
/// # Errors
/// [`Error::Argument`] if a name comes twice, for fewer than 2 folds, and for fewer cases than folds.
pub fn folds(names: &[String], count: usize, seed: u64) -> Result<Folds> {
    if count < 2 {
        return Err(Error::argument("folds", format!("{count}; a number from 2 was expected")));
    }
    if names.len() < count {
        let (cases, s) = (names.len(), if names.len() == 1 { "" } else { "s" });
        let fault = format!("{count} folds of {cases} case{s}; at least a case for each was expected");
        return Err(Error::argument("folds", fault));
    }
    let mut folds = vec![Vec::new(); count];
    for (number, name) in shuffled(names, seed)?.into_iter().enumerate() {
        folds[number % count].push(name);
    }
    folds.iter_mut().for_each(|fold| fold.sort());
    Ok(Folds { seed, folds })
}

impl Folds {
    /// The split by which the model of a fold, counted from 1, is trained: the fold's own cases are the test's. Of the others, where there are 8
    /// or more, some choose the best epoch, in the proportion to the training cases that they have in the layout's [`SplitCounts`]: an epoch
    /// that the held-out cases had chosen would make them look too good.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such fold.
    pub fn split(&self, fold: usize, layout: Layout) -> Result<Split> {
        let Some(test) = fold.checked_sub(1).and_then(|index| self.folds.get(index)) else {
            let fault = format!("{fold}; a number from 1 to {} was expected", self.folds.len());
            return Err(Error::argument("fold", fault));
        };
        let others = self.folds.iter().enumerate().filter(|(index, _)| *index != fold - 1);
        let others: Vec<String> = others.flat_map(|(_, names)| names.iter().cloned()).collect();
        let validation = match others.len() < WORTH_VALIDATING {
            true => 0,
            false => {
                let paper = SplitCounts::of(layout, others.len())?;
                let share = paper.validation as f64 / (paper.train + paper.validation) as f64;
                ((share * others.len() as f64).round() as usize).max(1)
            }
        };
        let counts = SplitCounts { train: others.len() - validation, validation, test: 0 };
        Ok(Split { test: test.clone(), ..split(&others, counts, self.seed)? })
    }

    /// All cases, sorted.
    pub fn names(&self) -> Vec<&String> {
        self.folds.iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Makes sure that the division can be used with a set's cases.
    ///
    /// # Errors
    /// [`Error::Argument`] if it names a case that is not in `names`, names one twice, or has a fold without a case.
    pub fn check(&self, names: &[String]) -> Result<()> {
        if self.folds.len() < 2 || self.folds.iter().any(Vec::is_empty) {
            return Err(Error::argument("folds", "2 folds or more, each with a case, were expected"));
        }
        // What goes for all folds' cases goes for the split of one.
        self.split(1, Layout::Pairs)?.check(names)
    }

    /// Writes it as JSON; the file appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_json(path, self)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read, [`Error::Argument`] if it is no division.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
        serde_json::from_slice(&text).map_err(|e| {
            let fault = format!("{}: {e}; JSON with seed and a list of folds was expected", path.display());
            Error::argument("folds", fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("pancreas_{n:03}")).collect()
    }

    #[test]
    fn each_case_is_held_out_once_and_never_trained_on_there() {
        for (cases, count) in [(281, 5), (7, 3), (9, 2), (5, 5), (40, 10)] {
            let division = folds(&names(cases), count, 3).unwrap();
            division.check(&names(cases)).unwrap();
            let mut all: Vec<String> = division.folds.concat();
            all.sort();
            assert_eq!(all, names(cases));
            for fold in 1..=count {
                let split = division.split(fold, Layout::Msd).unwrap();
                split.check(&names(cases)).unwrap();
                assert_eq!(split.test, division.folds[fold - 1]);
                assert!(split.test.len() == cases / count || split.test.len() == cases / count + 1);
                assert_eq!(split.train.len() + split.validation.len() + split.test.len(), cases);
                let others = cases - split.test.len();
                assert_eq!(!split.validation.is_empty(), others >= WORTH_VALIDATING, "{cases} in {count}");
            }
        }
        assert_eq!(folds(&names(281), 5, 0).unwrap().split(1, Layout::Msd).unwrap().validation.len(), 5);
    }

    /// Written down: the same on every machine, in whatever order the names come.
    #[test]
    fn a_seed_always_gives_the_same_folds() {
        let mut turned = names(7);
        turned.reverse();
        let drawn = folds(&turned, 3, 2026).unwrap();
        assert_eq!(drawn, folds(&names(7), 3, 2026).unwrap());
        assert_ne!(drawn, folds(&names(7), 3, 2027).unwrap());
        assert_eq!(drawn.folds, GOLDEN);
    }

    const GOLDEN: [&[&str]; 3] = [
        &["pancreas_000", "pancreas_002", "pancreas_005"],
        &["pancreas_004", "pancreas_006"],
        &["pancreas_001", "pancreas_003"],
    ];

    #[test]
    fn what_cannot_be_divided_is_refused_in_a_sentence() {
        let message = |cases: usize, count| folds(&names(cases), count, 0).unwrap_err().to_string();
        assert!(message(1, 5).contains("5 folds of 1 case; at least a case for each"), "{}", message(1, 5));
        assert!(message(4, 5).contains("5 folds of 4 cases"));
        assert!(message(4, 1).contains("a number from 2"));
        assert!(folds(&["a".into(), "a".into()], 2, 0).unwrap_err().to_string().contains("a comes twice"));
        let division = folds(&names(6), 3, 0).unwrap();
        for fold in [0, 4] {
            assert!(division.split(fold, Layout::Msd).unwrap_err().to_string().contains("from 1 to 3"));
        }
        assert!(division.check(&names(5)).unwrap_err().to_string().contains("pancreas_005"));
    }
}
