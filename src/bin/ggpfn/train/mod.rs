//! `ggpfn train`: a model from volumes and their masks.

mod folds;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ggpfn::dataset::{self, Case, Layout, Split, SplitCounts};
use ggpfn::files::create_folder;
use ggpfn::inference::DeviceChoice;
use ggpfn::labels::LabelSource;
use ggpfn::network::{Baseline, Fusion, Model, Pretrained};
use ggpfn::outputs;
use ggpfn::training::{Cases, Preset, Run, RunEnd, TrainOptions};
use ggpfn::volume::View;
use ggpfn::{Error, Result};
use serde_json::json;

use crate::new_model::sized;
use crate::runs::{prepare, Watch, FOLDS, MODEL};
use crate::terminal;

/// Train a model, or fine-tune one
///
/// Trains in three stages as the paper does: the global branch, the progressive fusion network, the whole. The run's folder gets the
/// options, a log, curves, checkpoints and the best model; with --resume a run goes on where it was, to the same bits on the processor.
/// Ctrl-C finishes the step, saves and leaves.
///
/// --folds 5 trains five models instead, each without a fifth of the cases, and measures every case with the model that has not seen it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ggpfn train Task07_Pancreas --layout msd --split split.json --preset msd --out run
  ggpfn train my-set --preset small --out run --max-minutes 600
  ggpfn train my-set --preset small --folds 5 --out folds
  ggpfn train my-set --preset small --folds 5 --fold 2 --out folds")]
pub struct Arguments {
    /// The data set's folder
    data: PathBuf,
    /// How its files are arranged: msd, nihc or pairs (ggpfn dataset --help)
    #[arg(long, default_value = "pairs")]
    layout: Layout,
    /// Which cases to train and to validate on (ggpfn dataset split). Without it and --validation a set of 8 cases and more is split in
    /// the paper's proportions; a smaller one is trained on whole
    #[arg(long, value_name = "FILE", conflicts_with = "validation")]
    split: Option<PathBuf>,
    /// Cross-validation: divide the cases (without the test cases of --split) into so many folds, and train a model for each on the cases of
    /// the others, in FOLDER/fold-1 and so on. At the end each case is segmented by the model that has not seen it, and FOLDER gets a table
    /// over all cases: cases.csv, evaluation.json and report.html. The same command goes on where it was stopped
    #[arg(long, value_name = "N", conflicts_with = "validation")]
    folds: Option<usize>,
    /// Of the folds this one alone, from 1: folds may be trained on several machines
    #[arg(long, value_name = "K", conflicts_with = "validation")]
    fold: Option<usize>,
    /// The run's folder
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// Options of the training (TOML); what it leaves out comes from the preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// msd and nihc: the paper's options for these data sets; small: a small network on a 2.5 mm grid
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// Fine-tune this model: its weights, and its network, views, view weights and threshold where --config and other options do not name
    /// them; the whole-network stage alone unless they name epochs of others. Views that it lacks start as its first one; options for
    /// another network are refused
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// What is segmented, and which values it has in the label maps, as in pancreas=1,2 tumour=2: there the tumour is part of the pancreas.
    /// Without it everything above 0 is pancreas
    #[arg(long, value_name = "NAME=V,...", num_args = 1..)]
    labels: Vec<LabelSource>,
    /// The views to train
    #[arg(long, value_name = "VIEW,...", value_delimiter = ',')]
    views: Vec<View>,
    /// Another network than a GGPFN, one of those that the paper compares it with: unet-patch, unet-full, fcn8s or rstn, with the schedule of
    /// its own source (docs/baselines.md)
    #[arg(long, value_name = "NAME", value_parser = Baseline::named, conflicts_with_all = ["init", "t", "one_off", "no_global"])]
    baseline: Option<Baseline>,
    /// Channels of the baseline's first convolution: 32 for the U-Nets and 64 for the others, if left out
    #[arg(long, value_name = "C", requires = "baseline")]
    width: Option<usize>,
    /// Batch normalisation in fcn8s and rstn, which have to begin with weights from elsewhere (--weights) otherwise
    #[arg(long, requires = "baseline")]
    scratch: bool,
    /// Begin fcn8s or rstn with the weights of a VGG-16 or FCN-8s: a safetensors file with torchvision's names (features.0.weight) or those of
    /// the layers (conv1_1.weight)
    #[arg(long, value_name = "FILE", requires = "baseline", conflicts_with_all = ["scratch", "init"])]
    weights: Option<PathBuf>,
    /// Epochs of each stage: of a GGPFN the global branch's, the local one's and the whole network's
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    epochs: Vec<usize>,
    /// T: a slice is segmented from 2T + 1 slices, 1 to 15
    #[arg(long, short, value_name = "T")]
    t: Option<usize>,
    /// Fuse all slices in the first convolution instead of progressively
    #[arg(long)]
    one_off: bool,
    /// Leave the global guidance branch out
    #[arg(long)]
    no_global: bool,
    /// What everything is drawn from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop after so many minutes, saved
    #[arg(long, value_name = "MINUTES")]
    max_minutes: Option<f64>,
    /// A data set of its own, of the same layout, to validate on
    #[arg(long, value_name = "FOLDER")]
    validation: Option<PathBuf>,
    /// Where prepared volumes are kept; by default in the run's folder
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    /// Processor threads within the network's operations
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Compute feature maps a second time rather than keep them: about half the memory in half as much time again, to the same result
    #[arg(long)]
    recompute: bool,
}

