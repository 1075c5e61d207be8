//! GGPFN in training: equation (2) with its side outputs, and other organs as teachers.

pub mod organs;

use tch::{Kind, Tensor};

use super::deform::Deformation;
use super::learner::{missing, Formats, Learner, Losses};
use super::loss::{self, Target};
use super::parameters::Parameters;
use super::pieces::Pieces;
use super::sample::{self, Batch, Place, Shape};
use super::stage::Stage;
use super::{OrganOptions, TrainingCase};
use crate::network::ggpfn::sampling;
use crate::network::{BatchNorm, GgpfnConfig, GlobalOutput, LocalOutput, Network};
use crate::volume::View;
use crate::{Error, Result};
use organs::{OrganReadouts, PREFIX as ORGANS_PREFIX};

/// One view's network with what it learns from.
#[derive(Debug)]
pub struct GgpfnLearner {
    config: GgpfnConfig,
    view: View,
    pub(super) network: Network,
    organs: Option<OrganReadouts>,
    formats: Formats,
    dice_weight: f64,
}

impl GgpfnLearner {
    pub(super) fn assemble(
        config: &GgpfnConfig,
        labels: usize,
        view: View,
        organs: Option<&OrganOptions>,
        formats: Formats,
        tensor: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Self> {
        Ok(GgpfnLearner {
            config: config.clone(),
            view,
            network: Network::assemble(config, labels, tensor)?,
            organs: organs.map(|options| OrganReadouts::assemble(options, tensor)).transpose()?,
            formats,
            dice_weight: 0.0,
        })
    }

    /// The global branch as one piece.
    fn global_in_pieces<'a>(&'a self, slices: Tensor, pieces: &mut Pieces<'a>) -> Result<GlobalOutput> {
        let outputs = pieces.run(move |norm| {
            let GlobalOutput { features, logits, finer_logits } = self.global_branch(&slices, norm)?;
            Ok(vec![features, logits, finer_logits])
        })?;
        let [features, logits, finer_logits] =
            outputs.try_into().map_err(|_| Error::Torch("the global branch has three outputs".into()))?;
        Ok(GlobalOutput { features, logits, finer_logits })
    }

    /// The local branch, each of the encoder's groups a piece. The decoder works on single slices: its feature maps are small.
    fn local_in_pieces<'a>(
        &'a self,
        windows: Tensor,
        guidance: Option<&Tensor>,
        pieces: &mut Pieces<'a>,
    ) -> Result<LocalOutput> {
        let mut features: Vec<Tensor> = Vec::new();
        for g in 0..self.network.groups() {
            let before = features.last().unwrap_or(&windows).shallow_clone();
            features.extend(pieces.run(move |norm| Ok(vec![self.network.group(g, &before, norm)?]))?);
        }
        self.network.decode(&features, guidance, BatchNorm::Batch)
    }

    /// The global branch on downsampled slices `[N, 1, h_g, w_g]`, as it is for validation.
    fn global(&self, slices: &Tensor) -> Result<GlobalOutput> {
        self.global_branch(&self.formats.narrow(slices)?, BatchNorm::Running)
    }

    fn global_branch(&self, slices: &Tensor, norm: BatchNorm) -> Result<GlobalOutput> {
        self.network.global(slices, norm)?.ok_or_else(|| Error::argument("stage", "the network has no global branch"))
    }
}

/// alpha and beta, the weights of P^f and P^f' in the loss.
fn weights(stage: Stage) -> [f64; 2] {
    match stage {
        Stage::Global => [0.5, 0.5],
        Stage::Whole => [0.01, 0.0],
        _ => [0.0, 0.0],
    }
}

