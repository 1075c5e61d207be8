//! All cases of a set, a few at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Case;
use crate::{Error, Result};

/// What `examine` makes of each case, in their order; `most` cases at most are in memory at a time. After the first error no other case is
/// begun.
///
/// `progress` is called after each case, from whatever thread finished it, with the number of cases done and the case's name. `cancelled` is
/// asked before each case.
///
/// # Errors
/// [`Error::Cancelled`]; the first error of `examine`, by the order of the cases that were begun.
pub(super) fn each<T: Send>(
    cases: &[Case],
    most: usize,
    examine: &(dyn Fn(&Case) -> Result<T> + Sync),
    progress: &(dyn Fn(usize, &str) + Sync),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<T>)>> = Mutex::default();
    let failed = || results.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(_, one)| one.is_err());
    // Threads of our own: a worker of rayon that waits inside one case would begin another, and memory would have no bound.
    std::thread::scope(|scope| {
        for _ in 0..most.min(cases.len()) {
            scope.spawn(|| {
                while !cancelled() && !failed() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    let one = examine(case);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((number, one));
                    progress(results.len(), &case.name);
                }
            });
        }
    });
    if cancelled() {
        return Err(Error::Cancelled);
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, one)| one).collect()
}
