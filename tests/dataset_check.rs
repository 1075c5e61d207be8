//! What a check of a set finds: every problem is provoked here, and a good set has none.

#[path = "common/needs.rs"]
mod needs;
#[path = "common/sets.rs"]
mod sets;

use ggpfn::dataset::{check, Layout, ProblemKind, Severity};
use ggpfn::io::{self, ReadOptions};
use ggpfn::volume::{Geometry, Volume};
use ggpfn::Error;
use ndarray::{s, Array3, Axis};
use sets::{ct, grid, is, truth, Set, SIZE};

#[test]
fn a_good_set_has_no_problems() {
    let report = Set::pairs().check(Layout::Pairs);
    assert_eq!((report.problems.len(), report.pairs, report.cases.len()), (0, 3, 3));
}

#[test]
fn files_without_a_partner_or_with_two_are_found() {
    let set = Set::pairs();
    set.image("images/lonely.nii.gz", &ct(7), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::MissingLabel, "lonely.nii.gz", "without a label");
    std::fs::remove_file(set.path("images/lonely.nii.gz")).unwrap();
    set.label("labels/lonely.nii.gz", truth().view(), &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::MissingImage, "lonely.nii.gz", "without an image");
    std::fs::remove_file(set.path("labels/lonely.nii.gz")).unwrap();
    set.image("images/a.nrrd", &ct(7), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::Ambiguous, "a.nrrd", "goes by the same name");
}

#[test]
fn unreadable_files_are_found() {
    let set = Set::pairs();
    std::fs::write(set.path("images/b.nii.gz"), "Dear Sir or Madam").unwrap();
    is(&set.only_problem(), Severity::Error, ProblemKind::Unreadable, "images/b.nii.gz", "not an image that is known");
    let set = Set::pairs();
    let path = set.path("labels/c.nii.gz");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let report = set.check(Layout::Pairs);
    is(&report.problems[0], Severity::Error, ProblemKind::Unreadable, "labels/c.nii.gz", "");
    assert_eq!((report.pairs, report.cases.len(), report.problems[0].case.as_deref()), (3, 2, Some("c")));
}

#[test]
fn empty_labels_are_found() {
    let set = Set::pairs();
    set.label("labels/b.nii.gz", Array3::zeros(truth().dim()).view(), &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::EmptyLabel, "labels/b.nii.gz", "empty");
}

#[test]
fn odd_label_values_are_found() {
    let set = Set::pairs();
    let soft = truth().mapv(|v| f32::from(v) * 0.75);
    set.image("labels/b.nii.gz", &soft, &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::LabelValues, "labels/b.nii.gz", "0.75");
    let negative = truth().mapv(|v| if v == 1 { 1.0 } else { -1.0 });
    set.image("labels/b.nii.gz", &negative, &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::LabelValues, "labels/b.nii.gz", "-1");
    set.label("labels/b.nii.gz", truth().mapv(|v| 8 * v).view(), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::LabelValues, "labels/b.nii.gz", "0, 8");
    let outline = truth();
    let many = Array3::from_shape_fn(outline.dim(), |(k, j, i)| ((k * 7 + j * 3 + i) % 50) as u8 * outline[[k, j, i]]);
    set.label("labels/b.nii.gz", many.view(), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::LabelValues, "labels/b.nii.gz", ", ...");
    // A fraction among many whole numbers is not lost.
    let mut one = many.mapv(f32::from);
    one[[19, 39, 47]] = 0.5;
    set.image("labels/b.nii.gz", &one, &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::LabelValues, "labels/b.nii.gz", "0.5");
}

#[test]
fn loose_parts_are_found() {
    let set = Set::pairs();
    let mut label = truth();
    label.slice_mut(s![10..14, 10..14, 8..10]).fill(1); // in the liver, 4 %
    set.label("labels/b.nii.gz", label.view(), &grid());
    assert_eq!(set.check(Layout::Pairs).problems, []);
    label.slice_mut(s![10..14, 10..14, 6..10]).fill(1);
    set.label("labels/b.nii.gz", label.view(), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::Parts, "labels/b.nii.gz", "8 %");
}

#[test]
fn implausible_volumes_are_found() {
    let set = Set::pairs();
    let mut small = truth();
    small.slice_mut(s![..11, .., ..]).fill(0);
    set.label("labels/b.nii.gz", small.view(), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::Volume, "labels/b.nii.gz", "8.1 mL");
    let coarse = Geometry { spacing: [7.4, 7.4, 6.0], ..grid() };
    for name in ["a", "b", "c"] {
        let patient = name.as_bytes()[0] as usize; // no two alike
        set.image(&format!("images/{name}.nii.gz"), &ct(patient), &coarse);
        set.label(&format!("labels/{name}.nii.gz"), truth().view(), &coarse);
    }
    assert_eq!(set.check(Layout::Pairs).problems, []);
    let huge = Geometry { spacing: [10.0, 10.0, 6.0], ..grid() };
    set.image("images/b.nii.gz", &ct(1), &huge);
    set.label("labels/b.nii.gz", truth().view(), &huge);
    let text = &set.only_problem();
    is(text, Severity::Warning, ProblemKind::Volume, "labels/b.nii.gz", "10 to 400 mL");
}

