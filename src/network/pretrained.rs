//! Weights that an FCN-8s was trained to elsewhere: those of a VGG-16 from ImageNet, or of an FCN-8s.
//!
//! FCN8s and RSTN of the paper's table 1 began with such weights. They are not part of this project: the reader brings a safetensors file,
//! with the names of torchvision's `vgg16` (`features.0.weight`, `classifier.0.weight` and so on), whose fully connected layers become
//! convolutions of 7 x 7 and 1 x 1, or with the names that the layers have here (`conv1_1.weight`, `fc6.weight`), which are those of the original
//! FCN-8s. The three slices take the planes of red, green and blue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::baselines::Baseline;
use super::config::NetworkConfig;
use super::layout;
use super::model_file::{read_tensors, Array, Model};
use crate::{Error, Result};

/// The layers of an FCN-8s below its scores, and what they are called in torchvision.
const LAYERS: [(&str, &str); 15] = [
    ("conv1_1", "features.0"),
    ("conv1_2", "features.2"),
    ("conv2_1", "features.5"),
    ("conv2_2", "features.7"),
    ("conv3_1", "features.10"),
    ("conv3_2", "features.12"),
    ("conv3_3", "features.14"),
    ("conv4_1", "features.17"),
    ("conv4_2", "features.19"),
    ("conv4_3", "features.21"),
    ("conv5_1", "features.24"),
    ("conv5_2", "features.26"),
    ("conv5_3", "features.28"),
    ("fc6", "classifier.0"),
    ("fc7", "classifier.3"),
];
/// Those of the two finer scales and the coarsest one. They are taken where they have as many maps as the network.
const SCORES: [&str; 3] = ["score_fr", "score_pool4", "score_pool3"];

/// Weights of a VGG-16 or FCN-8s, by the names of the layers of an FCN-8s.
#[derive(Clone, Debug)]
pub struct Pretrained {
    path: PathBuf,
    sha256: String,
    tensors: BTreeMap<String, Array>,
}

