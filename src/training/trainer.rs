//! One view's network in training: a step in two halves.
//!
//! [`Trainer::gradients`] computes a batch's loss and gradients, [`Trainer::update`] is the optimiser's step with them. Between the two, gradients
//! can be read and written as one flat array, and so can parameters at any time: an outside engine (MPI, torch.distributed) averages
//! them over its processes without knowing a layer.

use std::collections::BTreeMap;

use tch::{Device, Kind};

use super::ggpfn::organs;
use super::learner::{Formats, Learner, Losses};
use super::loader::Batches;
use super::networks::learner;
use super::parameters::{Buffer, Parameters, Snapshot};
use super::pieces::Pieces;
use super::sample::Batch;
use super::stage::Stage;
use super::{Optimiser, OrganOptions};
use crate::compute::threads::on_own_thread;
use crate::compute::{Compute, DeviceChoice, PrecisionChoice};
use crate::network::{Array, Model, ModelConfig};
use crate::volume::View;
use crate::{Error, Result};

/// A network of one view with its optimiser.
#[derive(Debug)]
pub struct Trainer {
    config: ModelConfig,
    view: View,
    stage: Stage,
    pub(super) parameters: Parameters,
    pub(super) learner: Box<dyn Learner>,
    optimiser: Optimiser,
    threads: usize,
    recompute: bool,
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
        let extras = match (teachers, model.config().ggpfn()) {
            (Some((options, seed)), Some(network)) => organs::parameters(options, network, view, seed),
            _ => Vec::new(),
        };
        let parameters = Parameters::new(model, view, extras, device, kinds[0])?;
        let tensor = |name: &str| parameters.tensor(name);
        let formats = Formats { device, wide: kinds[0], narrow: kinds[1] };
        let learner = learner(model.config(), view, teachers.map(|(options, _)| options), formats, &tensor)?;
        let config = ModelConfig { views: vec![view], ..model.config().clone() };
        stage.check(&config)?;
        Ok(Trainer { config, view, stage, parameters, learner, optimiser: Optimiser::Adam, threads, recompute: false })
    }

    /// Whether feature maps that gradients need are computed again rather than kept: half as much time again, about half the memory, the same
    /// gradients. At first they are kept.
    pub fn set_recompute(&mut self, recompute: bool) {
        self.recompute = recompute;
    }

    /// The weight of the soft Dice loss of the probability map beside equation (2); at first 0, as in the paper. Other networks than GGPFN
    /// have losses of their own.
    pub fn set_dice_weight(&mut self, weight: f64) {
        self.learner.set_dice_weight(weight);
    }

    /// What changes the parameters; at first Adam.
    pub(super) fn set_optimiser(&mut self, optimiser: Optimiser) {
        self.optimiser = optimiser;
    }

    /// The view.
    pub fn view(&self) -> View {
        self.view
    }

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Begins a stage: the optimiser's moments are forgotten. GGPFN's local stage clears what the first decoder convolution makes of the global
    /// features, so that the network is the progressive fusion network alone until the whole is trained, and the whole begins as
    /// exactly that.
    ///
    /// # Errors
    /// [`Error::Argument`] for the global stage of a network without global branch.
    pub fn start_stage(&mut self, stage: Stage) -> Result<()> {
        stage.check(&self.config)?;
        let threads = self.threads;
        on_own_thread(threads, move || {
            self.stage = stage;
            self.learner.begin_stage(stage, &mut self.parameters)?;
            self.parameters.restart()
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

    /// The second half of a step: the optimiser with what is in the gradient buffer.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn update(&mut self, learning_rate: f64) -> Result<()> {
        on_own_thread(self.threads, move || self.optimise(learning_rate))
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
        self.optimise(learning_rate)?;
        Ok(losses)
    }

    pub(super) fn differentiate(&mut self, batch: &Batch) -> Result<Losses> {
        let mut pieces = Pieces::new(self.recompute);
        let (loss, losses) = tch::with_grad(|| self.learner.loss(batch, self.stage, &mut pieces))?;
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
        let trained = |name: &str| self.learner.trains(self.stage, name);
        let gradients = pieces.differentiate(loss, &self.parameters.active(&trained))?;
        self.parameters.set_gradients(&gradients, &trained)?;
        Ok(losses)
    }

    pub(super) fn optimise(&mut self, learning_rate: f64) -> Result<()> {
        let (learner, stage) = (&self.learner, self.stage);
        // Adam makes its own scale for each parameter.
        let by_name = self.optimiser != Optimiser::Adam;
        self.parameters.update(self.optimiser, learning_rate, &|name| {
            learner.trains(stage, name).then(|| if by_name { learner.rate(name) } else { 1.0 })
        })
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
