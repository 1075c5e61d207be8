//! Files that cannot be segmented are refused by one sentence that names the file and the fault; none makes the reader panic, hang or
//! take memory beyond its limit.

#[path = "common/needs.rs"]
mod needs;

use std::io::Write;
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::Compression;
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::volume::{Content, Geometry, Volume};
use ggpfn::{Error, Result};
use ndarray::Array3;
use proptest::prelude::*;

/// A scan of 5 x 6 x 7 voxels as a file of this name, and its bytes.
fn valid(folder: &Path, name: &str) -> Vec<u8> {
    let voxels = Array3::from_shape_fn((7, 6, 5), |(k, j, i)| (100 * k + 10 * j + i) as i16);
    let path = folder.join(name);
    io::write(&path, Voxels::I16(voxels.view()), &Geometry::axis_aligned([5, 6, 7], [0.8, 0.9, 2.5])).unwrap();
    std::fs::read(path).unwrap()
}

fn read(path: &Path) -> Result<Volume> {
    io::read(path, &ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() })
}

/// Writes `bytes` as a file of this name; reading it must be refused by a sentence with this in it.
fn refused(name: &str, bytes: &[u8], sentence: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    match read(&path) {
        Err(Error::Image { path: named, fault }) => {
            assert!(fault.contains(sentence), "{name}: \"{sentence}\" is not in \"{fault}\"");
            assert!(named.starts_with(folder.path()), "{named:?}");
        }
        other => panic!("{name}, {sentence}: {:?}", other.map(|v| v.geometry().clone())),
    }
}

/// A NIfTI-1 file with some bytes changed.
fn nifti(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = valid(folder.path(), "a.nii");
    for (at, new) in changes {
        bytes[*at..*at + new.len()].copy_from_slice(new);
    }
    bytes
}

fn shorts<const N: usize>(values: [i16; N]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const DIM: usize = 40;
const SROW_X: usize = 280;

#[test]
fn what_is_no_image_is_refused() {
    refused("empty.nii", b"", "empty");
    refused("letter.nii.gz", b"Dear Sir or Madam, this is not a scan.", "not an image");
    refused("zeros.nrrd", &[0; 5000], "not an image");
    refused("gzip of nothing.nii.gz", &gzip(b""), "not an image");
}

#[test]
fn truncated_files_say_how_much_is_there() {
    let whole = nifti(&[]);
    refused("a.nii", &whole[..whole.len() - 1], "cut off: it holds 419 of 420 bytes");
    refused("a.nii", &whole[..352], "cut off: it holds 0 of 420 bytes");
    refused("a.nii", &whole[..347], "not an image");
    let packed = gzip(&whole);
    refused("a.nii.gz", &packed[..packed.len() - 30], "cut off");
    refused("a.nii.gz", &gzip(&whole[..whole.len() - 2]), "cut off: it holds 418 of 420 bytes");
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.nrrd", "a.mha"] {
        let bytes = valid(folder.path(), name);
        refused(name, &bytes[..bytes.len() - 40], "cut off");
    }
}

#[test]
fn a_damaged_checksum_is_noticed() {
    let mut packed = gzip(&nifti(&[]));
    let at = packed.len() - 6;
    packed[at] ^= 0xff;
    refused("a.nii.gz", &packed, "damaged");
}

#[test]
fn headers_that_contradict_themselves_or_the_data_are_refused() {
    refused("bitpix.nii", &nifti(&[(72, &shorts([32]))]), "16-bit voxels by type, 32-bit by size");
    refused("zero.nii", &nifti(&[(DIM, &shorts([3, 5, 0, 7]))]), "dimension of 0 voxels");
    refused("negative.nii", &nifti(&[(DIM, &shorts([3, 5, -6, 7]))]), "dimension of -6 voxels");
    refused("dims.nii", &nifti(&[(DIM, &shorts([9]))]), "9 dimensions");
    refused("absurd.nii", &nifti(&[(DIM, &shorts([3, 32767, 32767, 32767]))]), "more than the limit");
    refused("larger.nii", &nifti(&[(DIM, &shorts([3, 50, 60, 7]))]), "cut off");
    refused("type.nii", &nifti(&[(70, &shorts([77]))]), "unknown data type 77");
    refused("inside.nii", &nifti(&[(108, &100_f32.to_le_bytes())]), "inside the header");
    refused("behind.nii", &nifti(&[(108, &1e9_f32.to_le_bytes())]), "cut off");
    refused("nowhere.nii", &nifti(&[(108, &f32::NAN.to_le_bytes())]), "whole number");
}

