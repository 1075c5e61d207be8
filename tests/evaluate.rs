//! `ggpfn evaluate` as people meet it, and its numbers against SimpleITK's on real organs.
//!
//! The comparison runs the Python that `GGPFN_TEST_PYTHON` names, on label maps under `../shared/data`; where either is absent
//! it says that it skips.

#[path = "common/needs.rs"]
mod needs;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::volume::Geometry;
use ndarray::{s, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Room { folder: tempfile::Builder::new().prefix("größe & co (1) '").tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.folder.path()).arg("evaluate").args(arguments).output().unwrap()
    }

    /// What it prints; it must go well.
    fn evaluate(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The measures of two files.
    fn measures(&self, prediction: &str, truth: &str, more: &[&str]) -> Value {
        self.evaluate(&[&[prediction, truth, "--json", "measures.json"], more].concat());
        self.json("measures.json")["cases"][0]["measures"].clone()
    }

    /// What another package says; none, and a skip, where it is not installed.
    fn reference(&self, python: &OsStr, arguments: &[&str], input: &str) -> Option<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/evaluation_packages.py");
        let mut command = Command::new(python);
        command.arg(script).args(arguments).current_dir(self.folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that ends for want of a package need not have read it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        if output.status.code() == Some(77) {
            needs::skip(format!("the comparison with other packages: there is no {}", text(&output.stdout).trim()));
            return None;
        }
        assert!(output.status.success(), "{}", text(&output.stderr));
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    /// Runs what must fail: by this exit code, with these words, printing no numbers.
    fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{arguments:?}: \"{word}\" is not in \"{message}\"");
        }
        assert!(output.stdout.is_empty() && !message.contains("panicked"), "{arguments:?}: {message}");
    }

    /// Writes a mask, 20 x 16 x 12 voxels, with `value` in a box of 8 x 6 x 5 that begins at `at` (i, j, k).
    fn put(&self, name: &str, at: [usize; 3], value: i16) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        io::write(&path, Voxels::I16(cuboid(at, value).view()), &grid()).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn grid() -> Geometry {
    Geometry { origin: [-120.5, 33.25, -700.0], ..Geometry::axis_aligned([20, 16, 12], [0.8, 0.9, 2.5]) }
}

fn cuboid([i, j, k]: [usize; 3], value: i16) -> Array3<i16> {
    let mut mask = Array3::zeros((12, 16, 20));
    mask.slice_mut(s![k..k + 5, j..j + 6, i..i + 8]).fill(value);
    mask
}

fn near(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() <= 2e-5 * expected.abs().max(0.01))
}

#[test]
fn two_files() {
    let room = Room::new();
    assert!(room.evaluate(&["--help"]).contains("95th percentile"));
    room.put("a.nii.gz", [4, 3, 2], 1);
    room.put("b.nrrd", [6, 3, 2], 8);
    let printed = room.evaluate(&["a.nii.gz", "b.nrrd"]);
    // 6 of 8 columns are common.
    assert!(printed.contains("Dice %") && printed.contains("75.00") && !printed.contains("mean"), "{printed}");
    let measures = room.measures("a.nii.gz", "b.nrrd", &[]);
    assert!(near(&measures["dice"], 0.75) && near(&measures["recall"], 0.75), "{measures}");
    assert!(near(&measures["truth_ml"], 240.0 * 0.8 * 0.9 * 2.5 / 1000.0), "{measures}");
    assert!(near(&measures["hausdorff95_mm"], 1.6), "{measures}");
}

