//! Training: a volume is learned, a run survives anything, samples and truths stay together.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ggpfn::inference::{segment, Cancel, DeviceChoice, Monitor, PrecisionChoice, Region, SegmentOptions};
use ggpfn::io::{self, Voxels};
use ggpfn::network::{Model, ModelConfig};
use ggpfn::synthesis::phantom;
use ggpfn::training::deform::Deformation;
use ggpfn::training::sample::{self, Place, Shape};
use ggpfn::training::{
    Augmentation, Cases, Event, OrganOptions, Preset, Run, RunEnd, Stage, TrainOptions, TrainingCase,
};
use ggpfn::volume::{Geometry, View, Volume};
use ndarray::{s, Array3, Array4, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network of seconds.
fn tiny() -> TrainOptions {
    let mut options = TrainOptions::preset(Preset::Small);
    options.views = vec![View::Axial, View::Coronal];
    options.t = 2;
    options.widths = [4, 4, 6, 8];
    options.global_widths = [2, 3, 4, 4, 5];
    options.spacing = None;
    for view in View::ALL {
        options.global_size.insert(view, [64, 64]);
        options.patch.insert(view, [32, 40]);
    }
    options.slices_per_sample = 2;
    for stage in [&mut options.global, &mut options.local, &mut options.whole] {
        (stage.epochs, stage.batch) = (2, 3);
    }
    options.validate_every = 1;
    options.mixed_precision = false;
    options
}

fn small_phantom(seed: u64) -> (Volume, Array3<u8>) {
    let (volume, truth) = phantom(seed).unwrap();
    let part = s![10..34, 20..68, 30..90];
    let mut geometry = volume.geometry().clone();
    geometry.size = [60, 48, 24];
    let mut voxels = volume.voxels().slice(part).to_owned();
    voxels.slice_mut(s![.., ..2, ..]).fill(-1000.0); // before the patient is air, as in every CT
    (Volume::new(voxels, geometry).unwrap(), truth.slice(part).to_owned())
}

fn case(seed: u64, config: &ModelConfig) -> Arc<TrainingCase> {
    let (volume, truth) = small_phantom(seed);
    Arc::new(TrainingCase::new(&format!("phantom {seed}"), &volume, truth.view(), config).unwrap())
}

fn dice(a: &Array3<u8>, b: &Array3<u8>) -> f64 {
    let count = |m: &Array3<u8>| m.iter().filter(|v| **v != 0).count() as f64;
    let both = a.iter().zip(b).filter(|(a, b)| **a != 0 && **b != 0).count() as f64;
    2.0 * both / (count(a) + count(b))
}

#[test]
fn a_single_volume_is_learned_to_a_dice_of_0_95() {
    let mut options = TrainOptions::preset(Preset::Small);
    options.views = vec![View::Axial];
    options.t = 2;
    options.widths = [16, 16, 16, 32];
    options.global_widths = [8, 8, 8, 8, 16];
    options.spacing = None;
    options.global_size.insert(View::Axial, [64, 64]);
    options.patch.insert(View::Axial, [64, 64]);
    options.slices_per_sample = 4;
    options.samples_per_volume = 8;
    options.augmentation = Augmentation { rotation_degrees: 0.0, elastic_mm: 0.0, ..Default::default() };
    (options.global.epochs, options.local.epochs, options.whole.epochs) = (4, 45, 20);
    let (volume, truth) = phantom(1).unwrap();
    let case = TrainingCase::new("phantom", &volume, truth.view(), &options.model_config()).unwrap();
    let run = Run::new(options, Cases { train: vec![Arc::new(case)], validation: vec![] }).unwrap();
    let start = Instant::now();
    let outcome = run.device(DeviceChoice::Cpu).train(&Cancel::new(), &|_| {}).unwrap();
    assert_eq!(outcome.end, RunEnd::Done);
    let result = segment(&outcome.model, &volume, &SegmentOptions::default(), &Monitor::default()).unwrap();
    let reached = dice(&result.mask, &truth);
    println!("Dice {reached:.4} after {:.0} s", start.elapsed().as_secs_f64());
    assert!(reached >= 0.95, "Dice {reached}");
}

/// A body with a bright organ, in which a brighter lump lies.
fn organ_with_tumour(seed: u64) -> (Volume, Array3<u8>) {
    let middle = 20.0 + (seed % 3) as f64;
    let distance = |(z, y, x): (usize, usize, usize), centre: [f64; 3]| {
        let d = [z as f64 - centre[0], y as f64 - centre[1], x as f64 - centre[2]];
        d.iter().map(|d| d * d).sum::<f64>().sqrt()
    };
    let values = Array3::from_shape_fn((24, 48, 48), |at| match at {
        at if distance(at, [12.0, middle, 26.0]) < 4.5 => 2,
        at if distance(at, [12.0, 22.0, 24.0]) < 11.0 => 1,
        _ => 0,
    });
    let mut voxels = values.mapv(|value| [-20.0, 80.0, 150.0][usize::from(value)]);
    voxels.slice_mut(s![.., ..3, ..]).fill(-1000.0);
    (Volume::new(voxels, Geometry::axis_aligned([48, 48, 24], [1.0, 1.0, 2.0])).unwrap(), values)
}

/// The paper's labels, pancreas with tumour, and the tumour of its own: learned, written to a file, read, segmented, each label apart and as
/// one map; and labels that exclude each other.
#[test]
fn two_labels_are_learned_and_found() {
    for exclusive in [false, true] {
        let mut options = tiny();
        options.views = vec![View::Axial];
        options.widths = [8, 8, 8, 8];
        options.augmentation = Augmentation { rotation_degrees: 0.0, elastic_mm: 0.0, ..Default::default() };
        options.slices_per_sample = 6;
        options.samples_per_volume = 8;
        let pancreas = if exclusive { "pancreas=1" } else { "pancreas=1,2" };
        options.labels = [pancreas, "tumour=2"].iter().map(|label| label.parse().unwrap()).collect();
        options.exclusive_labels = exclusive;
        for stage in [&mut options.global, &mut options.local, &mut options.whole] {
            (stage.epochs, stage.batch, stage.learning_rate) = (0, 4, 1e-2);
        }
        (options.local.epochs, options.whole.epochs) = (18, 7);
        let bits = options.label_bits();
        let config = options.model_config();
        assert_eq!((config.format, config.labels.count()), (2, 2));
        let cases: Vec<_> = (0..2)
            .map(|seed| {
                let (volume, values) = organ_with_tumour(seed);
                let labels = values.mapv(|value| bits.of(u16::from(value)));
                Arc::new(TrainingCase::new(&format!("case {seed}"), &volume, labels.view(), &config).unwrap())
            })
            .collect();
        let cases = Cases { train: cases.clone(), validation: cases };
        let outcome =
            Run::new(options, cases).unwrap().device(DeviceChoice::Cpu).train(&Cancel::new(), &|_| {}).unwrap();
        let validated = outcome.dice[&View::Axial].unwrap();

        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("two labels.safetensors");
        outcome.model.save(&path, ggpfn::network::WeightType::F32).unwrap();
        let model = ggpfn::network::Model::load(&path).unwrap();
        let mut mean = 0.0;
        for seed in 0..2 {
            let (volume, values) = organ_with_tumour(seed);
            let exact = SegmentOptions { precision: PrecisionChoice::F32, ..Default::default() };
            let result = segment(&model, &volume, &exact, &Monitor::default()).unwrap();
            let [tumour] = &result.others[..] else { panic!("two labels were expected") };
            assert_eq!((result.label.name.as_str(), tumour.label.name.as_str()), ("pancreas", "tumour"));
            let whole = values.mapv(|value| u8::from(value != 0 && !(exclusive && value == 2)));
            let reached = [dice(&result.mask, &whole), dice(&tumour.mask, &values.mapv(|value| u8::from(value == 2)))];
            assert!(reached.iter().all(|dice| *dice > 0.75), "exclusive {exclusive}: {reached:?}");
            mean += reached.iter().sum::<f64>() / 4.0;
            assert_eq!(tumour.measurements.voxels, tumour.mask.iter().filter(|inside| **inside != 0).count());
            // A voxel of the map has the last label that it is in.
            let map = result.label_map().unwrap();
            for ((value, pancreas), tumour) in map.iter().zip(&result.mask).zip(&tumour.mask) {
                assert_eq!(*value, if *tumour == 1 { 2 } else { *pancreas });
                assert!(!exclusive || pancreas + tumour < 2);
            }
            // A region's results lie where the region is.
            let region = Region { start: [4, 5, 3], size: [40, 40, 19] };
            let options = SegmentOptions { region: Some(region), ..exact };
            let part = segment(&model, &volume, &options, &Monitor::default()).unwrap();
            assert_eq!(part.others[0].mask.dim(), values.dim());
            assert!(dice(&part.others[0].mask, &tumour.mask) > 0.8);
        }
        // What the training measured is what inference finds.
        assert!((validated - mean).abs() < 1e-3, "{validated} {mean}");
    }
}

/// What a run on the processor gives depends on nothing but its options: not on the number of threads that make batches, nor on being
/// stopped and taken up.
#[test]
fn stopped_and_resumed_gives_the_same_bits() {
    let options = tiny();
    let config = options.model_config();
    let cases = || Cases { train: (1..4).map(|i| case(i, &config)).collect(), validation: vec![case(9, &config)] };
    let run = |options: &TrainOptions| Run::new(options.clone(), cases()).unwrap().device(DeviceChoice::Cpu);
    let whole = run(&options).train(&Cancel::new(), &|_| {}).unwrap();
    assert_eq!(whole.end, RunEnd::Done);
    let folder = tempfile::tempdir().unwrap();
    let mut stops = 0;
    let pieces = loop {
        let options = TrainOptions { loader_threads: Some(1 + stops % 3), ..options.clone() };
        let cancel = Cancel::new();
        let steps = std::sync::atomic::AtomicUsize::new(0);
        // Another number of steps each time, so that it stops within epochs, at their ends, at stages' ends.
        let stop = |_: &Event| {
            if steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == stops % 4 {
                cancel.cancel();
            }
        };
        let outcome = run(&options).folder(folder.path(), true).train(&cancel, &stop).unwrap();
        if outcome.end == RunEnd::Done {
            break outcome;
        }
        stops += 1;
    };
    assert!(stops > 8, "{stops} stops");
    assert_eq!(pieces.model.weights(), whole.model.weights());
    assert_eq!(pieces.dice, whole.dice);
    let log = std::fs::read_to_string(folder.path().join("axial/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 6, "an epoch is missing or twice:\n{log}");
}

#[test]
fn a_checkpoint_of_other_options_or_cases_is_refused() {
    let options = tiny();
    let config = options.model_config();
    let folder = tempfile::tempdir().unwrap();
    let go = |options: &TrainOptions, seed: u64| {
        let cases = Cases { train: vec![case(seed, &config)], validation: vec![] };
        let cancel = Cancel::new();
        cancel.cancel();
        Run::new(options.clone(), cases).unwrap().folder(folder.path(), true).train(&cancel, &|_| {})
    };
    assert_eq!(go(&options, 1).unwrap().end, RunEnd::Cancelled);
    assert_eq!(go(&options, 1).unwrap().end, RunEnd::Cancelled);
    assert!(go(&options, 2).unwrap_err().to_string().contains("other cases"));
    assert!(go(&TrainOptions { seed: 5, ..options.clone() }, 1).unwrap_err().to_string().contains("other options"));
    // Versions before this one turned samples about other points and counted other pixels.
    let path = folder.path().join("axial/checkpoint.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let format = br#"\"format\":2"#;
    let at = bytes.windows(format.len()).position(|window| window == format).unwrap();
    bytes[at + format.len() - 1] = b'1';
    std::fs::write(&path, bytes).unwrap();
    let error = go(&options, 1).unwrap_err().to_string();
    assert!(error.contains("earlier version") && error.contains("another folder"), "{error}");
}

/// Stage 3 with a learning rate that ruins everything does not cost what stage 2 had learned.
#[test]
fn the_best_of_the_stages_that_make_masks_is_kept() {
    let mut options = tiny();
    options.views = vec![View::Axial];
    options.threshold = 0.1;
    options.samples_per_volume = 8;
    (options.global.epochs, options.local.epochs, options.whole.epochs) = (1, 4, 2);
    (options.whole.learning_rate, options.whole.final_learning_rate) = (1.0, None);
    let config = options.model_config();
    let cases = Cases { train: vec![case(1, &config)], validation: vec![case(1, &config)] };
    let heard = std::sync::Mutex::new(Vec::new());
    let outcome = Run::new(options, cases)
        .unwrap()
        .device(DeviceChoice::Cpu)
        .train(&Cancel::new(), &|event| heard.lock().unwrap().extend(event.dice.map(|dice| (event.stage, dice))))
        .unwrap();
    let best = |stage: Stage| {
        let heard = heard.lock().unwrap();
        heard.iter().filter(|(of, _)| *of == stage).map(|(_, dice)| *dice).fold(0.0, f64::max)
    };
    let (local, whole) = (best(Stage::Local), best(Stage::Whole));
    assert!(local > whole, "stage 3 ruined nothing: {heard:?}");
    assert_eq!(outcome.dice[&View::Axial], Some(local));
    let said = &outcome.model.config().training["views"]["axial"];
    assert_eq!((said["stage"].as_str(), said["dice"].as_f64()), (Some("local"), Some(local)), "{said}");
    let (volume, truth) = small_phantom(1);
    let found = segment(&outcome.model, &volume, &SegmentOptions::default(), &Monitor::default()).unwrap();
    assert!((dice(&found.mask, &truth) - local).abs() < 1e-3, "{} {local}", dice(&found.mask, &truth));
}

/// Without a global branch the whole network is the progressive fusion network: it is trained, from nothing and from a model.
#[test]
fn fine_tuning_without_global_guidance_starts() {
    let options = TrainOptions { global_guidance: false, views: vec![View::Axial], ..tiny() };
    let config = options.model_config();
    let cases = || Cases { train: vec![case(1, &config)], validation: vec![] };
    let stages = |options: TrainOptions, init: Option<&Model>| {
        let heard = std::sync::Mutex::new(Vec::new());
        let run = Run::new(options, cases()).unwrap().device(DeviceChoice::Cpu);
        let run = init.into_iter().fold(run, |run, model| run.init(model.clone()));
        let outcome = run.train(&Cancel::new(), &|event| {
            assert!(event.losses.global.is_none());
            heard.lock().unwrap().push((event.stage, event.epoch[0]));
        });
        let mut heard = heard.into_inner().unwrap();
        heard.dedup();
        (outcome.unwrap().model, heard)
    };
    let epochs = |stage: Stage| [(stage, 1), (stage, 2)];
    let (model, heard) = stages(options.clone(), None);
    assert_eq!(heard, [epochs(Stage::Local), epochs(Stage::Whole)].concat());
    let text =
        "slices_per_sample = 2\nmixed_precision = false\n[patch]\naxial = [32, 40]\n[whole]\nepochs = 2\nbatch = 3\n";
    let tuning = TrainOptions::fine_tuning(text, Preset::Small, model.config(), false).unwrap();
    let (tuned, heard) = stages(tuning, Some(&model));
    assert_eq!(heard, epochs(Stage::Whole));
    assert_ne!(tuned.weights(), model.weights());
}

#[test]
fn fine_tuning_starts_from_the_models_weights() {
    let mut options = tiny();
    let config = options.model_config();
    let model = Model::new_untrained(ModelConfig { views: View::ALL.to_vec(), ..config.clone() }, 3).unwrap();
    (options.global.epochs, options.local.epochs, options.whole.epochs) = (0, 0, 1);
    options.whole.learning_rate = 0.0;
    options.whole.final_learning_rate = None;
    let cases = || Cases { train: vec![case(1, &config)], validation: vec![] };
    let outcome =
        Run::new(options.clone(), cases()).unwrap().init(model.clone()).train(&Cancel::new(), &|_| {}).unwrap();
    for (name, array) in outcome.model.weights() {
        let same = *array == model.weights()[name];
        assert_eq!(same, !name.contains("running"), "{name}");
    }
    options.t = 3;
    let error = Run::new(options, cases()).unwrap().init(model).train(&Cancel::new(), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("t is 3, that of the model to start from 2"), "{error}");
}

/// A data set of small phantoms in the layout `pairs`, and a training of it in a folder with odd characters.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Room { folder: tempfile::Builder::new().prefix("übung & co (1) '").tempdir().unwrap() };
        for kind in ["data", "held out"] {
            for part in ["images", "labels"] {
                std::fs::create_dir_all(room.path(kind).join(part)).unwrap();
            }
        }
        for (folder, seed) in [("data", 1), ("data", 2), ("data", 3), ("held out", 4)] {
            let (volume, truth) = small_phantom(seed);
            let name = format!("scan {seed}.nii.gz");
            let folder = room.path(folder);
            io::write(&folder.join("images").join(&name), Voxels::F32(volume.voxels()), volume.geometry()).unwrap();
            io::write(&folder.join("labels").join(&name), Voxels::U8(truth.view()), volume.geometry()).unwrap();
        }
        let options = TrainOptions { checkpoint_minutes: 0.0, ..tiny() };
        std::fs::write(room.path("tiny.toml"), options.to_toml().unwrap()).unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        command.current_dir(self.folder.path()).args([
            "train",
            "data",
            "--validation",
            "held out",
            "--config",
            "tiny.toml",
        ]);
        command.args(["--device", "cpu", "--threads", "1", "--cache", "cache"]).arg("--out").arg(out).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Room {
    /// What the program says, and its exit code.
    fn says(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
        let output = command.current_dir(self.folder.path()).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).concat();
        (text, output.status.code())
    }
}

/// The program, with options of which the model to start from would settle some.
#[test]
fn what_a_config_file_names_holds_where_a_model_is_fine_tuned() {
    let room = Room::new();
    let config = ModelConfig { threshold: 0.3, views: View::ALL.to_vec(), ..tiny().model_config() };
    let model = Model::new_untrained(config, 3).unwrap();
    model.save(&room.path("init.safetensors"), ggpfn::network::WeightType::F32).unwrap();
    let names: Vec<String> = (1..4).map(|i| format!("\"scan {i}\"")).collect();
    let split = format!("{{\"seed\": 77, \"train\": [{}], \"validation\": [], \"test\": []}}", names.join(", "));
    std::fs::write(room.path("split.json"), split).unwrap();
    let train = |out: &str, text: &str, more: &[&str]| {
        std::fs::write(room.path("own.toml"), text).unwrap();
        let common = ["train", "data", "--config", "own.toml", "--preset=small", "--init", "init.safetensors"];
        let rest = ["--split", "split.json", "--device=cpu", "--threads=1", "--cache=cache", "--out", out];
        room.says(&[&common[..], &rest[..], more].concat())
    };
    let sizes = "mixed_precision = false\nslices_per_sample = 2\n[patch]\naxial = [32, 40]\ncoronal = [32, 40]\n[whole]\nepochs = 1\n";
    let (text, code) = train("run", &format!("views = [\"coronal\"]\n{sizes}"), &[]);
    assert_eq!(code, Some(0), "{text}");
    let log = std::fs::read_to_string(room.path("run/coronal/log.jsonl")).unwrap();
    assert!(log.lines().count() == 1 && log.contains("whole"), "{log}");
    let tuned = Model::load(&room.path("run/model.safetensors")).unwrap();
    assert_eq!((&tuned.config().views[..], tuned.config().threshold), (&[View::Coronal][..], 0.3));
    let said = &tuned.config().training;
    assert_eq!(said["initial_model_sha256"], model.sha256(), "{said}");
    assert_eq!(said["data"]["split_seed"], 77, "{said}");
    // Stopped before its first checkpoint, taken up without --init: it is the same fine-tuning.
    let (text, code) = train("again", &format!("views = [\"coronal\"]\n{sizes}"), &["--max-minutes=1e-9"]);
    assert_eq!(code, Some(0), "{text}");
    std::fs::remove_file(room.path("again/coronal/checkpoint.safetensors")).unwrap();
    let resume = ["train", "data", "--resume", "--split=split.json", "--device=cpu", "--cache=cache", "--out=again"];
    let (text, code) = room.says(&resume);
    assert_eq!(code, Some(0), "{text}");
    let again = Model::load(&room.path("again/model.safetensors")).unwrap();
    assert_eq!((again.weights(), &again.config().training), (tuned.weights(), said));
    let (text, code) = train("other", &format!("threshold = 0.6\n{sizes}"), &["--views=axial"]);
    assert_eq!(code, Some(0), "{text}");
    let other = Model::load(&room.path("other/model.safetensors")).unwrap();
    assert_eq!((&other.config().views[..], other.config().threshold), (&[View::Axial][..], 0.6));
    for (text, more) in [("t = 4\n", &[][..]), ("", &["-t=4"][..])] {
        let (said, code) = train("refused", &format!("{text}{sizes}"), more);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("t is 4, that of the model to start from 2"), "{said}");
        assert!(!room.path("refused").exists());
    }
}

/// Grey values and metres for millimetres, say: `dataset check` calls it an error, and `train` does not train on it, in the same words.
#[test]
fn what_a_check_of_the_data_calls_an_error_is_not_trained_on() {
    let room = Room::new();
    let image = room.path("data/images/scan 2.nii.gz");
    let label = room.path("data/labels/scan 2.nii.gz");
    let (volume, truth) = small_phantom(2);
    let lay_down = |voxels: &Array3<f32>, geometry: &Geometry| {
        io::write(&image, Voxels::F32(voxels.view()), geometry).unwrap();
        io::write(&label, Voxels::U8(truth.view()), geometry).unwrap();
    };
    let own = volume.voxels().to_owned();
    let of_spacing = |factor: f64| {
        let mut geometry = volume.geometry().clone();
        geometry.spacing = geometry.spacing.map(|mm| factor * mm);
        geometry
    };
    let grey = own.mapv(|hu| ((hu + 160.0) / 400.0 * 255.0).clamp(0.0, 255.0).floor());
    for (voxels, geometry, fault, advice) in [
        (&grey, of_spacing(1.0), "from 0 to 255", "convert it to Hounsfield units"),
        (&own.mapv(|hu| hu + 1024.0), of_spacing(1.0), "1024 may have been added", "convert it to Hounsfield units"),
        (&own, of_spacing(0.001), "0.003 x 0.003 x 0.004 mm", "correct the spacing in its header"),
        (&own, of_spacing(7.0), "20 mm were expected", "correct the spacing in its header"),
    ] {
        lay_down(voxels, &geometry);
        let (checked, code) = room.says(&["dataset", "check", "data", "--layout=pairs"]);
        assert_ne!(code, Some(0), "{checked}");
        let output = room.train(&room.path("refused"), &[]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        for text in [&said, &checked] {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains("scan 2.nii.gz") && text.contains(fault) && text.contains(advice), "{text}");
        }
    }
    lay_down(&own, &of_spacing(1.0));
    let output = room.train(&room.path("accepted"), &["--epochs=1,0,0"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn killed_twenty_times_and_resumed_gives_the_same_bits() {
    let room = Room::new();
    let reference = room.train(&room.path("reference"), &[]).output().unwrap();
    assert!(reference.status.success(), "{}", String::from_utf8_lossy(&reference.stderr));
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let out = room.path("killed");
    let mut kills = 0;
    let start = Instant::now();
    // The time that a start takes here, so that kills come while it trains.
    let mut reach = 400_u64;
    loop {
        let mut child = room.train(&out, &["--resume"]).spawn().unwrap();
        let wait = Duration::from_millis(random.random_range(5..reach));
        let killed = Instant::now();
        while child.try_wait().unwrap().is_none() && killed.elapsed() < wait {
            std::thread::sleep(Duration::from_millis(1));
        }
        match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success(), "{:?}", child.wait_with_output());
                if kills >= 20 {
                    break;
                }
                // The machine has become faster meanwhile, and it was done too early: once more from the start.
                std::fs::remove_dir_all(&out).unwrap();
                (kills, reach) = (0, reach * 2 / 3);
            }
            None if kills < 20 => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                let checkpoints = out.join("coronal/checkpoint.safetensors").exists();
                reach = if checkpoints { reach } else { reach + 60 };
            }
            None => {
                assert!(child.wait().unwrap().success());
                break;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(600));
    }
    println!("killed {kills} times");
    let model = |folder: &Path| Model::load(&folder.join("model.safetensors")).unwrap();
    assert_eq!(model(&out).weights(), model(&room.path("reference")).weights());
    for view in ["axial", "coronal"] {
        let read = |folder: PathBuf| std::fs::read(folder.join(view).join("checkpoint.safetensors")).unwrap();
        assert!(read(out.clone()) == read(room.path("reference")), "{view}: the checkpoints differ");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_leaves() {
    let room = Room::new();
    let out = room.path("run");
    let child = room.train(&out, &["--epochs", "2,5000,2"]).spawn().unwrap();
    let log = out.join("axial/log.jsonl");
    let start = Instant::now();
    while std::fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < 4 {
        assert!(start.elapsed() < Duration::from_secs(120), "it does not get to train");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("--resume goes on"), "{text}");
    Model::load(&out.join("model.safetensors")).unwrap();
    assert!(out.join("curves.png").exists());
    // Without --resume a run is not overwritten.
    let again = room.train(&out, &[]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
}

/// A full disk while a checkpoint is written: told, and the checkpoint before it is whole. It takes a file system of its own, and so root
/// on Linux.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_checkpoint_before_it() {
    let room = Room::new();
    let disk = room.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let Some(mounted) = common::needs::SmallDisk::new(&disk, "2m") else { return };
    let out = disk.join("run");
    let first = room.train(&out, &["--max-minutes", "0.02"]).output().unwrap();
    let saved = std::fs::read(out.join("axial/checkpoint.safetensors"));
    let free = || {
        // Fill the disk but for a few kilobytes.
        for (number, size) in (0..12).map(|halvings| (halvings, (4 << 20) >> halvings)) {
            let path = disk.join(format!("filler-{number}"));
            if std::fs::write(&path, vec![1; size]).is_err() {
                std::fs::remove_file(&path).ok();
            }
        }
    };
    free();
    let second = room.train(&out, &["--resume"]).output().unwrap();
    let after = std::fs::read(out.join("axial/checkpoint.safetensors"));
    drop(mounted);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(5), "{text}");
    assert!(text.contains("No space left"), "{text}");
    assert!(saved.unwrap() == after.unwrap(), "the checkpoint changed");
}

#[test]
fn a_warped_balls_truth_is_the_warped_ball() {
    let inside = |z: usize, y: usize, x: usize| {
        (z as f64 * 2.0 - 40.0).powi(2) + (y as f64 - 40.0).powi(2) + (x as f64 * 1.5 - 45.0).powi(2) < 22.0_f64.powi(2)
    };
    let voxels = Array3::from_shape_fn((41, 81, 61), |(z, y, x)| if inside(z, y, x) { 240.0 } else { -100.0 });
    let mask = voxels.mapv(|v: f32| u8::from(v > 0.0));
    let volume = Volume::new(voxels, Geometry::axis_aligned([61, 81, 41], [1.5, 1.0, 2.0])).unwrap();
    let case = TrainingCase::new("ball", &volume, mask.view(), &ModelConfig::default()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for view in View::ALL {
        let shape = Shape { view, t: 2, slices: 3, patch: Some([48, 64]), global: Some([64, 96]) };
        for _ in 0..10 {
            let augmentation = Augmentation { rotation_degrees: 30.0, ..Default::default() };
            let sample = sample::random(&case, &shape, false, &augmentation, &mut random);
            let (windows, truth) = (sample.windows.unwrap(), sample.truth.unwrap());
            assert_eq!((windows.dim(), truth.dim()), ((7, 48, 64), (3, 1, 48, 64)));
            // Intensity is the truth's own here: where one is above one half so is the other.
            let own = windows.slice(s![2..5, .., ..]);
            assert!(own.iter().zip(&truth).all(|(v, t)| (*v >= 0.5) == (*t == 1.0)));
            // The whole slices are deformed by the same map.
            let [coarse, fine] = sample.global_truth.unwrap();
            assert_eq!((coarse.dim(), fine.dim()), ((3, 1, 2, 3), (3, 1, 4, 6)));
            // Each pixel's truth is the mean over its part that comes from the volume; beyond that there is no ball.
            let [coarse_part, fine_part] = sample.global_counted.unwrap();
            let mean = |a: &Array3<f32>| a.mean().unwrap();
            let pancreas = |truth: Array4<f32>| truth.index_axis_move(Axis(1), 0);
            let (coarse, fine) = (pancreas(coarse) * coarse_part, pancreas(fine) * fine_part);
            let global = sample.global.unwrap();
            assert!((mean(&coarse) - mean(&fine)).abs() < 1e-5);
            assert!((mean(&global) - mean(&fine)).abs() < 0.02, "{} {}", mean(&global), mean(&fine));
        }
    }
}

/// Of a volume whose intensity rises evenly, what is symmetric about the point that is turned about has that point's intensity as its mean.
#[test]
fn rotation_turns_about_the_middle_of_what_is_cut() {
    let rising = |y: f64, x: f64| 2.0 * y + x - 90.0;
    let voxels = Array3::from_shape_fn((9, 81, 101), |(_, y, x)| rising(y as f64, x as f64) as f32);
    let mut mask = Array3::zeros((9, 81, 101));
    // The box lies in a corner, so that the voxel that is drawn is far from the middle of a patch that has to stay in the slice.
    mask.slice_mut(s![4..6, 2..5, 95..99]).fill(1);
    let volume = Volume::new(voxels, Geometry::axis_aligned([101, 81, 9], [1.0, 1.0, 2.0])).unwrap();
    let config = ModelConfig::default();
    let case = TrainingCase::new("rising", &volume, mask.view(), &config).unwrap();
    let augmentation = Augmentation { rotation_degrees: 45.0, elastic_mm: 0.0, ..Default::default() };
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mean = |part: ndarray::ArrayView3<f32>| f64::from(part.mean().unwrap()) * 340.0 - 100.0;
    for patch in [Some([64, 56]), None] {
        let shape = Shape { view: View::Axial, t: 0, slices: 1, patch, global: Some([160, 192]) };
        for _ in 0..5 {
            let sample = sample::random(&case, &shape, false, &augmentation, &mut random);
            let place = sample.place;
            let (row, column, found) = match sample.windows {
                Some(patch) => {
                    let found = mean(patch.slice(s![.., 28..36, 24..32]));
                    (place.row as f64 + 31.5, place.column as f64 + 27.5, found)
                }
                None => (40.0, 50.0, mean(sample.global.unwrap().slice(s![.., 72..88, 88..104]))),
            };
            assert!((found - rising(row, column)).abs() < 0.05, "{patch:?}: {found} {}", rising(row, column));
        }
    }
}

#[test]
fn what_only_repeats_the_border_does_not_count() {
    let (volume, truth) = small_phantom(1);
    let case = TrainingCase::new("phantom", &volume, truth.view(), &ModelConfig::default()).unwrap();
    // Sagittal slices have 24 rows and 48 columns; of three slices from the last but one, the third is beyond the stack.
    let shape = Shape { view: View::Sagittal, t: 1, slices: 3, patch: Some([32, 56]), global: Some([64, 64]) };
    let place = Place { slice: 58, row: 0, column: 0 };
    let sample = sample::cut(&case, &shape, place, &Deformation::identity());
    for ((slice, row, column), counted) in sample.counted.unwrap().indexed_iter() {
        let real = slice < 2 && row < 24 && column < 48;
        assert_eq!(*counted, f32::from(u8::from(real)), "{slice} {row} {column}");
    }
    for (part, size) in sample.global_counted.unwrap().iter().zip([2, 4]) {
        assert_eq!(part.dim(), (3, size, size));
        assert!(part.slice(s![..2, .., ..]).iter().all(|part| (part - 1.0).abs() < 1e-5));
        assert!(part.slice(s![2.., .., ..]).iter().all(|part| *part == 0.0));
    }
    // What a rotation turns in from beyond the slice does not count either, and it takes nothing from what does.
    let turned = Augmentation { rotation_degrees: 40.0, elastic_mm: 0.0, ..Default::default() };
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let shape = Shape { slices: 1, ..shape };
    let sample = sample::random(&case, &shape, false, &turned, &mut random);
    let counted = sample.counted.unwrap();
    assert!(counted[[0, 12, 24]] == 1.0 && counted[[0, 0, 0]] * counted[[0, 0, 47]] == 0.0);
    let parts = sample.global_counted.unwrap();
    for (truth, part) in sample.global_truth.unwrap().iter().zip(&parts) {
        assert!(truth.iter().all(|share| (0.0..=1.0 + 1e-5).contains(share)));
        assert!(part.iter().all(|part| *part > 0.0) && part.iter().any(|part| *part < 0.99), "{part}");
    }
    assert!((parts[0].mean().unwrap() - parts[1].mean().unwrap()).abs() < 1e-5);
}

/// Contrast, brightness and noise change the image and neither truth nor places; what is not asked for changes no random number.
#[test]
fn intensities_vary_and_truths_do_not() {
    let (volume, truth) = small_phantom(1);
    let case = TrainingCase::new("phantom", &volume, truth.view(), &ModelConfig::default()).unwrap();
    let shape = Shape { view: View::Axial, t: 1, slices: 2, patch: Some([32, 40]), global: Some([64, 64]) };
    let plain = Augmentation { rotation_degrees: 10.0, ..Default::default() };
    let draw = |augmentation: &Augmentation, seed: u64| {
        sample::random(&case, &shape, true, augmentation, &mut ChaCha8Rng::seed_from_u64(seed))
    };
    let line = |a: &Array3<f32>, b: &Array3<f32>| {
        // Slope and offset of b over a where neither is clipped.
        let inside = |v: &f32| (0.02..0.98).contains(v);
        let pairs: Vec<_> = a.iter().zip(b).filter(|(a, b)| inside(a) && inside(b)).collect();
        let n = pairs.len() as f64;
        let [ma, mb] = [|p: &(&f32, &f32)| f64::from(*p.0), |p: &(&f32, &f32)| f64::from(*p.1)]
            .map(|f| pairs.iter().map(f).sum::<f64>() / n);
        let covariance: f64 = pairs.iter().map(|(a, b)| (f64::from(**a) - ma) * (f64::from(**b) - mb)).sum();
        let variance: f64 = pairs.iter().map(|(a, _)| (f64::from(**a) - ma).powi(2)).sum();
        let slope = covariance / variance;
        let rest = |(a, b): &(&f32, &f32)| f64::from(**b) - mb - slope * (f64::from(**a) - ma);
        let deviation = (pairs.iter().map(|pair| rest(pair).powi(2)).sum::<f64>() / n).sqrt();
        (slope, mb - slope * ma, deviation)
    };
    let (mut slopes, mut offsets, mut deviations) = (vec![], vec![], vec![]);
    for seed in 0..20 {
        let varied = Augmentation { contrast: 0.2, brightness: 0.1, noise: 0.06, ..plain.clone() };
        let (before, after) = (draw(&plain, seed), draw(&varied, seed));
        assert_eq!((before.place, &before.truth, &before.counted), (after.place, &after.truth, &after.counted));
        assert_eq!(before.global_truth, after.global_truth);
        let (own, theirs) = (before.windows.unwrap(), after.windows.unwrap());
        assert!(theirs.iter().all(|v| (0.0..=1.0).contains(v)));
        let (slope, offset, deviation) = line(&own, &theirs);
        slopes.push(slope);
        offsets.push(offset - 0.5 * (1.0 - slope));
        deviations.push(deviation);
        let (of_whole, _, _) = line(&before.global.unwrap(), &after.global.unwrap());
        assert!((of_whole - slope).abs() < 0.1, "{of_whole} {slope}");
    }
    for (values, low, high) in [(&slopes, 0.78, 1.22), (&offsets, -0.11, 0.11), (&deviations, 0.0, 0.065)] {
        let [least, most] = [f64::min, f64::max].map(|pick| values.iter().copied().reduce(pick).unwrap());
        assert!(low <= least && most <= high && most - least > 0.4 * (high - low), "{values:?}");
    }
}

#[test]
fn a_zoom_is_as_likely_larger_as_smaller() {
    let augmentation = Augmentation { rotation_degrees: 0.0, elastic_mm: 0.0, zoom: 0.25, ..Default::default() };
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut larger = 0;
    for _ in 0..200 {
        let deformation = Deformation::random(&augmentation, [60, 80], [2.0, 1.0], [30.0, 40.0], &mut random);
        let [row, column] = deformation.source(40.0, 60.0);
        let scale = (row - 30.0) / 10.0;
        assert!((scale - (column - 40.0) / 20.0).abs() < 1e-12);
        assert!((0.8..=1.25).contains(&scale), "{scale}");
        larger += usize::from(scale < 1.0);
    }
    assert!((70..130).contains(&larger), "{larger} of 200 are magnified");
}

#[test]
fn organs_are_those_of_the_nearest_voxel() {
    let (volume, truth) = small_phantom(1);
    let organs = truth.mapv(|inside| if inside == 1 { 8 } else { 20 });
    let config = ModelConfig::default();
    let case = TrainingCase::with_organs("phantom", &volume, truth.view(), organs.view(), &config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let case = case.into_cache(&folder.path().join("case"), "key").unwrap();
    // Sagittal slices have 24 rows and 48 columns: the patch reaches beyond them.
    let shape = Shape { view: View::Sagittal, t: 1, slices: 3, patch: Some([32, 56]), global: None };
    let place = Place { slice: 20, row: 0, column: 0 };
    let sample = sample::cut(&case, &shape, place, &Deformation::identity());
    for (((_, row, column), organ), truth) in sample.organs.unwrap().indexed_iter().zip(sample.truth.unwrap()) {
        let expected = if row >= 24 || column >= 48 { 255 } else { 20 - 12 * truth as u8 };
        assert_eq!(*organ, expected, "{row} {column}");
    }
    let other = Array3::<u8>::zeros((2, 3, 4));
    let error = TrainingCase::with_organs("phantom", &volume, truth.view(), other.view(), &config).unwrap_err();
    assert!(error.to_string().contains("organs"), "{error}");
}

/// The readouts of other organs are learned and taken up again, and the model is one like any other.
#[test]
fn organs_teach_and_are_not_saved() {
    let mut options = tiny();
    options.views = vec![View::Axial];
    (options.global.epochs, options.local.epochs, options.whole.epochs) = (0, 8, 2);
    (options.samples_per_volume, options.local.learning_rate) = (12, 1e-2);
    options.organs = Some(OrganOptions { classes: vec![vec![8], vec![1, 2]], weight: 0.5 });
    let config = options.model_config();
    let (volume, truth) = small_phantom(1);
    let bright = volume.voxels().mapv(|hu| if hu < -50.0 { 1 } else { 0 });
    let organs = ndarray::Zip::from(&truth).and(&bright).map_collect(|p, b| if *p == 1 { 8 } else { *b });
    let case = TrainingCase::with_organs("phantom", &volume, truth.view(), organs.view(), &config).unwrap();
    let cases = Cases { train: vec![Arc::new(case)], validation: vec![] };
    let run = |options: &TrainOptions| Run::new(options.clone(), cases.clone()).unwrap().device(DeviceChoice::Cpu);
    let whole = run(&options).train(&Cancel::new(), &|_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let steps = std::sync::atomic::AtomicUsize::new(0);
    let cancel = Cancel::new();
    let stop = |event: &Event| {
        assert!(event.losses.organs.is_some_and(|loss| loss > 0.0));
        if steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 4 {
            cancel.cancel();
        }
    };
    let stopped = run(&options).folder(folder.path(), true).train(&cancel, &stop).unwrap();
    assert_eq!(stopped.end, RunEnd::Cancelled);
    let resumed = run(&options).folder(folder.path(), true).train(&Cancel::new(), &|_| {}).unwrap();
    assert_eq!(resumed.model.weights(), whole.model.weights());
    let plain = Model::new_untrained(config, 0).unwrap();
    assert!(plain.weights().keys().eq(whole.model.weights().keys()));
    // The log has their loss, and it falls.
    let log = std::fs::read_to_string(folder.path().join("axial/log.jsonl")).unwrap();
    let losses: Vec<f64> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["organs"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 10 && losses[9] < 0.85 * losses[0], "{losses:?}");
    // Without teachers it is another training.
    options.organs = None;
    let other = run(&options).train(&Cancel::new(), &|_| {}).unwrap();
    assert_ne!(other.model.weights(), whole.model.weights());
}

#[test]
fn a_sample_without_deformation_is_the_volume_itself() {
    let (volume, truth) = small_phantom(1);
    let config = ModelConfig::default();
    let case = TrainingCase::new("phantom", &volume, truth.view(), &config).unwrap();
    let shape = Shape { view: View::Sagittal, t: 3, slices: 2, patch: Some([16, 56]), global: None };
    // Partly beyond the first slice and the last column.
    let place = Place { slice: 1, row: 4, column: 0 };
    let sample = sample::cut(&case, &shape, place, &Deformation::identity());
    let (windows, patch_truth) = (sample.windows.unwrap(), sample.truth.unwrap());
    for ((d, r, c), value) in windows.indexed_iter() {
        let (x, z, y) = ((d as isize - 2).max(0) as usize, r + 4, c.min(47));
        let expected = config.normalise(volume.voxels()[[z, y, x]]);
        assert!((value - expected).abs() < 1e-5, "{d} {r} {c}");
    }
    for ((d, _, r, c), value) in patch_truth.indexed_iter() {
        assert_eq!(*value, f32::from(truth[[r + 4, c.min(47), d + 1]]));
    }
}

#[test]
fn samples_come_from_anywhere_and_from_the_pancreas_box() {
    let (volume, truth) = small_phantom(1);
    let case = TrainingCase::new("phantom", &volume, truth.view(), &ModelConfig::default()).unwrap();
    let [low, high] = case.pancreas().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let shape = Shape { view: View::Axial, t: 1, slices: 1, patch: Some([16, 16]), global: None };
    let mut slices = [std::collections::BTreeSet::new(), std::collections::BTreeSet::new()];
    for _ in 0..2000 {
        for anywhere in [false, true] {
            let (place, centre) = sample::draw(&case, &shape, anywhere, &mut random);
            slices[usize::from(anywhere)].insert(place.slice);
            let rows = if anywhere { 0..48 } else { low[1]..high[1] + 1 };
            assert!(rows.contains(&(centre[0] as usize)));
            assert!(place.row <= 48 - 16 && place.column <= 60 - 16);
            let within = (place.row as f64..place.row as f64 + 16.0).contains(&centre[0]);
            assert!(within, "the centre is not in the patch");
        }
    }
    assert_eq!(slices[0], (low[0]..=high[0]).collect());
    assert_eq!(slices[1], (0..24).collect());
}

#[test]
fn areas_by_hand() {
    let slice = Array3::from_shape_vec((1, 2, 5), vec![1., 2., 3., 4., 5., 0., 0., 0., 0., 10.]).unwrap();
    let small = sample::area_downsample(slice.view(), [1, 2]);
    // Two and a half columns each: (1 + 2 + 3/2) / 2.5 / 2 and (3/2 + 4 + 5 + 10) / 2.5 / 2.
    assert!((small[[0, 0, 0]] - 0.9).abs() < 1e-6 && (small[[0, 0, 1]] - 4.1).abs() < 1e-6, "{small}");
}
