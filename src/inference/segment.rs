//! A volume to a mask: views, fusion, threshold, and the way back to the caller's grid.

use std::collections::BTreeMap;

use ndarray::{s, Array3, ArrayView3, Zip};
use rayon::prelude::*;

use super::clock::{Clock, Phase};
use super::ensemble::Ensemble;
use super::memory::{refuse_impossible_with_volume, MemoryEstimate};
use super::networks::check_options;
use super::options::{check_threshold, scaled, SegmentOptions};
use super::pass::{Gathered, Mean, Pass, Total};
use super::predictor::Work;
use super::results::{self, on_caller_grid, part_on_caller_grid, Masks};
use crate::compute::threads::give_memory_back;
use crate::compute::{Compute, Monitor};
use crate::labels::Label;
use crate::network::Model;
use crate::quality::{surroundings, Found, InputFeatures, Quality};
use crate::volume::{
    keep_largest_component, lps_spacing, lps_view, measure_components, resample, zeros, Geometry, Measurements, View,
    Volume,
};
use crate::{Error, Result};

/// What was found of a label beside the first; every array is `[k, j, i]` on the caller's grid.
#[derive(Clone, Debug)]
pub struct LabelResult {
    /// The label.
    pub label: Label,
    /// 1 where it is, 0 elsewhere.
    pub mask: Array3<u8>,
    /// Its fused probability, 0 to 1; without a voxel if [`SegmentOptions::mask_only`].
    pub probability: Array3<f32>,
    /// The threshold that made the mask.
    pub threshold: f64,
    /// What the mask says about it.
    pub measurements: Measurements,
}

/// The result, on the caller's own grid; every array is `[k, j, i]`.
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// 1 in the pancreas (the model's first label), 0 outside.
    pub mask: Array3<u8>,
    /// Its fused probability, 0 to 1; without a voxel if [`SegmentOptions::mask_only`].
    pub probability: Array3<f32>,
    /// The first label.
    pub label: Label,
    /// The model's other labels, in order; none in a model of the pancreas alone.
    pub others: Vec<LabelResult>,
    /// Each view's probability, if asked for.
    pub views: BTreeMap<View, Array3<f32>>,
    /// The standard deviation of the views' probabilities, 0 to 0.5: how much they disagree. If asked for.
    pub uncertainty: Option<Array3<f32>>,
    /// What the mask says about the organ.
    pub measurements: Measurements,
    /// How far the result can be trusted.
    pub quality: Quality,
    /// The weight that each view had.
    pub view_weights: BTreeMap<View, f64>,
    /// The threshold that made the mask.
    pub threshold: f64,
    /// Device and precision.
    pub compute: Compute,
    /// Processor threads.
    pub threads: usize,
    /// How long each part took.
    pub phases: Vec<Phase>,
}

impl Segmentation {
    /// All labels as one map: each voxel has its label's value, 0 outside. Where labels lie within others, a later one covers an earlier one.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn label_map(&self) -> Result<Array3<u8>> {
        let mut map = zeros::<u8>(self.mask.dim())?;
        let others = self.others.iter().map(|other| (other.label.value, &other.mask));
        for (value, mask) in std::iter::once((self.label.value, &self.mask)).chain(others) {
            Zip::from(&mut map).and(mask).par_for_each(|map, inside| {
                if *inside != 0 {
                    *map = value;
                }
            });
        }
        Ok(map)
    }

    /// The segmentation of a region that begins at voxel `start`, on a grid of `size` voxels; zero outside the region.
    fn on_whole(mut self, start: [usize; 3], size: [usize; 3]) -> Result<Self> {
        fn paste<T: Clone + Default>(part: &Array3<T>, start: [usize; 3], size: [usize; 3]) -> Result<Array3<T>> {
            let mut whole = zeros((size[2], size[1], size[0]))?;
            let [i, j, k] = start;
            let (slices, rows, columns) = part.dim();
            whole.slice_mut(s![k..k + slices, j..j + rows, i..i + columns]).assign(part);
            Ok(whole)
        }
        /// What was not wanted is empty, and stays so.
        fn paste_wanted(part: &Array3<f32>, start: [usize; 3], size: [usize; 3]) -> Result<Array3<f32>> {
            if part.is_empty() {
                zeros((0, 0, 0))
            } else {
                paste(part, start, size)
            }
        }
        self.mask = paste(&self.mask, start, size)?;
        self.probability = paste_wanted(&self.probability, start, size)?;
        for array in self.views.values_mut().chain(&mut self.uncertainty) {
            *array = paste(array, start, size)?;
        }
        for other in &mut self.others {
            other.mask = paste(&other.mask, start, size)?;
            other.probability = paste_wanted(&other.probability, start, size)?;
        }
        let of_others = self.others.iter_mut().map(|other| &mut other.measurements);
        let boxes = std::iter::once(&mut self.measurements).chain(of_others).map(|measured| &mut measured.bounding_box);
        for corner in boxes.flatten().flatten() {
            corner.iter_mut().zip(start).for_each(|(index, start)| *index += start);
        }
        Ok(self)
    }
}

