//! An image to a mask, and views to their fusion.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use ndarray::{ArrayView3, ArrayViewMut3, Zip};

use super::boundary::{enter, enter_torch, enter_with_threads};
use super::handle;
use super::image::{ggpfn_image, ggpfn_output};
use super::model::{ggpfn_model, number_of};
use super::monitor::{follow, ggpfn_monitor, ggpfn_progress, Report};
use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{self, growing};
use super::text;
use crate::inference::{
    self, Cancel, DeviceChoice, Ensemble, Monitor, PatchGrid, PrecisionChoice, Region, SegmentOptions, Segmentation,
    MOST_MODELS,
};
use crate::limits::Attainable;
use crate::network::Model;
use crate::quality::{Warning, WarningKind};
use crate::volume::{Frame, Geometry, Measurements, View, Volume};

/// The first GPU if there is a usable one, otherwise the processor.
pub const GGPFN_DEVICE_AUTO: i32 = 0;
/// The processor.
pub const GGPFN_DEVICE_CPU: i32 = 1;
/// The CUDA GPU of the number `device_index`.
pub const GGPFN_DEVICE_CUDA: i32 = 2;

/// bfloat16 where the device is fast at it, otherwise float32.
pub const GGPFN_PRECISION_AUTO: i32 = 0;
/// float32.
pub const GGPFN_PRECISION_FLOAT32: i32 = 1;
/// bfloat16 with float32 sums; probabilities differ by up to about 0.01.
pub const GGPFN_PRECISION_BFLOAT16: i32 = 2;

/// The mask is empty.
pub const GGPFN_WARNING_NOTHING_FOUND: i32 = 1;
/// The mask is smaller than an adult's pancreas.
pub const GGPFN_WARNING_SMALL_VOLUME: i32 = 2;
/// The mask is larger than a pancreas.
pub const GGPFN_WARNING_LARGE_VOLUME: i32 = 3;
/// The views' masks have little in common.
pub const GGPFN_WARNING_VIEWS_DISAGREE: i32 = 4;
/// The mask has many connected components.
pub const GGPFN_WARNING_MANY_PARTS: i32 = 5;
/// The mask touches the border: the pancreas may go on beyond it.
pub const GGPFN_WARNING_CUT_OFF: i32 = 6;
/// The scan does not seem to cover the upper abdomen.
pub const GGPFN_WARNING_NOT_COVERED: i32 = 7;
/// Most of the mask is no soft tissue.
pub const GGPFN_WARNING_NOT_SOFT_TISSUE: i32 = 8;
/// The voxels are not Hounsfield units.
pub const GGPFN_WARNING_NOT_HOUNSFIELD: i32 = 9;
/// The voxels' size, or the body's, is not possible.
pub const GGPFN_WARNING_VOXEL_SIZE: i32 = 10;
/// The slices are too far apart.
pub const GGPFN_WARNING_THICK_SLICES: i32 = 11;
/// Voxels that are not numbers (NaN) were taken for air.
pub const GGPFN_WARNING_UNMEASURED: i32 = 12;
/// A few voxels have values that nothing in a CT has.
pub const GGPFN_WARNING_STRAY_VALUES: i32 = 13;

const _: () = assert!(
    WarningKind::NothingFound as i32 == GGPFN_WARNING_NOTHING_FOUND
        && WarningKind::SmallVolume as i32 == GGPFN_WARNING_SMALL_VOLUME
        && WarningKind::LargeVolume as i32 == GGPFN_WARNING_LARGE_VOLUME
        && WarningKind::ViewsDisagree as i32 == GGPFN_WARNING_VIEWS_DISAGREE
        && WarningKind::ManyParts as i32 == GGPFN_WARNING_MANY_PARTS
        && WarningKind::CutOff as i32 == GGPFN_WARNING_CUT_OFF
        && WarningKind::NotCovered as i32 == GGPFN_WARNING_NOT_COVERED
        && WarningKind::NotSoftTissue as i32 == GGPFN_WARNING_NOT_SOFT_TISSUE
        && WarningKind::NotHounsfield as i32 == GGPFN_WARNING_NOT_HOUNSFIELD
        && WarningKind::VoxelSize as i32 == GGPFN_WARNING_VOXEL_SIZE
        && WarningKind::ThickSlices as i32 == GGPFN_WARNING_THICK_SLICES
        && WarningKind::Unmeasured as i32 == GGPFN_WARNING_UNMEASURED
        && WarningKind::StrayValues as i32 == GGPFN_WARNING_STRAY_VALUES
        && WarningKind::ALL.len() == 13,
    "each kind of warning has its number"
);

