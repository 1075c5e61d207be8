//! DICOM Segmentation objects: masks as one bit for each pixel, probabilities as eight.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, Tag};
use ndarray::{ArrayView2, ArrayView3, Axis};

use super::elements::{clipped, code, decimal, decimals, one, reference, sequence, short, text, write, Moment, Uids};
use super::source::{Source, SourceSlice};
use super::Code;
use crate::io::dicom::header;
use crate::labels::Label;
use crate::{Error, Result};

/// What 1 is stored as in a segmentation of probabilities.
const MOST: u16 = 255;

/// What marks a segment: arrays are `[k, j, i]` on the grid of the source.
#[derive(Clone, Copy, Debug)]
pub enum Layer<'a> {
    /// A mask, 0 outside: stored as BINARY.
    Mask(ArrayView3<'a, u8>),
    /// Probabilities from 0 to 1: stored as FRACTIONAL, in steps of 1/255.
    Probability(ArrayView3<'a, f32>),
}

/// Who drew a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A program alone.
    Automatic,
    /// A program and a person.
    Semiautomatic,
    /// A person.
    Manual,
}

impl MadeBy {
    pub(super) fn word(self) -> &'static str {
        match self {
            MadeBy::Automatic => "AUTOMATIC",
            MadeBy::Semiautomatic => "SEMIAUTOMATIC",
            MadeBy::Manual => "MANUAL",
        }
    }
}

/// The program and model that found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// Its name.
    pub name: String,
    /// Its version, that of the model included.
    pub version: String,
    /// What else decided the result, as text; may be empty.
    pub parameters: String,
}

impl Algorithm {
    /// ggpfn with a model, by the model's name and SHA-256.
    pub fn ggpfn(model: &str, sha256: &str) -> Self {
        Algorithm {
            name: "GGPFN".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            parameters: format!("model: {model}; SHA-256: {sha256}"),
        }
    }
}

/// One thing that is marked.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// What it is called, up to 64 characters.
    pub label: String,
    /// More words about it; may be empty.
    pub description: String,
    /// What sort of thing it is: DICOM's context group 7150.
    pub category: Code,
    /// What it is.
    pub property: Code,
    /// The colour to show it in, red, green and blue of sRGB.
    pub colour: [u8; 3],
    /// Who drew it.
    pub made_by: MadeBy,
    /// By what program; needed unless a person alone drew it.
    pub algorithm: Option<Algorithm>,
    /// Where it is.
    pub layer: Layer<'a>,
}

impl<'a> Segment<'a> {
    /// A pancreas that a program found.
    pub fn pancreas(layer: Layer<'a>, algorithm: Algorithm) -> Self {
        Segment::found(&Label::named(1, "pancreas"), layer, algorithm)
    }

    /// What a program found of a label. A name without a code is some tissue or other.
    pub fn found(label: &Label, layer: Layer<'a>, algorithm: Algorithm) -> Self {
        let mut letters = label.name.chars();
        let name: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).take(64).collect();
        let category = match label.is_lesion() {
            true => Code::snomed("49755003", "Morphologically Abnormal Structure"),
            false => Code::snomed("91723000", "Anatomical Structure"),
        };
        Segment {
            label: name,
            description: String::new(),
            category,
            property: label.code.clone().unwrap_or_else(|| Code::snomed("85756007", "Tissue")),
            colour: label.colour,
            made_by: MadeBy::Automatic,
            algorithm: Some(algorithm),
            layer,
        }
    }
}

/// How a result is filed.
#[derive(Clone, Debug, Default)]
pub struct SegmentationOptions {
    /// SeriesNumber; if left out that of the source and 1000 for masks, 1002 for probabilities, 1003 for contours, 1001 for reports.
    pub series_number: Option<u32>,
    /// SeriesDescription; made from the segments' labels if left out.
    pub series_description: Option<String>,
    /// The root below which new UIDs are made; 2.25, from UUIDs, if left out.
    pub uid_root: Option<String>,
}

impl SegmentationOptions {
    /// Refuses a root that is none: before a long computation, not after it.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check(&self) -> Result<()> {
        Uids::new(self.uid_root.as_deref()).map(drop)
    }
}

