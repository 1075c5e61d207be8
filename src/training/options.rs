//! How a training goes: the network, the stages, the samples, the schedule. A TOML file holds the same entries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compute::trial;
use crate::dataset::UNKNOWN_ORGAN;
use crate::labels::{Label, LabelBits, LabelSet, LabelSource};
use crate::network::{Baseline, Fusion, GgpfnConfig, ModelConfig, NetworkConfig};
use crate::volume::View;
use crate::{Error, Result};

/// A set of options under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The paper's for the Medical Segmentation Decathlon's pancreas task.
    Msd,
    /// The paper's for NIH Pancreas-CT.
    Nihc,
    /// A small network on a 2.5 mm grid, for processors and quick starts: the one that ships.
    Small,
}

impl Preset {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Msd => "msd",
            Preset::Nihc => "nihc",
            Preset::Small => "small",
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        [Preset::Msd, Preset::Nihc, Preset::Small]
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| format!("\"{text}\" is not a preset; expected msd, nihc or small"))
    }
}

/// One of the three stages (paper, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageOptions {
    /// Epochs; 0 leaves the stage out.
    pub epochs: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The learning rate at the stage's end; none: it stays (the paper's way).
    pub final_learning_rate: Option<f64>,
    /// How it gets there.
    #[serde(skip_serializing_if = "Decay::is_default")]
    pub decay: Decay,
    /// The learning rate falls after every so many epochs instead: by half in RSTN's stages, else to a tenth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall_every: Option<usize>,
}

/// The way of a learning rate from a stage's start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Along half a cosine.
    #[default]
    Cosine,
    /// With the power 0.9 of what is left of the stage, as nnU-Net does.
    Poly,
}

impl Decay {
    fn is_default(&self) -> bool {
        *self == Decay::default()
    }

    /// The part of the way down that is left after the part `done` of the stage: from 1 to 0.
    pub(super) fn left(self, done: f64) -> f64 {
        let done = done.clamp(0.0, 1.0);
        match self {
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            Decay::Poly => (1.0 - done).powf(0.9),
        }
    }
}

impl Default for StageOptions {
    fn default() -> Self {
        StageOptions {
            epochs: 1000,
            batch: 4,
            learning_rate: 1e-4,
            final_learning_rate: None,
            decay: Decay::Cosine,
            fall_every: None,
        }
    }
}

/// How samples are varied. Angles and lengths are in the patient's millimetres, so that pixels need not be square.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Rotation within the slice, drawn evenly from minus to plus this many degrees.
    pub rotation_degrees: f64,
    /// Elastic deformation: standard deviation of the control points' displacement, in mm.
    pub elastic_mm: f64,
    /// Elastic deformation: distance between control points, in mm.
    pub elastic_spacing_mm: f64,
    /// Size: slices are magnified by up to this part, or shrunk by as much. 0 in the paper.
    #[serde(skip_serializing_if = "is_zero")] // so that checkpoints of runs before there was this option still fit
    pub zoom: f64,
    /// Contrast: the distance of intensities from the window's middle, changed by up to this part. 0 in the paper.
    #[serde(skip_serializing_if = "is_zero")]
    pub contrast: f64,
    /// Brightness: all intensities are moved by up to this part of the window. 0 in the paper.
    #[serde(skip_serializing_if = "is_zero")]
    pub brightness: f64,
    /// Noise of a standard deviation of up to this part of the window, each voxel for itself. 0 in the paper.
    #[serde(skip_serializing_if = "is_zero")]
    pub noise: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

impl Default for Augmentation {
    /// The paper names rotation and elastic deformation without numbers; these keep organs plausible.
    fn default() -> Self {
        Augmentation {
            rotation_degrees: 15.0,
            elastic_mm: 3.0,
            elastic_spacing_mm: 32.0,
            zoom: 0.0,
            contrast: 0.0,
            brightness: 0.0,
            noise: 0.0,
        }
    }
}

/// Other organs as teachers: readouts that name them, in training alone. A network that has to tell duodenum, stomach, bowel and vessels apart
/// does not take them for the pancreas. The model file does not hold the readouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganOptions {
    /// The classes, each a list of values in the cases' maps of organs. Values in no class are one class more, and 255 is unknown.
    pub classes: Vec<Vec<u8>>,
    /// The weight of their cross entropy beside equation (2).
    pub weight: f64,
}