/// How an image is to be segmented. 0 in any field is its default: `ggpfn_segment_options options = {.struct_size = sizeof options};` is a
/// good start.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_segment_options {
    /// sizeof(ggpfn_segment_options).
    pub struct_size: usize,
    /// Bits 1 << GGPFN_AXIAL and so on: the views to compute. 0: all that the model has.
    pub views: i32,
    /// GGPFN_DEVICE_AUTO, GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
    pub device: i32,
    /// The GPU's number, with GGPFN_DEVICE_CUDA.
    pub device_index: i32,
    /// GGPFN_PRECISION_AUTO, GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
    pub precision: i32,
    /// Processor threads. 0: as many as there are processors. The last bits of a result may depend on it.
    pub threads: i32,
    /// Slices that enter the network at a time. 0: chosen by their size. The result does not depend on it.
    pub block: i32,
    /// Rows and columns of the patches that slices are cut into, multiples of 8, for GPUs with little memory. 0: whole slices.
    pub patch: [i32; 2],
    /// Pixels by which patches overlap. 0: 64.
    pub overlap: i32,
    /// Whether to keep the largest connected part of the mask alone.
    pub largest_component: i32,
    /// Weights of the axial, sagittal and coronal view, scaled to add up to 1 over the views computed. All 0: the model's.
    pub view_weights: [f64; 3],
    /// Probabilities from here on are pancreas, up to 1. 0: the model's threshold.
    pub threshold: f64,
    /// The first voxel (i, j, k) of the region to look at. Nothing outside of it is read or found: what lies there need not be numbers, nor
    /// memory that can be read.
    pub region_start: [usize; 3],
    /// Voxels of the region along i, j and k. All 0: the whole image.
    pub region_size: [usize; 3],
}

growing!(ggpfn_segment_options, region_size);

/// What a mask says about the organ. What has no value, in an empty mask, is NaN.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_measurements {
    /// sizeof(ggpfn_measurements).
    pub struct_size: usize,
    /// Voxels in the mask.
    pub voxels: u64,
    /// Connected parts of the mask; voxels that touch by a corner are connected.
    pub components: u64,
    /// Their volume in mL.
    pub volume_ml: f64,
    /// The smallest index (i, j, k) in the mask.
    pub box_start: [u64; 3],
    /// The bounding box's voxels along i, j and k; 0 for an empty mask.
    pub box_size: [u64; 3],
    /// The bounding box's edges in mm along i, j and k.
    pub box_mm: [f64; 3],
    /// The centroid in mm, in the frame of the image.
    pub centroid: [f64; 3],
    /// Mean of the Hounsfield units in the mask.
    pub mean_hu: f64,
    /// Their standard deviation.
    pub std_hu: f64,
    /// The threshold that made the mask.
    pub threshold: f64,
    /// The weights that the axial, sagittal and coronal view had; 0 for a view that was not computed.
    pub view_weights: [f64; 3],
    /// Where the network ran: GGPFN_DEVICE_CPU or GGPFN_DEVICE_CUDA.
    pub device: i32,
    /// GGPFN_PRECISION_FLOAT32 or GGPFN_PRECISION_BFLOAT16.
    pub precision: i32,
    /// Wall-clock seconds of the whole work.
    pub seconds: f64,
    /// The Dice coefficient to expect against a manual segmentation, 0 to 1.
    pub expected_dice: f64,
    /// Whether a person should look before the result is used: the expected Dice is low, or a warning is grave.
    pub doubtful: i32,
    /// How many warnings ggpfn_result_warning has on the calling thread.
    pub warning_count: i32,
}

growing!(ggpfn_measurements, warning_count, first: seconds);

/// Where the results of one of a model's labels go.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_label_result {
    /// sizeof(ggpfn_label_result).
    pub struct_size: usize,
    /// uint8: 1 where the label is, 0 elsewhere.
    pub mask: ggpfn_output,
    /// float32: the label's fused probability, 0 to 1.
    pub probability: ggpfn_output,
    /// NULL, or the measurements, with struct_size set. What is said of how far a result can be trusted is said of the first label.
    pub measurements: *mut ggpfn_measurements,
}

growing!(ggpfn_label_result, measurements);

