//! Synthetic CTs: the right organs at the right densities, layouts that training reads, the same from the same seed.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ggpfn::dataset::{self, Layout, Severity};
use ggpfn::io::{self, ReadOptions, Voxels};
use ggpfn::synthesis::{anatomy, organ, synthesise, Labels, Style, SynthesisOptions};
use ggpfn::volume::{measure, Geometry};

fn synth(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ggpfn"))
        .current_dir(folder)
        .args(["synth", "out", "--spacing", "5"])
        .args(arguments)
        .output()
        .unwrap()
}

fn mean_hu(made: &ggpfn::synthesis::Synthetic, id: u8) -> f64 {
    let mask = made.labels.ids.mapv(|found| u8::from(found == id));
    measure(mask.view(), &made.volume).mean_hu.unwrap()
}

#[test]
fn organs_have_the_densities_of_organs() {
    for seed in 0..4 {
        let made = synthesise(&anatomy(seed, 3.0), &SynthesisOptions::default(), seed).unwrap();
        let hu = |id| mean_hu(&made, id);
        assert!((-125.0..-70.0).contains(&hu(organ::FAT)), "fat {}", hu(organ::FAT));
        assert!(hu(organ::LUNG) < -550.0 && hu(organ::BACKGROUND) < -850.0);
        assert!((30.0..90.0).contains(&hu(organ::MUSCLE)), "muscle {}", hu(organ::MUSCLE));
        assert!((15.0..190.0).contains(&hu(organ::LIVER)), "liver {}", hu(organ::LIVER));
        assert!((-60.0..180.0).contains(&hu(organ::PANCREAS)), "pancreas {}", hu(organ::PANCREAS));
        // 190 HU less two deviations of 55: the old have thin bones.
        assert!(hu(organ::VERTEBRAE) > 80.0, "bone {}", hu(organ::VERTEBRAE));
        assert!(hu(organ::AORTA) > 25.0);
        // Bowel is no darker and no brighter than that it could be pancreas, unless that is half fat.
        let fatty = hu(organ::PANCREAS) < 20.0;
        assert!(fatty || (hu(organ::SMALL_BOWEL) - hu(organ::PANCREAS)).abs() < 75.0);
        assert_eq!(made.truth.iter().filter(|v| **v != 0).count(), {
            made.labels.ids.iter().filter(|id| **id == organ::PANCREAS).count()
        });
    }
}

/// Of 30 real pancreases the median had 70 HU, the darkest 0, the brightest 171.
#[test]
fn most_pancreases_are_bright_and_a_few_are_half_fat() {
    let labels = anatomy(1, 5.0);
    let mut pancreases: Vec<f64> = (0..24)
        .map(|seed| mean_hu(&synthesise(&labels, &SynthesisOptions::default(), seed).unwrap(), organ::PANCREAS))
        .collect();
    pancreases.sort_by(f64::total_cmp);
    let fatty = pancreases.iter().filter(|hu| **hu < 5.0).count();
    assert!(fatty <= 6, "{fatty} of 24: {pancreases:?}");
    assert!((50.0..110.0).contains(&pancreases[12]), "{pancreases:?}");
}

#[test]
fn randomised_contrast_is_wider_than_real() {
    let spread = |style: Style| {
        let labels = anatomy(1, 5.0);
        let options = SynthesisOptions { style, ..Default::default() };
        let livers: Vec<f64> =
            (0..8).map(|seed| mean_hu(&synthesise(&labels, &options, seed).unwrap(), organ::LIVER)).collect();
        livers.iter().copied().fold(f64::MIN, f64::max) - livers.iter().copied().fold(f64::MAX, f64::min)
    };
    let (real, random) = (spread(Style::Realistic), spread(Style::Randomised));
    assert!(random > 1.3 * real, "{real} {random}");
}

/// An ellipsoid of a liver, a bent pancreas and a left kidney: the least that a map of organs can have.
fn map_of_organs() -> (Labels, Geometry) {
    let ids = ndarray::Array3::from_shape_fn((30, 40, 60), |(z, y, x)| {
        let inside = |c: [f64; 3], r: [f64; 3]| {
            [z, y, x].iter().zip(c.iter().zip(r)).map(|(i, (c, r))| ((*i as f64 - c) / r).powi(2)).sum::<f64>() < 1.0
        };
        if inside([15.0, 14.0, 34.0], [3.0, 3.0, 11.0]) {
            organ::PANCREAS
        } else if inside([18.0, 16.0, 14.0], [10.0, 12.0, 9.0]) {
            organ::LIVER
        } else if inside([13.0, 24.0, 44.0], [8.0, 5.0, 4.0]) {
            organ::LEFT_KIDNEY
        } else {
            organ::BACKGROUND
        }
    });
    (Labels { ids, spacing: [5.0; 3] }, Geometry::axis_aligned([60, 40, 30], [5.0; 3]))
}

