//! What a run begins with: its stages, the plan of a stage's batches, first weights, and what a checkpoint has to belong to.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::loader::{Batches, Plan, SampleShape};
use super::loss::Target;
use super::run::{Cases, Run};
use super::sample::Shape;
use super::stage::Stage;
use super::trainer::Trainer;
use super::volumetric::VolumeShape;
use super::TrainOptions;
use crate::compute::threads::on_own_thread;
use crate::compute::{Compute, DeviceChoice, PrecisionChoice};
use crate::files;
use crate::network::baselines::UNET_PATCH_BORDER;
use crate::network::layout::{self, Role};
use crate::network::{Baseline, Model, ModelConfig, NetworkConfig};
use crate::volume::View;
use crate::{Error, Result};

/// The stages that options call for.
pub(super) fn stages(options: &TrainOptions) -> Vec<Stage> {
    let all = Stage::of(&options.model_config().network).iter().copied();
    all.filter(|stage| stage.options(options).epochs > 0).collect()
}

/// What the batches of a stage are made from.
pub(super) fn plan(run: &Run, view: View, stage: Stage) -> Plan {
    let options = &run.options;
    let slices = options.slices_per_sample;
    let patch = options.patch.get(&view).copied();
    let shape = match &options.network {
        Some(Baseline::UnetPatch { tile, .. }) => {
            SampleShape::Volumes(VolumeShape { size: Some(*tile), border: UNET_PATCH_BORDER })
        }
        Some(Baseline::UnetFull { .. }) => SampleShape::Volumes(VolumeShape { size: None, border: 0 }),
        Some(Baseline::Fcn8s { .. }) => SampleShape::Slices(Shape { view, t: 1, slices, patch, global: None }),
        Some(Baseline::Rstn { .. }) => SampleShape::Slices(Shape { view, t: 0, slices, patch, global: None }),
        None => SampleShape::Slices(Shape {
            view,
            t: options.t,
            slices,
            patch: patch.filter(|_| stage.makes_masks()),
            global: options.global_size.get(&view).copied().filter(|_| options.global_guidance && stage.is_guided()),
        }),
    };
    Plan {
        cases: run.cases.train.clone(),
        view,
        shape,
        // RSTN learns from slices with the organ alone.
        in_box: matches!(options.network, Some(Baseline::Rstn { .. })),
        stage,
        batch: stage.options(options).batch,
        samples_per_volume: options.samples_per_volume,
        augmentation: options.augmentation.clone(),
        seed: options.seed,
    }
}

/// The share of each label in what a stage's samples segment, from its first batches.
pub(super) fn shares(plan: &Plan, labels: usize) -> Result<Vec<f64>> {
    let (mut sums, batches) = (vec![0.0; labels], plan.batches().min(4));
    for number in 0..batches {
        let batch = plan.batch(0, number)?;
        let target = batch.target.as_ref().or(batch.global_target.as_ref().map(|[_, finer]| finer));
        let shares = target.map_or(Ok(Vec::new()), Target::shares)?;
        sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share / batches as f64);
    }
    Ok(sums)
}

/// An untrained model whose readouts begin at the share of pancreas that samples have. The first hundreds of steps would do nothing but
/// learn that most pixels are not pancreas.
pub(super) fn start_at_prior(model: Model, run: &Run) -> Result<Model> {
    let config = model.config().clone();
    let mut weights = model.weights().clone();
    // Classes that are weighted by their shares begin as likely as each other.
    if matches!(config.network, NetworkConfig::Baseline(Baseline::UnetPatch { .. })) {
        return Ok(model);
    }
    // Of GGPFN the two branches see samples of their own; other networks' stages all see the same.
    let of_parts: &[(Stage, &str)] = match config.ggpfn() {
        Some(network) if network.global_widths.is_some() => &[(Stage::Global, "global."), (Stage::Local, "local.")],
        Some(_) => &[(Stage::Local, "local.")],
        None => &[(Stage::of(&config.network)[0], "")],
    };
    for view in &config.views {
        for (stage, part) in of_parts {
            let logits: Vec<f32> = shares(&plan(run, *view, *stage), config.labels.count())?
                .into_iter()
                .map(|share| share.clamp(1e-3, 0.5))
                .map(|share| (share / (1.0 - share)).ln() as f32)
                .collect();
            let readouts = layout::table(&config).into_iter().filter(|entry| entry.role == Role::ReadoutShift);
            for entry in readouts.filter(|entry| entry.name.starts_with(part)) {
                if let Some(array) = weights.get_mut(&format!("{view}.{}", entry.name)) {
                    // Networks that segment several slices at once have a map of each label for each of them.
                    array.values.iter_mut().zip(logits.iter().cycle()).for_each(|(bias, logit)| *bias = *logit);
                }
            }
        }
    }
    Model::from_weights(config, weights)
}

/// What a checkpoint belongs to: options (without those that change no number), cases and first weights.
pub(super) fn key(run: &Run, model: &Model) -> Result<String> {
    let options =
        TrainOptions { loader_threads: None, checkpoint_minutes: 0.0, recompute: false, ..run.options.clone() };
    let mut hash = Sha256::new();
    hash.update(options.to_toml()?);
    for cases in [&run.cases.train, &run.cases.validation] {
        hash.update([0]);
        for case in cases {
            hash.update(case.name());
            hash.update([0]);
        }
    }
    hash.update(model.sha256());
    Ok(files::hex(&hash.finalize()))
}

