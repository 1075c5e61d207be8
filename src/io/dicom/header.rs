//! The attributes of a DICOM file that say which slices it holds and where they lie; its pixels are not touched.
//!
//! A classic CT file is one slice and has its attributes at the top. An enhanced CT file is many slices (frames); the same
//! attributes stand in functional groups, shared by all frames or one set for each. Either way the result is a list of
//! [`Slice`]s.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::{TransferSyntax, TransferSyntaxIndex};
use dicom_object::file::ReadPreamble;
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, InMemDicomObject, OpenFileOptions, Tag};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

/// One slice: where it lies and how its stored values become Hounsfield units.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    /// The file that holds it.
    pub file: Arc<PathBuf>,
    /// Which of the file's frames it is, from 0.
    pub frame: u32,
    /// SOPInstanceUID; empty in some anonymised files.
    pub instance: String,
    /// AcquisitionNumber, TemporalPositionIdentifier and the like, for messages about repeated positions.
    pub acquisition: String,
    /// Number of rows and columns.
    pub size: [usize; 2],
    /// Distance between rows and between columns, in mm.
    pub spacing: [f64; 2],
    /// Unit vector along which the column index grows, LPS.
    pub row: [f64; 3],
    /// Unit vector along which the row index grows, LPS.
    pub column: [f64; 3],
    /// Centre of the first voxel, in mm, LPS.
    pub position: [f64; 3],
    /// HU = stored value * `slope` + `intercept`.
    pub slope: f64,
    /// See `slope`.
    pub intercept: f64,
    /// Whether the file says so; if not, the stored values are taken as they are.
    pub rescaled: bool,
    /// RescaleType: the unit of the values; empty where it is not given.
    pub unit_name: String,
    /// PixelPaddingValue and PixelPaddingRangeLimit (or the former twice): what is between them was never measured.
    pub padding: Option<[i64; 2]>,
    /// SpacingBetweenSlices, else SliceThickness, in mm; only used for a lone slice.
    pub thickness: Option<f64>,
}

/// What is known of an image file before its pixels are read.
pub(super) struct Header {
    pub path: PathBuf,
    pub series: String,
    pub description: String,
    pub modality: String,
    /// ConvolutionKernel; empty where there is none.
    pub kernel: String,
    /// FrameOfReferenceUID; empty where there is none.
    pub frame_of_reference: String,
    /// ImageType, its values divided by backslashes.
    pub image_type: String,
    /// Whether ImageType says that it is a localizer (scout).
    pub localizer: bool,
    /// Whether it is a screenshot or something else that is no slice of any series, whatever series it is filed under.
    pub stray: bool,
    /// Its slices, or why they cannot be used: only of interest if its series is chosen.
    pub slices: Result<Vec<Slice>, String>,
}

impl Header {
    /// Reads the header of a DICOM file; none if the file is not an image (a report, a plan).
    pub(super) fn read(path: &Path) -> Result<Option<Header>, String> {
        let object = open(path, Some(tags::PIXEL_DATA))?;
        if object.get(tags::ROWS).is_none() {
            return Ok(None);
        }
        let image_type = text(&object, tags::IMAGE_TYPE);
        Ok(Some(Header {
            path: path.to_path_buf(),
            series: text(&object, tags::SERIES_INSTANCE_UID),
            description: text(&object, tags::SERIES_DESCRIPTION),
            modality: text(&object, tags::MODALITY),
            kernel: text(&object, tags::CONVOLUTION_KERNEL),
            frame_of_reference: text(&object, tags::FRAME_OF_REFERENCE_UID),
            localizer: image_type.split('\\').any(|part| part.trim() == "LOCALIZER"),
            image_type,
            stray: is_stray(&object),
            slices: slices(path, &object),
        }))
    }
}

/// Whether an image is none that a scanner's slice could be: in colour, or a secondary capture that lies nowhere in the patient.
fn is_stray(object: &InMemDicomObject) -> bool {
    /// Secondary captures of all kinds begin so.
    const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
    let colours = text(object, tags::PHOTOMETRIC_INTERPRETATION);
    let captured = text(object, tags::SOP_CLASS_UID).starts_with(SECONDARY_CAPTURE);
    (!colours.is_empty() && !colours.starts_with("MONOCHROME"))
        || (captured && object.get(tags::IMAGE_POSITION_PATIENT).is_none())
}

