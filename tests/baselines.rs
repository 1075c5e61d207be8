//! The networks that the paper compares the GGPFN with: their parameters, their forward passes against an independent implementation, their
//! gradients, and that each of them learns.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ggpfn::compute::Cancel;
use ggpfn::inference::{segment, DeviceChoice, PrecisionChoice, SegmentOptions};
use ggpfn::network::baselines::{BaselineNetwork, Crop, RSTN_MARGIN};
use ggpfn::network::layout::{self, Role};
use ggpfn::network::{Array, Baseline, BatchNorm, Model, ModelConfig, Pretrained, WeightType, LABELS_FORMAT};
use ggpfn::synthesis::phantom;
use ggpfn::training::{Cases, Event, Preset, Run, RunEnd, TrainOptions, TrainingCase};
use ggpfn::volume::View;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

#[path = "common/needs.rs"]
mod needs;

fn config(baseline: Baseline) -> ModelConfig {
    let views = if baseline.is_volumetric() { vec![View::Axial] } else { View::ALL.to_vec() };
    ModelConfig { format: LABELS_FORMAT, network: baseline.into(), views, ..ModelConfig::default() }
}

fn axial(baseline: Baseline) -> ModelConfig {
    ModelConfig { views: vec![View::Axial], ..config(baseline) }
}

fn named(name: &str) -> Baseline {
    Baseline::named(name).unwrap()
}

/// The paper gives 1.9e7, 1.3e7, 1.3e8, 2.7e8 and 4.0e8, 8.1e8 for three views.
#[test]
fn parameter_counts_are_those_of_table_1() {
    let count = |baseline: Baseline| layout::parameters(&config(baseline));
    assert_eq!(count(named("unet-patch")), 19_072_322);
    assert_eq!(count(named("unet-full")), 13_052_097);
    assert_eq!(count(named("fcn8s")), 134_265_411);
    assert_eq!(count(named("fcn8s").from_scratch()), 134_277_827);
    assert_eq!(count(named("rstn")), 268_550_602);
    assert_eq!(count(named("rstn").from_scratch()), 268_575_434);
    assert_eq!(3 * count(named("fcn8s")), 402_796_233);
    assert_eq!(3 * count(named("rstn")), 805_651_806);
    // The narrow ones for synthetic CTs.
    for (baseline, width, millions) in
        [("unet-patch", 8, 1.19), ("unet-full", 8, 0.82), ("fcn8s", 8, 2.10), ("rstn", 8, 4.21)]
    {
        let count = count(named(baseline).with_width(width)) as f64 / 1e6;
        assert!((count - millions).abs() < 0.01, "{baseline}: {count}");
    }
}

/// A model in which every number is in play.
fn scrambled(config: &ModelConfig, seed: u64) -> Model {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Model::new_untrained(config.clone(), seed).unwrap().weights().clone();
    for view in &config.views {
        for entry in layout::table(config) {
            let array: &mut Array = weights.get_mut(&format!("{view}.{}", entry.name)).unwrap();
            let fan_in = array.shape.iter().skip(1).product::<usize>().max(1) as f32;
            for value in &mut array.values {
                match entry.role {
                    Role::Weight | Role::Xavier => {}
                    Role::Readout => *value *= 4.0,
                    Role::Given(_) if array.shape.len() > 1 => {
                        *value = random.random_range(-1.7..1.7) / fan_in.sqrt();
                    }
                    Role::Given(_) => *value += random.random_range(-0.2..0.2),
                    Role::Shift | Role::ReadoutShift | Role::Mean => *value = random.random_range(-0.2..0.2),
                    Role::Scale => *value = random.random_range(0.6..1.1),
                    Role::Variance => *value = random.random_range(0.7..1.6),
                }
            }
        }
    }
    Model::from_weights(config.clone(), weights).unwrap()
}

fn network(model: &Model) -> BaselineNetwork {
    let ggpfn::network::NetworkConfig::Baseline(baseline) = &model.config().network else { panic!("no baseline") };
    let tensor = |name: &str| model.tensor(View::Axial, name)?.to_tensor();
    BaselineNetwork::assemble(baseline, model.config().labels.count(), &tensor).unwrap()
}

