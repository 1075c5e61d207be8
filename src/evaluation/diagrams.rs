//! What probability maps are worth, as a picture: precision and recall (figure 4 of the paper), Dice by threshold, calibration.

use std::path::Path;

use super::curves::{draw_fractions, Chart, Series, COLOURS};
use super::{Spread, System};
use crate::Result;

/// Draws the curves of systems that have probability maps, one chart below the other, as a PNG.
///
/// # Errors
/// [`Error::File`](crate::Error::File) if the picture cannot be written.
pub fn draw_probabilities(path: &Path, systems: &[System]) -> Result<()> {
    let chart = |title: &str, x_label: &str| Chart {
        title: title.into(),
        x_label: x_label.into(),
        series: Vec::new(),
        log_y: false,
    };
    let mut charts = [
        chart("Precision by recall, all voxels; faint: each case", "recall"),
        chart("Mean Dice by threshold", "threshold"),
        chart("Frequency of pancreas by mean probability, all voxels", "mean probability"),
    ];
    let diagonal = Series { name: String::new(), colour: [190; 3], points: vec![(0.0, 0.0), (1.0, 1.0)] };
    charts[2].series.push(diagonal);
    let coloured: Vec<_> = systems
        .iter()
        .enumerate()
        .filter_map(|(number, system)| Some((system, COLOURS[number % COLOURS.len()], system.pooled()?)))
        .collect();
    for (system, colour, _) in &coloured {
        let faint = colour.map(|part| ((u32::from(part) + 3 * 255) / 4) as u8);
        for spread in system.cases.iter().filter_map(|case| case.spread.as_ref()) {
            charts[0].series.push(Series { name: String::new(), colour: faint, points: thinned(spread) });
        }
    }
    for (system, colour, pooled) in coloured {
        let dice = |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.2}", 100.0 * value));
        let best = pooled.best().and_then(|best| best.dice);
        let thresholds: Vec<f64> = (0..=100).map(|step| f64::from(step) / 100.0).collect();
        let means = system.mean_dice_at(&thresholds);
        let bins = pooled.reliability();
        let name = || system.name.clone();
        charts[0].series.push(Series {
            name: format!("{} (F {})", system.name, dice(best)),
            colour,
            points: thinned(&pooled),
        });
        let points = thresholds.into_iter().zip(means).filter_map(|(x, y)| Some((x, y?))).collect();
        charts[1].series.push(Series { name: name(), colour, points });
        let points = bins.iter().filter_map(|bin| Some((bin.probability?, bin.frequency?))).collect();
        charts[2].series.push(Series { name: name(), colour, points });
    }
    draw_fractions(path, &charts)
}

/// The curve without points that lie less than half a pixel from the one before.
fn thinned(spread: &Spread) -> Vec<(f64, f64)> {
    let mut points = spread.precision_recall();
    points.dedup_by(|next, kept| (next.0 - kept.0).abs().max((next.1 - kept.1).abs()) < 1.0 / 1200.0);
    points
}
