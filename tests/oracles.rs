//! NIfTI, NRRD and MetaImage against nibabel and SimpleITK, in both directions, and against files that mean no good.
//!
//! The comparisons run the Python that `GGPFN_TEST_PYTHON` names; where it is unset they say that they skip. The odd NIfTI
//! files are looked for in `../shared/data/nifti_odd`, or under the folder that `GGPFN_SHARED` names.

#[path = "common/needs.rs"]
mod needs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{write::GzEncoder, Compression};
use ggpfn::io::{check_writable, read, write, ReadOptions, Voxels};
use ggpfn::volume::Geometry;
use ggpfn::Error;
use ndarray::{Array3, ArrayView3, Axis};
use proptest::prelude::*;

/// Runs a task of `tests/python/oracles.py`; none where there is no Python for it.
fn python(task: &str, arguments: &[&Path]) -> Option<()> {
    let python = needs::python()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/oracles.py");
    let output = Command::new(python).arg(script).arg(task).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    Some(())
}

/// The folder of odd files, where it is there.
fn odd() -> Option<PathBuf> {
    needs::shared("nifti_odd")
}

fn small() -> ReadOptions {
    ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() }
}

/// The sentence with which a file is refused; it must be one line that names the file.
fn refusal(path: &Path) -> String {
    let message = read(path, &small()).expect_err(&format!("{} is not a volume", path.display())).to_string();
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    assert!(message.contains(&stem) && !message.contains('\n'), "{message}");
    message
}

