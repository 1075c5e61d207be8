//! Warnings: sentences with a number and what was expected.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::features::Features;
use super::input::{LEAST_SOFT, SOFT_TISSUE};

/// Volumes in mL of the pancreas of adults, atrophy and lipomatosis included.
const VOLUME_ML: [f64; 2] = [15.0, 250.0];
/// Dice of the views' masks that is usual for a good result.
const USUAL_VIEW_DICE: f64 = 0.4;
/// Connected components that a good result may have, and the least share of the largest.
const USUAL_PARTS: usize = 3;
const USUAL_LARGEST_SHARE: f64 = 0.7;
/// The share of lung in some slice that a scan of the whole upper abdomen has.
const SOME_LUNG: f64 = 0.005;

/// What a warning is about. Codes and names stay as they are; later versions may add some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum WarningKind {
    /// The mask is empty.
    NothingFound = 1,
    /// The mask is smaller than an adult's pancreas.
    SmallVolume = 2,
    /// The mask is larger than a pancreas.
    LargeVolume = 3,
    /// The views' masks have little in common.
    ViewsDisagree = 4,
    /// The mask has many connected components.
    ManyParts = 5,
    /// The mask touches the border: the pancreas may go on beyond it.
    CutOff = 6,
    /// The scan does not seem to cover the upper abdomen.
    NotCovered = 7,
    /// Most of the mask is no soft tissue.
    NotSoftTissue = 8,
    /// The voxels are not Hounsfield units.
    NotHounsfield = 9,
    /// The voxels' size, or the body's, is not possible.
    VoxelSize = 10,
    /// The slices are too far apart.
    ThickSlices = 11,
    /// Voxels that are not numbers were taken for air.
    Unmeasured = 12,
}

impl WarningKind {
    /// All kinds.
    pub const ALL: [WarningKind; 12] = [
        WarningKind::NothingFound,
        WarningKind::SmallVolume,
        WarningKind::LargeVolume,
        WarningKind::ViewsDisagree,
        WarningKind::ManyParts,
        WarningKind::CutOff,
        WarningKind::NotCovered,
        WarningKind::NotSoftTissue,
        WarningKind::NotHounsfield,
        WarningKind::VoxelSize,
        WarningKind::ThickSlices,
        WarningKind::Unmeasured,
    ];

    /// The kind's number.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            WarningKind::NothingFound => "nothing-found",
            WarningKind::SmallVolume => "small-volume",
            WarningKind::LargeVolume => "large-volume",
            WarningKind::ViewsDisagree => "views-disagree",
            WarningKind::ManyParts => "many-parts",
            WarningKind::CutOff => "cut-off",
            WarningKind::NotCovered => "not-covered",
            WarningKind::NotSoftTissue => "not-soft-tissue",
            WarningKind::NotHounsfield => "not-hounsfield",
            WarningKind::VoxelSize => "voxel-size",
            WarningKind::ThickSlices => "thick-slices",
            WarningKind::Unmeasured => "unmeasured",
        }
    }

    /// Whether it alone makes a result doubtful.
    pub fn is_grave(self) -> bool {
        use WarningKind::*;
        matches!(self, NothingFound | SmallVolume | LargeVolume | NotSoftTissue | NotHounsfield | VoxelSize)
    }
}

impl std::fmt::Display for WarningKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is odd about a scan or a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// What was found and what was expected, as a sentence about the scan (`its slices are ...`) or the mask.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Warning", 3)?;
        fields.serialize_field("code", &self.kind.code())?;
        fields.serialize_field("kind", self.kind.name())?;
        fields.serialize_field("text", &self.text)?;
        fields.end()
    }
}

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
