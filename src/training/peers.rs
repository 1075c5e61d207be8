//! Data-parallel training: the processes that train one network together.
//!
//! A step takes [`accumulate`](super::TrainOptions::accumulate) batches of the options' size, whatever the number of processes. Each process
//! computes a stretch of them; gradients and running statistics are then summed along a binary tree over the step's batches, which
//! depends on their number alone. So the result has the same bits for any number of processes, one included.
//!
//! ```text
//! batches      0   1   2   3         process 0 of 2 computes 0 and 1 and sends their sum, process 1 sends that of 2 and 3;
//!               \ /     \ /          with four processes each sends one, and with one nothing is sent
//!                +       +
//!                 \     /
//!                  \   /
//!                    +
//! ```
//!
//! Batch normalisation takes its means and variances from the batch at hand, as with one process. Its running statistics become the mean
//! of what each of the step's batches would have made of them.
//!
//! This file decides what is exchanged, and two functions of an outside engine ([`Exchange`]) carry it: torch.distributed's, MPI's.

use std::ops::Range;
use std::sync::Arc;

use super::learner::Losses;
use super::loader::Share;
use super::parameters::Buffer;
use super::sample::Batch;
use super::trainer::Trainer;
use crate::volume::View;
use crate::{Error, Result};

/// What carries bytes between the processes. All processes make the same calls in the same order, one at a time.
pub trait Exchange: Send + Sync {
    /// Every process sends the same number of bytes; `receive` gets all of them, in the order of the processes.
    ///
    /// # Errors
    /// Any error ends the training.
    fn all_gather(&self, send: &[u8], receive: &mut [u8]) -> Result<()>;

    /// `send` has one piece for each process, all of one length; `receive` gets the pieces that they sent to this one, in their order.
    ///
    /// # Errors
    /// Any error ends the training.
    fn all_to_all(&self, send: &[u8], receive: &mut [u8]) -> Result<()>;
}

/// This process among those that train together.
#[derive(Clone)]
pub struct Peers {
    rank: usize,
    ranks: usize,
    exchange: Option<Arc<dyn Exchange>>,
    views: Vec<View>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.rank, self.ranks)
    }
}

impl Default for Peers {
    fn default() -> Self {
        Peers { rank: 0, ranks: 1, exchange: None, views: Vec::new() }
    }
}

/// The numbers of an exchanged slice of a flat buffer: 16 MiB, so that an exchange takes little memory beside the buffers.
const SLICE: usize = 1 << 22;

impl Peers {
    /// Process number `rank` of `ranks`, which all have the same options and cases in the same order. They train the options' views that
    /// `views` has; all of them if it is empty.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rank that is not below `ranks`.
    pub fn new(rank: usize, ranks: usize, views: Vec<View>, exchange: Arc<dyn Exchange>) -> Result<Self> {
        if rank >= ranks {
            let fault = format!("{rank} of {ranks}; numbers from 0 to before the number of processes were expected");
            return Err(Error::argument("rank", fault));
        }
        Ok(Peers { rank, ranks, exchange: Some(exchange), views })
    }

    /// The views that these processes train; empty: all.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// Whether this process writes the run's files: one does.
    pub(super) fn writes(&self) -> bool {
        self.rank == 0
    }

    /// Whether these processes train a view.
    pub(super) fn train(&self, view: View) -> bool {
        self.views.is_empty() || self.views.contains(&view)
    }

    /// The batches of each step that a process computes.
    fn stretch(&self, rank: usize, accumulate: usize) -> Range<usize> {
        rank * accumulate / self.ranks..(rank + 1) * accumulate / self.ranks
    }

    /// This process's part of a stage's batches.
    pub(super) fn share(&self, accumulate: usize) -> Share {
        Share { accumulate, own: self.stretch(self.rank, accumulate) }
    }