/// Segments the pancreas in a volume.
///
/// The network runs on a thread of its own; libtorch's settings in the calling thread stay as they are.
///
/// # Errors
/// [`Error::Argument`] for options that do not fit the model, [`Error::Device`] for a device that is not there,
/// [`Error::Memory`] where memory runs out, [`Error::Cancelled`] when the monitor's cancel was used.
pub fn segment(model: &Model, volume: &Volume, options: &SegmentOptions, monitor: &Monitor) -> Result<Segmentation> {
    Ensemble::from(model).segment(volume, options, monitor)
}

/// As [`segment`], for a caller that has cut the region out of its image already: `part` is what `options.region` names on the grid
/// `whole`, on which the result lies.
///
/// # Errors
/// As [`segment`]; [`Error::Argument`] if there is no region, or `part` is of another size.
pub fn segment_region(
    model: &Model,
    part: &Volume,
    whole: &Geometry,
    options: &SegmentOptions,
    monitor: &Monitor,
) -> Result<Segmentation> {
    Ensemble::from(model).segment_region(part, whole, options, monitor)
}

impl Ensemble<'_> {
    /// Segments a volume with all models, one after the other, so that one network at a time is in memory, and one running sum of
    /// probabilities beside the model's own.
    ///
    /// Views and view weights that the options name go for each model; without them each has its own. A view's probability is the mean over
    /// the models that have it, and the uncertainty the standard deviation over all views of all models. What a result's quality says about
    /// the agreement of views is the mean of what each model's views say.
    ///
    /// # Errors
    /// As [`segment`].
    pub fn segment(&self, volume: &Volume, options: &SegmentOptions, monitor: &Monitor) -> Result<Segmentation> {
        options.check()?;
        match options.region {
            None => {
                refuse_impossible_with_volume(self, volume.geometry(), options)?;
                segment_all(self, volume, options, monitor)
            }
            Some(region) => self.segment_region(&volume.crop(region)?, volume.geometry(), options, monitor),
        }
    }

    /// As [`segment`](Self::segment), of a region that is cut out already; see [`segment_region`].
    ///
    /// # Errors
    /// As [`segment_region`].
    pub fn segment_region(
        &self,
        part: &Volume,
        whole: &Geometry,
        options: &SegmentOptions,
        monitor: &Monitor,
    ) -> Result<Segmentation> {
        options.check()?;
        let region = options.region.filter(|region| region.size == part.geometry().size);
        let region = region.ok_or_else(|| {
            let fault = format!("{:?}; a region of {:?} voxels was expected", options.region, part.geometry().size);
            Error::argument("region", fault)
        })?;
        refuse_impossible_with_volume(self, whole, options)?;
        segment_all(self, part, options, monitor)?.on_whole(region.start, whole.size)
    }
}

