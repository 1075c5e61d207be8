//! Voxels and where they lie: the volume, its grid, its orientation, resampling, connected components.
//!
//! This room knows voxels, spacing, direction and orientation. It knows no files and no tensors.
//!
//! A [`Volume`] keeps its voxels in the order in which its owner has them, with a [`Geometry`] that says where each lies.
//! The network wants the LPS frame of the patient; [`lps_view`] gives the same voxels permuted and flipped to it without
//! copying, and [`lps_view_mut`] lets results be written in that frame straight onto the owner's grid.
//! What a caller says about an image in memory of its own is read by [`Frame`] and [`Strided`].

mod geometry;
mod measure;
mod resample;
mod strided;
mod unmeasured;
mod view;

use ndarray::{s, Array3, ArrayView3, ArrayViewMut3, Axis};

pub use geometry::{Geometry, NearestAxis, Region};
pub use measure::{
    dice, keep_large_components, keep_largest_component, measure, measure_components, same_grid, Measurements,
    GEOMETRY_TOLERANCE_MM,
};
pub use resample::{resample, resample_planes, resampled_size};
pub use strided::{Frame, Strided};
pub use unmeasured::AIR;
pub use view::View;

use crate::{Error, Result};

/// What the voxels of an image mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Hounsfield units. NaNs that are connected with the border were never measured, and are air.
    #[default]
    Scan,
    /// Hounsfield units, in which every NaN is air.
    ScanWithHoles,
    /// Labels of organs, 0 outside of all.
    Labels,
    /// Probabilities.
    Probability,
}

impl Content {
    /// The value that stands for nothing.
    pub(crate) fn blank(self) -> f32 {
        match self {
            Content::Scan | Content::ScanWithHoles => AIR,
            Content::Labels | Content::Probability => 0.0,
        }
    }

    /// The value that stands for nothing, in words.
    fn nothing(self) -> &'static str {
        match self {
            Content::Scan | Content::ScanWithHoles => "-1024 HU (air)",
            Content::Labels => "0 (no organ)",
            Content::Probability => "0",
        }
    }
}

/// A CT volume: Hounsfield units on a grid in the patient.
#[derive(Clone, Debug)]
pub struct Volume {
    voxels: Array3<f32>,
    geometry: Geometry,
    placement: Option<Box<Placement>>,
    unmeasured: usize,
}

/// How the file that a volume was read from places it, where readers of its format do not agree: what a result has to carry so that it
/// lies on the volume in each of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The fields of the header that say so, in the format's own words.
    pub fields: PlacementFields,
    /// The grid as ITK, and what is built on it, understands them.
    pub itk: Geometry,
}

/// The fields by which a NIfTI header places its image.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacementFields {
    /// qform_code and sform_code.
    pub codes: [i32; 2],
    /// xyzt_units.
    pub units: i32,
    /// The first four of pixdim: the qform's handedness, and the spacing.
    pub pixdim: [f64; 4],
    /// quatern_b, c and d.
    pub quaternion: [f64; 3],
    /// qoffset_x, y and z.
    pub offset: [f64; 3],
    /// srow_x, y and z.
    pub srow: [[f64; 4]; 3],
}

impl Volume {
    /// Puts voxels, indexed `[k, j, i]`, on a grid. NaNs that are connected with the border become air (-1024 HU); see
    /// [`unmeasured`](Self::unmeasured).
    ///
    /// # Errors
    /// [`Error::Volume`] if the shapes differ, the geometry is unusable or another voxel is not a finite number.
    pub fn new(voxels: Array3<f32>, geometry: Geometry) -> Result<Self> {
        Self::of(voxels, geometry, Content::Scan)
    }

    /// As [`new`](Self::new), for voxels that need not be Hounsfield units; `content` is what messages advise by.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(voxels: Array3<f32>, geometry: Geometry, content: Content) -> Result<Self> {
        Self::bordered(voxels, geometry, content, [[true; 2]; 3])
    }

    /// The voxels of a region of an image on the grid `whole`, of which the rest is not known. Only those of its sides that are the
    /// image's are its border: what lies behind the others may be the body.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Argument`] if the region is empty or reaches beyond the image.
    pub fn of_region(voxels: Array3<f32>, whole: &Geometry, region: Region) -> Result<Self> {
        let geometry = whole.part(region)?;
        // The grid's axes are i, j, k, the voxels' k, j, i.
        let border =
            [2, 1, 0].map(|axis| [region.start[axis] == 0, region.start[axis] + region.size[axis] == whole.size[axis]]);
        Self::bordered(voxels, geometry, Content::Scan, border)
    }

    fn bordered(
        mut voxels: Array3<f32>,
        geometry: Geometry,
        content: Content,
        border: unmeasured::Sides,
    ) -> Result<Self> {
        geometry.check()?;
        let [i, j, k] = geometry.size;
        if voxels.dim() != (k, j, i) {
            let (a, b, c) = voxels.dim();
            return Err(Error::Volume(format!("it holds {c} x {b} x {a} voxels, but its grid has {i} x {j} x {k}")));
        }
        let bad = |voxels: &Array3<f32>| voxels.iter().filter(|v| !v.is_finite()).count();
        let mut unmeasured = 0;
        let mut left = bad(&voxels);
        if left > 0 {
            unmeasured = match content {
                Content::Scan => unmeasured::fill_from_border(&mut voxels, border),
                Content::ScanWithHoles => unmeasured::fill_all(&mut voxels),
                Content::Labels | Content::Probability => 0,
            };
            left = bad(&voxels);
        }
        if left > 0 {
            let beside = if unmeasured > 0 { ", beside those that reach its border" } else { "" };
            return Err(Error::Volume(format!(
                "{left} of its {} voxels are not finite numbers{beside}; replace them, by {} for example",
                voxels.len(),
                content.nothing()
            )));
        }
        Ok(Volume { voxels, geometry, placement: None, unmeasured })
    }

    /// The same volume, with how its file places it.
    pub fn placed(self, placement: Placement) -> Self {
        Volume { placement: Some(Box::new(placement)), ..self }
    }

    /// How its file places it, where that is more than its grid.
    pub fn placement(&self) -> Option<&Placement> {
        self.placement.as_deref()
    }

    /// How many of its voxels were not numbers and have become air, as never measured.
    pub fn unmeasured(&self) -> usize {
        self.unmeasured
    }

    /// The voxels in Hounsfield units, indexed `[k, j, i]`.
    pub fn voxels(&self) -> ArrayView3<'_, f32> {
        self.voxels.view()
    }

    /// The grid.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// A region as a volume of its own.
    ///
    /// # Errors
    /// [`Error::Argument`] if the region is empty or reaches beyond the volume.
    pub fn crop(&self, region: Region) -> Result<Volume> {
        let geometry = self.geometry.part(region)?;
        let Region { start: [i, j, k], size } = region;
        let mut voxels = zeros::<f32>((size[2], size[1], size[0]))?;
        voxels.assign(&self.voxels.slice(s![k..k + size[2], j..j + size[1], i..i + size[0]]));
        Ok(Volume { voxels, geometry, placement: None, unmeasured: self.unmeasured })
    }

    /// The same volume with other voxels, each made from what was in its place.
    pub fn map(mut self, value: impl Fn(f32) -> f32) -> Self {
        self.voxels.mapv_inplace(value);
        self
    }

    /// The voxels alone.
    pub fn into_voxels(self) -> Array3<f32> {
        self.voxels
    }
}