#[test]
fn organs_of_a_map_stay_and_the_body_is_made_around_them() {
    let (labels, _) = map_of_organs();
    let whole = labels.cropped(|_| true, [20.0, 20.0, 90.0, 120.0, 80.0, 80.0]);
    let made = synthesise(&whole, &SynthesisOptions { deformation: 0.0, ..Default::default() }, 1).unwrap();
    let pairs = || whole.ids.iter().zip(&made.labels.ids);
    assert!(
        pairs().all(|(map, made)| (*map == organ::PANCREAS) == (*made == organ::PANCREAS)),
        "the pancreas was touched"
    );
    assert!(pairs().all(|(map, made)| *map != organ::LEFT_KIDNEY || *made == organ::LEFT_KIDNEY), "the kidney shrank");
    // Veins run through the liver.
    let liver = |id: u8| id == organ::LIVER || id == organ::VENA_CAVA;
    assert!(pairs().all(|(map, made)| *map != organ::LIVER || liver(*made)), "the liver shrank");
    for id in [
        organ::AORTA,
        organ::VENA_CAVA,
        organ::VERTEBRAE,
        organ::MUSCLE,
        organ::FAT,
        organ::RIGHT_KIDNEY,
        organ::SMALL_BOWEL,
    ] {
        assert!(made.labels.volume_ml(id) > 1.0, "there is no organ {id}");
    }
    let (spine, pancreas) =
        (made.labels.centroid(organ::VERTEBRAE).unwrap(), made.labels.centroid(organ::PANCREAS).unwrap());
    assert!(spine[1] > pancreas[1] + 20.0, "the spine lies behind the pancreas");
    let kidneys = [organ::RIGHT_KIDNEY, organ::LEFT_KIDNEY].map(|id| made.labels.centroid(id).unwrap()[2]);
    assert!(kidneys[0] < spine[2] && spine[2] < kidneys[1], "x grows to the left");
}

/// In a native scan the left renal vein is as dense as a pancreas; a network that never saw it takes it for one.
#[test]
fn the_left_renal_vein_runs_from_the_kidney_across_the_aorta() {
    let (labels, geometry) = map_of_organs();
    let labels = Labels::from_image(labels.ids.view(), &geometry, 2.5);
    let whole = labels.cropped(|_| true, [20.0, 20.0, 90.0, 120.0, 80.0, 80.0]);
    for seed in 0..4 {
        let made = synthesise(&whole, &SynthesisOptions { deformation: 0.0, ..Default::default() }, seed).unwrap();
        let ids = &made.labels.ids;
        let aorta = made.labels.centroid(organ::AORTA).unwrap().map(|mm| (mm / 2.5).round() as usize);
        let veins = ids.mapv(|id| id == organ::VENA_CAVA);
        let (parts, _) = ndarray_ndimage::label::<u32>(&veins, &ndarray::Array3::from_elem((3, 3, 3), true));
        // The part that touches the left kidney also lies before the aorta and to the right of it.
        let at_kidney = ids.indexed_iter().filter(|(_, id)| **id == organ::LEFT_KIDNEY).find_map(|((z, y, x), _)| {
            let next = [[z, y, x - 1], [z, y - 1, x], [z, y, x + 1], [z, y + 1, x]];
            next.iter().map(|at| parts[*at]).find(|part| *part > 0)
        });
        let part = at_kidney.expect("a vein at the left kidney");
        let places = || parts.indexed_iter().filter(|(_, found)| **found == part).map(|(at, _)| at);
        assert!(places().any(|(_, y, x)| x == aorta[2] && y < aorta[1]), "seed {seed}: it does not cross");
        assert!(places().any(|(_, _, x)| x + 8 < aorta[2]), "seed {seed}: it does not reach the vena cava");
    }
}

#[test]
fn a_scan_that_reaches_far_down_has_hip_bones() {
    let (labels, _) = map_of_organs();
    let whole = labels.cropped(|_| true, [230.0, 20.0, 90.0, 120.0, 80.0, 80.0]);
    let made = synthesise(&whole, &SynthesisOptions { deformation: 0.0, ..Default::default() }, 2).unwrap();
    // The map's lowest 100 mm: no rib is there.
    let low = made.labels.section([0; 3], [20, whole.ids.dim().1, whole.ids.dim().2]);
    let bones = low.volume_ml(organ::RIBS);
    assert!((60.0..900.0).contains(&bones), "{bones} mL");
}

