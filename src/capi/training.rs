//! A whole training on cases in memory or in a data set's folder.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::boundary::{enter, enter_torch, enter_with_threads};
use super::handle::{self, Handle};
use super::image::ggpfn_image;
use super::model::{ggpfn_model, number_of};
use super::monitor::{follow, ggpfn_monitor, ggpfn_progress};
use super::segment::device_of;
use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{self, growing};
use super::text;
use crate::compute::DeviceChoice;
use crate::dataset::{self, Layout, Split};
use crate::network::Model;
use crate::training::{self, Cases, Event, Peers, Preset, Run, RunEnd, Stage, TrainOptions, TrainingCase};
use crate::volume::{same_grid, View};

/// The network learns from the case.
pub const GGPFN_TRAIN: i32 = 0;
/// The case chooses the best weights.
pub const GGPFN_VALIDATE: i32 = 1;

/// Stage 1, the global branch alone.
pub const GGPFN_STAGE_GLOBAL: i32 = 0;
/// Stage 2, the progressive fusion network alone.
pub const GGPFN_STAGE_LOCAL: i32 = 1;
/// Stage 3, the whole network.
pub const GGPFN_STAGE_WHOLE: i32 = 2;
/// RSTN's first stage: the fine network sees the plain image.
pub const GGPFN_STAGE_SEPARATE: i32 = 3;
/// RSTN's second stage: it sees the image times its saliency, cropped by the truth.
pub const GGPFN_STAGE_INDIVIDUAL: i32 = 4;
/// RSTN's third stage: it sees that, cropped by what the coarse network found.
pub const GGPFN_STAGE_JOINT: i32 = 5;

/// All stages are done.
pub const GGPFN_END_DONE: i32 = 0;
/// The time was up; the training can be taken up again from its folder.
pub const GGPFN_END_OUT_OF_TIME: i32 = 1;
/// It was cancelled; it can be taken up again from its folder.
pub const GGPFN_END_CANCELLED: i32 = 2;

/// What is to be trained, and on what: options, cases, first weights, folder. One thread at a time may use it; a second one gets
/// GGPFN_ERROR_BUSY.
#[allow(non_camel_case_types)]
pub struct ggpfn_training(());

/// What lies behind the handle.
pub struct Training(Mutex<Plan>);

#[derive(Clone)]
pub(super) struct Plan {
    /// What the caller wrote, and what it means with the model to start from.
    text: String,
    pub options: TrainOptions,
    pub cases: Cases,
    pub init: Option<Arc<Model>>,
    pub device: DeviceChoice,
    folder: Option<(PathBuf, bool)>,
    time: Option<Duration>,
    /// The processes that train it together.
    pub(super) peers: Peers,
    /// For each folder of cases that was added, where it is from.
    provenance: Vec<serde_json::Value>,
}

impl Handle for ggpfn_training {
    type Target = Training;
    const NAME: &'static str = "ggpfn_training";
}

/// How a training ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_training_result {
    /// sizeof(ggpfn_training_result).
    pub struct_size: usize,
    /// GGPFN_END_DONE, GGPFN_END_OUT_OF_TIME or GGPFN_END_CANCELLED.
    pub end: i32,
    /// Cases that were trained on.
    pub cases: i32,
    /// The best validation Dice of the axial, sagittal and coronal view's masks; NaN without one.
    pub dice: [f64; 3],
}

growing!(ggpfn_training_result, dice);

