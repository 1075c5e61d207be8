//! Globally Guided Progressive Fusion Network (Fang, Li, Pan, Li and Yu; the paper's figure 2), one view, as drawn.
//!
//! Every layer is here as the paper has it, batch normalisation and side outputs included: the form that is trained.
//! Shapes: N samples, D = 2T + 1 slices, H x W pixels of a patch (multiples of 8), widths C0..C3.

use tch::Tensor;

use super::config::{Fusion, ModelConfig};
use super::layout::{depth_extent, ENCODER, GLOBAL};
use super::{Model, BATCH_NORM_EPSILON};
use crate::volume::View;
use crate::Result;

/// One view's network.
#[derive(Debug)]
pub struct Network {
    encoder: Vec<Group>,
    side: Vec<Readout>,
    fuse: Convolution,
    decoder: Vec<Stage>,
    head: Readout,
    global: Option<GlobalBranch>,
    one_off: bool,
}

/// What the local branch computes, all as logits.
#[derive(Debug)]
pub struct LocalOutput {
    /// P: `[N, 1, H, W]`.
    pub logits: Tensor,
    /// P_k^(j) of the encoder's groups, finest first: `[N, 1, H / 2^j, W / 2^j]`.
    pub side: Vec<Tensor>,
}

/// What the global branch computes.
#[derive(Debug)]
pub struct GlobalOutput {
    /// F: `[N, C, h_g / 32, w_g / 32]`.
    pub features: Tensor,
    /// P^f, logits: `[N, 1, h_g / 32, w_g / 32]`.
    pub logits: Tensor,
    /// P^f', logits of the second last scale: `[N, 1, h_g / 16, w_g / 16]`.
    pub finer_logits: Tensor,
}

impl Network {
    /// The network of one view of a model. It holds tensors of its own, on the CPU in float32.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) if the model has no such view.
    pub fn new(model: &Model, view: View) -> Result<Self> {
        let source = Source { model, view };
        let config = model.config();
        let mut index = 0;
        let mut encoder = Vec::new();
        for (g, group) in ENCODER.iter().enumerate() {
            let path = format!("local.enc.{g}");
            let mut plain = Vec::new();
            for i in 0..group.plain {
                plain.push(source.encoder_convolution(config, &format!("{path}.plain.{i}"), &mut index)?);
            }
            let mut residual = Vec::new();
            for i in 0..group.residual {
                let path = format!("{path}.res.{i}");
                residual.push(Residual {
                    first: source.encoder_convolution(config, &format!("{path}.conv0"), &mut index)?,
                    second: source.encoder_convolution(config, &format!("{path}.conv1"), &mut index)?,
                });
            }
            encoder.push(Group { plain, residual });
        }
        let decoder = (0..3)
            .map(|j| {
                Ok(Stage {
                    weight: source.tensor(&format!("local.up.{j}.weight"))?,
                    bias: source.tensor(&format!("local.up.{j}.bias"))?,
                    first: source.convolution(&format!("local.dec.{j}.0"), 1)?,
                    second: source.convolution(&format!("local.dec.{j}.1"), 1)?,
                })
            })
            .collect::<Result<_>>()?;
        let global = match config.global_widths {
            None => None,
            Some(_) => {
                let mut groups = Vec::new();
                for (k, count) in GLOBAL.iter().enumerate() {
                    let stride = |i: usize| if k == 0 && i == 0 { 2 } else { 1 };
                    let group: Result<Vec<_>> =
                        (0..*count).map(|i| source.convolution(&format!("global.g.{k}.{i}"), stride(i))).collect();
                    groups.push(group?);
                }
                Some(GlobalBranch {
                    groups,
                    readout: source.readout("global.aux_f")?,
                    finer_readout: source.readout("global.aux_fp")?,
                })
            }
        };
        Ok(Network {
            encoder,
            side: (0..4).map(|g| source.readout(&format!("local.aux.{g}"))).collect::<Result<_>>()?,
            fuse: source.convolution("local.d4", 1)?,
            decoder,
            head: source.readout("local.head")?,
            global,
            one_off: config.fusion == Fusion::OneOff,
        })
    }

