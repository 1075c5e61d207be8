//! The tables as the paper prints them, beside the paper's numbers, and what of the paper's claims came out.

use std::collections::BTreeMap;
use std::fmt::Write;

use ggpfn::dataset::Layout;
use ggpfn::evaluation::{confidence_interval, holm, signed_rank, System};
use serde_json::json;

use super::rows::{Row, Scale, Training, CLAIMS};

/// What was measured of a row.
pub struct Measurement {
    pub row: &'static Row,
    pub parameters: usize,
    /// Its cases, one for each case and seed.
    pub system: System,
    /// The seed of each.
    pub seeds: Vec<u64>,
}

impl Measurement {
    /// The Dice in percent, of every case and seed.
    fn dice(&self) -> Vec<f64> {
        self.system.cases.iter().filter_map(|case| case.comparison.dice).map(|dice| 100.0 * dice).collect()
    }

    /// The mean over the seeds, by case.
    fn by_case(&self) -> BTreeMap<&str, f64> {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for case in &self.system.cases {
            let Some(dice) = case.comparison.dice else { continue };
            let sum = sums.entry(&case.name).or_default();
            *sum = (sum.0 + 100.0 * dice, sum.1 + 1.0);
        }
        sums.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect()
    }

    /// The mean of each seed.
    fn by_seed(&self) -> BTreeMap<u64, f64> {
        let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (case, seed) in self.system.cases.iter().zip(&self.seeds) {
            let Some(dice) = case.comparison.dice else { continue };
            let sum = sums.entry(*seed).or_default();
            *sum = (sum.0 + 100.0 * dice, sum.1 + 1.0);
        }
        sums.into_iter().map(|(seed, (sum, count))| (seed, sum / count)).collect()
    }
}

/// Mean, standard deviation as a sample, smallest and largest.
fn numbers(values: &[f64]) -> Option<[f64; 4]> {
    let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = if values.len() > 1 { (squares / (values.len() - 1) as f64).sqrt() } else { 0.0 };
    let fold = |f: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, f);
    Some([mean, deviation, fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY)])
}

/// All that is written.
pub struct Tables<'a> {
    pub rows: &'a [Measurement],
    pub seeds: &'a [u64],
    pub layout: Layout,
    pub scale: Scale,
}

/// What became of one of the paper's claims.
struct Verdict {
    better: String,
    worse: String,
    difference: f64,
    ci95: Option<[f64; 2]>,
    p_holm: f64,
}

