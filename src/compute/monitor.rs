//! How a caller follows long work and stops it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Instant;

use crate::{Error, Result};

/// A request to stop, which any thread may make at any time; clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// No request yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop. It returns [`Error::Cancelled`] after the layer that it is at, and writes nothing more.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a segmentation is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What is being done, in words for people: "axial view".
    pub phase: String,
    /// The part of the whole work that is done, 0 to 1; never falls.
    pub fraction: f64,
    /// An estimate of the seconds left, once there is ground for one.
    pub seconds_left: Option<f64>,
}

/// What a caller sees of long work: its progress, and a way to stop it.
pub struct Monitor<'a> {
    cancel: Cancel,
    started: Instant,
    report: Box<dyn Fn(&Progress) + Send + Sync + 'a>,
}

impl Default for Monitor<'_> {
    /// Nobody watches, nobody stops it.
    fn default() -> Self {
        Monitor::new(Cancel::new(), |_| {})
    }
}

impl<'a> Monitor<'a> {
    /// Calls `report` from the working thread after each block of slices; it should return soon.
    pub fn new(cancel: Cancel, report: impl Fn(&Progress) + Send + Sync + 'a) -> Self {
        Monitor { cancel, started: Instant::now(), report: Box::new(report) }
    }

    /// # Errors
    /// [`Error::Cancelled`] once somebody has asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    pub(crate) fn report(&self, phase: &str, fraction: f64) {
        /// Before this part of the work is done, an estimate would say more about its start than about the rest.
        const GROUND: f64 = 0.02;
        let fraction = fraction.clamp(0.0, 1.0);
        let elapsed = self.started.elapsed().as_secs_f64();
        let seconds_left = (fraction >= GROUND).then(|| elapsed * (1.0 - fraction) / fraction);
        (self.report)(&Progress { phase: phase.to_string(), fraction, seconds_left });
    }
}
