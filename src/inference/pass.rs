//! One model's way through a volume, and the sum over several models.

use std::collections::BTreeMap;

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Zip};
use rayon::prelude::*;

use super::clock::Clock;
use super::networks::predictor;
use super::predictor::Work;
use super::results::add_resampled;
use super::sum::{Sum, Votes};
use crate::compute::threads::give_memory_back;
use crate::compute::Monitor;
use crate::quality::Agreement;
use crate::volume::{lps_size, lps_view, lps_view_mut, zeros, Geometry, View};
use crate::{Error, Result};

/// What one model has to do.
pub(super) struct Pass<'a> {
    pub work: Work<'a>,
    /// Hounsfield units in the LPS frame on the model's working grid, `[z, y, x]`.
    pub input: ArrayView3<'a, f32>,
    /// The caller's grid.
    pub geometry: &'a Geometry,
    /// The views to compute, with weights that add up to 1.
    pub weights: &'a BTreeMap<View, f64>,
    /// Of the first label.
    pub threshold: f64,
    /// Whether each view's probability is kept.
    pub keep_views: bool,
    /// The model's number, from 0, and how many there are.
    pub step: (usize, usize),
}

/// Probabilities of the first label on the grid that a network works on. Where that is the caller's they lie in the caller's own order, so that
/// they can be given back as they are.
pub(super) struct Gathered {
    pub array: Array3<f32>,
    pub on_caller: bool,
}

impl Gathered {
    /// All 0, on a working grid of `[z, y, x]` voxels.
    fn zeros(size: [usize; 3], geometry: &Geometry) -> Result<Self> {
        let on_caller = size == lps_size(geometry);
        let [i, j, k] = geometry.size;
        let [z, y, x] = size;
        Ok(Gathered { array: zeros(if on_caller { (k, j, i) } else { (z, y, x) })?, on_caller })
    }

    /// In the LPS frame, `[z, y, x]`.
    pub fn view(&self, geometry: &Geometry) -> ArrayView3<'_, f32> {
        match self.on_caller {
            true => lps_view(self.array.view(), geometry),
            false => self.array.view(),
        }
    }

    fn view_mut(&mut self, geometry: &Geometry) -> ArrayViewMut3<'_, f32> {
        match self.on_caller {
            true => lps_view_mut(self.array.view_mut(), geometry),
            false => self.array.view_mut(),
        }
    }
}

/// What one model found. All arrays but `fused` are in the LPS frame, `[z, y, x]` on its working grid.
pub(super) struct Found {
    /// The first label's fused probability.
    pub fused: Gathered,
    /// The other labels'.
    pub others: Vec<Array3<f32>>,
    /// Each view's of the first label, if kept.
    pub views: BTreeMap<View, Array3<f32>>,
    /// How far the views agree; none of a single view.
    pub agreement: Option<Agreement>,
}

