//! A small body with a bright organ in it, and a model with something to say about it: for tests that need a mask that is neither empty nor
//! everything.
#![allow(dead_code)]

use ggpfn::inference::{segment, DeviceChoice, Monitor, SegmentOptions};
use ggpfn::network::{Model, ModelConfig};
use ggpfn::volume::{Geometry, Volume};
use ndarray::Array3;

use super::{scrambled, small_config};

/// 30 x 26 x 14 voxels on a grid that is flipped and anisotropic, whole numbers of Hounsfield units.
pub fn volume() -> Volume {
    let voxels = Array3::from_shape_fn((14, 26, 30), |(k, j, i)| {
        let organ = [(i, 18.0, 7.0), (j, 11.0, 5.0), (k, 7.0, 4.0)];
        let inside = organ.iter().map(|(n, centre, radius)| ((*n as f64 - centre) / radius).powi(2)).sum::<f64>() < 1.0;
        let noise = ((i * 7 + j * 13 + k * 29) % 23) as f32;
        if inside {
            110.0 + noise
        } else {
            20.0 - 3.0 * noise
        }
    });
    let mut geometry = Geometry::axis_aligned([30, 26, 14], [0.8, 0.9, 2.5]);
    geometry.origin = [-31.5, 12.25, -140.0];
    geometry.direction = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    Volume::new(voxels, geometry).unwrap()
}

/// A model of three views whose threshold parts the phantom's voxels into halves.
pub fn model() -> Model {
    let model = scrambled(small_config().with_ggpfn(|n| n.t = 2), 3);
    let options = SegmentOptions { device: DeviceChoice::Cpu, ..SegmentOptions::default() };
    let found = segment(&model, &volume(), &options, &Monitor::default()).unwrap();
    let mut probabilities: Vec<f32> = found.probability.iter().copied().collect();
    probabilities.sort_by(f32::total_cmp);
    let threshold = f64::from(probabilities[probabilities.len() / 2]);
    Model::from_weights(ModelConfig { threshold, ..model.config().clone() }, model.weights().clone()).unwrap()
}
