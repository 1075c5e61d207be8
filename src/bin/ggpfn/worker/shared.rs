//! Arrays in a file that this process and the one that asks both map.
//!
//! Nothing that a request says of an array is believed before it was compared with the file's length, and that is asked for anew each time the
//! file is mapped: before voxels are read, and before results are written. The other side must not shorten the file or write to it in
//! between; a program that asks is waiting for the answer then.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use ggpfn::labels::LabelBits;
use ggpfn::limits::Attainable;
use ggpfn::volume::{Frame, Geometry, Region, Strided, Volume};
use ggpfn::{Error, Result};
use memmap2::MmapMut;
use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;
use serde::Deserialize;

/// Where an array lies in the file. What its size is follows from the grid it is on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// Bytes to voxel (0, 0, 0).
    pub offset: u64,
    /// Needed for images alone; of results it is known.
    pub dtype: Option<Dtype>,
    /// Bytes from a voxel to the next one along i, j and k; none: dense, i fastest.
    pub strides: Option<[i64; 3]>,
}

/// The type of an array's elements, by numpy's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    Int8,
    UInt8,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float32,
    Float64,
}

/// Where voxels lie in the patient.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub size: [usize; 3],
    pub spacing: [f64; 3],
    pub origin: [f64; 3],
    /// Its columns are the unit vectors of i, j and k.
    pub direction: [[f64; 3]; 3],
    pub frame: Frame,
}

impl Grid {
    /// The grid in LPS.
    pub fn geometry(&self) -> Result<Geometry> {
        self.frame.grid("grid", self.size, self.spacing, self.origin, self.direction)
    }
}

/// Voxels on their grid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    pub grid: Grid,
    pub voxels: Array,
}

/// Refuses a size that is empty, or that memory could never hold.
fn check_size(size: [usize; 3]) -> Result<()> {
    /// Bytes that are always there: what the system has left is read from several of its files.
    const LITTLE: u64 = 1 << 20;
    let bytes = size.iter().try_fold(4_u64, |bytes, side| bytes.checked_mul(*side as u64));
    if bytes.is_some_and(|bytes| (1..=LITTLE).contains(&bytes)) {
        return Ok(());
    }
    let most = Attainable::now().map_or(u64::MAX, |attainable| attainable.bytes).min(i64::MAX as u64 / 8);
    match bytes {
        Some(0) => Err(Error::argument("size", format!("{size:?}; numbers from 1 were expected"))),
        Some(bytes) if bytes <= most => Ok(()),
        _ => Err(Error::Memory(format!("an array of {size:?} is more than this machine could hold"))),
    }
}

/// What of an array is to be read.
struct Place<'a> {
    name: &'static str,
    array: &'a Array,
    size: [usize; 3],
    region: Region,
}

impl<'a> Place<'a> {
    fn whole(name: &'static str, array: &'a Array, size: [usize; 3]) -> Self {
        Place { name, array, size, region: Region { start: [0; 3], size } }
    }
}

/// A file with arrays in it.
pub struct Shared {
    file: File,
    path: PathBuf,
}

impl Shared {
    /// Opens the file; with `remove` it loses its name, so that nothing stays behind however either process ends.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be opened, [`Error::Argument`] if it is no file.
    pub fn open(path: PathBuf, remove: bool) -> Result<Self> {
        let fault = |e| Error::file("open", &path, e);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(fault)?;
        if !file.metadata().map_err(fault)?.is_file() {
            return Err(Error::argument("file", format!("{} is not a file", path.display())));
        }
        if remove {
            // Where an open file keeps its name, on Windows, the other side removes it.
            let _ = std::fs::remove_file(&path);
        }
        Ok(Shared { file, path })
    }

    /// The file's bytes as they are now.
    fn map(&self) -> Result<MmapMut> {
        let fault = |e| Error::file("map", &self.path, e);
        let length = self.file.metadata().map_err(fault)?.len();
        if length == 0 {
            return Err(Error::argument("file", format!("{} is empty", self.path.display())));
        }
        // Sound as long as the file keeps its length and its bytes while it is mapped, which the protocol asks of the other side; the
        // map lives while voxels are copied, and no longer.
        unsafe { MmapMut::map_mut(&self.file) }.map_err(fault)
    }

