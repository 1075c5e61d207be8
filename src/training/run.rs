//! A whole training: all views through all stages, validated, saved, stopped and taken up again.
//!
//! The views' trainings know nothing of each other; they take turns by epochs, so that a run that is stopped early has come equally far in
//! all of them. A run's folder holds:
//!
//! | file | what |
//! | --- | --- |
//! | `options.toml` | the options, resolved |
//! | `cases.json` | which cases are trained on and validated on |
//! | `initial.safetensors` | the model that it started from, if there is one |
//! | `VIEW/checkpoint.safetensors` | what the view's training goes on from |
//! | `VIEW/log.jsonl` | a line for each epoch |
//! | `VIEW/events.out.tfevents.ggpfn` | the same as the log, for TensorBoard and what imports its files |
//! | `curves.png` | losses and Dice |
//! | `model.safetensors` | the best weights of all views so far |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::learner::Losses;
use super::peers::Peers;
use super::stage::Stage;
use super::{TrainOptions, TrainingCase};
use crate::compute::DeviceChoice;
use crate::network::{Model, Pretrained};
use crate::volume::View;
use crate::{Error, Result};

/// The cases of a training.
#[derive(Clone, Debug, Default)]
pub struct Cases {
    /// Those that the network learns from.
    pub train: Vec<Arc<TrainingCase>>,
    /// Those that choose the best weights; without any the last weights are taken.
    pub validation: Vec<Arc<TrainingCase>>,
}

/// What a caller hears after each step and each validation.
#[derive(Clone, Debug)]
pub struct Event {
    /// The view that was trained.
    pub view: View,
    /// Its stage.
    pub stage: Stage,
    /// The epoch, counted from 1, and the stage's epochs.
    pub epoch: [usize; 2],
    /// Batches of the epoch that are done, and the epoch's batches.
    pub batch: [usize; 2],
    /// The step's loss and its terms.
    pub losses: Losses,
    /// The view's validation Dice, if this event is a validation's.
    pub dice: Option<f64>,
    /// The part of the whole run that is done, 0 to 1.
    pub fraction: f64,
    /// An estimate of the seconds left.
    pub seconds_left: Option<f64>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// All stages are done.
    Done,
    /// Its time was up; it can be taken up again.
    OutOfTime,
    /// It was cancelled; it can be taken up again.
    Cancelled,
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The best weights of all views so far.
    pub model: Model,
    /// Why the run ended.
    pub end: RunEnd,
    /// The best validation Dice of each view's masks in stages 2 and 3; in stage 1 that of the global branch's maps.
    pub dice: BTreeMap<View, Option<f64>>,
}

/// A training that is about to start.
#[derive(Debug)]
pub struct Run {
    pub(super) options: TrainOptions,
    pub(super) cases: Cases,
    pub(super) init: Option<Model>,
    pub(super) pretrained: Option<Pretrained>,
    pub(super) folder: Option<PathBuf>,
    pub(super) resume: bool,
    pub(super) device: DeviceChoice,
    pub(super) time: Option<Duration>,
    pub(super) provenance: serde_json::Value,
    pub(super) peers: Peers,
}

impl Run {
    /// A training in memory from untrained weights, drawn from the options' seed.
    ///
    /// # Errors
    /// [`Error::Argument`] for options that cannot be used, or no case to train on.
    pub fn new(options: TrainOptions, cases: Cases) -> Result<Self> {
        options.check()?;
        if cases.train.is_empty() {
            return Err(Error::argument("cases", "none to train on; at least one was expected"));
        }
        if let Some(empty) = cases.train.iter().find(|case| case.pancreas().is_none()) {
            return Err(Error::argument("cases", format!("{} has no pancreas in its truth", empty.name())));
        }
        Ok(Run {
            options,
            cases,
            init: None,
            pretrained: None,
            folder: None,
            resume: false,
            device: DeviceChoice::Auto,
            time: None,
            provenance: serde_json::Value::Null,
            peers: Peers::default(),
        })
    }

    /// Starts from a model's weights in place of untrained ones. The options must be for its network
    /// ([`TrainOptions::fine_tuning`]). Views that it lacks start as its first one. A run that is taken up again knows its model.
    pub fn init(mut self, model: Model) -> Self {
        self.init = Some(model);
        self
    }

    /// Starts from weights of a VGG-16 or FCN-8s where the network has such layers; the others are untrained. A run that is taken up again knows
    /// them. Of no meaning beside [`Run::init`].
    pub fn pretrained(mut self, weights: Pretrained) -> Self {
        self.pretrained = Some(weights);
        self
    }

    /// Saves to a folder; with `resume`, goes on from what is there.
    pub fn folder(mut self, folder: &Path, resume: bool) -> Self {
        self.folder = Some(folder.to_path_buf());
        self.resume = resume;
        self
    }

    /// Where to compute.
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Stops after this time, saved.
    pub fn time(mut self, time: Option<Duration>) -> Self {
        self.time = time;
        self
    }

    /// What the model is to say of its data, free-form: where they are from, the seed of their split.
    pub fn provenance(mut self, provenance: serde_json::Value) -> Self {
        self.provenance = provenance;
        self
    }

    /// The processes that train it together, of which this is one; each makes the same run. The first alone writes to the folder, which the
    /// others must be able to read where a run is taken up again.
    pub fn peers(mut self, peers: Peers) -> Self {
        self.peers = peers;
        self
    }
}
