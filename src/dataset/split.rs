//! Which cases are trained on, which choose the best epoch, and which are kept for the test.
//!
//! A split is drawn from the sorted names by ChaCha8 and a shuffle that is written out here, so that a seed gives the same
//! split on every machine and with every version of the crates. It is a small JSON file that goes with the results.

use std::collections::BTreeSet;
use std::path::Path;

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Layout;
use crate::files;
use crate::{Error, Result};

/// How many cases each part of a split gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitCounts {
    /// Cases to train on.
    pub train: usize,
    /// Cases to choose the best epoch by.
    pub validation: usize,
    /// Cases for the test.
    pub test: usize,
}

impl SplitCounts {
    /// The paper's counts: 236/5/40 of 281 for the Decathlon, 48/5/29 of 82 for the NIH's set. For another number of cases, the
    /// same proportions, each part having at least one; [`Layout::Pairs`] has the Decathlon's.
    ///
    /// # Errors
    /// [`Error::Argument`] for fewer than three cases.
    pub fn of(layout: Layout, cases: usize) -> Result<Self> {
        if cases < 3 {
            let fault = format!("{cases} cases cannot be split in three; at least 3 were expected");
            return Err(Error::argument("split", fault));
        }
        let [_, validation, test] = match layout {
            Layout::Msd | Layout::Pairs => [236, 5, 40],
            Layout::Nihc => [48, 5, 29],
        };
        let paper = match layout {
            Layout::Msd | Layout::Pairs => 281,
            Layout::Nihc => 82,
        };
        let share = |part: usize| ((part * cases + paper / 2) / paper).max(1);
        let (validation, test) = (share(validation), share(test));
        Ok(SplitCounts { train: cases - validation - test, validation, test })
    }

    /// As [`of`](Self::of), but for the parts that are given. What they leave goes to the training, or, where that is given, to
    /// the test; where all are given, the rest is left out of the split.
    ///
    /// # Errors
    /// [`Error::Argument`] if they are more than there are cases, or leave nothing to train on.
    pub fn with(
        layout: Layout,
        cases: usize,
        train: Option<usize>,
        validation: Option<usize>,
        test: Option<usize>,
    ) -> Result<Self> {
        let paper = match (train, validation, test) {
            (Some(train), Some(validation), Some(test)) => SplitCounts { train, validation, test },
            _ => SplitCounts::of(layout, cases)?,
        };
        let validation = validation.unwrap_or(paper.validation);
        let rest = |taken: usize| {
            cases.checked_sub(taken).ok_or_else(|| {
                let fault = format!("{taken} cases or more are asked for, but there are {cases}");
                Error::argument("split", fault)
            })
        };
        let (train, test) = match (train, test) {
            (Some(train), Some(test)) => (train, test),
            (Some(train), None) => (train, rest(train.saturating_add(validation))?),
            (None, test) => {
                let test = test.unwrap_or(paper.test);
                (rest(test.saturating_add(validation))?, test)
            }
        };
        let counts = SplitCounts { train, validation, test };
        counts.check(cases)?;
        Ok(counts)
    }

    fn check(&self, cases: usize) -> Result<()> {
        let sum = self.train.saturating_add(self.validation).saturating_add(self.test);
        if sum > cases {
            let fault = format!("{sum} cases are asked for, but there are {cases}");
            return Err(Error::argument("split", fault));
        }
        if self.train == 0 {
            return Err(Error::argument("split", "no case is left to train on"));
        }
        Ok(())
    }
}

/// A split of a set; each list is sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The seed that it was drawn with.
    pub seed: u64,
    /// Names of the cases to train on.
    pub train: Vec<String>,
    /// Names of the cases to choose the best epoch by.
    pub validation: Vec<String>,
    /// Names of the cases for the test.
    pub test: Vec<String>,
}

/// Draws a split from case names, in whatever order they come.
///
/// # Errors
/// [`Error::Argument`] if a name comes twice, more cases are asked for than there are, or none to train on.
pub fn split(names: &[String], counts: SplitCounts, seed: u64) -> Result<Split> {
    counts.check(names.len())?;
    let mut names = shuffled(names, seed)?.into_iter();
    let mut part = |count: usize| {
        let mut part: Vec<String> = names.by_ref().take(count).collect();
        part.sort();
        part
    };
    // The test first: it stays the same when validation cases are moved to the training or back.
    let test = part(counts.test);
    let validation = part(counts.validation);
    let train = part(counts.train);
    Ok(Split { seed, train, validation, test })
}

/// The names in an order that follows from the seed alone.
///
/// # Errors
/// [`Error::Argument`] if a name comes twice.
pub(super) fn shuffled(names: &[String], seed: u64) -> Result<Vec<String>> {
    let mut names = names.to_vec();
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::argument("split", format!("the case {} comes twice", pair[0])));
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for last in (1..names.len()).rev() {
        names.swap(last, below(&mut random, last as u64 + 1) as usize);
    }
    Ok(names)
}

