//! A DICOM CT series, from a folder or a single file, as one volume.
//!
//! What a scanner calls a series is a heap of files: one slice each (or all slices as the frames of one enhanced file),
//! named and numbered as the archive pleased, perhaps among other series. Three steps make a volume of it:
//!
//! 1. `header`: the attributes of every file up to its pixels are read, in parallel, and sorted by SeriesInstanceUID; `series`
//!    chooses one CT series.
//! 2. `stack`: its slices are ordered by where they lie in the patient (ImagePositionPatient along the normal of
//!    ImageOrientationPatient; never InstanceNumber, file name or SliceThickness) and checked to be one regular grid.
//! 3. `pixels`: each slice is decoded and rescaled to Hounsfield units, in parallel, straight into the volume.
//!
//! What is not a regular grid of CT slices (a missing slice, several phases at one place) is refused by a sentence; nothing is
//! guessed. The slices of a tilted gantry are resampled where that is asked for (`tilt`), and refused otherwise.

mod header;
mod lengths;
mod pixels;
pub mod results;
mod series;
mod stack;
#[cfg(test)]
mod tests;
mod tilt;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use rayon::prelude::*;

use super::ReadOptions;
use crate::volume::{Geometry, Volume};
use crate::{Error, Result};
use header::{Header, Slice};
pub use series::SeriesSummary;
use stack::Shear;

/// How deep folders inside folders are searched; deeper ones are most likely a link that leads back up.
const DEEPEST_FOLDER: usize = 16;

/// Reads a DICOM CT as Hounsfield units on its grid.
///
/// From a folder (searched with all folders inside it; hidden files, DICOMDIR and what is not DICOM are passed over) the
/// series `options.series` is taken, or else the CT series that is most like a thin abdominal soft-tissue one, with a warning that says why
/// and names the others.
/// From a file, exactly that file is taken: one slice, or all frames of an enhanced CT.
///
/// Voxels are `[k, j, i]`: i along the row direction cosines, j along the column direction cosines, k along their normal
/// `i x j`, in ascending position; lengths in mm, LPS. A voxel is stored value * RescaleSlope + RescaleIntercept of its own
/// slice. What PixelPaddingValue and PixelPaddingRangeLimit say was never measured is air, -1024 HU. Where the files have no
/// RescaleSlope and RescaleIntercept, stored values that look like Hounsfield units are taken as such, with a warning.
///
/// # Errors
/// [`Error::Image`] naming the folder or file where there is no CT series, or its slices are not one regular grid, or a
/// file is damaged or cannot be decoded; [`Error::Argument`] where `options.series` is not there; [`Error::Memory`] where
/// the volume would pass `options.max_bytes`; [`Error::File`] where a file or folder cannot be read.
pub fn read_series(path: &Path, options: &ReadOptions) -> Result<Volume> {
    let (slices, geometry, tilt) = placed(path, options)?;
    decoded(path, &slices, geometry, tilt, options)
}

/// The slices of the series to read, in order, and the grid that they make; how they shift, where a tilted gantry is let through.
fn placed(path: &Path, options: &ReadOptions) -> Result<(Vec<Slice>, Geometry, Option<Shear>)> {
    let headers = series::choose(path, read_headers(path)?, options.series.as_deref())?;
    let mut slices = Vec::new();
    for header in headers {
        slices.extend(header.slices.map_err(|fault| Error::image(&header.path, fault))?);
    }
    stack::stack(path, slices, options.resample_tilt)
}

/// The voxels of slices that make a grid.
fn decoded(
    path: &Path,
    slices: &[Slice],
    geometry: Geometry,
    tilt: Option<Shear>,
    options: &ReadOptions,
) -> Result<Volume> {
    check_memory(path, &geometry, options)?;
    let mut voxels: Vec<f32> = Vec::new();
    voxels.try_reserve_exact(geometry.voxels()).map_err(|_| {
        Error::Memory(format!("{}: memory for its {} voxels cannot be had", path.display(), geometry.voxels()))
    })?;
    voxels.resize(geometry.voxels(), 0.0);
    pixels::decode(slices, &mut voxels)?;
    if let Some(slice) = slices.iter().find(|slice| !slice.rescaled) {
        check_unscaled(path, &slice.file, &voxels)?;
    }

    if let Some(slice) = slices.iter().find(|slice| !is_hounsfield(&slice.unit_name)) {
        log::warn!(
            "{}: {} gives the unit of its values as {} (RescaleType), as derived images of a spectral CT have it; Hounsfield units (HU) were \
             expected",
            path.display(),
            slice.file.file_name().unwrap_or_default().display(),
            slice.unit_name
        );
    }

    let [i, j, k] = geometry.size;
    let mut voxels = Array3::from_shape_vec((k, j, i), voxels).map_err(|e| Error::image(path, e.to_string()))?;
    let mut geometry = geometry;
    if let Some(shear) = tilt {
        let straight = tilt::straight_grid(&geometry, shear);
        check_memory(path, &straight, options)?;
        log::warn!(
            "{}: its slices are shifted by {:.1} degrees (a tilted gantry); they are resampled to straight ones, {} x {} pixels, on which \
             results lie too",
            path.display(),
            shear[0].hypot(shear[1]).atan().to_degrees(),
            straight.size[0],
            straight.size[1]
        );
        voxels = tilt::straighten(voxels.view(), &geometry, shear, &straight);
        geometry = straight;
    }
    super::on_grid(path, voxels, geometry, options)
}

