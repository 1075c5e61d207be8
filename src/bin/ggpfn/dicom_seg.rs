//! `ggpfn dicom-seg`: a mask as a DICOM Segmentation of its series.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ggpfn::files::AtomicFile;
use ggpfn::io::results::{
    is_dicom_name, is_segmentation, read_on, write_segmentation, write_structure_set, Algorithm, Layer, MadeBy,
    Segment, SegmentationOptions, Source, Written,
};
use ggpfn::io::{self, ReadOptions};
use ggpfn::outputs::{self, Kind, Output};
use ggpfn::volume::{Content, Volume};
use ggpfn::{Error, Result};
use ndarray::Array3;

/// Turn a mask and its DICOM series into a DICOM Segmentation (SEG) or contours (RTSTRUCT)
///
/// MASK is an image on the grid of the CT: 0 outside, another value inside. SERIES is the folder with the CT's DICOM files. The
/// segmentation refers to the series, slice by slice, and has its patient, study and frame of reference, so that archives file
/// it and viewers lay it on the CT. How the axes of the mask are ordered and flipped does not matter; its grid must be that of
/// the series.
#[derive(clap::Args)]
#[command(after_help = "\
Slices on which nothing is marked are left out. UIDs are made from random UUIDs (2.25.…) unless
--uid-root names a root that your institution owns.

Examples:
  ggpfn dicom-seg pancreas.nii.gz dicom-folder pancreas.dcm
  ggpfn dicom-seg edited.nrrd dicom-folder edited.dcm --made-by semiautomatic
  ggpfn dicom-seg pancreas.nii.gz dicom-folder contours.dcm --dicom-kind rtstruct
  ggpfn dicom-seg probability.nii.gz dicom-folder probability.dcm --fractional")]
pub struct Arguments {
    /// The mask
    mask: PathBuf,
    /// The folder with the CT's DICOM series, or an enhanced CT's file
    series: PathBuf,
    /// The DICOM file to write
    #[arg(value_name = "OUT.dcm")]
    output: PathBuf,
    /// For a folder with several series: the SeriesInstanceUID of the mask's CT
    #[arg(long = "series", value_name = "UID")]
    series_uid: Option<String>,
    /// Only this value of the mask is pancreas; needed where it has several
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "fractional")]
    label: Option<u16>,
    /// The mask holds probabilities from 0 to 1, which are written as a FRACTIONAL segmentation, in steps of 1/255
    #[arg(long)]
    fractional: bool,
    /// Who drew it: a program, a program and a person who corrected it, or a person
    #[arg(long, value_name = "WHO", default_value = "automatic")]
    made_by: Who,
    /// The program that drew it
    #[arg(long, value_name = "NAME", default_value = "GGPFN")]
    algorithm: String,
    /// The program's version, with that of its model
    #[arg(long, value_name = "TEXT", default_value = env!("CARGO_PKG_VERSION"))]
    algorithm_version: String,
    #[command(flatten)]
    filing: Filing,
}

/// As what a mask is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DicomKind {
    /// A DICOM Segmentation: the pixels
    #[default]
    Seg,
    /// An RT Structure Set: contours along the pixels' borders
    Rtstruct,
}

/// How a DICOM result is filed.
#[derive(clap::Args)]
pub struct Filing {
    /// For masks that are DICOM: pixels (SEG), or contours for radiotherapy (RTSTRUCT)
    #[arg(long, value_name = "KIND", default_value = "seg")]
    dicom_kind: DicomKind,
    /// For DICOM results: their SeriesDescription
    #[arg(long, value_name = "TEXT")]
    series_description: Option<String>,
    /// For DICOM results: the SeriesNumber; that of the CT and 1000 if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    series_number: Option<u32>,
    /// For DICOM results: the root below which new UIDs are made, as your institution owns one; random UUIDs if left out
    #[arg(long, value_name = "ROOT", env = "GGPFN_UID_ROOT")]
    uid_root: Option<String>,
}

impl Filing {
    pub fn options(&self) -> SegmentationOptions {
        SegmentationOptions {
            series_number: self.series_number,
            series_description: self.series_description.clone(),
            uid_root: self.uid_root.clone().filter(|root| !root.is_empty()),
        }
    }

