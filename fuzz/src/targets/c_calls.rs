//! Sequences of calls of the C interface. Each input is a program: a byte chooses a function, the next ones its arguments, good and bad.
//!
//! What C programs promise is kept: pointers are NULL or point to as much as they say. Buffers end at memory that nobody may touch, so that one
//! byte read or written too far is a crash. No file is written, and no network larger than the smallest is run. What takes long and is fuzzed
//! by itself, reading a model file, is done once a program at most: each begins with a model that is there already.

use std::ffi::{c_char, c_void, CString};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;

use ggpfn::capi::boundary::ggpfn_last_error;
use ggpfn::capi::evaluate::{ggpfn_comparison, ggpfn_evaluate};
use ggpfn::capi::image::{ggpfn_image, ggpfn_image_init, ggpfn_output};
use ggpfn::capi::model::*;
use ggpfn::capi::monitor::*;
use ggpfn::capi::segment::*;
use ggpfn::capi::status::{ggpfn_status, GGPFN_ERROR_INTERNAL};
use ggpfn::capi::training::*;
use ggpfn::network::{Model, WeightType};

/// Pages with a forbidden one before and behind.
struct Guarded {
    start: *mut u8,
}

const PAGE: usize = 4096;
const LENGTH: usize = 8 * PAGE;

impl Guarded {
    fn new() -> Self {
        // SAFETY: new pages; the outer ones are never touched.
        unsafe {
            let all = libc::mmap(
                null_mut(),
                LENGTH + 2 * PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(all != libc::MAP_FAILED);
            let start = all.cast::<u8>().add(PAGE);
            assert_eq!(libc::mprotect(start.cast(), LENGTH, libc::PROT_READ | libc::PROT_WRITE), 0);
            Guarded { start }
        }
    }

    /// The last so many bytes, or the first ones.
    fn bytes(&self, length: usize, last: bool) -> *mut u8 {
        assert!(length <= LENGTH);
        // SAFETY: within the pages.
        unsafe { self.start.add(if last { LENGTH - length } else { 0 }) }
    }
}

/// What is made once: buffers, and a model file.
struct Stock {
    /// An image, another one, and results.
    buffers: [Guarded; 6],
    models: [Vec<u8>; 2],
}

// SAFETY: a fuzz target runs on one thread.
unsafe impl Sync for Stock {}
unsafe impl Send for Stock {}

const SMALLEST: &str = r#"{"t": 1, "widths": [1, 1, 1, 1], "global_widths": null, "views": ["axial"]}"#;
/// One with a global branch.
const SMALL: &str = r#"{"t": 1, "widths": [1, 1, 1, 1], "global_widths": [1, 1, 1, 1, 1], "views": ["axial"],
    "global_size": {"axial": [32, 32]}}"#;

/// A model that is there when a program begins; made anew after one that freed it.
fn standing(stock: &Stock) -> *mut ggpfn_model {
    static HANDLE: AtomicUsize = AtomicUsize::new(0);
    let mut handle = HANDLE.load(Relaxed) as *mut ggpfn_model;
    let mut info: ggpfn_model_info = zeroed();
    info.struct_size = size_of::<ggpfn_model_info>();
    // SAFETY: the struct has its size.
    if unsafe { ggpfn_model_describe(handle, &mut info) } != 0 {
        let bytes = stock.models[0].as_slice();
        // SAFETY: as many bytes.
        assert_eq!(unsafe { ggpfn_model_load_memory(bytes.as_ptr().cast(), bytes.len(), &mut handle) }, 0);
        HANDLE.store(handle as usize, Relaxed);
    }
    handle
}

fn stock() -> &'static Stock {
    static STOCK: OnceLock<Stock> = OnceLock::new();
    STOCK.get_or_init(|| {
        let models = [SMALLEST, SMALL].map(|entries| {
            let config = ggpfn::network::ModelConfig::from_entries(entries).unwrap();
            Model::new_untrained(config, 1).unwrap().to_bytes(WeightType::F16).unwrap()
        });
        Stock { buffers: std::array::from_fn(|_| Guarded::new()), models }
    })
}

