//! `ggpfn doctor`: what this installation is made of, and what is wrong with it.

use ggpfn::compute::{trial_anew, trial_place, Compute, DeviceChoice, PrecisionChoice};
use ggpfn::runtime::Runtime;
use ggpfn::{Error, Result};

/// Check this installation: versions, libtorch, devices, bfloat16
///
/// Prints what was found and, in sentences, what is wrong. The exit code is 0 if scans can be segmented.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: Arguments) -> Result<()> {
    let runtime = Runtime::with_cuda();
    let line = |name: &str, value: String| say!("{name:<20}{value}");
    line("ggpfn", env!("CARGO_PKG_VERSION").into());
    line("libtorch", runtime.loaded_version.clone());
    line("  built for", runtime.compiled_version.into());
    line("  loaded from", runtime.library.as_ref().map_or("unknown".into(), |path| path.display().to_string()));
    line("processor threads", std::thread::available_parallelism().map_or(1, usize::from).to_string());
    line("bfloat16", bfloat16());
    match runtime.gpus.as_slice() {
        [] => line("GPU", "none that can be used".into()),
        gpus => gpus.iter().for_each(|gpu| line("GPU", gpu.clone())),
    }
    let automatic = Compute::choose(DeviceChoice::Auto, PrecisionChoice::Auto)?;
    line("automatic choice", format!("{}, {}", automatic.device_name(), automatic.precision_name()));
    match try_out() {
        Ok(()) => line("trial", "a convolution on the processor works".into()),
        Err(error) => {
            say!("trial               failed");
            return Err(error);
        }
    }
    let problems = runtime.problems();
    if problems.is_empty() {
        say!("\nNothing is wrong.");
    } else {
        say!("\nWhat is wrong:");
        problems.iter().for_each(|problem| say!("- {problem}"));
    }
    if runtime.wrong_version() {
        return Err(Error::Torch("the libtorch that was found is not the one that ggpfn was built for".into()));
    }
    Ok(())
}

/// What a trial says of bfloat16, which is made anew: what was kept may be from a busy hour.
fn bfloat16() -> String {
    let Some(trial) = trial_anew() else { return "no instructions for it; float32 is taken".into() };
    let verdict = if trial.prefers_bfloat16() { "faster, and taken" } else { "not faster; float32 is taken" };
    let kept = trial_place().map_or(String::new(), |place| format!(" (kept in {})", place.display()));
    format!("{verdict}: a convolution takes {:.2} ms, in float32 {:.2} ms{kept}", trial.bf16_ms, trial.f32_ms)
}

/// Segments a tiny volume with a tiny network.
fn try_out() -> Result<()> {
    use ggpfn::inference::{segment, Monitor, SegmentOptions};
    use ggpfn::network::{Model, ModelConfig};
    use ggpfn::volume::{Geometry, View, Volume};
    let config = ModelConfig { views: vec![View::Axial], ..ModelConfig::default() };
    let config = config.with_ggpfn(|network| (network.t, network.widths, network.global_widths) = (1, [2; 4], None));
    let volume = Volume::new(ndarray::Array3::zeros((3, 16, 16)), Geometry::axis_aligned([16, 16, 3], [1.0; 3]))?;
    let options = SegmentOptions { device: DeviceChoice::Cpu, ..Default::default() };
    segment(&Model::new_untrained(config, 1)?, &volume, &options, &Monitor::default()).map(|_| ())
}