impl OrganOptions {
    fn check(&self) -> std::result::Result<(), String> {
        let values: Vec<u8> = self.classes.iter().flatten().copied().collect();
        let mut once = values.clone();
        once.sort();
        once.dedup();
        if values.is_empty() || self.classes.iter().any(Vec::is_empty) {
            return Err("a class without values; lists of values from 0 to 254 were expected".into());
        }
        if once.len() != values.len() || values.contains(&UNKNOWN_ORGAN) {
            return Err(format!("{:?}; each value from 0 to 254 was expected once at most", self.classes));
        }
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return Err(format!("the weight is {}; a number from 0 was expected", self.weight));
        }
        Ok(())
    }
}

/// What changes the weights along their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Kingma and Ba's, with their own constants.
    #[default]
    Adam,
    /// Stochastic gradient descent.
    Sgd {
        /// The part of the last step that is in the next one, 0 to below 1.
        momentum: f64,
        /// The part of the weights that is added to their gradients.
        weight_decay: f64,
    },
}

impl Optimiser {
    fn is_default(&self) -> bool {
        *self == Optimiser::default()
    }
}

/// Everything that a training run is made from, except its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// The views to train, each a network of its own.
    pub views: Vec<View>,
    /// What all randomness is drawn from.
    pub seed: u64,
    /// Another network than a GGPFN: one of those that the paper compares it with. Entries that only a GGPFN has then mean nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Baseline>,
    /// What changes the weights.
    #[serde(skip_serializing_if = "Optimiser::is_default")]
    pub optimiser: Optimiser,
    /// How neighbouring slices are fused.
    pub fusion: Fusion,
    /// T: a slice is segmented from 2T + 1 slices.
    pub t: usize,
    /// Channels of the encoder's groups.
    pub widths: [usize; 4],
    /// Whether there is a global branch.
    pub global_guidance: bool,
    /// Channels of the global branch's groups.
    pub global_widths: [usize; 5],
    /// For each view the size [h_g, w_g] that slices are downsampled to for the global branch.
    pub global_size: BTreeMap<View, [usize; 2]>,
    /// Hounsfield units that map to 0 and 1.
    pub window: [f64; 2],
    /// Working spacing [z, y, x] in mm; none: each scan's own grid.
    pub spacing: Option<[f64; 3]>,
    /// The weight of each view in the fusion.
    pub view_weights: BTreeMap<View, f64>,
    /// The model's threshold, with which masks are made in validation too.
    pub threshold: f64,
    /// For each view the patch [rows, columns]; multiples of 8.
    pub patch: BTreeMap<View, [usize; 2]>,
    /// Neighbouring slices that one sample segments; 1 in the paper. More make an epoch worth more at little cost, since they
    /// share most of their windows.
    pub slices_per_sample: usize,
    /// Patches of each volume in an epoch, by turns from anywhere and from the pancreas' box; 2 in the paper.
    pub samples_per_volume: usize,
    /// Rotation and elastic deformation; size, contrast, brightness and noise where they are asked for.
    pub augmentation: Augmentation,
    /// What is segmented, and which values it has in the cases' label maps; empty: the pancreas alone, as which every value above 0 counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelSource>,
    /// Whether a voxel has one of the labels at most. Otherwise a later label may lie within an earlier one, and covers it in a label map.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exclusive_labels: bool,
    /// Batches whose gradients are averaged for a step (gradient accumulation). Several processes share them out among them, and the
    /// result does not depend on the number of processes.
    #[serde(skip_serializing_if = "is_one")]
    // so that checkpoints of runs before there was this option still fit
    pub accumulate: usize,
    /// The weight of the soft Dice loss of the probability map beside equation (2); 0 in the paper.
    #[serde(skip_serializing_if = "is_zero")]
    pub dice_weight: f64,
    /// Other organs as teachers; none: the pancreas alone, as the paper has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organs: Option<OrganOptions>,
    /// Stage 1, the global branch alone; left out without global guidance.
    pub global: StageOptions,
    /// Stage 2, the progressive fusion network alone.
    pub local: StageOptions,
    /// Stage 3, the whole network; without global guidance that is the progressive fusion network once more.
    pub whole: StageOptions,
    /// RSTN's first stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separate: Option<StageOptions>,
    /// Its second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub individual: Option<StageOptions>,
    /// Its third.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint: Option<StageOptions>,
    /// Validate after every so many epochs, and at each stage's end. The best weights are chosen among those.
    pub validate_every: usize,
    /// Write a checkpoint after every so many minutes, and at each stage's end.
    pub checkpoint_minutes: f64,
    /// Compute convolutions in bfloat16, with float32 weights and sums. The preset `small` does where a trial finds it faster on the
    /// processor: elsewhere it may be many times slower.
    pub mixed_precision: bool,
    /// Compute feature maps that gradients need a second time rather than keep them: half as much time again, about half the
    /// memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    // so that checkpoints of runs before there was this option still fit
    pub recompute: bool,
    /// Threads that make batches ahead; none: one for every two processors, at most 8.
    pub loader_threads: Option<usize>,
    /// Processor threads within libtorch's operations; none: as many as there are processors. The bits of a result depend on it.
    pub threads: Option<usize>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions::preset(Preset::Nihc)
    }
}