impl Tables<'_> {
    /// The paper's own numbers on the data set: those of the Decathlon where it is neither.
    fn paper(&self, row: &Row) -> Option<[f64; 4]> {
        row.paper[usize::from(self.layout == Layout::Nihc)]
    }

    fn verdicts(&self) -> Vec<Verdict> {
        // Of two rows of one name the one that began as the paper's did comes first.
        let of = |name: &str| {
            let mut rows = self.rows.iter().filter(|measured| measured.row.name == name);
            rows.find(|measured| !measured.system.cases.is_empty())
        };
        let mut all: Vec<(Verdict, f64)> = Vec::new();
        for (better, worse) in CLAIMS {
            let (Some(first), Some(second)) = (of(better), of(worse)) else { continue };
            let [better, worse] = [first, second].map(|measured| measured.row.label());
            let (first, second) = (first.by_case(), second.by_case());
            let differences: Vec<f64> =
                first.iter().filter_map(|(name, dice)| Some(dice - second.get(name)?)).collect();
            let Some([difference, ..]) = numbers(&differences) else { continue };
            let p = signed_rank(&differences).map_or(1.0, |test| test.p);
            all.push((Verdict { better, worse, difference, ci95: confidence_interval(&differences, 0), p_holm: p }, p));
        }
        let corrected = holm(&all.iter().map(|(_, p)| *p).collect::<Vec<_>>());
        all.into_iter().zip(corrected).map(|((verdict, _), p_holm)| Verdict { p_holm, ..verdict }).collect()
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let set = match self.layout {
            Layout::Msd => "MSD",
            Layout::Nihc => "NIHC",
            Layout::Pairs => "MSD (these are other data)",
        };
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        for table in [1, 2] {
            let rows: Vec<_> = self.rows.iter().filter(|measured| measured.row.table == table).collect();
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(
                text,
                "**Table {table}.** Dice in percent, networks of {} size, seeds {}; beside it the paper's numbers on {set}.\n",
                if self.scale == Scale::Paper { "the paper's" } else { "a small" },
                seeds.join(", ")
            );
            text += "| method | cases | mean ± std | min | max | 95 % CI of the mean | means by seed | parameters | paper: mean ± std | min | max |\n";
            text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
            for measured in rows {
                let values = measured.dice();
                let by_case: Vec<f64> = measured.by_case().into_values().collect();
                let own = match numbers(&values) {
                    Some([mean, std, min, max]) => {
                        let ci = confidence_interval(&by_case, 0)
                            .map_or("-".into(), |[low, high]| format!("{low:.2} to {high:.2}"));
                        let seeds: Vec<_> = measured.by_seed().values().map(|mean| format!("{mean:.2}")).collect();
                        format!("{mean:.2} ± {std:.2} | {min:.2} | {max:.2} | {ci} | {}", seeds.join(", "))
                    }
                    None => "- | - | - | - | -".into(),
                };
                let paper = match self.paper(measured.row) {
                    Some([mean, std, min, max]) => format!("{mean:.2} ± {std:.2} | {min:.2} | {max:.2}"),
                    None => "- | - | -".into(),
                };
                let name = measured.row.label();
                let _ = writeln!(text, "| {name} | {} | {own} | {} | {paper} |", by_case.len(), measured.parameters);
            }
            text.push('\n');
        }
        let verdicts = self.verdicts();
        if !verdicts.is_empty() {
            text += "What the paper says of two rows, on the means over the seeds (Wilcoxon's signed-rank test, Holm's correction):\n\n";
            text += "| the paper: better | than | difference of Dice | 95 % CI | p | here |\n";
            text += "| --- | --- | --- | --- | --- | --- |\n";
            for v in &verdicts {
                let here = match (v.difference > 0.0, v.p_holm < 0.05) {
                    (true, true) => "so it is",
                    (true, false) => "so it seems",
                    (false, false) => "not seen",
                    (false, true) => "the other way round",
                };
                let ci = v.ci95.map_or("-".into(), |[low, high]| format!("{low:.2} to {high:.2}"));
                let _ = writeln!(
                    text,
                    "| {} | {} | {:+.2} | {ci} | {:.3} | {here} |",
                    v.better, v.worse, v.difference, v.p_holm
                );
            }
            text.push('\n');
        }
        let any = |what: fn(Training) -> bool| self.rows.iter().any(|measured| what(measured.row.training));
        if any(|training| matches!(training, Training::Fcn8s { scratch: true } | Training::Rstn { scratch: true })) {
            text +=
                "Scratch: with batch normalisation from nothing, where the paper's began with weights from ImageNet. ";
        }
        if any(Training::is_pretrained) {
            text += "The other FCN8s and RSTN began with the weights that were given. ";
        }
        text += "3D UNet-Full is a reconstruction from its parameter count.\n";
        text
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|measured| {
                let cases: Vec<_> = measured
                    .system
                    .cases
                    .iter()
                    .zip(&measured.seeds)
                    .map(|(case, seed)| json!({ "case": case.name, "seed": seed, "measures": case.comparison }))
                    .collect();
                json!({
                    "table": measured.row.table,
                    "method": measured.row.label(),
                    "training": measured.row.training.name(),
                    "parameters": measured.parameters,
                    "dice_percent": numbers(&measured.dice()),
                    "paper_percent": self.paper(measured.row),
                    "paper_parameters": measured.row.parameters,
                    "cases": cases,
                })
            })
            .collect();
        let claims: Vec<_> = self
            .verdicts()
            .iter()
            .map(|v| {
                json!({
                    "better": v.better, "worse": v.worse, "difference": v.difference, "ci95": v.ci95, "p_holm": v.p_holm,
                })
            })
            .collect();
        json!({ "scale": format!("{:?}", self.scale).to_lowercase(), "seeds": self.seeds, "rows": rows, "claims": claims })
    }
}
