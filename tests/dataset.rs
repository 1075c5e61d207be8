//! Sets of labelled CTs: what each layout is, how labels reach the image's grid, splits, and the subcommand.

#[path = "common/sets.rs"]
mod sets;

use ggpfn::dataset::{cases, load, load_organs, Case, Layout, ProblemKind, Severity, Split};
use ggpfn::io::ReadOptions;
use ggpfn::volume::{lps_view, Geometry};
use ggpfn::Error;
use ndarray::{s, Array3, Axis};
use sets::{ct, grid, is, nihc, truth, write_dicom, Set, SIZE};

// ---- Layouts ----

#[test]
fn a_decathlon_is_what_its_index_lists() {
    let set = Set::msd(&["pancreas_010", "pancreas_002"]);
    let found = set.cases(Layout::Msd);
    assert_eq!(set.names(Layout::Msd), ["pancreas_002", "pancreas_010"]);
    let loaded = load(&found[0], &ReadOptions::default()).unwrap();
    // The tumour is pancreas too.
    assert_eq!(loaded.mask, truth());
    assert_eq!(loaded.notes, [""; 0]);
    assert_eq!(loaded.volume.voxels(), ct(1));
    let report = set.check(Layout::Msd);
    assert_eq!(report.problems, []);
    assert_eq!((report.cases[0].size, report.cases[0].orientation.as_str()), (SIZE, "LPS"));
    let voxels = truth().iter().filter(|v| **v == 1).count();
    assert!((report.cases[0].volume_ml - voxels as f64 * 0.01875).abs() < 1e-9);

    std::fs::remove_file(set.path("dataset.json")).unwrap();
    assert_eq!(set.cases(Layout::Msd), found);
    std::fs::write(set.path("dataset.json"), "{}").unwrap();
    assert!(cases(set.root(), Layout::Msd).unwrap_err().to_string().contains("training"));
}

#[test]
fn what_a_decathlon_lists_and_has_not_or_has_and_lists_not_is_said() {
    let set = Set::msd(&["pancreas_001", "pancreas_002", "pancreas_003"]);
    std::fs::remove_file(set.path("imagesTr/pancreas_001.nii.gz")).unwrap();
    std::fs::remove_file(set.path("labelsTr/pancreas_003.nii.gz")).unwrap();
    set.label("labelsTr/pancreas_009.nii.gz", truth().view(), &grid());
    assert_eq!(set.names(Layout::Msd), ["pancreas_002"]);
    let problems = set.check(Layout::Msd).problems;
    assert_eq!(problems.len(), 3, "{problems:?}");
    is(&problems[0], Severity::Error, ProblemKind::MissingImage, "imagesTr/pancreas_001.nii.gz", "not there");
    is(&problems[1], Severity::Error, ProblemKind::MissingLabel, "labelsTr/pancreas_003.nii.gz", "not there");
    is(&problems[2], Severity::Warning, ProblemKind::MissingImage, "pancreas_009.nii.gz", "does not list");
}

#[test]
fn maps_of_organs_lie_beside_images_and_labels() {
    let set = Set::new();
    for name in ["a", "b"] {
        set.image(&format!("images/{name}.nii.gz"), &ct(0), &grid());
        set.label(&format!("labels/{name}.nii.gz"), truth().view(), &grid());
    }
    let organs = truth().mapv(|inside| if inside == 1 { 8 } else { 255 });
    set.label("organs/b.nrrd", organs.view(), &grid());
    let found = set.cases(Layout::Pairs);
    let load = |case: &Case| {
        let volume = load(case, &ReadOptions::default()).unwrap().volume;
        load_organs(case, &volume, &ReadOptions::default())
    };
    assert_eq!(load(&found[0]).unwrap(), None);
    assert_eq!(load(&found[1]).unwrap(), Some(organs));
    let shifted = Geometry { origin: [7.0, 0.0, 0.0], ..grid() };
    set.label("organs/b.nrrd", truth().view(), &shifted);
    let error = load(&set.cases(Layout::Pairs)[1]).unwrap_err().to_string();
    assert!(error.contains("b.nrrd") && error.contains("grid"), "{error}");
}