    /// Some of its bytes.
    ///
    /// # Errors
    /// [`Error::Argument`] if they reach beyond the file.
    pub fn with_bytes<T>(&self, offset: u64, length: u64, work: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let map = self.map()?;
        let range = usize::try_from(offset).ok().zip(offset.checked_add(length).and_then(|end| end.try_into().ok()));
        match range.and_then(|(start, end)| map.get(start..end)) {
            Some(bytes) => work(bytes),
            None => {
                let fault = format!("{length} bytes from byte {offset} on; the file has {} bytes", map.len());
                Err(Error::argument("length", fault))
            }
        }
    }

    /// An image's voxels as Hounsfield units.
    ///
    /// # Errors
    /// [`Error::Argument`] if they reach beyond the file, [`Error::Volume`] for a grid or voxels that cannot be used.
    pub fn volume(&self, image: &Image) -> Result<Volume> {
        self.part(image, Region { start: [0; 3], size: image.grid.size })
    }

    /// The same of a region alone.
    ///
    /// # Errors
    /// As [`volume`](Self::volume); [`Error::Argument`] if the region reaches beyond the image.
    pub fn part(&self, image: &Image, region: Region) -> Result<Volume> {
        let geometry = image.grid.geometry()?;
        geometry.part(region)?;
        let place = Place { name: "image", array: &image.voxels, size: geometry.size, region };
        let voxels = match dtype(&image.voxels)? {
            Dtype::Int8 => self.read(place, |v: i8| v as f32),
            Dtype::UInt8 => self.read(place, |v: u8| v as f32),
            Dtype::Int16 => self.read(place, |v: i16| v as f32),
            Dtype::UInt16 => self.read(place, |v: u16| v as f32),
            Dtype::Int32 => self.read(place, |v: i32| v as f32),
            Dtype::UInt32 => self.read(place, |v: u32| v as f32),
            Dtype::Int64 => self.read(place, |v: i64| v as f32),
            Dtype::UInt64 => self.read(place, |v: u64| v as f32),
            Dtype::Float32 => self.read(place, |v: f32| v),
            Dtype::Float64 => self.read(place, |v: f64| v as f32),
        };
        Volume::of_region(voxels?, &geometry, region)
    }

    /// A mask, 1 where a voxel is not 0.
    ///
    /// # Errors
    /// As [`volume`](Self::volume).
    pub fn mask(&self, name: &'static str, image: &Image) -> Result<(Array3<u8>, Geometry)> {
        let geometry = image.grid.geometry()?;
        let place = Place::whole(name, &image.voxels, geometry.size);
        let mask = match dtype(&image.voxels)? {
            Dtype::Float32 => self.read(place, |v: f32| u8::from(v != 0.0)),
            Dtype::Float64 => self.read(place, |v: f64| u8::from(v != 0.0)),
            // Whether an integer is 0 depends on its length alone.
            Dtype::Int8 | Dtype::UInt8 => self.read(place, |v: u8| u8::from(v != 0)),
            Dtype::Int16 | Dtype::UInt16 => self.read(place, |v: u16| u8::from(v != 0)),
            Dtype::Int32 | Dtype::UInt32 => self.read(place, |v: u32| u8::from(v != 0)),
            Dtype::Int64 | Dtype::UInt64 => self.read(place, |v: u64| u8::from(v != 0)),
        };
        Ok((mask?, geometry))
    }

    /// A label map as the bits of its labels. A value that is no number from 0 to 65535 has none.
    ///
    /// # Errors
    /// As [`volume`](Self::volume).
    pub fn labels(&self, name: &'static str, image: &Image, labels: &LabelBits) -> Result<(Array3<u8>, Geometry)> {
        let geometry = image.grid.geometry()?;
        let place = Place::whole(name, &image.voxels, geometry.size);
        // The cast takes what is below 0 or no number for 0.
        let bits = |value: f64| if value.round() > 65535.0 { 0 } else { labels.of(value.round() as u16) };
        let mask = match dtype(&image.voxels)? {
            Dtype::Float32 => self.read(place, |v: f32| bits(v.into())),
            Dtype::Float64 => self.read(place, bits),
            Dtype::Int8 => self.read(place, |v: i8| bits(v.into())),
            Dtype::UInt8 => self.read(place, |v: u8| bits(v.into())),
            Dtype::Int16 => self.read(place, |v: i16| bits(v.into())),
            Dtype::UInt16 => self.read(place, |v: u16| bits(v.into())),
            Dtype::Int32 => self.read(place, |v: i32| bits(v.into())),
            Dtype::UInt32 => self.read(place, |v: u32| bits(v.into())),
            Dtype::Int64 => self.read(place, |v: i64| bits(v as f64)),
            Dtype::UInt64 => self.read(place, |v: u64| bits(v as f64)),
        };
        Ok((mask?, geometry))
    }

