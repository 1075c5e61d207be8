//! How good a network is on cases that it is not trained on: the Dice of its masks; before it makes any, of its global branch's maps.

use std::sync::Arc;

use ndarray::Array3;

use super::trainer::Trainer;
use super::{TrainOptions, TrainingCase};
use crate::compute::{Cancel, DeviceChoice, Monitor, PrecisionChoice};
use crate::inference::{segment, SegmentOptions};
use crate::network::Model;
use crate::volume::lps_view;
use crate::{Error, Result};

/// The mean Dice over the cases, and over the labels where there are several; none if there is no case.
///
/// In the stages that make masks it is that of the masks of whole volumes in the trained view, as inference computes them. In others it is
/// the network's own measure: of GGPFN's global stage, that of its maps.
///
/// # Errors
/// [`Error::Cancelled`] once `stop` says so, between cases, or `cancel` was used.
pub(super) fn dice(
    trainer: &Trainer,
    cases: &[Arc<TrainingCase>],
    options: &TrainOptions,
    device: DeviceChoice,
    cancel: &Cancel,
    stop: &dyn Fn() -> bool,
) -> Result<Option<f64>> {
    let mut sum = 0.0;
    let mut model = None;
    for case in cases {
        if stop() {
            return Err(Error::Cancelled);
        }
        sum += match trainer.learner.without_masks(trainer.stage(), case)? {
            // No model has to be made of it.
            Some(dice) => dice,
            None => {
                let model = match &model {
                    Some(model) => model,
                    None => model.insert(trainer.current_model()?),
                };
                of_mask(model, case, options, device, cancel)?
            }
        };
    }
    Ok((!cases.is_empty()).then(|| sum / cases.len() as f64))
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
        let (mut both, mut either) = (0_u64, 0_u64);
        for (index, found) in lps_view(mask.view(), volume.geometry()).iter().enumerate() {
            let truth = case.truth(index) >> label & 1;
            both += u64::from(found & truth);
            either += u64::from(*found) + u64::from(truth);
        }
        if either == 0 {
            1.0
        } else {
            2.0 * both as f64 / either as f64
        }
    };
    Ok(masks.enumerate().map(of_label).sum::<f64>() / case.labels() as f64)
}
