//! One view's network in training: a step in two halves.
//!
//! [`Trainer::gradients`] computes a batch's loss and gradients, [`Trainer::update`] is Adam's step with them. Between the two, gradients
//! can be read and written as one flat array, and so can parameters at any time: an outside engine (MPI, torch.distributed) averages
//! them over its processes without knowing a layer.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::loader::Batches;
use super::loss::{self, Target};
use super::organs::{self, OrganReadouts};
use super::parameters::{Buffer, Parameters, Snapshot};
use super::pieces::Pieces;
use super::sample::Batch;
use super::stage::Stage;
use super::OrganOptions;
use crate::compute::threads::on_own_thread;
use crate::compute::{Compute, DeviceChoice, PrecisionChoice};
use crate::network::{sampling, Array, BatchNorm, GlobalOutput, LocalOutput, Model, ModelConfig, Network};
use crate::volume::View;
use crate::{Error, Result};

/// The loss of a batch and its terms; those that a stage does not have are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Losses {
    /// L, equation (2).
    pub total: f64,
    /// C(P, G).
    pub map: Option<f64>,
    /// The mean of the encoder's side outputs' C.
    pub side: Option<f64>,
    /// C(P^f, G^f).
    pub global: Option<f64>,
    /// C(P^f', G^f').
    pub global_finer: Option<f64>,
    /// The other organs' cross entropy, where they are teachers. It is no part of equation (2).
    pub organs: Option<f64>,
}

/// A network of one view with its optimiser.
#[derive(Debug)]
pub struct Trainer {
    config: ModelConfig,
    view: View,
    stage: Stage,
    pub(super) parameters: Parameters,
    network: Network,
    organs: Option<OrganReadouts>,
    device: Device,
    kind: Kind,
    threads: usize,
    recompute: bool,
    dice_weight: f64,
}

impl Trainer {
    /// A trainer that starts from a model's weights, in a stage.
    ///
    /// `precision` is that of convolutions; weights, sums and losses stay float32. `threads`: processor threads within libtorch's
    /// operations.
    ///
    /// # Errors
    /// [`Error::Argument`] if the model has no such view, [`Error::Device`] for a device that is not there.
    pub fn new(
        model: &Model,
        view: View,
        stage: Stage,
        device: DeviceChoice,
        precision: PrecisionChoice,
        threads: usize,
    ) -> Result<Self> {
        let compute = Compute::choose(device, precision)?;
        on_own_thread(threads, || {
            Self::assemble(model, view, stage, None, compute.device, [Kind::Float, compute.kind], threads)
        })
    }

    /// As [`new`](Self::new), with other organs as teachers, whose readouts are drawn from `seed`.
    pub(super) fn taught(
        model: &Model,
        view: View,
        stage: Stage,
        teachers: Option<(&OrganOptions, u64)>,
        compute: Compute,
        threads: usize,
    ) -> Result<Self> {
        on_own_thread(threads, || {
            Self::assemble(model, view, stage, teachers, compute.device, [Kind::Float, compute.kind], threads)
        })
    }

    /// As [`new`](Self::new), on a library thread; `kinds` are those of weights and of convolutions.
    pub(super) fn assemble(
        model: &Model,
        view: View,
        stage: Stage,
        teachers: Option<(&OrganOptions, u64)>,
        device: Device,
        kinds: [Kind; 2],
        threads: usize,
    ) -> Result<Self> {
        let extras =
            teachers.map_or(Vec::new(), |(options, seed)| organs::parameters(options, model.config(), view, seed));
        let parameters = Parameters::new(model, view, extras, device, kinds[0])?;
        let tensor = |name: &str| parameters.tensor(name);
        let network = Network::assemble(model.config(), &tensor)?;
        let organs = teachers.map(|(options, _)| OrganReadouts::assemble(options, &tensor)).transpose()?;
        let config = ModelConfig { views: vec![view], ..model.config().clone() };
        stage.check(&config)?;
        Ok(Trainer {
            config,
            view,
            stage,
            parameters,
            network,
            organs,
            device,
            kind: kinds[1],
            threads,
            recompute: false,
            dice_weight: 0.0,
        })
    }

    /// Whether feature maps that gradients need are computed again rather than kept: half as much time again, about half the memory, the same
    /// gradients. At first they are kept.
    pub fn set_recompute(&mut self, recompute: bool) {
        self.recompute = recompute;
    }

