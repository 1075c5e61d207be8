//! A DICOM series made up from voxels.

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use ggpfn::volume::Geometry;
use ndarray::ArrayView3;

/// Writes a CT as a DICOM series: slices from the head downwards, as the NIH's are.
pub fn write_dicom(folder: &Path, voxels: ArrayView3<f32>, geometry: &Geometry, series: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let [columns, rows, slices] = geometry.size;
    for (k, slice) in voxels.outer_iter().enumerate() {
        let mut object = InMemDicomObject::new_empty();
        let mut text = |tag, vr, value: &str| object.put_str(tag, vr, value);
        let number = slices - k;
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
        text(tags::SOP_INSTANCE_UID, VR::UI, &format!("{series}.{number}"));
        text(tags::SERIES_INSTANCE_UID, VR::UI, series);
        text(tags::MODALITY, VR::CS, "CT");
        text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        text(tags::PIXEL_SPACING, VR::DS, &format!("{}\\{}", geometry.spacing[1], geometry.spacing[0]));
        text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
        text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
        let p = geometry.point([0.0, 0.0, k as f64]);
        text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("{}\\{}\\{}", p[0], p[1], p[2]));
        text(tags::RESCALE_SLOPE, VR::DS, "1");
        text(tags::RESCALE_INTERCEPT, VR::DS, "-1024");
        for (tag, value) in [
            (tags::ROWS, rows as u16),
            (tags::COLUMNS, columns as u16),
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 16),
            (tags::HIGH_BIT, 15),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        let words: Vec<u16> = slice.iter().map(|hu| (hu + 1024.0) as u16).collect();
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        object.with_meta(meta).unwrap().write_to_file(folder.join(format!("1-{number:03}.dcm"))).unwrap();
    }
}