impl Pass<'_> {
    /// Computes the views and fuses them. `in_need` is asked for a better word where memory runs out.
    pub fn run(&self, monitor: &Monitor, clock: &mut Clock, in_need: &dyn Fn(Error) -> Error) -> Result<Found> {
        let Pass { work, input, geometry, weights: view_weights, threshold, keep_views, step: (step, steps) } = self;
        let input = input.view();
        let (z, y, x) = input.dim();
        // The views' weighted sum gathers right in the result, unless that lies on another grid than the network works on.
        let mut gathered = Gathered::zeros([z, y, x], geometry)?;
        let mut fused = gathered.view_mut(geometry);
        let labels = &work.model.config().labels;
        let mut others = labels.labels[1..].iter().map(|_| zeros::<f32>(input.dim())).collect::<Result<Vec<_>>>()?;
        let mut kept: BTreeMap<View, Array3<f32>> = BTreeMap::new();
        let mut votes = zeros::<u8>(input.dim())?;
        let mut squares = vec![0.0; view_weights.len()];
        let count = view_weights.len() as f64;
        let of_all = |part: f64| (*step as f64 + part) / *steps as f64;
        let named = |phase: &str| match steps {
            1 => phase.to_string(),
            steps => format!("{phase}, model {} of {steps}", step + 1),
        };
        let mut predictor = predictor(*work).map_err(in_need)?;
        let before = predictor.share_of_begin();
        let wanted_views: Vec<View> = view_weights.keys().copied().collect();
        let phase = named("all views");
        predictor
            .begin(input.view(), &wanted_views, monitor, &|part| monitor.report(&phase, of_all(before * part)))
            .map_err(in_need)?;
        for (number, (view, weight)) in view_weights.iter().enumerate() {
            let phase = named(&format!("{view} view"));
            let done = |part: f64| of_all(before + (1.0 - before) * (number as f64 + part) / count);
            let report = |part: f64| monitor.report(&phase, done(part));
            report(0.0);
            let votes = votes.view_mut();
            let squares = &mut squares[number];
            let others: Vec<_> = others.iter_mut().map(|other| view.slices(other.view_mut())).collect();
            let others_weight = *weight as f32;
            let run = |sum: ArrayViewMut3<f32>, weight: f64| {
                let array = view.slices(votes);
                let votes = Votes { array, bit: 1 << number, threshold: *threshold as f32, squares };
                let sum = Sum { array: view.slices(sum), weight: weight as f32, others, others_weight, votes };
                predictor.view(*view, input.view(), sum, monitor, &report).map_err(in_need)
            };
            if *keep_views {
                let mut alone = zeros::<f32>(input.dim())?;
                run(alone.view_mut(), 1.0)?;
                Zip::from(&mut fused).and(&alone).par_for_each(|sum, p| *sum += *weight as f32 * p);
                kept.insert(*view, alone);
            } else {
                run(fused.view_mut(), *weight)?;
            }
            clock.lap(&phase);
        }
        drop(predictor);
        give_memory_back(work.compute.is_gpu());
        let agreement = (view_weights.len() > 1).then(|| {
            let weights: Vec<f64> = view_weights.values().copied().collect();
            Agreement::of(votes.view(), &weights, &squares, sum_of_squares(fused.view()))
        });
        Ok(Found { fused: gathered, others, views: kept, agreement })
    }
}

/// The sum of squares; slices are added up in their order, so that it is the same every time.
fn sum_of_squares(array: ArrayView3<f32>) -> f64 {
    let of_slice = |slice: ndarray::ArrayView2<f32>| slice.iter().map(|p| f64::from(p * p)).sum::<f64>();
    array.outer_iter().into_par_iter().map(of_slice).collect::<Vec<f64>>().iter().sum()
}

/// The sum over models, on a grid that all have in common; of a single model what it found, untouched.
pub(super) struct Total<'a> {
    /// The caller's grid.
    geometry: &'a Geometry,
    /// The common grid's size, LPS `[z, y, x]`.
    common: [usize; 3],
    keep_views: bool,
    fused: Option<Gathered>,
    others: Vec<Array3<f32>>,
    /// With the number of models that have the view.
    views: BTreeMap<View, (Array3<f32>, usize)>,
    deviation: Option<Deviation>,
    agreements: Vec<Agreement>,
    models: usize,
}

/// What comes of it. All arrays but `fused` are in the LPS frame, `[z, y, x]` on the common grid.
pub(super) struct Mean {
    pub fused: Gathered,
    pub others: Vec<Array3<f32>>,
    pub views: BTreeMap<View, Array3<f32>>,
    /// The standard deviation over the views of all models, if it was asked for.
    pub deviation: Option<Array3<f32>>,
    pub agreement: Option<Agreement>,
}

impl<'a> Total<'a> {
    /// Nothing yet. `keep_views` and `deviation` say what is wanted beside the fused probabilities.
    pub fn new(geometry: &'a Geometry, common: [usize; 3], keep_views: bool, deviation: bool) -> Result<Self> {
        Ok(Total {
            geometry,
            common,
            keep_views,
            fused: None,
            others: Vec::new(),
            views: BTreeMap::new(),
            deviation: deviation.then(|| Deviation::new(common)).transpose()?,
            agreements: Vec::new(),
            models: 0,
        })
    }