/// The logits of an input, of networks that are tested as they are segmented with.
fn forward(network: &BaselineNetwork, input: &Tensor) -> Tensor {
    match network {
        BaselineNetwork::UnetPatch(network) => network.forward(input, BatchNorm::BatchAgain).unwrap(),
        BaselineNetwork::UnetFull(network) => network.forward(input, BatchNorm::Running).unwrap(),
        BaselineNetwork::Fcn8s(network) => network.forward(input, BatchNorm::Running, None).unwrap(),
        BaselineNetwork::Rstn(network) => {
            let coarse = network.coarse(input, BatchNorm::Running, None).unwrap();
            let probabilities = coarse.sigmoid();
            let crop = Crop::around(&probabilities.ge(0.5), [RSTN_MARGIN; 4]).unwrap();
            let fine = match crop {
                Some(crop) => {
                    let salient = network.salient(input, &probabilities).unwrap();
                    network.fine(&salient, crop, BatchNorm::Running, None).unwrap()
                }
                None => coarse.full_like(-1e7),
            };
            Tensor::cat(&[coarse, fine], 0)
        }
    }
}

fn random_input(shape: &[i64], seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random()).collect();
    Tensor::from_slice(&values).reshape(shape)
}

#[test]
fn forward_passes_are_those_of_an_independent_implementation() {
    let Some(python) = needs::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cases: [(Baseline, &[i64]); 7] = [
        (named("unet-patch").with_width(2), &[1, 1, 92, 100, 92]),
        (named("unet-full").with_width(2), &[1, 1, 16, 24, 32]),
        (named("fcn8s").with_width(1), &[2, 3, 45, 70]),
        (named("fcn8s").with_width(1).from_scratch(), &[1, 3, 64, 33]),
        (named("rstn").with_width(1), &[1, 3, 61, 72]),
        (named("rstn").with_width(1).from_scratch(), &[1, 3, 40, 90]),
        (named("rstn").with_width(2), &[1, 3, 130, 150]),
    ];
    for (number, (baseline, shape)) in cases.into_iter().enumerate() {
        let model = scrambled(&axial(baseline.clone()), number as u64 + 1);
        let input = random_input(shape, 7);
        let path = |name: &str| folder.path().join(format!("{number}{name}"));
        model.save(&path("model.safetensors"), WeightType::F32).unwrap();
        input.write_npy(path("in.npy")).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/baselines.py");
        let run = Command::new(&python)
            .arg(script)
            .args([path("model.safetensors"), path("in.npy"), path("out.npy")])
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let expected = Tensor::read_npy(path("out.npy")).unwrap();
        let found = forward(&network(&model), &input);
        assert_eq!(found.size(), expected.size(), "{baseline:?}");
        // Outside of a crop both say -1e7, of which a float has no more than whole numbers.
        let difference = (&found - &expected) / (expected.abs() / 1e3).clamp_min(1.0);
        let largest = difference.abs().max().double_value(&[]);
        let spread = expected.clamp(-1e3, 1e3).std(true).double_value(&[]);
        assert!(largest < 1e-4 && spread > 1e-3, "{baseline:?} {shape:?}: {largest}, spread {spread}");
    }
}

