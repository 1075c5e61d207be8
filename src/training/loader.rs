//! Batches made ahead on threads of their own, so that the network does not wait.
//!
//! What a batch holds follows from the seed, the view, the stage, the epoch and its number in the epoch alone: how many threads make
//! them, in which order they finish, and where a run was interrupted change nothing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, Receiver};
use std::sync::Arc;
use std::thread::JoinHandle;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sample::{self, Batch, Shape};
use super::stage::Stage;
use super::volumetric::{self, VolumeShape};
use super::{Augmentation, TrainingCase};
use crate::volume::View;
use crate::{Error, Result};

/// What samples are: slices of a view with their neighbours, or boxes of the volume.
#[derive(Clone, Copy, Debug)]
pub(super) enum SampleShape {
    Slices(Shape),
    Volumes(VolumeShape),
}

/// What the batches of a stage are made from.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub cases: Vec<Arc<TrainingCase>>,
    pub view: View,
    pub shape: SampleShape,
    /// Whether samples are centred in the box of the labels alone, not by turns anywhere.
    pub in_box: bool,
    pub stage: Stage,
    pub batch: usize,
    pub samples_per_volume: usize,
    pub augmentation: Augmentation,
    pub seed: u64,
}

impl Plan {
    /// Samples in an epoch.
    fn samples(&self) -> usize {
        self.cases.len() * self.samples_per_volume
    }

    /// Batches in an epoch; the last may be smaller.
    pub fn batches(&self) -> usize {
        self.samples().div_ceil(self.batch)
    }

    /// The random numbers of one thing in an epoch: a sample, or (the largest number) the order.
    fn random(&self, epoch: u64, number: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8] = self.view.axes()[0] as u8;
        key[9] = self.stage as u8;
        key[16..24].copy_from_slice(&epoch.to_le_bytes());
        key[24..].copy_from_slice(&number.to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }

    /// The samples of each of an epoch's batches from number `batch` on.
    pub fn sizes(&self, batch: usize) -> impl Iterator<Item = usize> + '_ {
        (batch..self.batches()).map(|number| self.batch.min(self.samples() - number * self.batch))
    }

    /// The batch number `number` of an epoch.
    pub fn batch(&self, epoch: u64, number: usize) -> Result<Batch> {
        let mut order: Vec<usize> = (0..self.samples()).collect();
        order.shuffle(&mut self.random(epoch, u64::MAX));
        let chosen: Vec<usize> = order.into_iter().skip(number * self.batch).take(self.batch).collect();
        let samples: Vec<_> = chosen
            .iter()
            .map(|index| {
                let case = &self.cases[index / self.samples_per_volume];
                // By turns, and beginning with the box where there is one sample alone.
                let anywhere = !self.in_box && index % self.samples_per_volume % 2 == 1;
                let random = &mut self.random(epoch, *index as u64);
                match &self.shape {
                    SampleShape::Slices(shape) => sample::random(case, shape, anywhere, &self.augmentation, random),
                    SampleShape::Volumes(shape) => {
                        volumetric::random(case, shape, anywhere, &self.augmentation, random)
                    }
                }
            })
            .collect();
        let mut batch = match &self.shape {
            SampleShape::Slices(shape) => Batch::new(&samples, shape)?,
            SampleShape::Volumes(_) => volumetric::batch(&samples)?,
        };
        batch.number = epoch * self.batches() as u64 + number as u64;
        // Numbers of their own: those that samples are made with stay what they are.
        let mut random = self.random(epoch, u64::MAX - 1 - number as u64);
        batch.seed = random.random();
        batch.margins = chosen.iter().map(|_| margins(&mut random)).collect();
        Ok(batch)
    }
}

/// The margins of a crop in training: 20 pixels, or in half of the samples anything from 0 to 40 (Yu et al.).
fn margins(random: &mut ChaCha8Rng) -> [i64; 4] {
    if random.random() {
        std::array::from_fn(|_| random.random_range(0..=40))
    } else {
        [20; 4]
    }
}