/// A training that is to be described by the functions below and run by ggpfn_training_run, to be freed with ggpfn_training_free.
///
/// `options` is text in TOML, as `ggpfn train --config` reads it; `preset = "msd"`, "nihc" or "small" chooses what it leaves out. NULL:
/// the preset "small".
///
/// # Safety
/// `options` is NULL or a C string; `training` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_new(
    options: *const c_char,
    training: *mut *mut ggpfn_training,
) -> ggpfn_status {
    enter(|| {
        // SAFETY: the caller's promise.
        let text = unsafe { text::take_optional(options, "options") }?.unwrap_or_default().to_string();
        let plan = Plan {
            options: TrainOptions::from_toml(&text, Preset::Small)?,
            text,
            cases: Cases::default(),
            init: None,
            device: DeviceChoice::Auto,
            folder: None,
            time: None,
            peers: Peers::default(),
            provenance: Vec::new(),
        };
        // SAFETY: the caller's promise.
        unsafe { handle::give(Training(Mutex::new(plan)), training) }
    })
}

/// Uses what is behind a handle, for this thread alone.
pub(super) fn with<T>(training: *const ggpfn_training, work: impl FnOnce(&mut Plan) -> Outcome<T>) -> Outcome<T> {
    let training = handle::get(training)?;
    let mut plan = handle::lock(&training.0, "training")?;
    work(&mut plan)
}

/// Starts from a model's weights, and trains its network: to fine-tune. Network, views, view weights and threshold are the model's where the
/// options do not name them; options for another network are refused. The stage of the whole network alone is trained, and with
/// `all_stages` not 0 the others too, unless the options say how many epochs they have. To be called before cases are added, since the model
/// says at which spacing they are looked at.
#[no_mangle]
pub extern "C" fn ggpfn_training_set_model(
    training: *mut ggpfn_training,
    model: *const ggpfn_model,
    all_stages: i32,
) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        with(training, |plan| {
            if !plan.cases.train.is_empty() || !plan.cases.validation.is_empty() {
                let fault =
                    "cases were added already, at another network's spacing; give the model before the first case";
                return Err(Fault::argument("model", fault));
            }
            plan.options = TrainOptions::fine_tuning(&plan.text, Preset::Small, model.config(), all_stages != 0)?;
            plan.init = Some(model);
            Ok(())
        })
    })
}

/// Keeps log, curves, checkpoints and the best model in a folder, which is created. With `resume` not 0 the training goes on from what is
/// there.
///
/// # Safety
/// `folder` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_set_folder(
    training: *mut ggpfn_training,
    folder: *const c_char,
    resume: i32,
) -> ggpfn_status {
    enter(|| {
        // SAFETY: the caller's promise.
        let folder = unsafe { text::take_path(folder, "folder") }?;
        with(training, |plan| {
            crate::files::create_folder(&folder)?;
            plan.folder = Some((folder, resume != 0));
            Ok(())
        })
    })
}

/// Where to compute: GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU, or GGPFN_DEVICE_CUDA with the GPU's number in `index`.
#[no_mangle]
pub extern "C" fn ggpfn_training_set_device(training: *mut ggpfn_training, device: i32, index: i32) -> ggpfn_status {
    enter(|| {
        let device = device_of(device, index)?;
        with(training, |plan| {
            plan.device = device;
            Ok(())
        })
    })
}

/// Stops after so many minutes, saved; 0: when all is done.
#[no_mangle]
pub extern "C" fn ggpfn_training_set_minutes(training: *mut ggpfn_training, minutes: f64) -> ggpfn_status {
    enter(|| {
        // A year: beyond it arithmetic on time is in danger, and nobody waits.
        if !(0.0..=525_600.0).contains(&minutes) {
            return Err(Fault::argument("minutes", format!("{minutes}; a number from 0 to 525600 was expected")));
        }
        with(training, |plan| {
            plan.time = (minutes > 0.0).then(|| Duration::from_secs_f64(60.0 * minutes));
            Ok(())
        })
    })
}

