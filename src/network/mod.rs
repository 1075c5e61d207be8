//! Networks: their configuration, their layers, their model file.
//!
//! This room knows tensors and weights. It knows no volumes beyond the names of the views and the sizes of grids, and no files of images.
//!
//! [`ModelConfig`] says what a model is: [`ggpfn`], the Globally Guided Progressive Fusion Network, or one of the [`baselines`] that the paper
//! compares it with. [`layout`] is the table of a network's tensors; [`Model`] is the table filled with numbers, read from and written to a
//! model file.

pub mod baselines;
mod config;
pub mod ggpfn;
pub mod layout;
mod model_file;
mod norm;
mod shipped;

pub use baselines::Baseline;
pub use config::{ModelConfig, NetworkConfig, FORMAT, LABELS_FORMAT};
pub use ggpfn::{Fusion, GgpfnConfig, GlobalOutput, LocalOutput, Network};
pub use model_file::{Array, Model, WeightType};
pub use norm::{BatchNorm, Norm, BATCH_NORM_EPSILON};

use crate::Result;

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