/// A monitor that has all work stopped.
fn cancelled() -> *mut ggpfn_monitor {
    static HANDLE: OnceLock<usize> = OnceLock::new();
    *HANDLE.get_or_init(|| {
        let mut made = null_mut();
        // SAFETY: a place for the handle.
        assert_eq!(unsafe { ggpfn_monitor_new(&mut made) } | ggpfn_monitor_cancel(made), 0);
        made as usize
    }) as *mut ggpfn_monitor
}

/// The rest of the input; 0 for ever at its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    fn rarely(&mut self) -> bool {
        self.byte() > 240
    }

    fn count(&mut self) -> usize {
        let small = usize::from(self.byte());
        match self.byte() {
            0..=230 => small % 12,
            231..=245 => small,
            246..=250 => small << 24,
            _ => usize::MAX - small,
        }
    }

    fn integer(&mut self) -> i32 {
        let small = i32::from(self.byte());
        match self.byte() {
            0..=220 => small % 11,
            221..=240 => -small,
            _ => self.choose(&[i32::MAX, i32::MIN, 4711, 1 << 16]),
        }
    }

    fn stride(&mut self) -> i64 {
        let small = i64::from(self.byte());
        match self.byte() {
            0..=200 => small,
            201..=235 => -small,
            236..=245 => small * 512,
            _ => self.choose(&[i64::MAX, i64::MIN, 1 << 40]),
        }
    }

    fn number(&mut self) -> f64 {
        let small = f64::from(self.byte());
        match self.byte() {
            0..=200 => small / 100.0,
            201..=230 => -small,
            _ => self.choose(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, 5e-324, 0.0, 1.0]),
        }
    }

    fn text(&mut self) -> CString {
        let length = usize::from(self.byte()).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        CString::new(text.iter().copied().filter(|byte| *byte != 0).collect::<Vec<_>>()).unwrap()
    }

    fn size(&mut self, right: usize) -> usize {
        match self.byte() {
            0..=235 => right,
            236..=245 => self.count() % (right + 1),
            _ => self.count(),
        }
    }

    fn image(&mut self, buffer: &Guarded) -> ggpfn_image {
        let bytes = usize::from(self.byte()) * 32;
        let last = self.byte() & 1 == 1;
        let fill = self.byte();
        let data = buffer.bytes(bytes, last);
        // SAFETY: the buffer has them.
        unsafe { std::ptr::write_bytes(data, fill, bytes) };
        if bytes > 0 && self.byte() > 100 {
            for n in 0..64 {
                let at = n * 37 % bytes;
                // SAFETY: within the buffer.
                unsafe { data.add(at).write(self.byte()) };
            }
        }
        let mut image = ggpfn_image {
            struct_size: self.size(size_of::<ggpfn_image>()),
            data: if self.rarely() { null() } else { data.cast() },
            data_bytes: bytes,
            dtype: self.integer(),
            frame: self.integer() % 3,
            size: std::array::from_fn(|_| self.count()),
            strides: [0; 3],
            spacing: [1.0, 1.5, 2.0],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        if self.byte() > 180 {
            image.strides = std::array::from_fn(|_| self.stride());
            image.data = first_voxel(data, bytes, image.size, image.strides).cast();
        }
        if self.byte() > 200 {
            image.spacing = std::array::from_fn(|_| self.number());
            image.origin = std::array::from_fn(|_| self.number());
        }
        if self.byte() > 220 {
            image.direction = std::array::from_fn(|_| self.number());
        }
        image
    }

    fn output(&mut self, buffer: &Guarded, size: [usize; 3]) -> ggpfn_output {
        let bytes = usize::from(self.byte()) * 32;
        let mut output = ggpfn_output { data: buffer.bytes(bytes, true).cast(), data_bytes: bytes, strides: [0; 3] };
        if self.byte() > 180 {
            output.strides = std::array::from_fn(|_| self.stride());
            output.data = first_voxel(output.data.cast(), bytes, size, output.strides).cast();
        }
        if self.byte() > 128 {
            output.data = null_mut();
        }
        output
    }

    fn options(&mut self) -> ggpfn_segment_options {
        let mut options: ggpfn_segment_options = zeroed();
        options.struct_size = self.size(size_of::<ggpfn_segment_options>());
        options.device = self.choose(&[0, 1, 1, 1, 3, -1]);
        if self.byte() > 100 {
            options.views = self.integer();
            options.precision = self.choose(&[0, 1, 2, 3]);
            options.threads = self.choose(&[0, 1, 2, -1]);
            options.block = self.integer();
            options.patch = [self.integer().wrapping_mul(8), self.integer().wrapping_mul(8)];
            options.overlap = self.integer();
            options.largest_component = self.integer();
            options.view_weights = std::array::from_fn(|_| self.number());
            options.threshold = self.number();
            options.region_start = std::array::from_fn(|_| self.count());
            options.region_size = std::array::from_fn(|_| self.count());
        }
        options
    }
}

