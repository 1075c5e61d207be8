//! What is odd about a set: problems, their kinds, and how bad they are.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The case cannot be used, or results with it would be wrong.
    Error,
    /// A person should look at it.
    Warning,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A label has no image.
    MissingImage,
    /// An image has no label.
    MissingLabel,
    /// Two files go by one name.
    Ambiguous,
    /// A file cannot be read.
    Unreadable,
    /// The label's grid is not the image's.
    Grid,
    /// The label is empty.
    EmptyLabel,
    /// The label holds values that are not whole numbers, or not those that were expected.
    LabelValues,
    /// The label has large parts apart from the largest.
    Parts,
    /// The pancreas is implausibly small or large.
    Volume,
    /// The spacing is impossible, unlike the set's, or the slices are far apart.
    Spacing,
    /// The image is not in Hounsfield units.
    Hounsfield,
    /// Much of what is labelled is not soft tissue.
    Tissue,
    /// The label touches the image's border.
    Border,
    /// Two images have the same voxels.
    Duplicate,
}

/// One thing that is odd about a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub kind: ProblemKind,
    /// The case's name, where it is one's.
    pub case: Option<String>,
    /// The file or folder that it is about.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// What was found and what was expected.
    pub text: String,
}

/// A path as text; JSON has no other.
pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
