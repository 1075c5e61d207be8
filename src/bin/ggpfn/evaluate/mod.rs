//! `ggpfn evaluate`: masks against their truth.

mod cases;
mod read;
pub mod tables;

use std::path::{Path, PathBuf};

use ggpfn::evaluation::{
    compare_systems, draw_probabilities, summarise_seeded, Case as Measured, Example, Report, Scene, Spread, System,
};
use ggpfn::files::{self, create_folder, AtomicFile};
use ggpfn::inference::{guidance, Monitor};
use ggpfn::labels::LabelSource;
use ggpfn::network::Model;
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{lps_view, Content, Volume};
use ggpfn::{Error, Result};

pub use self::cases::Case;
use self::cases::{name_of, Cases, Companions};
use self::read::{Pair, Selection};
use self::tables::{Evaluated, Table};
use crate::fuse::check_probability;
use crate::terminal;

pub use self::read::{compare_files, labels};

/// Compare masks with their truth: Dice, surface distances, curves, tests, a report
///
/// PREDICTION and TRUTH are two images, or two folders of images that are matched by their names: case1.nii.gz and case1.nrrd
/// belong together, and so do case1_pancreas, case1_mask, case1_pred, case1_label, case1_seg, labelcase1 and PANCREAS_case1
/// where no name is the same. Every voxel that is not 0 counts as pancreas. Both must lie on one grid; how its axes are ordered
/// and flipped does not matter. Either may be a DICOM segmentation (a .dcm file), of which slices without anything are left out.
///
/// Several systems are compared with `PREDICTION... --truth TRUTH`: each folder is one system, and each pair of systems is tested on the
/// cases that both have.
#[derive(clap::Args)]
#[command(
    override_usage = "ggpfn evaluate [OPTIONS] PREDICTION TRUTH\n       ggpfn evaluate [OPTIONS] PREDICTION... --truth TRUTH",
    after_help = "\
Surface distances are between voxels that have a face on the outside; HD95 is the 95th percentile,
MSD the mean of those from the prediction to the truth and back, pooled. NSD, the normalised surface
distance (surface Dice), and HD95 by area are those of the package surface-distance. A component is
missed, or false, if the other mask has none of its voxels. A measure without a value, such as a
distance to an empty mask, is \"-\" (CSV: nothing, JSON: null) and does not enter the mean.
docs/evaluation.md defines everything exactly.

Empty masks are as the Decathlon, nnU-Net and MONAI have them: where prediction and truth are both
empty, no measure but volumes and components has a value, and the case enters no mean of the others;
where one of them is, Dice, Jaccard and NSD are 0 and enter. A truth without a prediction is an
error, since means over those that were found alone would be too good; --allow-missing leaves such
cases out.

Examples:
  ggpfn evaluate pancreas.nii.gz truth.nii.gz
  ggpfn evaluate masks/ labels/ --label 8 --csv cases.csv --json summary.json
  ggpfn evaluate masks/ labels/ --probabilities maps/ --curves curves.png
  ggpfn evaluate masks/ labels/ --images scans/ --html report.html --pictures pictures/
  ggpfn evaluate ours/ nnunet/ --truth labels/ --html comparison.html
  ggpfn evaluate maps/ labels/ --labels pancreas=1,2 tumour=2"
)]
pub struct Arguments {
    /// The mask, or a folder of masks; then the truth, unless --truth names it
    #[arg(value_name = "PREDICTION", required = true)]
    paths: Vec<PathBuf>,
    /// The truth, or a folder; each PREDICTION is a system then
    #[arg(long, value_name = "PATH")]
    truth: Option<PathBuf>,
    /// Only this value of the truth is pancreas; every value but 0 if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    label: Option<u16>,
    /// Evaluate several labels, each for itself: names and values in the label maps, as in pancreas=1,2 tumour=2, where the tumour is part of
    /// the pancreas. The same values are looked for in predictions and truth
    #[arg(long, value_name = "NAME=V,...", num_args = 1.., conflicts_with_all = ["label", "probabilities"])]
    labels: Vec<LabelSource>,
    /// Leave out, with a warning, cases of the truth that have no prediction; without it they are an error
    #[arg(long)]
    allow_missing: bool,
    /// Probability maps (a folder, matched by name, or the file of a single case): precision and recall, Dice by threshold,
    /// calibration. With several systems once for each, in their order
    #[arg(long, value_name = "PATH")]
    probabilities: Vec<PathBuf>,
    /// The CTs, for pictures and report: a folder of images or DICOM series, matched by name, or that of a single case
    #[arg(long, value_name = "PATH")]
    images: Option<PathBuf>,
    /// Write a table with one row per case too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the cases, their summary, the tests and the curves too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the curves of --probabilities as a PNG
    #[arg(long, value_name = "FILE", requires = "probabilities")]
    curves: Option<PathBuf>,
    /// Draw each case into this folder: NAME.png has the contours of truth (red) and result (green) in three views, NAME_regions.png what
    /// is true (blue), false (green) and missed (red)
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// Draw NAME_guidance.png too, the contours over what the global branch of this GGPFN sees in the CT (figure 1 of the paper)
    #[arg(long, value_name = "FILE", requires = "pictures", requires = "images")]
    model: Option<PathBuf>,
    /// Write everything as one HTML file, with slices of the worst, the median and the best case
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Seed of the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// A system that is to be evaluated.
struct Candidate {
    name: String,
    path: PathBuf,
    cases: Vec<Case>,
    probabilities: Option<Companions>,
}

/// What pictures are drawn from, beside the masks.
#[derive(Clone, Copy)]
struct Scans<'a> {
    images: Option<&'a Companions>,
    model: Option<&'a Model>,
}