/// A network that never saw a pancreas without a rim of fat looks for the rim. In real CTs 2 to 75 % of the 5 mm around it are fat.
#[test]
fn lean_patients_have_hardly_any_fat_around_the_pancreas_and_stout_ones_much() {
    let (labels, geometry) = map_of_organs();
    let labels = Labels::from_image(labels.ids.view(), &geometry, 2.5);
    let whole = labels.cropped(|_| true, [20.0, 20.0, 90.0, 120.0, 80.0, 80.0]);
    let mut neighbours = std::collections::BTreeSet::new();
    let mut shares: Vec<f64> = (0..8)
        .map(|seed| {
            let made = synthesise(&whole, &SynthesisOptions { deformation: 0.0, ..Default::default() }, seed).unwrap();
            let ids = &made.labels.ids;
            let (mut faces, mut fat) = (0, 0);
            for ((z, y, x), _) in ids.indexed_iter().filter(|(_, id)| **id == organ::PANCREAS) {
                for at in [[z + 1, y, x], [z - 1, y, x], [z, y + 1, x], [z, y - 1, x], [z, y, x + 1], [z, y, x - 1]] {
                    if ids[at] != organ::PANCREAS {
                        faces += 1;
                        fat += i32::from(ids[at] == organ::FAT);
                        neighbours.insert(ids[at]);
                    }
                }
            }
            f64::from(fat) / f64::from(faces)
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    assert!(shares[0] < 0.1 && shares[7] > 0.2, "{shares:?}");
    for id in [organ::SMALL_BOWEL, organ::PORTAL_VEIN, organ::MESENTERIC_VESSELS] {
        assert!(neighbours.contains(&id), "organ {id} never touches the pancreas: {neighbours:?}");
    }
}

#[test]
fn every_layout_is_read_back_without_a_complaint() {
    for (layout, name) in [(Layout::Msd, "msd"), (Layout::Nihc, "nihc"), (Layout::Pairs, "pairs")] {
        let folder = tempfile::Builder::new().prefix("gemalte & CTs ").tempdir().unwrap();
        let output = synth(folder.path(), &["-n", "2", "--layout", name]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let set = folder.path().join("out");
        assert_eq!(dataset::cases(&set, layout).unwrap().len(), 2, "{name}");
        let report = dataset::check(&set, layout, &ReadOptions::default(), &|_, _, _| {}, &|| false).unwrap();
        assert_eq!(report.count(Severity::Error), 0, "{name}: {:?}", report.problems);
    }
}

#[test]
fn a_seed_gives_the_same_files_and_another_seed_others() {
    let read = |seed: &str| -> Vec<f32> {
        let folder = tempfile::tempdir().unwrap();
        assert!(synth(folder.path(), &["-n", "1", "--seed", seed]).status.success());
        let volume =
            io::read(&folder.path().join("out/images/synthetic_0001.nii.gz"), &ReadOptions::default()).unwrap();
        volume.into_voxels().into_iter().collect()
    };
    let (a, b, c) = (read("7"), read("7"), read("8"));
    assert!(a == b && a != c);
}

#[test]
fn label_maps_come_from_files_and_a_lone_pancreas_gets_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let (labels, geometry) = map_of_organs();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    io::write(&file("organs.nii.gz"), Voxels::U8(labels.ids.view()), &geometry).unwrap();
    let alone = labels.ids.mapv(|id| if id == organ::PANCREAS { id } else { 0 });
    io::write(&file("alone.nii.gz"), Voxels::U8(alone.view()), &geometry).unwrap();
    let output = synth(folder.path(), &["-n", "2", "--labels", "organs.nii.gz", "alone.nii.gz", "--pictures"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(file("out/synth.json")).unwrap();
    assert!(text.contains("\"alone\"") && text.contains("\"organs\""), "{text}");
    assert!(file("out/synthetic_0002.png").exists());
    let output = synth(folder.path(), &["-n", "1", "--labels", "alone.nii.gz"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the pancreas alone"));
    // A folder that has its maps in folders of their own is no folder of maps.
    std::fs::create_dir_all(file("maps/organs")).unwrap();
    let output = synth(folder.path(), &["-n", "1", "--labels", "maps"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no label map lies in this folder"));
    io::write(&file("ct.nii.gz"), Voxels::F32(alone.mapv(|v| f32::from(v) * 10.5 - 20.0).view()), &geometry).unwrap();
    let output = synth(folder.path(), &["-n", "1", "--labels", "ct.nii.gz"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}
