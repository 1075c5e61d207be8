//! Networks: their configuration, their layers, their model file.
//!
//! This room knows tensors and weights. It knows no volumes beyond the names of the views and the sizes of grids, and no files of images.
//!
//! [`ModelConfig`] says what a model is: [`ggpfn`], the Globally Guided Progressive Fusion Network, or one of the [`baselines`] that the paper
//! compares it with. [`layout`] is the table of a network's tensors; [`Model`] is the table filled with numbers, read from and written to a
//! model file.

pub mod baselines;
mod config;
mod entry;
pub mod ggpfn;
pub mod layout;
mod model_file;
mod norm;
mod pretrained;
mod shipped;

pub use baselines::Baseline;
pub use config::{ModelConfig, NetworkConfig, FORMAT, LABELS_FORMAT};
pub use ggpfn::{Fusion, GgpfnConfig, GlobalOutput, LocalOutput, Network};
pub use model_file::{Array, Model, WeightType};
pub use norm::{BatchNorm, Norm, BATCH_NORM_EPSILON};
pub use pretrained::Pretrained;

use crate::volume::View;
use crate::Result;

impl Network {
    /// The network of one view of a model. It holds tensors of its own, on the CPU in float32.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) if the model has no such view or is of another network.
    pub fn new(model: &Model, view: View) -> Result<Self> {
        let config = model.config();
        Self::assemble(config.expect_ggpfn()?, config.labels.count(), &|name| model.tensor(view, name)?.to_tensor())
    }
}

/// The numbers of a tensor wherever it is, as float32.
///
/// # Errors
/// As [`Array::to_tensor`].
pub(crate) fn numbers(tensor: &tch::Tensor) -> Result<Vec<f32>> {
    let tensor = tensor.f_detach()?.f_to_kind(tch::Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut values = vec![0.0; tensor.numel()];
    let count = values.len();
    tensor.f_copy_data(&mut values, count)?;
    Ok(values)
}

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
