//! RT Structure Sets: masks as closed contours on the slices of their series, as radiotherapy's systems take them.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use ndarray::Axis;

use super::elements::{clipped, code, decimals, one, reference, sequence, text, write_as, Moment, Uids};
use super::outlines::{outlines, Corner};
use super::segmentation::{
    instances, place_in_space, series_number, Heading, Layer, Segment, SegmentationOptions, Written,
};
use super::source::{Source, SourceSlice};
use crate::io::dicom::header;
use crate::{Error, Result};

/// The class that a reference to a study names, though studies have long ceased to be objects of their own.
const DETACHED_STUDY: &str = "1.2.840.10008.3.1.2.3.1";

/// Whether a file is an RT Structure Set, by its meta group.
pub fn is_structure_set(path: &Path) -> bool {
    super::meta(path).is_some_and(|meta| meta.class == uids::RT_STRUCTURE_SET_STORAGE)
}

/// Writes masks on the grid of a series as an RT Structure Set; it appears whole or not at all.
///
/// Each segment is a region of interest. Its contours run along the borders of the pixels, in the patient's coordinates in mm, in the plane of the
/// slice that each refers to; holes are cut out by channels of no width, so that all contours are CLOSED_PLANAR. A segment that is
/// nowhere has no contours.
///
/// # Errors
/// [`Error::Argument`] for no segments at all, for probabilities, and for masks that are not on the grid of the source; [`Error::File`] where it
/// cannot be written.
pub fn write_structure_set(
    path: &Path,
    source: &Source,
    segments: &[Segment],
    options: &SegmentationOptions,
) -> Result<Written> {
    super::segmentation::check(source, segments)?;
    let uids = Uids::new(options.uid_root.as_deref())?;
    let labels: Vec<String> = segments.iter().map(|segment| clipped(&segment.label, 64)).collect();
    let mut frames = vec![false; source.slices.len()];
    let mut regions = Vec::with_capacity(segments.len());
    for segment in segments {
        let Layer::Mask(mask) = segment.layer else {
            let fault = format!("\"{}\" holds probabilities; contours are drawn around masks", segment.label);
            return Err(Error::argument("segments", fault));
        };
        let mut contours = Vec::new();
        for (k, plane) in mask.axis_iter(Axis(0)).enumerate() {
            let polygons = outlines(plane);
            frames[k] |= !polygons.is_empty();
            contours.extend(polygons.iter().map(|polygon| contour(source, &source.slices[k], polygon)));
        }
        regions.push(contours);
    }
    let tracking = labels.iter().map(|label| [label.clone(), uids.next()]).collect();
    let frames = frames.into_iter().filter(|marked| *marked).count();
    let written = Written { series: uids.next(), instance: uids.next(), frames, tracking };

    let mut set = InMemDicomObject::new_empty();
    let names = clipped(&labels.join(", "), 40);
    let description = options.series_description.clone().unwrap_or_else(|| format!("{names} contours (GGPFN)"));
    let heading = Heading {
        class: uids::RT_STRUCTURE_SET_STORAGE,
        modality: "RTSTRUCT",
        series: &written.series,
        instance: &written.instance,
        number: series_number(source, options.series_number, 1003),
        description: &description,
    };
    heading.put(&mut set, source);
    text(&mut set, tags::OPERATORS_NAME, VR::PN, "");
    place_in_space(&mut set, source, &uids);
    let frame_of_reference = header::text(&set, tags::FRAME_OF_REFERENCE_UID);

    let now = Moment::now(&header::text(&source.attributes, tags::TIMEZONE_OFFSET_FROM_UTC));
    text(&mut set, tags::STRUCTURE_SET_LABEL, VR::SH, &clipped(&names, 16));
    text(&mut set, tags::STRUCTURE_SET_DATE, VR::DA, &now.date());
    text(&mut set, tags::STRUCTURE_SET_TIME, VR::TM, &now.time());
    text(&mut set, tags::APPROVAL_STATUS, VR::CS, "UNAPPROVED");
    one(&mut set, tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE, referenced(source, &frame_of_reference));
    let numbered = || segments.iter().zip(&labels).enumerate().map(|(n, (segment, label))| (n + 1, segment, label));
    let region = |(number, segment, label): (usize, &Segment, &String)| {
        let mut item = InMemDicomObject::new_empty();
        text(&mut item, tags::ROI_NUMBER, VR::IS, &number.to_string());
        text(&mut item, tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, &frame_of_reference);
        text(&mut item, tags::ROI_NAME, VR::LO, label);
        text(&mut item, tags::ROI_GENERATION_ALGORITHM, VR::CS, segment.made_by.word());
        if let Some(algorithm) = &segment.algorithm {
            let words = format!("{} {}", algorithm.name, algorithm.version);
            text(&mut item, tags::ROI_GENERATION_DESCRIPTION, VR::LO, &clipped(&words, 64));
        }
        item
    };
    sequence(&mut set, tags::STRUCTURE_SET_ROI_SEQUENCE, numbered().map(region).collect());
    let drawn = numbered().zip(regions).map(|((number, segment, _), contours)| {
        let mut item = InMemDicomObject::new_empty();
        text(&mut item, tags::ROI_DISPLAY_COLOR, VR::IS, &segment.colour.map(|part| part.to_string()).join("\\"));
        text(&mut item, tags::REFERENCED_ROI_NUMBER, VR::IS, &number.to_string());
        if !contours.is_empty() {
            sequence(&mut item, tags::CONTOUR_SEQUENCE, contours);
        }
        item
    });
    sequence(&mut set, tags::ROI_CONTOUR_SEQUENCE, drawn.collect());
    sequence(&mut set, tags::RTROI_OBSERVATIONS_SEQUENCE, numbered().map(observed).collect());
    // Numbers as text, of which a contour may have more than the 64 KB that an element of explicit type holds.
    write_as(path, set, uids::RT_STRUCTURE_SET_STORAGE, &written.instance, uids::IMPLICIT_VR_LITTLE_ENDIAN)?;
    Ok(written)
}