/// Numerical gradients in float64, of a few weights of every tensor.
#[test]
fn gradients_are_those_of_finite_differences() {
    let cases: [(Baseline, &[i64]); 4] = [
        (named("unet-patch").with_width(1), &[1, 1, 92, 92, 92]),
        (named("unet-full").with_width(1), &[1, 1, 8, 16, 8]),
        (named("fcn8s").with_width(1).from_scratch(), &[1, 3, 12, 9]),
        (named("rstn").with_width(1), &[1, 3, 10, 12]),
    ];
    for (baseline, shape) in cases {
        let config = axial(baseline.clone());
        let model = scrambled(&config, 3);
        let tensors: BTreeMap<String, Tensor> = layout::table(&config)
            .into_iter()
            .map(|entry| {
                let array = model.tensor(View::Axial, &entry.name).unwrap();
                let leaf = array.to_tensor().unwrap().to_kind(Kind::Double);
                (entry.name, leaf.set_requires_grad(entry.role.is_parameter()))
            })
            .collect();
        let network = BaselineNetwork::assemble(&baseline, 1, &|name| Ok(tensors[name].shallow_clone())).unwrap();
        let input = random_input(shape, 5).to_kind(Kind::Double);
        // Smooth in what it is given, so that differences are; the probabilities' crop does not move with so small a step.
        let loss = || match &network {
            BaselineNetwork::UnetPatch(n) => n.forward(&input, BatchNorm::BatchAgain).unwrap().sin().sum(Kind::Double),
            _ => forward(&network, &input).clamp(-50.0, 50.0).sin().sum(Kind::Double),
        };
        loss().backward();
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let (mut checked, mut close) = (0, 0);
        for (name, tensor) in tensors.iter().filter(|(_, tensor)| tensor.requires_grad()) {
            let gradient = tensor.grad();
            if !gradient.defined() {
                continue;
            }
            let index = random.random_range(0..tensor.numel() as i64);
            let expected = gradient.reshape([-1]).double_value(&[index]);
            let step = 1e-6;
            let shifted = |by: f64| {
                let _guard = tch::no_grad_guard();
                let mut place = tensor.detach().view([-1]).get(index);
                let _ = place.g_add_scalar_(by);
                let value = loss().double_value(&[]);
                let _ = place.g_add_scalar_(-by);
                value
            };
            let found = (shifted(step) - shifted(-step)) / (2.0 * step);
            checked += 1;
            // A ReLU or a maximum may turn within a step.
            close += usize::from((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()));
            assert!(
                (found - expected).abs() <= 0.05 * (1.0 + expected.abs()),
                "{baseline:?} {name}: {found} {expected}"
            );
        }
        assert!(checked > 10 && close * 20 >= checked * 19, "{baseline:?}: {close} of {checked}");
    }
}

#[test]
fn a_model_file_holds_what_it_is() {
    for name in Baseline::NAMES {
        let model = Model::new_untrained(config(named(name).with_width(1)), 1).unwrap();
        let bytes = model.to_bytes(WeightType::F32).unwrap();
        let back = Model::from_bytes(&bytes, "model".as_ref()).unwrap();
        assert_eq!((back.config(), back.config().network_name()), (model.config(), name));
    }
    let text = |config: ModelConfig| config.check().unwrap_err();
    assert!(text(ModelConfig { views: View::ALL.to_vec(), ..config(named("unet-full")) }).contains("one view"));
    assert!(text(config(Baseline::UnetPatch { width: 8, tile: [20, 21, 20] })).contains("tile"));
    assert!(text(config(Baseline::UnetFull { width: 8, size: [20, 24, 24] })).contains("size"));
    assert!(text(config(named("rstn").with_width(0))).contains("width"));
    let labels = ggpfn::labels::LabelSet::named(["pancreas", "tumour"]);
    assert!(text(ModelConfig { labels, ..config(named("rstn")) }).contains("each label"));
    assert!(text(ModelConfig { format: 1, ..config(named("rstn")) }).contains("rstn"));
}

/// One view on the CT's own grid, nothing turned or deformed.
fn plain_options(baseline: &Baseline) -> TrainOptions {
    let mut options = TrainOptions::of_baseline(baseline.clone(), Preset::Small);
    options.views = vec![View::Axial];
    options.spacing = None;
    options.mixed_precision = false;
    options.augmentation.elastic_mm = 0.0;
    options.augmentation.rotation_degrees = 0.0;
    options
}

/// Learns one made-up CT, and finds its organ again.
fn learns(baseline: Baseline, least: f64, change: impl FnOnce(&mut TrainOptions)) {
    let mut options = plain_options(&baseline);
    options.validate_every = 1000;
    // Tests run side by side: threads that share every operation would wait for each other.
    options.threads = Some(1);
    options.samples_per_volume = 2;
    change(&mut options);
    let (volume, truth) = phantom(1).unwrap();
    let case = Arc::new(TrainingCase::new("phantom", &volume, truth.view(), &options.model_config()).unwrap());
    let run = Run::new(options, Cases { train: vec![case], validation: vec![] }).unwrap().device(DeviceChoice::Cpu);
    let outcome = run.train(&Cancel::default(), &|_| {}).unwrap();
    let options =
        SegmentOptions { device: DeviceChoice::Cpu, precision: PrecisionChoice::F32, ..SegmentOptions::default() };
    let found = segment(&outcome.model, &volume, &options, &Default::default()).unwrap();
    let (both, either) = found.mask.iter().zip(&truth).fold((0_u64, 0_u64), |(both, either), (found, truth)| {
        let truth = u8::from(*truth > 0);
        (both + u64::from(found & truth), either + u64::from(found + truth))
    });
    let dice = 2.0 * both as f64 / either as f64;
    assert!(dice >= least, "{baseline:?}: {dice}");
}

