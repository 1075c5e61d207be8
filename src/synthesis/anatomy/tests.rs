//! What every abdomen has to be, over a dozen seeds at 4 mm.

use std::sync::LazyLock;

use ndarray::{s, Array3};

use super::*;

const SPACING: f64 = 4.0;

static ABDOMENS: LazyLock<Vec<Labels>> = LazyLock::new(|| (0..12).map(|seed| anatomy(seed, SPACING)).collect());

fn millilitres(labels: &Labels, organs: &[u8]) -> f64 {
    labels.ids.iter().filter(|id| organs.contains(id)).count() as f64 * SPACING.powi(3) / 1000.0
}

/// Mean place of an organ in mm along z, y and x.
fn middle(labels: &Labels, organ: u8) -> [f64; 3] {
    mean(&places(labels, organ))
}

fn places(labels: &Labels, organ: u8) -> Vec<[f64; 3]> {
    labels.places(organ).collect()
}

fn mean(places: &[[f64; 3]]) -> [f64; 3] {
    std::array::from_fn(|a| places.iter().map(|p| p[a]).sum::<f64>() / places.len() as f64)
}

/// How many faces two organs share.
fn faces(labels: &Labels, one: u8, other: u8) -> usize {
    let ids = &labels.ids;
    let steps = [s![1.., .., ..], s![.., 1.., ..], s![.., .., 1..]].into_iter();
    let back = [s![..-1, .., ..], s![.., ..-1, ..], s![.., .., ..-1]];
    let pairs = steps.zip(back).flat_map(|(next, this)| ids.slice(this).into_iter().zip(ids.slice(next)));
    pairs.filter(|(a, b)| [**a, **b] == [one, other] || [**a, **b] == [other, one]).count()
}

#[test]
fn organs_have_the_volumes_of_adults() {
    for (seed, labels) in ABDOMENS.iter().enumerate() {
        for (organs, low, high) in [
            (&[organ::SPLEEN][..], 60.0, 450.0),
            (&[organ::RIGHT_KIDNEY], 75.0, 290.0),
            (&[organ::LEFT_KIDNEY], 75.0, 290.0),
            (&[organ::LIVER], 900.0, 2500.0),
            (&[organ::STOMACH, organ::CONTENT], 80.0, 900.0),
            (&[organ::AORTA], 25.0, 130.0),
            (&[organ::PANCREAS], 35.0, 135.0),
            (&[organ::OESOPHAGUS], 4.0, 45.0),
            (&[organ::DUODENUM], 30.0, 190.0),
            (&[organ::VENA_CAVA], 35.0, 160.0),
            (&[organ::PORTAL_VEIN], 8.0, 60.0),
            (&[organ::MESENTERIC_VESSELS], 5.0, 45.0),
            (&[organ::SMALL_BOWEL], 200.0, 1800.0),
            (&[organ::COLON], 150.0, 1200.0),
            (&[organ::ADRENALS], 3.0, 22.0),
            (&[organ::VERTEBRAE], 200.0, 750.0),
            (&[organ::RIBS], 40.0, 250.0),
            (&[organ::SPINAL_CANAL], 30.0, 130.0),
            (&[organ::LUNG], 150.0, 2600.0),
            (&[organ::FAT], 700.0, 7000.0),
        ] {
            let volume = millilitres(labels, organs);
            assert!((low..high).contains(&volume), "seed {seed}: organ {organs:?} has {volume:.0} mL");
        }
        let bile = millilitres(labels, &[organ::GALLBLADDER]);
        assert!(bile == 0.0 || (5.0..90.0).contains(&bile), "seed {seed}: gallbladder {bile} mL");
    }
    assert!(ABDOMENS.iter().filter(|l| millilitres(l, &[organ::GALLBLADDER]) > 0.0).count() >= 7);
}

