//! The layer table: which tensors a network of one view has, under which names, in which shapes.
//!
//! Each network says it of its own layers, where they are built. The model file is checked against it, an untrained
//! model is drawn from it, and the layers look their tensors up by the same names.

use super::config::{ModelConfig, NetworkConfig};
use super::{baselines, ggpfn};

/// What a tensor is for, which decides how an untrained one is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// A convolution's weight.
    Weight,
    /// The weight of a convolution that is not followed by a ReLU: side outputs and the head.
    Readout,
    /// A deconvolution's bias, or batch normalisation's shift.
    Shift,
    /// A readout's bias. A training from nothing starts it at the log odds of its labels' shares.
    ReadoutShift,
    /// Batch normalisation's scale.
    Scale,
    /// Batch normalisation's running mean.
    Mean,
    /// Batch normalisation's running variance.
    Variance,
    /// A weight that is drawn as Glorot and Bengio (2010) do it.
    Xavier,
    /// A parameter that begins with given values, over and over.
    Given(&'static [f32]),
}

impl Role {
    /// Whether training changes it by gradient (running statistics are not parameters).
    pub fn is_parameter(self) -> bool {
        !matches!(self, Role::Mean | Role::Variance)
    }
}

/// One tensor of the table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name without the view in front of it.
    pub name: String,
    /// The shape, in PyTorch's order.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
}

/// All tensors of the network of one view.
pub fn table(config: &ModelConfig) -> Vec<Entry> {
    let labels = config.labels.count();
    match &config.network {
        NetworkConfig::Ggpfn(network) => ggpfn::table(network, labels),
        NetworkConfig::Baseline(network) => baselines::table(network, labels),
    }
}

/// The number of parameters of one view's network.
pub fn parameters(config: &ModelConfig) -> usize {
    table(config).iter().filter(|e| e.role.is_parameter()).map(|e| e.shape.iter().product::<usize>()).sum()
}