/// What is looked for in label maps, under the name of a label if there are several.
struct Target {
    name: Option<String>,
    selection: Selection,
}

impl Target {
    fn all(arguments: &Arguments) -> Vec<Self> {
        if arguments.labels.is_empty() {
            return vec![Target { name: None, selection: Selection::of_truth(arguments.label) }];
        }
        let of_label = |label: &LabelSource| {
            let values = Some(label.values.clone());
            Target {
                name: Some(label.name.clone()),
                selection: Selection { prediction: values.clone(), truth: values },
            }
        };
        arguments.labels.iter().map(of_label).collect()
    }

    /// What a system is called in this respect.
    fn system(&self, candidate: &str, candidates: usize) -> String {
        match &self.name {
            None => candidate.to_string(),
            Some(label) if candidates == 1 => label.clone(),
            Some(label) => format!("{candidate}, {label}"),
        }
    }
}

/// What a run keeps beside numbers.
#[derive(Default)]
struct Faults {
    /// The first one, which is the exit code.
    first: Option<Error>,
    /// All, as sentences for the report.
    words: Vec<String>,
}

impl Faults {
    fn add(&mut self, error: Error) {
        terminal::error(&error);
        self.words.push(error.to_string());
        self.first.get_or_insert(error);
    }
}

pub fn run(arguments: Arguments) -> Result<()> {
    let (predictions, truth) = split(&arguments)?;
    let mut faults = Faults::default();
    let candidates = candidates(&arguments, predictions, truth, &mut faults)?;
    let images = match &arguments.images {
        Some(path) => Some(Companions::of(path, !truth.is_dir())?),
        None => None,
    };
    let model = arguments.model.as_deref().map(Model::load).transpose()?;
    if let Some(model) = &model {
        model.config().expect_ggpfn()?;
    }
    check_outputs(&arguments, &candidates, images.as_ref())?;
    let scans = Scans { images: images.as_ref(), model: model.as_ref() };

    let targets = Target::all(&arguments);
    let several = candidates.len() * targets.len() > 1;
    let mut systems: Vec<System> = Vec::new();
    let mut done: Vec<Vec<&Case>> = Vec::new();
    let mut differences = Vec::new();
    for target in &targets {
        for candidate in &candidates {
            let name = target.system(&candidate.name, candidates.len());
            if several {
                say!("{}{name}", if systems.is_empty() { "" } else { "\n" });
            }
            let folder = several.then_some(name.as_str());
            let (measured, files) = measure(candidate, folder, &target.selection, &arguments, scans, &mut faults)?;
            systems.push(System { name, cases: measured });
            done.push(files);
        }
        // Of one label each.
        let of_target = &systems[systems.len() - candidates.len()..];
        let found = compare_systems(of_target, arguments.seed);
        if candidates.len() > 1 {
            tables::print_differences(&found);
        }
        differences.extend(found);
    }
    let summaries: Vec<_> =
        systems.iter().map(|system| summarise_seeded(&system.comparisons(), arguments.seed)).collect();
    if systems.iter().all(|system| system.cases.is_empty()) {
        return end(faults, &candidates, &systems);
    }
    let evaluated: Vec<Evaluated> =
        systems.iter().zip(&done).map(|(system, files)| Evaluated { system, files }).collect();
    if let Some(path) = &arguments.csv {
        tables::write_csv(path, &evaluated)?;
    }
    if let Some(path) = &arguments.json {
        files::write_json(
            path,
            &tables::to_json(arguments.label, arguments.seed, &evaluated, &summaries, &differences),
        )?;
    }
    if let Some(path) = &arguments.curves {
        draw_probabilities(path, &systems)?;
    }
    if let Some(path) = &arguments.html {
        // Slices have one truth: the first label's.
        let shown = &evaluated[..candidates.len()];
        let examples = examples(&targets[0].selection, shown, images.as_ref(), &mut faults)?;
        let names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
        let report = Report {
            title: format!("Evaluation of {}", names.join(", ")),
            systems: &systems,
            examples,
            failures: faults.words.clone(),
            settings: settings(&arguments, &candidates, truth),
            seed: arguments.seed,
        };
        report.write(path)?;
    }
    end(faults, &candidates, &systems)
}

