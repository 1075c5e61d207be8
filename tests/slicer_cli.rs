//! The program as command-line modules of 3D Slicer: described as Slicer reads it, run as Slicer runs it, killed as Slicer cancels it.
//!
//! The descriptions are parsed by `ctk-cli` from PyPI where the Python that `GGPFN_TEST_PYTHON` names has it; that they are well-formed is
//! checked here in any case.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{needs, phantom, small_config, textured_volume};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::network::{Model, WeightType};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ggpfn");

struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    /// A scan and a model, as Slicer would lay the scan down: NRRD.
    fn new() -> Self {
        let room = Room { folder: tempfile::Builder::new().prefix("Slicer größe (1) '").tempdir().unwrap() };
        let volume = phantom::volume();
        io::write(&room.path("ct.nrrd"), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
        phantom::model().save(&room.path("m.safetensors"), WeightType::F32).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).args(arguments).env_remove("GGPFN_MODEL");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(Path::new(PROGRAM), arguments).output().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The lines `name = value`, split as Slicer splits them.
    fn returned(&self, name: &str) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        let pairs = text.lines().map(|line| line.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.trim().to_string(), value.trim().to_string())).collect()
    }
}

/// The program under the name of its second module.
#[cfg(unix)]
fn second_module(room: &Room) -> PathBuf {
    let path = room.path("ggpfn-evaluate");
    std::os::unix::fs::symlink(PROGRAM, &path).unwrap();
    path
}

fn quiet(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{:?}: {complaint}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The names of an XML document's elements in the order of their beginnings; panics where it is not well-formed.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest =
        xml.strip_prefix("<?xml version=\"1.0\" encoding=\"utf-8\"?>").expect("a declaration in the first place");
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains(['>', '&']) && (text.trim().is_empty() || !open.is_empty()), "{text:?}");
        rest = &rest[start..];
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            rest = &data[data.find("]]>").expect("the end of a CDATA") + 3..];
            continue;
        }
        let end = rest.find('>').expect("the end of a tag");
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let name = tag.split(' ').next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{tag}");
        for attribute in tag[name.len()..].split("\" ").map(str::trim).filter(|a| !a.is_empty()) {
            let (_, value) = attribute.split_once("=\"").expect("a value in quotation marks");
            assert!(!value.trim_end_matches('"').contains(['"', '<', '&']), "{attribute}");
        }
        assert!(!open.is_empty() || all.is_empty(), "a second root");
        all.push(name.to_string());
        open.push(name.to_string());
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    all
}

#[test]
fn the_descriptions_are_whole_and_one_executable_has_two() {
    let room = Room::new();
    let segment = quiet(&room.run(&["--xml"]));
    let evaluate = quiet(&room.run(&["evaluate", "--xml"]));
    assert_eq!(segment, quiet(&room.run(&["segment", "--xml"])));
    assert_ne!(segment, evaluate);
    #[cfg(unix)]
    assert_eq!(evaluate, quiet(&room.command(&second_module(&room), &["--xml"]).output().unwrap()));
    for xml in [&segment, &evaluate] {
        let names = elements(xml);
        assert_eq!(names[0], "executable");
        let wanted = ["category", "title", "description", "version", "documentation-url", "license", "contributor"];
        assert!(wanted.iter().all(|wanted| names.iter().filter(|name| name == wanted).count() >= 1), "{names:?}");
        assert_eq!(names.iter().filter(|name| *name == "image").count(), if xml == &segment { 4 } else { 2 });
        assert!(xml.contains(&format!("<version>{}</version>", env!("CARGO_PKG_VERSION"))));
    }
}

