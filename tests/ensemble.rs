//! Several models together: the mean of their fused probabilities, whatever networks, views and grids they have.

mod common;

use std::process::{Command, Output};
use std::sync::Mutex;

use common::{max_difference, scrambled, small_config, textured_volume};
use ggpfn::inference::{
    estimate_memory, segment, Cancel, DeviceChoice, Ensemble, Monitor, PrecisionChoice, Region, SegmentOptions,
    Segmentation,
};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::labels::LabelSet;
use ggpfn::network::{Baseline, Model, ModelConfig, WeightType, LABELS_FORMAT};
use ggpfn::volume::{View, Volume};
use ggpfn::Error;
use ndarray::{Array3, Zip};
use serde_json::Value;

fn options() -> SegmentOptions {
    SegmentOptions {
        device: DeviceChoice::Cpu,
        precision: PrecisionChoice::F32,
        threads: Some(1),
        keep_views: true,
        uncertainty: true,
        ..SegmentOptions::default()
    }
}

fn model(seed: u64, change: impl FnOnce(&mut ModelConfig)) -> Model {
    let mut config = small_config().with_ggpfn(|network| network.t = 2);
    change(&mut config);
    scrambled(config, seed)
}

fn volume() -> Volume {
    textured_volume([10, 24, 20], 3)
}

fn together(models: &[&Model], options: &SegmentOptions) -> Segmentation {
    Ensemble::new(models).unwrap().segment(&volume(), options, &Monitor::default()).unwrap()
}

fn mean(maps: &[&Array3<f32>]) -> Array3<f32> {
    let mut sum = maps[0].mapv(f64::from);
    maps[1..].iter().for_each(|map| Zip::from(&mut sum).and(*map).for_each(|sum, p| *sum += f64::from(*p)));
    sum.mapv(|sum| (sum / maps.len() as f64) as f32)
}

#[test]
fn an_ensemble_is_the_mean_of_its_models_before_the_threshold() {
    let models = [model(1, |_| {}), model(2, |_| {}), model(3, |_| {})];
    let alone: Vec<_> =
        models.iter().map(|model| segment(model, &volume(), &options(), &Monitor::default()).unwrap()).collect();
    let found = together(&models.each_ref(), &options());
    let expected = mean(&alone.iter().map(|one| &one.probability).collect::<Vec<_>>());
    assert!(max_difference(found.probability.view(), expected.view()) < 1e-6);
    assert!(max_difference(found.probability.view(), alone[0].probability.view()) > 0.05, "the models agree anyway");
    // The mask is the mean's, not a vote of masks.
    assert_eq!(found.mask, found.probability.mapv(|p| u8::from(f64::from(p) >= 0.5)));
    let votes =
        Zip::from(&alone[0].mask).and(&alone[1].mask).and(&alone[2].mask).map_collect(|a, b, c| (a + b + c) / 2);
    assert_ne!(found.mask, votes);
    for view in View::ALL {
        let expected = mean(&alone.iter().map(|one| &one.views[&view]).collect::<Vec<_>>());
        assert!(max_difference(found.views[&view].view(), expected.view()) < 1e-6, "{view}");
    }
    // The disagreement is that of all nine networks.
    let maps: Vec<_> = alone.iter().flat_map(|one| one.views.values()).collect();
    let centre = mean(&maps);
    let deviation = Array3::from_shape_fn(centre.dim(), |at| {
        (maps.iter().map(|map| (f64::from(map[at]) - f64::from(centre[at])).powi(2)).sum::<f64>() / 9.0).sqrt() as f32
    });
    assert!(max_difference(found.uncertainty.unwrap().view(), deviation.view()) < 1e-5);
    // What is said of the views' agreement is what is said of each model's.
    let agreement: Vec<f64> = alone.iter().map(|one| one.quality.features.view_soft_dice.unwrap()).collect();
    let said = found.quality.features.view_soft_dice.unwrap();
    assert!((said - agreement.iter().sum::<f64>() / 3.0).abs() < 1e-9, "{said}: {agreement:?}");
    assert_eq!((found.threshold, found.view_weights.len()), (0.5, 3));
}

#[test]
fn one_model_or_the_same_twice_is_that_model_to_the_bit() {
    for spacing in [None, Some([2.0, 1.1, 1.3])] {
        let model = model(1, |config| (config.spacing, config.threshold) = (spacing, 0.4));
        let mut options = options();
        for region in [None, Some(Region { start: [2, 3, 1], size: [16, 18, 8] })] {
            options.region = region;
            let alone = segment(&model, &volume(), &options, &Monitor::default()).unwrap();
            for models in [&[&model][..], &[&model, &model]] {
                let found = together(models, &options);
                assert_eq!(found.probability, alone.probability);
                assert_eq!((&found.mask, &found.views), (&alone.mask, &alone.views));
                assert_eq!((found.threshold, &found.view_weights), (0.4, &alone.view_weights));
                assert_eq!(found.measurements, alone.measurements);
                assert_eq!(found.quality, alone.quality);
            }
        }
        options.mask_only = true;
        assert!(together(&[&model, &model], &options).probability.is_empty());
    }
}

