//! How a view is to be computed: how many slices enter the network at a time, how its slices are divided over threads, and what its feature
//! maps take.

use crate::compute::Compute;
use crate::inference::patches::PatchGrid;
use crate::network::ggpfn::topology::ENCODER;
use crate::network::{Fusion, GgpfnConfig};
use crate::volume::View;

/// How a view is to be run through its network.
pub(in crate::inference) struct Plan<'a> {
    pub network: &'a GgpfnConfig,
    /// Hounsfield units that map to 0 and to 1.
    pub window: [f64; 2],
    pub view: View,
    pub compute: Compute,
    /// Processor threads.
    pub threads: usize,
    /// Slices that enter the network at a time; none: chosen by their size.
    pub block: Option<usize>,
    pub patches: Option<PatchGrid>,
}

/// How a view's slices are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    /// Parts that are computed side by side.
    pub parts: usize,
    /// libtorch's threads in each.
    pub threads: usize,
}

/// The fewest slices of a part: at each cut a few are computed twice.
const LEAST_SLICES: usize = 24;

impl Plan<'_> {
    /// The division of `slices` slices of rows x columns.
    pub(super) fn divide(&self, slices: usize, rows: usize, columns: usize) -> Division {
        /// What all parts' feature maps may take together.
        const MOST_BYTES: u64 = 1 << 30;
        let threads = self.threads.max(1);
        if self.compute.is_gpu() {
            return Division { parts: 1, threads };
        }
        let with_room = MOST_BYTES / self.feature_maps(slices, rows, columns).max(1);
        let most = self.most_parts(slices).min(with_room as usize).max(1);
        // Where there are more threads than parts, each part gets some.
        let of_each = threads.div_ceil(most);
        Division { parts: threads / of_each, threads: of_each }
    }

    fn most_parts(&self, slices: usize) -> usize {
        (slices / LEAST_SLICES).clamp(1, self.threads.max(1))
    }

    /// How many slices enter the network at a time. Large blocks spread the cost of preparing a layer over more slices; the
    /// feature maps of small ones stay in the processor's cache, which parts share.
    pub fn block_slices(&self, slices: usize, rows: usize, columns: usize) -> usize {
        const PROCESSOR_BYTES: usize = 24 << 20;
        const GPU_BYTES: usize = 512 << 20;
        let slice = self.network.widths[0] * rows * columns * self.compute.bytes_per_number();
        let room = match (self.compute.is_gpu(), self.most_parts(slices)) {
            (true, _) => GPU_BYTES,
            (false, 1) => PROCESSOR_BYTES,
            // Together half as much: each part holds maps between its layers as well.
            (false, parts) => PROCESSOR_BYTES / 2 / parts,
        };
        self.block.unwrap_or_else(|| (room / slice.max(1)).clamp(1, 16)).clamp(1, 1024)
    }

    /// The network's feature maps in bytes, of one part of `slices` slices of rows x columns.
    pub fn feature_maps(&self, slices: usize, rows: usize, columns: usize) -> u64 {
        let config = self.network;
        let block = self.block_slices(slices, rows, columns) as u64;
        let number = self.compute.bytes_per_number() as u64;
        let deep_layers = if config.fusion == Fusion::Progressive { config.t } else { 1 };
        let (mut layer, mut kept) = (0, 0);
        for (scale, group) in ENCODER.iter().enumerate() {
            let area = (rows * columns) as u64 >> (2 * scale);
            let width = config.widths[scale] as u64;
            let deep = group.convolutions().min(deep_layers - layer);
            layer += deep;
            // Each convolution along z keeps two slices; finished ones wait until the layers behind have seen as many.
            kept += 2 * deep as u64 * width * area;
            kept += (block + (deep_layers - layer) as u64) * width * area;
        }
        let area = (rows * columns) as u64;
        let finest = block * config.widths[0] as u64 * area;
        // In the decoder's finest scale: the upsampled features, their concatenation with the encoder's, two convolutions; in the encoder as
        // much. Scratch memory of the processor's convolutions goes with them.
        let moving = 6 * finest;
        let global = config.global_widths.map_or(0, |widths| {
            let [h, w] = config.global_size.get(&self.view).copied().unwrap_or([0, 0]);
            block * (3 * widths[0] * h * w) as u64 + 2 * block * area
        });
        number * (kept + moving + global)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::{DeviceChoice, PrecisionChoice};

    fn division(config: &GgpfnConfig, threads: usize, slices: usize, side: usize) -> (usize, usize) {
        let compute = Compute::settle(DeviceChoice::Cpu, PrecisionChoice::F32).unwrap();
        let (view, window) = (View::Axial, [-100.0, 240.0]);
        let plan = Plan { network: config, window, view, compute, threads, block: None, patches: None };
        let Division { parts, threads } = plan.divide(slices, side, side);
        (parts, threads)
    }

    #[test]
    fn every_thread_has_slices_or_a_share_of_a_part() {
        let small = GgpfnConfig { widths: [16, 32, 64, 96], t: 5, ..GgpfnConfig::default() };
        assert_eq!(division(&small, 1, 300, 160), (1, 1));
        assert_eq!(division(&small, 2, 300, 160), (2, 1));
        // Of 150 slices there are 6 parts at most.
        assert_eq!(division(&small, 4, 150, 160), (4, 1));
        assert_eq!(division(&small, 8, 150, 160), (4, 2));
        assert_eq!(division(&small, 16, 150, 160), (5, 3));
        // Too few to divide.
        assert_eq!(division(&small, 4, 47, 160), (1, 4));
        assert_eq!(division(&small, 4, 1, 8), (1, 4));
    }

    /// The paper's network holds more than a gigabyte of feature maps of whole slices.
    #[test]
    fn large_feature_maps_are_held_once() {
        assert_eq!(division(&GgpfnConfig::default(), 8, 300, 512), (1, 8));
    }
}
