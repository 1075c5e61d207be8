//! What is odd about a result, in warnings.

use super::features::Features;
use super::input::{LEAST_SOFT, SOFT_TISSUE};
use super::warning::{Warning, WarningKind};

/// Volumes in mL of the pancreas of adults, atrophy and lipomatosis included.
const VOLUME_ML: [f64; 2] = [15.0, 250.0];
/// Dice of the views' masks that is usual for a good result.
const USUAL_VIEW_DICE: f64 = 0.4;
/// Connected components that a good result may have, and the least share of the largest.
const USUAL_PARTS: usize = 3;
const USUAL_LARGEST_SHARE: f64 = 0.7;
/// The share of lung in some slice that a scan of the whole upper abdomen has.
const SOME_LUNG: f64 = 0.005;

/// What is odd about a result, beyond what is odd about its scan.
pub(super) fn of_result(features: &Features, threshold: f64) -> Vec<Warning> {
    let mut list = Vec::new();
    let mut warn = |kind, text: String| list.push(Warning { kind, text });
    let volume = features.volume_ml;
    let [least, most] = VOLUME_ML;
    if volume == 0.0 {
        let text = format!(
            "no voxel reached the threshold of {threshold}; the mask is empty (the largest probability is {:.2})",
            features.largest_probability
        );
        warn(WarningKind::NothingFound, text);
    } else if volume < least {
        let text = format!("the mask has {volume:.1} mL; an adult's pancreas has {least:.0} mL at least");
        warn(WarningKind::SmallVolume, text);
    } else if volume > most {
        let text = format!("the mask has {volume:.0} mL; a pancreas has {most:.0} mL at most");
        warn(WarningKind::LargeVolume, text);
    }
    let without_lung = !features.input.region && features.input.most_lung < SOME_LUNG;
    if volume < least && without_lung && features.input.hounsfield_fault.is_none() {
        let text = "no slice of the scan shows lung; the lung's base was expected above the pancreas: the scan may begin below it, or \
                    be cut to a region";
        warn(WarningKind::NotCovered, text.into());
    }
    if let Some(dice) = features.view_dice.filter(|dice| volume > 0.0 && *dice < USUAL_VIEW_DICE) {
        let text = format!("the views agree to a Dice of {dice:.2} only; above {USUAL_VIEW_DICE} was expected");
        warn(WarningKind::ViewsDisagree, text);
    }
    match features.largest_share {
        Some(share) if features.parts > USUAL_PARTS || (features.parts > 1 && share < USUAL_LARGEST_SHARE) => {
            let text = format!(
                "the mask has {} components above 0.5 mL, the largest with {:.0} % of it; {USUAL_PARTS} at most, and {:.0} % in the \
                 largest, were expected",
                features.parts,
                100.0 * share,
                100.0 * USUAL_LARGEST_SHARE
            );
            warn(WarningKind::ManyParts, text);
        }
        _ => {}
    }
    let touched = match features.touches_ends {
        [true, true] => Some("the lowest and the highest slice"),
        [true, false] => Some("the lowest slice"),
        [false, true] => Some("the highest slice"),
        [false, false] => features.touches_sides.then_some("the side of its slices"),
    };
    if let Some(touched) = touched {
        let text = format!(
            "the mask touches {touched}; a margin was expected: the scan, or the region, may end within the pancreas"
        );
        warn(WarningKind::CutOff, text);
    }
    if let Some(soft) = features.soft_share.filter(|soft| *soft < LEAST_SOFT) {
        let text = format!(
            "{:.0} % of the mask is soft tissue ({} to {} HU); {:.0} % at least were expected",
            100.0 * soft,
            SOFT_TISSUE[0],
            SOFT_TISSUE[1],
            100.0 * LEAST_SOFT
        );
        warn(WarningKind::NotSoftTissue, text);
    }
    list
}
