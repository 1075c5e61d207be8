//! NIfTI-1 and NIfTI-2: single files and `.hdr`/`.img` pairs, either byte order, compressed or not.
//!
//! The header is read here and not by a library, because everything that follows hangs on distrusting it: sizes, offsets
//! and types are checked against each other and against the file before a voxel is read. NIfTI's world is RAS; ours is LPS.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::Compression;

use super::voxels::{self, Layout, Number, Packing, Skip, Source, Voxels};
use super::ReadOptions;
use crate::files::AtomicFile;
use crate::volume::{Geometry, Placement, PlacementFields, Volume};
use crate::{Error, Result};

/// The largest shift, in mm, that rounding the geometry to NIfTI-1's float32 may cause before NIfTI-2 is written in its place.
/// Positions to 2 m from the scanner's centre stay below it. Beyond, exactness is bought dearly: ITK 5.4, and what is built
/// on it, does not read NIfTI-2.
const ROUNDING_MM: f64 = 1e-4;

/// What kind of NIfTI header some bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    two: bool,
    big_endian: bool,
    /// The voxels are in a file of their own.
    pair: bool,
}

impl Kind {
    /// Recognises a header; none if it is not one.
    pub fn of(bytes: &[u8]) -> Option<Kind> {
        let size = bytes.get(..4).and_then(|b| <[u8; 4]>::try_from(b).ok())?;
        let big_endian = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348 | 540, _) => false,
            (_, 348 | 540) => true,
            _ => return None,
        };
        let two = size.contains(&0x1c) && size.contains(&0x02); // 540 = 0x21c
        let magic = if two { bytes.get(4..8)? } else { bytes.get(344..348)? };
        match (two, magic) {
            (false, b"n+1\0") | (true, b"n+2\0") => Some(Kind { two, big_endian, pair: false }),
            (false, b"ni1\0") | (true, b"ni2\0") => Some(Kind { two, big_endian, pair: true }),
            _ => None,
        }
    }

    fn header_bytes(self) -> usize {
        if self.two {
            540
        } else {
            348
        }
    }
}

/// Whether some bytes are the header of Analyze 7.5, which has NIfTI's size but none of its geometry.
pub(super) fn is_analyze(bytes: &[u8]) -> bool {
    let size = bytes.get(..4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    bytes.len() >= 348 && size.is_some_and(|s| i32::from_le_bytes(s) == 348 || i32::from_be_bytes(s) == 348)
}

/// The numbers of a header, in the words of NIfTI-2.
struct Header {
    dim: [i64; 8],
    datatype: i16,
    bitpix: i16,
    pixdim: [f64; 8],
    vox_offset: f64,
    slope: f64,
    intercept: f64,
    units: i32,
    qform: i32,
    sform: i32,
    quaternion: [f64; 3],
    offset: [f64; 3],
    srow: [[f64; 4]; 3],
}

/// Reads numbers at offsets in either byte order.
struct Bytes<'a>(&'a [u8], bool);

macro_rules! reader {
    ($name:ident, $type:ty) => {
        fn $name(&self, at: usize) -> $type {
            const SIZE: usize = std::mem::size_of::<$type>();
            let mut raw = [0_u8; SIZE];
            // The header's length was checked; a missing number would read as 0 and be refused as such.
            if let Some(bytes) = self.0.get(at..at + SIZE) {
                raw.copy_from_slice(bytes);
            }
            if self.1 {
                <$type>::from_be_bytes(raw)
            } else {
                <$type>::from_le_bytes(raw)
            }
        }
    };
}

impl Bytes<'_> {
    reader!(i16, i16);
    reader!(i32, i32);
    reader!(i64, i64);
    reader!(f32, f32);
    reader!(f64, f64);
}

