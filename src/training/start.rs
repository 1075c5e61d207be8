//! What a run begins with: its stages, the plan of a stage's batches, first weights, and what a checkpoint has to belong to.

use sha2::{Digest, Sha256};

use super::loader::{Batches, Plan};
use super::run::{Cases, Run};
use super::sample::Shape;
use super::trainer::{Stage, Trainer};
use super::{StageOptions, TrainOptions};
use crate::files;
use crate::inference::threads::on_own_thread;
use crate::inference::{DeviceChoice, PrecisionChoice};
use crate::network::{Model, ModelConfig};
use crate::volume::View;
use crate::{Error, Result};

/// The stages that options call for.
pub(super) fn stages(options: &TrainOptions) -> Vec<Stage> {
    Stage::ALL
        .into_iter()
        .filter(|stage| stage_options(options, *stage).epochs > 0)
        .filter(|stage| options.global_guidance || *stage == Stage::Local)
        .collect()
}

pub(super) fn stage_options(options: &TrainOptions, stage: Stage) -> &StageOptions {
    match stage {
        Stage::Global => &options.global,
        Stage::Local => &options.local,
        Stage::Whole => &options.whole,
    }
}

/// What the batches of a stage are made from.
pub(super) fn plan(run: &Run, view: View, stage: Stage) -> Plan {
    let options = &run.options;
    Plan {
        cases: run.cases.train.clone(),
        shape: Shape {
            view,
            t: options.t,
            slices: options.slices_per_sample,
            patch: options.patch.get(&view).copied().filter(|_| stage != Stage::Global),
            global: options.global_size.get(&view).copied().filter(|_| stage != Stage::Local),
        },
        stage,
        batch: stage_options(options, stage).batch,
        samples_per_volume: options.samples_per_volume,
        augmentation: options.augmentation.clone(),
        seed: options.seed,
    }
}

/// An untrained model whose readouts begin at the share of pancreas that samples have. The first hundreds of steps would do nothing but
/// learn that most pixels are not pancreas.
pub(super) fn start_at_prior(model: Model, run: &Run) -> Result<Model> {
    let config = model.config().clone();
    let mut weights = model.weights().clone();
    for view in &config.views {
        for (stage, readouts) in [(Stage::Global, "global.aux"), (Stage::Local, "local.")] {
            if stage == Stage::Global && config.global_widths.is_none() {
                continue;
            }
            let plan = plan(run, *view, stage);
            let (mut sum, batches) = (0.0, plan.batches().min(4));
            for number in 0..batches {
                let batch = plan.batch(0, number)?;
                let truth = batch.truth.as_ref().or(batch.global_truth.as_ref().map(|truth| &truth[1]));
                sum += truth.map_or(Ok(0.0), |truth| truth.f_mean(tch::Kind::Double)?.f_double_value(&[]))?;
            }
            let share = (sum / batches as f64).clamp(1e-3, 0.5);
            let logit = (share / (1.0 - share)).ln() as f32;
            for (name, array) in &mut weights {
                let is_readout = array.shape == [1] && name.starts_with(&format!("{view}.{readouts}"));
                if is_readout {
                    array.values = vec![logit];
                }
            }
        }
    }
    Model::from_weights(config, weights)
}

/// Refuses to start a network from the weights of another.
pub(super) fn check_init(model: &Model, config: &ModelConfig) -> Result<()> {
    let fault = |what: &str| {
        let text = format!("the model to start from has another {what} than the options ask for");
        Err(Error::argument("init", text))
    };
    let has = model.config();
    if has.fusion != config.fusion || has.t != config.t {
        return fault("T or fusion");
    }
    if has.widths != config.widths || has.global_widths != config.global_widths {
        return fault("width");
    }
    if has.window != config.window || has.spacing != config.spacing {
        return fault("window or spacing");
    }
    Ok(())
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
        let mut trainer = Trainer::new(&model, view, stage, device, precision, threads)?;
        trainer.set_recompute(options.recompute);
        trainer.start_stage(stage)?;
        Ok((trainer, Batches::new(plan(&run, view, stage), share)))
    }
}

/// The weights that a run starts from.
pub(super) fn first_weights(run: &Run, init: Option<&Model>) -> Result<Model> {
    let config = run.options.model_config();
    match init {
        Some(model) => {
            check_init(model, &config)?;
            with_views(model, &config)
        }
        None => start_at_prior(Model::new_untrained(config, run.options.seed)?, run),
    }
}

/// The model with all views of a configuration: those that it lacks start as its first one. What a view's network has learned about
/// densities and edges holds in the others too, above all on a grid whose spacings are alike.
fn with_views(model: &Model, config: &ModelConfig) -> Result<Model> {
    let has = &model.config().views;
    let missing: Vec<View> = config.views.iter().copied().filter(|view| !has.contains(view)).collect();
    let (Some(first), false) = (has.first(), missing.is_empty()) else { return Ok(model.clone()) };
    let mut weights = model.weights().clone();
    for (name, array) in model.weights() {
        if let Some(rest) = name.strip_prefix(&format!("{first}.")) {
            weights.extend(missing.iter().map(|view| (format!("{view}.{rest}"), array.clone())));
        }
    }
    let mut views = has.clone();
    views.extend(&missing);
    let mut whole = ModelConfig { views, ..model.config().clone() };
    for view in &missing {
        whole.global_size.extend(config.global_size.get(view).map(|size| (*view, *size)));
        whole.view_weights.extend(config.view_weights.get(view).map(|weight| (*view, *weight)));
    }
    Model::from_weights(whole, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Preset;

    #[test]
    fn views_that_a_model_lacks_start_as_its_first() {
        let all = TrainOptions::preset(Preset::Small).model_config();
        let model = Model::new_untrained(ModelConfig { views: vec![View::Coronal], ..all.clone() }, 3).unwrap();
        let whole = with_views(&model, &all).unwrap();
        assert_eq!(whole.config().views, [View::Coronal, View::Axial, View::Sagittal]);
        for view in View::ALL {
            let name = "local.enc.2.res.1.conv0.conv.weight";
            assert_eq!(whole.tensor(view, name).unwrap().values, model.tensor(View::Coronal, name).unwrap().values);
        }
        let same = with_views(&whole, &all).unwrap();
        assert_eq!(same.sha256(), whole.sha256(), "nothing is lacking");
    }
}
