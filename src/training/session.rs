//! A run under way: whose turn it is, its epochs, validations, checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::checkpoint::{self, Progress};
use super::learner::Losses;
use super::loader::Loader;
use super::log::Log;
use super::parameters::{Buffer, Snapshot};
use super::run::{Event, Outcome, Run, RunEnd};
use super::stage::Stage;
use super::start::{first_weights, key, plan, stages};
use super::trainer::Trainer;
use super::validation::Validation;
use super::{StageOptions, TrainingCase};
use crate::compute::threads::on_own_thread;
use crate::compute::{Cancel, Compute, PrecisionChoice};
use crate::network::{Model, ModelConfig, WeightType};
use crate::volume::View;
use crate::{files, outputs};
use crate::{Error, Result};

impl Run {
    /// Trains. `report` is called from the training thread after each step.
    ///
    /// A cancelled run finishes its step, saves, and returns what it has.
    ///
    /// # Errors
    /// [`Error::Argument`] for a folder that holds a model or other files of a run's names without being one's,
    /// [`Error::Training`] for a loss that is no number or a checkpoint that does not fit, [`Error::File`] where a file cannot be
    /// written, [`Error::Memory`], [`Error::Device`].
    pub fn train(self, cancel: &Cancel, report: &(dyn Fn(&Event) + Sync)) -> Result<Outcome> {
        if let Some(folder) = &self.folder {
            outputs::check_run_folder("folder", folder)?;
        }
        let precision = if self.options.mixed_precision { PrecisionChoice::Bf16 } else { PrecisionChoice::F32 };
        let compute = Compute::choose(self.device, precision)?;
        let threads =
            self.options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        on_own_thread(threads, || Session::new(self, compute, threads)?.run(cancel, report))
    }
}

/// A run under way.
struct Session {
    run: Run,
    views: Vec<ViewRun>,
    config: ModelConfig,
    key: String,
    loader_threads: usize,
    deadline: Option<Instant>,
    started: Instant,
    /// The part of the work that was done when this session started.
    fraction_before: f64,
    init: Option<Initial>,
}

/// The run's list of cases, and of what else it is made from.
const CASES: &str = "cases.json";
/// The model that the run started from, which a run that is taken up again needs as long as a view has no checkpoint.
const INITIAL_MODEL: &str = "initial.safetensors";

/// The model that a run starts from.
struct Initial {
    model: Model,
    /// Of the file that it was first read from.
    sha256: String,
}

impl Initial {
    /// The one that the caller gives, or that a run which is taken up again has kept.
    fn of(run: &mut Run) -> Result<Option<Self>> {
        if let Some(model) = run.init.take() {
            let sha256 = model.sha256().to_string();
            return Ok(Some(Initial { model, sha256 }));
        }
        let Some(folder) = run.folder.as_deref().filter(|folder| run.resume && folder.join(INITIAL_MODEL).exists())
        else {
            return Ok(None);
        };
        let model = Model::load(&folder.join(INITIAL_MODEL))?;
        let cases = std::fs::read(folder.join(CASES)).map_err(|e| Error::file("read", folder.join(CASES), e))?;
        let cases: serde_json::Value = serde_json::from_slice(&cases).unwrap_or_default();
        let sha256 = cases[INITIAL_SHA256].as_str().unwrap_or(model.sha256()).to_string();
        Ok(Some(Initial { model, sha256 }))
    }
}

/// Under this name the hash of the initial model stands in the model file's provenance and in the run's folder.
const INITIAL_SHA256: &str = "initial_model_sha256";

/// One view's training.
struct ViewRun {
    trainer: Trainer,
    progress: Progress,
    best: Option<Snapshot>,
    loader: Option<Loader>,
    log: Log,
    saved: Instant,
    epoch_started: Instant,
}

