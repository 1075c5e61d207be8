//! How a caller follows long work and stops it.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::handle::{self, Handle};
use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{self, growing};
use super::text::fixed;
use crate::compute::Cancel;
use crate::float_environment;

/// How far long work is. What does not apply is -1, or NaN.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_progress {
    /// sizeof(ggpfn_progress). In a callback: as the library knows it.
    pub struct_size: usize,
    /// The part of the work that is done, 0 to 1; never falls.
    pub fraction: f64,
    /// An estimate of the seconds left; NaN while there is none.
    pub seconds_left: f64,
    /// What is being done, in English, with a NUL at its end: "axial view".
    pub phase: [c_char; 64],
    /// The view under way: GGPFN_AXIAL, GGPFN_SAGITTAL or GGPFN_CORONAL.
    pub view: i32,
    /// Training: the stage, GGPFN_STAGE_GLOBAL, _LOCAL or _WHOLE, or one of another network's.
    pub stage: i32,
    /// Training: the epoch of the stage, from 1.
    pub epoch: i32,
    /// Training: epochs of the stage.
    pub epochs: i32,
    /// Training: batches of the epoch that are done.
    pub batch: i32,
    /// Training: batches of an epoch.
    pub batches: i32,
    /// Training: the step's loss.
    pub loss: f64,
    /// Training: the view's validation Dice, where this report is a validation's.
    pub dice: f64,
}

growing!(ggpfn_progress, dice);

impl ggpfn_progress {
    pub(super) fn new(phase: &str, fraction: f64) -> Self {
        ggpfn_progress {
            struct_size: std::mem::size_of::<Self>(),
            fraction,
            seconds_left: f64::NAN,
            phase: fixed(phase),
            view: -1,
            stage: -1,
            epoch: -1,
            epochs: -1,
            batch: -1,
            batches: -1,
            loss: f64::NAN,
            dice: f64::NAN,
        }
    }
}

/// Hears how far the work is, on the thread that started it, while that waits. Returns 0 to stop the work, anything else to go on. It
/// must not throw or jump out, may call any function of the library, and should return soon: reports wait for it, the work does not.
/// `progress` is valid during the call alone.
#[allow(non_camel_case_types)]
pub type ggpfn_progress_callback =
    Option<unsafe extern "C" fn(progress: *const ggpfn_progress, user_data: *mut c_void) -> i32>;

/// Progress and cancel of long work. One monitor may be given to several calls, also at the same time: a request to stop holds for all
/// of them. Every function here may be called from any thread at any time.
#[allow(non_camel_case_types)]
pub struct ggpfn_monitor(());

/// What lies behind the handle.
#[derive(Default)]
pub struct Monitor {
    cancel: Mutex<Cancel>,
    latest: Mutex<Option<ggpfn_progress>>,
    callback: Mutex<Option<Callback>>,
}

#[derive(Clone, Copy)]
struct Callback {
    function: unsafe extern "C" fn(*const ggpfn_progress, *mut c_void) -> i32,
    user_data: usize,
}

impl Handle for ggpfn_monitor {
    type Target = Monitor;
    const NAME: &'static str = "ggpfn_monitor";
}

/// A monitor to give to long work, to be freed with ggpfn_monitor_free.
///
/// # Safety
/// `monitor` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_monitor_new(monitor: *mut *mut ggpfn_monitor) -> ggpfn_status {
    // SAFETY: the caller's promise.
    super::boundary::enter(|| unsafe { handle::give(Monitor::default(), monitor) })
}

/// Has work that is started from now on report to `callback`; NULL: to nobody.
#[no_mangle]
pub extern "C" fn ggpfn_monitor_set_callback(
    monitor: *const ggpfn_monitor,
    callback: ggpfn_progress_callback,
    user_data: *mut c_void,
) -> ggpfn_status {
    super::boundary::enter(|| {
        let callback = callback.map(|function| Callback { function, user_data: user_data as usize });
        *locked(&handle::get(monitor)?.callback) = callback;
        Ok(())
    })
}

/// Asks the work that this monitor was given to, now or later, to stop. It returns GGPFN_ERROR_CANCELLED after the layer that it is at
/// and leaves its result buffers as they were; a training finishes its step, saves, and returns what it has.
#[no_mangle]
pub extern "C" fn ggpfn_monitor_cancel(monitor: *const ggpfn_monitor) -> ggpfn_status {
    super::boundary::enter(|| {
        locked(&handle::get(monitor)?.cancel).cancel();
        Ok(())
    })
}

/// Whether the work was asked to stop: `*cancelled` becomes 1 or 0.
///
/// # Safety
/// `cancelled` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_monitor_is_cancelled(
    monitor: *const ggpfn_monitor,
    cancelled: *mut i32,
) -> ggpfn_status {
    super::boundary::enter(|| {
        handle::check_place(cancelled, "cancelled")?;
        let answer = locked(&handle::get(monitor)?.cancel).is_cancelled();
        // SAFETY: not NULL, and so writable; perhaps not aligned.
        unsafe { cancelled.write_unaligned(answer.into()) };
        Ok(())
    })
}

