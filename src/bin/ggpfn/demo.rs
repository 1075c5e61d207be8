//! `ggpfn demo`: the whole way on a made-up scan.

use std::path::PathBuf;

use ggpfn::files;
use ggpfn::inference::{self, SegmentOptions};
use ggpfn::io::{self, Voxels};
use ggpfn::network::Model;
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{lps_view, measure};
use ggpfn::{evaluation, synthesis, Error, Result};
use serde_json::json;

use crate::picture;
use crate::terminal::Display;

/// Try everything on a built-in sample
///
/// Makes a CT of an abdomen that never existed, segments it and writes scan, truth, mask, probability, report and a picture.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder for the results
    #[arg(long, default_value = "ggpfn-demo", value_name = "FOLDER")]
    out: PathBuf,
    /// Another network than the one that ships with ggpfn
    #[arg(long, short, value_name = "FILE", env = "GGPFN_MODEL")]
    model: Option<PathBuf>,
}

/// The file that says whose folder it is.
const REPORT: &str = "report.json";
/// What is written beside it.
const RESULTS: [&str; 6] =
    ["ct.nii.gz", "truth.nii.gz", "pancreas.nii.gz", "probability.nii.gz", "uncertainty.nii.gz", "picture.png"];

/// Refuses to write over the model, and over files that are not a demo's.
fn check_outputs(arguments: &Arguments) -> Result<()> {
    let out = &arguments.out;
    let mut outputs = vec![Output::new("--out", out.join(REPORT), Kind::Json(&["demo"]))];
    outputs.extend(RESULTS.map(|name| Output::new("--out", out.join(name), Kind::Any)));
    if !outputs::holds_keys(&out.join(REPORT), &["demo"]) {
        if let Some(there) = outputs.iter().find(|output| output.path.exists()) {
            let fault = format!(
                "{} exists already and is not of a demo (its folder has no {REPORT} of one); name another folder",
                there.path.display()
            );
            return Err(Error::argument("--out", fault));
        }
    }
    outputs::check(arguments.model.as_deref(), &outputs)
}

/// What the sample is drawn from, and its spacing in mm.
const SEED: u64 = 3;
const SPACING: f64 = 2.0;

pub fn run(arguments: Arguments) -> Result<()> {
    let out = &arguments.out;
    check_outputs(&arguments)?;
    files::create_folder(out)?;
    files::write_json(&out.join(REPORT), &json!({ "demo": "not yet done" }))?;
    let made = synthesis::synthesise(&synthesis::anatomy(SEED, SPACING), &Default::default(), SEED)?;
    let (volume, truth) = (made.volume, made.truth);
    let geometry = volume.geometry();
    let scan = out.join("ct.nii.gz");
    io::write(&scan, Voxels::F32(volume.voxels()), geometry)?;
    io::write(&out.join("truth.nii.gz"), Voxels::U8(truth.view()), geometry)?;

    let model = match &arguments.model {
        Some(path) => Model::load(path)?,
        None => Model::shipped()?,
    };
    let result = {
        let display = Display::new("demo");
        let monitor = display.monitor();
        inference::segment(&model, &volume, &SegmentOptions { uncertainty: true, ..Default::default() }, &monitor)?
    };
    io::write(&out.join("pancreas.nii.gz"), Voxels::U8(result.mask.view()), geometry)?;
    io::write(&out.join("probability.nii.gz"), Voxels::F32(result.probability.view()), geometry)?;
    if let Some(uncertainty) = &result.uncertainty {
        io::write(&out.join("uncertainty.nii.gz"), Voxels::F32(uncertainty.view()), geometry)?;
    }
    let exact = measure(truth.view(), &volume);
    let spacing = [geometry.spacing[2], geometry.spacing[1], geometry.spacing[0]];
    let comparison = evaluation::compare(result.mask.view(), truth.view(), spacing)?;
    let report = json!({
        "demo": "a made-up CT",
        "found": result.measurements,
        "quality": result.quality,
        "truth": exact,
        "dice": comparison.dice,
        "model_sha256": model.sha256(),
        "device": result.compute.device_name(),
        "precision": result.compute.precision_name(),
        "seconds": result.phases.iter().map(|p| (p.name.clone(), json!(p.seconds))).collect::<serde_json::Map<_, _>>(),
    });
    files::write_json(&out.join(REPORT), &report)?;
    picture::write(&out.join("picture.png"), &volume, &[result.mask.view(), truth.view()], middle_of(&truth, &volume))?;

    let seconds: f64 = result.phases.iter().map(|p| p.seconds).sum();
    say!("segmented a made-up CT of {:?} voxels in {seconds:.1} s on {}", geometry.size, result.compute);
    say!(
        "found {:.1} mL; the exact truth is {:.1} mL; Dice {:.2}",
        result.measurements.volume_ml,
        exact.volume_ml,
        comparison.dice.unwrap_or_default()
    );
    say!(
        "results in {}: ct, truth, pancreas, probability, uncertainty (.nii.gz), report.json, picture.png",
        out.display()
    );
    Ok(())
}

/// The voxel of the truth nearest to its centre along each axis, `[z, y, x]` in the LPS frame.
fn middle_of(truth: &ndarray::Array3<u8>, volume: &ggpfn::volume::Volume) -> [usize; 3] {
    let truth = lps_view(truth.view(), volume.geometry());
    std::array::from_fn(|axis| {
        let counts: Vec<usize> =
            truth.axis_iter(ndarray::Axis(axis)).map(|plane| plane.iter().filter(|v| **v != 0).count()).collect();
        let half = counts.iter().sum::<usize>() / 2;
        let mut seen = 0;
        counts
            .iter()
            .position(|n| {
                seen += n;
                seen > half
            })
            .unwrap_or(0)
    })
}