/// The first fault, if there was any.
fn end(faults: Faults, candidates: &[Candidate], systems: &[System]) -> Result<()> {
    let of_each: usize = candidates.iter().map(|candidate| candidate.cases.len()).sum();
    let wanted = of_each * (systems.len() / candidates.len().max(1));
    let measured: usize = systems.iter().map(|system| system.cases.len()).sum();
    match faults.first {
        None => Ok(()),
        Some(error) if measured < wanted => {
            note!("{} of {wanted} cases failed; the summary is of the others", wanted - measured);
            Err(error)
        }
        Some(error) => Err(error),
    }
}

/// Predictions and truth of the command line.
fn split(arguments: &Arguments) -> Result<(&[PathBuf], &Path)> {
    match (arguments.paths.as_slice(), &arguments.truth) {
        (predictions, Some(truth)) => Ok((predictions, truth)),
        ([prediction, truth], None) => Ok((std::slice::from_ref(prediction), truth)),
        (paths, None) => {
            let count = paths.len();
            let fault = format!(
                "{count} path{} given; a prediction and its truth were expected, or several predictions and --truth TRUTH",
                if count == 1 { " is" } else { "s are" }
            );
            Err(Error::argument("PREDICTION TRUTH", fault))
        }
    }
}

fn candidates(
    arguments: &Arguments,
    predictions: &[PathBuf],
    truth: &Path,
    faults: &mut Faults,
) -> Result<Vec<Candidate>> {
    let maps = &arguments.probabilities;
    if !maps.is_empty() && maps.len() != predictions.len() {
        let fault = format!("given {} times; {} were expected, one for each prediction", maps.len(), predictions.len());
        return Err(Error::argument("--probabilities", fault));
    }
    let short = |path: &Path| {
        let path = std::fs::canonicalize(path).unwrap_or(path.to_path_buf());
        if path.is_dir() {
            path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        } else {
            name_of(&path)
        }
    };
    let names: Vec<String> = predictions.iter().map(|path| short(path)).collect();
    let mut result: Vec<Candidate> = Vec::new();
    for (number, path) in predictions.iter().enumerate() {
        let Cases { cases, left_out } = cases::cases(path, truth, arguments.allow_missing)?;
        faults.words.extend(left_out);
        let unique = names.iter().filter(|name| **name == names[number]).count() == 1;
        let name = if unique { names[number].clone() } else { path.display().to_string() };
        if result.iter().any(|other| other.name == name || outputs::same_file(&other.path, path)) {
            return Err(Error::argument("PREDICTION", format!("{name} is given twice; each system was expected once")));
        }
        let probabilities = match maps.get(number) {
            Some(path) => Some(Companions::of(path, !truth.is_dir())?),
            None => None,
        };
        result.push(Candidate { name, path: path.clone(), cases, probabilities });
    }
    Ok(result)
}

/// Where the pictures of a case go: contours, regions and guidance.
fn pictures(folder: &Path, system: Option<&str>, case: &Case) -> [PathBuf; 3] {
    // A system's name may be a path where two folders have one name.
    let folder = system.map_or(folder.to_path_buf(), |system| folder.join(system.replace(['/', '\\'], "_")));
    ["", "_regions", "_guidance"].map(|part| folder.join(format!("{}{part}.png", case.name)))
}

