//! What is printed and written of an evaluation as numbers: tables, CSV, JSON.

use std::io::Write;
use std::path::Path;

use ggpfn::evaluation::{Comparison, Difference, Measure, Spread, Summary, System};
use ggpfn::files::AtomicFile;
use ggpfn::{Error, Result};
use serde_json::{json, Value};

use super::cases::Case;

/// A printed table with a column for the cases, and one for each measure.
pub struct Table {
    names: usize,
}

/// The columns: measure, heading, factor (fractions are printed in percent) and digits.
const COLUMNS: [(Measure, &str, f64, usize); 9] = [
    (Measure::Dice, "Dice %", 100.0, 2),
    (Measure::Jaccard, "Jaccard %", 100.0, 2),
    (Measure::Precision, "precision %", 100.0, 2),
    (Measure::Recall, "recall %", 100.0, 2),
    (Measure::PredictionMl, "mL", 1.0, 1),
    (Measure::TruthMl, "truth mL", 1.0, 1),
    (Measure::VolumeErrorPercent, "error %", 1.0, 1),
    (Measure::Hausdorff95, "HD95 mm", 1.0, 2),
    (Measure::MeanSurface, "MSD mm", 1.0, 2),
];

/// The measures of a single case that stand below its row.
const MORE: [Measure; 8] = [
    Measure::Nsd1,
    Measure::Nsd2,
    Measure::Nsd5,
    Measure::Hausdorff95Area,
    Measure::TruthComponents,
    Measure::MissedComponents,
    Measure::PredictionComponents,
    Measure::FalseComponents,
];

impl Table {
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Table { names: names.map(|name| name.chars().count()).max().unwrap_or(0).max("smallest".len()) }
    }

    pub fn print_head(&self) {
        self.line("case", COLUMNS.map(|(_, heading, _, _)| heading.to_string()));
    }

    pub fn print(&self, name: &str, value: impl Fn(Measure) -> Option<f64>) {
        self.line(name, COLUMNS.map(|(measure, _, factor, digits)| number(value(measure), factor, digits)));
    }

    pub fn print_summary(&self, summary: &Summary) {
        say!("");
        self.print("mean", |measure| summary.of(measure).mean);
        let deviation = |(measure, _, factor, digits): (Measure, &str, f64, usize)| {
            summary.of(measure).std.map_or("-".into(), |std| format!("±{:.digits$}", std * factor))
        };
        self.line("", COLUMNS.map(deviation));
        self.print("smallest", |measure| summary.of(measure).min);
        self.print("largest", |measure| summary.of(measure).max);
        self.line("cases", COLUMNS.map(|(measure, _, _, _)| summary.of(measure).count.to_string()));
    }

    fn line(&self, name: &str, cells: [String; COLUMNS.len()]) {
        let mut text = format!("{name:<width$}", width = self.names);
        for (cell, (_, heading, _, _)) in cells.iter().zip(COLUMNS) {
            text += &format!("  {cell:>width$}", width = heading.len().max(7));
        }
        say!("{text}");
    }
}

fn number(value: Option<f64>, factor: f64, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{:.digits$}", value * factor))
}

/// The measures of one case that its row has no room for.
pub fn print_more(comparison: &Comparison) {
    say!("");
    for measure in MORE {
        let shown = measure.shown();
        say!("{:<26}{:>8}", shown.heading(), shown.number(measure.of(comparison)));
    }
}

/// All measures with their confidence intervals.
pub fn print_intervals(summary: &Summary) {
    say!("");
    say!("{:<26}{:>9}  {:>20}  {:>9}  {:>9}  {:>5}", "", "mean", "95 % interval", "smallest", "largest", "cases");
    for measure in Measure::ALL {
        let (shown, values) = (measure.shown(), summary.of(measure));
        let number = |value: Option<f64>| shown.number(value);
        say!(
            "{:<26}{:>9}  {:>20}  {:>9}  {:>9}  {:>5}",
            shown.heading(),
            number(values.mean),
            values.ci95.map_or("-".into(), |[low, high]| format!("{} to {}", number(Some(low)), number(Some(high)))),
            number(values.min),
            number(values.max),
            values.count
        );
    }
}

/// What the probability maps of a system say, pooled.
pub fn print_probabilities(system: &System) {
    let Some(pooled) = system.pooled() else { return };
    let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.2} %", 100.0 * value));
    say!("");
    say!("All voxels of all probability maps:");
    if let Some(best) = pooled.best() {
        say!(
            "  best F-score (Dice) {} at the threshold {} (precision {}, recall {})",
            percent(best.dice),
            best.threshold,
            percent(best.precision),
            percent(best.recall)
        );
    }
    say!("  average precision {}", percent(pooled.average_precision()));
    let errors = [0.0, 0.1].map(|from| percent(pooled.calibration_error(from)));
    say!("  expected calibration error {}; of voxels with a probability from 0.1 on {}", errors[0], errors[1]);
}

