//! Each feature and each warning, on arrays whose values are known by hand.

use ndarray::{s, Array3};

use super::*;
use crate::volume::{measure_components, Geometry, Region};

/// A CT of a body of 300 x 200 mm in voxels of 5 x 5 x 4 mm: air, an ellipse of soft tissue in fat, lung above slice 24, a spine.
fn abdomen() -> Volume {
    let voxels = Array3::from_shape_fn((30, 48, 68), |(k, j, i)| {
        let (x, y) = ((i as f32 - 33.5) / 30.0, (j as f32 - 23.5) / 20.0);
        let noise = ((i * 7 + j * 13 + k * 29) % 23) as f32 - 11.0;
        let tissue = match x * x + y * y {
            r if r > 1.0 => -1000.0,
            _ if x.abs() < 0.1 && y > 0.5 => 600.0,
            r if r > 0.7 => -100.0,
            _ if k >= 24 => -800.0,
            _ => 40.0,
        };
        tissue + noise
    });
    Volume::new(voxels, Geometry::axis_aligned([68, 48, 30], [5.0, 5.0, 4.0])).unwrap()
}

fn with(change: impl Fn(f32) -> f32) -> InputFeatures {
    let ct = abdomen();
    let voxels = ct.voxels().mapv(change);
    InputFeatures::of(&Volume::new(voxels, ct.geometry().clone()).unwrap())
}

fn with_spacing(spacing: [f64; 3]) -> Vec<Warning> {
    let ct = abdomen();
    let geometry = Geometry { spacing, ..ct.geometry().clone() };
    InputFeatures::of(&Volume::new(ct.into_voxels(), geometry).unwrap()).warnings()
}

fn kinds(warnings: &[Warning]) -> Vec<WarningKind> {
    warnings.iter().map(|warning| warning.kind).collect()
}

/// A pancreas of 84 mL (7 x 12 x 10 voxels of 100 mm³) in the middle of the body.
fn pancreas() -> Array3<f32> {
    let mut probability = Array3::zeros((30, 48, 68));
    probability.slice_mut(s![10..17, 18..30, 28..38]).fill(0.9);
    probability
}

fn judge(ct: &Volume, probability: &Array3<f32>, agreement: Option<Agreement>) -> Quality {
    let mask = probability.mapv(|p| u8::from(p >= 0.5));
    let (measurements, components) = measure_components(mask.view(), ct);
    let around = match surroundings(&measurements, ct.geometry().size) {
        Some(Region { start: [i, j, k], size: [columns, rows, slices] }) => {
            probability.slice(s![k..k + slices, j..j + rows, i..i + columns]).to_owned()
        }
        None => Array3::zeros((0, 0, 0)),
    };
    Quality::of(&Found {
        volume: ct,
        input: &InputFeatures::of(ct),
        mask: mask.view(),
        overall: Overall::of(probability.view()),
        probability: around.view(),
        measurements: &measurements,
        components: &components,
        views: 3,
        agreement,
        threshold: 0.5,
    })
}

const AGREED: Option<Agreement> = Some(Agreement { dice: Some(0.8), soft_dice: Some(0.85) });

fn near(value: Option<f64>, expected: f64) {
    assert!((value.unwrap() - expected).abs() < 1e-6, "{value:?} {expected}");
}

#[test]
fn a_good_result_on_a_good_scan_has_no_warnings() {
    let quality = judge(&abdomen(), &pancreas(), AGREED);
    assert_eq!(quality.warnings, []);
    assert!(!quality.doubtful && quality.expected_dice > 0.6, "{quality}");
    assert!(quality.to_string().starts_with("expected Dice 0."));
}

#[test]
fn features_of_a_known_mask() {
    let mut probability = pancreas();
    probability.slice_mut(s![10..17, 18..30, 38..40]).fill(0.25); // beside the mask, 7 x 12 x 2 voxels
    probability[[0, 0, 0]] = 0.95; // 0.1 mL apart from it
    let features = judge(&abdomen(), &probability, AGREED).features;
    near(Some(features.volume_ml), 84.1);
    assert_eq!((features.views, features.parts), (3, 1));
    near(features.view_dice, 0.8);
    assert!((features.largest_probability - 0.95).abs() < 1e-6);
    near(features.largest_share, 840.0 / 841.0);
    near(features.unsure_share, 168.0 / 841.0);
    assert!((features.mean_probability.unwrap() - (840.0 * 0.9 + 0.95) / 841.0).abs() < 1e-6);
    let entropy = |p: f64| -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
    assert!((features.entropy_inside.unwrap() - (840.0 * entropy(0.9) + entropy(0.95)) / 841.0).abs() < 1e-5);
    // Near are the boxes grown by two voxels, without the masks: 11 x 16 x 14 - 840, and 3 x 3 x 3 - 1 at the corner.
    let beside = (11 * 16 * 14 - 840 + 26) as f64;
    assert!((features.entropy_near.unwrap() - 168.0 * entropy(0.25) / beside).abs() < 1e-5);
    assert_eq!(features.extent_mm, Some([190.0, 150.0, 68.0]));
    assert!((features.median_hu.unwrap() - 40.0).abs() < 2.0);
    assert!(features.p10_hu.unwrap() < 35.0 && features.p90_hu.unwrap() > 45.0);
    near(features.gas_share, 1.0 / 841.0);
    near(features.soft_share, 840.0 / 841.0);
    near(features.bright_share, 0.0);
    assert_eq!((features.touches_ends, features.touches_sides), ([true, false], true));
}

