//! Training as the paper does it: three stages, two patches of each volume an epoch, equation (2), Adam.
//!
//! This room knows volumes, networks and inference (to validate). It knows no layouts of data sets, no command line and no C face.
//!
//! Bottom up: a [`TrainingCase`] is one volume, windowed once, with its truth, in memory or mapped from a cache. [`sample`] cuts
//! patches out of cases, rotated and deformed; a loader makes batches of them ahead on threads of its own. A learner is what a network is to
//! training: its loss, and what of it a stage trains. A [`Trainer`] is one view's network with its optimiser, whose step comes in two halves
//! so that an outside engine can average the gradients between them. [`Peers`] are processes that train one network together, and what is
//! exchanged between the halves.
//! A [`Run`] takes the trainers of all views through the stages, validates, keeps the best, and writes checkpoints from which it goes on
//! to the same bits.

mod baselines;
mod case;
mod checkpoint;
pub mod deform;
mod events;
mod ggpfn;
mod learner;
mod loader;
mod log;
pub mod loss;
mod networks;
mod options;
mod parameters;
mod peers;
mod pieces;
mod prepare;
mod run;
pub mod sample;
mod session;
mod stage;
mod start;
mod suggestion;
mod trainer;
mod validation;
mod volumetric;

pub use case::TrainingCase;
pub use learner::Losses;
pub use loader::Batches;
pub use options::{Augmentation, Decay, Optimiser, OrganOptions, Preset, StageOptions, TrainOptions};
pub use peers::{Exchange, Peers};
pub use prepare::prepare;
pub use run::{Cases, Event, Outcome, Run, RunEnd};
pub use stage::Stage;
pub use suggestion::{Reason, Suggestion};
pub use trainer::Trainer;
