//! Other organs as teachers: readouts beside the network's own, which name them in training and are not saved with the model.
//!
//! Two 1 x 1 convolutions give a logit for each class and pixel, one from the decoder's finest features, one from the encoder's coarsest.
//! Their loss is the mean cross entropy over the pixels whose organ is known.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Reduction, Tensor};

use crate::dataset::UNKNOWN_ORGAN;
use crate::network::{GgpfnConfig, LocalOutput};
use crate::training::parameters::Extra;
use crate::training::OrganOptions;
use crate::volume::View;
use crate::Result;

/// What the names of their parameters begin with; no tensor of a model file does.
pub(in crate::training) const PREFIX: &str = "organs.";
const PLACES: [&str; 2] = ["fine", "coarse"];
/// Pixels of a patch for each pixel of the encoder's last group.
const SCALE: i64 = 8;
/// The class of pixels that do not count.
const IGNORED: i64 = -100;

/// The readouts of one view, on tensors that the optimiser owns.
#[derive(Debug)]
pub(in crate::training) struct OrganReadouts {
    readouts: [[Tensor; 2]; 2],
    /// The class of each value of a map.
    class_of: Tensor,
    pub weight: f64,
}

/// The parameters that the readouts want, drawn from a seed: small, so that probabilities start alike.
pub(in crate::training) fn parameters(
    options: &OrganOptions,
    config: &GgpfnConfig,
    view: View,
    seed: u64,
) -> Vec<Extra> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(0x0_0926A5 + view.axes()[0] as u64);
    let classes = options.classes.len() + 1;
    let mut all = Vec::new();
    for (place, width) in PLACES.iter().zip([config.widths[0], config.widths[3]]) {
        let bound = (1.0 / width as f32).sqrt();
        let values = (0..classes * width).map(|_| (2.0 * random.random::<f32>() - 1.0) * bound).collect();
        all.push(Extra { name: format!("{PREFIX}{place}.weight"), shape: vec![classes, width, 1, 1], values });
        all.push(Extra { name: format!("{PREFIX}{place}.bias"), shape: vec![classes], values: vec![0.0; classes] });
    }
    all
}

impl OrganReadouts {
    /// On the tensors that `tensor` gives for the names of [`parameters`].
    pub fn assemble(options: &OrganOptions, tensor: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let mut class_of = [0_i64; 256];
        for (number, values) in options.classes.iter().enumerate() {
            values.iter().for_each(|value| class_of[usize::from(*value)] = number as i64 + 1);
        }
        class_of[usize::from(UNKNOWN_ORGAN)] = IGNORED;
        let readout = |place: &str| -> Result<[Tensor; 2]> {
            Ok([tensor(&format!("{PREFIX}{place}.weight"))?, tensor(&format!("{PREFIX}{place}.bias"))?])
        };
        Ok(OrganReadouts {
            readouts: [readout(PLACES[0])?, readout(PLACES[1])?],
            class_of: Tensor::f_from_slice(&class_of)?,
            weight: options.weight,
        })
    }

    /// The mean cross entropy of both readouts, for the organs of a batch `[N S, H, W]`.
    pub fn loss(&self, output: &LocalOutput, organs: &Tensor) -> Result<Tensor> {
        let classes = self.class_of.f_index_select(0, &organs.f_reshape([-1])?)?.f_reshape(organs.size())?;
        let [_, rows, columns] = classes.size()[..] else {
            return Err(crate::Error::Torch("a batch's organs have not three dimensions".into()));
        };
        let middle = SCALE / 2;
        let coarse = classes.f_slice(1, middle, rows, SCALE)?.f_slice(2, middle, columns, SCALE)?;
        let terms = [(&output.finest, classes), (&output.coarsest, coarse)];
        let mut sum: Option<Tensor> = None;
        for ((features, classes), [weight, bias]) in terms.into_iter().zip(&self.readouts) {
            let features = features.f_to_kind(weight.kind())?;
            let logits = features.f_conv2d(weight, Some(bias), [1, 1], [0, 0], [1, 1], 1)?;
            let classes = classes.f_to_device(logits.device())?;
            // Not libtorch's own mean, which is no number where nothing is known.
            let known = classes.f_ne(IGNORED)?.f_sum(Kind::Float)?.f_clamp_min(1.0)?;
            let total = logits.f_cross_entropy_loss(&classes, None::<&Tensor>, Reduction::Sum, IGNORED, 0.0)?;
            let mean = total.f_div(&known)?.f_mul_scalar(0.5)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&mean)?,
                None => mean,
            });
        }
        sum.ok_or_else(|| crate::Error::Torch("there are two readouts".into()))
    }
}
