//! DICOM segmentations and reports: written, read back, compared with highdicom's in both directions, and files that mean no good.
//!
//! The comparisons run the Python that `GGPFN_TEST_PYTHON` names; where it is unset or has no highdicom they say that they skip.

#[path = "common/needs.rs"]
mod needs;

use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{open_file, DefaultDicomObject, FileMetaTableBuilder, InMemDicomObject, Tag};
use ggpfn::dataset;
use ggpfn::io::results::{
    common_grid, is_report, is_segmentation, is_structure_set, read_on, write_segmentation, write_structure_set,
    Algorithm, Code, Layer, MadeBy, Segment, SegmentationOptions, Source, Written,
};
use ggpfn::io::{self, read, ReadOptions, Voxels};
use ggpfn::volume::{same_grid, Content, Geometry};
use ggpfn::Error;
use ndarray::{s, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Slices of 7 x 5 pixels, so that bits run over the borders of frames, and oblique.
fn oblique() -> Geometry {
    let (c, s) = (0.4_f64.cos(), 0.4_f64.sin());
    Geometry {
        size: [7, 5, 9],
        spacing: [0.75, 1.25, 2.5],
        origin: [-11.5, 20.25, -804.125],
        direction: [[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]],
    }
}

/// A series to be written.
struct Series {
    geometry: Geometry,
    /// One file for all slices.
    enhanced: bool,
    /// Attributes to leave out.
    without: Vec<Tag>,
}

impl Series {
    fn new(geometry: Geometry) -> Self {
        Series { geometry, enhanced: false, without: Vec::new() }
    }

    /// Writes a CT whose files are named and numbered against their order in the patient.
    fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let [columns, rows, slices] = self.geometry.size;
        let position = |k: usize| decimals(&self.geometry.point([0.0, 0.0, k as f64]));
        let save = |mut object: InMemDicomObject, number: usize, frames: usize| {
            self.without.iter().for_each(|tag| assert!(object.remove_element(*tag)));
            let words: Vec<u16> = (0..columns * rows * frames).map(|n| 900 + (n * 37 % 300) as u16).collect();
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
            let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
            object.with_meta(meta).unwrap().write_to_file(folder.join(format!("{number:03}.dcm"))).unwrap();
        };
        if self.enhanced {
            let mut object = self.head(uids::ENHANCED_CT_IMAGE_STORAGE, "1.2.3.5.77");
            object.put_str(tags::NUMBER_OF_FRAMES, VR::IS, slices.to_string());
            let frames =
                (0..slices).map(|k| item(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT, &position(k)));
            put(&mut object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames.collect());
            return save(object, 1, slices);
        }
        for k in 0..slices {
            let number = slices - k;
            let mut object = self.head(uids::CT_IMAGE_STORAGE, &format!("1.2.3.5.{number}"));
            object.put_str(tags::IMAGE_POSITION_PATIENT, VR::DS, position(k));
            save(object, number, 1);
        }
    }

    fn head(&self, class: &str, instance: &str) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        let (g, [columns, rows, _]) = (&self.geometry, self.geometry.size);
        let axis = |axis: usize| [0, 1, 2].map(|row: usize| g.direction[row][axis]);
        for (tag, vr, value) in [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100".to_string()),
            (tags::SOP_CLASS_UID, VR::UI, class.into()),
            (tags::SOP_INSTANCE_UID, VR::UI, instance.into()),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3".into()),
            (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4".into()),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.9".into()),
            (tags::POSITION_REFERENCE_INDICATOR, VR::LO, String::new()),
            (tags::PATIENT_NAME, VR::PN, "Müller^Zoë".into()),
            (tags::PATIENT_ID, VR::LO, "P1".into()),
            (tags::PATIENT_BIRTH_DATE, VR::DA, "19500101".into()),
            (tags::PATIENT_SEX, VR::CS, "F".into()),
            (tags::STUDY_DATE, VR::DA, "20200229".into()),
            (tags::STUDY_TIME, VR::TM, "120000".into()),
            (tags::STUDY_ID, VR::SH, "S1".into()),
            (tags::ACCESSION_NUMBER, VR::SH, "A1".into()),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, String::new()),
            (tags::SERIES_NUMBER, VR::IS, "3".into()),
            (tags::INSTANCE_NUMBER, VR::IS, instance.rsplit('.').next().unwrap().into()),
            (tags::MODALITY, VR::CS, "CT".into()),
            (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL".into()),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into()),
            (tags::PIXEL_SPACING, VR::DS, decimals(&[g.spacing[1], g.spacing[0]])),
            (tags::SLICE_THICKNESS, VR::DS, "5".into()),
            (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, decimals(&[axis(0), axis(1)].concat())),
            (tags::RESCALE_SLOPE, VR::DS, "1".into()),
            (tags::RESCALE_INTERCEPT, VR::DS, "-1024".into()),
        ] {
            object.put_str(tag, vr, value);
        }
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
        object
    }
}

fn decimals(values: &[f64]) -> String {
    // 12 decimals are within the 16 characters of a decimal string here.
    values.iter().map(|value| format!("{value:.10}")).collect::<Vec<_>>().join("\\")
}

