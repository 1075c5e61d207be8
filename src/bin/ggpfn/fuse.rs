//! `ggpfn fuse`: probabilities of the views to a mask, without a network.

use std::path::{Path, PathBuf};

use ggpfn::inference::{fuse, mask_of, PROBABILITY_ROUNDING};
use ggpfn::io::results::{common_grid, is_segmentation, read_on};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{keep_largest_component, measure, same_grid, Content, Geometry, Volume};
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
    #[arg(required = true, num_args = 1.., value_names = ["AXIAL", "SAGITTAL", "CORONAL", "OUTPUT"])]
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
    let Some((output, inputs)) = arguments.paths.split_last().filter(|(_, inputs)| inputs.len() > 1) else {
        let fault = "two images or three and the mask to write were expected";
        return Err(Error::argument("IMAGE OUTPUT", fault));
    };
    let mut outputs = vec![Output::new("OUTPUT", output, Kind::Mask)];
    outputs.extend(arguments.probability.iter().map(|path| Output::new("--probability", path, Kind::Fraction)));
    outputs::check(inputs.iter().map(PathBuf::as_path), &outputs)?;
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
    let volumes = read_probabilities(inputs)?;
    let geometry = volumes[0].geometry();
    for (volume, path) in volumes.iter().zip(inputs) {
        if !same_grid(geometry, volume.geometry()) {
            let fault = format!("its grid is another than that of {}; resample one to the other", inputs[0].display());
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
        io::write_on(path, Voxels::F32(fused.view()), &volumes[0])?;
    }
    io::write_on(output, Voxels::U8(mask.view()), &volumes[0])?;
    say!("{}: {:.1} mL", output.display(), measure(mask.view(), &volumes[0]).volume_ml);
    Ok(())
}

/// Reads all inputs. A DICOM segmentation has the slices alone on which something is: it is laid on the grid of an input that is none, or, where
/// all are, on the one that they make together.
fn read_probabilities(paths: &[PathBuf]) -> Result<Vec<Volume>> {
    let partial: Vec<&Path> = paths.iter().map(PathBuf::as_path).filter(|path| is_segmentation(path)).collect();
    let mut grid = match partial.len() == paths.len() {
        true => Some(common_grid(&partial)?),
        false => None,
    };
    let mut volumes: Vec<Option<Volume>> = vec![None; paths.len()];
    for (volume, path) in volumes.iter_mut().zip(paths).filter(|(_, path)| !partial.contains(&path.as_path())) {
        let read = read_probability(path, None)?;
        grid.get_or_insert_with(|| read.geometry().clone());
        *volume = Some(read);
    }
    volumes
        .into_iter()
        .zip(paths)
        .map(|(volume, path)| volume.map_or_else(|| read_probability(path, grid.as_ref()), Ok))
        .collect()
}

/// Reads probabilities, a DICOM segmentation on a grid; those that rounding has taken beyond 0 or 1 are put back.
fn read_probability(path: &Path, grid: Option<&Geometry>) -> Result<Volume> {
    let options = ReadOptions::of(Content::Probability);
    let volume = match grid {
        Some(grid) => read_on(path, &options, grid)?,
        None => io::read(path, &options)?,
    };
    check_probability(path, &volume)?;
    Ok(volume.map(|p| p.clamp(0.0, 1.0)))
}

/// Refuses what is no probability, but for what rounding takes beyond 0 or 1.
pub fn check_probability(path: &Path, volume: &Volume) -> Result<()> {
    let range = -PROBABILITY_ROUNDING..=1.0 + PROBABILITY_ROUNDING;
    if let Some(value) = volume.voxels().iter().find(|p| !range.contains(*p)) {
        return Err(Error::image(path, format!("it holds {value}; probabilities from 0 to 1 were expected")));
    }
    Ok(())
}