impl Arguments {
    /// Where prepared volumes are kept.
    fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.out.join("cache"))
    }
}

pub fn run(arguments: Arguments) -> Result<()> {
    let has_folds = arguments.out.join(FOLDS).exists();
    if arguments.folds.is_some() || (has_folds && (arguments.resume || arguments.fold.is_some())) {
        return folds::run(&arguments);
    }
    if has_folds {
        let fault = format!("{} holds a cross-validation; --resume goes on with it", arguments.out.display());
        return Err(Error::Argument { name: "--out", fault });
    }
    if arguments.fold.is_some() {
        let fault = "there are no folds; how many was expected too, by --folds".into();
        return Err(Error::Argument { name: "--fold", fault });
    }
    let (options, init) = settle(&arguments, arguments.resume)?;
    let config = options.model_config();
    if arguments.out.join("options.toml").exists() && !arguments.resume {
        let fault = format!("{} holds a run already; --resume goes on with it", arguments.out.display());
        return Err(Error::Argument { name: "--out", fault });
    }
    check_outputs(&arguments)?;
    create_folder(&arguments.out)?;
    let cache = arguments.cache();
    let ([train, validation], split_seed) = choose(&arguments, options.seed)?;
    let labels = options.label_bits();
    let train = prepare(&train, &config, &labels, &cache)?;
    let validation = prepare(&validation, &config, &labels, &cache)?;
    say!("{} cases to train on, {} to validate on", train.len(), validation.len());
    let mut run = Run::new(options, Cases { train, validation })?
        .folder(&arguments.out, arguments.resume)
        .device(arguments.device)
        .time(arguments.max_minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes)))
        .provenance(json!({
            "folder": arguments.data.file_name().map(|name| name.to_string_lossy()),
            "layout": arguments.layout,
            "split_seed": split_seed,
        }));
    if let Some(model) = init {
        run = run.init(model);
    }
    if let Some(path) = &arguments.weights {
        run = run.pretrained(Pretrained::load(path)?);
    }
    terminal::wait_for_the_work();
    let outcome = {
        let watch = Watch::new();
        run.train(terminal::cancel(), &|event| watch.show(event))?
    };
    let model = arguments.out.join(MODEL);
    let of_views = &outcome.model.config().training["views"];
    for (view, dice) in &outcome.dice {
        let best = &of_views[view.name()];
        let place = match (best["epoch"].as_u64(), best["stage"].as_str()) {
            (Some(epoch), Some(stage)) => format!(", of epoch {epoch} of the {stage} stage"),
            _ => String::new(),
        };
        if let Some(dice) = dice {
            say!("{view}: validation Dice {dice:.4}{place}");
        }
    }
    match outcome.end {
        RunEnd::Done => say!("done: {}", model.display()),
        RunEnd::OutOfTime => say!("time is up: saved, {} is the best so far; --resume goes on", model.display()),
        RunEnd::Cancelled => say!("stopped: saved, {} is the best so far; --resume goes on", model.display()),
    }
    Ok(())
}

