//! What the global branch alone makes of a slice: P^f, the map that the paper's figure 1 shows blended over the CT.

use ndarray::{Array3, ArrayView3};
use tch::Tensor;

use crate::compute::threads::on_own_thread;
use crate::compute::Monitor;
use crate::network::{numbers, BatchNorm, Model, Network};
use crate::volume::View;
use crate::{Error, Result};

/// Slices that go through the branch at a time.
const AT_ONCE: usize = 8;

/// The probability of the first label that the global branch's coarse features give (P^f of the paper's section 2.2, which guides training
/// alone), at every voxel: `[z, y, x]` as `voxels`, which are Hounsfield units in the LPS frame. A map of a few pixels a slice, interpolated.
///
/// # Errors
/// [`Error::Argument`] if the model is no GGPFN, has no global branch or not this view; [`Error::Memory`], [`Error::Cancelled`].
pub fn guidance(
    model: &Model,
    view: View,
    voxels: ArrayView3<f32>,
    threads: usize,
    monitor: &Monitor,
) -> Result<Array3<f32>> {
    let config = model.config();
    let ggpfn = config.expect_ggpfn()?;
    let size = ggpfn.global_size.get(&view).filter(|_| ggpfn.is_guided());
    let size = size.ok_or_else(|| {
        let fault = format!("its {view} network has no global branch, which this map is of");
        Error::argument("model", fault)
    })?;
    let size = size.map(|n| n as i64);
    on_own_thread(threads, || {
        let network = Network::new(model, view)?;
        let slices = view.slices(voxels);
        let (count, rows, columns) = slices.dim();
        let mut map = Array3::<f32>::zeros((count, rows, columns));
        for start in (0..count).step_by(AT_ONCE) {
            monitor.check()?;
            let end = (start + AT_ONCE).min(count);
            let part = slices.slice(ndarray::s![start..end, .., ..]);
            let pixels: Vec<f32> = part.iter().map(|hu| config.normalise(*hu)).collect();
            let shape = [(end - start) as i64, 1, rows as i64, columns as i64];
            let small = Tensor::f_from_slice(&pixels)?
                .f_reshape(shape)?
                .f_internal_upsample_bilinear2d_aa(size, false, None, None)?;
            let logits = tch::no_grad(|| network.global(&small, BatchNorm::Running))?.map(|output| output.logits);
            let Some(logits) = logits else { continue };
            let part = logits.f_narrow(1, 0, 1)?.f_sigmoid()?.f_upsample_bilinear2d(
                [rows as i64, columns as i64],
                false,
                None,
                None,
            )?;
            let values = numbers(&part)?;
            let target = map.slice_mut(ndarray::s![start..end, .., ..]);
            target.into_iter().zip(values).for_each(|(to, from)| *to = from);
        }
        // Back from [slice, row, column] to [z, y, x].
        let axes = view.axes();
        let mut order = [0; 3];
        axes.iter().enumerate().for_each(|(at, axis)| order[*axis] = at);
        Ok(map.permuted_axes(order).as_standard_layout().into_owned())
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;

    use super::*;
    use crate::network::{GgpfnConfig, ModelConfig};

    fn model(guided: bool) -> Model {
        let network = GgpfnConfig {
            t: 1,
            widths: [2, 2, 3, 4],
            global_widths: guided.then_some([2, 2, 3, 3, 4]),
            global_size: View::ALL.into_iter().map(|view| (view, [64, 96])).collect(),
            ..GgpfnConfig::default()
        };
        Model::new_untrained(ModelConfig { network: network.into(), ..ModelConfig::default() }, 3).unwrap()
    }

    /// A voxel has what its own slice of the view gives, interpolated to its place.
    #[test]
    fn each_slice_has_the_map_of_its_own() {
        let model = model(true);
        let (volume, _) = crate::synthesis::phantom(1).unwrap();
        let part = volume.voxels().slice(ndarray::s![10..24, 20..66, 30..93]).to_owned();
        let none = Monitor::default();
        for view in View::ALL {
            let map = guidance(&model, view, part.view(), 1, &none).unwrap();
            assert_eq!(map.dim(), part.dim());
            let number = 11;
            let axis = Axis(view.axes()[0]);
            // Alone, the slice has the same map.
            let alone = part.view().slice_axis(axis, ndarray::Slice::from(number..number + 1)).to_owned();
            let alone = guidance(&model, view, alone.view(), 1, &none).unwrap();
            let (whole, alone) = (map.index_axis(axis, number), alone.index_axis(axis, 0));
            let largest = whole.iter().zip(alone.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-6, "{view}: {largest}");
            // The network's own numbers lie at the middles of 64 / 32 by 96 / 32 cells; the corners repeat the outermost.
            let network = Network::new(&model, view).unwrap();
            let slices = view.slices(part.view());
            let slice = slices.index_axis(Axis(0), number);
            let [low, high] = model.config().window.map(|hu| hu as f32);
            let pixels: Vec<f32> = slice.iter().map(|hu| (hu.clamp(low, high) - low) / (high - low)).collect();
            let (rows, columns) = slice.dim();
            let small = Tensor::from_slice(&pixels).reshape([1, 1, rows as i64, columns as i64]);
            let small = small.internal_upsample_bilinear2d_aa([64, 96], false, None, None);
            let logits = network.global(&small, BatchNorm::Running).unwrap().unwrap().logits.sigmoid();
            assert_eq!(logits.size(), [1, 1, 2, 3]);
            let map = view.slices(map.view());
            for (row, column, cell) in [(0, 0, [0, 0]), (rows - 1, columns - 1, [1, 2])] {
                let expected = logits.double_value(&[0, 0, cell[0], cell[1]]);
                let found = f64::from(map[[number, row, column]]);
                assert!((found - expected).abs() < 1e-5, "{view}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_network_without_a_global_branch_has_no_such_map() {
        let voxels = Array3::zeros((4, 8, 8));
        let error = guidance(&model(false), View::Axial, voxels.view(), 1, &Monitor::default()).unwrap_err();
        assert!(error.to_string().contains("no global branch"), "{error}");
    }
}