fn put(object: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// A functional group of one decimal attribute.
fn item(group: Tag, tag: Tag, value: &str) -> InMemDicomObject {
    let (mut outer, mut inner) = (InMemDicomObject::new_empty(), InMemDicomObject::new_empty());
    inner.put_str(tag, VR::DS, value);
    put(&mut outer, group, vec![inner]);
    outer
}

/// Three blobs' worth of noise, with nothing on the first slice, the last two and one amid.
fn noise(geometry: &Geometry, seed: u64) -> Array3<u8> {
    let [i, j, k] = geometry.size;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut mask = Array3::from_shape_fn((k, j, i), |_| u8::from(random.random::<f32>() < 0.4));
    for slice in [0, 3, k - 2, k - 1] {
        mask.slice_mut(s![slice, .., ..]).fill(0);
    }
    mask
}

fn algorithm() -> Algorithm {
    Algorithm::ggpfn("test", "00")
}

fn write_mask(path: &Path, source: &Source, mask: &Array3<u8>) -> Written {
    let segment = Segment::pancreas(Layer::Mask(mask.view()), algorithm());
    write_segmentation(path, source, &[segment], &SegmentationOptions::default()).unwrap()
}

fn labels() -> ReadOptions {
    ReadOptions::of(Content::Labels)
}

fn text(object: &InMemDicomObject, tag: Tag) -> String {
    object.element(tag).unwrap().to_str().unwrap().trim().to_string()
}

fn first(object: &InMemDicomObject, tag: Tag) -> InMemDicomObject {
    object.element(tag).unwrap_or_else(|e| panic!("{e}")).items().unwrap()[0].clone()
}

#[test]
fn a_mask_comes_back_on_its_slices() {
    let folder = tempfile::tempdir().unwrap();
    let series = Series::new(oblique());
    series.write(&folder.path().join("ct"));
    let source = Source::open(&folder.path().join("ct"), None).unwrap();
    assert!(source.geometry().distance(&oblique()) < 1e-6);
    let mask = noise(&oblique(), 1);
    let path = folder.path().join("mask.dcm");
    assert_eq!(write_mask(&path, &source, &mask).frames(), 5);
    assert!(is_segmentation(&path) && !is_report(&path) && !is_segmentation(&folder.path().join("ct/001.dcm")));

    let whole = read_on(&path, &labels(), source.geometry()).unwrap();
    assert_eq!(whole.voxels().mapv(|v| v as u8), mask);
    // Alone it reaches from the first marked slice to the last, the empty one between included.
    let alone = read(&path, &labels()).unwrap();
    assert_eq!(alone.voxels().mapv(|v| v as u8), mask.slice(s![1..7, .., ..]));
    let part = Geometry { size: [7, 5, 6], origin: oblique().point([0.0, 0.0, 1.0]), ..oblique() };
    assert!(alone.geometry().distance(&part) < 1e-4, "{:?}", alone.geometry());
}

/// The same on a grid whose axes run in another order and the other way round, as programs store masks.
#[test]
fn the_order_of_axes_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    Series::new(oblique()).write(&folder.path().join("ct"));
    let source = Source::open(&folder.path().join("ct"), None).unwrap();
    let mask = noise(&oblique(), 2);
    let g = oblique();
    // k, j and i become i, k and j; j is flipped.
    let order = [2, 0, 1];
    let column = |axis: usize, sign: f64| [0, 1, 2].map(|r: usize| sign * g.direction[r][axis]);
    let axes = order.map(|axis| column(axis, if axis == 1 { -1.0 } else { 1.0 }));
    let other = Geometry {
        size: order.map(|axis| g.size[axis]),
        spacing: order.map(|axis| g.spacing[axis]),
        origin: g.point([0.0, 4.0, 0.0]),
        direction: std::array::from_fn(|r| axes.map(|axis| axis[r])),
    };
    let turned = Array3::from_shape_fn((5, 7, 9), |(c, b, a)| mask[[a, 4 - c, b]]);
    let laid = source.lay(Path::new("mask"), turned.view(), &other).unwrap();
    assert_eq!(laid, mask);
    let path = folder.path().join("mask.dcm");
    write_mask(&path, &source, &laid);
    let back = read_on(&path, &labels(), &other).unwrap();
    assert_eq!(back.voxels().mapv(|v| v as u8), turned);
    for wrong in
        [Geometry { spacing: [2.5, 0.75, 1.26], ..other.clone() }, Geometry { origin: [0.0; 3], ..other.clone() }]
    {
        let error = source.lay(Path::new("mask"), turned.view(), &wrong).unwrap_err().to_string();
        assert!(error.contains("mask") && error.contains("mm away"), "{error}");
    }
}