    /// The encoder: the feature maps of its four groups with all slices that each has left, `[N, C_g, D_g, H_g, W_g]`, from
    /// normalised `windows` `[N, D, H, W]`. For T = 15 the D_g are 27, 21, 11 and 1.
    ///
    /// With `train`, batch normalisation uses the batch's own statistics and updates the running ones.
    pub fn encode(&self, windows: &Tensor, train: bool) -> Result<Vec<Tensor>> {
        // One-off: the slices are channels, [N, D, H, W] -> [N, D, 1, H, W]; otherwise [N, D, H, W] -> [N, 1, D, H, W].
        let mut x = windows.f_unsqueeze(if self.one_off { 2 } else { 1 })?;
        let mut features: Vec<Tensor> = Vec::with_capacity(self.encoder.len());
        for group in &self.encoder {
            if !features.is_empty() {
                x = x.f_max_pool3d([1, 2, 2], [1, 2, 2], [0, 0, 0], [1, 1, 1], false)?;
            }
            x = group.forward(&x, train)?;
            features.push(x.shallow_clone());
        }
        Ok(features)
    }

    /// The local branch: normalised `windows` `[N, D, H, W]` and the sampled global features F_k `[N, C, H / 8, W / 8]`
    /// (none without global guidance) to the logits of the central slices.
    pub fn local(&self, windows: &Tensor, guidance: Option<&Tensor>, train: bool) -> Result<LocalOutput> {
        let features = self.encode(windows, train)?;
        let central: Vec<Tensor> = features.iter().map(central_slice).collect::<Result<_>>()?;
        let side = self.side.iter().zip(&central).map(|(readout, x)| readout.forward(x)).collect::<Result<_>>()?;
        let mut x = central[3].shallow_clone();
        if let Some(guidance) = guidance {
            x = Tensor::f_cat(&[&x, guidance], 1)?;
        }
        x = self.fuse.forward(&x, train)?; // [N, C3, H/8, W/8]
        for (stage, skip) in self.decoder.iter().zip(&central).rev() {
            x = stage.forward(&x, skip, train)?; // [N, C_j, H/2^j, W/2^j]
        }
        Ok(LocalOutput { logits: self.head.forward(&x)?, side })
    }

    /// The global branch on downsampled slices `[N, 1, h_g, w_g]`; none without global guidance.
    pub fn global(&self, slices: &Tensor, train: bool) -> Result<Option<GlobalOutput>> {
        self.global.as_ref().map(|branch| branch.forward(slices, train)).transpose()
    }
}

/// The slice in the middle, `[N, C, D, H, W]` -> `[N, C, H, W]`: central cropping of a skip connection.
fn central_slice(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_select(2, x.size()[2] / 2)?)
}

/// Convolution, batch normalisation, ReLU.
#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    stride: i64,
}

impl Convolution {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        Ok(self.normalised(x, train)?.f_relu()?)
    }

    fn normalised(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        const MOMENTUM: f64 = 0.1;
        let x = if self.weight.dim() == 5 {
            x.f_conv3d(&self.weight, None::<&Tensor>, [1, 1, 1], [0, 1, 1], [1, 1, 1], 1)?
        } else {
            x.f_conv2d(&self.weight, None::<&Tensor>, [self.stride, self.stride], [1, 1], [1, 1], 1)?
        };
        Ok(x.f_batch_norm(
            Some(&self.scale),
            Some(&self.shift),
            Some(&self.mean),
            Some(&self.variance),
            train,
            MOMENTUM,
            BATCH_NORM_EPSILON,
            true,
        )?)
    }
}