#[test]
fn pairs_are_found_in_every_arrangement() {
    for (images, labels) in [("images/", "labels/"), ("imagesTr/", "labelsTr/"), ("image/", "label/"), ("", "")] {
        for suffix in if images.is_empty() { vec!["_label", "_seg", "_MASK"] } else { vec![""] } {
            let set = Set::new();
            set.image(&format!("{images}Größe 2_0000.nii.gz"), &ct(0), &grid());
            set.label(&format!("{labels}Größe 2{suffix}.nrrd"), truth().view(), &grid());
            set.image(&format!("{images}b.mhd"), &ct(1), &grid());
            set.label(&format!("{labels}b{suffix}.nii"), truth().view(), &grid());
            write_dicom(&set.path(&format!("{images}series c")), ct(2).view(), &grid(), "1.2.3");
            set.label(&format!("{labels}series c{suffix}.mha"), truth().view(), &grid());
            std::fs::write(set.path(&format!("{images}notes.txt")), "not an image").unwrap();
            std::fs::write(set.path(&format!("{labels}._b{suffix}.nii")), "a shadow").unwrap();
            assert_eq!(set.names(Layout::Pairs), ["Größe 2", "b", "series c"], "{images} {suffix}");
            for (patient, case) in set.cases(Layout::Pairs).iter().enumerate() {
                let loaded = load(case, &ReadOptions::default()).unwrap();
                assert_eq!(loaded.mask, truth(), "{}", case.name);
                assert_eq!(loaded.volume.voxels(), ct(patient), "{}", case.name);
            }
            assert_eq!(set.check(Layout::Pairs).problems, [], "{images} {suffix}");
        }
    }
}

#[test]
fn a_folder_without_the_layout_is_refused() {
    let set = Set::new();
    std::fs::write(set.path("notes.txt"), "nothing").unwrap();
    for (layout, text) in [(Layout::Msd, "Task07_Pancreas"), (Layout::Nihc, "PANCREAS_0001"), (Layout::Pairs, "labels")]
    {
        let error = cases(set.root(), layout).unwrap_err();
        assert!(matches!(error, Error::Image { .. }) && error.to_string().contains(text), "{error}");
        assert!(matches!(cases(&set.root().join("none"), layout), Err(Error::File { .. })));
    }
    let set = Set::pairs();
    for name in ["a", "b", "c"] {
        std::fs::rename(set.path(&format!("labels/{name}.nii.gz")), set.path(&format!("labels/{name}2.nii.gz")))
            .unwrap();
    }
    let error = cases(set.root(), Layout::Pairs).unwrap_err();
    assert!(error.to_string().contains("no image in it has a label"), "{error}");
    for layout in Layout::ALL {
        assert_eq!(layout.to_string().parse(), Ok(layout));
    }
    assert!("btcv".parse::<Layout>().unwrap_err().contains("msd, nihc or pairs"));
}

// ---- Grids ----

/// A label stored with its axes swapped and turned lies in the same patient.
#[test]
fn labels_in_another_order_reach_the_images_grid() {
    let set = Set::new();
    set.image("images/a.nii.gz", &ct(0), &grid());
    // k, i, j of the image become i, j, k of the label, and the first of them is turned round.
    let turned = Geometry {
        size: [SIZE[2], SIZE[0], SIZE[1]],
        spacing: [3.0, 2.5, 2.5],
        origin: grid().point([0.0, 0.0, 19.0]),
        direction: [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]],
    };
    let mut label = truth();
    label.invert_axis(Axis(0));
    set.label("labels/a.nii.gz", label.view().permuted_axes([1, 2, 0]), &turned);
    let loaded = load(&set.cases(Layout::Pairs)[0], &ReadOptions::default()).unwrap();
    assert_eq!(loaded.mask, truth());
    assert!(loaded.mask.is_standard_layout());
    assert!(loaded.notes[0].contains("axes in the order j, k, i, flipped along k"), "{:?}", loaded.notes);
    assert_eq!(lps_view(loaded.mask.view(), loaded.volume.geometry()), truth());
}

#[test]
fn rounding_is_let_through_and_a_shift_is_not() {
    let set = Set::pairs();
    for (shift, good) in [(0.001, true), (0.2, true), (0.3, false), (2.5, false)] {
        let mut geometry = grid();
        geometry.origin[1] += shift;
        set.label("labels/b.nii.gz", truth().view(), &geometry);
        let case = &set.cases(Layout::Pairs)[1];
        match load(case, &ReadOptions::default()) {
            Ok(loaded) => {
                assert!(good, "{shift}");
                assert_eq!(loaded.notes.len(), usize::from(shift > 0.01));
                assert!(loaded.notes.iter().all(|note| note.contains("rounding")));
            }
            Err(error) => {
                let text = error.to_string();
                assert!(!good && text.contains("images/b.nii.gz") && text.contains("labels/b.nii.gz"), "{text}");
                is(&set.only_problem(), Severity::Error, ProblemKind::Grid, "labels/b.nii.gz", "mm apart");
            }
        }
    }
    let short = Geometry { size: [SIZE[0], SIZE[1], SIZE[2] - 1], ..grid() };
    set.label("labels/b.nii.gz", truth().slice(s![1.., .., ..]), &short);
    is(&set.only_problem(), Severity::Error, ProblemKind::Grid, "labels/b.nii.gz", "48 x 40 x 19");
}