/// Where the results of a segmentation go. An output whose data is NULL is not wanted. Buffers are written when all is done, and not at
/// all if the work fails.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_result {
    /// sizeof(ggpfn_result).
    pub struct_size: usize,
    /// uint8: 1 in the pancreas (the model's first label), 0 outside.
    pub mask: ggpfn_output,
    /// float32: its fused probability, 0 to 1.
    pub probability: ggpfn_output,
    /// float32: each view's probability, axial, sagittal, coronal.
    pub view_probability: [ggpfn_output; 3],
    /// float32: the standard deviation of the views' probabilities, 0 to 0.5, which says how much they disagree.
    pub uncertainty: ggpfn_output,
    /// NULL, or the measurements, with struct_size set.
    pub measurements: *mut ggpfn_measurements,
    /// uint8: all labels as one map, each with its value, 0 outside. Of labels that lie within others the later covers the earlier one.
    pub label_map: ggpfn_output,
    /// NULL, or an array with a struct for each of the model's labels in their order, the first among them.
    pub labels: *mut ggpfn_label_result,
    /// The array's length: the model's label_count.
    pub label_count: usize,
}

growing!(ggpfn_result, label_count, first: measurements);

/// How much memory a segmentation takes at its peak, beyond what the process has already, the image included.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_memory {
    /// sizeof(ggpfn_memory).
    pub struct_size: usize,
    /// Bytes in the machine's memory.
    pub host_bytes: u64,
    /// Bytes in the GPU's memory; 0 if none is used.
    pub device_bytes: u64,
    /// Bytes that the machine has free now; 0 if that is not known.
    pub host_free: u64,
}

growing!(ggpfn_memory, host_free);

/// Sets all options to their defaults.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_segment_options_init(
    options: *mut ggpfn_segment_options,
    struct_size: usize,
) -> ggpfn_status {
    // SAFETY: the caller's promise; reading NULL gives the defaults.
    enter(|| unsafe { structs::initialise(options, struct_size, structs::read_or_default(std::ptr::null())?) })
}

/// Segments the pancreas in an image. `options` NULL: all defaults; `monitor` NULL: no progress, no cancel.
///
/// The model, and one monitor, may be in use by other threads at the same time. The network runs on threads of the library; the
/// calling thread's libtorch settings stay as they are. For many images call this for each, with one model.
///
/// # Safety
/// Pointers are NULL or point to what their types say; buffers are as large as they are said to be, and no other thread writes the
/// image or touches the results during the call.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_segment(
    model: *const ggpfn_model,
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    monitor: *const ggpfn_monitor,
) -> ggpfn_status {
    // SAFETY: the caller's promises.
    enter_torch(|| unsafe { segment_by(&[handle::get(model)?], image, options, result, monitor) })
}

/// Segments with several models, of which the fused probabilities are averaged before the threshold: the folds of a cross-validation, say. They
/// may be of different networks, but segment the same labels, or GGPFN_ERROR_ARGUMENT is returned.
///
/// `models` has `model_count` handles, 1 to 1024, which may be freed during the call. What is left open comes from the models: each has its own
/// views and view weights, and the threshold is the mean of theirs. A view's probability is the mean over the models that have it, the
/// uncertainty the standard deviation over all views of all models. With one model it is ggpfn_segment, to which all else is alike; the models
/// compute one after the other.
///
/// # Safety
/// As ggpfn_segment; `models` is NULL or has `model_count` elements.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_segment_ensemble(
    models: *const *const ggpfn_model,
    model_count: usize,
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    monitor: *const ggpfn_monitor,
) -> ggpfn_status {
    // SAFETY: the caller's promises.
    enter_torch(|| unsafe { segment_by(&taken(models, model_count)?, image, options, result, monitor) })
}

/// The models behind an array of handles.
///
/// # Safety
/// `models` is NULL or has `count` elements.
unsafe fn taken(models: *const *const ggpfn_model, count: usize) -> Outcome<Vec<Arc<Model>>> {
    if models.is_null() {
        return Err(Fault::argument("models", "NULL; an array of models was expected"));
    }
    if !(1..=MOST_MODELS).contains(&count) {
        return Err(Fault::argument("model_count", format!("{count}; a number from 1 to {MOST_MODELS} was expected")));
    }
    // SAFETY: the caller's promise; perhaps not aligned.
    (0..count).map(|index| handle::get(unsafe { models.wrapping_add(index).read_unaligned() })).collect()
}

