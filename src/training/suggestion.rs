//! Options for a training, suggested from what is typical of its data.
//!
//! The idea is nnU-Net's (Isensee et al., 2021): what data decide is derived from a fingerprint of them by fixed rules, and each rule can be
//! said in a sentence. The rules are this library's own, for networks that see a patch of a slice and the whole slice beside it; docs/training.md
//! has them.

use std::fmt::Write;

use super::{Preset, TrainOptions};
use crate::dataset::{Fingerprint, Quantiles};
use crate::labels::LabelSource;
use crate::network::ggpfn::activations::{global_elements, local_elements};
use crate::network::layout;
use crate::{Error, Result};

/// Beyond the organ a patch shows so many millimetres on each side.
const MARGIN_MM: f64 = 25.0;
/// The smallest patch, in pixels.
const LEAST_PATCH: usize = 32;
/// The narrowest window, in HU: what lies around the organ has to be told from it, from fat (-100 HU) to vessels with contrast medium.
const NARROWEST_WINDOW: f64 = 300.0;
/// Spacings that differ from the median by less than this part are taken for one.
const ALIKE: f64 = 0.1;
/// Slices are thick from so many times the spacing within them on.
const ANISOTROPIC: f64 = 4.0;
/// What the working spacing of the preset for processors is, in mm.
const SMALL_SPACING: f64 = 2.5;
/// By how much the spacing grows where memory does not suffice, each time.
const COARSER: f64 = 1.1;
/// The coarsest spacing that is tried, in mm.
const COARSEST: f64 = 6.0;

/// Bytes kept for each element of a feature map in training, and bytes that the process takes besides; measured on the processor in float32
/// (docs/figures.md).
const BYTES_AN_ELEMENT: f64 = 13.0;
const BESIDES: f64 = 420e6;
/// The part that is left of the feature maps if they are computed again.
const RECOMPUTED: f64 = 0.67;
/// Weights, their gradients and the two moments of Adam.
const BYTES_A_PARAMETER: u64 = 16;

/// A suggestion.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The preset that it is based on.
    pub preset: Preset,
    /// The options: those of the preset, with what the data decide.
    pub options: TrainOptions,
    /// Bytes that a step of the training takes in float32, estimated.
    pub memory: u64,
    /// Why each entry is what it is.
    pub reasons: Vec<Reason>,
}

/// Why an entry is what it is.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The option's name.
    pub entry: &'static str,
    /// In a sentence.
    pub text: String,
}

impl Suggestion {
    /// The options that fit a set, for a GGPFN of a preset's size. `labels` are the set's, none for the pancreas alone; `budget` is the memory
    /// in bytes that a step may take.
    ///
    /// # Errors
    /// [`Error::Argument`] if no spacing makes a step fit the budget.
    pub fn of(fingerprint: &Fingerprint, preset: Preset, labels: &[LabelSource], budget: Option<u64>) -> Result<Self> {
        let mut reasons = Vec::new();
        let base = TrainOptions { labels: labels.to_vec(), ..TrainOptions::preset(preset) };
        let (spacing, reason) = spacing(fingerprint, preset);
        reasons.push(Reason { entry: "spacing", text: reason });
        let (window, reason) = window(fingerprint);
        reasons.push(Reason { entry: "window", text: reason });
        let mut options = TrainOptions { window, ..base.clone() };
        fit(&mut options, fingerprint, spacing, &base);

        let mut memory = step_memory(&options);
        if let Some(budget) = budget {
            let wanted = (memory, options.spacing);
            if memory > budget {
                options.recompute = true;
                memory = step_memory(&options);
            }
            while memory > budget {
                let [z, y, x] = options.spacing.unwrap_or_else(|| medians(fingerprint));
                // The finest axes first: a volume grows coarser where it has voxels to spare.
                let finest = z.min(y).min(x);
                let next = [z, y, x].map(|s| if s < finest * COARSER { rounded(s * COARSER) } else { s });
                if finest * COARSER > COARSEST {
                    let fault = format!(
                        "{:.1} GB; a step of this network takes {:.1} GB even on voxels of {COARSEST} mm: give more, or take the preset small",
                        budget as f64 / 1e9,
                        memory as f64 / 1e9
                    );
                    return Err(Error::argument("memory", fault));
                }
                fit(&mut options, fingerprint, Some(next), &base);
                memory = step_memory(&options);
            }
            if options.recompute {
                let text = format!(
                    "a step would take {:.1} GB, more than {:.1} GB: feature maps are computed twice rather than kept",
                    wanted.0 as f64 / 1e9,
                    budget as f64 / 1e9
                );
                reasons.push(Reason { entry: "recompute", text });
            }
            if options.spacing != wanted.1 {
                reasons[0].text += &format!("; made coarser until a step fits {:.1} GB", budget as f64 / 1e9);
            }
        }
        let [x, y, z] = fingerprint.extent_mm.each_ref().map(|extent| extent.p95);
        reasons.push(Reason {
            entry: "patch",
            text: format!(
                "what is labelled, {x:.0} x {y:.0} x {z:.0} mm (x, y, z) in 95 % of the cases, with {MARGIN_MM} mm around it, in steps of 8 \
                 pixels; rows and columns of each view"
            ),
        });
        if options.global_guidance {
            reasons.push(Reason {
                entry: "global_size",
                text:
                    "the whole slice of the median scan with square pixels, in steps of 32; no larger than the preset's"
                        .into(),
            });
        }
        options.check()?;
        Ok(Suggestion { preset, options, memory, reasons })
    }

