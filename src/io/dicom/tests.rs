//! The grid that slices make, and what is refused as no grid, without any file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::header::{bare_syntax, has_preamble, Slice};
use super::stack::stack;

/// `count` slices of 4 x 3 pixels, 2 mm apart along a normal turned by `tilt` degrees about x, last one first.
fn slices(count: usize, tilt: f64) -> Vec<Slice> {
    let (sin, cos) = tilt.to_radians().sin_cos();
    let slice = |k: usize| Slice {
        file: Arc::new(PathBuf::from(format!("{k}.dcm"))),
        frame: 0,
        instance: format!("1.2.{k}"),
        acquisition: "7".into(),
        size: [3, 4],
        spacing: [0.5, 0.25],
        row: [1.0, 0.0, 0.0],
        column: [0.0, cos, sin],
        position: [10.0, 20.0 - sin * 2.0 * k as f64, 30.0 + cos * 2.0 * k as f64],
        slope: 1.0,
        intercept: 0.0,
        rescaled: true,
        unit_name: String::new(),
        padding: None,
        thickness: Some(5.0),
    };
    (0..count).rev().map(slice).collect()
}

/// The message with which slices are refused.
fn refusal(slices: Vec<Slice>) -> String {
    stack(Path::new("folder"), slices, false).expect_err("these slices are no grid").to_string()
}

#[test]
fn slices_are_ordered_along_their_normal() {
    for tilt in [0.0, 30.0, -80.0, 180.0] {
        let (sorted, geometry, _) = stack(Path::new("folder"), slices(5, tilt), false).unwrap();
        let names: Vec<_> = sorted.iter().map(|s| s.file.display().to_string()).collect();
        assert_eq!(names, ["0.dcm", "1.dcm", "2.dcm", "3.dcm", "4.dcm"]);
        assert_eq!(geometry.size, [4, 3, 5]);
        for (found, expected) in geometry.spacing.iter().zip([0.25, 0.5, 2.0]) {
            assert!((found - expected).abs() < 1e-12, "{:?}", geometry.spacing);
        }
        let last = geometry.point([0.0, 0.0, 4.0]);
        assert!((0..3).all(|a| (last[a] - sorted[4].position[a]).abs() < 1e-9));
    }
}

#[test]
fn a_missing_slice_is_named() {
    for absent in [1, 2, 3] {
        let mut slices = slices(5, 20.0);
        slices.remove(absent);
        let message = refusal(slices);
        assert!(message.contains("4.000 mm apart, others 2.000 mm; 1 of the slices"), "{message}");
    }
    let mut three = slices(5, 0.0);
    three.drain(1..3);
    let message = refusal(three);
    assert!(message.contains("1.dcm and 4.dcm (slices 2 and 3 of 3) are 6.000 mm"), "{message}");
    assert!(message.contains("2 of the slices between"), "{message}");
}

#[test]
fn rounded_positions_are_let_through() {
    // 0.75 mm written with one digit: distances of 0.7 and 0.8 mm.
    let mut slices = slices(9, 0.0);
    for (k, slice) in slices.iter_mut().enumerate() {
        slice.position[2] = (k as f64 * 7.5).floor() / 10.0;
    }
    let (_, geometry, _) = stack(Path::new("folder"), slices, false).unwrap();
    assert!((geometry.spacing[2] - 0.75).abs() < 1e-9);
}

#[test]
fn positions_that_jitter_by_a_tenth_of_the_spacing_are_let_through() {
    for axis in [1, 2] {
        for sign in [1.0, -1.0] {
            let mut jittered = slices(12, 0.0);
            // A tenth of 2 mm, now to one side and now to the other.
            for (k, slice) in jittered.iter_mut().enumerate() {
                slice.position[axis] += sign * [0.2, -0.2, 0.2, 0.2, -0.2][k % 5];
            }
            let (_, geometry, _) = stack(Path::new("folder"), jittered, false).unwrap();
            assert!((geometry.spacing[2] - 2.0).abs() < 0.05, "{:?}", geometry.spacing);
        }
    }
    let mut far = slices(12, 0.0);
    far[5].position[2] += 0.7;
    assert!(refusal(far).contains("not evenly spaced"));
}

