//! The network's layers, parameter counts and model file are those of the paper and of the file format.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{scrambled, small_config};
use ggpfn::network::ggpfn::topology;
use ggpfn::network::{layout, BatchNorm, Fusion, GgpfnConfig, Model, ModelConfig, Network, WeightType};
use ggpfn::volume::View;
use ggpfn::Error;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

#[test]
fn parameters_are_the_papers() {
    let config = ModelConfig::default();
    assert_eq!(layout::parameters(&config), 14_151_959); // table 1: 1.4e7
    assert_eq!(3 * layout::parameters(&config), 42_455_877); // 4.2e7
    let network = config.ggpfn().unwrap();
    assert_eq!((network.slices(), network.receptive_field()), (31, 144));
}

/// The rows of docs/network.md's tables, each as its cells without backticks.
fn documented_rows() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/network.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.replace('`', "")).collect()).collect()
}

/// A number as the tables write it, with a space between thousands.
fn number(cell: &str) -> usize {
    cell.replace(' ', "").parse().unwrap_or_else(|_| panic!("{cell} is no number"))
}

/// docs/network.md lists every layer, with its weight's shape and its parameters, and no other.
#[test]
fn the_documented_layers_are_the_codes() {
    let rows = documented_rows();
    let is_layer = |row: &&Vec<String>| {
        ["local.", "global."].iter().any(|start| row[0].starts_with(start)) && row[1].starts_with('[')
    };
    let mut documented: Vec<(String, String, usize)> =
        rows.iter().filter(is_layer).map(|row| (row[0].clone(), row[1].clone(), number(row.last().unwrap()))).collect();
    documented.sort();
    let mut layers: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for entry in layout::table(&ModelConfig::default()).iter().filter(|entry| entry.role.is_parameter()) {
        let (path, part) = entry.name.rsplit_once('.').unwrap();
        let layer = path.strip_suffix(".conv").or(path.strip_suffix(".bn")).unwrap_or(path);
        let (shape, parameters) = layers.entry(layer.into()).or_default();
        if part == "weight" && !path.ends_with(".bn") {
            *shape = format!("{:?}", entry.shape);
        }
        *parameters += entry.shape.iter().product::<usize>();
    }
    let coded: Vec<_> = layers.into_iter().map(|(layer, (shape, parameters))| (layer, shape, parameters)).collect();
    assert_eq!(documented, coded);
    assert_eq!(coded.iter().map(|(.., parameters)| parameters).sum::<usize>(), 14_151_959);
}

/// So are the names of a model file's tensors, the slices that groups leave, and the variants' numbers of parameters.
#[test]
fn the_documented_names_slices_and_variants_are_the_codes() {
    let rows = documented_rows();
    for entry in layout::table(&ModelConfig::default()) {
        let part = |part: &str| entry.name.strip_suffix(&format!(".{part}")).map(String::from);
        let fits = |row: &&Vec<String>| {
            let Some((_, patterns)) = row[0].split_once(": ") else { return false };
            let layers: Vec<String> = row[1].split(", ").filter_map(part).collect();
            let is_of = |pattern: &str, layer: &String| match pattern.strip_suffix('*') {
                Some(start) => layer.starts_with(start) && !layer.ends_with(".conv") && !layer.ends_with(".bn"),
                None => layer == pattern,
            };
            patterns.split(", ").any(|pattern| layers.iter().any(|layer| is_of(pattern, layer)))
        };
        assert_eq!(rows.iter().filter(fits).count(), 1, "{}", entry.name);
    }
    let mut slices = 0;
    for row in rows.iter().filter(|row| row.len() == 6 && row[0].parse::<usize>().is_ok()) {
        let t: usize = row[0].parse().unwrap();
        let mut left = 2 * t + 1;
        assert_eq!(number(&row[1]), left);
        let mut index = 0;
        for (group, cell) in topology::ENCODER.iter().zip(&row[2..]) {
            for _ in 0..group.convolutions() {
                left -= topology::depth_extent(&GgpfnConfig { t, ..GgpfnConfig::default() }, index) - 1;
                index += 1;
            }
            assert_eq!(number(cell), left, "T = {t}");
        }
        slices += 1;
    }
    assert_eq!(slices, 4);

    let default = ModelConfig::default;
    let one_off = |t| {
        default().with_ggpfn(|n| {
            n.t = t;
            n.fusion = Fusion::OneOff;
        })
    };
    for (name, config) in [
        ("default (progressive, T = 15, global guidance)", default()),
        ("T = 10", default().with_ggpfn(|n| n.t = 10)),
        ("T = 5", default().with_ggpfn(|n| n.t = 5)),
        ("one-off, T = 15", one_off(15)),
        ("one-off, T = 10", one_off(10)),
        ("one-off, T = 5", one_off(5)),
        ("one-off, T = 1", one_off(1)),
        ("no global guidance", default().with_ggpfn(|n| n.global_widths = None)),
    ] {
        let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row {name}"));
        assert_eq!(number(&row[1]), layout::parameters(&config), "{name}");
    }
}

