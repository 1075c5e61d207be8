//! The Globally Guided Progressive Fusion Network: its configuration, its layers, its model file.
//!
//! This room knows tensors and weights. It knows no volumes beyond the names of the views, and no files of images.
//!
//! [`ModelConfig`] says what a network looks like; [`topology`] puts its layers together, whatever they are made of; [`layout`] is the table of
//! its tensors; [`Model`] is the
//! table filled with numbers, read from and written to a model file; [`Network`] is one view's network as the paper draws it,
//! layer by layer with its batch normalisation, as training needs it. Inference has a form of its own, which computes
//! the same function faster.

mod config;
pub mod layout;
mod model_file;
mod plain;
pub mod sampling;
mod shipped;
pub mod topology;

pub use config::{Fusion, ModelConfig, ENCODER_CONVOLUTIONS, FORMAT, LABELS_FORMAT};
pub use model_file::{Array, Model, WeightType};
pub use plain::{BatchNorm, GlobalOutput, LocalOutput, Network};

use crate::Result;

/// Batch normalisation's epsilon.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

impl Array {
    /// The array as a float32 tensor on the CPU.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) if libtorch refuses, [`Error::Memory`](crate::Error::Memory) if there is no memory for it.
    pub fn to_tensor(&self) -> Result<tch::Tensor> {
        let shape: Vec<i64> = self.shape.iter().map(|n| *n as i64).collect();
        Ok(tch::Tensor::f_from_slice(&self.values)?.f_reshape(&shape)?)
    }
}
