//! How a slice is cut into overlapping patches (paper, section 2.1 and Algorithm 1), for devices with little memory.

use crate::{Error, Result};

/// Patches of one size, overlapping their neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchGrid {
    /// Rows and columns of a patch; multiples of 8.
    pub size: [usize; 2],
    /// By how many pixels neighbouring patches overlap (paper: 64).
    pub overlap: usize,
}

impl PatchGrid {
    /// # Errors
    /// [`Error::Argument`] if the size is not a multiple of 8 or not larger than the overlap.
    pub fn check(&self) -> Result<()> {
        let [h, w] = self.size;
        if h == 0 || w == 0 || h % 8 != 0 || w % 8 != 0 {
            return Err(Error::argument(
                "patch",
                format!("{h} x {w}; multiples of 8 were expected, 256x256 for example"),
            ));
        }
        if self.overlap >= h.min(w) {
            return Err(Error::argument(
                "overlap",
                format!("{} pixels; less than the patch's smaller side ({}) was expected", self.overlap, h.min(w)),
            ));
        }
        Ok(())
    }
}

/// A patch along one axis of the slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first pixel that is computed.
    pub start: usize,
    /// How many pixels are computed, a multiple of 8; beyond the slice the last pixel is repeated.
    pub length: usize,
    /// The pixels whose result is kept: first, and one behind the last.
    pub kept: (usize, usize),
}

/// Cuts `slice` pixels into spans of `patch` pixels. The last one ends with the slice; each overlap is cut in the middle, half
/// to each neighbour. Without a patch size, or where a patch holds the whole slice, there is one span.
pub(super) fn spans(slice: usize, patch: Option<(usize, usize)>) -> Vec<Span> {
    let whole = Span { start: 0, length: slice.div_ceil(8) * 8, kept: (0, slice) };
    let Some((patch, overlap)) = patch else { return vec![whole] };
    if slice <= patch {
        return vec![whole];
    }
    let mut starts: Vec<usize> =
        (0..).map(|n| n * (patch - overlap)).take_while(|start| start + patch < slice).collect();
    starts.push(slice - patch);
    let middle = |n: usize| (starts[n] + starts[n - 1] + patch) / 2;
    (0..starts.len())
        .map(|n| Span {
            start: starts[n],
            length: patch,
            kept: (if n == 0 { 0 } else { middle(n) }, if n + 1 == starts.len() { slice } else { middle(n + 1) }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_tile_the_slice_and_stay_inside_it() {
        for slice in [8, 9, 63, 64, 65, 100, 192, 511, 512] {
            for (patch, overlap) in [(64, 16), (128, 64), (64, 63), (256, 0), (512, 64)] {
                let spans = spans(slice, Some((patch, overlap)));
                let mut next = 0;
                for span in &spans {
                    assert_eq!(span.kept.0, next, "slice {slice}, patch {patch}, overlap {overlap}: {spans:?}");
                    assert!(span.kept.1 > span.kept.0);
                    assert!(span.start <= span.kept.0 && span.kept.1 <= span.start + span.length);
                    assert!(spans.len() == 1 || span.start + span.length <= slice);
                    next = span.kept.1;
                }
                assert_eq!(next, slice);
            }
        }
    }

    #[test]
    fn an_overlap_is_cut_in_the_middle() {
        let spans = spans(192, Some((128, 64)));
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[0], Span { start: 0, length: 128, kept: (0, 96) });
        assert_eq!(spans[1], Span { start: 64, length: 128, kept: (96, 192) });
    }
}