    /// What every process gives, in their order.
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.ranks > 1) else { return Ok(vec![own.to_vec()]) };
        let mut all = vec![0; own.len() * self.ranks];
        exchange.all_gather(own, &mut all)?;
        Ok(all.chunks_exact(own.len()).map(<[u8]>::to_vec).collect())
    }

    /// The largest of the numbers that the processes give: what one of them wants, all do.
    pub(super) fn largest(&self, own: u8) -> Result<u8> {
        Ok(self.gather(&[own])?.into_iter().flatten().max().unwrap_or(own))
    }

    /// Refuses to start where another process would train something else.
    pub(super) fn agree(&self, state: &[u8; 32]) -> Result<()> {
        match self.gather(state)?.iter().position(|other| other != state) {
            None => Ok(()),
            Some(other) => Err(Error::Training(format!(
                "process {other} starts from other options, cases, weights or checkpoints than process {}; give all processes the same \
                 data, options and model, and a run's folder that they all can read",
                self.rank
            ))),
        }
    }

    /// Numbers for things that the processes share out among them: `compute` is called for those of this one, and the numbers of
    /// all come back in order. A process that fails or stops ends the work of all.
    pub(super) fn compute_all(&self, count: usize, mut compute: impl FnMut(usize) -> Result<f64>) -> Result<Vec<f64>> {
        let per_rank = count.div_ceil(self.ranks);
        let mut message = vec![OK];
        let mut failure = None;
        for index in (self.rank..count).step_by(self.ranks) {
            match compute(index) {
                Ok(value) => message.extend(value.to_le_bytes()),
                Err(error) => {
                    message[0] = if matches!(error, Error::Cancelled) { STOPPED } else { FAILED };
                    failure = Some(error);
                    break;
                }
            }
        }
        message.resize(1 + 8 * per_rank, 0);
        let all = self.gather(&message)?;
        self.check(&all, failure)?;
        let number = |index: usize| f64_at(&all[index % self.ranks], 1 + 8 * (index / self.ranks));
        Ok((0..count).map(number).collect())
    }

    /// Ends the work of all processes where one could not go on.
    fn check(&self, all: &[Vec<u8>], failure: Option<Error>) -> Result<()> {
        if let Some(error) = failure {
            return Err(error);
        }
        if let Some(other) = all.iter().position(|message| message[0] == FAILED) {
            return Err(Error::Training(format!("process {other} of {} failed; its own message says why", self.ranks)));
        }
        match all.iter().any(|message| message[0] == STOPPED) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }

    /// A step on the `sizes.len()` batches that are left of an epoch, `accumulate` at most; `sizes` are their samples. `next` gives this
    /// process's batches, one by one. The losses are those of all batches, in order.
    pub(super) fn step(
        &self,
        trainer: &mut Trainer,
        accumulate: usize,
        sizes: &[usize],
        next: &mut dyn FnMut() -> Result<Batch>,
        learning_rate: f64,
    ) -> Result<Vec<Losses>> {
        if accumulate == 1 && self.ranks == 1 {
            return Ok(vec![trainer.whole_step(&next()?, learning_rate)?]);
        }
        let samples: usize = sizes.iter().sum();
        let own = self.stretch(self.rank, accumulate);
        // Every batch of the step finds the running statistics as they were before it.
        let before = trainer.parameters.statistics()?;
        let mut losses = Vec::new();
        let mut first = true;
        let mut leaf = |index: usize| -> Result<Option<Vec<f32>>> {
            let Some(size) = sizes.get(index) else { return Ok(None) };
            if !std::mem::take(&mut first) {
                trainer.parameters.set_statistics(&before)?;
            }
            losses.push(trainer.differentiate(&next()?)?);
            let mut values = trainer.parameters.buffer(Buffer::Gradients)?;
            values.extend(trainer.parameters.statistics()?);
            let weight = *size as f32 / samples as f32;
            values.iter_mut().for_each(|value| *value *= weight);
            Ok(Some(values))
        };
        let roots = Node::whole(accumulate).within(&own);
        let sums: Result<Vec<_>> = roots.iter().map(|root| root.sum(&mut leaf)).collect();
        let (sums, failure) = match sums {
            Ok(sums) => (sums, None),
            Err(error) => (Vec::new(), Some(error)),
        };

        let most = (0..self.ranks).map(|rank| self.stretch(rank, accumulate).len()).max().unwrap_or(0);
        let mut message = vec![if failure.is_some() { FAILED } else { OK }];
        message.extend(losses.iter().flat_map(numbers_of).flat_map(f64::to_le_bytes));
        message.resize(1 + 8 * TERMS * most, 0);
        let messages = self.gather(&message)?;
        self.check(&messages, failure)?;
        let losses = (0..self.ranks).flat_map(|rank| {
            let stretch = self.stretch(rank, accumulate);
            let message = &messages[rank];
            let count = stretch.end.min(sizes.len()).saturating_sub(stretch.start);
            (0..count).map(move |index| losses_of(|term| f64_at(message, 1 + 8 * (TERMS * index + term))))
        });
        let losses = losses.collect();

        let length = trainer.parameters.len() + before.len();
        let total = self.sum(accumulate, sizes.len(), sums, length)?;
        trainer.parameters.set_buffer(Buffer::Gradients, &total[..trainer.parameters.len()])?;
        trainer.parameters.set_statistics(&total[trainer.parameters.len()..])?;
        trainer.optimise(learning_rate)?;
        Ok(losses)
    }

    /// The sum over the first `count` batches of a step, of the sums over this process's part of the tree. Each process adds up one slice of
    /// it and gives the result to the others, which takes as few bytes as a reduction on a ring.
    fn sum(&self, accumulate: usize, count: usize, mut sums: Vec<Option<Vec<f32>>>, length: usize) -> Result<Vec<f32>> {
        let nothing = || Error::Training("a step without batches".into());
        let Some(exchange) = self.exchange.as_ref().filter(|_| self.ranks > 1) else {
            return sums.pop().flatten().ok_or_else(nothing);
        };
        let whole = Node::whole(accumulate);
        let roots: Vec<Vec<Node>> = (0..self.ranks).map(|rank| whole.within(&self.stretch(rank, accumulate))).collect();
        let most = roots.iter().map(Vec::len).max().unwrap_or(0);
        let mut total = vec![0.0; length];
        let slice = length.div_ceil(self.ranks).min(SLICE);
        let (mut send, mut received) = (vec![0; 4 * slice * most * self.ranks], vec![0; 4 * slice * most * self.ranks]);
        let mut gathered = vec![0; 4 * slice * self.ranks];
        for start in (0..length).step_by(slice * self.ranks) {
            let part = |rank: usize| {
                let from = (start + rank * slice).min(length);
                from..(from + slice).min(length)
            };
            for (rank, piece) in send.chunks_exact_mut(4 * slice * most).enumerate() {
                for (place, sum) in piece.chunks_exact_mut(4 * slice).zip(&sums) {
                    if let Some(values) = sum {
                        put(&values[part(rank)], place);
                    }
                }
            }
            exchange.all_to_all(&send, &mut received)?;
            let mut leaf = |rank: usize, index: usize| {
                let place = 4 * slice * (rank * most + index);
                take(&received[place..place + 4 * slice])
            };
            let own = whole.sum_of(&roots, count, &mut leaf).ok_or_else(nothing)?;
            let mut bytes = vec![0; 4 * slice];
            put(&own, &mut bytes);
            exchange.all_gather(&bytes, &mut gathered)?;
            for (rank, piece) in gathered.chunks_exact(4 * slice).enumerate() {
                let part = part(rank);
                let count = part.len();
                total[part].copy_from_slice(&take(piece)[..count]);
            }
        }
        Ok(total)
    }
}

