//! One view of a volume to its probabilities: slices read, streamed through the encoder, decoded, written.
//!
//! On the processor the slices are divided over threads, in each of which libtorch computes alone. Threads that share each operation instead
//! would wait for one another hundreds of times a second, and they wait by spinning: on a machine that is busy with something else such an
//! operation takes many times as long.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use ndarray::{s, ArrayView3};
use tch::{Kind, Tensor};

use super::folded::{channels_last, FoldedNetwork};
use super::plan::{Division, Plan};
use super::stream::{Encoded, StreamingEncoder};
use crate::compute::threads::on_own_threads;
use crate::compute::Monitor;
use crate::inference::patches::{spans, Span};
use crate::inference::sum::Sum;
use crate::network::ggpfn::sampling::{self, Extent};
use crate::network::Fusion;
use crate::{Error, Result};

impl Plan<'_> {
    /// Adds the view's probabilities to `sum`. `volume` is `[slice, row, column]` of the view, in Hounsfield units.
    /// `progress` hears the part of the view that is done.
    pub(super) fn run(
        &self,
        network: &FoldedNetwork,
        volume: ArrayView3<f32>,
        mut sum: Sum,
        monitor: &Monitor,
        progress: &dyn Fn(f64),
    ) -> Result<()> {
        let (_, rows, columns) = volume.dim();
        let cut = |axis: usize, size: usize| spans(size, self.patches.map(|p| (p.size[axis], p.overlap)));
        let (row_spans, column_spans) = (cut(0, rows), cut(1, columns));
        let patches = row_spans.len() * column_spans.len();
        // With several patches the global branch would see every slice once for each; its features are small (50 kB a slice).
        let features = if patches > 1 { self.all_global_features(network, volume, monitor)? } else { None };

        let mut done = 0;
        for row_span in &row_spans {
            for column_span in &column_spans {
                let patch = Patch {
                    plan: self,
                    network,
                    volume,
                    rows: *row_span,
                    columns: *column_span,
                    features: features.as_ref(),
                };
                let kept = s![.., row_span.kept.0..row_span.kept.1, column_span.kept.0..column_span.kept.1];
                patch.run_in_parts(sum.part(kept), monitor, &|part| progress((done as f64 + part) / patches as f64))?;
                done += 1;
            }
        }
        Ok(())
    }

    /// F of every slice, `[slices, C, H_F, W_F]`.
    fn all_global_features(
        &self,
        network: &FoldedNetwork,
        volume: ArrayView3<f32>,
        monitor: &Monitor,
    ) -> Result<Option<Tensor>> {
        if network.layers.global.is_none() {
            return Ok(None);
        }
        let mut features = Vec::new();
        let slices = volume.dim().0;
        for start in (0..slices).step_by(8) {
            monitor.check()?;
            features.extend(self.global_features(network, volume, start, (start + 8).min(slices))?);
        }
        Ok(Some(Tensor::f_cat(&features, 0)?))
    }

    /// F of the slices from `start` to before `end`: the whole slices, downsampled, through the global branch.
    fn global_features(
        &self,
        network: &FoldedNetwork,
        volume: ArrayView3<f32>,
        start: usize,
        end: usize,
    ) -> Result<Option<Tensor>> {
        let Some(size) = self.network.global_size.get(&self.view).filter(|_| network.layers.global.is_some()) else {
            return Ok(None);
        };
        let (_, rows, columns) = volume.dim();
        let whole = |n: usize| Span { start: 0, length: n, kept: (0, n) };
        let slices = self.read(volume, start as isize, end as isize, whole(rows), whole(columns))?;
        let small =
            slices.f_unsqueeze(1)?.f_internal_upsample_bilinear2d_aa(size.map(|n| n as i64), false, None, None)?;
        let small = channels_last(&self.place(&small)?)?;
        network.global(&small)
    }

    /// Normalised slices from `start` to before `end`, `[N, rows, columns]` in float32 on the CPU. Positions outside the stack,
    /// rows and columns outside the slice repeat the nearest one inside.
    fn read(&self, volume: ArrayView3<f32>, start: isize, end: isize, rows: Span, columns: Span) -> Result<Tensor> {
        let (slices, height, width) = volume.dim();
        let (low, high) = (self.window[0] as f32, self.window[1] as f32);
        let range = high - low;
        let mut pixels = Vec::with_capacity((end - start) as usize * rows.length * columns.length);
        for position in start..end {
            let slice = volume.index_axis(ndarray::Axis(0), position.clamp(0, slices as isize - 1) as usize);
            for row in rows.start..rows.start + rows.length {
                let row = slice.index_axis(ndarray::Axis(0), row.min(height - 1));
                let inside = columns.start..(columns.start + columns.length).min(width);
                pixels.extend(row.slice(s![inside]).iter().map(|hu| (hu.clamp(low, high) - low) / range));
                let missing = (columns.start + columns.length).saturating_sub(width);
                if let Some(last) = pixels.last().copied() {
                    pixels.extend(std::iter::repeat_n(last, missing));
                }
            }
        }
        let shape = [(end - start) as i64, rows.length as i64, columns.length as i64];
        Ok(Tensor::f_from_slice(&pixels)?.f_reshape(shape)?)
    }

    fn place(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_to_device(self.compute.device)?.f_to_kind(self.compute.kind)?)
    }
}

