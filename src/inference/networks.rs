//! Which predictor each kind of network has: a line for each.

use super::baselines;
use super::ggpfn::{self, Plan, Streaming};
use super::predictor::{Predictor, Work};
use crate::network::NetworkConfig;
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
pub(super) fn check_options(work: &Work) -> Result<()> {
    match (&work.model.config().network, work.patches) {
        (NetworkConfig::Baseline(network), Some(_)) => Err(Error::argument(
            "patch",
            format!("the model's network is {}, which is not run on patches of slices; leave it out", network.name()),
        )),
        _ => Ok(()),
    }
}

/// What a network's feature maps take, in bytes, for a view of `[slices, rows, columns]`.
pub(super) fn feature_maps(work: &Work, view: View, size: [usize; 3]) -> u64 {
    match &work.model.config().network {
        NetworkConfig::Ggpfn(network) => ggpfn::feature_maps(&Plan::of(work, network, view), size),
        NetworkConfig::Baseline(network) => baselines::feature_maps(network, size, work.compute),
    }
}
