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

use std::path::{Path, PathBuf};

use ndarray::{s, Array3, ArrayView3};

pub use dicom::{list_series, results, SeriesSummary};
pub use voxels::Voxels;

use crate::labels::Label;
use crate::volume::{Content, Geometry, Region, Volume};
use crate::{Error, Result};

/// How an image is to be read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The most memory, in bytes, that the decoded voxels of one image may take (as float32). A file that claims or unpacks to
    /// more is refused before the memory is taken.
    pub max_bytes: u64,
    /// For a DICOM folder: the SeriesInstanceUID of the series to take.
    pub series: Option<String>,
    /// Whether the slices of a tilted gantry are resampled to lie straight above one another; otherwise they are refused.
    pub resample_tilt: bool,
    /// What the voxels mean, which messages advise by.
    pub content: Content,
    /// The only part that is wanted; none: all of it. The volume has the whole grid, and outside of the region air (or whatever stands
    /// for nothing): what the file holds there does not matter.
    pub region: Option<Region>,
}

impl ReadOptions {
    /// For an image with this content; otherwise as by default.
    pub fn of(content: Content) -> Self {
        ReadOptions { content, ..ReadOptions::default() }
    }
}

impl Default for ReadOptions {
    /// 16 GiB (a 512 x 512 x 16384 volume), any series, none of a tilted gantry, a scan, all of it.
    fn default() -> Self {
        ReadOptions { max_bytes: 16 << 30, series: None, resample_tilt: false, content: Content::Scan, region: None }
    }
}

/// Puts the voxels of a file, `[k, j, i]`, on their grid.
fn on_grid(path: &Path, mut voxels: Array3<f32>, geometry: Geometry, options: &ReadOptions) -> Result<Volume> {
    if let Some(region) = options.region {
        geometry.check_region(region)?;
        let inside = |index: usize, axis: usize| {
            let first = region.start[axis];
            (first..first + region.size[axis]).contains(&index)
        };
        let blank = options.content.blank();
        for (k, mut slice) in voxels.outer_iter_mut().enumerate() {
            for (j, mut row) in slice.outer_iter_mut().enumerate() {
                if inside(k, 2) && inside(j, 1) {
                    let (first, end) = (region.start[0], region.start[0] + region.size[0]);
                    row.slice_mut(s![..first]).fill(blank);
                    row.slice_mut(s![end..]).fill(blank);
                } else {
                    row.fill(blank);
                }
            }
        }
    }
    Volume::of(voxels, geometry, options.content).map_err(|e| name_file(e, path))
}

/// Reads a volume from a NIfTI, NRRD or MetaImage file, a DICOM file, or a folder with a DICOM series.
///
/// # Errors
/// [`Error::File`] if it cannot be opened or read, [`Error::Image`] if what it holds is not a single scalar 3D volume.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Volume> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?;
    // An archive's export has a folder for each series; that of a segmentation holds one file.
    if metadata.is_dir() {
        let labels = matches!(options.content, Content::Labels | Content::Probability);
        return match labels && results::find(path)?.is_some() {
            true => results::read(path, options),
            false => dicom::read_series(path, options),
        };
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(Error::image(path, "the file is empty"));
    }
    let (bytes, gzip) = voxels::head(path, 4096)?;
    let dicom_alone = options.series.is_some()
        && (nrrd::recognise(&bytes) || metaimage::recognise(&bytes) || nifti::Kind::of(&bytes).is_some());
    if dicom_alone {
        let fault = format!("{} is no DICOM; a series of a DICOM folder is chosen by it", path.display());
        return Err(Error::argument("series", fault));
    }
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
        if results::is_segmentation(path) {
            if matches!(options.content, Content::Scan | Content::ScanWithHoles) {
                let fault = "it is a DICOM segmentation, which marks something on a CT; the CT itself was expected";
                return Err(Error::image(path, fault));
            }
            return results::read(path, options);
        }
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