/// A number from 0 to `bound` - 1, all equally likely.
fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    // Numbers above the largest multiple of the bound would favour the small remainders.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let number = random.next_u64();
        if number < limit {
            return number % bound;
        }
    }
}

impl Split {
    /// Makes sure that the split can be used with a set's cases.
    ///
    /// # Errors
    /// [`Error::Argument`] if it names a case that is not in `names`, names one twice, or has nothing to train on.
    pub fn check(&self, names: &[String]) -> Result<()> {
        let known: BTreeSet<&String> = names.iter().collect();
        let mut seen = BTreeSet::new();
        for name in self.train.iter().chain(&self.validation).chain(&self.test) {
            if !known.contains(name) {
                let fault = format!("it names {name}, which is not one of the set's {} cases", names.len());
                return Err(Error::argument("split", fault));
            }
            if !seen.insert(name) {
                return Err(Error::argument("split", format!("it names {name} twice")));
            }
        }
        if self.train.is_empty() {
            return Err(Error::argument("split", "it has no case to train on"));
        }
        Ok(())
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
    /// [`Error::File`] if the file cannot be read, [`Error::Argument`] if it is not a split.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
        serde_json::from_slice(&text).map_err(|e| {
            let fault = format!(
                "{}: {e}; JSON with seed and the lists train, validation and test was expected",
                path.display()
            );
            Error::argument("split", fault)
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
    fn the_papers_counts_and_their_proportions() {
        let counts = |layout, cases| SplitCounts::of(layout, cases).map(|c| [c.train, c.validation, c.test]).unwrap();
        assert_eq!(counts(Layout::Msd, 281), [236, 5, 40]);
        assert_eq!(counts(Layout::Nihc, 82), [48, 5, 29]);
        assert_eq!(counts(Layout::Nihc, 80), [47, 5, 28]);
        assert_eq!(counts(Layout::Pairs, 3), [1, 1, 1]);
        for cases in 3..300 {
            for layout in Layout::ALL {
                let [train, validation, test] = counts(layout, cases);
                assert!(train > 0 && validation > 0 && test > 0 && train + validation + test == cases);
            }
        }
        assert!(SplitCounts::of(Layout::Msd, 2).is_err());
    }

    #[test]
    fn given_counts_are_kept() {
        let with = |train, validation, test| {
            SplitCounts::with(Layout::Nihc, 80, train, validation, test).map(|c| [c.train, c.validation, c.test])
        };
        assert_eq!(with(None, None, None).unwrap(), [47, 5, 28]);
        assert_eq!(with(None, Some(10), None).unwrap(), [42, 10, 28]);
        assert_eq!(with(None, None, Some(0)).unwrap(), [75, 5, 0]);
        assert_eq!(with(Some(20), None, None).unwrap(), [20, 5, 55]);
        assert_eq!(with(Some(10), Some(2), Some(3)).unwrap(), [10, 2, 3]);
        for (train, validation, test) in [
            (Some(81), None, None),
            (None, Some(80), None),
            (None, Some(40), Some(40)),
            (Some(0), None, None),
            (Some(usize::MAX), Some(usize::MAX), Some(1)),
        ] {
            assert!(matches!(with(train, validation, test), Err(Error::Argument { .. })), "{train:?}");
        }
    }

    /// The numbers of one seed, written down: they are the same on every machine and stay so.
    #[test]
    fn a_seed_always_gives_the_same_split() {
        let counts = SplitCounts { train: 6, validation: 1, test: 3 };
        let drawn = split(&names(10), counts, 2026).unwrap();
        let mut turned = names(10);
        turned.reverse();
        assert_eq!(split(&turned, counts, 2026).unwrap(), drawn);
        assert_ne!(split(&turned, counts, 2027).unwrap(), drawn);
        assert_eq!(drawn.test, GOLDEN_TEST.map(String::from));
        assert_eq!(drawn.validation, GOLDEN_VALIDATION.map(String::from));
    }

    const GOLDEN_TEST: [&str; 3] = ["pancreas_000", "pancreas_002", "pancreas_003"];
    const GOLDEN_VALIDATION: [&str; 1] = ["pancreas_005"];

    #[test]
    fn each_case_is_in_one_part() {
        let drawn = split(&names(281), SplitCounts::of(Layout::Msd, 281).unwrap(), 0).unwrap();
        assert_eq!([drawn.train.len(), drawn.validation.len(), drawn.test.len()], [236, 5, 40]);
        let mut all = [&drawn.train[..], &drawn.validation, &drawn.test].concat();
        all.sort();
        assert_eq!(all, names(281));
        drawn.check(&names(281)).unwrap();
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let counts = SplitCounts { train: 1, validation: 1, test: 1 };
        let message = split(&["a".into(), "b".into(), "a".into()], counts, 0).unwrap_err().to_string();
        assert!(message.contains("a comes twice"), "{message}");
    }
}
