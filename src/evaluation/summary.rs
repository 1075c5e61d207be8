//! Many comparisons in a few numbers, as table 1 of the paper: mean ± standard deviation, smallest and largest.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::significance::confidence_interval;
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
    /// [`Comparison::hausdorff95_area_mm`]
    Hausdorff95Area,
    /// [`Comparison::nsd_1mm`]
    Nsd1,
    /// [`Comparison::nsd_2mm`]
    Nsd2,
    /// [`Comparison::nsd_5mm`]
    Nsd5,
    /// [`Comparison::truth_components`]
    TruthComponents,
    /// [`Comparison::missed_components`]
    MissedComponents,
    /// [`Comparison::prediction_components`]
    PredictionComponents,
    /// [`Comparison::false_components`]
    FalseComponents,
}

impl Measure {
    /// All measures, in the order of tables.
    pub const ALL: [Measure; 18] = [
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
        Measure::Hausdorff95Area,
        Measure::Nsd1,
        Measure::Nsd2,
        Measure::Nsd5,
        Measure::TruthComponents,
        Measure::MissedComponents,
        Measure::PredictionComponents,
        Measure::FalseComponents,
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
            Measure::Hausdorff95Area => "hausdorff95_area_mm",
            Measure::Nsd1 => "nsd_1mm",
            Measure::Nsd2 => "nsd_2mm",
            Measure::Nsd5 => "nsd_5mm",
            Measure::TruthComponents => "truth_components",
            Measure::MissedComponents => "missed_components",
            Measure::PredictionComponents => "prediction_components",
            Measure::FalseComponents => "false_components",
        }
    }

    /// How it is shown to people.
    pub fn shown(self) -> Shown {
        let shown = |name, unit, factor, digits| Shown { name, unit, factor, digits };
        match self {
            Measure::Dice => shown("Dice", "%", 100.0, 2),
            Measure::Jaccard => shown("Jaccard", "%", 100.0, 2),
            Measure::Precision => shown("precision", "%", 100.0, 2),
            Measure::Recall => shown("recall", "%", 100.0, 2),
            Measure::PredictionMl => shown("volume", "mL", 1.0, 1),
            Measure::TruthMl => shown("true volume", "mL", 1.0, 1),
            Measure::VolumeErrorMl => shown("volume error", "mL", 1.0, 1),
            Measure::VolumeErrorPercent => shown("volume error", "%", 1.0, 1),
            Measure::Hausdorff95 => shown("HD95", "mm", 1.0, 2),
            Measure::MeanSurface => shown("mean surface distance", "mm", 1.0, 2),
            Measure::Hausdorff95Area => shown("HD95 by area", "mm", 1.0, 2),
            Measure::Nsd1 => shown("NSD at 1 mm", "%", 100.0, 2),
            Measure::Nsd2 => shown("NSD at 2 mm", "%", 100.0, 2),
            Measure::Nsd5 => shown("NSD at 5 mm", "%", 100.0, 2),
            Measure::TruthComponents => shown("components of the truth", "", 1.0, 0),
            Measure::MissedComponents => shown("missed components", "", 1.0, 0),
            Measure::PredictionComponents => shown("components of the result", "", 1.0, 0),
            Measure::FalseComponents => shown("false components", "", 1.0, 0),
        }
    }

    /// Whether a larger value is better, or a smaller one; none where neither is, as for a volume.
    pub fn larger_is_better(self) -> Option<bool> {
        match self {
            Measure::Dice | Measure::Jaccard | Measure::Precision | Measure::Recall => Some(true),
            Measure::Nsd1 | Measure::Nsd2 | Measure::Nsd5 => Some(true),
            Measure::Hausdorff95 | Measure::MeanSurface | Measure::Hausdorff95Area => Some(false),
            Measure::MissedComponents | Measure::FalseComponents => Some(false),
            Measure::PredictionMl | Measure::TruthMl | Measure::VolumeErrorMl | Measure::VolumeErrorPercent => None,
            Measure::TruthComponents | Measure::PredictionComponents => None,
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
            Measure::Hausdorff95Area => comparison.hausdorff95_area_mm,
            Measure::Nsd1 => comparison.nsd_1mm,
            Measure::Nsd2 => comparison.nsd_2mm,
            Measure::Nsd5 => comparison.nsd_5mm,
            Measure::TruthComponents => Some(comparison.truth_components as f64),
            Measure::MissedComponents => Some(comparison.missed_components as f64),
            Measure::PredictionComponents => Some(comparison.prediction_components as f64),
            Measure::FalseComponents => Some(comparison.false_components as f64),
        }
    }
}

