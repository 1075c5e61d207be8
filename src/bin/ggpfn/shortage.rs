//! A shortage of memory ends the program by its exit code and a sentence, never by a signal.
//!
//! What needs much memory is refused by the library beforehand. What is left are allocations that nobody can refuse any more: in libtorch's own
//! set-up, before `main`, and small ones anywhere. They end in `abort`, which is heard here.

/// The exit code for it.
pub const EXIT_CODE: u8 = 6;

#[cfg(target_os = "linux")]
pub use linux::end_by_exit_code;

/// Elsewhere such a process ends as the system has it.
#[cfg(not(target_os = "linux"))]
pub fn end_by_exit_code() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// What libtorch's set-up and the program's own take, of address space; measured, and doubled.
    const LEAST: u64 = 128 << 20;
    /// An allocation in libtorch that failed may have been as large as this.
    const NEAR: u64 = 256 << 20;

    /// Whether an allocation has failed.
    static FAILED: AtomicBool = AtomicBool::new(false);

    /// The system's allocator, which notes that it has failed.
    struct Noting;

    #[global_allocator]
    static ALLOCATOR: Noting = Noting;

    fn noted(place: *mut u8) -> *mut u8 {
        if place.is_null() {
            FAILED.store(true, Ordering::Relaxed);
        }
        place
    }

    // Sound: all is handed to the system's allocator as it is.
    unsafe impl GlobalAlloc for Noting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            noted(unsafe { System.alloc(layout) })
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            noted(unsafe { System.alloc_zeroed(layout) })
        }

        unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            noted(unsafe { System.realloc(place, layout, size) })
        }

        unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
            unsafe { System.dealloc(place, layout) }
        }
    }

    /// Runs before libtorch's set-up does, which ends by a signal where memory is short.
    #[used]
    #[link_section = ".preinit_array"]
    static BEFORE_LIBTORCH: extern "C" fn() = look_before_libtorch;

    extern "C" fn look_before_libtorch() {
        if left().is_some_and(|left| left < LEAST) {
            leave();
        }
    }

    /// From now on an `abort` for want of memory ends the program by its exit code. Any other one is what it was.
    pub fn end_by_exit_code() {
        extern "C" fn aborting(_: libc::c_int) {
            if FAILED.load(Ordering::Relaxed) || left().is_some_and(|left| left < NEAR) {
                leave();
            }
        }
        // Sound: the handler calls nothing but what handlers of signals may.
        unsafe { libc::signal(libc::SIGABRT, aborting as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }

    /// The address space that limits leave; none where there is no limit. Allocates nothing.
    fn left() -> Option<u64> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // Sound: the call fills the struct, or says by its result that it did not.
        if unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
            return None;
        }
        // The first number of the file is the process's pages.
        let mut text = [0_u8; 64];
        // Sound: the path is a C string, and the buffer has as many bytes as are asked for.
        let length = unsafe {
            let file = libc::open(c"/proc/self/statm".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if file < 0 {
                return None;
            }
            let length = libc::read(file, text.as_mut_ptr().cast(), text.len());
            libc::close(file);
            length
        };
        let digits = text.get(..usize::try_from(length).ok()?)?.iter().take_while(|byte| byte.is_ascii_digit());
        let pages = digits.fold(0_u64, |sum, digit| 10 * sum + u64::from(digit - b'0'));
        // Sound: it asks for a number.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        Some(limit.rlim_cur.saturating_sub(pages * page))
    }

    fn leave() -> ! {
        const TEXT: &[u8] =
            b"error: not enough memory: the limit on the process (ulimit -v) leaves too little to work in; raise it\n";
        // Sound: both may be called anywhere, and the text is as long as is said.
        unsafe {
            libc::write(2, TEXT.as_ptr().cast(), TEXT.len());
            libc::_exit(super::EXIT_CODE.into())
        }
    }
}
