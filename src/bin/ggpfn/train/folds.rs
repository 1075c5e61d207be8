//! `ggpfn train --folds`: a model for each fold, and a table over all cases, each segmented by the model that has not seen it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ggpfn::dataset::{self, Case, Folds, Split};
use ggpfn::evaluation::{compare, summarise_seeded, Case as Measured, Example, Report, Scene, System};
use ggpfn::files::{self, create_folder};
use ggpfn::inference::SegmentOptions;
use ggpfn::io::{self, ReadOptions};
use ggpfn::labels::{LabelBits, LabelSet, LabelSource};
use ggpfn::network::{Model, Pretrained};
use ggpfn::outputs;
use ggpfn::training::TrainOptions;
use ggpfn::volume::{lps_spacing, lps_view, Content, Volume};
use ggpfn::{Error, Result};
use ndarray::Array3;
use serde_json::json;

use super::{settle, Arguments};
use crate::evaluate::{ranks, tables, Case as Files};
use crate::runs::{self, fold_folder, mask_path, segment_missing, Training, DONE, FOLDS, MODEL};
use crate::terminal::{self, Display};

/// The options that all folds are trained with.
const OPTIONS: &str = "options.toml";
/// What is written of all cases when every fold is done.
const RESULTS: [&str; 3] = ["cases.csv", "evaluation.json", "report.html"];

pub fn run(arguments: &Arguments) -> Result<()> {
    let out = &arguments.out;
    check_folder(arguments)?;
    check_count(arguments)?;
    let (options, init) = settle(arguments, out.join(FOLDS).exists())?;
    check_options(out, &options)?;
    let (cases, folds) = divide(arguments, options.seed)?;
    let count = folds.folds.len();
    create_folder(out)?;
    // The division first, by which the folder is known: options alone are those of a training without folds.
    if !out.join(FOLDS).exists() {
        folds.write(&out.join(FOLDS))?;
    }
    files::write(&out.join(OPTIONS), options.to_toml()?.as_bytes())?;
    let sizes: Vec<String> = folds.folds.iter().map(|fold| fold.len().to_string()).collect();
    say!("{} cases in {count} folds of {}", folds.names().len(), sizes.join(", "));
    terminal::wait_for_the_work();
    let weights = arguments.weights.as_deref().map(Pretrained::load).transpose()?;
    let starts = Starts { init, weights };
    let deadline = arguments.max_minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes));
    for fold in arguments.fold.map_or(1..=count, |fold| fold..=fold) {
        let done = match one(arguments, &options, &starts, &cases, &folds, fold, deadline) {
            Err(Error::Cancelled) => false,
            done => done?,
        };
        if !done {
            let why = if terminal::cancel().is_cancelled() { "stopped" } else { "time is up" };
            say!("{why} in fold {fold} of {count}: saved; the same command, or --resume, goes on");
            return Ok(());
        }
    }
    let missing: Vec<String> =
        (1..=count).filter(|fold| !is_done(out, &folds, *fold)).map(|fold| fold.to_string()).collect();
    if !missing.is_empty() {
        let these = if missing.len() == 1 { "this fold of" } else { "these folds of" };
        say!(
            "still to be trained, {these} {count}: {}; then the same command without --fold writes the table of all cases",
            missing.join(", ")
        );
        return Ok(());
    }
    evaluate(arguments, &options, &cases, &folds)
}

/// Refuses a folder that holds something else than the folds that are asked for.
fn check_folder(arguments: &Arguments) -> Result<()> {
    let out = &arguments.out;
    let fault = |fault: String| Err(Error::Argument { name: "--out", fault });
    if out.join(FOLDS).exists() {
        let inputs = [("--init", &arguments.init), ("--config", &arguments.config), ("--weights", &arguments.weights)];
        let inputs = inputs.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
        return outputs::check_run_inputs(out, inputs);
    }
    if out.join(OPTIONS).exists() {
        return fault(format!("{} holds a training without folds; choose another folder", out.display()));
    }
    let own = RESULTS.iter().map(|name| out.join(name)).chain([out.join(MODEL), fold_folder(out, 1)]);
    match own.into_iter().find(|path| path.exists()) {
        Some(other) => {
            fault(format!("{} is there already, and not this command's; choose another folder", other.display()))
        }
        None => Ok(()),
    }
}

