//! The program as command-line modules of 3D Slicer, which MITK and others run as well.
//!
//! Such a program asks an executable for its description with `--xml`, makes a panel of it, and runs the executable with
//! `--returnparameterfile FILE --flag value ... INPUT OUTPUT`, the images being files of its own making. It reads progress from stdout,
//! takes anything on stderr for an error, and cancels by killing the process.
//!
//! An executable is one module, and this one is two: `ggpfn` itself segments, and a copy of it, or a link to it, that is called
//! `ggpfn-evaluate` compares. Hyphens and capitals in the name do not matter, since Slicer makes a name for Python of it.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use clap::{CommandFactory, Parser};
use ggpfn::inference::{self, DeviceChoice, Monitor, PrecisionChoice, Progress, SegmentOptions, Segmentation};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::network::Model;
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::View;
use ggpfn::{files, Error, Result};

use crate::{evaluate, terminal};

/// Find the pancreas in a CT scan, as a command-line module of 3D Slicer (`ggpfn segment --help` is for people)
#[derive(Parser)]
#[command(name = "ggpfn", version)]
struct Segment {
    /// Write the measurements here, as lines `name = value`
    #[arg(long, value_name = "FILE")]
    returnparameterfile: Option<PathBuf>,
    /// The trained network (.safetensors); the one that ships with ggpfn if left out
    #[arg(long, value_name = "FILE", env = "GGPFN_MODEL")]
    model: Option<PathBuf>,
    /// all, or views with commas between them
    #[arg(long, default_value = "all")]
    views: String,
    /// Probabilities from here on are pancreas; 0: the model's threshold
    #[arg(long, default_value_t = 0.0)]
    threshold: f64,
    /// Keep only the largest connected part
    #[arg(long)]
    largest_component: bool,
    /// Write the fused probability too
    #[arg(long, value_name = "FILE")]
    probability: Option<PathBuf>,
    /// Write the disagreement between the views too
    #[arg(long, value_name = "FILE")]
    uncertainty: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// auto, f32 or bf16
    #[arg(long, default_value = "auto")]
    precision: PrecisionChoice,
    /// Processor threads; 0: all
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The CT
    input: PathBuf,
    /// The mask's file
    output: PathBuf,
}

/// Compare a mask with its truth, as a command-line module of 3D Slicer (`ggpfn evaluate --help` is for people)
#[derive(Parser)]
#[command(name = "ggpfn-evaluate", version)]
struct Evaluate {
    /// Write the measures here, as lines `name = value`
    #[arg(long, value_name = "FILE")]
    returnparameterfile: Option<PathBuf>,
    /// Only this value of the truth counts; 0: every value but 0
    #[arg(long, default_value_t = 0)]
    label: u16,
    /// The mask
    prediction: PathBuf,
    /// Its truth
    truth: PathBuf,
}

/// One of the two modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Module {
    Segment,
    Evaluate,
}

/// What a command line asks for, if it is one of Slicer's.
#[derive(Debug)]
pub struct Call {
    module: Module,
    /// Its arguments, the executable's name first.
    arguments: Vec<OsString>,
}

/// Looks whether the executable was called as a module; people's command lines are none.
pub fn asked_for(arguments: &[OsString]) -> Option<Call> {
    let (name, rest) = arguments.split_first()?;
    let named = module_named(name);
    let (module, rest, chosen) = match (named, rest.first().and_then(|word| word.to_str())) {
        (Some(module), _) => (module, rest, false),
        (None, Some("segment")) => (Module::Segment, &rest[1..], true),
        (None, Some("evaluate")) => (Module::Evaluate, &rest[1..], true),
        (None, _) => (Module::Segment, rest, false),
    };
    let first = rest.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let returns = rest.iter().any(|word| word.to_string_lossy().starts_with(RETURN_FILE));
    // Without a subcommand, a flag of the module's in the first place.
    let flag = first.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or_default().to_string());
    let own_flag = || flag.is_some_and(|flag| command(module).get_arguments().any(|a| a.get_long() == Some(&flag)));
    let is_one = named.is_some()
        || first == DESCRIBE
        || (returns && (chosen || first.starts_with('-')))
        || (!chosen && own_flag());
    is_one.then(|| Call { module, arguments: [std::slice::from_ref(name), rest].concat() })
}

