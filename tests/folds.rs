//! Cross-validation by one option, and options that follow from the data.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::needs;
use ggpfn::dataset::{Folds, Split};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::network::Model;
use ggpfn::synthesis::phantom;
use ggpfn::training::{Preset, TrainOptions};
use ggpfn::volume::{View, Volume};
use ndarray::s;
use serde_json::Value;

/// A network of seconds, whose whole training is a few steps.
const TINY: &str = "preset = \"small\"\nviews = [\"axial\"]\nt = 1\nwidths = [4, 4, 4, 4]\nglobal_guidance = false\n\
                    mixed_precision = false\nthreads = 1\nloader_threads = 1\nslices_per_sample = 2\nvalidate_every = 1\n\
                    [patch]\naxial = [32, 32]\n[global]\nepochs = 0\n[local]\nepochs = 2\nbatch = 2\n[whole]\nepochs = 0\n";

struct Room(tempfile::TempDir);

impl Room {
    /// Small made-up CTs in a folder with a space in its name.
    fn new(cases: u64) -> Self {
        let room = Room(tempfile::tempdir().unwrap());
        for folder in ["images", "labels"] {
            std::fs::create_dir_all(room.path("a set").join(folder)).unwrap();
        }
        for seed in 1..=cases {
            let (volume, truth) = phantom(seed).unwrap();
            // Not all of one size.
            let part = s![8..34 + seed as usize % 3, 16..80, 20..100];
            let mut geometry = volume.geometry().clone();
            geometry.size = [80, 64, 26 + seed as usize % 3];
            geometry.spacing[2] += 0.5 * (seed % 2) as f64;
            let mut voxels = volume.voxels().slice(part).mapv(f32::round);
            voxels.slice_mut(s![.., ..2, ..]).fill(-1000.0); // before the patient is air, as in every CT
            let volume = Volume::new(voxels, geometry).unwrap();
            // One label map has a part that is another label.
            let mut truth = truth.slice(part).to_owned();
            truth.slice_mut(s![..12, .., ..]).mapv_inplace(|label| 2 * label);
            let name = format!("case{seed}.nii.gz");
            let write = |folder: &str, voxels: Voxels| {
                io::write(&room.path("a set").join(folder).join(&name), voxels, volume.geometry()).unwrap();
            };
            write("images", Voxels::F32(volume.voxels()));
            write("labels", Voxels::U8(truth.view()));
        }
        std::fs::write(room.path("tiny.toml"), TINY).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.0.path()).args(arguments).env("OMP_NUM_THREADS", "1").env_remove("GGPFN_MODEL");
        command
    }

    fn train(&self, out: &str, more: &[&str]) -> Command {
        self.command(&[&["train", "a set", "--config", "tiny.toml", "--device", "cpu", "--out", out], more].concat())
    }

    fn run(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What must fail, by this exit code and with one sentence that says this.
    fn refused(&self, mut command: Command, code: i32, sentence: &str) {
        let output = command.output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(sentence) && !text.contains("panicked"), "\"{sentence}\" is not in \"{text}\"");
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mask(path: &Path) -> ndarray::Array3<bool> {
    io::read(path, &ReadOptions::default()).unwrap().voxels().mapv(|value| value != 0.0)
}

#[test]
fn each_case_is_measured_by_the_model_that_has_not_seen_it() {
    let room = Room::new(5);
    let output = room.run(&mut room.train("my folds", &["--folds", "2", "--seed", "3"]));
    assert!(output.contains("5 cases in 2 folds of 3, 2"), "{output}");
    assert!(output.contains("ggpfn segment CT MASK --model my folds"), "{output}");

    let folds = Folds::read(&room.path("my folds/folds.json")).unwrap();
    assert_eq!(folds.seed, 3);
    let evaluation = room.json("my folds/evaluation.json");
    let cases = evaluation["cases"].as_array().unwrap();
    let names: BTreeSet<&str> = cases.iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 5);
    let mut sum = 0.0;
    for fold in 1..=2 {
        let folder = room.path("my folds").join(format!("fold-{fold}"));
        let split = Split::read(&folder.join("split.json")).unwrap();
        assert_eq!(split.test, folds.folds[fold - 1]);
        // The run's own list of what it trained on.
        let trained: Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let model = Model::load(&folder.join("model.safetensors")).unwrap();
        assert_eq!(model.config().training["data"]["fold"].as_u64(), Some(fold as u64));
        for name in &split.test {
            assert!(!trained.to_string().contains(&format!("\"{name}\"")), "{name} in {trained}");
            let own = folder.join("masks").join(format!("{name}.nii.gz"));
            let (found, truth) = (mask(&own), mask(&room.path("a set/labels").join(format!("{name}.nii.gz"))));
            let both = found.iter().zip(&truth).filter(|(a, b)| **a && **b).count() as f64;
            let all = (found.iter().filter(|v| **v).count() + truth.iter().filter(|v| **v).count()) as f64;
            let said = cases.iter().find(|case| case["case"] == name.as_str()).unwrap();
            let dice = said["measures"]["dice"].as_f64().unwrap();
            assert!((dice - 2.0 * both / all).abs() < 1e-12, "{name}: {dice}");
            assert_eq!(said["prediction"], format!("my folds/fold-{fold}/masks/{name}.nii.gz"));
            sum += dice;
        }
    }
    let mean = evaluation["summary"]["dice"]["mean"].as_f64().unwrap();
    assert!((mean - sum / 5.0).abs() < 1e-12);
    assert!(evaluation["summary"]["dice"]["ci95"].is_array());
    let csv = std::fs::read_to_string(room.path("my folds/cases.csv")).unwrap();
    assert_eq!(csv.lines().count(), 6);
    assert!(std::fs::read_to_string(room.path("my folds/report.html"))
        .unwrap()
        .contains("Cross-validation in 2 folds"));

    // All is done: nothing is trained again, to the byte.
    let model = std::fs::read(room.path("my folds/fold-1/model.safetensors")).unwrap();
    let stamp = std::fs::metadata(room.path("my folds/fold-1/model.safetensors")).unwrap().modified().unwrap();
    let again = room.run(&mut room.command(&["train", "a set", "--device", "cpu", "--out", "my folds", "--resume"]));
    assert!(again.contains("each case by the model that has not seen it"), "{again}");
    assert_eq!(std::fs::read(room.path("my folds/fold-1/model.safetensors")).unwrap(), model);
    assert_eq!(std::fs::metadata(room.path("my folds/fold-1/model.safetensors")).unwrap().modified().unwrap(), stamp);
    assert_eq!(room.json("my folds/evaluation.json"), evaluation);

    // The folder does not take what is not its own.
    let with = |more: &[&str]| room.train("my folds", more);
    room.refused(with(&["--folds", "3"]), 2, "has 2");
    room.refused(with(&["--folds", "2", "--t", "2"]), 2, "folds with other options");
    room.refused(with(&[]), 2, "holds a cross-validation; --resume goes on with it");
    room.refused(with(&["--folds", "2", "--fold", "3"]), 2, "a number from 1 to 2");
}