/// Refuses another number of folds than the folder has, and a fold that is none of them.
fn check_count(arguments: &Arguments) -> Result<()> {
    let own = arguments.out.join(FOLDS);
    let there = if own.exists() { Some(Folds::read(&own)?.folds.len()) } else { None };
    if let (Some(count), Some(there)) = (arguments.folds, there) {
        if count != there {
            let fault = format!("{count}; {} has {there}; choose another folder for another number", own.display());
            return Err(Error::Argument { name: "--folds", fault });
        }
    }
    let count = there.or(arguments.folds).unwrap_or_default();
    match arguments.fold.filter(|fold| !(1..=count).contains(fold)) {
        None => Ok(()),
        Some(fold) => {
            let fault = format!("{fold}; a number from 1 to {count} was expected, one of the {count} folds");
            Err(Error::Argument { name: "--fold", fault })
        }
    }
}

/// Refuses other options than those that the folder's folds are trained with.
fn check_options(out: &Path, options: &TrainOptions) -> Result<()> {
    let path = out.join(OPTIONS);
    if !path.exists() {
        return Ok(());
    }
    let text = super::read_text(&path)?;
    let before = TrainOptions::from_toml(&text, ggpfn::training::Preset::Nihc)?;
    // Folds may be trained on different machines.
    let same = |options: &TrainOptions| TrainOptions {
        threads: None,
        loader_threads: None,
        checkpoint_minutes: 0.0,
        recompute: false,
        ..options.clone()
    };
    if same(&before) == same(options) {
        return Ok(());
    }
    let fault = format!(
        "{} holds folds with other options ({}); leave the options out, which are known there, or choose another folder",
        out.display(),
        path.display()
    );
    Err(Error::Argument { name: "--out", fault })
}

/// The set's cases, and their folds: those that the folder has, or new ones.
fn divide(arguments: &Arguments, seed: u64) -> Result<(Vec<Case>, Folds)> {
    let cases = dataset::cases(&arguments.data, arguments.layout)?;
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let split = arguments.split.as_deref().map(Split::read).transpose()?;
    if let Some(split) = &split {
        split.check(&names)?;
    }
    let own = arguments.out.join(FOLDS);
    let folds = if own.exists() {
        let folds = Folds::read(&own)?;
        if let Some(split) = &split {
            if let Some(case) = folds.names().into_iter().find(|name| split.test.contains(name)) {
                let fault = format!("{case} is one of its test cases, and in a fold of {}", own.display());
                return Err(Error::Argument { name: "--split", fault });
            }
        }
        folds
    } else {
        let count = arguments.folds.unwrap_or_default();
        let (names, seed) = match split {
            Some(split) => ([split.train, split.validation].concat(), split.seed),
            None => (names.clone(), seed),
        };
        dataset::folds(&names, count, seed).map_err(|error| match error {
            Error::Argument { fault, .. } => Error::Argument { name: "--folds", fault },
            error => error,
        })?
    };
    folds.check(&names)?;
    Ok((cases, folds))
}

/// Where the masks of the cases that a fold's model has not seen lie.
fn masks_folder(out: &Path, fold: usize) -> PathBuf {
    fold_folder(out, fold).join("masks")
}

/// Whether a fold is trained and its cases segmented.
fn is_done(out: &Path, folds: &Folds, fold: usize) -> bool {
    let masks = masks_folder(out, fold);
    let mask = |name: &String| masks.join(format!("{name}.nii.gz"));
    fold_folder(out, fold).join(DONE).exists() && folds.folds[fold - 1].iter().all(|name| mask(name).exists())
}

/// What the models of all folds start from.
struct Starts {
    init: Option<Model>,
    weights: Option<Pretrained>,
}