impl TrainOptions {
    /// A preset's options. `msd` and `nihc` are the paper's, section 3.2.
    pub fn preset(preset: Preset) -> Self {
        let all = |value: [usize; 2]| View::ALL.into_iter().map(|view| (view, value)).collect::<BTreeMap<_, _>>();
        let stage = |epochs, batch| StageOptions { epochs, batch, ..StageOptions::default() };
        let nihc = TrainOptions {
            views: View::ALL.to_vec(),
            seed: 0,
            network: None,
            optimiser: Optimiser::Adam,
            fusion: Fusion::Progressive,
            t: 15,
            widths: [32, 64, 128, 256],
            global_guidance: true,
            global_widths: [16, 32, 64, 128, 256],
            global_size: all([224, 224]),
            window: [-100.0, 240.0],
            spacing: None,
            view_weights: View::ALL.into_iter().map(|view| (view, 1.0 / 3.0)).collect(),
            threshold: 0.5,
            patch: all([256, 256]),
            slices_per_sample: 1,
            samples_per_volume: 2,
            augmentation: Augmentation::default(),
            labels: Vec::new(),
            exclusive_labels: false,
            accumulate: 1,
            dice_weight: 0.0,
            organs: None,
            global: stage(1000, 32),
            local: stage(1000, 4),
            whole: stage(800, 4),
            separate: None,
            individual: None,
            joint: None,
            validate_every: 10,
            checkpoint_minutes: 10.0,
            mixed_precision: false,
            recompute: false,
            loader_threads: None,
            threads: None,
        };
        match preset {
            Preset::Nihc => nihc,
            Preset::Msd => {
                let mut msd = nihc;
                for view in [View::Sagittal, View::Coronal] {
                    msd.patch.insert(view, [128, 256]);
                    msd.global_size.insert(view, [128, 224]);
                }
                msd.view_weights = BTreeMap::from([(View::Axial, 0.8), (View::Sagittal, 0.1), (View::Coronal, 0.1)]);
                msd
            }
            Preset::Small => {
                let stage = |epochs, batch| StageOptions {
                    epochs,
                    batch,
                    learning_rate: 2e-3,
                    final_learning_rate: Some(2e-5),
                    decay: Decay::Cosine,
                    fall_every: None,
                };
                TrainOptions {
                    t: 5,
                    // Multiples of 16, the width of the processor's vectors: narrower groups would not be faster.
                    widths: [16, 32, 64, 96],
                    global_widths: [16, 16, 32, 48, 64],
                    global_size: all([128, 128]),
                    spacing: Some([2.5, 2.5, 2.5]),
                    patch: all([80, 80]),
                    slices_per_sample: 8,
                    global: stage(20, 8),
                    local: stage(60, 4),
                    whole: stage(30, 4),
                    mixed_precision: trial().is_some_and(|trial| trial.prefers_bfloat16()),
                    ..nihc
                }
            }
        }
    }

