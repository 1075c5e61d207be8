//! `ggpfn worker`, driven as a program drives it: what it answers, how it is stopped, and that nothing that is sent to it ends it.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use common::{phantom, small_config};
use ggpfn::evaluation::compare;
use ggpfn::inference::{fuse, threshold_probability};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::network::{Model, WeightType};
use ggpfn::volume::{Geometry, View};
use ndarray::{Array3, ArrayView3};
use serde_json::{json, Value};

/// Longer than any answer here takes, however much else the machine does.
const LONG: Duration = Duration::from_secs(120);

/// A worker and a folder.
struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    folder: tempfile::TempDir,
}

impl Worker {
    fn new() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ggpfn"))
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let folder = tempfile::Builder::new().prefix("größe (1) '").tempdir().unwrap();
        let worker = Worker { stdin: child.stdin.take(), child, lines, folder };
        let hello = worker.line();
        assert_eq!(hello, json!({ "hello": { "version": env!("CARGO_PKG_VERSION"), "protocol": 1 } }));
        worker
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn line(&self) -> Value {
        self.lines.recv_timeout(LONG).expect("an answer")
    }

    fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Sends a request; its answer, and the reports before it.
    fn ask(&mut self, request: Value) -> (Value, Vec<Value>) {
        self.send(&request.to_string());
        let mut reports = Vec::new();
        loop {
            let line = self.line();
            assert_eq!(line["id"], request["id"], "{line}");
            match line.get("progress") {
                Some(progress) => reports.push(progress.clone()),
                None => return (line, reports),
            }
        }
    }

    fn result(&mut self, request: Value) -> Value {
        let (answer, _) = self.ask(request);
        answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
    }