/// Adds a case in memory: an image and the mask of its pancreas on the same grid, of any dtype. Both are converted and not needed
/// afterwards. `name` is what messages call it; `role` is GGPFN_TRAIN or GGPFN_VALIDATE. The log warns of an image that is no CT in
/// Hounsfield units or has impossible voxel sizes.
///
/// # Safety
/// Pointers are NULL or point to what their types say.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_add_case(
    training: *mut ggpfn_training,
    name: *const c_char,
    image: *const ggpfn_image,
    mask: *const ggpfn_image,
    role: i32,
) -> ggpfn_status {
    enter_with_threads(|| {
        // SAFETY: the caller's promises.
        let (name, image, mask) = unsafe { (text::take(name, "name")?, structs::read(image)?, structs::read(mask)?) };
        let validation = validates(role)?;
        with(training, |plan| {
            // SAFETY: the caller's promises.
            let (volume, (mask, grid)) = unsafe {
                (
                    image.volume()?,
                    match plan.options.labels.is_empty() {
                        true => mask.mask()?,
                        false => mask.labels(&plan.options.label_bits())?,
                    },
                )
            };
            if !same_grid(volume.geometry(), &grid) {
                let fault =
                    format!("{name}: it does not lie on the image's grid: size, spacing, origin or direction differ");
                return Err(Fault::argument("mask", fault));
            }
            let case = TrainingCase::new(name, &volume, mask.view(), &plan.options.model_config())?;
            let cases = if validation { &mut plan.cases.validation } else { &mut plan.cases.train };
            cases.push(Arc::new(case));
            Ok(())
        })
    })
}

fn validates(role: i32) -> Outcome<bool> {
    match role {
        GGPFN_TRAIN => Ok(false),
        GGPFN_VALIDATE => Ok(true),
        other => Err(Fault::argument("role", format!("{other}; GGPFN_TRAIN (0) or GGPFN_VALIDATE (1) was expected"))),
    }
}

/// Adds a data set's cases: `layout` is "msd", "nihc" or "pairs" (NULL: pairs). `split` is a file of `ggpfn dataset split`, whose test cases are left
/// out; NULL: all cases get `role`. `cache` is a folder where prepared volumes are kept, so that memory stays bounded; NULL:
/// they are kept in memory. Scans that are no CTs in Hounsfield units or have impossible voxel sizes are refused with GGPFN_ERROR_IMAGE.
///
/// # Safety
/// Pointers are NULL or C strings.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_add_folder(
    training: *mut ggpfn_training,
    folder: *const c_char,
    layout: *const c_char,
    split: *const c_char,
    cache: *const c_char,
    role: i32,
    monitor: *const ggpfn_monitor,
) -> ggpfn_status {
    enter_with_threads(|| {
        // SAFETY: the caller's promises.
        let (folder, layout, split, cache) = unsafe {
            (
                text::take_path(folder, "folder")?,
                text::take_optional(layout, "layout")?,
                text::take_optional_path(split, "split")?,
                text::take_optional_path(cache, "cache")?,
            )
        };
        let layout = match layout {
            Some(name) => name.parse::<Layout>().map_err(|text| Fault::argument("layout", text))?,
            None => Layout::Pairs,
        };
        let validation = validates(role)?;
        let monitor = handle::get_optional(monitor)?;
        with(training, |plan| {
            let cases = dataset::cases(&folder, layout)?;
            let mut split_seed = None;
            let (train, validate) = match &split {
                Some(path) => {
                    let split = Split::read(path)?;
                    split_seed = Some(split.seed);
                    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
                    split.check(&names)?;
                    let chosen = |wanted: &[String]| {
                        cases.iter().filter(|case| wanted.contains(&case.name)).cloned().collect::<Vec<_>>()
                    };
                    (chosen(&split.train), chosen(&split.validation))
                }
                None if validation => (Vec::new(), cases),
                None => (cases, Vec::new()),
            };
            let (config, labels) = (plan.options.model_config(), plan.options.label_bits());
            let all = (train.len() + validate.len()) as f64;
            let [train, validate] = follow(monitor, |cancel, report| {
                let prepare = |cases: &[dataset::Case], before: usize| {
                    training::prepare(cases, &config, &labels, cache.as_deref(), cancel, &|done| {
                        report(ggpfn_progress::new("preparing", (before + done) as f64 / all));
                    })
                };
                Ok([prepare(&train, 0)?, prepare(&validate, train.len())?])
            })?;
            plan.cases.train.extend(train);
            plan.cases.validation.extend(validate);
            plan.provenance.push(serde_json::json!({
                "folder": folder.file_name().map(|name| name.to_string_lossy()),
                "layout": layout,
                "split_seed": split_seed,
            }));
            Ok(())
        })
    })
}

