//! One view's training step by step, in two halves, for engines that average gradients over processes.

use std::sync::Mutex;

use super::boundary::{enter, enter_torch};
use super::handle::{self, Handle};
use super::model::{ggpfn_model, view_of};
use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{self, growing};
use super::training::{ggpfn_training, with};
use crate::training::{Batches, Stage, Trainer};

/// The parameters, in the order of the model file's layer table.
pub const GGPFN_PARAMETERS: i32 = 0;
/// The gradients that the first half of a step left, and that the second half uses.
pub const GGPFN_GRADIENTS: i32 = 1;
/// Batch normalisation's running means and variances, which no gradient changes: average them too before a model is taken.
pub const GGPFN_STATISTICS: i32 = 2;

/// One view's network in training. One thread at a time may use it; a second one gets GGPFN_ERROR_BUSY.
///
/// A step is ggpfn_trainer_gradients, then ggpfn_trainer_update. In between, gradients can be read and written as one array: with MPI,
/// read them, MPI_Allreduce, divide by the number of processes, write them.
#[allow(non_camel_case_types)]
pub struct ggpfn_trainer(());

/// What lies behind the handle.
pub struct Stepper(Mutex<(Trainer, Batches)>);

impl Handle for ggpfn_trainer {
    type Target = Stepper;
    const NAME: &'static str = "ggpfn_trainer";
}

/// The loss of a batch and its terms, equation (2) of the paper; what a stage does not have is NaN.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_losses {
    /// sizeof(ggpfn_losses).
    pub struct_size: usize,
    /// The loss.
    pub total: f64,
    /// Cross entropy of the probability map.
    pub map: f64,
    /// Mean cross entropy of the encoder's side outputs.
    pub side: f64,
    /// Cross entropy of the global branch's coarse map.
    pub global: f64,
    /// Cross entropy of the global branch's finer map.
    pub global_finer: f64,
    /// The batch's number, from 0.
    pub batch: u64,
}

growing!(ggpfn_losses, batch);

/// A trainer of one view in one stage, with the options, the training cases and the first weights of a training as it is now, to be freed
/// with ggpfn_trainer_free.
///
/// Of the training's batches, process number `rank` of `ranks` takes every `ranks`-th, beginning with its own number; 0 and 1 for one
/// process. All processes have to be given the same options and cases in the same order; then they start from the same weights.
///
/// # Safety
/// `trainer` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_new(
    training: *const ggpfn_training,
    view: i32,
    stage: i32,
    rank: i32,
    ranks: i32,
    trainer: *mut *mut ggpfn_trainer,
) -> ggpfn_status {
    enter_torch(|| {
        handle::check_place(trainer, "trainer")?;
        let view = view_of(view)?;
        let stage = stage_of(stage)?;
        if !(1..=1 << 20).contains(&ranks) || !(0..ranks).contains(&rank) {
            let fault = format!("{rank} of {ranks}; numbers from 0 to before the number of processes were expected");
            return Err(Fault::argument("rank", fault));
        }
        let plan = with(training, |plan| Ok(plan.clone()))?;
        let init = plan.init.as_deref();
        let pair =
            Trainer::start(plan.options, plan.cases, init, view, stage, plan.device, [rank as usize, ranks as usize])?;
        // SAFETY: the caller's promise.
        unsafe { handle::give(Stepper(Mutex::new(pair)), trainer) }
    })
}

fn stage_of(number: i32) -> Outcome<Stage> {
    let stage = usize::try_from(number).ok().and_then(|number| Stage::ALL.get(number).copied());
    stage.ok_or_else(|| {
        Fault::argument("stage", format!("{number}; GGPFN_STAGE_GLOBAL (0) to GGPFN_STAGE_JOINT (5) was expected"))
    })
}

fn use_it<T>(trainer: *const ggpfn_trainer, work: impl FnOnce(&mut Trainer, &mut Batches) -> Outcome<T>) -> Outcome<T> {
    let trainer = handle::get(trainer)?;
    let mut pair = handle::lock(&trainer.0, "trainer")?;
    let (trainer, batches) = &mut *pair;
    work(trainer, batches)
}

/// The first half of a step: draws the next batch, computes its loss, and leaves its gradients. `losses` NULL: not wanted.
///
/// # Safety
/// `losses` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_gradients(
    trainer: *mut ggpfn_trainer,
    losses: *mut ggpfn_losses,
) -> ggpfn_status {
    enter_torch(|| {
        if !losses.is_null() {
            // SAFETY: the caller's promise.
            unsafe { structs::check(losses) }?;
        }
        let (found, number) = use_it(trainer, |trainer, batches| {
            let number = batches.number();
            Ok((trainer.gradients_of_next(batches)?, number))
        })?;
        if losses.is_null() {
            return Ok(());
        }
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let value = ggpfn_losses {
            struct_size: 0,
            total: found.total,
            map: or_nan(found.map),
            side: or_nan(found.side),
            global: or_nan(found.global),
            global_finer: or_nan(found.global_finer),
            batch: number,
        };
        // SAFETY: the caller's promise.
        unsafe { structs::write(losses, &value) }
    })
}

