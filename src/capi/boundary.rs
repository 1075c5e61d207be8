//! The way into and out of the library: what every exported function runs inside.

use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use super::status::{ggpfn_status, Fault, Outcome, GGPFN_OK};
use super::text;
use crate::float_environment;
use crate::runtime::Runtime;

thread_local! {
    /// The text of this thread's last error.
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
    /// How many calls of the library this thread is within.
    static WITHIN: Cell<usize> = const { Cell::new(0) };
}

/// Runs a function's work, in the default floating-point environment. The last error's text is cleared first and set if the work fails; a
/// panic becomes an internal fault. After a fork that left the library's threads behind, nothing is done: a lock may be held for ever there.
pub(super) fn enter(work: impl FnOnce() -> Outcome<()>) -> ggpfn_status {
    if fork::left_threads_behind() {
        set_last_error(Fault::Forked.to_string());
        return Fault::Forked.status();
    }
    float_environment::with_default(|| {
        quiet_panics();
        set_last_error(String::new());
        count_within(1);
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        count_within(-1);
        let fault = match result {
            Ok(Ok(())) => {
                // A call from within a callback may have failed meanwhile.
                set_last_error(String::new());
                return GGPFN_OK;
            }
            Ok(Err(fault)) => fault,
            Err(panic) => Fault::Internal(crate::compute::threads::text(&*panic)),
        };
        set_last_error(fault.to_string());
        fault.status()
    })
}

/// As [`enter`], for work that other threads share. From then on the process's forks cannot work.
pub(super) fn enter_with_threads(work: impl FnOnce() -> Outcome<()>) -> ggpfn_status {
    enter(|| {
        start_threads();
        work()
    })
}

/// As [`enter_with_threads`], for work that needs libtorch: refused where the process has another one than the library was built for.
pub(super) fn enter_torch(work: impl FnOnce() -> Outcome<()>) -> ggpfn_status {
    enter_with_threads(|| {
        let runtime = Runtime::current();
        if runtime.wrong_version() {
            return Err(Fault::Runtime(runtime.problems().join("; ")));
        }
        work()
    })
}

fn set_last_error(text: String) {
    // During a thread's end the text may be gone already; then nobody can ask for it either.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text);
}

/// Counts a call's beginning or end on this thread.
fn count_within(step: isize) {
    // Gone during a thread's end; then a panic may speak.
    let _ = WITHIN.try_with(|within| within.set(within.get().wrapping_add_signed(step)));
}

/// The library prints nothing, and so panics on its own threads and within its calls, which become errors, are told to the log and not to
/// stderr. That goes for a panic in a callback too, which is within a call.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let own_thread = std::thread::current().name().is_some_and(|name| name.starts_with("ggpfn"));
            if own_thread || WITHIN.try_with(Cell::get).is_ok_and(|calls| calls > 0) {
                log::error!("{info}");
            } else {
                before(info);
            }
        }));
    });
}

/// Starts the threads that share the library's own work. From now on a fork leaves some behind.
pub(super) fn start_threads() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        fork::note_threads();
        // Named, so that their panics are known as the library's own; the pool may exist already in a program that is Rust itself.
        let _ = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("ggpfn-pool-{number}"))
            .start_handler(|_| float_environment::set_default())
            .build_global();
    });
}

/// Whether this process was forked from one in which the library had threads. They are not here, and who waits for them waits for ever.
pub(super) mod fork {
    use std::sync::atomic::{AtomicBool, Ordering};

    static THREADS: AtomicBool = AtomicBool::new(false);
    static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

    pub(in crate::capi) fn left_threads_behind() -> bool {
        LEFT_BEHIND.load(Ordering::Relaxed)
    }

    /// To be called before the first thread is started, once.
    pub(super) fn note_threads() {
        #[cfg(unix)]
        {
            // SAFETY: the function is there as long as the library is, which is not unloaded, and does what is allowed in a forked process.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        }
        THREADS.store(true, Ordering::Relaxed);
    }

    #[cfg(unix)]
    unsafe extern "C" fn in_child() {
        LEFT_BEHIND.fetch_or(THREADS.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Copies the text of the last error on the calling thread, as UTF-8 with a NUL at the end: empty after a call that succeeded.
///
/// `capacity` is the buffer's length in bytes. `needed`, if not NULL, gets the length that the whole text takes, with its NUL. A text
/// that is too long is cut, still with a NUL, and GGPFN_ERROR_BUFFER returned; `buffer` NULL with `capacity` 0 asks for the
/// length alone. Asking does not change the text.
///
/// # Safety
/// `buffer` is NULL or has `capacity` bytes; `needed` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_last_error(buffer: *mut c_char, capacity: usize, needed: *mut usize) -> ggpfn_status {
    let copied = std::panic::catch_unwind(|| {
        let last = LAST_ERROR.try_with(|last| last.borrow().clone()).unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { text::give(&last, buffer, capacity, needed) }
    });
    match copied {
        Ok(Ok(())) => GGPFN_OK,
        Ok(Err(fault)) => fault.status(),
        Err(_) => super::status::GGPFN_ERROR_INTERNAL,
    }
}