#[test]
fn the_place_is_the_patients_however_the_grid_lies() {
    let place = judge(&abdomen(), &pancreas(), AGREED).features.place.unwrap();
    assert!((place[0] - 0.5).abs() < 0.05 && (place[1] - 0.5).abs() < 0.05, "{place:?}");
    assert!((place[2] - 13.5 / 30.0).abs() < 1e-9, "{place:?}");
    // The same patient, stored from head to foot and from left to right.
    let ct = abdomen();
    let voxels = ct.voxels().slice(s![..;-1, .., ..;-1]).as_standard_layout().into_owned();
    let mut geometry = ct.geometry().clone();
    geometry.direction = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]];
    geometry.origin = ct.geometry().point([67.0, 0.0, 29.0]);
    let turned = Volume::new(voxels, geometry).unwrap();
    let probability = pancreas().slice(s![..;-1, .., ..;-1]).as_standard_layout().into_owned();
    let quality = judge(&turned, &probability, AGREED);
    let other = quality.features.place.unwrap();
    assert!((0..3).all(|axis| (place[axis] - other[axis]).abs() < 1e-9), "{place:?} {other:?}");
    let [upper, lower] = [quality.features.input.upper_lung, quality.features.input.lower_lung];
    assert!(upper > 0.3 && lower == 0.0, "{upper} {lower}");
}

#[test]
fn views_agree_as_far_as_their_votes_and_products_say() {
    // Two views on four voxels: 1 1 0 0 and 1 0 1 0, with probabilities of 1 or 0.
    let votes = Array3::from_shape_vec((1, 1, 4), vec![3, 1, 2, 0]).unwrap();
    // Half of each: 1, 0.5, 0.5, 0.
    let found = Agreement::of(votes.view(), &[0.5, 0.5], &[2.0, 2.0], 1.5);
    near(found.dice, 0.5);
    near(found.soft_dice, 0.5);
    // Three views that are one: the Dice of each pair is 1, whatever they weigh.
    let votes = Array3::from_elem((1, 1, 4), 7);
    let found = Agreement::of(votes.view(), &[0.5, 0.3, 0.2], &[4.0; 3], 4.0);
    near(found.dice, 1.0);
    near(found.soft_dice, 1.0);
    let found = Agreement::of(Array3::zeros((1, 1, 4)).view(), &[1.0, 0.0], &[0.0, 0.0], 0.0);
    assert_eq!(found, Agreement::default());
}

#[test]
fn a_single_view_is_judged_too() {
    let quality = judge(&abdomen(), &pancreas(), None);
    assert_eq!((quality.features.view_dice, quality.features.view_soft_dice), (None, None));
    assert!(!quality.doubtful, "{quality}");
}

#[test]
fn nothing_found_is_doubtful() {
    let quality = judge(&abdomen(), &Array3::from_elem((30, 48, 68), 0.1), AGREED);
    assert_eq!(kinds(&quality.warnings), [WarningKind::NothingFound]);
    assert!(quality.warnings[0].text.contains("the mask is empty (the largest probability is 0.10)"));
    assert!(quality.doubtful && quality.expected_dice == 0.0);
    assert_eq!(quality.to_string(), "doubtful: expected Dice 0.00");
}

#[test]
fn implausible_volumes_are_doubtful() {
    let mut small = Array3::zeros((30, 48, 68));
    small.slice_mut(s![10..14, 20..25, 30..35]).fill(0.9);
    let quality = judge(&abdomen(), &small, AGREED);
    assert_eq!(kinds(&quality.warnings), [WarningKind::SmallVolume]);
    assert!(
        quality.doubtful && quality.warnings[0].text.contains("10.0 mL") && quality.warnings[0].text.contains("15 mL")
    );
    let mut large = Array3::zeros((30, 48, 68));
    large.slice_mut(s![4..20, 14..34, 20..48]).fill(0.9);
    let quality = judge(&abdomen(), &large, AGREED);
    assert!(quality.doubtful && kinds(&quality.warnings).contains(&WarningKind::LargeVolume), "{:?}", quality.warnings);
}

