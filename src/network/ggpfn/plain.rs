//! Globally Guided Progressive Fusion Network (Fang, Li, Pan, Li and Yu; the paper's figure 2), one view, as drawn.
//!
//! Every layer is here as the paper has it, batch normalisation and side outputs included: the form that is trained.
//! Shapes: N samples, D = 2T + S slices of which S neighbouring ones are segmented (S = 1 in the paper), H x W pixels of a patch
//! (multiples of 8), widths C0..C3. With S > 1 the slices of a sample share what their windows have in common, and the decoder sees
//! N S samples.
//!
//! Layers compute in the number format of what they are given: bfloat16 windows make convolutions in bfloat16 on weights that stay
//! float32, as mixed precision wants it. Logits are always float32.

use tch::{Kind, Tensor};

use super::config::{Fusion, GgpfnConfig};
use super::topology::{ConvolutionSpec, Global, Group, Layers, Scale, Topology};
use crate::network::norm::{BatchNorm, Norm};
use crate::Result;

/// One view's network.
#[derive(Debug)]
pub struct Network {
    layers: Topology<Convolution, Deconvolution, Readout>,
    one_off: bool,
    t: usize,
}

/// What the local branch computes, as logits, and what it reads them out of.
#[derive(Debug)]
pub struct LocalOutput {
    /// P: `[N S, L, H, W]`, L being the number of labels; 1 in the paper.
    pub logits: Tensor,
    /// P_k^(j) of the encoder's groups, finest first: `[N S, L, H / 2^j, W / 2^j]`.
    pub side: Vec<Tensor>,
    /// The features that P is read out of, no logits: `[N S, C0, H, W]`.
    pub finest: Tensor,
    /// E_k, the features of the encoder's last group: `[N S, C3, H / 8, W / 8]`.
    pub coarsest: Tensor,
}

/// What the global branch computes.
#[derive(Debug)]
pub struct GlobalOutput {
    /// F: `[N, C, h_g / 32, w_g / 32]`.
    pub features: Tensor,
    /// P^f, logits: `[N, L, h_g / 32, w_g / 32]`.
    pub logits: Tensor,
    /// P^f', logits of the second last scale: `[N, L, h_g / 16, w_g / 16]`.
    pub finer_logits: Tensor,
}

impl Network {
    /// The network of a configuration on tensors that somebody else owns: `tensor` gives the one of a name of the
    /// [layer table](crate::network::layout). Layers share their memory, so that an optimiser's update is the network's.
    ///
    /// # Errors
    /// Those of `tensor`.
    pub fn assemble(config: &GgpfnConfig, labels: usize, tensor: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let layers = Topology::build(config, labels, &mut Source { tensor })?;
        Ok(Network { layers, one_off: config.fusion == Fusion::OneOff, t: config.t })
    }

    /// The encoder: the feature maps of its four groups with all slices that each has left, `[N, C_g, D_g, H_g, W_g]`, from
    /// normalised `windows` `[N, D, H, W]`. For T = 15 and S = 1 the D_g are 27, 21, 11 and 1; the last is always S.
    pub fn encode(&self, windows: &Tensor, norm: BatchNorm) -> Result<Vec<Tensor>> {
        let mut features: Vec<Tensor> = Vec::with_capacity(self.groups());
        for g in 0..self.groups() {
            features.push(self.group(g, features.last().unwrap_or(windows), norm)?);
        }
        Ok(features)
    }

    /// The number of the encoder's groups.
    pub fn groups(&self) -> usize {
        self.layers.encoder.len()
    }

    /// One group of the encoder, from the feature map of the group before; the first, from the windows.
    pub fn group(&self, g: usize, before: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let x = match (g, self.one_off) {
            // The slices of each window are channels: [N, D, H, W] -> [N, 2T + 1, S, H, W].
            (0, true) => before.f_unfold(1, 2 * self.t as i64 + 1, 1)?.f_permute([0, 4, 1, 2, 3])?.f_contiguous()?,
            (0, false) => before.f_unsqueeze(1)?, // [N, 1, D, H, W]
            _ => before.f_max_pool3d([1, 2, 2], [1, 2, 2], [0, 0, 0], [1, 1, 1], false)?,
        };
        self.layers.encoder[g].forward(&x, norm)
    }

