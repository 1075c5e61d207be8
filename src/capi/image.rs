//! Images and result buffers in the caller's memory.

use std::ffi::c_void;

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use super::status::{ggpfn_status, Fault, Outcome};
use super::structs::{growing, initialise};
use crate::labels::LabelBits;
use crate::volume::{Frame, Geometry, Region, Strided, Volume};
use crate::Error;

/// Voxels of 8 bits, signed.
pub const GGPFN_INT8: i32 = 1;
/// Voxels of 8 bits, unsigned.
pub const GGPFN_UINT8: i32 = 2;
/// Voxels of 16 bits, signed: what CT scanners give.
pub const GGPFN_INT16: i32 = 3;
/// Voxels of 16 bits, unsigned.
pub const GGPFN_UINT16: i32 = 4;
/// Voxels of 32 bits, signed.
pub const GGPFN_INT32: i32 = 5;
/// Voxels of 32 bits, unsigned.
pub const GGPFN_UINT32: i32 = 6;
/// Voxels of 64 bits, signed.
pub const GGPFN_INT64: i32 = 7;
/// Voxels of 64 bits, unsigned.
pub const GGPFN_UINT64: i32 = 8;
/// Voxels of 32 bits, floating point.
pub const GGPFN_FLOAT32: i32 = 9;
/// Voxels of 64 bits, floating point.
pub const GGPFN_FLOAT64: i32 = 10;

/// Coordinates grow to the patient's Left, Posterior, Superior: ITK, DICOM. The default.
pub const GGPFN_LPS: i32 = 0;
/// Coordinates grow to the patient's Right, Anterior, Superior: 3D Slicer, NIfTI.
pub const GGPFN_RAS: i32 = 1;

/// A 3D image in the caller's memory. Voxels are Hounsfield units; in masks, what is not 0 is inside.
///
/// Voxel (i, j, k) lies at `data + i * strides[0] + j * strides[1] + k * strides[2]`, and its centre in the patient at
/// `origin + direction * (spacing * (i, j, k))`, in mm. The library reads the voxels during the call alone and never writes them. They
/// need not be aligned.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_image {
    /// sizeof(ggpfn_image).
    pub struct_size: usize,
    /// The voxel (0, 0, 0).
    pub data: *const c_void,
    /// Bytes of the buffer, from its lowest to its highest voxel; strides that reach further are refused.
    pub data_bytes: usize,
    /// GGPFN_INT8 to GGPFN_FLOAT64.
    pub dtype: i32,
    /// The frame of origin and direction: GGPFN_LPS or GGPFN_RAS.
    pub frame: i32,
    /// Number of voxels along i, j and k.
    pub size: [usize; 3],
    /// Bytes from a voxel to the next one along i, j and k; negative ones are allowed. All 0: dense, i fastest.
    pub strides: [i64; 3],
    /// Distance between neighbouring voxels along i, j and k, in mm.
    pub spacing: [f64; 3],
    /// Centre of voxel (0, 0, 0), in mm.
    pub origin: [f64; 3],
    /// 3 x 3, row after row; its columns are the unit vectors of i, j and k.
    pub direction: [f64; 9],
}

growing!(ggpfn_image, direction);

/// A result in the caller's memory, on the grid of the image. `data` NULL: not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ggpfn_output {
    /// The voxel (0, 0, 0).
    pub data: *mut c_void,
    /// Bytes of the buffer, from its lowest to its highest voxel.
    pub data_bytes: usize,
    /// Bytes from a voxel to the next one along i, j and k. All 0: dense, i fastest.
    pub strides: [i64; 3],
}

/// Makes an image without voxels: LPS, dense, with i, j and k along the patient's axes. `data`, `data_bytes`, `dtype`, `size` and
/// `spacing` have to be set.
///
/// # Safety
/// `image` is NULL or has `struct_size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn ggpfn_image_init(image: *mut ggpfn_image, struct_size: usize) -> ggpfn_status {
    super::boundary::enter(|| {
        let value = ggpfn_image {
            struct_size,
            data: std::ptr::null(),
            data_bytes: 0,
            dtype: 0,
            frame: GGPFN_LPS,
            size: [0; 3],
            strides: [0; 3],
            spacing: [0.0; 3],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        // SAFETY: the caller's promise.
        unsafe { initialise(image, struct_size, value) }
    })
}

