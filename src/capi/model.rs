//! Models: loaded, made, described, saved.

use std::ffi::{c_char, c_void};
use std::path::Path;

use super::boundary::enter;
use super::handle::{self, Handle};
use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{growing, write};
use super::text;
use crate::network::{layout, GgpfnConfig, Model, ModelConfig, WeightType};
use crate::volume::View;

/// The axial view, across the body's long axis.
pub const GGPFN_AXIAL: i32 = 0;
/// The sagittal view, from right to left.
pub const GGPFN_SAGITTAL: i32 = 1;
/// The coronal view, from front to back.
pub const GGPFN_CORONAL: i32 = 2;

/// Weights are stored as 32-bit floats.
pub const GGPFN_WEIGHTS_FLOAT32: i32 = 0;
/// Weights are stored as 16-bit IEEE floats.
pub const GGPFN_WEIGHTS_FLOAT16: i32 = 1;
/// Weights are stored as bfloat16.
pub const GGPFN_WEIGHTS_BFLOAT16: i32 = 2;

/// A trained network for each of its views. It never changes: any number of threads may use one model at the same time, and it may be
/// freed while they do.
#[allow(non_camel_case_types)]
pub struct ggpfn_model(());

impl Handle for ggpfn_model {
    type Target = Model;
    const NAME: &'static str = "ggpfn_model";
}

/// What a model is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_model_info {
    /// sizeof(ggpfn_model_info).
    pub struct_size: usize,
    /// Parameters of one view's network.
    pub parameters: u64,
    /// Bit 1 << GGPFN_AXIAL and so on: the views that it has a network for.
    pub views: i32,
    /// T: a slice's probability comes from 2T + 1 slices.
    pub t: i32,
    /// Whether slices are fused progressively (1) or at once (0).
    pub progressive: i32,
    /// Whether there is global guidance.
    pub global_guidance: i32,
    /// Hounsfield units that map to 0 and 1.
    pub window: [f64; 2],
    /// The working spacing in mm along x, y and z of the LPS frame; all 0: each image's own grid.
    pub spacing: [f64; 3],
    /// The weights of the axial, sagittal and coronal view in the fusion; 0 for a view that it does not have.
    pub view_weights: [f64; 3],
    /// Probabilities from here on are pancreas.
    pub threshold: f64,
    /// SHA-256 of the file's bytes, in hexadecimal, with a NUL at its end; 7 bytes of zeros follow.
    pub sha256: [c_char; 72],
    /// How many labels it segments; ggpfn_model_label describes them.
    pub label_count: u64,
}

growing!(ggpfn_model_info, label_count, first: sha256);

/// One of the structures that a model segments.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_label {
    /// sizeof(ggpfn_label).
    pub struct_size: usize,
    /// Probabilities from here on are this label.
    pub threshold: f64,
    /// Its value in a label map, 1 to 255.
    pub value: i32,
    /// Red, green and blue to show it in: 0xRRGGBB.
    pub colour: i32,
    /// Its name in UTF-8, with a NUL at its end.
    pub name: [c_char; 64],
    /// What it is: a code's value, its scheme (SCT: SNOMED CT) and its meaning in English, each with a NUL at its end; empty: unknown.
    pub code_value: [c_char; 32],
    /// The code's scheme.
    pub code_scheme: [c_char; 16],
    /// The code's meaning.
    pub code_meaning: [c_char; 64],
}

growing!(ggpfn_label, code_meaning);

/// Reads a model file (.safetensors). `path` is UTF-8. The model is to be freed with ggpfn_model_free.
///
/// # Safety
/// `path` is NULL or a C string; `model` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_load(path: *const c_char, model: *mut *mut ggpfn_model) -> ggpfn_status {
    enter(|| {
        handle::check_place(model, "model")?;
        // SAFETY: the caller's promises.
        unsafe {
            let path = text::take_path(path, "path")?;
            handle::give(Model::load(&path)?, model)
        }
    })
}

/// Reads a model from the bytes of a model file, which are not needed afterwards.
///
/// # Safety
/// `bytes` is NULL or has `length` bytes; `model` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_load_memory(
    bytes: *const c_void,
    length: usize,
    model: *mut *mut ggpfn_model,
) -> ggpfn_status {
    enter(|| {
        handle::check_place(model, "model")?;
        if bytes.is_null() {
            return Err(Fault::argument("bytes", "NULL; a model file's bytes were expected"));
        }
        if length > isize::MAX as usize {
            return Err(Fault::argument("length", format!("{length} bytes; no memory has as many")));
        }
        // SAFETY: not NULL, and so `length` bytes are there.
        unsafe {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
            handle::give(Model::from_bytes(bytes, Path::new("the model in memory"))?, model)
        }
    })
}

/// The model that is part of the library: three views on a 2.5 mm grid, trained on synthetic CTs, for research.
///
/// # Safety
/// `model` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_shipped(model: *mut *mut ggpfn_model) -> ggpfn_status {
    enter(|| {
        handle::check_place(model, "model")?;
        // SAFETY: the caller's promise.
        unsafe { handle::give(Model::shipped()?, model) }
    })
}

/// An untrained model, its weights drawn from `seed`. `configuration` is a JSON object with the entries of a model file's header; those
/// that are left out are the paper's. NULL: the paper's network.
///
/// # Safety
/// `configuration` is NULL or a C string; `model` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_new(
    configuration: *const c_char,
    seed: u64,
    model: *mut *mut ggpfn_model,
) -> ggpfn_status {
    enter(|| {
        handle::check_place(model, "model")?;
        // SAFETY: the caller's promises.
        unsafe {
            let config = match text::take_optional(configuration, "configuration")? {
                Some(json) => ModelConfig::from_entries(json).map_err(|text| Fault::argument("configuration", text))?,
                None => ModelConfig::default(),
            };
            handle::give(Model::new_untrained(config, seed)?, model)
        }
    })
}