fn check_outputs(arguments: &Arguments, candidates: &[Candidate], images: Option<&Companions>) -> Result<()> {
    let mut inputs: Vec<&Path> = arguments.model.as_deref().into_iter().collect();
    let mut results: Vec<Output> = Vec::new();
    for candidate in candidates {
        for case in &candidate.cases {
            inputs.extend([case.prediction.as_path(), case.truth.as_path()]);
            inputs.extend(candidate.probabilities.as_ref().and_then(|maps| maps.find(case)));
            inputs.extend(images.and_then(|images| images.find(case)));
            if let Some(folder) = &arguments.pictures {
                let targets = Target::all(arguments);
                for target in &targets {
                    let system = target.system(&candidate.name, candidates.len());
                    let system = (candidates.len() * targets.len() > 1).then_some(system.as_str());
                    let paths = pictures(folder, system, case);
                    results.extend(paths.map(|path| Output::new("--pictures", path, Kind::Any)));
                }
            }
        }
    }
    let mut add = |name: &'static str, path: &Option<PathBuf>, kind: Kind| {
        results.extend(path.iter().map(|path| Output::new(name, path, kind)));
    };
    add("--csv", &arguments.csv, Kind::Csv("case,prediction,truth,"));
    add("--json", &arguments.json, Kind::Json(&["ggpfn", "summary"]));
    add("--curves", &arguments.curves, Kind::Any);
    add("--html", &arguments.html, Kind::Any);
    outputs::check(inputs, &results)?;
    for path in [&arguments.csv, &arguments.json, &arguments.curves, &arguments.html].into_iter().flatten() {
        AtomicFile::create(path)?;
    }
    Ok(())
}

/// Measures the cases of a system, and prints and draws them.
fn measure<'a>(
    candidate: &'a Candidate,
    system: Option<&str>,
    selection: &Selection,
    arguments: &Arguments,
    scans: Scans,
    faults: &mut Faults,
) -> Result<(Vec<Measured>, Vec<&'a Case>)> {
    let table = Table::new(candidate.cases.iter().map(|case| case.name.as_str()));
    let (mut measured, mut files) = (Vec::new(), Vec::new());
    for case in &candidate.cases {
        stop_if_asked()?;
        match measure_case(case, candidate, selection) {
            Ok((pair, found)) => {
                if measured.is_empty() {
                    table.print_head();
                }
                table.print(&case.name, |measure| measure.of(&found.comparison));
                if let Some(folder) = &arguments.pictures {
                    let paths = pictures(folder, system, case);
                    draw(&paths, case, &pair, found.comparison.dice, scans, faults)?;
                }
                measured.push(found);
                files.push(case);
            }
            Err(error) if system.is_some() || candidate.cases.len() > 1 => faults.add(error),
            Err(error) => return Err(error),
        }
    }
    stop_if_asked()?;
    let comparisons: Vec<_> = measured.iter().map(|case| case.comparison.clone()).collect();
    match comparisons.as_slice() {
        [] => {}
        [only] => tables::print_more(only),
        several => {
            let summary = summarise_seeded(several, arguments.seed);
            table.print_summary(&summary);
            tables::print_intervals(&summary);
        }
    }
    let system = System { name: candidate.name.clone(), cases: measured };
    tables::print_probabilities(&system);
    Ok((system.cases, files))
}

fn stop_if_asked() -> Result<()> {
    match terminal::cancel().is_cancelled() {
        true => Err(Error::Cancelled),
        false => Ok(()),
    }
}

fn measure_case(case: &Case, candidate: &Candidate, selection: &Selection) -> Result<(Pair, Measured)> {
    let pair = Pair::read(&case.prediction, &case.truth, selection)?;
    let comparison = pair.compare()?;
    let spread = match &candidate.probabilities {
        None => None,
        Some(maps) => {
            let path = maps.find(case).ok_or_else(|| {
                let fault = format!(
                    "there is no probability map for the case {}; a file with that name was expected",
                    case.name
                );
                Error::argument("--probabilities", fault)
            })?;
            let map = pair.read_volume(path, &case.truth, Content::Probability)?;
            check_probability(path, &map)?;
            let map = map.map(|p| p.clamp(0.0, 1.0));
            let spread = Spread::of(lps_view(map.voxels(), map.geometry()), pair.truth())?;
            Some(spread)
        }
    };
    Ok((pair, Measured { name: case.name.clone(), comparison, spread }))
}

/// The scan of a case, if there are any scans.
fn read_image(case: &Case, pair: &Pair, images: Option<&Companions>) -> Result<Option<Volume>> {
    let Some(images) = images else { return Ok(None) };
    match images.find(case) {
        Some(path) => pair.read_volume(path, &case.truth, Content::Scan).map(Some),
        None => {
            log::warn!(
                "{}: there is no image of the case {} for it; it is shown without",
                case.truth.display(),
                case.name
            );
            Ok(None)
        }
    }
}

