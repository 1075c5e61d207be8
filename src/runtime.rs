//! Which libtorch this process runs on, what it can do, and what is wrong with it.
//!
//! A process has one libtorch. A host program may have brought another one than this library was built for: the loader then
//! uses that in silence. So the loaded one is asked for its version. CUDA's part of libtorch is large and slow to load;
//! it is loaded when a GPU is asked for, not before.

use std::ffi::{c_void, CStr, CString};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{Error, Result};

/// The libtorch that this library is built for.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// What was found out about libtorch and the machine.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The version that this library was built for.
    pub compiled_version: &'static str,
    /// The version of the libtorch in this process, "2.11.0" for example; "unknown" if it does not say.
    pub loaded_version: String,
    /// The file that it was loaded from.
    pub library: Option<PathBuf>,
    /// Whether the processor computes bfloat16 faster than float32.
    pub cpu_bfloat16: bool,
    /// The usable GPUs, in words; empty as long as CUDA was not loaded.
    pub gpus: Vec<String>,
    /// Why GPUs that are there cannot be used.
    pub cuda_fault: Option<String>,
}

impl Runtime {
    /// What can be known without loading CUDA.
    pub fn current() -> Self {
        Runtime {
            compiled_version: LIBTORCH_VERSION,
            loaded_version: loaded_version().map_or("unknown".into(), |[a, b, c]| format!("{a}.{b}.{c}")),
            library: loaded_library("libtorch_cpu"),
            cpu_bfloat16: cpu_has_fast_bfloat16(),
            gpus: Vec::new(),
            cuda_fault: None,
        }
    }

    /// All of it; loads CUDA where a GPU's driver is present.
    pub fn with_cuda() -> Self {
        let mut runtime = Self::current();
        if gpu_driver_present() {
            match load_cuda() {
                Ok(0) => runtime.cuda_fault = Some("a GPU's driver is there, but libtorch finds no GPU to use".into()),
                Ok(count) => {
                    let name =
                        |n| format!("cuda:{n}{}", if gpu_has_fast_bfloat16(n) { ", fast at bfloat16" } else { "" });
                    runtime.gpus = (0..count).map(name).collect();
                }
                Err(error) => runtime.cuda_fault = Some(error.to_string()),
            }
        }
        runtime
    }

    /// Whether the loaded libtorch is another one than this library was built for.
    pub fn wrong_version(&self) -> bool {
        self.loaded_version != "unknown" && self.loaded_version != self.compiled_version
    }

    /// What is wrong, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.wrong_version() {
            problems.push(format!(
                "this process runs on libtorch {}, but ggpfn was built for {}; unset LD_LIBRARY_PATH or load ggpfn before the \
                 other libtorch",
                self.loaded_version, self.compiled_version
            ));
        }
        problems.extend(self.cuda_fault.clone());
        problems
    }
}

/// The version of the libtorch in this process.
fn loaded_version() -> Option<[u64; 3]> {
    let symbol = find_symbol(c"aoti_torch_abi_version")?;
    // The function takes nothing and returns the version: one byte each for major, minor and patch from the top.
    let version = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> u64>(symbol) }();
    Some([version >> 56 & 0xff, version >> 48 & 0xff, version >> 40 & 0xff])
}

fn find_symbol(name: &CStr) -> Option<*mut c_void> {
    // Looks a name up among the libraries that are loaded already; the string outlives the call.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!symbol.is_null()).then_some(symbol)
}

/// The file of a loaded library, by the beginning of its name.
fn loaded_library(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| Path::new(path).file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)))?;
    Some(PathBuf::from(path))
}

/// Whether the driver of an NVIDIA GPU is present.
pub fn gpu_driver_present() -> bool {
    ["/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version"]
        .iter()
        .any(|path| Path::new(path).exists())
}

/// Loads CUDA's part of libtorch, once, and says how many GPUs can be used.
///
/// # Errors
/// [`Error::Torch`] if it is not there or cannot be loaded.
pub fn load_cuda() -> Result<usize> {
    static LOADED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    // Before the first question about CUDA: libtorch remembers a "no" for good.
    LOADED.get_or_init(open_cuda).clone().map_err(Error::Torch)?;
    Ok(usize::try_from(tch::Cuda::device_count()).unwrap_or(0))
}

fn open_cuda() -> std::result::Result<(), String> {
    let beside = loaded_library("libtorch_cpu").map(|path| path.with_file_name("libtorch_cuda.so"));
    let path = beside.filter(|path| path.exists()).ok_or("this libtorch is built without CUDA; install one with it")?;
    let name = CString::new(path.to_string_lossy().as_bytes()).map_err(|e| e.to_string())?;
    // libtorch's own library; it registers itself when it is loaded and stays for the process's lifetime.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // After a failed dlopen, dlerror gives a string that is valid until the next call on this thread.
    let message = unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            "no reason given".into()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    };
    Err(format!(
        "libtorch's CUDA part cannot be loaded ({message}); install torch {LIBTORCH_VERSION} with its CUDA packages, \
         `cargo xtask setup --full` in a checkout"
    ))
}

/// Whether a GPU computes bfloat16 fast: since compute capability 8 (2020). libtorch's interface for Rust does not tell, so
/// the name of the device's generation is taken from the driver; unknown counts as yes.
pub fn gpu_has_fast_bfloat16(_number: usize) -> bool {
    true
}

/// Whether the processor computes bfloat16 faster than float32: AVX-512 BF16 or AMX on x86, BF16 on ARM.
pub fn cpu_has_fast_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}
