//! What the C face costs over the library: time and memory of the same segmentation, and how soon a cancelled call returns.
//!
//! An image of 512 x 512 x 100 voxels of 16 bits, 0.8 x 0.8 x 2.5 mm, by the shipped model on the processor. Each way runs in processes of its own,
//! by turns, so that peaks of memory are its own and drifts of the machine's speed hit both.

use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use ggpfn::capi::image::{ggpfn_image, ggpfn_image_init, GGPFN_INT16};
use ggpfn::capi::model::{ggpfn_model_free, ggpfn_model_shipped};
use ggpfn::capi::monitor::{ggpfn_monitor_cancel, ggpfn_monitor_new};
use ggpfn::capi::segment::{ggpfn_result, ggpfn_segment, ggpfn_segment_options, GGPFN_DEVICE_CPU};
use ggpfn::inference::{segment, DeviceChoice, SegmentOptions};
use ggpfn::network::Model;
use ggpfn::volume::{Geometry, Volume};
use ndarray::Array3;

const SIZE: [usize; 3] = [512, 512, 100];
const SPACING: [f64; 3] = [0.8, 0.8, 2.5];
const ROUNDS: usize = 3;

fn main() {
    match std::env::var("GGPFN_BENCH_WAY").as_deref() {
        Ok("rust") => report(rust()),
        Ok("c") => report(c()),
        Ok("cancel") => cancel(),
        _ => compare(),
    }
}

/// Runs the ways by turns and prints what they took.
fn compare() {
    let mut seconds = [Vec::new(), Vec::new()];
    let mut peaks = [0.0_f64; 2];
    for _ in 0..ROUNDS {
        for (number, way) in ["rust", "c"].into_iter().enumerate() {
            let line = child(way);
            let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            seconds[number].push(numbers[0]);
            peaks[number] = peaks[number].max(numbers[1]);
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [rust, c] = seconds.each_mut().map(median);
    let [i, j, k] = SIZE;
    let copy = (i * j * k * 4) as f64 / 1e6;
    println!("{i} x {j} x {k} voxels of 16 bits, shipped model, processor; medians of {ROUNDS}");
    println!("Rust call   {rust:7.2} s  peak {:6.0} MB", peaks[0]);
    println!("C call      {c:7.2} s  peak {:6.0} MB", peaks[1]);
    println!(
        "overhead    {:6.1} %   {:+.0} MB (one copy in float32 is {copy:.0} MB)",
        100.0 * (c / rust - 1.0),
        peaks[1] - peaks[0]
    );
    println!("cancelled calls returned after {} ms", child("cancel").trim());
}

fn child(way: &str) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().expect("own path"));
    let output = command.env("GGPFN_BENCH_WAY", way).output().expect("a child process");
    assert!(output.status.success(), "{way}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Seconds, and the process's peak of memory in MB.
fn report(seconds: f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    println!("{seconds} {}", peak.unwrap_or(f64::NAN) / 1e3);
}

/// A made-up image; what is in it does not matter here.
fn voxel(index: usize) -> i16 {
    (index.wrapping_mul(2_654_435_761) >> 12) as i16 % 300
}

fn rust() -> f64 {
    let model = Model::shipped().expect("the shipped model");
    let voxels = Array3::from_shape_vec(
        [SIZE[2], SIZE[1], SIZE[0]],
        (0..SIZE.iter().product()).map(|i| f32::from(voxel(i))).collect(),
    );
    let volume = Volume::new(voxels.expect("a volume"), Geometry::axis_aligned(SIZE, SPACING)).expect("a volume");
    let options = SegmentOptions { device: DeviceChoice::Cpu, ..Default::default() };
    let start = Instant::now();
    let result = segment(&model, &volume, &options, &Default::default()).expect("a segmentation");
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(result.mask.len(), volume.voxels().len());
    seconds
}

fn image(voxels: &[i16]) -> ggpfn_image {
    let mut image = std::mem::MaybeUninit::<ggpfn_image>::uninit();
    // SAFETY: the struct is as large as it is said to be, and initialised when the call has succeeded.
    let mut image = unsafe {
        assert_eq!(ggpfn_image_init(image.as_mut_ptr(), std::mem::size_of::<ggpfn_image>()), 0);
        image.assume_init()
    };
    image.data = voxels.as_ptr().cast();
    image.data_bytes = 2 * voxels.len();
    image.dtype = GGPFN_INT16;
    image.size = SIZE;
    image.spacing = SPACING;
    image
}

fn c() -> f64 {
    let voxels: Vec<i16> = (0..SIZE.iter().product()).map(voxel).collect();
    let mut mask = vec![0_u8; voxels.len()];
    let image = image(&voxels);
    let start;
    // SAFETY: all pointers are to the variables here, with their lengths; zero is a value of the structs.
    unsafe {
        let mut model = null_mut();
        assert_eq!(ggpfn_model_shipped(&mut model), 0);
        let mut options: ggpfn_segment_options = std::mem::zeroed();
        options.struct_size = std::mem::size_of::<ggpfn_segment_options>();
        options.device = GGPFN_DEVICE_CPU;
        let mut result: ggpfn_result = std::mem::zeroed();
        result.struct_size = std::mem::size_of::<ggpfn_result>();
        result.mask.data = mask.as_mut_ptr().cast();
        result.mask.data_bytes = mask.len();
        start = Instant::now();
        assert_eq!(ggpfn_segment(model, &image, &options, &result, null()), 0);
    }
    start.elapsed().as_secs_f64()
}

/// Prints the milliseconds from the request to stop until the call had returned, several times.
fn cancel() {
    let voxels: Vec<i16> = (0..SIZE.iter().product()).map(voxel).collect();
    let image = image(&voxels);
    let (mut model, mut monitor) = (null_mut(), null_mut());
    // SAFETY: the places are writable.
    unsafe {
        assert_eq!(ggpfn_model_shipped(&mut model), 0);
        assert_eq!(ggpfn_monitor_new(&mut monitor), 0);
    }
    let mut times = Vec::new();
    for round in 0..5 {
        assert_eq!(ggpfn::capi::monitor::ggpfn_monitor_reset(monitor), 0);
        let handle = monitor as usize;
        let asker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(400 + 600 * round));
            ggpfn_monitor_cancel(handle as *const _);
            Instant::now()
        });
        // SAFETY: zero is a value of the struct; no result is wanted; the rest is as in `c`.
        let status = unsafe {
            let mut result: ggpfn_result = std::mem::zeroed();
            result.struct_size = std::mem::size_of::<ggpfn_result>();
            ggpfn_segment(model, &image, null(), &result, monitor)
        };
        let returned = Instant::now();
        assert_eq!(status, 9, "a cancelled call");
        times.push((returned - asker.join().expect("the asking thread")).as_millis().to_string());
    }
    ggpfn_model_free(model);
    println!("{}", times.join(", "));
}
