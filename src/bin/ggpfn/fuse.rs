//! `ggpfn fuse`: probabilities of the views to a mask, without a network.

use std::path::PathBuf;

use ggpfn::inference::{fuse, mask_of};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::volume::{keep_largest_component, measure, same_grid, Volume};
use ggpfn::{Error, Result};

/// Fuse the views' probability images into one mask
///
/// The weights are scaled to add up to 1. All images must lie on one grid.
#[derive(clap::Args)]
#[command(
    override_usage = "ggpfn fuse [OPTIONS] --weights <W,...> <IMAGE>... <OUTPUT>",
    after_help = "Example:
  ggpfn fuse --weights 0.8,0.1,0.1 axial.nii.gz sagittal.nii.gz coronal.nii.gz pancreas.nii.gz"
)]
pub struct Arguments {
    /// Two or three probability images, then the mask to write
    #[arg(required = true, num_args = 3.., value_names = ["AXIAL", "SAGITTAL", "CORONAL", "OUTPUT"])]
    paths: Vec<PathBuf>,
    /// The weight of each image, in their order
    #[arg(long, value_delimiter = ',', required = true, value_name = "W,...")]
    weights: Vec<f64>,
    /// Probabilities from here on are pancreas
    #[arg(long, default_value_t = 0.5, value_name = "P")]
    threshold: f64,
    /// Write the fused probability too
    #[arg(long, value_name = "FILE")]
    probability: Option<PathBuf>,
    /// Keep only the largest connected part
    #[arg(long)]
    largest_component: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Some((output, inputs)) = arguments.paths.split_last() else { return Ok(()) };
    for path in std::iter::once(output).chain(&arguments.probability) {
        io::check_writable(path)?;
    }
    if inputs.len() != arguments.weights.len() {
        let fault = format!("{} weights for {} images; one each was expected", arguments.weights.len(), inputs.len());
        return Err(Error::Argument { name: "--weights", fault });
    }
    if !(0.0..=1.0).contains(&arguments.threshold) {
        let fault = format!("{}; a number from 0 to 1 was expected", arguments.threshold);
        return Err(Error::Argument { name: "--threshold", fault });
    }
    let volumes: Vec<Volume> =
        inputs.iter().map(|path| io::read(path, &ReadOptions::default())).collect::<Result<_>>()?;
    let geometry = volumes[0].geometry();
    for (volume, path) in volumes.iter().zip(inputs) {
        if !same_grid(geometry, volume.geometry()) {
            let fault = format!("its grid is another than that of {}; resample one to the other", inputs[0].display());
            return Err(Error::Image { path: path.clone(), fault });
        }
        if let Some(value) = volume.voxels().iter().find(|p| !(0.0..=1.0).contains(*p)) {
            let fault = format!("it holds {value}; probabilities from 0 to 1 were expected");
            return Err(Error::Image { path: path.clone(), fault });
        }
    }
    let views: Vec<_> = volumes.iter().map(|volume| volume.voxels()).collect();
    let fused = fuse(&views, &arguments.weights)?;
    let mut mask = mask_of(fused.view(), arguments.threshold);
    if arguments.largest_component {
        keep_largest_component(&mut mask);
    }
    if let Some(path) = &arguments.probability {
        io::write(path, Voxels::F32(fused.view()), geometry)?;
    }
    io::write(output, Voxels::U8(mask.view()), geometry)?;
    println!("{}: {:.1} mL", output.display(), measure(mask.view(), &volumes[0]).volume_ml);
    Ok(())
}