#[test]
fn folds_of_two_labels_are_label_maps() {
    let room = Room::new(3);
    let labels = ["--folds", "3", "--fold", "2", "--labels", "pancreas=1,2", "tumour=2"];
    let output = room.run(&mut room.train("two", &labels));
    assert!(output.contains("still to be trained, these folds of 3: 1, 3"), "{output}");
    assert!(!room.path("two/cases.csv").exists() && !room.path("two/fold-1/model.safetensors").exists());
    let output = room.run(&mut room.command(&["train", "a set", "--device", "cpu", "--out", "two", "--resume"]));
    assert!(output.contains("tumour"), "{output}");
    let evaluation = room.json("two/evaluation.json");
    assert_eq!(evaluation["systems"], serde_json::json!(["pancreas", "tumour"]));
    // A voxel of the map that is tumour is pancreas too, in result and truth.
    for case in evaluation["cases"].as_array().unwrap().iter().filter(|case| case["system"] == "pancreas") {
        let map = mask(&room.path(case["prediction"].as_str().unwrap()));
        let name = case["case"].as_str().unwrap();
        let label = room.path("a set/labels").join(format!("{name}.nii.gz"));
        let image = io::read(&label, &ReadOptions::default()).unwrap();
        let voxel_ml = image.geometry().spacing.iter().product::<f64>() / 1000.0;
        let ml = |mask: ndarray::Array3<bool>| mask.iter().filter(|v| **v).count() as f64 * voxel_ml;
        assert!((case["measures"]["prediction_ml"].as_f64().unwrap() - ml(map)).abs() < 1e-6);
        assert!((case["measures"]["truth_ml"].as_f64().unwrap() - ml(mask(&label))).abs() < 1e-6);
    }
}