/// Where voxel (0, 0, 0) lies in a buffer that its other voxels fill from below: strides may be negative. In a buffer that is too small for
/// them it does not matter, since that is refused.
fn first_voxel(lowest: *mut u8, bytes: usize, size: [usize; 3], strides: [i64; 3]) -> *mut u8 {
    let below = size.iter().zip(strides).map(|(size, stride)| match stride {
        0.. => 0,
        _ => i128::from(stride).unsigned_abs() * size.saturating_sub(1) as u128,
    });
    match usize::try_from(below.fold(0, u128::saturating_add)) {
        // SAFETY: within the buffer.
        Ok(below) if below <= bytes => unsafe { lowest.add(below) },
        _ => lowest,
    }
}

fn zeroed<T>() -> T {
    // SAFETY: for the structs of the C interface all bits zero is a value; nothing else is asked for.
    unsafe { std::mem::zeroed() }
}

/// How often a program did what takes milliseconds.
#[derive(Default)]
struct Heavy {
    models: u32,
    segmentations: u32,
}

impl Heavy {
    /// Whether a model may be read in full: now and then, and once a program.
    fn may_read(&mut self, input: &mut Input) -> bool {
        let may = input.byte() < 16 && self.models == 0;
        self.models += u32::from(may);
        may
    }
}

/// Handles that were given out, freed ones too.
#[derive(Default)]
struct Handles {
    models: Vec<*mut ggpfn_model>,
    monitors: Vec<*mut ggpfn_monitor>,
    trainings: Vec<*mut ggpfn_training>,
}

fn pick<T, O>(handles: &[*mut T], others: &[*mut O], input: &mut Input) -> *mut T {
    match input.byte() {
        0..=230 if !handles.is_empty() => handles[usize::from(input.byte()) % handles.len()],
        231..=240 if !others.is_empty() => others[0].cast(),
        241..=250 => usize::from(input.byte()) as *mut T,
        _ => null_mut(),
    }
}

/// Runs a program.
pub fn run(bytes: &[u8]) {
    let input = &mut Input(bytes);
    let stock = stock();
    let own = standing(stock);
    let mut handles = Handles { models: vec![own], ..Handles::default() };
    let mut heavy = Heavy::default();
    for _ in 0..24 {
        if input.0.is_empty() {
            break;
        }
        // SAFETY: what C programs promise is kept.
        let status = unsafe { call(input, stock, &mut handles, &mut heavy) };
        assert_ne!(status, GGPFN_ERROR_INTERNAL, "{}", last_error());
    }
    handles.models.iter().filter(|model| **model != own).for_each(|model| ggpfn_model_free(*model));
    handles.monitors.iter().for_each(|monitor| ggpfn_monitor_free(*monitor));
    handles.trainings.iter().for_each(|training| ggpfn_training_free(*training));
}