    /// A preset's options for one of the networks that the paper compares GGPFN with: data, window, spacing and view weights are the preset's,
    /// the schedule is that of the network's own source (docs/baselines.md).
    pub fn of_baseline(baseline: Baseline, preset: Preset) -> Self {
        let base = TrainOptions::preset(preset);
        let small = preset == Preset::Small;
        let stage = |epochs, batch, learning_rate| StageOptions {
            epochs,
            batch,
            learning_rate,
            final_learning_rate: None,
            decay: Decay::Cosine,
            fall_every: None,
        };
        // In their sources these networks see rotations and deformations as follows; angles and lengths in the patient's frame, as GGPFN's.
        let volumetric = Augmentation {
            rotation_degrees: 5.0,
            elastic_mm: 3.0,
            elastic_spacing_mm: 25.0,
            ..Augmentation::default()
        };
        let mut options = TrainOptions { network: Some(baseline.clone()), ..base.clone() };
        match &baseline {
            Baseline::UnetPatch { .. } => {
                let epochs = if small { 60 } else { 424 };
                options.optimiser = Optimiser::Sgd { momentum: 0.99, weight_decay: 0.0 };
                // Tenfold less in ten steps over the whole training.
                options.whole = StageOptions { fall_every: Some(epochs / 10), ..stage(epochs, 1, 1e-2) };
                if small {
                    // 200 000 steps at a momentum of 0.99 are not to be had: Adam comes to something in thousands.
                    options.optimiser = Optimiser::Adam;
                    options.whole = StageOptions { final_learning_rate: Some(1e-5), ..stage(epochs, 2, 1e-3) };
                }
                options.augmentation = volumetric;
                options.slices_per_sample = 1;
            }
            Baseline::UnetFull { .. } => {
                let epochs = if small { 100 } else { 300 };
                options.whole =
                    StageOptions { final_learning_rate: Some(1e-4), ..stage(epochs, if small { 1 } else { 2 }, 1e-3) };
                options.augmentation = Augmentation { rotation_degrees: 15.0, ..volumetric };
                options.samples_per_volume = 1;
                options.slices_per_sample = 1;
            }
            Baseline::Fcn8s { scratch, .. } => {
                // As many epochs as GGPFN's second and third stage together.
                let epochs = base.local.epochs + base.whole.epochs;
                options.whole = if small && *scratch {
                    StageOptions { final_learning_rate: Some(1e-5), ..stage(epochs, 4, 1e-3) }
                } else {
                    stage(epochs, 4, 1e-4)
                };
                options.slices_per_sample = 1;
                options.patch =
                    View::ALL.into_iter().map(|view| (view, if small { [160; 2] } else { [512; 2] })).collect();
            }
            Baseline::Rstn { scratch, .. } => {
                options.augmentation =
                    Augmentation { rotation_degrees: 0.0, elastic_mm: 0.0, ..Augmentation::default() };
                options.samples_per_volume = if small { 4 } else { 40 };
                options.slices_per_sample = 3;
                options.patch =
                    View::ALL.into_iter().map(|view| (view, if small { [160; 2] } else { [512; 2] })).collect();
                let rate = match (scratch, small) {
                    (true, true) => 1e-3,
                    (true, false) => 1e-4,
                    (false, _) => 1e-5,
                };
                if !scratch {
                    options.optimiser = Optimiser::Sgd { momentum: 0.99, weight_decay: 5e-4 };
                }
                let times = if small { 5 } else { 1 };
                options.separate = Some(stage(2 * times, 1, rate));
                options.individual = Some(stage(6 * times, 1, rate));
                // Half of the rate after every two of the last stage's epochs.
                options.joint = Some(StageOptions { fall_every: Some(2 * times), ..stage(8 * times, 1, rate) });
            }
        }
        if baseline.is_volumetric() {
            options.views = vec![View::Axial];
        }
        if small && matches!(baseline, Baseline::UnetFull { .. }) {
            options.spacing = None; // its grid is its own
        }
        options
    }

    /// The configuration of the model that comes out.
    pub fn model_config(&self) -> ModelConfig {
        let labels = self.label_set();
        let network = match &self.network {
            Some(baseline) => baseline.clone().into(),
            None => GgpfnConfig {
                fusion: self.fusion,
                t: self.t,
                widths: self.widths,
                global_widths: self.global_guidance.then_some(self.global_widths),
                global_size: self.global_size.clone(),
            }
            .into(),
        };
        ModelConfig {
            format: ModelConfig::format_of(&network, &labels),
            labels,
            views: self.views.clone(),
            network,
            window: self.window,
            spacing: self.spacing,
            view_weights: self.view_weights.clone(),
            threshold: self.threshold,
            ..ModelConfig::default()
        }
    }

    /// What is segmented: labels with the values 1, 2, 3 and so on.
    pub fn label_set(&self) -> LabelSet {
        match self.labels.is_empty() {
            true => LabelSet::default(),
            false => LabelSet {
                exclusive: self.exclusive_labels,
                ..LabelSet::named(self.labels.iter().map(|source| source.name.as_str()))
            },
        }
    }

