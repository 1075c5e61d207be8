//! What a segmentation says about itself.

mod common;

use common::{phantom, scrambled, small_config};
use ggpfn::inference::{segment, DeviceChoice, Monitor, PrecisionChoice, Region, SegmentOptions, Segmentation};
use ggpfn::network::ModelConfig;
use ggpfn::quality::{Agreement, WarningKind};
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::Array3;

fn options() -> SegmentOptions {
    SegmentOptions { device: DeviceChoice::Cpu, precision: PrecisionChoice::F32, ..SegmentOptions::default() }
}

fn found(volume: &Volume, options: &SegmentOptions) -> Segmentation {
    segment(&phantom::model(), volume, options, &Monitor::default()).unwrap()
}

/// A CT of an abdomen in which there is nothing but fat, muscle, a spine and the base of the lung.
fn empty_abdomen() -> Volume {
    let voxels = Array3::from_shape_fn((24, 32, 48), |(k, j, i)| {
        let (x, y) = ((i as f32 - 23.5) / 21.0, (j as f32 - 15.5) / 13.0);
        let noise = ((i * 7 + j * 13 + k * 29) % 23) as f32 - 11.0;
        let tissue = match x * x + y * y {
            r if r > 1.0 => -1000.0,
            _ if x.abs() < 0.1 && y > 0.5 => 600.0,
            r if r > 0.7 => 40.0,
            _ if k >= 20 => -800.0,
            _ => -100.0,
        };
        tissue + noise
    });
    Volume::new(voxels, Geometry::axis_aligned([48, 32, 24], [7.0, 7.0, 6.0])).unwrap()
}

#[test]
fn a_scan_without_a_pancreas_is_doubtful() {
    let quality = found(&empty_abdomen(), &SegmentOptions { threshold: Some(1.0), ..options() }).quality;
    assert!(quality.doubtful && quality.expected_dice == 0.0);
    let kinds: Vec<_> = quality.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [WarningKind::NothingFound]);
}

#[test]
fn the_views_agreement_is_that_of_their_probabilities_however_they_are_computed() {
    let volume = phantom::volume();
    let weights = [(View::Axial, 0.5), (View::Sagittal, 0.3), (View::Coronal, 0.2)];
    let options = SegmentOptions { view_weights: Some(weights.into()), threshold: Some(0.45), ..options() };
    let kept = found(&volume, &SegmentOptions { keep_views: true, ..options.clone() });
    let views: Vec<_> = weights.iter().map(|(view, _)| &kept.views[view]).collect();
    let votes = Array3::from_shape_fn(views[0].raw_dim(), |at| {
        (0..3).map(|view| u8::from(views[view][at] >= 0.45) << view).sum::<u8>()
    });
    let squares = |array: &Array3<f32>| array.iter().map(|p| f64::from(p * p)).sum::<f64>();
    let of_views: Vec<f64> = views.iter().map(|view| squares(view)).collect();
    let expected = Agreement::of(votes.view(), &[0.5, 0.3, 0.2], &of_views, squares(&kept.probability));
    assert!(expected.dice.is_some_and(|dice| dice > 0.0 && dice < 1.0), "{expected:?}");
    for change in [
        |_: &mut SegmentOptions| {},
        |o: &mut SegmentOptions| o.keep_views = true,
        |o: &mut SegmentOptions| o.block = Some(1),
    ] {
        let mut options = options.clone();
        change(&mut options);
        let features = found(&volume, &options).quality.features;
        assert!((features.view_dice.unwrap() - expected.dice.unwrap()).abs() < 0.01);
        assert!((features.view_soft_dice.unwrap() - expected.soft_dice.unwrap()).abs() < 1e-4);
    }
}

#[test]
fn one_view_and_a_region_are_judged_too() {
    let single = scrambled(ModelConfig { views: vec![View::Axial], ..small_config() }, 3);
    let quality = segment(&single, &phantom::volume(), &options(), &Monitor::default()).unwrap().quality;
    assert_eq!((quality.features.views, quality.features.view_dice), (1, None));
}

/// What lies outside of a region counts for nothing, and nothing is asked of the region that only a whole scan can have.
#[test]
fn a_region_is_judged_by_itself() {
    let (start, size) = ([4, 2, 1], [16, 16, 10]);
    let region = Some(Region { start, size });
    let ct = empty_abdomen();
    let options = SegmentOptions { region, threshold: Some(1.0), ..options() };
    let quality = found(&ct, &options).quality;
    assert!(quality.features.input.region && quality.features.place.is_none());
    let kinds: Vec<_> = quality.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [WarningKind::NothingFound]);
    let [i, j, k] = start;
    let mut other = ct.voxels().mapv(|hu| hu * 0.3 + 4000.0);
    let part = ndarray::s![k..k + size[2], j..j + size[1], i..i + size[0]];
    other.slice_mut(part).assign(&ct.voxels().slice(part));
    let other = Volume::new(other, ct.geometry().clone()).unwrap();
    assert_eq!(found(&other, &options).quality, quality);
}