#[test]
fn a_label_is_taken_from_the_truth() {
    let room = Room::new();
    room.put("pred.nii.gz", [4, 3, 2], 1);
    let organs = cuboid([4, 3, 2], 8) + cuboid([11, 9, 6], 6);
    io::write(&room.path("organs.nii"), Voxels::I16(organs.view()), &grid()).unwrap();
    assert_eq!(room.measures("pred.nii.gz", "organs.nii", &["--label", "8"])["dice"], 1.0);
    let output = room.run(&["pred.nii.gz", "organs.nii"]);
    assert!(text(&output.stderr).contains("6, 8") && text(&output.stderr).contains("--label"), "{output:?}");
    // Without that label the truth is empty: no distance, no recall, and a warning.
    let output = room.run(&["pred.nii.gz", "organs.nii", "--label", "7", "--csv", "t.csv", "--json", "t.json"]);
    assert!(output.status.success() && text(&output.stderr).contains("no voxel has the label 7"), "{output:?}");
    assert!(text(&output.stdout).lines().nth(1).unwrap().trim_end().ends_with('-'), "{output:?}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>() == ["false", "components", "1"];
    assert!(text(&output.stdout).lines().any(words), "{output:?}");
    let measures = &room.json("t.json")["cases"][0]["measures"];
    assert!(measures["hausdorff95_mm"].is_null() && measures["recall"].is_null() && measures["dice"] == 0.0);
    let csv = std::fs::read_to_string(room.path("t.csv")).unwrap();
    let row = csv.lines().nth(1).unwrap();
    // No distances, an NSD of 0, nothing found of nothing and something false, the system, no probabilities.
    assert!(row.ends_with(",,,,0,0,0,0,0,1,1,pred,,,,,"), "{csv}");
    room.refused(&["pred.nii.gz", "organs.nii", "--label", "0"], 2, &["--label"]);
}

#[test]
fn folders_are_matched_by_name() {
    let room = Room::new();
    // The same name; by suffix; by suffix and prefix; none.
    for (prediction, truth, shift) in [
        ("case1.nii.gz", "case1.nrrd", 0),
        ("b, \"2\"_pancreas.nii.gz", "b, \"2\"_seg.mha", 1),
        ("PANCREAS_0003_pancreas.nii.gz", "label0003.nii.gz", 2),
    ] {
        room.put(&format!("predictions/{prediction}"), [4 + shift, 3, 2], 1);
        room.put(&format!("truths/{truth}"), [4, 3, 2], 1);
    }
    room.put("predictions/lonely.hdr", [4, 3, 2], 1);
    room.put("truths/other_mask.nii", [4, 3, 2], 1);
    std::fs::write(room.path("predictions/report.json"), "{}").unwrap();
    // Means over those cases alone that have a prediction would be too good.
    let words = ["no prediction for 1 of 4 cases", "other_mask.nii", "--allow-missing"];
    room.refused(&["predictions", "truths"], 2, &words);
    let output = room.run(&["predictions", "truths", "--csv", "t.csv", "--json", "t.json", "--allow-missing"]);
    let (printed, warnings) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{warnings}");
    assert!(
        warnings.contains("lonely.hdr: there is no truth") && warnings.contains("other_mask.nii: there is no pred")
    );
    assert_eq!(warnings.lines().count(), 2, "{warnings}");
    let rows: Vec<&str> = printed.lines().collect();
    // The cases with their summary; then all measures with their intervals.
    assert_eq!(rows.len(), 1 + 3 + 1 + 5 + 1 + 1 + 18, "{printed}");
    let end = |row: &str| row.chars().count();
    for part in [&rows[..10], &rows[11..]] {
        assert!(
            part.iter().filter(|row| !row.is_empty()).all(|row| end(row) == end(part[0])),
            "not aligned:\n{printed}"
        );
    }

    let csv = std::fs::read_to_string(room.path("t.csv")).unwrap();
    let table: Vec<Vec<String>> = csv.lines().map(csv_cells).collect();
    assert_eq!(table.iter().map(Vec::len).collect::<Vec<_>>(), [3 + 18 + 6; 4], "{csv}");
    assert_eq!(table[0][..4], ["case", "prediction", "truth", "dice"]);
    assert_eq!(table[1..].iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["0003", "b, \"2\"", "case1"]);
    let dice: Vec<f64> = table[1..].iter().map(|row| row[3].parse().unwrap()).collect();
    assert_eq!(dice, [0.75, 0.875, 1.0]);
    let json = room.json("t.json");
    let summary = &json["summary"]["dice"];
    assert!(near(&summary["mean"], 0.875) && near(&summary["std"], 0.125), "{summary}");
    assert!(summary["count"] == 3 && summary["min"] == 0.75 && summary["max"] == 1.0, "{summary}");
    for (row, case) in table[1..].iter().zip(json["cases"].as_array().unwrap()) {
        for (name, cell) in table[0].iter().zip(row).skip(3).take(18) {
            assert_eq!(case["measures"][name].as_f64(), Some(cell.parse().unwrap()), "{name}");
        }
        assert_eq!((row[21].as_str(), &case["system"]), ("predictions", &Value::from("predictions")));
    }
}

/// The cells of a row as RFC 4180 has them.
fn csv_cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = row.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => cells.last_mut().unwrap().extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

/// As the Decathlon, nnU-Net and MONAI have it.
#[test]
fn two_empty_masks_have_no_score_and_one_has_the_worst() {
    let room = Room::new();
    for (name, prediction, truth) in [("both", 0, 0), ("missed", 0, 1), ("invented", 1, 0), ("found", 1, 1)] {
        room.put(&format!("p/{name}.nii"), [4, 3, 2], prediction);
        room.put(&format!("t/{name}.nii"), [4, 3, 2], truth);
    }
    room.evaluate(&["p", "t", "--json", "t.json", "--csv", "t.csv"]);
    let json = room.json("t.json");
    let case =
        |name: &str| json["cases"].as_array().unwrap().iter().find(|c| c["case"] == name).unwrap()["measures"].clone();
    for measure in [
        "dice",
        "jaccard",
        "precision",
        "recall",
        "hausdorff95_mm",
        "mean_surface_mm",
        "volume_error_percent",
        "hausdorff95_area_mm",
        "nsd_2mm",
    ] {
        assert!(case("both")[measure].is_null(), "{measure}");
    }
    assert_eq!(case("both")["truth_ml"], 0.0);
    assert!(case("missed")["nsd_5mm"] == 0.0 && case("missed")["missed_components"] == 1);
    assert!(case("invented")["nsd_5mm"] == 0.0 && case("invented")["false_components"] == 1);
    assert!(case("missed")["dice"] == 0.0 && case("invented")["dice"] == 0.0 && case("found")["dice"] == 1.0);
    let summary = &json["summary"]["dice"];
    assert!(summary["count"] == 3 && near(&summary["mean"], 1.0 / 3.0), "{summary}");
    let csv = std::fs::read_to_string(room.path("t.csv")).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("both,p/both.nii,t/both.nii,,,")), "{csv}");
    assert!(room.evaluate(&["--help"]).contains("nnU-Net"));
}

