//! Numbers in files to numbers in memory and back: types, byte order, compression, and limits.
//!
//! What a header claims is believed only as far as the file bears it out: memory is taken while the bytes arrive, up to a
//! cap, and a compressed stream is read no further than the header called for.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use ndarray::{Array3, ArrayView3, Axis};

use super::ReadOptions;
use crate::{Error, Result};

/// The number types that images are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Number {
    pub fn bytes(self) -> usize {
        match self {
            Number::U8 | Number::I8 => 1,
            Number::U16 | Number::I16 => 2,
            Number::U32 | Number::I32 | Number::F32 => 4,
            Number::U64 | Number::I64 | Number::F64 => 8,
        }
    }

    /// Decodes whole numbers from `bytes`, scaled, to the end of `out`; a number that is finite, but not as float32, if there is one.
    fn decode(self, bytes: &[u8], big_endian: bool, scale: (f64, f64), out: &mut Vec<f32>) -> Option<f64> {
        let mut too_large = None;
        macro_rules! numbers {
            ($type:ty) => {{
                const SIZE: usize = std::mem::size_of::<$type>();
                let number = |chunk: &[u8]| {
                    let mut raw = [0_u8; SIZE];
                    raw.copy_from_slice(chunk);
                    if big_endian {
                        <$type>::from_be_bytes(raw)
                    } else {
                        <$type>::from_le_bytes(raw)
                    }
                };
                if scale == (1.0, 0.0) && self != Number::F64 {
                    out.extend(bytes.chunks_exact(SIZE).map(|chunk| number(chunk) as f32));
                } else {
                    out.extend(bytes.chunks_exact(SIZE).map(|chunk| {
                        let value = number(chunk) as f64 * scale.0 + scale.1;
                        if value.is_finite() && (value as f32).is_infinite() {
                            too_large = Some(value);
                        }
                        value as f32
                    }));
                }
            }};
        }
        match self {
            Number::U8 => numbers!(u8),
            Number::I8 => numbers!(i8),
            Number::U16 => numbers!(u16),
            Number::I16 => numbers!(i16),
            Number::U32 => numbers!(u32),
            Number::I32 => numbers!(i32),
            Number::U64 => numbers!(u64),
            Number::I64 => numbers!(i64),
            Number::F32 => numbers!(f32),
            Number::F64 => numbers!(f64),
        }
        too_large
    }
}

/// What a header says of the voxels behind it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Voxels along i, j and k.
    pub size: [usize; 3],
    pub number: Number,
    pub big_endian: bool,
    /// Slope and intercept; (1, 0) for none.
    pub scale: (f64, f64),
}

impl Layout {
    /// Refuses sizes that overflow or exceed the cap, before anything is allocated.
    pub fn check(&self, path: &Path, options: &ReadOptions) -> Result<()> {
        let voxels = self.size.iter().try_fold(1_u64, |n, size| n.checked_mul(*size as u64));
        // The second limit keeps every number of bytes within what the machine can count.
        match voxels {
            Some(n) if n <= options.max_bytes / 4 && n <= isize::MAX as u64 / 8 => Ok(()),
            _ => {
                let [i, j, k] = self.size;
                let cap = options.max_bytes as f64 / (1_u64 << 30) as f64;
                let fault = format!(
                    "its header claims {i} x {j} x {k} voxels, which would take more than the limit of {cap:.3} GiB"
                );
                Err(Error::image(path, fault))
            }
        }
    }
}

/// How the bytes of the voxels are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zlib,
    Bzip2,
    /// Two hexadecimal digits a byte.
    Hex,
    /// Numbers as text.
    Text,
}

/// The voxels' bytes: one file, or several of which each holds an equal share.
pub(super) struct Source {
    pub files: Vec<PathBuf>,
    /// The byte of each file at which the lines begin.
    pub start: u64,
    /// Lines to pass over, before unpacking.
    pub lines: u64,
    pub packing: Packing,
    pub skip: Skip,
}

