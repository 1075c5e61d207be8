//! `ggpfn reproduce`: the paper's tables from the reader's own data.

mod rows;
mod tables;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ggpfn::dataset::{self, Case, Layout, Split, SplitCounts};
use ggpfn::evaluation::{compare, draw_probabilities, Case as Measured, Spread, System};
use ggpfn::files::{self, create_folder};
use ggpfn::inference::{DeviceChoice, SegmentOptions};
use ggpfn::io::{self, ReadOptions};
use ggpfn::network::{layout, Pretrained};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::training::TrainOptions;
use ggpfn::volume::{lps_spacing, lps_view, Content};
use ggpfn::{Error, Result};
use serde_json::json;

use self::rows::{Row, Scale, Training, ROWS};
use self::tables::{Measurement, Tables};
use crate::runs::{self, mask_path, probability_path, segment_missing};
use crate::terminal::{self, Display};

/// Train, segment and evaluate every row of the paper's tables
///
/// For each row of table 1 (the four systems that the paper compares GGPFN with, and GGPFN) and of table 2 (the ablation) the network is trained
/// on the split's training cases, the test cases are segmented, and the tables are written beside the paper's own numbers: tables.md for people,
/// tables.json for programs. What is there already is not done again: the command can be stopped at any moment and given again. With
/// --scale small narrow networks are trained on a 5 mm grid, which takes hours on a processor; the paper's take weeks on a GPU.
///
/// The paper's FCN8s and RSTN began with weights from ImageNet. With --weights there are rows of such networks, and rows of networks that were
/// trained from scratch, with batch normalisation; without it the latter alone (docs/baselines.md).
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ggpfn reproduce Task07_Pancreas --layout msd --out tables
  ggpfn reproduce synthetic --scale small --seeds 1,2,3 --max-minutes 180 --out tables
  ggpfn reproduce synthetic --scale small --systems ggpfn,unet-full --out tables")]
pub struct Arguments {
    /// The data set's folder
    data: PathBuf,
    /// How its files are arranged: msd, nihc or pairs (ggpfn dataset --help)
    #[arg(long, default_value = "pairs")]
    layout: Layout,
    /// Where runs, masks and tables go
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    /// Which of the paper's tables
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 2],
          value_parser = clap::value_parser!(u8).range(1..=2))]
    tables: Vec<u8>,
    /// The networks' size and the time that they are trained
    #[arg(long, value_enum, default_value = "paper")]
    scale: Scale,
    /// Trainings from each of these seeds; numbers in the tables are over all of them
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1])]
    seeds: Vec<u64>,
    /// Weights of a VGG-16 or FCN-8s that FCN8s and RSTN begin with: a safetensors file with torchvision's names or those of the layers
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Only these trainings, by the names of their folders: unet-patch, unet-full, fcn8s, fcn8s-scratch, ggpfn, one-off-1 and so on
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    systems: Vec<String>,
    /// Which cases are trained on, validated on and tested on (ggpfn dataset split); without it the set is split in the paper's proportions
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// All epochs times this factor
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    effort: f64,
    /// Stop after so many minutes, saved; the tables are written of what is there
    #[arg(long, value_name = "MINUTES")]
    max_minutes: Option<f64>,
    /// Keep the probability maps too, and draw figure 4's curves from them
    #[arg(long)]
    curves: bool,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
}

/// The split that a folder's results belong to.
const SPLIT: &str = "split.json";
/// Of the weights that FCN8s and RSTN began with, the hash.
const WEIGHTS: &str = "weights_sha256";
/// What they were made with, which cannot change from call to call.
const SETTINGS: &str = "reproduce.json";

