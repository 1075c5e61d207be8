//! The model file: one safetensors file that holds the configuration and the weights (docs/network.md, section 6).
//!
//! A file is checked whole before anything of it is used: the header's limits, the configuration, and for every tensor of
//! the [layer table](super::layout) its name, shape and type. A [`Model`] is plain numbers that any number of threads may
//! share; no libtorch is needed to read, describe or write one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::config::{ModelConfig, FORMAT, LABELS_FORMAT};
use super::layout::{self, Role};
use crate::files;
use crate::limits::Attainable;
use crate::outputs::{self, Output, MODEL_KEY};
use crate::volume::View;
use crate::{Error, Result};

/// The number type that weights are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// bfloat16.
    BF16,
}

/// A tensor in plain memory, C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The extents, in PyTorch's order.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// A model: configuration and weights of one network for each of its views.
#[derive(Clone, Debug)]
pub struct Model {
    config: ModelConfig,
    weights: BTreeMap<String, Array>,
    sha256: String,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Model`] if it is truncated, not a safetensors file, of another format
    /// number, or its tensors differ from the layer table in name, shape or type.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&map(path)?, path)
    }

    /// Reads a model from the bytes of a model file; `origin` is what messages call it.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_bytes(bytes: &[u8], origin: &Path) -> Result<Self> {
        // What stands in a file may be quoted, and a message is one line.
        let in_one_line = |text: String| text.replace(char::is_control, " ");
        let fault = |text: String| Error::Model { path: PathBuf::from(origin), fault: in_one_line(text) };
        let file = SafeTensors::deserialize(bytes).map_err(|e| fault(not_safetensors(bytes, &e)))?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| fault(not_safetensors(bytes, &e)))?;
        let json = header.metadata().as_ref().and_then(|m| m.get(MODEL_KEY)).ok_or_else(|| {
            fault(format!("a safetensors file, but not a GGPFN model: its header has no \"{MODEL_KEY}\" entry"))
        })?;
        let config = parse_config(json).map_err(fault)?;

        let mut weights = BTreeMap::new();
        for view in &config.views {
            for entry in layout::table(&config) {
                let name = format!("{view}.{}", entry.name);
                let tensor = file.tensor(&name).map_err(|_| {
                    fault(format!("the tensor {name} is missing; the file's configuration calls for it"))
                })?;
                if tensor.shape() != entry.shape {
                    return Err(fault(format!(
                        "the tensor {name} has the shape {:?}; the file's configuration calls for {:?}",
                        tensor.shape(),
                        entry.shape
                    )));
                }
                let values = to_f32(&tensor).ok_or_else(|| {
                    fault(format!("the tensor {name} is stored as {:?}; F32, F16 or BF16 was expected", tensor.dtype()))
                })?;
                let broken = |v: &f32| !v.is_finite() || (entry.role == Role::Variance && *v < 0.0);
                if let Some(value) = values.iter().find(|v| broken(v)) {
                    return Err(fault(format!("the tensor {name} holds {value}, which no trained network has")));
                }
                weights.insert(name, Array { shape: entry.shape, values });
            }
        }
        for name in file.names() {
            // PyTorch's own counter of batches, which a state dictionary brings along and inference does not use.
            if !weights.contains_key(name) && !name.ends_with(".num_batches_tracked") {
                return Err(fault(format!("the tensor {name} has no place in the network that the file describes")));
            }
        }
        Ok(Model { config, weights, sha256: files::hex(&Sha256::digest(bytes)) })
    }

    /// An untrained model whose weights are drawn from `seed`: the same seed gives the same bytes everywhere.
    ///
    /// Convolutions are drawn as He et al. (2015) do it, for ReLU; batch normalisation starts as the identity; readouts are drawn
    /// small, so that probabilities start around one half.
    ///
    /// # Errors
    /// [`Error::Argument`] if the configuration is unusable, [`Error::Memory`] for layers so wide that the weights would not fit.
    pub fn new_untrained(config: ModelConfig, seed: u64) -> Result<Self> {
        config.check().map_err(|text| Error::argument("model configuration", text))?;
        let bytes = 4 * layout::parameters(&config) as u64 * config.views.len() as u64;
        if let Some(attainable) = Attainable::now().filter(|attainable| bytes > attainable.bytes / 2) {
            return Err(Error::Memory(format!(
                "networks of {} views with {:.1} GB of weights were asked for, and {attainable}; choose narrower layers",
                config.views.len(),
                bytes as f64 / 1e9,
            )));
        }
        let mut weights = BTreeMap::new();
        for view in &config.views {
            // A stream of its own for each view: a model of one view has the weights that it has in a model of three.
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(view.axes()[0] as u64);
            for entry in layout::table(&config) {
                let size = entry.shape.iter().product();
                let fan_in = entry.shape.iter().skip(1).product::<usize>() as f32;
                let values = match entry.role {
                    Role::Weight => normal(&mut random, size, (2.0 / fan_in).sqrt()),
                    Role::Readout => normal(&mut random, size, 0.5 * (1.0 / fan_in).sqrt()),
                    Role::Shift | Role::ReadoutShift | Role::Mean => vec![0.0; size],
                    Role::Scale | Role::Variance => vec![1.0; size],
                    Role::Xavier => {
                        // Evenly, with the variance 2 / (inputs + outputs).
                        let fan_out = size as f32 / entry.shape.get(1).copied().unwrap_or(1) as f32;
                        let bound = (6.0 / (fan_in + fan_out)).sqrt();
                        (0..size).map(|_| (2.0 * random.random::<f32>() - 1.0) * bound).collect()
                    }
                    Role::Given(values) => values.iter().copied().cycle().take(size).collect(),
                };
                weights.insert(format!("{view}.{}", entry.name), Array { shape: entry.shape, values });
            }
        }
        Self::from_weights(config, weights)
    }

    /// A model of given weights, which must be those of the layer table.
    ///
    /// # Errors
    /// [`Error::Argument`] if the configuration is unusable or a tensor is missing or has another shape.
    pub fn from_weights(config: ModelConfig, weights: BTreeMap<String, Array>) -> Result<Self> {
        config.check().map_err(|text| Error::argument("model configuration", text))?;
        let mut model = Model { config, weights, sha256: String::new() };
        // Its own bytes are read back: one place checks tensors, and the hash is that of the file it would be.
        let bytes = model.to_bytes(WeightType::F32)?;
        model = Self::from_bytes(&bytes, Path::new("model")).map_err(|e| Error::argument("weights", e.to_string()))?;
        Ok(model)
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// All tensors by their full names.
    pub fn weights(&self) -> &BTreeMap<String, Array> {
        &self.weights
    }

    /// The tensor `name` of a view's network, `name` being without the view.
    ///
    /// # Errors
    /// [`Error::Argument`] if the model has no such tensor.
    pub fn tensor(&self, view: View, name: &str) -> Result<&Array> {
        self.weights
            .get(&format!("{view}.{name}"))
            .ok_or_else(|| Error::argument("model", format!("it has no tensor {view}.{name}")))
    }

    /// SHA-256 of the file's bytes (of the file it would be in F32, for a model that was never a file), in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Writes the model file; it appears whole or not at all. A file that is there already is replaced only if it is a model too.
    ///
    /// # Errors
    /// [`Error::Argument`] for an existing file of another kind, [`Error::File`] if it cannot be written.
    pub fn save(&self, path: &Path, stored_as: WeightType) -> Result<()> {
        outputs::check_existing(&Output::new("path", path, outputs::Kind::Model))?;
        let bytes = self.to_bytes(stored_as)?;
        files::write(path, &bytes)
    }

    /// The bytes of the model file.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_bytes(&self, stored_as: WeightType) -> Result<Vec<u8>> {
        let internal = |e: String| Error::argument("model", format!("cannot be written: {e}"));
        let json = serde_json::to_string(&self.config).map_err(|e| internal(e.to_string()))?;
        let stored: Vec<(&String, &Array, Vec<u8>)> =
            self.weights.iter().map(|(name, array)| (name, array, encode(&array.values, stored_as))).collect();
        let dtype = match stored_as {
            WeightType::F32 => Dtype::F32,
            WeightType::F16 => Dtype::F16,
            WeightType::BF16 => Dtype::BF16,
        };
        let mut views = Vec::with_capacity(stored.len());
        for (name, array, bytes) in &stored {
            let view = TensorView::new(dtype, array.shape.clone(), bytes).map_err(|e| internal(e.to_string()))?;
            views.push((name.as_str(), view));
        }
        let metadata = std::collections::HashMap::from([(MODEL_KEY.to_string(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| internal(e.to_string()))
    }
}

/// A file's bytes, mapped, so that they are not in memory twice while they are converted.
fn map(path: &Path) -> Result<memmap2::Mmap> {
    let file = std::fs::File::open(path).map_err(|e| Error::file("open", path, e))?;
    let metadata = file.metadata().map_err(|e| Error::file("read", path, e))?;
    if metadata.is_dir() {
        return Err(Error::model(path, "this is a folder; a model file (.safetensors) was expected"));
    }
    if metadata.len() == 0 {
        return Err(Error::model(path, "the file is empty; a model file (.safetensors) was expected"));
    }
    // Sound as long as nobody shortens the file meanwhile: this library replaces model files by renaming, which leaves a mapped one as it was.
    unsafe { memmap2::Mmap::map(&file) }.map_err(|e| Error::file("read", path, e))
}

/// All tensors of floating-point numbers in a safetensors file of whatever origin, and the SHA-256 of its bytes.
///
/// # Errors
/// [`Error::File`] if it cannot be read, [`Error::Model`] if it is no safetensors file.
pub(super) fn read_tensors(path: &Path) -> Result<(BTreeMap<String, Array>, String)> {
    let bytes = map(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::model(path, not_safetensors(&bytes, &e).replace(char::is_control, " ")))?;
    let arrays = file.iter().filter_map(|(name, tensor)| {
        let values = to_f32(&tensor)?;
        Some((name.to_string(), Array { shape: tensor.shape().to_vec(), values }))
    });
    Ok((arrays.collect(), files::hex(&Sha256::digest(&bytes))))
}

fn parse_config(json: &str) -> std::result::Result<ModelConfig, String> {
    // The number first: a later format may have other entries, and "unknown format" is what its reader needs to hear.
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|e| format!("its configuration is not valid JSON: {e}"))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(number) if (u64::from(FORMAT)..=u64::from(LABELS_FORMAT)).contains(&number) => {}
        Some(number) => {
            return Err(format!(
                "its format is number {number}; this version reads numbers {FORMAT} and {LABELS_FORMAT}: update ggpfn"
            ))
        }
        None => return Err("its configuration has no format number".into()),
    }
    let config: ModelConfig =
        serde_json::from_value(value).map_err(|e| format!("its configuration cannot be used: {e}"))?;
    config.check().map_err(|text| format!("its configuration cannot be used: {text}"))?;
    Ok(config)
}

fn not_safetensors(bytes: &[u8], error: &safetensors::SafeTensorError) -> String {
    let pickle = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02");
    if pickle {
        return "this is a PyTorch pickle, which can run any code when it is opened; ggpfn reads safetensors files only".into();
    }
    format!("not a whole safetensors file ({error}); it is truncated, damaged or of another kind")
}

fn to_f32(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = tensor.data();
    let pair = |c: &[u8]| u16::from_le_bytes([c[0], c[1]]);
    Some(match tensor.dtype() {
        Dtype::F32 => bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect(),
        Dtype::F16 => bytes.chunks_exact(2).map(|c| half::f16::from_bits(pair(c)).to_f32()).collect(),
        Dtype::BF16 => bytes.chunks_exact(2).map(|c| half::bf16::from_bits(pair(c)).to_f32()).collect(),
        _ => return None,
    })
}

fn encode(values: &[f32], stored_as: WeightType) -> Vec<u8> {
    match stored_as {
        WeightType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        WeightType::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_bits().to_le_bytes()).collect(),
        WeightType::BF16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_bits().to_le_bytes()).collect(),
    }
}

/// `size` numbers from a normal distribution of mean 0 (Box and Muller's method; in float64, whose elementary functions agree
/// to far below a float32's last bit wherever this runs).
fn normal(random: &mut ChaCha8Rng, size: usize, deviation: f32) -> Vec<f32> {
    let mut values = Vec::with_capacity(size + 1);
    while values.len() < size {
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
        values.push((radius * cos) as f32 * deviation);
        values.push((radius * sin) as f32 * deviation);
    }
    values.truncate(size);
    values
}