/// What is passed over in the bytes that the packing holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// So many bytes before the voxels.
    Front(u64),
    /// Everything but the voxels, and so many bytes behind them.
    Back(u64),
}

/// Reads the voxels, `[k, j, i]`. `path` is what messages name.
pub(super) fn read(path: &Path, layout: &Layout, source: &Source, options: &ReadOptions) -> Result<Array3<f32>> {
    layout.check(path, options)?;
    let count = layout.size.iter().product::<usize>();
    let files = source.files.len().max(1);
    if !count.is_multiple_of(files) {
        return Err(Error::image(path, format!("its {count} voxels cannot be shared equally by {files} data files")));
    }
    let mut values: Vec<f32> = Vec::new();
    for file in &source.files {
        read_share(file, layout, source, count / files, &mut values)?;
    }
    into_array(path, layout, values)
}

/// Puts voxels in the order of the file into the shape that the header gives.
pub(super) fn into_array(path: &Path, layout: &Layout, values: Vec<f32>) -> Result<Array3<f32>> {
    let ([i, j, k], found) = (layout.size, values.len());
    let fault = |_| Error::image(path, format!("it holds {found} voxels; its header calls for {i} x {j} x {k}"));
    Array3::from_shape_vec((k, j, i), values).map_err(fault)
}