/// Segments all of `volume`, which is a region of an image if the options have one.
fn segment_all(
    ensemble: &Ensemble,
    volume: &Volume,
    options: &SegmentOptions,
    monitor: &Monitor,
) -> Result<Segmentation> {
    let is_region = options.region.is_some();
    let options = &SegmentOptions { region: None, ..options.clone() };
    let models = ensemble.models();
    let weights = ensemble.settle_weights(options)?;
    let threshold = options.threshold.unwrap_or(ensemble.threshold_of(0));
    check_threshold(threshold)?;
    if options.uncertainty && weights.iter().map(BTreeMap::len).sum::<usize>() < 2 {
        return Err(Error::argument(
            "uncertainty",
            "it is the disagreement between views, and one view alone was asked for; two or three were expected",
        ));
    }
    let threads = options.threads();
    let mut clock = Clock::new();
    let compute = Compute::choose(options.device, options.precision)?;
    clock.lap("device");
    let works: Vec<Work> = models
        .iter()
        .map(|model| Work { model, compute, threads, block: options.block, patches: options.patches })
        .collect();
    works.iter().try_for_each(check_options)?;

    let geometry = volume.geometry();
    let original = lps_view(volume.voxels(), geometry);
    let (z, y, x) = original.dim();
    let sizes: Vec<[usize; 3]> = models
        .iter()
        .map(|model| match options.prepared {
            true => [z, y, x],
            false => model.config().working_grid([z, y, x], lps_spacing(geometry)).0,
        })
        .collect();
    for size in &sizes {
        let voxels = size.iter().map(|n| *n as f64).product::<f64>();
        if *size != [z, y, x] && voxels > 4e9 {
            return Err(Error::Memory(format!(
                "at the model's spacing the volume would have {:.0} x {:.0} x {:.0} voxels",
                size[2], size[1], size[0]
            )));
        }
    }
    // Models that work on one grid are averaged there; others where the result is to lie.
    let common = if sizes.iter().all(|size| *size == sizes[0]) { sizes[0] } else { [z, y, x] };

    let in_need = |error| {
        give_memory_back(compute.is_gpu());
        with_need(error, &compute, ensemble.estimate_memory(geometry, options))
    };
    let several = models.len() > 1;
    // Of a single model the views are kept for their disagreement.
    let mut total = Total::new(geometry, common, options.keep_views || !several, options.uncertainty && several)
        .map_err(in_need)?;
    let mut resampled: Option<Array3<f32>> = None;
    let count = models.len();
    for (number, ((work, size), weights)) in works.iter().zip(&sizes).zip(&weights).enumerate() {
        if *size == [z, y, x] {
            resampled = None;
        } else if resampled.as_ref().is_none_or(|volume| volume.shape() != size) {
            drop(resampled.take()); // before the next one is made
            resampled = Some(resample(original.view(), *size, true));
            clock.lap("resample");
        }
        let pass = Pass {
            work: *work,
            input: resampled.as_ref().map_or(original.view(), |resampled| resampled.view()),
            geometry,
            weights,
            threshold,
            keep_views: options.keep_views || options.uncertainty,
            step: (number, count),
        };
        total.add(pass.run(monitor, &mut clock, &in_need)?)?;
    }
    drop(resampled);
    monitor.check()?;
    monitor.report("result", 1.0);
    let Mean { fused, others, mut views, deviation, agreement } = total.mean()?;

    // Of the first label, on the grid that the network worked on; where that is the caller's, it is what is given back too.
    let labels = ensemble.labels();
    let first = fused.view(geometry);
    let maps: Vec<_> = std::iter::once(first).chain(others.iter().map(|other| other.view())).collect();
    let thresholds: Vec<f64> = std::iter::once(threshold)
        .chain((1..labels.count()).map(|label| ensemble.threshold_beside(label, threshold)))
        .collect();
    let Masks { mut masks, overall } = results::masks(&maps, geometry, &thresholds, labels.exclusive)?;
    let other_masks = masks.split_off(1);
    let mut mask = masks.remove(0);
    if options.largest_component {
        keep_largest_component(&mut mask);
    }
    let (measurements, components) = measure_components(mask.view(), volume);
    clock.lap("result");
    let around = match surroundings(&measurements, geometry.size) {
        Some(region) => part_on_caller_grid(maps[0].view(), geometry, region)?,
        None => zeros((0, 0, 0))?,
    };
    let view_weights = mean_weights(&weights);
    let quality = Quality::of(&Found {
        volume,
        input: &if is_region { InputFeatures::of_region(volume) } else { InputFeatures::of(volume) },
        mask: mask.view(),
        overall,
        probability: around.view(),
        measurements: &measurements,
        components: &components,
        views: view_weights.len(),
        agreement,
        threshold,
    });
    clock.lap("quality");
    // What is not wanted is not brought to the caller's grid.
    let wanted = |working: ArrayView3<f32>| match options.mask_only {
        true => zeros((0, 0, 0)),
        false => on_caller_grid(working, geometry),
    };
    let others = labels.labels[1..]
        .iter()
        .zip(&maps[1..])
        .zip(other_masks)
        .zip(&thresholds[1..])
        .map(|(((label, fused), mask), threshold)| {
            Ok(LabelResult {
                label: label.clone(),
                probability: wanted(fused.view())?,
                measurements: measure_components(mask.view(), volume).0,
                mask,
                threshold: *threshold,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let deviation = match (options.uncertainty, deviation) {
        (true, None) => Some(disagreement(&views)?),
        (_, deviation) => deviation,
    };
    let uncertainty = deviation.map(|deviation| on_caller_grid(deviation.view(), geometry)).transpose()?;
    if !options.keep_views {
        views.clear();
    }
    let views = views
        .into_iter()
        .map(|(view, p)| Ok((view, on_caller_grid(p.view(), geometry)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let probability = match fused {
        Gathered { array, on_caller: true } if !options.mask_only => array,
        _ => wanted(maps[0].view())?,
    };
    clock.lap("probabilities");
    Ok(Segmentation {
        mask,
        probability,
        label: labels.labels[0].clone(),
        others,
        views,
        uncertainty,
        measurements,
        quality,
        view_weights,
        threshold,
        compute,
        threads,
        phases: clock.phases,
    })
}

/// Says in an error about memory how much would have been needed.
fn with_need(error: Error, compute: &Compute, estimate: Result<MemoryEstimate>) -> Error {
    match (error, estimate) {
        (Error::Memory(text), Ok(estimate)) => {
            let (bytes, place) = match compute.is_gpu() {
                true => (estimate.device, "of the GPU's memory"),
                false => (estimate.host, "of memory"),
            };
            Error::Memory(format!("{text}; about {:.1} GB {place} are needed", bytes as f64 / 1e9))
        }
        (error, _) => error,
    }
}

/// Fuses probabilities of several views, all of one shape: the weighted sum with the weights scaled to add up to 1 (paper,
/// section 3.2).
///
/// # Errors
/// [`Error::Argument`] if the shapes differ, the weights cannot be used or a value is no probability.
pub fn fuse(probabilities: &[ArrayView3<f32>], weights: &[f64]) -> Result<Array3<f32>> {
    let weights = scaled(weights)?;
    let Some(first) = probabilities.first().filter(|_| probabilities.len() == weights.len()) else {
        return Err(Error::argument(
            "weights",
            format!("{} weights for {} views; one each was expected", weights.len(), probabilities.len()),
        ));
    };
    let mut fused = zeros::<f32>(first.dim())?;
    for (probability, weight) in probabilities.iter().zip(&weights) {
        if probability.dim() != first.dim() {
            return Err(Error::argument(
                "views",
                format!("they differ in size: {:?} and {:?}", first.dim(), probability.dim()),
            ));
        }
        check_probability(*probability)?;
        Zip::from(&mut fused).and(probability).par_for_each(|sum, p| *sum += *weight as f32 * p);
    }
    Ok(fused)
}

/// 1 where a probability reaches the threshold.
pub fn mask_of(probability: ArrayView3<f32>, threshold: f64) -> Array3<u8> {
    Zip::from(probability).par_map_collect(|p| u8::from(f64::from(*p) >= threshold))
}

/// The mask of a probability that was kept, and its measurements: what a threshold that is being tried needs, without the network.
/// `probability` is `[k, j, i]` on the volume's grid.
///
/// # Errors
/// [`Error::Argument`] if the shapes differ, the threshold is not within 0 to 1 or a value is no probability.
pub fn threshold_probability(
    probability: ArrayView3<f32>,
    volume: &Volume,
    threshold: f64,
    largest_component: bool,
) -> Result<(Array3<u8>, Measurements)> {
    check_probability(probability)?;
    check_threshold(threshold)?;
    if probability.dim() != volume.voxels().dim() {
        let text = format!("{:?}; the volume's {:?} was expected", probability.dim(), volume.voxels().dim());
        return Err(Error::argument("probability", text));
    }
    let mut mask = zeros::<u8>(probability.dim())?;
    Zip::from(&mut mask).and(probability).par_for_each(|inside, p| *inside = u8::from(f64::from(*p) >= threshold));
    if largest_component {
        keep_largest_component(&mut mask);
    }
    let (measurements, _) = measure_components(mask.view(), volume);
    Ok((mask, measurements))
}

/// How far rounding, by another program or in a scaled file, may take a probability beyond 0 or 1.
pub const PROBABILITY_ROUNDING: f32 = 1e-4;

/// Refuses values that are no probabilities, but for what rounding takes beyond 0 or 1.
fn check_probability(probability: ArrayView3<f32>) -> Result<()> {
    let range = -PROBABILITY_ROUNDING..=1.0 + PROBABILITY_ROUNDING;
    let planes = probability.outer_iter().into_par_iter();
    match planes.find_map_first(|plane| plane.iter().copied().find(|value| !range.contains(value))) {
        None => Ok(()),
        Some(value) => {
            Err(Error::argument("probability", format!("{value} among its values; numbers from 0 to 1 were expected")))
        }
    }
}

/// The standard deviation of the views' probabilities, voxel by voxel.
fn disagreement(views: &BTreeMap<View, Array3<f32>>) -> Result<Array3<f32>> {
    let arrays: Vec<_> = views.values().collect();
    let count = arrays.len() as f32;
    let mut result = zeros::<f32>(arrays[0].dim())?;
    Zip::indexed(&mut result).par_for_each(|index, deviation| {
        let mean = arrays.iter().map(|a| a[index]).sum::<f32>() / count;
        *deviation = (arrays.iter().map(|a| (a[index] - mean).powi(2)).sum::<f32>() / count).sqrt();
    });
    Ok(result)
}

/// The share of each view in an ensemble's probability; of one model its weights.
fn mean_weights(models: &[BTreeMap<View, f64>]) -> BTreeMap<View, f64> {
    let mut shares = BTreeMap::new();
    for (view, weight) in models.iter().flatten() {
        *shares.entry(*view).or_insert(0.0) += weight / models.len() as f64;
    }
    shares
}