#[test]
fn views_that_disagree_and_many_parts_are_told() {
    let disagree = Some(Agreement { dice: Some(0.21), soft_dice: Some(0.3) });
    let quality = judge(&abdomen(), &pancreas(), disagree);
    assert_eq!(kinds(&quality.warnings), [WarningKind::ViewsDisagree]);
    assert!(quality.warnings[0].text.contains("0.21"));
    let mut parts = Array3::zeros((30, 48, 68));
    for part in 0..4 {
        parts.slice_mut(s![10..16, 18..28, 18 + 8 * part..23 + 8 * part]).fill(0.9);
    }
    let quality = judge(&abdomen(), &parts, AGREED);
    assert_eq!(kinds(&quality.warnings), [WarningKind::ManyParts]);
    assert!(quality.warnings[0].text.contains("4 components") && quality.warnings[0].text.contains("25 %"));
}

#[test]
fn a_mask_at_the_border_is_told() {
    let cut = |range: std::ops::Range<usize>| {
        let mut probability = Array3::zeros((30, 48, 68));
        probability.slice_mut(s![range, 18..30, 28..38]).fill(0.9);
        judge(&abdomen(), &probability, AGREED).warnings
    };
    assert_eq!(kinds(&cut(0..7)), [WarningKind::CutOff]);
    assert!(cut(0..7)[0].text.contains("the lowest slice"));
    assert!(cut(23..30).iter().any(|w| w.kind == WarningKind::CutOff && w.text.contains("the highest slice")));
    assert!(cut(1..8).is_empty());
}

#[test]
fn a_mask_off_the_soft_tissue_is_doubtful() {
    let mut lung = Array3::zeros((30, 48, 68));
    lung.slice_mut(s![24..29, 18..30, 24..40]).fill(0.9);
    let quality = judge(&abdomen(), &lung, AGREED);
    assert!(quality.doubtful && kinds(&quality.warnings).contains(&WarningKind::NotSoftTissue));
    assert_eq!(quality.features.gas_share, Some(1.0));
}

#[test]
fn what_is_no_ct_in_hounsfield_units_is_told() {
    assert_eq!(with(|hu| hu).hounsfield_fault, None);
    // Clipped to the abdominal window, stored in 10ths: still what they are.
    assert_eq!(with(|hu| hu.clamp(-250.0, 240.0)).hounsfield_fault, None);
    for (name, said, features) in [
        ("offset", "1024 may have been added", with(|hu| (hu + 1024.0).max(0.0))),
        ("unit range", "scaled", with(|hu| (hu.clamp(-160.0, 240.0) + 160.0) / 400.0)),
        ("normalised", "scaled", with(|hu| (hu + 400.0) / 500.0)),
        ("8 bit", "8-bit", with(|hu| ((hu.clamp(-160.0, 240.0) + 160.0) / 400.0 * 255.0).floor())),
        ("mask", "label map", with(|hu| f32::from(hu > 0.0))),
        ("constant", "all its voxels", with(|_| 40.0)),
        ("air alone", "all its voxels", with(|_| -1000.0)),
        ("MR", "MR", with(|hu| (700.0 - hu.abs() * 0.6).max(0.0))),
        ("offset taken twice", "an offset or a factor", with(|hu| hu - 1024.0 + if hu > 500.0 { 1500.0 } else { 0.0 })),
        ("no bone", "above 100", with(|hu| hu.min(99.0))),
        ("tenths", "an offset or a factor", with(|hu| hu * 10.0)),
        ("tenths, air clipped", "than from -200 to 300", with(|hu| (hu * 10.0).max(-1024.0))),
    ] {
        let fault = features.hounsfield_fault.clone().unwrap_or_else(|| panic!("{name}"));
        assert!(fault.contains(said), "{name}: {fault}");
        assert!(kinds(&features.warnings()).contains(&WarningKind::NotHounsfield), "{name}");
    }
}