/// Its convolutions use up 44 voxels on each side, so that the smallest tile is a million voxels: minutes. It works at half of the grid's resolution,
/// and the CT's own grid, halved to voxels of 6 x 6 x 8 mm, cannot show a pancreas as the others do.
#[test]
#[ignore = "minutes: run by hand"]
fn a_unet_of_tiles_learns_a_volume() {
    learns(Baseline::UnetPatch { width: 4, tile: [20, 36, 36] }, 0.8, |options| {
        options.spacing = Some([2.0, 1.5, 1.5]);
        options.whole.epochs = 150;
        options.whole.learning_rate = 5e-3;
        options.whole.batch = 1;
    });
}

#[test]
fn a_unet_of_whole_volumes_learns_a_volume() {
    learns(Baseline::UnetFull { width: 4, size: [24, 64, 64] }, 0.9, |options| {
        options.whole.epochs = 60;
        options.whole.learning_rate = 5e-3;
    });
}

/// FCNs are made for slices of hundreds of pixels: of fewer, next to nothing is left at their last scale to normalise over, and an eighth of a
/// slice is as wide as the organ.
fn of_many_pixels(options: &mut TrainOptions) {
    options.spacing = Some([4.0, 1.25, 1.25]);
    options.patch.insert(View::Axial, [232, 272]);
}

#[test]
#[ignore = "minutes: run by hand"]
fn an_fcn_learns_a_volume() {
    learns(named("fcn8s").with_width(4).from_scratch(), 0.9, |options| {
        of_many_pixels(options);
        options.whole.epochs = 600;
    });
}

#[test]
#[ignore = "minutes: run by hand"]
fn an_rstn_learns_a_volume() {
    learns(named("rstn").with_width(8).from_scratch(), 0.9, |options| {
        options.samples_per_volume = 10;
        of_many_pixels(options);
        options.joint.as_mut().unwrap().fall_every = Some(15);
        options.set_epochs(&[15, 30, 75]).unwrap();
    });
}