/// The second half of a step: Adam's step with the gradients as they are now. `learning_rate` is above 0.
#[no_mangle]
pub extern "C" fn ggpfn_trainer_update(trainer: *mut ggpfn_trainer, learning_rate: f64) -> ggpfn_status {
    enter_torch(|| {
        if !(learning_rate.is_finite() && learning_rate > 0.0) {
            return Err(Fault::argument("learning_rate", format!("{learning_rate}; a number above 0 was expected")));
        }
        use_it(trainer, |trainer, _| Ok(trainer.update(learning_rate)?))
    })
}

/// The length of a buffer: `which` is GGPFN_PARAMETERS, GGPFN_GRADIENTS (as long as the parameters) or GGPFN_STATISTICS.
///
/// # Safety
/// `length` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_length(
    trainer: *const ggpfn_trainer,
    which: i32,
    length: *mut usize,
) -> ggpfn_status {
    enter_torch(|| {
        handle::check_place(length, "length")?;
        let found = use_it(trainer, |trainer, _| match which {
            GGPFN_PARAMETERS | GGPFN_GRADIENTS => Ok(trainer.flat_length()),
            GGPFN_STATISTICS => Ok(trainer.flat_statistics()?.len()),
            other => Err(unknown(other)),
        })?;
        // SAFETY: not NULL, and so writable; perhaps not aligned.
        unsafe { length.write_unaligned(found) };
        Ok(())
    })
}

/// Copies a buffer out. `length` is that of ggpfn_trainer_length.
///
/// # Safety
/// `values` is NULL or has `length` elements.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_read(
    trainer: *const ggpfn_trainer,
    which: i32,
    values: *mut f32,
    length: usize,
) -> ggpfn_status {
    enter_torch(|| {
        handle::check_place(values, "values")?;
        let found = use_it(trainer, |trainer, _| match which {
            GGPFN_PARAMETERS => Ok(trainer.flat_parameters()?),
            GGPFN_GRADIENTS => Ok(trainer.flat_gradients()?),
            GGPFN_STATISTICS => Ok(trainer.flat_statistics()?),
            other => Err(unknown(other)),
        })?;
        if found.len() != length {
            return Err(Fault::argument("length", format!("{length}; {} was expected", found.len())));
        }
        // SAFETY: `values` has as many elements; perhaps it is not aligned.
        unsafe { std::ptr::copy_nonoverlapping(found.as_ptr().cast::<u8>(), values.cast(), 4 * length) };
        Ok(())
    })
}

/// Copies a buffer in. `length` is that of ggpfn_trainer_length.
///
/// # Safety
/// `values` is NULL or has `length` elements.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_write(
    trainer: *mut ggpfn_trainer,
    which: i32,
    values: *const f32,
    length: usize,
) -> ggpfn_status {
    enter_torch(|| {
        if values.is_null() {
            return Err(Fault::argument("values", "NULL; a buffer was expected"));
        }
        use_it(trainer, |trainer, _| {
            let expected = match which {
                GGPFN_PARAMETERS | GGPFN_GRADIENTS => trainer.flat_length(),
                GGPFN_STATISTICS => trainer.flat_statistics()?.len(),
                other => return Err(unknown(other)),
            };
            if length != expected {
                return Err(Fault::argument("length", format!("{length}; {expected} was expected")));
            }
            let mut copy = vec![0.0_f32; length];
            // SAFETY: `values` has `length` elements; perhaps it is not aligned.
            unsafe { std::ptr::copy_nonoverlapping(values.cast::<u8>(), copy.as_mut_ptr().cast(), 4 * length) };
            let written = match which {
                GGPFN_PARAMETERS => trainer.set_flat_parameters(&copy),
                GGPFN_GRADIENTS => trainer.set_flat_gradients(&copy),
                _ => trainer.set_flat_statistics(&copy),
            };
            Ok(written?)
        })
    })
}

fn unknown(which: i32) -> Fault {
    Fault::argument("which", format!("{which}; GGPFN_PARAMETERS (0) to GGPFN_STATISTICS (2) was expected"))
}

/// The model of this view as it is now, to be freed.
///
/// # Safety
/// `model` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_trainer_model(
    trainer: *const ggpfn_trainer,
    model: *mut *mut ggpfn_model,
) -> ggpfn_status {
    enter_torch(|| {
        handle::check_place(model, "model")?;
        let found = use_it(trainer, |trainer, _| Ok(trainer.model()?))?;
        // SAFETY: the caller's promise.
        unsafe { handle::give(found, model) }
    })
}

/// Frees a trainer. NULL is let pass.
#[no_mangle]
pub extern "C" fn ggpfn_trainer_free(trainer: *mut ggpfn_trainer) {
    enter(|| {
        handle::free(trainer);
        Ok(())
    });
}