#[test]
fn a_few_damaged_voxels_are_told_and_make_no_result_doubtful() {
    let damaged = |value: f32, count: usize| {
        let mut voxels = abdomen().into_voxels();
        voxels.iter_mut().take(count).for_each(|voxel| *voxel = value);
        let ct = Volume::new(voxels, abdomen().geometry().clone()).unwrap();
        judge(&ct, &pancreas(), AGREED)
    };
    for (value, count) in [(30_000.0, 1), (-9000.0, 3), (1e9, 1), (1e9, 500)] {
        let quality = damaged(value, count);
        assert_eq!(kinds(&quality.warnings), [WarningKind::StrayValues], "{value} {count}");
        let said = &quality.warnings[0].text;
        assert!(!quality.doubtful && said.contains(&format!("are but {count};")), "{said}");
    }
    // Metal, and values that fill the corners.
    for (value, count) in [(20_000.0, 500), (-8192.0, 5000), (4000.0, 1)] {
        assert_eq!(damaged(value, count).warnings, [], "{value} {count}");
    }
}

/// A region of soft tissue has neither air nor bone; one in other units is told as a scan is, where it is large enough to hold fat.
#[test]
fn units_of_regions_are_told_where_they_can_be() {
    let box_of = |size| Region { start: [8, 4, 4], size };
    let of =
        |change: fn(f32) -> f32, size| InputFeatures::of_region(&abdomen().crop(box_of(size)).unwrap().map(change));
    let (large, small) = ([48, 40, 16], [8, 8, 6]);
    assert_eq!(of(|hu| hu, large).warnings(), []);
    assert_eq!(of(|hu| hu, small).warnings(), []);
    assert_eq!(of(|hu| hu.clamp(-190.0, 90.0), large).warnings(), []);
    assert_eq!(kinds(&of(|hu| (hu + 1024.0).max(0.0), large).warnings()), [WarningKind::NotHounsfield]);
    assert_eq!(
        kinds(&of(|hu| (hu.clamp(-160.0, 240.0) + 160.0) / 400.0, large).warnings()),
        [WarningKind::NotHounsfield]
    );
}

#[test]
fn impossible_sizes_are_told() {
    assert_eq!(kinds(&with_spacing([5.0, 5.0, 4.0])), []);
    assert!(kinds(&with_spacing([0.05, 0.05, 4.0])).contains(&WarningKind::VoxelSize));
    assert!(kinds(&with_spacing([25.0, 25.0, 4.0])).contains(&WarningKind::VoxelSize));
    assert!(kinds(&with_spacing([0.5, 0.5, 4.0])).contains(&WarningKind::VoxelSize), "a body of 30 mm");
    assert!(kinds(&with_spacing([19.0, 19.0, 4.0])).contains(&WarningKind::VoxelSize), "a body of 1.2 m");
    assert_eq!(kinds(&with_spacing([5.0, 5.0, 10.0])), [WarningKind::ThickSlices]);
    assert!(with_spacing([5.0, 5.0, 10.0])[0].text.contains("10.0 mm apart"));
}

#[test]
fn scans_that_miss_the_abdomen_are_told() {
    assert_eq!(kinds(&with_spacing([5.0, 5.0, 1.0])), [WarningKind::NotCovered], "30 mm long");
    assert_eq!(kinds(&with_spacing([2.0, 2.0, 4.0])), [WarningKind::NotCovered], "a body of 120 mm");
    let ct = abdomen();
    let chest = ct.crop(Region { start: [0, 0, 14], size: [68, 48, 16] }).unwrap();
    assert_eq!(InputFeatures::of(&chest).warnings(), []);
    let chest = Volume::new(
        chest.voxels().slice(s![..;-1, .., ..]).as_standard_layout().into_owned(),
        chest.geometry().clone(),
    );
    let warnings = InputFeatures::of(&chest.unwrap()).warnings();
    assert_eq!(kinds(&warnings), [WarningKind::NotCovered]);
    assert!(warnings[0].text.contains("end in the chest"));
    // Without lung, and with next to nothing found: it may begin below the pancreas.
    let pelvis = ct.crop(Region { start: [0, 0, 0], size: [68, 48, 20] }).unwrap();
    assert_eq!(InputFeatures::of(&pelvis).warnings(), []);
    let quality = judge(&pelvis, &Array3::zeros((20, 48, 68)), AGREED);
    assert_eq!(kinds(&quality.warnings), [WarningKind::NothingFound, WarningKind::NotCovered]);
}

#[test]
fn codes_and_names_are_each_ones_own() {
    for (index, kind) in WarningKind::ALL.into_iter().enumerate() {
        assert_eq!(kind.code(), index as i32 + 1);
        assert!(WarningKind::ALL.iter().filter(|other| other.name() == kind.name()).count() == 1);
    }
    let json = serde_json::json!(Warning { kind: WarningKind::CutOff, text: "text".into() });
    assert_eq!(json, serde_json::json!({ "code": 6, "kind": "cut-off", "text": "text" }));
}
