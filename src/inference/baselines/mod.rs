//! The networks that the paper compares the GGPFN with, at inference.
//!
//! None is made fast here: they run as they are described, each on libtorch's own threads.

mod rstn;
mod slices;
mod volumes;

use ndarray::{ArrayView3, Axis};
use tch::Tensor;

use super::predictor::{Predictor, Work};
use crate::compute::Compute;
use crate::network::baselines::{Baseline, BaselineNetwork, UNET_PATCH_BORDER};
use crate::network::{Model, NetworkConfig};
use crate::volume::View;
use crate::{Error, Result};

/// The predictor of a baseline.
pub(super) fn predictor<'a>(work: Work<'a>, network: &'a Baseline) -> Result<Box<dyn Predictor + 'a>> {
    Ok(match network {
        Baseline::UnetPatch { tile, .. } => Box::new(volumes::Tiles { work, tile: *tile }),
        Baseline::UnetFull { .. } => Box::new(volumes::Whole { work }),
        Baseline::Fcn8s { .. } => Box::new(slices::Triples { work }),
        Baseline::Rstn { .. } => Box::new(rstn::Rounds::new(work)),
    })
}

/// What their feature maps take, in bytes; see [`networks::feature_maps`](super::networks::feature_maps).
pub(super) fn feature_maps(network: &Baseline, [slices, rows, columns]: [usize; 3], compute: Compute) -> u64 {
    let number = compute.bytes_per_number();
    let volume = slices * rows * columns;
    let width = network.width();
    let bytes = match network {
        // The finest level holds two maps of up to twice the width at a time, and the skip connection waits beside them; the scratch
        // memory of a processor's 3D convolutions is as much again.
        Baseline::UnetPatch { tile, .. } => {
            let seen: usize = tile.iter().map(|n| n + 2 * UNET_PATCH_BORDER).product();
            8 * width * seen * number + 8 * volume
        }
        Baseline::UnetFull { .. } => 10 * width * volume * number,
        Baseline::Fcn8s { .. } => 4 * width * (rows + 200) * (columns + 200) * number,
        // Each view's probabilities are kept from round to round, and the fused ones.
        Baseline::Rstn { .. } => 4 * width * (rows + 200) * (columns + 200) * number + 4 * 6 * volume,
    };
    bytes as u64
}

/// The network of a view on the device. It is made and used on one thread of the library's.
fn network(model: &Model, view: View, compute: &Compute) -> Result<BaselineNetwork> {
    let config = model.config();
    let NetworkConfig::Baseline(baseline) = &config.network else {
        return Err(Error::argument("model", "its network is a GGPFN; a baseline was expected"));
    };
    let device = compute.device;
    BaselineNetwork::assemble(baseline, config.labels.count(), &|name| {
        Ok(model.tensor(view, name)?.to_tensor()?.f_to_device(device)?)
    })
}

/// Another network than the predictor was made for.
fn mixed_up() -> Error {
    Error::Torch("the network is another one than the model's configuration says".into())
}

/// Normalised slices of a view at positions, of which those outside repeat the first or last: `[N, rows, columns]`, float32 on the CPU.
fn read(volume: ArrayView3<f32>, positions: std::ops::Range<isize>, window: [f64; 2]) -> Result<Tensor> {
    let (slices, rows, columns) = volume.dim();
    let [low, high] = window.map(|v| v as f32);
    let shape = [positions.len() as i64, rows as i64, columns as i64];
    let mut pixels = Vec::with_capacity(positions.len() * rows * columns);
    for position in positions {
        let slice = volume.index_axis(Axis(0), position.clamp(0, slices as isize - 1) as usize);
        pixels.extend(slice.iter().map(|hu| (hu.clamp(low, high) - low) / (high - low)));
    }
    Ok(Tensor::f_from_slice(&pixels)?.f_reshape(shape)?)
}

/// To the device, in the number format of convolutions.
fn place(x: &Tensor, compute: &Compute) -> Result<Tensor> {
    Ok(x.f_to_device(compute.device)?.f_to_kind(compute.kind)?)
}

/// Numbers as an array of a shape.
fn shaped(values: &[f32], shape: (usize, usize, usize)) -> Result<ArrayView3<'_, f32>> {
    ArrayView3::from_shape(shape, values)
        .map_err(|e| Error::Torch(format!("the network's output has another size than its input ({e})")))
}