// ---- The NIH's labels ----

#[test]
fn labels_of_the_nih_are_turned_until_they_fit_the_scan() {
    for flipped in [vec![], vec![1], vec![0], vec![0, 1], vec![2], vec![0, 1, 2]] {
        let set = nihc(&[1, 82], &flipped);
        let found = set.cases(Layout::Nihc);
        assert_eq!(set.names(Layout::Nihc), ["PANCREAS_0001", "PANCREAS_0082"]);
        assert!(found[0].image.ends_with("Pancreas-99667"));
        for case in &found {
            let loaded = load(case, &ReadOptions::default()).unwrap();
            assert_eq!(loaded.mask, truth(), "{flipped:?}: {:?}", loaded.notes);
            let said = if flipped.is_empty() { "borne out" } else { "header is wrong" };
            assert!(loaded.notes[0].contains(said), "{:?}", loaded.notes);
        }
        assert_eq!(set.check(Layout::Nihc).problems, []);
        // Only the NIH's headers are doubted.
        let strict = Case { layout: Layout::Pairs, ..found[0].clone() };
        assert!(load(&strict, &ReadOptions::default()).is_err());
    }
}

#[test]
fn a_label_whose_header_fits_is_believed() {
    let set = nihc(&[1], &[]);
    let mut label = truth();
    label.invert_axis(Axis(1));
    // Where the header has the scan's place, the image is not asked: this label is where it says, wrong as it is.
    set.label("TCIA_pancreas_labels-02-05-2017/label0001.nii.gz", label.view(), &grid());
    let loaded = load(&set.cases(Layout::Nihc)[0], &ReadOptions::default()).unwrap();
    assert_eq!((loaded.mask, loaded.notes.len()), (label, 0));
    let report = set.check(Layout::Nihc);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    is(&report.problems[0], Severity::Warning, ProblemKind::Tissue, "label0001.nii.gz", "soft tissue");
}

#[test]
fn a_label_that_fits_nowhere_is_refused() {
    let set = nihc(&[1], &[]);
    let bare = Geometry::axis_aligned(SIZE, grid().spacing);
    let all = Array3::ones(truth().dim());
    set.label("TCIA_pancreas_labels-02-05-2017/label0001.nii.gz", all.view(), &bare);
    let message = load(&set.cases(Layout::Nihc)[0], &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("label0001.nii.gz") && message.contains("clearly fits"), "{message}");
}

#[test]
fn the_nihs_withdrawn_patients_are_no_problem_and_others_without_a_partner_are() {
    let set = nihc(&[1], &[1]);
    let bare = Geometry::axis_aligned(SIZE, grid().spacing);
    for number in [25, 70, 3] {
        set.label(&format!("TCIA_pancreas_labels-02-05-2017/label{number:04}.nii.gz"), truth().view(), &bare);
    }
    // Scans as NIfTI are taken too.
    set.image("PANCREAS_0004.nii.gz", &ct(4), &grid());
    set.label("label0004.nii.gz", truth().view(), &bare);
    set.image("PANCREAS_0005.nii.gz", &ct(5), &grid());
    set.image("PANCREAS_0001.nii.gz", &ct(1), &grid());
    std::fs::create_dir_all(set.root().join("PANCREAS_0006/empty")).unwrap();
    assert_eq!(set.names(Layout::Nihc), ["PANCREAS_0001", "PANCREAS_0004"]);
    assert!(set.cases(Layout::Nihc)[0].image.is_dir());
    let problems = set.check(Layout::Nihc).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
    is(&problems[0], Severity::Error, ProblemKind::MissingImage, "PANCREAS_0006", "no .dcm file");
    is(&problems[1], Severity::Error, ProblemKind::MissingImage, "label0003.nii.gz", "without an image");
    is(&problems[2], Severity::Warning, ProblemKind::Ambiguous, "PANCREAS_0001.nii.gz", "left out");
    is(&problems[3], Severity::Warning, ProblemKind::MissingLabel, "PANCREAS_0005.nii.gz", "without a label");
}

// ---- Splits ----