/// The models as an ensemble.
fn ensemble_of(models: &[Arc<Model>]) -> Outcome<Ensemble<'_>> {
    Ok(Ensemble::new(&models.iter().map(Arc::as_ref).collect::<Vec<_>>())?)
}

/// # Safety
/// As ggpfn_segment.
unsafe fn segment_by(
    models: &[Arc<Model>],
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    monitor: *const ggpfn_monitor,
) -> Outcome<()> {
    let start = std::time::Instant::now();
    set_warnings(Vec::new());
    let ensemble = ensemble_of(models)?;
    let monitor = handle::get_optional(monitor)?;
    // SAFETY: the caller's promises.
    let (image, options, result) =
        unsafe { (structs::read(image)?, structs::read_or_default(options)?, structs::read(result)?) };
    // SAFETY: the caller's promise.
    unsafe { result.check(image.geometry()?.size, &ensemble) }?;
    let options = settle(&options, &result, &ensemble)?;
    let grid = image.geometry()?;
    ensemble.refuse_impossible(&grid, &options)?;
    let image = Sharable(image);
    let segmentation = follow(monitor, |cancel, report| {
        let image = &image;
        // SAFETY: the caller's promise.
        let volume = match options.region {
            Some(region) => unsafe { image.0.part(region) }?,
            None => unsafe { image.0.volume() }?,
        };
        run(&ensemble, &volume, &grid, &options, cancel, report)
    })?;
    // SAFETY: the caller's promise.
    unsafe { result.write(&segmentation, image.0.frame()?, start.elapsed().as_secs_f64()) }?;
    segmentation.quality.warnings.iter().for_each(|warning| log::warn!("the image: {warning}"));
    set_warnings(segmentation.quality.warnings);
    Ok(())
}

thread_local! {
    /// What this thread's last segmentation warned of.
    static WARNINGS: RefCell<Vec<Warning>> = const { RefCell::new(Vec::new()) };
}

fn set_warnings(warnings: Vec<Warning>) {
    // During a thread's end they may be gone already; then nobody can ask for them either.
    let _ = WARNINGS.try_with(|last| *last.borrow_mut() = warnings);
}

/// Copies a warning of the last ggpfn_segment on the calling thread, a sentence in UTF-8 with a NUL at the end: `index` from 0 to before
/// warning_count of the measurements. There are none after a segmentation that failed. Asking does not change them.
///
/// `kind`, if not NULL, gets a GGPFN_WARNING number; later versions may add some. `capacity` is the buffer's length in bytes, and `needed`, if
/// not NULL, gets the length that the whole text takes, with its NUL; see ggpfn_last_error.
///
/// # Safety
/// `kind` and `needed` are NULL or writable; `buffer` is NULL or has `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_result_warning(
    index: usize,
    kind: *mut i32,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        let warnings = WARNINGS.try_with(|last| last.borrow().clone()).unwrap_or_default();
        let Some(warning) = warnings.get(index) else {
            let fault = format!("{index}; the last segmentation on this thread has {} warnings", warnings.len());
            return Err(Fault::argument("index", fault));
        };
        // SAFETY: the caller's promise.
        unsafe { text::give(&warning.text, buffer, capacity, needed) }?;
        if !kind.is_null() {
            // SAFETY: writable, as the caller promised; perhaps not aligned.
            unsafe { kind.write_unaligned(warning.kind.code()) };
        }
        Ok(())
    })
}

/// A struct of the caller's whose pointers another thread may follow while the caller waits.
struct Sharable(ggpfn_image);

// SAFETY: the voxels behind it are read alone, and the caller has promised that nobody writes them during the call.
unsafe impl Sync for Sharable {}

/// Segments an image on `grid`, of which `volume` is all or the region that the options name.
fn run(
    ensemble: &Ensemble,
    volume: &Volume,
    grid: &Geometry,
    options: &SegmentOptions,
    cancel: &Cancel,
    report: Report,
) -> Outcome<Segmentation> {
    let monitor = Monitor::new(cancel.clone(), |progress: &inference::Progress| {
        let view = View::ALL.into_iter().find(|view| progress.phase.starts_with(view.name()));
        let mut own = ggpfn_progress::new(&progress.phase, progress.fraction);
        own.view = view.map_or(-1, number_of);
        own.seconds_left = progress.seconds_left.unwrap_or(f64::NAN);
        report(own);
    });
    Ok(match options.region {
        Some(_) => ensemble.segment_region(volume, grid, options, &monitor)?,
        None => ensemble.segment(volume, options, &monitor)?,
    })
}