    /// The entries that the data decide as TOML, each with its reason: what `ggpfn train --config` reads. `head` stands above them.
    pub fn to_toml(&self, head: &str) -> String {
        let reason = |entry: &str| {
            let found = self.reasons.iter().find(|reason| reason.entry == entry);
            found.map_or(String::new(), |reason| format!("# {}: {}.\n", reason.entry, reason.text))
        };
        let options = &self.options;
        let list = |values: &[f64]| values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", ");
        let mut text: String = head.lines().map(|line| format!("# {line}\n")).collect();
        let _ = writeln!(text, "# A step of the training takes about {:.1} GB of memory.", self.memory as f64 / 1e9);
        let _ = writeln!(text, "preset = \"{}\"\n", self.preset.name());
        text += &reason("spacing");
        if let Some(spacing) = options.spacing {
            let _ = writeln!(text, "spacing = [{}]  # z, y, x in mm", list(&spacing));
        }
        text += &reason("window");
        let _ = writeln!(text, "window = [{}]  # HU", list(&options.window));
        if options.recompute {
            text += &reason("recompute");
            text += "recompute = true\n";
        }
        for LabelSource { name, values } in &options.labels {
            let name = toml::Value::String(name.clone());
            let _ = writeln!(text, "[[labels]]\nname = {name}\nvalues = {values:?}");
        }
        for (name, sizes) in [("patch", &options.patch), ("global_size", &options.global_size)] {
            if name == "global_size" && !options.global_guidance {
                continue;
            }
            let _ = writeln!(text, "\n{}[{name}]", reason(name));
            for (view, [rows, columns]) in sizes.iter().filter(|(view, _)| options.views.contains(view)) {
                let _ = writeln!(text, "{view} = [{rows}, {columns}]");
            }
        }
        text
    }
}

/// Three digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The median spacing along z, y and x.
fn medians(fingerprint: &Fingerprint) -> [f64; 3] {
    let [x, y, z] = fingerprint.spacing_mm.each_ref().map(|spacing| rounded(spacing.median));
    [z, y, x]
}