impl Header {
    fn parse(bytes: &[u8], kind: Kind) -> Self {
        let b = Bytes(bytes, kind.big_endian);
        let single = |at: usize| f64::from(b.f32(at));
        if kind.two {
            Header {
                dim: std::array::from_fn(|n| b.i64(16 + 8 * n)),
                datatype: b.i16(12),
                bitpix: b.i16(14),
                pixdim: std::array::from_fn(|n| b.f64(104 + 8 * n)),
                vox_offset: b.i64(168) as f64,
                slope: b.f64(176),
                intercept: b.f64(184),
                units: b.i32(500),
                qform: b.i32(344),
                sform: b.i32(348),
                quaternion: std::array::from_fn(|n| b.f64(352 + 8 * n)),
                offset: std::array::from_fn(|n| b.f64(376 + 8 * n)),
                srow: std::array::from_fn(|row| std::array::from_fn(|n| b.f64(400 + 32 * row + 8 * n))),
            }
        } else {
            Header {
                dim: std::array::from_fn(|n| i64::from(b.i16(40 + 2 * n))),
                datatype: b.i16(70),
                bitpix: b.i16(72),
                pixdim: std::array::from_fn(|n| single(76 + 4 * n)),
                vox_offset: single(108),
                slope: single(112),
                intercept: single(116),
                units: i32::from(bytes.get(123).copied().unwrap_or(0)),
                qform: i32::from(b.i16(252)),
                sform: i32::from(b.i16(254)),
                quaternion: std::array::from_fn(|n| single(256 + 4 * n)),
                offset: std::array::from_fn(|n| single(268 + 4 * n)),
                srow: std::array::from_fn(|row| std::array::from_fn(|n| single(280 + 16 * row + 4 * n))),
            }
        }
    }

    /// The extents of a single 3D volume.
    fn size(&self) -> std::result::Result<[usize; 3], String> {
        let dimensions = self.dim[0];
        if !(1..=7).contains(&dimensions) {
            return Err(format!("its header says {dimensions} dimensions; 3 were expected"));
        }
        let extents = &self.dim[1..=dimensions as usize];
        if let Some(bad) = extents.iter().find(|n| **n < 1) {
            return Err(format!("its header gives a dimension of {bad} voxels"));
        }
        if dimensions < 3 {
            return Err(format!("a {dimensions}D image; a 3D volume was expected"));
        }
        if extents.iter().skip(4).any(|n| *n > 1) {
            return Err(format!(
                "it holds several values per voxel (dimensions {extents:?}); a scalar 3D volume was expected"
            ));
        }
        if let Some(volumes) = extents.get(3).filter(|n| **n > 1) {
            return Err(format!(
                "a 4D image of {volumes} volumes; a single 3D volume was expected: take one out and segment that"
            ));
        }
        let size = |n: i64| usize::try_from(n).map_err(|_| format!("its header gives a dimension of {n} voxels"));
        Ok([size(extents[0])?, size(extents[1])?, size(extents[2])?])
    }

    fn number(&self) -> std::result::Result<Number, String> {
        let number = match self.datatype {
            2 => Number::U8,
            256 => Number::I8,
            512 => Number::U16,
            4 => Number::I16,
            768 => Number::U32,
            8 => Number::I32,
            1280 => Number::U64,
            1024 => Number::I64,
            16 => Number::F32,
            64 => Number::F64,
            32 | 1792 | 2048 => {
                return Err("its voxels are complex numbers; one real number per voxel was expected".into())
            }
            128 => return Err("an RGB image; a CT in Hounsfield units was expected".into()),
            2304 => return Err("an RGBA image; a CT in Hounsfield units was expected".into()),
            1536 => {
                return Err("its voxels are 128-bit floats, which cannot be read; convert it to 32-bit floats".into())
            }
            1 => return Err("its voxels are single bits, which cannot be read; convert it to 8-bit integers".into()),
            other => return Err(format!("its header has the unknown data type {other}")),
        };
        let bits = 8 * number.bytes() as i16;
        if self.bitpix != bits {
            let found = self.bitpix;
            return Err(format!("its header contradicts itself: {bits}-bit voxels by type, {found}-bit by size"));
        }
        Ok(number)
    }

    fn scale(&self) -> (f64, f64) {
        if self.slope == 0.0 || !self.slope.is_finite() || !self.intercept.is_finite() {
            (1.0, 0.0)
        } else {
            (self.slope, self.intercept)
        }
    }

