//! The floating-point environment of threads: rounding, denormal numbers, traps.
//!
//! A host program may have set its own: rounding upwards, denormals flushed to zero for speed, traps that end the process at a division by
//! zero. A new thread inherits it. What the library computes must neither depend on it nor fall into a trap, so it computes in the default
//! environment, and the host's is as it was afterwards, its sticky flags included.

use std::cell::Cell;

/// An environment as the C library keeps it; float_environment.cpp checks that it has room.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Environment([u8; 64]);

extern "C" {
    /// float_environment.cpp
    fn ggpfn_cpp_get_floats(place: *mut Environment);
    /// float_environment.cpp
    fn ggpfn_cpp_set_floats(place: *const Environment);
    /// float_environment.cpp
    fn ggpfn_cpp_default_floats();
}

impl Environment {
    fn current() -> Self {
        let mut place = Environment([0; 64]);
        // Sound: it writes the environment to the place, which has room for it.
        unsafe { ggpfn_cpp_get_floats(&mut place) };
        place
    }

    fn set(&self) {
        // Sound: the place holds an environment, since `current` is the only way to one.
        unsafe { ggpfn_cpp_set_floats(self) };
    }
}

/// Gives this thread the default environment, for good: for threads of the library's own.
pub(crate) fn set_default() {
    // Sound: it takes nothing and gives nothing.
    unsafe { ggpfn_cpp_default_floats() };
}

thread_local! {
    /// What the thread that called the library had, during the call.
    static CALLERS: Cell<Option<Environment>> = const { Cell::new(None) };
}

/// Works in the default environment; afterwards the thread has its own again.
pub(crate) fn with_default<T>(work: impl FnOnce() -> T) -> T {
    /// Puts back what was, also where the work panics.
    struct Before {
        own: Environment,
        outer: Option<Environment>,
    }
    impl Drop for Before {
        fn drop(&mut self) {
            // During a thread's end there is nothing to ask, and no callback can have changed anything.
            let own = CALLERS.try_with(|callers| callers.replace(self.outer)).ok().flatten();
            own.unwrap_or(self.own).set();
        }
    }
    let own = Environment::current();
    let outer = CALLERS.try_with(|callers| callers.replace(Some(own))).ok().flatten();
    let _before = Before { own, outer };
    set_default();
    work()
}

/// Runs a callback of the caller's in the caller's own environment, if this is the caller's thread. What it changes stays changed.
pub(crate) fn with_callers<T>(callback: impl FnOnce() -> T) -> T {
    let Some(own) = CALLERS.try_with(Cell::get).ok().flatten() else { return callback() };
    own.set();
    let result = callback();
    let _ = CALLERS.try_with(|callers| callers.set(Some(Environment::current())));
    set_default();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment's effect: a sum that rounding decides.
    fn rounds_up() -> bool {
        let (one, little) = (std::hint::black_box(1.0_f64), std::hint::black_box(1e-30_f64));
        std::hint::black_box(one + little) > 1.0
    }

    extern "C" {
        fn fesetround(mode: libc::c_int) -> libc::c_int;
    }

    #[cfg(target_arch = "x86_64")]
    const UPWARD: libc::c_int = 0x800;
    #[cfg(target_arch = "aarch64")]
    const UPWARD: libc::c_int = 0x40_0000;

    #[test]
    fn the_callers_environment_is_left_and_found_again() {
        // On a thread of its own: the tests' runner takes the default for granted.
        std::thread::spawn(|| {
            // Sound: it changes how this thread rounds, and nothing here but `rounds_up` rounds.
            assert_eq!(unsafe { fesetround(UPWARD) }, 0);
            assert!(rounds_up());
            assert!(!with_default(rounds_up));
            let (in_callback, nested, after) =
                with_default(|| (with_callers(rounds_up), with_callers(|| with_default(rounds_up)), rounds_up()));
            assert!(in_callback && !nested && !after && rounds_up());
            assert!(std::panic::catch_unwind(|| with_default(|| panic!("no matter"))).is_err());
            assert!(rounds_up());
            // Sound: as above.
            with_default(|| with_callers(|| unsafe { fesetround(0) }));
            assert!(!rounds_up(), "what a callback sets stays");
        })
        .join()
        .unwrap();
    }
}
