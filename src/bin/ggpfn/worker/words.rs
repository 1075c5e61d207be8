//! The library's options and results as JSON.

use std::collections::BTreeMap;

use ggpfn::evaluation::Comparison;
use ggpfn::inference::{Compute, DeviceChoice, PatchGrid, PrecisionChoice, Region, SegmentOptions, Segmentation};
use ggpfn::network::{layout, GgpfnConfig, Model};
use ggpfn::training::Event;
use ggpfn::volume::{Frame, Measurements, View};
use ggpfn::{Error, Result};
use serde::Deserialize;
use serde_json::{json, Value};

/// How an image is to be segmented; what is left out, and 0 where the C library takes it so, is the default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    views: Option<Vec<View>>,
    view_weights: Option<BTreeMap<View, f64>>,
    threshold: Option<f64>,
    largest_component: bool,
    region: Option<[[usize; 3]; 2]>,
    device: Option<String>,
    precision: Option<String>,
    threads: usize,
    block: usize,
    patch: Option<[usize; 2]>,
    overlap: usize,
}

impl Options {
    /// As the library takes them.
    pub fn settle(self, keep_views: bool, mask_only: bool, uncertainty: bool) -> Result<SegmentOptions> {
        /// Pixels by which patches overlap.
        const OVERLAP: usize = 64;
        let some = |number: usize| (number > 0).then_some(number);
        let precision = match self.precision.as_deref() {
            None => PrecisionChoice::Auto,
            Some(name) => name.parse().map_err(|fault: String| Error::argument("precision", fault))?,
        };
        if self.patch.is_none() && self.overlap > 0 {
            return Err(Error::argument("overlap", "there is no patch that could overlap; a patch too was expected"));
        }
        // A view that is not named weighs nothing.
        let whole = |mut weights: BTreeMap<View, f64>| {
            View::ALL.iter().for_each(|view| {
                weights.entry(*view).or_insert(0.0);
            });
            weights
        };
        Ok(SegmentOptions {
            prepared: false,
            views: self.views.unwrap_or_default(),
            view_weights: self.view_weights.map(whole),
            threshold: self.threshold.filter(|threshold| *threshold != 0.0),
            device: device(self.device.as_deref())?,
            precision,
            threads: some(self.threads),
            block: some(self.block),
            patches: self.patch.map(|size| PatchGrid { size, overlap: some(self.overlap).unwrap_or(OVERLAP) }),
            region: self.region.map(|[start, size]| Region { start, size }),
            largest_component: self.largest_component,
            keep_views,
            mask_only,
            uncertainty,
        })
    }
}

/// The device of a name; none: automatic.
pub fn device(name: Option<&str>) -> Result<DeviceChoice> {
    match name {
        None => Ok(DeviceChoice::Auto),
        Some(name) => name.parse().map_err(|fault: String| Error::argument("device", fault)),
    }
}

/// What a model is: the fields of the C library's ggpfn_model_info.
pub fn info(model: &Model) -> Value {
    let config = model.config();
    let weights = config.views.iter().map(|view| (*view, config.view_weights.get(view).copied().unwrap_or(0.0)));
    let labels = config.labels.labels.iter().enumerate().map(|(number, label)| {
        json!({
            "value": label.value,
            "name": label.name,
            "colour": label.colour,
            "threshold": config.threshold_of(number),
            "code": label.code.as_ref().map(|code| [&code.value, &code.scheme, &code.meaning]),
        })
    });
    json!({
        "parameters": layout::parameters(config),
        "views": config.views,
        "t": config.ggpfn().map_or(0, |network| network.t),
        "progressive": config.ggpfn().is_some_and(GgpfnConfig::is_progressive),
        "global_guidance": config.ggpfn().is_some_and(GgpfnConfig::is_guided),
        "window": config.window,
        "spacing": config.spacing.map(|[z, y, x]| [x, y, z]),
        "view_weights": weights.collect::<BTreeMap<_, _>>(),
        "threshold": config.threshold,
        "sha256": model.sha256(),
        "labels": labels.collect::<Vec<_>>(),
    })
}

/// What a mask says: the fields of the C library's ggpfn_measurements, null where there is no value.
pub fn measurements(found: &Measurements, frame: Frame, threshold: f64) -> Value {
    json!({
        "voxels": found.voxels,
        "components": found.components,
        "volume_ml": found.volume_ml,
        "box_start": found.bounding_box.map(|[low, _]| low),
        "box_size": found.box_size(),
        "box_mm": found.bounding_box_mm,
        "centroid": found.centroid_lps.map(|centre| frame.turned(centre)),
        "mean_hu": found.mean_hu,
        "std_hu": found.std_hu,
        "threshold": threshold,
    })
}

/// The same with what tells how the network ran.
pub fn segmentation(found: &Segmentation, frame: Frame, seconds: f64) -> Value {
    let mut value = measurements(&found.measurements, frame, found.threshold);
    value["weights"] = json!(found.view_weights);
    value["device"] = json!(device_kind(&found.compute));
    value["precision"] = json!(if found.compute.precision_name() == "bf16" { "bfloat16" } else { "float32" });
    value["seconds"] = json!(seconds);
    value
}

/// The measurements of all labels, by name.
pub fn of_labels(found: &Segmentation, frame: Frame, seconds: f64) -> Value {
    let first = (found.label.name.clone(), segmentation(found, frame, seconds));
    let others = found
        .others
        .iter()
        .map(|other| (other.label.name.clone(), measurements(&other.measurements, frame, other.threshold)));
    Value::Object(std::iter::once(first).chain(others).collect())
}

fn device_kind(compute: &Compute) -> &'static str {
    match compute.device_name().as_str() {
        "cpu" => "cpu",
        _ => "cuda",
    }
}

/// The fields of the C library's ggpfn_comparison.
pub fn comparison(found: &Comparison) -> Value {
    json!({
        "dice": found.dice,
        "jaccard": found.jaccard,
        "precision": found.precision,
        "recall": found.recall,
        "prediction_ml": found.prediction_ml,
        "truth_ml": found.truth_ml,
        "volume_error_percent": found.volume_error_percent,
        "hausdorff95_mm": found.hausdorff95_mm,
        "mean_surface_mm": found.mean_surface_mm,
    })
}

/// How far a training is; the fraction goes with it elsewhere.
pub fn event(event: &Event) -> Value {
    let ([epoch, epochs], [batch, batches]) = (event.epoch, event.batch);
    json!({
        "phase": format!("{} view, {} stage", event.view, event.stage),
        "seconds_left": event.seconds_left,
        "view": event.view,
        "stage": event.stage.to_string(),
        "epoch": epoch,
        "epochs": epochs,
        "batch": batch,
        "batches": batches,
        "loss": event.losses.total,
        "dice": event.dice,
    })
}
