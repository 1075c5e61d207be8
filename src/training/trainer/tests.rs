//! Gradients against differences, Adam against its formulas, stages against each other.

use ndarray::Array3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use tch::Tensor;

use super::*;
use crate::labels::LabelSet;
use crate::network::{BatchNorm, Fusion, Network};
use crate::training::sample::{self, Shape};
use crate::training::{Augmentation, TrainingCase};
use crate::volume::{Geometry, Volume};

const VIEW: View = View::Coronal;
const GLOBAL: [usize; 2] = [64, 32];

fn config() -> ModelConfig {
    ModelConfig::default().with_ggpfn(|n| {
        n.t = 3;
        n.widths = [2, 3, 4, 5];
        n.global_widths = Some([2, 2, 3, 3, 4]);
        n.global_size = View::ALL.into_iter().map(|view| (view, GLOBAL)).collect();
    })
}

fn batch(config: &ModelConfig, slices: usize, count: usize, seed: u64) -> Batch {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let voxels = Array3::from_shape_fn((26, 20, 30), |(k, j, i)| {
        70.0 + 60.0 * ((k as f32 * 0.7).sin() + (j as f32 * 0.5).cos() + (i as f32 * 0.4).sin())
    });
    // A second label lies within the first.
    let mask = voxels.mapv(|v| u8::from(v > 110.0) | u8::from(v > 140.0) << 1);
    let volume = Volume::new(voxels, Geometry::axis_aligned([30, 20, 26], [1.0, 1.2, 2.0])).unwrap();
    // Three organs, an edge of which nobody knows what it is, and the rest.
    let organs = Array3::from_shape_fn(mask.dim(), |(k, j, i)| match (k, j / 7, i / 10) {
        (0..4, _, _) => 255,
        (_, 0, 0) => 1,
        (_, 1, _) => 2,
        (_, _, 2) => 7,
        _ => 0,
    });
    let case = TrainingCase::with_organs("case", &volume, mask.view(), organs.view(), config).unwrap();
    let network = config.ggpfn().unwrap();
    let shape = Shape {
        view: VIEW,
        t: network.t,
        slices,
        patch: Some([16, 24]),
        global: network.global_widths.map(|_| GLOBAL),
    };
    let samples: Vec<_> =
        (0..count).map(|i| sample::random(&case, &shape, i % 2 == 0, &Augmentation::default(), &mut random)).collect();
    Batch::new(&samples, &shape).unwrap()
}

fn double(config: &ModelConfig, stage: Stage) -> Trainer {
    taught(config, stage, None)
}

fn taught(config: &ModelConfig, stage: Stage, organs: Option<&OrganOptions>) -> Trainer {
    let model = Model::new_untrained(config.clone(), 5).unwrap();
    let teachers = organs.map(|organs| (organs, 3));
    Trainer::assemble(&model, VIEW, stage, teachers, Device::Cpu, [Kind::Double; 2], 1).unwrap()
}