    /// Adds what a model found.
    pub fn add(&mut self, found: Found) -> Result<()> {
        let Found { fused, others, views, agreement } = found;
        self.fused = Some(match self.fused.take() {
            // What the first one found is the sum so far.
            None if fused.view(self.geometry).shape() == self.common => fused,
            sum => {
                let mut sum = sum.map_or_else(|| Gathered::zeros(self.common, self.geometry), Ok)?;
                add_resampled(sum.view_mut(self.geometry), fused.view(self.geometry));
                sum
            }
        });
        for (label, other) in others.into_iter().enumerate() {
            match self.others.get_mut(label) {
                Some(sum) => add_resampled(sum.view_mut(), other.view()),
                None => self.others.push(on_grid(other, self.common)?),
            }
        }
        for (view, array) in views {
            let array = on_grid(array, self.common)?;
            if let Some(deviation) = &mut self.deviation {
                deviation.add(array.view());
            }
            match self.views.get_mut(&view) {
                _ if !self.keep_views => {}
                Some((sum, count)) => {
                    add_resampled(sum.view_mut(), array.view());
                    *count += 1;
                }
                None => drop(self.views.insert(view, (array, 1))),
            }
        }
        self.agreements.extend(agreement);
        self.models += 1;
        Ok(())
    }

    /// The mean of what was added: of one model at least.
    pub fn mean(self) -> Result<Mean> {
        let none = || Error::argument("models", "none; one at least was expected");
        let mut fused = self.fused.ok_or_else(none)?;
        divide(&mut fused.array, self.models);
        let mut others = self.others;
        others.iter_mut().for_each(|other| divide(other, self.models));
        let of_view = |(view, (mut sum, count)): (View, (Array3<f32>, usize))| {
            divide(&mut sum, count);
            (view, sum)
        };
        let views = self.views.into_iter().map(of_view).collect();
        let agreement = (!self.agreements.is_empty()).then(|| Agreement {
            dice: mean_of(self.agreements.iter().map(|agreement| agreement.dice)),
            soft_dice: mean_of(self.agreements.iter().map(|agreement| agreement.soft_dice)),
        });
        Ok(Mean { fused, others, views, deviation: self.deviation.map(Deviation::end), agreement })
    }
}

fn divide(sum: &mut Array3<f32>, count: usize) {
    if count > 1 {
        sum.par_mapv_inplace(|sum| sum / count as f32);
    }
}

/// The mean of those that have a value.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    match values.as_slice() {
        [] => None,
        [only] => Some(*only),
        several => Some(several.iter().sum::<f64>() / several.len() as f64),
    }
}

/// An array on a grid of another size over the same extent; itself where it lies there already.
fn on_grid(array: Array3<f32>, size: [usize; 3]) -> Result<Array3<f32>> {
    if array.shape() == size {
        return Ok(array);
    }
    let mut result = zeros((size[0], size[1], size[2]))?;
    add_resampled(result.view_mut(), array.view());
    Ok(result)
}

/// A standard deviation that is gathered array by array (Welford's way, which does not lose small differences between large sums).
struct Deviation {
    count: usize,
    mean: Array3<f32>,
    /// Sums of squared distances from the mean.
    squares: Array3<f32>,
}

impl Deviation {
    fn new([z, y, x]: [usize; 3]) -> Result<Self> {
        Ok(Deviation { count: 0, mean: zeros((z, y, x))?, squares: zeros((z, y, x))? })
    }

    fn add(&mut self, values: ArrayView3<f32>) {
        self.count += 1;
        let count = self.count as f32;
        Zip::from(&mut self.mean).and(&mut self.squares).and(values).par_for_each(|mean, squares, value| {
            let distance = value - *mean;
            *mean += distance / count;
            *squares += distance * (value - *mean);
        });
    }

    fn end(self) -> Array3<f32> {
        let (count, mut squares) = (self.count.max(1) as f32, self.squares);
        squares.par_mapv_inplace(|squares| (squares / count).max(0.0).sqrt());
        squares
    }
}