    /// Which labels the values of the cases' label maps are.
    pub fn label_bits(&self) -> LabelBits {
        LabelBits::new(&self.labels)
    }

    /// Takes over what a model is, to go on from its weights: its network, views, view weights and threshold.
    pub fn adopt(&mut self, config: &ModelConfig) {
        self.views = config.views.clone();
        self.threshold = config.threshold;
        match &config.network {
            NetworkConfig::Baseline(network) => self.network = Some(network.clone()),
            NetworkConfig::Ggpfn(network) => {
                self.network = None;
                self.fusion = network.fusion;
                self.t = network.t;
                self.widths = network.widths;
                self.global_guidance = network.global_widths.is_some();
                self.global_widths = network.global_widths.unwrap_or(self.global_widths);
                self.global_size.extend(network.global_size.iter().map(|(view, size)| (*view, *size)));
            }
        }
        self.window = config.window;
        self.spacing = config.spacing;
        if self.labels.is_empty() && !config.labels.is_pancreas() {
            // In its own label maps; a data set in which others stand for them says so.
            let own = |label: &Label| LabelSource { name: label.name.clone(), values: vec![u16::from(label.value)] };
            self.labels = config.labels.labels.iter().map(own).collect();
        }
        self.exclusive_labels = config.labels.exclusive;
        self.view_weights.extend(config.view_weights.iter().map(|(view, weight)| (*view, *weight)));
    }

    /// Refuses options for another network than a model's: they cannot go on from its weights.
    ///
    /// # Errors
    /// [`Error::Argument`] that names each entry that differs, with both values.
    pub fn check_for(&self, model: &ModelConfig) -> Result<()> {
        let own = self.model_config();
        let mut differences = Vec::new();
        let mut compare = |name: &str, own: String, has: String| {
            if own != has {
                differences.push(format!("{name} is {own}, that of the model to start from {has}"));
            }
        };
        let labels = |set: &LabelSet| set.names().collect::<Vec<_>>().join(", ");
        compare("the list of labels", labels(&own.labels), labels(&model.labels));
        compare("exclusive_labels", own.labels.exclusive.to_string(), model.labels.exclusive.to_string());
        match (&own.network, &model.network) {
            (NetworkConfig::Ggpfn(own), NetworkConfig::Ggpfn(model)) => {
                compare("fusion", format!("{:?}", own.fusion), format!("{:?}", model.fusion));
                compare("t", own.t.to_string(), model.t.to_string());
                compare("widths", format!("{:?}", own.widths), format!("{:?}", model.widths));
                let guidance =
                    |widths: Option<[usize; 5]>| widths.map_or("none".into(), |widths| format!("{widths:?}"));
                compare("global_widths", guidance(own.global_widths), guidance(model.global_widths));
            }
            _ => {
                let text = |config: &ModelConfig| {
                    let lines = config.network_lines().into_iter().map(|(name, value)| format!("{name} {value}"));
                    format!("{} ({})", config.network_name(), lines.collect::<Vec<_>>().join(", "))
                };
                compare("network", text(&own), text(model));
            }
        }
        compare("window", format!("{:?}", own.window), format!("{:?}", model.window));
        let spacing = |spacing: Option<[f64; 3]>| spacing.map_or("none".into(), |spacing| format!("{spacing:?}"));
        compare("spacing", spacing(own.spacing), spacing(model.spacing));
        if differences.is_empty() {
            return Ok(());
        }
        let fault = format!("{}; leave that out, or start from another model", differences.join("; "));
        Err(Error::argument("training options", fault))
    }