    /// What the file of a mask holds.
    pub fn kind_of(&self, mask: &Path) -> Kind {
        match self.draws_contours() && is_dicom_name(mask) {
            true => Kind::DicomContours,
            false => Kind::Mask,
        }
    }

    pub fn draws_contours(&self) -> bool {
        self.dicom_kind == DicomKind::Rtstruct
    }

    /// Writes masks as what was asked for.
    pub fn write_masks(&self, path: &Path, source: &Source, segments: &[Segment]) -> Result<Written> {
        match self.draws_contours() {
            true => write_structure_set(path, source, segments, &self.options()),
            false => write_segmentation(path, source, segments, &self.options()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    Automatic,
    Semiautomatic,
    Manual,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments { mask: path, series, output, .. } = &arguments;
    check_name(output)?;
    let options = arguments.filing.options();
    options.check()?;
    if arguments.fractional && arguments.filing.draws_contours() {
        let fault = "contours are drawn around masks, and --fractional says that it holds probabilities";
        return Err(Error::argument("--dicom-kind", fault));
    }
    let kind = if arguments.fractional { Kind::Fraction } else { arguments.filing.kind_of(output) };
    outputs::check([path.as_path(), series.as_path()], &[Output::new("OUT.dcm", output, kind)])?;
    AtomicFile::create(output)?;
    let source = Source::open(series, arguments.series_uid.as_deref())?;
    let content = if arguments.fractional { Content::Probability } else { Content::Labels };
    let volume = match is_segmentation(path) {
        true => read_on(path, &ReadOptions::of(content), source.geometry())?,
        false => io::read(path, &ReadOptions::of(content))?,
    };
    let algorithm = Algorithm {
        name: arguments.algorithm.clone(),
        version: arguments.algorithm_version.clone(),
        parameters: String::new(),
    };
    let made_by = match arguments.made_by {
        Who::Automatic => MadeBy::Automatic,
        Who::Semiautomatic => MadeBy::Semiautomatic,
        Who::Manual => MadeBy::Manual,
    };
    let write = |layer: Layer| {
        let mut segment = Segment::pancreas(layer, algorithm.clone());
        segment.made_by = made_by;
        if made_by == MadeBy::Manual {
            segment.algorithm = None;
        }
        arguments.filing.write_masks(output, &source, &[segment])
    };
    let written = if arguments.fractional {
        let probability = source.lay(path, probability(path, &volume)?.view(), volume.geometry())?;
        write(Layer::Probability(probability.view()))?
    } else {
        let mask = mask(path, &volume, arguments.label)?;
        if mask.iter().all(|inside| *inside == 0) {
            log::warn!("{}: nothing is marked in it; all slices are written, empty", path.display());
        }
        write(Layer::Mask(source.lay(path, mask.view(), volume.geometry())?.view()))?
    };
    say!("{}: {} of {} slices", output.display(), written.frames(), source.geometry().size[2]);
    Ok(())
}

/// Refuses a name that says another format.
fn check_name(output: &std::path::Path) -> Result<()> {
    if is_dicom_name(output) {
        return Ok(());
    }
    let fault = format!("{}: its ending is not that of a DICOM file; .dcm was expected", output.display());
    Err(Error::argument("OUT.dcm", fault))
}

/// 1 where the volume has `label`, or the one value that it has beside 0.
fn mask(path: &std::path::Path, volume: &Volume, label: Option<u16>) -> Result<Array3<u8>> {
    let labels = crate::evaluate::labels(path, volume)?;
    match label {
        Some(label) if !labels.contains(&label) => {
            log::warn!("{}: no voxel has the label {label}", path.display());
        }
        None if labels.len() > 1 => {
            let list: Vec<_> = labels.iter().map(u16::to_string).collect();
            let fault =
                format!("{} has the labels {}; name the one that is the pancreas", path.display(), list.join(", "));
            return Err(Error::argument("--label", fault));
        }
        _ => {}
    }
    Ok(volume.voxels().mapv(|value| match label {
        Some(label) => u8::from(value.round() == f32::from(label)),
        None => u8::from(value.round() != 0.0),
    }))
}

fn probability(path: &std::path::Path, volume: &Volume) -> Result<Array3<f32>> {
    crate::fuse::check_probability(path, volume)?;
    Ok(volume.voxels().mapv(|p| p.clamp(0.0, 1.0)))
}
