//! The streaming engine gives what Algorithm 1 gives, for every variant of the network, view, block size and thread count.

mod common;

use common::literal::Literal;
use common::{max_difference, scrambled, small_config, textured_volume};
use ggpfn::inference::{segment, DeviceChoice, Monitor, PatchGrid, PrecisionChoice, Region, SegmentOptions};
use ggpfn::network::{Fusion, Model, ModelConfig};
use ggpfn::volume::View;
use ndarray::s;

fn options(views: &[View]) -> SegmentOptions {
    SegmentOptions {
        views: views.to_vec(),
        device: DeviceChoice::Cpu,
        precision: PrecisionChoice::F32,
        threads: Some(2),
        keep_views: true,
        ..Default::default()
    }
}

/// Every slice of every view of a small volume, against the literal algorithm.
fn assert_parity(config: ModelConfig, size: [usize; 3], blocks: &[usize]) {
    assert_parity_of(&scrambled(config, 11), size, blocks);
}

fn assert_parity_of(model: &Model, size: [usize; 3], blocks: &[usize]) {
    let volume = textured_volume(size, 5);
    for view in View::ALL {
        let expected = Literal::new(model, view).stack(view.slices(volume.voxels()));
        let (low, high) = expected.iter().fold((1.0_f32, 0.0_f32), |(a, b), p| (a.min(*p), b.max(*p)));
        for block in blocks {
            let options = SegmentOptions { block: Some(*block), ..options(&[view]) };
            let result = segment(model, &volume, &options, &Monitor::default()).unwrap();
            let difference = max_difference(view.slices(result.probability.view()), expected.view());
            let which = format!(
                "{view}, block {block}, {:?} t {}",
                model.config().ggpfn().unwrap().fusion,
                model.config().ggpfn().unwrap().t
            );
            assert!(difference < 1e-5, "{which}: {difference}");
            // Probabilities that hardly vary would be equal whatever is wrong.
            assert!(1000.0 * difference < high - low, "{which}: {difference} of {}", high - low);
        }
    }
}

#[test]
fn the_papers_t_of_15_in_every_block_size() {
    assert_parity(small_config(), [24, 26, 19], &[1, 2, 3, 4, 7, 64]);
}

#[test]
fn every_t() {
    for t in 1..=15 {
        assert_parity(small_config().with_ggpfn(|n| n.t = t), [16, 17, 9], &[1, 4]);
    }
}

#[test]
fn one_off_fusion() {
    for t in [1, 5, 10, 15] {
        assert_parity(
            small_config().with_ggpfn(|n| {
                n.t = t;
                n.fusion = Fusion::OneOff;
            }),
            [16, 17, 9],
            &[1, 4],
        );
    }
}

/// Behind a stem of one channel the next layer has one input channel as well.
#[test]
fn a_stem_of_one_channel() {
    let config = small_config().with_ggpfn(|n| {
        n.t = 4;
        n.widths = [1, 6, 8, 10];
    });
    let mut weights = scrambled(config.clone(), 11).weights().clone();
    // So few channels are easily dead: they are shifted into life.
    for (name, array) in weights.iter_mut().filter(|(name, _)| name.contains("local.enc.0.")) {
        if name.ends_with("bn.bias") {
            array.values.fill(0.7);
        }
    }
    assert_parity_of(&Model::from_weights(config, weights).unwrap(), [16, 17, 9], &[1, 4]);
}

#[test]
fn without_global_guidance() {
    assert_parity(small_config().with_ggpfn(|n| n.global_widths = None), [24, 16, 12], &[4]);
}

#[test]
fn stacks_shorter_than_the_receptive_field() {
    for size in [[1, 16, 16], [2, 9, 16], [3, 8, 8], [5, 1, 24]] {
        let model = scrambled(small_config(), 3);
        let volume = textured_volume(size, 5);
        for view in View::ALL {
            let expected = Literal::new(&model, view).stack(view.slices(volume.voxels()));
            for block in [1, 2, 5] {
                let options = SegmentOptions { block: Some(block), ..options(&[view]) };
                let result = segment(&model, &volume, &options, &Monitor::default()).unwrap();
                let difference = max_difference(view.slices(result.probability.view()), expected.view());
                assert!(difference < 1e-5, "{view} {size:?} block {block}: {difference}");
            }
        }
    }
}

#[test]
fn thread_counts_agree_and_runs_repeat_to_the_bit() {
    let model = scrambled(small_config(), 11);
    let volume = textured_volume([30, 40, 36], 5);
    let run = |threads| {
        let options = SegmentOptions { threads: Some(threads), ..options(&[]) };
        segment(&model, &volume, &options, &Monitor::default()).unwrap().probability
    };
    let one = run(1);
    for threads in [1, 2, 3] {
        let other = run(threads);
        assert!(max_difference(one.view(), other.view()) < 1e-5, "{threads} threads");
        assert_eq!(other, run(threads), "{threads} threads, two runs");
    }
}