    /// The grid, and how the header places it for others: sform if it is set and usable, else qform, else the spacing alone.
    fn geometry(&self, size: [usize; 3], path: &Path) -> Result<(Geometry, Placement)> {
        let fault = |e: Error| match e {
            Error::Volume(text) => Error::image(path, text),
            other => other,
        };
        let millimetres = match self.units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        };
        let sform = (self.sform > 0).then(|| lps(size, self.srow, millimetres));
        let mut qform = None;
        if self.qform > 0 {
            match self.qform(size, millimetres, path) {
                Ok(geometry) => qform = Some(geometry),
                // Only of interest if it is needed.
                Err(e) if !matches!(sform, Some(Ok(_))) => return Err(fault(e)),
                Err(_) => {}
            }
        }
        let geometry = match (sform, &qform) {
            (Some(Ok(sform)), _) => {
                qform.iter().for_each(|qform| self.compare(&sform, qform, path));
                sform
            }
            (Some(Err(e)), None) => return Err(fault(e)),
            (Some(Err(e)), Some(qform)) => {
                log::warn!("{}: its sform cannot be used ({e}); its qform is", path.display());
                qform.clone()
            }
            (None, Some(qform)) => qform.clone(),
            (None, None) => {
                log::warn!(
                    "{}: it does not say how it lies in the patient; +i, +j, +k are taken for right, front, up",
                    path.display()
                );
                let [x, y, z] = self.spacing(path)?;
                let plain = [[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]];
                lps(size, plain, millimetres).map_err(fault)?
            }
        };
        let itk = match (self.sform, qform) {
            // ITK has it lie along its own axes then, from its own origin.
            (..=0, None) => Geometry::axis_aligned(size, geometry.spacing),
            (1, _) | (_, None) => self.by_pixdim(geometry.clone(), millimetres),
            (_, Some(qform)) => qform,
        };
        if self.qform <= 0 && self.sform > 0 && geometry.distance(&itk) > CONTRADICTION_MM {
            log::warn!(
                "{}: its sform has voxels of {}, its pixdim of {}; the sform is used, while ITK, 3D Slicer and ITK-SNAP go by the pixdim. \
                 Results carry both, and lie on it everywhere",
                path.display(),
                voxel_size(geometry.spacing),
                voxel_size([self.pixdim[1], self.pixdim[2], self.pixdim[3]].map(|size| size * millimetres))
            );
        }
        let fields = PlacementFields {
            codes: [self.qform, self.sform],
            units: self.units,
            pixdim: [self.pixdim[0], self.pixdim[1], self.pixdim[2], self.pixdim[3]],
            quaternion: self.quaternion,
            offset: self.offset,
            srow: self.srow,
        };
        Ok((geometry, Placement { fields, itk }))
    }

    /// Warns if the two ways to say where the image lies contradict each other.
    fn compare(&self, sform: &Geometry, qform: &Geometry, path: &Path) {
        let distance = sform.distance(qform);
        if distance > CONTRADICTION_MM {
            let others = match self.sform {
                1 => "",
                _ => ", while ITK, 3D Slicer and ITK-SNAP go by the qform",
            };
            log::warn!(
                "{}: its sform and its qform contradict each other, by up to {distance:.1} mm; the sform is used{others}. Results carry \
                 both, and lie on it everywhere",
                path.display()
            );
        }
    }

    /// A grid by sform as ITK has it, which takes the voxels' size from the pixdim always; from one that is none it makes 1.
    fn by_pixdim(&self, mut geometry: Geometry, millimetres: f64) -> Geometry {
        for axis in 0..3 {
            let size = self.pixdim[axis + 1];
            geometry.spacing[axis] = if size.is_finite() && size != 0.0 { size.abs() * millimetres } else { 1.0 };
            if size < 0.0 {
                geometry.direction.iter_mut().for_each(|row| row[axis] = -row[axis]);
            }
        }
        geometry
    }

    fn spacing(&self, path: &Path) -> Result<[f64; 3]> {
        let [_, x, y, z, ..] = self.pixdim;
        if ![x, y, z].iter().all(|n| *n > 0.0) {
            // Readers differ in what they make of a negative one.
            let fault = format!("its spacing is {x} x {y} x {z}; three positive numbers were expected");
            return Err(Error::image(path, fault));
        }
        Ok([x, y, z])
    }

    /// The grid by quaternion, offset and spacing.
    fn qform(&self, size: [usize; 3], millimetres: f64, path: &Path) -> Result<Geometry> {
        let [x, y, z] = self.spacing(path)?;
        let [b, c, d] = self.quaternion;
        let square = 1.0 - b * b - c * c - d * d;
        if square.is_nan() || square < -1e-3 {
            return Err(Error::image(path, format!("its qform's quaternion ({b}, {c}, {d}) is not a rotation")));
        }
        // Rounding may have made (b, c, d) longer than 1.
        let length = (1.0 - square.min(0.0)).sqrt();
        let rotation = rotation(square.max(0.0).sqrt(), b / length, c / length, d / length);
        let handed = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let spacing = [x, y, handed * z];
        let affine = std::array::from_fn(|row| {
            let r = rotation[row];
            [r[0] * spacing[0], r[1] * spacing[1], r[2] * spacing[2], self.offset[row]]
        });
        lps(size, affine, millimetres)
    }
}