#[test]
fn spacings_and_directions_that_cannot_be_are_refused() {
    let row = |values: [f32; 4]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let no_qform = (252, shorts([0]));
    let with = |at: usize, bytes: Vec<u8>| nifti(&[(no_qform.0, &no_qform.1), (at, &bytes)]);
    refused("nan.nii", &with(SROW_X, row([f32::NAN, 0.0, 0.0, 0.0])), "spacing");
    refused("zero.nii", &with(SROW_X, row([0.0; 4])), "spacing");
    refused("sheared.nii", &with(SROW_X, row([-0.8, 0.3, 0.0, 0.0])), "not perpendicular");
    let pixdim = |spacing: f32| {
        let none: &[u8] = &shorts([0, 0]);
        nifti(&[(252, none), (80, &spacing.to_le_bytes())])
    };
    refused("nan.nii", &pixdim(f32::NAN), "spacing");
    refused("negative.nii", &pixdim(0.0), "spacing");
}

/// As many lines as a header likes to name are not looked for behind the last one.
#[test]
fn lines_that_are_not_there_cannot_be_passed_over() {
    let header = |lines: u64| {
        format!("NRRD0004\ntype: short\ndimension: 3\nsizes: 1 1 1\nendian: little\nencoding: raw\nline skip: {lines}\n\na\nb\nAB")
    };
    refused("a.nrrd", header(u64::from(u32::MAX)).as_bytes(), "lines are to be passed over, and its data have 3");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nrrd");
    std::fs::write(&path, header(2)).unwrap();
    assert_eq!(read(&path).unwrap().voxels()[[0, 0, 0]], 0x4241 as f32);
}

#[test]
fn what_is_not_one_scalar_volume_is_refused() {
    refused("2d.nii", &nifti(&[(DIM, &shorts([2, 5, 6, 1]))]), "2D image");
    refused("4d.nii", &nifti(&[(DIM, &shorts([4, 5, 6, 1, 7]))]), "4D image of 7 volumes");
    refused("vector.nii", &nifti(&[(DIM, &shorts([5, 5, 6, 1, 1, 7]))]), "several values per voxel");
    refused("rgb.nii", &nifti(&[(70, &shorts([128, 24]))]), "RGB");
    refused("complex.nii", &nifti(&[(70, &shorts([32, 64]))]), "complex");
    let nrrd = "NRRD0004\ntype: short\ndimension: 2\nsizes: 4 4\nencoding: raw\nendian: little\n\n";
    refused("2d.nrrd", nrrd.as_bytes(), "2D image");
    let nrrd = "NRRD0004\ntype: short\ndimension: 4\nsizes: 3 4 4 4\nencoding: raw\nendian: little\n\
                space: LPS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\n\n";
    refused("vector.nrrd", nrrd.as_bytes(), "3 values per voxel");
    let mha = "ObjectType = Image\nNDims = 2\nDimSize = 4 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n";
    refused("2d.mha", mha.as_bytes(), "2D image");
    let mha = "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementNumberOfChannels = 3\nElementType = MET_UCHAR\n\
               ElementDataFile = LOCAL\n";
    refused("rgb.mha", mha.as_bytes(), "3 values per voxel");
}

#[test]
fn voxels_that_are_not_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.nii.gz");
    let mut voxels = Array3::<f32>::zeros((7, 6, 5));
    voxels[[3, 2, 1]] = f32::NAN;
    voxels[[0, 0, 0]] = f32::INFINITY;
    io::write(&path, Voxels::F32(voxels.view()), &Geometry::axis_aligned([5, 6, 7], [1.0; 3])).unwrap();
    assert!(
        read(&path).unwrap_err().to_string().contains("nan.nii.gz: 2 of its 210 voxels") || {
            panic!("{}", read(&path).unwrap_err())
        }
    );
}