/// The batches of a stage one by one, drawn when they are asked for: for engines that step a [`Trainer`](super::Trainer) themselves. Of several
/// processes each takes its own share.
#[derive(Debug)]
pub struct Batches {
    plan: Plan,
    next: u64,
    stride: u64,
}

impl Batches {
    /// Those of process number `rank` of `ranks`: every `ranks`-th, beginning with its own number.
    pub(super) fn new(plan: Plan, [rank, ranks]: [usize; 2]) -> Self {
        Batches { plan, next: rank as u64, stride: ranks as u64 }
    }

    /// The next batch's number, counted through all epochs from 0.
    pub fn number(&self) -> u64 {
        self.next
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`Error::Torch`] and [`Error::Memory`].
    pub fn draw(&mut self) -> Result<Batch> {
        let batch = self.peek()?;
        self.skip();
        Ok(batch)
    }

    /// The next batch, which stays the next one.
    pub(super) fn peek(&self) -> Result<Batch> {
        let per_epoch = self.plan.batches() as u64;
        self.plan.batch(self.next / per_epoch, (self.next % per_epoch) as usize)
    }

    /// Goes on by a batch.
    pub(super) fn skip(&mut self) {
        self.next += self.stride;
    }
}

/// What one of several processes loads: of each step's `accumulate` batches its own stretch. Steps begin anew with each epoch.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub accumulate: usize,
    pub own: Range<usize>,
}

impl Share {
    /// Its batches of an epoch, ascending.
    fn of_epoch(&self, batches: usize) -> Vec<usize> {
        (0..batches).filter(|batch| self.own.contains(&(batch % self.accumulate))).collect()
    }
}

/// Hands out a process's batches of a stage in their order.
#[derive(Debug)]
pub(super) struct Loader {
    receiver: Option<Receiver<(u64, Result<Batch>)>>,
    early: BTreeMap<u64, Result<Batch>>,
    next: u64,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Loader {
    /// Starts at a batch of an epoch.
    pub fn start(plan: Plan, epoch: usize, batch: usize, threads: usize, share: &Share) -> Result<Self> {
        let own = Arc::new(share.of_epoch(plan.batches()));
        let per_epoch = own.len() as u64;
        let first = epoch as u64 * per_epoch + own.partition_point(|number| *number < batch) as u64;
        // Where there are more processes than batches, some have nothing to load.
        let threads = if own.is_empty() { 0 } else { threads };
        let counter = Arc::new(AtomicU64::new(first));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = sync_channel(threads);
        let plan = Arc::new(plan);
        let threads = (0..threads)
            .map(|number| {
                let (plan, own, counter, stop, sender) =
                    (plan.clone(), own.clone(), counter.clone(), stop.clone(), sender.clone());
                std::thread::Builder::new()
                    .name(format!("ggpfn-loader-{number}"))
                    .spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            let at = counter.fetch_add(1, Ordering::Relaxed);
                            let number = own[(at % per_epoch) as usize];
                            let made = std::panic::catch_unwind(|| plan.batch(at / per_epoch, number));
                            let made = made.unwrap_or_else(|_| {
                                Err(Error::Training("a fault of ggpfn's own in making a batch".into()))
                            });
                            if sender.send((at, made)).is_err() {
                                return;
                            }
                        }
                    })
                    .map_err(|e| Error::Memory(format!("the system gave no thread to load on ({e})")))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Loader { receiver: Some(receiver), early: BTreeMap::new(), next: first, stop, threads })
    }

    /// The next batch.
    pub fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.early.remove(&self.next) {
                self.next += 1;
                return batch;
            }
            let received = self.receiver.as_ref().and_then(|receiver| receiver.recv().ok());
            let (at, batch) =
                received.ok_or_else(|| Error::Training("the threads that make batches have ended".into()))?;
            self.early.insert(at, batch);
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.receiver = None; // wakes threads that wait to hand over
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
