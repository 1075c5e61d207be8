//! FCN8s: each slice with its two neighbours.

use ndarray::ArrayView3;
use tch::Tensor;

use super::{mixed_up, network, place, read, shaped};
use crate::compute::threads::on_own_thread;
use crate::compute::Monitor;
use crate::inference::predictor::{Predictor, Progressed, Work};
use crate::inference::sum::Sum;
use crate::network::baselines::BaselineNetwork;
use crate::network::{numbers, BatchNorm};
use crate::volume::View;
use crate::Result;

/// A network of three neighbouring slices that segments the middle one. At the stack's ends the last slice is its own neighbour.
pub(super) struct Triples<'a> {
    pub work: Work<'a>,
}

impl Predictor for Triples<'_> {
    fn view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        mut sum: Sum,
        monitor: &Monitor,
        progress: Progressed,
    ) -> Result<()> {
        let Work { model, compute, threads, block, .. } = self.work;
        let config = model.config();
        let slices = view.slices(volume);
        let (count, rows, columns) = slices.dim();
        let labels = config.labels.count();
        on_own_thread(threads, || {
            let BaselineNetwork::Fcn8s(network) = network(model, view, &compute)? else { return Err(mixed_up()) };
            let block = block.unwrap_or(1).clamp(1, count);
            for first in (0..count).step_by(block) {
                monitor.check()?;
                progress(first as f64 / count as f64);
                let last = (first + block).min(count);
                let windows = triples(slices, first as isize, last as isize, config.window)?;
                let logits = network.forward(&place(&windows, &compute)?, BatchNorm::Running, None)?;
                // [N, L, H, W] -> [L, N, H, W]
                let values = numbers(&logits.f_sigmoid()?.f_transpose(0, 1)?)?;
                let of_label = (last - first) * rows * columns;
                debug_assert_eq!(values.len(), labels * of_label);
                sum.add(first, |label| shaped(&values[label * of_label..][..of_label], (last - first, rows, columns)))?;
            }
            Ok(())
        })
    }
}

/// The slices from `first` to before `last`, each between its neighbours, `[N, 3, H, W]`.
pub(super) fn triples(slices: ArrayView3<f32>, first: isize, last: isize, window: [f64; 2]) -> Result<Tensor> {
    let read = read(slices, first - 1..last + 1, window)?;
    Ok(read.f_unfold(0, 3, 1)?.f_permute([0, 3, 1, 2])?.f_contiguous()?)
}
