//! The stages of training: which there are, for which network, in which order.

use super::{StageOptions, TrainOptions};
use crate::network::{Baseline, ModelConfig, NetworkConfig};
use crate::{Error, Result};

/// A stage of training. GGPFN has the first three (paper, section 3.2), RSTN the last three; other networks are trained whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The global branch alone.
    Global,
    /// The progressive fusion network alone.
    Local,
    /// The whole network.
    Whole,
    /// RSTN: the fine network sees the plain image, cropped by the truth.
    Separate,
    /// RSTN: it sees the image times its saliency, cropped by the truth.
    Individual,
    /// RSTN: it sees that, cropped by what the coarse network found.
    Joint,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Stage; 6] =
        [Stage::Global, Stage::Local, Stage::Whole, Stage::Separate, Stage::Individual, Stage::Joint];

    /// Its name in logs and options.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Global => "global",
            Stage::Local => "local",
            Stage::Whole => "whole",
            Stage::Separate => "separate",
            Stage::Individual => "individual",
            Stage::Joint => "joint",
        }
    }

    /// Those of a network.
    pub fn of(network: &NetworkConfig) -> &'static [Stage] {
        match network {
            NetworkConfig::Ggpfn(network) if network.global_widths.is_some() => &Self::ALL[..3],
            NetworkConfig::Ggpfn(_) => &Self::ALL[1..3],
            NetworkConfig::Baseline(Baseline::Rstn { .. }) => &Self::ALL[3..],
            NetworkConfig::Baseline(_) => &[Stage::Whole],
        }
    }

    /// Its part of the options.
    pub(super) fn options(self, options: &TrainOptions) -> &StageOptions {
        match self {
            Stage::Global => &options.global,
            Stage::Local => &options.local,
            Stage::Whole => &options.whole,
            Stage::Separate => options.separate.as_ref().unwrap_or(&options.whole),
            Stage::Individual => options.individual.as_ref().unwrap_or(&options.whole),
            Stage::Joint => options.joint.as_ref().unwrap_or(&options.whole),
        }
    }

    /// Whether masks come out of it, not only maps of a part of the network.
    pub(super) fn makes_masks(self) -> bool {
        self != Stage::Global
    }

    /// Whether a global branch is at work in it.
    pub(super) fn is_guided(self) -> bool {
        matches!(self, Stage::Global | Stage::Whole)
    }

    /// What a sample costs in it, where 1 is the whole network.
    pub(super) fn cost(self) -> f64 {
        match self {
            Stage::Global => 0.125,
            _ => 1.0,
        }
    }

    /// What is left of the learning rate each time that it falls, where the options have it [fall](StageOptions::fall_every).
    pub(super) fn fall(self) -> f64 {
        match self {
            Stage::Separate | Stage::Individual | Stage::Joint => 0.5,
            _ => 0.1,
        }
    }

    /// Refuses a stage that a network does not have.
    pub(super) fn check(self, config: &ModelConfig) -> Result<()> {
        let has = Self::of(&config.network);
        if has.contains(&self) {
            return Ok(());
        }
        let names: Vec<_> = has.iter().map(|stage| stage.name()).collect();
        // One of a GGPFN that only lacks its global branch says so.
        let fault = match (config.ggpfn(), self) {
            (Some(_), Stage::Global) => "global, but the network has no global branch; local and whole fit".into(),
            _ => format!("{self}, which {} has not; it has {}", config.network_name(), names.join(", ")),
        };
        Err(Error::argument("stage", fault))
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
