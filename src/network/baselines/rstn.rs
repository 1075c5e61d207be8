//! The recurrent saliency transformation network (Yu et al.): a coarse FCN-8s, what its probabilities say about where to look, and a fine
//! FCN-8s on that.
//!
//! From the published description and its numbers; the authors' code is for research alone and was not used.

use tch::{Kind, Tensor};

use super::fcn8s::{Dropout, Fcn8s};
use super::modules::{Convolution, Options, Source};
use crate::network::entry::Role;
use crate::network::norm::BatchNorm;
use crate::Result;

/// The pixels around the box of what was found that the fine network sees.
pub const MARGIN: i64 = 20;
/// A logit whose probability is 0: what lies outside of the crop.
const NOTHING: f64 = -1e7;

/// The part of a slice that the fine network sees: its first row and column, its height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First row and column.
    pub start: [i64; 2],
    /// Rows and columns.
    pub size: [i64; 2],
}

impl Crop {
    /// The box of the pixels of `mask` `[..., H, W]` that are not 0, with the margins above, below, left and right of it, as far as the slice
    /// goes; none if there is no such pixel.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch).
    pub fn around(mask: &Tensor, margins: [i64; 4]) -> Result<Option<Self>> {
        let size = mask.size();
        let [rows, columns] = [size[size.len() - 2], size[size.len() - 1]];
        let flat = mask.f_ne(0)?.f_reshape([-1, rows, columns])?.f_any_dim(0, false)?;
        let extent = |other: i64, length: i64, [before, after]: [i64; 2]| -> Result<Option<[i64; 2]>> {
            let found = Vec::<i64>::try_from(&flat.f_any_dim(other, false)?.f_nonzero()?.f_reshape([-1])?)?;
            Ok(found.first().zip(found.last()).map(|(first, last)| {
                let start = (first - before).max(0);
                [start, (last + 1 + after).min(length) - start]
            }))
        };
        let [above, below, left, right] = margins;
        let (Some(vertical), Some(horizontal)) = (extent(1, rows, [above, below])?, extent(0, columns, [left, right])?)
        else {
            return Ok(None);
        };
        Ok(Some(Crop { start: [vertical[0], horizontal[0]], size: [vertical[1], horizontal[1]] }))
    }

    fn of(self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_narrow(-2, self.start[0], self.size[0])?.f_narrow(-1, self.start[1], self.size[1])?)
    }
}

/// The network of three slices `[1, 3, H, W]` to the logits of the same three, coarse and fine.
#[derive(Debug)]
pub struct Rstn {
    coarse: Fcn8s,
    saliency: [Convolution; 2],
    fine: Fcn8s,
}

impl Rstn {
    pub(super) fn build(width: usize, scratch: bool, source: &mut dyn Source) -> Result<Self> {
        let coarse = Fcn8s::build("coarse.", width, scratch, 3, source)?;
        let saliency1 = Convolution::with_roles(
            source,
            "saliency1",
            vec![3, 3, 3, 3],
            3,
            [Role::Xavier, Role::Given(&[1.0])],
            Options { padding: 1, relu: true, ..Options::PLAIN },
        )?;
        let saliency2 = Convolution::with_roles(
            source,
            "saliency2",
            vec![3, 3, 5, 5],
            3,
            [Role::Given(&[0.0]), Role::Given(&[1.0, 1.5, 2.0])],
            Options { padding: 2, ..Options::PLAIN },
        )?;
        let fine = Fcn8s::build("fine.", width, scratch, 3, source)?;
        Ok(Rstn { coarse, saliency: [saliency1, saliency2], fine })
    }

    /// The coarse logits of whole slices.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) and [`Error::Memory`](crate::Error::Memory).
    pub fn coarse(&self, slices: &Tensor, norm: BatchNorm, dropout: Option<&mut Dropout>) -> Result<Tensor> {
        self.coarse.forward(slices, norm, dropout)
    }

    /// The slices times what `probabilities` of the same size make of them: where to look, and how hard.
    ///
    /// # Errors
    /// As [`coarse`](Self::coarse).
    pub fn salient(&self, slices: &Tensor, probabilities: &Tensor) -> Result<Tensor> {
        let norm = BatchNorm::Running; // there is none
        let hidden = self.saliency[0].forward(&probabilities.f_to_kind(slices.kind())?, norm)?;
        Ok(slices.f_mul(&self.saliency[1].forward(&hidden, norm)?)?)
    }

    /// The fine logits of slices, computed within the crop alone; outside of it they say that nothing is there.
    ///
    /// # Errors
    /// As [`coarse`](Self::coarse).
    pub fn fine(&self, slices: &Tensor, crop: Crop, norm: BatchNorm, dropout: Option<&mut Dropout>) -> Result<Tensor> {
        let logits = self.fine.forward(&crop.of(slices)?, norm, dropout)?;
        let size = slices.size();
        let [below, right] = [size[2] - crop.start[0] - crop.size[0], size[3] - crop.start[1] - crop.size[1]];
        let around = [crop.start[1], right, crop.start[0], below];
        let logits = logits.f_to_kind(logits_kind(&logits))?;
        let outside = logits.f_detach()?.f_ones_like()?.f_constant_pad_nd(around)?.f_neg()?.f_add_scalar(1.0)?;
        Ok(logits.f_constant_pad_nd(around)?.f_add(&outside.f_mul_scalar(NOTHING)?)?)
    }
}

/// Logits stay in float32, or float64 where gradients are checked.
fn logits_kind(logits: &Tensor) -> Kind {
    if logits.kind() == Kind::Double {
        Kind::Double
    } else {
        Kind::Float
    }
}