/// Writes a model file; it appears whole or not at all. `weights`: GGPFN_WEIGHTS_FLOAT32, _FLOAT16 or _BFLOAT16.
///
/// # Safety
/// `path` is NULL or a C string.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_save(
    model: *const ggpfn_model,
    path: *const c_char,
    weights: i32,
) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        // SAFETY: the caller's promise.
        let path = unsafe { text::take_path(path, "path") }?;
        Ok(model.save(&path, weight_type(weights)?)?)
    })
}

/// Writes a model file's bytes to a buffer. `needed`, if not NULL, gets their number; a buffer that is too small is left as it is and
/// GGPFN_ERROR_BUFFER returned; `buffer` NULL with `capacity` 0 asks for the number alone.
///
/// # Safety
/// `buffer` is NULL or has `capacity` bytes; `needed` is NULL or writable.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_save_memory(
    model: *const ggpfn_model,
    weights: i32,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        text::check_buffer(buffer, capacity, needed)?;
        let bytes = model.to_bytes(weight_type(weights)?)?;
        if !needed.is_null() {
            // SAFETY: writable; perhaps not aligned.
            unsafe { needed.write_unaligned(bytes.len()) };
        }
        if buffer.is_null() {
            return Ok(());
        }
        if capacity < bytes.len() {
            return Err(Fault::Buffer { needed: bytes.len(), given: capacity });
        }
        // SAFETY: the buffer has at least as many bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast(), bytes.len()) };
        Ok(())
    })
}

fn weight_type(number: i32) -> Outcome<WeightType> {
    match number {
        GGPFN_WEIGHTS_FLOAT32 => Ok(WeightType::F32),
        GGPFN_WEIGHTS_FLOAT16 => Ok(WeightType::F16),
        GGPFN_WEIGHTS_BFLOAT16 => Ok(WeightType::BF16),
        other => Err(Fault::argument(
            "weights",
            format!("{other}; GGPFN_WEIGHTS_FLOAT32 (0) to GGPFN_WEIGHTS_BFLOAT16 (2) was expected"),
        )),
    }
}

/// Describes a model.
///
/// # Safety
/// `info` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_describe(model: *const ggpfn_model, info: *mut ggpfn_model_info) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        let config = model.config();
        let spacing = config.spacing.map_or([0.0; 3], |[z, y, x]| [x, y, z]);
        let value = ggpfn_model_info {
            struct_size: 0,
            parameters: layout::parameters(config) as u64,
            views: View::ALL.iter().enumerate().map(|(bit, view)| i32::from(config.views.contains(view)) << bit).sum(),
            t: config.ggpfn().map_or(0, |network| network.t as i32),
            progressive: config.ggpfn().is_some_and(GgpfnConfig::is_progressive).into(),
            global_guidance: config.ggpfn().is_some_and(GgpfnConfig::is_guided).into(),
            window: config.window,
            spacing,
            view_weights: View::ALL.map(|view| match config.views.contains(&view) {
                true => config.view_weights.get(&view).copied().unwrap_or(0.0),
                false => 0.0,
            }),
            threshold: config.threshold,
            sha256: text::fixed(model.sha256()),
            label_count: config.labels.count() as u64,
        };
        // SAFETY: the caller's promise.
        unsafe { write(info, &value) }
    })
}

/// Describes a label of a model: `index` from 0 to before label_count of ggpfn_model_info. The first is the main one: `mask` and
/// `probability` of a ggpfn_result are its.
///
/// # Safety
/// `label` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_label(
    model: *const ggpfn_model,
    index: usize,
    label: *mut ggpfn_label,
) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        let config = model.config();
        let Some(from) = config.labels.labels.get(index) else {
            return Err(Fault::argument("index", format!("{index}; the model has {} labels", config.labels.count())));
        };
        let [red, green, blue] = from.colour.map(i32::from);
        let code = from.code.as_ref();
        let value = ggpfn_label {
            struct_size: 0,
            threshold: config.threshold_of(index),
            value: i32::from(from.value),
            colour: red << 16 | green << 8 | blue,
            name: text::fixed(&from.name),
            code_value: text::fixed(code.map_or("", |code| &code.value)),
            code_scheme: text::fixed(code.map_or("", |code| &code.scheme)),
            code_meaning: text::fixed(code.map_or("", |code| &code.meaning)),
        };
        // SAFETY: the caller's promise.
        unsafe { write(label, &value) }
    })
}

/// A model's whole configuration with its provenance, as JSON (see ggpfn_last_error for the buffer).
///
/// # Safety
/// As ggpfn_last_error.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_model_configuration(
    model: *const ggpfn_model,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        let model = handle::get(model)?;
        let json = serde_json::to_string_pretty(model.config()).map_err(|e| Fault::Internal(e.to_string()))?;
        // SAFETY: the caller's promise.
        unsafe { text::give(&json, buffer, capacity, needed) }
    })
}

/// Frees a model; calls that are using it go on. NULL is let pass.
#[no_mangle]
pub extern "C" fn ggpfn_model_free(model: *mut ggpfn_model) {
    enter(|| {
        handle::free(model);
        Ok(())
    });
}

/// The view of a number.
pub(super) fn view_of(number: i32) -> Outcome<View> {
    let view = usize::try_from(number).ok().and_then(|number| View::ALL.get(number).copied());
    view.ok_or_else(|| Fault::argument("view", format!("{number}; GGPFN_AXIAL (0) to GGPFN_CORONAL (2) was expected")))
}

/// The number of a view.
pub(super) fn number_of(view: View) -> i32 {
    View::ALL.iter().position(|other| *other == view).map_or(-1, |number| number as i32)
}
