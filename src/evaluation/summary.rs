//! Many comparisons in a few numbers, as table 1 of the paper: mean ± standard deviation, smallest and largest.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Comparison;

/// One of the measures of a [`Comparison`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// [`Comparison::dice`]
    Dice,
    /// [`Comparison::jaccard`]
    Jaccard,
    /// [`Comparison::precision`]
    Precision,
    /// [`Comparison::recall`]
    Recall,
    /// [`Comparison::prediction_ml`]
    PredictionMl,
    /// [`Comparison::truth_ml`]
    TruthMl,
    /// [`Comparison::volume_error_ml`]
    VolumeErrorMl,
    /// [`Comparison::volume_error_percent`]
    VolumeErrorPercent,
    /// [`Comparison::hausdorff95_mm`]
    Hausdorff95,
    /// [`Comparison::mean_surface_mm`]
    MeanSurface,
}

impl Measure {
    /// All measures, in the order of tables.
    pub const ALL: [Measure; 10] = [
        Measure::Dice,
        Measure::Jaccard,
        Measure::Precision,
        Measure::Recall,
        Measure::PredictionMl,
        Measure::TruthMl,
        Measure::VolumeErrorMl,
        Measure::VolumeErrorPercent,
        Measure::Hausdorff95,
        Measure::MeanSurface,
    ];

    /// The measure's name in JSON and CSV, which is that of the field.
    pub fn key(self) -> &'static str {
        match self {
            Measure::Dice => "dice",
            Measure::Jaccard => "jaccard",
            Measure::Precision => "precision",
            Measure::Recall => "recall",
            Measure::PredictionMl => "prediction_ml",
            Measure::TruthMl => "truth_ml",
            Measure::VolumeErrorMl => "volume_error_ml",
            Measure::VolumeErrorPercent => "volume_error_percent",
            Measure::Hausdorff95 => "hausdorff95_mm",
            Measure::MeanSurface => "mean_surface_mm",
        }
    }

    /// Its value in a comparison, where it has one.
    pub fn of(self, comparison: &Comparison) -> Option<f64> {
        match self {
            Measure::Dice => comparison.dice,
            Measure::Jaccard => comparison.jaccard,
            Measure::Precision => comparison.precision,
            Measure::Recall => comparison.recall,
            Measure::PredictionMl => Some(comparison.prediction_ml),
            Measure::TruthMl => Some(comparison.truth_ml),
            Measure::VolumeErrorMl => Some(comparison.volume_error_ml),
            Measure::VolumeErrorPercent => comparison.volume_error_percent,
            Measure::Hausdorff95 => comparison.hausdorff95_mm,
            Measure::MeanSurface => comparison.mean_surface_mm,
        }
    }
}

/// One measure over many cases. Cases in which it has no value do not enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Statistics {
    /// How many values entered.
    pub count: usize,
    /// Their mean; none without values.
    pub mean: Option<f64>,
    /// Their standard deviation as a sample (divided by count - 1); none for fewer than two values.
    pub std: Option<f64>,
    /// The smallest; none without values.
    pub min: Option<f64>,
    /// The largest; none without values.
    pub max: Option<f64>,
}

impl Statistics {
    fn new(values: &[f64]) -> Self {
        let count = values.len();
        let mean = (count > 0).then(|| values.iter().sum::<f64>() / count as f64);
        // From the deviations, not from the squares, which would lose the digits of values that are nearly alike.
        let squares = mean.map(|mean| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>());
        Statistics {
            count,
            mean,
            std: squares.filter(|_| count > 1).map(|squares| (squares / (count - 1) as f64).sqrt()),
            min: values.iter().copied().min_by(f64::total_cmp),
            max: values.iter().copied().max_by(f64::total_cmp),
        }
    }
}

/// All measures over many cases; as JSON an object with one entry per measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    statistics: [Statistics; Measure::ALL.len()],
}

impl Summary {
    /// The statistics of one measure.
    pub fn of(&self, measure: Measure) -> &Statistics {
        &self.statistics[measure as usize]
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Measure::ALL.len()))?;
        for measure in Measure::ALL {
            map.serialize_entry(measure.key(), self.of(measure))?;
        }
        map.end()
    }
}

/// Mean, standard deviation, smallest and largest of each measure.
pub fn summarise(comparisons: &[Comparison]) -> Summary {
    let statistics = Measure::ALL
        .map(|measure| Statistics::new(&comparisons.iter().filter_map(|c| measure.of(c)).collect::<Vec<_>>()));
    Summary { statistics }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(dice: f64, mean_surface_mm: Option<f64>) -> Comparison {
        Comparison {
            dice: Some(dice),
            jaccard: Some(0.0),
            precision: None,
            recall: None,
            prediction_ml: 0.0,
            truth_ml: 0.0,
            volume_error_ml: 0.0,
            volume_error_percent: None,
            hausdorff95_mm: None,
            mean_surface_mm,
        }
    }

    #[test]
    fn by_hand() {
        let summary = summarise(&[case(0.5, Some(3.0)), case(0.75, None), case(1.0, Some(1.0))]);
        let dice = summary.of(Measure::Dice);
        assert_eq!((dice.count, dice.mean, dice.std), (3, Some(0.75), Some(0.25)));
        assert_eq!((dice.min, dice.max), (Some(0.5), Some(1.0)));
        let surface = summary.of(Measure::MeanSurface);
        assert_eq!((surface.count, surface.mean, surface.std), (2, Some(2.0), Some(2.0_f64.sqrt())));
        assert_eq!(*summary.of(Measure::Recall), Statistics::default());
        assert_eq!(summarise(&[case(0.5, None)]).of(Measure::Dice).std, None);
    }

    #[test]
    fn every_measure_has_its_place() {
        let comparison = case(0.5, None);
        let fields = serde_json::to_value(&comparison).unwrap();
        let summary = serde_json::to_value(summarise(std::slice::from_ref(&comparison))).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), Measure::ALL.len());
        for (place, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure as usize, place);
            assert_eq!(fields[measure.key()], serde_json::to_value(measure.of(&comparison)).unwrap());
            assert_eq!(summary[measure.key()]["mean"], fields[measure.key()]);
        }
    }
}
