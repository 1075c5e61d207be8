//! Batch normalisation, as all networks have it.

use tch::Tensor;

use crate::Result;

/// Batch normalisation's epsilon.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;
/// The part that a batch's statistics have in the running ones, in training.
const MOMENTUM: f64 = 0.1;

/// Which statistics batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNorm {
    /// The running ones.
    Running,
    /// The batch's own, from which the running ones learn.
    Batch,
    /// The batch's own, a second time: nothing learns.
    BatchAgain,
}

/// The tensors of one batch normalisation.
#[derive(Debug)]
pub struct Norm {
    /// The channels' factors.
    pub scale: Tensor,
    /// What is added to them.
    pub shift: Tensor,
    /// Their running means.
    pub mean: Tensor,
    /// Their running variances.
    pub variance: Tensor,
}

impl Norm {
    /// `[N, C, ...]` normalised.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) and [`Error::Memory`](crate::Error::Memory).
    pub fn forward(&self, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let (mean, variance) = match norm {
            BatchNorm::BatchAgain => (None, None),
            BatchNorm::Running | BatchNorm::Batch => (Some(&self.mean), Some(&self.variance)),
        };
        Ok(x.f_batch_norm(
            Some(&self.scale),
            Some(&self.shift),
            mean,
            variance,
            norm != BatchNorm::Running,
            MOMENTUM,
            BATCH_NORM_EPSILON,
            true,
        )?)
    }
}
