//! libtorch work on threads that the library owns.
//!
//! libtorch keeps the number of its threads and whether gradients are recorded per thread, and a host program has its own
//! ideas of both. Work that runs on a thread of ours leaves the host's as they were. The threads have the default floating-point
//! environment, and so do those that libtorch makes from them.

use std::panic::AssertUnwindSafe;
use std::thread::ScopedJoinHandle;

use crate::{float_environment, Error, Result};

/// Runs `work` on a new thread, without gradients and with `threads` threads within each operation, and waits for it.
///
/// # Errors
/// What `work` returns; [`Error::Torch`] if it panics, which only a fault of the library's own can make it do.
pub(crate) fn on_own_thread<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let mut results = on_own_threads(threads, [work], || {});
    results.pop().unwrap_or_else(|| Err(Error::Torch("no work was given".into())))
}

/// Runs each of `works` on a new thread, as [`on_own_thread`] does, all side by side, and `meanwhile` on this one; gives their results, in
/// order, when all have ended.
pub(crate) fn on_own_threads<T: Send, W: FnOnce() -> Result<T> + Send>(
    threads: usize,
    works: impl IntoIterator<Item = W>,
    meanwhile: impl FnOnce(),
) -> Vec<Result<T>> {
    std::thread::scope(|scope| {
        let start = |work: W| {
            std::thread::Builder::new().name("ggpfn".into()).spawn_scoped(scope, move || {
                float_environment::set_default();
                // The count is also what threads that libtorch has not seen yet start with: put it back.
                let before = tch::get_num_threads();
                tch::set_num_threads(threads as i32);
                let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    let _without_gradients = tch::no_grad_guard();
                    work()
                }));
                tch::set_num_threads(before);
                result
            })
        };
        let workers: Vec<_> = works.into_iter().map(start).collect();
        meanwhile();
        let result = |worker: std::io::Result<ScopedJoinHandle<_>>| match worker {
            Err(e) => Err(Error::Memory(format!("the system gave no thread to compute on ({e})"))),
            Ok(worker) => match worker.join() {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) | Err(panic) => {
                    Err(Error::Torch(format!("a fault of ggpfn's own, please report it: {}", text(&*panic))))
                }
            },
        };
        workers.into_iter().map(result).collect()
    })
}

pub(crate) fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|s| s.to_string());
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// Gives the memory that the network's feature maps took back to the system. The C library's allocator would keep much of it for
/// the process, which a host program that segments once in a while has better uses for.
///
/// After work on a GPU, the memory there too: the allocator would keep it until the process ends, and another program could not run.
pub(crate) fn give_memory_back(gpu: bool) {
    if gpu {
        extern "C" {
            /// gpu_memory.cpp
            fn ggpfn_cpp_empty_gpu_cache();
        }
        // Sound: it takes nothing, gives nothing and throws nothing.
        unsafe { ggpfn_cpp_empty_gpu_cache() };
    }
    // Sound: it only returns free pages, whoever freed them.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}