#[test]
fn every_frame_refers_to_the_slice_that_it_lies_on() {
    for enhanced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let series = Series { enhanced, ..Series::new(oblique()) };
        let ct = folder.path().join("ct");
        series.write(&ct);
        if enhanced {
            // What all frames share is at the top, where older writers have it.
            assert_eq!(read(&ct, &ReadOptions::default()).unwrap().geometry().size, [7, 5, 9]);
        }
        let source = Source::open(&ct, None).unwrap();
        let mask = noise(&oblique(), 3);
        let path = folder.path().join("mask.dcm");
        let written = write_mask(&path, &source, &mask);
        let object = open_file(&path).unwrap();
        assert_eq!(object.meta().media_storage_sop_instance_uid(), written.instance);
        assert_eq!(object.meta().transfer_syntax(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        for (tag, expected) in [
            (tags::PATIENT_NAME, "Müller^Zoë"),
            (tags::PATIENT_ID, "P1"),
            (tags::STUDY_INSTANCE_UID, "1.2.3"),
            (tags::FRAME_OF_REFERENCE_UID, "1.2.3.9"),
            (tags::SPECIFIC_CHARACTER_SET, "ISO_IR 100"),
            (tags::ACCESSION_NUMBER, "A1"),
            (tags::SERIES_NUMBER, "1003"),
            (tags::SEGMENTATION_TYPE, "BINARY"),
            (tags::CONTENT_LABEL, "PANCREAS"),
            (tags::NUMBER_OF_FRAMES, "5"),
        ] {
            assert_eq!(text(&object, tag), expected);
        }
        let segment = first(&object, tags::SEGMENT_SEQUENCE);
        let property = first(&segment, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE);
        assert_eq!(text(&property, tags::CODE_VALUE), "15776009");
        assert_eq!(text(&segment, tags::SEGMENT_ALGORITHM_TYPE), "AUTOMATIC");
        let of = first(&object, tags::REFERENCED_SERIES_SEQUENCE);
        assert_eq!(text(&of, tags::SERIES_INSTANCE_UID), "1.2.3.4");
        let all = of.element(tags::REFERENCED_INSTANCE_SEQUENCE).unwrap().items().unwrap().len();
        assert_eq!(all, if enhanced { 1 } else { 9 });

        let frames = object.element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).unwrap();
        for (frame, k) in frames.items().unwrap().iter().zip([1, 2, 4, 5, 6]) {
            let position = first(frame, tags::PLANE_POSITION_SEQUENCE);
            let position = position.element(tags::IMAGE_POSITION_PATIENT).unwrap().to_multi_float64().unwrap();
            let expected = oblique().point([0.0, 0.0, f64::from(k)]);
            assert!((0..3).all(|n| (position[n] - expected[n]).abs() < 1e-4), "{position:?} {expected:?}");
            let image = first(&first(frame, tags::DERIVATION_IMAGE_SEQUENCE), tags::SOURCE_IMAGE_SEQUENCE);
            let instance = text(&image, tags::REFERENCED_SOP_INSTANCE_UID);
            match enhanced {
                true => {
                    assert_eq!(instance, "1.2.3.5.77");
                    assert_eq!(text(&image, tags::REFERENCED_FRAME_NUMBER), (k + 1).to_string());
                }
                false => assert_eq!(instance, format!("1.2.3.5.{}", 9 - k)),
            }
        }
    }
}

#[test]
fn probabilities_come_back_in_steps_of_a_255th() {
    let folder = tempfile::tempdir().unwrap();
    Series::new(oblique()).write(&folder.path().join("ct"));
    let source = Source::open(&folder.path().join("ct"), None).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let probability = noise(&oblique(), 4).mapv(|inside| f32::from(inside) * random.random::<f32>());
    let path = folder.path().join("p.dcm");
    let segment = Segment::pancreas(Layer::Probability(probability.view()), algorithm());
    write_segmentation(&path, &source, &[segment], &SegmentationOptions::default()).unwrap();
    let back = read_on(&path, &ReadOptions::of(Content::Probability), source.geometry()).unwrap();
    let worst = back.voxels().iter().zip(&probability).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 0.5 / 255.0 + 1e-6, "{worst}");

    let odd = Array3::from_elem((9, 5, 7), 1.5);
    let segment = Segment::pancreas(Layer::Probability(odd.view()), algorithm());
    let error = write_segmentation(&path, &source, &[segment], &SegmentationOptions::default()).unwrap_err();
    assert!(error.to_string().contains("1.5"), "{error}");
}

#[test]
fn several_segments_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    Series::new(oblique()).write(&folder.path().join("ct"));
    let source = Source::open(&folder.path().join("ct"), None).unwrap();
    let one = noise(&oblique(), 5);
    let two = noise(&oblique(), 6).mapv(|v| v * 9) * one.mapv(|v| 1 - v);
    let mut segments = vec![Segment::pancreas(Layer::Mask(one.view()), algorithm())];
    segments.push(Segment {
        label: "Spleen by hand".into(),
        property: Code::snomed("78961009", "Spleen"),
        made_by: MadeBy::Manual,
        algorithm: None,
        ..Segment::pancreas(Layer::Mask(two.view()), algorithm())
    });
    let path = folder.path().join("both.dcm");
    let options = SegmentationOptions { uid_root: Some("1.2.826.0.1".into()), ..Default::default() };
    let written = write_segmentation(&path, &source, &segments, &options).unwrap();
    assert!(written.instance.starts_with("1.2.826.0.1.") && written.instance != written.series);
    let back = read_on(&path, &labels(), source.geometry()).unwrap();
    assert_eq!(back.voxels().mapv(|v| v as u8), &one + &two.mapv(|v| 2 * u8::from(v != 0)));
    let refused = read_on(&path, &ReadOptions::of(Content::Probability), source.geometry()).unwrap_err().to_string();
    assert!(refused.contains("Spleen by hand"), "{refused}");

    let probability = one.mapv(f32::from);
    let mixed = [segments[0].clone(), Segment::pancreas(Layer::Probability(probability.view()), algorithm())];
    for bad in [&mixed[..], &[]] {
        let error = write_segmentation(&path, &source, bad, &options).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
}