    /// The weight of the soft Dice loss of the probability map beside equation (2); at first 0, as in the paper.
    pub fn set_dice_weight(&mut self, weight: f64) {
        self.dice_weight = weight;
    }

    /// The view.
    pub fn view(&self) -> View {
        self.view
    }

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Begins a stage: Adam's moments are forgotten. The local stage clears what the first decoder convolution makes of the global
    /// features, so that the network is the progressive fusion network alone until the whole is trained, and the whole begins as
    /// exactly that.
    ///
    /// # Errors
    /// [`Error::Argument`] for the global stage of a network without global branch.
    pub fn start_stage(&mut self, stage: Stage) -> Result<()> {
        stage.check(&self.config)?;
        let threads = self.threads;
        on_own_thread(threads, || {
            self.stage = stage;
            if stage == Stage::Local && self.config.global_widths.is_some() {
                self.parameters.clear_inputs("local.d4.conv.weight", self.config.widths[3] as i64)?;
            }
            self.parameters.restart_adam()
        })
    }

    /// The first half of a step: the batch's loss, and its gradients in the gradient buffer.
    ///
    /// # Errors
    /// [`Error::Training`] with the samples' names if the loss is not a finite number, [`Error::Argument`] if the batch lacks what the
    /// stage needs.
    pub fn gradients(&mut self, batch: Batch) -> Result<Losses> {
        on_own_thread(self.threads, move || self.differentiate(&batch))
    }