const DESCRIBE: &str = "--xml";
const RETURN_FILE: &str = "--returnparameterfile";

/// The module that an executable's name stands for.
fn module_named(name: &OsStr) -> Option<Module> {
    let stem = Path::new(name).file_stem()?.to_string_lossy().to_lowercase();
    match stem.replace(['-', '_'], "").as_str() {
        "ggpfnsegment" => Some(Module::Segment),
        "ggpfnevaluate" => Some(Module::Evaluate),
        _ => None,
    }
}

fn command(module: Module) -> clap::Command {
    match module {
        Module::Segment => Segment::command(),
        Module::Evaluate => Evaluate::command(),
    }
}

/// The description of a module, in XML.
fn description(module: Module) -> String {
    let text = match module {
        Module::Segment => include_str!("segment.xml"),
        Module::Evaluate => include_str!("evaluate.xml"),
    };
    text.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@HOMEPAGE@", env!("CARGO_PKG_HOMEPAGE"))
}

/// Answers as a module.
pub fn run(call: Call) -> Result<()> {
    if call.arguments.get(1).is_some_and(|first| first == DESCRIBE) {
        say!("{}", description(call.module).trim_end());
        return terminal::check_stdout(terminal::Product::Text);
    }
    match call.module {
        Module::Segment => run_segment(Segment::parse_from(call.arguments)),
        Module::Evaluate => run_evaluate(Evaluate::parse_from(call.arguments)),
    }
}

fn run_segment(arguments: Segment) -> Result<()> {
    let steps = Steps::new("Pancreas segmentation");
    let images = [Some(&arguments.output), arguments.probability.as_ref(), arguments.uncertainty.as_ref()];
    let mut outputs = vec![Output::new("output", &arguments.output, Kind::Mask)];
    outputs.extend(arguments.probability.iter().map(|path| Output::new("--probability", path, Kind::Fraction)));
    outputs.extend(arguments.uncertainty.iter().map(|path| Output::new("--uncertainty", path, Kind::Fraction)));
    outputs.extend(returned(&arguments.returnparameterfile));
    outputs::check(std::iter::once(arguments.input.as_path()).chain(arguments.model.as_deref()), &outputs)?;
    images.into_iter().flatten().try_for_each(|path| io::check_writable(path))?;
    let model = arguments.model.as_deref().map_or_else(Model::shipped, Model::load)?;
    let options = options(&arguments)?;
    let views = if options.views.is_empty() { model.config().views.len() } else { options.views.len() };
    steps.comment("reading the CT");
    let volume = io::read(&arguments.input, &ReadOptions::default())?;
    let found = inference::segment(&model, &volume, &options, &steps.monitor(views))?;
    steps.comment("writing the result");
    if let Some(path) = &arguments.probability {
        io::write_on(path, Voxels::F32(found.probability.view()), &volume)?;
    }
    if let (Some(path), Some(uncertainty)) = (&arguments.uncertainty, &found.uncertainty) {
        io::write_on(path, Voxels::F32(uncertainty.view()), &volume)?;
    }
    if terminal::cancel().is_cancelled() {
        return Err(Error::Cancelled);
    }
    io::write_on(&arguments.output, Voxels::U8(found.mask.view()), &volume)?;
    if let Some(path) = &arguments.returnparameterfile {
        write_returned(path, &measurements(&found))?;
    }
    // On stdout: anything on stderr would count as an error.
    say(&found.quality.to_string());
    for warning in &found.quality.warnings {
        say(&format!("warning: {warning}"));
    }
    steps.end();
    Ok(())
}

/// The file of what goes back to Slicer, as an output.
fn returned(path: &Option<PathBuf>) -> Option<Output> {
    path.as_ref().map(|path| Output::new("--returnparameterfile", path, Kind::Values))
}

