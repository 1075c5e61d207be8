//! How much memory a segmentation takes, before it starts.
//!
//! Counted are the arrays that the work holds at its peak, and the network's feature maps: what the streaming encoder keeps of each layer, what
//! waits for the decoder, and a block's way through the widest layers. On the processor the C library's allocator holds more than is asked of
//! it, and libtorch has needs of its own; how much was measured (docs/figures.md).

use std::collections::{BTreeMap, BTreeSet};

use super::ensemble::Ensemble;
use super::networks::feature_maps;
use super::options::SegmentOptions;
use super::predictor::Work;
use crate::compute::Compute;
use crate::limits::{self, Attainable};
use crate::network::layout;
use crate::network::Model;
use crate::volume::{lps_spacing, Geometry, View};
use crate::{Error, Result};

/// An estimate, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// In the machine's memory, the volume in float32 (of a region, that alone) and the results included.
    pub host: u64,
    /// In the GPU's memory; 0 if none is used.
    pub device: u64,
}

/// What the processor's feature maps take for each byte that they hold: maps of many sizes come and go, and leave gaps.
const WITH_GAPS: f64 = 1.5;
/// What libtorch takes at its first use, whatever it computes.
const LIBTORCH: u64 = 170_000_000;

/// Estimates what [`segment`](super::segment) would take at its peak for a volume on this grid, beyond what the process holds before.
///
/// # Errors
/// As [`segment`](super::segment) for options that do not fit the model and devices that are not there.
pub fn estimate_memory(model: &Model, geometry: &Geometry, options: &SegmentOptions) -> Result<MemoryEstimate> {
    Ensemble::from(model).estimate_memory(geometry, options)
}

impl Ensemble<'_> {
    /// Estimates what [`segment`](Self::segment) would take at its peak: as much as the model that needs most, and the running sums. The
    /// models' own weights, which are in memory already, do not count.
    ///
    /// # Errors
    /// As [`estimate_memory`].
    pub fn estimate_memory(&self, geometry: &Geometry, options: &SegmentOptions) -> Result<MemoryEstimate> {
        geometry.check()?;
        if let Some(region) = options.region {
            geometry.check_region(region)?;
        }
        let weights = self.settle_weights(options)?;
        let mut most = MemoryEstimate { host: 0, device: 0 };
        let mut largest =
            options.region.map_or(geometry.size, |region| region.size).iter().map(|n| *n as u64).product();
        for (model, weights) in self.models().iter().zip(&weights) {
            let (estimate, working) = estimate_one(model, geometry, options, weights)?;
            most = MemoryEstimate { host: most.host.max(estimate.host), device: most.device.max(estimate.device) };
            largest = working.max(largest);
        }
        if self.models().len() > 1 {
            let views: BTreeSet<_> = weights.iter().flat_map(BTreeMap::keys).collect();
            let kept = if options.keep_views { views.len() } else { 0 } + if options.uncertainty { 2 } else { 0 };
            most.host += 4 * (self.labels().count() + kept) as u64 * largest;
        }
        Ok(most)
    }

    /// Refuses work that could never succeed in this process; see [`refuse_impossible`].
    ///
    /// # Errors
    /// As [`refuse_impossible`].
    pub fn refuse_impossible(&self, geometry: &Geometry, options: &SegmentOptions) -> Result<()> {
        refuse(self, geometry, options, 0)
    }
}

/// The estimate of one model, and the voxels of the grid that it works on.
fn estimate_one(
    model: &Model,
    geometry: &Geometry,
    options: &SegmentOptions,
    views: &BTreeMap<View, f64>,
) -> Result<(MemoryEstimate, u64)> {
    let compute = Compute::settle(options.device, options.precision)?;
    let config = model.config();
    let size = options.region.map_or(geometry.size, |region| region.size);
    let whole: u64 = geometry.size.iter().map(|n| *n as u64).product();
    let region: u64 = size.iter().map(|n| *n as u64).product();

    // [z, y, x] of the grid that the network works on.
    let mut working = [0; 3];
    for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
        working[2 - nearest.patient] = size[axis];
    }
    let mut resampled = 0;
    let (other, _) = config.working_grid(working, lps_spacing(geometry));
    if other != working && !options.prepared {
        working = other;
        resampled = working.iter().map(|n| *n as u64).product();
    }
    let of_network: u64 = working.iter().map(|n| *n as u64).product();
    let views_kept = if options.keep_views || options.uncertainty { views.len() as u64 } else { 0 };
    // Where the network works on the caller's grid the first label's probability is there, and has not to be brought.
    let more = if options.keep_views { views.len() as u64 } else { 0 } + u64::from(options.uncertainty);
    let results = u64::from(!options.mask_only) + more;
    let brought = u64::from(!options.mask_only && resampled > 0) + more;
    let others = config.labels.count() as u64 - 1;
    // Float32 throughout: the volume or the region of it, on its way to the working grid; what the network reads and writes, and each view's
    // and other label's part of that. The views' votes, a byte each.
    let on_the_way = if resampled > 0 { 4 * (2 * region + resampled) } else { 0 };
    let own = if resampled > 0 { 2 * resampled } else { region };
    let during = 4 * (region + own + (views_kept + others) * of_network) + of_network;
    // Then the masks, the planes that they are made of, the parts of one, of which each voxel has a number, and the results.
    let made = if options.mask_only { others } else { 5 * others };
    let planes = 4 * 16 * (1 + others) * region / working[0].max(1) as u64;
    let after = 4 * (region + own + (views_kept + others) * of_network) + 6 * region;
    let after = (after + planes).max(after + (4 * brought + made) * region);
    let pasted = if options.region.is_some() { (4 * results + 1 + made) * whole } else { 0 };

    let work = Work { model, compute, threads: options.threads(), block: options.block, patches: options.patches };
    let weights = 4 * (layout::parameters(config) * 2) as u64;
    let network = views
        .keys()
        .map(|view| {
            let size = view.axes().map(|axis| working[axis]);
            feature_maps(&work, *view, size)
        })
        .max()
        .unwrap_or(0)
        + weights;
    let on_host = if compute.is_gpu() { 0 } else { (network as f64 * WITH_GAPS) as u64 };
    let estimate = MemoryEstimate {
        host: LIBTORCH + (during + on_host).max(after).max(on_the_way) + pasted,
        device: if compute.is_gpu() { network } else { 0 },
    };
    Ok((estimate, of_network))
}