/// The names that a written object got, for what refers to it.
#[derive(Clone, Debug)]
pub struct Written {
    /// SeriesInstanceUID.
    pub series: String,
    /// SOPInstanceUID.
    pub instance: String,
    pub(super) frames: usize,
    /// Each segment's label and TrackingUID.
    pub(super) tracking: Vec<[String; 2]>,
}

impl Written {
    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.frames
    }
}

/// Writes segments on the grid of a series as a DICOM Segmentation, explicit little endian; it appears whole or not at all.
///
/// Frames without any pixel of a segment are left out; where that would leave none, since nothing was found, all are written.
///
/// # Errors
/// [`Error::Argument`] for segments that cannot be in one object: none, more than 65535, masks among probabilities, arrays that are not on
/// the grid of the source, values that are no probabilities; [`Error::File`] where it cannot be written.
pub fn write_segmentation(
    path: &std::path::Path,
    source: &Source,
    segments: &[Segment],
    options: &SegmentationOptions,
) -> Result<Written> {
    let fractional = check(source, segments)?;
    let uids = Uids::new(options.uid_root.as_deref())?;
    let frames = frames(segments)?;
    let tracking: Vec<[String; 2]> =
        segments.iter().map(|segment| [clipped(&segment.label, 64), uids.next()]).collect();
    let written = Written { series: uids.next(), instance: uids.next(), frames: frames.len(), tracking };

    let mut set = InMemDicomObject::new_empty();
    let labels: Vec<&str> = segments.iter().map(|segment| segment.label.as_str()).collect();
    let labels = clipped(&labels.join(", "), 40);
    let made = if fractional { "probability" } else { "segmentation" };
    let description = options.series_description.clone().unwrap_or_else(|| format!("{labels} {made} (GGPFN)"));
    let heading = Heading {
        class: uids::SEGMENTATION_STORAGE,
        modality: "SEG",
        series: &written.series,
        instance: &written.instance,
        number: series_number(source, options.series_number, if fractional { 1002 } else { 1000 }),
        description: &description,
    };
    heading.put(&mut set, source);
    place_in_space(&mut set, source, &uids);

    text(&mut set, tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY");
    let label = clipped(&labels.to_uppercase(), 16);
    let label: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    text(&mut set, tags::CONTENT_LABEL, VR::CS, if label.is_empty() { "SEGMENTATION" } else { &label });
    text(&mut set, tags::CONTENT_DESCRIPTION, VR::LO, &clipped(&description, 64));
    text(&mut set, tags::CONTENT_CREATOR_NAME, VR::PN, "");
    text(&mut set, tags::SEGMENTATION_TYPE, VR::CS, if fractional { "FRACTIONAL" } else { "BINARY" });
    text(&mut set, tags::SEGMENTS_OVERLAP, VR::CS, overlap(segments));
    if fractional {
        text(&mut set, tags::SEGMENTATION_FRACTIONAL_TYPE, VR::CS, "PROBABILITY");
        short(&mut set, tags::MAXIMUM_FRACTIONAL_VALUE, MOST);
    }
    let items = segments.iter().zip(&written.tracking).enumerate();
    let items = items.map(|(number, (segment, tracking))| described(number as u16 + 1, segment, tracking)).collect();
    sequence(&mut set, tags::SEGMENT_SEQUENCE, items);

    lossy(&mut set, source);
    refer_to_series(&mut set, source);
    dimensions(&mut set, &uids);
    groups(&mut set, source, &frames);
    pixels(&mut set, source, segments, &frames, fractional)?;
    write(path, set, uids::SEGMENTATION_STORAGE, &written.instance)?;
    Ok(written)
}

/// Whether the segments are probabilities; refuses what cannot be in one object.
pub(super) fn check(source: &Source, segments: &[Segment]) -> Result<bool> {
    let refuse = |fault: String| Err(Error::argument("segments", fault));
    let (Some(first), true) = (segments.first(), segments.len() <= usize::from(u16::MAX)) else {
        return refuse(format!("there are {}; from 1 to {} were expected", segments.len(), u16::MAX));
    };
    let is_fractional = |segment: &Segment| matches!(segment.layer, Layer::Probability(_));
    let fractional = is_fractional(first);
    let [i, j, k] = source.geometry.size;
    if [i, j].iter().any(|n| *n > usize::from(u16::MAX)) {
        return refuse(format!("slices have {i} x {j} pixels; DICOM has room for {0} x {0}", u16::MAX));
    }
    for segment in segments {
        if is_fractional(segment) != fractional {
            return refuse("some are masks and some are probabilities; one object holds one sort".into());
        }
        let found = match segment.layer {
            Layer::Mask(mask) => mask.dim(),
            Layer::Probability(probability) => probability.dim(),
        };
        if found != (k, j, i) {
            return refuse(format!("\"{}\" has {found:?} voxels; {:?} were expected", segment.label, (k, j, i)));
        }
        if let Layer::Probability(probability) = segment.layer {
            if let Some(value) = probability.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return refuse(format!("\"{}\" holds {value}; probabilities from 0 to 1 were expected", segment.label));
            }
        }
        if clipped(&segment.label, 64).is_empty() {
            return refuse("one has no label; a name for people was expected".into());
        }
        if segment.algorithm.is_none() && segment.made_by != MadeBy::Manual {
            return refuse(format!("\"{}\" was drawn by a program, which was not named", segment.label));
        }
    }
    Ok(fractional)
}

