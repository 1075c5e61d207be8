//! The three views of a volume, each a stack of slices.

use ndarray::ArrayBase;

/// A direction in which a volume is cut into slices.
///
/// For a volume `V[z, y, x]` in the LPS frame: axial slices are `V[i, :, :]`, sagittal `V[:, :, i]` and coronal
/// `V[:, i, :]` (paper, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Slices across the body's long axis; rows run along y, columns along x.
    Axial,
    /// Slices from right to left; rows run along z, columns along y.
    Sagittal,
    /// Slices from front to back; rows run along z, columns along x.
    Coronal,
}

impl View {
    /// The three views in the order in which they are always computed and fused.
    pub const ALL: [View; 3] = [View::Axial, View::Sagittal, View::Coronal];

    /// The view's name as model files and options write it.
    pub fn name(self) -> &'static str {
        match self {
            View::Axial => "axial",
            View::Sagittal => "sagittal",
            View::Coronal => "coronal",
        }
    }

    /// The volume's axes that become (slice, row, column).
    pub fn axes(self) -> [usize; 3] {
        match self {
            View::Axial => [0, 1, 2],
            View::Sagittal => [2, 0, 1],
            View::Coronal => [1, 0, 2],
        }
    }

    /// `[z, y, x]` as `[slice, row, column]` of this view; nothing is copied.
    pub fn slices<S: ndarray::RawData>(self, volume: ArrayBase<S, ndarray::Ix3>) -> ArrayBase<S, ndarray::Ix3> {
        volume.permuted_axes(self.axes())
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        View::ALL
            .into_iter()
            .find(|view| view.name().starts_with(&text.to_lowercase()) && !text.is_empty())
            .ok_or_else(|| format!("\"{text}\" is not a view; expected axial, sagittal or coronal"))
    }
}
