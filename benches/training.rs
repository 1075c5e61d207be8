//! A training step, data included, against the same step in Python PyTorch; both in one run.
//!
//! `cargo xtask bench training`. Whole network, default widths, T = 15, float32, batches of two patches of 96 x 96 out of a volume of
//! 192 x 192. The Python side is tests/python/training_step.py, run by the interpreter in GGPFN_BENCH_PYTHON, which needs torch and numpy.
//! The two take turns, so that a machine whose speed drifts is not taken for a difference. With a GPU, the same there with the paper's batches
//! of four patches of 256 x 256, in float32 and in mixed precision.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ggpfn::inference::{Cancel, DeviceChoice};
use ggpfn::network::{Model, WeightType};
use ggpfn::training::{Cases, Preset, Run, TrainOptions, TrainingCase};
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::Array3;

const STEPS: usize = 4;
const ROUNDS: usize = 3;

fn main() {
    let Some(python) = std::env::var_os("GGPFN_BENCH_PYTHON") else {
        println!("GGPFN_BENCH_PYTHON names no Python with torch and numpy: nothing to compare with");
        return;
    };
    ggpfn::runtime::keep_freed_memory(usize::MAX); // as the program does
    compare(&python, DeviceChoice::Cpu, 96, 2, false);
    if ggpfn::runtime::Runtime::with_cuda().gpus.is_empty() {
        println!("no GPU that can be used: nothing to compare there");
        return;
    }
    compare(&python, DeviceChoice::Cuda(0), 256, 4, false);
    compare(&python, DeviceChoice::Cuda(0), 256, 4, true);
}

fn compare(python: &std::ffi::OsStr, device: DeviceChoice, patch: usize, batch: usize, mixed_precision: bool) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = TrainOptions::preset(Preset::Nihc);
    options.views = vec![View::Axial];
    options.mixed_precision = mixed_precision;
    options.patch.insert(View::Axial, [patch, patch]);
    (options.global.epochs, options.local.epochs, options.whole.epochs) = (0, 0, 1);
    options.whole.batch = batch;
    options.samples_per_volume = batch * (STEPS + 1);
    let size = 2 * patch;
    let voxels = Array3::from_shape_fn((64, size, size), |(k, j, i)| {
        70.0 * ((k as f32 * 0.3).sin() + (j as f32 * 0.11).cos() + (i as f32 * 0.13).sin()) + 60.0
    });
    let mask = voxels.mapv(|v| u8::from(v > 180.0));
    let volume = Volume::new(voxels, Geometry::axis_aligned([size, size, 64], [0.8, 0.8, 2.5])).unwrap();
    let config = options.model_config();
    let case = Arc::new(TrainingCase::new("bench", &volume, mask.view(), &config).unwrap());
    let model = Model::new_untrained(config.clone(), 1).unwrap();

    let folder = std::env::temp_dir().join(format!("ggpfn-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    model.save(&folder.join("model.safetensors"), WeightType::F32).unwrap();
    let image: Vec<u8> = volume.voxels().iter().flat_map(|hu| config.normalise(*hu).to_le_bytes()).collect();
    npy(&folder.join("image.npy"), "<f4", volume.voxels().dim(), &image);
    npy(&folder.join("truth.npy"), "|u1", mask.dim(), mask.as_slice().unwrap());

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let marks = Mutex::new(vec![Instant::now()]);
        let cases = Cases { train: vec![case.clone()], validation: vec![] };
        Run::new(options.clone(), cases)
            .unwrap()
            .init(model.clone())
            .device(device)
            .train(&Cancel::new(), &|event| {
                if event.batch[0] > 0 && marks.lock().unwrap().len() == event.batch[0] {
                    marks.lock().unwrap().push(Instant::now());
                }
            })
            .unwrap();
        let marks = marks.into_inner().unwrap();
        // The first step of each side warms up.
        ours.extend(marks.windows(2).skip(1).map(|pair| (pair[1] - pair[0]).as_secs_f64()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/training_step.py");
        let output = Command::new(python)
            .arg(script)
            .arg(folder.join("model.safetensors"))
            .arg(&folder)
            .args([(STEPS + 1).to_string(), threads.to_string()])
            .arg(if device == DeviceChoice::Cpu { "cpu" } else { "cuda" })
            .args([patch.to_string(), batch.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seconds: Vec<f64> = serde_json::from_slice(&output.stdout).unwrap();
        theirs.extend(&seconds[1..]);
    }
    std::fs::remove_dir_all(&folder).ok();
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let how = if mixed_precision { "mixed precision (PyTorch in float32)" } else { "float32" };
    println!("a training step on {device:?}, {threads} threads, {how}, median of {}:", STEPS * ROUNDS);
    println!("  ggpfn    {:7.0} ms", 1e3 * ours);
    println!("  PyTorch  {:7.0} ms", 1e3 * theirs);
    println!("  ratio    {:7.2} times as fast", theirs / ours);
}

fn npy(path: &Path, kind: &str, (d, h, w): (usize, usize, usize), bytes: &[u8]) {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({d}, {h}, {w}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(bytes).unwrap();
}