/// The working spacing [z, y, x], and why.
fn spacing(fingerprint: &Fingerprint, preset: Preset) -> (Option<[f64; 3]>, String) {
    let mut spacing = medians(fingerprint);
    let alike = |q: &Quantiles| q.p10 >= q.median * (1.0 - ALIKE) && q.p90 <= q.median * (1.0 + ALIKE);
    let words = |[z, y, x]: [f64; 3]| format!("{x} x {y} x {z} mm (x, y, z)");
    let median = words(spacing);
    if preset == Preset::Small {
        spacing = spacing.map(|s| s.max(SMALL_SPACING));
        return (
            Some(spacing),
            format!("the scans' median, {median}, but no finer than the preset's {SMALL_SPACING} mm"),
        );
    }
    let [x, y, z] = &fingerprint.spacing_mm;
    let within = x.median.max(y.median);
    if z.median > ANISOTROPIC * within {
        spacing[0] = rounded(z.p10.max(within));
        let text = format!("the scans' median, {median}, but of their thick slices the 10th percentile");
        return (Some(spacing), text);
    }
    match fingerprint.spacing_mm.iter().all(alike) {
        true => (None, format!("each scan's own grid: their spacings are alike, about {median}")),
        false => {
            (Some(spacing), format!("the scans' median, {median}: they range from {} to {} mm along z", z.min, z.max))
        }
    }
}

/// The window, and why.
fn window(fingerprint: &Fingerprint) -> ([f64; 2], String) {
    let hu = &fingerprint.foreground_hu;
    let (low, high) = ((hu.low / 10.0).floor() * 10.0, (hu.high / 10.0).ceil() * 10.0);
    let text = format!("99 % of what is labelled is from {:.0} to {:.0} HU", hu.low, hu.high);
    if high - low >= NARROWEST_WINDOW {
        return ([low, high], text);
    }
    // Whole tens on both sides, wherever the middle is.
    let low = ((low + high - NARROWEST_WINDOW) / 20.0).round() * 10.0;
    (
        [low, low + NARROWEST_WINDOW],
        format!("{text}; widened to {NARROWEST_WINDOW} HU, which tell it from what is around it"),
    )
}

/// Sets spacing, and patches and whole slices on it.
fn fit(options: &mut TrainOptions, fingerprint: &Fingerprint, spacing: Option<[f64; 3]>, base: &TrainOptions) {
    options.spacing = spacing;
    let own = medians(fingerprint);
    let at = spacing.unwrap_or(own);
    let [x, y, z] = &fingerprint.extent_mm;
    let organ = [z.p95, y.p95, x.p95];
    let [x, y, z] = &fingerprint.size;
    let scan: Vec<f64> = [z.median, y.median, x.median].iter().zip(own).map(|(n, s)| n * s).collect();
    let largest = base.global_size.values().flatten().copied().max().unwrap_or(224);
    for view in &options.views {
        let [_, rows, columns] = view.axes();
        let patch = [rows, columns].map(|axis| {
            let wanted = organ[axis] + 2.0 * MARGIN_MM;
            let pixels = |mm: f64| ((mm / at[axis]).ceil() as usize).next_multiple_of(8);
            pixels(wanted).min(pixels(scan[axis])).max(LEAST_PATCH)
        });
        options.patch.insert(*view, patch);
        let pixel = (scan[rows].max(scan[columns]) / largest as f64).max(at[rows].min(at[columns]));
        let whole = [rows, columns].map(|axis| {
            let steps = (scan[axis] / pixel / 32.0).round() as usize;
            (32 * steps).clamp(32, largest)
        });
        options.global_size.insert(*view, whole);
    }
}

/// Bytes that a step takes: of the view and the stage that take most.
fn step_memory(options: &TrainOptions) -> u64 {
    let config = options.model_config();
    let Some(network) = config.ggpfn() else { return 0 };
    let slices = options.slices_per_sample;
    let most = options.views.iter().map(|view| {
        let local = options.patch.get(view).map_or(0, |patch| local_elements(network, slices, *patch));
        let global = options.global_size.get(view).map_or(0, |size| global_elements(network, slices, *size));
        let of_stage = [
            options.global.batch as u64 * global,
            options.local.batch as u64 * local,
            options.whole.batch as u64 * (local + global),
        ];
        of_stage.into_iter().max().unwrap_or(0)
    });
    let maps = most.max().unwrap_or(0) as f64 * BYTES_AN_ELEMENT * if options.recompute { RECOMPUTED } else { 1.0 };
    let weights = BYTES_A_PARAMETER * (layout::parameters(&config) * options.views.len()) as u64;
    (maps + BESIDES) as u64 + weights
}
