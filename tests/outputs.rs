//! Results never destroy what somebody else needs: an input or a part of one, another result, a file of another kind.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{small_config, textured_volume};
use ggpfn::io::{self, Voxels};
use ggpfn::network::{Model, ModelConfig, WeightType};
use ggpfn::outputs::{check, Kind};
use ggpfn::volume::{Geometry, View};
use ndarray::Array3;

/// Scans, masks, probabilities and models, of few voxels and few weights.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Room { folder: tempfile::Builder::new().prefix("größe & co (1) '").tempdir().unwrap() };
        for name in ["ct.nii.gz", "other.nii.gz", "pair.hdr", "split.nhdr", "two.mhd"] {
            let volume = textured_volume([9, 20, 18], 5);
            io::write(&room.path(name), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
        }
        let grid = Geometry::axis_aligned([6, 5, 4], [1.0; 3]);
        for (name, shift) in [("a.nii.gz", 0), ("b.nii.gz", 1)] {
            let mask = Array3::from_shape_fn((4, 5, 6), |(k, j, i)| u8::from(i > 1 + shift && j > 1 && k > 1));
            io::write(&room.path(name), Voxels::U8(mask.view()), &grid).unwrap();
        }
        for (name, scale) in [("p.nii.gz", 0.01), ("q.nii.gz", 0.02)] {
            let fractions = Array3::from_shape_fn((4, 5, 6), |(k, j, i)| (k + j + i) as f32 * scale);
            io::write(&room.path(name), Voxels::F32(fractions.view()), &grid).unwrap();
        }
        let config = ModelConfig { views: vec![View::Axial], ..small_config() }.with_ggpfn(|n| n.t = 1);
        Model::new_untrained(config, 7).unwrap().save(&room.path("m.safetensors"), WeightType::F32).unwrap();
        std::fs::write(room.path("letter.txt"), "Dear Sir or Madam").unwrap();
        std::fs::write(room.path("other.json"), "{ \"name\": \"a set\", \"training\": [] }").unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.folder.path()).args(arguments).env_remove("GGPFN_MODEL").output().unwrap()
    }

    /// Every file with its bytes.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        add_files(self.folder.path(), &mut files);
        files.sort();
        files
    }

    /// Runs what must be refused by exit code 2 with these words, every file staying as it is.
    fn refused(&self, arguments: &[&str], words: &[&str]) {
        let before = self.everything();
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: \"{word}\" is not in \"{text}\"");
        }
        assert!(self.everything() == before, "{arguments:?} changed files");
    }

    fn goes_well(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn add_files(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => add_files(&path, files),
            false => files.push((path.clone(), std::fs::read(&path).unwrap_or_default())), // a link may lead nowhere
        }
    }
}

const MODEL: &str = "-m=m.safetensors";

#[test]
fn an_input_is_never_an_output() {
    let room = Room::new();
    room.refused(&["fuse", "--weights=1,1", "p.nii.gz", "q.nii.gz", "q.nii.gz"], &["q.nii.gz", "overwritten"]);
    let fuse = ["fuse", "--weights=1,1", "p.nii.gz", "q.nii.gz", "f.nii.gz"];
    room.refused(&[&fuse[..], &["--probability=p.nii.gz"]].concat(), &["p.nii.gz", "overwritten"]);
    room.refused(&["evaluate", "a.nii.gz", "b.nii.gz", "--csv=b.nii.gz"], &["b.nii.gz", "overwritten"]);
    room.refused(&["evaluate", "a.nii.gz", "b.nii.gz", "--json=a.nii.gz"], &["a.nii.gz", "overwritten"]);
    room.refused(
        &["segment", "ct.nii.gz", "o.nii.gz", MODEL, "--report=m.safetensors"],
        &["m.safetensors", "overwritten"],
    );
    room.refused(&["segment", "ct.nii.gz", "ct.nii.gz", MODEL], &["ct.nii.gz", "overwritten"]);
    room.refused(&["combine", "m.safetensors", "m.safetensors", "--store=f16"], &["m.safetensors", "overwritten"]);
    // Of several inputs, another one's.
    let several = ["segment", "ct.nii.gz", "other.nii.gz", "masks/", MODEL];
    std::fs::create_dir(room.path("masks")).unwrap();
    std::fs::copy(room.path("ct.nii.gz"), room.path("masks/ct_pancreas.nii.gz")).unwrap();
    room.refused(&[&several[..2], &["masks/ct_pancreas.nii.gz"], &several[2..]].concat(), &["overwritten"]);
}

