//! One view's network in the form that inference uses: batch normalisation folded into the convolutions.
//!
//! At inference batch normalisation is a fixed scale and shift of each channel, so that `bn(conv(x))` is a convolution with
//! other weights and a bias. Everything is stored channels-last (`[N, H, W, C]` in memory, whatever the shape says), which
//! is how the processor's convolutions read it without reordering; a block of slices `[N, C, H, W]` in that order **is** a
//! volume `[1, C, N, H, W]`, so that 2D and 3D layers pass blocks on without a copy.

use tch::{Device, Kind, Tensor};

use super::compute::Compute;
use crate::network::layout::{depth_extent, ENCODER, GLOBAL};
use crate::network::{Model, BATCH_NORM_EPSILON};
use crate::volume::View;
use crate::Result;

/// One view's network with folded weights on its device.
pub(super) struct FoldedNetwork {
    /// The encoder's first convolution, whose input channels are neighbouring slices.
    pub stem: Convolution,
    /// The number of slices that the stem takes for one.
    pub stem_depth: usize,
    /// The encoder's groups, finest first, without the stem.
    pub groups: Vec<Group>,
    /// `concat(E, F)` -> C3.
    pub fuse: Convolution,
    /// The decoder's scales, finest first.
    pub decoder: Vec<Stage>,
    pub head: Head,
    /// The global branch's groups; none without global guidance.
    pub global: Option<Vec<Vec<Convolution>>>,
}

pub(super) struct Group {
    pub plain: Vec<Convolution>,
    pub residual: Vec<[Convolution; 2]>,
}

pub(super) struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    /// Whether it takes three slices for one.
    pub deep: bool,
}

pub(super) struct Stage {
    weight: Tensor,
    bias: Tensor,
    first: Convolution,
    second: Convolution,
}

/// The last layer: 1 x 1 convolution to one logit and the sigmoid, in float32 whatever the layers before used.
pub(super) struct Head {
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

impl Stage {
    /// `[N, C_(j+1), H, W]` and the skip `[N, C_j, 2H, 2W]` -> `[N, C_j, 2H, 2W]`.
    pub fn forward(&self, x: &Tensor, skip: &Tensor) -> Result<Tensor> {
        let up = x.f_conv_transpose2d(&self.weight, Some(&self.bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?;
        self.second.forward(&self.first.forward(&Tensor::f_cat(&[&up, skip], 1)?)?)
    }
}

impl Head {
    /// `[N, C, H, W]` -> probabilities `[N, H, W]`, float32.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pixels = x.f_permute([0, 2, 3, 1])?.f_to_kind(Kind::Float)?; // [N, H, W, C], contiguous
        let mut logits = pixels.f_matmul(&self.weight)?.f_add(&self.bias)?;
        Ok(logits.f_sigmoid_()?)
    }
}

impl FoldedNetwork {
    /// Folds one view of a model and moves it to where it will run.
    pub fn new(model: &Model, view: View, compute: &Compute) -> Result<Self> {
        let config = model.config();
        let folder = Folder { model, view, compute };
        let mut index = 1; // The stem is number 0.
        let mut next = |path: String| {
            let depth = depth_extent(config, index);
            index += 1;
            folder.encoder(&path, depth)
        };
        let mut groups = Vec::with_capacity(ENCODER.len());
        for (g, layout) in ENCODER.iter().enumerate() {
            let mut group = Group { plain: Vec::new(), residual: Vec::new() };
            for i in usize::from(g == 0)..layout.plain {
                group.plain.push(next(format!("local.enc.{g}.plain.{i}"))?);
            }
            for i in 0..layout.residual {
                let path = format!("local.enc.{g}.res.{i}");
                group.residual.push([next(format!("{path}.conv0"))?, next(format!("{path}.conv1"))?]);
            }
            groups.push(group);
        }
        let mut decoder = Vec::with_capacity(3);
        for j in 0..3 {
            decoder.push(Stage {
                weight: folder.place(&folder.tensor(&format!("local.up.{j}.weight"))?)?,
                bias: folder.place(&folder.tensor(&format!("local.up.{j}.bias"))?)?,
                first: folder.convolution(&format!("local.dec.{j}.0"), 1)?,
                second: folder.convolution(&format!("local.dec.{j}.1"), 1)?,
            });
        }
        let mut global = None;
        if config.global_widths.is_some() {
            let mut branch = Vec::with_capacity(GLOBAL.len());
            for (k, count) in GLOBAL.iter().enumerate() {
                let mut group = Vec::with_capacity(*count);
                for i in 0..*count {
                    let stride = if (k, i) == (0, 0) { 2 } else { 1 };
                    group.push(folder.convolution(&format!("global.g.{k}.{i}"), stride)?);
                }
                branch.push(group);
            }
            global = Some(branch);
        }
        Ok(FoldedNetwork {
            stem: folder.stem()?,
            stem_depth: depth_extent(config, 0),
            groups,
            fuse: folder.convolution("local.d4", 1)?,
            decoder,
            head: Head {
                weight: folder.tensor("local.head.weight")?.f_flatten(0, -1)?.f_to_device(compute.device)?,
                bias: folder.tensor("local.head.bias")?.f_to_device(compute.device)?,
            },
            global,
        })
    }

    /// The global branch on downsampled slices `[N, 1, h_g, w_g]` -> F `[N, C, h_g / 32, w_g / 32]`; none without it.
    pub fn global(&self, slices: &Tensor) -> Result<Option<Tensor>> {
        let Some(groups) = &self.global else { return Ok(None) };
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

    fn convolution(&self, path: &str, stride: i64) -> Result<Convolution> {
        let (weight, bias) = self.folded(path)?;
        self.finish(weight, bias, stride, false)
    }

    /// The encoder's first convolution, `[O, 1, 3, 3, 3]` or (one-off) `[O, D, 3, 3]`, as `[O, D, 3, 3]`: on a single channel,
    /// a 3D convolution of one slice is a 2D one whose channels are its neighbours.
    fn stem(&self) -> Result<Convolution> {
        let (weight, bias) = self.folded("local.enc.0.plain.0")?;
        let weight = if weight.dim() == 5 { weight.f_select(1, 0)? } else { weight };
        self.finish(weight, bias, 1, false)
    }

    /// Another convolution of the encoder; one without extent along z becomes a 2D one.
    fn encoder(&self, path: &str, depth: usize) -> Result<Convolution> {
        let (weight, bias) = self.folded(path)?;
        match depth {
            1 => self.finish(weight.f_select(2, 0)?, bias, 1, false),
            _ => self.finish(weight, bias, 1, true),
        }
    }

    fn finish(&self, weight: Tensor, bias: Tensor, stride: i64, deep: bool) -> Result<Convolution> {
        debug_assert!(weight.device() == Device::Cpu);
        Ok(Convolution { weight: channels_last(&self.place(&weight)?)?, bias: self.place(&bias)?, stride, deep })
    }
}