/// An object without frames is none, and "nothing found" must reach the archive too.
#[test]
fn an_empty_mask_is_written_with_all_its_slices() {
    let folder = tempfile::tempdir().unwrap();
    Series::new(oblique()).write(&folder.path().join("ct"));
    let source = Source::open(&folder.path().join("ct"), None).unwrap();
    let path = folder.path().join("empty.dcm");
    assert_eq!(write_mask(&path, &source, &Array3::zeros((9, 5, 7))).frames(), 9);
    let back = read(&path, &labels()).unwrap();
    assert!(back.geometry().distance(&oblique()) < 1e-4 && back.voxels().iter().all(|v| *v == 0.0));
}

/// The index of a place in the patient.
fn index(geometry: &Geometry, point: &[f64]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let along = |n: usize| geometry.direction[n][axis] * (point[n] - geometry.origin[n]);
        (along(0) + along(1) + along(2)) / geometry.spacing[axis]
    })
}

/// Fills the contours of an RT Structure Set's region by the pixels' centres, one after the other: a pixel that lies in two is an error. Each
/// contour has to lie in the plane of the slice that it refers to, which are numbered as [`Series::write`] numbers them.
fn filled(set: &DefaultDicomObject, region: usize, geometry: &Geometry) -> Array3<u8> {
    let [i, j, k] = geometry.size;
    let mut mask = Array3::<u8>::zeros((k, j, i));
    let drawn = &set.element(tags::ROI_CONTOUR_SEQUENCE).unwrap().items().unwrap()[region];
    let Ok(contours) = drawn.element(tags::CONTOUR_SEQUENCE) else { return mask };
    for contour in contours.items().unwrap() {
        assert_eq!(text(contour, tags::CONTOUR_GEOMETRIC_TYPE), "CLOSED_PLANAR");
        let numbers = contour.element(tags::CONTOUR_DATA).unwrap().to_multi_float64().unwrap();
        let points: Vec<[f64; 3]> = numbers.chunks(3).map(|point| index(geometry, point)).collect();
        assert_eq!(text(contour, tags::NUMBER_OF_CONTOUR_POINTS), points.len().to_string());
        let slice = points[0][2].round();
        assert!(points.iter().all(|point| (point[2] - slice).abs() < 1e-3), "{points:?}");
        let image = first(contour, tags::CONTOUR_IMAGE_SEQUENCE);
        let number = if image.element(tags::REFERENCED_FRAME_NUMBER).is_ok() {
            text(&image, tags::REFERENCED_FRAME_NUMBER).parse::<usize>().unwrap() - 1
        } else {
            k - text(&image, tags::REFERENCED_SOP_INSTANCE_UID).rsplit('.').next().unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(slice as usize, number);
        for ((row, column), voxel) in mask.index_axis_mut(ndarray::Axis(0), number).indexed_iter_mut() {
            let (x, y) = (column as f64, row as f64);
            let next = points.iter().cycle().skip(1);
            let crossings = points
                .iter()
                .zip(next)
                .filter(|(a, b)| (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
            *voxel += (crossings.count() % 2) as u8;
        }
    }
    mask
}

#[test]
fn contours_lie_on_their_slices_and_are_the_mask() {
    for enhanced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (ct, file) = (folder.path().join("ct"), folder.path().join("contours.dcm"));
        Series { enhanced, ..Series::new(oblique()) }.write(&ct);
        let source = Source::open(&ct, None).unwrap();
        // Noise has holes, and holes in parts within holes.
        let (mask, other, nothing) = (noise(&oblique(), 20), noise(&oblique(), 21), Array3::zeros((9, 5, 7)));
        let segments: Vec<Segment> =
            [&mask, &other, &nothing].map(|mask| Segment::pancreas(Layer::Mask(mask.view()), algorithm())).to_vec();
        let written = write_structure_set(&file, &source, &segments, &SegmentationOptions::default()).unwrap();
        assert!(is_structure_set(&file) && !is_segmentation(&file));
        assert_eq!(written.frames(), 5);
        let set = open_file(&file).unwrap();
        for (region, mask) in [&mask, &other, &nothing].into_iter().enumerate() {
            assert_eq!(&filled(&set, region, &oblique()), mask);
        }
        assert_eq!(text(&set, tags::MODALITY), "RTSTRUCT");
        let frame = first(&set, tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE);
        let study = first(&frame, tags::RT_REFERENCED_STUDY_SEQUENCE);
        let series = first(&study, tags::RT_REFERENCED_SERIES_SEQUENCE);
        assert_eq!(
            [text(&study, tags::REFERENCED_SOP_INSTANCE_UID), text(&series, tags::SERIES_INSTANCE_UID)],
            source.uids()
        );
        let images = series.element(tags::CONTOUR_IMAGE_SEQUENCE).unwrap().items().unwrap().len();
        assert_eq!(images, if enhanced { 1 } else { 9 });

        let half = mask.mapv(f32::from);
        let probability = Segment::pancreas(Layer::Probability(half.view()), algorithm());
        let refused = write_structure_set(&file, &source, &[probability], &SegmentationOptions::default());
        assert!(matches!(refused, Err(Error::Argument { .. })), "{refused:?}");
    }
}

#[test]
fn what_nothing_can_refer_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (number, tag) in
        [tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID].into_iter().enumerate()
    {
        let ct = folder.path().join(number.to_string());
        Series { without: vec![tag], ..Series::new(oblique()) }.write(&ct);
        let error = Source::open(&ct, None);
        // The instance's name is in the meta group too.
        if tag == tags::SOP_INSTANCE_UID {
            continue;
        }
        let error = error.unwrap_err().to_string();
        assert!(error.contains("InstanceUID") && error.contains(&ct.display().to_string()), "{error}");
    }
    let nifti = folder.path().join("ct.nii.gz");
    io::write(&nifti, Voxels::U8(Array3::zeros((9, 5, 7)).view()), &oblique()).unwrap();
    assert!(matches!(Source::open(&nifti, None), Err(Error::Argument { .. })));
    assert!(matches!(Source::open(&folder.path().join("none"), None), Err(Error::File { .. })));
    if let Some(tilted) = needs::shared("dicom/gantry_tilt") {
        assert!(Source::open(&tilted, None).is_err());
        let options = ReadOptions { resample_tilt: true, ..ReadOptions::default() };
        let error = Source::read(&tilted, &options).unwrap_err().to_string();
        assert!(error.contains("tilted gantry"), "{error}");
    }
}

/// A label may be a DICOM segmentation, which has the marked slices alone; the CT beside it says of what grid they are.
#[test]
fn data_sets_take_segmentations_as_labels() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    Series::new(oblique()).write(&at("images/one"));
    Series::new(oblique()).write(&at("two"));
    std::fs::create_dir(at("labels")).unwrap();
    let mask = noise(&oblique(), 9);
    write_mask(&at("labels/one.dcm"), &Source::open(&at("images/one"), None).unwrap(), &mask);
    let cases = dataset::cases(folder.path(), dataset::Layout::Pairs).unwrap();
    assert_eq!(cases.len(), 1, "{cases:?}");
    assert_eq!(dataset::load(&cases[0], &ReadOptions::default()).unwrap().mask, mask);
    std::fs::remove_dir_all(at("labels")).unwrap();
    // The same beside one another.
    write_mask(&at("two_seg.dcm"), &Source::open(&at("two"), None).unwrap(), &mask);
    let cases = dataset::cases(folder.path(), dataset::Layout::Pairs).unwrap();
    let case = cases.iter().find(|case| case.name == "two").unwrap();
    assert_eq!(dataset::load(case, &ReadOptions::default()).unwrap().mask, mask);
}

