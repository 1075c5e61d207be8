//! Reading DICOM: real series and every transfer syntax that CTs come in, and made-up series for what can go wrong.
//!
//! The real files are not part of the repository. They are looked for in `../shared/data/dicom`, or under the folder
//! that the environment variable `GGPFN_SHARED` names; where they are absent, their tests say that they skip. One test
//! compares with SimpleITK, by the Python that `GGPFN_TEST_PYTHON` names.

#[path = "common/needs.rs"]
mod needs;

use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use ggpfn::io::{self, read, ReadOptions};
use ggpfn::volume::Volume;

/// The folder of real series called `name`, where it is there.
fn real(name: &str) -> Option<PathBuf> {
    needs::shared(&format!("dicom/{name}"))
}

fn open(path: &Path) -> Volume {
    read(path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The message with which a path is refused, which must name it or what lies in it.
fn refusal(path: &Path) -> String {
    let message = read(path, &ReadOptions::default()).expect_err("this is not a volume").to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    message
}

#[test]
fn contrast_abdomen_is_spaced_by_position() {
    let Some(folder) = real("contrast_abdomen") else { return };
    let volume = open(&folder);
    let geometry = volume.geometry();
    assert_eq!(geometry.size, [512, 512, 20]);
    // SliceThickness says 3 mm.
    assert_eq!(geometry.spacing, [0.9765625, 0.9765625, 2.0]);
    assert_eq!(geometry.orientation(), "LPS");
    assert_eq!(geometry.origin[2], -804.5);
}

#[test]
fn contrast_abdomen_is_as_simpleitk_reads_it() {
    let Some(folder) = real("contrast_abdomen") else { return };
    let Some(python) = needs::python() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let raw = scratch.path().join("voxels.raw");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/dicom.py");
    let output = Command::new(python).arg(script).arg(&folder).arg(&raw).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect();

    let volume = open(&folder);
    let geometry = volume.geometry();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near(&geometry.size.map(|n| n as f64), &lines[0]), "{geometry:?}\n{text}");
    assert!(near(&geometry.spacing, &lines[1]), "{geometry:?}\n{text}");
    assert!(near(&geometry.origin, &lines[2]), "{geometry:?}\n{text}");
    assert!(near(&geometry.direction.concat(), &lines[3]), "{geometry:?}\n{text}");
    let theirs = std::fs::read(&raw).unwrap();
    assert_eq!(theirs.len(), 4 * volume.voxels().len());
    let theirs = theirs.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    assert!(volume.voxels().iter().copied().eq(theirs), "the voxels differ");
}

/// Lossless ones give it exactly; lossy ones within the mean absolute difference, in HU inside the field of view, that
/// their encoder left.
#[test]
fn every_transfer_syntax_gives_the_same_slice() {
    let Some(folder) = real("transfer_syntaxes") else { return };
    let file = |uid: &str| {
        let end = format!("_{uid}.dcm");
        let mut entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.to_string_lossy().ends_with(&end)).unwrap()
    };
    let plain = open(&file("1.2.840.10008.1.2.1"));
    assert_eq!(plain.geometry().size, [512, 512, 1]);
    assert_eq!(plain.geometry().spacing, [0.675781, 0.675781, 6.5]);
    let lossless = ["1.2", "1.2.2", "1.2.1.99", "1.2.4.57", "1.2.4.70", "1.2.4.80", "1.2.4.90", "1.2.5"];
    for uid in lossless {
        let other = open(&file(&format!("1.2.840.10008.{uid}")));
        assert_eq!(other.geometry(), plain.geometry(), "{uid}");
        assert!(other.voxels() == plain.voxels(), "{uid}");
    }
    // Those of 4.50 were first squeezed into 8 bits (32 HU a step), those of 4.51, 4.53 and 4.55 into 12.
    let lossy = [("4.50", 20.0), ("4.51", 6.0), ("4.53", 6.0), ("4.55", 6.0), ("4.81", 1.0), ("4.91", 1.0)];
    for (uid, tolerance) in lossy {
        let other = open(&file(&format!("1.2.840.10008.1.2.{uid}")));
        assert_eq!(other.geometry(), plain.geometry(), "{uid}");
        let pairs = plain.voxels().into_iter().zip(other.voxels()).filter(|(plain, _)| **plain > -1100.0);
        let differences: Vec<f32> = pairs.map(|(a, b)| (a - b).abs()).collect();
        let mean = differences.iter().sum::<f32>() / differences.len() as f32;
        let largest = differences.iter().copied().fold(0.0, f32::max);
        println!("{uid}: mean {mean:.3} HU, largest {largest} HU");
        assert!(mean <= tolerance, "{uid}: {mean} HU on average");
    }
}

