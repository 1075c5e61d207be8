//! The series that a result belongs to: where its slices lie, what they are called, whose they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, Tag};
use ndarray::{Array3, ArrayView3};

use super::super::header::{self, Slice};
use super::super::{decoded, looks_like_dicom, placed};
use super::elements::decimals;
use crate::io::ReadOptions;
use crate::volume::{lps_geometry, lps_view, lps_view_mut, Geometry, Volume, GEOMETRY_TOLERANCE_MM};
use crate::{Error, Result};

/// A DICOM series as results refer to it.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) path: PathBuf,
    pub(super) geometry: Geometry,
    /// The attributes of the first slice's file, without its pixels.
    pub(super) attributes: InMemDicomObject,
    pub(super) study: String,
    pub(super) series: String,
    /// None where the files have none, which a CT's must.
    pub(super) frame_of_reference: Option<String>,
    /// One for each slice of the grid.
    pub(super) slices: Vec<SourceSlice>,
    /// ImageOrientationPatient, as the files have it.
    pub(super) orientation: String,
}

/// One slice of the series.
#[derive(Clone, Debug)]
pub(super) struct SourceSlice {
    pub class: String,
    pub instance: String,
    /// The frame's number, from 1, where the instance has several.
    pub frame: Option<u32>,
    /// ImagePositionPatient.
    pub position: [f64; 3],
}

/// A file's own names.
#[derive(Clone)]
struct Names {
    class: String,
    instance: String,
    frames: bool,
}

impl Source {
    /// Reads what results need of a series, without its voxels. A series is chosen as [`read`](crate::io::read) does.
    ///
    /// # Errors
    /// [`Error::Argument`] where `path` is no DICOM; as [`read`](crate::io::read) for a series that is not one regular grid;
    /// [`Error::Image`] where it lacks the UIDs by which a result refers to it.
    pub fn open(path: &Path, series: Option<&str>) -> Result<Self> {
        refuse_others(path)?;
        let options = ReadOptions { series: series.map(str::to_string), ..ReadOptions::default() };
        let (slices, geometry, _) = placed(path, &options)?;
        Self::of(path, &slices, geometry)
    }

