//! One view's network in the form that inference uses: batch normalisation folded into the convolutions.
//!
//! At inference batch normalisation is a fixed scale and shift of each channel, so that `bn(conv(x))` is a convolution with
//! other weights and a bias. Everything is stored channels-last (`[N, H, W, C]` in memory, whatever the shape says), which
//! is how the processor's convolutions read it without reordering; a block of slices `[N, C, H, W]` in that order **is** a
//! volume `[1, C, N, H, W]`, so that 2D and 3D layers pass blocks on without a copy.

use tch::{Device, Kind, Tensor};

use crate::compute::Compute;
use crate::network::ggpfn::topology::{depth_extent, ConvolutionSpec, Global, Layers, Scale, Topology};
use crate::network::{Model, BATCH_NORM_EPSILON};
use crate::volume::View;
use crate::Result;

/// One view's network with folded weights on its device.
pub(super) struct FoldedNetwork {
    /// The encoder's first convolution, whose input channels are neighbouring slices.
    pub stem: Convolution,
    /// The number of slices that the stem takes for one.
    pub stem_depth: usize,
    /// All other layers; the encoder's first group lacks the stem. Side outputs are not computed.
    pub layers: Topology<Convolution, Deconvolution, Head>,
}

pub(super) struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    /// Whether it takes three slices for one.
    pub deep: bool,
}

pub(super) struct Deconvolution {
    weight: Tensor,
    bias: Tensor,
}

/// The last layer: 1 x 1 convolution to a logit for each label and the sigmoid, in float32 whatever the layers before used.
pub(super) struct Head {
    /// `[C]` for one label, `[C, L]` for several.
    weight: Tensor,
    bias: Tensor,
}

impl Convolution {
    /// The convolution alone, without ReLU, on a block of slices `[N, C, H, W]`: `[N - 2, O, H, W]` for a deep one, otherwise
    /// `[N, O, H / stride, W / stride]`.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if !self.deep {
            return Ok(x.f_conv2d(&self.weight, Some(&self.bias), [self.stride; 2], [1, 1], [1, 1], 1)?);
        }
        let volume = x.f_permute([1, 0, 2, 3])?.f_unsqueeze(0)?; // [1, C, N, H, W]
        let y = volume.f_conv3d(&self.weight, Some(&self.bias), [1, 1, 1], [0, 1, 1], [1, 1, 1], 1)?;
        Ok(y.f_squeeze_dim(0)?.f_permute([1, 0, 2, 3])?)
    }

    /// The convolution and its ReLU.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.apply(x)?.f_relu_()?)
    }
}

impl Scale<Convolution, Deconvolution> {
    /// `[N, C_(j+1), H, W]` and the skip `[N, C_j, 2H, 2W]` -> `[N, C_j, 2H, 2W]`.
    pub fn forward(&self, x: &Tensor, skip: &Tensor) -> Result<Tensor> {
        let up = x.f_conv_transpose2d(&self.up.weight, Some(&self.up.bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?;
        self.second.forward(&self.first.forward(&Tensor::f_cat(&[&up, skip], 1)?)?)
    }
}

impl Head {
    /// `[N, C, H, W]` -> probabilities `[L, N, H, W]`, float32.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pixels = x.f_permute([0, 2, 3, 1])?.f_to_kind(Kind::Float)?; // [N, H, W, C], contiguous
        let mut logits = pixels.f_matmul(&self.weight)?.f_add(&self.bias)?;
        let probabilities = logits.f_sigmoid_()?;
        Ok(match probabilities.dim() {
            3 => probabilities.f_unsqueeze(0)?,
            _ => probabilities.f_permute([3, 0, 1, 2])?,
        })
    }
}

impl FoldedNetwork {
    /// Folds one view of a model and moves it to where it will run.
    pub fn new(model: &Model, view: View, compute: &Compute) -> Result<Self> {
        let (network, labels) = (model.config().expect_ggpfn()?, model.config().labels.count());
        let mut layers = Topology::build(network, labels, &mut Folder { model, view, compute })?;
        let stem = layers.encoder[0].plain.remove(0);
        Ok(FoldedNetwork { stem, stem_depth: depth_extent(network, 0), layers })
    }