/// Refuses work that could never succeed in this process, before it brings the machine to its knees or is ended half-way.
///
/// # Errors
/// [`Error::Memory`] with what would be needed and what there is.
pub fn refuse_impossible(model: &Model, geometry: &Geometry, options: &SegmentOptions) -> Result<()> {
    refuse(&Ensemble::from(model), geometry, options, 0)
}

/// The same, for a caller that holds the volume, or the region of it, already.
pub(super) fn refuse_impossible_with_volume(
    ensemble: &Ensemble,
    geometry: &Geometry,
    options: &SegmentOptions,
) -> Result<()> {
    let size = options.region.map_or(geometry.size, |region| region.size);
    refuse(ensemble, geometry, options, 4 * size.iter().map(|n| *n as u64).product::<u64>())
}

fn refuse(ensemble: &Ensemble, geometry: &Geometry, options: &SegmentOptions, held: u64) -> Result<()> {
    let estimate = ensemble.estimate_memory(geometry, options)?;
    let Some(attainable) = Attainable::now() else { return Ok(()) };
    let mut needed = estimate.host.saturating_sub(held);
    if attainable.counts_reserved() {
        // libtorch's threads, and as many as there are processors for all else.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        needed += limits::reserved_by(options.threads() + processors);
    }
    if needed > attainable.bytes {
        return Err(Error::Memory(format!(
            "about {:.1} GB would be needed, and {attainable}; segment a region of the image, or use patches or fewer threads",
            needed as f64 / 1e9,
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::{DeviceChoice, PatchGrid, PrecisionChoice, Region};
    use crate::network::ModelConfig;

    fn estimate(size: [usize; 3], change: impl FnOnce(&mut SegmentOptions)) -> u64 {
        let config = ModelConfig { views: vec![View::Axial], ..ModelConfig::default() };
        let model = Model::new_untrained(config, 1).unwrap();
        let mut options =
            SegmentOptions { device: DeviceChoice::Cpu, precision: PrecisionChoice::F32, ..SegmentOptions::default() };
        change(&mut options);
        estimate_memory(&model, &Geometry::axis_aligned(size, [0.8, 0.8, 2.5]), &options).unwrap().host
    }

    #[test]
    fn what_is_said_to_need_less_memory_does() {
        let whole = estimate([512, 512, 100], |_| {});
        assert!(estimate([512, 512, 100], |o| o.precision = PrecisionChoice::Bf16) < whole);
        let patches = Some(PatchGrid { size: [256, 256], overlap: 64 });
        assert!(estimate([512, 512, 100], |o| o.patches = patches) < whole);
        let region = Some(Region { start: [100, 100, 10], size: [256, 256, 60] });
        assert!(estimate([512, 512, 100], |o| o.region = region) < whole);
        assert!(estimate([512, 512, 100], |o| o.keep_views = true) > whole);
    }

    #[test]
    fn a_known_case_is_near_what_was_measured() {
        // The paper's network on 512 x 512 x 20: 2231 MB measured.
        let megabytes = estimate([512, 512, 20], |_| {}) as f64 / 1e6;
        assert!((1800.0..2800.0).contains(&megabytes), "{megabytes}");
    }

    #[test]
    fn work_beyond_the_machine_is_refused() {
        let model = Model::new_untrained(ModelConfig::default(), 1).unwrap();
        let geometry = Geometry::axis_aligned([60_000, 60_000, 6_000], [0.01; 3]);
        let options = SegmentOptions { device: DeviceChoice::Cpu, ..SegmentOptions::default() };
        if Attainable::now().is_some() {
            assert!(matches!(refuse_impossible(&model, &geometry, &options), Err(Error::Memory(_))));
        }
    }
}