/// The library's options.
fn settle(options: &ggpfn_segment_options, result: &ggpfn_result, ensemble: &Ensemble) -> Outcome<SegmentOptions> {
    if !(0..8).contains(&options.views) {
        let fault = format!(
            "{}; a sum of 1 << GGPFN_AXIAL, 1 << GGPFN_SAGITTAL, 1 << GGPFN_CORONAL was expected",
            options.views
        );
        return Err(Fault::argument("views", fault));
    }
    let views: Vec<View> =
        View::ALL.into_iter().enumerate().filter(|(bit, _)| options.views >> bit & 1 == 1).map(|(_, v)| v).collect();
    let wanted = |view: &View| result.view_probability[number_of(*view) as usize].is_wanted();
    if let Some(missing) = View::ALL.iter().find(|view| wanted(view) && !ensemble.computes(**view, &views)) {
        let fault = format!("the {missing} view's probability is wanted, but that view is not computed");
        return Err(Fault::argument("view_probability", fault));
    }
    let view_weights = match options.view_weights == [0.0; 3] {
        true => None,
        false => Some(BTreeMap::from_iter(View::ALL.into_iter().zip(options.view_weights))),
    };
    let patches = match options.patch {
        [0, 0] if options.overlap != 0 => {
            return Err(Fault::argument("overlap", "there is no patch that could overlap; a patch too was expected"))
        }
        [0, 0] => None,
        [h, w] => {
            let overlap = if options.overlap == 0 { 64 } else { count("overlap", options.overlap)? };
            Some(PatchGrid { size: [count("patch", h)?, count("patch", w)?], overlap })
        }
    };
    let region = match options.region_size {
        [0, 0, 0] if options.region_start != [0; 3] => {
            return Err(Fault::argument("region_size", "all 0, with a region_start; the region's voxels were expected"))
        }
        [0, 0, 0] => None,
        size => Some(Region { start: options.region_start, size }),
    };
    let optional = |name, number: i32| if number == 0 { Ok(None) } else { count(name, number).map(Some) };
    Ok(SegmentOptions {
        prepared: false,
        views,
        view_weights,
        threshold: (options.threshold != 0.0).then_some(options.threshold),
        device: device_of(options.device, options.device_index)?,
        precision: precision_of(options.precision)?,
        threads: optional("threads", options.threads)?,
        block: optional("block", options.block)?,
        patches,
        region,
        largest_component: options.largest_component != 0,
        keep_views: View::ALL.iter().any(wanted),
        mask_only: !result.probability.is_wanted() && result.labels.is_null(),
        uncertainty: result.uncertainty.is_wanted(),
    })
}

/// A number that must not be negative.
fn count(name: &'static str, number: i32) -> Outcome<usize> {
    usize::try_from(number).map_err(|_| Fault::argument(name, format!("{number}; a number from 0 was expected")))
}

/// The device of a number.
pub(super) fn device_of(device: i32, index: i32) -> Outcome<DeviceChoice> {
    match device {
        GGPFN_DEVICE_AUTO => Ok(DeviceChoice::Auto),
        GGPFN_DEVICE_CPU => Ok(DeviceChoice::Cpu),
        GGPFN_DEVICE_CUDA => Ok(DeviceChoice::Cuda(count("device_index", index)?)),
        other => Err(Fault::argument(
            "device",
            format!("{other}; GGPFN_DEVICE_AUTO (0) to GGPFN_DEVICE_CUDA (2) was expected"),
        )),
    }
}

fn precision_of(precision: i32) -> Outcome<PrecisionChoice> {
    match precision {
        GGPFN_PRECISION_AUTO => Ok(PrecisionChoice::Auto),
        GGPFN_PRECISION_FLOAT32 => Ok(PrecisionChoice::F32),
        GGPFN_PRECISION_BFLOAT16 => Ok(PrecisionChoice::Bf16),
        other => Err(Fault::argument(
            "precision",
            format!("{other}; GGPFN_PRECISION_AUTO (0) to GGPFN_PRECISION_BFLOAT16 (2) was expected"),
        )),
    }
}

