//! What is fuzzed, each a function of an input of any bytes that must come back. `cargo fuzz` drives them by coverage, `tests/fuzz.rs` by a
//! fixed sequence of mutations.

pub mod c_calls;
#[path = "../../../src/bin/ggpfn/worker/mod.rs"]
#[allow(dead_code)]
mod worker;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ggpfn::capi::status::GGPFN_ERROR_INTERNAL;
use ggpfn::io::{self, list_series, ReadOptions};
use ggpfn::network::{Model, WeightType};
use serde_json::{json, Value};

/// A target, which may write into a folder.
pub type Target = fn(&Path, &[u8]);

/// All of them, by name.
pub const ALL: [(&str, Target); 7] = [
    ("nifti", nifti),
    ("nrrd", nrrd),
    ("metaimage", metaimage),
    ("dicom", dicom),
    ("model_file", model_file),
    ("worker", worker),
    ("c_calls", |_, input| c_calls::run(input)),
];

/// NIfTI files and pairs, gzip or not.
pub fn nifti(folder: &Path, input: &[u8]) {
    let Some((name, header, data)) = halves(input, &["a.nii", "a.hdr", "a.img"]) else { return };
    if name == "a.nii" {
        return read(&put(folder, name, &input[3..]));
    }
    put(folder, "a.hdr", header);
    put(folder, "a.img", data);
    read(&folder.join(name));
}

/// NRRD files, and headers with a data file.
pub fn nrrd(folder: &Path, input: &[u8]) {
    with_data_file(folder, input, &["a.nrrd", "a.nhdr"]);
}

/// MetaImage files, and headers with a data file.
pub fn metaimage(folder: &Path, input: &[u8]) {
    with_data_file(folder, input, &["a.mha", "a.mhd"]);
}

fn with_data_file(folder: &Path, input: &[u8], names: &[&'static str; 2]) {
    let Some((name, header, data)) = halves(input, names) else { return };
    if name == names[0] {
        return read(&put(folder, name, &input[3..]));
    }
    put(folder, "a.raw", data);
    read(&put(folder, name, header));
}

/// DICOM files, and folders of two.
pub fn dicom(folder: &Path, input: &[u8]) {
    let Some((kind, first, second)) = halves(input, &["file", "folder", "list"]) else { return };
    if kind == "file" {
        return read(&put(folder, "a.dcm", &input[3..]));
    }
    let series = folder.join("series");
    put(&series, "1.dcm", first);
    put(&series, "2.dcm", second);
    if kind == "list" {
        let _ = list_series(&series);
        return;
    }
    read(&series);
}

/// Model files. What is read is written again as it was.
pub fn model_file(_: &Path, input: &[u8]) {
    match Model::from_bytes(input, Path::new("a model")) {
        Ok(model) => {
            let bytes = model.to_bytes(WeightType::F32).unwrap();
            assert_eq!(Model::from_bytes(&bytes, Path::new("again")).unwrap().weights(), model.weights());
        }
        Err(error) => one_line(&error),
    }
}

/// Requests to `ggpfn worker`, a line each, on a file that both sides map. What would work long or write somewhere is given a fault that is
/// found after its fields and arrays were understood.
pub fn worker(folder: &Path, input: &[u8]) {
    const MAPPED: usize = 4096;
    let Some((_, lines, shared)) = halves(input, &["all"]) else { return };
    let mut shared = shared.to_vec();
    shared.resize(MAPPED, 0);
    let file = put(folder, "shared", &shared);
    let mut requests = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(mut request)) => {
                let fault = match request.get("do").and_then(Value::as_str) {
                    Some("segment" | "estimate_memory" | "save_model") => Some(("model", json!(u64::MAX))),
                    Some("train") => Some(("minutes", json!(-1.0))),
                    Some("new_model") => Some(("configuration", json!("{\"t\": 0}"))),
                    // Not the model that ships, which takes long to read.
                    Some("load_model") => Some(("file", json!(file))),
                    Some("runtime") => Some(("gpus", json!(false))),
                    _ => None,
                };
                request.extend(fault.map(|(field, value)| (field.to_string(), value)));
                request.remove("remove");
                if request.contains_key("file") {
                    request.insert("file".into(), json!(file));
                }
                requests.extend(serde_json::to_vec(&request).unwrap());
            }
            _ => requests.extend_from_slice(line),
        }
        requests.push(b'\n');
    }
    let answers = Answers::default();
    worker::serve(&mut &requests[..], answers.clone()).unwrap();
    for line in answers.0.lock().unwrap().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let answer: Value = serde_json::from_slice(line).unwrap();
        assert_ne!(answer["error"]["status"], json!(GGPFN_ERROR_INTERNAL), "{answer}");
    }
}

#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<u8>>>);

impl Write for Answers {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a file as the library does. A volume is within the limit, finite, and on a usable grid.
fn read(path: &Path) {
    const LIMIT: u64 = 1 << 20;
    match io::read(path, &ReadOptions { max_bytes: LIMIT, ..ReadOptions::default() }) {
        Ok(volume) => {
            assert!(volume.voxels().len() as u64 * 4 <= LIMIT);
            assert!(volume.voxels().iter().all(|value| value.is_finite()));
            volume.geometry().check().unwrap();
        }
        Err(error) => one_line(&error),
    }
}

fn one_line(error: &ggpfn::Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
}

/// Puts bytes into a file of a folder. Files stay open for the next input: to make one anew takes longer than many a reader does.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    thread_local! {
        static OPEN: RefCell<HashMap<PathBuf, File>> = RefCell::default();
    }
    let path = folder.join(name);
    OPEN.with_borrow_mut(|open| {
        let file = open.entry(path.clone()).or_insert_with(|| {
            std::fs::create_dir_all(folder).unwrap();
            File::create(&path).unwrap()
        });
        file.set_len(bytes.len() as u64).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(bytes).unwrap();
    });
    path
}

/// Cuts an input in two, a header and its data file, at a length that it begins with. The byte before that chooses among `names`.
fn halves<'a>(input: &'a [u8], names: &[&'static str]) -> Option<(&'static str, &'a [u8], &'a [u8])> {
    let ([choice, low, high], rest) = input.split_first_chunk::<3>()?;
    let at = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    Some((names[usize::from(*choice) % names.len()], &rest[..at], &rest[at..]))
}

/// An input that is cut into these.
pub fn joined(choice: u8, header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    [&[choice], &length.to_le_bytes()[..], header, data].concat()
}