/// Adds the `share` voxels of one file to `values`.
fn read_share(path: &Path, layout: &Layout, source: &Source, share: usize, values: &mut Vec<f32>) -> Result<()> {
    let damaged = |e| read_fault(path, e);
    let size = layout.number.bytes();
    let expected = (share * size) as u64;
    let length = std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?.len();
    let unpacked = || -> Result<Box<dyn Read + '_>> {
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(|e| Error::file("open", path, e))?);
        file.seek(SeekFrom::Start(source.start)).map_err(damaged)?;
        for line in 0..source.lines {
            if file.skip_until(b'\n').map_err(damaged)? == 0 {
                let fault =
                    format!("{} lines are to be passed over, and its data have {line}; it is cut off", source.lines);
                return Err(Error::image(path, fault));
            }
        }
        Ok(match source.packing {
            Packing::Plain | Packing::Text => Box::new(file),
            Packing::Gzip => Box::new(Members { path, member: Some(GzDecoder::new(file)) }),
            Packing::Zlib => Box::new(ZlibDecoder::new(file)),
            Packing::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Packing::Hex => {
                // The bytes to pass over are the file's own here.
                if let Skip::Front(bytes) = source.skip {
                    std::io::copy(&mut file.by_ref().take(bytes), &mut std::io::sink()).map_err(damaged)?;
                }
                Box::new(Hex { digits: file.bytes() })
            }
        })
    };
    let skip = match source.skip {
        Skip::Front(_) if source.packing == Packing::Hex => 0,
        Skip::Front(bytes) => bytes,
        // How much there is tells only reading it; a bomb is let burn no longer than this.
        Skip::Back(behind) if source.packing == Packing::Plain && source.lines == 0 => {
            length.saturating_sub(source.start).saturating_sub(expected.saturating_add(behind))
        }
        Skip::Back(behind) => {
            const LONGEST: u64 = 1 << 30;
            let limit = expected.saturating_add(behind).saturating_add(LONGEST);
            let all = std::io::copy(&mut unpacked()?.take(limit), &mut std::io::sink()).map_err(damaged)?;
            all.saturating_sub(expected.saturating_add(behind))
        }
    };
    let mut reader = unpacked()?;
    if source.packing == Packing::Text {
        std::io::copy(&mut reader.by_ref().take(skip), &mut std::io::sink()).map_err(damaged)?;
        return read_text(path, reader, layout, share, values);
    }
    if source.packing == Packing::Plain && source.lines == 0 {
        let start = source.start.saturating_add(skip);
        if length.saturating_sub(start) < expected {
            return Err(truncated(path, length.saturating_sub(start), expected));
        }
    }
    std::io::copy(&mut reader.by_ref().take(skip), &mut std::io::sink()).map_err(damaged)?;
    // No larger than what is to come: an image of a few voxels is not worth a megabyte of zeros.
    let mut buffer = vec![0_u8; expected.min(1 << 20) as usize];
    let (mut missing, mut filled) = (expected, 0);
    while missing > 0 {
        let wanted = ((buffer.len() - filled) as u64).min(missing) as usize;
        let got = reader.read(&mut buffer[filled..filled + wanted]).map_err(damaged)?;
        if got == 0 {
            return Err(truncated(path, expected - missing, expected));
        }
        missing -= got as u64;
        filled += got;
        let whole = filled - filled % size;
        if values.capacity() - values.len() < whole / size {
            // In steps, as the bytes arrive: a header alone does not get memory.
            let step = (layout.size.iter().product::<usize>() - values.len()).min(1 << 26);
            values.try_reserve_exact(step).map_err(|e| Error::Memory(format!("{}: {e}", path.display())))?;
        }
        if let Some(value) = layout.number.decode(&buffer[..whole], layout.big_endian, layout.scale, values) {
            return Err(too_large(path, value));
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
    if source.packing == Packing::Plain || matches!(source.skip, Skip::Back(_)) {
        return Ok(());
    }
    check_end(path, &mut reader)
}

/// The most characters that a number in text may take.
const LONGEST_NUMBER: usize = 64;

/// Adds numbers that are written as text, with blanks or commas between them.
fn read_text(path: &Path, reader: impl Read, layout: &Layout, share: usize, values: &mut Vec<f32>) -> Result<()> {
    let (mut word, mut found) = (String::new(), 0);
    for byte in std::io::BufReader::new(reader).bytes().chain([Ok(b' ')]) {
        let letter = char::from(byte.map_err(|e| read_fault(path, e))?);
        if !letter.is_ascii_whitespace() && letter != ',' && word.len() < LONGEST_NUMBER {
            word.push(letter);
        } else if !word.is_empty() {
            let fault = |_| Error::image(path, format!("\"{word}\" among its voxels is not a number"));
            let value = word.parse::<f64>().map_err(fault)? * layout.scale.0 + layout.scale.1;
            if value.is_finite() && (value as f32).is_infinite() {
                return Err(too_large(path, value));
            }
            values.push(value as f32);
            found += 1;
            word.clear();
        }
        if found == share {
            return Ok(());
        }
    }
    Err(Error::image(path, format!("it is cut off: it holds {found} of {share} voxels")))
}

/// Bytes that are written as pairs of hexadecimal digits, with blanks anywhere between digits.
struct Hex<R: Read> {
    digits: std::io::Bytes<R>,
}

impl<R: Read> Read for Hex<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut digit = || -> std::io::Result<Option<u8>> {
            loop {
                match self.digits.next().transpose()? {
                    None => return Ok(None),
                    Some(blank) if blank.is_ascii_whitespace() => {}
                    Some(letter) => {
                        let value = char::from(letter).to_digit(16).map(|value| value as u8);
                        let fault = || std::io::Error::new(std::io::ErrorKind::InvalidData, "no hexadecimal digit");
                        return value.map(Some).ok_or_else(fault);
                    }
                }
            }
        };
        for (filled, byte) in buffer.iter_mut().enumerate() {
            match (digit()?, digit()?) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Ok(filled),
            }
        }
        Ok(buffer.len())
    }
}

/// The members of a gzip file, one after the other. Bytes behind them that are no member, as some writers leave, are left
/// alone with a warning.
struct Members<'a, R: BufRead> {
    path: &'a Path,
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let got = member.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                self.member = Some(member);
                return Ok(got);
            }
            let mut file = member.into_inner();
            match file.fill_buf()?.first() {
                Some(0x1f) => self.member = Some(GzDecoder::new(file)),
                Some(_) => log::warn!("{}: the bytes behind its compressed data are left alone", self.path.display()),
                None => {}
            }
        }
        Ok(0)
    }
}