/// Whether segments share a voxel, as SegmentsOverlap has it.
fn overlap(segments: &[Segment]) -> &'static str {
    let mut seen: Option<ndarray::Array3<bool>> = None;
    for segment in segments.iter().filter(|_| segments.len() > 1) {
        let Layer::Mask(mask) = segment.layer else { return "UNDEFINED" };
        let seen = seen.get_or_insert_with(|| ndarray::Array3::from_elem(mask.dim(), false));
        for (seen, _) in seen.iter_mut().zip(mask).filter(|(_, inside)| **inside != 0) {
            if std::mem::replace(seen, true) {
                return "YES";
            }
        }
    }
    "NO"
}

/// A stored frame: a segment on a slice.
struct Frame {
    segment: usize,
    slice: usize,
    /// Which of the slices that are in the object it is, from 1.
    place: u32,
}

/// The frames to store, by segment and then by slice.
fn frames(segments: &[Segment]) -> Result<Vec<Frame>> {
    let marked = |layer: &Layer, slice: usize| match layer {
        Layer::Mask(mask) => mask.index_axis(Axis(0), slice).iter().any(|inside| *inside != 0),
        Layer::Probability(probability) => probability.index_axis(Axis(0), slice).iter().any(|p| stored(*p) != 0),
    };
    let slices = match segments[0].layer {
        Layer::Mask(mask) => mask.dim().0,
        Layer::Probability(probability) => probability.dim().0,
    };
    let mut kept: Vec<[usize; 2]> = Vec::new();
    for (segment, of) in segments.iter().enumerate() {
        kept.extend((0..slices).filter(|slice| marked(&of.layer, *slice)).map(|slice| [segment, slice]));
    }
    if kept.is_empty() {
        kept.extend((0..segments.len()).flat_map(|segment| (0..slices).map(move |slice| [segment, slice])));
    }
    let mut present = vec![false; slices];
    kept.iter().for_each(|[_, slice]| present[*slice] = true);
    let places: Vec<u32> = present
        .iter()
        .scan(0, |place, present| {
            *place += u32::from(*present);
            Some(*place)
        })
        .collect();
    Ok(kept.into_iter().map(|[segment, slice]| Frame { segment, slice, place: places[slice] }).collect())
}

/// A probability as it is stored.
fn stored(probability: f32) -> u8 {
    (probability * f32::from(MOST)).round() as u8
}

/// What every object has at its head.
pub(super) struct Heading<'a> {
    pub class: &'a str,
    pub modality: &'a str,
    pub series: &'a str,
    pub instance: &'a str,
    pub number: u32,
    pub description: &'a str,
}