/// Trains a fold's model and segments the cases that it has not seen; false if it was stopped.
fn one(
    arguments: &Arguments,
    options: &TrainOptions,
    starts: &Starts,
    cases: &[Case],
    folds: &Folds,
    fold: usize,
    deadline: Option<Instant>,
) -> Result<bool> {
    let folder = fold_folder(&arguments.out, fold);
    let split = folds.split(fold, arguments.layout)?;
    create_folder(&folder)?;
    split.write(&folder.join("split.json"))?;
    let chosen =
        |wanted: &[String]| -> Vec<Case> { cases.iter().filter(|case| wanted.contains(&case.name)).cloned().collect() };
    let count = folds.folds.len();
    let training = Training {
        name: format!(
            "fold {fold} of {count}: {} cases to train on, {} to validate on, {} held out",
            split.train.len(),
            split.validation.len(),
            split.test.len()
        ),
        folder: &folder,
        options: options.clone(),
        init: starts.init.clone(),
        pretrained: starts.weights.clone(),
        train: &chosen(&split.train),
        validation: &chosen(&split.validation),
        cache: &arguments.cache(),
        device: arguments.device,
        provenance: json!({
            "folder": arguments.data.file_name().map(|name| name.to_string_lossy()),
            "layout": arguments.layout,
            "split_seed": split.seed,
            "fold": fold,
            "folds": count,
        }),
    };
    if !training.finish(deadline)? {
        return Ok(false);
    }
    let options = SegmentOptions { device: arguments.device, mask_only: true, ..SegmentOptions::default() };
    let held_out = chosen(&split.test);
    let masks = masks_folder(&arguments.out, fold);
    segment_missing(&format!("fold {fold}"), &folder.join(MODEL), &held_out, &masks, &options)?;
    Ok(true)
}

/// The labels of a map's values, and those that a label of it is part of: of `pancreas=1,2 tumour=2` a tumour is pancreas too.
struct MapBits {
    /// For each value the bits of its labels.
    bits: [u8; 256],
}

impl MapBits {
    fn new(labels: &LabelSet, sources: &[LabelSource]) -> Self {
        let mut bits = [0; 256];
        for (number, label) in labels.labels.iter().enumerate() {
            let within = |other: usize| {
                other == number || sources[number].values.iter().all(|value| sources[other].values.contains(value))
            };
            let of_value = (0..labels.count()).filter(|other| sources.is_empty() || within(*other));
            bits[usize::from(label.value)] = of_value.fold(0, |bits, label| bits | 1 << label);
        }
        MapBits { bits }
    }

    fn read(&self, path: &Path) -> Result<Array3<u8>> {
        let map = io::read(path, &ReadOptions { content: Content::Labels, ..ReadOptions::default() })?;
        Ok(map.voxels().mapv(|value| self.bits[usize::from(value.round().clamp(0.0, 255.0) as u8)]))
    }
}

/// The masks of one case: result and truth, a bit for each label, and its scan.
struct Pair {
    volume: Volume,
    found: Array3<u8>,
    truth: Array3<u8>,
}

impl Pair {
    fn read(case: &Case, mask: &Path, labels: &LabelBits, map: &MapBits) -> Result<Self> {
        let loaded = dataset::load_labels(case, &ReadOptions::default(), labels)?;
        let found = map.read(mask)?;
        if found.dim() != loaded.mask.dim() {
            let fault = format!("{:?} voxels; {:?} were expected, as its scan has", found.dim(), loaded.mask.dim());
            return Err(Error::image(mask, fault));
        }
        Ok(Pair { volume: loaded.volume, found, truth: loaded.mask })
    }

    /// Result and truth of a label.
    fn of(&self, label: usize) -> [Array3<u8>; 2] {
        [&self.found, &self.truth].map(|bits| bits.mapv(|bits| bits >> label & 1))
    }
}

