//! A tumour in the pancreas: a lump that takes contrast medium up less than the organ around it, as most of its cancers do.
//!
//! It is there so that networks of two labels can be tried and tested, the Decathlon's pair of pancreas and tumour; it teaches nobody to find
//! real ones.

use rand::Rng;

use super::labels::{organ, Labels};
use crate::volume::Volume;
use crate::Result;
use ndarray::Array3;

/// The tumour's value in the truth.
pub(super) const TUMOUR: u8 = 2;

/// Paints a tumour of 14 to 36 mm into the pancreas of a painted CT and marks it in its truth. `volume` and `truth` lie on the grid of
/// `labels`. A map without a pancreas stays as it is.
pub(super) fn grow(volume: Volume, truth: &mut Array3<u8>, labels: &Labels, random: &mut impl Rng) -> Result<Volume> {
    let places: Vec<[usize; 3]> =
        labels.ids.indexed_iter().filter(|(_, id)| **id == organ::PANCREAS).map(|((z, y, x), _)| [z, y, x]).collect();
    if places.is_empty() {
        return Ok(volume);
    }
    let centre = places[random.random_range(0..places.len())];
    let radii: [f64; 3] = std::array::from_fn(|_| random.random_range(7.0..18.0));
    let contrast = random.random_range(35.0..70.0_f32);
    let geometry = volume.geometry().clone();
    let mut voxels = volume.into_voxels();
    for at in places {
        let distance = (0..3)
            .map(|axis| ((at[axis] as f64 - centre[axis] as f64) * labels.spacing[axis] / radii[axis]).powi(2))
            .sum::<f64>()
            .sqrt();
        // Its border is a quarter of its radius wide.
        let part = ((1.125 - distance) / 0.25).clamp(0.0, 1.0) as f32;
        voxels[at] -= contrast * part;
        if distance <= 1.0 {
            truth[at] = TUMOUR;
        }
    }
    Volume::new(voxels, geometry)
}
