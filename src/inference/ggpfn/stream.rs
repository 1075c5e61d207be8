//! The streaming encoder: no slice is ever convolved twice, and memory does not grow with the number of slices.
//!
//! Algorithm 1 of the paper computes each slice from a window of 2T + 1 slices, and the windows of neighbouring slices share
//! nearly everything. Nothing along z is padded inside the encoder, so what a layer computes for a slice does not depend on the
//! window that it is computed for. Hence the slices stream through the layers in blocks, each 3D convolution keeps the
//! last two slices of its input, and out comes, for every slice once, what the windows would have given.
//!
//! **The ends of the volume.** Beyond the first and last slice the paper's windows are filled with copies of that slice
//! (docs/network.md, section 4). Of these copies a layer need compute only one, since what follows is the same again: the first
//! layer sees a constant stack before slice 0, so its output is constant before slice -1, the next layer's before slice -2,
//! and so on. Each layer therefore extends its input by copying its own first or last slice, never more than two, and never
//! further than layer T needs for slices 0 to l - 1.
//!
//! **A part of the volume.** For the slices of a part alone, each layer computes as many beyond the part's ends as the layers behind look at;
//! they are the slices that the whole volume would have there. So parts can be computed side by side, for the price of a few slices at
//! each cut.

use std::collections::VecDeque;

use tch::Tensor;

use super::folded::{halve, Convolution, FoldedNetwork};
use crate::Result;

/// Consecutive slices of a feature map.
pub(super) struct Block {
    /// The position of the first one in the stack; negative before the volume's first slice.
    pub start: isize,
    /// `[N, C, H, W]`, channels last in memory.
    pub x: Tensor,
}

impl Block {
    pub fn len(&self) -> usize {
        self.x.size()[0] as usize
    }

    pub fn end(&self) -> isize {
        self.start + self.len() as isize
    }

    /// The slices from `start` to before `end`, which the block must hold.
    fn part(&self, start: isize, end: isize) -> Result<Block> {
        let x = self.x.f_narrow(0, (start - self.start) as i64, (end - start) as i64)?;
        Ok(Block { start, x })
    }
}

/// What the encoder gives for a run of slices.
pub(super) struct Encoded {
    /// The first slice.
    pub start: usize,
    /// The features of the four groups, finest first, of the same slices: `[N, C_g, H / 2^g, W / 2^g]`.
    pub features: Vec<Tensor>,
}

/// The encoder of one patch, with what it remembers of the slices that it has seen.
pub(super) struct StreamingEncoder<'a> {
    network: &'a FoldedNetwork,
    groups: Vec<StreamingGroup<'a>>,
    /// First and last position that the stem is to be computed at.
    stem_range: (isize, isize),
}

impl Encoded {
    /// The same slices, at most `most` at a time.
    pub fn parts(&self, most: i64) -> impl Iterator<Item = Result<Encoded>> + '_ {
        let slices = self.features[0].size()[0];
        (0..slices).step_by(most as usize).map(move |first| {
            let count = most.min(slices - first);
            let part = |x: &Tensor| Ok(x.f_narrow(0, first, count)?);
            let features = self.features.iter().map(part).collect::<Result<_>>()?;
            Ok(Encoded { start: self.start + first as usize, features })
        })
    }
}

impl<'a> StreamingEncoder<'a> {
    /// For the slices `part` of a stack of `slices` slices and a network with that T.
    pub fn new(
        network: &'a FoldedNetwork,
        progressive_t: Option<usize>,
        slices: usize,
        part: std::ops::Range<usize>,
    ) -> Self {
        let last = slices as isize - 1;
        // A one-off network has all its extent along z in the stem.
        let t = progressive_t.unwrap_or(1) as isize;
        let needed = |range: Range, reach: isize| Range {
            first: range.first.max(part.start as isize - reach),
            last: range.last.min(part.end as isize - 1 + reach),
        };
        let mut whole = Range { first: (-1).max(1 - t), last: (last + 1).min(last + t - 1) };
        let mut own = needed(whole, t - 1);
        let stem_range = (own.first, own.last);
        let mut layer = 1;
        let mut stream = |convolution: &'a Convolution| {
            if !convolution.deep {
                return StreamingConvolution::new(convolution, (0, 0));
            }
            layer += 1;
            // How far beyond the stack's ends, or the part's, the layers behind look.
            let reach = t - layer;
            whole = Range { first: (whole.first - 1).max(-reach), last: (whole.last + 1).min(last + reach) };
            let output = needed(whole, reach);
            let copies = (own.first + 1 - output.first, output.last + 1 - own.last);
            own = output;
            StreamingConvolution::new(convolution, copies)
        };
        let groups = network
            .layers
            .encoder
            .iter()
            .map(|group| StreamingGroup {
                plain: group.plain.iter().map(&mut stream).collect(),
                residual: group.residual.iter().map(|[a, b]| [stream(a), stream(b)]).collect(),
                finished: VecDeque::new(),
            })
            .collect();
        StreamingEncoder { network, groups, stem_range }
    }

    /// The positions at which the stem wants to be computed, first and last.
    pub fn stem_range(&self) -> (isize, isize) {
        self.stem_range
    }

    /// Takes the next slices, each with its neighbours as channels (`[N, D, H, W]`, beginning at position `start`), and gives
    /// the features of the slices that are thereby complete. `last` marks the last block. An error of `check` ends it after the layer that
    /// it is at.
    pub fn push(
        &mut self,
        start: isize,
        windows: &Tensor,
        last: bool,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Encoded>> {
        check()?;
        let mut block = Some(Block { start, x: self.network.stem.forward(windows)? });
        let mut done = None;
        for (g, group) in self.groups.iter_mut().enumerate() {
            if g > 0 {
                block = match block {
                    Some(block) => Some(Block { start: block.start, x: halve(&block.x)? }),
                    None => None,
                };
            }
            block = group.push(block, last, check)?;
            if let Some(block) = &block {
                group.finished.push_back(Block { start: block.start, x: block.x.shallow_clone() });
                done = Some((block.start, block.end()));
            } else {
                done = None;
            }
        }
        let Some((start, end)) = done else { return Ok(None) };
        let features = self.groups.iter_mut().map(|group| group.take(start, end)).collect::<Result<_>>()?;
        Ok(Some(Encoded { start: start as usize, features }))
    }
}

