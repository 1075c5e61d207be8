//! What a network looks like: the JSON object in a model file's header (docs/network.md, section 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baselines::Baseline;
use super::ggpfn::GgpfnConfig;
use crate::labels::LabelSet;
use crate::volume::{resampled_size, View};

/// The model-file format of GGPFNs that segment the pancreas alone.
pub const FORMAT: u32 = 1;
/// That of models with [labels](ModelConfig::labels) of their own, or of another network than a GGPFN.
pub const LABELS_FORMAT: u32 = 2;

/// What the network of each view is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NetworkConfig {
    /// A Globally Guided Progressive Fusion Network: its entries stand beside those that all models have.
    Ggpfn(GgpfnConfig),
    /// One of those that the paper compares it with: it is named by the entry `baseline`.
    Baseline(Baseline),
}

impl<'de> Deserialize<'de> for NetworkConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = serde_json::Value::Object(serde_json::Map::deserialize(deserializer)?);
        let read = if entries.get("baseline").is_some() {
            serde_json::from_value(entries).map(NetworkConfig::Baseline)
        } else {
            serde_json::from_value(entries).map(NetworkConfig::Ggpfn)
        };
        read.map_err(serde::de::Error::custom)
    }
}

impl NetworkConfig {
    /// Takes over what another network of the kind says of single views.
    pub fn take_views(&mut self, other: &NetworkConfig) {
        if let (NetworkConfig::Ggpfn(own), NetworkConfig::Ggpfn(other)) = (self, other) {
            own.global_size.extend(other.global_size.iter().map(|(view, size)| (*view, *size)));
        }
    }
}

impl From<GgpfnConfig> for NetworkConfig {
    fn from(config: GgpfnConfig) -> Self {
        NetworkConfig::Ggpfn(config)
    }
}

impl From<Baseline> for NetworkConfig {
    fn from(config: Baseline) -> Self {
        NetworkConfig::Baseline(config)
    }
}

/// The configuration of a model: everything but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The file format's number: [`FORMAT`] for a GGPFN of the pancreas alone, else [`LABELS_FORMAT`].
    pub format: u32,
    /// What is segmented, in the order of the network's outputs.
    #[serde(default, skip_serializing_if = "LabelSet::is_pancreas")]
    // so that files of format 1 stay what they were
    pub labels: LabelSet,
    /// The views that the model has a network for.
    pub views: Vec<View>,
    /// The network of each view.
    #[serde(flatten)]
    pub network: NetworkConfig,
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
            network: GgpfnConfig::default().into(),
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
        if let Some(name) = given.remove("baseline") {
            let name = name.as_str().ok_or("baseline: a name was expected")?;
            let base = ModelConfig { format: LABELS_FORMAT, network: Baseline::named(name)?.into(), ..Self::default() };
            all = serde_json::to_value(base).map_err(|e| e.to_string())?;
        }
        if let Some(labels) = given.remove("labels") {
            let labels: LabelSet = match serde_json::from_value::<Vec<String>>(labels.clone()) {
                Ok(names) => LabelSet::named(names.iter().map(String::as_str)),
                Err(_) => serde_json::from_value(labels).map_err(|e| format!("labels: {e}"))?,
            };
            if !labels.is_pancreas() {
                given.entry("format").or_insert(LABELS_FORMAT.into());
            }
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
        let needed = Self::format_of(&self.network, &self.labels);
        if self.format != needed {
            return fault(format!(
                "format {} does not go with its network ({}) and labels ({}); format {needed} does",
                self.format,
                self.network_name(),
                self.labels.names().collect::<Vec<_>>().join(", "),
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
        match &self.network {
            NetworkConfig::Ggpfn(network) => network.check(&self.views, WIDEST)?,
            NetworkConfig::Baseline(network) => network.check(&self.labels, &self.views)?,
        }
        for view in &self.views {
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

    /// The number of the oldest format that holds models of this network with these labels.
    pub fn format_of(network: &NetworkConfig, labels: &LabelSet) -> u32 {
        if labels.is_pancreas() && matches!(network, NetworkConfig::Ggpfn(_)) {
            FORMAT
        } else {
            LABELS_FORMAT
        }
    }

    /// Probabilities from here on are the label number `label`.
    pub fn threshold_of(&self, label: usize) -> f64 {
        self.labels.labels.get(label).and_then(|label| label.threshold).unwrap_or(self.threshold)
    }

    /// The GGPFN's part, if it is one.
    pub fn ggpfn(&self) -> Option<&GgpfnConfig> {
        match &self.network {
            NetworkConfig::Ggpfn(network) => Some(network),
            NetworkConfig::Baseline(_) => None,
        }
    }

    /// The same configuration with another GGPFN; one of another network stays what it is.
    pub fn with_ggpfn(mut self, change: impl FnOnce(&mut GgpfnConfig)) -> Self {
        if let NetworkConfig::Ggpfn(network) = &mut self.network {
            change(network);
        }
        self
    }

    /// The GGPFN's part.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for another network.
    pub fn expect_ggpfn(&self) -> crate::Result<&GgpfnConfig> {
        self.ggpfn().ok_or_else(|| {
            let text = format!("its network is {}; a GGPFN was expected", self.network_name());
            crate::Error::argument("model", text)
        })
    }

    /// The network's name.
    pub fn network_name(&self) -> &'static str {
        match &self.network {
            NetworkConfig::Ggpfn(_) => "ggpfn",
            NetworkConfig::Baseline(network) => network.name(),
        }
    }

    /// What there is to say about the network beside what all models have: names and values, for people.
    pub fn network_lines(&self) -> Vec<(&'static str, serde_json::Value)> {
        match &self.network {
            NetworkConfig::Ggpfn(network) => network.lines(),
            NetworkConfig::Baseline(network) => network.lines(),
        }
    }

    /// The grid that the network works on, for a volume of `[z, y, x]` voxels of that spacing in mm: its size and spacing. Most work on the
    /// scan's own or at the model's spacing.
    pub fn working_grid(&self, size: [usize; 3], spacing: [f64; 3]) -> ([usize; 3], [f64; 3]) {
        let (working, at) = match self.spacing {
            Some(target) => (resampled_size(size, spacing, target), target),
            None => (size, spacing),
        };
        match &self.network {
            NetworkConfig::Ggpfn(_) => (working, at),
            NetworkConfig::Baseline(network) => network.working_grid(working, at),
        }
    }

    /// The volume's window applied: clipped, then mapped linearly to [0, 1].
    pub fn normalise(&self, hu: f32) -> f32 {
        let [low, high] = self.window.map(|v| v as f32);
        (hu.clamp(low, high) - low) / (high - low)
    }
}
