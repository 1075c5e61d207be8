//! The networks that the paper compares the GGPFN with (table 1): two 3D U-Nets, FCN8s and RSTN.
//!
//! The paper names them and gives their parameter counts; their layers follow from their own sources, and the counts come out in every row
//! (docs/baselines.md says what is stated where and what was decided). Each is written once, on [`modules`]: the same code says which
//! tensors there are, and computes with them, in training and in inference alike.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tch::Tensor;

use super::entry::Entry;
use crate::labels::LabelSet;
use crate::volume::View;
use crate::Result;

mod fcn8s;
pub mod modules;
mod rstn;
mod unet;

pub use fcn8s::{Dropout, Fcn8s};
pub use rstn::{Crop, Rstn, MARGIN as RSTN_MARGIN};
pub use unet::{UnetFull, UnetPatch, UNET_PATCH_BORDER};

/// Which of them, and how large. Widths are the channels of the first convolution, to which all others are in proportion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "baseline", rename_all = "kebab-case")]
pub enum Baseline {
    /// Cicek et al.'s 3D U-Net on tiles of the volume at half its resolution; valid convolutions.
    UnetPatch {
        /// 32 in the paper's comparison.
        #[serde(default = "unet_width")]
        width: usize,
        /// The voxels `[z, y, x]` that a tile segments; it sees 44 more on each side. 4 and multiples of 8 more.
        #[serde(default = "unet_tile")]
        tile: [usize; 3],
    },
    /// A 3D U-Net with summed skip connections on the whole volume, resized.
    UnetFull {
        /// 32 in the paper's comparison.
        #[serde(default = "unet_width")]
        width: usize,
        /// The voxels `[z, y, x]` that volumes are resized to; multiples of 8.
        #[serde(default = "unet_size")]
        size: [usize; 3],
    },
    /// Long, Shelhamer and Darrell's FCN-8s, on three neighbouring slices.
    #[serde(rename = "fcn8s")]
    Fcn8s {
        /// 64 in the paper's comparison.
        #[serde(default = "fcn_width")]
        width: usize,
        /// Batch normalisation in place of biases, for trainings that do not begin with weights from elsewhere.
        #[serde(default)]
        scratch: bool,
    },
    /// Yu et al.'s recurrent saliency transformation network: two FCN-8s, the second on what the first found.
    Rstn {
        /// 64 in the paper's comparison.
        #[serde(default = "fcn_width")]
        width: usize,
        /// As in FCN8s.
        #[serde(default)]
        scratch: bool,
    },
}

fn unet_width() -> usize {
    32
}

fn unet_tile() -> [usize; 3] {
    [28, 44, 44]
}

fn unet_size() -> [usize; 3] {
    [128; 3]
}

fn fcn_width() -> usize {
    64
}

impl Baseline {
    /// The names of all.
    pub const NAMES: [&'static str; 4] = ["unet-patch", "unet-full", "fcn8s", "rstn"];

    /// The one of a name, as large as in the paper's comparison; FCNs without batch normalisation.
    ///
    /// # Errors
    /// A sentence for other names.
    pub fn named(name: &str) -> std::result::Result<Self, String> {
        serde_json::from_value(json!({ "baseline": name }))
            .map_err(|_| format!("\"{name}\" is no baseline; expected {}", Self::NAMES.join(", ")))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Baseline::UnetPatch { .. } => Self::NAMES[0],
            Baseline::UnetFull { .. } => Self::NAMES[1],
            Baseline::Fcn8s { .. } => Self::NAMES[2],
            Baseline::Rstn { .. } => Self::NAMES[3],
        }
    }

    /// The channels of its first convolution.
    pub fn width(&self) -> usize {
        match self {
            Baseline::UnetPatch { width, .. }
            | Baseline::UnetFull { width, .. }
            | Baseline::Fcn8s { width, .. }
            | Baseline::Rstn { width, .. } => *width,
        }
    }

    /// The same with other channels.
    pub fn with_width(mut self, new: usize) -> Self {
        match &mut self {
            Baseline::UnetPatch { width, .. }
            | Baseline::UnetFull { width, .. }
            | Baseline::Fcn8s { width, .. }
            | Baseline::Rstn { width, .. } => *width = new,
        }
        self
    }

    /// The same with batch normalisation, as FCNs have it that do not begin with weights from elsewhere.
    pub fn from_scratch(mut self) -> Self {
        if let Baseline::Fcn8s { scratch, .. } | Baseline::Rstn { scratch, .. } = &mut self {
            *scratch = true;
        }
        self
    }

