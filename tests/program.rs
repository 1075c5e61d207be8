//! The program as people meet it: what it prints, which files it leaves, how it fails and how it stops.

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::needs::{self, shared};
use common::{small_config, textured_volume};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::network::{Model, ModelConfig, WeightType};
use ggpfn::volume::{Geometry, View, Volume};

/// A folder with odd characters in its name, a small scan and a small model.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Room { folder: tempfile::Builder::new().prefix("größe & co (1) '").tempdir().unwrap() };
        let volume = textured_volume([9, 20, 18], 5);
        io::write(&room.path("ct.nii.gz"), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
        room.model("m.safetensors", small_config().with_ggpfn(|n| n.t = 2));
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn model(&self, name: &str, config: ModelConfig) {
        Model::new_untrained(config, 7).unwrap().save(&self.path(name), WeightType::F32).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.folder.path()).args(arguments).env_remove("GGPFN_MODEL");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must fail: by this exit code, with one sentence that says this, and leaving the folder as it was.
    fn refused(&self, arguments: &[&str], code: i32, sentence: &str) {
        let before = listing(self.folder.path());
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(sentence), "{arguments:?}: \"{sentence}\" is not in \"{text}\"");
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(listing(self.folder.path()), before, "{arguments:?} left or took files");
    }
}

fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::metadata(&path).unwrap().len()))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Volume {
    io::read(path, &ReadOptions::default()).unwrap()
}