#[cfg(unix)]
#[test]
fn ctk_cli_understands_the_descriptions() {
    let Some(python) = needs::python() else { return };
    if !Command::new(&python).args(["-c", "import ctk_cli"]).output().is_ok_and(|o| o.status.success()) {
        return needs::skip("this Python has no ctk-cli");
    }
    const SCRIPT: &str = "
import json, logging, sys
from ctk_cli import CLIModule
said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
logging.getLogger('ctk_cli').addHandler(handler)
found = []
for path in sys.argv[1:]:
    module = CLIModule(path)
    arguments, options, outputs = module.classifyParameters()
    kept = lambda p: [p.name, p.typ, p.channel, p.defaultExtension() if p.typ == 'image' else p.default]
    found.append({'title': module.title, 'arguments': [kept(p) for p in arguments],
                  'options': {p.longflag: kept(p) for p in options}, 'outputs': [p.name for p in outputs]})
# What has no flag is a return parameter, and 'reference' is Slicer's.
said = [line for line in said if 'cannot be passed' not in line and \"'reference' attribute\" not in line]
print(json.dumps([found, said]))";
    let room = Room::new();
    let output = Command::new(python).args(["-c", SCRIPT, PROGRAM]).arg(second_module(&room)).output().unwrap();
    let found: Value = serde_json::from_str(&quiet(&output)).unwrap();
    assert_eq!(found[1], serde_json::json!([]), "complaints");
    let [segment, evaluate] = [&found[0][0], &found[0][1]];
    assert_eq!(segment["arguments"][0], serde_json::json!(["inputVolume", "image", "input", ".nrrd"]));
    assert_eq!(segment["arguments"][1], serde_json::json!(["outputMask", "image", "output", ".nrrd"]));
    assert_eq!(segment["options"]["--threshold"][3], 0.0);
    assert_eq!(segment["options"]["--largest-component"][3], false);
    assert_eq!(segment["options"]["--device"][1], "string-enumeration");
    assert_eq!(segment["outputs"][0], "volume_ml");
    assert_eq!(evaluate["arguments"].as_array().unwrap().len(), 2);
    assert_eq!(evaluate["outputs"].as_array().unwrap().len(), 10);
}

/// What Slicer passes for a panel that nobody has touched: simple parameters always, empty files and unchecked boxes never.
const UNTOUCHED: [&str; 12] = [
    "--returnparameterfile",
    "back.params",
    "--views",
    "all",
    "--threshold",
    "0",
    "--device",
    "auto",
    "--precision",
    "f32",
    "--threads",
    "0",
];

#[test]
fn a_run_as_slicer_drives_it_equals_the_programs_own() {
    let room = Room::new();
    let images = ["--probability", "p.nrrd", "--uncertainty", "u.nrrd", "--largest-component", "ct.nrrd", "mask.nrrd"];
    let output = room.run(&[&UNTOUCHED[..], &["--model", "m.safetensors"], &images[..]].concat());
    let said = quiet(&output);

    let own = ["segment", "ct.nrrd", "own.nrrd", "-m", "m.safetensors", "--precision", "f32", "--largest-component"];
    let own =
        room.run(&[&own[..], &["--report", "own.json", "--probability", "q.nrrd", "--uncertainty", "v.nrrd"]].concat());
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    let read = |name: &str| io::read(&room.path(name), &ReadOptions::default()).unwrap();
    for (one, other) in [("mask.nrrd", "own.nrrd"), ("p.nrrd", "q.nrrd"), ("u.nrrd", "v.nrrd")] {
        assert_eq!(read(one).voxels(), read(other).voxels(), "{one}");
        assert!(read(one).geometry().distance(read("ct.nrrd").geometry()) < 1e-6);
    }
    let report: Value = serde_json::from_slice(&std::fs::read(room.path("own.json")).unwrap()).unwrap();
    let back = room.returned("back.params");
    let pancreas = &report["pancreas"];
    assert!(pancreas["voxels"].as_u64().unwrap() > 0, "{pancreas}");
    for name in ["volume_ml", "voxels", "components", "mean_hu", "std_hu"] {
        assert_eq!(back[name].parse::<f64>().unwrap(), pancreas[name].as_f64().unwrap(), "{name}");
    }
    for name in ["bounding_box_mm", "centroid_lps"] {
        let numbers: Vec<f64> = back[name].split(',').map(|n| n.parse().unwrap()).collect();
        assert_eq!(serde_json::json!(numbers), pancreas[name], "{name}");
    }
    assert_eq!(back["computed_on"], "cpu f32");

    let values = |tag: &str| -> Vec<f64> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let lines = said.lines().filter_map(|line| line.strip_prefix(&open)?.strip_suffix(&close)?.parse().ok());
        lines.collect()
    };
    let progress = values("filter-progress");
    assert!(progress.len() > 4 && progress[0] == 0.0 && progress[progress.len() - 1] == 1.0, "{progress:?}");
    assert!(progress.windows(2).all(|pair| pair[0] < pair[1]), "{progress:?}");
    assert!(values("filter-stage-progress").iter().all(|part| (0.0..=1.0).contains(part)));
    let tags = [
        "<filter-start>",
        "<filter-name>",
        "<filter-comment>axial view<",
        "<filter-comment>coronal view<",
        "<filter-end>",
    ];
    let places: Vec<_> = tags.iter().map(|tag| said.find(tag).unwrap_or_else(|| panic!("{tag} in {said}"))).collect();
    assert!(places.is_sorted(), "{said}");
}