pub fn run(arguments: Arguments) -> Result<()> {
    let fault = |name: &'static str, text: String| Err(Error::Argument { name, fault: text });
    if !(arguments.effort.is_finite() && (1e-4..=1e3).contains(&arguments.effort)) {
        return fault("--effort", format!("{}; a number from 0.0001 to 1000 was expected", arguments.effort));
    }
    if let Some(minutes) = arguments.max_minutes.filter(|minutes| !(minutes.is_finite() && *minutes > 0.0)) {
        return fault("--max-minutes", format!("{minutes}; a number above 0 was expected"));
    }
    if arguments.seeds.is_empty() {
        return fault("--seeds", "none; at least one was expected".into());
    }
    if let (None, Some(row)) = (
        &arguments.weights,
        ROWS.iter().find(|row| row.training.is_pretrained() && arguments.systems.contains(&row.training.name())),
    ) {
        let text = format!(
            "{} begins with weights from elsewhere; give them by --weights, or train {0}-scratch",
            row.training.name()
        );
        return fault("--systems", text);
    }
    let known = || ROWS.iter().map(|row| row.training.name());
    if let Some(other) = arguments.systems.iter().find(|name| !known().any(|known| known == **name)) {
        let mut names: Vec<_> = known().collect();
        names.dedup();
        return fault("--systems", format!("\"{other}\"; expected {}", names.join(", ")));
    }
    let tables = [arguments.out.join("tables.md"), arguments.out.join("tables.json")];
    let settings = arguments.out.join(SETTINGS);
    if !settings.exists() {
        let new = [&tables[0], &tables[1], &settings];
        if let Some(other) = new.into_iter().find(|path| path.exists()) {
            return fault(
                "--out",
                format!("{} is there already, and not this command's; choose another folder", other.display()),
            );
        }
    }
    // Before anything is written: the file may be none of weights.
    let weights = arguments.weights.as_deref().map(Pretrained::load).transpose()?;
    create_folder(&arguments.out)?;
    let mut now = json!({ "scale": format!("{:?}", arguments.scale).to_lowercase(), "effort": arguments.effort, "layout": arguments.layout });
    if let Some(weights) = &weights {
        now[WEIGHTS] = json!(weights.sha256());
    }
    let before = std::fs::read_to_string(&settings).ok();
    let before = before.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default());
    if let Some(before) = &before {
        let mut both = before.clone();
        // Rows of networks from scratch are what they are with and without weights beside them: they may come and go.
        if before[WEIGHTS].is_null() && weights.is_some() {
            both[WEIGHTS] = now[WEIGHTS].clone();
        } else if weights.is_none() && !before[WEIGHTS].is_null() {
            now[WEIGHTS] = before[WEIGHTS].clone();
        }
        if both != now {
            let text = format!(
                "{} holds results with {before}; this call has {now}; choose another folder",
                arguments.out.display()
            );
            return fault("--out", text);
        }
    }
    if before.as_ref() != Some(&now) {
        files::write_json(&settings, &now)?;
    }
    let parts = split(&arguments)?;
    let deadline = arguments.max_minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes));
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| arguments.tables.contains(&row.table))
        .filter(|row| arguments.systems.is_empty() || arguments.systems.contains(&row.training.name()))
        .filter(|row| arguments.weights.is_some() || !row.training.is_pretrained())
        .collect();
    let mut trainings: Vec<Training> = Vec::new();
    for row in &rows {
        if !trainings.contains(&row.training) {
            trainings.push(row.training);
        }
    }
    say!("{} cases to train on, {} to validate on, {} to test on", parts[0].len(), parts[1].len(), parts[2].len());
    terminal::wait_for_the_work();
    let mut stopped = false;
    // A seed of all rows before the next: tables that are stopped early compare like with like.
    'all: for seed in &arguments.seeds {
        for training in &trainings {
            let weights = weights.as_ref().filter(|_| training.is_pretrained());
            if !train(&arguments, *training, *seed, &parts, weights, deadline)? {
                stopped = true;
                break 'all;
            }
            for row in rows.iter().filter(|row| row.training == *training) {
                match test(&arguments, row, *seed, &parts[2]) {
                    Err(Error::Cancelled) => {
                        stopped = true;
                        break 'all;
                    }
                    tested => tested?,
                }
            }
        }
    }
    let measured = measure(&arguments, &rows, &parts[2], weights.as_ref())?;
    let written = Tables { rows: &measured, seeds: &arguments.seeds, layout: arguments.layout, scale: arguments.scale };
    outputs::check([arguments.data.as_path()], &tables.each_ref().map(|path| Output::new("--out", path, Kind::Any)))?;
    files::write(&tables[0], written.markdown().as_bytes())?;
    files::write(&tables[1], format!("{:#}\n", written.json()).as_bytes())?;
    if arguments.curves {
        let systems: Vec<System> = measured.iter().map(|row| row.system.clone()).collect();
        draw_probabilities(&arguments.out.join("curves.png"), &systems)?;
    }
    say!("{}", written.markdown());
    if stopped {
        say!("stopped: saved; the same command goes on");
    }
    if terminal::cancel().is_cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(())
}

/// The cases to train on, to validate on and to test on.
fn split(arguments: &Arguments) -> Result<[Vec<Case>; 3]> {
    let cases = dataset::cases(&arguments.data, arguments.layout)?;
    let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    let own = arguments.out.join(SPLIT);
    let split = match (&arguments.split, own.exists()) {
        (Some(path), true) if !outputs::same_file(path, &own) && Split::read(path)? != Split::read(&own)? => {
            let text = format!(
                "{} is another split than {}, by which the results there were made",
                path.display(),
                own.display()
            );
            return Err(Error::argument("--split", text));
        }
        (Some(path), false) => Split::read(path)?,
        (_, true) => Split::read(&own)?,
        (None, false) => dataset::split(&names, SplitCounts::of(arguments.layout, cases.len())?, 0)?,
    };
    split.check(&names)?;
    if !own.exists() {
        split.write(&own)?;
    }
    let chosen = |wanted: &[String]| cases.iter().filter(|case| wanted.contains(&case.name)).cloned().collect();
    Ok([chosen(&split.train), chosen(&split.validation), chosen(&split.test)])
}