fn floats(path: &Path) -> Vec<f32> {
    std::fs::read(path).unwrap().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn what_others_write_is_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<PathBuf> = [Some(folder.path().to_path_buf()), odd()].into_iter().flatten().collect();
    if python("write", &arguments.iter().map(PathBuf::as_path).collect::<Vec<_>>()).is_none() {
        return;
    }
    let text = std::fs::read_to_string(folder.path().join("manifest.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut faults = Vec::new();
    for entry in &entries {
        let path = folder.path().join(entry["path"].as_str().unwrap());
        if let Some(word) = entry["refused"].as_str() {
            match read(&path, &small()) {
                Ok(_) => faults.push(format!("{}: was read", path.display())),
                Err(_) if refusal(&path).contains(word) => {}
                Err(e) => faults.push(format!("{e}: without \"{word}\"")),
            }
            continue;
        }
        let volume = match read(&path, &ReadOptions::default()) {
            Ok(volume) => volume,
            Err(e) => {
                faults.push(e.to_string());
                continue;
            }
        };
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let size = std::array::from_fn(|n| entry["size"][n].as_u64().unwrap() as usize);
        let affine = std::array::from_fn(|row| std::array::from_fn(|n| number(&entry["affine"][row][n])));
        let distance = Geometry::from_affine(size, affine).unwrap().distance(volume.geometry());
        if distance > 1e-4 {
            faults.push(format!("{}: {distance} mm off", path.display()));
        }
        let expected = floats(&folder.path().join(entry["voxels"].as_str().unwrap()));
        // A scaled value may fall on either side of a float's rounding.
        let near = |a: f32, b: f32| (a - b).abs() <= 2e-7 * b.abs();
        if !volume.voxels().iter().zip(&expected).all(|(a, b)| near(*a, *b)) || volume.voxels().len() != expected.len()
        {
            faults.push(format!("{}: its voxels differ", path.display()));
        }
    }
    assert!(entries.len() > 300 && faults.is_empty(), "{} of {}:\n{}", faults.len(), entries.len(), faults.join("\n"));
}

const ENDINGS: [&str; 9] = ["nii", "nii.gz", "hdr", "img", "img.gz", "nrrd", "nhdr", "mha", "mhd"];

/// All ways in which three axes can lie along the patient's, and one that lies along none.
fn directions() -> Vec<[[f64; 3]; 3]> {
    let mut all = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for signs in 0..8 {
            let mut direction = [[0.0; 3]; 3];
            for (axis, patient) in order.into_iter().enumerate() {
                direction[patient][axis] = if signs >> axis & 1 == 1 { -1.0 } else { 1.0 };
            }
            all.push(direction);
        }
    }
    let ((s, c), (q, p)) = (0.7_f64.sin_cos(), 0.3_f64.sin_cos());
    all.push([[c, -s * p, s * q], [s, c * p, -c * q], [0.0, q, p]]);
    all
}

/// Writes `voxels` and notes for Python what it should find.
fn note(folder: &Path, name: &str, voxels: Voxels, geometry: &Geometry, notes: &mut Vec<serde_json::Value>) {
    let path = folder.join(name);
    check_writable(&path).unwrap();
    write(&path, voxels, geometry).unwrap();
    let (number, bytes): (&str, Vec<u8>) = match voxels {
        Voxels::U8(v) => ("u1", v.iter().copied().collect()),
        Voxels::I16(v) => ("<i2", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Voxels::F32(v) => ("<f4", v.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    let raw = format!("{}.truth", notes.len());
    std::fs::write(folder.join(&raw), bytes).unwrap();
    let (size, affine) = (geometry.size, geometry.affine());
    notes.push(serde_json::json!({"path": name, "size": size, "affine": affine, "voxels": raw, "number": number}));

    let volume = read(&path, &ReadOptions::default()).unwrap();
    assert!(volume.geometry().distance(geometry) < 1e-4, "{name}");
    let same = match voxels {
        Voxels::U8(v) => v.mapv(f32::from) == volume.voxels(),
        Voxels::I16(v) => v.mapv(f32::from) == volume.voxels(),
        Voxels::F32(v) => v == volume.voxels(),
    };
    assert!(same, "{name}");
}

#[test]
fn what_is_written_others_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut notes = Vec::new();
    let mask = Array3::from_shape_fn((3, 4, 5), |(k, j, i)| ((k * 20 + j * 5 + i) % 3) as u8);
    let ct = mask.mapv(|v| i16::from(v) * 1000 - 1024);
    let probability = mask.mapv(|v| f32::from(v) / 3.0);
    for (n, direction) in directions().into_iter().enumerate() {
        // Past 1024 mm a float32 knows a tenth of a micrometre no more; the second grid needs NIfTI-2.
        let origin = if n % 2 == 0 { [-211.123, 45.678, -1804.537] } else { [-211.123, 45.678, 30_000.537] };
        let geometry = Geometry { size: [5, 4, 3], spacing: [0.7832031, 0.85, 2.5], origin, direction };
        for ending in ENDINGS {
            note(folder.path(), &format!("mask{n}.{ending}"), Voxels::U8(mask.view()), &geometry, &mut notes);
            if n % 16 == 0 {
                note(folder.path(), &format!("ct{n}.{ending}"), Voxels::I16(ct.view()), &geometry, &mut notes);
                let name = format!("probability{n}.{ending}");
                note(folder.path(), &name, Voxels::F32(probability.view()), &geometry, &mut notes);
            }
        }
    }
    // Views that are not in memory order.
    let mut turned: ArrayView3<u8> = mask.view().permuted_axes([2, 0, 1]);
    turned.invert_axis(Axis(1));
    for ending in ENDINGS {
        let geometry = Geometry::axis_aligned([4, 3, 5], [1.0, 2.0, 3.0]);
        note(folder.path(), &format!("turned.{ending}"), Voxels::U8(turned), &geometry, &mut notes);
    }
    // More voxels along an axis than NIfTI-1 can count.
    let long = Array3::from_elem((40_000, 1, 1), 1_u8);
    let geometry = Geometry::axis_aligned([1, 1, 40_000], [1.0, 1.0, 0.1]);
    note(folder.path(), "long.nii.gz", Voxels::U8(long.view()), &geometry, &mut notes);
    std::fs::write(folder.path().join("written.json"), serde_json::to_string(&notes).unwrap()).unwrap();
    python("check", &[folder.path()]);
}

#[test]
fn an_ordinary_grid_is_written_as_nifti_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nii");
    let origin = [-211.123, -402.678, -1804.537];
    let geometry = Geometry { origin, ..Geometry::axis_aligned([2, 2, 2], [0.7832031, 0.7832031, 2.5]) };
    write(&path, Voxels::U8(Array3::zeros((2, 2, 2)).view()), &geometry).unwrap();
    assert_eq!(std::fs::read(&path).unwrap()[..4], 348_i32.to_le_bytes());
}

#[test]
fn odd_files_are_read_or_refused_in_one_sentence() {
    let Some(folder) = odd() else { return };
    let mut folders = vec![folder.clone()];
    let mut read_files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if read(&path, &ReadOptions::default()).is_ok() {
                read_files += 1;
            } else {
                let message = read(&path, &ReadOptions::default()).unwrap_err().to_string();
                let name = path.file_stem().unwrap().to_string_lossy();
                eprintln!("{message}");
                assert!(message.contains(name.as_ref()) && !message.contains('\n'), "{message}");
            }
        }
    }
    assert!(read_files >= 13, "{read_files}");
}