#[test]
fn the_pancreas_is_one_piece_that_touches_duodenum_and_splenic_vein() {
    for (seed, labels) in ABDOMENS.iter().enumerate() {
        let mask = labels.ids.mapv(|id| id == organ::PANCREAS);
        let (parts, count) = ndarray_ndimage::label::<u32>(&mask, &Array3::from_elem((3, 3, 3), true));
        let size = |n: usize| parts.iter().filter(|part| **part as usize == n).count();
        let largest = (1..=count).map(size).max().unwrap_or(0);
        let all = mask.iter().filter(|v| **v).count();
        assert!(largest as f64 > 0.98 * all as f64, "seed {seed}: {largest} of {all} voxels");
        let duodenum = faces(labels, organ::PANCREAS, organ::DUODENUM);
        assert!(duodenum >= 10, "seed {seed}: {duodenum} faces with the duodenum");
        let vein = faces(labels, organ::PANCREAS, organ::PORTAL_VEIN);
        assert!(vein >= 10, "seed {seed}: {vein} faces with portal and splenic vein");
    }
}

#[test]
fn the_pancreas_lies_before_spine_and_vena_cava_and_rises_to_the_left() {
    let mut rising = 0;
    for (seed, labels) in ABDOMENS.iter().enumerate() {
        let pancreas = middle(labels, organ::PANCREAS);
        assert!(pancreas[1] + 25.0 < middle(labels, organ::VERTEBRAE)[1], "seed {seed}");
        let mut places = places(labels, organ::PANCREAS);
        places.sort_by(|a, b| a[2].total_cmp(&b[2]));
        let tenth = places.len() / 10;
        let (head, tail) = (mean(&places[..tenth]), mean(&places[places.len() - tenth..]));
        // The head's slices: the vena cava is behind it in each.
        let cava: Vec<[f64; 3]> =
            self::places(labels, organ::VENA_CAVA).into_iter().filter(|p| (p[0] - head[0]).abs() < 8.0).collect();
        assert!(head[1] + 5.0 < mean(&cava)[1], "seed {seed}");
        assert!(tail[2] - head[2] > 80.0, "seed {seed}");
        rising += usize::from(tail[0] > head[0]);
    }
    assert!(rising >= 9, "{rising} of 12 tails are higher than the head");
}

#[test]
fn neighbours_lie_on_their_sides() {
    let mut lower = 0;
    for (seed, labels) in ABDOMENS.iter().enumerate() {
        let [pancreas, liver, spleen, right, left, aorta, cava] = [
            organ::PANCREAS,
            organ::LIVER,
            organ::SPLEEN,
            organ::RIGHT_KIDNEY,
            organ::LEFT_KIDNEY,
            organ::AORTA,
            organ::VENA_CAVA,
        ]
        .map(|id| middle(labels, id));
        assert!(liver[2] < pancreas[2] && liver[0] > pancreas[0], "seed {seed}");
        assert!(spleen[2] > pancreas[2] && spleen[1] > pancreas[1], "seed {seed}");
        assert!(right[2] < cava[2] && cava[2] < aorta[2] && aorta[2] < left[2], "seed {seed}");
        lower += usize::from(right[0] < left[0]);
    }
    assert!(lower >= 9, "{lower} of 12 right kidneys are the lower one");
}

#[test]
fn skin_is_all_around() {
    for (seed, labels) in ABDOMENS.iter().enumerate() {
        for id in 1..=organ::CONTENT {
            let bare = faces(labels, id, organ::BACKGROUND);
            assert!(id == organ::SUBCUTANEOUS_FAT || bare == 0, "seed {seed}: {bare} faces of organ {id} are bare");
        }
        let (_, ny, nx) = labels.ids.dim();
        let edge =
            labels.ids.indexed_iter().filter(|((_, y, x), _)| [0, ny - 1].contains(y) || [0, nx - 1].contains(x));
        assert_eq!(edge.filter(|(_, id)| **id != 0).count(), 0, "seed {seed}: the body leaves the grid");
    }
}

#[test]
fn a_seed_gives_one_map_on_any_number_of_threads() {
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let map = alone.install(|| anatomy(5, SPACING));
    assert_eq!(map, ABDOMENS[5]);
    let same = map.ids.iter().zip(&ABDOMENS[6].ids).filter(|(a, b)| a == b).count();
    assert!((same as f64) < 0.9 * map.ids.len() as f64, "seeds 5 and 6 share {same} of {} voxels", map.ids.len());
}

#[test]
fn spacing_sets_the_grid() {
    let labels = anatomy(1, 10.0);
    assert_eq!((labels.ids.dim(), labels.spacing), ((26, 30, 38), [10.0; 3]));
    assert_eq!(anatomy(1, 99.0), labels);
}
