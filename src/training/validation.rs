//! How good a network is on cases that it is not trained on: the Dice of its masks; before it makes any, of its global branch's maps.

use std::sync::Arc;

use ndarray::Array3;
use tch::Kind;

use super::deform::Deformation;
use super::loss::Target;
use super::sample::{self, Batch, Place, Shape};
use super::stage::Stage;
use super::trainer::Trainer;
use super::{TrainOptions, TrainingCase};
use crate::compute::{Cancel, DeviceChoice, Monitor, PrecisionChoice};
use crate::inference::{segment, SegmentOptions};
use crate::network::Model;
use crate::volume::lps_view;
use crate::{Error, Result};

/// The mean Dice over the cases, and over the labels where there are several; none if there is no case.
///
/// In the stages that make masks it is that of the masks of whole volumes in the trained view, as inference computes them. In the
/// global stage it is the soft Dice of P^f' against its area-downsampled truth.
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
    // The global stage measures the trainer's own maps: no model has to be made of it.
    let model = (trainer.stage() != Stage::Global).then(|| trainer.current_model()).transpose()?;
    for case in cases {
        if stop() {
            return Err(Error::Cancelled);
        }
        sum += match &model {
            None => of_global_maps(trainer, case)?,
            Some(model) => of_mask(model, case, options, device, cancel)?,
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
    let segment_options =
        SegmentOptions { device, precision, threads: options.threads, mask_only: true, ..Default::default() };
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

fn of_global_maps(trainer: &Trainer, case: &TrainingCase) -> Result<f64> {
    let view = trainer.view();
    let Some(size) = trainer.config().global_size.get(&view) else { return Ok(0.0) };
    let slices = case.size()[view.axes()[0]];
    let (mut both, mut either) = (0.0, 0.0);
    const AT_ONCE: usize = 16;
    for start in (0..slices).step_by(AT_ONCE) {
        let shape = Shape { view, t: 0, slices: AT_ONCE.min(slices - start), patch: None, global: Some(*size) };
        let place = Place { slice: start, row: 0, column: 0 };
        let sample = sample::cut(case, &shape, place, &Deformation::identity());
        let batch = Batch::new(&[sample], &shape)?;
        let (Some(slices), Some([_, Target { truth, .. }])) = (&batch.global, &batch.global_target) else { continue };
        let found = trainer.global(slices)?.finer_logits.f_to_kind(Kind::Float)?.f_sigmoid()?;
        let found = found.f_to_device(tch::Device::Cpu)?;
        both += found.f_mul(truth)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        either += found.f_square()?.f_add(&truth.f_square()?)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    Ok(if either == 0.0 { 1.0 } else { 2.0 * both / either })
}