    fn status(&mut self, request: Value) -> i64 {
        let (answer, _) = self.ask(request);
        let error = &answer["error"];
        assert!(
            error["message"].as_str().is_some_and(|text| text.len() > 10 && !text.contains("own, please")),
            "{answer}"
        );
        error["status"].as_i64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// A file with an image in it, as int16, and room for results behind it.
    fn lay_down(&self, name: &str, voxels: ArrayView3<f32>, room: usize) -> PathBuf {
        let path = self.path(name);
        let mut bytes: Vec<u8> = voxels.iter().flat_map(|hu| (*hu as i16).to_ne_bytes()).collect();
        bytes.resize(bytes.len() + room, 0xee);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Ends stdin; the exit status, after everything that was said was looked through for complaints.
    fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        let start = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert!(complaints.is_empty(), "{complaints}");
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_image_is_read_for_the_other_side() {
    let mut worker = Worker::new();
    let volume = phantom::volume();
    let (path, file) = (worker.path("scan.nii.gz"), worker.path("voxels"));
    io::write(&path, Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
    // Longer than the voxels are.
    std::fs::write(&file, vec![0xee; 1 << 16]).unwrap();
    let request = json!({ "id": 1, "do": "read_image", "path": path, "file": file });
    let grid = worker.result(request.clone())["grid"].clone();
    let read = io::read(&path, &ReadOptions::default()).unwrap();
    let Geometry { size, spacing, origin, direction } = read.geometry();
    let expected =
        json!({ "size": size, "spacing": spacing, "origin": origin, "direction": direction, "frame": "LPS" });
    assert_eq!(grid, expected);
    let bytes: Vec<u8> = volume.voxels().iter().flat_map(|hu| hu.to_ne_bytes()).collect();
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    // The other side makes the file, so that one of its own is never taken for it; what is no image is refused by name.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(worker.status(request), 4);
    std::fs::write(&file, b"no image at all").unwrap();
    assert_eq!(worker.status(json!({ "id": 2, "do": "read_image", "path": file, "file": file })), 2);
    assert_eq!(std::fs::read(&file).unwrap(), b"no image at all");
    assert!(worker.end().success());
}

fn image(geometry: &Geometry, offset: usize, dtype: &str) -> Value {
    let Geometry { size, spacing, origin, direction } = geometry;
    let grid = json!({ "size": size, "spacing": spacing, "origin": origin, "direction": direction, "frame": "LPS" });
    json!({ "grid": grid, "voxels": { "offset": offset, "dtype": dtype } })
}

/// The array `[k, j, i]` of a file from a byte on.
fn array<T: Clone, const N: usize>(
    path: &Path,
    offset: usize,
    size: [usize; 3],
    number: fn([u8; N]) -> T,
) -> Array3<T> {
    let bytes = std::fs::read(path).unwrap();
    let [i, j, k] = size;
    let numbers = bytes[offset..offset + N * i * j * k].chunks_exact(N).map(|raw| number(raw.try_into().unwrap()));
    Array3::from_shape_vec((k, j, i), numbers.collect()).unwrap()
}

#[test]
fn its_results_are_those_of_the_program() {
    let mut worker = Worker::new();
    let volume = phantom::volume();
    let geometry = volume.geometry();
    let (size, n) = (geometry.size, geometry.voxels());
    let path = worker.path("m.safetensors");
    phantom::model().save(&path, WeightType::F32).unwrap();
    io::write(&worker.path("ct.nrrd"), Voxels::F32(volume.voxels()), geometry).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ggpfn"))
        .current_dir(worker.folder.path())
        .args(["segment", "ct.nrrd", "own.nrrd", "-m", "m.safetensors", "--view-weights", "2,1,1", "--threads", "2"])
        .args([
            "--probability",
            "p.nrrd",
            "--view-probabilities",
            "v.nrrd",
            "--uncertainty",
            "u.nrrd",
            "--report",
            "r.json",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let model = worker.result(json!({ "id": 1, "do": "load_model", "path": path }));
    assert_eq!(model["info"]["sha256"], Model::load(&path).unwrap().sha256());
    assert_eq!(model["info"]["views"], json!(["axial", "sagittal", "coronal"]));
    assert_eq!(model["configuration"]["t"], 2);

    let file = worker.lay_down("shared", volume.voxels(), 5 * 4 * n + n);
    let place = |number: usize| json!({ "offset": 2 * n + 4 * n * number });
    let (answer, reports) = worker.ask(json!({
        "id": 2, "do": "segment", "file": file, "model": model["model"], "image": image(geometry, 0, "int16"),
        "options": { "view_weights": { "axial": 2, "sagittal": 1, "coronal": 1 }, "threads": 2 },
        "results": { "probability": place(0), "uncertainty": place(1), "mask": place(5),
                     "views": { "axial": place(2), "sagittal": place(3), "coronal": place(4) } },
    }));
    let folder = worker.folder.path().to_path_buf();
    let read = |name: &str| io::read(&folder.join(name), &ReadOptions::default()).unwrap().into_voxels();
    let mask = array(&file, 22 * n, size, u8::from_ne_bytes);
    assert_eq!(mask.mapv(f32::from), read("own.nrrd"));
    for (number, name) in
        ["p.nrrd", "u.nrrd", "v_axial.nrrd", "v_sagittal.nrrd", "v_coronal.nrrd"].into_iter().enumerate()
    {
        assert_eq!(array(&file, 2 * n + 4 * n * number, size, f32::from_ne_bytes), read(name), "{name}");
    }
    let report: Value = serde_json::from_slice(&std::fs::read(worker.path("r.json")).unwrap()).unwrap();
    let found = &answer["result"]["measurements"];
    for (name, its) in [
        ("voxels", "voxels"),
        ("volume_ml", "volume_ml"),
        ("mean_hu", "mean_hu"),
        ("std_hu", "std_hu"),
        ("components", "components"),
        ("box_mm", "bounding_box_mm"),
        ("centroid", "centroid_lps"),
    ] {
        assert_eq!(found[name], report["pancreas"][its], "{name}");
    }
    assert!((1..n as u64).contains(&found["voxels"].as_u64().unwrap()), "{found}");
    assert_eq!(found["weights"]["axial"], 0.5);
    let quality = &answer["result"]["quality"];
    for name in ["expected_dice", "doubtful", "warnings"] {
        assert_eq!(quality[name], report["quality"][name], "{name}");
    }
    assert!(!quality["warnings"].as_array().unwrap().is_empty(), "{quality}");
    let fractions: Vec<f64> = reports.iter().map(|report| report["fraction"].as_f64().unwrap()).collect();
    assert!(fractions.len() > 3 && fractions.is_sorted() && fractions.iter().all(|f| (0.0..=1.0).contains(f)));
    assert_eq!((reports[0]["view"].as_str(), reports[0]["phase"].as_str()), (Some("axial"), Some("axial view")));

    // The kept probability and the views, as the library does it.
    let probability = read("p.nrrd");
    let found = worker.result(json!({
        "id": 3, "do": "threshold", "file": file, "image": image(geometry, 0, "int16"), "probability": place(0),
        "mask": place(5), "threshold": 0.3, "largest_component": true,
    }));
    let (expected, what) = threshold_probability(probability.view(), &volume, 0.3, true).unwrap();
    assert_eq!(array(&file, 22 * n, size, u8::from_ne_bytes), expected);
    assert_eq!(found["measurements"]["voxels"], what.voxels);
    worker.result(json!({
        "id": 4, "do": "fuse", "file": file, "size": [n, 1, 1], "views": { "axial": place(2), "coronal": place(4) },
        "weights": { "axial": 3, "coronal": 1 }, "probability": place(0), "mask": place(5),
    }));
    let expected = fuse(&[read("v_axial.nrrd").view(), read("v_coronal.nrrd").view()], &[3.0, 1.0]).unwrap();
    assert_eq!(array(&file, 2 * n, size, f32::from_ne_bytes), expected);
    let found = worker.result(json!({
        "id": 5, "do": "evaluate", "file": file, "prediction": image(geometry, 22 * n, "uint8"),
        "truth": image(geometry, 2 * n, "float32"),
    }));
    let (fused, all) = (array(&file, 22 * n, size, u8::from_ne_bytes), expected.mapv(|p| u8::from(p != 0.0)));
    assert_eq!(found["dice"], compare(fused.view(), all.view(), [2.5, 0.9, 0.8]).unwrap().dice.unwrap());
    let found = worker.result(json!({
        "id": 6, "do": "estimate_memory", "grid": image(geometry, 0, "int16")["grid"], "model": model["model"],
    }));
    assert!(found["host_bytes"].as_u64().unwrap() > 1_000_000);
    // Of several models there is a sum beside the largest, 4 bytes a voxel; Python's tests have their results.
    let of_models = |models: Value| json!({ "id": 7, "do": "estimate_memory", "grid": image(geometry, 0, "int16")["grid"], "models": models });
    let both = worker.result(of_models(json!([model["model"], model["model"]])));
    assert_eq!(both["host_bytes"].as_u64().unwrap(), found["host_bytes"].as_u64().unwrap() + 4 * n as u64);
    assert_eq!(worker.status(of_models(json!([]))), 1);
    assert_eq!(worker.status(of_models(json!([4711]))), 1);
    assert!(worker.end().success());
}

#[test]
fn models_are_made_kept_saved_and_freed() {
    let mut worker = Worker::new();
    let shipped = worker.result(json!({ "id": 1, "do": "load_model" }));
    assert_eq!(shipped["info"]["sha256"], Model::shipped().unwrap().sha256());
    let made = worker.result(
        json!({ "id": 2, "do": "new_model", "configuration": "{\"t\": 2, \"widths\": [2, 2, 2, 2]}", "seed": 5 }),
    );
    let path = worker.path("saved.safetensors");
    worker.result(json!({ "id": 3, "do": "save_model", "model": made["model"], "path": path, "weights": "float32" }));
    assert_eq!(Model::load(&path).unwrap().sha256(), made["info"]["sha256"]);
    let length = std::fs::metadata(&path).unwrap().len();
    let again = worker.result(json!({ "id": 4, "do": "load_model", "file": path, "length": length, "remove": true }));
    assert_eq!(again["info"]["sha256"], made["info"]["sha256"]);
    assert!(!path.exists() || cfg!(windows));
    worker.result(json!({ "id": 5, "do": "free_model", "model": made["model"] }));
    assert_eq!(worker.status(json!({ "id": 6, "do": "free_model", "model": made["model"] })), 1);
    assert_eq!(worker.result(json!({ "id": 7, "do": "runtime" }))["wrong_libtorch"], false);
    assert!(worker.end().success());
}

/// A request that takes minutes, and its file.
fn endless(worker: &mut Worker, id: u64) -> (Value, PathBuf) {
    let wide = small_config().with_ggpfn(|n| n.widths = [16, 32, 64, 128]);
    let path = worker.path("wide.safetensors");
    Model::new_untrained(wide, 7).unwrap().save(&path, WeightType::F32).unwrap();
    let model = worker.result(json!({ "id": 1_000_000, "do": "load_model", "path": path }));
    std::fs::remove_file(path).unwrap();
    let voxels = Array3::from_shape_fn((200, 256, 256), |(k, j, i)| ((i + 3 * j + 5 * k) % 100) as f32);
    let geometry = Geometry::axis_aligned([256, 256, 200], [0.8, 0.8, 1.0]);
    let file = worker.lay_down("large", voxels.view(), geometry.voxels());
    let request = json!({
        "id": id, "do": "segment", "file": file, "remove": true, "model": model["model"],
        "image": image(&geometry, 0, "int16"), "results": { "mask": { "offset": 2 * geometry.voxels() } },
    });
    (request, file)
}

/// Waits until the network is at work.
fn begun(worker: &Worker) {
    while worker.line()["progress"]["fraction"].as_f64().is_none_or(|fraction| fraction == 0.0) {}
}

#[test]
fn cancel_acts_within_a_second_while_other_work_goes_on() {
    let mut worker = Worker::new();
    let (request, file) = endless(&mut worker, 1);
    worker.send(&request.to_string());
    begun(&worker);
    assert!(!file.exists() || cfg!(windows), "a file that was to be removed has lost its name");
    // Another request is answered meanwhile, and one with the same number is refused.
    worker.send(&json!({ "id": 2, "do": "runtime" }).to_string());
    worker.send(&json!({ "id": 1, "do": "runtime" }).to_string());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let line = worker.line();
        match line.get("progress") {
            Some(_) => {}
            None => seen.push(line),
        }
    }
    seen.sort_by_key(|line| line["id"].as_u64());
    assert_eq!(
        (seen[0]["error"]["status"].as_i64(), seen[1]["result"]["wrong_libtorch"].as_bool()),
        (Some(1), Some(false))
    );
    let start = Instant::now();
    worker.send(&json!({ "do": "cancel", "id": 99 }).to_string());
    worker.send(&json!({ "do": "cancel", "id": 1 }).to_string());
    let answer = loop {
        let line = worker.line();
        if line.get("progress").is_none() {
            break line;
        }
    };
    assert_eq!((answer["id"].as_u64(), answer["error"]["status"].as_i64()), (Some(1), Some(9)));
    // One second on an idle machine; twice that where other tests run beside.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    worker.result(json!({ "id": 1, "do": "runtime" }));
    assert!(worker.end().success());
}

#[test]
fn the_end_of_stdin_ends_it_in_the_middle_of_work() {
    let mut worker = Worker::new();
    let (request, file) = endless(&mut worker, 1);
    worker.send(&request.to_string());
    begun(&worker);
    assert!(worker.end().success());
    assert!(!file.exists() || cfg!(windows));
}

#[cfg(unix)]
#[test]
fn a_kill_leaves_nothing() {
    let mut worker = Worker::new();
    let (request, _) = endless(&mut worker, 1);
    worker.send(&request.to_string());
    begun(&worker);
    worker.child.kill().unwrap();
    worker.child.wait().unwrap();
    assert_eq!(std::fs::read_dir(worker.folder.path()).unwrap().count(), 0);
}

#[test]
fn broken_requests_get_a_sentence_and_the_worker_goes_on() {
    let mut worker = Worker::new();
    for line in [
        "nonsense",
        "{\"id\": 1, \"do\":",
        "[1, 2]",
        "{}",
        "{\"id\": -1, \"do\": \"runtime\"}",
        "\u{1f600}",
        "{\"id\": \"a\"}",
    ] {
        worker.send(line);
        let answer = worker.line();
        assert_eq!((&answer["id"], answer["error"]["status"].as_i64()), (&Value::Null, Some(1)), "{line}: {answer}");
    }
    worker.stdin.as_mut().unwrap().write_all(b"\xff\xfe\x00\n\n  \n").unwrap();
    assert_eq!(worker.line()["error"]["status"], 1);

    let volume = phantom::volume();
    let n = volume.geometry().voxels();
    let file = worker.lay_down("shared", volume.voxels(), 5 * n);
    std::fs::write(worker.path("empty"), "").unwrap();
    let image = image(volume.geometry(), 0, "int16");
    let good = json!({
        "do": "segment", "file": file, "image": image, "options": { "views": ["axial"], "device": "cpu" },
        "results": { "mask": { "offset": 2 * n }, "probability": { "offset": 3 * n - n % 4 } },
    });
    let changes: [(&str, Value, i64); 30] = [
        ("/do", json!("dance"), 1),
        ("/nothing", json!(1), 1),
        ("/file", json!("no/such/file"), 4),
        ("/file", json!(worker.folder.path()), 4),
        ("/file", json!(worker.path("empty")), 1),
        ("/model", json!(99), 1),
        ("/model", json!("shipped"), 1),
        ("/image/grid/size", json!([0, 1, 1]), 1),
        ("/image/grid/size", json!([30, 26, 1400]), 1),
        ("/image/grid/size", json!([30, 26]), 1),
        ("/image/grid/size", json!([u64::MAX, 2, 2]), 1),
        ("/image/grid/size", json!([65536, 65536, 65536]), 6),
        ("/image/grid/spacing", json!([0, 1, 1]), 2),
        ("/image/grid/spacing", json!([null, 1, 1]), 1),
        ("/image/grid/direction", json!([[1, 0, 0], [1, 0, 0], [0, 0, 1]]), 2),
        ("/image/grid/frame", json!("XYZ"), 1),
        ("/image/voxels/offset", json!(10 * n), 1),
        ("/image/voxels/offset", json!(u64::MAX), 1),
        ("/image/voxels/dtype", json!("int64"), 1),
        ("/image/voxels/dtype", json!("complex64"), 1),
        ("/image/voxels/strides", json!([2, 60, -1560]), 1),
        ("/image/voxels/strides", json!([i64::MAX, i64::MAX, i64::MIN]), 1),
        ("/results/mask/offset", json!(6 * n + 1), 1),
        ("/results/mask/dtype", json!("float32"), 1),
        ("/results/views", json!({ "coronal": { "offset": 0 } }), 1),
        ("/options/views", json!(["oblique"]), 1),
        ("/options/view_weights", json!({ "axial": -1 }), 1),
        ("/options/threshold", json!(2), 1),
        ("/options/region", json!([[0, 0, 0], [31, 1, 1]]), 1),
        ("/options/device", json!("tpu"), 1),
    ];
    for (number, (pointer, value, status)) in changes.into_iter().enumerate() {
        let mut request = good.clone();
        request["id"] = json!(number);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[name] = value.clone();
        assert_eq!(worker.status(request), status, "{pointer}: {value}");
    }
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes[2 * n..].iter().all(|byte| *byte == 0xee), "a request that failed has written something");
    let mut request = good;
    request["id"] = json!(1000);
    worker.result(request);
    assert!(worker.end().success());
}

#[test]
fn a_training_reports_stops_and_gives_what_it_has() {
    let mut worker = Worker::new();
    let volume = phantom::volume();
    let geometry = volume.geometry();
    let n = geometry.voxels();
    let file = worker.lay_down("cases", volume.voxels(), n);
    let mut bytes = std::fs::read(&file).unwrap();
    volume.voxels().iter().zip(&mut bytes[2 * n..]).for_each(|(hu, mask)| *mask = u8::from(*hu > 100.0));
    std::fs::write(&file, bytes).unwrap();
    let model = worker.result(json!({ "id": 1, "do": "new_model", "configuration": TINY }));
    let request = json!({
        "id": 2, "do": "train", "file": file, "remove": true, "model": model["model"], "device": "cpu",
        "options": "[whole]\nepochs = 500\nbatch = 1\n",
        "cases": [{ "name": "one", "image": image(geometry, 0, "int16"), "mask": image(geometry, 2 * n, "uint8"), "role": "train" }],
    });
    worker.send(&request.to_string());
    let first = worker.line();
    assert_eq!(first["progress"]["stage"], "whole", "{first}");
    assert!(first["progress"]["loss"].as_f64().is_some_and(f64::is_finite));
    worker.send(&json!({ "id": 2, "do": "cancel" }).to_string());
    let result = loop {
        let line = worker.line();
        if line.get("progress").is_none() {
            break line["result"].clone();
        }
    };
    assert_eq!((result["end"].as_str(), result["cases"].as_u64()), (Some("cancelled"), Some(1)), "{result}");
    let path = worker.path("trained.safetensors");
    worker.result(json!({ "id": 3, "do": "save_model", "model": result["model"], "path": path }));
    assert_eq!(Model::load(&path).unwrap().config().views, View::ALL);
    assert!(worker.end().success());
}

const TINY: &str = "{\"t\": 2, \"widths\": [4, 4, 4, 4], \"global_widths\": [4, 4, 4, 4, 4],
    \"global_size\": {\"axial\": [32, 32], \"sagittal\": [32, 32], \"coronal\": [32, 32]}}";
