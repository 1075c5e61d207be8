//! A result lies on the scan in every reader, also where the scan's header says in two ways where it lies, or in none.

#[path = "common/needs.rs"]
mod needs;

use std::path::Path;
use std::process::Command;

use ggpfn::io::{read, write, write_on, ReadOptions, Voxels};
use ggpfn::volume::Geometry;
use ndarray::Array3;

/// A NIfTI header's fields that place the image: xyzt_units, pixdim 0 to 3, and everything from qform_code to srow_z.
fn placing(bytes: &[u8]) -> [&[u8]; 3] {
    [&bytes[123..124], &bytes[76..92], &bytes[252..328]]
}

const QFORM_CODE: usize = 252;
const SFORM_CODE: usize = 254;
const QOFFSET_X: usize = 268;
const SROW_X: usize = 280;
const UNITS: usize = 123;
const PIXDIM_X: usize = 80;

/// A scan of 5 x 6 x 7 voxels of 2 x 2 x 3 mm, and its mask, whose headers are changed in these bytes first.
fn scan(folder: &Path, changes: &[(usize, &[u8])]) -> (std::path::PathBuf, Array3<u8>) {
    let path = folder.join("ct.nii");
    let voxels = Array3::from_shape_fn((7, 6, 5), |(k, j, i)| (100 * k + 10 * j + i) as i16);
    let grid = Geometry { origin: [-40.0, -36.0, -100.0], ..Geometry::axis_aligned([5, 6, 7], [2.0, 2.0, 3.0]) };
    write(&path, Voxels::I16(voxels.view()), &grid).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for (at, new) in changes {
        bytes[*at..*at + new.len()].copy_from_slice(new);
    }
    std::fs::write(&path, bytes).unwrap();
    (path, voxels.mapv(|value| u8::from(value > 300)))
}

fn code(code: i16) -> [u8; 2] {
    code.to_le_bytes()
}

/// What a header may say: two different places by either code, none at all, metres, a mirrored sform beside a qform.
fn each(check: impl Fn(&str, &[(usize, &[u8])])) {
    let moved = 25_f32.to_le_bytes();
    let mirrored: Vec<u8> = [2_f32, 0.0, 0.0, -40.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    check("two places, sform 1", &[(QOFFSET_X, &moved)]);
    check("two places, sform 2", &[(QOFFSET_X, &moved), (SFORM_CODE, &code(2))]);
    check("mirrored, sform 2", &[(SROW_X, &mirrored), (SFORM_CODE, &code(2))]);
    check("mirrored, qform 2, sform 4", &[(SROW_X, &mirrored), (QFORM_CODE, &code(2)), (SFORM_CODE, &code(4))]);
    check("qform alone", &[(SFORM_CODE, &code(0))]);
    check("sform alone", &[(QFORM_CODE, &code(0)), (SFORM_CODE, &code(2))]);
    check("neither", &[(QFORM_CODE, &code(0)), (SFORM_CODE, &code(0))]);
    check("metres", &[(UNITS, &[1])]);
    // ITK takes the voxels' size from the pixdim, whatever the sform says.
    for size in [5_f32, 0.0, -2.0, f32::NAN] {
        let pixdim = (PIXDIM_X, &size.to_le_bytes()[..]);
        check(&format!("pixdim {size}"), &[pixdim]);
        check(&format!("pixdim {size}, sform alone"), &[pixdim, (QFORM_CODE, &code(0))]);
    }
}

#[test]
fn a_nifti_mask_has_the_scans_own_fields() {
    each(|what, changes| {
        let folder = tempfile::tempdir().unwrap();
        let (path, mask) = scan(folder.path(), changes);
        let volume = read(&path, &ReadOptions::default()).unwrap();
        let written = folder.path().join("mask.nii");
        write_on(&written, Voxels::U8(mask.view()), &volume).unwrap();
        let (before, after) = (std::fs::read(&path).unwrap(), std::fs::read(&written).unwrap());
        assert_eq!(placing(&before), placing(&after), "{what}");
        assert_eq!(read(&written, &ReadOptions::default()).unwrap().geometry(), volume.geometry(), "{what}");
    });
}

/// ITK, which reads the other formats, sees the mask where it sees the scan.
#[test]
fn itk_and_nibabel_see_mask_and_scan_in_one_place() {
    let Some(python) = needs::python() else { return };
    let program = "
import sys, nibabel, numpy as np, SimpleITK as sitk
scan, *masks = sys.argv[1:]
itk = lambda path: (lambda i: np.concatenate([i.GetOrigin(), i.GetSpacing(), i.GetDirection(), i.GetSize()]))(sitk.ReadImage(path))
for mask in masks:
    assert np.allclose(itk(mask), itk(scan), atol=1e-4), (mask, itk(mask), itk(scan))
    if mask.endswith('.nii.gz'):
        a, b = nibabel.load(scan), nibabel.load(mask)
        assert np.allclose(a.affine, b.affine) and a.header.get_xyzt_units()[0] == b.header.get_xyzt_units()[0], mask
";
    each(|what, changes| {
        let folder = tempfile::tempdir().unwrap();
        let (path, mask) = scan(folder.path(), changes);
        let volume = read(&path, &ReadOptions::default()).unwrap();
        let masks = ["mask.nii.gz", "mask.nrrd", "mask.mha"].map(|name| folder.path().join(name));
        for written in &masks {
            write_on(written, Voxels::U8(mask.view()), &volume).unwrap();
        }
        let output = Command::new(&python).args(["-c", program]).arg(&path).args(&masks).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    });
}

/// What `ggpfn` says of a header.
#[test]
fn a_contradiction_is_a_warning() {
    let warned = |changes: &[(usize, &[u8])]| {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = scan(folder.path(), changes);
        let output = Command::new(env!("CARGO_BIN_EXE_ggpfn")).arg("info").arg(path).output().unwrap();
        assert!(output.status.success());
        // The scan is too small for a body, which it is told too.
        let lines = String::from_utf8_lossy(&output.stderr).into_owned();
        let of_header =
            |line: &&str| ["contradict", "how it lies", "its pixdim"].iter().any(|words| line.contains(words));
        lines.lines().filter(of_header).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(warned(&[]), "");
    let text = warned(&[(QOFFSET_X, &25_f32.to_le_bytes())]);
    assert!(
        text.contains("warning: ") && text.contains("contradict each other") && text.lines().count() == 1,
        "{text}"
    );
    assert!(warned(&[(QFORM_CODE, &code(0)), (SFORM_CODE, &code(0))]).contains("does not say how it lies"));
    let text = warned(&[(QFORM_CODE, &code(0)), (PIXDIM_X, &5_f32.to_le_bytes())]);
    assert!(text.contains("voxels of 2 x 2 x 3 mm, its pixdim of 5 x 2 x 3 mm"), "{text}");
    assert_eq!(warned(&[(QFORM_CODE, &code(0))]), "");
}