/// A polygon in the plane of its slice.
fn contour(source: &Source, slice: &SourceSlice, polygon: &[Corner]) -> InMemDicomObject {
    let geometry = &source.geometry;
    let point = |corner: &Corner| {
        // Positions are those of centres, which lie half a pixel behind the corner.
        let steps = [0, 1].map(|axis: usize| (f64::from(corner[axis]) - 0.5) * geometry.spacing[axis]);
        [0, 1, 2].map(|axis: usize| {
            let row = geometry.direction[axis];
            let value = slice.position[axis] + row[0] * steps[0] + row[1] * steps[1];
            // To a tenth of a micrometre, which keeps the text short.
            (value * 1e4).round() / 1e4
        })
    };
    let numbers: Vec<f64> = polygon.iter().flat_map(point).collect();
    let mut item = InMemDicomObject::new_empty();
    one(&mut item, tags::CONTOUR_IMAGE_SEQUENCE, image(slice));
    text(&mut item, tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "CLOSED_PLANAR");
    text(&mut item, tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, &polygon.len().to_string());
    text(&mut item, tags::CONTOUR_DATA, VR::DS, &decimals(&numbers));
    item
}

fn image(slice: &SourceSlice) -> InMemDicomObject {
    let mut image = reference(&slice.class, &slice.instance);
    if let Some(frame) = slice.frame {
        text(&mut image, tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string());
    }
    image
}

/// Study, series and images that the contours lie on.
fn referenced(source: &Source, frame_of_reference: &str) -> InMemDicomObject {
    let mut series = InMemDicomObject::new_empty();
    text(&mut series, tags::SERIES_INSTANCE_UID, VR::UI, &source.series);
    sequence(&mut series, tags::CONTOUR_IMAGE_SEQUENCE, instances(source));
    let mut study = reference(DETACHED_STUDY, &source.study);
    one(&mut study, tags::RT_REFERENCED_SERIES_SEQUENCE, series);
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::FRAME_OF_REFERENCE_UID, VR::UI, frame_of_reference);
    one(&mut item, tags::RT_REFERENCED_STUDY_SEQUENCE, study);
    item
}

/// What a region is.
fn observed((number, segment, _): (usize, &Segment, &String)) -> InMemDicomObject {
    let number = number.to_string();
    let is_organ = segment.category.value == "91723000";
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::OBSERVATION_NUMBER, VR::IS, &number);
    text(&mut item, tags::REFERENCED_ROI_NUMBER, VR::IS, &number);
    one(&mut item, tags::RTROI_IDENTIFICATION_CODE_SEQUENCE, code(&segment.property));
    // A tumour is not yet a target of radiotherapy: what it is to be is for people to say.
    text(&mut item, tags::RTROI_INTERPRETED_TYPE, VR::CS, if is_organ { "ORGAN" } else { "" });
    text(&mut item, tags::ROI_INTERPRETER, VR::PN, "");
    item
}