    /// The local branch: normalised `windows` `[N, D, H, W]` and the sampled global features F_k `[N S, C, H / 8, W / 8]` to the
    /// logits of the central slices.
    pub fn local(&self, windows: &Tensor, guidance: Option<&Tensor>, norm: BatchNorm) -> Result<LocalOutput> {
        self.decode(&self.encode(windows, norm)?, guidance, norm)
    }

    /// Side outputs and decoder, from the encoder's feature maps. Without guidance the first decoder convolution takes E_k alone, also in a
    /// network that has a global branch: the progressive fusion network alone of the paper's second stage.
    pub fn decode(&self, features: &[Tensor], guidance: Option<&Tensor>, norm: BatchNorm) -> Result<LocalOutput> {
        let slices = features[3].size()[2];
        let central: Vec<Tensor> = features.iter().map(|x| central_slices(x, slices)).collect::<Result<_>>()?;
        let side =
            self.layers.side.iter().zip(&central).map(|(readout, x)| readout.forward(x)).collect::<Result<_>>()?;
        let mut x = central[3].shallow_clone();
        if let Some(guidance) = guidance {
            x = Tensor::f_cat(&[&x, &guidance.f_to_kind(x.kind())?], 1)?;
        }
        x = self.layers.fuse.forward(&x, norm)?; // [N S, C3, H/8, W/8]
        for (stage, skip) in self.layers.decoder.iter().zip(&central).rev() {
            x = stage.forward(&x, skip, norm)?; // [N S, C_j, H/2^j, W/2^j]
        }
        Ok(LocalOutput { logits: self.layers.head.forward(&x)?, side, finest: x, coarsest: central[3].shallow_clone() })
    }

    /// The global branch on downsampled slices `[N, 1, h_g, w_g]`; none without global guidance.
    pub fn global(&self, slices: &Tensor, norm: BatchNorm) -> Result<Option<GlobalOutput>> {
        self.layers.global.as_ref().map(|branch| branch.forward(slices, norm)).transpose()
    }
}

/// The `slices` in the middle, `[N, C, D, H, W]` -> `[N S, C, H, W]`: central cropping of a skip connection.
fn central_slices(x: &Tensor, slices: i64) -> Result<Tensor> {
    let [n, c, d, h, w] = x.size()[..] else {
        return Err(crate::Error::Torch("the encoder's feature map has not five dimensions".into()));
    };
    if slices == 1 {
        return Ok(x.f_select(2, d / 2)?);
    }
    // By way of [N, S, H, W, C], which keeps channels together where they are together.
    let slices_first = x.f_narrow(2, (d - slices) / 2, slices)?.f_permute([0, 2, 3, 4, 1])?;
    Ok(slices_first.f_reshape([n * slices, h, w, c])?.f_permute([0, 3, 1, 2])?)
}

/// The same tensor with its channels next to each other in memory, the order in which libtorch's convolutions and their gradients are
/// fastest (a quarter faster than in the common order for a few dozen channels). All layers keep it.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    let (strides, channels) = (x.stride(), x.size()[1]);
    if channels == 1 || strides[1] == 1 {
        return Ok(x.shallow_clone());
    }
    let (there, back): (&[i64], &[i64]) =
        if x.dim() == 5 { (&[0, 2, 3, 4, 1], &[0, 4, 1, 2, 3]) } else { (&[0, 2, 3, 1], &[0, 3, 1, 2]) };
    Ok(x.f_permute(there)?.f_contiguous()?.f_permute(back)?)
}

/// A weight in the number format that a layer computes in.
fn weight_as(weight: &Tensor, kind: Kind) -> Result<Tensor> {
    Ok(if weight.kind() == kind { weight.shallow_clone() } else { weight.f_to_kind(kind)? })
}

/// Convolution, batch normalisation, ReLU.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    norm: Norm,
    stride: i64,
}

impl Convolution {
    fn forward(&self, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        // In place: normalisation's gradient needs its input, not its output, and these are a network's largest tensors.
        Ok(self.normalised(x, norm)?.f_relu_()?)
    }

    fn normalised(&self, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let mut weight = weight_as(&self.weight, x.kind())?;
        let x = if x.dim() == 5 {
            if weight.dim() == 4 {
                weight = weight.f_unsqueeze(2)?; // one-off fusion's first layer, [C0, D, 3, 3] -> [C0, D, 1, 3, 3]
            }
            x.f_conv3d(&weight, None::<&Tensor>, [1, 1, 1], [0, 1, 1], [1, 1, 1], 1)?
        } else {
            if weight.size()[1] > x.size()[1] {
                weight = weight.f_narrow(1, 0, x.size()[1])?; // `fuse` without guidance
            }
            x.f_conv2d(&weight, None::<&Tensor>, [self.stride, self.stride], [1, 1], [1, 1], 1)?
        };
        // Here and not before the convolution: normalisation keeps what it is given until its gradient is due, a convolution does not
        // keep what it gives.
        let x = if norm != BatchNorm::Running { channels_last(&x)? } else { x };
        self.norm.forward(&x, norm)
    }
}