#[test]
fn a_gantry_that_is_hardly_tilted_is_let_through() {
    let tilted = |degrees: f64| {
        let mut slices = slices(60, 0.0);
        for slice in &mut slices {
            slice.position[1] = 20.0 + (slice.position[2] - 30.0) * degrees.to_radians().tan();
        }
        slices
    };
    for degrees in [0.1, -0.3, 0.5] {
        let (_, geometry, tilt) = stack(Path::new("folder"), tilted(degrees), true).unwrap();
        assert_eq!(tilt, None);
        assert_eq!(geometry.direction[2], [0.0, 0.0, 1.0]);
    }
    assert!(refusal(tilted(0.6)).contains("0.6 degrees"));
}

#[test]
fn spacing_that_changes_on_the_way_is_refused() {
    let mut slices = slices(60, 0.0);
    for (k, slice) in slices.iter_mut().enumerate() {
        slice.position[2] = k as f64 + (k as f64 - 30.0).max(0.0) * 0.08;
    }
    assert!(refusal(slices).contains("not evenly spaced"));
}

#[test]
fn a_tilted_gantry_is_refused_with_its_angle() {
    let mut slices = slices(4, 14.0);
    for slice in &mut slices {
        slice.position[1] = 20.0;
    }
    let message = refusal(slices.clone());
    assert!(message.contains("14.0 degrees") && message.contains("on request"), "{message}");
    // On request it is let through, with how its slices shift.
    let (_, _, tilt) = stack(Path::new("folder"), slices.clone(), true).unwrap();
    let [across, down] = tilt.unwrap();
    assert!(across.abs() < 1e-9 && (down.abs() - 14_f64.to_radians().tan()).abs() < 1e-6, "{across} {down}");
    // Slices that shift here and there are no tilt.
    slices[1].position[1] += 5.0;
    let message = refusal(slices);
    assert!(!message.contains("on request"), "{message}");
}

#[test]
fn the_same_instance_twice_is_used_once() {
    let mut twice = slices(4, 0.0);
    twice.extend(slices(4, 0.0));
    assert_eq!(stack(Path::new("folder"), twice, false).unwrap().0.len(), 4);
}

#[test]
fn two_phases_are_refused_with_their_acquisitions() {
    for nameless in [false, true] {
        let mut phases = slices(4, 0.0);
        for mut slice in slices(4, 0.0) {
            // Without any SOPInstanceUID nothing says that two files are one slice.
            slice.instance = if nameless { String::new() } else { format!("{}.1", slice.instance) };
            slice.acquisition = "12".into();
            phases.push(slice);
        }
        let message = refusal(phases);
        assert!(message.contains("4 of the 8 slices") && message.contains("AcquisitionNumber 7, 12"), "{message}");
    }
}

#[test]
fn slices_that_are_not_alike_are_refused() {
    type Change = fn(&mut Slice);
    let changes: [(Change, &str); 3] = [
        (|s| s.size = [3, 5], "5 x 3 pixels against 4 x 3"),
        (|s| s.spacing[0] = 0.6, "PixelSpacing"),
        (|s| s.column = [0.0, 0.6, 0.8], "ImageOrientationPatient"),
    ];
    for (change, expected) in changes {
        let mut slices = slices(4, 0.0);
        change(&mut slices[2]);
        let message = refusal(slices);
        assert!(message.contains(expected) && message.contains("1.dcm"), "{message}");
    }
}

#[test]
fn a_lone_slice_needs_a_thickness() {
    let (_, geometry, _) = stack(Path::new("1.dcm"), slices(1, 0.0), false).unwrap();
    assert_eq!(geometry.spacing, [0.25, 0.5, 5.0]);
    let mut lone = slices(1, 0.0);
    lone[0].thickness = None;
    assert!(refusal(lone).contains("SliceThickness"));
}

#[test]
fn dicom_is_told_by_its_first_bytes() {
    let mut start = vec![0; 132];
    assert!(!has_preamble(&start) && bare_syntax(&start).is_none());
    start[128..].copy_from_slice(b"DICM");
    assert!(has_preamble(&start));
    // SpecificCharacterSet, implicit and explicit.
    assert_eq!(bare_syntax(&[8, 0, 5, 0, 10, 0, 0, 0, b'I']), Some("1.2.840.10008.1.2"));
    assert_eq!(bare_syntax(&[8, 0, 5, 0, b'C', b'S', 10, 0]), Some("1.2.840.10008.1.2.1"));
    assert_eq!(bare_syntax(b"\x08\x00\x05\x00\xFF\xFF\xFF\xFF"), None);
    assert_eq!(bare_syntax(b"\x08\x00"), None);
}