impl Heading<'_> {
    /// Patient and study as the source has them; series, equipment and instance of our own.
    pub(super) fn put(&self, set: &mut InMemDicomObject, source: &Source) {
        /// Attributes that an object has even where they are empty.
        const ALWAYS: [(Tag, VR); 9] = [
            (tags::PATIENT_NAME, VR::PN),
            (tags::PATIENT_ID, VR::LO),
            (tags::PATIENT_BIRTH_DATE, VR::DA),
            (tags::PATIENT_SEX, VR::CS),
            (tags::STUDY_DATE, VR::DA),
            (tags::STUDY_TIME, VR::TM),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
            (tags::STUDY_ID, VR::SH),
            (tags::ACCESSION_NUMBER, VR::SH),
        ];
        /// Those that it has where the source has them.
        const IF_THERE: [Tag; 18] = [
            tags::SPECIFIC_CHARACTER_SET,
            tags::TIMEZONE_OFFSET_FROM_UTC,
            tags::ISSUER_OF_PATIENT_ID,
            tags::OTHER_PATIENT_I_DS_SEQUENCE,
            tags::PATIENT_COMMENTS,
            tags::PATIENT_IDENTITY_REMOVED,
            tags::DEIDENTIFICATION_METHOD,
            tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
            tags::PATIENT_AGE,
            tags::PATIENT_SIZE,
            tags::PATIENT_WEIGHT,
            tags::STUDY_DESCRIPTION,
            tags::PROCEDURE_CODE_SEQUENCE,
            tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
            tags::CLINICAL_TRIAL_SPONSOR_NAME,
            tags::CLINICAL_TRIAL_PROTOCOL_ID,
            tags::CLINICAL_TRIAL_PROTOCOL_NAME,
            tags::CLINICAL_TRIAL_SUBJECT_ID,
        ];
        let now = Moment::now(&header::text(&source.attributes, tags::TIMEZONE_OFFSET_FROM_UTC));
        for (tag, vr) in ALWAYS {
            match source.attributes.get(tag) {
                Some(element) => set.put(element.clone()),
                None => set.put(DataElement::empty(tag, vr)),
            };
        }
        for tag in IF_THERE {
            let found = source.attributes.get(tag);
            if let Some(element) = found.filter(|element| !dicom_core::header::HasLength::is_empty(*element)) {
                set.put(element.clone());
            }
        }
        text(set, tags::STUDY_INSTANCE_UID, VR::UI, &source.study);
        text(set, tags::SOP_CLASS_UID, VR::UI, self.class);
        text(set, tags::SOP_INSTANCE_UID, VR::UI, self.instance);
        text(set, tags::MODALITY, VR::CS, self.modality);
        text(set, tags::SERIES_INSTANCE_UID, VR::UI, self.series);
        text(set, tags::SERIES_NUMBER, VR::IS, &self.number.to_string());
        text(set, tags::SERIES_DESCRIPTION, VR::LO, &clipped(self.description, 64));
        text(set, tags::INSTANCE_NUMBER, VR::IS, "1");
        for (date, time) in [
            (tags::SERIES_DATE, tags::SERIES_TIME),
            (tags::CONTENT_DATE, tags::CONTENT_TIME),
            (tags::INSTANCE_CREATION_DATE, tags::INSTANCE_CREATION_TIME),
        ] {
            text(set, date, VR::DA, &now.date());
            text(set, time, VR::TM, &now.time());
        }
        text(set, tags::MANUFACTURER, VR::LO, "GGPFN");
        text(set, tags::MANUFACTURER_MODEL_NAME, VR::LO, "ggpfn");
        text(set, tags::DEVICE_SERIAL_NUMBER, VR::LO, env!("CARGO_PKG_VERSION"));
        text(set, tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
    }
}

/// The number of a result's series: behind that of its source.
pub(super) fn series_number(source: &Source, wanted: Option<u32>, behind: u32) -> u32 {
    /// Longest number that an IS holds is 2^31 - 1.
    const MOST: u32 = i32::MAX as u32;
    let own = header::text(&source.attributes, tags::SERIES_NUMBER).parse::<u32>().unwrap_or(0);
    wanted.unwrap_or_else(|| own.saturating_add(behind)).min(MOST)
}

