//! Several models whose probabilities are averaged.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::options::{settle_weights, SegmentOptions};
use crate::files::hex;
use crate::labels::{Label, LabelSet};
use crate::network::Model;
use crate::volume::View;
use crate::{Error, Result};

/// Models that segment together: the folds of a cross-validation, say.
///
/// Each model's views are fused as if it were alone; the ensemble's probability of a label is the mean of those fused probabilities, voxel by
/// voxel, before any threshold, and the threshold, unless one is asked for, is the mean of the models' own. The models may be of different
/// networks, views and working grids, but segment the same labels. An ensemble of one model is that model.
#[derive(Clone, Debug)]
pub struct Ensemble<'a> {
    models: Vec<&'a Model>,
}

/// The most models of an ensemble: a longer list cannot be meant.
pub const MOST_MODELS: usize = 1024;

impl<'a> From<&'a Model> for Ensemble<'a> {
    fn from(model: &'a Model) -> Self {
        Ensemble { models: vec![model] }
    }
}

impl<'a> Ensemble<'a> {
    /// An ensemble of at least one model.
    ///
    /// # Errors
    /// [`Error::Argument`] for no model, for more than [`MOST_MODELS`], and for models whose labels differ in name, value or order.
    pub fn new(models: &[&'a Model]) -> Result<Self> {
        let Some((first, others)) = models.split_first() else {
            return Err(Error::argument("models", "none; an ensemble of at least one model was expected"));
        };
        if models.len() > MOST_MODELS {
            return Err(Error::argument("models", format!("{}; {MOST_MODELS} at most were expected", models.len())));
        }
        for (number, other) in others.iter().enumerate() {
            let (theirs, ours) = (&other.config().labels, &first.config().labels);
            if !agree(theirs, ours) {
                let fault = format!(
                    "number {} segments {}, and the first {}; models with the same labels in the same order were expected",
                    number + 2,
                    words(theirs),
                    words(ours)
                );
                return Err(Error::argument("models", fault));
            }
        }
        Ok(Ensemble { models: models.to_vec() })
    }

    /// The models, in the order in which they compute.
    pub fn models(&self) -> &[&'a Model] {
        &self.models
    }

    /// What is segmented; names, codes and colours are those of the first model.
    pub fn labels(&self) -> &'a LabelSet {
        &self.models[0].config().labels
    }

    /// Whether a view is computed where these were asked for: without any, all that some model has.
    pub fn computes(&self, view: View, asked: &[View]) -> bool {
        match asked.is_empty() {
            true => self.models.iter().any(|model| model.config().views.contains(&view)),
            false => asked.contains(&view),
        }
    }

    /// Which ensemble it is: a single model's own hash; of several the SHA-256 of their hashes, each in hexadecimal and with a line feed behind
    /// it, in their order.
    pub fn sha256(&self) -> String {
        match self.models.as_slice() {
            [only] => only.sha256().to_string(),
            several => {
                let mut hash = Sha256::new();
                several.iter().for_each(|model| hash.update(format!("{}\n", model.sha256())));
                hex(&hash.finalize())
            }
        }
    }

    /// Probabilities from here on are the label number `label`: the mean of the models' thresholds.
    pub fn threshold_of(&self, label: usize) -> f64 {
        mean(self.models.iter().map(|model| model.config().threshold_of(label)))
    }

    /// Each model's views to compute, with weights that add up to 1.
    pub(super) fn settle_weights(&self, options: &SegmentOptions) -> Result<Vec<BTreeMap<View, f64>>> {
        let of_model = |(number, model): (usize, &&Model)| {
            settle_weights(model, options).map_err(|error| match error {
                Error::Argument { name, fault } if self.models.len() > 1 => {
                    Error::Argument { name, fault: format!("of model {} of the ensemble: {fault}", number + 1) }
                }
                error => error,
            })
        };
        self.models.iter().enumerate().map(of_model).collect()
    }

    /// The same of a label beside the first, where `first` was asked for as the first one's threshold; it goes for labels without one of their own.
    pub(super) fn threshold_beside(&self, label: usize, first: f64) -> f64 {
        let own = |model: &&Model| model.config().labels.labels.get(label).and_then(|label| label.threshold);
        mean(self.models.iter().map(|model| own(model).unwrap_or(first)))
    }
}

/// The mean of numbers of which there is one at least; of one number, or of equal ones, that number exactly.
fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let numbers: Vec<f64> = numbers.collect();
    match numbers.iter().all(|number| *number == numbers[0]) {
        true => numbers[0],
        false => numbers.iter().sum::<f64>() / numbers.len() as f64,
    }
}

/// Whether two sets of labels mean the same; how they are shown, and their thresholds, may differ.
fn agree(a: &LabelSet, b: &LabelSet) -> bool {
    let same = |(a, b): (&Label, &Label)| (&a.name, a.value) == (&b.name, b.value);
    a.exclusive == b.exclusive && a.labels.len() == b.labels.len() && a.labels.iter().zip(&b.labels).all(same)
}

/// Labels in words: `pancreas (1) and tumour (2)`.
fn words(labels: &LabelSet) -> String {
    let names: Vec<_> = labels.labels.iter().map(|label| format!("{} ({})", label.name, label.value)).collect();
    let exclusive = if labels.exclusive { ", each voxel one of them at most" } else { "" };
    names.join(" and ") + exclusive
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{GgpfnConfig, ModelConfig, LABELS_FORMAT};

    fn model(labels: &[&str], threshold: f64) -> Model {
        let labels = match labels {
            ["pancreas"] => LabelSet::default(),
            names => LabelSet::named(names.iter().copied()),
        };
        let network = GgpfnConfig { t: 1, widths: [1; 4], global_widths: None, ..GgpfnConfig::default() };
        let base =
            ModelConfig { views: vec![View::Axial], network: network.into(), threshold, ..ModelConfig::default() };
        let format = if labels.is_pancreas() { base.format } else { LABELS_FORMAT };
        Model::new_untrained(ModelConfig { format, labels, ..base }, 1).unwrap()
    }

    #[test]
    fn models_of_other_labels_are_refused_in_a_sentence() {
        let (one, two) = (model(&["pancreas"], 0.5), model(&["pancreas", "tumour"], 0.5));
        let turned = model(&["tumour", "pancreas"], 0.5);
        let error = Ensemble::new(&[&one, &one, &two]).unwrap_err().to_string();
        assert!(error.contains("number 3 segments pancreas (1) and tumour (2), and the first pancreas (1)"), "{error}");
        assert!(Ensemble::new(&[&two, &turned]).is_err());
        assert!(Ensemble::new(&[&two, &two]).is_ok());
        assert!(Ensemble::new(&vec![&one; MOST_MODELS + 1]).unwrap_err().to_string().contains("1024 at most"));
        assert!(Ensemble::new(&[]).unwrap_err().to_string().contains("at least one"));
    }

    #[test]
    fn thresholds_are_averaged_and_hashes_joined() {
        let (low, high) = (model(&["pancreas"], 0.3), model(&["pancreas"], 0.5));
        let ensemble = Ensemble::new(&[&low, &high]).unwrap();
        assert_eq!(ensemble.threshold_of(0), 0.4);
        assert_eq!(Ensemble::new(&[&low, &low, &low]).unwrap().threshold_of(0), 0.3);
        assert_eq!(Ensemble::from(&low).sha256(), low.sha256());
        let lines = format!("{}\n{}\n", low.sha256(), high.sha256());
        assert_eq!(ensemble.sha256(), hex(&Sha256::digest(lines)));
    }
}
