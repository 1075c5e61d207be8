//! A mask against its truth.

use super::boundary::enter_with_threads;
use super::image::ggpfn_image;
use super::status::{ggpfn_status, Fault};
use super::structs::{self, growing};
use crate::evaluation::compare;
use crate::volume::same_grid;

/// How good a mask is. What has no value, such as a distance to an empty mask, is NaN.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_comparison {
    /// sizeof(ggpfn_comparison).
    pub struct_size: usize,
    /// Twice the common voxels over the sum of both masks' voxels; NaN if both are empty.
    pub dice: f64,
    /// Common voxels over the voxels of either; NaN if both are empty.
    pub jaccard: f64,
    /// The part of the prediction that is true.
    pub precision: f64,
    /// The part of the truth that was found.
    pub recall: f64,
    /// Volume of the prediction in mL.
    pub prediction_ml: f64,
    /// Volume of the truth in mL.
    pub truth_ml: f64,
    /// Volume of the prediction less that of the truth, in percent of the truth.
    pub volume_error_percent: f64,
    /// 95th percentile of the distances between the surfaces, both ways pooled, in mm.
    pub hausdorff95_mm: f64,
    /// Mean of the same distances in mm.
    pub mean_surface_mm: f64,
}

growing!(ggpfn_comparison, mean_surface_mm);

/// Compares a mask with its truth, both on one grid (corners within 0.01 mm). What is not 0 is inside.
///
/// # Safety
/// Pointers are NULL or point to what their types say.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_evaluate(
    prediction: *const ggpfn_image,
    truth: *const ggpfn_image,
    comparison: *mut ggpfn_comparison,
) -> ggpfn_status {
    enter_with_threads(|| {
        // SAFETY: the caller's promises.
        let ((prediction, its), (truth, grid)) = unsafe {
            structs::check(comparison)?;
            (structs::read(prediction)?.mask()?, structs::read(truth)?.mask()?)
        };
        if !same_grid(&its, &grid) {
            let fault =
                "it does not lie on the truth's grid: size, spacing, origin or direction differ; resample it first";
            return Err(Fault::argument("prediction", fault));
        }
        let [x, y, z] = grid.spacing;
        let found = compare(prediction.view(), truth.view(), [z, y, x])?;
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let value = ggpfn_comparison {
            struct_size: 0,
            dice: or_nan(found.dice),
            jaccard: or_nan(found.jaccard),
            precision: or_nan(found.precision),
            recall: or_nan(found.recall),
            prediction_ml: found.prediction_ml,
            truth_ml: found.truth_ml,
            volume_error_percent: or_nan(found.volume_error_percent),
            hausdorff95_mm: or_nan(found.hausdorff95_mm),
            mean_surface_mm: or_nan(found.mean_surface_mm),
        };
        // SAFETY: the caller's promise.
        unsafe { structs::write(comparison, &value) }
    })
}