impl ggpfn_result {
    /// Refuses results that could not be written, before the work.
    ///
    /// # Safety
    /// `measurements` is NULL or points to a struct of its struct_size.
    unsafe fn check(&self, size: [usize; 3], ensemble: &Ensemble) -> Outcome<()> {
        self.label_map.check::<u8>("label_map", size)?;
        let count = ensemble.labels().count();
        if !self.labels.is_null() && self.label_count != count {
            let fault =
                format!("{}; the model has {count} labels, and a struct for each was expected", self.label_count);
            return Err(Fault::argument("label_count", fault));
        }
        // SAFETY: the caller's promise.
        for label in unsafe { self.label_results() }? {
            label.mask.check::<u8>("labels", size)?;
            label.probability.check::<f32>("labels", size)?;
            if !label.measurements.is_null() {
                // SAFETY: the caller's promise.
                unsafe { structs::check(label.measurements) }?;
            }
        }
        self.mask.check::<u8>("mask", size)?;
        self.probability.check::<f32>("probability", size)?;
        self.view_probability.iter().try_for_each(|output| output.check::<f32>("view_probability", size))?;
        self.uncertainty.check::<f32>("uncertainty", size)?;
        match self.measurements.is_null() {
            true => Ok(()),
            // SAFETY: the caller's promise.
            false => unsafe { structs::check(self.measurements) },
        }
    }

    /// The labels' structs; none where they are not wanted.
    ///
    /// # Safety
    /// `labels` is NULL or points to `label_count` structs, each of the struct_size of the first.
    unsafe fn label_results(&self) -> Outcome<Vec<ggpfn_label_result>> {
        if self.labels.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: not NULL, and so the first struct is there.
        let first = unsafe { structs::read(self.labels.cast_const()) }?;
        let place = |index: usize| self.labels.cast::<u8>().wrapping_add(index * first.struct_size);
        // SAFETY: the caller's promise.
        (0..self.label_count).map(|index| unsafe { structs::read(place(index).cast_const().cast()) }).collect()
    }

    /// # Safety
    /// The buffers are writable and as large as they are said to be.
    unsafe fn write(&self, from: &Segmentation, frame: Frame, seconds: f64) -> Outcome<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.mask.write("mask", from.mask.view())?;
            self.probability.write("probability", from.probability.view())?;
            if self.label_map.is_wanted() {
                match from.others.is_empty() && from.label.value == 1 {
                    true => self.label_map.write("label_map", from.mask.view())?,
                    false => self.label_map.write("label_map", from.label_map()?.view())?,
                }
            }
            let first = (&from.mask, &from.probability, from.threshold, &from.measurements);
            let others =
                from.others.iter().map(|other| (&other.mask, &other.probability, other.threshold, &other.measurements));
            let found = std::iter::once(first).chain(others);
            for (to, (mask, probability, threshold, measured)) in self.label_results()?.iter().zip(found) {
                to.mask.write("labels", mask.view())?;
                to.probability.write("labels", probability.view())?;
                if !to.measurements.is_null() {
                    structs::write(to.measurements, &measurements(measured, frame, threshold))?;
                }
            }
            for (view, probability) in &from.views {
                self.view_probability[number_of(*view) as usize].write("view_probability", probability.view())?;
            }
            if let Some(uncertainty) = &from.uncertainty {
                self.uncertainty.write("uncertainty", uncertainty.view())?;
            }
            if !self.measurements.is_null() {
                let value = ggpfn_measurements {
                    view_weights: View::ALL.map(|view| from.view_weights.get(&view).copied().unwrap_or(0.0)),
                    device: if from.compute.is_gpu() { GGPFN_DEVICE_CUDA } else { GGPFN_DEVICE_CPU },
                    precision: match from.compute.precision_name() {
                        "bf16" => GGPFN_PRECISION_BFLOAT16,
                        _ => GGPFN_PRECISION_FLOAT32,
                    },
                    seconds,
                    expected_dice: from.quality.expected_dice,
                    doubtful: from.quality.doubtful.into(),
                    warning_count: from.quality.warnings.len() as i32,
                    ..measurements(&from.measurements, frame, from.threshold)
                };
                structs::write(self.measurements, &value)?;
            }
        }
        Ok(())
    }
}

