//! Trainings and segmentations as parts of a longer work that may be stopped at any moment: what is done already is not done again. `ggpfn
//! train`, its cross-validation and `ggpfn reproduce` are made of these.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ggpfn::dataset::{self, Case};
use ggpfn::files::{self, create_folder};
use ggpfn::inference::{segment, DeviceChoice, Monitor, SegmentOptions};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::labels::LabelBits;
use ggpfn::network::{Model, ModelConfig, Pretrained};
use ggpfn::training::{self, Cases, Event, Run, RunEnd, TrainOptions, TrainingCase};
use ggpfn::volume::View;
use ggpfn::Result;

use crate::terminal::{self, Display};

/// The file that says that a training has come to its end.
pub const DONE: &str = "done";
/// A run's model.
pub const MODEL: &str = "model.safetensors";
/// The file with the division of a cross-validation's cases.
pub const FOLDS: &str = "folds.json";

/// The folder of a fold, which are counted from 1.
pub fn fold_folder(out: &Path, fold: usize) -> PathBuf {
    out.join(format!("fold-{fold}"))
}

/// A training that is to come to its end.
pub struct Training<'a> {
    /// What it is called.
    pub name: String,
    pub folder: &'a Path,
    pub options: TrainOptions,
    pub init: Option<Model>,
    pub pretrained: Option<Pretrained>,
    pub train: &'a [Case],
    pub validation: &'a [Case],
    pub cache: &'a Path,
    pub device: DeviceChoice,
    pub provenance: serde_json::Value,
}

impl Training<'_> {
    /// Does what is missing, until the deadline; false if it is not at its end then, or was stopped.
    pub fn finish(self, deadline: Option<Instant>) -> Result<bool> {
        let Training { name, folder, options, init, pretrained, train, validation, cache, device, provenance } = self;
        if folder.join(DONE).exists() {
            return Ok(true);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) || terminal::cancel().is_cancelled() {
            return Ok(false);
        }
        let (config, labels) = (options.model_config(), options.label_bits());
        let train = prepare(train, &config, &labels, cache)?;
        let validation = prepare(validation, &config, &labels, cache)?;
        create_folder(folder)?;
        let resume = folder.join("options.toml").exists();
        say!("{name}{}", if resume { ", goes on" } else { "" });
        let mut run = Run::new(options, Cases { train, validation })?
            .folder(folder, resume)
            .device(device)
            .time(left)
            .provenance(provenance);
        if let Some(model) = init {
            run = run.init(model);
        }
        if let Some(weights) = pretrained {
            run = run.pretrained(weights);
        }
        let outcome = {
            let watch = Watch::new();
            run.train(terminal::cancel(), &|event| watch.show(event))?
        };
        if outcome.end != RunEnd::Done {
            return Ok(false);
        }
        files::write(&folder.join(DONE), b"")?;
        Ok(true)
    }
}

/// Where a case's mask lies in a folder of masks.
pub fn mask_path(folder: &Path, case: &Case) -> PathBuf {
    folder.join(format!("{}.nii.gz", case.name))
}

/// Where its probability lies, if it is kept.
pub fn probability_path(folder: &Path, case: &Case) -> PathBuf {
    folder.join("probabilities").join(format!("{}.nii.gz", case.name))
}

/// Segments those of the cases that have no mask in `folder` yet; with probabilities if the options want them. Masks of several labels are
/// label maps.
pub fn segment_missing(
    name: &str,
    model: &Path,
    cases: &[Case],
    folder: &Path,
    options: &SegmentOptions,
) -> Result<()> {
    let probabilities = !options.mask_only;
    let missing: Vec<&Case> = cases
        .iter()
        .filter(|case| !mask_path(folder, case).exists() || (probabilities && !probability_path(folder, case).exists()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    create_folder(folder)?;
    let model = Model::load(model)?;
    let labels = &model.config().labels.labels;
    let display = Display::new("testing");
    for (number, case) in missing.iter().enumerate() {
        display.set(number as f64 / missing.len() as f64, &format!("{name}: {}", case.name));
        let loaded = dataset::load(case, &ReadOptions::default())?;
        let result = segment(&model, &loaded.volume, options, &Monitor::new(terminal::cancel().clone(), |_| {}))?;
        let geometry = loaded.volume.geometry();
        if probabilities {
            create_folder(&folder.join("probabilities"))?;
            io::write(&probability_path(folder, case), Voxels::F32(result.probability.view()), geometry)?;
        }
        let path = mask_path(folder, case);
        match result.others.is_empty() {
            true => io::write(&path, Voxels::U8(result.mask.view()), geometry)?,
            false => io::write_labels_on(&path, result.label_map()?.view(), labels, &loaded.volume)?,
        }
    }
    Ok(())
}

/// Volumes ready to train on, from the cache where they were prepared before.
pub fn prepare(
    cases: &[Case],
    config: &ModelConfig,
    labels: &LabelBits,
    cache: &Path,
) -> Result<Vec<Arc<TrainingCase>>> {
    let display = Display::new("preparing");
    training::prepare(cases, config, labels, Some(cache), terminal::cancel(), &|count| {
        display.set(count as f64 / cases.len() as f64, &format!("{count} of {} volumes", cases.len()));
    })
}

/// Shows how a training goes: a bar, or now and then a line where there is no terminal.
pub struct Watch {
    display: Display,
    state: Mutex<(Instant, std::collections::BTreeMap<View, f64>)>,
}

impl Watch {
    pub fn new() -> Self {
        Watch { display: Display::new("training"), state: Mutex::new((Instant::now(), Default::default())) }
    }

    pub fn show(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        if let Some(dice) = event.dice {
            state.1.insert(event.view, dice);
        }
        let dice = state.1.get(&event.view).map(|dice| format!(", Dice {dice:.3}")).unwrap_or_default();
        let text = format!(
            "{} {} {}/{}, loss {:.4}{dice}",
            event.view, event.stage, event.epoch[0], event.epoch[1], event.losses.total
        );
        let left = event.seconds_left.map(|s| format!(", {} left", duration(s))).unwrap_or_default();
        if terminal::is_interactive() {
            self.display.set(event.fraction, &format!("{text}{left}"));
        } else if event.dice.is_some() || state.0.elapsed() > Duration::from_secs(30) {
            state.0 = Instant::now();
            terminal::line(&format!("{:3.0} %  {text}{left}", 100.0 * event.fraction));
        }
    }
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).ceil() as u64;
    if minutes < 60 {
        format!("{minutes} min")
    } else if minutes < 48 * 60 {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    } else {
        format!("{} days", minutes / 60 / 24)
    }
}
