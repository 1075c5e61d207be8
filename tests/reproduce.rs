//! `ggpfn reproduce`: tables that are made once, taken up again, and never mixed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ggpfn::io::{self, Voxels};
use ggpfn::synthesis::phantom;
use ggpfn::volume::Volume;
use ndarray::s;

struct Room(tempfile::TempDir);

impl Room {
    /// Three small made-up CTs in a folder with a space in its name.
    fn new() -> Self {
        let room = Room(tempfile::tempdir().unwrap());
        for folder in ["images", "labels"] {
            std::fs::create_dir_all(room.path("a set").join(folder)).unwrap();
        }
        for seed in 1..=3 {
            let (volume, truth) = phantom(seed).unwrap();
            let part = s![8..36, 16..80, 20..100];
            let mut geometry = volume.geometry().clone();
            geometry.size = [80, 64, 28];
            let mut voxels = volume.voxels().slice(part).to_owned();
            voxels.slice_mut(s![.., ..2, ..]).fill(-1000.0); // before the patient is air, as in every CT
            let volume = Volume::new(voxels, geometry).unwrap();
            let name = format!("case{seed}.nii.gz");
            let write = |folder: &str, voxels: Voxels| {
                io::write(&room.path("a set").join(folder).join(&name), voxels, volume.geometry()).unwrap();
            };
            write("images", Voxels::F32(volume.voxels()));
            write("labels", Voxels::U8(truth.slice(part)));
        }
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, out: &str, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ggpfn"))
            .arg("reproduce")
            .arg(self.path("a set"))
            .arg("--out")
            .arg(self.path(out))
            .args(["--scale", "small", "--effort", "0.001", "--device", "cpu"])
            .args(more)
            .env("OMP_NUM_THREADS", "1")
            .output()
            .unwrap()
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn tables_are_written_once_and_taken_up_again() {
    let room = Room::new();
    // No time: nothing is trained, the tables say so, and the same command goes on.
    let chosen = ["--systems", "unet-full,one-off-1", "--curves"];
    let stopped = room.run("tables", &[&chosen[..], &["--max-minutes", "0.0001"]].concat());
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    assert!(String::from_utf8_lossy(&stopped.stdout).contains("the same command goes on"));
    let table = room.path("tables/tables.md");
    assert!(text(&table).contains("| 3D UNet-Full | 0 | - |"), "{}", text(&table));

    let done = room.run("tables", &chosen);
    assert!(done.status.success(), "{}", stderr(&done));
    let first = text(&table);
    // One test case in each row that was asked for, the paper's numbers beside it, and no other row.
    assert!(
        first.contains("| 3D UNet-Full | 1 | ") && first.contains("| 817329 | 81.13 ± 8.20 | 61.84 | 93.49 |"),
        "{first}"
    );
    assert!(first.contains("| guided, one-off, T = 1 | 1 | ") && !first.contains("RSTN-A"), "{first}");
    let json: serde_json::Value = serde_json::from_str(&text(&room.path("tables/tables.json"))).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 2);
    assert!(json["rows"][0]["cases"][0]["measures"]["dice"].is_number());
    assert!(room.path("tables/curves.png").exists());

    // What is there is not done again.
    let mask = room.path("tables/unet-full/seed-1/masks-axial");
    let mask = std::fs::read_dir(mask).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    let before = [&mask, &room.path("tables/unet-full/seed-1/model.safetensors")]
        .map(|path| path.metadata().unwrap().modified().unwrap());
    assert!(room.run("tables", &chosen).status.success());
    let after = [&mask, &room.path("tables/unet-full/seed-1/model.safetensors")]
        .map(|path| path.metadata().unwrap().modified().unwrap());
    assert_eq!((before, text(&table)), (after, first));

    // Another effort would be another table.
    let other = Command::new(env!("CARGO_BIN_EXE_ggpfn"))
        .arg("reproduce")
        .arg(room.path("a set"))
        .arg("--out")
        .arg(room.path("tables"))
        .args(["--scale", "small", "--effort", "0.5"])
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("choose another folder"), "{}", stderr(&other));
}