/// An archive's export has a folder for each series; a scan's folder may have results filed in it.
#[test]
fn folders_are_read_for_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ct = folder.path().join("ct");
    Series::new(oblique()).write(&ct);
    let source = Source::open(&ct, None).unwrap();
    let mask = noise(&oblique(), 13);
    write_mask(&ct.join("result.dcm"), &source, &mask);
    assert_eq!(read(&ct, &ReadOptions::default()).unwrap().geometry().size, [7, 5, 9]);
    assert_eq!(Source::open(&ct, None).unwrap().uids(), ["1.2.3", "1.2.3.4"]);
    assert_eq!(read(&ct, &labels()).unwrap().geometry().size, [7, 5, 6]);
    write_mask(&ct.join("another.dcm"), &source, &mask);
    let error = read(&ct, &labels()).unwrap_err().to_string();
    assert!(error.contains("2 DICOM segmentations"), "{error}");
}

// ---- Files that mean no good ----

/// Reads what must not be readable: the sentence, of one line, that names the file.
fn refusal(object: &DefaultDicomObject, folder: &Path, what: &str) -> String {
    let path = folder.join("bad.dcm");
    object.write_to_file(&path).unwrap();
    let options = ReadOptions { max_bytes: 1 << 20, ..labels() };
    let error = read(&path, &options).err().unwrap_or_else(|| panic!("{what} was read"));
    assert!(matches!(error, Error::Image { .. } | Error::Memory(_)), "{what}: {error:?}");
    let message = error.to_string();
    assert!(message.contains("bad.dcm") && !message.contains('\n'), "{what}: {message}");
    message
}

fn written(folder: &Path, fractional: bool) -> PathBuf {
    Series::new(oblique()).write(&folder.join("ct"));
    let source = Source::open(&folder.join("ct"), None).unwrap();
    let mask = noise(&oblique(), 7);
    let path = folder.join("good.dcm");
    let probability = mask.mapv(|v| f32::from(v) * 0.5);
    let layer = if fractional { Layer::Probability(probability.view()) } else { Layer::Mask(mask.view()) };
    let segment = Segment::pancreas(layer, algorithm());
    write_segmentation(&path, &source, &[segment], &SegmentationOptions::default()).unwrap();
    path
}

