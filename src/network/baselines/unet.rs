//! The two 3D U-Nets of table 1: one on tiles, with concatenated skip connections and valid convolutions; one on the whole volume, resized, with
//! summed ones.

use tch::Tensor;

use super::modules::{Convolution, Options, Source};
use crate::network::norm::BatchNorm;
use crate::Result;

/// What a tile of the patch network sees beyond what it segments, on each side of each axis.
pub const UNET_PATCH_BORDER: usize = 44;

/// Two convolutions of 3 x 3 x 3.
type Pair = [Convolution; 2];

fn pair(pair: &Pair, x: &Tensor, norm: BatchNorm) -> Result<Tensor> {
    pair[1].forward(&pair[0].forward(x, norm)?, norm)
}

fn halve(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_max_pool3d([2; 3], [2; 3], [0; 3], [1; 3], false)?)
}

/// What both networks are: a way down, and one up that joins what it left on the way.
#[derive(Debug)]
struct Layers {
    /// Finest first.
    down: Vec<Pair>,
    /// Coarsest first: the deconvolution, and what follows it.
    up: Vec<(Convolution, Pair)>,
    score: Convolution,
}

impl Layers {
    /// `join` gives what a level goes on with, from what comes from below and what was left on the way down.
    fn forward(&self, x: &Tensor, norm: BatchNorm, join: fn(Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        let mut skips = Vec::new();
        for (level, layers) in self.down.iter().enumerate() {
            if level > 0 {
                skips.push(x.shallow_clone());
                x = halve(&x)?;
            }
            x = pair(layers, &x, norm)?;
        }
        for ((up, layers), skip) in self.up.iter().zip(skips.iter().rev()) {
            x = pair(layers, &join(up.forward(&x, norm)?, skip)?, norm)?;
        }
        self.score.forward(&x, norm)
    }
}

/// The middle of what was left, behind what comes from below in the channels.
fn concatenated(below: Tensor, skip: &Tensor) -> Result<Tensor> {
    let mut cropped = skip.shallow_clone();
    for (axis, (own, wanted)) in skip.size().into_iter().zip(below.size()).enumerate().skip(2) {
        cropped = cropped.f_narrow(axis as i64, (own - wanted) / 2, wanted)?;
    }
    Ok(Tensor::f_cat(&[&below, &cropped], 1)?)
}

/// Both, added.
fn summed(below: Tensor, skip: &Tensor) -> Result<Tensor> {
    Ok(below.f_add(skip)?)
}

/// Cicek et al.'s network: `[N, 1, Z, Y, X]` to logits of the background and each label, `[N, 1 + L, Z - 88, Y - 88, X - 88]`.
///
/// Sizes are 92 and multiples of 8 more. The reference network is tested with the statistics of the tile itself, which is part of the method:
/// callers pass [`BatchNorm::BatchAgain`].
#[derive(Debug)]
pub struct UnetPatch(Layers);

impl UnetPatch {
    pub(super) fn build(width: usize, labels: usize, source: &mut dyn Source) -> Result<Self> {
        // The first convolution has a bias, as in the reference's description; the others leave it to the normalisation.
        let first = Options::NORMALISED;
        let other = Options { bias: false, ..first };
        let mut conv = |path: &str, channels: [usize; 2], options: Options| {
            let kernel = if options.up { 2 } else { 3 };
            Convolution::build(source, path, channels, kernel, 3, options)
        };
        let mut down = Vec::new();
        let mut input = 1;
        for level in 0..4 {
            let inner = width << level;
            let own = if level == 0 { first } else { other };
            down.push([
                conv(&format!("d{level}b"), [input, inner], own)?,
                conv(&format!("d{level}c"), [inner, 2 * inner], other)?,
            ]);
            input = 2 * inner;
        }
        let mut up = Vec::new();
        for level in (0..3).rev() {
            let skip = (2 * width) << level;
            up.push((
                conv(&format!("u{level}a"), [input, input], Options { up: true, ..other })?,
                [
                    conv(&format!("u{level}c"), [input + skip, skip], other)?,
                    conv(&format!("u{level}d"), [skip, skip], other)?,
                ],
            ));
            input = skip;
        }
        let score = Convolution::build(source, "score", [input, 1 + labels], 1, 3, Options::READOUT)?;
        Ok(UnetPatch(Layers { down, up, score }))
    }

    /// The network on tiles.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch), for sizes that do not fit too, and [`Error::Memory`](crate::Error::Memory).
    pub fn forward(&self, tiles: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        self.0.forward(tiles, norm, concatenated)
    }
}

/// The network of the whole volume: `[N, 1, Z, Y, X]` to logits of the labels `[N, L, Z, Y, X]`; sizes are multiples of 8.
#[derive(Debug)]
pub struct UnetFull(Layers);

impl UnetFull {
    pub(super) fn build(width: usize, labels: usize, source: &mut dyn Source) -> Result<Self> {
        let same = Options { padding: 1, ..Options::NORMALISED };
        let mut conv = |path: &str, channels: [usize; 2]| Convolution::build(source, path, channels, 3, 3, same);
        let mut down = Vec::new();
        let mut input = 1;
        for level in 0..4 {
            let inner = width << level;
            down.push([
                conv(&format!("e{level}.0"), [input, inner])?,
                conv(&format!("e{level}.1"), [inner, 2 * inner])?,
            ]);
            input = 2 * inner;
        }
        let mut up = Vec::new();
        for level in (0..3).rev() {
            let own = (2 * width) << level;
            let options = Options { up: true, ..Options::PLAIN };
            let rise = Convolution::build(source, &format!("up{level}"), [input, own], 2, 3, options)?;
            let mut conv = |path: &str| Convolution::build(source, path, [own, own], 3, 3, same);
            up.push((rise, [conv(&format!("d{level}.0"))?, conv(&format!("d{level}.1"))?]));
            input = own;
        }
        let score = Convolution::build(source, "score", [input, labels], 1, 3, Options::READOUT)?;
        Ok(UnetFull(Layers { down, up, score }))
    }

    /// The network on volumes.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch), for sizes that do not fit too, and [`Error::Memory`](crate::Error::Memory).
    pub fn forward(&self, volumes: &Tensor, norm: BatchNorm) -> Result<Tensor> {
        self.0.forward(volumes, norm, summed)
    }
}