/// Does something with the voxels' type under a name.
macro_rules! by_type {
    ($dtype:expr, $name:ident => $work:expr) => {
        by_type!(@ $dtype, $name => $work,
            GGPFN_INT8 i8, GGPFN_UINT8 u8, GGPFN_INT16 i16, GGPFN_UINT16 u16, GGPFN_INT32 i32, GGPFN_UINT32 u32,
            GGPFN_INT64 i64, GGPFN_UINT64 u64, GGPFN_FLOAT32 f32, GGPFN_FLOAT64 f64)
    };
    (@ $dtype:expr, $name:ident => $work:expr, $($number:ident $type:ty),*) => {
        match $dtype {
            $($number => {
                // One of the ten needs no conversion.
                #[allow(clippy::unnecessary_cast)]
                {
                type $name = $type;
                $work
                }
            })*
            other => {
                let fault = format!("dtype is {other}; GGPFN_INT8 (1) to GGPFN_FLOAT64 (10) was expected");
                Err(Fault::argument("ggpfn_image", fault))
            }
        }
    };
}

impl ggpfn_image {
    /// The frame of origin and direction.
    pub(super) fn frame(&self) -> Outcome<Frame> {
        match self.frame {
            GGPFN_LPS => Ok(Frame::Lps),
            GGPFN_RAS => Ok(Frame::Ras),
            other => {
                let fault = format!("frame is {other}; GGPFN_LPS (0) or GGPFN_RAS (1) was expected");
                Err(Fault::argument("ggpfn_image", fault))
            }
        }
    }

    /// The grid, in LPS.
    pub(super) fn geometry(&self) -> Outcome<Geometry> {
        let d = self.direction;
        let rows = [[d[0], d[1], d[2]], [d[3], d[4], d[5]], [d[6], d[7], d[8]]];
        Ok(self.frame()?.grid("ggpfn_image", self.size, self.spacing, self.origin, rows)?)
    }

    /// Copies the voxels as Hounsfield units, `[k, j, i]`, onto their grid.
    ///
    /// # Safety
    /// `data` points to the voxels that the struct describes.
    pub(super) unsafe fn volume(&self) -> Outcome<Volume> {
        // SAFETY: the caller's promise.
        unsafe { self.part(Region { start: [0; 3], size: self.size }) }
    }

    /// The same of a region alone; no voxel outside of it is read.
    ///
    /// # Safety
    /// `data` points to the voxels that the struct describes, of which those in the region are there.
    pub(super) unsafe fn part(&self, region: Region) -> Outcome<Volume> {
        let whole = self.geometry()?;
        whole.part(region)?;
        // SAFETY: the caller's promise.
        let voxels = by_type!(self.dtype, T => unsafe { self.convert(region, |voxel: T| voxel as f32) });
        Ok(Volume::of_region(voxels?, &whole, region)?)
    }

    /// Copies a mask, `[k, j, i]`: 1 where a voxel is not 0.
    ///
    /// # Safety
    /// As [`volume`](Self::volume).
    pub(super) unsafe fn mask(&self) -> Outcome<(Array3<u8>, Geometry)> {
        let geometry = self.geometry()?;
        let all = Region { start: [0; 3], size: self.size };
        // SAFETY: the caller's promise.
        let mask = by_type!(self.dtype, T => unsafe { self.convert(all, |voxel: T| u8::from(voxel != 0 as T)) });
        Ok((mask?, geometry))
    }

    /// Copies a label map, `[k, j, i]`: the bits of each voxel's labels. A value that is no number from 0 to 65535 has none.
    ///
    /// # Safety
    /// As [`volume`](Self::volume).
    pub(super) unsafe fn labels(&self, labels: &LabelBits) -> Outcome<(Array3<u8>, Geometry)> {
        let geometry = self.geometry()?;
        let all = Region { start: [0; 3], size: self.size };
        // The cast takes what is below 0 or no number for 0.
        let bits = |value: f64| if value.round() > 65535.0 { 0 } else { labels.of(value.round() as u16) };
        // SAFETY: the caller's promise.
        let mask = by_type!(self.dtype, T => unsafe { self.convert(all, |voxel: T| bits(voxel as f64)) });
        Ok((mask?, geometry))
    }