/// The transfer syntaxes of dicom-rs, and any other read as explicit little endian. That is what every encapsulated one is
/// but for its pixels, so that headers can be read and messages written even where the pixels cannot be decoded.
struct Syntaxes;

impl TransferSyntaxIndex for Syntaxes {
    fn get(&self, uid: &str) -> Option<&TransferSyntax> {
        TransferSyntaxRegistry.get(uid).or_else(|| TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN))
    }
}

/// Opens a DICOM file, whole or up to (and without) a tag. The message of the error is a sentence about the file.
///
/// Of the file's meta group only the transfer syntax is taken, and handed to dicom-rs in a meta group of our own: it refuses
/// a file for an application's title that is too long, which says nothing about the image.
pub(super) fn open(path: &Path, until: Option<Tag>) -> Result<DefaultDicomObject, String> {
    let damaged = |why: &str| format!("it cannot be read as DICOM ({why}); it seems damaged or cut off: copy it again");
    let read = || {
        let file = std::fs::File::open(path).map_err(|e| format!("it cannot be opened: {e}"))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut start = Vec::new();
        file.by_ref().take(132).read_to_end(&mut start).map_err(|e| format!("it cannot be read: {e}"))?;
        let (syntax, start) = if has_preamble(&start) {
            meta_group(&mut file).map_err(|e| damaged(&e.to_string()))?
        } else {
            (bare_syntax(&start).ok_or_else(|| damaged("it has no DICM"))?.to_string(), start)
        };
        let place = file.stream_position().ok();
        if let Some(begin) = place.and_then(|place| place.checked_sub(start.len() as u64)) {
            let fault = |e: std::io::Error| format!("it cannot be read: {e}");
            file.seek(SeekFrom::Start(begin)).map_err(fault)?;
            super::lengths::check(&mut file, &syntax, until).map_err(|why| damaged(&why))?;
            file.seek(SeekFrom::Start(begin + start.len() as u64)).map_err(fault)?;
        }
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(syntax)
            .media_storage_sop_class_uid(uids::CT_IMAGE_STORAGE)
            .media_storage_sop_instance_uid("0")
            .build();
        let mut front = b"DICM".to_vec();
        meta.map_err(|e| e.to_string())?.write(&mut front).map_err(|e| e.to_string())?;
        front.extend(start);
        let mut options = OpenFileOptions::new().transfer_syntax_index(Syntaxes).read_preamble(ReadPreamble::Never);
        if let Some(tag) = until {
            options = options.read_until(tag);
        }
        options.from_reader(Cursor::new(front).chain(file)).map_err(|e| damaged(&causes(&e)))
    };
    guarded(read)
}

/// Reads the meta group behind DICM: the transfer syntax, and the first bytes of the data set, which had to be read to see
/// that the group is over.
fn meta_group(file: &mut impl Read) -> std::io::Result<(String, Vec<u8>)> {
    let mut syntax = None;
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        if head[..2] != [2, 0] {
            let missing = || std::io::Error::other("it names no transfer syntax");
            return Ok((syntax.ok_or_else(missing)?, head.to_vec()));
        }
        let length = if matches!(&head[4..6], b"OB" | b"UN" | b"UT") {
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            u64::from(u32::from_le_bytes(length))
        } else {
            u64::from(u16::from_le_bytes([head[6], head[7]]))
        };
        let mut value = Vec::new();
        if file.take(length).read_to_end(&mut value)? as u64 != length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head[2..4] == [0x10, 0] {
            // As dicom-rs cuts it: what is behind the name must not make another one of it here.
            let text = in_one_line(&String::from_utf8_lossy(&value));
            syntax = Some(text.trim_end_matches(|c: char| c.is_whitespace() || c == '\0').to_string());
        }
    }
}

/// Runs a decoder; a panic inside it becomes a message.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("it is damaged: the decoder gave up ({})", told.unwrap_or("it did not say why")))
    })
}

/// An error with all that caused it, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let told = cause.to_string();
        if !line.contains(&told) {
            line = format!("{line}: {told}");
        }
        next = cause.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a file's first 132 bytes end in the letters DICM.