    /// An array of float32.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is of another type or reaches beyond the file.
    pub fn floats(&self, name: &'static str, array: &Array, size: [usize; 3]) -> Result<Array3<f32>> {
        expect(name, array, Dtype::Float32)?;
        self.read(Place::whole(name, array, size), |v: f32| v)
    }

    /// Copies a region of an array to memory of its own, `[k, j, i]`.
    fn read<T: Number, R: Copy + Default + Send>(
        &self,
        place: Place,
        value: impl Fn(T) -> R + Sync,
    ) -> Result<Array3<R>> {
        let Place { name, array, size, region } = place;
        check_size(size)?;
        let map = self.map()?;
        let layout = Layout::new(name, array, size, T::BYTES, map.len())?;
        let ([i0, j0, k0], [columns, rows, slices]) = (region.start, region.size);
        let count = columns * rows * slices;
        let mut voxels: Vec<R> = Vec::new();
        voxels.try_reserve_exact(count).map_err(|_| Error::Memory(format!("no room for {count} voxels")))?;
        voxels.resize(count, R::default());
        voxels.par_chunks_mut(columns).enumerate().for_each(|(row, target)| {
            let start = layout.along_i(layout.row(j0 + row % rows, k0 + row / rows), i0);
            match layout.is_dense_along_i() {
                true => {
                    let source = map[start..start + columns * T::BYTES].chunks_exact(T::BYTES);
                    target.iter_mut().zip(source).for_each(|(target, voxel)| *target = value(T::read(voxel)));
                }
                false => target.iter_mut().enumerate().for_each(|(i, target)| {
                    let at = layout.along_i(start, i);
                    *target = value(T::read(&map[at..at + T::BYTES]));
                }),
            }
        });
        Array3::from_shape_vec((slices, rows, columns), voxels).map_err(|e| Error::Volume(e.to_string()))
    }

    /// Refuses a place for a result of type `dtype` that reaches beyond the file, before the work.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check(&self, name: &'static str, array: &Array, size: [usize; 3], dtype: Dtype) -> Result<()> {
        expect(name, array, dtype)?;
        check_size(size)?;
        let bytes = if dtype == Dtype::UInt8 { 1 } else { 4 };
        Layout::new(name, array, size, bytes, self.map()?.len())?;
        match Strided::new(size, array.strides, bytes).overlaps(size, bytes) {
            true => Err(Error::argument(name, "its strides lay voxels on each other; a place for each was expected")),
            false => Ok(()),
        }
    }

    /// Copies a result, `[k, j, i]`, to its place.
    ///
    /// # Errors
    /// [`Error::Argument`] if that reaches beyond the file.
    pub fn write<T: Number>(&self, name: &'static str, array: &Array, values: ArrayView3<T>) -> Result<()> {
        let (slices, rows, columns) = values.dim();
        let mut map = self.map()?;
        let layout = Layout::new(name, array, [columns, rows, slices], T::BYTES, map.len())?;
        for (k, slice) in values.outer_iter().enumerate() {
            for (j, row) in slice.outer_iter().enumerate() {
                let start = layout.row(j, k);
                for (i, value) in row.iter().enumerate() {
                    let at = layout.along_i(start, i);
                    value.write(&mut map[at..at + T::BYTES]);
                }
            }
        }
        // Elsewhere a file and its map are the same memory.
        #[cfg(windows)]
        map.flush().map_err(|e| Error::file("write", &self.path, e))?;
        Ok(())
    }
}

fn dtype(array: &Array) -> Result<Dtype> {
    array.dtype.ok_or_else(|| Error::argument("voxels", "they have no dtype; \"int16\" for example was expected"))
}

fn expect(name: &'static str, array: &Array, expected: Dtype) -> Result<()> {
    match array.dtype {
        Some(other) if other != expected => {
            Err(Error::argument(name, format!("its dtype is {other:?}; {expected:?} was expected")))
        }
        _ => Ok(()),
    }
}

/// An array whose voxels are known to lie within the file.
struct Layout {
    offset: i64,
    strides: [i64; 3],
    bytes: usize,
}