const OK: u8 = 0;
const STOPPED: u8 = 1;
const FAILED: u8 = 2;

/// A node of the tree along which a step's batches are summed: those from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    start: usize,
    end: usize,
}

impl Node {
    fn whole(accumulate: usize) -> Self {
        Node { start: 0, end: accumulate }
    }

    /// The two below; none of a single batch.
    fn children(self) -> Option<[Node; 2]> {
        let length = self.end - self.start;
        (length > 1).then(|| {
            let middle = self.start + length.next_power_of_two() / 2;
            [Node { end: middle, ..self }, Node { start: middle, ..self }]
        })
    }

    /// The fewest nodes that make up a stretch of batches.
    fn within(self, stretch: &Range<usize>) -> Vec<Node> {
        if self.end <= stretch.start || stretch.end <= self.start || stretch.is_empty() {
            return Vec::new();
        }
        if stretch.start <= self.start && self.end <= stretch.end {
            return vec![self];
        }
        self.children().into_iter().flatten().flat_map(|child| child.within(stretch)).collect()
    }

    /// The sum over its batches, computed one after the other.
    fn sum(self, leaf: &mut dyn FnMut(usize) -> Result<Option<Vec<f32>>>) -> Result<Option<Vec<f32>>> {
        match self.children() {
            None => leaf(self.start),
            Some([left, right]) => {
                let left = left.sum(leaf)?;
                Ok(add(left, right.sum(leaf)?))
            }
        }
    }