impl Session {
    pub fn new(mut run: Run, compute: Compute, threads: usize) -> Result<Self> {
        let deadline = run.time.map(|time| Instant::now() + time);
        let config = run.options.model_config();
        let mut init = Initial::of(&mut run)?;
        let model = first_weights(&run, init.as_ref().map(|init| &init.model))?;
        if let (None, Some(weights)) = (&init, &run.pretrained) {
            init = Some(Initial { model: model.clone(), sha256: weights.sha256().into() });
        }
        let key = key(&run, &model)?;
        let stages = stages(&run.options);
        let Some(first) = stages.first().copied() else {
            return Err(Error::argument("epochs", "all stages have none; at least one epoch was expected"));
        };
        let mut views = Vec::new();
        for view in run.options.views.iter().copied().filter(|view| run.peers.train(*view)) {
            let teachers = run.options.organs.as_ref().map(|organs| (organs, run.options.seed));
            let kinds = [tch::Kind::Float, compute.kind];
            let mut trainer = Trainer::assemble(&model, view, first, teachers, compute.device, kinds, threads)?;
            trainer.settle(&run.options, &plan(&run, view, first))?;
            trainer.start_stage(first)?;
            let mut progress = Progress {
                stage: Some(first),
                epoch: 0,
                batch: 0,
                best_dice: None,
                best_epoch: None,
                sums: [0.0; 5],
                organs_sum: 0.0,
                log_lines: 0,
            };
            let mut best = None;
            if let (Some(folder), true) = (&run.folder, run.resume) {
                let path = checkpoint_path(folder, view);
                if path.exists() {
                    (progress, best) = checkpoint::load(&path, &mut trainer, &key)?;
                }
            }
            let (log, now) = (Log::in_memory(), Instant::now());
            views.push(ViewRun { trainer, progress, best, loader: None, log, saved: now, epoch_started: now });
        }
        // Two processors can feed the network from one thread; many loaders would only take its processors away.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let loader_threads = run.options.loader_threads.unwrap_or((processors / 2).clamp(1, 8));
        let mut session = Session {
            run,
            views,
            config,
            key,
            loader_threads,
            deadline,
            started: Instant::now(),
            fraction_before: 0.0,
            init,
        };
        session.fraction_before = session.fraction();
        session.run.peers.agree(&session.state()?)?;
        if let Some(folder) = session.shared_folder() {
            // The first file of a folder, by which it is known as a run's whenever this process ends.
            files::write(&folder.join("options.toml"), session.run.options.to_toml()?.as_bytes())?;
            files::write(&folder.join(CASES), format!("{:#}\n", session.case_names()).as_bytes())?;
            if let Some(init) = &session.init {
                init.model.save(&folder.join(INITIAL_MODEL), WeightType::F32)?;
            }
        }
        if let Some(folder) = session.run.folder.as_ref().filter(|_| session.run.peers.writes()) {
            for v in &mut session.views {
                let path = view_folder(folder, v.trainer.view())?.join("log.jsonl");
                v.log = Log::open(&path, v.progress.log_lines)?;
            }
        }
        Ok(session)
    }

    pub fn run(mut self, cancel: &Cancel, report: &(dyn Fn(&Event) + Sync)) -> Result<Outcome> {
        let end = loop {
            // The view that is least far; ties go to the first.
            let next = (0..self.views.len())
                .filter(|i| self.views[*i].progress.stage.is_some())
                .min_by_key(|i| (self.views[*i].progress.stage, self.views[*i].progress.epoch));
            let Some(index) = next else { break RunEnd::Done };
            if let Some(end) = self.epoch(index, cancel, report)? {
                break end;
            }
        };
        for index in 0..self.views.len() {
            self.save(index)?;
        }
        let model = self.save_model()?;
        self.draw();
        let dice = self.views.iter().map(|v| (v.trainer.view(), v.progress.best_dice)).collect();
        Ok(Outcome { model, end, dice })
    }

