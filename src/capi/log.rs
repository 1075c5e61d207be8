//! The library's messages, to whom the caller names.

use std::ffi::{c_char, c_void, CString};
use std::sync::{OnceLock, PoisonError, RwLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::boundary::enter;
use super::status::{ggpfn_status, Fault};
use crate::float_environment;

/// Log level: the work failed, or is about to.
pub const GGPFN_LOG_ERROR: i32 = 1;
/// Log level: the work goes on, but a person should know.
pub const GGPFN_LOG_WARNING: i32 = 2;
/// Log level: what was decided for the caller.
pub const GGPFN_LOG_INFO: i32 = 3;
/// Log level: details for whoever looks for a fault.
pub const GGPFN_LOG_DEBUG: i32 = 4;

/// Hears a message: its level, GGPFN_LOG_ERROR to GGPFN_LOG_DEBUG, and its text, UTF-8, valid during the call alone. It is called from
/// any thread, also from several at once. It must not throw or jump out, nor call the library.
#[allow(non_camel_case_types)]
pub type ggpfn_log_callback = Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

struct Forward {
    target: RwLock<Option<(unsafe extern "C" fn(i32, *const c_char, *mut c_void), usize)>>,
}

impl Log for Forward {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        // Only the library's own: what it is built from has much to say that concerns nobody.
        if !record.target().starts_with("ggpfn") {
            return;
        }
        let level = match record.level() {
            Level::Error => GGPFN_LOG_ERROR,
            Level::Warn => GGPFN_LOG_WARNING,
            Level::Info => GGPFN_LOG_INFO,
            Level::Debug | Level::Trace => GGPFN_LOG_DEBUG,
        };
        let Ok(message) = CString::new(record.args().to_string().replace('\0', " ")) else { return };
        let target = self.target.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((function, user_data)) = *target {
            // SAFETY: the caller promised a function of this type that does not unwind; the text lives through the call.
            float_environment::with_callers(|| unsafe { function(level, message.as_ptr(), user_data as *mut c_void) });
        }
    }

    fn flush(&self) {}
}

/// Sends the library's messages of `level` and graver to `callback`, for the whole process; NULL: to nobody, as in the beginning. When it
/// returns, the callback before is not called any more.
#[no_mangle]
pub extern "C" fn ggpfn_log_set(callback: ggpfn_log_callback, level: i32, user_data: *mut c_void) -> ggpfn_status {
    static FORWARD: OnceLock<Option<&'static Forward>> = OnceLock::new();
    enter(|| {
        let filter = match level {
            GGPFN_LOG_ERROR => LevelFilter::Error,
            GGPFN_LOG_WARNING => LevelFilter::Warn,
            GGPFN_LOG_INFO => LevelFilter::Info,
            GGPFN_LOG_DEBUG => LevelFilter::Debug,
            _ if callback.is_none() => LevelFilter::Off,
            other => {
                let fault = format!("{other}; GGPFN_LOG_ERROR (1) to GGPFN_LOG_DEBUG (4) was expected");
                return Err(Fault::argument("level", fault));
            }
        };
        let forward = FORWARD.get_or_init(|| {
            let forward: &'static Forward = Box::leak(Box::new(Forward { target: RwLock::new(None) }));
            log::set_logger(forward).is_ok().then_some(forward)
        });
        let Some(forward) = forward else {
            return Err(Fault::argument("callback", "this program is written in Rust and has a logger of its own"));
        };
        let target = callback.map(|function| (function, user_data as usize));
        *forward.target.write().unwrap_or_else(PoisonError::into_inner) = target;
        log::set_max_level(if target.is_some() { filter } else { LevelFilter::Off });
        Ok(())
    })
}
