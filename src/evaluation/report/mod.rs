//! An evaluation as one HTML file that needs nothing else: no network, no other file, no script but its own.

mod charts;
mod html;
mod viewer;

use std::fmt::Write;
use std::path::Path;

use charts::{dots, fractions, Line};
use html::escape;
use viewer::Viewer;

use super::scene::Scene;
use super::summary::{summarise_seeded, Measure};
use super::systems::{compare_systems, System};
use super::Spread;
use crate::files;
use crate::Result;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Beyond these a report would be a heap of lines; colours are as many.
const MOST_LINES: usize = 6;

/// What each measure means, with its source.
const DEFINITIONS: [(&str, &str); 9] = [
    ("Dice, Jaccard, precision, recall", "overlap of voxels; 2|P∩T|/(|P|+|T|), |P∩T|/|P∪T|, |P∩T|/|P|, |P∩T|/|T|"),
    ("NSD at t mm", "normalised surface distance (surface Dice; Nikolov et al. 2021): the part of both surfaces, by area, that is within t mm of the other; surface elements of the package surface-distance"),
    ("HD95 by area", "for each surface the distance within which 95 % of its area lies, the larger of both; package surface-distance"),
    ("HD95", "95th percentile of the distances between surface voxels, both directions pooled, interpolated"),
    ("mean surface distance", "mean of the same distances"),
    ("components", "connected by faces, edges or corners; one of the truth is missed, one of the prediction false, if the other mask has none of its voxels"),
    ("95 % interval", "percentile bootstrap over cases, 10 000 resamples"),
    ("p", "paired two-sided Wilcoxon signed-rank test, exact where SciPy's is; corrected by Holm's method over the pairs of systems within each measure"),
    ("calibration error", "expected calibration error over ten bins of equal width; of all voxels, and of those with a probability of 0.1 or more"),
];

/// A case to look at.
pub struct Example {
    /// Why this one: "worst", "median", "best".
    pub rank: &'static str,
    /// Its name.
    pub case: String,
    /// The Dice of each system; none where it has none.
    pub dice: Vec<Option<f64>>,
    slices: Viewer,
}

impl Example {
    /// Takes what it needs of the scene, whose predictions are in the order of the report's systems.
    pub fn new(rank: &'static str, case: &str, dice: Vec<Option<f64>>, scene: &Scene) -> Self {
        Example { rank, case: case.into(), dice, slices: Viewer::of(scene) }
    }
}

/// What a report tells.
pub struct Report<'a> {
    /// What stands above everything.
    pub title: String,
    /// One or more systems.
    pub systems: &'a [System],
    /// Cases to look at.
    pub examples: Vec<Example>,
    /// Cases that failed or were left out, each with the reason.
    pub failures: Vec<String>,
    /// Settings and versions, as name and value.
    pub settings: Vec<(String, String)>,
    /// Of the confidence intervals.
    pub seed: u64,
}