    /// The rest of an epoch of one view, its validation, and the stage's end if it is the last. Gives why the run has to stop, if it
    /// has to.
    fn epoch(&mut self, index: usize, cancel: &Cancel, report: &(dyn Fn(&Event) + Sync)) -> Result<Option<RunEnd>> {
        let (Some(stage), view) = (self.views[index].progress.stage, self.views[index].trainer.view()) else {
            return Ok(None);
        };
        let stage_options = stage.options(&self.run.options).clone();
        let plan = plan(&self.run, view, stage);
        let batches = plan.batches();
        let accumulate = self.run.options.accumulate;
        let steps = batches.div_ceil(accumulate);
        let mut losses = Losses::default();
        while self.views[index].progress.batch < batches {
            if let Some(end) = self.all_must_stop(cancel)? {
                return Ok(Some(end));
            }
            let v = &mut self.views[index];
            let loader = match &mut v.loader {
                Some(loader) => loader,
                empty => {
                    let (epoch, batch) = (v.progress.epoch, v.progress.batch);
                    let share = self.run.peers.share(accumulate);
                    empty.insert(Loader::start(plan.clone(), epoch, batch, self.loader_threads, &share)?)
                }
            };
            let step = v.progress.epoch * steps + v.progress.batch / accumulate;
            let rate = learning_rate(stage, &stage_options, step, steps);
            let sizes: Vec<usize> = plan.sizes(v.progress.batch).take(accumulate).collect();
            for of_batch in self.run.peers.step(&mut v.trainer, accumulate, &sizes, &mut || loader.next(), rate)? {
                losses = of_batch;
                let terms = [Some(losses.total), losses.map, losses.side, losses.global, losses.global_finer];
                for (sum, term) in v.progress.sums.iter_mut().zip(terms) {
                    *sum += term.unwrap_or(0.0);
                }
                v.progress.organs_sum += losses.organs.unwrap_or(0.0);
            }
            v.progress.batch += sizes.len();
            report(&self.event(index, stage, batches, losses, None));
            let minutes = self.views[index].saved.elapsed().as_secs_f64() / 60.0;
            if minutes >= self.run.options.checkpoint_minutes {
                self.save(index)?;
                self.draw();
            }
        }

        let last = self.views[index].progress.epoch + 1 >= stage_options.epochs;
        let mut dice = None;
        if last || (self.views[index].progress.epoch + 1).is_multiple_of(self.run.options.validate_every) {
            let v = &self.views[index];
            let cases = &self.run.cases.validation;
            let mut validation = Validation::new(&v.trainer, &self.run.options, self.run.device, cancel);
            let validation = self.run.peers.compute_all(cases.len(), |index| match self.must_stop(cancel) {
                Some(_) => Err(Error::Cancelled),
                None => validation.dice(&cases[index]),
            });
            dice = match validation {
                // Stopped in the middle: the epoch is trained, its validation comes when the run goes on.
                Err(Error::Cancelled) => return Ok(Some(self.must_stop(cancel).unwrap_or(RunEnd::Cancelled))),
                other => {
                    let all = other?;
                    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
                }
            };
            let v = &mut self.views[index];
            if dice.is_none() || v.progress.best_dice.is_none() || dice > v.progress.best_dice {
                v.best = Some(Snapshot::of(&v.trainer.parameters)?);
                v.progress.best_dice = dice;
                v.progress.best_epoch = Some((stage, v.progress.epoch + 1));
                // There to be tried while the run goes on, and whatever becomes of it.
                self.save_model()?;
            }
            report(&self.event(index, stage, batches, losses, dice));
        }
        self.log_epoch(index, stage, batches, &stage_options, dice)?;
        let v = &mut self.views[index];
        v.progress.epoch += 1;
        v.progress.batch = 0;
        v.progress.sums = [0.0; 5];
        v.progress.organs_sum = 0.0;
        if last {
            self.end_stage(index, stage)?;
        }
        Ok(None)
    }

    /// The best weights go on into the next stage.
    fn end_stage(&mut self, index: usize, stage: Stage) -> Result<()> {
        let next = stages(&self.run.options).into_iter().find(|other| *other > stage);
        let v = &mut self.views[index];
        v.loader = None;
        v.progress.epoch = 0;
        v.progress.stage = next;
        if let Some(best) = &v.best {
            best.put_into(&mut v.trainer.parameters)?;
        }
        if let Some(next) = next {
            v.trainer.start_stage(next)?;
            // What the stage changed at its start is in the best weights too, should the run end here.
            v.best = Some(Snapshot::of(&v.trainer.parameters)?);
            if !stage.makes_masks() {
                // Another measure: that of its maps, not of masks.
                v.progress.best_dice = None;
            }
        }
        self.save(index)?;
        self.draw();
        self.save_model()?;
        Ok(())
    }

