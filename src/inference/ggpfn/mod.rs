//! GGPFN at inference: slices streamed through the encoder, decoded, written; nothing is computed twice, and memory stays flat however many
//! there are.

mod folded;
mod guidance;
mod plan;
mod stream;
mod view;

use ndarray::ArrayView3;

pub use guidance::guidance;
pub(super) use plan::Plan;

use super::predictor::{Predictor, Progressed, Work};
use super::sum::Sum;
use crate::compute::threads::on_own_thread;
use crate::compute::Monitor;
use crate::network::GgpfnConfig;
use crate::volume::View;
use crate::Result;
use folded::FoldedNetwork;

impl<'a> Plan<'a> {
    /// The plan of a view.
    pub fn of(work: &Work, network: &'a GgpfnConfig, view: View) -> Self {
        let Work { model, compute, threads, block, patches } = *work;
        Plan { network, window: model.config().window, view, compute, threads, block, patches }
    }
}

/// What the feature maps take, in bytes, of all parts that are computed side by side.
pub(super) fn feature_maps(plan: &Plan, [slices, rows, columns]: [usize; 3]) -> u64 {
    let [rows, columns] = match plan.patches {
        Some(patches) => [rows.min(patches.size[0]), columns.min(patches.size[1])],
        None => [rows, columns],
    };
    let [rows, columns] = [rows, columns].map(|n| n.next_multiple_of(8));
    plan.divide(slices, rows, columns).parts as u64 * plan.feature_maps(slices, rows, columns)
}

/// A GGPFN that is to be run on a volume.
pub(super) struct Streaming<'a> {
    pub work: Work<'a>,
    pub network: &'a GgpfnConfig,
}

impl Predictor for Streaming<'_> {
    fn view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        sum: Sum,
        monitor: &Monitor,
        progress: Progressed,
    ) -> Result<()> {
        let Work { model, compute, threads, .. } = self.work;
        let plan = Plan::of(&self.work, self.network, view);
        on_own_thread(threads, || {
            let network = FoldedNetwork::new(model, view, &compute)?;
            plan.run(&network, view.slices(volume), sum, monitor, progress)
        })
    }
}