/// Distances of voxels, in mm, that are more than what rounding leaves.
const CONTRADICTION_MM: f64 = 0.1;

fn voxel_size([x, y, z]: [f64; 3]) -> String {
    format!("{x} x {y} x {z} mm")
}

/// A RAS affine as an LPS grid.
fn lps(size: [usize; 3], ras: [[f64; 4]; 3], millimetres: f64) -> Result<Geometry> {
    let signs = [-millimetres, -millimetres, millimetres];
    Geometry::from_affine(size, std::array::from_fn(|row| ras[row].map(|v| v * signs[row])))
}

fn rotation(a: f64, b: f64, c: f64, d: f64) -> [[f64; 3]; 3] {
    [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
}

/// Reads the NIfTI image whose header `path` begins with; `bytes` and `gzip` are what [`voxels::head`] gave for it.
pub(super) fn read(path: &Path, kind: Kind, bytes: &[u8], gzip: bool, options: &ReadOptions) -> Result<Volume> {
    if bytes.len() < kind.header_bytes() {
        let fault = format!("its header is cut off: {} of {} bytes", bytes.len(), kind.header_bytes());
        return Err(Error::image(path, fault));
    }
    let header = Header::parse(bytes, kind);
    let refuse = |text: String| Error::image(path, text);
    let size = header.size().map_err(refuse)?;
    let number = header.number().map_err(refuse)?;
    let layout = Layout { size, number, big_endian: kind.big_endian, scale: header.scale() };
    layout.check(path, options)?;
    let offset = header.vox_offset;
    if !(0.0..=1e12).contains(&offset) || offset.fract() != 0.0 {
        return Err(refuse(format!("its header puts the voxels at byte {offset}; a whole number from 0 was expected")));
    }
    let mut skip = offset as u64;
    let file = if kind.pair { partner(path, "img")? } else { path.to_path_buf() };
    let packed = if kind.pair { voxels::head(&file, 2)?.1 } else { gzip };
    if !kind.pair {
        // Some writers leave the offset at 0 and mean "behind the header and its four bytes of extension flags".
        let least = kind.header_bytes() as u64 + 4;
        if skip == 0 {
            skip = least;
        } else if skip < kind.header_bytes() as u64 {
            return Err(refuse(format!("its header puts the voxels at byte {skip}, inside the header itself")));
        }
    }
    let (geometry, placement) = header.geometry(size, path)?;
    let packing = if packed { Packing::Gzip } else { Packing::Plain };
    let source = Source { files: vec![file], start: 0, lines: 0, packing, skip: Skip::Front(skip) };
    let voxels = voxels::read(path, &layout, &source, options)?;
    Ok(super::on_grid(path, voxels, geometry, options)?.placed(placement))
}

/// The other half of a pair: the file with the same name and the extension `img` or `hdr`, compressed or not.
pub(super) fn partner(path: &Path, extension: &str) -> Result<PathBuf> {
    let (bare, upper) = (without_gz(path), extension.to_uppercase());
    let endings = [extension.to_string(), format!("{extension}.gz"), format!("{upper}.gz"), upper];
    endings.iter().map(|ending| bare.with_extension(ending)).find(|path| path.is_file()).ok_or_else(|| {
        let name = bare.with_extension(extension);
        let name = name.file_name().unwrap_or_default().display();
        Error::image(path, format!("one half of a pair; {name} was expected beside it"))
    })
}

fn without_gz(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => path.with_extension(""),
        _ => path.to_path_buf(),
    }
}

/// The files that [`write`] makes.
pub(super) fn files_written(path: &Path) -> Vec<PathBuf> {
    let bare = without_gz(path);
    match bare.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("nii")) {
        true => vec![path.to_path_buf()],
        false => ["hdr", "img"].map(|half| half_of_pair(path, half)).into(),
    }
}