#[test]
fn attributes_that_are_missing_or_wrong_give_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), false);
    let good = open_file(&path).unwrap();
    let short = |value: u16| (VR::US, PrimitiveValue::from(value));
    let words = |vr: VR, value: &str| (vr, PrimitiveValue::from(value));
    for tag in [
        tags::ROWS,
        tags::COLUMNS,
        tags::NUMBER_OF_FRAMES,
        tags::SEGMENTATION_TYPE,
        tags::SEGMENT_SEQUENCE,
        tags::BITS_ALLOCATED,
        tags::BITS_STORED,
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
        tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
        tags::PIXEL_DATA,
    ] {
        let mut bad = good.clone();
        assert!(bad.remove_element(tag), "{tag}");
        refusal(&bad, folder.path(), &format!("a file without {tag}"));
    }
    for (tag, (vr, value), word) in [
        (tags::ROWS, short(0), "Rows"),
        (tags::ROWS, short(65535), "bytes"),
        (tags::COLUMNS, short(8), "bytes"),
        (tags::BITS_ALLOCATED, short(8), "BINARY"),
        (tags::BITS_STORED, short(16), "BINARY"),
        (tags::SAMPLES_PER_PIXEL, short(3), "samples"),
        (tags::NUMBER_OF_FRAMES, words(VR::IS, "4000000000"), "frames"),
        (tags::NUMBER_OF_FRAMES, words(VR::IS, "-1"), "NumberOfFrames"),
        (tags::NUMBER_OF_FRAMES, words(VR::IS, "0"), "frames"),
        (tags::NUMBER_OF_FRAMES, words(VR::IS, "4"), "frames"),
        (tags::SEGMENTATION_TYPE, words(VR::CS, "FRACTIONAL"), "FRACTIONAL"),
        (tags::SEGMENTATION_TYPE, words(VR::CS, "LABELMAP"), "LABELMAP"),
        (tags::PIXEL_DATA, (VR::OB, PrimitiveValue::from(vec![0_u8; 20])), "bytes"),
    ] {
        let mut bad = good.clone();
        bad.put(DataElement::new(tag, vr, value));
        let message = refusal(&bad, folder.path(), &format!("{tag}"));
        assert!(message.contains(word), "{tag}: {message}");
    }
    let frames: Vec<InMemDicomObject> =
        good.element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).unwrap().items().unwrap().to_vec();
    let segment = |number: u16| {
        let mut inner = InMemDicomObject::new_empty();
        inner.put(DataElement::new(tags::REFERENCED_SEGMENT_NUMBER, VR::US, PrimitiveValue::from(number)));
        inner
    };
    let place = |value: &str| {
        let mut inner = InMemDicomObject::new_empty();
        inner.put_str(tags::IMAGE_POSITION_PATIENT, VR::DS, value);
        inner
    };
    for (group, inner, word) in [
        (tags::SEGMENT_IDENTIFICATION_SEQUENCE, segment(0), "ReferencedSegmentNumber"),
        (tags::SEGMENT_IDENTIFICATION_SEQUENCE, segment(9), "segment 9"),
        (tags::SEGMENT_IDENTIFICATION_SEQUENCE, InMemDicomObject::new_empty(), "ReferencedSegmentNumber"),
        (tags::PLANE_POSITION_SEQUENCE, InMemDicomObject::new_empty(), "ImagePositionPatient"),
        (tags::PLANE_POSITION_SEQUENCE, place("1\\2"), "ImagePositionPatient"),
        (tags::PLANE_POSITION_SEQUENCE, place("nan\\0\\0"), "ImagePositionPatient"),
        (tags::PLANE_POSITION_SEQUENCE, place("0\\0\\1e300"), "slices"),
        (tags::PLANE_POSITION_SEQUENCE, place("-11.5\\4000\\7000"), ""),
        (tags::PLANE_POSITION_SEQUENCE, place("500\\20\\-804"), ""),
    ] {
        let mut changed = frames.clone();
        put(&mut changed[2], group, vec![inner]);
        let mut bad = good.clone();
        put(&mut bad, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, changed);
        let message = refusal(&bad, folder.path(), &format!("{group}"));
        assert!(message.contains(word), "{group}: {message}");
    }
    let fraction = open_file(written(folder.path(), true)).unwrap();
    for most in [0, 300] {
        let mut bad = fraction.clone();
        bad.put(DataElement::new(tags::MAXIMUM_FRACTIONAL_VALUE, VR::US, PrimitiveValue::from(most)));
        assert!(refusal(&bad, folder.path(), "a fraction").contains("MaximumFractionalValue"));
    }
}

