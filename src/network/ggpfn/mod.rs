//! The Globally Guided Progressive Fusion Network (Fang, Li, Pan, Li and Yu): its configuration and its layers.
//!
//! [`topology`] puts the layers together, whatever they are made of; [`Network`] is one view's network as the paper draws it, layer by layer
//! with its batch normalisation, as training needs it. Inference has a form of its own, which computes the same function faster.

pub mod activations;
mod config;
mod plain;
pub mod sampling;
mod table;
pub mod topology;

pub use config::{Fusion, GgpfnConfig, ENCODER_CONVOLUTIONS};
pub use plain::{GlobalOutput, LocalOutput, Network};
pub(super) use table::table;