fn options(arguments: &Segment) -> Result<SegmentOptions> {
    let views: std::result::Result<Vec<View>, String> = match arguments.views.as_str() {
        "all" | "" => Ok(Vec::new()),
        names => names.split(',').map(|name| name.trim().parse()).collect(),
    };
    Ok(SegmentOptions {
        views: views.map_err(|fault| Error::argument("--views", fault))?,
        threshold: (arguments.threshold != 0.0).then_some(arguments.threshold),
        device: arguments.device,
        precision: arguments.precision,
        threads: (arguments.threads > 0).then_some(arguments.threads),
        largest_component: arguments.largest_component,
        uncertainty: arguments.uncertainty.is_some(),
        mask_only: arguments.probability.is_none(),
        ..SegmentOptions::default()
    })
}

fn run_evaluate(arguments: Evaluate) -> Result<()> {
    let steps = Steps::new("Comparison of masks");
    let masks = [arguments.prediction.as_path(), arguments.truth.as_path()];
    outputs::check(masks, &returned(&arguments.returnparameterfile).into_iter().collect::<Vec<_>>())?;
    let label = (arguments.label > 0).then_some(arguments.label);
    let found = evaluate::compare_files(&arguments.prediction, &arguments.truth, label)?;
    if let Some(path) = &arguments.returnparameterfile {
        let lines = [
            ("dice", found.dice),
            ("jaccard", found.jaccard),
            ("precision", found.precision),
            ("recall", found.recall),
            ("prediction_ml", Some(found.prediction_ml)),
            ("truth_ml", Some(found.truth_ml)),
            ("volume_error_ml", Some(found.volume_error_ml)),
            ("volume_error_percent", found.volume_error_percent),
            ("hausdorff95_mm", found.hausdorff95_mm),
            ("mean_surface_mm", found.mean_surface_mm),
        ];
        write_returned(path, &lines.map(|(name, value)| (name, text(value))))?;
    }
    steps.end();
    Ok(())
}

/// What goes back beside the images. What has no value is empty: Slicer would show a number that is not one as some number.
fn measurements(found: &Segmentation) -> Vec<(&'static str, String)> {
    let three = |values: Option<[f64; 3]>| values.map(|v| v.map(|v| v.to_string()).join(",")).unwrap_or_default();
    let m = &found.measurements;
    vec![
        ("volume_ml", m.volume_ml.to_string()),
        ("voxels", m.voxels.to_string()),
        ("components", m.components.to_string()),
        ("mean_hu", text(m.mean_hu)),
        ("std_hu", text(m.std_hu)),
        ("bounding_box_mm", three(m.bounding_box_mm)),
        ("centroid_lps", three(m.centroid_lps)),
        ("computed_on", found.compute.to_string()),
        ("expected_dice", format!("{:.3}", found.quality.expected_dice)),
        ("doubtful", found.quality.doubtful.to_string()),
        ("warnings", found.quality.warnings.iter().map(|warning| warning.text.as_str()).collect::<Vec<_>>().join("; ")),
    ]
}