/// Weights of an FCN-8s of few channels, as somebody might bring them.
fn weights_file(folder: &std::path::Path) -> std::path::PathBuf {
    let model = scrambled(&axial(named("fcn8s").with_width(2)), 5);
    let bytes: Vec<(String, &Array, Vec<u8>)> = model
        .weights()
        .iter()
        .map(|(name, array)| {
            let own = name.strip_prefix("axial.").unwrap().to_string();
            (own, array, array.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, array, bytes)| {
        let dtype = safetensors::tensor::Dtype::F32;
        (name, safetensors::tensor::TensorView::new(dtype, array.shape.clone(), bytes).unwrap())
    });
    let path = folder.join("an fcn.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

/// Also where the run is stopped before its first step, and taken up without them.
#[test]
fn weights_from_elsewhere_are_what_a_training_begins_with() {
    let room = tempfile::tempdir().unwrap();
    let path = weights_file(room.path());
    let weights = Pretrained::load(&path).unwrap();
    let baseline = named("fcn8s").with_width(2);
    let mut options = plain_options(&baseline);
    options.threads = Some(1);
    options.samples_per_volume = 1;
    // A step changes next to nothing.
    options.whole.learning_rate = 1e-9;
    options.whole.final_learning_rate = None;
    options.set_epochs(&[1]).unwrap();
    let (volume, truth) = phantom(1).unwrap();
    let case = Arc::new(TrainingCase::new("phantom", &volume, truth.view(), &options.model_config()).unwrap());
    let folder = room.path().join("run");
    std::fs::create_dir(&folder).unwrap();
    let run = |resume: bool| {
        let cases = Cases { train: vec![case.clone()], validation: vec![] };
        Run::new(options.clone(), cases).unwrap().device(DeviceChoice::Cpu).folder(&folder, resume)
    };
    let stopped = run(false).pretrained(weights.clone()).time(Some(Duration::ZERO));
    assert_eq!(stopped.train(&Cancel::default(), &|_| {}).unwrap().end, RunEnd::OutOfTime);
    let outcome = run(true).train(&Cancel::default(), &|_| {}).unwrap();
    assert_eq!(outcome.end, RunEnd::Done);
    assert_eq!(outcome.model.config().training["initial_model_sha256"], weights.sha256());
    let file = weights.fill(Model::new_untrained(options.model_config(), 1).unwrap()).unwrap();
    for name in ["conv1_1.weight", "conv5_3.bias", "fc6.weight"] {
        let [found, given] = [&outcome.model, &file].map(|model| model.tensor(View::Axial, name).unwrap());
        let largest = found.values.iter().zip(&given.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-6, "{name}: {largest}");
    }
}

/// By the program: a model to start from, and what is refused.
#[test]
fn the_program_takes_weights_from_elsewhere() {
    let room = tempfile::tempdir().unwrap();
    let path = weights_file(room.path());
    let out = room.path().join("model.safetensors");
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_ggpfn"))
            .arg("new-model")
            .arg(&out)
            .arg("--weights")
            .arg(&path)
            .args(more)
            .output()
            .unwrap()
    };
    let done = run(&["--baseline", "rstn", "--width", "2", "--views", "axial"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let model = Model::load(&out).unwrap();
    let given = scrambled(&axial(named("fcn8s").with_width(2)), 5);
    for name in ["coarse.fc7.weight", "fine.fc7.weight"] {
        assert_eq!(
            model.tensor(View::Axial, name).unwrap(),
            given.tensor(View::Axial, "fc7.weight").unwrap(),
            "{name}"
        );
    }
    for (more, code, sentence) in [
        (&["--baseline", "fcn8s"][..], 4, "first layer, 2"),
        (&["--baseline", "unet-full"], 2, "fcn8s and rstn"),
        (&["--baseline", "fcn8s", "--width", "2", "--scratch"], 2, "--scratch"),
    ] {
        let refused = run(more);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            refused.status.code() == Some(code) && text.contains(sentence),
            "{more:?}: {:?} {text}",
            refused.status
        );
    }
}

/// What takes minutes to learn something is at least on its way after a few steps.
#[test]
fn the_slow_ones_begin_to_learn() {
    let cases: [(Baseline, f64); 3] = [
        (Baseline::UnetPatch { width: 4, tile: [4, 20, 20] }, 0.8),
        (named("fcn8s").with_width(4).from_scratch(), 0.8),
        (named("rstn").with_width(4).from_scratch(), 0.97),
    ];
    for (baseline, part) in cases {
        let mut options = plain_options(&baseline);
        // Always from the organ's box.
        options.samples_per_volume = if matches!(baseline, Baseline::Rstn { .. }) { 2 } else { 1 };
        options.threads = Some(1);
        options.set_epochs(&[10, 10, 10][..if matches!(baseline, Baseline::Rstn { .. }) { 3 } else { 1 }]).unwrap();
        options.whole.batch = 1;
        options.whole.learning_rate = 3e-3;
        options.whole.epochs = 40;
        let (volume, truth) = phantom(1).unwrap();
        let case = Arc::new(TrainingCase::new("phantom", &volume, truth.view(), &options.model_config()).unwrap());
        let losses = Mutex::new(Vec::new());
        let report = |event: &Event| losses.lock().unwrap().push(event.losses.total);
        let run = Run::new(options, Cases { train: vec![case], validation: vec![] }).unwrap().device(DeviceChoice::Cpu);
        run.train(&Cancel::default(), &report).unwrap();
        let losses = losses.into_inner().unwrap();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..2]), mean(&losses[losses.len() - 4..]));
        assert!(last < part * first, "{baseline:?}: {losses:?}");
    }
}
