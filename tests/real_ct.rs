//! On a real CT the default network, drawn from seed 7, gives what Algorithm 1 gives.

mod common;

use common::literal::Literal;
use ggpfn::inference::{segment, DeviceChoice, Monitor, PrecisionChoice, Region, SegmentOptions};
use ggpfn::io::{self, ReadOptions};
use ggpfn::network::{Model, ModelConfig};
use ggpfn::volume::{lps_view, View, Volume};
use ndarray::{Array3, Axis};

fn real_ct() -> Option<Volume> {
    let path = common::needs::shared("ct/example_ct.nii.gz")?;
    Some(io::read(&path, &ReadOptions::default()).unwrap())
}

/// Compares these slices of every view (all for none), and with bfloat16 everywhere; prints the largest differences.
fn compare(volume: &Volume, blocks: &[Option<usize>], slices: impl Fn(usize) -> Vec<usize>) {
    let model = Model::new_untrained(ModelConfig::default(), 7).unwrap();
    let run = |precision, block| {
        let options =
            SegmentOptions { device: DeviceChoice::Cpu, precision, block, keep_views: true, ..Default::default() };
        segment(&model, volume, &options, &Monitor::default()).unwrap()
    };
    let single = run(PrecisionChoice::F32, blocks[0]);
    for block in &blocks[1..] {
        let again = run(PrecisionChoice::F32, *block);
        let difference = common::max_difference(single.probability.view(), again.probability.view());
        assert!(difference < 1e-5, "block {block:?}: {difference}");
    }
    let again = run(PrecisionChoice::F32, blocks[0]);
    assert_eq!(again.probability, single.probability, "two runs differ");

    let mut fused = Array3::<f32>::zeros(lps_view(volume.voxels(), volume.geometry()).raw_dim());
    let mut whole = true;
    for view in View::ALL {
        let stack = view.slices(lps_view(volume.voxels(), volume.geometry()));
        let computed = view.slices(lps_view(single.views[&view].view(), volume.geometry()));
        let literal = Literal::new(&model, view);
        let _no_grad = tch::no_grad_guard();
        let wanted = slices(stack.dim().0);
        whole &= wanted.len() == stack.dim().0;
        let mut largest = 0.0_f32;
        for i in wanted {
            let expected: Vec<f32> = Vec::try_from(literal.slice(stack, i).contiguous().flatten(0, -1)).unwrap();
            for (a, b) in computed.index_axis(Axis(0), i).iter().zip(&expected) {
                largest = largest.max((a - b).abs());
            }
            let mut sum = view.slices(fused.view_mut()).index_axis_move(Axis(0), i);
            sum.iter_mut().zip(&expected).for_each(|(sum, p)| *sum += p / 3.0);
        }
        println!("{view}: largest difference from the literal algorithm {largest:.2e}");
        assert!(largest < 1e-5, "{view}: {largest}");
    }
    if whole {
        let computed = lps_view(single.probability.view(), volume.geometry());
        let difference = common::max_difference(fused.view(), computed);
        println!("fused: {difference:.2e}");
        assert!(difference < 1e-5, "fused: {difference}");
    }
}

/// Compares bfloat16 with float32 in a part of the volume, or in all of it; prints the largest differences.
fn compare_bfloat16(volume: &Volume, region: Option<Region>) {
    let model = Model::new_untrained(ModelConfig::default(), 7).unwrap();
    let run = |precision| {
        let options =
            SegmentOptions { device: DeviceChoice::Cpu, precision, region, keep_views: true, ..Default::default() };
        segment(&model, volume, &options, &Monitor::default()).unwrap()
    };
    let (single, half) = (run(PrecisionChoice::F32), run(PrecisionChoice::Bf16));
    let difference = common::max_difference(single.probability.view(), half.probability.view());
    println!("bfloat16, fused: {difference:.2e}");
    assert!(difference < 2e-2, "bfloat16: {difference}");
    for view in View::ALL {
        let difference = common::max_difference(single.views[&view].view(), half.views[&view].view());
        println!("bfloat16, {view}: {difference:.2e}");
        assert!(difference < 2e-2, "bfloat16, {view}: {difference}");
    }
}

#[test]
fn first_middle_and_last_slice_of_every_view() {
    let Some(volume) = real_ct() else { return };
    compare(&volume, &[None], |count| vec![0, count / 2, count - 1]);
}

/// A part of it: where a processor has no bfloat16, libtorch imitates it a hundred times slower.
#[test]
fn bfloat16_is_close_on_a_part_of_a_real_ct() {
    let Some(volume) = real_ct() else { return };
    compare_bfloat16(&volume, Some(Region { start: [40, 30, 40], size: [48, 48, 24] }));
}

/// A quarter of an hour: `cargo test --test real_ct -- --ignored --nocapture`.
#[test]
#[ignore = "takes a quarter of an hour"]
fn every_slice_of_every_view_and_every_block_size() {
    let Some(volume) = real_ct() else { return };
    compare(&volume, &[None, Some(1), Some(3), Some(16)], |count| (0..count).collect());
    compare_bfloat16(&volume, None);
}