#[test]
fn what_has_no_value_comes_back_empty() {
    let room = Room::new();
    let output =
        room.run(&["--returnparameterfile", "b", "--threshold", "1", "--model", "m.safetensors", "ct.nrrd", "o.nrrd"]);
    assert!(quiet(&output).contains("the mask is empty"));
    let back = room.returned("b");
    assert_eq!((back["volume_ml"].as_str(), back["mean_hu"].as_str(), back["centroid_lps"].as_str()), ("0", "", ""));
    assert_eq!((back["doubtful"].as_str(), back["expected_dice"].as_str()), ("true", "0.000"));
    assert!(back["warnings"].contains("the mask is empty"));
}

#[cfg(unix)]
#[test]
fn masks_are_compared_by_the_second_module() {
    let room = Room::new();
    let mut mask = phantom::volume().voxels().mapv(|hu| u8::from(hu > 100.0));
    let geometry = phantom::volume().geometry().clone();
    io::write(&room.path("truth.nrrd"), Voxels::U8(mask.view()), &geometry).unwrap();
    mask.slice_mut(ndarray::s![..7, .., ..]).fill(0);
    io::write(&room.path("mask.nrrd"), Voxels::U8(mask.view()), &geometry).unwrap();
    let module = second_module(&room);
    let said = quiet(
        &room
            .command(&module, &["--returnparameterfile", "b", "--label", "0", "mask.nrrd", "truth.nrrd"])
            .output()
            .unwrap(),
    );
    assert!(said.contains("<filter-progress>1</filter-progress>"));
    let output = room.run(&["evaluate", "mask.nrrd", "truth.nrrd", "--json", "own.json"]);
    assert!(output.status.success());
    let own: Value = serde_json::from_slice(&std::fs::read(room.path("own.json")).unwrap()).unwrap();
    let measures = own["cases"][0]["measures"].as_object().unwrap();
    let back = room.returned("b");
    // The module gives those that its description has.
    assert_eq!(back.len(), 10);
    for (name, value) in &back {
        assert_eq!(Some(value.parse().unwrap()), measures[name].as_f64(), "{name}");
    }
    let output = room.command(&module, &["--returnparameterfile", "c", "mask.nrrd", "ct.nrrd"]).output().unwrap();
    assert!(!output.status.success() && !output.stderr.is_empty() && !room.path("c").exists());
}

#[test]
fn a_kill_in_the_middle_leaves_no_output() {
    let room = Room::new();
    let volume = textured_volume([40, 256, 256], 5);
    io::write(&room.path("large.nrrd"), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
    let wide = small_config().with_ggpfn(|n| n.widths = [16, 32, 64, 128]);
    Model::new_untrained(wide, 7).unwrap().save(&room.path("wide.safetensors"), WeightType::F32).unwrap();
    let before = room.names();
    let arguments =
        [&UNTOUCHED[..], &["--model", "wide.safetensors", "--probability", "p.nrrd", "large.nrrd", "o.nrrd"]].concat();
    let mut child =
        room.command(Path::new(PROGRAM), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // In the middle of the network.
    for line in lines {
        if line.unwrap().contains("axial view") {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty() && !output.status.success());
    assert_eq!(room.names(), before);
}

#[test]
fn faults_are_a_sentence_and_leave_nothing() {
    let room = Room::new();
    let before = room.names();
    for (arguments, sentence) in [
        (&["--returnparameterfile", "b", "no.nrrd", "o.nrrd"][..], "no.nrrd"),
        (&["--returnparameterfile", "b", "--views", "oblique", "ct.nrrd", "o.nrrd"], "not a view"),
        (&["--returnparameterfile", "b", "--threshold", "7", "ct.nrrd", "o.nrrd"], "from 0 to 1"),
        (&["--returnparameterfile", "b", "ct.nrrd", "ct.nrrd"], "would be overwritten"),
        (&["--returnparameterfile", "b", "--probability", "o.nrrd", "ct.nrrd", "o.nrrd"], "two different results"),
        (&["--returnparameterfile", "b", "ct.nrrd"], "required"),
    ] {
        let output = room.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && text.contains(sentence) && !text.contains("panicked"),
            "{arguments:?}: {text}"
        );
        assert_eq!(room.names(), before, "{arguments:?}");
    }
}