pub(super) fn has_preamble(start: &[u8]) -> bool {
    start.get(128..132) == Some(b"DICM")
}

/// The transfer syntax of a file that begins at once with a data set: group 0008, little endian, then either the two
/// capital letters of a value representation or the length of a short value.
pub(super) fn bare_syntax(start: &[u8]) -> Option<&'static str> {
    let head: [u8; 8] = start.get(..8)?.try_into().ok()?;
    let element = u16::from_le_bytes([head[2], head[3]]);
    if head[..2] != [8, 0] || element > 0x60 {
        return None;
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if head[4].is_ascii_uppercase() && head[5].is_ascii_uppercase() {
        Some(uids::EXPLICIT_VR_LITTLE_ENDIAN)
    } else {
        (length < 256).then_some(uids::IMPLICIT_VR_LITTLE_ENDIAN)
    }
}

/// The slices of an image file, or a sentence that says what is wrong with it.
fn slices(path: &Path, object: &InMemDicomObject) -> Result<Vec<Slice>, String> {
    let size = [count(object, tags::ROWS, "Rows")?, count(object, tags::COLUMNS, "Columns")?];
    let samples = text(object, tags::SAMPLES_PER_PIXEL);
    let colours = text(object, tags::PHOTOMETRIC_INTERPRETATION);
    // MONOCHROME1 only tells a viewer to show low values bright: after rescaling they are Hounsfield units all the same.
    if !matches!(samples.as_str(), "" | "1") || !colours.starts_with("MONOCHROME") {
        return Err(format!(
            "its pixels are {colours} with {samples} samples each; MONOCHROME2 with one was expected (a screenshot or report \
             is not a CT slice: take it out of the folder)"
        ));
    }
    let per_frame = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared = items(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    let frames = match text(object, tags::NUMBER_OF_FRAMES).as_str() {
        "" => 1,
        frames => frames.parse().map_err(|_| format!("NumberOfFrames is \"{frames}\"; a number was expected"))?,
    };
    if frames == 0 || (frames > 1 && per_frame.len() != frames) {
        return Err(format!(
            "it has {frames} frames, but places {} of them in the patient (PerFrameFunctionalGroupsSequence); convert it \
             to an enhanced CT or to one file a slice",
            per_frame.len()
        ));
    }
    let file = Arc::new(path.to_path_buf());
    (0..frames)
        .map(|frame| {
            let groups = Groups { object, own: per_frame.get(frame), shared };
            slice(&file, frame as u32, size, &groups).map_err(|fault| {
                if frames > 1 {
                    format!("frame {}: {fault}", frame + 1)
                } else {
                    fault
                }
            })
        })
        .collect()
}

/// Where the attributes of one frame may stand.
struct Groups<'a> {
    object: &'a InMemDicomObject,
    own: Option<&'a InMemDicomObject>,
    shared: Option<&'a InMemDicomObject>,
}

impl Groups<'_> {
    /// An attribute: from the functional group `sequence` of the frame, or that of all frames, or from the top.
    fn numbers(&self, sequence: Tag, tag: Tag) -> Option<Vec<f64>> {
        let group = |groups: Option<&InMemDicomObject>| numbers(items(groups?, sequence).first()?, tag);
        group(self.own).or_else(|| group(self.shared)).or_else(|| numbers(self.object, tag))
    }

    /// A text; empty where it is not given.
    fn text(&self, sequence: Tag, tag: Tag) -> String {
        let group = |groups: Option<&InMemDicomObject>| {
            Some(text(items(groups?, sequence).first()?, tag)).filter(|text| !text.is_empty())
        };
        group(self.own).or_else(|| group(self.shared)).unwrap_or_else(|| text(self.object, tag))
    }

    /// Exactly `N` finite numbers.
    fn exactly<const N: usize>(&self, sequence: Tag, tag: Tag, name: &str) -> Result<[f64; N], String> {
        let found = self.numbers(sequence, tag).ok_or_else(|| {
            format!("it has no {name}; a CT slice that says where it lies and what its values mean was expected")
        })?;
        <[f64; N]>::try_from(found.as_slice())
            .ok()
            .filter(|values| values.iter().all(|v| v.is_finite()))
            .ok_or_else(|| format!("{name} is {found:?}; {N} finite numbers were expected"))
    }
}

