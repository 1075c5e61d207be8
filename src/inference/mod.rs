//! Slices streamed through a network: patches, views, fusion.
//!
//! This room knows volumes, networks and how work runs ([`compute`](crate::compute)). It knows no files, no training and no command line.
//!
//! [`segment`] is the way in. A volume is looked at in the LPS frame (no copy) and, if the model has a working spacing,
//! resampled; each view of it goes through its network; the views' probabilities are fused and written back on the caller's grid. How a view goes
//! through its network is the network's own: a predictor for each kind (`ggpfn` streams slices, `baselines` has the others). An [`Ensemble`] does
//! this with several models, one after the other, and averages what they say.

mod baselines;
mod clock;
mod ensemble;
mod ggpfn;
mod memory;
mod networks;
mod options;
mod pass;
mod patches;
mod predictor;
mod results;
mod segment;
mod sum;

pub use crate::compute::{Cancel, Compute, DeviceChoice, Monitor, PrecisionChoice, Progress};
pub use crate::volume::Region;
pub use clock::Phase;
pub use ensemble::{Ensemble, MOST_MODELS};
pub use ggpfn::guidance;
pub use memory::{estimate_memory, refuse_impossible, MemoryEstimate};
pub use options::SegmentOptions;
pub use patches::PatchGrid;
pub use segment::{
    fuse, mask_of, segment, segment_region, threshold_probability, LabelResult, Segmentation, PROBABILITY_ROUNDING,
};