/// Cut off anywhere, or with bytes changed at random, a file is read or refused, and nothing panics.
#[test]
fn damaged_files_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut refused = 0;
    for fractional in [false, true] {
        let whole = std::fs::read(written(folder.path(), fractional)).unwrap();
        let path = folder.path().join("bad.dcm");
        let options = ReadOptions { max_bytes: 1 << 20, ..labels() };
        let mut attempt = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            if let Err(error) = read(&path, &options) {
                assert!(!error.to_string().contains('\n'), "{error}");
                refused += 1;
            }
        };
        for cut in (0..whole.len()).step_by(211) {
            attempt(&whole[..cut]);
        }
        for _ in 0..25 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..4) {
                // The lower bits alone, so that no length claims gigabytes.
                let at = random.random_range(132..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..4);
            }
            attempt(&bytes);
        }
    }
    assert!(refused > 50, "{refused}");
}

// ---- highdicom ----

/// Runs a task of `tests/python/dicom_seg.py`; none where there is no Python with highdicom for it.
fn highdicom(task: &str, folder: &Path) -> Option<()> {
    let python = needs::python()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/dicom_seg.py");
    let output = Command::new(python).arg(script).arg(task).arg(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    if text(&output.stdout).contains("no highdicom") {
        needs::skip("the Python that GGPFN_TEST_PYTHON names has no highdicom");
        return None;
    }
    Some(())
}

fn write_raw(path: &Path, voxels: impl Iterator<Item = f32>) {
    std::fs::write(path, voxels.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).unwrap();
}

#[test]
fn highdicom_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    if highdicom("probe", folder.path()).is_none() {
        return;
    }
    let mut reversed = oblique();
    reversed.direction = [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]];
    let mut entries = Vec::new();
    for (name, geometry) in [("oblique", oblique()), ("reversed", reversed)] {
        Series::new(geometry.clone()).write(&at(name));
        let source = Source::open(&at(name), None).unwrap();
        let mask = noise(&geometry, 10);
        write_mask(&at(&format!("{name}.dcm")), &source, &mask);
        write_raw(&at(&format!("{name}.raw")), mask.iter().map(|v| f32::from(*v)));
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let probability = mask.mapv(|v| f32::from(v) * random.random::<f32>());
        let segment = Segment::pancreas(Layer::Probability(probability.view()), algorithm());
        write_segmentation(&at(&format!("{name}_p.dcm")), &source, &[segment], &SegmentationOptions::default())
            .unwrap();
        write_raw(&at(&format!("{name}_p.raw")), probability.iter().copied());
        entries.push(serde_json::json!({
            "path": format!("{name}.dcm"), "raw": format!("{name}.raw"), "series": name, "fractional": false, "tolerance": 0.0,
        }));
        entries.push(serde_json::json!({
            "path": format!("{name}_p.dcm"), "raw": format!("{name}_p.raw"), "series": name, "fractional": true,
            "tolerance": 0.5 / 255.0 + 1e-6,
        }));
    }
    let mut report = entries[0].clone();
    report["report"] = "report.dcm".into();
    report["volume_ml"] = program_results(&at("oblique"), &at("found.dcm"), &at("report.dcm")).into();
    report["path"] = "found.dcm".into();
    report["raw"] = "found.raw".into();
    let found = read_on(&at("found.dcm"), &labels(), Source::open(&at("oblique"), None).unwrap().geometry()).unwrap();
    write_raw(&at("found.raw"), found.voxels().iter().copied());
    entries.push(report);
    std::fs::write(at("written.json"), serde_json::to_string(&entries).unwrap()).unwrap();
    highdicom("check", folder.path());
}

/// `ggpfn segment` with DICOM results; the volume that it reports.
fn program_results(series: &Path, mask: &Path, report: &Path) -> f64 {
    let json = mask.with_extension("json");
    let words = ["--threads", "1", "--precision", "f32", "--threshold", "0.01", "--dicom-report"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_ggpfn"));
    command.args(["segment", "--quiet"]).arg(series).arg(mask).args(words).arg(report).arg("--report").arg(&json);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_segmentation(mask) && is_report(report));
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    json["pancreas"]["volume_ml"].as_f64().unwrap()
}

#[test]
fn what_highdicom_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    Series::new(oblique()).write(&folder.path().join("series"));
    if highdicom("write", folder.path()).is_none() {
        return;
    }
    let grid = Source::open(&folder.path().join("series"), None).unwrap().geometry().clone();
    let manifest = std::fs::read_to_string(folder.path().join("manifest.json")).unwrap();
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest.len(), 7);
    for entry in manifest {
        let path = folder.path().join(entry["path"].as_str().unwrap());
        let fractional = entry["fractional"].as_bool().unwrap();
        let options = ReadOptions::of(if fractional { Content::Probability } else { Content::Labels });
        let found = read_on(&path, &options, &grid).unwrap_or_else(|e| panic!("{e}"));
        let raw = std::fs::read(folder.path().join(entry["raw"].as_str().unwrap())).unwrap();
        let expected = raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let worst = found.voxels().iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{}: {worst}", path.display());
    }
    let all = folder.path().join("binary_all.dcm");
    let both = common_grid(&[&folder.path().join("binary.dcm"), &all]).unwrap();
    assert!(same_grid(&both, &grid), "{both:?}");
}

// ---- The program ----