#[test]
fn what_is_no_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    assert!(refusal(&put("empty.nii.gz", b"")).contains("empty"));
    assert!(refusal(&put("letter.txt", b"Dear colleague,")).contains("not an image"));
    assert!(refusal(&put("stub.nii.gz", &[0x1f, 0x8b])).contains("cut off"));
    assert!(refusal(&put("start.nii", &348_i32.to_le_bytes())).contains("NIfTI"));
    assert!(refusal(&put("analyze.hdr", &[348_i32.to_le_bytes().as_slice(), &[0; 344]].concat())).contains("Analyze"));
    assert!(refusal(&put("alone.img", &[7; 64])).contains("alone.hdr"));
    assert!(matches!(read(&folder.path().join("absent.nii"), &small()), Err(Error::File { action: "open", .. })));
}

#[test]
fn a_header_alone_gets_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (nifti, bomb) = (folder.path().join("mask.nii"), folder.path().join("bomb.nii.gz"));
    write(&nifti, Voxels::U8(Array3::zeros((2, 2, 2)).view()), &Geometry::axis_aligned([2; 3], [1.0; 3])).unwrap();
    let mut header = std::fs::read(&nifti).unwrap()[..352].to_vec();
    for axis in 1..4 {
        header[40 + 2 * axis..42 + 2 * axis].copy_from_slice(&1000_i16.to_le_bytes());
    }
    // A million times what the header of the first file calls for, and what that of the second does not.
    let mut encoder = GzEncoder::new(std::fs::File::create(&bomb).unwrap(), Compression::fast());
    encoder.write_all(&header).unwrap();
    (0..64).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
    encoder.finish().unwrap();
    std::fs::write(&nifti, &header).unwrap();
    let before = memory();
    assert!(refusal(&bomb).contains("limit"));
    assert!(refusal(&nifti).contains("limit"));
    let no_limit = ReadOptions { max_bytes: u64::MAX, ..ReadOptions::default() };
    assert!(read(&nifti, &no_limit).unwrap_err().to_string().contains("0 of 1000000000 bytes"));
    assert!(read(&bomb, &no_limit).unwrap_err().to_string().contains("cut off"));
    assert!(memory() - before < 1 << 20, "{} KiB", memory() - before);
}

/// The most address space that this process has had, in KiB; 0 where the system does not say.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

#[test]
fn what_could_not_be_written_is_refused_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let message = check_writable(&folder.path().join("mask.jpg")).unwrap_err().to_string();
    assert!(message.contains(".nii.gz") && message.contains("mask.jpg"), "{message}");
    assert!(matches!(check_writable(&folder.path().join("no/mask.nii")), Err(Error::File { .. })));
    assert!(check_writable(&folder.path().join(".nii")).is_err());
    check_writable(&folder.path().join("mask.nii")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let wrong = Geometry::axis_aligned([2, 2, 3], [1.0; 3]);
    let flat = Geometry::axis_aligned([2, 2, 2], [1.0, f64::NAN, 1.0]);
    for geometry in [wrong, flat] {
        assert!(write(&folder.path().join("mask.nii"), Voxels::U8(Array3::zeros((2, 2, 2)).view()), &geometry).is_err());
    }
}

/// Names with letters whose lower case is longer, and, on Unix, with bytes that are no text.
#[test]
fn any_name_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut names: Vec<std::ffi::OsString> = vec!["İİ größe %d.".into()];
    #[cfg(unix)]
    names.push(std::os::unix::ffi::OsStringExt::from_vec(b"\xff\xfe.one.".to_vec()));
    for name in names {
        for ending in ENDINGS {
            let mut name = name.clone();
            name.push(ending);
            let path = folder.path().join(name);
            let utf8 = path.to_str().is_some();
            let geometry = Geometry::axis_aligned([2; 3], [1.0; 3]);
            let written = write(&path, Voxels::U8(Array3::ones((2, 2, 2)).view()), &geometry);
            if !utf8 && ["nhdr", "mhd"].contains(&ending) {
                // Their headers name another file, in text.
                assert!(written.is_err());
            } else {
                written.unwrap();
                assert!(read(&path, &small()).unwrap().voxels().iter().all(|v| *v == 1.0));
            }
        }
    }
}

