//! The layer table: which tensors a network of one view has, under which names, in which shapes.
//!
//! Each network says it of its own layers, where they are built. The model file is checked against it, an untrained
//! model is drawn from it, and the layers look their tensors up by the same names.

use super::config::{ModelConfig, NetworkConfig};
use super::{baselines, ggpfn};

pub use super::entry::{Entry, Role};

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