fn draw(
    [contours, regions, guided]: &[PathBuf; 3],
    case: &Case,
    pair: &Pair,
    dice: Option<f64>,
    scans: Scans,
    faults: &mut Faults,
) -> Result<()> {
    let image = read_image(case, pair, scans.images).unwrap_or_else(|error| {
        faults.add(error);
        None
    });
    if let Some(folder) = contours.parent() {
        create_folder(folder)?;
    }
    let scene = scene(image.as_ref(), &[pair]);
    scene.draw_contours(contours, dice)?;
    scene.draw_regions(regions, dice)?;
    if let (Some(model), Some(_)) = (scans.model, scene.image) {
        let monitor = Monitor::new(terminal::cancel().clone(), |_| {});
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        scene.draw_guidance(guided, dice, |view, slice| {
            let has = model.config().views.contains(&view);
            has.then(|| guidance(model, view, slice, threads, &monitor)).transpose()
        })?;
    }
    Ok(())
}

/// What there is to be seen of a case. All pairs have one truth, of which the first is taken.
fn scene<'a>(image: Option<&'a Volume>, pairs: &[&'a Pair]) -> Scene<'a> {
    Scene {
        image: image.map(|image| lps_view(image.voxels(), image.geometry())),
        truth: pairs[0].truth(),
        predictions: pairs.iter().map(|pair| pair.prediction()).collect(),
        spacing: pairs[0].spacing(),
    }
}

/// Which of so many cases, from the worst on, a report shows.
pub fn ranks(count: usize) -> Vec<(&'static str, usize)> {
    match count {
        0 => Vec::new(),
        1 => vec![("Case", 0)],
        2 => vec![("Worst", 0), ("Best", 1)],
        count => vec![("Worst", 0), ("Median", (count - 1) / 2), ("Best", count - 1)],
    }
}

/// The worst, the median and the best case that all systems have, by their mean Dice.
fn examples(
    selection: &Selection,
    systems: &[Evaluated],
    images: Option<&Companions>,
    faults: &mut Faults,
) -> Result<Vec<Example>> {
    let dice_of = |evaluated: &Evaluated, name: &str| {
        let at = evaluated.system.cases.iter().position(|case| case.name == name)?;
        Some((evaluated.files[at].prediction.clone(), evaluated.system.cases[at].comparison.dice?))
    };
    let mut ranked: Vec<(f64, &Case)> = systems[0]
        .files
        .iter()
        .filter_map(|case| {
            let dice: Option<Vec<f64>> =
                systems.iter().map(|evaluated| Some(dice_of(evaluated, &case.name)?.1)).collect();
            let dice = dice?;
            Some((dice.iter().sum::<f64>() / dice.len() as f64, *case))
        })
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut result = Vec::new();
    for (rank, at) in ranks(ranked.len()) {
        stop_if_asked()?;
        let case = ranked[at].1;
        let found: Vec<(PathBuf, f64)> =
            systems.iter().filter_map(|evaluated| dice_of(evaluated, &case.name)).collect();
        let pairs: Result<Vec<Pair>> =
            found.iter().map(|(prediction, _)| Pair::read_again(prediction, &case.truth, selection)).collect();
        let pairs = pairs?;
        let image = read_image(case, &pairs[0], images).unwrap_or_else(|error| {
            faults.add(error);
            None
        });
        let scene = scene(image.as_ref(), &pairs.iter().collect::<Vec<_>>());
        result.push(Example::new(rank, &case.name, found.iter().map(|(_, dice)| Some(*dice)).collect(), &scene));
    }
    Ok(result)
}

/// What was evaluated and how, for the report.
fn settings(arguments: &Arguments, candidates: &[Candidate], truth: &Path) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut add = |name: &str, value: String| settings.push((name.to_string(), value));
    add("ggpfn", env!("CARGO_PKG_VERSION").into());
    for (number, candidate) in candidates.iter().enumerate() {
        add(&format!("prediction \"{}\"", candidate.name), candidate.path.display().to_string());
        if let Some(path) = arguments.probabilities.get(number) {
            add(&format!("probabilities of \"{}\"", candidate.name), path.display().to_string());
        }
    }
    add("truth", truth.display().to_string());
    for LabelSource { name, values } in &arguments.labels {
        let values: Vec<String> = values.iter().map(u16::to_string).collect();
        add(&format!("values of the label \"{name}\""), values.join(", "));
    }
    add("pancreas in the truth", arguments.label.map_or("every value but 0".into(), |label| format!("label {label}")));
    if let Some(path) = &arguments.images {
        add("images", path.display().to_string());
    }
    add("cases without a prediction", if arguments.allow_missing { "left out" } else { "an error" }.into());
    add("seed of the confidence intervals", arguments.seed.to_string());
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    add("command line", words.join(" "));
    settings
}