#[test]
fn a_stopped_cross_validation_goes_on_to_the_same_bits() {
    let room = Room::new(4);
    let whole = ["--folds", "2"];
    room.run(&mut room.train("whole", &whole));
    // No time at all: nothing but the division.
    let output = room.run(&mut room.train("stopped", &["--folds", "2", "--max-minutes", "0.00001"]));
    assert!(output.contains("time is up in fold 1 of 2: saved; the same command, or --resume, goes on"), "{output}");
    // Then a signal in the middle, if the machine is slow enough for there to be one.
    let child = room.train("stopped", &whole).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    let since = Instant::now();
    while !room.path("stopped/fold-1/axial").exists() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert!(child.wait().unwrap().success(), "Ctrl-C saves and leaves");
    room.run(&mut room.train("stopped", &whole));
    for fold in 1..=2 {
        let file = format!("fold-{fold}/model.safetensors");
        let weights = |folder: &str| Model::load(&room.path(folder).join(&file)).unwrap().weights().clone();
        assert_eq!(weights("whole"), weights("stopped"), "fold {fold}");
    }
    let measures = |folder: &str| room.json(&format!("{folder}/evaluation.json"))["summary"].clone();
    assert_eq!(measures("whole"), measures("stopped"));
}

#[test]
fn test_cases_stay_out_and_what_cannot_be_is_refused() {
    let room = Room::new(5);
    let split = r#"{"seed": 9, "train": ["case1", "case2"], "validation": ["case4"], "test": ["case3", "case5"]}"#;
    std::fs::write(room.path("split.json"), split).unwrap();
    let no_time = ["--max-minutes", "0.00001"];
    room.run(&mut room.train("out", &[&["--folds", "3", "--split", "split.json"], &no_time[..]].concat()));
    let folds = Folds::read(&room.path("out/folds.json")).unwrap();
    assert_eq!((folds.seed, folds.names().len()), (9, 3));
    assert!(["case1", "case2", "case4"].iter().all(|case| folds.names().iter().any(|name| name == case)));
    let swapped = split.replace("case1", "case9").replace("case3", "case1").replace("case9", "case3");
    std::fs::write(room.path("other.json"), swapped).unwrap();
    room.refused(room.train("out", &["--folds", "3", "--split", "other.json"]), 2, "case1 is one of its test cases");

    room.refused(room.train("new", &["--folds", "6"]), 2, "6 folds of 5 cases; at least a case for each was expected");
    room.refused(room.train("new", &["--folds", "1"]), 2, "a number from 2 was expected");
    room.refused(room.train("new", &["--fold", "1"]), 2, "by --folds");
    room.refused(room.train("new", &["--folds", "two"]), 2, "two");
    assert!(!room.path("new").exists());
    // Not over somebody's files, nor a training without folds.
    std::fs::create_dir_all(room.path("taken")).unwrap();
    std::fs::write(room.path("taken/cases.csv"), "mine").unwrap();
    room.refused(room.train("taken", &["--folds", "2"]), 2, "not this command's");
    room.run(&mut room.train("single", &no_time));
    room.refused(room.train("single", &["--folds", "2"]), 2, "a training without folds");
    // A case without a label is none of the set's; one whose label is empty cannot be trained on blindly either.
    std::fs::remove_file(room.path("a set/labels/case2.nii.gz")).unwrap();
    let output = room.run(&mut room.train("fewer", &[&["--folds", "2"], &no_time[..]].concat()));
    assert!(output.contains("4 cases in 2 folds"), "{output}");
    // A case of the division that is gone is named.
    room.refused(room.train("out", &["--folds", "3"]), 2, "case2");
}

