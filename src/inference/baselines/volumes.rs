//! The two 3D U-Nets: tile by tile, and all at once.

use ndarray::{s, Array3, ArrayView3};
use tch::Tensor;

use super::{mixed_up, network, place, read, shaped};
use crate::compute::threads::on_own_thread;
use crate::compute::Monitor;
use crate::inference::predictor::{Predictor, Progressed, Work};
use crate::inference::sum::Sum;
use crate::network::baselines::{BaselineNetwork, UNET_PATCH_BORDER};
use crate::network::{numbers, BatchNorm};
use crate::volume::{zeros, View};
use crate::Result;

/// The tiles' network. Tiles overlap by half along rows and columns, so that each voxel is in four of them, whose probabilities are averaged
/// (the reference's R = 4).
pub(super) struct Tiles<'a> {
    pub work: Work<'a>,
    /// The voxels that a tile segments.
    pub tile: [usize; 3],
}

/// Below this many Hounsfield units all is air, fat, or the table: tiles without anything above are not run (the reference slides over the
/// body alone).
const BODY_HU: f32 = -150.0;
/// The tiles that each voxel is in.
const TIMES: f32 = 4.0;

impl Tiles<'_> {
    /// The first voxels of the tiles: along z one beside the other, else by half a tile, beginning half a tile outside.
    fn starts(&self, (z, y, x): (usize, usize, usize)) -> Vec<[isize; 3]> {
        let [d, h, w] = self.tile.map(|n| n as isize);
        let mut starts = Vec::new();
        for k in (0..z as isize).step_by(d as usize) {
            for j in (-h / 2..y as isize).step_by(h as usize / 2) {
                for i in (-w / 2..x as isize).step_by(w as usize / 2) {
                    starts.push([k, j, i]);
                }
            }
        }
        starts
    }

    /// The tile at `start` with what the network sees around it, normalised, `[1, 1, Z, Y, X]`; what lies outside of the volume repeats the
    /// nearest voxel.
    fn seen(&self, volume: ArrayView3<f32>, start: [isize; 3], window: [f64; 2]) -> Result<Tensor> {
        let (z, y, x) = volume.dim();
        let border = UNET_PATCH_BORDER as isize;
        let along = |axis: usize, size: usize| -> Vec<usize> {
            let first = start[axis] - border;
            let count = self.tile[axis] as isize + 2 * border;
            (first..first + count).map(|at| at.clamp(0, size as isize - 1) as usize).collect()
        };
        let (planes, rows, columns) = (along(0, z), along(1, y), along(2, x));
        let [low, high] = window.map(|v| v as f32);
        let mut voxels = Vec::with_capacity(planes.len() * rows.len() * columns.len());
        for k in &planes {
            for j in &rows {
                let row = volume.slice(s![*k, *j, ..]);
                voxels.extend(columns.iter().map(|i| (row[*i].clamp(low, high) - low) / (high - low)));
            }
        }
        let shape = [1, 1, planes.len() as i64, rows.len() as i64, columns.len() as i64];
        Ok(Tensor::f_from_slice(&voxels)?.f_reshape(shape)?)
    }

    /// The part of a tile that lies in the volume: where it begins in the volume and in the tile, and how large it is.
    fn inside(&self, start: [isize; 3], (z, y, x): (usize, usize, usize)) -> [[usize; 3]; 3] {
        let size = [z, y, x];
        let from: [usize; 3] = std::array::from_fn(|a| start[a].max(0) as usize);
        let skipped: [usize; 3] = std::array::from_fn(|a| (from[a] as isize - start[a]) as usize);
        let count = std::array::from_fn(|a| (self.tile[a] - skipped[a]).min(size[a] - from[a]));
        [from, skipped, count]
    }
}

impl Predictor for Tiles<'_> {
    fn view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        mut sum: Sum,
        monitor: &Monitor,
        progress: Progressed,
    ) -> Result<()> {
        let Work { model, compute, threads, .. } = self.work;
        let config = model.config();
        let dim = volume.dim();
        let mut found: Vec<Array3<f32>> =
            (0..config.labels.count()).map(|_| zeros::<f32>(dim)).collect::<Result<_>>()?;
        on_own_thread(threads, || {
            let BaselineNetwork::UnetPatch(network) = network(model, view, &compute)? else { return Err(mixed_up()) };
            let starts = self.starts(dim);
            for (number, start) in starts.iter().enumerate() {
                monitor.check()?;
                progress(number as f64 / starts.len() as f64);
                let [from, skipped, count] = self.inside(*start, dim);
                let range = |a: usize| from[a]..from[a] + count[a];
                let own = s![range(0), range(1), range(2)];
                if volume.slice(own).iter().all(|hu| *hu < BODY_HU) {
                    continue;
                }
                let seen = place(&self.seen(volume, *start, config.window)?, &compute)?;
                // The tile's own statistics, as the reference is tested.
                let probabilities = network.forward(&seen, BatchNorm::BatchAgain)?.f_softmax(1, tch::Kind::Float)?;
                let values = numbers(&probabilities)?;
                let tile = (self.tile[0], self.tile[1], self.tile[2]);
                let voxels = self.tile.iter().product::<usize>();
                for (label, found) in found.iter_mut().enumerate() {
                    // Behind the background.
                    let of_label = shaped(&values[(label + 1) * voxels..][..voxels], tile)?;
                    let range = |a: usize| skipped[a]..skipped[a] + count[a];
                    let kept = of_label.slice(s![range(0), range(1), range(2)]);
                    found.slice_mut(own).zip_mut_with(&kept, |sum, p| *sum += p / TIMES);
                }
            }
            Ok(())
        })?;
        sum.add(0, |label| Ok(found[label].view()))
    }
}

/// The network of the whole volume, on whose grid the volume is already.
pub(super) struct Whole<'a> {
    pub work: Work<'a>,
}

impl Predictor for Whole<'_> {
    fn view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        mut sum: Sum,
        monitor: &Monitor,
        _progress: Progressed,
    ) -> Result<()> {
        let Work { model, compute, threads, .. } = self.work;
        monitor.check()?;
        let values = on_own_thread(threads, || {
            let BaselineNetwork::UnetFull(network) = network(model, view, &compute)? else { return Err(mixed_up()) };
            let all = read(volume, 0..volume.dim().0 as isize, model.config().window)?;
            let volumes = place(&all.f_unsqueeze(0)?.f_unsqueeze(0)?, &compute)?;
            numbers(&network.forward(&volumes, BatchNorm::Running)?.f_sigmoid()?)
        })?;
        let voxels = volume.len();
        sum.add(0, |label| shaped(&values[label * voxels..][..voxels], volume.dim()))
    }
}
