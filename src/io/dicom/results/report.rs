//! Reports of measurements: Comprehensive 3D SR after DICOM's template 1500, one measurement group (template 1411) for each segment.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::elements::{clipped, code, decimal, one, reference, sequence, short, text, write, Moment, Uids};
use super::segmentation::{instances, series_number, Algorithm, Heading, Segment, SegmentationOptions, Written};
use super::source::Source;
use super::Code;
use crate::io::dicom::header;
use crate::quality::Quality;
use crate::volume::Measurements;
use crate::{Error, Result};

/// The coding scheme of what no public one has a code for.
const PRIVATE: &str = "99GGPFN";

/// Whether a file is a structured report, by its meta group.
pub fn is_report(path: &Path) -> bool {
    super::meta(path).is_some_and(|meta| meta.class == uids::COMPREHENSIVE3_DSR_STORAGE)
}

/// What was measured of a segment.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The segment, as it was written.
    pub segment: &'a Segment<'a>,
    /// Its volume and density.
    pub measurements: &'a Measurements,
    /// How far it can be trusted.
    pub quality: Option<&'a Quality>,
}

/// Writes what was measured of the segments of a written segmentation, one report for each of them and in their order.
///
/// Volume (mL), mean and standard deviation of the Hounsfield units, the expected Dice (with a code of our own), whether the result is
/// doubtful and its warnings, the algorithm; each group refers to its segment and to the series of the CT.
///
/// # Errors
/// [`Error::Argument`] where reports and segments do not match; [`Error::File`] where it cannot be written.
pub fn write_report(
    path: &Path,
    source: &Source,
    written: &Written,
    reports: &[Report],
    options: &SegmentationOptions,
) -> Result<()> {
    if reports.len() != written.tracking.len() {
        let fault = format!("{} for {} segments; one each was expected", reports.len(), written.tracking.len());
        return Err(Error::argument("reports", fault));
    }
    let uids = Uids::new(options.uid_root.as_deref())?;
    let (series, instance) = (uids.next(), uids.next());
    let mut set = InMemDicomObject::new_empty();
    let labels: Vec<&str> = written.tracking.iter().map(|[label, _]| label.as_str()).collect();
    let heading = Heading {
        class: uids::COMPREHENSIVE3_DSR_STORAGE,
        modality: "SR",
        series: &series,
        instance: &instance,
        number: series_number(source, options.series_number.map(|number| number.saturating_add(1)), 1001),
        description: &format!("{} measurements (GGPFN)", clipped(&labels.join(", "), 40)),
    };
    heading.put(&mut set, source);
    sequence(&mut set, tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, vec![]);
    sequence(&mut set, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, vec![]);
    text(&mut set, tags::COMPLETION_FLAG, VR::CS, "COMPLETE");
    text(&mut set, tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED");
    sequence(&mut set, tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![evidence(source, written)]);

    let zone = header::text(&source.attributes, tags::TIMEZONE_OFFSET_FROM_UTC);
    let device = uids.next();
    let mut content = vec![
        language(),
        coded("HAS OBS CONTEXT", Code::dicom("121005", "Observer Type"), &Code::dicom("121007", "Device")),
        uid("HAS OBS CONTEXT", Code::dicom("121012", "Device Observer UID"), &device),
        words("HAS OBS CONTEXT", Code::dicom("121013", "Device Observer Name"), "ggpfn"),
        words("HAS OBS CONTEXT", Code::dicom("121014", "Device Observer Manufacturer"), "GGPFN"),
        words("HAS OBS CONTEXT", Code::dicom("121015", "Device Observer Model Name"), "ggpfn"),
        words("HAS OBS CONTEXT", Code::dicom("121016", "Device Observer Serial Number"), env!("CARGO_PKG_VERSION")),
        coded(
            "HAS CONCEPT MOD",
            Code::dicom("121058", "Procedure reported"),
            &Code::new("25045-6", "LN", "CT Unspecified Body Region"),
        ),
    ];
    let groups = reports.iter().zip(&written.tracking).enumerate();
    let groups = groups
        .map(|(number, (report, tracking))| group(number as u16 + 1, report, tracking, source, written))
        .collect();
    content.push(container(Some("CONTAINS"), Code::dicom("126010", "Imaging Measurements"), groups));

    let root = container(None, Code::dicom("126000", "Imaging Measurement Report"), content);
    root.into_iter().for_each(|element| {
        set.put(element);
    });
    let mut template = InMemDicomObject::new_empty();
    text(&mut template, tags::MAPPING_RESOURCE, VR::CS, "DCMR");
    text(&mut template, tags::TEMPLATE_IDENTIFIER, VR::CS, "1500");
    one(&mut set, tags::CONTENT_TEMPLATE_SEQUENCE, template);
    text(&mut set, tags::OBSERVATION_DATE_TIME, VR::DT, &Moment::now(&zone).both());
    write(path, set, uids::COMPREHENSIVE3_DSR_STORAGE, &instance)
}

/// All instances that the report speaks of, by study and series.
fn evidence(source: &Source, written: &Written) -> InMemDicomObject {
    let series = |uid: &str, instances: Vec<InMemDicomObject>| {
        let mut series = InMemDicomObject::new_empty();
        text(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, uid);
        sequence(&mut series, tags::REFERENCED_SOP_SEQUENCE, instances);
        series
    };
    let mut study = InMemDicomObject::new_empty();
    text(&mut study, tags::STUDY_INSTANCE_UID, VR::UI, &source.study);
    let own = vec![reference(uids::SEGMENTATION_STORAGE, &written.instance)];
    let series = vec![series(&written.series, own), series(&source.series, instances(source))];
    sequence(&mut study, tags::REFERENCED_SERIES_SEQUENCE, series);
    study
}

fn language() -> InMemDicomObject {
    let concept = Code::dicom("121049", "Language of Content Item and Descendants");
    coded("HAS CONCEPT MOD", concept, &Code::new("en-US", "RFC5646", "English (United States)"))
}

/// The measurement group of a segment.
fn group(number: u16, report: &Report, tracking: &[String; 2], source: &Source, written: &Written) -> InMemDicomObject {
    let Report { segment, measurements, quality } = report;
    let mut image = reference(uids::SEGMENTATION_STORAGE, &written.instance);
    short(&mut image, tags::REFERENCED_SEGMENT_NUMBER, number);
    let mut marked = item(Some("CONTAINS"), "IMAGE", &Code::dicom("121191", "Referenced Segment"));
    one(&mut marked, tags::REFERENCED_SOP_SEQUENCE, image);

    let mut content = vec![
        words("HAS OBS CONTEXT", Code::dicom("112039", "Tracking Identifier"), &tracking[0]),
        uid("HAS OBS CONTEXT", Code::dicom("112040", "Tracking Unique Identifier"), &tracking[1]),
        coded("CONTAINS", Code::snomed("276214006", "Finding category"), &segment.category),
        coded("CONTAINS", Code::dicom("121071", "Finding"), &segment.property),
        marked,
        uid("CONTAINS", Code::dicom("121232", "Source series for segmentation"), &source.series),
    ];
    if let Some(algorithm) = &segment.algorithm {
        content.extend(identification(algorithm));
    }
    let millilitre = Code::new("mL", "UCUM", "milliliter");
    content.push(numeric(Code::snomed("118565006", "Volume"), measurements.volume_ml, &millilitre, None));
    let hounsfield = Code::new("[hnsf'U]", "UCUM", "Hounsfield unit");
    let density = || Code::dicom("112031", "Attenuation Coefficient");
    if let Some(mean) = measurements.mean_hu {
        let derivation = Code::snomed("373098007", "Mean");
        content.push(numeric(density(), mean, &hounsfield, Some(&derivation)));
    }
    if let Some(deviation) = measurements.std_hu {
        let derivation = Code::snomed("386136009", "Standard Deviation");
        content.push(numeric(density(), deviation, &hounsfield, Some(&derivation)));
    }
    if let Some(quality) = quality {
        let none = Code::new("1", "UCUM", "no units");
        let expected = Code::new("EXPECTED_DICE", PRIVATE, "Expected Dice coefficient");
        content.push(numeric(expected, quality.expected_dice, &none, None));
        let doubtful = match quality.doubtful {
            true => "doubtful: look before the result is used",
            false => "not doubtful",
        };
        content.push(words("CONTAINS", Code::new("RESULT_QUALITY", PRIVATE, "Quality of the result"), doubtful));
        for warning in &quality.warnings {
            let concept = Code::new("WARNING", PRIVATE, "Warning about the result");
            content.push(words("CONTAINS", concept, &warning.to_string()));
        }
    }
    container(Some("CONTAINS"), Code::dicom("125007", "Measurement Group"), content)
}

/// Template 4019: the algorithm.
fn identification(algorithm: &Algorithm) -> Vec<InMemDicomObject> {
    let mut items = vec![
        words("HAS CONCEPT MOD", Code::dicom("111001", "Algorithm Name"), &algorithm.name),
        words("HAS CONCEPT MOD", Code::dicom("111003", "Algorithm Version"), &algorithm.version),
    ];
    if !algorithm.parameters.is_empty() {
        items.push(words("HAS CONCEPT MOD", Code::dicom("111002", "Algorithm Parameters"), &algorithm.parameters));
    }
    items
}

/// A content item; `relation` is how it belongs to the one above it, which the root has not.
fn item(relation: Option<&str>, kind: &str, concept: &Code) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    if let Some(relation) = relation {
        text(&mut item, tags::RELATIONSHIP_TYPE, VR::CS, relation);
    }
    text(&mut item, tags::VALUE_TYPE, VR::CS, kind);
    one(&mut item, tags::CONCEPT_NAME_CODE_SEQUENCE, code(concept));
    item
}