#[test]
fn networks_views_grids_and_labels_may_be_mixed() {
    let unet = |labels: &LabelSet| {
        let network = Baseline::named("unet-full").unwrap().with_width(2);
        let config = ModelConfig {
            format: LABELS_FORMAT,
            labels: labels.clone(),
            views: vec![View::Axial],
            network: network.into(),
            ..ModelConfig::default()
        };
        Model::new_untrained(config, 5).unwrap()
    };
    let pancreas = LabelSet::default();
    let coarse = model(1, |config| config.spacing = Some([3.0, 2.0, 2.0]));
    let own = model(2, |config| config.views = vec![View::Sagittal, View::Coronal]);
    let unet = unet(&pancreas);
    let plain = SegmentOptions { keep_views: false, uncertainty: false, ..options() };
    let alone = |model: &Model| segment(model, &volume(), &plain, &Monitor::default()).unwrap().probability;
    let expected = mean(&[&alone(&coarse), &alone(&own), &alone(&unet)]);
    for options in [plain.clone(), options()] {
        let found = together(&[&coarse, &own, &unet], &options);
        assert!(max_difference(found.probability.view(), expected.view()) < 1e-6);
        let weights = found.view_weights;
        assert!((weights.values().sum::<f64>() - 1.0).abs() < 1e-12 && weights[&View::Axial] > weights[&View::Coronal]);
    }
    let two = |seed, spacing| {
        model(seed, |config| {
            config.format = LABELS_FORMAT;
            (config.labels, config.spacing) = (LabelSet::named(["pancreas", "tumour"]), spacing);
            config.labels.labels[1].threshold = Some(0.2 * seed as f64);
        })
    };
    for spacing in [None, Some([3.0, 2.0, 2.0])] {
        let models = [two(1, None), two(2, spacing)];
        let alone = models.each_ref().map(|model| segment(model, &volume(), &options(), &Monitor::default()).unwrap());
        let found = together(&models.each_ref(), &options());
        let expected = mean(&[&alone[0].others[0].probability, &alone[1].others[0].probability]);
        assert!(max_difference(found.others[0].probability.view(), expected.view()) < 1e-6);
        assert!((found.others[0].threshold - 0.3).abs() < 1e-12);
    }
    // A view that one of them lacks cannot be asked for.
    let axial = SegmentOptions { views: vec![View::Axial], ..plain };
    let error = Ensemble::new(&[&coarse, &own]).unwrap().segment(&volume(), &axial, &Monitor::default()).unwrap_err();
    assert!(error.to_string().contains("of model 2 of the ensemble: the model has no axial view"), "{error}");
}

#[test]
fn progress_goes_through_all_models_and_cancel_stops_the_second() {
    let models = [model(1, |_| {}), model(2, |_| {})];
    let ensemble = Ensemble::new(&models.each_ref()).unwrap();
    let heard = Mutex::new(Vec::new());
    let monitor = Monitor::new(Cancel::new(), |progress| heard.lock().unwrap().push(progress.clone()));
    let found = ensemble.segment(&volume(), &options(), &monitor).unwrap();
    drop(monitor);
    let heard = heard.into_inner().unwrap();
    assert!(heard.windows(2).all(|pair| pair[0].fraction <= pair[1].fraction), "progress fell");
    assert_eq!(heard.last().unwrap().fraction, 1.0);
    for (phase, from, to) in [("axial view, model 1 of 2", 0.0, 0.5), ("coronal view, model 2 of 2", 0.5, 1.0)] {
        let of_phase: Vec<_> = heard.iter().filter(|progress| progress.phase == phase).collect();
        assert!(!of_phase.is_empty() && of_phase.iter().all(|progress| (from..=to).contains(&progress.fraction)));
        assert!(found.phases.iter().any(|timed| timed.name == phase));
    }
    let cancel = Cancel::new();
    let monitor = Monitor::new(cancel.clone(), |progress| {
        if progress.phase.ends_with("model 2 of 2") {
            cancel.cancel();
        }
    });
    assert!(matches!(ensemble.segment(&volume(), &options(), &monitor), Err(Error::Cancelled)));
}

#[test]
fn the_memory_of_an_ensemble_is_that_of_its_largest_model_and_a_sum() {
    let (small, large) = (model(1, |_| {}), scrambled(small_config(), 2));
    let geometry = ggpfn::volume::Geometry::axis_aligned([256, 256, 60], [0.8, 0.8, 2.5]);
    let plain = SegmentOptions { keep_views: false, uncertainty: false, ..options() };
    let most = estimate_memory(&large, &geometry, &plain).unwrap().host;
    let both = |options: &SegmentOptions| {
        Ensemble::new(&[&small, &large]).unwrap().estimate_memory(&geometry, options).unwrap().host
    };
    let voxels = 256 * 256 * 60;
    assert_eq!(both(&plain), most + 4 * voxels);
    assert!(both(&options()) > both(&plain));
    let five = Ensemble::new(&[&small, &large, &small, &large, &small]).unwrap();
    assert_eq!(five.estimate_memory(&geometry, &plain).unwrap().host, both(&plain));
}