/// One slice from the attributes of its frame.
fn slice(file: &Arc<PathBuf>, frame: u32, size: [usize; 2], groups: &Groups) -> Result<Slice, String> {
    let position =
        groups.exactly(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT, "ImagePositionPatient")?;
    let cosines: [f64; 6] =
        groups.exactly(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT, "ImageOrientationPatient")?;
    let spacing: [f64; 2] = groups.exactly(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING, "PixelSpacing")?;
    let values = tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE;
    let given = |tag| groups.numbers(values, tag).is_some();
    let rescaled = given(tags::RESCALE_SLOPE) || given(tags::RESCALE_INTERCEPT);
    let ([slope], [intercept]) = match rescaled {
        true => (
            groups.exactly(values, tags::RESCALE_SLOPE, "RescaleSlope")?,
            groups.exactly(values, tags::RESCALE_INTERCEPT, "RescaleIntercept")?,
        ),
        false => ([1.0], [0.0]),
    };
    if spacing.iter().any(|s| *s <= 0.0) {
        return Err(format!("PixelSpacing is {spacing:?} mm; two positive numbers were expected"));
    }
    if slope == 0.0 {
        return Err("RescaleSlope is 0, which would make every voxel the same; another number was expected".into());
    }
    let [row, column] = [[cosines[0], cosines[1], cosines[2]], [cosines[3], cosines[4], cosines[5]]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    // Cosines are often written with 4 digits.
    if (dot(row, row) - 1.0).abs() > 1e-3 || (dot(column, column) - 1.0).abs() > 1e-3 || dot(row, column).abs() > 1e-3 {
        return Err(format!("ImageOrientationPatient is {cosines:?}; two perpendicular unit vectors were expected"));
    }
    let unit = |v: [f64; 3]| v.map(|c| c / dot(v, v).sqrt());
    let measure = |tag| groups.numbers(tags::PIXEL_MEASURES_SEQUENCE, tag).and_then(|v| v.first().copied());
    let positive = |v: &f64| v.is_finite() && *v > 0.0;
    Ok(Slice {
        file: file.clone(),
        frame,
        instance: text(groups.object, tags::SOP_INSTANCE_UID),
        acquisition: text(groups.object, tags::ACQUISITION_NUMBER),
        size,
        spacing,
        row: unit(row),
        column: unit(column),
        position,
        slope,
        intercept,
        rescaled,
        unit_name: groups.text(values, tags::RESCALE_TYPE),
        padding: padding(groups.object),
        thickness: measure(tags::SPACING_BETWEEN_SLICES)
            .filter(positive)
            .or_else(|| measure(tags::SLICE_THICKNESS).filter(positive)),
    })
}

/// The stored values that stand for nothing measured, as the file has them.
fn padding(object: &InMemDicomObject) -> Option<[i64; 2]> {
    let number = |tag| numbers(object, tag)?.first().map(|value| *value as i64);
    let value = number(tags::PIXEL_PADDING_VALUE)?;
    Some([value, number(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value)])
}

/// An attribute as text, trimmed; several values are divided by backslashes; empty where there is none.
pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> String {
    let text = object.get(tag).and_then(|element| element.value().to_str().ok());
    text.map(|t| in_one_line(t.trim_matches(|c: char| c.is_whitespace() || c == '\0'))).unwrap_or_default()
}

/// A file's words as they may stand in a message, which is one line: without control characters.
fn in_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// An attribute as numbers; none where it is absent, empty or not numbers.
pub(super) fn numbers(object: &InMemDicomObject, tag: Tag) -> Option<Vec<f64>> {
    object.get(tag)?.value().to_multi_float64().ok().filter(|values| !values.is_empty())
}

/// A positive whole number.
pub(super) fn count(object: &InMemDicomObject, tag: Tag, name: &str) -> Result<usize, String> {
    let found = text(object, tag);
    let number = found.parse().ok().filter(|n| (1..=65535).contains(n));
    number.ok_or_else(|| format!("{name} is \"{found}\"; a positive number was expected"))
}

/// The items of a sequence; none where it is absent.
pub(super) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object.get(tag).and_then(|element| element.items()).unwrap_or_default()
}