/// A full disk is told, and leaves the old file. It takes a file system of its own, and so root on Linux.
#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = needs::SmallDisk::new(folder.path(), "64k") else { return };
    let geometry = Geometry::axis_aligned([64; 3], [1.0; 3]);
    let mut state = 1_u32;
    // Noise, that no packing makes small.
    let noise = Array3::from_shape_simple_fn((64, 64, 64), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    for ending in ENDINGS {
        let path = folder.path().join("mask").with_extension(ending);
        std::fs::write(&path, "old").unwrap();
        let error = write(&path, Voxels::U8(noise.view()), &geometry).unwrap_err();
        assert!(matches!(error, Error::File { action: "write", .. }), "{error}");
        assert!(error.to_string().contains("No space left"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{ending}");
    }
}

/// Ways to spoil a file: put a byte at a place, or a number that headers get wrong; cut; leave bytes out; put bytes in.
#[derive(Clone, Debug)]
enum Damage {
    Byte(usize, u8),
    Number(usize, i64, usize),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let odd = prop_oneof![Just(0), Just(-1), Just(i64::MAX), Just(i64::MIN), Just(32767), Just(1 << 20), any::<i64>()];
    // Short words that mean something in text headers, or blanks and bytes.
    let words = prop_oneof![
        prop::sample::select(vec![
            "99999999",
            "-1",
            "0",
            "NaN",
            "1e300",
            "LIST",
            "gzip",
            "%9999999d 1 9 1",
            "\n",
            ": ",
            "none"
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    let at = || 0..700_usize;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        3 => (at(), odd, prop::sample::select(vec![2, 4, 8])).prop_map(|(at, n, bytes)| Damage::Number(at, n, bytes)),
        1 => at().prop_map(Damage::Cut),
        1 => (at(), 1..40_usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        3 => (at(), words).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn spoil(bytes: &mut Vec<u8>, damage: Damage) {
    let length = bytes.len();
    match damage {
        Damage::Byte(at, byte) if at < length => bytes[at] = byte,
        Damage::Number(at, n, size) if at + size <= length => {
            bytes[at..at + size].copy_from_slice(&n.to_le_bytes()[..size])
        }
        Damage::Cut(at) => bytes.truncate(at),
        Damage::Remove(at, n) if at < length => drop(bytes.drain(at..length.min(at + n))),
        Damage::Insert(at, more) if at <= length => drop(bytes.splice(at..at, more)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No damage makes a reader panic, or take more memory than it may.
    #[test]
    fn damaged_files_are_read_or_refused(kind in 0..ENDINGS.len(), again: bool, list in prop::collection::vec(damage(), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x").with_extension(ENDINGS[kind]);
        let ct = Array3::from_shape_fn((3, 4, 5), |(k, j, i)| (k * 20 + j * 5 + i) as i16);
        write(&path, Voxels::I16(ct.view()), &Geometry::axis_aligned([5, 4, 3], [1.0; 3])).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let gzip = bytes.starts_with(&[0x1f, 0x8b]);
        if gzip && again {
            // What is inside is damaged, and packed again.
            let mut inside = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut inside).unwrap();
            bytes = inside;
        }
        list.into_iter().for_each(|damage| spoil(&mut bytes, damage));
        if gzip && again {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        let before = memory();
        if let Err(error) = read(&path, &small()) {
            let message = error.to_string();
            prop_assert!(message.contains(&folder.path().display().to_string()), "{message}");
        }
        prop_assert!(memory() - before < 1 << 20);
    }
}

#[test]
fn the_nifti_crate_reads_what_is_written_too() {
    use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
    let folder = tempfile::tempdir().unwrap();
    let voxels = ndarray::Array3::from_shape_fn((5, 3, 4), |(k, j, i)| (i + 10 * j + 50 * k) as u8);
    for name in ["a.nii", "a.nii.gz", "b.hdr"] {
        let path = folder.path().join(name);
        let geometry = ggpfn::volume::Geometry::axis_aligned([4, 3, 5], [0.7, 1.3, 2.5]);
        ggpfn::io::write(&path, ggpfn::io::Voxels::U8(voxels.view()), &geometry).unwrap();
        let object = ReaderOptions::new().read_file(&path).unwrap();
        assert_eq!(object.header().pixdim[1..4], [0.7, 1.3, 2.5]);
        assert_eq!(object.header().srow_x, [-0.7, 0.0, 0.0, 0.0]);
        let read = object.into_volume().into_ndarray::<u8>().unwrap();
        assert_eq!(read.reversed_axes().into_dimensionality::<ndarray::Ix3>().unwrap(), voxels);
    }
}
