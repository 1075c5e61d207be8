//! RSTN's rounds: coarse networks on all slices of all views, then fine ones where the last round found something, until nothing changes.

use std::collections::BTreeMap;

use ndarray::{Array3, ArrayView3, Axis, Zip};
use tch::Tensor;

use super::{mixed_up, network, place, shaped, slices::triples};
use crate::compute::threads::on_own_thread;
use crate::compute::Monitor;
use crate::inference::predictor::{Predictor, Progressed, Work};
use crate::inference::sum::Sum;
use crate::network::baselines::{BaselineNetwork, Crop, Rstn, RSTN_MARGIN};
use crate::network::{numbers, BatchNorm};
use crate::volume::{dice, keep_large_components, zeros, View};
use crate::{Error, Result};

/// Rounds of the fine networks at most.
const ROUNDS: usize = 10;
/// Two rounds whose masks agree so well are the last.
const ENOUGH: f64 = 0.99;
/// Parts of the mask that are less than this share of the largest go.
const LEAST_PART: f64 = 0.5;
const THRESHOLD: f32 = 0.5;

/// The rounds, which need all views at once: they are made before the first view is asked for.
pub(super) struct Rounds<'a> {
    work: Work<'a>,
    /// Each view's probabilities in the last round, `[z, y, x]`.
    found: BTreeMap<View, Array3<f32>>,
}

impl<'a> Rounds<'a> {
    pub fn new(work: Work<'a>) -> Self {
        Rounds { work, found: BTreeMap::new() }
    }

    /// One view's probabilities: `of` gives those of three slices around the position that it is given, if there can be any.
    fn of_view(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        of: &(dyn Fn(&Rstn, usize) -> Result<Option<Tensor>> + Sync),
        monitor: &Monitor,
    ) -> Result<Array3<f32>> {
        let Work { model, compute, threads, .. } = self.work;
        let mut found = zeros::<f32>(volume.dim())?;
        let mut slices = view.slices(found.view_mut());
        let (count, rows, columns) = slices.dim();
        on_own_thread(threads, || {
            let BaselineNetwork::Rstn(network) = network(model, view, &compute)? else { return Err(mixed_up()) };
            for position in 0..count {
                monitor.check()?;
                let Some(probabilities) = of(&network, position)? else { continue };
                let values = numbers(&probabilities)?;
                let maps = shaped(&values, (3, rows, columns))?;
                // Each slice has the mean of the maps that it is in: three, or two at the ends.
                for (map, offset) in maps.outer_iter().zip([-1, 0, 1]) {
                    let at = position as isize + offset;
                    if !(0..count as isize).contains(&at) {
                        continue;
                    }
                    let times = if at == 0 || at + 1 == count as isize { 2.0_f32 } else { 3.0 }.min(count as f32);
                    slices.index_axis_mut(Axis(0), at as usize).zip_mut_with(&map, |sum, p| *sum += p / times);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn coarse(&self, view: View, volume: ArrayView3<f32>, monitor: &Monitor) -> Result<Array3<f32>> {
        let (compute, window) = (self.work.compute, self.work.model.config().window);
        let slices = view.slices(volume);
        let of = |network: &Rstn, position: usize| {
            let seen = place(&triples(slices, position as isize, position as isize + 1, window)?, &compute)?;
            Ok(Some(network.coarse(&seen, BatchNorm::Running, None)?.f_sigmoid()?))
        };
        self.of_view(view, volume, &of, monitor)
    }

    fn fine(
        &self,
        view: View,
        volume: ArrayView3<f32>,
        before: &Array3<f32>,
        mask: &Array3<u8>,
        monitor: &Monitor,
    ) -> Result<Array3<f32>> {
        let (compute, window) = (self.work.compute, self.work.model.config().window);
        let (slices, mask, before) = (view.slices(volume), view.slices(mask.view()), view.slices(before.view()));
        let count = mask.dim().0 as isize;
        let of = |network: &Rstn, position: usize| {
            let own = position as isize - 1..position as isize + 2;
            let inside: Vec<u8> =
                own.flat_map(|at| mask.index_axis(Axis(0), at.clamp(0, count - 1) as usize).to_owned()).collect();
            let shape = [3, mask.dim().1 as i64, mask.dim().2 as i64];
            let inside = Tensor::f_from_slice(&inside)?.f_reshape(shape)?;
            let Some(crop) = Crop::around(&inside, [RSTN_MARGIN; 4])? else { return Ok(None) };
            let at = position as isize;
            let seen = place(&triples(slices, at, at + 1, window)?, &compute)?;
            let last = place(&triples(before, at, at + 1, [0.0, 1.0])?, &compute)?;
            let salient = network.salient(&seen, &last)?;
            Ok(Some(network.fine(&salient, crop, BatchNorm::Running, None)?.f_sigmoid()?))
        };
        self.of_view(view, volume, &of, monitor)
    }
}

/// The mean of the views, and the mask that goes on from it.
fn fuse(found: &BTreeMap<View, Array3<f32>>) -> Result<(Array3<f32>, Array3<u8>)> {
    let mut arrays = found.values();
    let mut fused = arrays.next().ok_or_else(|| Error::argument("views", "none; at least one was expected"))?.clone();
    for other in arrays {
        fused += other;
    }
    fused /= found.len() as f32;
    let mut mask = fused.mapv(|p| u8::from(p >= THRESHOLD));
    keep_large_components(&mut mask, LEAST_PART);
    Ok((fused, mask))
}

impl Predictor for Rounds<'_> {
    fn share_of_begin(&self) -> f64 {
        0.99
    }

    fn begin(
        &mut self,
        volume: ArrayView3<f32>,
        views: &[View],
        monitor: &Monitor,
        progress: Progressed,
    ) -> Result<()> {
        let steps = (views.len() * (1 + ROUNDS)) as f64;
        let mut done = 0.0;
        let mut found = BTreeMap::new();
        for view in views {
            found.insert(*view, self.coarse(*view, volume, monitor)?);
            done += 1.0;
            progress(done / steps);
        }
        let (mut fused, mut mask) = fuse(&found)?;
        for _ in 0..ROUNDS {
            if mask.iter().all(|inside| *inside == 0) {
                break;
            }
            for view in views {
                found.insert(*view, self.fine(*view, volume, &fused, &mask, monitor)?);
                done += 1.0;
                progress(done / steps);
            }
            let (now, new_mask) = fuse(&found)?;
            let agreement = dice(mask.iter().zip(&new_mask).map(|(a, b)| [*a, *b]));
            (fused, mask) = (now, new_mask);
            if agreement >= ENOUGH {
                break;
            }
        }
        // The parts that the method lets go are not found by any view.
        for array in found.values_mut() {
            Zip::from(array).and(&fused).and(&mask).for_each(|p, fused, inside| {
                if *fused >= THRESHOLD && *inside == 0 {
                    *p = 0.0;
                }
            });
        }
        self.found = found;
        Ok(())
    }

    fn view(
        &self,
        view: View,
        _volume: ArrayView3<f32>,
        mut sum: Sum,
        _monitor: &Monitor,
        _progress: Progressed,
    ) -> Result<()> {
        let found =
            self.found.get(&view).ok_or_else(|| Error::argument("views", format!("{view} was not computed")))?;
        sum.add(0, |_| Ok(view.slices(found.view())))
    }
}
