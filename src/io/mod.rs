//! Files of images to a [`Volume`] and back: NIfTI, NRRD, MetaImage, DICOM.
//!
//! This room knows files and volumes. It knows no network and no tensors.
//!
//! What kind of file it is is found by looking inside, never by its name. Every reader believes a header only as far as the
//! file bears it out, and refuses what is not a single scalar 3D volume by a sentence that names the file, says what was found and
//! what was expected. Written files appear whole or not at all.

mod dicom;
mod metaimage;
mod nifti;
mod nrrd;
mod text;
mod voxels;

use std::path::Path;

pub use dicom::{list_series, SeriesSummary};
pub use voxels::Voxels;

use crate::volume::{Geometry, Volume};
use crate::{Error, Result};

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

/// Reads a volume from a NIfTI, NRRD or MetaImage file, a DICOM file, or a folder with a DICOM series.
///
/// # Errors
/// [`Error::File`] if it cannot be opened or read, [`Error::Image`] if what it holds is not a single scalar 3D volume.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Volume> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?;
    if metadata.is_dir() {
        return dicom::read_series(path, options);
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(Error::image(path, "the file is empty"));
    }
    let (bytes, gzip) = voxels::head(path, 4096)?;
    if nrrd::recognise(&bytes) {
        return nrrd::read(path, &voxels::head(path, text::LONGEST_HEADER)?.0, gzip, options);
    }
    if metaimage::recognise(&bytes) {
        return metaimage::read(path, &voxels::head(path, text::LONGEST_HEADER)?.0, gzip, options);
    }
    if let Some(kind) = nifti::Kind::of(&bytes) {
        return nifti::read(path, kind, &bytes, gzip, options);
    }
    // The voxels' half of a pair has nothing to be recognised by.
    let name = path.to_string_lossy().to_lowercase();
    let half = name.ends_with(".img") || name.ends_with(".img.gz");
    let header = nifti::partner(path, "hdr");
    if let (true, Ok(header)) = (half, &header) {
        return read(header, options);
    }
    if dicom::looks_like_dicom(path) {
        return dicom::read_series(path, options);
    }
    if half {
        header?;
    }
    if nifti::is_analyze(&bytes) {
        let fault = "an Analyze 7.5 image or a damaged NIfTI, which does not say how it lies in the patient; convert it to NIfTI";
        return Err(Error::image(path, fault));
    }
    let fault = "not an image that is known; NIfTI, NRRD, MetaImage or DICOM was expected (raw data are read by their header file)";
    Err(Error::image(path, fault))
}

/// The formats that are written, by the ends of their names.
#[derive(Clone, Copy)]
enum Format {
    Nifti,
    Nrrd,
    MetaImage,
}

fn format_of(path: &Path) -> Result<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e) && name.len() > e.len());
    if ends(&[".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"]) {
        Ok(Format::Nifti)
    } else if ends(&[".nrrd", ".nhdr"]) {
        Ok(Format::Nrrd)
    } else if ends(&[".mha", ".mhd"]) {
        Ok(Format::MetaImage)
    } else {
        let fault = format!(
            "{}: its ending is not one of an image; .nii.gz, .nii, .hdr, .img, .nrrd, .nhdr, .mha or .mhd was expected",
            path.display()
        );
        Err(Error::argument("output", fault))
    }
}

/// Refuses what [`write()`] could not write: before a long computation, not after it.
///
/// # Errors
/// [`Error::Argument`] for an unknown ending, [`Error::File`] if no file can be created there.
pub fn check_writable(path: &Path) -> Result<()> {
    format_of(path)?;
    // Created and given up at once.
    crate::files::AtomicFile::create(path).map(drop)
}

/// Writes voxels, `[k, j, i]` on `geometry`, as the kind of file that the path's ending says. It appears whole or not at all.
///
/// # Errors
/// [`Error::Argument`] for an unknown ending or voxels that do not fit the grid, [`Error::Volume`] for a grid that is unusable,
/// [`Error::File`] if it cannot be written.
pub fn write(path: &Path, voxels: Voxels, geometry: &Geometry) -> Result<()> {
    geometry.check()?;
    let [i, j, k] = geometry.size;
    if voxels.dim() != (k, j, i) {
        return Err(Error::argument("voxels", format!("{:?}; {:?} was expected", voxels.dim(), (k, j, i))));
    }
    match format_of(path)? {
        Format::Nifti => nifti::write(path, voxels, geometry),
        Format::Nrrd => nrrd::write(path, voxels, geometry),
        Format::MetaImage => metaimage::write(path, voxels, geometry),
    }
}

/// Says of which file a volume is that cannot be used.
fn name_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Volume(fault) => Error::image(path, fault),
        other => other,
    }
}