/// Outside of a round field of view, and in the corners that resampling leaves, nothing was measured.
#[test]
fn what_was_never_measured_is_air() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corner.nii.gz");
    let mut voxels = Array3::<f32>::zeros((7, 6, 5));
    voxels.slice_mut(ndarray::s![.., ..2, ..2]).fill(f32::NAN);
    let write = |voxels: &Array3<f32>| {
        io::write(&path, Voxels::F32(voxels.view()), &Geometry::axis_aligned([5, 6, 7], [1.0; 3])).unwrap();
    };
    write(&voxels);
    let volume = read(&path).unwrap();
    assert_eq!((volume.unmeasured(), volume.voxels()[[3, 1, 1]], volume.voxels()[[3, 3, 3]]), (28, -1024.0, 0.0));
    // A label or a probability there is none.
    assert!(io::read(&path, &ReadOptions::of(Content::Labels)).is_err());
    // Amid the body something was lost: refused, or air on request.
    voxels[[3, 4, 3]] = f32::NAN;
    write(&voxels);
    let text = read(&path).unwrap_err().to_string();
    assert!(text.contains("1 of its 210 voxels are not finite numbers, beside those that reach its border"), "{text}");
    assert_eq!(io::read(&path, &ReadOptions::of(Content::ScanWithHoles)).unwrap().unmeasured(), 29);
}

/// The advice is for what the image is: nobody replaces a label by -1024.
#[test]
fn labels_and_probabilities_that_are_not_numbers_get_their_own_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.nii.gz");
    let mut voxels = Array3::<f32>::zeros((7, 6, 5));
    voxels[[3, 3, 2]] = f32::NAN;
    io::write(&path, Voxels::F32(voxels.view()), &Geometry::axis_aligned([5, 6, 7], [1.0; 3])).unwrap();
    for (content, advice) in [(Content::Scan, "-1024 HU"), (Content::Labels, "by 0 "), (Content::Probability, "by 0 ")]
    {
        let text = io::read(&path, &ReadOptions::of(content)).unwrap_err().to_string();
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn numbers_beyond_float32_are_called_too_large() {
    let values =
        |first: f64| -> Vec<u8> { (0..8).flat_map(|n| (if n == 0 { first } else { 1.0 }).to_le_bytes()).collect() };
    let header = |encoding: &str| {
        format!("NRRD0004\ntype: double\ndimension: 3\nsizes: 2 2 2\nencoding: {encoding}\nendian: little\n\n")
            .into_bytes()
    };
    refused("raw.nrrd", &[header("raw"), values(1e300)].concat(), "1e300, which is finite but too large");
    refused("text.nrrd", &[header("ascii"), b"1e300 1 1 1 1 1 1 1".to_vec()].concat(), "too large");
    refused("infinite.nrrd", &[header("raw"), values(f64::INFINITY)].concat(), "not finite numbers");
}

#[test]
fn halves_without_the_other_half_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, half, missing) in
        [("a.hdr", "a.img", "a.img was expected"), ("b.nhdr", "b.raw.gz", "b.raw.gz"), ("c.mhd", "c.zraw", "c.zraw")]
    {
        valid(folder.path(), name);
        assert!(read(&folder.path().join(name)).is_ok(), "{name}");
        std::fs::remove_file(folder.path().join(half)).unwrap();
        let text = read(&folder.path().join(name)).unwrap_err().to_string();
        assert!(text.contains(missing), "{text}");
    }
}

/// 200 MB of zeros in 200 kB: whatever the header says, reading takes neither the memory nor the time.
#[test]
fn a_gzip_bomb_is_harmless() {
    let bomb = |header: Vec<u8>| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&header).unwrap();
        (0..200).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
        encoder.finish().unwrap()
    };
    let huge = nifti(&[(DIM, &shorts([3, 1000, 1000, 100]))]);
    refused("huge.nii.gz", &bomb(huge[..352].to_vec()), "more than the limit");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.nii.gz");
    std::fs::write(&path, bomb(nifti(&[]))).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(read(&path).unwrap().voxels().len(), 210);
    assert!(start.elapsed().as_secs() < 5);
    // Text headers end too, whatever follows.
    refused("a.nrrd", &bomb(b"NRRD0004\ntype: short\n".to_vec()), "not understood");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Flipped bytes and cut ends: an error or a volume within the limit, never a panic.
    #[test]
    fn damaged_files_never_panic(format in 0_usize..5, flips in prop::collection::vec((0.0..1.0, any::<u8>()), 0..4), keep in 0.0..1.2) {
        let name = ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"][format];
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = valid(folder.path(), name);
        for (at, byte) in flips {
            // Mostly in the header, where the harm is done.
            let at = (at * bytes.len().min(420) as f64) as usize;
            bytes[at] = byte;
        }
        bytes.truncate((keep * bytes.len() as f64) as usize + 1);
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        if let Ok(volume) = read(&path) {
            prop_assert!(volume.voxels().len() * 4 <= 1 << 20);
        }
    }
}

