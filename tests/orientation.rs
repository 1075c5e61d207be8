//! However a volume is stored, the same anatomy gives the same result, and the result lies where the volume lies.

mod common;

use common::{max_difference, scrambled, small_config, textured_volume};
use ggpfn::inference::{segment, DeviceChoice, Monitor, PrecisionChoice, SegmentOptions};
use ggpfn::network::ModelConfig;
use ggpfn::volume::{lps_spacing, lps_view, Geometry, Volume};
use ndarray::{Array3, Axis};

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The volume stored with its axes in another order and some of them backwards: the same points have the same voxels.
fn stored(volume: &Volume, order: [usize; 3], flips: [bool; 3]) -> Volume {
    let g = volume.geometry();
    let mut origin = [0.0; 3];
    for axis in 0..3 {
        origin[axis] = if flips[axis] { (g.size[axis] - 1) as f64 } else { 0.0 };
    }
    let mut direction = [[0.0; 3]; 3];
    for (row, target) in direction.iter_mut().enumerate() {
        for (axis, value) in target.iter_mut().enumerate() {
            *value = g.direction[row][order[axis]] * if flips[order[axis]] { -1.0 } else { 1.0 };
        }
    }
    let geometry = Geometry {
        size: order.map(|axis| g.size[axis]),
        spacing: order.map(|axis| g.spacing[axis]),
        origin: g.point(origin),
        direction,
    };
    // [k, j, i]: the array's axis 2 - a is the grid's axis a.
    let mut view = volume.voxels().permuted_axes([2 - order[2], 2 - order[1], 2 - order[0]]);
    for (axis, from) in order.into_iter().enumerate() {
        if flips[from] {
            view.invert_axis(Axis(2 - axis));
        }
    }
    Volume::new(view.as_standard_layout().into_owned(), geometry).unwrap()
}

fn all_48() -> impl Iterator<Item = ([usize; 3], [bool; 3])> {
    ORDERS.into_iter().flat_map(|order| (0..8).map(move |n| (order, [n & 1 != 0, n & 2 != 0, n & 4 != 0])))
}

#[test]
fn all_48_orientations_are_one_volume_in_the_lps_frame() {
    let volume = textured_volume([4, 5, 6], 1);
    for (order, flips) in all_48() {
        let other = stored(&volume, order, flips);
        assert_eq!(lps_view(other.voxels(), other.geometry()), volume.voxels(), "{order:?} {flips:?}");
        assert_eq!(lps_spacing(other.geometry()), [2.5, 0.9, 0.8]);
    }
}

#[test]
fn all_48_orientations_give_one_result_on_their_own_grids() {
    // A rotation of 20 degrees on top, so that no direction is a unit axis.
    let (s, c) = 20_f64.to_radians().sin_cos();
    let mut geometry = Geometry::axis_aligned([16, 13, 8], [0.8, 0.9, 2.5]);
    geometry.direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    geometry.origin = [-120.0, 33.5, 1007.25];
    let volume = Volume::new(textured_volume([8, 13, 16], 1).into_voxels(), geometry).unwrap();
    for spacing in [None, Some([2.0, 1.2, 1.2])] {
        let model = scrambled(ModelConfig { spacing, ..small_config() }.with_ggpfn(|n| n.t = 2), 4);
        let options = SegmentOptions {
            device: DeviceChoice::Cpu,
            precision: PrecisionChoice::F32,
            threads: Some(1),
            uncertainty: true,
            ..Default::default()
        };
        let expected = segment(&model, &volume, &options, &Monitor::default()).unwrap();
        for (order, flips) in all_48() {
            let other = stored(&volume, order, flips);
            let result = segment(&model, &other, &options, &Monitor::default()).unwrap();
            assert_eq!(result.mask.dim(), other.voxels().dim());
            let back = |a: &Array3<f32>| lps_view(a.view(), other.geometry()).to_owned();
            assert_eq!(back(&result.probability), expected.probability, "{order:?} {flips:?}");
            assert_eq!(back(&result.uncertainty.unwrap()), *expected.uncertainty.as_ref().unwrap());
            assert_eq!(result.measurements.voxels, expected.measurements.voxels);
            if let (Some(a), Some(b)) = (result.measurements.centroid_lps, expected.measurements.centroid_lps) {
                assert!((0..3).all(|axis| (a[axis] - b[axis]).abs() < 1e-6), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn a_grid_turned_by_45_degrees_still_has_three_axes() {
    let h = 0.5_f64.sqrt();
    let mut geometry = Geometry::axis_aligned([4, 5, 6], [1.0; 3]);
    geometry.direction = [[h, -h, 0.0], [h, h, 0.0], [0.0, 0.0, -1.0]];
    let mut patients: Vec<_> = geometry.nearest_axes().iter().map(|axis| axis.patient).collect();
    patients.sort();
    assert_eq!(patients, [0, 1, 2]);
    assert_eq!(geometry.orientation(), "LPI");
}

#[test]
fn a_working_spacing_is_resampled_to_and_back() {
    // What a network without context computes from a constant volume is constant on every grid.
    let geometry = Geometry::axis_aligned([30, 26, 12], [0.7, 0.7, 3.0]);
    let volume = Volume::new(Array3::from_elem((12, 26, 30), 60.0), geometry).unwrap();
    let model = scrambled(ModelConfig { spacing: Some([2.0, 2.0, 2.0]), ..small_config() }.with_ggpfn(|n| n.t = 1), 4);
    let options = SegmentOptions { device: DeviceChoice::Cpu, keep_views: true, ..Default::default() };
    let result = segment(&model, &volume, &options, &Monitor::default()).unwrap();
    assert_eq!(result.probability.dim(), (12, 26, 30));
    assert_eq!(result.views.len(), 3);
    let sum = result.views.values().fold(Array3::<f32>::zeros((12, 26, 30)), |sum, view| sum + view) / 3.0;
    assert!(max_difference(sum.view(), result.probability.view()) < 1e-5);
    assert!(result.phases.iter().any(|phase| phase.name == "resample"));
}