/// Through convolutions, batch normalisation in training mode, pooling, sub-pixel sampling, side outputs and the loss: the gradient along
/// random directions is the difference quotient's limit, in float64.
#[test]
fn gradients_are_those_of_difference_quotients() {
    let organs = OrganOptions { classes: vec![vec![1, 9], vec![7]], weight: 0.7 };
    for (stage, fusion, slices, organs, labels) in [
        (Stage::Global, Fusion::Progressive, 1, None, 1),
        (Stage::Local, Fusion::Progressive, 1, None, 1),
        (Stage::Local, Fusion::OneOff, 2, None, 1),
        (Stage::Local, Fusion::Progressive, 2, Some(&organs), 1),
        (Stage::Whole, Fusion::Progressive, 1, None, 1),
        (Stage::Whole, Fusion::Progressive, 3, Some(&organs), 1),
        (Stage::Global, Fusion::Progressive, 2, None, 2),
        (Stage::Whole, Fusion::Progressive, 2, None, 2),
    ] {
        let labels = LabelSet::named(["pancreas", "tumour"].into_iter().take(labels));
        let config = ModelConfig { format: ModelConfig::format_of(&config().network, &labels), labels, ..config() }
            .with_ggpfn(|n| n.fusion = fusion);
        let batch = batch(&config, slices, 2, 1);
        let mut trainer = taught(&config, stage, organs);
        if config.labels.count() > 1 {
            trainer.set_dice_weight(0.8);
        }
        trainer.differentiate(&batch).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let table = crate::network::layout::table(&config).into_iter();
        let trained = table
            .filter(|entry| entry.role.is_parameter() && trainer.learner.trains(stage, &entry.name))
            .map(|entry| entry.name);
        let extras = organs.map_or(vec![], |organs| organs::parameters(organs, config.ggpfn().unwrap(), VIEW, 3));
        let (mut checked, mut kinks) = (0, 0);
        for name in trained.chain(extras.into_iter().map(|extra| extra.name)) {
            let tensor = trainer.parameters.tensor(&name).unwrap().detach();
            let gradient = trainer.parameters.gradient(&name).unwrap();
            let direction = Tensor::from_slice(
                &(0..tensor.numel()).map(|_| rand::Rng::random_range(&mut random, -1.0..1.0)).collect::<Vec<f64>>(),
            )
            .reshape(tensor.size());
            let before = tensor.copy();
            let value = |h: f64| {
                let _no_grad = tch::no_grad_guard();
                tensor.shallow_clone().copy_(&(&before + &direction * h));
                trainer.learner.loss(&batch, stage, &mut Pieces::new(false)).unwrap().0.double_value(&[])
            };
            let along = (gradient * &direction).sum(Kind::Double).double_value(&[]);
            // A ReLU or a pooling may have its kink between the two points: a smaller step then gets out of its way.
            let error = |h: f64| {
                let quotient = (value(h) - value(-h)) / (2.0 * h);
                (quotient - along).abs() / along.abs().max(1e-3)
            };
            let errors: Vec<f64> = [1e-5, 1e-6, 1e-7].into_iter().map(error).collect();
            value(0.0);
            let best = errors.iter().copied().fold(f64::MAX, f64::min);
            assert!(best < 1e-4, "{stage} {fusion:?}: {name}: {errors:?}");
            checked += 1;
            kinks += usize::from(errors[0] > 1e-4);
        }
        assert!(checked > 20 && kinks * 4 < checked, "{stage}: {kinks} of {checked} at a kink");
    }
}

#[test]
fn several_slices_at_a_time_are_the_single_slices() {
    for fusion in [Fusion::Progressive, Fusion::OneOff] {
        let config = config().with_ggpfn(|n| n.fusion = fusion);
        let trainer = double(&config, Stage::Local);
        let together = batch(&config, 4, 1, 3);
        let windows = together.windows.as_ref().unwrap().to_kind(Kind::Double);
        let tensor = |name: &str| trainer.parameters.tensor(name);
        let network = Network::assemble(config.ggpfn().unwrap(), 1, &tensor).unwrap();
        let many = network.local(&windows, None, BatchNorm::Running).unwrap();
        for slice in 0..4 {
            let one = network.local(&windows.narrow(1, slice, 7), None, BatchNorm::Running).unwrap();
            let difference = (many.logits.get(slice) - one.logits.get(0)).abs().max().double_value(&[]);
            assert!(difference < 1e-12, "{difference}");
            for (a, b) in many.side.iter().zip(&one.side) {
                assert!((a.get(slice) - b.get(0)).abs().max().double_value(&[]) < 1e-12);
            }
        }
    }
}

#[test]
fn organs_that_nobody_knows_teach_nothing() {
    let organs = OrganOptions { classes: vec![vec![1], vec![7]], weight: 1.0 };
    let mut trainer = taught(&config(), Stage::Local, Some(&organs));
    let mut batch = batch(&config(), 1, 2, 6);
    let known = trainer.differentiate(&batch).unwrap();
    // Two classes and the rest, from small weights.
    assert!((known.organs.unwrap() - 3.0_f64.ln()).abs() < 0.6, "{known:?}");
    assert!(trainer.parameters.gradient("organs.fine.bias").unwrap().abs().max().double_value(&[]) > 1e-3);
    let _ = batch.organs.as_mut().unwrap().fill_(255);
    let unknown = trainer.differentiate(&batch).unwrap();
    assert_eq!(unknown.organs, Some(0.0));
    assert!((unknown.total - unknown.map.unwrap() - unknown.side.unwrap()).abs() < 1e-9);
    assert_eq!(trainer.parameters.gradient("organs.fine.bias").unwrap().abs().max().double_value(&[]), 0.0);
    batch.organs = None;
    assert_eq!(trainer.differentiate(&batch).unwrap().organs, None);
}