    /// The first half of a step, with the next batch of `batches`, which goes on only if that succeeds.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    pub fn gradients_of_next(&mut self, batches: &mut Batches) -> Result<Losses> {
        on_own_thread(self.threads, move || {
            let losses = self.differentiate(&batches.peek()?)?;
            batches.skip();
            Ok(losses)
        })
    }

    /// The second half of a step: Adam with what is in the gradient buffer.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn update(&mut self, learning_rate: f64) -> Result<()> {
        on_own_thread(self.threads, move || self.adam(learning_rate))
    }

    /// Both halves.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    pub fn step(&mut self, batch: Batch, learning_rate: f64) -> Result<Losses> {
        on_own_thread(self.threads, move || self.whole_step(&batch, learning_rate))
    }

    pub(super) fn whole_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<Losses> {
        let losses = self.differentiate(batch)?;
        self.adam(learning_rate)?;
        Ok(losses)
    }

    pub(super) fn differentiate(&mut self, batch: &Batch) -> Result<Losses> {
        let mut pieces = Pieces::new(self.recompute);
        let (loss, losses) = tch::with_grad(|| self.loss(batch, &mut pieces))?;
        if !losses.total.is_finite() {
            return Err(Error::Training(format!(
                "the loss of step {} of the {} view's {} stage is {}; its samples are from {}; look at these cases \
                 (ggpfn dataset check), or lower the learning rate",
                self.parameters.steps() + 1,
                self.view,
                self.stage,
                losses.total,
                batch.names.join(", ")
            )));
        }
        let stage = self.stage;
        let trained = |name: &str| stage.trains(name);
        let gradients = pieces.differentiate(loss, &self.parameters.active(&trained))?;
        self.parameters.set_gradients(&gradients, &trained)?;
        Ok(losses)
    }

    pub(super) fn adam(&mut self, learning_rate: f64) -> Result<()> {
        let stage = self.stage;
        self.parameters.adam(learning_rate, &|name| stage.trains(name))
    }

    /// Equation (2) with the stage's alpha and beta, of a network that is run through `pieces`.
    fn loss<'a>(&'a self, batch: &Batch, pieces: &mut Pieces<'a>) -> Result<(Tensor, Losses)> {
        let missing =
            |what: &str| Error::argument("batch", format!("it has no {what}, which the {} stage needs", self.stage));
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
        let [alpha, beta] = self.stage.weights();
        let mut features = None;
        if self.stage != Stage::Local && self.config.global_widths.is_some() {
            let slices = batch.global.as_ref().ok_or_else(|| missing("whole slices"))?;
            let [coarse, fine] = batch.global_target.as_ref().ok_or_else(|| missing("truth of the whole slices"))?;
            let output = self.global_in_pieces(self.narrow(slices)?, pieces)?;
            let [coarse, fine] = loss::global(&output, &[self.wide_target(coarse)?, self.wide_target(fine)?])?;
            losses.global = Some(add(coarse, alpha)?);
            if beta > 0.0 {
                losses.global_finer = Some(add(fine, beta)?);
            }
            features = Some(output.features);
        }
        if self.stage != Stage::Global {
            let windows = batch.windows.as_ref().ok_or_else(|| missing("patches"))?;
            let target = self.wide_target(batch.target.as_ref().ok_or_else(|| missing("truth"))?)?;
            let guidance = match features {
                None => None,
                Some(features) => {
                    let [rows, columns] = batch.sampling.as_ref().ok_or_else(|| missing("places"))?;
                    Some(sampling::sample(&features, &self.wide(rows)?, &self.wide(columns)?)?)
                }
            };
            let output = self.local_in_pieces(self.narrow(windows)?, guidance.as_ref(), pieces)?;
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
    pub(super) fn global(&self, slices: &Tensor) -> Result<GlobalOutput> {
        self.global_branch(&self.narrow(slices)?, BatchNorm::Running)
    }

    fn global_branch(&self, slices: &Tensor, norm: BatchNorm) -> Result<GlobalOutput> {
        self.network.global(slices, norm)?.ok_or_else(|| Error::argument("stage", "the network has no global branch"))
    }

    /// To the device, in the number format of convolutions.
    fn narrow(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_to_device(self.device)?.f_to_kind(self.kind)?)
    }

    /// To the device, in the number format of weights and losses.
    fn wide(&self, x: &Tensor) -> Result<Tensor> {
        let kind = if self.kind == Kind::Double { Kind::Double } else { Kind::Float };
        Ok(x.f_to_device(self.device)?.f_to_kind(kind)?)
    }

    fn wide_target(&self, target: &Target) -> Result<Target> {
        Ok(Target { truth: self.wide(&target.truth)?, weights: self.wide(&target.weights)? })
    }

    /// The number of parameters, and so the length of the flat buffers: all of the view's, in the order of the
    /// [layer table](crate::network::layout), and behind them those of other organs' readouts, whatever the stage trains.
    pub fn flat_length(&self) -> usize {
        self.parameters.len()
    }

    /// The parameters as one array.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn flat_parameters(&mut self) -> Result<Vec<f32>> {
        on_own_thread(self.threads, move || self.parameters.buffer(Buffer::Parameters))
    }

    /// Writes the parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] for another length.
    pub fn set_flat_parameters(&mut self, values: &[f32]) -> Result<()> {
        on_own_thread(self.threads, move || self.parameters.set_buffer(Buffer::Parameters, values))
    }

    /// The last gradients as one array; zero for what the stage does not train.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn flat_gradients(&mut self) -> Result<Vec<f32>> {
        on_own_thread(self.threads, move || self.parameters.buffer(Buffer::Gradients))
    }

    /// Writes the gradients that [`update`](Self::update) will use.
    ///
    /// # Errors
    /// [`Error::Argument`] for another length.
    pub fn set_flat_gradients(&mut self, values: &[f32]) -> Result<()> {
        on_own_thread(self.threads, move || self.parameters.set_buffer(Buffer::Gradients, values))
    }

    /// Batch normalisation's running means and variances as one array.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn flat_statistics(&mut self) -> Result<Vec<f32>> {
        on_own_thread(self.threads, move || self.parameters.statistics())
    }

    /// Writes the running means and variances.
    ///
    /// # Errors
    /// [`Error::Argument`] for another length.
    pub fn set_flat_statistics(&mut self, values: &[f32]) -> Result<()> {
        on_own_thread(self.threads, move || self.parameters.set_statistics(values))
    }

    /// The model of this view as it is now.
    ///
    /// # Errors
    /// [`Error::Argument`] if a weight is not a finite number.
    pub fn model(&mut self) -> Result<Model> {
        on_own_thread(self.threads, move || self.current_model())
    }

    pub(super) fn current_model(&self) -> Result<Model> {
        let now = Snapshot::of(&self.parameters)?;
        Model::from_weights(self.config.clone(), self.weights(&now))
    }

    /// A snapshot's weights under their full names in a model file.
    pub(super) fn weights(&self, snapshot: &Snapshot) -> BTreeMap<String, Array> {
        self.parameters.weights(&self.config, self.view, &snapshot.parameters, &snapshot.statistics)
    }

    /// The configuration, of this view alone.
    pub(super) fn config(&self) -> &ModelConfig {
        &self.config
    }
}

#[cfg(test)]
mod tests;