struct StreamingGroup<'a> {
    plain: Vec<StreamingConvolution<'a>>,
    residual: Vec<[StreamingConvolution<'a>; 2]>,
    /// Output that waits for the groups behind, which are some slices late.
    finished: VecDeque<Block>,
}

impl StreamingGroup<'_> {
    fn push(&mut self, block: Option<Block>, last: bool, check: &dyn Fn() -> Result<()>) -> Result<Option<Block>> {
        let mut block = block;
        for layer in &mut self.plain {
            check()?;
            block = layer.push(block, last)?.1;
            relu(&mut block)?;
        }
        for [first, second] in &mut self.residual {
            check()?;
            let (input, mut inner) = first.push(block, last)?;
            relu(&mut inner)?;
            check()?;
            let mut output = second.push(inner, last)?.1;
            if let (Some(output), Some(input)) = (&mut output, input) {
                // What the first convolution has at hand reaches back to the slices that the second one now completes.
                let skip = input.part(output.start, output.end())?;
                let _ = output.x.f_add_(&skip.x)?;
            }
            relu(&mut output)?;
            block = output;
        }
        Ok(block)
    }

    /// Takes the slices from `start` to before `end` out of those that wait.
    fn take(&mut self, start: isize, end: isize) -> Result<Tensor> {
        while self.finished.front().is_some_and(|block| block.end() <= start) {
            self.finished.pop_front();
        }
        let mut parts = Vec::new();
        for block in &self.finished {
            if block.start < end {
                parts.push(block.part(block.start.max(start), block.end().min(end))?.x);
            }
        }
        while self.finished.front().is_some_and(|block| block.end() <= end) {
            self.finished.pop_front();
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tensor::f_cat(&parts, 0)? })
    }
}

fn relu(block: &mut Option<Block>) -> Result<()> {
    if let Some(block) = block {
        let _ = block.x.f_relu_()?;
    }
    Ok(())
}

/// First and last position of a layer's slices.
#[derive(Clone, Copy)]
struct Range {
    first: isize,
    last: isize,
}

/// A convolution of the encoder and the slices of its input that it will need again.
struct StreamingConvolution<'a> {
    convolution: &'a Convolution,
    /// Copies of the first and of the last slice to put before and behind the input.
    copies: (i64, i64),
    begun: bool,
    kept: Option<Block>,
}

impl<'a> StreamingConvolution<'a> {
    fn new(convolution: &'a Convolution, copies: (isize, isize)) -> Self {
        debug_assert!(copies.0 >= 0 && copies.1 >= 0);
        StreamingConvolution { convolution, copies: (copies.0 as i64, copies.1 as i64), begun: false, kept: None }
    }

    /// Takes the next slices of the input; gives the input as far as it is at hand, and the output that it completes,
    /// without ReLU.
    fn push(&mut self, block: Option<Block>, last: bool) -> Result<(Option<Block>, Option<Block>)> {
        if !self.convolution.deep {
            let output = match &block {
                Some(block) => Some(Block { start: block.start, x: self.convolution.apply(&block.x)? }),
                None => None,
            };
            return Ok((block, output));
        }
        let Some(input) = self.gather(block, last)? else { return Ok((None, None)) };
        let (start, slices) = (input.start, input.len() as isize);
        if slices < 3 {
            self.kept = Some(input);
            return Ok((None, None));
        }
        let output = Block { start: start + 1, x: self.convolution.apply(&input.x)? };
        if !last {
            let tail = input.part(input.end() - 2, input.end())?;
            // Concatenating one tensor copies it: a view of two slices would keep the whole block in memory.
            self.kept = Some(Block { start: tail.start, x: Tensor::f_cat(&[&tail.x], 0)? });
        }
        Ok((Some(input), Some(output)))
    }

    /// The kept slices, the new ones, and the copies that belong before the first and behind the last.
    fn gather(&mut self, block: Option<Block>, last: bool) -> Result<Option<Block>> {
        let mut parts: Vec<Tensor> = Vec::with_capacity(6);
        let mut start = 0;
        if let Some(kept) = self.kept.take() {
            start = kept.start;
            parts.push(kept.x);
        }
        if let Some(block) = block {
            if !self.begun {
                self.begun = true;
                start = block.start - self.copies.0 as isize;
                let first = block.x.f_narrow(0, 0, 1)?;
                parts.extend((0..self.copies.0).map(|_| first.shallow_clone()));
            }
            parts.push(block.x);
        }
        if last {
            if let Some(end) = parts.last() {
                let end = end.f_narrow(0, end.size()[0] - 1, 1)?;
                parts.extend((0..self.copies.1).map(|_| end.shallow_clone()));
            }
        }
        Ok(match parts.len() {
            0 => None,
            1 => Some(Block { start, x: parts.remove(0) }),
            _ => Some(Block { start, x: Tensor::f_cat(&parts, 0)? }),
        })
    }
}