/// Measures all cases, each with the mask of the model that has not seen it.
fn evaluate(arguments: &Arguments, options: &TrainOptions, cases: &[Case], folds: &Folds) -> Result<()> {
    let out = &arguments.out;
    let (labels, map) = (options.label_set(), MapBits::new(&options.label_set(), &options.labels));
    let bits = options.label_bits();
    let held_out: Vec<(&Case, PathBuf)> = (1..=folds.folds.len())
        .flat_map(|fold| {
            let names = &folds.folds[fold - 1];
            let of_fold = cases.iter().filter(|case| names.contains(&case.name));
            of_fold.map(move |case| (case, mask_path(&masks_folder(out, fold), case)))
        })
        .collect();
    let mut systems: Vec<System> = labels.names().map(|name| System { name: name.into(), cases: Vec::new() }).collect();
    {
        let display = Display::new("measuring");
        for (number, (case, mask)) in held_out.iter().enumerate() {
            if terminal::cancel().is_cancelled() {
                return Err(Error::Cancelled);
            }
            display.set(number as f64 / held_out.len() as f64, &case.name);
            let pair = Pair::read(case, mask, &bits, &map)?;
            let geometry = pair.volume.geometry();
            for (label, system) in systems.iter_mut().enumerate() {
                let [found, truth] = pair.of(label);
                let (found, truth) = (lps_view(found.view(), geometry), lps_view(truth.view(), geometry));
                let comparison = compare(found, truth, lps_spacing(geometry))?;
                system.cases.push(Measured { name: case.name.clone(), comparison, spread: None });
            }
        }
    }
    let files: Vec<Files> = held_out
        .iter()
        .map(|(case, mask)| Files { name: case.name.clone(), prediction: mask.clone(), truth: case.label.clone() })
        .collect();
    let files: Vec<&Files> = files.iter().collect();
    let seed = folds.seed;
    let summaries: Vec<_> = systems.iter().map(|system| summarise_seeded(&system.comparisons(), seed)).collect();
    let evaluated: Vec<_> = systems.iter().map(|system| tables::Evaluated { system, files: &files }).collect();
    let [csv, json, html] = RESULTS.map(|name| out.join(name));
    tables::write_csv(&csv, &evaluated)?;
    let mut value = tables::to_json(None, seed, &evaluated, &summaries, &[]);
    value["folds"] = json!(folds.folds);
    files::write_json(&json, &value)?;

    // The first label's worst, median and best case are shown.
    let mut ranked: Vec<(f64, usize)> = systems[0]
        .cases
        .iter()
        .enumerate()
        .filter_map(|(number, case)| Some((case.comparison.dice?, number)))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut examples = Vec::new();
    for (rank, at) in ranks(ranked.len()) {
        let (case, mask) = &held_out[ranked[at].1];
        let pair = Pair::read(case, mask, &bits, &map)?;
        let geometry = pair.volume.geometry();
        let (mut dice, mut found) = (Vec::new(), Vec::new());
        for (label, system) in systems.iter().enumerate() {
            dice.push(system.cases[ranked[at].1].comparison.dice);
            found.push(pair.of(label)[0].clone());
        }
        let truth = pair.of(0)[1].clone();
        let scene = Scene {
            image: Some(lps_view(pair.volume.voxels(), geometry)),
            truth: lps_view(truth.view(), geometry),
            predictions: found.iter().take(1).map(|found| lps_view(found.view(), geometry)).collect(),
            spacing: lps_spacing(geometry),
        };
        examples.push(Example::new(rank, &case.name, dice.into_iter().take(1).collect(), &scene));
    }
    let report = Report {
        title: format!("Cross-validation in {} folds", folds.folds.len()),
        systems: &systems,
        examples,
        failures: Vec::new(),
        settings: settings(arguments, folds),
        seed,
    };
    report.write(&html)?;

    for (system, summary) in systems.iter().zip(&summaries) {
        if systems.len() > 1 {
            say!("\n{}", system.name);
        }
        let table = tables::Table::new(files.iter().map(|files| files.name.as_str()));
        table.print_head();
        system.cases.iter().for_each(|case| table.print(&case.name, |measure| measure.of(&case.comparison)));
        table.print_summary(summary);
        tables::print_intervals(summary);
    }
    say!(
        "\ndone: each case by the model that has not seen it, in {}, {} and {}",
        csv.display(),
        json.display(),
        html.display()
    );
    say!("all {} models together: ggpfn segment CT MASK --model {}", folds.folds.len(), out.display());
    Ok(())
}

fn settings(arguments: &Arguments, folds: &Folds) -> Vec<(String, String)> {
    [
        ("ggpfn", env!("CARGO_PKG_VERSION").to_string()),
        ("data set", arguments.data.display().to_string()),
        ("layout", arguments.layout.to_string()),
        ("folds", folds.folds.len().to_string()),
        ("seed of folds and confidence intervals", folds.seed.to_string()),
        ("models and masks", runs::fold_folder(&arguments.out, 1).display().to_string() + " and so on"),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec()
}