#[test]
fn groups_leave_27_21_11_and_1_slices() {
    let model = Model::new_untrained(small_config(), 1).unwrap();
    let network = Network::new(&model, View::Axial).unwrap();
    let windows = Tensor::rand([2, 31, 32, 24], (Kind::Float, Device::Cpu));
    let shapes: Vec<_> = network.encode(&windows, BatchNorm::Running).unwrap().iter().map(Tensor::size).collect();
    assert_eq!(shapes, [[2, 4, 27, 32, 24], [2, 6, 21, 16, 12], [2, 8, 11, 8, 6], [2, 10, 1, 4, 3]]);
}

#[test]
fn every_t_leaves_one_slice() {
    for t in 1..=15 {
        for fusion in [Fusion::Progressive, Fusion::OneOff] {
            let model = Model::new_untrained(
                small_config().with_ggpfn(|n| {
                    n.t = t;
                    n.fusion = fusion;
                }),
                1,
            )
            .unwrap();
            let network = Network::new(&model, View::Axial).unwrap();
            let windows = Tensor::rand([1, 2 * t as i64 + 1, 16, 16], (Kind::Float, Device::Cpu));
            assert_eq!(
                network.encode(&windows, BatchNorm::Running).unwrap()[3].size(),
                [1, 10, 1, 2, 2],
                "t {t} {fusion:?}"
            );
        }
    }
}

#[test]
fn side_outputs_have_the_scales_of_their_groups() {
    let model = Model::new_untrained(small_config(), 1).unwrap();
    let network = Network::new(&model, View::Coronal).unwrap();
    let global =
        network.global(&Tensor::rand([2, 1, 64, 32], (Kind::Float, Device::Cpu)), BatchNorm::Running).unwrap().unwrap();
    assert_eq!(global.features.size(), [2, 7, 2, 1]);
    assert_eq!(global.logits.size(), [2, 1, 2, 1]); // 1/32
    assert_eq!(global.finer_logits.size(), [2, 1, 4, 2]); // 1/16
    let guidance = Tensor::rand([2, 7, 4, 6], (Kind::Float, Device::Cpu));
    let windows = Tensor::rand([2, 31, 32, 48], (Kind::Float, Device::Cpu));
    let local = network.local(&windows, Some(&guidance), BatchNorm::Running).unwrap();
    assert_eq!(local.logits.size(), [2, 1, 32, 48]);
    let scales: Vec<_> = local.side.iter().map(|side| side.size()[2]).collect();
    assert_eq!(scales, [32, 16, 8, 4]);
}

/// Which pixels of the window the middle pixel of the encoder's last group depends on, by gradient.
#[test]
fn the_receptive_field_is_144_pixels_and_31_slices() {
    const SIZE: i64 = 176;
    let config = small_config().with_ggpfn(|n| {
        n.widths = [4; 4];
        n.global_widths = None;
    });
    let model = Model::new_untrained(config, 3).unwrap();
    let network = Network::new(&model, View::Axial).unwrap();
    // The same each time: for some windows none of so few channels is alive.
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let values: Vec<f32> = (0..31 * SIZE * SIZE).map(|_| random.random()).collect();
    let windows = Tensor::from_slice(&values).reshape([1, 31, SIZE, SIZE]).set_requires_grad(true);
    let middle =
        network.encode(&windows, BatchNorm::Running).unwrap().remove(3).select(3, SIZE / 16).select(3, SIZE / 16);
    middle.sum(Kind::Float).backward();
    let reached = windows.grad().abs().gt(0.0); // [1, 31, H, W]
    let extent = |dimensions: &[i64]| {
        let any = reached.any_dims(dimensions, false);
        let nonzero = any.nonzero();
        nonzero.max().int64_value(&[]) - nonzero.min().int64_value(&[]) + 1
    };
    // ReLUs and poolings cut single pixels off the edge of the field in a random network; more than two would be a mistake.
    for size in [extent(&[0, 1, 3]), extent(&[0, 1, 2])] {
        assert!((142..=144).contains(&size), "{size} pixels");
    }
    assert_eq!(extent(&[0, 2, 3]), 31);
}

