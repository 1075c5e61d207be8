//! `ggpfn new-model`: an untrained model file.

use std::path::PathBuf;

use ggpfn::labels::LabelSet;
use ggpfn::network::{
    layout, Baseline, Fusion, GgpfnConfig, Model, ModelConfig, NetworkConfig, Pretrained, WeightType,
};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::View;
use ggpfn::{Error, Result};
use serde_json::json;

/// Write an untrained model, drawn from a seed
///
/// Untrained means that its masks mean nothing: it is for trying things out and for starting a training. The same seed gives
/// the same file everywhere.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model file to write (.safetensors)
    output: PathBuf,
    /// The seed that the weights are drawn from
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// What is segmented, by name, in the order of the network's outputs; the first is the main label
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_values = ["pancreas"])]
    labels: Vec<String>,
    /// Whether a voxel has one of the labels at most; without it a later label may lie within an earlier one, as a tumour in its organ
    #[arg(long)]
    exclusive_labels: bool,
    /// Another network than a GGPFN, one of those that the paper compares it with: unet-patch, unet-full, fcn8s or rstn
    #[arg(long, value_name = "NAME", value_parser = Baseline::named,
          conflicts_with_all = ["fusion", "t", "widths", "global_widths", "no_global", "global_size"])]
    baseline: Option<Baseline>,
    /// Channels of a baseline's first convolution: 32 for the U-Nets and 64 for the others, if left out
    #[arg(long, value_name = "C", requires = "baseline")]
    width: Option<usize>,
    /// Batch normalisation in fcn8s and rstn, for trainings that do not begin with weights from elsewhere
    #[arg(long, requires = "baseline")]
    scratch: bool,
    /// Begin fcn8s or rstn with the weights of a VGG-16 or FCN-8s: a safetensors file with torchvision's names (features.0.weight) or those of
    /// the layers (conv1_1.weight)
    #[arg(long, value_name = "FILE", requires = "baseline", conflicts_with = "scratch")]
    weights: Option<PathBuf>,
    /// The views that get a network: all three if left out, and the axial one for the U-Nets, which see volumes
    #[arg(long, value_name = "VIEW,...", value_delimiter = ',')]
    views: Vec<View>,
    /// Fusion of neighbouring slices: progressive or one-off
    #[arg(long, default_value = "progressive", value_parser = parse_fusion)]
    fusion: Fusion,
    /// T: a slice is computed from 2T + 1 slices, 1 to 15
    #[arg(long, short, default_value_t = 15, value_name = "T")]
    t: usize,
    /// Channels of the encoder's four groups
    #[arg(long, value_name = "C,...", value_delimiter = ',', default_values_t = [32, 64, 128, 256])]
    widths: Vec<usize>,
    /// Channels of the global branch's five groups
    #[arg(long, value_name = "C,...", value_delimiter = ',', default_values_t = [16, 32, 64, 128, 256])]
    global_widths: Vec<usize>,
    /// Leave the global guidance branch out
    #[arg(long, conflicts_with = "global_widths")]
    no_global: bool,
    /// Size that slices are downsampled to for the global branch: multiples of 32
    #[arg(long, value_name = "H,W", value_delimiter = ',', default_values_t = [224, 224])]
    global_size: Vec<usize>,
    /// Hounsfield units that map to 0 and 1
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', allow_hyphen_values = true,
          default_values_t = [-100.0, 240.0])]
    window: Vec<f64>,
    /// Working spacing in mm; the scan's own grid if left out
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',')]
    spacing: Vec<f64>,
    /// Weights of the views in the fusion, in the order of --views; equal if left out
    #[arg(long, value_name = "W,...", value_delimiter = ',')]
    view_weights: Vec<f64>,
    /// Store the weights as f32, f16 or bf16
    #[arg(long, default_value = "f32", value_parser = parse_weight_type)]
    store: WeightType,
}

fn parse_fusion(text: &str) -> std::result::Result<Fusion, String> {
    match text {
        "progressive" => Ok(Fusion::Progressive),
        "one-off" => Ok(Fusion::OneOff),
        _ => Err("expected progressive or one-off".into()),
    }
}

pub fn parse_weight_type(text: &str) -> std::result::Result<WeightType, String> {
    match text {
        "f32" => Ok(WeightType::F32),
        "f16" => Ok(WeightType::F16),
        "bf16" => Ok(WeightType::BF16),
        _ => Err("expected f32, f16 or bf16".into()),
    }
}

/// A baseline as the options --width and --scratch want it.
pub fn sized(baseline: Baseline, width: Option<usize>, scratch: bool) -> Baseline {
    let baseline = if scratch { baseline.from_scratch() } else { baseline };
    match width {
        Some(width) => baseline.with_width(width),
        None => baseline,
    }
}

/// The `N` numbers of a list option.
fn exactly<T: Copy, const N: usize>(name: &'static str, values: &[T]) -> Result<[T; N]> {
    values
        .try_into()
        .map_err(|_| Error::Argument { name, fault: format!("{} numbers; {N} were expected", values.len()) })
}

pub fn run(arguments: Arguments) -> Result<()> {
    outputs::check(arguments.weights.as_deref(), &[Output::new("OUTPUT", &arguments.output, Kind::Model)])?;
    let volumetric = arguments.baseline.as_ref().is_some_and(Baseline::is_volumetric);
    let views = match (arguments.views.is_empty(), volumetric) {
        (false, _) => arguments.views,
        (true, true) => vec![View::Axial],
        (true, false) => View::ALL.to_vec(),
    };
    let weights = match arguments.view_weights.len() {
        0 => vec![1.0 / views.len() as f64; views.len()],
        n if n == views.len() => arguments.view_weights,
        n => {
            let fault = format!("{n} numbers for {} views; one each was expected", views.len());
            return Err(Error::Argument { name: "--view-weights", fault });
        }
    };
    let global_size = exactly("--global-size", &arguments.global_size)?;
    let labels = LabelSet {
        exclusive: arguments.exclusive_labels,
        ..LabelSet::named(arguments.labels.iter().map(String::as_str))
    };
    let network: NetworkConfig = match arguments.baseline {
        Some(baseline) => sized(baseline, arguments.width, arguments.scratch).into(),
        None => GgpfnConfig {
            fusion: arguments.fusion,
            t: arguments.t,
            widths: exactly("--widths", &arguments.widths)?,
            global_widths: match arguments.no_global {
                true => None,
                false => Some(exactly("--global-widths", &arguments.global_widths)?),
            },
            global_size: views.iter().map(|view| (*view, global_size)).collect(),
        }
        .into(),
    };
    let config = ModelConfig {
        format: ModelConfig::format_of(&network, &labels),
        labels,
        network,
        window: exactly("--window", &arguments.window)?,
        spacing: match arguments.spacing[..] {
            [] => None,
            ref spacing => Some(exactly("--spacing", spacing)?),
        },
        view_weights: views.iter().copied().zip(weights).collect(),
        training: json!({ "trained": false, "seed": arguments.seed, "ggpfn": env!("CARGO_PKG_VERSION") }),
        views,
        ..ModelConfig::default()
    };
    let mut model = Model::new_untrained(config, arguments.seed)?;
    if let Some(path) = &arguments.weights {
        model = Pretrained::load(path)?.fill(model)?;
    }
    model.save(&arguments.output, arguments.store)?;
    say!(
        "{}: untrained, {} parameters for each of {} views",
        arguments.output.display(),
        layout::parameters(model.config()),
        model.config().views.len()
    );
    Ok(())
}
