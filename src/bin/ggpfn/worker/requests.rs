//! What a program can ask of a worker: each request's fields, and how it is answered.
//!
//! Here fields are checked and converted and the library is called; how anything is done it knows. Results are written when all is done,
//! and not at all if the work fails.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ggpfn::capi::status as code;
use ggpfn::evaluation::compare;
use ggpfn::inference::{self, Ensemble, Monitor, Progress};
use ggpfn::io::{self, ReadOptions};
use ggpfn::network::{Model, ModelConfig, WeightType};
use ggpfn::runtime::{self, Runtime};
use ggpfn::training::{Cases, Preset, Run, RunEnd, TrainOptions, TrainingCase};
use ggpfn::volume::{same_grid, Region, View};
use ggpfn::{files, limits, Error};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Map, Value};

use super::shared::{Array, Dtype, Grid, Image, Shared};
use super::words::{self, Options};
use super::{locked, Refusal, Task};

type Outcome = std::result::Result<Value, Refusal>;

/// Does what is asked for.
pub fn answer(task: &Task, what: &str, fields: Map<String, Value>) -> Outcome {
    match what {
        "runtime" => runtime(parse(fields)?),
        "load_model" => load_model(task, parse(fields)?),
        "new_model" => new_model(task, parse(fields)?),
        "save_model" => save_model(task, parse(fields)?),
        "free_model" => free_model(task, parse(fields)?),
        "read_image" => read_image(parse(fields)?),
        "estimate_memory" => estimate_memory(task, parse(fields)?),
        "segment" => segment(task, parse(fields)?),
        "threshold" => threshold(parse(fields)?),
        "fuse" => fuse(parse(fields)?),
        "evaluate" => evaluate(parse(fields)?),
        "train" => train(task, parse(fields)?),
        other => {
            Err(Error::argument("do", format!("\"{other}\" is nothing that is known; see ggpfn worker --help")).into())
        }
    }
}

fn parse<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Error> {
    serde_json::from_value(Value::Object(fields)).map_err(|e| Error::argument("request", e.to_string()))
}

/// Refuses work for libtorch where the process has another one than ggpfn was built for.
fn check_runtime() -> Result<(), Refusal> {
    let runtime = Runtime::current();
    match runtime.wrong_version() {
        true => Err(Refusal { status: code::GGPFN_ERROR_RUNTIME, message: runtime.problems().join("; ") }),
        false => Ok(()),
    }
}

/// The models that the other side holds on to, by number; 0 is never one.
#[derive(Default)]
pub struct Models {
    table: Mutex<(u64, BTreeMap<u64, Arc<Model>>)>,
    shipped: Mutex<Option<Arc<Model>>>,
}

impl Models {
    /// Keeps a model; its number and what it is.
    fn keep(&self, model: Model) -> Value {
        let described = json!({ "info": words::info(&model), "configuration": model.config() });
        let mut table = locked(&self.table);
        table.0 += 1;
        let number = table.0;
        table.1.insert(number, Arc::new(model));
        let mut value = described;
        value["model"] = json!(number);
        value
    }

    /// The model of a number; none: the one that ships with ggpfn.
    fn get(&self, number: Option<u64>) -> Result<Arc<Model>, Error> {
        match number {
            Some(number) => locked(&self.table).1.get(&number).cloned().ok_or_else(|| unknown(number)),
            None => {
                let mut shipped = locked(&self.shipped);
                if shipped.is_none() {
                    *shipped = Some(Arc::new(Model::shipped()?));
                }
                shipped.clone().ok_or_else(|| unknown(0))
            }
        }
    }
}

/// The models of a request: several, one, or the one that ships with ggpfn.
fn chosen(task: &Task, model: Option<u64>, models: Option<Vec<u64>>) -> Result<Vec<Arc<Model>>, Error> {
    match (model, models) {
        (Some(_), Some(_)) => Err(Error::argument("models", "and model too; one of them was expected")),
        (_, Some(numbers)) => numbers.into_iter().map(|number| task.worker.models.get(Some(number))).collect(),
        (number, None) => Ok(vec![task.worker.models.get(number)?]),
    }
}

/// Them as an ensemble.
fn ensemble(models: &[Arc<Model>]) -> Result<Ensemble<'_>, Error> {
    Ensemble::new(&models.iter().map(Arc::as_ref).collect::<Vec<_>>())
}