/// The latest report, for programs that would rather ask than be called. Before the first one: fraction 0.
///
/// # Safety
/// `progress` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_monitor_progress(
    monitor: *const ggpfn_monitor,
    progress: *mut ggpfn_progress,
) -> ggpfn_status {
    super::boundary::enter(|| {
        let latest = *locked(&handle::get(monitor)?.latest);
        // SAFETY: the caller's promise.
        unsafe { structs::write(progress, &latest.unwrap_or(ggpfn_progress::new("", 0.0))) }
    })
}

/// Takes a request to stop back, for work that is started from now on, and forgets the latest report.
#[no_mangle]
pub extern "C" fn ggpfn_monitor_reset(monitor: *const ggpfn_monitor) -> ggpfn_status {
    super::boundary::enter(|| {
        let monitor = handle::get(monitor)?;
        *locked(&monitor.cancel) = Cancel::new();
        *locked(&monitor.latest) = None;
        Ok(())
    })
}

/// Frees a monitor; work that was given it goes on. NULL is let pass.
#[no_mangle]
pub extern "C" fn ggpfn_monitor_free(monitor: *mut ggpfn_monitor) {
    super::boundary::enter(|| {
        handle::free(monitor);
        Ok(())
    });
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What long work reports to.
pub(super) type Report<'a> = &'a (dyn Fn(ggpfn_progress) + Sync);

/// Work under way, which a process that ends has to stop first: libtorch takes itself apart then, and a thread that is in it would crash.
static UNDER_WAY: Mutex<Vec<(u64, Cancel)>> = Mutex::new(Vec::new());
static SOME_ENDED: Condvar = Condvar::new();

/// How long a process that ends waits for work to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// An entry of [`UNDER_WAY`], which ends with the work.
struct UnderWay(u64);

impl UnderWay {
    fn new(cancel: &Cancel) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self::stop_before_the_end();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        locked(&UNDER_WAY).push((number, cancel.clone()));
        UnderWay(number)
    }

    /// Has work stopped before libtorch takes itself apart. What is registered last is called first, and libtorch makes some of what it
    /// takes apart at its first use: so this is done again while the first work goes on.
    fn stop_before_the_end() {
        const ENOUGH: u64 = 100;
        static TIMES: AtomicU64 = AtomicU64::new(0);
        if TIMES.load(Ordering::Relaxed) < ENOUGH && TIMES.fetch_add(1, Ordering::Relaxed) < ENOUGH {
            // SAFETY: the function is there as long as the library is, and neither unwinds nor exits. Where there is no room for one
            // more, it is not called.
            unsafe { libc::atexit(stop_all) };
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        locked(&UNDER_WAY).retain(|(number, _)| *number != self.0);
        SOME_ENDED.notify_all();
    }
}

extern "C" fn stop_all() {
    // In a process that was forked the work goes on elsewhere, and the lock may be held for ever.
    if super::boundary::fork::left_threads_behind() {
        return;
    }
    let under_way = locked(&UNDER_WAY);
    under_way.iter().for_each(|(_, cancel)| cancel.cancel());
    drop(SOME_ENDED.wait_timeout_while(under_way, PATIENCE, |under_way| !under_way.is_empty()));
}

/// Runs long work on a thread of the library, while this one hears its reports and hands them to the callback.
pub(super) fn follow<T: Send>(
    monitor: Option<Arc<Monitor>>,
    work: impl FnOnce(&Cancel, Report) -> Outcome<T> + Send,
) -> Outcome<T> {
    let cancel = monitor.as_ref().map_or_else(Cancel::new, |monitor| locked(&monitor.cancel).clone());
    let callback = monitor.as_ref().and_then(|monitor| *locked(&monitor.callback));
    let under_way = UnderWay::new(&cancel);
    let (sender, reports) = mpsc::channel::<ggpfn_progress>();
    // Threads that share the work may report in another order than they finished in.
    let furthest = Mutex::new(0.0_f64);
    std::thread::scope(|scope| {
        let (cancel, monitor, furthest) = (&cancel, &monitor, &furthest);
        let worker = std::thread::Builder::new().name("ggpfn-work".into()).spawn_scoped(scope, move || {
            let _under_way = under_way;
            let report = |mut progress: ggpfn_progress| {
                UnderWay::stop_before_the_end();
                let mut furthest = locked(furthest);
                *furthest = furthest.max(progress.fraction);
                progress.fraction = *furthest;
                if let Some(monitor) = monitor {
                    *locked(&monitor.latest) = Some(progress);
                }
                if callback.is_some() {
                    // Nobody hears it if the caller's thread is gone already; the work is about to end then.
                    let _ = sender.send(progress);
                }
            };
            work(cancel, &report)
        });
        let worker = worker.map_err(|e| crate::Error::Memory(format!("the system gave no thread to work on ({e})")))?;
        // Ends when the work drops the sender.
        for progress in reports {
            if let Some(callback) = callback {
                // SAFETY: the caller promised a function of this type that does not unwind; the struct lives through the call.
                let go_on = float_environment::with_callers(|| unsafe {
                    (callback.function)(&progress, callback.user_data as *mut c_void)
                });
                if go_on == 0 {
                    cancel.cancel();
                }
            }
        }
        worker.join().unwrap_or_else(|panic| Err(Fault::Internal(crate::compute::threads::text(&*panic))))
    })
}