/// A compressed stream ends with a checksum, which is read only by reading on.
fn check_end(path: &Path, reader: &mut dyn Read) -> Result<()> {
    if reader.read(&mut [0_u8; 4096]).map_err(|e| read_fault(path, e))? > 0 {
        log::warn!("{}: it holds more data than its header calls for; the rest is left alone", path.display());
    }
    Ok(())
}

/// A number that float32, which is what images are worked on in, cannot hold.
pub(super) fn too_large(path: &Path, value: f64) -> Error {
    let fault = format!(
        "it holds {value:e}, which is finite but too large for 32-bit floats; replace it by what belongs there"
    );
    Error::image(path, fault)
}

fn truncated(path: &Path, found: u64, expected: u64) -> Error {
    Error::image(path, format!("it is cut off: it holds {found} of {expected} bytes of voxels"))
}

/// An error while reading: the file's damage, or the system's refusal.
pub(super) fn read_fault(path: &Path, e: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match e.kind() {
        UnexpectedEof => Error::image(path, "it is cut off: its compressed data end too early"),
        InvalidData | InvalidInput => Error::image(path, format!("its compressed data are damaged ({e})")),
        _ => Error::file("read", path, e),
    }
}

/// The first `limit` bytes of a file, unpacked if it is compressed by gzip; and whether it is.
pub(super) fn head(path: &Path, limit: usize) -> Result<(Vec<u8>, bool)> {
    let mut file = File::open(path).map_err(|e| Error::file("open", path, e))?;
    let mut magic = [0_u8; 2];
    let mut seen = 0;
    while seen < 2 {
        match file.read(&mut magic[seen..]).map_err(|e| Error::file("read", path, e))? {
            0 => break,
            n => seen += n,
        }
    }
    file.seek(SeekFrom::Start(0)).map_err(|e| Error::file("read", path, e))?;
    let gzip = magic == [0x1f, 0x8b];
    let mut bytes = Vec::new();
    if gzip {
        let result = MultiGzDecoder::new(BufReader::new(file)).take(limit as u64).read_to_end(&mut bytes);
        // A header that arrived before the damage is enough to say what is damaged.
        if let Err(e) = result {
            if bytes.is_empty() {
                return Err(read_fault(path, e));
            }
        }
    } else {
        file.take(limit as u64).read_to_end(&mut bytes).map_err(|e| Error::file("read", path, e))?;
    }
    Ok((bytes, gzip))
}

/// Voxels to be written, `[k, j, i]`, in any memory order.
#[derive(Clone, Copy, Debug)]
pub enum Voxels<'a> {
    /// Masks.
    U8(ArrayView3<'a, u8>),
    /// Hounsfield units.
    I16(ArrayView3<'a, i16>),
    /// Probabilities.
    F32(ArrayView3<'a, f32>),
}

impl Voxels<'_> {
    pub(super) fn number(&self) -> Number {
        match self {
            Voxels::U8(_) => Number::U8,
            Voxels::I16(_) => Number::I16,
            Voxels::F32(_) => Number::F32,
        }
    }

    pub(super) fn dim(&self) -> (usize, usize, usize) {
        match self {
            Voxels::U8(v) => v.dim(),
            Voxels::I16(v) => v.dim(),
            Voxels::F32(v) => v.dim(),
        }
    }

    /// Writes them in C order, little endian, one slice at a time.
    pub(super) fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        macro_rules! slices {
            ($voxels:expr) => {{
                let mut bytes = Vec::new();
                for slice in $voxels.axis_iter(Axis(0)) {
                    bytes.clear();
                    bytes.extend(slice.iter().flat_map(|v| v.to_le_bytes()));
                    out.write_all(&bytes)?;
                }
            }};
        }
        match self {
            Voxels::U8(v) => slices!(v),
            Voxels::I16(v) => slices!(v),
            Voxels::F32(v) => slices!(v),
        }
        Ok(())
    }
}
