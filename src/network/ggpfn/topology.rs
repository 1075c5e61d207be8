//! One view's network, layer by layer: which layers there are, how they hang together, what their tensors are called and shaped.
//!
//! This is written once. What a layer is differs: to the [layout](crate::network::layout) a few names and shapes, to training a convolution with its batch
//! normalisation ([`Network`](super::Network)), to inference one convolution into which the normalisation is folded. Each says so by
//! [`Layers`], and [`Topology::build`] puts the network together from them, always in the same order.

use super::config::{Fusion, GgpfnConfig};
use crate::Result;

/// What the layers of a network are made of.
pub trait Layers {
    /// Convolution, batch normalisation and ReLU.
    type Convolution;
    /// 2 x 2 deconvolution of stride 2, with bias.
    type Deconvolution;
    /// 1 x 1 convolution to a logit for each label, with bias.
    type Readout;

    /// A convolution.
    ///
    /// # Errors
    /// Those of what the layer is made from.
    fn convolution(&mut self, spec: ConvolutionSpec) -> Result<Self::Convolution>;

    /// A deconvolution from `input` to `output` channels; its tensors are `PATH.weight`, `[input, output, 2, 2]`, and `PATH.bias`.
    ///
    /// # Errors
    /// As [`convolution`](Self::convolution).
    fn deconvolution(&mut self, path: &str, input: usize, output: usize) -> Result<Self::Deconvolution>;

    /// A readout of `input` channels to `labels` logits; its tensors are `PATH.weight`, `[labels, input, 1, 1]`, and `PATH.bias`.
    ///
    /// # Errors
    /// As [`convolution`](Self::convolution).
    fn readout(&mut self, path: &str, input: usize, labels: usize) -> Result<Self::Readout>;
}

/// A convolution with its batch normalisation. Its tensors are `PATH.conv.weight` and `PATH.bn.weight`, `.bias`, `.running_mean` and
/// `.running_var`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvolutionSpec {
    /// What the names of its tensors begin with, the view aside.
    pub path: String,
    /// The weight's shape in PyTorch's order: `[output, input, 3, 3]`, in the encoder `[output, input, depth, 3, 3]`.
    pub shape: Vec<usize>,
    /// The stride within the slice.
    pub stride: usize,
    /// In the encoder, how many slices it takes for one; 1 elsewhere.
    pub depth: usize,
    /// Whether it is the encoder's first, which sees the slices themselves.
    pub is_stem: bool,
}

/// One group of the encoder.
pub struct GroupShape {
    /// Plain convolutions, which come first.
    pub plain: usize,
    /// Residual blocks of two convolutions each.
    pub residual: usize,
}

impl GroupShape {
    /// The number of convolutions in the group.
    pub const fn convolutions(&self) -> usize {
        self.plain + 2 * self.residual
    }
}

/// The encoder's groups, finest first: 2, 3, 5 and 5 convolutions, 15 in all.
pub const ENCODER: [GroupShape; 4] = [
    GroupShape { plain: 2, residual: 0 },
    GroupShape { plain: 1, residual: 1 },
    GroupShape { plain: 1, residual: 2 },
    GroupShape { plain: 1, residual: 2 },
];

/// The number of convolutions in each group of the global branch: 13 in all (paper, section 2.3).
pub const GLOBAL: [usize; 5] = [2, 2, 3, 3, 3];

/// The network of one view, of convolutions, deconvolutions and readouts.
#[derive(Debug)]
pub struct Topology<C, D, R> {
    /// The encoder's groups, finest first.
    pub encoder: Vec<Group<C>>,
    /// The readouts of the encoder's side outputs, finest first.
    pub side: Vec<R>,
    /// The convolution behind the encoder: E_k and, with global guidance, F_k behind it in the channels.
    pub fuse: C,
    /// The decoder's scales, finest first.
    pub decoder: Vec<Scale<C, D>>,
    /// The readout of P.
    pub head: R,
    /// The global branch, if there is one.
    pub global: Option<Global<C, R>>,
}

/// A group of the encoder: plain convolutions, then residual blocks.
#[derive(Debug)]
pub struct Group<C> {
    /// The plain convolutions.
    pub plain: Vec<C>,
    /// The residual blocks' convolutions.
    pub residual: Vec<[C; 2]>,
}

/// A scale of the decoder: deconvolution, skip connection, two convolutions.
#[derive(Debug)]
pub struct Scale<C, D> {
    /// From the next coarser scale.
    pub up: D,
    /// Of the upsampled features and the skip connection's behind them in the channels.
    pub first: C,
    /// Behind it.
    pub second: C,
}

/// The global branch.
#[derive(Debug)]
pub struct Global<C, R> {
    /// The convolutions of its groups, finest first.
    pub groups: Vec<Vec<C>>,
    /// The readout of P^f, from the last group.
    pub readout: R,
    /// The readout of P^f', from the last group but one.
    pub finer_readout: R,
}