    /// The global branch on downsampled slices `[N, 1, h_g, w_g]` -> F `[N, C, h_g / 32, w_g / 32]`; none without it.
    pub fn global(&self, slices: &Tensor) -> Result<Option<Tensor>> {
        let Some(Global { groups, .. }) = &self.layers.global else { return Ok(None) };
        let mut x = slices.shallow_clone();
        for (k, group) in groups.iter().enumerate() {
            if k > 0 {
                x = halve(&x)?;
            }
            for layer in group {
                x = layer.forward(&x)?;
            }
        }
        Ok(Some(x))
    }
}

/// 2 x 2 max pooling.
pub(super) fn halve(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?)
}

/// The same values with the channels last in memory.
pub(super) fn channels_last(x: &Tensor) -> Result<Tensor> {
    Ok(match x.dim() {
        5 => x.f_permute([0, 2, 3, 4, 1])?.f_contiguous()?.f_permute([0, 4, 1, 2, 3])?,
        _ => x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?,
    })
}

struct Folder<'a> {
    model: &'a Model,
    view: View,
    compute: &'a Compute,
}

impl Folder<'_> {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        self.model.tensor(self.view, name)?.to_tensor()
    }

    fn place(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.f_to_kind(self.compute.kind)?.f_to_device(self.compute.device)?)
    }

    /// Weight and bias of `bn(conv(x))` as one convolution. Computed in float64, so that folding costs no accuracy.
    fn folded(&self, path: &str) -> Result<(Tensor, Tensor)> {
        let get =
            |name: &str| -> Result<Tensor> { Ok(self.tensor(&format!("{path}.{name}"))?.f_to_kind(Kind::Double)?) };
        let weight = get("conv.weight")?;
        let deviation = (get("bn.running_var")?.f_add_scalar(BATCH_NORM_EPSILON)?).f_sqrt()?;
        let scale = get("bn.weight")?.f_div(&deviation)?;
        let bias = get("bn.bias")?.f_sub(&get("bn.running_mean")?.f_mul(&scale)?)?;
        let mut shape = vec![1_i64; weight.dim()];
        shape[0] = -1;
        Ok((weight.f_mul(&scale.f_reshape(&shape)?)?, bias))
    }

    fn finish(&self, weight: Tensor, bias: Tensor, stride: i64, deep: bool) -> Result<Convolution> {
        debug_assert!(weight.device() == Device::Cpu);
        Ok(Convolution { weight: channels_last(&self.place(&weight)?)?, bias: self.place(&bias)?, stride, deep })
    }
}

impl Layers for Folder<'_> {
    type Convolution = Convolution;
    type Deconvolution = Deconvolution;
    type Readout = Head;

    fn convolution(&mut self, spec: ConvolutionSpec) -> Result<Convolution> {
        let (weight, bias) = self.folded(&spec.path)?;
        let stride = spec.stride as i64;
        let in_encoder = weight.dim() == 5;
        match spec {
            // On a single channel, a 3D convolution of one slice is a 2D one whose channels are its neighbours: [O, 1, 3, 3, 3] is [O, 3, 3, 3].
            // In a one-off network that is what it is from the start.
            ConvolutionSpec { is_stem: true, .. } if in_encoder => {
                self.finish(weight.f_select(1, 0)?, bias, stride, false)
            }
            // Without extent along z a 3D convolution is a 2D one.
            ConvolutionSpec { depth: 1, .. } if in_encoder => self.finish(weight.f_select(2, 0)?, bias, stride, false),
            _ => self.finish(weight, bias, stride, in_encoder),
        }
    }

    fn deconvolution(&mut self, path: &str, _: usize, _: usize) -> Result<Deconvolution> {
        Ok(Deconvolution {
            weight: self.place(&self.tensor(&format!("{path}.weight"))?)?,
            bias: self.place(&self.tensor(&format!("{path}.bias"))?)?,
        })
    }

    fn readout(&mut self, path: &str, _: usize, labels: usize) -> Result<Head> {
        let place = |name: &str| -> Result<Tensor> {
            Ok(self.tensor(&format!("{path}.{name}"))?.f_to_device(self.compute.device)?)
        };
        let weight = place("weight")?.f_flatten(1, -1)?; // [L, C]
        let weight = if labels == 1 { weight.f_flatten(0, -1)? } else { weight.f_transpose(0, 1)?.f_contiguous()? };
        Ok(Head { weight, bias: place("bias")? })
    }
}