fn program(arguments: &[&Path]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ggpfn")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

#[test]
fn the_program_turns_masks_into_segmentations_and_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    Series::new(oblique()).write(&at("ct"));
    let mask = noise(&oblique(), 12);
    io::write(&at("mask.nii.gz"), Voxels::U8(mask.view()), &oblique()).unwrap();
    let run = |arguments: &[&str]| {
        let paths: Vec<PathBuf> = arguments
            .iter()
            .map(
                |word| {
                    if word.starts_with("--") || !word.contains(['.', '/']) {
                        PathBuf::from(word)
                    } else {
                        at(word)
                    }
                },
            )
            .collect();
        program(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())
    };
    let good = |arguments: &[&str]| {
        let (fine, said) = run(arguments);
        assert!(fine, "{said}");
        said
    };
    let bad = |arguments: &[&str], word: &str| {
        let (fine, said) = run(arguments);
        assert!(!fine && said.contains(word), "{said}");
    };
    assert!(good(&["dicom-seg", "mask.nii.gz", "./ct", "mask.dcm"]).contains("5 of 9 slices"));
    // Again, over its own result.
    good(&["dicom-seg", "mask.nii.gz", "./ct", "mask.dcm", "--made-by", "manual"]);
    for pair in [["mask.dcm", "mask.nii.gz"], ["mask.nii.gz", "mask.dcm"], ["mask.dcm", "mask.dcm"]] {
        assert!(good(&["evaluate", pair[0], pair[1]]).contains("100.00"));
    }
    // Another mask on other slices: the two have a grid of their own together.
    let mut other = mask.clone();
    other.slice_mut(s![..5, .., ..]).fill(0);
    other.slice_mut(s![8, 2, 2..5]).fill(1);
    io::write(&at("other.nii.gz"), Voxels::U8(other.view()), &oblique()).unwrap();
    good(&["dicom-seg", "other.nii.gz", "./ct", "other.dcm"]);
    let by_dicom = good(&["evaluate", "mask.dcm", "other.dcm"]);
    let by_nifti = good(&["evaluate", "mask.nii.gz", "other.nii.gz"]);
    assert_eq!(by_dicom, by_nifti);

    assert!(good(&["dicom-seg", "mask.nii.gz", "./ct", "rt.dcm", "--dicom-kind=rtstruct"]).contains("5 of 9 slices"));
    good(&["dicom-seg", "mask.nii.gz", "./ct", "rt.dcm", "--dicom-kind=rtstruct"]);
    assert!(is_structure_set(&at("rt.dcm")));
    bad(&["dicom-seg", "mask.nii.gz", "./ct", "mask.dcm", "--dicom-kind=rtstruct"], "is no RT Structure Set");
    bad(&["dicom-seg", "mask.nii.gz", "./ct", "rt.dcm"], "exists already");
    bad(&["dicom-seg", "mask.nii.gz", "./ct", "x.dcm", "--dicom-kind=rtstruct", "--fractional"], "--fractional");
    bad(
        &["segment", "./ct", "x.dcm", "--dicom-kind=rtstruct", "--dicom-report", "r.dcm"],
        "refers to a DICOM segmentation",
    );

    let half = mask.mapv(|v| f32::from(v) * 0.5);
    io::write(&at("half.nii.gz"), Voxels::F32(half.view()), &oblique()).unwrap();
    good(&["dicom-seg", "half.nii.gz", "./ct", "half.dcm", "--fractional"]);
    good(&["fuse", "--weights=1,1", "--threshold=0.4", "half.dcm", "half.nii.gz", "fused.nii.gz"]);
    good(&["fuse", "--weights=1,1", "--threshold=0.4", "half.dcm", "half.dcm", "fused_of_dicom.nii.gz"]);
    assert!(good(&["evaluate", "fused.nii.gz", "mask.dcm"]).contains("100.00"));

    bad(&["dicom-seg", "half.nii.gz", "./ct", "x.dcm"], "fractions");
    bad(&["dicom-seg", "mask.nii.gz", "./ct", "x.nii.gz"], ".dcm was expected");
    bad(&["dicom-seg", "mask.nii.gz", "./ct", "ct/001.dcm"], "overwritten");
    bad(&["dicom-seg", "mask.nii.gz", "mask.nii.gz", "x.dcm"], "is no DICOM");
    bad(&["segment", "mask.nii.gz", "x.dcm"], "is no DICOM");
    bad(&["segment", "mask.dcm", "x.nii.gz"], "it is a DICOM segmentation");
    bad(&["segment", "./ct", "x.dcm", "--dicom-report", "mask.dcm"], "is no DICOM report");
    bad(&["segment", "./ct", "x.dcm", "--uid-root=1.2.x"], "--uid-root");
    bad(&["segment", "./ct", "x.dcm", "--uncertainty", "u.dcm"], "not written as DICOM");
    bad(&["segment", "./ct", "x.nii.gz", "--dicom-report", "r.dcm"], "name a .dcm file for the mask");
    let two = mask.mapv(|v| v * 2) + &other;
    io::write(&at("two.nii.gz"), Voxels::U8(two.view()), &oblique()).unwrap();
    bad(&["dicom-seg", "two.nii.gz", "./ct", "x.dcm"], "--label");
    good(&["dicom-seg", "two.nii.gz", "./ct", "x.dcm", "--label", "2"]);
    assert!(at("x.dcm").exists());
}
