//! Made-up sets of labelled CTs: small abdomens, in folders with odd characters in their names.
#![allow(dead_code)]

#[path = "series.rs"]
mod series;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ggpfn::dataset::{cases, check, Case, CheckReport, Layout, Problem, ProblemKind, Severity};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::volume::Geometry;
use ndarray::{s, Array3, ArrayView3, Axis};
pub use series::write_dicom;

/// Voxels along i, j and k: 48 x 40 x 20 of 2.5 x 2.5 x 3 mm.
pub const SIZE: [usize; 3] = [48, 40, 20];

pub fn grid() -> Geometry {
    let mut geometry = Geometry::axis_aligned(SIZE, [2.5, 2.5, 3.0]);
    geometry.origin = [-61.5, -203.25, 44.5];
    geometry
}

pub fn ball(p: [usize; 3], centre: [f64; 3], radius: [f64; 3]) -> bool {
    (0..3).map(|a| ((p[a] as f64 - centre[a]) / radius[a]).powi(2)).sum::<f64>() <= 1.0
}

pub fn in_pancreas(p: [usize; 3]) -> bool {
    ball(p, [29.0, 15.0, 11.0], [9.0, 5.0, 4.0])
}

/// A body of fat in air with a pancreas, a liver, muscle and a spine, `[k, j, i]` in HU; `patient` makes each one's noise its own.
pub fn ct(patient: usize) -> Array3<f32> {
    Array3::from_shape_fn((SIZE[2], SIZE[1], SIZE[0]), |(k, j, i)| {
        let p = [i, j, k];
        let noise = ((i * 7 + j * 13 + k * 29 + patient * 17) % 31) as f32 - 15.0;
        let tissue = if !ball(p, [23.5, 19.5, 10.0], [23.0, 19.0, 100.0]) {
            -1000.0
        } else if in_pancreas(p) {
            90.0
        } else if ball(p, [24.0, 33.0, 10.0], [4.0, 4.0, 100.0]) {
            400.0
        } else if ball(p, [10.0, 15.0, 14.0], [8.0, 10.0, 6.0]) {
            110.0
        } else if ball(p, [24.0, 33.0, 10.0], [16.0, 6.0, 100.0]) {
            60.0
        } else {
            -90.0
        };
        tissue + noise
    })
}

pub fn truth() -> Array3<u8> {
    Array3::from_shape_fn((SIZE[2], SIZE[1], SIZE[0]), |(k, j, i)| u8::from(in_pancreas([i, j, k])))
}

/// A set in a folder of its own.
pub struct Set {
    folder: tempfile::TempDir,
}

impl Set {
    pub fn new() -> Self {
        Set { folder: tempfile::Builder::new().prefix("Bauchspeicheldrüse & co (1) '").tempdir().unwrap() }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn image(&self, name: &str, voxels: &Array3<f32>, geometry: &Geometry) {
        io::write(&self.path(name), Voxels::F32(voxels.view()), geometry).unwrap();
    }

    pub fn label(&self, name: &str, voxels: ArrayView3<u8>, geometry: &Geometry) {
        let voxels = voxels.as_standard_layout();
        io::write(&self.path(name), Voxels::U8(voxels.view()), geometry).unwrap();
    }

    /// Three good cases a, b and c in the layout pairs.
    pub fn pairs() -> Self {
        let set = Set::new();
        for (patient, name) in ["a", "b", "c"].into_iter().enumerate() {
            set.image(&format!("images/{name}.nii.gz"), &ct(patient), &grid());
            set.label(&format!("labels/{name}.nii.gz"), truth().view(), &grid());
        }
        set
    }

    /// A Decathlon of `names`, the tumour being 2.
    pub fn msd(names: &[&str]) -> Self {
        let set = Set::new();
        let mut label = truth();
        label.slice_mut(s![10..12, 14..16, 28..30]).fill(2);
        let mut entries = Vec::new();
        for (patient, name) in names.iter().enumerate() {
            set.image(&format!("imagesTr/{name}.nii.gz"), &ct(patient), &grid());
            set.label(&format!("labelsTr/{name}.nii.gz"), label.view(), &grid());
            std::fs::write(set.path(&format!("imagesTr/._{name}.nii.gz")), "a shadow").unwrap();
            let [image, label] = ["imagesTr", "labelsTr"].map(|folder| format!("./{folder}/{name}.nii.gz"));
            entries.push(serde_json::json!({ "image": image, "label": label }));
        }
        let index = serde_json::json!({ "name": "Pancreas", "training": entries, "test": ["./imagesTs/x.nii.gz"] });
        std::fs::write(set.path("dataset.json"), index.to_string()).unwrap();
        set
    }

    pub fn cases(&self, layout: Layout) -> Vec<Case> {
        cases(self.root(), layout).unwrap()
    }

    pub fn names(&self, layout: Layout) -> Vec<String> {
        self.cases(layout).into_iter().map(|case| case.name).collect()
    }

    pub fn check(&self, layout: Layout) -> CheckReport {
        check(self.root(), layout, &ReadOptions::default(), &|_, _, _| {}, &|| false).unwrap()
    }

    /// The one problem that a check of the layout pairs finds.
    pub fn only_problem(&self) -> Problem {
        let report = self.check(Layout::Pairs);
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        report.problems.into_iter().next().unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ggpfn")).current_dir(self.root()).args(arguments).output().unwrap()
    }
}

/// Asserts what a problem is, and that its file and text say these.
pub fn is(problem: &Problem, severity: Severity, kind: ProblemKind, file: &str, text: &str) {
    assert_eq!((problem.severity, problem.kind), (severity, kind), "{problem:?}");
    assert!(problem.file.to_string_lossy().ends_with(file), "{problem:?}");
    assert!(problem.text.contains(text), "{problem:?}");
}

/// A set as the TCIA's downloader leaves it. The labels are flipped along the axes of `[k, j, i]` named, under a header that knows
/// nothing of the scan's position.
pub fn nihc(patients: &[usize], flipped: &[usize]) -> Set {
    let set = Set::new();
    let bare = Geometry::axis_aligned(SIZE, grid().spacing);
    let mut label = truth();
    flipped.iter().for_each(|axis| label.invert_axis(Axis(*axis)));
    for patient in patients {
        let folder =
            set.path(&format!("Pancreas-CT/PANCREAS_{patient:04}/11-24-2015-NA-18957/Pancreas-99667/1-001.dcm"));
        write_dicom(folder.parent().unwrap(), ct(*patient).view(), &grid(), &format!("1.2.{patient}"));
        set.label(&format!("TCIA_pancreas_labels-02-05-2017/label{patient:04}.nii.gz"), label.view(), &bare);
    }
    set
}