/// A folder with a space in its name, a scan and models.
struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Room(tempfile::Builder::new().prefix("two models ").tempdir().unwrap());
        let volume = volume();
        io::write(&room.0.path().join("ct.nii.gz"), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
        room.save("a.safetensors", &model(1, |config| config.threshold = 0.3));
        room.save("b.safetensors", &model(2, |config| config.threshold = 0.5));
        let labels = LabelSet::named(["pancreas", "tumour"]);
        room.save("two.safetensors", &model(3, |config| (config.format, config.labels) = (LABELS_FORMAT, labels)));
        room
    }

    fn save(&self, name: &str, model: &Model) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        model.save(&path, WeightType::F32).unwrap();
    }

    fn run(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.0.path()).env_remove("GGPFN_MODEL");
        command.args([
            "segment",
            "ct.nii.gz",
            "mask.nii.gz",
            "--threads",
            "1",
            "--precision",
            "f32",
            "--device",
            "cpu",
        ]);
        command.args(["--probability", "p.nii.gz", "--report", "report.json"]).args(more).output().unwrap()
    }

    fn refused(&self, more: &[&str], code: i32, sentence: &str) {
        let output = self.run(more);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(sentence), "\"{sentence}\" is not in \"{text}\"");
        assert!(!self.0.path().join("mask.nii.gz").exists());
    }

    fn probability(&self) -> Array3<f32> {
        let volume = io::read(&self.0.path().join("p.nii.gz"), &ReadOptions::default()).unwrap();
        volume.voxels().to_owned()
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.path().join("report.json")).unwrap()).unwrap()
    }
}

#[test]
fn the_program_takes_several_models_and_says_which() {
    let room = Room::new();
    room.refused(&["-m", "a.safetensors", "-m", "two.safetensors"], 2, "number 2 segments pancreas (1) and tumour (2)");
    room.refused(&["-m", "a.safetensors", "-m", "./a.safetensors"], 2, "a.safetensors is named twice");
    room.refused(&["-m", "a.safetensors", "-m", "no.safetensors"], 5, "no.safetensors");
    room.refused(&["-m", "b.safetensors", "-m", "mask.nii.gz"], 2, "mask.nii.gz");

    let mut single = Vec::new();
    for name in ["a.safetensors", "b.safetensors"] {
        let output = room.run(&["-m", name]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(room.report()["model"]["file"], name);
        assert!(room.report()["model"].get("models").is_none(), "a single model's report is what it was");
        single.push(room.probability());
    }
    let output = room.run(&["-m", "a.safetensors", "--model", "b.safetensors"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = mean(&[&single[0], &single[1]]);
    assert!(max_difference(room.probability().view(), expected.view()) < 1e-6);
    let report = room.report();
    assert_eq!(report["threshold"], 0.4, "the mean of the models' own");
    let hashes: Vec<String> = ["a.safetensors", "b.safetensors"]
        .map(|name| Model::load(&room.0.path().join(name)).unwrap().sha256().to_string())
        .to_vec();
    for (number, hash) in hashes.iter().enumerate() {
        assert_eq!(report["model"]["models"][number]["sha256"], *hash);
    }
    let (a, b) = (Model::load(&room.0.path().join("a.safetensors")), Model::load(&room.0.path().join("b.safetensors")));
    assert_eq!(report["model"]["sha256"], Ensemble::new(&[&a.unwrap(), &b.unwrap()]).unwrap().sha256());
    assert_eq!(report["model"]["file"], "a.safetensors, b.safetensors");
}

#[test]
fn a_folder_of_folds_is_an_ensemble_once_all_are_done() {
    let room = Room::new();
    let folder = room.0.path().join("my folds");
    room.save("my folds/fold-1/model.safetensors", &model(1, |_| {}));
    room.save("my folds/fold-2/model.safetensors", &model(2, |_| {}));
    std::fs::write(folder.join("folds.json"), r#"{"seed": 0, "folds": [["x"], ["y"]]}"#).unwrap();
    std::fs::write(folder.join("fold-1/done"), "").unwrap();
    room.refused(&["-m", "my folds"], 2, "fold 2 of the 2 in my folds is not trained to its end");
    std::fs::write(folder.join("fold-2/done"), "").unwrap();
    let output = room.run(&["-m", "my folds"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(room.report()["model"]["models"].as_array().unwrap().len(), 2);
    let together = room.probability();
    // A run's folder is its model.
    let output = room.run(&["-m", "my folds/fold-1", "-m", "my folds/fold-2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(room.probability(), together);
}
