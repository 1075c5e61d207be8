//! The networks that the paper compares the GGPFN with, in training: the losses and stages of their own sources.

use tch::{Kind, Reduction, Tensor};

use super::learner::{missing, Formats, Learner, Losses};
use super::loss::Target;
use super::pieces::Pieces;
use super::sample::Batch;
use super::stage::Stage;
use crate::network::baselines::{Baseline, BaselineNetwork, Crop, Dropout, Fcn8s, Rstn, UnetFull, UnetPatch};
use crate::network::BatchNorm;
use crate::{Error, Result};

/// The learner of a baseline.
pub(super) fn learner(
    baseline: &Baseline,
    labels: usize,
    formats: Formats,
    tensor: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Box<dyn Learner>> {
    Ok(match BaselineNetwork::assemble(baseline, labels, tensor)? {
        BaselineNetwork::UnetPatch(network) => {
            Box::new(TilesLearner { network, formats, weights: vec![1.0; labels + 1] })
        }
        BaselineNetwork::UnetFull(network) => Box::new(VolumeLearner { network, formats }),
        BaselineNetwork::Fcn8s(network) => Box::new(SlicesLearner { network, formats }),
        BaselineNetwork::Rstn(network) => Box::new(RoundsLearner { network, formats }),
    })
}

/// Windows and truth of a batch.
fn parts(batch: &Batch, stage: Stage) -> Result<(&Tensor, &Target)> {
    let windows = batch.windows.as_ref().ok_or_else(|| missing("patches", stage))?;
    Ok((windows, batch.target.as_ref().ok_or_else(|| missing("truth", stage))?))
}

/// A loss of one term.
fn of_map(total: Tensor) -> Result<(Tensor, Losses)> {
    let value = total.f_double_value(&[])?;
    Ok((total, Losses { total: value, map: Some(value), ..Losses::default() }))
}

/// A volume's maps `[N, C, Z, Y, X]` as those of one tall slice, which is what targets are: `[N, C, Z Y, X]`.
fn tall(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_flatten(2, 3)?)
}

/// Softmax cross entropy, weighted by class (Cicek et al.).
#[derive(Debug)]
struct TilesLearner {
    network: UnetPatch,
    formats: Formats,
    /// Of background and labels.
    weights: Vec<f64>,
}

/// The most that a class may weigh against another.
const MOST_WEIGHT: f64 = 50.0;

impl Learner for TilesLearner {
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, _: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let (windows, target) = parts(batch, stage)?;
        let logits = tall(&self.network.forward(&self.formats.narrow(windows)?, BatchNorm::Batch)?)?;
        let target = self.formats.wide_target(target)?;
        // The last label that a voxel has; 0 for none. Voxels that do not count are left out.
        let labels = target.truth.size()[1];
        let numbers = Tensor::f_arange_start(1, labels + 1, (self.formats.wide, target.truth.device()))?;
        let class = target.truth.f_round()?.f_mul(&numbers.f_view([1, labels, 1, 1])?)?.f_amax([1_i64], false)?;
        let left_out = target.weights.f_squeeze_dim(1)?.f_le(0.0)?;
        let class = class.f_to_kind(Kind::Int64)?.f_masked_fill(&left_out, -100)?;
        let weights = Tensor::f_from_slice(&self.weights)?.f_to_kind(logits.kind())?.f_to_device(logits.device())?;
        of_map(logits.f_cross_entropy_loss(&class, Some(&weights), Reduction::Mean, -100, 0.0)?)
    }

    fn wants_shares(&self) -> bool {
        true
    }

    fn set_shares(&mut self, shares: &[f64]) {
        let background = (1.0 - shares.iter().sum::<f64>()).max(0.0);
        let all: Vec<f64> = std::iter::once(background).chain(shares.iter().copied()).collect();
        let largest = all.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        self.weights = all.iter().map(|share| (largest / share.max(f64::MIN_POSITIVE)).min(MOST_WEIGHT)).collect();
    }
}

/// Soft Dice over the volume; in the first steps with a little cross entropy, without which an untrained network's gradient is nothing.
#[derive(Debug)]
struct VolumeLearner {
    network: UnetFull,
    formats: Formats,
}

