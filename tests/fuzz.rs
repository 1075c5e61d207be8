//! The fuzz targets of `fuzz/`, driven by a fixed sequence of mutations of their seeds: the same inputs each time. `cargo xtask fuzz` has
//! coverage guide them, which takes a build of its own.

#[path = "common/needs.rs"]
mod needs;
#[path = "../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers that readers get wrong.
const NUMBERS: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
/// Words that headers are made of.
const WORDS: [&str; 12] = ["-1", "0", "1e999", "nan", "999999999999", " ", "\n", ":=", "LOCAL", "gzip", "{", "\""];

/// Changes an input in a few places.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..5) {
        if input.is_empty() {
            return input.extend_from_slice(other);
        }
        // Mostly in the header, where the harm is done.
        let reach = if random.random_bool(0.7) { input.len().min(400) } else { input.len() };
        let at = random.random_range(0..reach);
        let end = (at + random.random_range(1..40)).min(input.len());
        match random.random_range(0..9) {
            0 => input[at] ^= 1 << random.random_range(0..8),
            1 => input[at] = random.random(),
            2 => {
                let number = NUMBERS[random.random_range(0..NUMBERS.len())];
                let bytes = if random.random() { number.to_le_bytes() } else { number.to_be_bytes() };
                let width = 1 << random.random_range(0..4);
                let bytes = if bytes[0] == 0 { &bytes[8 - width..] } else { &bytes[..width] };
                input.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new);
            }
            3 => drop(input.drain(at..end)),
            4 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let word = WORDS[random.random_range(0..WORDS.len())];
                let cut = if random.random() { at } else { end };
                input.splice(at..cut, word.bytes());
            }
            6 => input.truncate(at.max(1)),
            7 => {
                // A digit for a digit.
                if let Some(digit) = input[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + random.random_range(0..10);
                }
            }
            _ => {
                let from = at.min(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

/// Gives a target so many mutations of its seeds. What it must not do it says itself, by a panic.
fn survives(name: &str, executions: usize) {
    let folder =
        tempfile::tempdir_in(if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }).unwrap();
    let (_, target) = targets::ALL.iter().find(|(own, _)| *own == name).unwrap();
    let seeds: Vec<Vec<u8>> =
        seeds::own(folder.path()).into_iter().filter(|(own, _)| *own == name).map(|(_, seed)| seed).collect();
    assert!(!seeds.is_empty());
    for seed in &seeds {
        target(folder.path(), seed);
    }
    // What is done in parallel elsewhere is done on this thread: handing it over takes longer than doing it.
    let _pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(2026);
    let executions = std::env::var("GGPFN_FUZZ_EXECUTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(executions);
    for number in 0..executions {
        let mut input = seeds[number % seeds.len()].clone();
        let other = &seeds[random.random_range(0..seeds.len())];
        mutate(&mut input, other, &mut random);
        let outcome = std::panic::catch_unwind(|| target(folder.path(), &input));
        if let Err(panic) = outcome {
            eprintln!("{name}, execution {number}: {input:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn nifti_files() {
    survives("nifti", 20_000);
}

#[test]
fn nrrd_files() {
    survives("nrrd", 20_000);
}

#[test]
fn metaimage_files() {
    survives("metaimage", 20_000);
}

#[test]
fn dicom_files() {
    survives("dicom", 20_000);
}

#[test]
fn model_files() {
    survives("model_file", 10_000);
}

#[test]
fn requests_to_the_worker() {
    survives("worker", 5_000);
}

#[cfg(unix)]
#[test]
fn sequences_of_c_calls() {
    survives("c_calls", 5_000);
}

/// Each target has its program for `cargo fuzz`, and seeds.
#[test]
fn every_target_can_be_fuzzed() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = seeds::own(folder.path());
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
    for (name, _) in targets::ALL {
        assert!(seeds.iter().any(|(own, _)| *own == name), "{name} has no seeds");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no program");
    }
}

/// The seeds by others are taken up: a folder as the tests' oracles write it.
#[test]
fn files_of_others_are_seeds() {
    let Some(python) = needs::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/oracles.py");
    let output = std::process::Command::new(python).arg(script).arg("write").arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seeds = seeds::others(folder.path());
    let work = tempfile::tempdir().unwrap();
    for (name, target) in targets::ALL {
        let of_target: Vec<_> = seeds.iter().filter(|(own, _)| *own == name).collect();
        assert_eq!(of_target.len() > 30, ["nifti", "nrrd", "metaimage"].contains(&name), "{name}: {}", of_target.len());
        of_target.iter().for_each(|(_, seed)| target(work.path(), seed));
    }
}

/// The seeds as files, in a folder for each target: where `GGPFN_SOW` says, for `cargo xtask fuzz`, which also names a folder with images of
/// others.
#[test]
fn every_target_has_seeds() {
    let work = tempfile::tempdir().unwrap();
    let corpus = std::env::var_os("GGPFN_SOW").map_or(work.path().join("corpus"), Into::into);
    let mut all = seeds::own(work.path());
    all.extend(std::env::var_os("GGPFN_SOW_FROM").map(|others| seeds::others(others.as_ref())).unwrap_or_default());
    for (number, (target, bytes)) in all.into_iter().enumerate() {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("seed-{number:04}")), bytes).unwrap();
    }
    for (target, _) in targets::ALL {
        let sown = std::fs::read_dir(corpus.join(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert!(sown.count() > 0, "{target} has no seed");
    }
}