fn container(relation: Option<&str>, concept: Code, content: Vec<InMemDicomObject>) -> InMemDicomObject {
    let mut container = item(relation, "CONTAINER", &concept);
    text(&mut container, tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    sequence(&mut container, tags::CONTENT_SEQUENCE, content);
    container
}

fn coded(relation: &str, concept: Code, value: &Code) -> InMemDicomObject {
    let mut item = item(Some(relation), "CODE", &concept);
    one(&mut item, tags::CONCEPT_CODE_SEQUENCE, code(value));
    item
}

fn words(relation: &str, concept: Code, value: &str) -> InMemDicomObject {
    let mut item = item(Some(relation), "TEXT", &concept);
    text(&mut item, tags::TEXT_VALUE, VR::UT, &plain(value));
    item
}

/// What the character set of any source can hold.
fn plain(value: &str) -> String {
    value.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

fn uid(relation: &str, concept: Code, value: &str) -> InMemDicomObject {
    let mut item = item(Some(relation), "UIDREF", &concept);
    text(&mut item, tags::UID, VR::UI, value);
    item
}

fn numeric(concept: Code, value: f64, unit: &Code, derivation: Option<&Code>) -> InMemDicomObject {
    let mut measured = InMemDicomObject::new_empty();
    one(&mut measured, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, code(unit));
    // Six digits behind the point are more than any of them means.
    text(&mut measured, tags::NUMERIC_VALUE, VR::DS, &decimal((value * 1e6).round() / 1e6));
    let mut item = item(Some("CONTAINS"), "NUM", &concept);
    one(&mut item, tags::MEASURED_VALUE_SEQUENCE, measured);
    if let Some(derivation) = derivation {
        let concept = Code::dicom("121401", "Derivation");
        one(&mut item, tags::CONTENT_SEQUENCE, coded("HAS CONCEPT MOD", concept, derivation));
    }
    item
}