pub(super) fn place_in_space(set: &mut InMemDicomObject, source: &Source, uids: &Uids) {
    let frame = source.frame_of_reference.clone().unwrap_or_else(|| {
        log::warn!(
            "{}: its files have no FrameOfReferenceUID; the result gets a new one, so that viewers may not lay it on the CT",
            source.path.display()
        );
        uids.next()
    });
    text(set, tags::FRAME_OF_REFERENCE_UID, VR::UI, &frame);
    match source.attributes.get(tags::POSITION_REFERENCE_INDICATOR) {
        Some(element) => set.put(element.clone()),
        None => set.put(DataElement::empty(tags::POSITION_REFERENCE_INDICATOR, VR::LO)),
    };
}

/// The item of a segment.
fn described(number: u16, segment: &Segment, tracking: &[String; 2]) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    short(&mut item, tags::SEGMENT_NUMBER, number);
    text(&mut item, tags::SEGMENT_LABEL, VR::LO, &tracking[0]);
    if !segment.description.is_empty() {
        text(&mut item, tags::SEGMENT_DESCRIPTION, VR::ST, &segment.description);
    }
    text(&mut item, tags::SEGMENT_ALGORITHM_TYPE, VR::CS, segment.made_by.word());
    if let Some(algorithm) = &segment.algorithm {
        if segment.made_by != MadeBy::Manual {
            text(&mut item, tags::SEGMENT_ALGORITHM_NAME, VR::LO, &clipped(&algorithm.name, 64));
        }
        let mut own = InMemDicomObject::new_empty();
        let family = Code::dicom("123110", "Artificial Intelligence");
        one(&mut own, tags::ALGORITHM_FAMILY_CODE_SEQUENCE, code(&family));
        text(&mut own, tags::ALGORITHM_NAME, VR::LO, &clipped(&algorithm.name, 64));
        text(&mut own, tags::ALGORITHM_VERSION, VR::LO, &clipped(&algorithm.version, 64));
        if !algorithm.parameters.is_empty() {
            text(&mut own, tags::ALGORITHM_PARAMETERS, VR::LT, &algorithm.parameters);
        }
        one(&mut item, tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, own);
    }
    one(&mut item, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, code(&segment.category));
    one(&mut item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, code(&segment.property));
    let lab = cielab(segment.colour);
    item.put(DataElement::new(
        tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE,
        VR::US,
        PrimitiveValue::U16(lab.as_slice().into()),
    ));
    text(&mut item, tags::TRACKING_ID, VR::UT, &tracking[0]);
    text(&mut item, tags::TRACKING_UID, VR::UI, &tracking[1]);
    item
}

/// A colour of sRGB in CIELab under D50, as DICOM stores it: L from 0 to 100, a and b from -128 to 127, each over 16 bits.
fn cielab(colour: [u8; 3]) -> [u16; 3] {
    let linear = colour.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    // sRGB to XYZ under D50 (Bradford), over the white point.
    const ROWS: [[f64; 3]; 3] =
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]];
    const WHITE: [f64; 3] = [0.96422, 1.0, 0.82521];
    let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
    let [x, y, z] = [0, 1, 2].map(|n: usize| f((0..3).map(|c| ROWS[n][c] * linear[c]).sum::<f64>() / WHITE[n]));
    let (l, a, b) = (116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
    [l / 100.0, (a + 128.0) / 255.0, (b + 128.0) / 255.0].map(|part| (part.clamp(0.0, 1.0) * 65535.0).round() as u16)
}

