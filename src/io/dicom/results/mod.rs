//! Results as DICOM objects, which archives take: segmentations, and reports of measurements; and segmentations read back.
//!
//! A [`Source`] is the CT series that a result belongs to. [`write_segmentation`] makes a DICOM Segmentation (SEG) of masks or
//! probabilities on its grid: whose they are and where they lie is copied from the series, and each frame refers to the slice that it was
//! drawn on. A list of [`Segment`]s says what is marked; [`Segment::found`] makes one of a label.
//! [`write_structure_set`] draws the contours of masks instead, for radiotherapy (RTSTRUCT).
//! [`write_report`] makes a structured report (SR, template 1500) that refers to both. [`Stored`] reads segmentations, whoever wrote them.
//!
//! The frames lie on the slices of the source, one for each slice on which a segment is; empty ones are left out. A series that is
//! no regular grid (a tilted gantry, a missing slice) is refused, as everywhere in ggpfn, so that no frame can refer to a wrong slice.

mod contours;
mod elements;
mod outlines;
mod report;
mod segmentation;
mod source;
mod stored;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

pub use contours::{is_structure_set, write_structure_set};
pub use report::{is_report, write_report, Report};
pub use segmentation::{write_segmentation, Algorithm, Layer, MadeBy, Segment, SegmentationOptions, Written};
pub use source::Source;
pub use stored::{common_grid, is_segmentation, read_on, Stored};
pub(crate) use stored::{find, read};

use super::header::has_preamble;
pub use crate::labels::Code;

/// Whether a file's name is that of a DICOM file.
pub fn is_dicom_name(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    matches!(extension.as_str(), "dcm" | "dicom")
}

/// What a file's meta group says of what is in it.
#[derive(Clone, Debug, Default)]
struct Meta {
    class: String,
    instance: String,
}

/// Reads the names in a file's meta group; none where it has no such group.
fn meta(path: &Path) -> Option<Meta> {
    /// Meta groups are hardly ever longer.
    const LONGEST: u64 = 1 << 16;
    let mut bytes = Vec::new();
    BufReader::new(File::open(path).ok()?).take(LONGEST).read_to_end(&mut bytes).ok()?;
    if !has_preamble(&bytes) {
        return None;
    }
    let mut meta = Meta::default();
    let mut at = 132;
    // Group 2 is explicit little endian in every file.
    while let Some(head) = bytes.get(at..at + 8).filter(|head| head[..2] == [2, 0]) {
        let (start, length) = match &head[4..6] {
            b"OB" | b"UN" | b"UT" => {
                let length = bytes.get(at + 8..at + 12)?;
                (at + 12, u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)
            }
            _ => (at + 8, usize::from(u16::from_le_bytes([head[6], head[7]]))),
        };
        let value = bytes.get(start..start.checked_add(length)?)?;
        let text = || String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_string();
        match head[2..4] {
            [2, 0] => meta.class = text(),
            [3, 0] => meta.instance = text(),
            _ => {}
        }
        at = start + length;
    }
    Some(meta)
}
