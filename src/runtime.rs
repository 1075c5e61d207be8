//! Which libtorch this process runs on, what it can do, and what is wrong with it.
//!
//! A process has one libtorch. A host program may have brought another one than this library was built for: the loader then
//! uses that in silence. So the loaded one is asked for its version. CUDA's part of libtorch is large and slow to load;
//! it is loaded when a GPU is asked for, not before.

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
            loaded_version: loader::loaded_version().map_or("unknown".into(), |[a, b, c]| format!("{a}.{b}.{c}")),
            library: loader::loaded_from(),
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
                Ok(count) => runtime.gpus = (0..count).map(describe_gpu).collect(),
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
                "this process runs on libtorch {}{}, but ggpfn was built for {}; let the program ggpfn work in a process of its own (in \
                 Python: ggpfn.open_engine(\"child process\")), or have the host use torch {}; where LD_LIBRARY_PATH leads to the other \
                 libtorch, unset it",
                self.loaded_version,
                self.library.as_ref().map_or(String::new(), |path| format!(" ({})", path.display())),
                self.compiled_version,
                self.compiled_version
            ));
        }
        problems.extend(self.cuda_fault.clone());
        problems
    }
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
    let file = format!("{}torch_cuda{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    // Beside the part that is loaded, not by name alone: another libtorch's would not fit.
    let beside = loader::loaded_from().map(|path| path.with_file_name(&file));
    let path = beside.filter(|path| path.exists()).ok_or_else(|| {
        format!(
            "this libtorch is built without CUDA; install torch {LIBTORCH_VERSION} with CUDA, `cargo xtask setup --full` in a \
             checkout"
        )
    })?;
    loader::open(&path).map_err(|message| {
        format!(
            "libtorch's CUDA part cannot be loaded ({message}); install its CUDA packages: `pip install torch=={LIBTORCH_VERSION}`, \
             or `cargo xtask setup --full` in a checkout"
        )
    })
}

/// Whether a GPU computes bfloat16 fast: since compute capability 8 (2020). If the driver does not tell, yes: what is slow
/// still computes the same.
pub fn gpu_has_fast_bfloat16(number: usize) -> bool {
    loader::gpu(number).is_none_or(|(_, capability)| capability >= 8)
}