/// What a mask says, with nothing about how it was made but the threshold.
fn measurements(from: &Measurements, frame: Frame, threshold: f64) -> ggpfn_measurements {
    let box_size = from.box_size();
    let Measurements { voxels, volume_ml, bounding_box, bounding_box_mm, centroid_lps, mean_hu, std_hu, components } =
        *from;
    let [low, _] = bounding_box.unwrap_or([[0; 3], [0; 3]]);
    ggpfn_measurements {
        struct_size: 0,
        voxels: voxels as u64,
        components: components as u64,
        volume_ml,
        box_start: low.map(|n| n as u64),
        box_size: box_size.map(|n| n as u64),
        box_mm: bounding_box_mm.unwrap_or([f64::NAN; 3]),
        centroid: centroid_lps.map_or([f64::NAN; 3], |centre| frame.turned(centre)),
        mean_hu: mean_hu.unwrap_or(f64::NAN),
        std_hu: std_hu.unwrap_or(f64::NAN),
        threshold,
        view_weights: [0.0; 3],
        device: 0,
        precision: 0,
        seconds: 0.0,
        expected_dice: f64::NAN,
        doubtful: 0,
        warning_count: 0,
    }
}

/// Estimates the memory that ggpfn_segment with the same arguments would take. The image's data, and the result's, are not looked at: `data` of
/// the image may be NULL, and an output counts as wanted if its data is not NULL. `result` NULL: the mask alone.
///
/// # Safety
/// Pointers are NULL or point to what their types say.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_estimate_memory(
    model: *const ggpfn_model,
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    memory: *mut ggpfn_memory,
) -> ggpfn_status {
    // SAFETY: the caller's promises.
    enter_torch(|| unsafe { estimate_by(&[handle::get(model)?], image, options, result, memory) })
}

/// As ggpfn_estimate_memory, for ggpfn_segment_ensemble. The models' own weights, which are in memory already, do not count.
///
/// # Safety
/// Pointers are NULL or point to what their types say; `models` is NULL or has `model_count` elements.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_estimate_memory_ensemble(
    models: *const *const ggpfn_model,
    model_count: usize,
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    memory: *mut ggpfn_memory,
) -> ggpfn_status {
    // SAFETY: the caller's promises.
    enter_torch(|| unsafe { estimate_by(&taken(models, model_count)?, image, options, result, memory) })
}

/// # Safety
/// As ggpfn_estimate_memory.
unsafe fn estimate_by(
    models: &[Arc<Model>],
    image: *const ggpfn_image,
    options: *const ggpfn_segment_options,
    result: *const ggpfn_result,
    memory: *mut ggpfn_memory,
) -> Outcome<()> {
    let ensemble = ensemble_of(models)?;
    // SAFETY: the caller's promises.
    let (image, options, result) =
        unsafe { (structs::read(image)?, structs::read_or_default(options)?, structs::read_or_default(result)?) };
    let options = settle(&options, &result, &ensemble)?;
    let estimate = ensemble.estimate_memory(&image.geometry()?, &options)?;
    let value = ggpfn_memory {
        struct_size: 0,
        host_bytes: estimate.host,
        device_bytes: estimate.device,
        host_free: crate::limits::free_memory().unwrap_or(0),
    };
    // SAFETY: the caller's promise.
    unsafe { structs::write(memory, &value) }
}

/// Makes the mask of a probability that was kept, and its measurements, without a model: for a threshold that is being tried.
///
/// `probability` and `mask` are dense, i fastest, on the image's grid, and aligned. `threshold` 0: 0.5. `largest_component` not 0: the
/// largest connected part alone. `mask` or `measurements` NULL: not wanted. Values beyond 0 to 1 by more than
/// rounding, or NaN, are no probabilities: GGPFN_ERROR_ARGUMENT. In the measurements, what tells how the network ran is 0, and
/// the expected Dice NaN.
///
/// # Safety
/// Pointers are NULL or point to what their types say; `probability` and `mask` have as many elements as the image has voxels and do not
/// overlap.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_threshold(
    image: *const ggpfn_image,
    probability: *const f32,
    threshold: f64,
    largest_component: i32,
    mask: *mut u8,
    measurements: *mut ggpfn_measurements,
) -> ggpfn_status {
    enter_with_threads(|| {
        // SAFETY: the caller's promise.
        let image = unsafe { structs::read(image) }?;
        if mask.is_null() && measurements.is_null() {
            return Err(Fault::argument("mask", "NULL, and measurements too; one of them at least was expected"));
        }
        if !measurements.is_null() {
            // SAFETY: the caller's promise.
            unsafe { structs::check(measurements) }?;
        }
        if probability.is_null() || probability.align_offset(4) != 0 {
            let fault = format!("{probability:p}; a buffer of float32 was expected, aligned to 4 bytes");
            return Err(Fault::argument("probability", fault));
        }
        let [columns, rows, slices] = image.geometry()?.size;
        // SAFETY: the caller's promise.
        let volume = unsafe { image.volume() }?;
        // SAFETY: as many elements as voxels, aligned; the volume's size was checked.
        let probability = unsafe { ArrayView3::from_shape_ptr((slices, rows, columns), probability) };
        let threshold = if threshold == 0.0 { 0.5 } else { threshold };
        let (found, what) = inference::threshold_probability(probability, &volume, threshold, largest_component != 0)?;
        if !mask.is_null() {
            // SAFETY: as many elements as voxels; bytes need no alignment.
            unsafe { ArrayViewMut3::from_shape_ptr((slices, rows, columns), mask) }.assign(&found);
        }
        if !measurements.is_null() {
            // SAFETY: the caller's promise.
            unsafe { structs::write(measurements, &self::measurements(&what, image.frame()?, threshold)) }?;
        }
        Ok(())
    })
}