/// No decoder makes a slice of half a file.
#[test]
fn half_a_file_is_refused_in_every_transfer_syntax() {
    let Some(folder) = real("transfer_syntaxes") else { return };
    let scratch = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let whole = std::fs::read(entry.path()).unwrap();
        let half = scratch.path().join(entry.file_name());
        std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        refusal(&half);
    }
}

/// A spectral CT's maps of electron density or iodine are filed as CT too.
#[test]
fn values_of_another_unit_are_told() {
    let told = |unit: &str| {
        let scratch = tempfile::tempdir().unwrap();
        for k in 0..4 {
            let mut object = slice(k, "1.2.3");
            put_text(&mut object, tags::RESCALE_TYPE, VR::LO, unit);
            write(object, &scratch.path().join(format!("{k}.dcm")));
        }
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("info").arg(scratch.path()).output().unwrap();
        assert!(output.status.success(), "{unit}");
        String::from_utf8_lossy(&output.stderr).contains(&format!("the unit of its values as {unit} (RescaleType)"))
    };
    assert!(told("ED") && told("MGML"));
    assert!(!told("HU") && !told("US") && !told("HU_MOD"));
}

#[test]
fn what_is_no_plain_volume_is_refused() {
    for (name, expected) in [
        ("gantry_tilt", "14.0 degrees"),
        ("missing_slice", "IM-0001-0009-0001.dcm and IM-0001-0010-0001.dcm (slices 3 and 4 of 4) are 10.000 mm apart"),
        ("not_a_volume", "AcquisitionNumber 12, 13, 14, 15"),
    ] {
        let Some(folder) = real(name) else { return };
        let message = refusal(&folder);
        assert!(message.contains(expected), "{message}");
    }
}

/// A made-up slice: 16 x 16, 0.5 x 0.25 mm, 2 mm apart, turned by 30 degrees about x; voxel (i, j) of slice k is
/// `100 k + 16 j + i - 1000` HU.
fn slice(k: usize, series: &str) -> InMemDicomObject {
    let (sin, cos) = 30_f64.to_radians().sin_cos();
    let z = 2.0 * k as f64;
    let mut object = InMemDicomObject::new_empty();
    let mut text = |tag, vr, value: &str| object.put_str(tag, vr, value);
    text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    text(tags::SOP_INSTANCE_UID, VR::UI, &format!("{series}.{k}"));
    text(tags::SERIES_INSTANCE_UID, VR::UI, series);
    text(tags::MODALITY, VR::CS, "CT");
    text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
    text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    text(tags::PIXEL_SPACING, VR::DS, "0.5\\0.25");
    text(tags::SLICE_THICKNESS, VR::DS, "5");
    text(tags::INSTANCE_NUMBER, VR::IS, &(100 - k).to_string());
    text(tags::ACQUISITION_NUMBER, VR::IS, "1");
    text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &format!("1\\0\\0\\0\\{cos:.10}\\{sin:.10}"));
    text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("10\\{:.8}\\{:.8}", 20.0 - sin * z, 30.0 + cos * z));
    // Every slice has its own slope and intercept, as some scanners write them.
    text(tags::RESCALE_SLOPE, VR::DS, &(k + 1).to_string());
    text(tags::RESCALE_INTERCEPT, VR::DS, &(100 * k as i32 - 1000).to_string());
    for (tag, value) in [
        (tags::ROWS, 16_u16),
        (tags::COLUMNS, 16),
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 1),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    put_pixels(&mut object, (0..256).map(|n| n as u16 & 0x0FFF).collect());
    object
}