    /// Copies the voxels of a region within the image.
    ///
    /// # Safety
    /// `data` points to voxels of type `T` as the struct describes them, of which those in the region are there.
    unsafe fn convert<T: Copy, R: Copy + Send>(
        &self,
        region: Region,
        value: impl Fn(T) -> R + Sync,
    ) -> Outcome<Array3<R>> {
        if self.data.is_null() {
            return Err(Fault::argument("ggpfn_image", "data is NULL; the voxels were expected"));
        }
        let strides = layout::<T>("ggpfn_image", self.size, self.strides, self.data_bytes)?;
        let [columns, rows, slices] = region.size;
        let first: isize = (0..3).map(|axis| region.start[axis] as isize * strides[axis]).sum();
        let mut voxels: Vec<R> = Vec::new();
        let count = columns * rows * slices;
        voxels.try_reserve_exact(count).map_err(|_| no_room(count * std::mem::size_of::<R>()))?;
        let source = Address(self.data as usize).at(first);
        voxels.spare_capacity_mut()[..count].par_chunks_mut(columns).enumerate().for_each(|(row, target)| {
            let (k, j) = (row / rows, row % rows);
            let start = source.at(k as isize * strides[2] + j as isize * strides[1]);
            for (i, target) in target.iter_mut().enumerate() {
                // SAFETY: `layout` has checked that all voxels are within the buffer.
                let voxel = unsafe { start.at(i as isize * strides[0]).pointer::<T>().read_unaligned() };
                target.write(value(voxel));
            }
        });
        // SAFETY: each of the `count` elements was written above.
        unsafe { voxels.set_len(count) };
        Array3::from_shape_vec((slices, rows, columns), voxels).map_err(|e| Fault::Internal(e.to_string()))
    }
}

impl ggpfn_output {
    /// Whether the caller wants this result.
    pub(super) fn is_wanted(&self) -> bool {
        !self.data.is_null()
    }

    /// Refuses a buffer that is too small, before the work.
    pub(super) fn check<T>(&self, name: &'static str, size: [usize; 3]) -> Outcome<()> {
        match self.is_wanted() {
            true => {
                layout::<T>(name, size, self.strides, self.data_bytes)?;
                let strides = (self.strides != [0; 3]).then_some(self.strides);
                match Strided::new(size, strides, std::mem::size_of::<T>()).overlaps(size, std::mem::size_of::<T>()) {
                    true => Err(Fault::argument(
                        name,
                        "its strides lay voxels on each other; a place for each was expected",
                    )),
                    false => Ok(()),
                }
            }
            false => Ok(()),
        }
    }

    /// Copies a result, `[k, j, i]`, to where it is wanted, if it is.
    ///
    /// # Safety
    /// `data` is NULL or points to a writable buffer as the struct describes it.
    pub(super) unsafe fn write<T: Copy + Sync>(&self, name: &'static str, values: ArrayView3<T>) -> Outcome<()> {
        if !self.is_wanted() {
            return Ok(());
        }
        let (slices, rows, columns) = values.dim();
        let strides = layout::<T>(name, [columns, rows, slices], self.strides, self.data_bytes)?;
        let target = Address(self.data as usize);
        values.outer_iter().enumerate().for_each(|(k, slice)| {
            for (j, row) in slice.outer_iter().enumerate() {
                let start = target.at(k as isize * strides[2] + j as isize * strides[1]);
                for (i, value) in row.iter().enumerate() {
                    // SAFETY: `layout` has checked that all voxels are within the buffer, which is the caller's to write.
                    unsafe { start.at(i as isize * strides[0]).pointer::<T>().cast_mut().write_unaligned(*value) };
                }
            }
        });
        Ok(())
    }
}

/// An address that may go to another thread.
#[derive(Clone, Copy)]
struct Address(usize);

impl Address {
    fn at(self, bytes: isize) -> Self {
        Address(self.0.wrapping_add_signed(bytes))
    }

    fn pointer<T>(self) -> *const T {
        self.0 as *const T
    }
}

/// The strides in bytes, after checking that all voxels lie within `bytes`.
fn layout<T>(name: &'static str, size: [usize; 3], strides: [i64; 3], bytes: usize) -> Outcome<[isize; 3]> {
    let layout = Strided::new(size, (strides != [0; 3]).then_some(strides), std::mem::size_of::<T>());
    let needed = layout.high - layout.low;
    if needed > bytes.min(isize::MAX as usize) as i128 {
        let [i, j, k] = size;
        let fault = format!("{i} x {j} x {k} voxels with these strides take {needed} bytes, and data_bytes is {bytes}");
        return Err(Fault::argument(name, fault));
    }
    Ok(layout.strides.map(|stride| stride as isize))
}

/// There is no memory for so many bytes.
pub(super) fn no_room(bytes: usize) -> Fault {
    let text = format!("{:.1} GB were needed to hold the image; segment a region of it", bytes as f64 / 1e9);
    Fault::Library(Error::Memory(text))
}