#[test]
fn a_model_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mödel one.safetensors");
    for config in [
        small_config(),
        ModelConfig { spacing: Some([2.0, 1.5, 1.5]), ..small_config() }.with_ggpfn(|n| n.global_widths = None),
    ] {
        let model = scrambled(config, 5);
        model.save(&path, WeightType::F32).unwrap();
        let again = Model::load(&path).unwrap();
        assert_eq!((model.config(), model.weights()), (again.config(), again.weights()));
        assert_eq!(model.sha256(), again.sha256());
        for (stored, tolerance) in [(WeightType::F16, 1e-3), (WeightType::BF16, 1e-2)] {
            model.save(&path, stored).unwrap();
            let rounded = Model::load(&path).unwrap();
            for (name, array) in model.weights() {
                for (a, b) in array.values.iter().zip(&rounded.weights()[name].values) {
                    assert!((a - b).abs() <= tolerance * a.abs().max(0.1), "{name}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn a_seed_is_one_model_and_a_view_has_its_own_weights() {
    let three = Model::new_untrained(small_config(), 7).unwrap();
    assert_eq!(three.sha256(), Model::new_untrained(small_config(), 7).unwrap().sha256());
    assert_ne!(three.sha256(), Model::new_untrained(small_config(), 8).unwrap().sha256());
    let one = Model::new_untrained(ModelConfig { views: vec![View::Coronal], ..small_config() }, 7).unwrap();
    for (name, array) in one.weights() {
        assert_eq!(array, &three.weights()[name]);
    }
    assert_ne!(three.weights()["axial.local.head.weight"], three.weights()["coronal.local.head.weight"]);
}

/// A model file's bytes, its header rewritten by `change`.
fn with_header(change: impl Fn(String) -> String) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let config = ModelConfig { views: vec![View::Axial], ..small_config() }.with_ggpfn(|n| n.t = 1);
    Model::new_untrained(config, 1).unwrap().save(&path, WeightType::F32).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = change(String::from_utf8(bytes[8..8 + length].to_vec()).unwrap());
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend(header.as_bytes());
    changed.extend(&bytes[8 + length..]);
    changed
}

#[test]
fn broken_model_files_are_refused_by_a_sentence() {
    let whole = with_header(|header| header);
    assert!(Model::from_bytes(&whole, Path::new("m")).is_ok());
    let replaced = |from: &'static str, to: &'static str| {
        with_header(|header| {
            assert!(header.contains(from), "{from} is not in {header}");
            header.replacen(from, to, 1)
        })
    };
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("truncated", whole[..whole.len() - 100].to_vec(), "truncated"),
        ("only a length", whole[..8].to_vec(), "truncated"),
        ("empty", Vec::new(), "truncated"),
        ("pickle", b"PK\x03\x04 and so on, for more than a few bytes".to_vec(), "pickle"),
        ("an absurd header length", [&[0xff; 8][..], &whole[8..]].concat(), "safetensors"),
        ("no configuration", replaced("\"ggpfn\":", "\"other\":"), "not a GGPFN model"),
        ("another format", replaced("\\\"format\\\":1", "\\\"format\\\":3"), "format is number 3"),
        (
            "labels that are not there",
            replaced("\\\"format\\\":1", "\\\"format\\\":2"),
            "format 2 does not go with its network (ggpfn) and labels (pancreas)",
        ),
        ("another width", replaced("\\\"widths\\\":[4,", "\\\"widths\\\":[5,"), "shape"),
        ("a missing tensor", replaced("axial.local.head.bias", "axial.local.head.bios"), "missing"),
        ("an unknown view", replaced("\\\"views\\\":[\\\"axial\\\"]", "\\\"views\\\":[\\\"oblong\\\"]"), "oblong"),
        ("t of 40", replaced("\\\"t\\\":1,", "\\\"t\\\":40,"), "t is 40"),
        ("integers", replaced("\"dtype\":\"F32\"", "\"dtype\":\"I32\""), "F32, F16 or BF16"),
    ];
    for (name, bytes, sentence) in cases {
        match Model::from_bytes(&bytes, Path::new("m")) {
            Err(Error::Model { fault, .. }) => assert!(fault.contains(sentence), "{name}: {fault}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    // Every byte of the header's JSON that goes missing is noticed or harmless, never a panic.
    for cut in (0..whole.len().min(4000)).step_by(13) {
        let _ = Model::from_bytes(&whole[..cut], Path::new("m"));
    }
}