fn put_pixels(object: &mut InMemDicomObject, words: Vec<u16>) {
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
}

fn put_text(object: &mut InMemDicomObject, tag: dicom_object::Tag, vr: VR, value: &str) {
    object.put_str(tag, vr, value);
}

fn write(object: InMemDicomObject, path: &Path) {
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}

/// Writes slices under names whose order says nothing.
fn write_series(folder: &Path, series: &str, slices: impl IntoIterator<Item = usize>) {
    for k in slices {
        write(slice(k, series), &folder.join(format!("{}_{series}.dcm", (k * 7 + 3) % 11)));
    }
}

#[test]
fn a_series_is_read_whatever_its_files_are_called() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("Ödem, Fall 3 – 腹部");
    std::fs::create_dir_all(folder.join("more slices")).unwrap();
    write_series(&folder, "1.2.3", 0..3);
    write_series(&folder.join("more slices"), "1.2.3", 3..6);
    std::fs::write(folder.join("DICOMDIR"), "an index").unwrap();
    std::fs::write(folder.join("._IM0001"), "a shadow").unwrap();
    std::fs::write(folder.join("report.txt"), "not an image").unwrap();
    std::fs::write(folder.join("empty"), "").unwrap();

    let volume = open(&folder);
    let geometry = volume.geometry();
    assert_eq!(geometry.size, [16, 16, 6]);
    for (found, expected) in geometry.spacing.iter().zip([0.25, 0.5, 2.0]) {
        assert!((found - expected).abs() < 1e-6, "{geometry:?}");
    }
    let point = geometry.point([3.0, 5.0, 4.0]);
    let (sin, cos) = 30_f64.to_radians().sin_cos();
    let expected = [10.0 + 0.75, 20.0 + 2.5 * cos - 8.0 * sin, 30.0 + 2.5 * sin + 8.0 * cos];
    assert!((0..3).all(|a| (point[a] - expected[a]).abs() < 1e-6), "{point:?} {expected:?}");
    for ((k, j, i), &voxel) in volume.voxels().indexed_iter() {
        let stored = (16 * j + i) as f32;
        assert_eq!(voxel, stored * (k + 1) as f32 + 100.0 * k as f32 - 1000.0, "slice {k}, row {j}, column {i}");
    }
}

#[test]
fn stored_values_are_signed_or_not_and_lie_where_high_bit_says() {
    for (signed, stored, high, word, expected) in [
        (1, 12, 11, 0xF801, -2047.0),
        (1, 12, 11, 0x0801, -2047.0),
        (0, 12, 11, 0xF801, 2049.0),
        (0, 12, 15, 0x8010, 2049.0),
        (1, 16, 15, 0x8000, -32768.0),
        (0, 16, 15, 0xFFFF, 65535.0),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let mut object = slice(0, "1.2.3");
        for (tag, value) in [(tags::PIXEL_REPRESENTATION, signed), (tags::BITS_STORED, stored), (tags::HIGH_BIT, high)]
        {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
        }
        put_text(&mut object, tags::RESCALE_INTERCEPT, VR::DS, "0");
        put_pixels(&mut object, vec![word; 256]);
        let path = scratch.path().join("slice.dcm");
        write(object, &path);
        assert_eq!(open(&path).voxels()[[0, 0, 0]], expected, "{signed} {stored} {high} {word:#x}");
    }
}