impl Pretrained {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Model`] if it is no safetensors file, or a layer of the network is missing in it or holds
    /// numbers that no trained network has.
    pub fn load(path: &Path) -> Result<Self> {
        let fault = |text: String| Error::Model { path: path.into(), fault: text };
        let (mut found, sha256) = read_tensors(path)?;
        let of_torchvision = found.contains_key("features.0.weight");
        if of_torchvision && found.contains_key("features.1.weight") {
            return Err(fault(
                "weights of a VGG-16 with batch normalisation (vgg16_bn); those of the one without (vgg16) were expected; without them a network is trained from scratch".into(),
            ));
        }
        let mut tensors = BTreeMap::new();
        for (own, torchvision) in LAYERS {
            for part in ["weight", "bias"] {
                let name = format!("{}.{part}", if of_torchvision { torchvision } else { own });
                let array = found.remove(&name).ok_or_else(|| {
                    fault(format!(
                        "the tensor {name} is missing; a VGG-16 with torchvision's names (features.0.weight to classifier.3.bias) or an FCN-8s \
                         (conv1_1.weight to fc7.bias) was expected"
                    ))
                })?;
                if let Some(value) = array.values.iter().find(|value| !value.is_finite()) {
                    return Err(fault(format!("the tensor {name} holds {value}, which no trained network has")));
                }
                tensors.insert(format!("{own}.{part}"), array);
            }
        }
        for name in SCORES.iter().flat_map(|score| [format!("{score}.weight"), format!("{score}.bias")]) {
            if let Some(array) = found.remove(&name) {
                tensors.insert(name, array);
            }
        }
        // A fully connected layer is a convolution over all that it sees: the numbers stay in their order.
        for (layer, sides) in [("fc6", [7, 7]), ("fc7", [1, 1])] {
            let name = format!("{layer}.weight");
            if let Some(array) = tensors.get_mut(&name) {
                if let [output, input] = array.shape[..] {
                    let area = sides[0] * sides[1];
                    if input % area != 0 {
                        return Err(fault(format!(
                            "the tensor of {layer} has {input} inputs; a multiple of {area} was expected"
                        )));
                    }
                    array.shape = vec![output, input / area, sides[0], sides[1]];
                }
            }
        }
        Ok(Pretrained { path: path.into(), sha256, tensors })
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The model with these weights in place of its own, in all views and, of an RSTN, in both of its networks. Scores stay the model's own
    /// where they have another number of maps.
    ///
    /// # Errors
    /// [`Error::Argument`] if the model is no FCN8s or RSTN without batch normalisation, [`Error::Model`] if the file's layers are wider or
    /// narrower than its.
    pub fn fill(&self, model: Model) -> Result<Model> {
        let prefixes: &[&str] = match &model.config().network {
            NetworkConfig::Baseline(Baseline::Fcn8s { scratch: false, .. }) => &[""],
            NetworkConfig::Baseline(Baseline::Rstn { scratch: false, .. }) => &["coarse.", "fine."],
            NetworkConfig::Baseline(Baseline::Fcn8s { .. } | Baseline::Rstn { .. }) => {
                return Err(Error::argument(
                    "weights",
                    "weights are for a network without batch normalisation, and the network has it, to be trained from scratch; choose one of the two",
                ))
            }
            _ => {
                return Err(Error::argument(
                    "weights",
                    format!(
                        "the network is {}; weights of a VGG-16 or FCN-8s are for fcn8s and rstn",
                        model.config().network_name()
                    ),
                ))
            }
        };
        let (config, mut weights) = (model.config().clone(), model.weights().clone());
        for view in &config.views {
            for entry in layout::table(&config) {
                let Some(name) = prefixes.iter().find_map(|prefix| entry.name.strip_prefix(prefix)) else { continue };
                let Some(array) = self.tensors.get(name) else { continue };
                if array.shape != entry.shape {
                    if SCORES.iter().any(|score| name.starts_with(score)) {
                        continue;
                    }
                    return Err(Error::Model {
                        path: self.path.clone(),
                        fault: format!(
                            "its {name} has the shape {:?}, the network's {:?}; give the network the width of the file's first layer, {}",
                            array.shape,
                            entry.shape,
                            self.width()
                        ),
                    });
                }
                weights.insert(format!("{view}.{}", entry.name), array.clone());
            }
        }
        Model::from_weights(config, weights)
    }

    /// The channels of the first convolution, 64 in a VGG-16.
    pub fn width(&self) -> usize {
        self.tensors.get("conv1_1.weight").and_then(|array| array.shape.first().copied()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use safetensors::tensor::{Dtype, TensorView};
    use tch::Tensor;

    use super::*;
    use crate::network::config::ModelConfig;
    use crate::volume::View;

    /// A VGG-16 of few channels, as torchvision would save it.
    fn vgg(width: usize) -> BTreeMap<String, Array> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut array = |shape: Vec<usize>| {
            let count = shape.iter().product();
            Array { values: (0..count).map(|_| random.random::<f32>() - 0.5).collect(), shape }
        };
        let mut tensors = BTreeMap::new();
        let mut input = 3;
        for (own, torchvision) in LAYERS {
            let output = match own.strip_prefix("conv").and_then(|rest| rest[..1].parse::<usize>().ok()) {
                Some(group) => width << (group - 1).min(3),
                None => 64 * width,
            };
            let weight = match own {
                "fc6" => vec![output, input * 49],
                "fc7" => vec![output, input],
                _ => vec![output, input, 3, 3],
            };
            tensors.insert(format!("{torchvision}.weight"), array(weight));
            tensors.insert(format!("{torchvision}.bias"), array(vec![output]));
            input = output;
        }
        tensors
    }

    fn write(tensors: &BTreeMap<String, Array>) -> (tempfile::TempDir, PathBuf) {
        let bytes: Vec<(&String, &Array, Vec<u8>)> = tensors
            .iter()
            .map(|(name, array)| (name, array, array.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, array, bytes)| (name, TensorView::new(Dtype::F32, array.shape.clone(), bytes).unwrap()));
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("a vgg.safetensors");
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        (room, path)
    }

    fn untrained(baseline: Baseline) -> Model {
        let config = ModelConfig {
            format: crate::network::config::LABELS_FORMAT,
            network: baseline.into(),
            views: vec![View::Axial, View::Coronal],
            ..ModelConfig::default()
        };
        Model::new_untrained(config, 1).unwrap()
    }

    fn fcn(width: usize) -> Baseline {
        Baseline::Fcn8s { width, scratch: false }
    }

    /// As a fully connected layer on what is left of a photograph, and as a convolution, fc6 says the same.
    #[test]
    fn a_fully_connected_layer_becomes_the_convolution_that_it_is() {
        let file = vgg(2);
        let (_room, path) = write(&file);
        let model = Pretrained::load(&path).unwrap().fill(untrained(fcn(2))).unwrap();
        let features = Tensor::rand([1, 16, 7, 7], (tch::Kind::Float, tch::Device::Cpu));
        for view in [View::Axial, View::Coronal] {
            let tensor = |name: &str| model.tensor(view, name).unwrap().to_tensor().unwrap();
            let convolution =
                features.conv2d(&tensor("fc6.weight"), Some(tensor("fc6.bias")), 1, 0, 1, 1).flatten(0, -1);
            let of_file = |name: &str| file[name].to_tensor().unwrap();
            let layer =
                features.flatten(1, -1).linear(&of_file("classifier.0.weight"), Some(of_file("classifier.0.bias")));
            let difference = (convolution - layer.flatten(0, -1)).abs().max().double_value(&[]);
            assert!(difference < 1e-4, "{difference}");
            assert_eq!(model.tensor(view, "conv3_2.weight").unwrap(), &file["features.12.weight"]);
            // Scores are the network's own.
            assert!(model.tensor(view, "score_fr.weight").unwrap().values.iter().all(|value| *value == 0.0));
        }
    }

    #[test]
    fn both_networks_of_an_rstn_begin_with_the_weights() {
        let file = vgg(1);
        let (_room, path) = write(&file);
        let model =
            Pretrained::load(&path).unwrap().fill(untrained(Baseline::Rstn { width: 1, scratch: false })).unwrap();
        for name in ["coarse.conv5_3.bias", "fine.conv5_3.bias"] {
            assert_eq!(model.tensor(View::Coronal, name).unwrap(), &file["features.28.bias"], "{name}");
        }
    }

    /// An FCN-8s' own scores are taken where they are of as many maps.
    #[test]
    fn an_fcn_of_the_layers_own_names_is_read_too() {
        let torchvision = vgg(2);
        let mut file = BTreeMap::new();
        for (own, name) in LAYERS {
            for part in ["weight", "bias"] {
                let mut array = torchvision[&format!("{name}.{part}")].clone();
                if (own, part) == ("fc6", "weight") {
                    array.shape = vec![128, 16, 7, 7];
                }
                file.insert(format!("{own}.{part}"), array);
            }
        }
        file.insert("score_pool4.weight".into(), Array { shape: vec![1, 16, 1, 1], values: vec![0.25; 16] });
        file.insert("score_fr.weight".into(), Array { shape: vec![21, 128, 1, 1], values: vec![0.25; 21 * 128] });
        let (_room, path) = write(&file);
        let model = Pretrained::load(&path).unwrap().fill(untrained(fcn(2))).unwrap();
        assert_eq!(model.tensor(View::Axial, "fc6.weight").unwrap(), &file["fc6.weight"]);
        assert_eq!(model.tensor(View::Axial, "score_pool4.weight").unwrap().values, [0.25; 16]);
        assert!(model.tensor(View::Axial, "score_fr.weight").unwrap().values.iter().all(|value| *value == 0.0));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_was_expected() {
        let file = vgg(2);
        let refused = |file: &BTreeMap<String, Array>, baseline: Baseline| {
            let (_room, path) = write(file);
            Pretrained::load(&path).and_then(|weights| weights.fill(untrained(baseline))).unwrap_err().to_string()
        };
        let wide = refused(&file, fcn(4));
        assert!(wide.contains("a vgg.safetensors") && wide.contains("the file's first layer, 2"), "{wide}");
        let scratch = refused(&file, fcn(2).from_scratch());
        assert!(scratch.contains("batch normalisation"), "{scratch}");
        let mut normalised = file.clone();
        normalised.insert("features.1.weight".into(), Array { shape: vec![2], values: vec![1.0; 2] });
        assert!(refused(&normalised, fcn(2)).contains("vgg16_bn"));
        let mut short = file.clone();
        short.remove("classifier.3.bias");
        let text = refused(&short, fcn(2));
        assert!(text.contains("classifier.3.bias is missing"), "{text}");
        let mut broken = file;
        if let Some(array) = broken.get_mut("features.0.bias") {
            array.values[1] = f32::NAN;
        }
        assert!(refused(&broken, fcn(2)).contains("holds NaN"));
        let (room, _) = write(&BTreeMap::new());
        let pickle = room.path().join("vgg16.pth");
        std::fs::write(&pickle, b"PK\x03\x04").unwrap();
        let text = Pretrained::load(&pickle).unwrap_err().to_string();
        assert!(text.contains("pickle"), "{text}");
    }
}
