//! What a trainer asks of a network, whichever it is: its loss, and what of it a stage trains.

use tch::{Device, Kind, Tensor};

use super::loss::Target;
use super::parameters::Parameters;
use super::pieces::Pieces;
use super::sample::Batch;
use super::stage::Stage;
use super::TrainingCase;
use crate::{Error, Result};

/// The loss of a batch and its terms; those that a stage does not have are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Losses {
    /// L, equation (2).
    pub total: f64,
    /// C(P, G).
    pub map: Option<f64>,
    /// The mean of the encoder's side outputs' C.
    pub side: Option<f64>,
    /// C(P^f, G^f).
    pub global: Option<f64>,
    /// C(P^f', G^f').
    pub global_finer: Option<f64>,
    /// The other organs' cross entropy, where they are teachers. It is no part of equation (2).
    pub organs: Option<f64>,
}

/// One view's network in training, on tensors that the optimiser owns.
pub(super) trait Learner: std::fmt::Debug + Send {
    /// The loss of a batch and its terms, of a network that is run through `pieces`.
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, pieces: &mut Pieces<'a>) -> Result<(Tensor, Losses)>;

    /// Whether a stage trains the parameter of a name.
    fn trains(&self, _stage: Stage, _name: &str) -> bool {
        true
    }

    /// The factor of the learning rate for the parameter of a name, where the optimiser has one rate for all otherwise.
    fn rate(&self, _name: &str) -> f64 {
        1.0
    }

    /// Begins a stage.
    fn begin_stage(&self, _stage: Stage, _parameters: &mut Parameters) -> Result<()> {
        Ok(())
    }

    /// How well a stage that makes no masks does on a case, 0 to 1; none where masks are what is measured.
    fn without_masks(&self, _stage: Stage, _case: &TrainingCase) -> Result<Option<f64>> {
        Ok(None)
    }

    /// The weight of the soft Dice loss of the probability map beside equation (2), for networks that have one.
    fn set_dice_weight(&mut self, _weight: f64) {}

    /// Whether the loss goes by [shares](Self::set_shares).
    fn wants_shares(&self) -> bool {
        false
    }

    /// The labels' shares of what samples segment, for networks whose loss goes by them.
    fn set_shares(&mut self, _shares: &[f64]) {}
}

/// Where a learner computes, and in which number formats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Formats {
    pub device: Device,
    /// Of weights and losses: float32, or float64 where gradients are checked.
    pub wide: Kind,
    /// Of convolutions.
    pub narrow: Kind,
}

impl Formats {
    /// To the device, in the number format of convolutions.
    pub fn narrow(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_to_device(self.device)?.f_to_kind(self.narrow)?)
    }

    /// To the device, in the number format of weights and losses.
    pub fn wide(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_to_device(self.device)?.f_to_kind(self.wide)?)
    }

    pub fn wide_target(&self, target: &Target) -> Result<Target> {
        Ok(Target { truth: self.wide(&target.truth)?, weights: self.wide(&target.weights)? })
    }
}

/// What a batch lacks.
pub(super) fn missing(what: &str, stage: Stage) -> Error {
    Error::argument("batch", format!("it has no {what}, which the {stage} stage needs"))
}