#[test]
fn of_two_series_the_larger_or_the_chosen_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    write_series(scratch.path(), "1.2.3", 0..5);
    write_series(scratch.path(), "1.2.4", 0..4);
    assert_eq!(open(scratch.path()).geometry().size[2], 5);
    let options = |uid: &str| ReadOptions { series: Some(uid.into()), ..ReadOptions::default() };
    assert_eq!(read(scratch.path(), &options("1.2.4")).unwrap().geometry().size[2], 4);
    let message = read(scratch.path(), &options("1.2.5")).unwrap_err().to_string();
    assert!(message.contains("1.2.5") && message.contains("1.2.3") && message.contains("4 slices"), "{message}");
}

#[test]
fn of_many_series_the_thin_axial_one_of_soft_tissue_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let series = |uid: &str, count: usize, change: &dyn Fn(usize, &mut InMemDicomObject)| {
        for k in 0..count {
            let mut object = slice(k, uid);
            change(k, &mut object);
            write(object, &scratch.path().join(format!("{uid}_{k}")));
        }
    };
    let kernel = |value: &'static str| {
        move |_: usize, o: &mut InMemDicomObject| put_text(o, tags::CONVOLUTION_KERNEL, VR::SH, value)
    };
    series("1.2.1", 6, &kernel("B30f"));
    series("1.2.2", 9, &kernel("B70f"));
    series("1.2.3", 8, &|_, o| put_text(o, tags::SERIES_DESCRIPTION, VR::LO, "Thorax 1.0"));
    series("1.2.4", 9, &|k, o| {
        put_text(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\0\\-1");
        put_text(o, tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("10\\{}\\30", 2 * k));
    });
    series("1.2.5", 7, &|_, o| put_text(o, tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\AXIAL\\MIP"));
    series("1.2.6", 6, &|k, o| {
        put_text(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
        put_text(o, tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("10\\20\\{}", 10 * k));
    });
    let order: Vec<String> = io::list_series(scratch.path()).unwrap().into_iter().map(|series| series.uid).collect();
    assert_eq!(order, ["1.2.1", "1.2.6", "1.2.3", "1.2.2", "1.2.4", "1.2.5"]);
    assert_eq!(open(scratch.path()).geometry().size[2], 6);
}

#[test]
fn a_tilted_gantry_is_resampled_on_request() {
    let scratch = tempfile::tempdir().unwrap();
    for k in 0..5 {
        let mut object = slice(k, "1.2.3");
        put_text(&mut object, tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("10\\20\\{}", 30 + 2 * k));
        write(object, &scratch.path().join(format!("{k}")));
    }
    assert!(refusal(scratch.path()).contains("30.0 degrees"));
    let options = ReadOptions { resample_tilt: true, ..ReadOptions::default() };
    let volume = read(scratch.path(), &options).unwrap();
    // Slices of 2 cos(30) mm shift by 2 sin(30) = 1 mm each along the rows of 0.5 mm: 8 pixels in all.
    assert_eq!(volume.geometry().size, [16, 24, 5]);
    for k in 0..5 {
        // The patient's point (10, 20, 30 + 2 k), the first pixel of slice k.
        let value = volume.voxels()[[k, 2 * k, 0]];
        let z = volume.geometry().point([0.0, 2.0 * k as f64, k as f64])[2];
        assert!((value - (100.0 * k as f32 - 1000.0)).abs() < 0.1, "{k}: {value}");
        assert!((z - (30.0 + 2.0 * k as f64)).abs() < 1e-3, "{k}: {z}");
    }
}

#[test]
fn localizers_and_other_modalities_are_not_a_ct() {
    let scratch = tempfile::tempdir().unwrap();
    for k in 0..4 {
        let mut object = slice(k, "1.2.3");
        put_text(&mut object, tags::MODALITY, VR::CS, "MR");
        write(object, &scratch.path().join(format!("mr{k}")));
    }
    assert!(refusal(scratch.path()).contains("Modality MR"));
    for k in 0..5 {
        let mut object = slice(k, "1.2.4");
        put_text(&mut object, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\LOCALIZER");
        write(object, &scratch.path().join(format!("scout{k}")));
    }
    let options = ReadOptions { series: Some("1.2.4".into()), ..ReadOptions::default() };
    assert!(read(scratch.path(), &options).unwrap_err().to_string().contains("localizers"));
    write_series(scratch.path(), "1.2.5", 0..3);
    assert_eq!(open(scratch.path()).geometry().size[2], 3);
}

/// What workstations and archives file under a series without being a slice of it.
#[test]
fn a_stray_file_does_not_sink_the_series() {
    type Change = fn(&mut InMemDicomObject);
    let strays: [Change; 8] = [
        // A slice of an MR, of another matrix, of another field of view.
        |o| put_text(o, tags::MODALITY, VR::CS, "MR"),
        |o| {
            put_number(o, tags::ROWS, VR::US, 8);
            put_number(o, tags::COLUMNS, VR::US, 8);
            put_pixels(o, vec![0; 64]);
        },
        |o| put_text(o, tags::PIXEL_SPACING, VR::DS, "0.7\\0.7"),
        // A screenshot in colour; one in grey, which lies nowhere; a localizer that does not say so; a report; a presentation state.
        |o| put_text(o, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB"),
        |o| {
            put_text(o, tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
            o.take(tags::IMAGE_POSITION_PATIENT);
        },
        |o| put_text(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\0\\-1"),
        |o| {
            put_text(o, tags::SOP_CLASS_UID, VR::UI, uids::BASIC_TEXT_SR_STORAGE);
            let _ = [tags::ROWS, tags::COLUMNS, tags::PIXEL_DATA].map(|tag| o.take(tag));
        },
        |o| {
            put_text(o, tags::SOP_CLASS_UID, VR::UI, uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE);
            let _ = [tags::ROWS, tags::COLUMNS, tags::PIXEL_DATA].map(|tag| o.take(tag));
        },
    ];
    for (number, change) in strays.into_iter().enumerate() {
        let scratch = tempfile::tempdir().unwrap();
        write_series(scratch.path(), "1.2.3", 0..6);
        let mut object = slice(9, "1.2.3");
        change(&mut object);
        // Before the slices and behind them.
        for name in [" stray", "~stray"] {
            write(object.clone(), &scratch.path().join(name));
            assert_eq!(open(scratch.path()).geometry().size, [16, 16, 6], "stray {number}");
            std::fs::remove_file(scratch.path().join(name)).unwrap();
        }
    }
}

/// Two halves of different matrices are no series with a stray slice.
#[test]
fn a_series_of_two_kinds_of_slices_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    write_series(scratch.path(), "1.2.3", 0..3);
    for k in 3..6 {
        let mut object = slice(k, "1.2.3");
        put_text(&mut object, tags::PIXEL_SPACING, VR::DS, "0.7\\0.7");
        write(object, &scratch.path().join(format!("other{k}")));
    }
    assert!(refusal(scratch.path()).contains("not alike"));
}

/// Nothing else says that positions cannot be compared, or that a slice is the brightest of many.
#[test]
fn projections_and_two_frames_of_reference_are_told() {
    let told = |change: &dyn Fn(usize, &mut InMemDicomObject)| {
        let scratch = tempfile::tempdir().unwrap();
        for k in 0..4 {
            let mut object = slice(k, "1.2.3");
            change(k, &mut object);
            write(object, &scratch.path().join(format!("{k}.dcm")));
        }
        let output = Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("info").arg(scratch.path()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let image_type = |words: &'static str| told(&move |_, o| put_text(o, tags::IMAGE_TYPE, VR::CS, words));
    assert!(image_type("DERIVED\\SECONDARY\\AXIAL\\MIP").contains("projections through thick slabs"));
    assert!(!image_type("DERIVED\\PRIMARY\\AXIAL\\AVERAGE").contains("projections"));
    let frames = |of: fn(usize) -> usize| {
        told(&move |k, o| put_text(o, tags::FRAME_OF_REFERENCE_UID, VR::UI, &format!("1.9.{}", of(k))))
    };
    assert!(frames(|k| k / 2).contains("2 frames of reference"));
    assert!(!frames(|_| 1).contains("frames of reference"));
}

fn put_number(object: &mut InMemDicomObject, tag: dicom_object::Tag, vr: VR, value: u16) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

/// What was never measured is air, whatever stands in its place.
#[test]
fn padding_is_air() {
    // Unsigned; signed, its value written as unsigned; a range; one way round and the other.
    for (signed, vr, value, limit, words) in [
        (0, VR::US, 63536, None, [63536, 63536]),
        (1, VR::US, 0xF830, None, [0xF830, 0xF830]),
        (0, VR::US, 60000, Some(65535), [60000, 65535]),
        (0, VR::US, 65535, Some(60000), [60001, 65534]),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("slice");
        let mut object = slice(0, "1.2.3");
        put_text(&mut object, tags::RESCALE_INTERCEPT, VR::DS, "0");
        put_number(&mut object, tags::PIXEL_REPRESENTATION, VR::US, signed);
        put_number(&mut object, tags::BITS_STORED, VR::US, 16);
        put_number(&mut object, tags::HIGH_BIT, VR::US, 15);
        put_number(&mut object, tags::PIXEL_PADDING_VALUE, vr, value);
        if let Some(limit) = limit {
            put_number(&mut object, tags::PIXEL_PADDING_RANGE_LIMIT, vr, limit);
        }
        let mut pixels = vec![40_u16; 256];
        (pixels[0], pixels[100]) = (words[0], words[1]);
        put_pixels(&mut object, pixels);
        write(object, &path);
        let voxels = open(&path).into_voxels();
        assert_eq!((voxels[[0, 0, 0]], voxels[[0, 6, 4]], voxels[[0, 6, 5]]), (-1024.0, -1024.0, 40.0), "{value}");
    }
    // A value that tissue has too is padding where it reaches to the border.
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("slice");
    let mut object = slice(0, "1.2.3");
    put_text(&mut object, tags::RESCALE_INTERCEPT, VR::DS, "0");
    put_number(&mut object, tags::PIXEL_PADDING_VALUE, VR::US, 0);
    let mut pixels = vec![40_u16; 256];
    pixels[..20].fill(0);
    pixels[100] = 0;
    put_pixels(&mut object, pixels);
    write(object, &path);
    let voxels = open(&path).into_voxels();
    assert_eq!((voxels[[0, 1, 3]], voxels[[0, 1, 4]], voxels[[0, 6, 4]]), (-1024.0, 40.0, 0.0));
}

#[test]
fn without_a_rescaling_values_that_look_like_hounsfield_units_are_taken_as_such() {
    let write_all = |folder: &Path, low: i16| {
        for k in 0..3 {
            let mut object = slice(k, "1.2.3");
            let _ = [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT].map(|tag| object.take(tag));
            put_pixels(&mut object, (0..256).map(|n| if n < 64 { low } else { low + 1040 } as u16 & 0x0FFF).collect());
            write(object, &folder.join(k.to_string()));
        }
    };
    let scratch = tempfile::tempdir().unwrap();
    write_all(scratch.path(), -1000);
    let voxels = open(scratch.path()).into_voxels();
    assert_eq!((voxels[[0, 0, 0]], voxels[[2, 15, 15]]), (-1000.0, 40.0));
    // Values from 0: nobody knows what they mean.
    write_all(scratch.path(), 0);
    assert!(refusal(scratch.path()).contains("do not look like Hounsfield units"));
}

#[test]
fn faults_are_sentences() {
    type Change = fn(&mut InMemDicomObject);
    let faults: [(Change, &str); 10] = [
        (|o| put_text(o, tags::IMAGE_POSITION_PATIENT, VR::DS, "1\\2"), "3 finite numbers"),
        (|o| put_text(o, tags::PIXEL_SPACING, VR::DS, "nan\\1"), "2 finite numbers"),
        (|o| put_text(o, tags::PIXEL_SPACING, VR::DS, "0\\1"), "positive"),
        (|o| put_text(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\1\\0\\0"), "perpendicular"),
        (|o| put_text(o, tags::NUMBER_OF_FRAMES, VR::IS, "3"), "3 frames"),
        (|o| drop(o.take(tags::RESCALE_INTERCEPT)), "no RescaleIntercept"),
        (|o| drop(o.take(tags::PIXEL_DATA)), "pixel data is damaged"),
        (|o| put_pixels(o, vec![0; 200]), "pixel data is damaged"),
        (|o| drop(o.put(DataElement::new(tags::HIGH_BIT, VR::US, PrimitiveValue::from(40_u16)))), "HighBit 40"),
        (|o| put_text(o, tags::RESCALE_SLOPE, VR::DS, "0"), "RescaleSlope"),
    ];
    for (change, expected) in faults {
        let scratch = tempfile::tempdir().unwrap();
        write_series(scratch.path(), "1.2.3", 0..3);
        let mut object = slice(3, "1.2.3");
        change(&mut object);
        let path = scratch.path().join("bad.dcm");
        write(object, &path);
        let message = refusal(scratch.path());
        assert!(message.contains(expected) && message.contains("bad.dcm"), "{expected}: {message}");
    }
}

#[test]
fn repeated_positions_and_missing_slices_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    write_series(scratch.path(), "1.2.3", [0, 1, 3, 4]);
    assert!(refusal(scratch.path()).contains("4.000 mm apart, others 2.000 mm"));
    write_series(scratch.path(), "1.2.3", [2]);
    assert_eq!(open(scratch.path()).geometry().size[2], 5);
    // The same instance once more is no harm, another one at its place is.
    write(slice(2, "1.2.3"), &scratch.path().join("copy"));
    assert_eq!(open(scratch.path()).geometry().size[2], 5);
    let mut other = slice(2, "1.2.3");
    put_text(&mut other, tags::SOP_INSTANCE_UID, VR::UI, "1.2.99");
    put_text(&mut other, tags::ACQUISITION_NUMBER, VR::IS, "2");
    write(other, &scratch.path().join("copy"));
    assert!(refusal(scratch.path()).contains("AcquisitionNumber 1, 2"));
}

/// However much of a file is lost, the answer is an error that names it, or no DICOM at all.
#[test]
fn a_cut_file_is_refused_at_every_length() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("whole");
    write(slice(0, "1.2.3"), &path);
    let whole = std::fs::read(&path).unwrap();
    let cut = scratch.path().join("cut");
    for length in 0..whole.len() {
        std::fs::write(&cut, &whole[..length]).unwrap();
        refusal(&cut);
    }
}

#[test]
fn a_file_without_preamble_is_read() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bare");
    write(slice(0, "1.2.3"), &path);
    let whole = std::fs::read(&path).unwrap();
    let start = whole.windows(4).position(|w| w == [8, 0, 8, 0]).unwrap();
    std::fs::write(&path, &whole[start..]).unwrap();
    assert_eq!(open(&path).voxels()[[0, 1, 0]], 16.0 - 1000.0);
}

#[test]
fn a_transfer_syntax_without_decoder_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    // JPEG XL, one that nobody has heard of, and one that would break a message in two.
    for uid in ["1.2.840.10008.1.2.4.110", "1.2.3.4.5", "1.2\n3"] {
        let path = scratch.path().join(uid.replace('\n', "-"));
        write(slice(0, "1.2.3"), &path);
        let mut bytes = std::fs::read(&path).unwrap();
        let plain = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0";
        let at = bytes.windows(plain.len()).position(|window| window == plain).unwrap();
        let mut padded = uid.to_string();
        padded.extend((uid.len() % 2 == 1).then_some('\0'));
        let other = [&plain[..6], &[padded.len() as u8, 0], padded.as_bytes()].concat();
        bytes.splice(at..at + plain.len(), other);
        std::fs::write(&path, bytes).unwrap();
        let message = refusal(&path);
        assert!(!message.contains('\n'), "{message}");
        let uid = uid.replace('\n', " ");
        assert!(
            message.contains(&format!("transfer syntax is {uid}")) || message.contains(&format!("({uid})")),
            "{message}"
        );
        assert!(message.contains("gdcmconv"), "{message}");
    }
}

#[test]
fn memory_is_bounded() {
    let scratch = tempfile::tempdir().unwrap();
    write_series(scratch.path(), "1.2.3", 0..4);
    let needed = 16 * 16 * 4 * 4;
    let options = |max_bytes| ReadOptions { max_bytes, ..ReadOptions::default() };
    assert!(read(scratch.path(), &options(needed)).is_ok());
    let error = read(scratch.path(), &options(needed - 1)).unwrap_err();
    assert!(matches!(error, ggpfn::Error::Memory(_)), "{error}");
}

/// Enhanced CT: one file, the attributes of its slices in functional groups.
#[test]
fn the_frames_of_an_enhanced_ct_are_slices() {
    let sequence = |tag, items: Vec<InMemDicomObject>| {
        DataElement::new(tag, VR::SQ, dicom_core::value::DataSetSequence::from(items))
    };
    let group = |tag, elements: &[(dicom_object::Tag, String)]| {
        let mut item = InMemDicomObject::new_empty();
        for (tag, value) in elements {
            put_text(&mut item, *tag, VR::DS, value);
        }
        sequence(tag, vec![item])
    };
    let mut object = slice(0, "1.2.3");
    let take = |o: &InMemDicomObject, tag| (tag, o.get(tag).unwrap().to_str().unwrap().into_owned());
    let order = [2, 0, 3, 1];
    let per_frame = order.map(|k| {
        let slice = slice(k, "1.2.3");
        let mut frame = InMemDicomObject::new_empty();
        frame.put(group(tags::PLANE_POSITION_SEQUENCE, &[take(&slice, tags::IMAGE_POSITION_PATIENT)]));
        let rescale = [take(&slice, tags::RESCALE_SLOPE), take(&slice, tags::RESCALE_INTERCEPT)];
        frame.put(group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, &rescale));
        frame
    });
    let mut shared = InMemDicomObject::new_empty();
    shared.put(group(tags::PLANE_ORIENTATION_SEQUENCE, &[take(&object, tags::IMAGE_ORIENTATION_PATIENT)]));
    shared.put(group(tags::PIXEL_MEASURES_SEQUENCE, &[take(&object, tags::PIXEL_SPACING)]));
    for tag in [
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::PIXEL_SPACING,
        tags::RESCALE_SLOPE,
        tags::RESCALE_INTERCEPT,
    ] {
        object.remove_element(tag);
    }
    object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]));
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame.to_vec()));
    put_text(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_CT_IMAGE_STORAGE);
    put_text(&mut object, tags::NUMBER_OF_FRAMES, VR::IS, "4");
    put_pixels(&mut object, order.iter().flat_map(|k| vec![*k as u16; 256]).collect());
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("enhanced.dcm");
    write(object, &path);

    let volume = open(&path);
    assert_eq!(volume.geometry().size, [16, 16, 4]);
    assert!((volume.geometry().spacing[2] - 2.0).abs() < 1e-6);
    for k in 0..4 {
        assert_eq!(volume.voxels()[[k, 7, 7]], (k * (k + 1)) as f32 + 100.0 * k as f32 - 1000.0);
    }
}