    /// The same of sums that the processes have computed already: `leaf` gives a process's by number. Only the first `count` batches
    /// are there.
    fn sum_of(
        self,
        roots: &[Vec<Node>],
        count: usize,
        leaf: &mut dyn FnMut(usize, usize) -> Vec<f32>,
    ) -> Option<Vec<f32>> {
        if self.start >= count {
            return None;
        }
        for (rank, own) in roots.iter().enumerate() {
            if let Some(index) = own.iter().position(|root| *root == self) {
                return Some(leaf(rank, index));
            }
        }
        let [left, right] = self.children()?;
        let left = left.sum_of(roots, count, leaf);
        add(left, right.sum_of(roots, count, leaf))
    }
}

fn add(left: Option<Vec<f32>>, right: Option<Vec<f32>>) -> Option<Vec<f32>> {
    match (left, right) {
        (Some(mut left), Some(right)) => {
            left.iter_mut().zip(&right).for_each(|(left, right)| *left += right);
            Some(left)
        }
        (left, right) => left.or(right),
    }
}

fn put(values: &[f32], place: &mut [u8]) {
    place.chunks_exact_mut(4).zip(values).for_each(|(place, value)| place.copy_from_slice(&value.to_le_bytes()));
}

fn take(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn f64_at(bytes: &[u8], place: usize) -> f64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[place..place + 8]);
    f64::from_le_bytes(value)
}

/// Numbers in [`Losses`].
const TERMS: usize = 6;

fn numbers_of(losses: &Losses) -> [f64; TERMS] {
    let Losses { total, map, side, global, global_finer, organs } = *losses;
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    [total, or_nan(map), or_nan(side), or_nan(global), or_nan(global_finer), or_nan(organs)]
}

fn losses_of(number: impl Fn(usize) -> f64) -> Losses {
    let known = |term: usize| Some(number(term)).filter(|value| !value.is_nan());
    Losses {
        total: number(0),
        map: known(1),
        side: known(2),
        global: known(3),
        global_finer: known(4),
        organs: known(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stretches of any number of processes, as nodes, make up the tree; the sum has the bits of one process's.
    #[test]
    fn a_sum_has_the_same_bits_for_any_number_of_processes() {
        let value = |index: usize| vec![(index as f32 + 0.3).sin() * 10_f32.powi(index as i32 % 7 - 3)];
        for accumulate in 1..=13 {
            for count in 1..=accumulate {
                let mut leaf = |index: usize| Ok((index < count).then(|| value(index)));
                let whole = Node::whole(accumulate);
                let expected = whole.sum(&mut leaf).unwrap().unwrap();
                for ranks in 1..=16 {
                    let peers = Peers { ranks, ..Peers::default() };
                    let roots: Vec<Vec<Node>> =
                        (0..ranks).map(|rank| whole.within(&peers.stretch(rank, accumulate))).collect();
                    let covered: usize = roots.iter().flatten().map(|node| node.end - node.start).sum();
                    assert_eq!(covered, accumulate, "{accumulate} batches, {ranks} processes");
                    let mut given = |rank: usize, index: usize| roots[rank][index].sum(&mut leaf).unwrap().unwrap();
                    let found = whole.sum_of(&roots, count, &mut given).unwrap();
                    assert_eq!(found[0].to_bits(), expected[0].to_bits(), "{accumulate}, {count}, {ranks}");
                }
            }
        }
    }

    #[test]
    fn powers_of_two_send_one_sum_each() {
        for (accumulate, ranks) in [(4, 1), (4, 2), (4, 4), (8, 2), (16, 4)] {
            let peers = Peers { ranks, ..Peers::default() };
            for rank in 0..ranks {
                assert_eq!(Node::whole(accumulate).within(&peers.stretch(rank, accumulate)).len(), 1);
            }
        }
    }
}
