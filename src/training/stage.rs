//! The stages of training, and what each trains.

use super::organs::PREFIX as ORGANS_PREFIX;
use crate::network::ModelConfig;
use crate::{Error, Result};

/// The three stages of training (paper, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The global branch alone.
    Global,
    /// The progressive fusion network alone.
    Local,
    /// The whole network.
    Whole,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Stage; 3] = [Stage::Global, Stage::Local, Stage::Whole];

    /// Its name in logs and options.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Global => "global",
            Stage::Local => "local",
            Stage::Whole => "whole",
        }
    }

    /// alpha and beta, the weights of P^f and P^f' in the loss.
    pub fn weights(self) -> [f64; 2] {
        match self {
            Stage::Global => [0.5, 0.5],
            Stage::Local => [0.0, 0.0],
            Stage::Whole => [0.01, 0.0],
        }
    }

    /// Refuses a stage that a network does not have.
    pub(super) fn check(self, config: &ModelConfig) -> Result<()> {
        if config.global_widths.is_none() && self == Stage::Global {
            let fault = "global, but the network has no global branch; local and whole fit";
            return Err(Error::argument("stage", fault));
        }
        Ok(())
    }

    /// Whether it trains the parameter of a name.
    pub(super) fn trains(self, name: &str) -> bool {
        match self {
            Stage::Global => name.starts_with("global."),
            Stage::Local => name.starts_with("local.") || name.starts_with(ORGANS_PREFIX),
            // With beta = 0 the finer side output has no gradient.
            Stage::Whole => !name.starts_with("global.aux_fp."),
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