    /// Refuses options that no training can be run with.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the entry.
    pub fn check(&self) -> Result<()> {
        let fault = |name: &'static str, text: String| Err(Error::Argument { name, fault: text });
        if self.views.is_empty() {
            return fault("views", "none; at least one of axial, sagittal, coronal was expected".into());
        }
        self.model_config().check().map_err(|text| Error::argument("training options", text))?;
        for view in &self.views {
            match self.patch.get(view) {
                Some([h, w]) if [h, w].iter().all(|n| **n > 0 && **n % 8 == 0 && **n <= 4096) => {}
                Some([h, w]) => {
                    return fault(
                        "patch",
                        format!("{h} x {w} for the {view} view; multiples of 8 up to 4096 were expected"),
                    )
                }
                None => return fault("patch", format!("no entry for the {view} view")),
            }
        }
        for (name, value) in [
            ("slices_per_sample", self.slices_per_sample),
            ("samples_per_volume", self.samples_per_volume),
            ("validate_every", self.validate_every),
            ("accumulate", self.accumulate),
        ] {
            if !(1..=100_000).contains(&value) {
                return fault(name, format!("{value}; a number from 1 was expected"));
            }
        }
        let of_rstn = [("separate", &self.separate), ("individual", &self.individual), ("joint", &self.joint)];
        let of_rstn = of_rstn.into_iter().filter_map(|(name, stage)| Some((name, stage.as_ref()?)));
        let all = [("global", &self.global), ("local", &self.local), ("whole", &self.whole)].into_iter().chain(of_rstn);
        for (name, stage) in all {
            if stage.fall_every == Some(0) || (stage.fall_every.is_some() && stage.final_learning_rate.is_some()) {
                return fault(name, "fall_every is a number from 1, and stands instead of final_learning_rate".into());
            }
            let rates = [Some(stage.learning_rate), stage.final_learning_rate];
            if rates.iter().flatten().any(|rate| !(rate.is_finite() && *rate >= 0.0)) {
                return fault(name, "a learning rate is not a number from 0".into());
            }
            if stage.decay != Decay::default() && stage.final_learning_rate.is_none() {
                return fault(
                    name,
                    "decay says how the learning rate falls, and final_learning_rate, to which, is missing".into(),
                );
            }
            if stage.batch == 0 {
                return fault(name, "batch is 0; a number from 1 was expected".into());
            }
        }
        if let Optimiser::Sgd { momentum, weight_decay } = self.optimiser {
            if !((0.0..1.0).contains(&momentum) && weight_decay.is_finite() && weight_decay >= 0.0) {
                return fault(
                    "optimiser",
                    format!(
                        "momentum is {momentum}, weight_decay {weight_decay}; 0 to below 1, and from 0, were expected"
                    ),
                );
            }
        }
        if matches!(self.network, Some(Baseline::Rstn { .. })) && self.slices_per_sample != 3 {
            return fault("slices_per_sample", format!("{}; RSTN's samples are of 3", self.slices_per_sample));
        }
        if matches!(self.network, Some(Baseline::Fcn8s { .. })) && self.slices_per_sample != 1 {
            return fault("slices_per_sample", format!("{}; FCN8s's samples are of 1", self.slices_per_sample));
        }
        if !(self.dice_weight.is_finite() && self.dice_weight >= 0.0) {
            return fault("dice_weight", format!("{}; a number from 0 was expected", self.dice_weight));
        }
        let a = &self.augmentation;
        let parts = [a.zoom, a.contrast, a.brightness, a.noise];
        if parts.iter().any(|v| !(0.0..=0.5).contains(v)) {
            return fault(
                "augmentation",
                format!("zoom, contrast, brightness and noise are {parts:?}; parts from 0 to 0.5 were expected"),
            );
        }
        if let Some(organs) = &self.organs {
            organs.check().map_err(|text| Error::argument("organs", text))?;
        }
        let lengths = [a.rotation_degrees, a.elastic_mm, a.elastic_spacing_mm, self.checkpoint_minutes];
        if lengths.iter().any(|v| !(v.is_finite() && *v >= 0.0)) || a.elastic_spacing_mm < 1.0 {
            return fault("augmentation", "numbers from 0, and an elastic spacing from 1 mm, were expected".into());
        }
        if self.threads == Some(0) || self.loader_threads == Some(0) {
            return fault("threads", "0; a number from 1 was expected".into());
        }
        Ok(())
    }

    /// Reads options from TOML; `preset` in it, or `default`, says what the entries that it leaves out are.
    ///
    /// # Errors
    /// [`Error::Argument`] with the line for text that is not TOML, unknown entries and wrong types.
    pub fn from_toml(text: &str, default: Preset) -> Result<Self> {
        Self::read(text, default, |_| {})
    }