    /// Reads a series, voxels and all.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`read`](crate::io::read); [`Error::Argument`] where the slices of a tilted gantry would be resampled:
    /// a result lies on the slices of its source.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<(Volume, Self)> {
        refuse_others(path)?;
        let (slices, geometry, tilt) = placed(path, options)?;
        if tilt.is_some() {
            let fault = format!(
                "the slices of {} are those of a tilted gantry and would be resampled, but a DICOM result lies on the slices of its \
                 source; name an image file for the result (.nii.gz, .nrrd)",
                path.display()
            );
            return Err(Error::argument("OUTPUT", fault));
        }
        let source = Self::of(path, &slices, geometry.clone())?;
        Ok((decoded(path, &slices, geometry, tilt, options)?, source))
    }

    /// The grid of the series.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// StudyInstanceUID and SeriesInstanceUID.
    pub fn uids(&self) -> [&str; 2] {
        [&self.study, &self.series]
    }

    fn of(path: &Path, slices: &[Slice], geometry: Geometry) -> Result<Self> {
        let mut names: BTreeMap<PathBuf, Names> = BTreeMap::new();
        let mut attributes = None;
        let mut placed = Vec::with_capacity(slices.len());
        for slice in slices {
            let file = slice.file.as_path();
            if !names.contains_key(file) {
                let object = header::open(file, Some(tags::PIXEL_DATA)).map_err(|fault| Error::image(file, fault))?;
                names.insert(file.to_path_buf(), Names::of(file, &object)?);
                attributes.get_or_insert_with(|| object.into_inner());
            }
            let Names { class, instance, frames } = names[file].clone();
            placed.push(SourceSlice {
                class,
                instance,
                frame: frames.then_some(slice.frame + 1),
                position: slice.position,
            });
        }
        let (Some(attributes), Some(first)) = (attributes, slices.first()) else {
            return Err(Error::image(path, "the series has no slices"));
        };
        let given = header::text(&attributes, tags::IMAGE_ORIENTATION_PATIENT);
        let orientation = match given.is_empty() {
            true => decimals(&[first.row, first.column].concat()),
            false => given,
        };
        let frame_of_reference =
            Some(header::text(&attributes, tags::FRAME_OF_REFERENCE_UID)).filter(|uid| !uid.is_empty());
        Ok(Source {
            path: path.to_path_buf(),
            study: needed(&attributes, path, tags::STUDY_INSTANCE_UID, "StudyInstanceUID")?,
            series: needed(&attributes, path, tags::SERIES_INSTANCE_UID, "SeriesInstanceUID")?,
            frame_of_reference,
            geometry,
            attributes,
            slices: placed,
            orientation,
        })
    }

    /// Puts voxels of another file on the grid of the series: its axes may run in another order or the other way round.
    ///
    /// # Errors
    /// [`Error::Image`] naming `path` where the grids differ otherwise.
    pub fn lay<T: Copy + Default>(&self, path: &Path, voxels: ArrayView3<T>, geometry: &Geometry) -> Result<Array3<T>> {
        let [i, j, k] = self.geometry.size;
        let mut laid = Array3::from_elem((k, j, i), T::default());
        let away = lps_geometry(geometry).distance(&lps_geometry(&self.geometry));
        if away > GEOMETRY_TOLERANCE_MM {
            let size = |geometry: &Geometry| geometry.size.map(|n| n.to_string()).join(" x ");
            let far = match away.is_finite() {
                true => format!("its corners lie up to {away:.3} mm away"),
                false => format!("it has {} voxels and the series {}", size(geometry), size(&self.geometry)),
            };
            let fault = format!(
                "its grid is not that of the series {} ({far}); resample it to the CT first, labels by the nearest voxel",
                self.path.display()
            );
            return Err(Error::image(path, fault));
        }
        lps_view_mut(laid.view_mut(), &self.geometry).assign(&lps_view(voxels, geometry));
        Ok(laid)
    }
}

impl Names {
    fn of(file: &Path, object: &InMemDicomObject) -> Result<Self> {
        let (mut class, mut instance) =
            (header::text(object, tags::SOP_CLASS_UID), header::text(object, tags::SOP_INSTANCE_UID));
        // Some anonymisers empty them and leave those of the meta group, by which archives know the file.
        if class.is_empty() || instance.is_empty() {
            let meta = super::meta(file).unwrap_or_default();
            let or = |own: String, meta: String| if own.is_empty() { meta } else { own };
            (class, instance) = (or(class, meta.class), or(instance, meta.instance));
        }
        if class.is_empty() {
            class = uids::CT_IMAGE_STORAGE.into();
        }
        if instance.is_empty() {
            return Err(unnamed(file, "SOPInstanceUID"));
        }
        let frames = object.get(tags::NUMBER_OF_FRAMES).is_some();
        Ok(Names { class, instance, frames })
    }
}

/// An attribute without which nothing can refer to the series.
fn needed(object: &InMemDicomObject, path: &Path, tag: Tag, name: &str) -> Result<String> {
    let found = header::text(object, tag);
    match found.is_empty() {
        true => Err(unnamed(path, name)),
        false => Ok(found),
    }
}

fn unnamed(path: &Path, name: &str) -> Error {
    let fault = format!(
        "its files have no {name} (an anonymiser took it out?), by which a DICOM result refers to its source; take the series as the \
         archive has it, or name an image file for the result (.nii.gz, .nrrd)"
    );
    Error::image(path, fault)
}

/// Refuses what is no DICOM: there is nothing that a result could refer to.
fn refuse_others(path: &Path) -> Result<()> {
    if !path.exists() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::file("open", path, missing));
    }
    if path.is_dir() || looks_like_dicom(path) {
        return Ok(());
    }
    let fault = format!(
        "{} is no DICOM; a DICOM result refers to the series of its CT, so a folder with one was expected",
        path.display()
    );
    Err(Error::argument("SERIES", fault))
}