/// Refuses a folder whose files are not a run's, and inputs that the run would replace.
fn check_outputs(arguments: &Arguments) -> Result<()> {
    let out = &arguments.out;
    outputs::check_run_folder("--out", out)?;
    let inputs = [("--init", &arguments.init), ("--config", &arguments.config), ("--weights", &arguments.weights)];
    let inputs = inputs.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
    outputs::check_run_inputs(out, inputs)?;
    // A split that is there and is another than the one to be used.
    let own = out.join("split.json");
    match &arguments.split {
        Some(split)
            if own.exists() && !outputs::same_file(split, &own) && Split::read(split)? != Split::read(&own)? =>
        {
            let fault =
                format!("{} would replace another split, {}; move one of them away", split.display(), own.display());
            Err(Error::argument("--split", fault))
        }
        _ => Ok(()),
    }
}

/// The options, and the model to start from. With `resume` those that the folder has, where there are no others.
fn settle(arguments: &Arguments, resume: bool) -> Result<(TrainOptions, Option<Model>)> {
    let saved = arguments.out.join("options.toml");
    let config = arguments.config.as_deref().or(Some(saved.as_path()).filter(|saved| resume && saved.exists()));
    let text = config.map_or(Ok(String::new()), read_text)?;
    let preset = arguments.preset.unwrap_or(Preset::Nihc);
    let init = arguments.init.as_deref().map(Model::load).transpose()?;
    let mut options = match (&init, &arguments.baseline) {
        (Some(model), _) => TrainOptions::fine_tuning(&text, preset, model.config(), false)?,
        (None, Some(baseline)) => {
            let baseline = sized(baseline.clone(), arguments.width, arguments.scratch);
            TrainOptions::baseline_from_toml(&text, preset, baseline)?
        }
        (None, None) => TrainOptions::from_toml(&text, preset)?,
    };
    if !arguments.views.is_empty() {
        options.views = arguments.views.clone();
    }
    if !arguments.epochs.is_empty() {
        options.set_epochs(&arguments.epochs).map_err(|fault| Error::Argument { name: "--epochs", fault })?;
    }
    if !arguments.labels.is_empty() {
        options.labels = arguments.labels.clone();
    }
    options.t = arguments.t.unwrap_or(options.t);
    options.seed = arguments.seed.unwrap_or(options.seed);
    options.threads = arguments.threads.or(options.threads);
    options.recompute |= arguments.recompute;
    if arguments.one_off {
        options.fusion = Fusion::OneOff;
    }
    if arguments.no_global {
        options.global_guidance = false;
    }
    if let Some(minutes) = arguments.max_minutes.filter(|minutes| !(minutes.is_finite() && *minutes > 0.0)) {
        let fault = format!("{minutes}; a number above 0 was expected");
        return Err(Error::Argument { name: "--max-minutes", fault });
    }
    options.check()?;
    if let Some(model) = &init {
        options.check_for(model.config())?;
    }
    if options.recompute {
        // Memory is short then.
        ggpfn::runtime::keep_freed_memory(32 << 20);
    }
    Ok((options, init))
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))
}

/// The cases to train on and those to validate on, and the seed of the split that says so.
fn choose(arguments: &Arguments, seed: u64) -> Result<([Vec<Case>; 2], Option<u64>)> {
    /// Fewer cases are somebody's own corrected ones, of which each is needed.
    const WORTH_SPLITTING: usize = 8;
    let cases = dataset::cases(&arguments.data, arguments.layout)?;
    if let Some(folder) = &arguments.validation {
        return Ok(([cases, dataset::cases(folder, arguments.layout)?], None));
    }
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let own = arguments.out.join("split.json");
    let split = match &arguments.split {
        Some(path) => Split::read(path)?,
        None if own.exists() => Split::read(&own)?,
        None if cases.len() < WORTH_SPLITTING => return Ok(([cases, Vec::new()], None)),
        None => dataset::split(&names, SplitCounts::of(arguments.layout, cases.len())?, seed)?,
    };
    split.check(&names)?;
    if !own.exists() {
        split.write(&own)?;
    }
    let chosen = |wanted: &[String]| cases.iter().filter(|case| wanted.contains(&case.name)).cloned().collect();
    Ok(([chosen(&split.train), chosen(&split.validation)], Some(split.seed)))
}
