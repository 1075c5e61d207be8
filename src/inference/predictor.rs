//! What [`segment`](super::segment()) asks of a network, whichever it is.

use ndarray::ArrayView3;

use super::patches::PatchGrid;
use super::sum::Sum;
use crate::compute::{Compute, Monitor};
use crate::network::Model;
use crate::volume::View;
use crate::Result;

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