impl Trainer {
    /// What the options say of how it trains; `plan` is that of the samples that it will see.
    pub(super) fn settle(&mut self, options: &TrainOptions, plan: &Plan) -> Result<()> {
        self.set_recompute(options.recompute);
        self.set_dice_weight(options.dice_weight);
        self.set_optimiser(options.optimiser);
        if self.learner.wants_shares() {
            let shares = shares(plan, self.config().labels.count())?;
            self.learner.set_shares(&shares);
        }
        Ok(())
    }

    /// One view's trainer in a stage, with the batches that it is to be stepped with: what a [`Run`] with these options, cases and first
    /// weights would do in that stage. `share` is the number of this process and of all processes.
    ///
    /// # Errors
    /// [`Error::Argument`] for options, cases or weights that do not fit, [`Error::Device`].
    pub fn start(
        options: TrainOptions,
        cases: Cases,
        init: Option<&Model>,
        view: View,
        stage: Stage,
        device: DeviceChoice,
        share: [usize; 2],
    ) -> Result<(Self, Batches)> {
        if !options.views.contains(&view) {
            return Err(Error::argument("view", format!("{view}, which the options do not train")));
        }
        let run = Run::new(options, cases)?;
        let options = &run.options;
        let precision = if options.mixed_precision { PrecisionChoice::Bf16 } else { PrecisionChoice::F32 };
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let model = on_own_thread(threads, || first_weights(&run, init))?;
        let compute = Compute::choose(device, precision)?;
        let teachers = options.organs.as_ref().map(|organs| (organs, options.seed));
        let mut trainer = Trainer::taught(&model, view, stage, teachers, compute, threads)?;
        let plan = plan(&run, view, stage);
        on_own_thread(threads, || trainer.settle(options, &plan))?;
        trainer.start_stage(stage)?;
        Ok((trainer, Batches::new(plan, share)))
    }
}

/// The weights that a run starts from.
pub(super) fn first_weights(run: &Run, init: Option<&Model>) -> Result<Model> {
    let config = run.options.model_config();
    match init {
        Some(model) => {
            run.options.check_for(model.config())?;
            with_views(model, config)
        }
        None => {
            let untrained = Model::new_untrained(config, run.options.seed)?;
            let model = match &run.pretrained {
                Some(weights) => weights.fill(untrained)?,
                None => untrained,
            };
            start_at_prior(model, run)
        }
    }
}

/// The views of a configuration with a model's weights: those that it lacks start as its first one. What a view's network has learned about
/// densities and edges holds in the others too, above all on a grid whose spacings are alike.
fn with_views(model: &Model, config: ModelConfig) -> Result<Model> {
    let has = &model.config().views;
    let mut weights = BTreeMap::new();
    for view in &config.views {
        let from = if has.contains(view) { *view } else { has[0] };
        for entry in layout::table(&config) {
            weights.insert(format!("{view}.{}", entry.name), model.tensor(from, &entry.name)?.clone());
        }
    }
    Model::from_weights(config, weights)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::training::{Preset, TrainingCase};

    /// With one channel, biases that are none of a readout have a readout's shape.
    #[test]
    fn the_prior_goes_to_readouts_alone() {
        let mut options = TrainOptions::preset(Preset::Small);
        options.views = vec![View::Axial];
        (options.t, options.widths, options.global_widths) = (1, [1, 2, 3, 4], [1, 2, 3, 4, 5]);
        options.patch.insert(View::Axial, [32, 32]);
        options.global_size.insert(View::Axial, [32, 32]);
        let (volume, truth) = crate::synthesis::phantom(1).unwrap();
        let config = options.model_config();
        let case = TrainingCase::new("phantom", &volume, truth.view(), &config).unwrap();
        let run = Run::new(options, Cases { train: vec![Arc::new(case)], validation: vec![] }).unwrap();
        let plain = Model::new_untrained(config.clone(), 0).unwrap();
        let started = first_weights(&run, None).unwrap();
        let mut readouts = 0;
        for (name, array) in started.weights() {
            let is_readout = ["aux.0.", "aux.1.", "aux.2.", "aux.3.", "head.", "aux_f.", "aux_fp."]
                .iter()
                .any(|part| name.contains(part) && name.ends_with(".bias"));
            assert_eq!(array != &plain.weights()[name], is_readout, "{name}");
            readouts += usize::from(is_readout);
        }
        assert_eq!(readouts, 7);
    }

    #[test]
    fn views_that_a_model_lacks_start_as_its_first() {
        let all = TrainOptions::preset(Preset::Small).model_config();
        let model = Model::new_untrained(ModelConfig { views: vec![View::Coronal], ..all.clone() }, 3).unwrap();
        let whole = with_views(&model, all.clone()).unwrap();
        assert_eq!(whole.config().views, View::ALL);
        for view in View::ALL {
            let name = "local.enc.2.res.1.conv0.conv.weight";
            assert_eq!(whole.tensor(view, name).unwrap().values, model.tensor(View::Coronal, name).unwrap().values);
        }
        let same = with_views(&whole, all).unwrap();
        assert_eq!(same.sha256(), whole.sha256(), "nothing is lacking");
    }
}