/// The arithmetic of numpy, on the files as they are.
const NUMPY: &str = r#"
import gzip, json, struct, sys
import numpy as np

def read(path):
    data = gzip.open(path).read()
    dims = struct.unpack("<8h", data[40:56])
    code, = struct.unpack("<h", data[70:72])
    spacing = struct.unpack("<8f", data[76:108])[1:4]
    start, = struct.unpack("<f", data[108:112])
    slope, intercept = struct.unpack("<2f", data[112:120])
    kind = {2: "u1", 4: "<i2", 16: "<f4", 64: "<f8", 512: "<u2"}[code]
    count = dims[1] * dims[2] * dims[3]
    array = np.frombuffer(data, kind, count, int(start)).reshape(dims[3], dims[2], dims[1]).astype(np.float64)
    return array * (slope or 1) + intercept, np.array(spacing, np.float64)

inside, extents, spacings, shares, volumes, sizes = [], [], [], [], [], []
for number in range(1, int(sys.argv[2]) + 1):
    image, spacing = read(f"{sys.argv[1]}/images/case{number}.nii.gz")
    label, _ = read(f"{sys.argv[1]}/labels/case{number}.nii.gz")
    found = np.argwhere(label > 0)[:, ::-1]
    inside.append(image[label > 0])
    extents.append((found.max(0) - found.min(0) + 1) * spacing)
    spacings.append(spacing)
    sizes.append(image.shape[::-1])
    shares.append((label > 0).mean())
    volumes.append((label > 0).sum() * spacing.prod() / 1000)
inside = np.concatenate(inside)
keys, places = ["min", "p10", "median", "p90", "p95", "max"], [0, 10, 50, 90, 95, 100]
quantiles = lambda values: dict(zip(keys, np.percentile(values, places).tolist()))
by_axis = lambda rows: [quantiles(np.array(rows)[:, axis]) for axis in range(3)]
low, median, high = np.percentile(inside, [0.5, 50, 99.5])
print(json.dumps({
    "size": by_axis(sizes), "spacing_mm": by_axis(spacings), "extent_mm": by_axis(extents),
    "volume_ml": quantiles(volumes), "foreground_share": quantiles(shares),
    "foreground_hu": {"voxels": len(inside), "mean": inside.mean(), "std": inside.std(), "min": inside.min(),
                      "p0.5": low, "median": median, "p99.5": high, "max": inside.max()},
}))
"#;

fn assert_close(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                assert_close(&found[name], expected, &format!("{place}.{name}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}");
            for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_close(found, expected, &format!("{place}[{number}]"));
            }
        }
        _ => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{place}: {found}, {expected}");
        }
    }
}

#[test]
fn a_fingerprint_is_what_numpy_computes() {
    let Some(python) = needs::python() else { return };
    let room = Room::new(4);
    let printed =
        room.run(&mut room.command(&["dataset", "fingerprint", "a set", "--layout", "pairs", "--json", "f.json"]));
    let found = room.json("f.json");
    std::fs::write(room.path("by_numpy.py"), NUMPY).unwrap();
    let numbers = Command::new(python).arg(room.path("by_numpy.py")).arg(room.path("a set")).arg("4").output().unwrap();
    assert!(numbers.status.success(), "{}", stderr(&numbers));
    let expected: Value = serde_json::from_slice(&numbers.stdout).unwrap();
    assert_close(&found["fingerprint"], &expected, "fingerprint");
    let mean = expected["foreground_hu"]["mean"].as_f64().unwrap();
    assert!(
        printed.contains(&format!("{mean:.1}")) && printed.contains("suggested, for the preset small"),
        "{printed}"
    );
    // The values of a second label are its own.
    let labels = ["--labels", "pancreas=1,2", "tumour=2", "--json", "two.json"];
    room.run(&mut room.command(&[&["dataset", "fingerprint", "a set", "--layout", "pairs"], &labels[..]].concat()));
    let two = room.json("two.json");
    let voxels = |name: &str| two["fingerprint"]["label_hu"][name]["voxels"].as_u64().unwrap();
    assert_eq!(voxels("pancreas"), expected["foreground_hu"]["voxels"].as_u64().unwrap());
    assert!(voxels("tumour") > 0 && voxels("tumour") < voxels("pancreas"));
}

