//! What a GGPFN looks like, beside what all models have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::volume::View;

/// The number of convolutions in the encoder, and so the largest T (paper: 15, with 31 slices).
pub const ENCODER_CONVOLUTIONS: usize = 15;

/// How the neighbouring slices are fused (paper, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fusion {
    /// T 3D convolutions, each of which uses up the two outmost slices.
    #[serde(rename = "progressive")]
    Progressive,
    /// All 2T + 1 slices are the input channels of the first convolution.
    #[serde(rename = "one-off")]
    OneOff,
}

impl Fusion {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Fusion::Progressive => "progressive",
            Fusion::OneOff => "one-off",
        }
    }
}

/// The configuration of a GGPFN's layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GgpfnConfig {
    /// How neighbouring slices are fused.
    pub fusion: Fusion,
    /// T: a slice's probability comes from 2T + 1 slices; 1 to 15.
    pub t: usize,
    /// Channels of the encoder's four groups, finest first.
    pub widths: [usize; 4],
    /// Channels of the global branch's five groups, finest first; none switches global guidance off.
    pub global_widths: Option<[usize; 5]>,
    /// For each view the size `[h_g, w_g]` that its slices are downsampled to for the global branch; multiples of 32.
    pub global_size: BTreeMap<View, [usize; 2]>,
}

impl Default for GgpfnConfig {
    /// The paper's: T = 15, full widths, global guidance on 224 x 224.
    fn default() -> Self {
        GgpfnConfig {
            fusion: Fusion::Progressive,
            t: ENCODER_CONVOLUTIONS,
            widths: [32, 64, 128, 256],
            global_widths: Some([16, 32, 64, 128, 256]),
            global_size: View::ALL.into_iter().map(|view| (view, [224, 224])).collect(),
        }
    }
}

impl GgpfnConfig {
    /// Whether neighbouring slices are fused progressively.
    pub fn is_progressive(&self) -> bool {
        self.fusion == Fusion::Progressive
    }

    /// Whether there is a global branch.
    pub fn is_guided(&self) -> bool {
        self.global_widths.is_some()
    }

    /// The number of slices that one slice's probability is computed from: 2T + 1.
    pub fn slices(&self) -> usize {
        2 * self.t + 1
    }

    /// What there is to say about it, for people.
    pub(in crate::network) fn lines(&self) -> Vec<(&'static str, serde_json::Value)> {
        vec![
            ("fusion", json!(self.fusion)),
            ("slices", json!(self.slices())),
            ("receptive_field", json!(format!("{0} x {0} pixels", self.receptive_field()))),
            ("widths", json!(self.widths)),
            ("global_widths", json!(self.global_widths)),
            ("global_size", json!(self.global_size)),
        ]
    }

    /// Refuses what no network can be built from.
    pub(in crate::network) fn check(&self, views: &[View], widest: usize) -> Result<(), String> {
        if !(1..=ENCODER_CONVOLUTIONS).contains(&self.t) {
            return Err(format!("t is {}; a number from 1 to {ENCODER_CONVOLUTIONS} was expected", self.t));
        }
        let widths = self.widths.iter().chain(self.global_widths.iter().flatten());
        if let Some(width) = widths.into_iter().find(|width| !(1..=widest).contains(*width)) {
            return Err(format!("a width is {width}; numbers from 1 to {widest} were expected"));
        }
        for view in views.iter().filter(|_| self.global_widths.is_some()) {
            match self.global_size.get(view) {
                Some(size) if size.iter().all(|n| *n > 0 && n % 32 == 0 && *n <= 4096) => {}
                Some([h, w]) => {
                    return Err(format!(
                        "global_size of the {view} view is {h} x {w}; multiples of 32 up to 4096 were expected"
                    ))
                }
                None => return Err(format!("global_size has no entry for the {view} view")),
            }
        }
        Ok(())
    }
}