/// `relu(crop(x) + bn1(conv1(relu(bn0(conv0(x))))))`.
fn residual([first, second]: &[Convolution; 2], x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
    let y = second.normalised(&first.forward(x, norm)?, norm)?;
    let (before, after) = (x.size()[2], y.size()[2]);
    // Each 3D convolution used up the two outmost slices: [.., D, ..] -> [.., D - 4, ..], or D - 2, or D.
    let crop = x.f_narrow(2, (before - after) / 2, after)?;
    Ok(crop.f_add(&y)?.f_relu_()?)
}

impl Group<Convolution> {
    fn forward(&self, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for layer in &self.plain {
            x = layer.forward(&x, norm)?;
        }
        for block in &self.residual {
            x = residual(block, &x, norm)?;
        }
        Ok(x)
    }
}

/// A 2 x 2 deconvolution of stride 2.
#[derive(Debug)]
struct Deconvolution {
    weight: Tensor,
    bias: Tensor,
}

impl Scale<Convolution, Deconvolution> {
    fn forward(&self, x: &Tensor, skip: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        let Deconvolution { weight, bias } = &self.up;
        let (weight, bias) = (weight_as(weight, x.kind())?, weight_as(bias, x.kind())?);
        let up = x.f_conv_transpose2d(&weight, Some(&bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?;
        let x = self.first.forward(&Tensor::f_cat(&[&up, skip], 1)?, norm)?;
        self.second.forward(&x, norm)
    }
}

/// A 1 x 1 convolution to one logit per label and pixel.
#[derive(Debug)]
struct Readout {
    weight: Tensor,
    bias: Tensor,
}

impl Readout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.f_to_kind(self.weight.kind())?;
        Ok(x.f_conv2d(&self.weight, Some(&self.bias), [1, 1], [0, 0], [1, 1], 1)?)
    }
}

impl Global<Convolution, Readout> {
    fn forward(&self, slices: &Tensor, norm: BatchNorm) -> Result<GlobalOutput> {
        let mut x = slices.shallow_clone();
        let mut finer = slices.shallow_clone();
        for (k, group) in self.groups.iter().enumerate() {
            if k > 0 {
                finer = x.shallow_clone();
                x = x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?;
            }
            for layer in group {
                x = layer.forward(&x, norm)?; // h_g / 2, / 4, / 8, / 16, / 32
            }
        }
        Ok(GlobalOutput {
            logits: self.readout.forward(&x)?,
            finer_logits: self.finer_readout.forward(&finer)?,
            features: x,
        })
    }
}

/// Where the layers' tensors come from.
struct Source<'a> {
    tensor: &'a dyn Fn(&str) -> Result<Tensor>,
}

impl Source<'_> {
    fn tensor(&self, path: &str, name: &str) -> Result<Tensor> {
        (self.tensor)(&format!("{path}.{name}"))
    }
}

impl Layers for Source<'_> {
    type Convolution = Convolution;
    type Deconvolution = Deconvolution;
    type Readout = Readout;

    fn convolution(&mut self, spec: ConvolutionSpec) -> Result<Convolution> {
        Ok(Convolution {
            weight: self.tensor(&spec.path, "conv.weight")?,
            norm: Norm {
                scale: self.tensor(&spec.path, "bn.weight")?,
                shift: self.tensor(&spec.path, "bn.bias")?,
                mean: self.tensor(&spec.path, "bn.running_mean")?,
                variance: self.tensor(&spec.path, "bn.running_var")?,
            },
            stride: spec.stride as i64,
        })
    }

    fn deconvolution(&mut self, path: &str, _: usize, _: usize) -> Result<Deconvolution> {
        Ok(Deconvolution { weight: self.tensor(path, "weight")?, bias: self.tensor(path, "bias")? })
    }

    fn readout(&mut self, path: &str, _: usize, _: usize) -> Result<Readout> {
        Ok(Readout { weight: self.tensor(path, "weight")?, bias: self.tensor(path, "bias")? })
    }
}
