//! FCN-8s (Long, Shelhamer and Darrell): VGG-16 made convolutional, with the scores of two finer scales added.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::modules::{as_kind, Convolution, Options, Source};
use crate::network::entry::Role;
use crate::network::norm::BatchNorm;
use crate::Result;

/// The convolutions of VGG-16's five groups.
const GROUPS: [usize; 5] = [2, 2, 3, 3, 3];
/// What lets the smallest slice through: the reference pads its input by so much.
const PADDING: i64 = 100;
/// How much of the padding is in the scores of the two finer scales, and in the last one.
const CROPS: [i64; 3] = [5, 9, 31];

/// The network of slices `[N, 3, H, W]` to logits `[N, M, H, W]`.
#[derive(Debug)]
pub struct Fcn8s {
    groups: Vec<Vec<Convolution>>,
    fc6: Convolution,
    fc7: Convolution,
    /// Coarsest first.
    scores: [Convolution; 3],
    maps: usize,
}

/// Half of the features of `fc6` and `fc7` are left out in training, drawn from a seed: the same seed leaves out the same.
#[derive(Debug)]
pub struct Dropout(ChaCha8Rng);

impl Dropout {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Dropout(ChaCha8Rng::seed_from_u64(seed))
    }

    fn forward(&mut self, x: &Tensor) -> Result<Tensor> {
        let mut values = vec![0_f32; x.numel()];
        for bits in values.chunks_mut(64) {
            let random: u64 = self.0.random();
            bits.iter_mut().enumerate().for_each(|(bit, value)| *value = 2.0 * (random >> bit & 1) as f32);
        }
        let kept = Tensor::f_from_slice(&values)?.f_reshape(x.size())?;
        Ok(x.f_mul(&kept.f_to_device(x.device())?.f_to_kind(x.kind())?)?)
    }
}

impl Fcn8s {
    pub(super) fn build(
        prefix: &str,
        width: usize,
        scratch: bool,
        maps: usize,
        source: &mut dyn Source,
    ) -> Result<Self> {
        let layer = match scratch {
            true => Options { bias: false, ..Options::NORMALISED },
            false => Options { relu: true, ..Options::PLAIN },
        };
        let mut groups = Vec::new();
        let mut input = 3;
        for (group, convolutions) in GROUPS.iter().enumerate() {
            let output = width << group.min(3);
            let mut layers = Vec::new();
            for number in 0..*convolutions {
                let padding = if (group, number) == (0, 0) { PADDING } else { 1 };
                let path = format!("{prefix}conv{}_{}", group + 1, number + 1);
                layers.push(Convolution::build(source, &path, [input, output], 3, 2, Options { padding, ..layer })?);
                input = output;
            }
            groups.push(layers);
        }
        let wide = 64 * width;
        let fc6 = Convolution::build(source, &format!("{prefix}fc6"), [input, wide], 7, 2, layer)?;
        let fc7 = Convolution::build(source, &format!("{prefix}fc7"), [wide, wide], 1, 2, layer)?;
        let mut score = |name: &str, input: usize| {
            // Zero, as in the reference. What is before them learns from the second step on.
            let shift = if name == "score_fr" { Role::ReadoutShift } else { Role::Given(&[0.0]) };
            let roles = [Role::Given(&[0.0]), shift];
            let path = format!("{prefix}{name}");
            Convolution::with_roles(source, &path, vec![maps, input, 1, 1], maps, roles, Options::READOUT)
        };
        let scores = [score("score_fr", wide)?, score("score_pool4", 8 * width)?, score("score_pool3", 4 * width)?];
        Ok(Fcn8s { groups, fc6, fc7, scores, maps })
    }

    /// The network on slices, in training with dropout.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) and [`Error::Memory`](crate::Error::Memory).
    pub fn forward(&self, slices: &Tensor, norm: BatchNorm, mut dropout: Option<&mut Dropout>) -> Result<Tensor> {
        let [_, _, rows, columns] = slices.size()[..] else {
            return Err(crate::Error::Torch("slices have not four dimensions".into()));
        };
        let mut x = slices.shallow_clone();
        let mut pooled = Vec::new();
        for group in &self.groups {
            for layer in group {
                x = layer.forward(&x, norm)?;
            }
            // Rounded up, as the reference's framework does it.
            x = x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], true)?;
            pooled.push(x.shallow_clone());
        }
        for layer in [&self.fc6, &self.fc7] {
            x = layer.forward(&x, norm)?;
            if let Some(dropout) = dropout.as_deref_mut() {
                x = dropout.forward(&x)?;
            }
        }
        let mut sum = self.scores[0].forward(&x, norm)?;
        for (score, (pooled, crop)) in self.scores[1..].iter().zip([(&pooled[3], CROPS[0]), (&pooled[2], CROPS[1])]) {
            sum = self.upsample(&sum, 4)?;
            let [_, _, h, w] = sum.size()[..] else { return Err(crate::Error::Torch("scores are no maps".into())) };
            let finer = score.forward(pooled, norm)?;
            sum = sum.f_add(&finer.f_narrow(2, crop, h)?.f_narrow(3, crop, w)?)?;
        }
        Ok(self.upsample(&sum, 16)?.f_narrow(2, CROPS[2], rows)?.f_narrow(3, CROPS[2], columns)?)
    }

    /// Bilinear upsampling by half the kernel's size, as the fixed deconvolution that it is in the reference.
    fn upsample(&self, x: &Tensor, kernel: i64) -> Result<Tensor> {
        let scale = kernel / 2;
        let centre = scale as f64 - 0.5;
        let along: Vec<f32> = (0..kernel).map(|i| (1.0 - (i as f64 - centre).abs() / scale as f64) as f32).collect();
        let line = Tensor::f_from_slice(&along)?.f_to_kind(Kind::Float)?;
        let weight = as_kind(&line.f_outer(&line)?, x.kind())?.f_to_device(x.device())?;
        let maps = self.maps as i64;
        let weight = weight.f_view([1, 1, kernel, kernel])?.f_expand([maps, 1, kernel, kernel], false)?;
        Ok(x.f_conv_transpose2d(&weight.f_contiguous()?, None::<&Tensor>, [scale; 2], [0; 2], [0; 2], maps, [1; 2])?)
    }
}