/// One patch of all slices of a view.
struct Patch<'a> {
    plan: &'a Plan<'a>,
    network: &'a FoldedNetwork,
    volume: ArrayView3<'a, f32>,
    rows: Span,
    columns: Span,
    /// F of every slice, where it was computed beforehand.
    features: Option<&'a Tensor>,
}

/// A patch that several threads compute parts of.
#[derive(Clone, Copy)]
struct Shared<'a, 'b>(&'a Patch<'b>);

// Sound: the network's tensors, which is what tch does not let be shared, are only read, and libtorch lets any number of threads read one.
unsafe impl Send for Shared<'_, '_> {}

impl<'a, 'b> Shared<'a, 'b> {
    fn get(self) -> &'a Patch<'b> {
        self.0
    }
}

impl Patch<'_> {
    /// Runs all slices, in parts side by side where that is how they are divided.
    fn run_in_parts(&self, mut sum: Sum, monitor: &Monitor, progress: &dyn Fn(f64)) -> Result<()> {
        let slices = self.volume.dim().0;
        let Division { parts, threads } = self.plan.divide(slices, self.rows.length, self.columns.length);
        if parts == 1 {
            return self.run(0..slices, sum, &|| monitor.check(), progress);
        }
        let cuts: Vec<usize> = (0..=parts).map(|n| n * slices / parts).collect();
        let mut squares = vec![0.0; parts];
        let failed = AtomicBool::new(false);
        let check = || {
            monitor.check()?;
            // What another part failed of is what the caller hears; this one only makes room for it.
            if failed.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            Ok(())
        };
        let (news, heard) = mpsc::channel::<(usize, f64)>();
        let parts_of_sum = sum.split(&cuts, &mut squares);
        let works: Vec<_> = parts_of_sum
            .into_iter()
            .zip(cuts.windows(2))
            .enumerate()
            .map(|(number, (sum, cut))| {
                let (news, part, patch) = (news.clone(), cut[0]..cut[1], Shared(self));
                let (check, failed) = (&check, &failed);
                move || {
                    // The one who listens stays until all have gone.
                    let result = patch.get().run(part, sum, check, &|done| {
                        let _ = news.send((number, done));
                    });
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    result
                }
            })
            .collect();
        drop(news);
        let results = on_own_threads(threads, works, || {
            // The caller hears of it on one thread, its own.
            let mut done = vec![0.0; parts];
            for (number, part) in heard {
                done[number] = part;
                progress(done.iter().sum::<f64>() / parts as f64);
            }
        });
        *sum.votes.squares += squares.iter().sum::<f64>();
        // That one part was told to stop says less than why.
        match results.into_iter().find(|result| !matches!(result, Ok(()) | Err(Error::Cancelled))) {
            Some(fault) => fault,
            None => monitor.check(),
        }
    }

    /// Runs the slices `part`, whose probabilities are added to `sum`, which holds those slices alone.
    fn run(
        &self,
        part: Range<usize>,
        mut sum: Sum,
        check: &dyn Fn() -> Result<()>,
        progress: &dyn Fn(f64),
    ) -> Result<()> {
        let plan = self.plan;
        let slices = self.volume.dim().0;
        let t = (plan.network.fusion == Fusion::Progressive).then_some(plan.network.t);
        let mut encoder = StreamingEncoder::new(self.network, t, slices, part.clone());
        let (first, last) = encoder.stem_range();
        let block = plan.block_slices(slices, self.rows.length, self.columns.length) as isize;
        let positions = (last - first + 1) as f64;
        let mut start = first;
        while start <= last {
            let end = (start + block).min(last + 1);
            let windows = self.windows(start, end)?;
            let encoded = encoder.push(start, &windows, end > last, check)?;
            // The encoder is about three quarters of the work; reporting between it and the decoder halves the wait for news.
            progress(((end - first) as f64 - 0.25 * (end - start) as f64) / positions);
            // With the last block many slices are completed at once; decoded together they would take many times the memory.
            for encoded in encoded.iter().flat_map(|encoded| encoded.parts(block as i64)) {
                let encoded = encoded?;
                self.write(encoded.start - part.start, &self.decode(&encoded, check)?, &mut sum)?;
            }
            progress((end - first) as f64 / positions);
            start = end;
        }
        Ok(())
    }

    /// The slices at the positions from `start` to before `end`, each with its neighbours as channels, `[N, D, H, W]`.
    fn windows(&self, start: isize, end: isize) -> Result<Tensor> {
        let depth = self.network.stem_depth as isize;
        let reach = depth / 2;
        let slices = self.plan.read(self.volume, start - reach, end + reach, self.rows, self.columns)?;
        let windows = self.plan.place(&slices)?.f_unfold(0, depth as i64, 1)?; // [N, H, W, D]
        Ok(windows.f_contiguous()?.f_permute([0, 3, 1, 2])?)
    }

    /// Probabilities of the labels, `[L, N, H, W]`, float32 on the CPU.
    fn decode(&self, encoded: &Encoded, check: &dyn Fn() -> Result<()>) -> Result<Tensor> {
        let mut x = encoded.features[3].shallow_clone();
        if let Some(guidance) = self.guidance(encoded)? {
            x = Tensor::f_cat(&[&x, &guidance], 1)?;
        }
        check()?;
        x = self.network.layers.fuse.forward(&x)?;
        for (stage, skip) in self.network.layers.decoder.iter().zip(&encoded.features).rev() {
            check()?;
            x = stage.forward(&x, skip)?;
        }
        Ok(self.network.layers.head.forward(&x)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?)
    }

    /// F_k: the global features at the pixels of E_k, `[N, C, H / 8, W / 8]`.
    fn guidance(&self, encoded: &Encoded) -> Result<Option<Tensor>> {
        let (start, count) = (encoded.start, encoded.features[3].size()[0]);
        let features = match self.features {
            Some(all) => Some(all.f_narrow(0, start as i64, count)?),
            None => self.plan.global_features(self.network, self.volume, start, start + count as usize)?,
        };
        let Some(features) = features else { return Ok(None) };
        let (_, rows, columns) = self.volume.dim();
        let size = features.size();
        let weights = |span: Span, slice: usize, global: i64| -> Result<Tensor> {
            let extent = Extent { start: span.start, slice };
            Ok(sampling::weights(span.length / 8, global as usize, extent)?.f_to_device(self.plan.compute.device)?)
        };
        let sampled = sampling::sample(
            &features,
            &weights(self.rows, rows, size[2])?,
            &weights(self.columns, columns, size[3])?,
        )?;
        Ok(Some(channels_last(&sampled.f_to_kind(self.plan.compute.kind)?)?))
    }

    /// Adds the kept part of each slice's probabilities to the slices of `sum` from `first` on.
    fn write(&self, first: usize, probabilities: &Tensor, sum: &mut Sum) -> Result<()> {
        debug_assert_eq!(probabilities.kind(), Kind::Float);
        let mut values = vec![0.0_f32; probabilities.numel()];
        let count = values.len();
        probabilities.f_copy_data(&mut values, count)?;
        let labels = sum.others.len() + 1;
        let shape = (count / labels / (self.rows.length * self.columns.length), self.rows.length, self.columns.length);
        let local = |span: Span| span.kept.0 - span.start..span.kept.1 - span.start;
        let kept_of = |label: usize| -> Result<ArrayView3<f32>> {
            let computed = ArrayView3::from_shape(shape, &values[label * (count / labels)..][..count / labels])
                .map_err(|e| Error::Torch(format!("the decoder's output has another size than its input ({e})")))?;
            Ok(computed.slice_move(s![.., local(self.rows), local(self.columns)]))
        };
        sum.add(first, kept_of)
    }
}
