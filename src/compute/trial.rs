//! Which number format is faster on this processor, by trying it.
//!
//! Instructions for bfloat16 do not say how fast they are: with them a convolution takes half the time on one processor and one and a half
//! times as long on the next. So a small convolution like the network's is timed in both formats, on one thread, where neighbours disturb
//! least; the ratio hardly depends on the number of threads. What came out is kept for this processor and libtorch in the user's folder for
//! caches, so that all runs on a machine compute alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::threads::on_own_thread;
use crate::{files, runtime, Result};

/// How long the same convolution takes in either format.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Milliseconds in float32.
    pub f32_ms: f64,
    /// Milliseconds in bfloat16.
    pub bf16_ms: f64,
}

impl Trial {
    /// Whether bfloat16 is enough faster to be worth its rounding.
    pub fn prefers_bfloat16(&self) -> bool {
        self.bf16_ms < 0.9 * self.f32_ms
    }

    fn is_plausible(&self) -> bool {
        [self.f32_ms, self.bf16_ms].iter().all(|ms| ms.is_finite() && *ms > 0.0)
    }
}

/// What this machine is known for: from this process, from earlier ones, or tried now. None where there are no instructions for bfloat16
/// to try (libtorch imitates it then, a hundred times slower), or the trial failed.
pub fn trial() -> Option<Trial> {
    static KNOWN: OnceLock<Option<Trial>> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        if !runtime::cpu_has_fast_bfloat16() {
            return None;
        }
        let (place, key) = (place(), key());
        let kept = place.as_deref().and_then(|place| kept(place, &key));
        kept.or_else(|| anew(place.as_deref(), &key))
    })
}

/// Tries anew, whatever is kept, and keeps what comes out for the processes to come.
pub fn trial_anew() -> Option<Trial> {
    if !runtime::cpu_has_fast_bfloat16() {
        return None;
    }
    anew(place().as_deref(), &key())
}

/// Where the trials of this machine are kept; none where the user has no folder for caches.
pub fn place() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let caches = match std::env::consts::OS {
        "windows" => folder("LOCALAPPDATA"),
        "macos" => folder("HOME").map(|home| home.join("Library/Caches")),
        _ => folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache"))),
    };
    Some(caches?.join("ggpfn").join("number-format.json"))
}

fn anew(place: Option<&Path>, key: &str) -> Option<Trial> {
    let trial = measure().map_err(|error| log::debug!("number formats could not be tried: {error}")).ok()?;
    log::debug!("a convolution takes {:.2} ms in float32 and {:.2} ms in bfloat16", trial.f32_ms, trial.bf16_ms);
    if let Some(place) = place {
        if let Err(error) = keep(place, key, trial) {
            log::debug!("{error}");
        }
    }
    Some(trial)
}

/// The least of several times, the formats taking turns.
fn measure() -> Result<Trial> {
    const TURNS: usize = 9;
    on_own_thread(1, || {
        let convolution = |kind: Kind| -> Result<[Tensor; 2]> {
            let filled = |shape: [i64; 4]| -> Result<Tensor> {
                let last = Tensor::f_full(shape, 0.01, (Kind::Float, tch::Device::Cpu))?.f_to_kind(kind)?;
                Ok(last.f_permute([0, 3, 1, 2])?)
            };
            Ok([filled([2, 64, 64, 32])?, filled([32, 3, 3, 32])?])
        };
        let formats = [convolution(Kind::Float)?, convolution(Kind::BFloat16)?];
        let mut least = [f64::INFINITY; 2];
        for turn in 0..=TURNS {
            for ([x, weight], least) in formats.iter().zip(&mut least) {
                let start = Instant::now();
                let _ = x.f_conv2d(weight, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1)?;
                // The first of each is prepared while it runs.
                if turn > 0 {
                    *least = least.min(1e3 * start.elapsed().as_secs_f64());
                }
            }
        }
        Ok(Trial { f32_ms: least[0], bf16_ms: least[1] })
    })
}

/// What a trial holds for: the processor, libtorch, and what its kernels are told to use.
fn key() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let of = |name: &str| text.lines().find(|line| line.starts_with(name)).map(str::to_string);
        Some(format!("{} {}", of("model name")?, of("flags").map_or(0, |flags| flags.len())))
    });
    let told = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"].map(std::env::var_os);
    format!(
        "{} | libtorch {} | {told:?}",
        processor.unwrap_or_else(|| std::env::consts::ARCH.into()),
        runtime::Runtime::current().loaded_version
    )
}

fn all(place: &Path) -> Option<BTreeMap<String, Trial>> {
    serde_json::from_slice(&std::fs::read(place).ok()?).ok()
}

fn kept(place: &Path, key: &str) -> Option<Trial> {
    all(place)?.get(key).copied().filter(Trial::is_plausible)
}

fn keep(place: &Path, key: &str, trial: Trial) -> Result<()> {
    let mut trials = all(place).unwrap_or_default();
    trials.insert(key.into(), trial);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(|error| crate::Error::file("create", folder, error))?;
    }
    let json = serde_json::to_string_pretty(&trials).unwrap_or_default();
    files::write(place, format!("{json}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_has_to_be_worth_it() {
        let prefers = |f32_ms, bf16_ms| Trial { f32_ms, bf16_ms }.prefers_bfloat16();
        assert!(prefers(2.0, 1.0));
        assert!(!prefers(1.0, 1.5));
        assert!(!prefers(1.0, 0.97), "a tie is none");
    }

    #[test]
    fn a_trial_is_kept_for_its_processor() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("not there yet").join("formats.json");
        assert_eq!(kept(&place, "a"), None);
        let [one, two] = [(1.0, 0.5), (1.0, 2.0)].map(|(f32_ms, bf16_ms)| Trial { f32_ms, bf16_ms });
        keep(&place, "a", one).unwrap();
        keep(&place, "b", two).unwrap();
        keep(&place, "a", two).unwrap();
        keep(&place, "c", one).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|key| kept(&place, key)), [Some(two), Some(two), Some(one), None]);
        // What somebody else has written, or broken, is tried anew and replaced.
        std::fs::write(&place, "{\"a\": {\"f32_ms\": 0.0, \"bf16_ms\": -1.0}}").unwrap();
        assert_eq!(kept(&place, "a"), None);
        std::fs::write(&place, "not JSON").unwrap();
        assert_eq!(kept(&place, "b"), None);
        keep(&place, "b", one).unwrap();
        assert_eq!(kept(&place, "b"), Some(one));
    }

    #[test]
    fn both_formats_are_timed() {
        if runtime::cpu_has_fast_bfloat16() {
            assert!(measure().unwrap().is_plausible());
        }
    }
}
