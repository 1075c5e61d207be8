//! What a GPU gives: is CUDA found, are its results the processor's, how fast is it and how much memory does it take?
//!
//! `cargo xtask gpu-check`, which runs `bench training` after it for a training step's speed. One view, default widths, slices of 512 x 512, in float32 and bfloat16, whole and in patches. Ends with an
//! error if a result is off; without a GPU it says so and ends well.

use std::time::Instant;

use ggpfn::inference::{segment, DeviceChoice, Monitor, PatchGrid, PrecisionChoice, SegmentOptions};
use ggpfn::network::{Model, ModelConfig};
use ggpfn::runtime::Runtime;
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::Array3;

fn main() {
    let runtime = Runtime::with_cuda();
    println!("libtorch {} from {:?}", runtime.loaded_version, runtime.library);
    runtime.problems().iter().for_each(|problem| println!("PROBLEM: {problem}"));
    if runtime.gpus.is_empty() {
        println!("no GPU that can be used: nothing to check");
        return;
    }
    runtime.gpus.iter().for_each(|gpu| println!("{gpu}"));
    let config = ModelConfig { views: vec![View::Axial], ..ModelConfig::default() };
    let model = Model::new_untrained(config, 7).unwrap();

    let small = volume(24, 192);
    let expected = run(&model, &small, DeviceChoice::Cpu, PrecisionChoice::F32, None).1;
    // libtorch may use TensorFloat-32 in convolutions on a GPU: 10 bits of mantissa.
    for (precision, tolerance) in [(PrecisionChoice::F32, 5e-3), (PrecisionChoice::Bf16, 2e-2)] {
        let found = run(&model, &small, DeviceChoice::Cuda(0), precision, None).1;
        let difference = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
        println!("{precision:?}: largest difference from the processor's float32 {difference:.1e}");
        assert!(difference < tolerance, "the GPU's result is off by {difference}");
    }

    let large = volume(64, 512);
    for precision in [PrecisionChoice::F32, PrecisionChoice::Bf16] {
        for patches in [None, Some(PatchGrid { size: [256, 256], overlap: 64 })] {
            run(&model, &large, DeviceChoice::Cuda(0), precision, patches); // warm-up
            let seconds = run(&model, &large, DeviceChoice::Cuda(0), precision, patches).0;
            let how = if patches.is_some() { "patches of 256 x 256" } else { "whole slices" };
            println!(
                "512 x 512, {precision:?}, {how}: {:.1} ms a slice; memory now {}",
                1e3 * seconds / 64.0,
                memory()
            );
        }
    }
}

/// What the driver says this process holds: libtorch keeps its peak.
fn memory() -> String {
    let query = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader"];
    let output = std::process::Command::new("nvidia-smi").args(query).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let mine = format!("{},", std::process::id());
    let line = text.lines().find(|line| line.starts_with(&mine)).or(text.lines().next());
    line.and_then(|line| line.split(',').nth(1)).map_or("unknown".into(), |memory| memory.trim().to_string())
}

fn volume(slices: usize, size: usize) -> Volume {
    let voxels = Array3::from_shape_fn((slices, size, size), |(k, j, i)| {
        let wave = (k as f32 * 0.7).sin() + (j as f32 * 0.13).sin() + (i as f32 * 0.17).cos();
        60.0 + 60.0 * wave + ((k * 31 + j * 17 + i * 7) % 23) as f32
    });
    Volume::new(voxels, Geometry::axis_aligned([size, size, slices], [1.0, 1.0, 2.0])).unwrap()
}

fn run(
    model: &Model,
    volume: &Volume,
    device: DeviceChoice,
    precision: PrecisionChoice,
    patches: Option<PatchGrid>,
) -> (f64, Array3<f32>) {
    let options = SegmentOptions { device, precision, patches, ..Default::default() };
    let start = Instant::now();
    let result = segment(model, volume, &options, &Monitor::default()).unwrap();
    (start.elapsed().as_secs_f64(), result.probability)
}