/// Fuses probabilities of views, without a model: the weighted sum, weights scaled to add up to 1, and the mask of what reaches the
/// threshold. All buffers are dense, of `voxels` elements, and aligned.
///
/// `axial`, `sagittal` or `coronal` NULL: that view is left out, and its weight with it. `weights` are the three views'; NULL: equal.
/// `probability` or `mask` NULL: not wanted. `threshold` 0: 0.5. Values beyond 0 to 1 are refused as in ggpfn_threshold.
///
/// # Safety
/// Pointers are NULL or have `voxels` elements (`weights`: 3); the results do not overlap the views.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_fuse(
    axial: *const f32,
    sagittal: *const f32,
    coronal: *const f32,
    weights: *const f64,
    voxels: usize,
    threshold: f64,
    probability: *mut f32,
    mask: *mut u8,
) -> ggpfn_status {
    enter_with_threads(|| {
        let threshold = if threshold == 0.0 { 0.5 } else { threshold };
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Fault::argument("threshold", format!("{threshold}; a number from 0 to 1 was expected")));
        }
        if voxels == 0 || voxels > isize::MAX as usize / 8 {
            return Err(Fault::argument("voxels", format!("{voxels}; the buffers' length was expected")));
        }
        // A little is always there: what the system has left is read from several of its files.
        if voxels > 1 << 18 && Attainable::now().is_some_and(|attainable| voxels as u64 > attainable.bytes / 4) {
            return Err(super::image::no_room(4 * voxels));
        }
        if probability.is_null() && mask.is_null() {
            return Err(Fault::argument("probability", "NULL, and mask too; one of them at least was expected"));
        }
        let pointers =
            [axial.cast::<c_void>(), sagittal.cast(), coronal.cast(), probability.cast_const().cast(), weights.cast()];
        if pointers.iter().zip([4, 4, 4, 4, 8]).any(|(pointer, alignment)| pointer.align_offset(alignment) != 0) {
            return Err(Fault::argument("axial", "a buffer is not aligned to its elements' size"));
        }
        // SAFETY: three numbers, or NULL.
        let given = if weights.is_null() { [1.0; 3] } else { unsafe { weights.cast::<[f64; 3]>().read() } };
        let (mut views, mut kept) = (Vec::new(), Vec::new());
        for (view, weight) in [axial, sagittal, coronal].into_iter().zip(given) {
            if !view.is_null() {
                // SAFETY: `voxels` elements, aligned.
                views.push(unsafe { ArrayView3::from_shape_ptr((1, 1, voxels), view) });
                kept.push(weight);
            }
        }
        if views.is_empty() {
            return Err(Fault::argument("axial", "all three views are NULL; one at least was expected"));
        }
        let fused = inference::fuse(&views, &kept)?;
        if !probability.is_null() {
            // SAFETY: `voxels` elements, aligned, not overlapping the views.
            unsafe { ArrayViewMut3::from_shape_ptr((1, 1, voxels), probability) }.assign(&fused);
        }
        if !mask.is_null() {
            // SAFETY: `voxels` elements, not overlapping the views.
            let mask = unsafe { ArrayViewMut3::from_shape_ptr((1, 1, voxels), mask) };
            Zip::from(mask).and(&fused).for_each(|inside, p| *inside = u8::from(f64::from(*p) >= threshold));
        }
        Ok(())
    })
}