#[test]
fn one_case_that_fails_does_not_stop_the_others() {
    let room = Room::new();
    for name in ["a.nii", "b.nii", "c.nii"] {
        room.put(&format!("p/{name}"), [4, 3, 2], 1);
        room.put(&format!("t/{name}"), [4, 3, 2], 1);
    }
    std::fs::write(room.path("t/b.nii"), "nothing").unwrap();
    let output = room.run(&["p", "t", "--json", "t.json"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("1 of 3 cases failed"), "{output:?}");
    assert_eq!(room.json("t.json")["summary"]["dice"]["count"], 2);
}

#[test]
fn the_order_of_axes_does_not_matter_and_another_grid_is_refused() {
    let room = Room::new();
    room.put("a.nii.gz", [4, 3, 2], 1);
    room.put("b.nii.gz", [5, 4, 3], 1);
    let expected = room.measures("a.nii.gz", "b.nii.gz", &[]);
    // The same voxels in the same places, stored (z, -x, y) in the place of (x, y, z).
    let (geometry, mut turned) = (grid(), cuboid([5, 4, 3], 1).permuted_axes([1, 2, 0]));
    turned.invert_axis(ndarray::Axis(1));
    let stored = Geometry {
        size: [12, 20, 16],
        spacing: [2.5, 0.8, 0.9],
        origin: geometry.point([19.0, 0.0, 0.0]),
        direction: [[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
    };
    for name in ["turned.nii.gz", "turned.nrrd", "turned.mha"] {
        io::write(&room.path(name), Voxels::I16(turned.view()), &stored).unwrap();
        let found = room.measures("a.nii.gz", name, &[]);
        for (key, value) in expected.as_object().unwrap() {
            assert!(near(&found[key], value.as_f64().unwrap()), "{name} {key}: {found}");
        }
        assert_eq!(room.measures(name, "b.nii.gz", &[])["dice"], 1.0);
    }
    for (other, words) in [
        (Geometry { origin: [-120.5, 33.25, -699.0], ..grid() }, ["-700", "-699"]),
        (Geometry { spacing: [0.8, 0.9, 2.0], ..grid() }, ["x 2.5 mm", "x 2 mm"]),
        (Geometry { direction: [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]], ..grid() }, ["LPS", "RAS"]),
    ] {
        io::write(&room.path("other.nii"), Voxels::I16(cuboid([4, 3, 2], 1).view()), &other).unwrap();
        room.refused(&["a.nii.gz", "other.nii"], 3, &[&words[..], &["a.nii.gz", "other.nii", "resample"]].concat());
    }
    let smaller = Geometry { size: [20, 16, 11], ..grid() };
    io::write(&room.path("other.nii"), Voxels::I16(cuboid([4, 3, 2], 1).slice(s![..11, .., ..])), &smaller).unwrap();
    room.refused(&["a.nii.gz", "other.nii"], 3, &["20 x 16 x 12", "20 x 16 x 11"]);
}

#[test]
fn what_is_no_mask_and_what_has_no_partner_is_refused() {
    let room = Room::new();
    room.put("a/mask.nii", [4, 3, 2], 1);
    let write = |name: &str, value: &dyn Fn(usize) -> f32| {
        let mut count = 0;
        let voxels = Array3::from_shape_simple_fn((12, 16, 20), || {
            count += 1;
            value(count - 1)
        });
        io::write(&room.path(name), Voxels::F32(voxels.view()), &grid()).unwrap();
    };
    write("probability.nii", &|n| n as f32 / 3840.0);
    write("ct.nii", &|n| n as f32 % 2000.0 - 1024.0);
    write("unsigned.nii", &|n| n as f32 % 2000.0);
    write("blurred.nii", &|n| (n % 7) as f32 * 0.5);
    write("huge.nii", &|n| if n == 5 { 1e9 } else { 0.0 });
    // Numbers that a scaled file rounds are whole enough.
    write("rounded.nii", &|n| if n < 500 { 0.999_99 } else { 1e-6 });
    room.refused(&["probability.nii", "a/mask.nii"], 3, &["probability.nii", "ggpfn segment", "threshold"]);
    for name in ["ct.nii", "unsigned.nii", "blurred.nii", "huge.nii"] {
        room.refused(&[name, "a/mask.nii"], 3, &[name, "a mask was expected"]);
        room.refused(&["a/mask.nii", name], 3, &[name, "a mask was expected"]);
    }
    assert!(near(&room.measures("rounded.nii", "a/mask.nii", &[])["prediction_ml"], 500.0 * 0.0018));

    room.put("b/else.nii", [4, 3, 2], 1);
    room.refused(&["a", "b"], 2, &["no image in a"]);
    room.refused(&["a", "b/else.nii"], 2, &["a is a folder"]);
    room.refused(&["a/mask.nii", "no such.nii"], 5, &["no such.nii"]);
    room.put("c/mask.nrrd", [4, 3, 2], 1);
    room.put("c/mask.mha", [4, 3, 2], 1);
    room.refused(&["a", "c"], 2, &["mask.nrrd", "mask.mha", "could both be"]);
    room.refused(&["a/mask.nii", "a/mask.nii", "--csv", "no/such/t.csv"], 5, &["no/such"]);
    room.refused(&["a/mask.nii", "a/mask.nii", "--csv", "t", "--json", "t"], 2, &["--csv"]);
}

/// A mask and what lies as far as `reach` voxels from it along an axis.
fn grown(mask: &Array3<u8>, reach: usize) -> Array3<u8> {
    let mut result = mask.clone();
    for (axis, length) in mask.shape().iter().enumerate() {
        for step in 1..=reach {
            let (head, _) = mask.view().split_at(ndarray::Axis(axis), length - step);
            let (_, tail) = mask.view().split_at(ndarray::Axis(axis), step);
            let (mut first, _) = result.view_mut().split_at(ndarray::Axis(axis), length - step);
            first |= &tail;
            let (_, mut last) = result.view_mut().split_at(ndarray::Axis(axis), step);
            last |= &head;
        }
    }
    result
}

#[test]
fn numbers_are_those_of_simpleitk_on_real_organs() {
    let Some(python) = needs::python() else { return };
    let Some(labels) = needs::shared("labels") else { return };
    let room = Room::new();
    // A pancreas with a large cyst, and one among other organs, of which one stands in for a prediction.
    for (name, organ) in [("pancreas/msdpanc_415", None), ("organs/btcvmulti_45", Some(10.0))] {
        let truth = labels.join(name).with_extension("nii.gz");
        let volume = io::read(&truth, &ReadOptions::default()).unwrap();
        let organ_of = |label: f32| volume.voxels().mapv(|value| u8::from(value == label));
        let pancreas = organ_of(8.0);
        io::write(&room.path("truth.nii"), Voxels::U8(pancreas.view()), volume.geometry()).unwrap();
        // Moved, grown with a blob far off, and another organ's shape and place.
        let mut moved = Array3::zeros(pancreas.dim());
        moved.slice_mut(s![2.., ..-5, 3..]).assign(&pancreas.slice(s![..-2, 5.., ..-3]));
        let mut with_blob = grown(&pancreas, 2);
        with_blob.slice_mut(s![0..4, 30..50, 40..55]).fill(1);
        let predictions = [Some(moved), Some(with_blob), organ.map(organ_of)];
        for (number, prediction) in predictions.into_iter().flatten().enumerate() {
            io::write(&room.path("prediction.nii"), Voxels::U8(prediction.view()), volume.geometry()).unwrap();
            let found = room.measures("prediction.nii", truth.to_str().unwrap(), &["--label", "8"]);
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/evaluation.py");
            let files = ["prediction.nii", "truth.nii"];
            let output =
                Command::new(&python).arg(script).args(files).current_dir(room.folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
            let expected: Value = serde_json::from_slice(&output.stdout).unwrap();
            for (key, value) in expected.as_object().unwrap() {
                let value = value.as_f64().unwrap();
                assert!(near(&found[key], value), "{name} {number}: {key} is {}, not {value}", found[key]);
            }
            println!("{name} {number}: {found}");
            // SimpleITK knows no surface elements.
            let arguments = ["masks", "prediction.nii", "truth.nii"];
            let Some(expected) = room.reference(&python, &arguments, "") else { continue };
            assert_eq!(expected.as_object().unwrap().len(), 8);
            for (key, value) in expected.as_object().unwrap() {
                let (found, value) = (found[key].as_f64().unwrap(), value.as_f64().unwrap());
                assert!((found - value).abs() <= 1e-6, "{name} {number}: {key} is {found}, not {value}");
            }
        }
    }
}

/// A ball's probability, rising to its middle, and noise; the ball of 0.5 is nearly the truth.
fn write_probability(room: &Room, name: &str, seed: u64, levels: Option<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let voxels = Array3::from_shape_fn((12, 16, 20), |(k, j, i)| {
        let squares = [(k as f32 - 4.0) / 3.0, (j as f32 - 6.0) / 4.0, (i as f32 - 8.0) / 5.0].map(|d| d * d);
        let p = 1.0 / (1.0 + (4.0 * (squares.iter().sum::<f32>().sqrt() - 1.0 + random.random_range(-0.4..0.4))).exp());
        levels.map_or(p, |levels| (p * levels).round() / levels)
    });
    let path = room.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    io::write(&path, Voxels::F32(voxels.view()), &grid()).unwrap();
}

#[test]
fn probabilities_are_measured_as_scikit_learn_does() {
    let room = Room::new();
    for (number, case) in ["a", "b"].into_iter().enumerate() {
        room.put(&format!("p/{case}.nii"), [4, 3, 2], 1);
        room.put(&format!("t/{case}.nii"), [4 + number, 3, 2], 1);
        // Of one map all values are thresholds, of the other hardly any.
        write_probability(&room, &format!("maps/{case}_probability.nii"), number as u64, [Some(1000.0), None][number]);
    }
    let printed = room.evaluate(&[
        "p",
        "t",
        "--probabilities",
        "maps",
        "--json",
        "t.json",
        "--csv",
        "t.csv",
        "--curves",
        "c.png",
    ]);
    assert!(printed.contains("best F-score (Dice)") && printed.contains("expected calibration error"), "{printed}");
    let json = room.json("t.json");
    assert_eq!(json["probabilities"]["p"]["curve"].as_array().unwrap().len(), 101);
    assert!(std::fs::read(room.path("c.png")).unwrap().starts_with(b"\x89PNG"));
    let csv = std::fs::read_to_string(room.path("t.csv")).unwrap();
    assert!(csv.lines().next().unwrap().ends_with("calibration_error_from_0.1") && !csv.contains(",,"), "{csv}");

    // By scikit-learn 1.9.1 on map and truth of case a, as evaluation_packages.py does it.
    let found = &json["cases"][0]["probability"];
    let expected = 0.7769095373228446;
    assert!((found["average_precision"].as_f64().unwrap() - expected).abs() < 1e-9, "{found}");

    // Rounding, by another program, may take a probability a little beyond 1.
    let above = cuboid([4, 3, 2], 1).mapv(|inside| 1.000_02 * f32::from(inside));
    io::write(&room.path("above.nii"), Voxels::F32(above.view()), &grid()).unwrap();
    room.evaluate(&["p/a.nii", "t/a.nii", "--probabilities", "above.nii", "--json", "one.json"]);
    assert_eq!(room.json("one.json")["cases"][0]["probability"]["best"]["dice"], 1.0);

    // Refused: no map of a case, no probability, another grid.
    std::fs::remove_file(room.path("maps/b_probability.nii")).unwrap();
    let output = room.run(&["p", "t", "--probabilities", "maps"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no probability map for the case b"), "{output:?}");
    room.put("seven.nii", [4, 3, 2], 7);
    room.refused(&["p/a.nii", "t/a.nii", "--probabilities", "seven.nii"], 3, &["seven.nii", "from 0 to 1"]);
    room.refused(&["p", "t", "--probabilities", "maps", "--probabilities", "maps"], 2, &["--probabilities", "2 times"]);
    room.refused(&["p/a.nii", "t/a.nii", "--curves", "c.png"], 2, &["--probabilities"]);

    let Some(python) = needs::python() else { return };
    write_probability(&room, "maps/b_probability.nii", 1, None);
    for (number, case) in ["a", "b"].into_iter().enumerate() {
        let (map, truth) = (format!("maps/{case}_probability.nii"), format!("t/{case}.nii"));
        let Some(expected) = room.reference(&python, &["probability", &map, &truth], "") else { return };
        room.evaluate(&[&truth, &truth, "--probabilities", &map, "--json", "one.json"]);
        let json = room.json("one.json");
        let pooled = &json["probabilities"][case];
        // Between thresholds the best one can be missed; that of a map in steps of 0.001 cannot.
        let exact = number == 0;
        let near = |found: &Value, value: &Value| {
            (found.as_f64().unwrap() - value.as_f64().unwrap()).abs() <= if exact { 1e-9 } else { 2e-3 }
        };
        assert!(near(&pooled["average_precision"], &expected["average_precision"]), "{case}: {pooled}");
        for key in ["dice", "precision", "recall"] {
            assert!(!exact || near(&pooled["best"][key], &expected["best"][key]), "{case}: {pooled} {expected}");
        }
        assert!((pooled["best"]["dice"].as_f64().unwrap() - expected["best"]["dice"].as_f64().unwrap()).abs() < 5e-3);
        assert!(
            (pooled["calibration_error"].as_f64().unwrap() - expected["calibration_error"].as_f64().unwrap()).abs()
                < 1e-9
        );
        for point in expected["curve"].as_array().unwrap() {
            let found = &pooled["curve"][point[0].as_u64().unwrap() as usize];
            for (key, value) in ["precision", "recall"].iter().zip([&point[1], &point[2]]) {
                assert!(
                    (found[key].as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-9,
                    "{case}: {found} {point}"
                );
            }
        }
        for bin in expected["reliability"].as_array().unwrap() {
            let found = &pooled["reliability"][bin[0].as_u64().unwrap() as usize];
            assert_eq!(found["voxels"], bin[1]);
            for (key, value) in ["probability", "frequency"].iter().zip([&bin[2], &bin[3]]) {
                assert!((found[key].as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-9, "{case}: {found} {bin}");
            }
        }
    }
}

#[test]
fn systems_are_tested_against_each_other_as_scipy_does() {
    let room = Room::new();
    for case in 0..9 {
        room.put(&format!("labels/{case}.nii"), [4, 3, 2], 1);
        for (system, shift) in [("ours", case % 3), ("x/theirs", 1 + case % 4), ("y/theirs", 2 * (case % 2))] {
            room.put(&format!("{system}/{case}.nii"), [4 + shift, 3, 2], 1);
        }
    }
    let systems = ["ours", "x/theirs", "y/theirs"];
    let arguments = [&systems[..], &["--truth", "labels", "--json", "t.json", "--csv", "t.csv"]].concat();
    let printed = room.evaluate(&arguments);
    assert!(printed.contains("p (Holm)") && printed.contains("x/theirs"), "{printed}");
    let json = room.json("t.json");
    assert_eq!(json["systems"], serde_json::json!(systems));
    assert_eq!(json["summary"]["ours"]["dice"]["count"], 9);
    assert_eq!(std::fs::read_to_string(room.path("t.csv")).unwrap().lines().count(), 1 + 27);
    let values = |system: &str, measure: &str| -> Vec<f64> {
        let of = json["cases"].as_array().unwrap().iter().filter(|case| case["system"] == system);
        of.map(|case| case["measures"][measure].as_f64().unwrap()).collect()
    };
    let differences: Vec<(&Value, Vec<f64>)> = json["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| {
            let [first, second] =
                ["first", "second"].map(|which| values(d[which].as_str().unwrap(), d["measure"].as_str().unwrap()));
            (d, first.iter().zip(&second).map(|(a, b)| a - b).collect())
        })
        .collect();
    assert_eq!(differences.len(), 3 * 7);
    for three in differences.chunks(3) {
        let p: Vec<f64> = three.iter().map(|(d, _)| d["test"]["p"].as_f64().unwrap_or(1.0)).collect();
        let smallest = p.iter().copied().fold(1.0, f64::min);
        let corrected = three.iter().map(|(d, _)| d["p_holm"].as_f64().unwrap()).fold(1.0, f64::min);
        assert!((corrected - (3.0 * smallest).min(1.0)).abs() < 1e-12);
        for (difference, values) in three {
            let mean = values.iter().sum::<f64>() / 9.0;
            assert!((difference["mean_difference"].as_f64().unwrap() - mean).abs() < 1e-12);
        }
    }
    // Another seed, other intervals; the same seed, the same file.
    room.evaluate(&[&arguments[..], &["--seed", "1"]].concat());
    assert_ne!(room.json("t.json")["differences"][0]["ci95"], json["differences"][0]["ci95"]);
    room.evaluate(&arguments);
    assert_eq!(room.json("t.json"), json);

    room.refused(&["ours", "x/theirs", "labels"], 2, &["3 paths are given", "--truth"]);
    room.refused(&["ours"], 2, &["1 path is given"]);
    room.refused(&["ours", "./ours", "--truth", "labels"], 2, &["./ours", "given twice"]);
    std::fs::remove_file(room.path("ours/4.nii")).unwrap();
    room.refused(&arguments, 2, &["no prediction for 1 of 9", "--allow-missing"]);
    room.evaluate(&[&arguments[..], &["--allow-missing"]].concat());
    let left = room.json("t.json");
    assert_eq!(
        left["differences"].as_array().unwrap().iter().map(|d| d["cases"].as_u64().unwrap()).collect::<Vec<_>>()[..3],
        [8, 8, 9]
    );

    let Some(python) = needs::python() else { return };
    let lists: Vec<&Vec<f64>> =
        differences.iter().map(|(_, values)| values).filter(|v| v.iter().any(|d| *d != 0.0)).collect();
    let Some(expected) = room.reference(&python, &["tests"], &serde_json::to_string(&lists).unwrap()) else { return };
    let found = differences.iter().filter(|(d, _)| !d["test"].is_null());
    for ((difference, _), expected) in found.zip(expected.as_array().unwrap()) {
        for (key, value) in ["statistic", "p"].iter().zip([&expected[0], &expected[1]]) {
            assert!(
                (difference["test"][key].as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-9,
                "{difference} {expected}"
            );
        }
    }
}

/// Labels are evaluated each for itself; values that belong to two labels count for both.
#[test]
fn several_labels_have_a_table_each() {
    let room = Room::new();
    let mut truth = Array3::<u8>::zeros((12, 20, 20));
    truth.slice_mut(s![2..10, 4..14, 4..14]).fill(1);
    truth.slice_mut(s![4..8, 6..10, 6..10]).fill(2);
    let mut found = truth.clone();
    found.slice_mut(s![4..6, 6..10, 6..10]).fill(1);
    let geometry = Geometry::axis_aligned([20, 20, 12], [1.0, 1.0, 2.0]);
    for (name, map) in [("found.nii.gz", &found), ("truth.nii.gz", &truth)] {
        io::write(&room.path(name), Voxels::U8(map.view()), &geometry).unwrap();
    }
    let said =
        room.evaluate(&["found.nii.gz", "truth.nii.gz", "--labels", "pancreas=1,2", "tumour=2", "--json", "l.json"]);
    assert!(said.contains("pancreas\n") && said.contains("\ntumour\n"), "{said}");
    let json = room.json("l.json");
    let dice = |label: &str| json["summary"][label]["dice"]["mean"].as_f64().unwrap();
    // Half of the tumour was found, and all of the pancreas that it is part of.
    assert_eq!(dice("pancreas"), 1.0);
    assert!((dice("tumour") - 2.0 / 3.0).abs() < 1e-9, "{}", dice("tumour"));
    assert_eq!(json["cases"][1]["system"], "tumour");
    let both = room.run(&["found.nii.gz", "truth.nii.gz", "--labels", "pancreas=1", "--label", "1"]);
    assert_eq!(both.status.code(), Some(2));
    let odd = room.run(&["found.nii.gz", "truth.nii.gz", "--labels", "pancreas"]);
    assert!(text(&odd.stderr).contains("pancreas=1,2"), "{}", text(&odd.stderr));
}