fn run_folder(arguments: &Arguments, training: Training, seed: u64) -> PathBuf {
    arguments.out.join(training.name()).join(format!("seed-{seed}"))
}

/// What a training is trained with; from weights it is as wide as they are.
fn options(arguments: &Arguments, training: Training, seed: u64, weights: Option<&Pretrained>) -> TrainOptions {
    let mut options = training.options(arguments.scale, arguments.layout, seed, arguments.effort);
    if let Some(weights) = weights {
        options.network = options.network.map(|network| network.with_width(weights.width()));
    }
    options
}

/// Trains what is missing of a training; false if the time is up.
fn train(
    arguments: &Arguments,
    training: Training,
    seed: u64,
    parts: &[Vec<Case>; 3],
    weights: Option<&Pretrained>,
    deadline: Option<Instant>,
) -> Result<bool> {
    let whole = runs::Training {
        name: format!("{}, seed {seed}", training.name()),
        folder: &run_folder(arguments, training, seed),
        options: options(arguments, training, seed, weights),
        init: None,
        pretrained: weights.cloned(),
        train: &parts[0],
        validation: &parts[1],
        // Rows on one grid share what was prepared; its key is in the file's name.
        cache: &arguments.out.join("cache"),
        device: arguments.device,
        provenance: json!({ "folder": arguments.data.file_name().map(|name| name.to_string_lossy()), "layout": arguments.layout }),
    };
    whole.finish(deadline)
}

/// Where a row's masks of a seed lie.
fn masks_folder(arguments: &Arguments, row: &Row, seed: u64) -> PathBuf {
    let views = if row.views.is_empty() { "all-views" } else { "axial" };
    run_folder(arguments, row.training, seed).join(format!("masks-{views}"))
}

/// Segments the test cases that are missing.
fn test(arguments: &Arguments, row: &Row, seed: u64, cases: &[Case]) -> Result<()> {
    let options = SegmentOptions {
        views: row.views.to_vec(),
        device: arguments.device,
        mask_only: !arguments.curves,
        ..SegmentOptions::default()
    };
    let model = run_folder(arguments, row.training, seed).join(runs::MODEL);
    segment_missing(&row.label(), &model, cases, &masks_folder(arguments, row, seed), &options)
}

/// Compares the masks that are there with their truth.
fn measure(
    arguments: &Arguments,
    rows: &[&'static Row],
    cases: &[Case],
    weights: Option<&Pretrained>,
) -> Result<Vec<Measurement>> {
    let mut all: Vec<Measurement> = rows
        .iter()
        .map(|row| {
            let weights = weights.filter(|_| row.training.is_pretrained());
            let config = options(arguments, row.training, 0, weights).model_config();
            let views = if row.views.is_empty() { config.views.len() } else { 1 };
            Measurement {
                row,
                parameters: views * layout::parameters(&config),
                system: System { name: row.label(), cases: Vec::new() },
                seeds: Vec::new(),
            }
        })
        .collect();
    let display = Display::new("measuring");
    for (number, case) in cases.iter().enumerate() {
        display.set(number as f64 / cases.len() as f64, &case.name);
        let loaded = dataset::load(case, &ReadOptions::default())?;
        let geometry = loaded.volume.geometry();
        for measured in &mut all {
            for seed in &arguments.seeds {
                let folder = masks_folder(arguments, measured.row, *seed);
                let path = mask_path(&folder, case);
                if !path.exists() {
                    continue;
                }
                let mask = io::read(&path, &ReadOptions { content: Content::Labels, ..ReadOptions::default() })?;
                let mask = mask.voxels().mapv(|value| u8::from(value != 0.0));
                let (own, truth) = (lps_view(mask.view(), geometry), lps_view(loaded.mask.view(), geometry));
                let comparison = compare(own, truth, lps_spacing(geometry))?;
                let map = probability_path(&folder, case);
                let spread = match arguments.curves && map.exists() {
                    true => {
                        let read = ReadOptions { content: Content::Labels, ..ReadOptions::default() };
                        Some(Spread::of(io::read(&map, &read)?.voxels(), loaded.mask.view())?)
                    }
                    false => None,
                };
                measured.seeds.push(*seed);
                measured.system.cases.push(Measured { name: case.name.clone(), comparison, spread });
            }
        }
    }
    Ok(all)
}
