//! Where work runs: devices and number formats, which of these is faster here, threads of the library's own, progress and cancel.
//!
//! This room knows libtorch and no network. What runs long (inference, training, the C face) is built on it.

mod device;
mod monitor;
pub(crate) mod threads;
mod trial;

pub use device::{Compute, DeviceChoice, PrecisionChoice};
pub use monitor::{Cancel, Monitor, Progress};
pub use trial::{place as trial_place, trial, trial_anew, Trial};

use crate::Error;

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        let text = match error {
            tch::TchError::Torch(text) => text,
            other => other.to_string(),
        };
        // The lines after the first are C++ frames.
        let first = text.lines().next().unwrap_or_default().to_string();
        if first.contains("out of memory") || first.contains("can't allocate memory") {
            return Error::Memory(format!("{first}; patches (256 x 256, say) or bfloat16 take less"));
        }
        Error::Torch(first)
    }
}
