//! A warning: a sentence with a number and what was expected, and what it is about.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

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
    /// A few voxels have values that nothing in a CT has.
    StrayValues = 13,
}

impl WarningKind {
    /// All kinds.
    pub const ALL: [WarningKind; 13] = [
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
        WarningKind::StrayValues,
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
            WarningKind::StrayValues => "stray-values",
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
