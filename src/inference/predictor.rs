//! What [`segment`](super::segment()) asks of a network, whichever it is.

use ndarray::ArrayView3;

use super::baselines;
use super::ggpfn::{self, Plan, Streaming};
use super::patches::PatchGrid;
use super::sum::Sum;
use crate::compute::{Compute, Monitor};
use crate::network::{Model, ModelConfig, NetworkConfig};
use crate::volume::View;
use crate::{Error, Result};

/// What is to be run, and where.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub model: &'a Model,
    pub compute: Compute,
    /// Processor threads.
    pub threads: usize,
    /// Slices that enter the network at a time; none: chosen by their size.
    pub block: Option<usize>,
    pub patches: Option<PatchGrid>,
}

/// Hears the part of the work that is done, 0 to 1.
pub(super) type Progressed<'a> = &'a (dyn Fn(f64) + Sync);

/// A network that is to be run on one volume, of Hounsfield units in the LPS frame on the network's working grid, `[z, y, x]`.
pub(super) trait Predictor {
    /// The part of the work that [`begin`](Self::begin) is, 0 to 1.
    fn share_of_begin(&self) -> f64 {
        0.0
    }

    /// What has to be known of the volume before its views, of which these are wanted.
    fn begin(
        &mut self,
        _volume: ArrayView3<f32>,
        _views: &[View],
        _monitor: &Monitor,
        _progress: Progressed,
    ) -> Result<()> {
        Ok(())
    }

    /// Adds a view's probabilities to `sum`, whose arrays are `[slice, row, column]` of the view. `progress` hears the part of the view that
    /// is done.
    fn view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        sum: Sum,
        monitor: &Monitor,
        progress: Progressed,
    ) -> Result<()>;
}

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