/// The tests of systems against each other.
pub fn print_differences(differences: &[Difference]) {
    let names =
        |name: fn(&Difference) -> &str| differences.iter().map(|d| name(d).chars().count()).max().unwrap_or(0).max(6);
    let (first, second) = (names(|d| &d.first), names(|d| &d.second));
    say!("");
    say!(
        "{:<26}{:<first$}  {:<second$}  {:>10}  {:>18}  {:>5}  {:>8}  {:>8}",
        "paired Wilcoxon tests",
        "first",
        "second",
        "difference",
        "95 % interval",
        "cases",
        "p",
        "p (Holm)"
    );
    for difference in differences {
        let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.key() == difference.measure) else {
            continue;
        };
        let shown = measure.shown();
        let number = |value: f64| shown.number(Some(value));
        let p = |value: f64| if value < 0.001 { format!("{value:.1e}") } else { format!("{value:.4}") };
        say!(
            "{:<26}{:<first$}  {:<second$}  {:>10}  {:>18}  {:>5}  {:>8}  {:>8}",
            shown.heading(),
            difference.first,
            difference.second,
            shown.number(difference.mean_difference),
            difference.ci95.map_or("-".into(), |[low, high]| format!("{} to {}", number(low), number(high))),
            difference.cases,
            difference.test.map_or("-".into(), |test| p(test.p)),
            difference.test.map_or("-".into(), |_| p(difference.p_holm)),
        );
    }
}

/// What CSV has of a case's probability map.
const PROBABILITY_KEYS: [&str; 5] =
    ["average_precision", "best_dice", "best_threshold", "calibration_error", "calibration_error_from_0.1"];

fn probability_values(spread: Option<&Spread>) -> [Option<f64>; PROBABILITY_KEYS.len()] {
    let best = spread.and_then(Spread::best);
    [
        spread.and_then(Spread::average_precision),
        best.and_then(|best| best.dice),
        best.map(|best| best.threshold),
        spread.and_then(|spread| spread.calibration_error(0.0)),
        spread.and_then(|spread| spread.calibration_error(0.1)),
    ]
}

/// A system with the files of its cases, which are in the order of those.
pub struct Evaluated<'a> {
    pub system: &'a System,
    pub files: &'a [&'a Case],
}

/// One row per case, with all digits; names are quoted where they have to be.
pub fn write_csv(path: &Path, systems: &[Evaluated]) -> Result<()> {
    let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    let mut file = AtomicFile::create(path)?;
    let mut row = |cells: Vec<String>| writeln!(file, "{}", cells.join(",")).map_err(|e| Error::file("write", path, e));
    let keys = Measure::ALL.map(|measure| measure.key().to_string());
    let names = ["case", "prediction", "truth"].map(String::from).into_iter();
    row(names.chain(keys).chain(["system".into()]).chain(PROBABILITY_KEYS.map(String::from)).collect())?;
    for Evaluated { system, files } in systems {
        for (case, files) in system.cases.iter().zip(*files) {
            let names = [case.name.clone(), files.prediction.display().to_string(), files.truth.display().to_string()];
            let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let values = Measure::ALL.map(|measure| text(measure.of(&case.comparison)));
            let more = probability_values(case.spread.as_ref()).map(text);
            let names = names.iter().map(|name| quoted(name));
            row(names.chain(values).chain([quoted(&system.name)]).chain(more).collect())?;
        }
    }
    file.commit()
}

/// Everything as JSON. With one system its summary stands as `summary`; with several that is an object with one for each.
pub fn to_json(
    label: Option<u16>,
    seed: u64,
    systems: &[Evaluated],
    summaries: &[Summary],
    differences: &[Difference],
) -> Value {
    let mut cases = Vec::new();
    for Evaluated { system, files } in systems {
        for (case, files) in system.cases.iter().zip(*files) {
            let (prediction, truth) = (files.prediction.display().to_string(), files.truth.display().to_string());
            let mut value = json!({
                "case": case.name, "prediction": prediction, "truth": truth, "measures": case.comparison, "system": system.name,
            });
            if let Some(spread) = &case.spread {
                value["probability"] = probability(spread);
            }
            cases.push(value);
        }
    }
    let names = systems.iter().map(|evaluated| evaluated.system.name.clone());
    let summary = match summaries {
        [summary] => json!(summary),
        several => Value::Object(names.clone().zip(several.iter().map(|summary| json!(summary))).collect()),
    };
    let probabilities: serde_json::Map<String, Value> = systems
        .iter()
        .filter_map(|evaluated| {
            let system = evaluated.system;
            Some((system.name.clone(), pooled(system, &system.pooled()?)))
        })
        .collect();
    json!({
        "ggpfn": env!("CARGO_PKG_VERSION"),
        "label": label,
        "seed": seed,
        "cases": cases,
        "summary": summary,
        "systems": names.collect::<Vec<_>>(),
        "differences": differences,
        "probabilities": probabilities,
    })
}

fn probability(spread: &Spread) -> Value {
    json!({
        "average_precision": spread.average_precision(),
        "best": spread.best(),
        "calibration_error": spread.calibration_error(0.0),
        "calibration_error_from_0.1": spread.calibration_error(0.1),
    })
}

/// The same of all voxels, with the curve at each hundredth and the reliability diagram.
fn pooled(system: &System, spread: &Spread) -> Value {
    let mut value = probability(spread);
    let curve = spread.curve();
    let thresholds: Vec<f64> = (0..=100).map(|step| f64::from(step) / 100.0).collect();
    let points = thresholds.iter().zip(system.mean_dice_at(&thresholds)).map(|(threshold, mean)| {
        let mut point = json!(Spread::at(&curve, *threshold));
        point["mean_dice"] = json!(mean);
        point
    });
    value["curve"] = points.collect();
    value["reliability"] = json!(spread.reliability());
    value
}