    /// Whether it is a network of volumes, not of slices: then it has no views to fuse.
    pub fn is_volumetric(&self) -> bool {
        matches!(self, Baseline::UnetPatch { .. } | Baseline::UnetFull { .. })
    }

    /// The grid that it works on; see [`ModelConfig::working_grid`](super::ModelConfig::working_grid).
    pub(super) fn working_grid(&self, size: [usize; 3], spacing: [f64; 3]) -> ([usize; 3], [f64; 3]) {
        let working = match self {
            Baseline::UnetPatch { .. } => size.map(|n| n.div_ceil(2)),
            Baseline::UnetFull { size, .. } => *size,
            Baseline::Fcn8s { .. } | Baseline::Rstn { .. } => size,
        };
        (working, std::array::from_fn(|axis| spacing[axis] * size[axis] as f64 / working[axis] as f64))
    }

    /// What there is to say about it, for people.
    pub(super) fn lines(&self) -> Vec<(&'static str, serde_json::Value)> {
        let mut lines = vec![("width", json!(self.width()))];
        match self {
            Baseline::UnetPatch { tile, .. } => lines.push(("tile", json!(tile))),
            Baseline::UnetFull { size, .. } => lines.push(("size", json!(size))),
            Baseline::Fcn8s { scratch, .. } | Baseline::Rstn { scratch, .. } => {
                lines.push(("slices", json!(3)));
                lines.push(("batch_normalisation", json!(scratch)));
            }
        }
        lines
    }

    /// Refuses what no network can be built from.
    pub(super) fn check(&self, labels: &LabelSet, views: &[View]) -> std::result::Result<(), String> {
        let width = self.width();
        if !(1..=512).contains(&width) {
            return Err(format!("width is {width}; a number from 1 to 512 was expected"));
        }
        match self {
            Baseline::UnetPatch { tile, .. } if tile.iter().any(|n| n % 8 != 4 || *n > 516) => {
                return Err(format!("tile is {tile:?}; 4, 12, 20 and so on up to 516 were expected"));
            }
            Baseline::UnetFull { size, .. } if size.iter().any(|n| *n == 0 || n % 8 != 0 || *n > 512) => {
                return Err(format!("size is {size:?}; multiples of 8 up to 512 were expected"));
            }
            Baseline::Rstn { .. } if labels.count() > 1 => {
                return Err(format!(
                    "it has {} labels, and a saliency transformation is that of one organ; train a network for each label",
                    labels.count()
                ));
            }
            _ => {}
        }
        if self.is_volumetric() && views != [View::Axial] {
            return Err(format!(
                "a network of volumes has one view, which is called axial; {} were given",
                views.iter().map(|view| view.name()).collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(())
    }
}

/// All tensors of such a network.
pub(super) fn table(baseline: &Baseline, labels: usize) -> Vec<Entry> {
    let mut table = modules::Table::default();
    // Writing entries down cannot fail.
    let _ = BaselineNetwork::build(baseline, labels, &mut table);
    table.entries
}

/// One of the networks, ready to compute.
#[derive(Debug)]
pub enum BaselineNetwork {
    /// See [`UnetPatch`].
    UnetPatch(UnetPatch),
    /// See [`UnetFull`].
    UnetFull(UnetFull),
    /// See [`Fcn8s`].
    Fcn8s(Box<Fcn8s>),
    /// See [`Rstn`].
    Rstn(Box<Rstn>),
}

impl BaselineNetwork {
    /// The network of a configuration, with so many labels, on the tensors of a source.
    ///
    /// # Errors
    /// Those of the source.
    pub fn build(baseline: &Baseline, labels: usize, source: &mut dyn modules::Source) -> Result<Self> {
        Ok(match baseline {
            Baseline::UnetPatch { width, .. } => BaselineNetwork::UnetPatch(UnetPatch::build(*width, labels, source)?),
            Baseline::UnetFull { width, .. } => BaselineNetwork::UnetFull(UnetFull::build(*width, labels, source)?),
            Baseline::Fcn8s { width, scratch } => {
                BaselineNetwork::Fcn8s(Box::new(Fcn8s::build("", *width, *scratch, labels, source)?))
            }
            Baseline::Rstn { width, scratch } => {
                BaselineNetwork::Rstn(Box::new(Rstn::build(*width, *scratch, source)?))
            }
        })
    }

    /// The network on tensors that somebody else owns: `tensor` gives the one of a name of the [layer table](super::layout).
    ///
    /// # Errors
    /// Those of `tensor`.
    pub fn assemble(baseline: &Baseline, labels: usize, tensor: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        Self::build(baseline, labels, &mut modules::Given(tensor))
    }
}
