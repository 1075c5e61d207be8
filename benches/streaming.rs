//! How much faster is streaming than Algorithm 1 as printed, and does its memory stay flat?
//!
//! `cargo xtask bench` (or `cargo bench`) runs both in one process, the literal algorithm split in two halves around the
//! streaming runs, so that a machine that speeds up or slows down meanwhile shows. Peak memory is that of a process of its own
//! for each number of slices, less what the input and output of that process take.
//!
//! The literal algorithm is [`Network`], the layers as the paper draws them with libtorch's own operators, on each slice's window of
//! 31 slices. One view, default widths, 192 x 192 pixels, float32.

use std::process::Command;
use std::time::Instant;

use ggpfn::inference::{segment, DeviceChoice, Monitor, PrecisionChoice, SegmentOptions};
use ggpfn::network::ggpfn::sampling::{sample, weights, Extent};
use ggpfn::network::{BatchNorm, Model, ModelConfig, Network};
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::Array3;
use tch::Tensor;

const SIZE: usize = 192;
const SLICES: usize = 64;
const T: i64 = 15;
const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "--peak") {
        return print_peak(arguments[at + 1].parse().unwrap(), &arguments[at + 2]);
    }
    let model = model();
    let volume = volume(SLICES);
    println!("one view, {SLICES} slices of {SIZE} x {SIZE}, default widths, {} threads", tch::get_num_threads());

    let network = Network::new(&model, View::Axial).unwrap();
    let literal_slices = |range: std::ops::Range<usize>| {
        let _no_grad = tch::no_grad_guard();
        let stack = normalised(&volume);
        let start = Instant::now();
        let slices: Vec<Tensor> = range.map(|i| literal(&network, &stack, i as i64)).collect();
        (start.elapsed().as_secs_f64(), Tensor::cat(&slices, 0))
    };
    let _warm_up = literal_slices(0..1);
    let (first_half, first_result) = literal_slices(0..SLICES / 2);
    let mut seconds = [Vec::new(), Vec::new()];
    let mut results = [None, None];
    for _ in 0..RUNS {
        for (n, precision) in [PrecisionChoice::F32, PrecisionChoice::Bf16].into_iter().enumerate() {
            let (time, result) = streaming(&model, &volume, precision, None);
            seconds[n].push(time);
            results[n] = Some(result);
        }
    }
    let (second_half, second_result) = literal_slices(SLICES / 2..SLICES);
    let literal = (first_half + second_half) / SLICES as f64;
    println!(
        "literal         {:8.1} ms a slice  (first half {:.1}, second half {:.1})",
        1e3 * literal,
        2e3 * first_half / SLICES as f64,
        2e3 * second_half / SLICES as f64
    );
    let expected: Vec<f32> = Vec::try_from(Tensor::cat(&[first_result, second_result], 0).flatten(0, -1)).unwrap();
    for ((name, seconds), result) in ["float32 ", "bfloat16"].iter().zip(&mut seconds).zip(&results) {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[RUNS / 2] / SLICES as f64;
        let result = result.as_ref().unwrap();
        let difference = result.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!(
            "streaming {name}{:7.1} ms a slice  {:5.1} times faster, largest difference {difference:.1e}",
            1e3 * median,
            literal / median
        );
    }
    for precision in ["f32", "bf16"] {
        let [few, many] = [64, 256].map(|slices| peak_of(slices, precision));
        println!(
            "peak memory {precision:4} {few:.0} MB for 64 slices, {many:.0} MB for 256 (input and output aside): ratio {:.3}",
            many / few
        );
    }
}

fn model() -> Model {
    let config = ModelConfig { views: vec![View::Axial], ..ModelConfig::default() };
    Model::new_untrained(config, 7).unwrap()
}

fn volume(slices: usize) -> Volume {
    let voxels = Array3::from_shape_fn((slices, SIZE, SIZE), |(k, j, i)| {
        let wave = (k as f32 * 0.7).sin() + (j as f32 * 0.13).sin() + (i as f32 * 0.17).cos();
        60.0 + 60.0 * wave + ((k * 31 + j * 17 + i * 7) % 23) as f32
    });
    Volume::new(voxels, Geometry::axis_aligned([SIZE, SIZE, slices], [1.0, 1.0, 2.0])).unwrap()
}

fn streaming(model: &Model, volume: &Volume, precision: PrecisionChoice, block: Option<usize>) -> (f64, Array3<f32>) {
    let options = SegmentOptions { device: DeviceChoice::Cpu, precision, block, ..Default::default() };
    let start = Instant::now();
    let result = segment(model, volume, &options, &Monitor::default()).unwrap();
    (start.elapsed().as_secs_f64(), result.probability)
}

/// The stack in [0, 1], its ends extended by T copies: `[slices + 2T, H, W]`.
fn normalised(volume: &Volume) -> Tensor {
    let pixels: Vec<f32> = volume.voxels().iter().map(|hu| (hu.clamp(-100.0, 240.0) + 100.0) / 340.0).collect();
    let stack = Tensor::from_slice(&pixels).reshape([-1, SIZE as i64, SIZE as i64]);
    let slices = stack.size()[0];
    let first = stack.narrow(0, 0, 1).expand([T, -1, -1], false);
    let last = stack.narrow(0, slices - 1, 1).expand([T, -1, -1], false);
    Tensor::cat(&[first, stack, last], 0)
}

/// Lines 2 to 10 of Algorithm 1 for slice `i`, N = 1.
fn literal(network: &Network, stack: &Tensor, i: i64) -> Tensor {
    let slice = stack.narrow(0, i + T, 1).unsqueeze(0);
    let small = slice.internal_upsample_bilinear2d_aa([224, 224], false, None, None);
    let features = network.global(&small, BatchNorm::Running).unwrap().unwrap().features;
    let matrix = weights(SIZE / 8, 7, Extent { start: 0, slice: SIZE }).unwrap();
    let guidance = sample(&features, &matrix, &matrix).unwrap();
    let window = stack.narrow(0, i, 2 * T + 1).unsqueeze(0);
    network.local(&window, Some(&guidance), BatchNorm::Running).unwrap().logits.sigmoid().squeeze_dim(1)
}

fn peak_of(slices: usize, precision: &str) -> f64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--peak", &slices.to_string(), precision]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn print_peak(slices: usize, precision: &str) {
    let volume = volume(slices);
    streaming(&model(), &volume, precision.parse().unwrap(), None);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // The volume and the probability in float32, the mask in bytes.
    let in_and_out = (slices * SIZE * SIZE * (4 + 4 + 1)) as f64;
    println!("{:.1}", peak / 1024.0 - in_and_out / 1048576.0);
}