/// `relu(crop(x) + bn1(conv1(relu(bn0(conv0(x))))))`.
#[derive(Debug)]
struct Residual {
    first: Convolution,
    second: Convolution,
}

impl Residual {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.second.normalised(&self.first.forward(x, train)?, train)?;
        let (before, after) = (x.size()[2], y.size()[2]);
        // Each 3D convolution used up the two outmost slices: [.., D, ..] -> [.., D - 4, ..], or D - 2, or D.
        let crop = x.f_narrow(2, (before - after) / 2, after)?;
        Ok(crop.f_add(&y)?.f_relu()?)
    }
}

#[derive(Debug)]
struct Group {
    plain: Vec<Convolution>,
    residual: Vec<Residual>,
}

impl Group {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for layer in &self.plain {
            x = layer.forward(&x, train)?;
        }
        for block in &self.residual {
            x = block.forward(&x, train)?;
        }
        Ok(x)
    }
}

/// One scale of the decoder: deconvolution, skip connection, two convolutions.
#[derive(Debug)]
struct Stage {
    weight: Tensor,
    bias: Tensor,
    first: Convolution,
    second: Convolution,
}

impl Stage {
    fn forward(&self, x: &Tensor, skip: &Tensor, train: bool) -> Result<Tensor> {
        let up = x.f_conv_transpose2d(&self.weight, Some(&self.bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?;
        let x = self.first.forward(&Tensor::f_cat(&[&up, skip], 1)?, train)?;
        self.second.forward(&x, train)
    }
}

/// A 1 x 1 convolution to one logit per pixel.
#[derive(Debug)]
struct Readout {
    weight: Tensor,
    bias: Tensor,
}

impl Readout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_conv2d(&self.weight, Some(&self.bias), [1, 1], [0, 0], [1, 1], 1)?)
    }
}

#[derive(Debug)]
struct GlobalBranch {
    groups: Vec<Vec<Convolution>>,
    readout: Readout,
    finer_readout: Readout,
}

impl GlobalBranch {
    fn forward(&self, slices: &Tensor, train: bool) -> Result<GlobalOutput> {
        let mut x = slices.shallow_clone();
        let mut finer = slices.shallow_clone();
        for (k, group) in self.groups.iter().enumerate() {
            if k > 0 {
                finer = x.shallow_clone();
                x = x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?;
            }
            for layer in group {
                x = layer.forward(&x, train)?; // h_g / 2, / 4, / 8, / 16, / 32
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
    model: &'a Model,
    view: View,
}

impl Source<'_> {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        self.model.tensor(self.view, name)?.to_tensor()
    }

    fn convolution(&self, path: &str, stride: i64) -> Result<Convolution> {
        Ok(Convolution {
            weight: self.tensor(&format!("{path}.conv.weight"))?,
            scale: self.tensor(&format!("{path}.bn.weight"))?,
            shift: self.tensor(&format!("{path}.bn.bias"))?,
            mean: self.tensor(&format!("{path}.bn.running_mean"))?,
            variance: self.tensor(&format!("{path}.bn.running_var"))?,
            stride,
        })
    }

    fn readout(&self, path: &str) -> Result<Readout> {
        Ok(Readout { weight: self.tensor(&format!("{path}.weight"))?, bias: self.tensor(&format!("{path}.bias"))? })
    }

    /// The encoder's next convolution, as a 3D one in every case.
    fn encoder_convolution(&self, config: &ModelConfig, path: &str, index: &mut usize) -> Result<Convolution> {
        let mut convolution = self.convolution(path, 1)?;
        if convolution.weight.dim() == 4 {
            // One-off fusion's first layer: [C0, D, 3, 3] -> [C0, D, 1, 3, 3].
            convolution.weight = convolution.weight.f_unsqueeze(2)?;
        } else {
            debug_assert_eq!(convolution.weight.size()[2] as usize, depth_extent(config, *index));
        }
        *index += 1;
        Ok(convolution)
    }
}