#[test]
fn suggested_options_are_taken_by_a_training() {
    let room = Room::new(3);
    let suggest = |more: &[&str]| {
        let arguments = ["dataset", "fingerprint", "a set", "--layout", "pairs", "--config-out", "options.toml"];
        room.command(&[&arguments[..], more].concat())
    };
    room.run(&mut suggest(&["--json", "f.json", "--labels", "pancreas=1,2", "tumour=2"]));
    let text = std::fs::read_to_string(room.path("options.toml")).unwrap();
    let options = TrainOptions::from_toml(&text, Preset::Nihc).unwrap();
    let suggested = room.json("f.json")["suggestion"].clone();
    assert_eq!(serde_json::json!(options.patch), suggested["patch"]);
    assert_eq!(serde_json::json!(options.spacing), suggested["spacing"]);
    assert_eq!(serde_json::json!(options.window), suggested["window"]);
    assert_eq!(options.labels.len(), 2);
    for entry in ["spacing", "window", "patch", "global_size"] {
        assert!(text.contains(&format!("# {entry}: ")), "no reason for {entry}: {text}");
    }
    // The organ with its margin fits in, and the patch is no larger than the scan.
    let fingerprint = room.json("f.json")["fingerprint"].clone();
    let spacing = options
        .spacing
        .unwrap_or_else(|| std::array::from_fn(|axis| fingerprint["spacing_mm"][2 - axis]["median"].as_f64().unwrap()));
    for view in View::ALL {
        let [_, rows, columns] = view.axes();
        for (pixels, axis) in options.patch[&view].into_iter().zip([rows, columns]) {
            let organ = fingerprint["extent_mm"][2 - axis]["p95"].as_f64().unwrap();
            let scan = fingerprint["size"][2 - axis]["median"].as_f64().unwrap()
                * fingerprint["spacing_mm"][2 - axis]["median"].as_f64().unwrap();
            let mm = pixels as f64 * spacing[axis];
            assert!(mm >= (organ + 50.0).min(scan) - 1e-6, "{view}: {mm} mm of {organ}");
            assert!(pixels == 32 || mm <= (organ + 50.0).min(scan) + 8.0 * spacing[axis], "{view}: {mm} mm of {organ}");
        }
    }
    // It starts a training: cases are prepared, batches are made, the first steps are done.
    let fast = ["--views", "axial", "--t", "1", "--epochs", "0,1,0", "--threads", "1"];
    let run = ["train", "a set", "--config", "options.toml", "--device", "cpu", "--out", "run"];
    let output = room.run(&mut room.command(&[&run[..], &fast].concat()));
    assert!(output.contains("done: run/model.safetensors"), "{output}");
    let config = Model::load(&room.path("run/model.safetensors")).unwrap().config().clone();
    assert_eq!((config.window, config.spacing), (options.window, options.spacing));
    assert_eq!(config.labels.count(), 2);

    // Less memory: recomputed, then coarser, then refused.
    let all = suggested["step_bytes"].as_u64().unwrap() as f64 / 1e9;
    room.run(&mut suggest(&["--json", "f.json", "--memory", &(0.8 * all).to_string()]));
    let less = room.json("f.json")["suggestion"].clone();
    assert!(less["recompute"] == true && less["step_bytes"].as_f64().unwrap() <= 0.8e9 * all, "{less}");
    room.refused(suggest(&["--memory", "0.1"]), 2, "give more");
    room.refused(suggest(&["--memory", "-1"]), 2, "above 0");
    room.refused(suggest(&["--labels", "tumour=7"]), 2, "none of the 3 cases has a labelled voxel");
    // Its own file it replaces, another one it does not.
    std::fs::write(room.path("mine.toml"), "t = 3\n").unwrap();
    let over = ["dataset", "fingerprint", "a set", "--layout", "pairs", "--config-out", "mine.toml"];
    room.refused(room.command(&over), 2, "mine.toml exists already and does not begin with \"# Suggested by ggpfn\"");
}