fn text(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The lines `name = value` that Slicer reads back.
fn write_returned(path: &Path, values: &[(&str, String)]) -> Result<()> {
    let lines: String = values.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    files::write(path, lines.as_bytes())
}

/// Writes a line to stdout, at once: the other side waits for it.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // Nobody listens any more: the result is still wanted.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Progress in the form that Slicer reads: of the whole from 0 to 1, never falling, and of the view under way.
struct Steps {
    name: &'static str,
    start: Instant,
    told: Mutex<Told>,
}

/// What was said so far.
struct Told {
    fraction: f64,
    phase: String,
    /// The part of the network's work at which the phase began.
    phase_start: f64,
}

/// The parts of the whole at which the network begins and ends; before it the image is read, behind it results are written.
const NETWORK: [f64; 2] = [0.02, 0.97];
/// The least part that is worth a line; Slicer searches all that was said for each.
const WORTH_A_LINE: f64 = 0.005;

impl Steps {
    fn new(name: &'static str) -> Self {
        say(&format!("<filter-start>\n<filter-name>{name}</filter-name>\n<filter-comment>{name}</filter-comment>\n</filter-start>"));
        say("<filter-progress>0</filter-progress>");
        Steps {
            name,
            start: Instant::now(),
            told: Mutex::new(Told { fraction: 0.0, phase: String::new(), phase_start: 0.0 }),
        }
    }

    /// Says in words what is being done.
    fn comment(&self, text: &str) {
        say(&format!("<filter-comment>{text}</filter-comment>"));
    }

    /// A monitor that tells how far the network is with so many views.
    fn monitor(&self, views: usize) -> Monitor<'_> {
        Monitor::new(terminal::cancel().clone(), move |progress| self.show(progress, views))
    }

    fn show(&self, progress: &Progress, views: usize) {
        let Ok(mut told) = self.told.lock() else { return };
        if told.phase != progress.phase {
            told.phase = progress.phase.clone();
            told.phase_start = progress.fraction;
            self.comment(&progress.phase);
        }
        let fraction = NETWORK[0] + (NETWORK[1] - NETWORK[0]) * progress.fraction;
        if fraction - told.fraction >= WORTH_A_LINE {
            told.fraction = fraction;
            let stage = ((progress.fraction - told.phase_start) * views as f64).clamp(0.0, 1.0);
            say(&format!(
                "<filter-progress>{fraction:.4}</filter-progress>\n<filter-stage-progress>{stage:.4}</filter-stage-progress>"
            ));
        }
    }

    fn end(self) {
        let seconds = self.start.elapsed().as_secs_f64();
        say("<filter-progress>1</filter-progress>");
        say(&format!(
            "<filter-end>\n<filter-name>{}</filter-name>\n<filter-time>{seconds:.3}</filter-time>\n</filter-end>",
            self.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(line: &str) -> Option<Module> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        asked_for(&arguments).map(|call| call.module)
    }

    #[test]
    fn slicers_command_lines_are_told_from_peoples() {
        for line in [
            "/a/ggpfn --xml",
            "ggpfn segment --xml",
            "ggpfn --returnparameterfile f --views all in out",
            "ggpfn --returnparameterfile=f in out",
            "ggpfn --threshold 0 in out",
            "ggpfn segment --returnparameterfile f in out",
            "ggpfn-segment in out",
        ] {
            assert_eq!(asks(line), Some(Module::Segment), "{line}");
        }
        for line in
            ["ggpfn evaluate --xml", "/b/ggpfn-evaluate --xml", "GGPFNEvaluate.exe a b", "ggpfn_evaluate --label 1 a b"]
        {
            assert_eq!(asks(line), Some(Module::Evaluate), "{line}");
        }
        for line in [
            "ggpfn",
            "ggpfn --help",
            "ggpfn --version",
            "ggpfn -q segment in out",
            "ggpfn segment in out",
            "ggpfn segment in out --threshold 0.5",
            "ggpfn evaluate a b",
            "ggpfn info m",
            "ggpfn in out",
        ] {
            assert_eq!(asks(line), None, "{line}");
        }
    }

    #[test]
    fn each_parameter_of_a_description_is_one_of_the_command_line() {
        for module in [Module::Segment, Module::Evaluate] {
            let text = description(module);
            let between = |open: &str, close: &str| -> Vec<String> {
                let parts = text.split(open).skip(1);
                parts.map(|part| part.split(close).next().unwrap().to_string()).collect()
            };
            let command = command(module);
            let flags: Vec<_> = command.get_arguments().filter_map(|a| a.get_long()).collect();
            for flag in between("<longflag>--", "<") {
                assert!(flags.contains(&flag.as_str()), "--{flag}");
            }
            // All but the file of what is returned, which no description names.
            assert_eq!(
                between("<longflag>--", "<").len(),
                flags.iter().filter(|f| **f != "returnparameterfile").count()
            );
            assert_eq!(between("<index>", "<"), ["0", "1"]);
            assert!(!text.contains('@'));
        }
    }
}
