//! Versions, and what the machine can do.

use std::ffi::c_char;

use super::boundary::{enter, start_threads};
use super::status::{ggpfn_status, Fault};
use super::structs::{check, growing, write};
use super::text;
use crate::runtime::Runtime;

/// The version of the interface that a program is compiled with. It changes when a program has to be compiled anew; the library file's
/// name carries it.
pub const GGPFN_ABI_VERSION: u32 = 0;
/// The version that a program is compiled with: major.
pub const GGPFN_VERSION_MAJOR: u32 = 0;
/// The version that a program is compiled with: minor.
pub const GGPFN_VERSION_MINOR: u32 = 1;
/// The version that a program is compiled with: patch.
pub const GGPFN_VERSION_PATCH: u32 = 0;

/// GGPFN_ABI_VERSION of the library that the program runs with. If it is another than the program was compiled with, use nothing else.
#[no_mangle]
pub extern "C" fn ggpfn_abi_version() -> u32 {
    GGPFN_ABI_VERSION
}

/// The version of the library that the program runs with, "0.1.0". Never NULL; the text is static and must not be freed.
#[no_mangle]
pub extern "C" fn ggpfn_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What libtorch and the machine can do.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_runtime {
    /// sizeof(ggpfn_runtime).
    pub struct_size: usize,
    /// The libtorch that the library was built for, "2.11.0".
    pub built_for: [c_char; 32],
    /// The libtorch in this process; "unknown" if it does not say.
    pub loaded: [c_char; 32],
    /// Whether the two differ, 1 or 0. Then functions that need libtorch return GGPFN_ERROR_RUNTIME.
    pub wrong_libtorch: i32,
    /// Whether the processor computes bfloat16 faster than float32.
    pub cpu_bfloat16: i32,
    /// Whether an NVIDIA driver is present.
    pub gpu_driver: i32,
    /// GPUs that can be used; -1 if that was not asked for.
    pub gpus: i32,
}

growing!(ggpfn_runtime, gpus);

/// Describes libtorch and the machine. With `load_cuda` not 0, GPUs are looked for, which loads CUDA into the process (seconds and
/// hundreds of MB) if a driver is present; otherwise CUDA is not touched.
///
/// # Safety
/// `runtime` is NULL or points to a struct of its struct_size.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_runtime_query(load_cuda: i32, runtime: *mut ggpfn_runtime) -> ggpfn_status {
    enter(|| {
        // Before CUDA is loaded for nobody.
        // SAFETY: the caller's promise.
        unsafe { check(runtime) }?;
        let found = query(load_cuda);
        let value = ggpfn_runtime {
            struct_size: 0,
            built_for: text::fixed(found.compiled_version),
            loaded: text::fixed(&found.loaded_version),
            wrong_libtorch: found.wrong_version().into(),
            cpu_bfloat16: found.cpu_bfloat16.into(),
            gpu_driver: crate::runtime::gpu_driver_present().into(),
            gpus: if load_cuda == 0 { -1 } else { i32::try_from(found.gpus.len()).unwrap_or(i32::MAX) },
        };
        // SAFETY: the caller's promise.
        unsafe { write(runtime, &value) }
    })
}

fn query(load_cuda: i32) -> Runtime {
    match load_cuda {
        0 => Runtime::current(),
        _ => {
            // CUDA does not live through a fork either.
            start_threads();
            Runtime::with_cuda()
        }
    }
}

/// The file that libtorch was loaded from, as text (see ggpfn_last_error for the buffer).
///
/// # Safety
/// As ggpfn_last_error.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_runtime_library(
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        let path = Runtime::current().library.map(|path| path.display().to_string()).unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { text::give(&path, buffer, capacity, needed) }
    })
}

/// A GPU in words, "cuda:0, NVIDIA H100, fast at bfloat16" (see ggpfn_last_error for the buffer). Loads CUDA.
///
/// # Safety
/// As ggpfn_last_error.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_runtime_gpu(
    number: i32,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        text::check_buffer(buffer, capacity, needed)?;
        let gpus = query(1).gpus;
        let gpu = usize::try_from(number).ok().and_then(|number| gpus.get(number));
        let gpu = gpu.ok_or_else(|| {
            Fault::argument("number", format!("{number}; this machine has {} usable GPUs", gpus.len()))
        })?;
        // SAFETY: the caller's promise.
        unsafe { text::give(gpu, buffer, capacity, needed) }
    })
}

/// What is wrong with libtorch, or why a GPU that is there cannot be used: sentences for people, empty if nothing is wrong (see
/// ggpfn_last_error for the buffer). `load_cuda` as for ggpfn_runtime_query.
///
/// # Safety
/// As ggpfn_last_error.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_runtime_problems(
    load_cuda: i32,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> ggpfn_status {
    enter(|| {
        text::check_buffer(buffer, capacity, needed)?;
        // SAFETY: the caller's promise.
        unsafe { text::give(&query(load_cuda).problems().join("\n"), buffer, capacity, needed) }
    })
}