impl Report<'_> {
    /// Writes the report; the file appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File).
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write(path, self.html().as_bytes())
    }

    /// The whole file.
    pub fn html(&self) -> String {
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<h1>{}</h1>\n",
            escape(&self.title),
            escape(&self.title)
        );
        let cases = self.systems.iter().map(|system| system.cases.len()).max().unwrap_or(0);
        let _ = writeln!(
            page,
            "<p class=\"soft\">{} evaluated by ggpfn {}. For research, not for clinical use.</p>",
            if cases == 1 { "1 case".into() } else { format!("{cases} cases") },
            env!("CARGO_PKG_VERSION")
        );
        self.failures(&mut page);
        self.summary(&mut page);
        self.tests(&mut page);
        self.charts(&mut page);
        self.examples(&mut page);
        self.cases(&mut page);
        self.settings(&mut page);
        let _ = write!(page, "<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
        page
    }

    fn failures(&self, page: &mut String) {
        if self.failures.is_empty() {
            return;
        }
        *page += "<h2>Failures</h2>\n<p>These cases are in no number below.</p>\n";
        for failure in &self.failures {
            let _ = writeln!(page, "<p class=\"failed\">{}</p>", escape(failure));
        }
    }

    fn summary(&self, page: &mut String) {
        *page += "<h2>Summary</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>measure</th>";
        for system in self.systems {
            let _ = write!(page, "<th>{}</th>", escape(&system.name));
        }
        *page += "</tr></thead>\n<tbody>\n";
        let summaries: Vec<_> =
            self.systems.iter().map(|system| summarise_seeded(&system.comparisons(), self.seed)).collect();
        for measure in Measure::ALL {
            let shown = measure.shown();
            let _ = write!(page, "<tr><td>{}</td>", escape(&shown.heading()));
            for summary in &summaries {
                let values = summary.of(measure);
                let _ = write!(page, "<td>{}", shown.number(values.mean));
                if let Some(std) = values.std {
                    let _ = write!(page, " ± {}", shown.number(Some(std)));
                }
                if let Some([low, high]) = values.ci95 {
                    let (low, high) = (shown.number(Some(low)), shown.number(Some(high)));
                    let (min, max) = (shown.number(values.min), shown.number(values.max));
                    let _ = write!(page, "<br><small>[{low}, {high}] &nbsp; {min} to {max}");
                    if values.count < cases_of(summary) {
                        let _ = write!(page, " &nbsp; {} cases", values.count);
                    }
                    *page += "</small>";
                }
                *page += "</td>";
            }
            *page += "</tr>\n";
        }
        self.probability_rows(page);
        *page += "</tbody></table></div>\n<p class=\"soft\">Mean ± standard deviation; below it the 95 % confidence interval of the mean in \
                  brackets, then smallest and largest. A measure without a value, such as a distance to an empty mask, does not enter.</p>\n";
    }

    fn probability_rows(&self, page: &mut String) {
        let pooled: Vec<Option<Spread>> = self.systems.iter().map(System::pooled).collect();
        if pooled.iter().all(Option::is_none) {
            return;
        }
        type Number = fn(&Spread) -> Option<f64>;
        let rows: [(&str, Number, usize); 5] = [
            ("best F-score of all voxels %", |spread| Some(100.0 * spread.best()?.dice?), 2),
            ("at the threshold", |spread| Some(spread.best()?.threshold), 4),
            ("average precision of all voxels %", |spread| Some(100.0 * spread.average_precision()?), 2),
            ("calibration error %", |spread| Some(100.0 * spread.calibration_error(0.0)?), 3),
            ("calibration error from 0.1 on %", |spread| Some(100.0 * spread.calibration_error(0.1)?), 2),
        ];
        for (name, number, digits) in rows {
            let _ = write!(page, "<tr><td>{name}</td>");
            for spread in &pooled {
                let value = spread.as_ref().and_then(number).map_or("-".into(), |value| format!("{value:.digits$}"));
                let _ = write!(page, "<td>{value}</td>");
            }
            *page += "</tr>\n";
        }
    }

    fn tests(&self, page: &mut String) {
        let differences = compare_systems(self.systems, self.seed);
        if differences.is_empty() {
            return;
        }
        *page += "<h2>Differences between systems</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>measure</th><th \
                  class=\"text\">first</th><th class=\"text\">second</th><th>first less second</th><th>95 % interval</th><th>cases</th><th>p</th><th>p \
                  (Holm)</th></tr></thead>\n<tbody>\n";
        for difference in &differences {
            let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.key() == difference.measure) else {
                continue;
            };
            let shown = measure.shown();
            let interval = difference.ci95.map_or("-".into(), |[low, high]| {
                format!("[{}, {}]", shown.number(Some(low)), shown.number(Some(high)))
            });
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td><td>{interval}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&shown.heading()),
                escape(&difference.first),
                escape(&difference.second),
                shown.number(difference.mean_difference),
                difference.cases,
                probability(difference.test.map(|test| test.p)),
                probability(difference.test.map(|_| difference.p_holm)),
            );
        }
        *page += "</tbody></table></div>\n";
    }

    fn charts(&self, page: &mut String) {
        let systems = &self.systems[..self.systems.len().min(MOST_LINES)];
        let row = |system: &System| {
            let value = |case: &super::Case| Some((case.name.clone(), case.comparison.dice?));
            (system.name.clone(), system.cases.iter().filter_map(value).collect())
        };
        *page += "<h2>Curves</h2>\n<div class=\"row\">\n";
        *page += &dots("Dice of each case in percent, with the mean", &systems.iter().map(row).collect::<Vec<_>>());
        let (mut precision_recall, mut dice, mut reliability) = (Vec::new(), Vec::new(), Vec::new());
        for (colour, system) in systems.iter().enumerate() {
            let Some(pooled) = system.pooled() else { continue };
            for spread in system.cases.iter().filter_map(|case| case.spread.as_ref()) {
                let points = spread.precision_recall();
                precision_recall.push(Line { name: String::new(), colour, faint: true, points });
            }
            let name = || system.name.clone();
            let points = pooled.precision_recall();
            precision_recall.push(Line { name: name(), colour, faint: false, points });
            let thresholds: Vec<f64> = (0..=100).map(|step| f64::from(step) / 100.0).collect();
            let values = system.mean_dice_at(&thresholds);
            let points = thresholds.iter().zip(values).filter_map(|(x, y)| Some((*x, y?))).collect();
            dice.push(Line { name: name(), colour, faint: false, points });
            let bins = pooled.reliability();
            let points = bins.iter().filter_map(|bin| Some((bin.probability?, bin.frequency?))).collect();
            reliability.push(Line { name: name(), colour, faint: false, points });
        }
        if !precision_recall.is_empty() {
            *page +=
                &fractions("Precision and recall (thin: each case)", "recall", "precision", &precision_recall, false);
            *page += &fractions("Mean Dice by threshold", "threshold", "Dice", &dice, false);
            *page += &fractions(
                "Calibration of all voxels",
                "mean probability",
                "frequency of pancreas",
                &reliability,
                true,
            );
        }
        *page += "</div>\n";
    }

    fn examples(&self, page: &mut String) {
        if self.examples.is_empty() {
            return;
        }
        *page += "<h2>Worst, median and best case</h2>\n<p class=\"soft\">By Dice, of several systems by their mean. The slider, the arrow keys, Page \
                  Up and Page Down, Home and End scroll through the slices, and so does the wheel once a picture has been clicked.</p>\n<div class=\"row\">\n";
        let names: Vec<&str> = self.systems.iter().map(|system| system.name.as_str()).collect();
        for example in &self.examples {
            let dice = Measure::Dice.shown();
            let values: Vec<String> = example.dice.iter().map(|value| dice.number(*value)).collect();
            let label = format!("{}: {}", example.rank, example.case);
            let _ = writeln!(
                page,
                "<div class=\"case\"><h3>{} &nbsp; <span class=\"soft\">Dice {}</span></h3>",
                escape(&label),
                values.join(" / ")
            );
            *page += &example.slices.html(&label, &names);
            *page += "</div>\n";
        }
        *page += "</div>\n";
    }

    fn cases(&self, page: &mut String) {
        *page += "<h2>All cases</h2>\n<div class=\"scroll\"><table class=\"sortable\">\n<thead><tr><th>case</th>";
        let several = self.systems.len() > 1;
        if several {
            *page += "<th class=\"text\">system</th>";
        }
        for measure in Measure::ALL {
            let _ = write!(page, "<th data-numbers>{}</th>", escape(&measure.shown().heading()));
        }
        *page += "</tr></thead>\n<tbody>\n";
        for system in self.systems {
            for case in &system.cases {
                let _ = write!(page, "<tr><td>{}</td>", escape(&case.name));
                if several {
                    let _ = write!(page, "<td class=\"text\">{}</td>", escape(&system.name));
                }
                for measure in Measure::ALL {
                    let _ = write!(page, "<td>{}</td>", measure.shown().number(measure.of(&case.comparison)));
                }
                *page += "</tr>\n";
            }
        }
        *page += "</tbody></table></div>\n";
    }

    fn settings(&self, page: &mut String) {
        *page += "<h2>Configuration</h2>\n<table>\n";
        for (name, value) in &self.settings {
            let _ = writeln!(page, "<tr><td>{}</td><td class=\"key\">{}</td></tr>", escape(name), escape(value));
        }
        *page += "</table>\n<h2>What is measured</h2>\n<table>\n";
        for (name, meaning) in DEFINITIONS {
            let _ = writeln!(page, "<tr><td>{}</td><td class=\"text\">{}</td></tr>", escape(name), escape(meaning));
        }
        *page += "</table>\n";
    }
}

/// How many cases there are: every one has a volume.
fn cases_of(summary: &super::Summary) -> usize {
    summary.of(Measure::PredictionMl).count
}

/// A p-value as papers write it.
fn probability(p: Option<f64>) -> String {
    match p {
        None => "-".into(),
        Some(p) if p < 0.001 => format!("{p:.1e}"),
        Some(p) => format!("{p:.3}"),
    }
}