/// The options as they are now, as TOML (see ggpfn_last_error for the buffer).
///
/// # Safety
/// As ggpfn_last_error.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_options(
    training: *const ggpfn_training,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        let toml = with(training, |plan| Ok(plan.options.to_toml()?))?;
        // SAFETY: the caller's promise.
        unsafe { text::give(&toml, buffer, capacity, needed) }
    })
}

/// Trains, and gives the best model of all views so far, to be freed. A training that was cancelled, or whose time was up, has
/// succeeded: `result` says so. `result` NULL: not wanted. The training may be run again.
///
/// # Safety
/// `model` is NULL or writable; `result` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_training_run(
    training: *const ggpfn_training,
    monitor: *const ggpfn_monitor,
    model: *mut *mut ggpfn_model,
    result: *mut ggpfn_training_result,
) -> ggpfn_status {
    enter_torch(|| {
        handle::check_place(model, "model")?;
        if !result.is_null() {
            // SAFETY: the caller's promise.
            unsafe { structs::check(result) }?;
        }
        let monitor = handle::get_optional(monitor)?;
        let (outcome, cases) = with(training, |plan| {
            let mut run = Run::new(plan.options.clone(), plan.cases.clone())?.device(plan.device).time(plan.time);
            run = run.peers(plan.peers.clone());
            if let Some((folder, resume)) = &plan.folder {
                run = run.folder(folder, *resume);
            }
            if let Some(model) = &plan.init {
                run = run.init(Model::clone(model));
            }
            if !plan.provenance.is_empty() {
                run = run.provenance(plan.provenance.clone().into());
            }
            let outcome = follow(monitor, |cancel, report| Ok(run.train(cancel, &|event| report(progress(event)))?))?;
            Ok((outcome, plan.cases.train.len()))
        })?;
        let value = ggpfn_training_result {
            struct_size: 0,
            end: match outcome.end {
                RunEnd::Done => GGPFN_END_DONE,
                RunEnd::OutOfTime => GGPFN_END_OUT_OF_TIME,
                RunEnd::Cancelled => GGPFN_END_CANCELLED,
            },
            cases: cases as i32,
            dice: View::ALL.map(|view| outcome.dice.get(&view).copied().flatten().unwrap_or(f64::NAN)),
        };
        // SAFETY: the caller's promises.
        unsafe {
            handle::give(outcome.model, model)?;
            match result.is_null() {
                true => Ok(()),
                false => structs::write(result, &value),
            }
        }
    })
}

fn progress(event: &Event) -> ggpfn_progress {
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let mut own = ggpfn_progress::new(&format!("{} view, {} stage", event.view, event.stage), event.fraction);
    own.seconds_left = event.seconds_left.unwrap_or(f64::NAN);
    own.view = number_of(event.view);
    own.stage = Stage::ALL.iter().position(|stage| *stage == event.stage).map_or(-1, number);
    [own.epoch, own.epochs] = event.epoch.map(number);
    [own.batch, own.batches] = event.batch.map(number);
    own.loss = event.losses.total;
    own.dice = event.dice.unwrap_or(f64::NAN);
    own
}

/// Frees a training; a call that is using it goes on. NULL is let pass.
#[no_mangle]
pub extern "C" fn ggpfn_training_free(training: *mut ggpfn_training) {
    enter(|| {
        handle::free(training);
        Ok(())
    });
}
