//! `ggpfn combine`: views that were trained apart, in one model file.

use std::path::PathBuf;

use ggpfn::network::{Model, ModelConfig, WeightType};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::{Error, Result};
use serde_json::json;

use crate::new_model::parse_weight_type;

/// Put views that were trained apart into one model file, or store a model in another number format
///
/// The files have to be of one kind of network, and no view may come twice. Window, spacing and threshold are the first file's, and the
/// others' have to be the same.
#[derive(clap::Args)]
#[command(
    override_usage = "ggpfn combine [OPTIONS] <MODEL>... <OUTPUT>",
    after_help = "Examples:
  ggpfn combine axial/model.safetensors sagittal/model.safetensors coronal/model.safetensors all.safetensors
  ggpfn combine trained.safetensors small.safetensors --store f16"
)]
pub struct Arguments {
    /// One or more model files, then the output
    #[arg(required = true, num_args = 1.., value_names = ["MODEL", "OUTPUT"])]
    paths: Vec<PathBuf>,
    /// Store the weights as f32, f16 or bf16
    #[arg(long, default_value = "f32", value_parser = parse_weight_type)]
    store: WeightType,
    /// Weights of the views in the fusion, in the order axial, sagittal, coronal of those there are; the files' own if left out
    #[arg(long, value_name = "W,...", value_delimiter = ',')]
    view_weights: Vec<f64>,
    /// Probabilities from here on are pancreas, 0 to 1; the first file's if left out
    #[arg(long, value_name = "P")]
    threshold: Option<f64>,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Some((output, inputs)) = arguments.paths.split_last().filter(|(_, inputs)| !inputs.is_empty()) else {
        return Err(Error::Argument { name: "MODEL OUTPUT", fault: "two paths were expected".into() });
    };
    outputs::check(inputs.iter().map(PathBuf::as_path), &[Output::new("OUTPUT", output, Kind::Model)])?;
    let models: Vec<Model> = inputs.iter().map(|path| Model::load(path)).collect::<Result<_>>()?;
    let mut config = models[0].config().clone();
    let mut weights = models[0].weights().clone();
    for (model, path) in models.iter().zip(inputs).skip(1) {
        let other = model.config();
        // Alike but for what belongs to views.
        let mut network = other.network.clone();
        network.take_views(&config.network);
        let alike = ModelConfig {
            network,
            views: config.views.clone(),
            view_weights: config.view_weights.clone(),
            training: config.training.clone(),
            ..other.clone()
        };
        if alike != config {
            let fault = format!(
                "{} is of another kind of network than {}, or has another window, spacing or threshold (ggpfn info shows them)",
                path.display(),
                inputs[0].display()
            );
            return Err(Error::Argument { name: "MODEL", fault });
        }
        if let Some(view) = other.views.iter().find(|view| config.views.contains(view)) {
            let fault = format!("{} has a {view} view too; each may come once", path.display());
            return Err(Error::Argument { name: "MODEL", fault });
        }
        for view in &other.views {
            config.views.push(*view);
            config.view_weights.insert(*view, other.view_weights[view]);
        }
        config.network.take_views(&other.network);
        weights.extend(model.weights().iter().map(|(name, array)| (name.clone(), array.clone())));
    }
    config.views.sort();
    if models.len() > 1 {
        let parts: Vec<_> = models.iter().map(|m| m.config().training.clone()).collect();
        config.training = json!({ "trained": parts.iter().all(|part| part["trained"] == true), "combined": parts });
    }
    if !arguments.view_weights.is_empty() {
        if arguments.view_weights.len() != config.views.len() {
            let fault = format!("{} numbers for {} views", arguments.view_weights.len(), config.views.len());
            return Err(Error::Argument { name: "--view-weights", fault });
        }
        config.view_weights = config.views.iter().copied().zip(arguments.view_weights).collect();
    }
    config.threshold = arguments.threshold.unwrap_or(config.threshold);
    Model::from_weights(config, weights)?.save(output, arguments.store)?;
    say!("{}", output.display());
    Ok(())
}