/// The path of one half of the pair that is written to `path`.
fn half_of_pair(path: &Path, extension: &str) -> PathBuf {
    let bare = without_gz(path);
    let gz = if bare == path { "" } else { ".gz" };
    bare.with_extension(format!("{extension}{gz}"))
}

/// Writes a single file, or a pair if `path` ends in `.hdr` or `.img`; placed by `fields`, if there are any, and not by the geometry.
pub(super) fn write(path: &Path, voxels: Voxels, geometry: &Geometry, fields: Option<&PlacementFields>) -> Result<()> {
    let bare = without_gz(path);
    let gzip = bare != path;
    let pair = !bare.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("nii"));
    let header = header(voxels.number(), geometry, pair, fields);
    let put = |path: &Path, parts: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| -> Result<AtomicFile> {
        let mut file = AtomicFile::create(path)?;
        let result = if gzip {
            let mut encoder = GzEncoder::new(&mut file, Compression::new(3));
            parts(&mut encoder).and_then(|()| encoder.finish().map(|_| ()))
        } else {
            parts(&mut file)
        };
        result.map_err(|e| Error::file("write", path, e))?;
        Ok(file)
    };
    if !pair {
        return put(path, &|out| {
            out.write_all(&header)?;
            voxels.write_to(out)
        })?
        .commit();
    }
    let image = put(&half_of_pair(path, "img"), &|out| voxels.write_to(out))?;
    let header = put(&half_of_pair(path, "hdr"), &|out| out.write_all(&header))?;
    AtomicFile::commit_all(vec![image, header])
}

/// A header with its four bytes of extension flags: NIfTI-1 where its 16-bit sizes and float32 geometry suffice, else NIfTI-2.
fn header(number: Number, geometry: &Geometry, pair: bool, fields: Option<&PlacementFields>) -> Vec<u8> {
    let signs = [-1.0, -1.0, 1.0];
    let affine = geometry.affine();
    let ras: [[f64; 4]; 3] = std::array::from_fn(|row| affine[row].map(|v| v * signs[row]));
    let rounded = ras.map(|row| row.map(|v| f64::from(v as f32)));
    let fits = geometry.size.iter().all(|n| *n <= i16::MAX as usize);
    let exact = lps(geometry.size, rounded, 1.0).is_ok_and(|g| g.distance(geometry) <= ROUNDING_MM);
    let two = !(fits && exact);

    let (datatype, bits): (i16, i16) = match number {
        Number::U8 => (2, 8),
        Number::I16 => (4, 16),
        _ => (16, 32),
    };
    let own;
    let fields = match fields {
        Some(fields) => fields,
        None => {
            own = own_fields(geometry, ras);
            &own
        }
    };
    let mut h = vec![0_u8; if two { 540 } else { 348 }];
    let mut put = |at: usize, bytes: &[u8]| h[at..at + bytes.len()].copy_from_slice(bytes);
    let [i, j, k] = geometry.size;
    let dim = [3, i, j, k, 1, 1, 1, 1];
    let [handed, x, y, z] = fields.pixdim;
    let pixdim = [handed, x, y, z, 1.0, 1.0, 1.0, 1.0];
    let PlacementFields { codes: [qform, sform], units, quaternion, offset, srow, .. } = fields;
    if two {
        put(0, &540_i32.to_le_bytes());
        put(4, if pair { b"ni2\0\r\n\x1a\n" } else { b"n+2\0\r\n\x1a\n" });
        put(12, &datatype.to_le_bytes());
        put(14, &bits.to_le_bytes());
        dim.iter().enumerate().for_each(|(n, v)| put(16 + 8 * n, &(*v as i64).to_le_bytes()));
        pixdim.iter().enumerate().for_each(|(n, v)| put(104 + 8 * n, &v.to_le_bytes()));
        put(168, &(if pair { 0_i64 } else { 544 }).to_le_bytes());
        put(176, &1_f64.to_le_bytes());
        put(344, &qform.to_le_bytes());
        put(348, &sform.to_le_bytes());
        quaternion.iter().enumerate().for_each(|(n, v)| put(352 + 8 * n, &v.to_le_bytes()));
        offset.iter().enumerate().for_each(|(n, v)| put(376 + 8 * n, &v.to_le_bytes()));
        srow.iter().flatten().enumerate().for_each(|(n, v)| put(400 + 8 * n, &v.to_le_bytes()));
        put(500, &units.to_le_bytes());
    } else {
        put(0, &348_i32.to_le_bytes());
        dim.iter().enumerate().for_each(|(n, v)| put(40 + 2 * n, &(*v as i16).to_le_bytes()));
        put(70, &datatype.to_le_bytes());
        put(72, &bits.to_le_bytes());
        pixdim.iter().enumerate().for_each(|(n, v)| put(76 + 4 * n, &(*v as f32).to_le_bytes()));
        put(108, &(if pair { 0_f32 } else { 352.0 }).to_le_bytes());
        put(112, &1_f32.to_le_bytes());
        put(123, &[*units as u8]);
        put(252, &(*qform as i16).to_le_bytes());
        put(254, &(*sform as i16).to_le_bytes());
        quaternion.iter().enumerate().for_each(|(n, v)| put(256 + 4 * n, &(*v as f32).to_le_bytes()));
        offset.iter().enumerate().for_each(|(n, v)| put(268 + 4 * n, &(*v as f32).to_le_bytes()));
        srow.iter().flatten().enumerate().for_each(|(n, v)| put(280 + 4 * n, &(*v as f32).to_le_bytes()));
        put(344, if pair { b"ni1\0" } else { b"n+1\0" });
    }
    h.extend([0_u8; 4]);
    h
}