/// A measure's name in tables, and how its numbers are written there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for a count.
    pub unit: &'static str,
    /// What a value is multiplied by: fractions are shown in percent.
    pub factor: f64,
    /// Digits after the point.
    pub digits: usize,
}

impl Shown {
    /// Name and unit.
    pub fn heading(&self) -> String {
        format!("{} {}", self.name, self.unit).trim_end().to_string()
    }

    /// A value, without its unit; a dash for none.
    pub fn number(&self, value: Option<f64>) -> String {
        // Counts have means that are no whole numbers.
        let digits = match value {
            Some(value) if self.digits == 0 && value.fract() != 0.0 => 2,
            _ => self.digits,
        };
        let Some(value) = value else { return "-".into() };
        let text = format!("{:.digits$}", value * self.factor);
        // A little less than nothing is nothing.
        match text.strip_prefix('-') {
            Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.into(),
            _ => text,
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
    /// The 95 % confidence interval of the mean ([`confidence_interval`]); none for fewer than two values.
    pub ci95: Option<[f64; 2]>,
}

impl Statistics {
    fn new(values: &[f64], seed: u64) -> Self {
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
            ci95: confidence_interval(values, seed),
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

/// Mean, standard deviation, smallest and largest of each measure, and the mean's confidence interval.
pub fn summarise(comparisons: &[Comparison]) -> Summary {
    summarise_seeded(comparisons, 0)
}

/// The same with another seed for the confidence intervals.
pub fn summarise_seeded(comparisons: &[Comparison], seed: u64) -> Summary {
    let values = |measure: Measure| comparisons.iter().filter_map(|c| measure.of(c)).collect::<Vec<_>>();
    Summary { statistics: Measure::ALL.map(|measure| Statistics::new(&values(measure), seed)) }
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
            hausdorff95_area_mm: None,
            nsd_1mm: None,
            nsd_2mm: None,
            nsd_5mm: None,
            truth_components: 1,
            missed_components: 0,
            prediction_components: 2,
            false_components: 1,
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
    fn numbers_are_written_as_people_do() {
        let volume = Measure::VolumeErrorPercent.shown();
        assert_eq!(
            [None, Some(-0.04), Some(-0.06), Some(12.34)].map(|v| volume.number(v)),
            ["-", "0.0", "-0.1", "12.3"]
        );
        let count = Measure::FalseComponents.shown();
        assert_eq!([Some(2.0), Some(0.125)].map(|v| count.number(v)), ["2", "0.12"]);
        assert_eq!(
            (Measure::Nsd2.shown().heading(), Measure::Dice.shown().number(Some(0.5))),
            ("NSD at 2 mm %".into(), "50.00".into())
        );
    }

    #[test]
    fn every_measure_has_its_place() {
        let comparison = case(0.5, None);
        let fields = serde_json::to_value(&comparison).unwrap();
        let summary = serde_json::to_value(summarise(std::slice::from_ref(&comparison))).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), Measure::ALL.len());
        for (place, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure as usize, place);
            assert_eq!(fields[measure.key()].as_f64(), measure.of(&comparison));
            assert_eq!(summary[measure.key()]["mean"].as_f64(), fields[measure.key()].as_f64());
        }
    }
}