/// Networks that begin with somebody's weights have rows of their own, beside those from scratch.
#[test]
fn rows_from_weights_and_from_scratch_are_named_apart() {
    let room = Room::new();
    let weights = room.path("an fcn.safetensors");
    // An FCN-8s of two channels, by the names of its layers.
    let made = Command::new(env!("CARGO_BIN_EXE_ggpfn"))
        .args(["new-model", "--baseline", "fcn8s", "--width", "2", "--views", "axial"])
        .arg(room.path("model.safetensors"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let model = std::fs::read(room.path("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&model).unwrap();
    let own = tensors.iter().map(|(name, tensor)| (name.strip_prefix("axial.").unwrap(), tensor));
    std::fs::write(&weights, safetensors::serialize(own, None).unwrap()).unwrap();

    let weights = weights.to_str().unwrap();
    let seconds = ["--max-minutes", "0.0001"];
    let without = room.run("tables", &[&["--systems", "fcn8s-scratch"][..], &seconds].concat());
    assert!(without.status.success(), "{}", stderr(&without));
    let both = ["--systems", "fcn8s,fcn8s-scratch", "--weights", weights];
    // A call that is refused for its effort leaves the folder's settings alone.
    let settings = text(&room.path("tables/reproduce.json"));
    let refused = Command::new(env!("CARGO_BIN_EXE_ggpfn"))
        .arg("reproduce")
        .arg(room.path("a set"))
        .arg("--out")
        .arg(room.path("tables"))
        .args(["--scale", "small", "--effort", "0.5"])
        .args(both)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert_eq!(text(&room.path("tables/reproduce.json")), settings);
    let with = room.run("tables", &[&both[..], &seconds].concat());
    assert!(with.status.success(), "{}", stderr(&with));
    let table = text(&room.path("tables/tables.md"));
    for row in ["| 2D FCN8s-A | 0 | ", "| 2D FCN8s-A (scratch) | 0 | ", "| P3D FCN8s (scratch) | 0 | "] {
        assert!(table.contains(row), "{table}");
    }
    assert!(table.contains("began with the weights that were given"), "{table}");
    // Trained, the row is there; the network is as wide as the file's.
    let trained = room.run("tables", &["--systems", "fcn8s", "--weights", weights]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    assert!(text(&room.path("tables/tables.md")).contains("| 2D FCN8s-A | 1 | "));
    let run = room.path("tables/fcn8s/seed-1/initial.safetensors");
    let first = std::fs::read(run).unwrap();
    let first = safetensors::SafeTensors::deserialize(&first).unwrap();
    assert_eq!(first.tensor("coronal.fc7.weight").unwrap().data(), tensors.tensor("axial.fc7.weight").unwrap().data());

    for (more, sentence) in [
        (&["--systems", "fcn8s"][..], "--weights"),
        (
            &["--systems", "fcn8s", "--weights", room.path("model.safetensors").to_str().unwrap()],
            "conv1_1.weight is missing",
        ),
    ] {
        let refused = room.run("others", more);
        assert!(!refused.status.success() && stderr(&refused).contains(sentence), "{more:?}: {}", stderr(&refused));
        assert!(!room.path("others").exists(), "{more:?}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let room = Room::new();
    for (more, sentence) in [
        (&["--systems", "unet-half"][..], "unet-half"),
        (&["--max-minutes", "-1"], "--max-minutes"),
        (&["--tables", "3"], "3"),
    ] {
        let output = room.run("refused", more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(sentence), "{more:?}: {}", stderr(&output));
        assert!(!room.path("refused").exists(), "{more:?}");
    }
    // Somebody else's file is not replaced.
    std::fs::create_dir_all(room.path("mine")).unwrap();
    std::fs::write(room.path("mine/tables.md"), "mine").unwrap();
    let output = room.run("mine", &["--systems", "unet-full"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(text(&room.path("mine/tables.md")), "mine");
}
