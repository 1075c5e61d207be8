//! Seeds for the fuzz targets. They are made by what makes the tests' files: the library's own writers, the tests' made-up DICOM series, and
//! what `tests/python/oracles.py write FOLDER` puts into a folder, files as nibabel and ITK write them and every spelling of the headers.

#[path = "../../tests/common/series.rs"]
mod series;

use std::path::Path;

use ggpfn::io::{self, Voxels};
use ggpfn::network::{Model, ModelConfig, WeightType};
use ggpfn::volume::Geometry;
use ndarray::Array3;

use crate::targets::joined;

/// Everything that is sown: the target's name, and its input.
pub type Seeds = Vec<(&'static str, Vec<u8>)>;

/// The seeds that need nothing but a folder to work in.
pub fn own(work: &Path) -> Seeds {
    let mut seeds = Vec::new();
    written(&mut seeds, work);
    dicom(&mut seeds, work);
    models(&mut seeds);
    requests(&mut seeds);
    calls(&mut seeds);
    seeds
}

/// Files of the library's own, whole and in halves.
fn written(seeds: &mut Seeds, work: &Path) {
    let voxels = Array3::from_shape_fn((4, 3, 2), |(k, j, i)| (100 * k + 10 * j + i) as i16);
    let floats = voxels.mapv(f32::from);
    let mask = voxels.mapv(|voxel| u8::from(voxel > 100));
    let geometry = Geometry { origin: [-40.0, -36.0, -100.0], ..Geometry::axis_aligned([2, 3, 4], [0.8, 0.9, 2.5]) };
    for voxels in [Voxels::I16(voxels.view()), Voxels::F32(floats.view()), Voxels::U8(mask.view())] {
        let files = [
            ("nifti", 0, "a.nii", ""),
            ("nifti", 0, "b.nii.gz", ""),
            ("nifti", 1, "c.hdr", "c.img"),
            ("nifti", 2, "c.hdr", "c.img"),
            ("nrrd", 0, "a.nrrd", ""),
            ("nrrd", 1, "d.nhdr", "d.raw.gz"),
            ("metaimage", 0, "a.mha", ""),
            ("metaimage", 1, "e.mhd", "e.zraw"),
        ];
        for (target, choice, header, data) in files {
            io::write(&work.join(header), voxels, &geometry).unwrap();
            let mut first = std::fs::read(work.join(header)).unwrap();
            let second = if data.is_empty() { Vec::new() } else { std::fs::read(work.join(data)).unwrap() };
            if target != "nifti" && choice == 1 {
                first = String::from_utf8(first).unwrap().replace(data, "a.raw").into_bytes();
            }
            seeds.push((target, joined(choice, &first, &second)));
        }
    }
}

fn dicom(seeds: &mut Seeds, work: &Path) {
    let folder = work.join("series");
    let voxels = Array3::from_shape_fn((2, 4, 6), |(k, j, i)| (100 * k + 10 * j + i) as f32);
    series::write_dicom(&folder, voxels.view(), &Geometry::axis_aligned([6, 4, 2], [0.8, 0.9, 2.5]), "1.2.3");
    let [first, second] = ["1-001.dcm", "1-002.dcm"].map(|name| std::fs::read(folder.join(name)).unwrap());
    seeds.push(("dicom", joined(0, &first, &[])));
    seeds.push(("dicom", joined(1, &first, &second)));
}

fn models(seeds: &mut Seeds) {
    for entries in [
        r#"{"t": 1, "widths": [1, 1, 1, 1], "global_widths": [1, 1, 1, 1, 1], "views": ["axial"], "global_size": {"axial": [32, 32]}}"#,
        r#"{"t": 2, "widths": [1, 1, 1, 1], "global_widths": null, "views": ["coronal"]}"#,
    ] {
        let model = Model::new_untrained(ModelConfig::from_entries(entries).unwrap(), 1).unwrap();
        for weights in [WeightType::F16, WeightType::BF16, WeightType::F32] {
            seeds.push(("model_file", model.to_bytes(weights).unwrap()));
        }
    }
}

/// A request of each kind.
fn requests(seeds: &mut Seeds) {
    let grid =
        r#"{"size":[4,3,2],"spacing":[1,1,2],"origin":[0,0,0],"direction":[[1,0,0],[0,1,0],[0,0,1]],"frame":"RAS"}"#;
    let image = format!(r#"{{"grid":{grid},"voxels":{{"offset":0,"dtype":"int16","strides":[2,8,24]}}}}"#);
    let floats = r#"{"offset":256,"dtype":"float32"}"#;
    let lines = [
        r#"{"id":1,"do":"runtime"}"#.to_string(),
        r#"{"id":1,"do":"load_model","file":"f","offset":0,"length":64}"#.into(),
        r#"{"id":1,"do":"save_model","model":1,"path":"p","weights":"float32"}"#.into(),
        r#"{"id":1,"do":"free_model","model":1}"#.into(),
        r#"{"id":1,"do":"cancel"}"#.into(),
        format!(r#"{{"id":1,"do":"estimate_memory","grid":{grid},"options":{{"views":["axial"],"threads":1,"patch":[64,64]}}}}"#),
        format!(
            r#"{{"id":1,"do":"segment","file":"f","image":{image},"results":{{"mask":{{"offset":1024}},"views":{{"axial":{floats}}}}},
            "options":{{"views":["axial"],"view_weights":{{"axial":1}},"threshold":0.5,"region":[[0,0,0],[1,1,1]],"device":"cpu",
            "precision":"float32","block":4,"largest_component":true,"overlap":8}}}}"#
        )
        .replace('\n', ""),
        format!(
            r#"{{"id":1,"do":"threshold","file":"f","image":{image},"probability":{floats},"mask":{{"offset":2048}},"threshold":0.4,"largest_component":true}}"#
        ),
        format!(
            r#"{{"id":1,"do":"fuse","file":"f","size":[4,3,2],"views":{{"axial":{floats},"coronal":{floats}}},"weights":{{"axial":2,"coronal":1}},"probability":{floats},"mask":{{"offset":9}}}}"#
        ),
        format!(r#"{{"id":1,"do":"evaluate","file":"f","prediction":{image},"truth":{image}}}"#),
        format!(
            r#"{{"id":1,"do":"train","file":"f","cases":[{{"name":"a","image":{image},"mask":{image},"role":"train"}}],"options":"t = 3\nviews = [\"axial\"]","all_stages":true,"resume":false,"device":"cpu"}}"#
        ),
    ];
    let shared: Vec<u8> = (0..4096_u32).map(|n| (n % 60) as u8).collect();
    for line in &lines {
        seeds.push(("worker", joined(0, line.as_bytes(), &shared[..512])));
    }
    seeds.push(("worker", joined(0, lines.join("\n").as_bytes(), &shared[..512])));
}

/// Programs of calls: numbers that come in every order.
fn calls(seeds: &mut Seeds) {
    let mut state = 1_u32;
    for number in 0..64 {
        let bytes: Vec<u8> = (0..64 * (1 + number % 8))
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        seeds.push(("c_calls", bytes));
    }
    seeds.push(("c_calls", b"\x00\x00\x00\x00\x03\x20t = 3\nviews = [\"axial\"]\nseed = 1\n".to_vec()));
}

/// The small files of a folder, each for the target that reads it.
pub fn others(folder: &Path) -> Seeds {
    const LARGEST: u64 = 8192;
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() || path.metadata().unwrap().len() > LARGEST {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let target = match name.trim_end_matches(".gz").rsplit('.').next().unwrap() {
            "nii" | "hdr" => "nifti",
            "nrrd" | "nhdr" => "nrrd",
            "mha" | "mhd" => "metaimage",
            "dcm" => "dicom",
            _ => continue,
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The one data file that it names, under the name that the target gives it.
        let data = text.lines().filter_map(|line| line.split([':', '=']).nth(1)).map(str::trim);
        let data = data.filter(|word| !word.is_empty()).find(|word| target != "nifti" && folder.join(word).is_file());
        let halves = match data {
            Some(data) => {
                let second = std::fs::read(folder.join(data)).unwrap();
                let at = bytes.windows(data.len()).position(|window| window == data.as_bytes()).unwrap();
                let header = [&bytes[..at], b"a.raw", &bytes[at + data.len()..]].concat();
                joined(1, &header, &second)
            }
            None if name.ends_with(".hdr") => {
                let second = std::fs::read(path.with_extension("img")).unwrap_or_default();
                joined(1, &bytes, &second)
            }
            None => joined(0, &bytes, &[]),
        };
        seeds.push((target, halves));
    }
    seeds
}