    /// Reads options from TOML for one of the networks that the paper compares GGPFN with.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    pub fn baseline_from_toml(text: &str, default: Preset, baseline: Baseline) -> Result<Self> {
        Self::read(text, default, |options| options.network = Some(baseline.clone()))
    }

    /// Sets the epochs of each stage: three numbers for a GGPFN, of which one without a global branch has no use for the first, and for RSTN;
    /// one for networks that are trained whole.
    ///
    /// # Errors
    /// A sentence for another count.
    pub fn set_epochs(&mut self, epochs: &[usize]) -> std::result::Result<(), String> {
        let whole = self.whole.clone();
        let stages: Vec<&mut StageOptions> = match &self.network {
            None => vec![&mut self.global, &mut self.local, &mut self.whole],
            Some(Baseline::Rstn { .. }) => {
                let of_rstn = [&mut self.separate, &mut self.individual, &mut self.joint];
                of_rstn.into_iter().map(|stage| stage.get_or_insert_with(|| whole.clone())).collect()
            }
            Some(_) => vec![&mut self.whole],
        };
        if stages.len() != epochs.len() {
            let count = if stages.len() == 1 { "one was" } else { "three, one for each stage, were" };
            return Err(format!("{} numbers; {count} expected", epochs.len()));
        }
        stages.into_iter().zip(epochs).for_each(|(stage, epochs)| stage.epochs = *epochs);
        Ok(())
    }

    /// Reads options from TOML for a training that starts from a model's weights.
    ///
    /// What the text leaves out comes from the model as far as the model [settles it](Self::adopt), else from the preset. The stage of
    /// the whole network alone is trained, and with `all_stages` the others too, unless the text says how many epochs they have.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml), and [`Error::Argument`] if the text asks for another network than the model's.
    pub fn fine_tuning(text: &str, default: Preset, model: &ModelConfig, all_stages: bool) -> Result<Self> {
        let options = Self::read(text, default, |options| {
            options.adopt(model);
            if !all_stages {
                (options.global.epochs, options.local.epochs) = (0, 0);
            }
        })?;
        options.check_for(model)?;
        Ok(options)
    }

    /// Reads options from TOML over those of a preset, which `prepare` may change before.
    fn read(text: &str, default: Preset, prepare: impl Fn(&mut Self)) -> Result<Self> {
        let fault = |e: String| Error::argument("training options", e);
        let mut given: toml::Table = text.parse().map_err(|e: toml::de::Error| fault(e.to_string()))?;
        let preset = match given.remove("preset") {
            None => default,
            Some(toml::Value::String(name)) => name.parse().map_err(fault)?,
            Some(other) => return Err(fault(format!("preset is {other}; a name was expected"))),
        };
        let mut base = TrainOptions::preset(preset);
        prepare(&mut base);
        // A baseline, which the text or the model to start from names, has a schedule of its own.
        let named = match given.get("network") {
            Some(network) => Some(network.clone().try_into().map_err(|e: toml::de::Error| fault(e.to_string()))?),
            None => base.network.clone(),
        };
        if let Some(baseline) = named {
            base = TrainOptions::of_baseline(baseline, preset);
            prepare(&mut base);
        }
        let mut whole = toml::Table::try_from(base).map_err(|e| fault(e.to_string()))?;
        merge(&mut whole, given);
        let options: TrainOptions = whole.try_into().map_err(|e: toml::de::Error| fault(e.to_string()))?;
        options.check()?;
        Ok(options)
    }

    /// The options as TOML, which [`from_toml`](Self::from_toml) reads back to the same.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::argument("training options", e.to_string()))
    }
}