/// Whether the source had lost something to compression, which then holds for what was made from it.
fn lossy(set: &mut InMemDicomObject, source: &Source) {
    let found = header::text(&source.attributes, tags::LOSSY_IMAGE_COMPRESSION);
    if found != "01" {
        text(set, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        return;
    }
    for tag in
        [tags::LOSSY_IMAGE_COMPRESSION, tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD]
    {
        if let Some(element) = source.attributes.get(tag) {
            set.put(element.clone());
        }
    }
}

/// The instances of a series, each once.
pub(super) fn instances(source: &Source) -> Vec<InMemDicomObject> {
    let mut seen = std::collections::BTreeSet::new();
    let first_of = source.slices.iter().filter(|slice| seen.insert(slice.instance.as_str()));
    first_of.map(|slice| reference(&slice.class, &slice.instance)).collect()
}

fn refer_to_series(set: &mut InMemDicomObject, source: &Source) {
    let mut series = InMemDicomObject::new_empty();
    text(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, &source.series);
    sequence(&mut series, tags::REFERENCED_INSTANCE_SEQUENCE, instances(source));
    one(set, tags::REFERENCED_SERIES_SEQUENCE, series);
}

/// Says that frames are ordered by segment and by position.
fn dimensions(set: &mut InMemDicomObject, uids: &Uids) {
    let organization = uids.next();
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization);
    one(set, tags::DIMENSION_ORGANIZATION_SEQUENCE, item);
    let indices = [
        (tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number"),
        (tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position (Patient)"),
    ];
    let indices = indices.map(|(pointer, group, label)| {
        let mut item = InMemDicomObject::new_empty();
        text(&mut item, tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization);
        item.put(DataElement::new(
            tags::DIMENSION_INDEX_POINTER,
            VR::AT,
            PrimitiveValue::Tags([pointer].as_slice().into()),
        ));
        item.put(DataElement::new(
            tags::FUNCTIONAL_GROUP_POINTER,
            VR::AT,
            PrimitiveValue::Tags([group].as_slice().into()),
        ));
        text(&mut item, tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label);
        item
    });
    sequence(set, tags::DIMENSION_INDEX_SEQUENCE, indices.into());
}

/// The functional groups: what all frames share, and what is each one's own.
fn groups(set: &mut InMemDicomObject, source: &Source, frames: &[Frame]) {
    let mut shared = InMemDicomObject::new_empty();
    let mut orientation = InMemDicomObject::new_empty();
    text(&mut orientation, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &source.orientation);
    one(&mut shared, tags::PLANE_ORIENTATION_SEQUENCE, orientation);
    let [columns, rows, slices] = source.geometry.spacing;
    let mut measures = InMemDicomObject::new_empty();
    text(&mut measures, tags::PIXEL_SPACING, VR::DS, &decimals(&[rows, columns]));
    // As far as a segment reaches, which is from one slice to the next however thick the scanner's were.
    text(&mut measures, tags::SLICE_THICKNESS, VR::DS, &decimal(slices));
    text(&mut measures, tags::SPACING_BETWEEN_SLICES, VR::DS, &decimal(slices));
    one(&mut shared, tags::PIXEL_MEASURES_SEQUENCE, measures);
    one(set, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared);

    let of_frame = |frame: &Frame| {
        let slice = &source.slices[frame.slice];
        let mut groups = InMemDicomObject::new_empty();
        let mut content = InMemDicomObject::new_empty();
        content.put(DataElement::new(
            tags::DIMENSION_INDEX_VALUES,
            VR::UL,
            PrimitiveValue::U32([frame.segment as u32 + 1, frame.place].as_slice().into()),
        ));
        one(&mut groups, tags::FRAME_CONTENT_SEQUENCE, content);
        let mut position = InMemDicomObject::new_empty();
        text(&mut position, tags::IMAGE_POSITION_PATIENT, VR::DS, &decimals(&slice.position));
        one(&mut groups, tags::PLANE_POSITION_SEQUENCE, position);
        let mut segment = InMemDicomObject::new_empty();
        short(&mut segment, tags::REFERENCED_SEGMENT_NUMBER, frame.segment as u16 + 1);
        one(&mut groups, tags::SEGMENT_IDENTIFICATION_SEQUENCE, segment);
        one(&mut groups, tags::DERIVATION_IMAGE_SEQUENCE, derivation(slice));
        groups
    };
    text(set, tags::NUMBER_OF_FRAMES, VR::IS, &frames.len().to_string());
    sequence(set, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.iter().map(of_frame).collect());
}

/// From what slice a frame was made.
fn derivation(slice: &SourceSlice) -> InMemDicomObject {
    let mut derivation = InMemDicomObject::new_empty();
    let mut image = reference(&slice.class, &slice.instance);
    if let Some(frame) = slice.frame {
        text(&mut image, tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string());
    }
    text(&mut image, tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES");
    let purpose = Code::dicom("121322", "Source image for image processing operation");
    one(&mut image, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, code(&purpose));
    one(&mut derivation, tags::SOURCE_IMAGE_SEQUENCE, image);
    one(&mut derivation, tags::DERIVATION_CODE_SEQUENCE, code(&Code::dicom("113076", "Segmentation")));
    derivation
}

/// The pixels of all frames, one behind the other: bits are packed over their borders, the lowest of a byte first.
fn pixels(
    set: &mut InMemDicomObject,
    source: &Source,
    segments: &[Segment],
    frames: &[Frame],
    fractional: bool,
) -> Result<()> {
    let [columns, rows, _] = source.geometry.size;
    let total = frames.len() as u64 * (rows * columns) as u64;
    let length = if fractional { total } else { total.div_ceil(8) };
    // The length is a number of 32 bits, of which the last ones mean something else.
    if length >= u64::from(u32::MAX) - 1 {
        let fault = format!("{} frames take {length} bytes, and a DICOM file has room for 4 GiB", frames.len());
        return Err(Error::argument("segments", fault));
    }
    let length = length.next_multiple_of(2) as usize;
    let mut bytes: Vec<u8> = Vec::new();
    let short_of = |_| Error::Memory(format!("the {length} bytes of a DICOM segmentation's pixels cannot be had"));
    bytes.try_reserve_exact(length).map_err(short_of)?;
    bytes.resize(length, 0);
    for (number, frame) in frames.iter().enumerate() {
        let first = number * rows * columns;
        match segments[frame.segment].layer {
            Layer::Mask(mask) => pack(mask.index_axis(Axis(0), frame.slice), first, &mut bytes),
            Layer::Probability(probability) => {
                let plane = probability.index_axis_move(Axis(0), frame.slice);
                bytes[first..].iter_mut().zip(plane).for_each(|(byte, p)| *byte = stored(*p));
            }
        }
    }
    let bits = if fractional { 8 } else { 1 };
    short(set, tags::SAMPLES_PER_PIXEL, 1);
    text(set, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    short(set, tags::ROWS, rows as u16);
    short(set, tags::COLUMNS, columns as u16);
    short(set, tags::BITS_ALLOCATED, bits);
    short(set, tags::BITS_STORED, bits);
    short(set, tags::HIGH_BIT, bits - 1);
    short(set, tags::PIXEL_REPRESENTATION, 0);
    set.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(bytes)));
    Ok(())
}

fn pack(plane: ArrayView2<u8>, first: usize, bytes: &mut [u8]) {
    for (at, _) in plane.iter().enumerate().filter(|(_, inside)| **inside != 0) {
        bytes[(first + at) / 8] |= 1 << ((first + at) % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_cielab() {
        assert_eq!(cielab([0, 0, 0]), [0, 32896, 32896]);
        let [l, a, b] = cielab([255, 255, 255]);
        assert!(l == 65535 && a.abs_diff(32896) < 20 && b.abs_diff(32896) < 20, "{l} {a} {b}");
        // sRGB's red under D50: L 54.29, a 80.81, b 69.89.
        let [l, a, b] = cielab([255, 0, 0]).map(f64::from);
        assert!((l / 655.35 - 54.29).abs() < 0.05 && (a / 257.0 - 128.0 - 80.81).abs() < 0.05);
        assert!((b / 257.0 - 128.0 - 69.89).abs() < 0.05, "{b}");
    }

    #[test]
    fn bits_run_on_over_the_borders_of_frames() {
        let plane = ndarray::array![[1_u8, 0, 1], [0, 0, 9]];
        let mut bytes = [0_u8; 2];
        pack(plane.view(), 0, &mut bytes);
        pack(plane.view(), 6, &mut bytes);
        assert_eq!(bytes, [0b0110_0101, 0b0000_1001]);
    }
}