#[test]
fn segment_writes_everything_that_was_asked_for_on_the_inputs_grid() {
    let room = Room::new();
    let output = room.run(&[
        "segment",
        "ct.nii.gz",
        "mask.nrrd",
        "--model=m.safetensors",
        "--probability=p.nii.gz",
        "--view-probabilities=v.mha",
        "--uncertainty=u.nii",
        "--report=r.json",
        "--largest-component",
        "--view-weights=2,1,1",
        "--threads=1",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let input = read(&room.path("ct.nii.gz"));
    for name in ["mask.nrrd", "p.nii.gz", "v_axial.mha", "v_sagittal.mha", "v_coronal.mha", "u.nii"] {
        let result = read(&room.path(name));
        assert!(result.geometry().distance(input.geometry()) < 1e-4, "{name}");
        assert!(result.voxels().iter().all(|v| (0.0..=1.0).contains(v)), "{name}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(room.path("r.json")).unwrap()).unwrap();
    let mask = read(&room.path("mask.nrrd"));
    let voxels = mask.voxels().iter().filter(|v| **v == 1.0).count();
    assert_eq!(report["pancreas"]["voxels"], voxels);
    let millilitres = voxels as f64 * 0.8 * 0.9 * 2.5 / 1000.0;
    assert!((report["pancreas"]["volume_ml"].as_f64().unwrap() - millilitres).abs() < 1e-6);
    assert_eq!(report["model"]["sha256"], Model::load(&room.path("m.safetensors")).unwrap().sha256());
    assert_eq!(report["view_weights"]["axial"], 0.5);
    assert_eq!(report["threads"], 1);
    let quality = &report["quality"];
    assert!((0.0..=1.0).contains(&quality["expected_dice"].as_f64().unwrap()), "{quality}");
    assert_eq!((&quality["doubtful"], &quality["features"]["views"]), (&true.into(), &3.into()), "{quality}");
    assert!((0.0..=1.0).contains(&quality["features"]["view_soft_dice"].as_f64().unwrap()), "{quality}");
    let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("doubtful: expected Dice 0."), "{said}");
    for warning in quality["warnings"].as_array().unwrap() {
        assert!(warned.contains(warning["text"].as_str().unwrap()), "{warning} in {warned}");
    }
    for phase in ["read", "axial view", "sagittal view", "coronal view", "write"] {
        assert!(report["seconds"][phase].as_f64().unwrap() >= 0.0, "{phase}");
    }
}

/// What lies outside of `--region` is not looked at, not even to find that it is no number.
#[test]
fn what_lies_outside_of_the_region_does_not_count() {
    let room = Room::new();
    let volume = textured_volume([9, 20, 18], 5);
    let mut holes = volume.voxels().to_owned();
    let inside = ndarray::s![1..8, 2..18, 3..17];
    holes.fill(f32::NAN);
    holes.slice_mut(inside).assign(&volume.voxels().slice(inside));
    for ending in ["nii.gz", "nrrd", "mha"] {
        let write =
            |name: String, voxels| io::write(&room.path(&name), Voxels::F32(voxels), volume.geometry()).unwrap();
        write(format!("ct.{ending}"), volume.voxels());
        write(format!("holes.{ending}"), holes.view());
    }
    let segment = |input: &str, mask: &str| {
        let region = ["--region", "3,2,1:14,16,7", "--model", "m.safetensors", "--report", "report.json"];
        let output = room.run(&[&["segment", input, mask], &region[..]].concat());
        assert!(output.status.success(), "{input}: {}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(room.path("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        (read(&room.path(mask)), report["pancreas"].clone(), report["quality"].clone())
    };
    for ending in ["nii.gz", "nrrd", "mha"] {
        let whole = segment(&format!("ct.{ending}"), &format!("mask.{ending}"));
        let found = segment(&format!("holes.{ending}"), &format!("mask of holes.{ending}"));
        assert_eq!(found.0.voxels(), whole.0.voxels(), "{ending}");
        assert_eq!((found.1, found.2), (whole.1, whole.2), "{ending}");
    }
    // Amid the body, and outside of the region.
    let mut lost = volume.voxels().to_owned();
    lost[[4, 1, 9]] = f32::NAN;
    io::write(&room.path("lost.nrrd"), Voxels::F32(lost.view()), volume.geometry()).unwrap();
    room.refused(&["segment", "lost.nrrd", "x.nrrd", "--model", "m.safetensors"], 3, "not finite");
    assert_eq!(segment("lost.nrrd", "mask of lost.nrrd").0.voxels(), read(&room.path("mask.nrrd")).voxels());
    let beyond = ["segment", "holes.nrrd", "x.nrrd", "--model", "m.safetensors", "--region", "3,2,1:14,16,700"];
    room.refused(&beyond, 2, "region");
}

/// What is no number counts as never measured where it reaches the image's border, not where it reaches a region's edge within the body.
#[test]
fn the_edge_of_a_region_is_not_the_border() {
    let room = Room::new();
    let volume = textured_volume([9, 20, 18], 5);
    let write = |name: &str, hole: [usize; 3]| {
        let mut voxels = volume.voxels().to_owned();
        voxels[hole] = f32::NAN;
        io::write(&room.path(name), Voxels::F32(voxels.view()), volume.geometry()).unwrap();
    };
    write("edge.nrrd", [4, 2, 9]);
    write("border.nrrd", [4, 0, 9]);
    let segment = |name| ["segment", name, "x.nrrd", "-m", "m.safetensors", "--region", "3,0,1:14,16,7"];
    let cut = ["segment", "edge.nrrd", "x.nrrd", "-m", "m.safetensors", "--region", "3,2,1:14,16,7"];
    room.refused(&cut, 3, "not finite");
    room.refused(&segment("edge.nrrd"), 3, "not finite");
    let output = room.run(&segment("border.nrrd"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What cannot be meant is refused by the option's name, and not passed over.
#[test]
fn options_that_mean_nothing_are_refused() {
    let room = Room::new();
    let segment = ["segment", "ct.nii.gz", "o.nii.gz", "-m", "m.safetensors"];
    let with = |more: &[&'static str]| [&segment[..], more].concat();
    room.refused(&with(&["--views", "axial,axial"]), 2, "views: axial is named twice");
    room.refused(&with(&["--series", "1.2.3"]), 2, "series: ct.nii.gz is no DICOM");
    room.refused(&with(&["--dicom"]), 2, "--dicom: o.nii.gz is to be a single file");
    // A number below 0 is the option's value, and the option says what is wrong with it.
    room.refused(&with(&["--threshold", "-0.1"]), 2, "threshold: -0.1; a number from 0 to 1");
    room.refused(&with(&["--view-weights", "-1,1,1"]), 2, "view weights");
    room.refused(&with(&["--threads", "-1"]), 2, "--threads");
    room.refused(&["combine", "m.safetensors", "c.safetensors", "--threshold", "-1"], 2, "threshold is -1");
}

#[test]
fn fuse_of_the_views_is_the_fused_probability() {
    let room = Room::new();
    let segment = ["segment", "ct.nii.gz", "mask.nii.gz", "-m", "m.safetensors", "--view-weights", "0.8,0.1,0.1"];
    let extra = ["--view-probabilities", "v.nii.gz", "--probability", "p.nii.gz", "--precision", "f32"];
    assert!(room.run(&[&segment[..], &extra[..]].concat()).status.success());
    let views = ["v_axial.nii.gz", "v_sagittal.nii.gz", "v_coronal.nii.gz"];
    let fuse = [&["fuse", "--weights", "8,1,1"], &views[..], &["again.nii.gz", "--probability", "q.nii.gz"]].concat();
    let output = room.run(&fuse);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [p, q] = ["p.nii.gz", "q.nii.gz"].map(|name| read(&room.path(name)).into_voxels());
    assert!(common::max_difference(p.view(), q.view()) < 1e-6);
    assert_eq!(read(&room.path("mask.nii.gz")).into_voxels(), read(&room.path("again.nii.gz")).into_voxels());
    room.refused(
        &["fuse", "--weights", "1,1", "ct.nii.gz", "v_axial.nii.gz", "o.nii.gz"],
        3,
        "probabilities from 0 to 1",
    );
    room.refused(
        &["fuse", "--weights", "1,1,1", "v_axial.nii.gz", "p.nii.gz", "o.nii.gz"],
        2,
        "3 weights for 2 images",
    );
    room.refused(&["fuse", "--weights", "0,0", "v_axial.nii.gz", "p.nii.gz", "o.nii.gz"], 2, "do not all vanish");
}

#[test]
fn several_inputs_go_into_a_folder_and_one_that_fails_does_not_stop_the_others() {
    let room = Room::new();
    std::fs::copy(room.path("ct.nii.gz"), room.path("second.nii.gz")).unwrap();
    std::fs::write(room.path("broken.nii.gz"), "nothing").unwrap();
    let output = room.run(&[
        "segment",
        "ct.nii.gz",
        "broken.nii.gz",
        "second.nii.gz",
        "masks/",
        "-m",
        "m.safetensors",
        "--report",
        "masks",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let names: Vec<_> = listing(&room.path("masks")).into_iter().map(|(path, _)| path).collect();
    let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["ct_pancreas.nii.gz", "ct_report.json", "second_pancreas.nii.gz", "second_report.json"]);
}

#[test]
#[cfg(unix)]
fn a_link_goes_by_its_own_name() {
    let room = Room::new();
    // As git-annex and datalad keep files.
    std::fs::create_dir(room.path("objects")).unwrap();
    std::fs::rename(room.path("ct.nii.gz"), room.path("objects/MD5E-s99--d41d8cd9.nii.gz")).unwrap();
    std::os::unix::fs::symlink("objects/MD5E-s99--d41d8cd9.nii.gz", room.path("patient.nii.gz")).unwrap();
    let output = room.run(&["segment", "patient.nii.gz", "masks/", "-m", "m.safetensors"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(room.path("masks/patient_pancreas.nii.gz").is_file());
}

#[test]
fn bad_arguments_and_files_are_refused_by_a_sentence_and_leave_everything_as_it_was() {
    let room = Room::new();
    let model = ["-m", "m.safetensors"];
    let segment = |arguments: &[&'static str]| [&["segment", "ct.nii.gz", "o.nii.gz"], &model[..], arguments].concat();
    std::fs::write(room.path("empty.nii"), "").unwrap();
    std::fs::write(room.path("letter.txt"), "Dear Sir or Madam").unwrap();
    std::fs::write(room.path("letter.safetensors"), "Dear Sir or Madam").unwrap();
    std::fs::create_dir(room.path("nothing inside")).unwrap();

    room.refused(&["segment", "ct.nii.gz", "o.nii.gz", "-m", "no.safetensors"], 5, "no.safetensors");
    room.refused(&["segment", "ct.nii.gz", "o.nii.gz", "-m", "letter.safetensors"], 4, "letter.safetensors");
    room.refused(&["segment", "ct.nii.gz", "o.nii.gz", "-m", "nothing inside"], 4, "folder");
    for (input, code, sentence) in [
        ("no such.nii", 5, "no such.nii"),
        ("empty.nii", 3, "empty.nii: the file is empty"),
        ("letter.txt", 3, "not an image"),
        ("nothing inside", 3, "nothing inside"),
    ] {
        room.refused(&["segment", input, "o.nii.gz", "-m", "m.safetensors"], code, sentence);
    }
    room.refused(&["segment", "ct.nii.gz", "o.jpg", "-m", "m.safetensors"], 2, ".nii.gz");
    room.refused(&["segment", "ct.nii.gz", "no/such/folder/o.nii.gz", "-m", "m.safetensors"], 5, "no/such/folder");
    room.refused(&["segment", "ct.nii.gz", "ct.nii.gz", "-m", "m.safetensors"], 2, "would be overwritten");
    room.refused(&segment(&["--probability", "o.nii.gz"]), 2, "two different results");
    room.refused(&segment(&["--threshold", "2"]), 2, "from 0 to 1");
    room.refused(&segment(&["--view-weights", "1,1"]), 2, "2 numbers for 3 views");
    room.refused(&segment(&["--views", "axial", "--uncertainty", "u.nii"]), 2, "uncertainty");
    room.refused(&segment(&["--views", "oblique"]), 2, "not a view");
    room.refused(&segment(&["--patch", "100x100"]), 2, "multiples of 8");
    room.refused(&segment(&["--patch", "64x64", "--overlap", "64"]), 2, "overlap");
    room.refused(&segment(&["--threads", "0"]), 2, "threads: 0; a number from 1 was expected");
    room.refused(&segment(&["--block", "0"]), 2, "block: 0; a number from 1 was expected");
    room.refused(&segment(&["--device", "tpu"]), 2, "not a device");
    if Path::new("/dev/nvidia0").exists() {
        needs::not_applicable("a GPU that is not there: there is one");
    } else {
        room.refused(&segment(&["--device", "cuda"]), 7, "the device cpu");
        room.refused(&segment(&["--device", "cuda:3"]), 7, "cuda:3");
    }
    room.refused(&["new-model", "x.safetensors", "--t", "16"], 2, "t is 16");
    room.refused(&["new-model", "no/such/x.safetensors"], 5, "no/such");
    room.refused(&["info", "letter.txt"], 3, "letter.txt");
}

#[test]
fn a_full_disk_loses_nothing() {
    let room = Room::new();
    let disk = room.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let Some(mounted) = needs::SmallDisk::new(&disk, "8k") else { return };
    let old = ndarray::Array3::<f32>::zeros((2, 3, 4));
    io::write(&disk.join("p.nii"), Voxels::F32(old.view()), &Geometry::axis_aligned([4, 3, 2], [1.0; 3])).unwrap();
    let before = std::fs::read(disk.join("p.nii")).unwrap();
    let output = room.run(&["segment", "ct.nii.gz", "o.nii.gz", "-m", "m.safetensors", "--probability", "disk/p.nii"]);
    let (old, count) = (std::fs::read(disk.join("p.nii")).unwrap(), listing(&disk).len());
    drop(mounted);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("No space left") && text.contains("p.nii"), "{text}");
    assert!(old == before && count == 1);
    assert!(!room.path("o.nii.gz").exists());
}

#[cfg(unix)]
/// However little memory a process may have, it ends by an exit code, and says why.
#[test]
#[cfg(target_os = "linux")]
fn no_memory_limit_ends_the_program_by_a_signal() {
    let room = Room::new();
    let megabytes = (100..1000).step_by(75).chain((1000..3000).step_by(200)).chain([4000, 100_000]);
    let codes: Vec<Option<i32>> = megabytes
        .map(|megabytes| {
            let line = format!(
                "ulimit -v {}; exec '{}' segment ct.nii.gz out.nii --model m.safetensors",
                megabytes * 1000,
                env!("CARGO_BIN_EXE_ggpfn")
            );
            let output = shell(&room, &line);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let code = output.status.code();
            match code {
                Some(0) => {}
                Some(6) => assert!(said.contains("memory"), "{megabytes} MB: {said}"),
                // The system's loader, which has no room for libtorch.
                Some(127) => assert!(said.contains("shared"), "{megabytes} MB: {said}"),
                _ => panic!("{megabytes} MB: {:?}: {said}", output.status),
            }
            assert!(!said.contains("panicked"), "{said}");
            code
        })
        .collect();
    assert!(codes.contains(&Some(6)) && codes.last() == Some(&Some(0)), "{codes:?}");
}

#[test]
fn ctrl_c_stops_within_a_second_and_leaves_nothing() {
    let room = Room::new();
    let volume = textured_volume([40, 256, 256], 5);
    io::write(&room.path("large.nii"), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
    room.model("wide.safetensors", small_config().with_ggpfn(|n| n.widths = [16, 32, 64, 128]));
    let before = listing(room.folder.path());
    for wait in [20, 1200] {
        let mut child = room
            .command(&["segment", "large.nii", "o.nii.gz", "-m", "wide.safetensors", "--precision", "f32"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first word says that it has begun; how long that takes depends on what else the machine does.
        let mut words = child.stderr.take().unwrap();
        words.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let start = Instant::now();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130));
        // One second on an idle machine; twice that where other tests run beside.
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(listing(room.folder.path()), before);
    }
}

#[test]
fn without_a_model_the_one_that_ships_is_used() {
    let room = Room::new();
    let output = room.run(&["segment", "ct.nii.gz", "o.nii.gz", "--report", "r.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(room.path("r.json")).unwrap()).unwrap();
    assert_eq!(report["model"]["file"], Model::SHIPPED_NAME);
    assert_eq!(report["model"]["sha256"], Model::shipped().unwrap().sha256());
}

#[test]
fn views_that_were_trained_apart_are_combined() {
    let room = Room::new();
    let only = |view: View| ModelConfig { views: vec![view], ..small_config() }.with_ggpfn(|n| n.t = 2);
    room.model("a.safetensors", only(View::Axial));
    room.model("c.safetensors", only(View::Coronal));
    let output = room.run(&["combine", "c.safetensors", "a.safetensors", "ac.safetensors", "--view-weights", "3,1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = Model::load(&room.path("ac.safetensors")).unwrap();
    assert_eq!(model.config().views, [View::Axial, View::Coronal]);
    assert_eq!(model.config().view_weights[&View::Axial], 3.0);
    for name in ["a.safetensors", "c.safetensors"] {
        let part = Model::load(&room.path(name)).unwrap();
        assert!(part.weights().iter().all(|(name, array)| model.weights()[name] == *array));
    }
    let half = room.run(&["combine", "ac.safetensors", "half.safetensors", "--store", "f16"]);
    assert!(half.status.success());
    let size = |name: &str| std::fs::metadata(room.path(name)).unwrap().len();
    assert!(size("half.safetensors") < size("ac.safetensors") * 2 / 3);
    room.refused(&["combine", "a.safetensors", "a.safetensors", "x.safetensors"], 2, "axial view too");
    room.model("other.safetensors", only(View::Sagittal).with_ggpfn(|n| n.t = 3));
    room.refused(&["combine", "a.safetensors", "other.safetensors", "x.safetensors"], 2, "another kind");
}

/// Runs a command by the shell, in which `$GGPFN` is the program.
#[cfg(unix)]
fn shell(room: &Room, line: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(room.folder.path()).env_remove("GGPFN_MODEL");
    command.env("GGPFN", env!("CARGO_BIN_EXE_ggpfn")).output().unwrap()
}

/// What a command is run for is its output: where that cannot be written, it has failed, and says so.
#[cfg(unix)]
#[test]
fn a_full_or_closed_stdout_is_a_fault_of_what_prints() {
    let room = Room::new();
    let mut child = room.command(&["doctor"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = vec!["\"$GGPFN\" info ct.nii.gz >&-"];
    if Path::new("/dev/full").exists() {
        lines.extend([
            "\"$GGPFN\" info ct.nii.gz > /dev/full",
            "\"$GGPFN\" info m.safetensors --json > /dev/full",
            "\"$GGPFN\" doctor > /dev/full",
            "\"$GGPFN\" --help > /dev/full",
            "\"$GGPFN\" --xml > /dev/full",
        ]);
    }
    for line in lines {
        let output = shell(&room, line);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{line}: {text}");
        let errors: Vec<&str> = text.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert!(text.contains("the standard output") && errors.len() == 1, "{line}: {text}");
    }
    assert_eq!(shell(&room, "\"$GGPFN\" info ct.nii.gz > /dev/null").status.code(), Some(0));
}

/// A mask does not depend on whether somebody reads how far it is.
#[cfg(unix)]
#[test]
fn a_reader_of_progress_that_leaves_early_does_not_cost_the_mask() {
    let room = Room::new();
    for (number, listener) in ["2>&1 | head -n 1", "2>&1 | true", ">&- 2>&-"].into_iter().enumerate() {
        let mask = format!("o{number}.nii.gz");
        let line = format!("\"$GGPFN\" segment ct.nii.gz {mask} -m m.safetensors {listener}");
        shell(&room, &line);
        assert!(room.path(&mask).is_file(), "{line}");
    }
    let mut child = room
        .command(&["segment", "ct.nii.gz", "p.nii.gz", "-m", "m.safetensors"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(room.path("p.nii.gz").is_file());
}

#[test]
fn options_stand_before_between_and_behind_file_names() {
    let room = Room::new();
    let model = "-m=m.safetensors";
    for (arguments, result) in [
        (["segment", model, "--views=axial", "ct.nii.gz", "a.nii.gz"], "a.nii.gz"),
        (["segment", "ct.nii.gz", model, "--views=axial", "b.nii.gz"], "b.nii.gz"),
        (["segment", "ct.nii.gz", "c.nii.gz", model, "--views=axial"], "c.nii.gz"),
        (["fuse", "a.nii.gz", "--weights=1,1", "b.nii.gz", "d.nii.gz"], "d.nii.gz"),
        (["combine", "m.safetensors", "--store", "f16", "e.safetensors"], "e.safetensors"),
        (["evaluate", "a.nii.gz", "--csv", "f.csv", "b.nii.gz"], "f.csv"),
    ] {
        let output = room.run(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(room.path(result).is_file(), "{arguments:?}");
    }
    room.refused(&["segment", "ct.nii.gz", model], 2, "two paths were expected");
    room.refused(&["fuse", "--weights=1,1", "a.nii.gz", "b.nii.gz"], 2, "were expected");
}

/// An empty variable is what scripts have where nobody set it.
#[test]
fn a_variable_set_to_nothing_is_as_unset() {
    let room = Room::new();
    let output = room.command(&["segment", "ct.nii.gz", "o.nii.gz", "--views=axial"]).env("GGPFN_MODEL", "").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Rounding, in another program or a scaled file, takes a probability a little beyond 0 or 1.
#[test]
fn probabilities_beyond_0_and_1_by_rounding_are_0_and_1() {
    let room = Room::new();
    let grid = Geometry::axis_aligned([4, 3, 2], [1.0; 3]);
    let write = |name: &str, first: f32, last: f32| {
        let mut voxels = ndarray::Array3::from_elem((2, 3, 4), 0.5_f32);
        (voxels[[0, 0, 0]], voxels[[1, 2, 3]]) = (first, last);
        io::write(&room.path(name), Voxels::F32(voxels.view()), &grid).unwrap();
    };
    write("a.nii.gz", 1.000_000_1, -5e-5);
    write("b.nii.gz", 1.0, 0.0);
    write("c.nii.gz", 1.001, 0.0);
    let output = room.run(&["fuse", "--weights=1,1", "a.nii.gz", "b.nii.gz", "o.nii.gz", "--probability=p.nii.gz"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let fused = read(&room.path("p.nii.gz")).into_voxels();
    assert_eq!((fused[[0, 0, 0]], fused[[1, 2, 3]]), (1.0, 0.0));
    room.refused(&["fuse", "--weights=1,1", "c.nii.gz", "b.nii.gz", "x.nii.gz"], 3, "it holds 1.001");
}

#[test]
fn help_explains_itself() {
    let room = Room::new();
    for command in
        ["segment", "fuse", "evaluate", "train", "dataset", "synth", "combine", "new-model", "info", "doctor", "demo"]
    {
        let output = room.run(&[command, "--help"]);
        assert!(output.status.success() && output.stdout.len() > 200, "{command}");
    }
    let output = room.run(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("2.11.0") && text.contains("Nothing is wrong"), "{text}");
    // The choice of a number format comes with the times that it rests on.
    let has_instructions = ggpfn::runtime::cpu_has_fast_bfloat16();
    assert_eq!(text.contains(" ms, in float32 "), has_instructions, "{text}");
    assert_eq!(text.contains("cpu, bf16"), text.contains("faster, and taken"), "{text}");
    let output = room.run(&["info", "m.safetensors", "--json"]);
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((info["slices"].as_u64(), info["receptive_field"].as_str()), (Some(5), Some("144 x 144 pixels")));
    let output = room.run(&["info", "ct.nii.gz", "--json"]);
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(info["size"], serde_json::json!([18, 20, 9]));
}

#[test]
fn real_scans_go_through() {
    let room = Room::new();
    for name in ["ct/example_ct.nii.gz", "dicom/contrast_abdomen"] {
        let Some(input) = shared(name) else { continue };
        let output =
            room.run(&["segment", input.to_str().unwrap(), "real.nii.gz", "-m", "m.safetensors", "--views", "axial"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(read(&room.path("real.nii.gz")).geometry().distance(read(&input).geometry()) < 1e-4, "{name}");
    }
    if let Some(folder) = shared("dicom/transfer_syntaxes") {
        let mut files: Vec<String> =
            listing(&folder).into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect();
        assert_eq!(files.len(), 15);
        files.splice(0..0, ["segment".to_string()]);
        files.extend(["masks/", "-m", "m.safetensors", "--views", "axial"].map(String::from));
        let output = room.run(&files.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(listing(&room.path("masks")).len(), 15);
    }
    for (name, sentence) in
        [("gantry_tilt", "tilt"), ("missing_slice", "missing"), ("not_a_volume", "position was expected")]
    {
        let Some(folder) = shared(&format!("dicom/{name}")) else { continue };
        room.refused(&["segment", folder.to_str().unwrap(), "o.nii.gz", "-m", "m.safetensors"], 3, sentence);
    }
}

/// A model of two labels: the mask's file has a value for each, a .seg.nrrd names them, each has its probability, the report measures both.
#[test]
fn a_model_of_two_labels_gives_a_map_of_both() {
    let room = Room::new();
    let made = ["new-model", "two.safetensors", "--labels", "pancreas,tumour", "--t", "2", "--widths", "4,6,8,10"];
    let more = ["--global-widths", "3,4,5,6,7", "--global-size", "64,32"];
    assert!(room.command(&made).args(more).status().unwrap().success());
    let info: serde_json::Value =
        serde_json::from_slice(&room.run(&["info", "two.safetensors", "--json"]).stdout).unwrap();
    assert_eq!((&info["format"], &info["labels"]), (&2.into(), &"1 pancreas, 2 tumour".into()));

    let segment = |output: &str, threshold: &str| {
        let run = ["segment", "ct.nii.gz", output, "--model", "two.safetensors", "--precision", "f32"];
        let files = ["--threshold", threshold, "--probability", "p.nii.gz", "--report", "r.json"];
        let output = room.command(&run).args(files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    segment("first.nii.gz", "0.5");
    let read = |name: &str| io::read(&room.path(name), &ReadOptions::default()).unwrap().into_voxels();
    let mut sorted = read("p_tumour.nii.gz").into_raw_vec_and_offset().0;
    sorted.sort_by(f32::total_cmp);
    // Half of the voxels reach it.
    let said = segment("both.seg.nrrd", &sorted[sorted.len() / 2].to_string());
    assert!(said.contains("tumour: "), "{said}");
    let (map, first, second) = (read("both.seg.nrrd"), read("p.nii.gz"), read("p_tumour.nii.gz"));
    let threshold = sorted[sorted.len() / 2];
    let expected = |first: f32, second: f32| {
        if second >= threshold {
            2.0
        } else {
            f32::from(u8::from(first >= threshold))
        }
    };
    assert!(map.iter().zip(&first).zip(&second).all(|((value, first), second)| *value == expected(*first, *second)));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(room.path("r.json")).unwrap()).unwrap();
    assert_eq!(report["labels"][1]["name"], "tumour");
    let tumour = map.iter().filter(|value| **value == 2.0).count();
    assert_eq!(report["labels"][1]["measurements"]["voxels"], tumour);
    assert!(tumour * 2 >= map.len());

    let header = std::fs::read(room.path("both.seg.nrrd")).unwrap();
    let header = String::from_utf8_lossy(&header[..header.len().min(3000)]).into_owned();
    for line in ["Segment0_Name:=pancreas\n", "Segment1_LabelValue:=2\n", "SCT^108369006^Neoplasm"] {
        assert!(header.contains(line), "{line} is not in {header}");
    }
    // The pancreas alone is named and coloured too.
    assert!(room.run(&["segment", "ct.nii.gz", "one.seg.nrrd", "--model", "m.safetensors"]).status.success());
    let header = std::fs::read(room.path("one.seg.nrrd")).unwrap();
    assert!(String::from_utf8_lossy(&header[..header.len().min(3000)]).contains("SCT^15776009^Pancreas"));
    // A label's probability is a result too, and may replace no other kind of file.
    std::fs::copy(room.path("ct.nii.gz"), room.path("q_tumour.nii.gz")).unwrap();
    let over = ["segment", "ct.nii.gz", "x.nii.gz", "--model", "two.safetensors", "--probability", "q.nii.gz"];
    room.refused(&over, 2, "q_tumour.nii.gz");
}