#[cfg(unix)]
#[test]
fn other_names_of_an_input_are_the_input() {
    let room = Room::new();
    std::fs::create_dir(room.path("in")).unwrap();
    std::os::unix::fs::symlink("../a.nii.gz", room.path("in/link.nii.gz")).unwrap();
    std::fs::hard_link(room.path("a.nii.gz"), room.path("hard.nii.gz")).unwrap();
    for name in ["in/link.nii.gz", "hard.nii.gz", "./in/../a.nii.gz"] {
        room.refused(&["fuse", "--weights=1,1", "a.nii.gz", "b.nii.gz", name], &[name, "overwritten"]);
        room.refused(&["fuse", "--weights=1,1", name, "b.nii.gz", "a.nii.gz"], &[name, "overwritten"]);
    }
}

/// A link to a file that is not there yet stays a link, and names that file.
#[cfg(unix)]
#[test]
fn a_link_into_nowhere_is_the_file_that_it_names() {
    let room = Room::new();
    std::fs::create_dir(room.path("archive")).unwrap();
    std::os::unix::fs::symlink("archive/fused.nii.gz", room.path("link.nii.gz")).unwrap();
    let fuse = ["fuse", "--weights=1,1", "a.nii.gz", "b.nii.gz", "link.nii.gz"];
    room.refused(&[&fuse[..], &["--probability=archive/fused.nii.gz"]].concat(), &["fused.nii.gz", "link.nii.gz"]);
    room.goes_well(&fuse);
    assert!(room.path("link.nii.gz").is_symlink() && room.path("archive/fused.nii.gz").is_file());
    // A circle of links ends nowhere; the file takes its place.
    std::os::unix::fs::symlink("circle.nii.gz", room.path("circle.nii.gz")).unwrap();
    room.goes_well(&["fuse", "--weights=1,1", "a.nii.gz", "b.nii.gz", "circle.nii.gz"]);
}

#[test]
fn a_part_of_an_input_is_the_input() {
    let room = Room::new();
    for (input, output) in
        [("pair.hdr", "pair.img"), ("pair.img", "pair.hdr"), ("split.nhdr", "split.nhdr"), ("two.mhd", "two.mhd")]
    {
        room.refused(&["segment", input, output, MODEL], &[output, "overwritten"]);
    }
    // The data of one header would be written over those of another.
    std::fs::copy(room.path("split.nhdr"), room.path("header.nhdr")).unwrap();
    std::fs::remove_file(room.path("split.nhdr")).unwrap();
    room.refused(&["segment", "header.nhdr", "split.nhdr", MODEL], &["split.raw.gz", "header.nhdr"]);
    std::fs::rename(room.path("two.mhd"), room.path("header.mhd")).unwrap();
    room.refused(&["segment", "header.mhd", "two.mhd", MODEL], &["two.zraw", "header.mhd"]);
    // A stranger's data file.
    room.refused(&["segment", "ct.nii.gz", "two.mhd", MODEL], &["two.zraw", "belongs to something else"]);
}

/// A mask that keeps its data elsewhere is replaced by one that does not: beside it lies what belongs to another header.
#[test]
fn a_header_of_ones_own_does_not_give_away_a_strangers_data() {
    let room = Room::new();
    for (folder, stranger, data) in [("n", "split.nhdr", "split.raw.gz"), ("m", "two.mhd", "two.zraw")] {
        let inside = |name: &str| format!("{folder}/{name}");
        std::fs::create_dir(room.path(folder)).unwrap();
        let ending = stranger.rsplit('.').next().unwrap();
        let grid = Geometry::axis_aligned([6, 5, 4], [1.0; 3]);
        let mask = Array3::<u8>::ones((4, 5, 6));
        let elsewhere = room.path(&inside(&format!("elsewhere.{ending}")));
        io::write(&elsewhere, Voxels::U8(mask.view()), &grid).unwrap();
        let output = inside(&format!("mask.{ending}"));
        std::fs::rename(elsewhere, room.path(&output)).unwrap();
        let taken = inside(&data.replace(data.split('.').next().unwrap(), "mask"));
        std::fs::rename(room.path(data), room.path(&taken)).unwrap();
        room.refused(&["segment", "ct.nii.gz", &output, MODEL], &[&taken, "exists already"]);
    }
}