#[test]
fn spacings_out_of_line_are_found() {
    let set = Set::pairs();
    let thick = Geometry { spacing: [2.5, 2.5, 6.5], ..grid() };
    set.image("images/b.nii.gz", &ct(1), &thick);
    set.label("labels/b.nii.gz", truth().view(), &thick);
    is(&set.only_problem(), Severity::Warning, ProblemKind::Spacing, "images/b.nii.gz", "6.50 mm apart");
    let fine = Geometry { spacing: [2.5, 2.5, 0.9], ..grid() };
    let (short, outline) = (ct(1), truth());
    let long = Array3::from_shape_fn((66, SIZE[1], SIZE[0]), |(k, j, i)| short[[k * 3 / 10, j, i]]);
    let label = Array3::from_shape_fn((66, SIZE[1], SIZE[0]), |(k, j, i)| outline[[k * 3 / 10, j, i]]);
    let fine = Geometry { size: [SIZE[0], SIZE[1], 66], ..fine };
    set.image("images/b.nii.gz", &long, &fine);
    set.label("labels/b.nii.gz", label.view(), &fine);
    is(&set.only_problem(), Severity::Warning, ProblemKind::Spacing, "images/b.nii.gz", "along z is 0.900 mm");
}

#[test]
fn voxel_sizes_that_nobody_has_are_found() {
    for (spacing, text) in [([0.002, 0.002, 0.003], "0.002 x 0.002 x 0.003 mm"), ([30.0, 2.5, 3.0], "30.000 x 2.500")] {
        let set = Set::pairs();
        let wrong = Geometry { spacing, ..grid() };
        set.image("images/b.nii.gz", &ct(1), &wrong);
        set.label("labels/b.nii.gz", truth().view(), &wrong);
        let report = set.check(Layout::Pairs);
        is(&report.problems[0], Severity::Error, ProblemKind::Spacing, "images/b.nii.gz", text);
        assert!(report.problems[0].text.contains("correct the spacing"), "{:?}", report.problems[0]);
    }
}

#[test]
fn images_that_are_not_in_hounsfield_units_are_found() {
    let set = Set::pairs();
    let grey = ct(1).mapv(|v| ((v + 160.0) / 400.0 * 255.0).clamp(0.0, 255.0).floor());
    set.image("images/b.nii.gz", &grey, &grid());
    let report = set.check(Layout::Pairs);
    is(&report.problems[0], Severity::Error, ProblemKind::Hounsfield, "images/b.nii.gz", "from 0 to 255");
    set.image("images/b.nii.gz", &ct(1).mapv(|v| v.min(99.0)), &grid());
    is(&set.only_problem(), Severity::Error, ProblemKind::Hounsfield, "images/b.nii.gz", "above 100");
}

#[test]
fn labels_at_the_border_or_off_the_tissue_are_found() {
    let set = Set::pairs();
    let cut = Geometry { size: [SIZE[0], SIZE[1], 12], ..grid() };
    let lower = ct(1).slice(s![..12, .., ..]).as_standard_layout().into_owned();
    set.image("images/b.nii.gz", &lower, &cut);
    set.label("labels/b.nii.gz", truth().slice(s![..12, .., ..]), &cut);
    let report = set.check(Layout::Pairs);
    let border: Vec<_> = report.problems.iter().filter(|p| p.kind == ProblemKind::Border).collect();
    assert_eq!(border.len(), 1, "{:?}", report.problems);
    is(border[0], Severity::Warning, ProblemKind::Border, "labels/b.nii.gz", "(last slice)");

    let set = Set::pairs();
    let mut label = truth();
    label.invert_axis(Axis(1));
    set.label("labels/b.nii.gz", label.view(), &grid());
    is(&set.only_problem(), Severity::Warning, ProblemKind::Tissue, "labels/b.nii.gz", "soft tissue");
}

/// Even if the copy was stored the other way round.
#[test]
fn copies_of_an_image_are_found() {
    let set = Set::pairs();
    let mut turned = ct(0);
    turned.invert_axis(Axis(2));
    let mut geometry = grid();
    geometry.origin = grid().point([47.0, 0.0, 0.0]);
    geometry.direction[0][0] = -1.0;
    set.image("images/c.nii.gz", &turned.as_standard_layout().into_owned(), &geometry);
    is(&set.only_problem(), Severity::Error, ProblemKind::Duplicate, "images/c.nii.gz", "those of a");
}

#[test]
fn progress_is_told_and_a_check_stops_when_asked() {
    let set = Set::pairs();
    let told = std::sync::Mutex::new(Vec::new());
    let note = |done: usize, all: usize, name: &str| told.lock().unwrap().push((done, all, name.to_string()));
    check(set.root(), Layout::Pairs, &ReadOptions::default(), &note, &|| false).unwrap();
    let mut told = told.into_inner().unwrap();
    assert_eq!(told.iter().map(|t| (t.0, t.1)).collect::<Vec<_>>(), [(1, 3), (2, 3), (3, 3)]);
    told.sort_by(|a, b| a.2.cmp(&b.2));
    assert_eq!(told.iter().map(|t| t.2.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let stopped = check(set.root(), Layout::Pairs, &ReadOptions::default(), &|_, _, _| {}, &|| true);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

/// One CT of a real patient, its soft tissue labelled by a threshold: the check reads what other programs wrote.
#[test]
fn a_real_scan_goes_through() {
    let Some(scan) = needs::shared("ct/example_ct.nii.gz") else { return };
    let volume: Volume = io::read(&scan, &ReadOptions::default()).unwrap();
    let set = Set::new();
    std::fs::copy(&scan, set.path("images/real.nii.gz")).unwrap();
    let label = volume.voxels().mapv(|v| u8::from((20.0..80.0).contains(&v)));
    set.label("labels/real.nii.gz", label.view(), volume.geometry());
    let report = set.check(Layout::Pairs);
    assert_eq!(report.count(Severity::Error), 0, "{:?}", report.problems);
    assert_eq!(report.cases[0].size, volume.geometry().size);
    assert_eq!(report.cases[0].orientation, volume.geometry().orientation());
    assert!(report.problems.iter().any(|p| p.kind == ProblemKind::Volume), "{:?}", report.problems);
}