/// The weight of the cross entropy, and the steps that it is there.
const START: (f64, u64) = (0.1, 2000);

impl Learner for VolumeLearner {
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, _: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let (windows, target) = parts(batch, stage)?;
        let logits = tall(&self.network.forward(&self.formats.narrow(windows)?, BatchNorm::Batch)?)?;
        let target = self.formats.wide_target(target)?;
        let mut total = target.soft_dice(&logits)?;
        if batch.number < START.1 {
            total = total.f_add(&target.cross_entropy(&logits)?.f_mul_scalar(START.0)?)?;
        }
        of_map(total)
    }
}

/// Binary cross entropy, the paper's equation (1).
#[derive(Debug)]
struct SlicesLearner {
    network: Box<Fcn8s>,
    formats: Formats,
}

impl Learner for SlicesLearner {
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, _: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let (windows, target) = parts(batch, stage)?;
        let mut dropout = Dropout::new(batch.seed);
        let logits = self.network.forward(&self.formats.narrow(windows)?, BatchNorm::Batch, Some(&mut dropout))?;
        of_map(self.formats.wide_target(target)?.cross_entropy(&logits)?)
    }
}

/// One third of the soft Dice of the coarse maps, two thirds of that of the fine ones.
#[derive(Debug)]
struct RoundsLearner {
    network: Box<Rstn>,
    formats: Formats,
}

impl RoundsLearner {
    /// The soft Dice loss of three slices' logits.
    fn dice(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        // [1, 3, H, W] as three slices of one label, which the truth is.
        target.soft_dice(&logits.f_transpose(0, 1)?)
    }
}

impl Learner for RoundsLearner {
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, _: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let (windows, target) = parts(batch, stage)?;
        if windows.size()[0] != 1 {
            let fault = format!("{} samples; RSTN's crops differ in size, so that a batch is one", windows.size()[0]);
            return Err(Error::argument("batch", fault));
        }
        let (slices, target) = (self.formats.narrow(windows)?, self.formats.wide_target(target)?);
        let margins = batch.margins.first().copied().unwrap_or([20; 4]);
        let mut dropout = Dropout::new(batch.seed);
        let coarse = self.network.coarse(&slices, BatchNorm::Batch, Some(&mut dropout))?;
        let of_coarse = self.dice(&coarse, &target)?;
        let probabilities = coarse.f_sigmoid()?;
        // The truth's box, [3, 1, H, W] as [1, 3, H, W], or that of what was found.
        let truth = target.truth.f_transpose(0, 1)?;
        let found = probabilities.f_detach()?.f_ge(0.5)?;
        let own = match stage {
            Stage::Joint => Crop::around(&found, margins)?,
            _ => None,
        };
        let crop = match own {
            Some(crop) => Some(crop),
            None => Crop::around(&truth, margins)?,
        };
        let Some(crop) = crop else { return of_map(of_coarse) };
        let seen = match stage {
            Stage::Separate => slices.shallow_clone(),
            _ => self.network.salient(&slices, &probabilities)?,
        };
        let fine = self.network.fine(&seen, crop, BatchNorm::Batch, Some(&mut dropout))?;
        let of_fine = self.dice(&fine, &target)?;
        let total = of_coarse.f_mul_scalar(1.0 / 3.0)?.f_add(&of_fine.f_mul_scalar(2.0 / 3.0)?)?;
        let losses = Losses {
            total: total.f_double_value(&[])?,
            map: Some(of_fine.f_double_value(&[])?),
            global: Some(of_coarse.f_double_value(&[])?),
            ..Losses::default()
        };
        Ok((total, losses))
    }

    fn trains(&self, stage: Stage, name: &str) -> bool {
        // Where the plain image is seen there is no saliency.
        stage != Stage::Separate || !name.starts_with("saliency")
    }

    fn rate(&self, name: &str) -> f64 {
        let of_part = if name.starts_with("coarse.") { 1.0 } else { 10.0 };
        // Biases have twice their layer's.
        of_part * if name.ends_with("bias") { 2.0 } else { 1.0 }
    }
}