#[test]
fn adam_by_its_formulas() {
    let mut trainer = double(&config(), Stage::Whole);
    let count = trainer.flat_length();
    let start = trainer.flat_parameters().unwrap();
    let (mut m, mut v, mut x) = (0.0_f64, 0.0_f64, f64::from(start[10]));
    for step in 1..=4 {
        let g = [0.3, -0.2, 0.0, 1.5][step - 1];
        trainer.set_flat_gradients(&vec![g as f32; count]).unwrap();
        trainer.update(1e-2).unwrap();
        let g = f64::from(g as f32);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let correction = |beta: f64| 1.0 - beta.powi(step as i32);
        x -= 1e-2 * (m / correction(0.9)) / ((v / correction(0.999)).sqrt() + 1e-8);
    }
    let end = trainer.flat_parameters().unwrap();
    assert!((f64::from(end[10]) - x).abs() < 1e-6, "{} {x}", end[10]);
}

#[test]
fn a_stage_trains_its_own_part_alone() {
    let config = config();
    let batch = batch(&config, 1, 2, 4);
    for stage in Stage::of(&config.network).iter().copied() {
        let mut trainer = double(&config, stage);
        trainer.start_stage(stage).unwrap();
        let before = trainer.weights(&Snapshot::of(&trainer.parameters).unwrap());
        trainer.whole_step(&batch, 1e-2).unwrap();
        let after = trainer.weights(&Snapshot::of(&trainer.parameters).unwrap());
        for (name, array) in &before {
            let short = name.strip_prefix("coronal.").unwrap();
            let statistics = short.contains("running");
            let branch = match stage {
                Stage::Global => short.starts_with("global."),
                Stage::Local => short.starts_with("local."),
                _ => true,
            };
            let moves = branch && (statistics || trainer.learner.trains(stage, short));
            assert_eq!(array != &after[name], moves, "{stage}: {name}");
        }
        if stage == Stage::Local {
            let fuse = &after["coronal.local.d4.conv.weight"];
            let (inputs, own) = (fuse.shape[1], config.ggpfn().unwrap().widths[3]);
            for (i, value) in fuse.values.iter().enumerate() {
                assert!(i / 9 % inputs < own || *value == 0.0, "global features would enter");
            }
        }
    }
}

#[test]
fn half_steps_of_two_trainers_averaged_are_one_trainer_with_both_gradients() {
    let config = config();
    let model = Model::new_untrained(config.clone(), 5).unwrap();
    let new = || Trainer::new(&model, VIEW, Stage::Local, DeviceChoice::Cpu, PrecisionChoice::F32, 1).unwrap();
    let (mut a, mut b) = (new(), new());
    for step in 0..3 {
        a.gradients(batch(&config, 1, 2, 10 + step)).unwrap();
        b.gradients(batch(&config, 1, 2, 20 + step)).unwrap();
        let mean: Vec<f32> =
            a.flat_gradients().unwrap().iter().zip(b.flat_gradients().unwrap()).map(|(x, y)| (x + y) / 2.0).collect();
        assert!(mean.iter().any(|g| *g != 0.0));
        for trainer in [&mut a, &mut b] {
            trainer.set_flat_gradients(&mean).unwrap();
            trainer.update(1e-3).unwrap();
        }
        assert_eq!(a.flat_parameters().unwrap(), b.flat_parameters().unwrap());
    }
    assert!(a.set_flat_gradients(&[0.0]).is_err());
}

#[test]
fn a_loss_that_is_no_number_names_the_samples() {
    let config = config();
    let mut batch = batch(&config, 1, 2, 4);
    let windows = batch.windows.as_mut().unwrap();
    let _ = windows.fill_(f64::NAN);
    let mut trainer = double(&config, Stage::Local);
    let error = trainer.gradients(batch).unwrap_err().to_string();
    assert!(error.contains("case, case") && error.contains("step 1") && error.contains("NaN"), "{error}");
}

/// In the pieces, which see each other's results alone, gradients and what batch normalisation learns are those of the whole.
#[test]
fn gradients_of_recomputed_feature_maps_are_those_of_kept_ones() {
    for (stage, fusion, slices) in [
        (Stage::Global, Fusion::Progressive, 1),
        (Stage::Local, Fusion::OneOff, 2),
        (Stage::Local, Fusion::Progressive, 3),
        (Stage::Whole, Fusion::Progressive, 1),
    ] {
        let config = config().with_ggpfn(|n| n.fusion = fusion);
        let [kept, again] = [false, true].map(|recompute| {
            let mut trainer = double(&config, stage);
            trainer.set_recompute(recompute);
            let losses = trainer.differentiate(&batch(&config, slices, 2, 3)).unwrap();
            (losses, trainer.parameters.buffer(Buffer::Gradients).unwrap(), trainer.parameters.statistics().unwrap())
        });
        assert!(kept.1.iter().any(|gradient| *gradient != 0.0));
        assert_eq!(kept, again, "{stage} {fusion:?} {slices}");
    }
}