/// An array of zeros, for arrays as large as a volume.
///
/// # Errors
/// [`Error::Memory`] where there is no room for it; an array made otherwise would end the process.
pub(crate) fn zeros<T: Clone + Default>(size: (usize, usize, usize)) -> Result<Array3<T>> {
    let count = size.0 * size.1 * size.2;
    let bytes = count * std::mem::size_of::<T>();
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| Error::Memory(format!("no room for an array of {bytes} bytes")))?;
    values.resize(count, T::default());
    Array3::from_shape_vec(size, values).map_err(|e| Error::Volume(e.to_string()))
}

/// The same voxels, indexed `[k, j, i]` on `geometry`, as `[z, y, x]` in the LPS frame: permuted and flipped to the nearest
/// axes of the patient, never resampled, nothing copied.
pub fn lps_view<'a, T>(voxels: ArrayView3<'a, T>, geometry: &Geometry) -> ArrayView3<'a, T> {
    let (order, flips) = lps_axes(geometry);
    let mut view = voxels.permuted_axes(order);
    for (axis, flip) in flips.into_iter().enumerate() {
        if flip {
            view.invert_axis(Axis(axis));
        }
    }
    view
}

/// As [`lps_view`], for writing.
pub fn lps_view_mut<'a, T>(voxels: ArrayViewMut3<'a, T>, geometry: &Geometry) -> ArrayViewMut3<'a, T> {
    let (order, flips) = lps_axes(geometry);
    let mut view = voxels.permuted_axes(order);
    for (axis, flip) in flips.into_iter().enumerate() {
        if flip {
            view.invert_axis(Axis(axis));
        }
    }
    view
}

/// The spacing, in mm, along z, y and x of [`lps_view`].
pub fn lps_spacing(geometry: &Geometry) -> [f64; 3] {
    let mut spacing = [0.0; 3];
    for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
        spacing[2 - nearest.patient] = geometry.spacing[axis];
    }
    spacing
}

/// The grid of [`lps_view`], with the patient's x, y and z for i, j and k.
pub fn lps_geometry(geometry: &Geometry) -> Geometry {
    let mut lps = geometry.clone();
    let mut first = [0.0; 3];
    for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
        let to = nearest.patient;
        lps.size[to] = geometry.size[axis];
        lps.spacing[to] = geometry.spacing[axis];
        for row in 0..3 {
            lps.direction[row][to] = if nearest.flipped { -1.0 } else { 1.0 } * geometry.direction[row][axis];
        }
        if nearest.flipped {
            first[axis] = (geometry.size[axis] - 1) as f64;
        }
    }
    lps.origin = geometry.point(first);
    lps
}

/// Voxels along z, y and x of [`lps_view`].
pub fn lps_size(geometry: &Geometry) -> [usize; 3] {
    let [i, j, k] = geometry.size;
    lps_axes(geometry).0.map(|axis| [k, j, i][axis])
}

/// The ranges along z, y and x of [`lps_view`] that hold a region of the grid.
pub fn lps_box(geometry: &Geometry, region: Region) -> [std::ops::Range<usize>; 3] {
    let (order, flips) = lps_axes(geometry);
    std::array::from_fn(|patient| {
        // `[k, j, i]` is (i, j, k) backwards.
        let axis = 2 - order[patient];
        let (start, size, whole) = (region.start[axis], region.size[axis], geometry.size[axis]);
        let start = if flips[patient] { whole - start - size } else { start };
        start..start + size
    })
}

/// For z, y and x of the LPS frame: which axis of `[k, j, i]` it is, and whether that one is flipped.
fn lps_axes(geometry: &Geometry) -> ([usize; 3], [bool; 3]) {
    let mut order = [0; 3];
    let mut flips = [false; 3];
    for (axis, nearest) in geometry.nearest_axes().into_iter().enumerate() {
        order[2 - nearest.patient] = 2 - axis;
        flips[2 - nearest.patient] = nearest.flipped;
    }
    (order, flips)
}