impl Layout {
    fn new(name: &'static str, array: &Array, size: [usize; 3], bytes: usize, length: usize) -> Result<Self> {
        let Strided { strides, low, high } = Strided::new(size, array.strides, bytes);
        let [first, end] = [low, high].map(|place| i128::from(array.offset) + place);
        if first < 0 || end > length.min(i64::MAX as usize) as i128 {
            let [i, j, k] = size;
            let fault = format!(
                "{i} x {j} x {k} voxels with this offset and these strides are bytes {first} to {end} of the file, which has {length}"
            );
            return Err(Error::argument(name, fault));
        }
        Ok(Layout { offset: array.offset as i64, strides, bytes })
    }

    /// The place of voxel (0, j, k).
    fn row(&self, j: usize, k: usize) -> usize {
        (self.offset + j as i64 * self.strides[1] + k as i64 * self.strides[2]) as usize
    }

    fn along_i(&self, start: usize, i: usize) -> usize {
        (start as i64 + i as i64 * self.strides[0]) as usize
    }

    fn is_dense_along_i(&self) -> bool {
        self.strides[0] == self.bytes as i64
    }
}

/// A number in the machine's byte order.
pub trait Number: Copy {
    /// How many bytes it takes.
    const BYTES: usize = std::mem::size_of::<Self>();
    /// From as many bytes.
    fn read(bytes: &[u8]) -> Self;
    /// To as many bytes.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            fn read(bytes: &[u8]) -> Self {
                let mut raw = [0; std::mem::size_of::<Self>()];
                raw.copy_from_slice(bytes);
                Self::from_ne_bytes(raw)
            }

            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_ne_bytes());
            }
        }
    )*};
}

numbers!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(bytes: &[u8]) -> (tempfile::NamedTempFile, Shared) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let shared = Shared::open(file.path().to_path_buf(), false).unwrap();
        (file, shared)
    }

    fn image(offset: u64, dtype: Dtype, size: [usize; 3], strides: Option<[i64; 3]>) -> Image {
        let direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let grid = Grid { size, spacing: [1.0, 2.0, 3.0], origin: [4.0, 5.0, 6.0], direction, frame: Frame::Ras };
        Image { grid, voxels: Array { offset, dtype: Some(dtype), strides } }
    }

    #[test]
    fn strides_may_be_negative_and_bytes_unaligned() {
        let mut bytes = vec![0xff];
        (0..24_i16).for_each(|n| bytes.extend((n - 12).to_ne_bytes()));
        let (_file, shared) = shared(&bytes);
        let dense = shared.volume(&image(1, Dtype::Int16, [4, 3, 2], None)).unwrap();
        assert_eq!(dense.voxels()[[1, 2, 3]], 11.0);
        assert_eq!(dense.geometry().origin, [-4.0, -5.0, 6.0]);
        let turned = shared.volume(&image(1 + 2 * 23, Dtype::Int16, [4, 3, 2], Some([-2, -8, -24]))).unwrap();
        assert_eq!(turned.voxels()[[0, 0, 0]], 11.0);
        assert_eq!(turned.voxels()[[1, 2, 3]], -12.0);
        let (mask, _) = shared.mask("mask", &image(1, Dtype::Int16, [4, 3, 2], None)).unwrap();
        assert_eq!((mask[[1, 0, 0]], mask.iter().filter(|v| **v == 1).count()), (0, 23));
    }

    #[test]
    fn what_reaches_beyond_the_file_is_refused() {
        let (_file, shared) = shared(&[0; 48]);
        let refused = |offset, size, strides| {
            let result = shared.volume(&image(offset, Dtype::Int16, size, strides));
            assert!(matches!(result, Err(Error::Argument { .. } | Error::Memory(_))), "{result:?}");
        };
        refused(1, [4, 3, 2], None);
        refused(u64::MAX, [4, 3, 2], None);
        refused(0, [4, 3, 2], Some([-2, 8, 24]));
        refused(0, [4, 3, 2], Some([i64::MAX, i64::MAX, i64::MIN]));
        refused(0, [0, 3, 2], None);
        refused(0, [usize::MAX, 3, 2], None);
        refused(0, [65536, 65536, 65536], Some([0, 0, 0]));
        let place = Array { offset: 47, dtype: None, strides: None };
        assert!(shared.write("mask", &place, Array3::<u8>::zeros((1, 1, 2)).view()).is_err());
        assert!(shared.write("mask", &place, Array3::<u8>::ones((1, 1, 1)).view()).is_ok());
    }
}