/// The fields that say the same as a grid; `ras` is its affine.
fn own_fields(geometry: &Geometry, ras: [[f64; 4]; 3]) -> PlacementFields {
    const MILLIMETRES: i32 = 2;
    let (quaternion, handed) = quaternion(geometry);
    let [x, y, z] = geometry.spacing;
    PlacementFields {
        codes: [i32::from(qform_matches(geometry, &ras, quaternion, handed)), 1],
        units: MILLIMETRES,
        pixdim: [handed, x, y, z],
        quaternion,
        offset: ras.map(|row| row[3]),
        srow: ras,
    }
}

/// (b, c, d) of the rotation from voxel axes to RAS, and -1 if the third axis has to be turned round for it to be a rotation.
fn quaternion(geometry: &Geometry) -> ([f64; 3], f64) {
    let signs = [-1.0, -1.0, 1.0];
    let mut r: [[f64; 3]; 3] = std::array::from_fn(|row| geometry.direction[row].map(|v| v * signs[row]));
    let determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1])
        - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0])
        + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    let handed = if determinant < 0.0 { -1.0 } else { 1.0 };
    r.iter_mut().for_each(|row| row[2] *= handed);
    // The largest of the four components by its square, so that nothing is divided by a small number.
    let squares = [
        1.0 + r[0][0] + r[1][1] + r[2][2],
        1.0 + r[0][0] - r[1][1] - r[2][2],
        1.0 - r[0][0] + r[1][1] - r[2][2],
        1.0 - r[0][0] - r[1][1] + r[2][2],
    ];
    let largest = (0..4).fold(0, |best, n| if squares[n] > squares[best] { n } else { best });
    let s = 2.0 * squares[largest].max(0.0).sqrt();
    let (yz, xz, xy) = (r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]);
    let (syz, sxz, sxy) = (r[2][1] + r[1][2], r[0][2] + r[2][0], r[1][0] + r[0][1]);
    let [a, b, c, d] = match largest {
        0 => [s / 4.0, yz / s, xz / s, xy / s],
        1 => [yz / s, s / 4.0, sxy / s, sxz / s],
        2 => [xz / s, sxy / s, s / 4.0, syz / s],
        _ => [xy / s, sxz / s, syz / s, s / 4.0],
    };
    let sign = if a < 0.0 { -1.0 } else { 1.0 };
    ([b * sign, c * sign, d * sign], handed)
}

/// Whether the quaternion, which knows rotations alone, describes the grid as well as the sform does.
fn qform_matches(geometry: &Geometry, ras: &[[f64; 4]; 3], [b, c, d]: [f64; 3], handed: f64) -> bool {
    let rotation = rotation((1.0 - b * b - c * c - d * d).max(0.0).sqrt(), b, c, d);
    let s = [geometry.spacing[0], geometry.spacing[1], handed * geometry.spacing[2]];
    let affine = std::array::from_fn(|row| {
        let r = rotation[row];
        [r[0] * s[0], r[1] * s[1], r[2] * s[2], ras[row][3]]
    });
    lps(geometry.size, affine, 1.0).is_ok_and(|g| g.distance(geometry) < 1e-3)
}