impl<C, D, R> Topology<C, D, R> {
    /// The network of a configuration, with so many labels, on `layers`.
    ///
    /// # Errors
    /// Those of `layers`.
    pub fn build(
        config: &GgpfnConfig,
        labels: usize,
        layers: &mut impl Layers<Convolution = C, Deconvolution = D, Readout = R>,
    ) -> Result<Self> {
        let widths = config.widths;
        let encoder = encoder(config, layers)?;
        let side = (0..widths.len())
            .map(|g| layers.readout(&format!("local.aux.{g}"), widths[g], labels))
            .collect::<Result<_>>()?;
        let features = config.global_widths.map_or(0, |widths| widths[4]);
        let fuse = layers.convolution(plane("local.d4", widths[3], widths[3] + features))?;
        let decoder = (0..3)
            .map(|j| {
                Ok(Scale {
                    up: layers.deconvolution(&format!("local.up.{j}"), widths[j + 1], widths[j])?,
                    first: layers.convolution(plane(&format!("local.dec.{j}.0"), widths[j], 2 * widths[j]))?,
                    second: layers.convolution(plane(&format!("local.dec.{j}.1"), widths[j], widths[j]))?,
                })
            })
            .collect::<Result<_>>()?;
        let head = layers.readout("local.head", widths[0], labels)?;
        let global = config.global_widths.map(|widths| global(widths, labels, layers)).transpose()?;
        Ok(Topology { encoder, side, fuse, decoder, head, global })
    }
}

fn encoder<L: Layers>(config: &GgpfnConfig, layers: &mut L) -> Result<Vec<Group<L::Convolution>>> {
    let mut index = 0;
    let mut input = 1;
    let mut groups = Vec::with_capacity(ENCODER.len());
    for (g, shape) in ENCODER.iter().enumerate() {
        let mut next = |path: String| {
            let (output, depth) = (config.widths[g], depth_extent(config, index));
            // The slices of a one-off network are the first convolution's channels.
            let shape = match (index, config.fusion) {
                (0, Fusion::OneOff) => vec![output, depth, 3, 3],
                _ => vec![output, input, depth, 3, 3],
            };
            let spec = ConvolutionSpec { path, shape, stride: 1, depth, is_stem: index == 0 };
            index += 1;
            input = output;
            layers.convolution(spec)
        };
        let plain = (0..shape.plain).map(|i| next(format!("local.enc.{g}.plain.{i}"))).collect::<Result<_>>()?;
        let residual = (0..shape.residual)
            .map(|i| Ok([next(format!("local.enc.{g}.res.{i}.conv0"))?, next(format!("local.enc.{g}.res.{i}.conv1"))?]))
            .collect::<Result<_>>()?;
        groups.push(Group { plain, residual });
    }
    Ok(groups)
}

fn global<L: Layers>(widths: [usize; 5], labels: usize, layers: &mut L) -> Result<Global<L::Convolution, L::Readout>> {
    let mut input = 1;
    let mut groups = Vec::with_capacity(GLOBAL.len());
    for (k, convolutions) in GLOBAL.iter().enumerate() {
        let mut group = Vec::with_capacity(*convolutions);
        for i in 0..*convolutions {
            let stride = if (k, i) == (0, 0) { 2 } else { 1 };
            let spec = ConvolutionSpec { stride, ..plane(&format!("global.g.{k}.{i}"), widths[k], input) };
            group.push(layers.convolution(spec)?);
            input = widths[k];
        }
        groups.push(group);
    }
    Ok(Global {
        groups,
        readout: layers.readout("global.aux_f", widths[4], labels)?,
        finer_readout: layers.readout("global.aux_fp", widths[3], labels)?,
    })
}

/// A convolution within the slice.
fn plane(path: &str, output: usize, input: usize) -> ConvolutionSpec {
    ConvolutionSpec { path: path.into(), shape: vec![output, input, 3, 3], stride: 1, depth: 1, is_stem: false }
}

/// The extent along z of the encoder's convolution number `index` (0 to 14): 3 for the first T of a progressive network,
/// all 2T + 1 slices for the first of a one-off network, otherwise 1.
pub fn depth_extent(config: &GgpfnConfig, index: usize) -> usize {
    match config.fusion {
        Fusion::Progressive if index < config.t => 3,
        Fusion::OneOff if index == 0 => config.slices(),
        _ => 1,
    }
}

impl GgpfnConfig {
    /// The in-plane receptive field of the encoder in pixels (paper: 144): each 3 x 3 convolution adds 2 pixels of its scale,
    /// each pooling one more pixel of the scale before it.
    pub fn receptive_field(&self) -> usize {
        let mut field = 1;
        for (index, group) in ENCODER.iter().enumerate() {
            let pixel = 1 << index;
            field += group.convolutions() * 2 * pixel;
            if index > 0 {
                field += pixel / 2;
            }
        }
        field
    }
}