/// With more threads the slices are computed in parts side by side; at each cut a layer computes what the whole volume would have there.
#[test]
fn parts_of_a_volume_are_what_the_whole_is() {
    let volume = textured_volume([50, 74, 98], 5);
    let base = small_config().with_ggpfn(|n| n.global_widths = None);
    let mut configs: Vec<ModelConfig> = [1, 2, 5, 15].map(|t| base.clone().with_ggpfn(|n| n.t = t)).into();
    configs.push(base.clone().with_ggpfn(|n| {
        n.t = 5;
        n.fusion = Fusion::OneOff;
    }));
    configs.push(small_config().with_ggpfn(|n| n.t = 5));
    for config in configs {
        let model = scrambled(config.clone(), 11);
        let run = |threads, block| {
            let options = SegmentOptions { threads: Some(threads), block, ..options(&[]) };
            segment(&model, &volume, &options, &Monitor::default()).unwrap().views
        };
        let whole = run(1, None);
        for (threads, block) in [(2, None), (3, Some(1)), (4, Some(3)), (4, Some(64))] {
            for (view, probability) in run(threads, block) {
                let difference = max_difference(whole[&view].view(), probability.view());
                assert!(
                    difference < 1e-5,
                    "{view}, {threads} threads, {:?} t {}: {difference}",
                    config.ggpfn().unwrap().fusion,
                    config.ggpfn().unwrap().t
                );
            }
        }
    }
}

#[test]
fn bfloat16_is_close() {
    let model = scrambled(small_config(), 11);
    let volume = textured_volume([30, 40, 36], 5);
    let run = |precision| {
        let options = SegmentOptions { precision, ..options(&[]) };
        segment(&model, &volume, &options, &Monitor::default()).unwrap().probability
    };
    let difference = max_difference(run(PrecisionChoice::F32).view(), run(PrecisionChoice::Bf16).view());
    assert!(difference > 0.0 && difference < 2e-2, "{difference}");
}

#[test]
fn one_patch_that_holds_the_slice_changes_nothing() {
    let model = scrambled(small_config(), 11);
    let volume = textured_volume([9, 40, 36], 5);
    let whole = segment(&model, &volume, &options(&[View::Axial]), &Monitor::default()).unwrap();
    let patches = Some(PatchGrid { size: [64, 64], overlap: 16 });
    let patched = SegmentOptions { patches, ..options(&[View::Axial]) };
    let patched = segment(&model, &volume, &patched, &Monitor::default()).unwrap();
    assert_eq!(whole.probability, patched.probability);
}

#[test]
fn patches_see_the_same_slice_away_from_their_borders() {
    // The encoder reaches 72 pixels to each side, the decoder some more: in the middle of a patch of 256 with that much around it
    // nothing of the patch's border is seen.
    let model = scrambled(small_config().with_ggpfn(|n| n.t = 1), 11);
    let volume = textured_volume([3, 400, 320], 5);
    let whole = segment(&model, &volume, &options(&[View::Axial]), &Monitor::default()).unwrap();
    let patches = Some(PatchGrid { size: [320, 320], overlap: 240 });
    let patched = SegmentOptions { patches, ..options(&[View::Axial]) };
    let patched = segment(&model, &volume, &patched, &Monitor::default()).unwrap();
    let difference = max_difference(whole.probability.view(), patched.probability.view());
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn the_calling_threads_settings_are_left_alone() {
    let before = tch::get_num_threads();
    let model = scrambled(small_config().with_ggpfn(|n| n.t = 1), 3);
    let options = SegmentOptions { threads: Some(before as usize + 1), ..options(&[View::Axial]) };
    segment(&model, &textured_volume([3, 16, 16], 1), &options, &Monitor::default()).unwrap();
    assert_eq!(tch::get_num_threads(), before);
    assert!(tch::Tensor::ones([1], (tch::Kind::Float, tch::Device::Cpu)).set_requires_grad(true).exp().requires_grad());
}

/// A region is segmented as if it were the whole volume, and its result lies where the region lies.
#[test]
fn a_region_is_the_volume_that_the_network_sees() {
    let model = scrambled(small_config().with_ggpfn(|n| n.t = 2), 11);
    let volume = textured_volume([19, 26, 32], 5);
    let (start, size) = ([5, 3, 2], [24, 20, 9]);
    let alone =
        segment(&model, &volume.crop(Region { start, size }).unwrap(), &options(&[]), &Default::default()).unwrap();
    let region = Some(Region { start, size });
    let result = segment(&model, &volume, &SegmentOptions { region, ..options(&[]) }, &Default::default()).unwrap();
    let [i, j, k] = start;
    let part = s![k..k + size[2], j..j + size[1], i..i + size[0]];
    assert_eq!(result.probability.slice(part), alone.probability);
    assert_eq!(result.mask.slice(part), alone.mask);
    assert_eq!(result.mask.iter().filter(|v| **v != 0).count(), result.measurements.voxels);
    assert_eq!(result.measurements.centroid_lps, alone.measurements.centroid_lps);
    let outside = Some(Region { start: [40, 0, 0], size: [400, 8, 8] });
    let refused = segment(&model, &volume, &SegmentOptions { region: outside, ..options(&[]) }, &Default::default());
    assert!(matches!(refused, Err(ggpfn::Error::Argument { name: "region", .. })));
}