/// Refuses a grid whose voxels take more memory than is allowed.
fn check_memory(path: &Path, geometry: &Geometry, options: &ReadOptions) -> Result<()> {
    let bytes = geometry.size.iter().try_fold(4_u64, |bytes, &n| bytes.checked_mul(n as u64)).unwrap_or(u64::MAX);
    if bytes > options.max_bytes {
        let [i, j, k] = geometry.size;
        return Err(Error::Memory(format!(
            "{}: its {i} x {j} x {k} voxels take {bytes} bytes, but no more than {} are allowed",
            path.display(),
            options.max_bytes
        )));
    }
    Ok(())
}

/// Whether a RescaleType does not speak against Hounsfield units: HU_MOD are those of a modified spectrum, US is not specified.
fn is_hounsfield(unit_name: &str) -> bool {
    ["", "HU", "HU_MOD", "US"].iter().any(|known| unit_name.trim().eq_ignore_ascii_case(known))
}

/// Stored values without a rescaling are Hounsfield units if they look like them: some air, some soft tissue.
fn check_unscaled(path: &Path, file: &Path, voxels: &[f32]) -> Result<()> {
    /// The least share of a scan that is air, and that is soft tissue or fat.
    const SHARE: f64 = 0.01;
    let share = |low: f32, high: f32| {
        voxels.iter().filter(|value| (low..=high).contains(*value)).count() as f64 / voxels.len() as f64
    };
    let name = file.file_name().unwrap_or_default().display();
    if share(-2048.0, -850.0) >= SHARE && share(-200.0, 200.0) >= SHARE {
        log::warn!(
            "{}: {name} has no RescaleSlope and RescaleIntercept; its values look like Hounsfield units and are taken as such",
            path.display()
        );
        return Ok(());
    }
    let (low, high) = voxels.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    let fault = format!(
        "{name} has no RescaleSlope and RescaleIntercept, and its values, from {low} to {high}, do not look like Hounsfield units; \
         export the series from the scanner or archive again, as a CT"
    );
    Err(Error::image(path, fault))
}

/// The image series in a folder or file, the one that [`read`](super::read) takes first.
///
/// # Errors
/// As [`read`](super::read), for what concerns finding files and reading their headers.
pub fn list_series(path: &Path) -> Result<Vec<SeriesSummary>> {
    Ok(series::list(read_headers(path)?))
}

/// Whether a file is DICOM, by its first bytes: the letters DICM behind a preamble of 128 bytes, or, as old archives have
/// it, a data set that begins without any.
pub fn looks_like_dicom(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(132).read_to_end(&mut start));
    read.is_ok() && (header::has_preamble(&start) || header::bare_syntax(&start).is_some())
}

/// The DICOM files of a folder and of those inside it; what cannot be listed is passed over.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    // What was found before a folder that cannot be read is still there.
    let _ = find_files(folder, 0, &mut files);
    files.retain(|file| looks_like_dicom(file));
    files
}

/// The headers of all images at `path`, in the order of their names.
fn read_headers(path: &Path) -> Result<Vec<Header>> {
    let mut files = Vec::new();
    if path.is_dir() {
        find_files(path, 0, &mut files)?;
        files.retain(|file| looks_like_dicom(file));
        files.sort();
    } else {
        File::open(path).map_err(|e| Error::file("open", path, e))?;
        if !looks_like_dicom(path) {
            return Err(Error::image(path, "it is not a DICOM file: it has no DICM behind a preamble of 128 bytes"));
        }
        files.push(path.to_path_buf());
    }
    let headers: Vec<Option<Header>> = files
        .par_iter()
        .map(|file| Header::read(file).map_err(|fault| Error::image(file, fault)))
        .collect::<Result<_>>()?;
    let all = headers.len();
    let images: Vec<Header> = headers.into_iter().flatten().collect();
    if path.is_dir() && images.len() < all {
        let others = all - images.len();
        log::warn!("{}: {others} files without an image (reports, presentation states) are left out", path.display());
    }
    Ok(images)
}

/// Collects the files of a folder and of those inside it, but for hidden ones and DICOMDIR (an index, not an image).
fn find_files(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |e| Error::file("read", folder, e);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.eq_ignore_ascii_case("DICOMDIR") {
            continue;
        }
        if path.is_dir() {
            if depth < DEEPEST_FOLDER {
                find_files(&path, depth + 1, files)?;
            }
        } else if path.is_file() {
            if path.metadata().is_ok_and(|m| m.len() == 0) {
                log::warn!("{}: the file is empty; it is passed over", path.display());
            }
            files.push(path);
        }
    }
    Ok(())
}
