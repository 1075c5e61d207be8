//! How good a network is on cases that it is not trained on: the Dice of its masks; before it makes any, of its global branch's maps.

use ndarray::Array3;

use super::trainer::Trainer;
use super::{TrainOptions, TrainingCase};
use crate::compute::{Cancel, DeviceChoice, Monitor, PrecisionChoice};
use crate::inference::{segment, SegmentOptions};
use crate::network::Model;
use crate::volume::{dice, lps_view};
use crate::Result;

/// Measures a trainer as it is now, case by case; the model that masks need is made once, for the first of them.
pub(super) struct Validation<'a> {
    trainer: &'a Trainer,
    options: &'a TrainOptions,
    device: DeviceChoice,
    cancel: &'a Cancel,
    model: Option<Model>,
}

impl<'a> Validation<'a> {
    pub fn new(trainer: &'a Trainer, options: &'a TrainOptions, device: DeviceChoice, cancel: &'a Cancel) -> Self {
        Validation { trainer, options, device, cancel, model: None }
    }

    /// The Dice of a case, the mean over the labels where there are several.
    ///
    /// In the stages that make masks it is that of the masks of whole volumes in the trained view, as inference computes them. In others it is
    /// the network's own measure: of GGPFN's global stage, that of its maps.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) if `cancel` was used.
    pub fn dice(&mut self, case: &TrainingCase) -> Result<f64> {
        if let Some(dice) = self.trainer.learner.without_masks(self.trainer.stage(), case)? {
            return Ok(dice);
        }
        let model = match &self.model {
            Some(model) => model,
            None => self.model.insert(self.trainer.current_model()?),
        };
        of_mask(model, case, self.options, self.device, self.cancel)
    }
}

fn of_mask(
    model: &Model,
    case: &TrainingCase,
    options: &TrainOptions,
    device: DeviceChoice,
    cancel: &Cancel,
) -> Result<f64> {
    let volume = case.to_volume(model.config().window)?;
    let precision = if options.mixed_precision { PrecisionChoice::Bf16 } else { PrecisionChoice::F32 };
    let segment_options = SegmentOptions {
        device,
        precision,
        threads: options.threads,
        mask_only: true,
        prepared: true,
        ..Default::default()
    };
    let quiet = Monitor::new(cancel.clone(), |_| {});
    let result = segment(model, &volume, &segment_options, &quiet)?;
    let masks = std::iter::once(&result.mask).chain(result.others.iter().map(|other| &other.mask));
    let of_label = |(label, mask): (usize, &Array3<u8>)| {
        let found = lps_view(mask.view(), volume.geometry());
        dice(found.iter().enumerate().map(|(index, found)| [*found, case.truth(index) >> label & 1]))
    };
    Ok(masks.enumerate().map(of_label).sum::<f64>() / case.labels() as f64)
}
