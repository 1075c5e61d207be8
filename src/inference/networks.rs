//! Which predictor each kind of network has: a line for each.

use super::baselines;
use super::ggpfn::{self, Plan, Streaming};
use super::patches::PatchGrid;
use super::predictor::{Predictor, Work};
use crate::compute::Compute;
use crate::network::{ModelConfig, NetworkConfig};
use crate::volume::View;
use crate::{Error, Result};

/// The predictor of a model's network.
pub(super) fn predictor<'a>(work: Work<'a>) -> Result<Box<dyn Predictor + 'a>> {
    Ok(match &work.model.config().network {
        NetworkConfig::Ggpfn(network) => Box::new(Streaming { work, network }),
        NetworkConfig::Baseline(network) => baselines::predictor(work, network)?,
    })
}

/// Refuses options that a network has no use for.
pub(super) fn check_options(config: &ModelConfig, patches: Option<PatchGrid>) -> Result<()> {
    match (&config.network, patches) {
        (NetworkConfig::Baseline(network), Some(_)) => Err(Error::argument(
            "patch",
            format!("the model's network is {}, which is not run on patches of slices; leave it out", network.name()),
        )),
        _ => Ok(()),
    }
}

/// What a network's feature maps take, in bytes, for a view of `[slices, rows, columns]`.
pub(super) fn feature_maps(
    config: &ModelConfig,
    view: View,
    [slices, rows, columns]: [usize; 3],
    compute: Compute,
    threads: usize,
    block: Option<usize>,
    patches: Option<PatchGrid>,
) -> u64 {
    match &config.network {
        NetworkConfig::Ggpfn(network) => {
            let plan = Plan { network, window: config.window, view, compute, threads, block, patches };
            ggpfn::feature_maps(&plan, [slices, rows, columns])
        }
        NetworkConfig::Baseline(network) => baselines::feature_maps(network, [slices, rows, columns], compute),
    }
}
