//! `ggpfn segment`: scans to masks.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ggpfn::files::{self, AtomicFile};
use ggpfn::inference::{DeviceChoice, Ensemble, PatchGrid, PrecisionChoice, Region, SegmentOptions, Segmentation};
use ggpfn::io::results::{
    is_dicom_name, write_report, write_segmentation, Algorithm, Layer, Report, Segment, SegmentationOptions, Source,
};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::labels::LabelSet;
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{Content, View, Volume};
use ggpfn::{Error, Result};
use serde_json::json;

use crate::dicom_seg::Filing;
use crate::models::{self, Models};
use crate::terminal::{self, Display};

/// Find the pancreas in one scan, or in many
///
/// INPUT is an image (.nii, .nii.gz, .hdr/.img, .nrrd, .nhdr, .mha, .mhd) or a folder with a DICOM CT series; what it is is
/// found by looking inside. OUTPUT is the mask's file, or a folder for several inputs. The mask lies on the input's grid: 1 is
/// pancreas, 0 is not; of a model with several labels each has its own value. For a DICOM series it may be a .dcm file: a DICOM segmentation (SEG) that refers to the series.
#[derive(clap::Args)]
#[command(
    override_usage = "ggpfn segment [OPTIONS] <INPUT>... <OUTPUT>",
    after_help = "Examples:
  ggpfn segment ct.nii.gz pancreas.nii.gz
  ggpfn segment dicom-folder pancreas.nrrd --probability p.nrrd --report r.json
  ggpfn segment dicom-folder pancreas.dcm --dicom-report measurements.dcm
  ggpfn segment scans/*.nii.gz masks/ --model my-own.safetensors --device cuda
  ggpfn segment ct.nii.gz pancreas.nii.gz --model a.safetensors --model b.safetensors
  ggpfn segment ct.nii.gz pancreas.nii.gz --model folds/"
)]
pub struct Arguments {
    /// One or more inputs, then the output
    #[arg(required = true, num_args = 1.., value_names = ["INPUT", "OUTPUT"])]
    paths: Vec<PathBuf>,
    /// The trained network (.safetensors, or a run's folder); the small one that ships with ggpfn if left out. Given several times, or with the
    /// folder of a cross-validation (ggpfn train --folds), the mean of the models' fused probabilities is taken before the threshold, which is
    /// the mean of theirs; the models have to segment the same labels
    #[arg(long, short, value_name = "FILE", env = "GGPFN_MODEL")]
    model: Vec<PathBuf>,
    /// Views to use: axial, sagittal, coronal; all that the model has if left out
    #[arg(long, value_name = "VIEW,...", value_delimiter = ',')]
    views: Vec<View>,
    /// How much each view counts, in the order of --views (else axial, sagittal, coronal); the model's weights if left out
    #[arg(long, value_name = "W,...", value_delimiter = ',')]
    view_weights: Vec<f64>,
    /// Probabilities from here on are pancreas, 0 to 1; the model's threshold if left out
    #[arg(long, value_name = "P")]
    threshold: Option<f64>,
    /// Write the fused probability too (a folder for several inputs); as .dcm it is a FRACTIONAL DICOM segmentation
    #[arg(long, value_name = "FILE")]
    probability: Option<PathBuf>,
    /// Write each view's probability too, as FILE with the view's name in it
    #[arg(long, value_name = "FILE")]
    view_probabilities: Option<PathBuf>,
    /// Write the disagreement between the views too (standard deviation, 0 to 0.5)
    #[arg(long, value_name = "FILE")]
    uncertainty: Option<PathBuf>,
    /// Write a report: volume in mL, bounding box, mean HU, expected Dice and warnings, times, settings, the model's hash
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// Write what was measured as a DICOM structured report (SR, template 1500) too, for a mask that is a .dcm file
    #[arg(long, value_name = "FILE.dcm")]
    dicom_report: Option<PathBuf>,
    /// Keep only the largest connected part
    #[arg(long)]
    largest_component: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Number format: auto (bf16 where the machine is fast at it), f32 or bf16
    #[arg(long, default_value = "auto")]
    precision: PrecisionChoice,
    /// Processor threads; all if left out
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Cut slices into patches of this size, for GPUs with little memory: 256x256, say
    #[arg(long, value_name = "HxW", value_parser = parse_patch)]
    patch: Option<[usize; 2]>,
    /// By how many pixels patches overlap
    #[arg(long, value_name = "N", default_value_t = 64, requires = "patch")]
    overlap: usize,
    /// Look at this box of voxels alone: its first voxel and its size, as in 100,120,0:200,180,80
    #[arg(long, value_name = "I,J,K:NI,NJ,NK", value_parser = parse_region)]
    region: Option<Region>,
    /// Slices that enter the network at a time; chosen for the machine if left out. Never changes the result
    #[arg(long, value_name = "N")]
    block: Option<usize>,
    /// For a DICOM folder with several series: the SeriesInstanceUID of the one to take
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// For a DICOM folder: resample the slices of a tilted gantry to straight ones; the results lie on those
    #[arg(long)]
    resample_tilt: bool,
    /// Take every voxel that is not a number (NaN) for air; without this, those alone that are connected with the border
    #[arg(long)]
    nan_as_air: bool,
    /// With a folder for output: write masks, and probabilities if asked for, as DICOM segmentations (.dcm)
    #[arg(long)]
    dicom: bool,
    #[command(flatten)]
    filing: Filing,
}

fn parse_patch(text: &str) -> std::result::Result<[usize; 2], String> {
    let parts: Vec<_> = text.split(['x', 'X']).map(str::parse).collect();
    match parts[..] {
        [Ok(h), Ok(w)] => Ok([h, w]),
        _ => Err("expected two numbers like 256x256".into()),
    }
}

fn parse_region(text: &str) -> std::result::Result<Region, String> {
    let three = |part: &str| -> Option<[usize; 3]> {
        let numbers: Vec<usize> = part.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    let region =
        text.split_once(':').and_then(|(start, size)| Some(Region { start: three(start)?, size: three(size)? }));
    region.ok_or_else(|| "expected a first voxel and a size like 100,120,0:200,180,80".into())
}

/// Where the results for one input go.
struct Job {
    input: PathBuf,
    mask: PathBuf,
    probability: Option<PathBuf>,
    view_probabilities: Option<PathBuf>,
    uncertainty: Option<PathBuf>,
    report: Option<PathBuf>,
    dicom_report: Option<PathBuf>,
}

impl Job {
    /// The images, but for those that are DICOM.
    fn images(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.mask), self.probability.as_ref(), self.view_probabilities.as_ref(), self.uncertainty.as_ref()]
            .into_iter()
            .flatten()
            .filter(|path| !self.dicom().any(|dicom| dicom == *path))
    }

    /// The results that are DICOM.
    fn dicom(&self) -> impl Iterator<Item = &PathBuf> {
        let named = [Some(&self.mask), self.probability.as_ref()].into_iter().flatten();
        named.filter(|path| is_dicom_name(path)).chain(&self.dicom_report)
    }
}

pub fn run(arguments: Arguments) -> Result<()> {
    let jobs = jobs(&arguments)?;
    let options = options(&arguments)?;
    arguments.filing.options().check()?;
    let models = Models::load(&arguments.model)?;
    let ensemble = models.ensemble()?;
    check_label_files(&arguments, &jobs, ensemble.labels())?;
    // Everything that can be known beforehand is, so that nobody waits for a result that cannot be stored.
    for job in &jobs {
        for image in job.images() {
            io::check_writable(image)?;
        }
        for file in job.dicom().chain(&job.report) {
            AtomicFile::create(file)?;
        }
    }
    let mut failure = None;
    for (number, job) in jobs.iter().enumerate() {
        let name = if jobs.len() > 1 { format!("{}/{}", number + 1, jobs.len()) } else { String::new() };
        match segment_one(job, &models, &ensemble, &options, &arguments, &name) {
            Ok(()) => {}
            Err(error) if jobs.len() > 1 && !matches!(error, Error::Cancelled | Error::Device { .. }) => {
                terminal::error(&error);
                failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match failure {
        None => Ok(()),
        Some(error) => {
            note!("some inputs failed; the results of the others are in place");
            Err(error)
        }
    }
}

fn options(arguments: &Arguments) -> Result<SegmentOptions> {
    let order = if arguments.views.is_empty() { View::ALL.to_vec() } else { arguments.views.clone() };
    let weights = &arguments.view_weights;
    if !weights.is_empty() && weights.len() != order.len() {
        return Err(Error::Argument {
            name: "--view-weights",
            fault: format!("{} numbers for {} views; one each was expected", weights.len(), order.len()),
        });
    }
    let options = SegmentOptions {
        prepared: false,
        views: arguments.views.clone(),
        view_weights: (!weights.is_empty()).then(|| order.into_iter().zip(weights.iter().copied()).collect()),
        threshold: arguments.threshold,
        device: arguments.device,
        precision: arguments.precision,
        threads: arguments.threads,
        block: arguments.block,
        patches: arguments.patch.map(|size| PatchGrid { size, overlap: arguments.overlap }),
        region: arguments.region,
        largest_component: arguments.largest_component,
        keep_views: arguments.view_probabilities.is_some(),
        mask_only: arguments.probability.is_none(),
        uncertainty: arguments.uncertainty.is_some(),
    };
    options.check()?;
    Ok(options)
}

fn segment_one(
    job: &Job,
    models: &Models,
    ensemble: &Ensemble,
    options: &SegmentOptions,
    arguments: &Arguments,
    name: &str,
) -> Result<()> {
    let start = Instant::now();
    let read = ReadOptions {
        series: arguments.series.clone(),
        resample_tilt: arguments.resample_tilt,
        content: if arguments.nan_as_air { Content::ScanWithHoles } else { Content::Scan },
        region: arguments.region,
        ..ReadOptions::default()
    };
    let (volume, source) = match job.dicom().next() {
        Some(_) => Source::read(&job.input, &read).map(|(volume, source)| (volume, Some(source)))?,
        None => (io::read(&job.input, &read)?, None),
    };
    let read_seconds = start.elapsed().as_secs_f64();
    let result = {
        let display = Display::new(name);
        let monitor = display.monitor();
        ensemble.segment(&volume, options, &monitor)?
    };
    let labels = &ensemble.labels().labels;
    let writing = Instant::now();
    let dicom = source.as_ref().map(|source| Dicom {
        source,
        algorithm: Algorithm::ggpfn(&models.origin(), &ensemble.sha256()),
        options: arguments.filing.options(),
        filing: &arguments.filing,
    });
    if let Some(path) = &job.probability {
        match dicom.as_ref().filter(|_| is_dicom_name(path)) {
            Some(dicom) => dicom.write_probability(path, &result)?,
            None => io::write_on(path, Voxels::F32(result.probability.view()), &volume)?,
        }
        let others = result.others.iter().filter(|_| !is_dicom_name(path));
        for (other, path) in others.zip(of_labels(path, ensemble.labels())) {
            io::write_on(&path, Voxels::F32(other.probability.view()), &volume)?;
        }
    }
    if let Some(path) = &job.view_probabilities {
        for (view, probability) in &result.views {
            io::write_on(&with_suffix(path, view.name()), Voxels::F32(probability.view()), &volume)?;
        }
    }
    if let (Some(path), Some(uncertainty)) = (&job.uncertainty, &result.uncertainty) {
        io::write_on(path, Voxels::F32(uncertainty.view()), &volume)?;
    }
    if terminal::cancel().is_cancelled() {
        return Err(Error::Cancelled);
    }
    match dicom.as_ref().filter(|_| is_dicom_name(&job.mask)) {
        Some(dicom) => dicom.write_mask(&job.mask, job.dicom_report.as_deref(), &result)?,
        None if result.others.is_empty() => io::write_labels_on(&job.mask, result.mask.view(), labels, &volume)?,
        None => io::write_labels_on(&job.mask, result.label_map()?.view(), labels, &volume)?,
    }
    let write_seconds = writing.elapsed().as_secs_f64();
    if let Some(path) = &job.report {
        let report = report(job, models.report(&ensemble.sha256()), &volume, &result, read_seconds, write_seconds);
        files::write_json(path, &report)?;
    }
    print_summary(job, &result, start.elapsed().as_secs_f64());
    Ok(())
}

/// What results that are DICOM have in common.
struct Dicom<'a> {
    source: &'a Source,
    algorithm: Algorithm,
    options: SegmentationOptions,
    filing: &'a Filing,
}

impl Dicom<'_> {
    fn write_probability(&self, path: &Path, result: &Segmentation) -> Result<()> {
        let first = (&result.label, &result.probability);
        let others = result.others.iter().map(|other| (&other.label, &other.probability));
        let segments: Vec<_> = std::iter::once(first)
            .chain(others)
            .map(|(label, part)| Segment::found(label, Layer::Probability(part.view()), self.algorithm.clone()))
            .collect();
        // A series of its own, behind that of the mask.
        let series_number = self.options.series_number.map(|number| number.saturating_add(2));
        let options = SegmentationOptions { series_number, ..self.options.clone() };
        write_segmentation(path, self.source, &segments, &options).map(drop)
    }

    fn write_mask(&self, path: &Path, report: Option<&Path>, result: &Segmentation) -> Result<()> {
        let first = (&result.label, &result.mask, &result.measurements);
        let others = result.others.iter().map(|other| (&other.label, &other.mask, &other.measurements));
        let (segments, measured): (Vec<_>, Vec<_>) = std::iter::once(first)
            .chain(others)
            .map(|(label, mask, measured)| {
                (Segment::found(label, Layer::Mask(mask.view()), self.algorithm.clone()), measured)
            })
            .unzip();
        let written = self.filing.write_masks(path, self.source, &segments)?;
        let Some(path) = report else { return Ok(()) };
        // How far it can be trusted is known of the first label alone.
        let quality = std::iter::once(Some(&result.quality)).chain(std::iter::repeat(None));
        let reports: Vec<_> = segments
            .iter()
            .zip(measured)
            .zip(quality)
            .map(|((segment, measurements), quality)| Report { segment, measurements, quality })
            .collect();
        write_report(path, self.source, &written, &reports, &self.options)
    }
}

fn print_summary(job: &Job, result: &Segmentation, seconds: f64) {
    let m = &result.measurements;
    let density = m.mean_hu.map_or(String::new(), |hu| format!(", {hu:.0} HU on average"));
    say!(
        "{}: {:.1} mL{density}; {seconds:.1} s on {} -> {}",
        job.input.display(),
        m.volume_ml,
        result.compute,
        job.mask.display()
    );
    for other in &result.others {
        say!(
            "  {}: {:.1} mL in {} parts",
            other.label.name,
            other.measurements.volume_ml,
            other.measurements.components
        );
    }
    say!("{}", result.quality);
    for warning in &result.quality.warnings {
        log::warn!("{}: {warning}", job.input.display());
    }
}

fn report(
    job: &Job,
    model: serde_json::Value,
    volume: &Volume,
    result: &Segmentation,
    read_seconds: f64,
    write_seconds: f64,
) -> serde_json::Value {
    let geometry = volume.geometry();
    let mut seconds = serde_json::Map::new();
    seconds.insert("read".into(), json!(read_seconds));
    for phase in &result.phases {
        seconds.insert(phase.name.clone(), json!(phase.seconds));
    }
    seconds.insert("write".into(), json!(write_seconds));
    let first = (&result.label, result.threshold, &result.measurements);
    let others = result.others.iter().map(|other| (&other.label, other.threshold, &other.measurements));
    let labels: Vec<_> = std::iter::once(first)
        .chain(others)
        .map(|(label, threshold, measured)| {
            json!({ "value": label.value, "name": label.name, "threshold": threshold, "measurements": measured })
        })
        .collect();
    json!({
        "ggpfn": env!("CARGO_PKG_VERSION"),
        "input": job.input.display().to_string(),
        "output": job.mask.display().to_string(),
        "image": {
            "size": geometry.size,
            "spacing_mm": geometry.spacing,
            "origin_lps_mm": geometry.origin,
            "direction": geometry.direction,
            "orientation": geometry.orientation(),
        },
        "pancreas": result.measurements,
        "labels": labels,
        "quality": result.quality,
        "threshold": result.threshold,
        "view_weights": result.view_weights,
        "model": model,
        "device": result.compute.device_name(),
        "precision": result.compute.precision_name(),
        "threads": result.threads,
        "libtorch": ggpfn::runtime::Runtime::current().loaded_version,
        "seconds": seconds,
    })
}

/// The inputs with their outputs. With several inputs, or a folder for output, each result is named after its input.
fn jobs(arguments: &Arguments) -> Result<Vec<Job>> {
    let Some((output, inputs)) = arguments.paths.split_last().filter(|(_, inputs)| !inputs.is_empty()) else {
        return Err(Error::Argument { name: "INPUT OUTPUT", fault: "two paths were expected".into() });
    };
    let into_folder = inputs.len() > 1 || output.is_dir() || output.as_os_str().to_string_lossy().ends_with('/');
    if arguments.dicom && !into_folder && !is_dicom_name(output) {
        let fault = format!(
            "{} is to be a single file, which is DICOM if its name ends in .dcm; name a folder, or such a file",
            output.display()
        );
        return Err(Error::Argument { name: "--dicom", fault });
    }
    let side = |option: &Option<PathBuf>, input: &Path, suffix: &str, extension: &str| -> Option<PathBuf> {
        option.as_ref().map(|path| if into_folder { named(path, input, suffix, extension) } else { path.clone() })
    };
    let mut jobs: Vec<Job> = Vec::new();
    for input in inputs {
        let image = if arguments.dicom { ".dcm" } else { ".nii.gz" };
        let mask = if into_folder { named(output, input, "pancreas", image) } else { output.clone() };
        if let Some(twin) = jobs.iter().find(|job| outputs::same_file(&job.mask, &mask)) {
            let fault = format!(
                "{} and {} would both be written to {}; segment them into different folders",
                twin.input.display(),
                input.display(),
                mask.display()
            );
            return Err(Error::Argument { name: "INPUT", fault });
        }
        jobs.push(Job {
            probability: side(&arguments.probability, input, "probability", image),
            view_probabilities: side(&arguments.view_probabilities, input, "view", ".nii.gz"),
            uncertainty: side(&arguments.uncertainty, input, "uncertainty", ".nii.gz"),
            report: side(&arguments.report, input, "report", ".json"),
            dicom_report: side(&arguments.dicom_report, input, "measurements", ".dcm"),
            input: input.clone(),
            mask,
        });
    }
    check_dicom(&jobs, &arguments.filing)?;
    check_outputs(arguments, &jobs, Vec::new())?;
    if into_folder {
        let folders = [Some(output), arguments.probability.as_ref(), arguments.view_probabilities.as_ref()];
        let more = [&arguments.uncertainty, &arguments.report, &arguments.dicom_report].map(Option::as_ref);
        for folder in folders.into_iter().chain(more).flatten() {
            files::create_folder(folder)?;
        }
    }
    Ok(jobs)
}

/// Refuses DICOM results that cannot be: of views, of inputs that are no DICOM, a report on a mask that is none.
fn check_dicom(jobs: &[Job], filing: &Filing) -> Result<()> {
    for job in jobs {
        let views = [("--view-probabilities", &job.view_probabilities), ("--uncertainty", &job.uncertainty)];
        for (name, path) in views {
            if let Some(path) = path.as_ref().filter(|path| is_dicom_name(path)) {
                let fault =
                    format!("{}: it is not written as DICOM; name an image file (.nii.gz, .nrrd)", path.display());
                return Err(Error::Argument { name, fault });
            }
        }
        if let Some(report) = &job.dicom_report {
            let fault = if !is_dicom_name(report) {
                format!("{}: its ending is not that of a DICOM file; .dcm was expected", report.display())
            } else if !is_dicom_name(&job.mask) {
                let mask = job.mask.display();
                format!(
                    "a DICOM report refers to a DICOM segmentation, and {mask} is none; name a .dcm file for the mask"
                )
            } else if filing.draws_contours() {
                "a DICOM report refers to a DICOM segmentation; leave out --dicom-kind rtstruct, or make contours by ggpfn dicom-seg".into()
            } else {
                continue;
            };
            return Err(Error::Argument { name: "--dicom-report", fault });
        }
    }
    Ok(())
}

/// What a report has in any case; another JSON file is not one.
const REPORT: Kind = Kind::Json(&["ggpfn", "pancreas"]);

/// Refuses results that would destroy an input, each other or something else.
fn check_outputs(arguments: &Arguments, jobs: &[Job], more: Vec<Output>) -> Result<()> {
    let models = models::files(&arguments.model)?;
    let inputs = jobs.iter().map(|job| job.input.as_path()).chain(models.iter().map(PathBuf::as_path));
    let mut outputs = more;
    for job in jobs {
        outputs.push(Output::new("OUTPUT", &job.mask, arguments.filing.kind_of(&job.mask)));
        outputs.extend(job.probability.iter().map(|path| Output::new("--probability", path, Kind::Fraction)));
        if let Some(path) = &job.view_probabilities {
            let views = View::ALL.map(|view| with_suffix(path, view.name()));
            outputs.extend(views.map(|path| Output::new("--view-probabilities", path, Kind::Fraction)));
        }
        outputs.extend(job.uncertainty.iter().map(|path| Output::new("--uncertainty", path, Kind::Fraction)));
        outputs.extend(job.report.iter().map(|path| Output::new("--report", path, REPORT)));
        let reports = job.dicom_report.iter();
        outputs.extend(reports.map(|path| Output::new("--dicom-report", path, Kind::DicomReport)));
    }
    outputs::check(inputs, &outputs)
}

/// The files of the probabilities of a model's labels beyond the first: `FILE_tumour.nii.gz` beside `FILE.nii.gz`.
fn of_labels<'a>(path: &'a Path, labels: &'a LabelSet) -> impl Iterator<Item = PathBuf> + 'a {
    let plain = |name: &str| name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
    let names = labels.names().skip(1).map(plain).collect::<Vec<String>>();
    names.into_iter().map(move |name| with_suffix(path, &name))
}

/// As [`check_outputs`], for what only the model tells: probabilities of several labels are several files.
fn check_label_files(arguments: &Arguments, jobs: &[Job], labels: &LabelSet) -> Result<()> {
    let probabilities = jobs.iter().filter_map(|job| job.probability.as_deref()).filter(|path| !is_dicom_name(path));
    let more: Vec<_> = probabilities
        .flat_map(|path| of_labels(path, labels))
        .map(|path| Output::new("--probability", path, Kind::Fraction))
        .collect();
    match more.is_empty() {
        true => Ok(()),
        false => check_outputs(arguments, jobs, more),
    }
}

/// `folder/NAME_suffix.extension` for an input called NAME.
fn named(folder: &Path, input: &Path, suffix: &str, extension: &str) -> PathBuf {
    // A link goes by its own name: what it points to, in an archive, is often called by a checksum. `.` and `..` have no name.
    let whole = match input.file_name() {
        Some(_) => input.to_path_buf(),
        None => input.canonicalize().unwrap_or_else(|_| input.to_path_buf()),
    };
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, _) = split_extension(&name);
    folder.join(format!("{stem}_{suffix}{extension}"))
}

/// `FILE_suffix.nii.gz` for `FILE.nii.gz`.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, extension) = split_extension(&name);
    path.with_file_name(format!("{stem}_{suffix}{extension}"))
}

/// A file's name without and with only the ending of an image; the ending is empty if it has none that is known.
pub fn split_extension(name: &str) -> (&str, &str) {
    const KNOWN: [&str; 11] =
        [".nii.gz", ".hdr.gz", ".img.gz", ".nii", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm"];
    let lower = name.to_lowercase();
    let extension = KNOWN.iter().find(|known| lower.ends_with(*known)).map_or(0, |known| known.len());
    name.split_at(name.len() - extension)
}
