//! How many numbers the feature maps of a GGPFN hold, for estimates of memory.

use super::config::GgpfnConfig;
use super::topology::{ConvolutionSpec, Layers, Topology};
use crate::Result;

/// The elements of the outputs of all convolutions and deconvolutions of encoder and decoder, on a sample that segments `slices` neighbouring
/// slices of `[rows, columns]`.
pub fn local_elements(config: &GgpfnConfig, slices: usize, patch: [usize; 2]) -> u64 {
    // Writing shapes down cannot fail.
    let Ok(topology) = Topology::build(config, 1, &mut Shapes) else { return 0 };
    let mut sum = 0;
    // The encoder's convolutions along z use slices up.
    let mut left = slices + 2 * config.t;
    for (halvings, group) in topology.encoder.iter().enumerate() {
        for spec in group.plain.iter().chain(group.residual.iter().flatten()) {
            left = left.saturating_sub(spec.depth - 1);
            sum += (spec.shape[0] * left) as u64 * plane(patch, halvings);
        }
    }
    sum += (topology.fuse.shape[0] * slices) as u64 * plane(patch, 3);
    for (halvings, scale) in topology.decoder.iter().enumerate() {
        let channels = scale.up + scale.first.shape[0] + scale.second.shape[0];
        sum += (channels * slices) as u64 * plane(patch, halvings);
    }
    sum
}

/// Those of the global branch, on as many whole slices that have the size `[rows, columns]` for it; 0 without one.
pub fn global_elements(config: &GgpfnConfig, slices: usize, size: [usize; 2]) -> u64 {
    let Ok(Topology { global: Some(branch), .. }) = Topology::build(config, 1, &mut Shapes) else { return 0 };
    let of_group = |(halvings, group): (usize, &Vec<ConvolutionSpec>)| {
        let channels: usize = group.iter().map(|spec| spec.shape[0]).sum();
        (channels * slices) as u64 * plane(size, halvings + 1)
    };
    branch.groups.iter().enumerate().map(of_group).sum()
}

fn plane(size: [usize; 2], halvings: usize) -> u64 {
    (size[0] >> halvings) as u64 * (size[1] >> halvings) as u64
}

/// Layers of which only the shape is known.
struct Shapes;

impl Layers for Shapes {
    type Convolution = ConvolutionSpec;
    /// Channels of the output.
    type Deconvolution = usize;
    type Readout = ();

    fn convolution(&mut self, spec: ConvolutionSpec) -> Result<ConvolutionSpec> {
        Ok(spec)
    }

    fn deconvolution(&mut self, _path: &str, _input: usize, output: usize) -> Result<usize> {
        Ok(output)
    }

    fn readout(&mut self, _path: &str, _input: usize, _labels: usize) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted by hand: T = 1, one channel everywhere, one slice of 16 x 8.
    #[test]
    fn a_small_network_is_counted_right() {
        let config = GgpfnConfig { t: 1, widths: [1; 4], global_widths: None, ..GgpfnConfig::default() };
        // Encoder: 2, 3, 5 and 5 convolutions; the first leaves one of three slices. Decoder: fuse, then three on each of three scales.
        let encoder = 2 * 128 + 3 * 32 + 5 * 8 + 5 * 2;
        let decoder = 2 + 3 * (128 + 32 + 8);
        assert_eq!(local_elements(&config, 1, [16, 8]), encoder + decoder);
        assert_eq!(global_elements(&config, 1, [32, 32]), 0);
        // With T = 2 the first convolution leaves three of five slices.
        let deeper = GgpfnConfig { t: 2, ..config.clone() };
        assert_eq!(local_elements(&deeper, 1, [16, 8]), encoder + decoder + 2 * 128);
        // 2, 2, 3, 3 and 3 convolutions at a half to a thirty-second.
        let guided = GgpfnConfig { global_widths: Some([1; 5]), ..config };
        assert_eq!(global_elements(&guided, 2, [32, 32]), 2 * (2 * 256 + 2 * 64 + 3 * 16 + 3 * 4 + 3));
        assert_eq!(local_elements(&guided, 1, [16, 8]), encoder + decoder);
    }
}
