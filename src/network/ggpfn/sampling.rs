//! Sub-pixel sampling: the global branch's feature map read at the centres of the local branch's pixels (paper, section 2.3).
//!
//! Bilinear interpolation on a rectangular grid is separable, so that sampling is two small matrix products: one matrix of
//! interpolation weights along the rows, one along the columns.

use tch::Tensor;

use crate::Result;

/// Where a patch lies in its slice, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The patch's first pixel in the slice.
    pub start: usize,
    /// The slice's own size, before any padding.
    pub slice: usize,
}

/// Pixels of the input for each pixel of the encoder's last group.
const SCALE: f64 = 8.0;

/// The interpolation weights, `[local, global]` in float32, with which `local` pixels of the encoder's last group read
/// `global` pixels of the global feature map along one axis.
///
/// Pixel r has its centre at 8 (r + 1/2) - 1/2 + start in the slice and, with half-pixel centres on both sides, at
/// (that + 1/2) global / slice - 1/2 in the feature map; beyond the outermost centres the map is continued by its border.
pub fn weights(local: usize, global: usize, extent: Extent) -> Result<Tensor> {
    let mut matrix = vec![0.0_f32; local * global];
    for r in 0..local {
        let centre = SCALE * (r as f64 + 0.5) + extent.start as f64;
        let position = (centre * global as f64 / extent.slice as f64 - 0.5).clamp(0.0, (global - 1) as f64);
        let below = position.floor() as usize;
        let above = (below + 1).min(global - 1);
        let fraction = position - below as f64;
        matrix[r * global + below] += (1.0 - fraction) as f32;
        matrix[r * global + above] += fraction as f32;
    }
    Ok(Tensor::f_from_slice(&matrix)?.f_reshape([local as i64, global as i64])?)
}

/// The feature map `[N, C, H_F, W_F]` sampled with `rows` `[H, H_F]` and `columns` `[W, W_F]`: `[N, C, H, W]`, in the
/// number format of `rows`. Where the
/// samples lie differently in their slices, `rows` is `[N, 1, H, H_F]` and `columns` `[N, 1, W, W_F]`.
pub fn sample(features: &Tensor, rows: &Tensor, columns: &Tensor) -> Result<Tensor> {
    let along_columns = features.f_to_kind(rows.kind())?.f_matmul(&columns.f_transpose(-2, -1)?)?;
    Ok(rows.f_matmul(&along_columns)?)
}