fn last_error() -> String {
    let mut text = [0_u8; 512];
    // SAFETY: the buffer has as many bytes.
    unsafe { ggpfn_last_error(text.as_mut_ptr().cast(), text.len(), null_mut()) };
    String::from_utf8_lossy(&text).trim_end_matches('\0').to_string()
}

// All of it is calls of C functions.
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn call(input: &mut Input, stock: &Stock, handles: &mut Handles, heavy: &mut Heavy) -> ggpfn_status {
    let [first, second, mask, floats, more, texts] = &stock.buffers;
    let capacity = usize::from(input.byte());
    let text: *mut c_char = texts.bytes(capacity, true).cast();
    let mut needed = 0_usize;
    let model = pick(&handles.models, &handles.monitors, input);
    let monitor = pick(&handles.monitors, &handles.models, input);
    let training = pick(&handles.trainings, &handles.models, input);
    match input.byte() % 32 {
        0 => {
            let mut made = null_mut();
            let mut bytes =
                input.choose(&[&stock.models[0], &stock.models[0], &stock.models[0], &stock.models[1]]).clone();
            if !heavy.may_read(input) {
                bytes.truncate(64);
            }
            // Whole or cut off: bytes that are changed are what the target of model files is for, and would draw all mutations to them.
            bytes.truncate(bytes.len() - input.count().min(bytes.len()));
            let status = ggpfn_model_load_memory(bytes.as_ptr().cast::<c_void>(), bytes.len(), &mut made);
            handles.models.push(made);
            status
        }
        1 => {
            let mut made = null_mut();
            let configuration = CString::new(if heavy.may_read(input) { SMALLEST } else { "{\"t\": 0}" }).unwrap();
            let status = ggpfn_model_new(configuration.as_ptr(), input.count() as u64, &mut made);
            handles.models.push(made);
            status
        }
        2 => {
            let mut made = null_mut();
            let status = ggpfn_monitor_new(if input.rarely() { null_mut() } else { &mut made });
            handles.monitors.push(made);
            status
        }
        3 => {
            let mut made = null_mut();
            let options = input.text();
            let status = ggpfn_training_new(if input.rarely() { null() } else { options.as_ptr() }, &mut made);
            handles.trainings.push(made);
            status
        }
        4 => ggpfn_monitor_cancel(monitor),
        5 => ggpfn_monitor_reset(monitor),
        6 => {
            let mut cancelled = 0;
            ggpfn_monitor_is_cancelled(monitor, &mut cancelled)
        }
        7 => {
            let mut progress: ggpfn_progress = zeroed();
            progress.struct_size = input.size(size_of::<ggpfn_progress>());
            ggpfn_monitor_progress(monitor, &mut progress)
        }
        8 => {
            let mut info: ggpfn_model_info = zeroed();
            info.struct_size = input.size(size_of::<ggpfn_model_info>());
            ggpfn_model_describe(model, &mut info)
        }
        9 => ggpfn_model_configuration(model, text, capacity, &mut needed),
        10 => {
            let room = more.bytes(LENGTH, true);
            ggpfn_model_save_memory(model, input.integer(), room.cast(), input.choose(&[0, 1, LENGTH]), &mut needed)
        }
        11 => {
            ggpfn_model_free(model);
            0
        }
        12 => {
            ggpfn_monitor_free(monitor);
            0
        }
        13 => {
            ggpfn_training_free(training);
            0
        }
        14 => {
            let mut image: ggpfn_image = zeroed();
            ggpfn_image_init(&mut image, input.size(size_of::<ggpfn_image>()).min(size_of::<ggpfn_image>()))
        }
        15 => {
            let mut options: ggpfn_segment_options = zeroed();
            let size = size_of::<ggpfn_segment_options>();
            ggpfn_segment_options_init(&mut options, input.size(size).min(size))
        }
        16..=18 => {
            let (prediction, truth) = (input.image(first), input.image(second));
            let mut comparison: ggpfn_comparison = zeroed();
            comparison.struct_size = input.size(size_of::<ggpfn_comparison>());
            ggpfn_evaluate(&prediction, &truth, &mut comparison)
        }
        19..=21 => {
            // Dense floats of as many voxels: where the image claims more than the buffers have, they are not given.
            let image = input.image(first);
            let voxels = image.size.iter().try_fold(1_usize, |n, side| n.checked_mul(*side));
            let Some(voxels) = voxels.filter(|voxels| *voxels <= LENGTH / 4) else { return 0 };
            let mut measurements: ggpfn_measurements = zeroed();
            measurements.struct_size = input.size(size_of::<ggpfn_measurements>());
            let measurements: *mut ggpfn_measurements = if input.rarely() { null_mut() } else { &mut measurements };
            let given = floats.bytes(voxels * 4, true);
            let fill = input.byte();
            std::ptr::write_bytes(given, fill, voxels * 4);
            let threshold = input.number();
            ggpfn_threshold(&image, given.cast(), threshold, input.integer(), mask.bytes(voxels, true), measurements)
        }
        22 => {
            let voxels = input.count();
            if voxels > LENGTH / 4 {
                return 0;
            }
            let views = [floats, more, second].map(|buffer| match input.byte() {
                0..=180 => buffer.bytes(voxels * 4, true).cast::<f32>().cast_const(),
                _ => null(),
            });
            let weights: [f64; 3] = std::array::from_fn(|_| input.number());
            let result = first.bytes(voxels * 4, true).cast();
            let threshold = input.number();
            ggpfn_fuse(
                views[0],
                views[1],
                views[2],
                if input.rarely() { null() } else { weights.as_ptr() },
                voxels,
                threshold,
                result,
                mask.bytes(voxels, true),
            )
        }
        23 => {
            let (image, options) = (input.image(first), input.options());
            let mut memory: ggpfn_memory = zeroed();
            memory.struct_size = input.size(size_of::<ggpfn_memory>());
            ggpfn_estimate_memory(model, &image, &options, null(), &mut memory)
        }
        24 | 25 => {
            let (image, options) = (input.image(first), input.options());
            let mut measurements: ggpfn_measurements = zeroed();
            measurements.struct_size = input.size(size_of::<ggpfn_measurements>());
            let result = ggpfn_result {
                struct_size: input.size(size_of::<ggpfn_result>()),
                mask: input.output(mask, image.size),
                probability: input.output(floats, image.size),
                view_probability: [input.output(more, image.size), input.output(second, image.size), zeroed()],
                uncertainty: zeroed(),
                measurements: &mut measurements,
                label_map: input.output(mask, image.size),
                labels: null_mut(),
                label_count: input.count(),
            };
            // A segmentation takes milliseconds, a refused one none: one that may go through is enough.
            heavy.segmentations += 1;
            let monitor = if heavy.segmentations > 1 { cancelled() } else { monitor };
            ggpfn_segment(model, &image, &options, &result, monitor)
        }
        26 => {
            let mut kind = 0;
            ggpfn_result_warning(input.count(), &mut kind, text, capacity, &mut needed)
        }
        27 => ggpfn_training_set_model(training, model, input.integer()),
        28 => ggpfn_training_set_device(training, input.integer(), input.integer()),
        29 => ggpfn_training_set_minutes(training, input.number()),
        30 => {
            let name = input.text();
            let (image, truth) = (input.image(first), input.image(second));
            let role = input.integer();
            ggpfn_training_add_case(training, name.as_ptr(), &image, &truth, role)
        }
        _ => ggpfn_training_options(training, text, capacity, &mut needed),
    }
}