#[test]
fn a_split_is_read_as_it_was_written_and_names_known_cases_only() {
    let set = Set::new();
    let text = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let split = Split { seed: 3, train: text(&["größe a", "b"]), validation: text(&["c"]), test: text(&["d"]) };
    let path = set.path("Aufteilung 1.json");
    split.write(&path).unwrap();
    assert_eq!(Split::read(&path).unwrap(), split);
    split.check(&text(&["d", "größe a", "b", "c", "e"])).unwrap();
    let refusal = |split: &Split, names: &[&str]| split.check(&text(names)).unwrap_err().to_string();
    let message = refusal(&split, &["d", "größe a", "c"]);
    assert!(message.contains("names b, which is not one of the set's 3 cases"), "{message}");
    let twice = Split { test: text(&["c"]), ..split.clone() };
    assert!(refusal(&twice, &["größe a", "b", "c"]).contains("names c twice"));
    let empty = Split { train: Vec::new(), ..split.clone() };
    assert!(refusal(&empty, &["c", "d"]).contains("train"));
    for broken in ["", "[]", "{\"seed\": 0}", "{\"seed\": -1, \"train\": [], \"validation\": [], \"test\": []}"] {
        std::fs::write(&path, broken).unwrap();
        assert!(matches!(Split::read(&path), Err(Error::Argument { .. })), "{broken}");
    }
    assert!(matches!(Split::read(&set.path("none.json")), Err(Error::File { .. })));
}

// ---- The program ----

#[test]
fn the_program_checks() {
    let set = Set::pairs();
    let output = set.run(&["dataset", "check", ".", "--layout", "pairs"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("3 of 3 cases read; 0 errors, 0 warnings"), "{text}");

    set.label("labels/b.nii.gz", Array3::zeros(truth().dim()).view(), &grid());
    set.label("labels/a.nii.gz", truth().mapv(|v| 3 * v).view(), &grid());
    let output = set.run(&["dataset", "check", ".", "--layout", "pairs", "--json", "über.json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "error: b: labels/b.nii.gz: the label is empty", "{text}");
    assert!(lines[1].starts_with("warning: a: labels/a.nii.gz: it holds the values 0, 3"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 error in this set"));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(set.path("über.json")).unwrap()).unwrap();
    assert_eq!(json["problems"][0]["kind"], "empty_label");
    assert_eq!(json["problems"][0]["severity"], "error");
    assert_eq!(json["cases"].as_array().unwrap().len(), 3);
    assert_eq!(json["cases"][0]["spacing_mm"], serde_json::json!([2.5, 2.5, 3.0]));

    for (arguments, code, text) in [
        (["dataset", "check", "none", "--layout", "pairs"], 5, "none"),
        (["dataset", "check", ".", "--layout", "msd"], 3, "dataset.json"),
        (["dataset", "check", ".", "--layout", "btcv"], 2, "not a layout"),
    ] {
        let output = set.run(&arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(message.contains(text) && !message.contains("panicked"), "{message}");
    }
}

#[test]
fn the_program_splits() {
    let set = Set::new();
    for n in 0..80 {
        std::fs::write(set.path(&format!("PANCREAS_{:04}.nii.gz", n + 1)), "never opened").unwrap();
        std::fs::write(set.path(&format!("label{:04}.nii.gz", n + 1)), "never opened").unwrap();
    }
    let run = |out: &str, more: &[&str]| {
        let all = [&["dataset", "split", ".", "--layout", "nihc", "--out", out], more].concat();
        let output = set.run(&all);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run("a.json", &["--seed", "4"]), (Some(0), String::new()));
    assert_eq!(run("b.json", &["--seed", "4"]).0, Some(0));
    assert_eq!(run("c.json", &["--seed", "5"]).0, Some(0));
    let [a, b, c] = ["a.json", "b.json", "c.json"].map(|name| Split::read(&set.path(name)).unwrap());
    assert_eq!(a, b);
    assert_ne!(a.test, c.test);
    assert_eq!([a.train.len(), a.validation.len(), a.test.len()], [47, 5, 28]);
    a.check(&set.names(Layout::Nihc)).unwrap();
    assert_eq!(run("d.json", &["--train", "10", "--validation", "1", "--test", "2"]).0, Some(0));
    assert_eq!(Split::read(&set.path("d.json")).unwrap().train.len(), 10);
    let (code, message) = run("e.json", &["--test", "80"]);
    assert_eq!((code, message.contains("there are 80")), (Some(2), true), "{message}");
    assert!(!set.path("e.json").exists());
}
