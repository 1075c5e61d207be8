//! Which learner each kind of network has: a line for each.

use tch::Tensor;

use super::ggpfn::GgpfnLearner;
use super::learner::{Formats, Learner};
use super::{baselines, OrganOptions};
use crate::network::{ModelConfig, NetworkConfig};
use crate::volume::View;
use crate::Result;

/// The learner of a configuration's network, of one view.
pub(super) fn learner(
    config: &ModelConfig,
    view: View,
    organs: Option<&OrganOptions>,
    formats: Formats,
    tensor: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Box<dyn Learner>> {
    Ok(match &config.network {
        NetworkConfig::Ggpfn(network) => {
            Box::new(GgpfnLearner::assemble(network, config.labels.count(), view, organs, formats, tensor)?)
        }
        NetworkConfig::Baseline(network) => baselines::learner(network, config.labels.count(), formats, tensor)?,
    })
}
