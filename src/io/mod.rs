//! Files of images to a [`Volume`](crate::volume::Volume) and back.

mod dicom;

/// How an image is to be read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The most memory, in bytes, that the decoded voxels of one image may take (as float32). A file that claims or unpacks to
    /// more is refused before the memory is taken.
    pub max_bytes: u64,
    /// For a DICOM folder: the SeriesInstanceUID of the series to take.
    pub series: Option<String>,
}

impl Default for ReadOptions {
    /// 16 GiB (a 512 x 512 x 16384 volume), any series.
    fn default() -> Self {
        ReadOptions { max_bytes: 16 << 30, series: None }
    }
}