impl Learner for GgpfnLearner {
    /// Equation (2) with the stage's alpha and beta, of a network that is run through `pieces`.
    fn loss<'a>(&'a self, batch: &Batch, stage: Stage, pieces: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let missing = |what: &str| missing(what, stage);
        let mut losses = Losses::default();
        let mut total: Option<Tensor> = None;
        let mut add = |term: Tensor, weight: f64| -> Result<f64> {
            let value = term.f_double_value(&[])?;
            let term = if weight == 1.0 { term } else { term.f_mul_scalar(weight)? };
            total = Some(match total.take() {
                Some(sum) => sum.f_add(&term)?,
                None => term,
            });
            Ok(value)
        };
        let [alpha, beta] = weights(stage);
        let mut features = None;
        if stage != Stage::Local && self.config.global_widths.is_some() {
            let slices = batch.global.as_ref().ok_or_else(|| missing("whole slices"))?;
            let [coarse, fine] = batch.global_target.as_ref().ok_or_else(|| missing("truth of the whole slices"))?;
            let output = self.global_in_pieces(self.formats.narrow(slices)?, pieces)?;
            let [coarse, fine] =
                loss::global(&output, &[self.formats.wide_target(coarse)?, self.formats.wide_target(fine)?])?;
            losses.global = Some(add(coarse, alpha)?);
            if beta > 0.0 {
                losses.global_finer = Some(add(fine, beta)?);
            }
            features = Some(output.features);
        }
        if stage != Stage::Global {
            let windows = batch.windows.as_ref().ok_or_else(|| missing("patches"))?;
            let target = self.formats.wide_target(batch.target.as_ref().ok_or_else(|| missing("truth"))?)?;
            let guidance = match features {
                None => None,
                Some(features) => {
                    let [rows, columns] = batch.sampling.as_ref().ok_or_else(|| missing("places"))?;
                    Some(sampling::sample(&features, &self.formats.wide(rows)?, &self.formats.wide(columns)?)?)
                }
            };
            let output = self.local_in_pieces(self.formats.narrow(windows)?, guidance.as_ref(), pieces)?;
            let [map, side] = loss::local(&output, &target)?;
            losses.map = Some(add(map, 1.0)?);
            losses.side = Some(add(side, 1.0)?);
            if self.dice_weight > 0.0 {
                add(target.soft_dice(&output.logits)?, self.dice_weight)?;
            }
            if let (Some(readouts), Some(organs)) = (&self.organs, &batch.organs) {
                losses.organs = Some(add(readouts.loss(&output, organs)?, readouts.weight)?);
            }
        }
        let total = total.ok_or_else(|| missing("terms"))?;
        losses.total = total.f_double_value(&[])?;
        Ok((total, losses))
    }

    fn trains(&self, stage: Stage, name: &str) -> bool {
        match stage {
            Stage::Global => name.starts_with("global."),
            Stage::Local => name.starts_with("local.") || name.starts_with(ORGANS_PREFIX),
            // With beta = 0 the finer side output has no gradient.
            _ => !name.starts_with("global.aux_fp."),
        }
    }

    fn set_dice_weight(&mut self, weight: f64) {
        self.dice_weight = weight;
    }

    fn begin_stage(&self, stage: Stage, parameters: &mut Parameters) -> Result<()> {
        if stage == Stage::Local && self.config.global_widths.is_some() {
            parameters.clear_inputs("local.d4.conv.weight", self.config.widths[3] as i64)?;
        }
        Ok(())
    }

    /// The soft Dice of the global branch's finer map P^f' against its area-downsampled truth.
    fn without_masks(&self, stage: Stage, case: &TrainingCase) -> Result<Option<f64>> {
        const AT_ONCE: usize = 16;
        let view = self.view;
        let Some(size) = self.config.global_size.get(&view).filter(|_| stage == Stage::Global) else { return Ok(None) };
        let slices = case.size()[view.axes()[0]];
        let (mut both, mut either) = (0.0, 0.0);
        for start in (0..slices).step_by(AT_ONCE) {
            let shape = Shape { view, t: 0, slices: AT_ONCE.min(slices - start), patch: None, global: Some(*size) };
            let place = Place { slice: start, row: 0, column: 0 };
            let sample = sample::cut(case, &shape, place, &Deformation::identity());
            let batch = Batch::new(&[sample], &shape)?;
            let (Some(slices), Some([_, Target { truth, .. }])) = (&batch.global, &batch.global_target) else {
                continue;
            };
            let found = self.global(slices)?.finer_logits.f_to_kind(Kind::Float)?.f_sigmoid()?;
            let found = found.f_to_device(tch::Device::Cpu)?;
            both += found.f_mul(truth)?.f_sum(Kind::Double)?.f_double_value(&[])?;
            either += found.f_square()?.f_add(&truth.f_square()?)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        Ok(Some(if either == 0.0 { 1.0 } else { 2.0 * both / either }))
    }
}