/// Before the work, not after it.
#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_work() {
    let room = Room::new();
    std::fs::create_dir(room.path("folder")).unwrap();
    for report in ["nowhere/r.json", "folder"] {
        let before = room.everything();
        let output = room.run(&["segment", "ct.nii.gz", "o.nii.gz", MODEL, "--report", report]);
        assert_eq!(output.status.code(), Some(5), "{report}");
        assert!(room.everything() == before, "{report}");
    }
}

#[test]
fn two_results_are_two_files() {
    let room = Room::new();
    let fuse = ["fuse", "--weights=1,1", "p.nii.gz", "q.nii.gz", "same.nii.gz"];
    room.refused(&[&fuse[..], &["--probability=same.nii.gz"]].concat(), &["same.nii.gz", "two different results"]);
    room.refused(&[&fuse[..], &["--probability=./same.nii.gz"]].concat(), &["same.nii.gz", "two different results"]);
    let segment = ["segment", "ct.nii.gz", "o.nii.gz", MODEL];
    let views = ["--view-probabilities=v.nii.gz", "--probability=v_axial.nii.gz"];
    room.refused(&[&segment[..], &views].concat(), &["v_axial.nii.gz", "two different results"]);
    // A header and its data.
    room.refused(&["segment", "ct.nii.gz", "o.hdr", MODEL, "--probability=o.img"], &["o.img", "two different results"]);
    // Two scans whose names differ by the ending alone.
    let volume = textured_volume([9, 20, 18], 5);
    for name in ["case1.nrrd", "case1.mha"] {
        io::write(&room.path(name), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
    }
    room.refused(&["segment", "case1.nrrd", "case1.mha", "masks/", MODEL], &["case1.nrrd", "case1.mha", "both"]);
}

#[test]
fn a_file_of_another_kind_is_not_replaced() {
    let room = Room::new();
    // The output forgotten: the last of the scans would be it.
    room.refused(&["segment", "ct.nii.gz", "other.nii.gz", MODEL], &["other.nii.gz", "no mask"]);
    room.refused(&["segment", "ct.nii.gz", "p.nii.gz", MODEL], &["p.nii.gz", "no mask"]);
    room.refused(&["segment", "ct.nii.gz", "o.nii.gz", MODEL, "--probability=a.nii.gz"], &["a.nii.gz", "fractions"]);
    for stranger in ["ct.nii.gz", "letter.txt"] {
        room.refused(&["new-model", stranger, "-t=1"], &[stranger, "no GGPFN model"]);
        room.refused(&["combine", "m.safetensors", stranger], &[stranger, "no GGPFN model"]);
        room.refused(&["evaluate", "a.nii.gz", "b.nii.gz", "--csv", stranger], &[stranger, "another file"]);
        room.refused(&["evaluate", "a.nii.gz", "b.nii.gz", "--json", stranger], &[stranger, "another file"]);
        room.refused(&["segment", "ct.nii.gz", "o.nii.gz", MODEL, "--report", stranger], &[stranger]);
    }
    room.refused(&["evaluate", "a.nii.gz", "b.nii.gz", "--json=other.json"], &["other.json", "another file"]);
    let config = ModelConfig { views: vec![View::Axial], ..small_config() }.with_ggpfn(|n| n.t = 1);
    let saved = Model::new_untrained(config, 1).unwrap().save(&room.path("ct.nii.gz"), WeightType::F32);
    assert!(saved.unwrap_err().to_string().contains("no GGPFN model"));
}

#[test]
fn a_set_of_scans_outlives_its_check_its_split_and_a_training_into_its_folder() {
    let room = Room::new();
    let volume = textured_volume([9, 20, 18], 5);
    for folder in ["ds/images", "ds/labels"] {
        std::fs::create_dir_all(room.path(folder)).unwrap();
    }
    for number in 1..4 {
        let mut voxels = volume.voxels().to_owned();
        voxels[[0, 0, 0]] = number as f32;
        let label =
            Array3::from_shape_fn(voxels.dim(), |(k, j, i)| u8::from((5..9).contains(&i) && j > 4 && j < 9 && k > 3));
        io::write(&room.path(&format!("ds/images/{number}.nii")), Voxels::F32(voxels.view()), volume.geometry())
            .unwrap();
        io::write(&room.path(&format!("ds/labels/{number}.nii")), Voxels::U8(label.view()), volume.geometry()).unwrap();
    }
    std::fs::copy(room.path("other.json"), room.path("ds/dataset.json")).unwrap();
    let check = ["dataset", "check", "ds", "--layout=pairs"];
    let split = ["dataset", "split", "ds", "--layout=pairs"];
    for file in ["ds/images/1.nii", "ds/dataset.json"] {
        room.refused(&[&check[..], &["--json", file]].concat(), &[file, "another file"]);
        room.refused(&[&split[..], &["--out", file]].concat(), &[file, "another file"]);
    }
    room.goes_well(&[&split[..], &["--out=ds/split.json"]].concat());
    room.goes_well(&[&split[..], &["--out=ds/split.json", "--seed=1"]].concat());
    // A model that somebody keeps in the folder.
    std::fs::copy(room.path("m.safetensors"), room.path("ds/model.safetensors")).unwrap();
    let train = ["train", "ds", "--preset=small", "--views=axial", "--epochs=1,0,0"];
    room.refused(&[&train[..], &["--out=ds"]].concat(), &["ds/model.safetensors", "holds no run"]);
    // What is left of a run in the folder of a view.
    for file in ["log.jsonl", "checkpoint.safetensors"] {
        let left = format!("left-{file}");
        std::fs::create_dir_all(room.path(&left).join("axial")).unwrap();
        std::fs::write(room.path(&left).join("axial").join(file), "mine").unwrap();
        room.refused(&[&train[..], &["--out", &left]].concat(), &[file, "holds no run"]);
    }
    // Label maps in the folder that made-up CTs go to.
    std::fs::create_dir_all(room.path("made/labels")).unwrap();
    std::fs::copy(room.path("a.nii.gz"), room.path("made/labels/synthetic_0001.nii.gz")).unwrap();
    room.refused(&["synth", "made", "-n=1", "--labels=made/labels"], &["synthetic_0001.nii.gz"]);
    std::fs::create_dir(room.path("mine")).unwrap();
    std::fs::copy(room.path("ct.nii.gz"), room.path("mine/ct.nii.gz")).unwrap();
    room.refused(&["demo", "--out=mine"], &["mine/ct.nii.gz", "not of a demo"]);
}

/// What protects strangers must not be in the way of a command that is run again.
#[test]
fn a_result_replaces_its_predecessor() {
    let room = Room::new();
    for _ in 0..2 {
        room.goes_well(&[
            "segment",
            "ct.nii.gz",
            "mask.mhd",
            MODEL,
            "--probability=prob.hdr",
            "--view-probabilities=v.nhdr",
            "--report=report.json",
        ]);
        room.goes_well(&["evaluate", "a.nii.gz", "b.nii.gz", "--csv=t.csv", "--json=t.json"]);
        room.goes_well(&["fuse", "--weights=1,1", "p.nii.gz", "q.nii.gz", "f.nii.gz", "--probability=g.nii.gz"]);
        room.goes_well(&["new-model", "new.safetensors", "-t=1", "--widths=2,2,2,2", "--global-widths=2,2,2,2,2"]);
        room.goes_well(&["combine", "m.safetensors", "half.safetensors", "--store=f16"]);
    }
    // A file that was made to reserve the name.
    std::fs::write(room.path("reserved.nii.gz"), "").unwrap();
    room.goes_well(&["fuse", "--weights=1,1", "p.nii.gz", "q.nii.gz", "reserved.nii.gz"]);
}

#[test]
fn names_are_compared_before_anything_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        |name: &'static str, file: &str| ggpfn::outputs::Output::new(name, folder.path().join(file), Kind::Any);
    assert!(check([], &[output("a", "x"), output("b", "y")]).is_ok());
    let text = check([], &[output("a", "x"), output("b", "./x")]).unwrap_err().to_string();
    assert!(text.starts_with("b: ") && text.contains("(a is the other)"), "{text}");
    let input = folder.path().join("x");
    assert!(check([input.as_path()], &[output("a", "x")]).is_err());
    // A folder is as good as the DICOM files in it, of which there are none.
    assert!(check([folder.path()], &[output("a", "x")]).is_ok());
}
