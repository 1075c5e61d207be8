//! Handles: numbers that look like pointers.
//!
//! A handle is a number in a table and is never followed as an address. Numbers are not used twice. So a handle that was freed, or is of
//! another type, or was never one, is told from a good one, and the caller gets an error in place of a crash. What a handle stands for is
//! shared with the calls that are using it: it may be freed while they run, and goes when the last of them returns.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError};

use super::status::{Fault, Outcome};

type Entry = Arc<dyn Any + Send + Sync>;

fn table() -> &'static RwLock<HashMap<usize, Entry>> {
    static TABLE: OnceLock<RwLock<HashMap<usize, Entry>>> = OnceLock::new();
    TABLE.get_or_init(Default::default)
}

/// What a type of handle stands for.
pub(super) trait Handle {
    /// What lies behind it.
    type Target: Send + Sync + 'static;
    /// Its name in messages.
    const NAME: &'static str;
}

/// Gives out a handle through `out`.
///
/// # Safety
/// `out` is NULL or writable.
pub(super) unsafe fn give<H: Handle>(value: H::Target, out: *mut *mut H) -> Outcome<()> {
    /// Far from any small number that a caller might have mistaken for a handle, and even, as pointers are.
    static NEXT: AtomicUsize = AtomicUsize::new(0x67_0010);
    check_place(out, H::NAME)?;
    let number = NEXT.fetch_add(16, Ordering::Relaxed);
    table().write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(value));
    // SAFETY: not NULL, and so writable; perhaps not aligned.
    unsafe { out.write_unaligned(number as *mut H) };
    Ok(())
}

/// Refuses a NULL where a result is to be written. For functions that work long: they ask before.
pub(super) fn check_place<T>(out: *mut T, name: &'static str) -> Outcome<()> {
    match out.is_null() {
        true => Err(Fault::argument(name, "NULL; a place for the result was expected")),
        false => Ok(()),
    }
}

/// What a handle stands for.
pub(super) fn get<H: Handle>(handle: *const H) -> Outcome<Arc<H::Target>> {
    if handle.is_null() {
        return Err(Fault::argument(H::NAME, "NULL; a handle was expected"));
    }
    let entry = table().read().unwrap_or_else(PoisonError::into_inner).get(&(handle as usize)).cloned();
    let entry = entry.ok_or_else(|| Fault::argument(H::NAME, "this is no handle, or it was freed"))?;
    entry.downcast().map_err(|_| Fault::argument(H::NAME, "this is a handle of another type"))
}

/// The same, where NULL stands for none.
pub(super) fn get_optional<H: Handle>(handle: *const H) -> Outcome<Option<Arc<H::Target>>> {
    match handle.is_null() {
        true => Ok(None),
        false => get(handle).map(Some),
    }
}

/// Frees a handle; NULL, and one that was freed, are let pass.
pub(super) fn free<H: Handle>(handle: *mut H) {
    let mut table = table().write().unwrap_or_else(PoisonError::into_inner);
    let own = table.get(&(handle as usize)).is_some_and(|entry| entry.is::<H::Target>());
    let entry = own.then(|| table.remove(&(handle as usize)));
    // What lies behind it may take long to drop: not under the lock.
    drop(table);
    drop(entry);
}

/// Locks what one thread at a time may use.
pub(super) fn lock<'a, T>(mutex: &'a Mutex<T>, name: &'static str) -> Outcome<MutexGuard<'a, T>> {
    match mutex.try_lock() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => Err(Fault::Busy(name)),
    }
}
