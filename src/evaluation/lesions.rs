//! Masks by their connected components: which lesions were found, which were missed, and which are none.
//!
//! Voxels that touch by a corner are connected. A component of the truth is found if the prediction has one of its voxels,
//! and missed otherwise; a component of the prediction is false if the truth has none of its voxels. So one component of the
//! prediction may find several of the truth, and several may find one.

use ndarray::{Array3, ArrayView3};
use ndarray_ndimage::{label, Kernel3d};

/// Connected components of a prediction and its truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Components {
    /// Of the truth.
    pub truth: u64,
    /// Of those, which the prediction does not touch.
    pub missed: u64,
    /// Of the prediction.
    pub prediction: u64,
    /// Of those, which the truth does not touch.
    pub invented: u64,
}

/// Counts the components of two masks of one shape.
pub fn components(prediction: ArrayView3<u8>, truth: ArrayView3<u8>) -> Components {
    let (predicted, missed_by_truth) = count(prediction, truth);
    let (true_ones, missed) = count(truth, prediction);
    Components { truth: true_ones, missed, prediction: predicted, invented: missed_by_truth }
}

/// How many components a mask has, and how many of them `other` does not touch.
fn count(mask: ArrayView3<u8>, other: ArrayView3<u8>) -> (u64, u64) {
    let (labels, count): (Array3<u32>, usize) = label(&mask.mapv(|v| v != 0), &Kernel3d::Full.generate());
    let mut touched = vec![false; count + 1];
    ndarray::Zip::from(&labels).and(other).for_each(|label, other| touched[*label as usize] |= *other != 0);
    (count as u64, touched[1..].iter().filter(|touched| !**touched).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

    #[test]
    fn found_missed_and_false_ones() {
        let (mut prediction, mut truth) = (Array3::zeros((20, 20, 20)), Array3::zeros((20, 20, 20)));
        // Two of the truth found by one, of which one by a single voxel; one missed; one false; two that touch by a corner.
        truth.slice_mut(s![1..4, 1..4, 1..4]).fill(1_u8);
        truth.slice_mut(s![1..4, 1..4, 8..11]).fill(1);
        prediction.slice_mut(s![3..4, 3..4, 3..10]).fill(1_u8);
        truth.slice_mut(s![10..12, 10..12, 10..12]).fill(1);
        prediction.slice_mut(s![16..18, 2..4, 2..4]).fill(1);
        prediction.slice_mut(s![18..19, 4..5, 4..5]).fill(1);
        let expected = Components { truth: 3, missed: 1, prediction: 2, invented: 1 };
        assert_eq!(components(prediction.view(), truth.view()), expected);
        let none = Array3::zeros((20, 20, 20));
        let missed = Components { truth: 3, missed: 3, ..Components::default() };
        assert_eq!(components(none.view(), truth.view()), missed);
    }
}
