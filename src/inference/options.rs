//! What a caller may ask of a segmentation.

use std::collections::BTreeMap;

use super::patches::PatchGrid;
use crate::compute::{DeviceChoice, PrecisionChoice};
use crate::network::Model;
use crate::volume::{Region, View};
use crate::{Error, Result};

/// How a volume is to be segmented. What is left open comes from the model, or is chosen for the machine.
#[derive(Clone, Debug, Default)]
pub struct SegmentOptions {
    /// The views to compute; empty: all that the model has.
    pub views: Vec<View>,
    /// Weights of the views in the fusion, which are scaled to add up to 1 over the views computed; none: the model's.
    pub view_weights: Option<BTreeMap<View, f64>>,
    /// Probabilities from here on are pancreas, 0 to 1; none: the model's.
    pub threshold: Option<f64>,
    /// Where the network runs.
    pub device: DeviceChoice,
    /// The number format that it computes in.
    pub precision: PrecisionChoice,
    /// Processor threads; none: as many as there are processors.
    pub threads: Option<usize>,
    /// Slices that enter the network at a time; none: chosen by their size. The result does not depend on it.
    pub block: Option<usize>,
    /// Slices are cut into overlapping patches; none: each slice is one patch, as the paper has it in testing.
    pub patches: Option<PatchGrid>,
    /// The volume lies on the network's working grid already: it is not resampled.
    pub prepared: bool,
    /// The part of the volume to look at; none: all of it. What lies outside is as if it were not there.
    pub region: Option<Region>,
    /// Keep the largest connected part of the mask alone.
    pub largest_component: bool,
    /// Give each view's probability too.
    pub keep_views: bool,
    /// Only masks are wanted: probabilities are not brought to the caller's grid, which takes 4 bytes a voxel. Each view's, and the
    /// disagreement, if asked for, are given all the same.
    pub mask_only: bool,
    /// Give the disagreement between the views too.
    pub uncertainty: bool,
}

impl SegmentOptions {
    /// Refuses what no model and no volume could be segmented with.
    ///
    /// # Errors
    /// [`Error::Argument`] with the option's name.
    pub fn check(&self) -> Result<()> {
        for (name, number) in [("threads", self.threads), ("block", self.block)] {
            if number == Some(0) {
                return Err(Error::argument(name, "0; a number from 1 was expected"));
            }
        }
        if let Some(threshold) = self.threshold {
            check_threshold(threshold)?;
        }
        if let Some(twice) = self.views.iter().enumerate().find(|(n, view)| self.views[..*n].contains(view)) {
            return Err(Error::argument("views", format!("{} is named twice; each view once was expected", twice.1)));
        }
        self.patches.as_ref().map_or(Ok(()), PatchGrid::check)
    }

    /// How many processor threads compute.
    pub(super) fn threads(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Beyond the processors more threads only wait for each other, and a system that refuses one ends the process within libgomp.
        self.threads.map_or(processors, |threads| threads.min(processors.max(64)))
    }
}

pub(super) fn check_threshold(threshold: f64) -> Result<()> {
    match (0.0..=1.0).contains(&threshold) {
        true => Ok(()),
        false => Err(Error::argument("threshold", format!("{threshold}; a number from 0 to 1 was expected"))),
    }
}

/// The views to compute, each with its weight; the weights add up to 1.
pub(super) fn settle_weights(model: &Model, options: &SegmentOptions) -> Result<BTreeMap<View, f64>> {
    let config = model.config();
    let views = if options.views.is_empty() { &config.views } else { &options.views };
    if let Some(missing) = views.iter().find(|view| !config.views.contains(view)) {
        let has: Vec<_> = config.views.iter().map(|view| view.name()).collect();
        return Err(Error::argument("views", format!("the model has no {missing} view; it has {}", has.join(", "))));
    }
    let given = options.view_weights.as_ref().unwrap_or(&config.view_weights);
    let mut views = views.clone();
    views.sort();
    views.dedup();
    let weights: Vec<f64> = views
        .iter()
        .map(|view| given.get(view).copied().ok_or_else(|| Error::argument("view weights", format!("none for {view}"))))
        .collect::<Result<_>>()?;
    Ok(views.into_iter().zip(scaled(&weights)?).collect())
}

/// Weights that add up to 1.
pub(super) fn scaled(weights: &[f64]) -> Result<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) || sum <= 0.0 {
        return Err(Error::argument(
            "view weights",
            format!("{weights:?}; numbers from 0 that do not all vanish were expected"),
        ));
    }
    Ok(weights.iter().map(|w| w / sum).collect())
}
