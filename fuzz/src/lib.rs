//! The targets and their seeds, for the programs of `cargo fuzz`.

pub mod seeds;
pub mod targets;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder of this process alone, in memory where the system has such a place; it goes when the process ends. `target` is what will run.
pub fn scratch(target: &str) -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(folder) = FOLDER.get() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = base.join(format!("ggpfn-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // What is done in parallel elsewhere is done on this thread: handing it over takes longer than doing it. Where the target waits for
        // threads of its own, this one could not do it meanwhile.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        let waits = ["worker", "c_calls"].contains(&target);
        (if waits { pool } else { pool.use_current_thread() }).build_global().unwrap();
        // SAFETY: the function stays for the whole life of the process.
        unsafe { libc::atexit(remove) };
        folder
    })
}

/// The `main` of a target.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            let (_, target) = $crate::targets::ALL.iter().find(|(name, _)| *name == stringify!($name)).unwrap();
            target($crate::scratch(stringify!($name)), input)
        });
    };
}