/// Puts the entries of `over` into `base`, table by table.
fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One rule for the program, the C interface and the worker: text over model over preset.
    #[test]
    fn a_model_to_start_from_settles_what_the_options_do_not_name() {
        let model = ModelConfig {
            views: vec![View::Sagittal, View::Coronal],
            spacing: Some([2.0, 3.0, 4.0]),
            threshold: 0.3,
            ..TrainOptions::preset(Preset::Small).model_config()
        }
        .with_ggpfn(|network| (network.t, network.widths) = (3, [4, 4, 6, 8]));
        let read = |text: &str, all_stages| TrainOptions::fine_tuning(text, Preset::Small, &model, all_stages);
        let epochs = |o: &TrainOptions| [o.global.epochs, o.local.epochs, o.whole.epochs];
        let bare = read("", false).unwrap();
        assert_eq!(bare.model_config(), model);
        assert_eq!(epochs(&bare), [0, 0, 30]);
        assert_eq!(epochs(&read("", true).unwrap()), [20, 60, 30]);
        assert_eq!(epochs(&read("[local]\nepochs = 7\n", false).unwrap()), [0, 7, 30]);
        let text = "views = [\"axial\", \"coronal\"]\nthreshold = 0.4\nt = 3\n[view_weights]\ncoronal = 0.9\n\
                    [global_size]\ncoronal = [64, 64]\n";
        let named = read(text, false).unwrap();
        assert_eq!((&named.views[..], named.threshold), (&[View::Axial, View::Coronal][..], 0.4));
        assert_eq!((named.view_weights[&View::Coronal], named.global_size[&View::Coronal]), (0.9, [64, 64]));
        // What was resolved is read back to the same, as a run that is resumed does it.
        assert_eq!(read(&named.to_toml().unwrap(), false).unwrap(), named);
        for (text, name, own, has) in [
            ("t = 5", "t is", "5", "3"),
            ("widths = [4, 4, 6, 9]", "widths is", "9]", "8]"),
            ("fusion = \"one-off\"", "fusion is", "OneOff", "Progressive"),
            ("global_guidance = false", "global_widths is", "none", "[16, "),
            ("window = [-50.0, 240.0]", "window is", "-50.0", "-100.0"),
            ("spacing = [2.0, 3.0, 5.0]", "spacing is", "5.0", "4.0"),
        ] {
            let error = read(text, false).unwrap_err().to_string();
            assert!([name, own, has, "leave that out"].iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }

    #[test]
    fn presets_are_the_papers() {
        let msd = TrainOptions::preset(Preset::Msd);
        assert_eq!((msd.global.epochs, msd.local.epochs, msd.whole.epochs), (1000, 1000, 800));
        assert_eq!((msd.global.batch, msd.local.batch, msd.whole.batch), (32, 4, 4));
        assert_eq!((msd.patch[&View::Axial], msd.patch[&View::Coronal]), ([256, 256], [128, 256]));
        assert_eq!((msd.global_size[&View::Axial], msd.global_size[&View::Sagittal]), ([224, 224], [128, 224]));
        assert_eq!(msd.view_weights[&View::Axial], 0.8);
        let nihc = TrainOptions::preset(Preset::Nihc);
        assert!(View::ALL.iter().all(|v| nihc.patch[v] == [256, 256] && nihc.global_size[v] == [224, 224]));
        for preset in [Preset::Msd, Preset::Nihc, Preset::Small] {
            TrainOptions::preset(preset).check().unwrap();
        }
    }

    #[test]
    fn toml_goes_there_and_back_and_fills_in_from_the_preset() {
        for preset in [Preset::Msd, Preset::Small] {
            let options = TrainOptions::preset(preset);
            assert_eq!(TrainOptions::from_toml(&options.to_toml().unwrap(), Preset::Nihc).unwrap(), options);
        }
        let text = "preset = \"msd\"\nseed = 3\nrecompute = true\n[local]\nepochs = 7\n[patch]\naxial = [64, 64]\n";
        let options = TrainOptions::from_toml(text, Preset::Small).unwrap();
        assert_eq!((options.seed, options.local.epochs, options.local.batch), (3, 7, 4));
        assert_eq!(TrainOptions::from_toml(&options.to_toml().unwrap(), Preset::Nihc).unwrap(), options);
        assert!(options.recompute);
        assert_eq!((options.patch[&View::Axial], options.patch[&View::Coronal]), ([64, 64], [128, 256]));
    }

    #[test]
    fn unusable_options_are_named() {
        for (text, name) in [
            ("sed = 1", "sed"),
            ("t = 16", "t is 16"),
            ("slices_per_sample = 0", "slices_per_sample"),
            ("accumulate = 0", "accumulate"),
            ("[patch]\naxial = [100, 96]", "multiples of 8"),
            ("views = []", "views"),
            ("[augmentation]\nzoom = 0.6", "zoom"),
            ("[augmentation]\nnoise = -0.1", "noise"),
            ("[organs]\nclasses = []\nweight = 1.0", "organs"),
            ("[organs]\nclasses = [[1, 2], [2]]\nweight = 1.0", "once"),
            ("[organs]\nclasses = [[255]]\nweight = 1.0", "255"),
            ("[organs]\nclasses = [[1]]\nweight = -1.0", "weight"),
            ("preset = \"big\"", "big"),
            ("t = ", "line"),
            ("[local]\nlearning_rate = -1.0", "learning rate"),
        ] {
            let error = TrainOptions::from_toml(text, Preset::Small).unwrap_err().to_string();
            assert!(error.contains(name), "{text}: {error}");
        }
    }
}