/// The odd files of the shared collection, each with what has to become of it.
#[test]
fn odd_nifti_files_are_read_or_refused() {
    let Some(folder) = needs::shared("nifti_odd") else { return };
    let outcomes = [
        ("avg152T1_LR_nifti.hdr.gz", Err("one half of a pair")),
        ("avg152T1_LR_nifti.nii.gz", Ok([91, 109, 91])),
        ("f32.nii.gz", Ok([11, 11, 11])),
        ("minimal.hdr", Ok([64, 64, 10])),
        ("minimal.hdr.gz", Ok([64, 64, 10])),
        ("minimal.img", Ok([64, 64, 10])),
        ("minimal.img.gz", Ok([64, 64, 10])),
        ("minimal.nii", Ok([64, 64, 10])),
        ("minimal.nii.gz", Ok([64, 64, 10])),
        ("minimal2.hdr", Ok([64, 64, 10])),
        ("minimal2.img.gz", Ok([64, 64, 10])),
        ("minimal_extended_hdr.nii", Err("2D image")),
        ("zstat1.nii.gz", Ok([64, 64, 21])),
        ("complex/complex32.nii", Err("2D image")),
        ("complex/complex64.nii", Err("2D image")),
        ("rgb/3D.nii", Err("RGB")),
        ("rgb/4D.nii", Err("4D")),
        ("rgba/4D.nii", Err("4D")),
        ("fuzz_artifacts/crash-08123ef33416bd6f0c5fa63d44b681b8581d62a0", Err("")),
        ("fuzz_artifacts/crash-1.nii", Err("")),
        ("fuzz_artifacts/crash-98aa054390f8d3f932f190dc22ef62c6ff2d6619", Err("")),
        ("fuzz_artifacts/crash-d03c6346fe83a026738f6b8cd2a9335a3f8cb158", Err("")),
        ("fuzz_artifacts/crash-ed7d46344d7efb3b9f0c374d66d2e02f66cc447d.nii", Err("")),
    ];
    for (name, outcome) in outcomes {
        let result = io::read(&folder.join(name), &ReadOptions::default());
        match (outcome, result) {
            (Ok(size), Ok(volume)) => assert_eq!(volume.geometry().size, size, "{name}"),
            (Err(sentence), Err(error)) => assert!(error.to_string().contains(sentence), "{name}: {error}"),
            (_, result) => panic!("{name}: {:?}", result.map(|v| v.geometry().size)),
        }
    }
    for name in ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"] {
        let volume = io::read(&folder.join(format!("27/{name}.nii")), &ReadOptions::default()).unwrap();
        let expected = Array3::from_shape_fn((3, 3, 3), |(k, j, i)| (9 * i + 3 * j + k) as f32);
        assert_eq!(volume.voxels(), expected, "{name}");
    }
}

/// Found by fuzzing: names of tensors and fields of the configuration are quoted, whatever is in them.
#[test]
fn a_model_file_s_words_make_no_second_line() {
    let odd_offset = r#"{"a\nb":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let odd_field = r#"{"__metadata__":{"ggpfn":"{\"format\":1,\"c\\nd\":2}"}}"#;
    for (header, data, word) in [(odd_offset, 8, "`a b`"), (odd_field, 0, "configuration")] {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat();
        let fault = ggpfn::network::Model::from_bytes(&bytes, Path::new("m")).unwrap_err().to_string();
        assert!(fault.contains(word) && !fault.contains(char::is_control), "{fault:?}");
    }
}

/// Found by fuzzing: the parser took the syntax for implicit, the check of lengths for explicit, and 4 GB were reserved for one element.
#[test]
fn what_stands_behind_a_transfer_syntax_does_not_hide_a_length() {
    for end in ["\u{12}\0", "\n", "\0\0", "\u{a0}", " \u{3}"] {
        let syntax = format!("1.2.840.10008.1.2{end}");
        let mut bytes = [&[0; 128][..], &b"DICM\x02\0\x10\0UI"[..]].concat();
        bytes.extend((syntax.len() as u16).to_le_bytes());
        bytes.extend(syntax.as_bytes());
        bytes.extend(b"\x08\0\x60\0\x02\0\0\0CT");
        bytes.extend(b"\x2e\0\0\x02\x31\x55\xff\xff");
        refused("odd.dcm", &bytes, "claims 4294923569 bytes");
    }
}