/// A GPU in words: "cuda:0, NVIDIA H100, fast at bfloat16".
fn describe_gpu(number: usize) -> String {
    let name = loader::gpu(number).map_or(String::new(), |(name, _)| format!(", {name}"));
    let speed = if gpu_has_fast_bfloat16(number) { ", fast at bfloat16" } else { "" };
    format!("cuda:{number}{name}{speed}")
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

/// Questions to the system's loader, and by it to libraries that are there at run time only.
#[cfg(unix)]
mod loader {
    use std::ffi::{c_char, c_int, c_void, CStr, CString};
    use std::mem::{transmute, MaybeUninit};
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;

    /// Exported as C by libtorch; it takes nothing and returns the version.
    const VERSION: &CStr = c"aoti_torch_abi_version";

    /// The version of the libtorch in this process.
    pub fn loaded_version() -> Option<[u64; 3]> {
        let symbol = symbol(libc::RTLD_DEFAULT, VERSION)?;
        // SAFETY: the signature is libtorch's, in torch/csrc/inductor/aoti_torch/c/shim.h.
        let version = unsafe { transmute::<*mut c_void, extern "C" fn() -> u64>(symbol) }();
        // One byte each from the top: major, minor, patch.
        Some([version >> 56 & 0xff, version >> 48 & 0xff, version >> 40 & 0xff])
    }

    /// The file that it was loaded from, which stays the same: asked once, since the loader goes through all names of a large library for it.
    pub fn loaded_from() -> Option<PathBuf> {
        static FOUND: OnceLock<PathBuf> = OnceLock::new();
        if FOUND.get().is_none() {
            find().into_iter().for_each(|path| drop(FOUND.set(path)));
        }
        FOUND.get().cloned()
    }

    fn find() -> Option<PathBuf> {
        let symbol = symbol(libc::RTLD_DEFAULT, VERSION)?;
        let mut found = MaybeUninit::<libc::Dl_info>::uninit();
        // SAFETY: dladdr fills the struct if it returns something else than 0; the name lives as long as the library.
        let name = unsafe {
            if libc::dladdr(symbol, found.as_mut_ptr()) == 0 {
                return None;
            }
            let name = found.assume_init().dli_fname;
            (!name.is_null()).then(|| CStr::from_ptr(name))?
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        Some(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()))
    }

    /// Loads a library for the rest of the process's life.
    pub fn open(path: &Path) -> Result<(), String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        dlopen(&name, libc::RTLD_NOW | libc::RTLD_GLOBAL).map(|_| ())
    }

    fn dlopen(name: &CStr, flags: c_int) -> Result<*mut c_void, String> {
        // SAFETY: the name is a C string; the libraries opened here run nothing but their own set-up.
        let handle = unsafe { libc::dlopen(name.as_ptr(), flags) };
        if !handle.is_null() {
            return Ok(handle);
        }
        // SAFETY: dlerror gives null or a string that is valid until the next such call on this thread.
        let message = unsafe {
            let text = libc::dlerror();
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        Err(message.unwrap_or_else(|| "no reason given".into()))
    }

    fn symbol(handle: *mut c_void, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the handle is one of dlopen's or stands for everything that is loaded; the name is a C string.
        let symbol = unsafe { libc::dlsym(handle, name.as_ptr()) };
        (!symbol.is_null()).then_some(symbol)
    }

    /// A GPU's name and the first number of its compute capability, from the driver; libtorch's interface for Rust tells
    /// neither. The driver counts like libtorch: both follow CUDA_VISIBLE_DEVICES.
    pub fn gpu(number: usize) -> Option<(String, c_int)> {
        type Init = unsafe extern "C" fn(u32) -> c_int;
        type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
        type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
        type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
        /// CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
        const CAPABILITY: c_int = 75;

        let number = c_int::try_from(number).ok()?;
        let driver = dlopen(c"libcuda.so.1", libc::RTLD_NOW | libc::RTLD_LOCAL).ok()?;
        let [init, get, name, attribute] = [c"cuInit", c"cuDeviceGet", c"cuDeviceGetName", c"cuDeviceGetAttribute"]
            .map(|function| symbol(driver, function));
        let (mut device, mut capability, mut text) = (0, 0, [0u8; 256]);
        // SAFETY: the signatures are those of the driver's interface, unchanged since CUDA 2; each result is 0 on success, and
        // every pointer is to a variable above, the name's with its length.
        let fine = unsafe {
            transmute::<*mut c_void, Init>(init?)(0) == 0
                && transmute::<*mut c_void, Get>(get?)(&mut device, number) == 0
                && transmute::<*mut c_void, Name>(name?)(text.as_mut_ptr().cast(), 256, device) == 0
                && transmute::<*mut c_void, Attribute>(attribute?)(&mut capability, CAPABILITY, device) == 0
        };
        let name = CStr::from_bytes_until_nul(&text).ok()?.to_string_lossy().into_owned();
        fine.then_some((name, capability))
    }
}

/// Where the loader is another one, nothing is known: libtorch's CUDA part has to be linked in there.
#[cfg(not(unix))]
mod loader {
    use std::path::{Path, PathBuf};

    pub fn loaded_version() -> Option<[u64; 3]> {
        None
    }

    pub fn loaded_from() -> Option<PathBuf> {
        None
    }

    pub fn open(_: &Path) -> Result<(), String> {
        Err("not supported on this system".into())
    }

    pub fn gpu(_: usize) -> Option<(String, i32)> {
        None
    }
}

/// Lets the C library's allocator keep the memory of large feature maps, in one place for all threads, instead of giving it back after
/// every layer and asking for zeroed pages again before the next: a third of the time for large slices.
///
/// Blocks of more than `largest` bytes go back all the same: those kept are of many sizes, and what lies between them is lost, which can
/// double what a training takes.
///
/// It changes the whole process and holds on to memory, so it is for programs that do nothing else, to be called first of all. The
/// library never does it by itself.
pub fn keep_freed_memory(largest: usize) {
    // Sound: mallopt only sets parameters of the C library's allocator.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, largest.min(1 << 30) as i32);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