/// The files that an input consists of: itself, the other half of a pair, the data files of a header, the DICOM files of a folder.
///
/// What cannot be read is passed over: whoever reads it says why.
pub(crate) fn files_of(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        return dicom::files(path);
    }
    let mut files = vec![path.to_path_buf()];
    let Ok((bytes, _)) = voxels::head(path, text::LONGEST_HEADER) else { return files };
    if nrrd::recognise(&bytes) {
        files.extend(nrrd::data_files(path, &bytes));
    } else if metaimage::recognise(&bytes) {
        files.extend(metaimage::data_files(path, &bytes));
    } else if path.extension().is_some() {
        // Either half may be named, and a header's half is there whatever it says of itself.
        for half in ["hdr", "img"] {
            let name = path.to_string_lossy().to_lowercase();
            if [".hdr", ".img", ".hdr.gz", ".img.gz"].iter().any(|ending| name.ends_with(ending)) {
                files.extend(nifti::partner(path, half));
            }
        }
    }
    files
}

/// The files that [`write()`] makes for a path; the path itself where its ending is not one of an image.
pub(crate) fn files_written(path: &Path) -> Vec<PathBuf> {
    match format_of(path) {
        Ok(Format::Nifti) => nifti::files_written(path),
        Ok(Format::Nrrd) => nrrd::files_written(path),
        Ok(Format::MetaImage) => metaimage::files_written(path),
        Err(_) => vec![path.to_path_buf()],
    }
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
    check_shape(&voxels, geometry)?;
    match format_of(path)? {
        Format::Nifti => nifti::write(path, voxels, geometry, None),
        Format::Nrrd => nrrd::write(path, voxels, geometry, ""),
        Format::MetaImage => metaimage::write(path, voxels, geometry),
    }
}

/// Writes a result, `[k, j, i]` on the grid of `volume`, so that it lies on the file that the volume was read from in every reader: where
/// that places its image by fields that readers understand in different ways, the result has the same fields. Otherwise as [`write()`].
///
/// # Errors
/// As [`write()`].
pub fn write_on(path: &Path, voxels: Voxels, volume: &Volume) -> Result<()> {
    let geometry = volume.geometry();
    match (volume.placement(), format_of(path)?) {
        (Some(placement), Format::Nifti) => {
            check_shape(&voxels, geometry)?;
            nifti::write(path, voxels, geometry, Some(&placement.fields))
        }
        // What reads these formats is built on ITK.
        (Some(placement), Format::Nrrd | Format::MetaImage) => write(path, voxels, &placement.itk),
        (None, _) => write(path, voxels, geometry),
    }
}

/// Writes a label map, `[k, j, i]` on the grid of `volume`, as [`write_on`] does. A file whose name ends in `.seg.nrrd` is a segmentation to
/// 3D Slicer: it holds the labels' names, colours and codes too.
///
/// # Errors
/// As [`write()`].
pub fn write_labels_on(path: &Path, map: ArrayView3<u8>, labels: &[Label], volume: &Volume) -> Result<()> {
    if !path.to_string_lossy().to_lowercase().ends_with(".seg.nrrd") {
        return write_on(path, Voxels::U8(map), volume);
    }
    let geometry = volume.placement().map_or(volume.geometry(), |placement| &placement.itk);
    check_shape(&Voxels::U8(map), geometry)?;
    nrrd::write(path, Voxels::U8(map), geometry, &nrrd::segments(map, labels))
}

fn check_shape(voxels: &Voxels, geometry: &Geometry) -> Result<()> {
    geometry.check()?;
    let [i, j, k] = geometry.size;
    if voxels.dim() != (k, j, i) {
        return Err(Error::argument("voxels", format!("{:?}; {:?} was expected", voxels.dim(), (k, j, i))));
    }
    Ok(())
}

/// Says of which file a volume is that cannot be used.
fn name_file(error: Error, path: &Path) -> Error {
    match error {
        Error::Volume(fault) => Error::image(path, fault),
        other => other,
    }
}
