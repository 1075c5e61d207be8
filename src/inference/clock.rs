//! How long the parts of the work take.

use std::time::Instant;

/// The time that a part of the work took.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

pub(super) struct Clock {
    last: Instant,
    pub phases: Vec<Phase>,
}

impl Clock {
    pub fn new() -> Self {
        Clock { last: Instant::now(), phases: Vec::new() }
    }

    /// What went by since the last call was `name`; of what is done several times the times add up.
    pub fn lap(&mut self, name: &str) {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        match self.phases.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => phase.seconds += seconds,
            None => self.phases.push(Phase { name: name.to_string(), seconds }),
        }
        self.last = now;
    }
}
