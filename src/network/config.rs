//! What a network looks like: the JSON object in a model file's header (docs/network.md, section 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::labels::LabelSet;
use crate::volume::View;

/// The model-file format of models that segment the pancreas alone.
pub const FORMAT: u32 = 1;
/// That of models with [labels](ModelConfig::labels) of their own.
pub const LABELS_FORMAT: u32 = 2;

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

/// The configuration of a model: everything but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The file format's number: [`FORMAT`] for the pancreas alone, else [`LABELS_FORMAT`].
    pub format: u32,
    /// What is segmented, in the order of the network's outputs.
    #[serde(default, skip_serializing_if = "LabelSet::is_pancreas")]
    // so that files of format 1 stay what they were
    pub labels: LabelSet,
    /// The views that the model has a network for.
    pub views: Vec<View>,
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
    /// Hounsfield units that map to 0 and to 1.
    pub window: [f64; 2],
    /// Voxel spacing [z, y, x], in mm, that volumes are resampled to; none: the scanner's own grid.
    pub spacing: Option<[f64; 3]>,
    /// The weight of each view in the fused probability.
    pub view_weights: BTreeMap<View, f64>,
    /// Fused probabilities from here on are pancreas.
    pub threshold: f64,
    /// Provenance, free-form: data set, split seed, epochs, best Dice, library version.
    #[serde(default)]
    pub training: serde_json::Value,
}

impl Default for ModelConfig {
    /// The paper's network: three views, T = 15, full widths, global guidance on 224 x 224, equal view weights.
    fn default() -> Self {
        ModelConfig {
            format: FORMAT,
            labels: LabelSet::default(),
            views: View::ALL.to_vec(),
            fusion: Fusion::Progressive,
            t: ENCODER_CONVOLUTIONS,
            widths: [32, 64, 128, 256],
            global_widths: Some([16, 32, 64, 128, 256]),
            global_size: View::ALL.into_iter().map(|view| (view, [224, 224])).collect(),
            window: [-100.0, 240.0],
            spacing: None,
            view_weights: View::ALL.into_iter().map(|view| (view, 1.0 / 3.0)).collect(),
            threshold: 0.5,
            training: serde_json::Value::Null,
        }
    }
}

impl ModelConfig {
    /// The paper's configuration with some entries replaced: `json` is an object with entries of a model file's header. `labels` may be a
    /// list of names too, and the format's number follows from the labels.
    ///
    /// # Errors
    /// A sentence for text that is no JSON object, unknown entries and wrong types.
    pub fn from_entries(json: &str) -> Result<Self, String> {
        let given: serde_json::Value = serde_json::from_str(json).map_err(|e| format!("not valid JSON: {e}"))?;
        let serde_json::Value::Object(given) = given else {
            return Err("a JSON object was expected".into());
        };
        let mut all = serde_json::to_value(Self::default()).map_err(|e| e.to_string())?;
        let mut given = given;
        if let Some(labels) = given.remove("labels") {
            let labels: LabelSet = match serde_json::from_value::<Vec<String>>(labels.clone()) {
                Ok(names) => LabelSet::named(names.iter().map(String::as_str)),
                Err(_) => serde_json::from_value(labels).map_err(|e| format!("labels: {e}"))?,
            };
            given.entry("format").or_insert_with(|| Self::format_of(&labels).into());
            all["labels"] = serde_json::to_value(labels).map_err(|e| e.to_string())?;
        }
        for (name, value) in given {
            match all.get_mut(&name) {
                Some(entry) => *entry = value,
                None => return Err(format!("\"{name}\" is no entry of a model's configuration")),
            }
        }
        serde_json::from_value(all).map_err(|e| e.to_string())
    }

    /// Refuses a configuration that no network can be built from; the text says which entry, what it holds and what was
    /// expected.
    pub fn check(&self) -> Result<(), String> {
        /// Channels beyond any network that would be trained; keeps the arithmetic of sizes far from overflow.
        const WIDEST: usize = 8192;
        let fault = |text: String| Err(text);
        if !(FORMAT..=LABELS_FORMAT).contains(&self.format) {
            return fault(format!(
                "format {} is not known to this version, which reads formats {FORMAT} and {LABELS_FORMAT}; update ggpfn",
                self.format
            ));
        }
        self.labels.check().map_err(|text| format!("labels: {text}"))?;
        if self.format != Self::format_of(&self.labels) {
            return fault(format!(
                "format {} does not go with its labels ({}); format {} does",
                self.format,
                self.labels.names().collect::<Vec<_>>().join(", "),
                Self::format_of(&self.labels)
            ));
        }
        if self.views.is_empty() {
            return fault("it names no view; at least one of axial, sagittal, coronal was expected".into());
        }
        let mut views = self.views.clone();
        views.sort();
        views.dedup();
        if views.len() != self.views.len() {
            return fault("it names a view twice".into());
        }
        if !(1..=ENCODER_CONVOLUTIONS).contains(&self.t) {
            return fault(format!("t is {}; a number from 1 to {ENCODER_CONVOLUTIONS} was expected", self.t));
        }
        let widths = self.widths.iter().chain(self.global_widths.iter().flatten());
        if let Some(width) = widths.into_iter().find(|width| !(1..=WIDEST).contains(*width)) {
            return fault(format!("a width is {width}; numbers from 1 to {WIDEST} were expected"));
        }
        for view in &self.views {
            if self.global_widths.is_some() {
                match self.global_size.get(view) {
                    Some(size) if size.iter().all(|n| *n > 0 && n % 32 == 0 && *n <= 4096) => {}
                    Some([h, w]) => {
                        return fault(format!(
                            "global_size of the {view} view is {h} x {w}; multiples of 32 up to 4096 were expected"
                        ))
                    }
                    None => return fault(format!("global_size has no entry for the {view} view")),
                }
            }
            match self.view_weights.get(view) {
                Some(weight) if weight.is_finite() && *weight >= 0.0 => {}
                Some(weight) => {
                    return fault(format!("the weight of the {view} view is {weight}; a number from 0 was expected"))
                }
                None => return fault(format!("view_weights has no entry for the {view} view")),
            }
        }
        if self.views.iter().map(|view| self.view_weights[view]).sum::<f64>() <= 0.0 {
            return fault("the view weights add up to 0".into());
        }
        let [low, high] = self.window;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return fault(format!("window is [{low}, {high}]; two numbers in rising order were expected"));
        }
        if let Some(spacing) = self.spacing {
            if spacing.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
                return fault(format!("spacing is {spacing:?}; three positive numbers in mm were expected"));
            }
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return fault(format!("threshold is {}; a number from 0 to 1 was expected", self.threshold));
        }
        Ok(())
    }

    /// The number of the oldest format that holds models with these labels.
    pub fn format_of(labels: &LabelSet) -> u32 {
        if labels.is_pancreas() {
            FORMAT
        } else {
            LABELS_FORMAT
        }
    }

    /// Probabilities from here on are the label number `label`.
    pub fn threshold_of(&self, label: usize) -> f64 {
        self.labels.labels.get(label).and_then(|label| label.threshold).unwrap_or(self.threshold)
    }

    /// The number of slices that one slice's probability is computed from: 2T + 1.
    pub fn slices(&self) -> usize {
        2 * self.t + 1
    }

    /// The volume's window applied: clipped, then mapped linearly to [0, 1].
    pub fn normalise(&self, hu: f32) -> f32 {
        let [low, high] = self.window.map(|v| v as f32);
        (hu.clamp(low, high) - low) / (high - low)
    }
}