    fn must_stop(&self, cancel: &Cancel) -> Option<RunEnd> {
        if cancel.is_cancelled() {
            return Some(RunEnd::Cancelled);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| RunEnd::OutOfTime)
    }

    /// Why all processes have to stop now, if one has to.
    fn all_must_stop(&self, cancel: &Cancel) -> Result<Option<RunEnd>> {
        let own = match self.must_stop(cancel) {
            None => 0,
            Some(RunEnd::OutOfTime) => 1,
            Some(_) => 2,
        };
        Ok(match self.run.peers.largest(own)? {
            0 => None,
            1 => Some(RunEnd::OutOfTime),
            _ => Some(RunEnd::Cancelled),
        })
    }

    /// What has to be the same in all processes before they train together.
    fn state(&self) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(&self.key);
        for v in &self.views {
            hash.update(serde_json::to_string(&v.progress).map_err(|e| Error::Training(e.to_string()))?);
            for buffer in [Buffer::Parameters, Buffer::FirstMoments] {
                for value in v.trainer.parameters.buffer(buffer)? {
                    hash.update(value.to_le_bytes());
                }
            }
        }
        Ok(hash.finalize().into())
    }

    /// The folder, where this process writes to it.
    fn folder(&self) -> Option<&Path> {
        self.run.folder.as_deref().filter(|_| self.run.peers.writes())
    }

    /// The same for files that are not one view's. Of processes that train different views, those with the first one write them.
    fn shared_folder(&self) -> Option<&Path> {
        self.folder().filter(|_| self.run.peers.train(self.run.options.views[0]))
    }

    /// The best weights of all views, or where they are now.
    fn model(&self) -> Result<Model> {
        let mut weights = BTreeMap::new();
        let mut views = serde_json::Map::new();
        for v in &self.views {
            let snapshot = match &v.best {
                Some(best) => best.clone(),
                None => Snapshot::of(&v.trainer.parameters)?,
            };
            weights.extend(v.trainer.weights(&snapshot));
            let best = v.progress.best_epoch;
            views.insert(
                v.trainer.view().name().into(),
                json!({
                    "stage": best.map(|b| b.0), "epoch": best.map(|b| b.1), "dice": v.progress.best_dice,
                    "done": v.progress.stage.is_none(),
                }),
            );
        }
        let mut config = self.config.clone();
        config.views.retain(|view| self.run.peers.train(*view));
        config.training = json!({
            "trained": true,
            "ggpfn": env!("CARGO_PKG_VERSION"),
            "seed": self.run.options.seed,
            "cases": self.run.cases.train.len(),
            "validation_cases": self.run.cases.validation.len(),
            "views": views,
            INITIAL_SHA256: self.init.as_ref().map(|init| &init.sha256),
            "data": self.run.provenance,
        });
        Model::from_weights(config, weights)
    }

    /// Writes that model into the run's folder, if there is one.
    fn save_model(&self) -> Result<Model> {
        let model = self.model()?;
        // Processes that train some of the views leave the whole model to the last one.
        if let Some(folder) = self.folder().filter(|_| model.config().views == self.config.views) {
            model.save(&folder.join("model.safetensors"), WeightType::F32)?;
        }
        Ok(model)
    }

    fn save(&mut self, index: usize) -> Result<()> {
        self.views[index].saved = Instant::now();
        let Some(folder) = self.folder() else { return Ok(()) };
        let v = &self.views[index];
        let path = checkpoint_path(folder, v.trainer.view());
        checkpoint::save(&path, &v.trainer, v.best.as_ref(), &v.progress, &self.key)
    }

    fn log_epoch(
        &mut self,
        index: usize,
        stage: Stage,
        batches: usize,
        stage_options: &StageOptions,
        dice: Option<f64>,
    ) -> Result<()> {
        let v = &mut self.views[index];
        let seconds = v.epoch_started.elapsed().as_secs_f64();
        v.epoch_started = Instant::now();
        let steps = batches.div_ceil(self.run.options.accumulate);
        let mean = v.progress.sums.map(|sum| sum / batches as f64);
        let ggpfn = self.run.options.network.is_none();
        let has = |yes: bool, value: f64| if yes { json!(value) } else { json!(null) };
        v.log.write(&json!({
            "view": v.trainer.view().name(),
            "stage": stage.name(),
            "epoch": v.progress.epoch + 1,
            "learning_rate": learning_rate(stage, stage_options, v.progress.epoch * steps, steps),
            "loss": mean[0],
            "map": has(stage.makes_masks(), mean[1]),
            "side": has(ggpfn && stage.makes_masks(), mean[2]),
            "global": has(ggpfn && stage.is_guided() && self.run.options.global_guidance, mean[3]),
            "global_finer": has(stage == Stage::Global, mean[4]),
            "organs": has(
                stage.makes_masks() && self.run.options.organs.is_some(),
                v.progress.organs_sum / batches as f64,
            ),
            "dice": dice,
            "seconds": (seconds * 100.0).round() / 100.0,
        }))?;
        v.progress.log_lines += 1;
        Ok(())
    }

    /// The curves of all views; a picture that cannot be drawn is no reason to stop.
    fn draw(&self) {
        let Some(folder) = self.shared_folder() else { return };
        let lines: Vec<_> = self.views.iter().map(|v| (v.trainer.view(), v.log.lines())).collect();
        if let Err(error) = super::log::draw(&folder.join("curves.png"), &lines) {
            log::warn!("{error}");
        }
    }

    fn event(&self, index: usize, stage: Stage, batches: usize, losses: Losses, dice: Option<f64>) -> Event {
        let v = &self.views[index];
        let fraction = self.fraction();
        let gained = fraction - self.fraction_before;
        let elapsed = self.started.elapsed().as_secs_f64();
        Event {
            view: v.trainer.view(),
            stage,
            epoch: [v.progress.epoch + 1, stage.options(&self.run.options).epochs],
            batch: [v.progress.batch, batches],
            losses,
            dice,
            fraction,
            seconds_left: (gained > 0.0 && elapsed > 2.0).then(|| elapsed / gained * (1.0 - fraction)),
        }
    }

    /// The part of the run's work that is done, counting samples; one of the global branch alone costs about an eighth.
    fn fraction(&self) -> f64 {
        let options = &self.run.options;
        let samples = (self.run.cases.train.len() * options.samples_per_volume) as f64;
        let (mut done, mut all) = (0.0, 0.0);
        for v in &self.views {
            for stage in stages(options) {
                let whole = stage.options(options).epochs as f64 * samples * stage.cost();
                all += whole;
                done += match v.progress.stage {
                    Some(now) if now == stage => {
                        let batches = samples / stage.options(options).batch as f64;
                        let epochs = v.progress.epoch as f64 + v.progress.batch as f64 / batches.ceil().max(1.0);
                        epochs * samples * stage.cost()
                    }
                    Some(now) if now < stage => 0.0,
                    _ => whole,
                };
            }
        }
        done / f64::max(all, 1.0)
    }

    fn case_names(&self) -> serde_json::Value {
        let names = |cases: &[Arc<TrainingCase>]| cases.iter().map(|case| case.name().to_string()).collect::<Vec<_>>();
        json!({
            "train": names(&self.run.cases.train),
            "validation": names(&self.run.cases.validation),
            INITIAL_SHA256: self.init.as_ref().map(|init| &init.sha256),
        })
    }
}

/// The learning rate of a step of a stage with so many batches in an epoch: constant, or on its way down.
fn learning_rate(stage: Stage, options: &StageOptions, step: usize, batches: usize) -> f64 {
    let start = options.learning_rate;
    if let Some(epochs) = options.fall_every {
        return start * stage.fall().powi((step / (epochs * batches).max(1)) as i32);
    }
    let steps = options.epochs * batches;
    options.final_learning_rate.map_or(start, |end| {
        let way = step as f64 / (steps.max(2) - 1) as f64;
        end + (start - end) * options.decay.left(way)
    })
}

fn view_folder(folder: &Path, view: View) -> Result<PathBuf> {
    let folder = folder.join(view.name());
    files::create_folder(&folder)?;
    Ok(folder)
}

fn checkpoint_path(folder: &Path, view: View) -> PathBuf {
    folder.join(view.name()).join("checkpoint.safetensors")
}