fn unknown(number: u64) -> Error {
    Error::argument("model", format!("there is no model {number}; the number that load_model gave was expected"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageFile {
    path: PathBuf,
    file: PathBuf,
    series: Option<String>,
}

/// Reads an image into a file of the other side's, which gets its length here: how large the image is nobody knows before.
fn read_image(asked: ImageFile) -> Outcome {
    let volume = io::read(&asked.path, &ReadOptions { series: asked.series, ..ReadOptions::default() })?;
    let fault = |e| Error::file("write", &asked.file, e);
    let file = OpenOptions::new().write(true).truncate(true).open(&asked.file).map_err(fault)?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    // In their order of indices, i fastest, however they lie in memory.
    for value in volume.voxels() {
        file.write_all(&value.to_ne_bytes()).map_err(fault)?;
    }
    file.flush().map_err(fault)?;
    let geometry = volume.geometry();
    Ok(json!({ "grid": {
        "size": geometry.size,
        "spacing": geometry.spacing,
        "origin": geometry.origin,
        "direction": geometry.direction,
        "frame": "LPS",
    } }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutRuntime {
    #[serde(default)]
    gpus: bool,
}

fn runtime(asked: AboutRuntime) -> Outcome {
    let found = if asked.gpus { Runtime::with_cuda() } else { Runtime::current() };
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "built_for": found.compiled_version,
        "loaded": found.loaded_version,
        "wrong_libtorch": found.wrong_version(),
        "cpu_bfloat16": found.cpu_bfloat16,
        "gpu_driver": runtime::gpu_driver_present(),
        "gpus": asked.gpus.then_some(found.gpus.len()),
        "gpu_names": found.gpus,
        "libtorch": found.library.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        "problems": found.problems().join("\n"),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadModel {
    path: Option<PathBuf>,
    file: Option<PathBuf>,
    #[serde(default)]
    remove: bool,
    #[serde(default)]
    offset: u64,
    length: Option<u64>,
}

fn load_model(task: &Task, asked: LoadModel) -> Outcome {
    let model = match (asked.path, asked.file) {
        (Some(path), None) => Model::load(&path)?,
        (None, Some(file)) => {
            let length = asked.length.ok_or_else(|| Error::argument("length", "the model's bytes were expected"))?;
            let shared = Shared::open(file, asked.remove)?;
            let name = Path::new("the model in memory");
            shared.with_bytes(asked.offset, length, |bytes| Model::from_bytes(bytes, name))?
        }
        (None, None) => Model::shipped()?,
        (Some(_), Some(_)) => return Err(Error::argument("path", "and a file too; one of them was expected").into()),
    };
    Ok(task.worker.models.keep(model))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewModel {
    configuration: Option<String>,
    #[serde(default)]
    seed: u64,
}

fn new_model(task: &Task, asked: NewModel) -> Outcome {
    let config = match &asked.configuration {
        Some(json) => ModelConfig::from_entries(json).map_err(|fault| Error::argument("configuration", fault))?,
        None => ModelConfig::default(),
    };
    Ok(task.worker.models.keep(Model::new_untrained(config, asked.seed)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveModel {
    model: u64,
    path: PathBuf,
    weights: Option<String>,
}

fn save_model(task: &Task, asked: SaveModel) -> Outcome {
    let weights = match asked.weights.as_deref() {
        None | Some("float16") => WeightType::F16,
        Some("float32") => WeightType::F32,
        Some("bfloat16") => WeightType::BF16,
        Some(other) => {
            let fault = format!("\"{other}\"; float32, float16 or bfloat16 was expected");
            return Err(Error::argument("weights", fault).into());
        }
    };
    task.worker.models.get(Some(asked.model))?.save(&asked.path, weights)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeModel {
    model: u64,
}

fn free_model(task: &Task, asked: FreeModel) -> Outcome {
    // Work that is using it goes on.
    let freed = locked(&task.worker.models.table).1.remove(&asked.model);
    freed.map(|_| json!({})).ok_or_else(|| unknown(asked.model).into())
}

/// Where results go; what is left out is not wanted.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Results {
    mask: Option<Array>,
    label_map: Option<Array>,
    probability: Option<Array>,
    views: BTreeMap<View, Array>,
    uncertainty: Option<Array>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EstimateMemory {
    grid: Grid,
    model: Option<u64>,
    models: Option<Vec<u64>>,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    results: Results,
}

fn estimate_memory(task: &Task, asked: EstimateMemory) -> Outcome {
    check_runtime()?;
    let models = chosen(task, asked.model, asked.models)?;
    let geometry = asked.grid.geometry()?;
    let options = {
        let wanted = &asked.results;
        asked.options.settle(!wanted.views.is_empty(), wanted.probability.is_none(), wanted.uncertainty.is_some())?
    };
    let found = ensemble(&models)?.estimate_memory(&geometry, &options)?;
    Ok(json!({ "host_bytes": found.host, "device_bytes": found.device, "host_free": limits::free_memory() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Segment {
    file: PathBuf,
    #[serde(default)]
    remove: bool,
    image: Image,
    model: Option<u64>,
    models: Option<Vec<u64>>,
    #[serde(default)]
    options: Options,
    results: Results,
}

fn segment(task: &Task, asked: Segment) -> Outcome {
    check_runtime()?;
    let start = Instant::now();
    let shared = Shared::open(asked.file, asked.remove)?;
    let models = chosen(task, asked.model, asked.models)?;
    let ensemble = ensemble(&models)?;
    let geometry = asked.image.grid.geometry()?;
    let (size, results) = (geometry.size, &asked.results);
    for (name, array, dtype) in [
        ("mask", &results.mask, Dtype::UInt8),
        ("label_map", &results.label_map, Dtype::UInt8),
        ("probability", &results.probability, Dtype::Float32),
        ("uncertainty", &results.uncertainty, Dtype::Float32),
    ] {
        array.iter().try_for_each(|array| shared.check(name, array, size, dtype))?;
    }
    results.views.values().try_for_each(|array| shared.check("views", array, size, Dtype::Float32))?;
    let options = asked.options.settle(
        !results.views.is_empty(),
        results.probability.is_none(),
        results.uncertainty.is_some(),
    )?;
    if let Some(missing) = results.views.keys().find(|view| !ensemble.computes(**view, &options.views)) {
        let fault = format!("the {missing} view's probability is wanted, but that view is not computed");
        return Err(Error::argument("views", fault).into());
    }
    ensemble.refuse_impossible(&geometry, &options)?;
    let region = options.region.unwrap_or(Region { start: [0; 3], size: geometry.size });
    let volume = shared.part(&asked.image, region)?;
    let monitor = Monitor::new(task.cancel.clone(), |progress: &Progress| {
        let view = View::ALL.into_iter().find(|view| progress.phase.starts_with(view.name()));
        let value = json!({ "phase": progress.phase, "seconds_left": progress.seconds_left, "view": view });
        task.report(progress.fraction, value);
    });
    let found = match options.region {
        Some(_) => ensemble.segment_region(&volume, &geometry, &options, &monitor)?,
        None => ensemble.segment(&volume, &options, &monitor)?,
    };
    if let Some(array) = &results.mask {
        shared.write("mask", array, found.mask.view())?;
    }
    if let Some(array) = &results.label_map {
        shared.write("label_map", array, found.label_map()?.view())?;
    }
    if let Some(array) = &results.probability {
        shared.write("probability", array, found.probability.view())?;
    }
    for (view, array) in &results.views {
        if let Some(probability) = found.views.get(view) {
            shared.write("views", array, probability.view())?;
        }
    }
    if let (Some(array), Some(uncertainty)) = (&results.uncertainty, &found.uncertainty) {
        shared.write("uncertainty", array, uncertainty.view())?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let measurements = words::segmentation(&found, asked.image.grid.frame, seconds);
    let labels = words::of_labels(&found, asked.image.grid.frame, seconds);
    Ok(json!({ "measurements": measurements, "labels": labels, "quality": found.quality }))
}

/// What makes a mask where nobody says otherwise.
const HALF: f64 = 0.5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Threshold {
    file: PathBuf,
    #[serde(default)]
    remove: bool,
    image: Image,
    probability: Array,
    mask: Array,
    threshold: Option<f64>,
    #[serde(default)]
    largest_component: bool,
}

fn threshold(asked: Threshold) -> Outcome {
    let shared = Shared::open(asked.file, asked.remove)?;
    let size = asked.image.grid.geometry()?.size;
    shared.check("mask", &asked.mask, size, Dtype::UInt8)?;
    let volume = shared.volume(&asked.image)?;
    let probability = shared.floats("probability", &asked.probability, size)?;
    let threshold = asked.threshold.unwrap_or(HALF);
    let (mask, found) =
        inference::threshold_probability(probability.view(), &volume, threshold, asked.largest_component)?;
    shared.write("mask", &asked.mask, mask.view())?;
    Ok(json!({ "measurements": words::measurements(&found, asked.image.grid.frame, threshold) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fuse {
    file: PathBuf,
    #[serde(default)]
    remove: bool,
    size: [usize; 3],
    views: BTreeMap<View, Array>,
    weights: Option<BTreeMap<View, f64>>,
    threshold: Option<f64>,
    probability: Array,
    mask: Array,
}

fn fuse(asked: Fuse) -> Outcome {
    let shared = Shared::open(asked.file, asked.remove)?;
    shared.check("probability", &asked.probability, asked.size, Dtype::Float32)?;
    shared.check("mask", &asked.mask, asked.size, Dtype::UInt8)?;
    let threshold = asked.threshold.unwrap_or(HALF);
    if !(0.0..=1.0).contains(&threshold) {
        return Err(Error::argument("threshold", format!("{threshold}; a number from 0 to 1 was expected")).into());
    }
    if asked.views.is_empty() {
        return Err(Error::argument("views", "none; one at least was expected").into());
    }
    let mut arrays = Vec::new();
    let mut weights = Vec::new();
    for (view, array) in &asked.views {
        arrays.push(shared.floats("views", array, asked.size)?);
        weights.push(asked.weights.as_ref().map_or(1.0, |weights| weights.get(view).copied().unwrap_or(0.0)));
    }
    let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
    let fused = inference::fuse(&views, &weights)?;
    shared.write("mask", &asked.mask, inference::mask_of(fused.view(), threshold).view())?;
    shared.write("probability", &asked.probability, fused.view())?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluate {
    file: PathBuf,
    #[serde(default)]
    remove: bool,
    prediction: Image,
    truth: Image,
}

fn evaluate(asked: Evaluate) -> Outcome {
    let shared = Shared::open(asked.file, asked.remove)?;
    let (prediction, its) = shared.mask("prediction", &asked.prediction)?;
    let (truth, grid) = shared.mask("truth", &asked.truth)?;
    if !same_grid(&its, &grid) {
        let fault = "it does not lie on the truth's grid: size, spacing, origin or direction differ; resample it first";
        return Err(Error::argument("prediction", fault).into());
    }
    let [x, y, z] = grid.spacing;
    Ok(words::comparison(&compare(prediction.view(), truth.view(), [z, y, x])?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Train {
    file: PathBuf,
    #[serde(default)]
    remove: bool,
    cases: Vec<Case>,
    #[serde(default)]
    options: String,
    model: Option<u64>,
    #[serde(default)]
    all_stages: bool,
    folder: Option<PathBuf>,
    #[serde(default)]
    resume: bool,
    device: Option<String>,
    #[serde(default)]
    minutes: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    image: Image,
    mask: Image,
    role: Role,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Train,
    Validate,
}

fn train(task: &Task, asked: Train) -> Outcome {
    /// A year: beyond it arithmetic on time is in danger, and nobody waits.
    const LONGEST: f64 = 525_600.0;
    check_runtime()?;
    let shared = Shared::open(asked.file, asked.remove)?;
    let init = asked.model.map(|number| task.worker.models.get(Some(number))).transpose()?;
    let options = match &init {
        Some(model) => TrainOptions::fine_tuning(&asked.options, Preset::Small, model.config(), asked.all_stages)?,
        None => TrainOptions::from_toml(&asked.options, Preset::Small)?,
    };
    if !(0.0..=LONGEST).contains(&asked.minutes) {
        let fault = format!("{}; a number from 0 to {LONGEST} was expected", asked.minutes);
        return Err(Error::argument("minutes", fault).into());
    }
    if asked.resume && asked.folder.is_none() {
        return Err(Error::argument("resume", "the training's folder is needed for that").into());
    }
    let device = words::device(asked.device.as_deref())?;
    let mut cases = Cases::default();
    for case in &asked.cases {
        if task.cancel.is_cancelled() {
            return Err(Error::Cancelled.into());
        }
        let volume = shared.volume(&case.image)?;
        let (mask, grid) = match options.labels.is_empty() {
            true => shared.mask("mask", &case.mask)?,
            false => shared.labels("mask", &case.mask, &options.label_bits())?,
        };
        if !same_grid(volume.geometry(), &grid) {
            let fault = "it does not lie on the image's grid: size, spacing, origin or direction differ";
            return Err(Error::argument("mask", format!("{}: {fault}", case.name)).into());
        }
        let prepared = TrainingCase::new(&case.name, &volume, mask.view(), &options.model_config())?;
        match case.role {
            Role::Train => cases.train.push(Arc::new(prepared)),
            Role::Validate => cases.validation.push(Arc::new(prepared)),
        }
    }
    // The cases' file is not needed any more, and a training may take days.
    drop(shared);
    let count = cases.train.len();
    let time = (asked.minutes > 0.0).then(|| Duration::from_secs_f64(60.0 * asked.minutes));
    let mut run = Run::new(options, cases)?.device(device).time(time);
    if let Some(folder) = &asked.folder {
        files::create_folder(folder)?;
        run = run.folder(folder, asked.resume);
    }
    if let Some(model) = init {
        run = run.init(Model::clone(&model));
    }
    let outcome = run.train(&task.cancel, &|event| task.report(event.fraction, words::event(event)))?;
    let mut value = task.worker.models.keep(outcome.model);
    value["end"] = json!(match outcome.end {
        RunEnd::Done => "done",
        RunEnd::OutOfTime => "out of time",
        RunEnd::Cancelled => "cancelled",
    });
    value["cases"] = json!(count);
    value["dice"] = json!(View::ALL
        .map(|view| (view.name(), outcome.dice.get(&view).copied().flatten()))
        .into_iter()
        .collect::<BTreeMap<_, _>>());
    Ok(value)
}
