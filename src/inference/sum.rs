//! Where the views' probabilities come together.

use ndarray::{s, ArrayView3, ArrayViewMut3, Axis, Ix3, SliceInfo, SliceInfoElem, Zip};

use crate::Result;

/// Where a view's probabilities go: they are added, weighted, to what is there.
pub(super) struct Sum<'a> {
    /// The first label's, `[slice, row, column]` of the view.
    pub array: ArrayViewMut3<'a, f32>,
    pub weight: f32,
    /// The other labels', in order.
    pub others: Vec<ArrayViewMut3<'a, f32>>,
    /// The weight of theirs.
    pub others_weight: f32,
    /// The view's votes, of the same shape.
    pub votes: Votes<'a>,
}

/// What is kept of a view's probabilities beside their sum, to see how far views agree.
pub(super) struct Votes<'a> {
    /// Where the probability reaches the threshold, the bit is set.
    pub array: ArrayViewMut3<'a, u8>,
    pub bit: u8,
    pub threshold: f32,
    /// The sum of the squared probabilities.
    pub squares: &'a mut f64,
}

impl Sum<'_> {
    /// Adds probabilities of the slices from `first` on: `of` gives those of a label, by its number.
    pub fn add<'b>(&mut self, first: usize, of: impl Fn(usize) -> Result<ArrayView3<'b, f32>>) -> Result<()> {
        let Sum { array, weight, others, others_weight, votes } = self;
        let main = of(0)?;
        let slices = s![first..first + main.dim().0, .., ..];
        for (number, other) in others.iter_mut().enumerate() {
            Zip::from(other.slice_mut(slices)).and(of(number + 1)?).for_each(|sum, p| *sum += *others_weight * p);
        }
        let mut squares = 0.0;
        Zip::from(array.slice_mut(slices)).and(votes.array.slice_mut(slices)).and(main).for_each(|sum, vote, p| {
            *sum += *weight * p;
            if *p >= votes.threshold {
                *vote |= votes.bit;
            }
            squares += f64::from(p * p);
        });
        *votes.squares += squares;
        Ok(())
    }

    /// Where a part of the view goes.
    pub fn part(&mut self, part: SliceInfo<[SliceInfoElem; 3], Ix3, Ix3>) -> Sum<'_> {
        let Votes { array, bit, threshold, squares } = &mut self.votes;
        Sum {
            array: self.array.slice_mut(part),
            weight: self.weight,
            others: self.others.iter_mut().map(|array| array.slice_mut(part)).collect(),
            others_weight: self.others_weight,
            votes: Votes { array: array.slice_mut(part), bit: *bit, threshold: *threshold, squares },
        }
    }

    /// Where the slices between each two of `cuts` go, which count their squares each for itself.
    pub fn split<'b>(&'b mut self, cuts: &[usize], squares: &'b mut [f64]) -> Vec<Sum<'b>> {
        fn split<'b, T>(array: &'b mut ArrayViewMut3<T>, cuts: &[usize]) -> Vec<ArrayViewMut3<'b, T>> {
            let mut rest = array.view_mut();
            let mut parts = Vec::new();
            for cut in cuts.windows(2) {
                let (part, behind) = rest.split_at(Axis(0), cut[1] - cut[0]);
                parts.push(part);
                rest = behind;
            }
            parts
        }
        let arrays = split(&mut self.array, cuts);
        let votes = split(&mut self.votes.array, cuts);
        let mut others: Vec<_> = self.others.iter_mut().map(|array| split(array, cuts).into_iter()).collect();
        arrays
            .into_iter()
            .zip(votes)
            .zip(squares)
            .map(|((array, votes), squares)| Sum {
                array,
                weight: self.weight,
                others: others.iter_mut().filter_map(Iterator::next).collect(),
                others_weight: self.others_weight,
                votes: Votes { array: votes, bit: self.votes.bit, threshold: self.votes.threshold, squares },
            })
            .collect()
    }
}
