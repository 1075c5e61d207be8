//! `ggpfn info`: what a model file or an image is.

use std::path::PathBuf;

use ggpfn::io::{self, ReadOptions};
use ggpfn::network::{layout, Model};
use ggpfn::quality::InputFeatures;
use ggpfn::Result;
use serde_json::json;

/// Describe a model file, or an image
///
/// For a model: views, parameters, receptive field, slices, window, spacing, provenance and SHA-256. For an image or DICOM
/// folder: size, spacing, orientation, range of Hounsfield units, and warnings where it does not look like a CT of the abdomen.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model file (.safetensors), an image or a DICOM folder
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let path = &arguments.path;
    let model = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    let lines = if model { describe_model(&Model::load(path)?) } else { describe_image(path)? };
    if arguments.json {
        say!("{:#}", serde_json::Value::Object(lines.into_iter().collect()));
        return Ok(());
    }
    say!("{}", path.display());
    for (name, value) in &lines {
        if name == WARNINGS {
            for warning in value.as_array().into_iter().flatten() {
                log::warn!("{}", warning["text"].as_str().unwrap_or_default());
            }
            continue;
        }
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        say!("  {:<22}{text}", name.replace('_', " "));
    }
    Ok(())
}

/// The entry that goes to stderr where people read.
const WARNINGS: &str = "warnings";

type Lines = Vec<(String, serde_json::Value)>;

fn lines<const N: usize>(entries: [(&str, serde_json::Value); N]) -> Lines {
    entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn describe_model(model: &Model) -> Lines {
    let config = model.config();
    let names: Vec<_> = config.views.iter().map(|view| view.name()).collect();
    let parameters = layout::parameters(config);
    let labels: Vec<_> = config.labels.labels.iter().map(|label| format!("{} {}", label.value, label.name)).collect();
    let of_network = config.network_lines().into_iter().map(|(name, value)| (name.to_string(), value));
    let common = lines([
        ("format", json!(config.format)),
        ("network", json!(config.network_name())),
        ("labels", json!(labels.join(", "))),
        ("views", json!(names.join(", "))),
        ("parameters_per_view", json!(parameters)),
        ("parameters", json!(parameters * config.views.len())),
    ]);
    let rest = lines([
        ("window_hu", json!(config.window)),
        ("spacing_mm", config.spacing.map_or(json!("the scan's own"), |spacing| json!(spacing))),
        ("view_weights", json!(config.view_weights)),
        ("threshold", json!(config.threshold)),
        ("training", config.training.clone()),
        ("sha256", json!(model.sha256())),
    ]);
    common.into_iter().chain(of_network).chain(rest).collect()
}

fn describe_image(path: &std::path::Path) -> Result<Lines> {
    let volume = io::read(path, &ReadOptions::default())?;
    let geometry = volume.geometry();
    let features = InputFeatures::of(&volume);
    Ok(lines([
        ("size", json!(geometry.size)),
        ("spacing_mm", json!(geometry.spacing)),
        ("origin_lps_mm", json!(geometry.origin)),
        ("direction", json!(geometry.direction)),
        ("orientation", json!(geometry.orientation())),
        ("lowest_hu", json!(features.lowest_hu)),
        ("highest_hu", json!(features.highest_hu)),
        (WARNINGS, json!(features.warnings())),
    ]))
}
