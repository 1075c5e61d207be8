//! MetaImage, in one file (`.mha`) and in two (`.mhd`), as ITK writes it; plain and compressed. Its frame is LPS.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::ZlibEncoder;
use flate2::Compression;

use super::text::{beside, data_name, list, not_understood, numbers, pattern};
use super::voxels::{self, Layout, Number, Packing, Skip, Source, Voxels};
use super::ReadOptions;
use crate::files::AtomicFile;
use crate::volume::{Geometry, Volume};
use crate::{Error, Result};

/// Whether some bytes begin a MetaImage: lines of `Name = value`, among them the number of dimensions.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    const FIRST: [&str; 16] = [
        "ObjectType",
        "ObjectSubType",
        "NDims",
        "Comment",
        "TransformType",
        "Name",
        "ID",
        "ParentID",
        "BinaryData",
        "BinaryDataByteOrderMSB",
        "ElementByteOrderMSB",
        "CompressedData",
        "DimSize",
        "Modality",
        "AcquisitionDate",
        "HeaderSize",
    ];
    let head = &bytes[..bytes.len().min(4096)];
    let text = String::from_utf8_lossy(head);
    let mut names = text.lines().map_while(|line| Some(entry(line.trim())?.0));
    let is = |name: &str, known: &str| name.eq_ignore_ascii_case(known);
    let Some(first) = names.next() else { return false };
    FIRST.iter().any(|known| is(first, known)) && (is(first, "NDims") || names.any(|name| is(name, "NDims")))
}

/// The name and the value of a line; MetaIO takes a colon for the sign as well.
fn entry(line: &str) -> Option<(&str, &str)> {
    line.split_once(['=', ':']).map(|(name, value)| (name.trim(), value.trim()))
}

/// The fields of a header, and how many bytes it takes.
struct Header {
    fields: Vec<(String, String)>,
    length: usize,
    /// What follows the header.
    rest: String,
}

impl Header {
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut fields = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
            let line = String::from_utf8_lossy(&bytes[at..end]).trim().to_string();
            at = (end + 1).min(bytes.len());
            if line.is_empty() {
                continue;
            }
            let Some((name, value)) = entry(&line) else {
                return Err(not_understood(path, "MetaImage", &line));
            };
            let (name, value) = (name.to_string(), value.to_string());
            let last = name.eq_ignore_ascii_case("ElementDataFile");
            // LIST is followed by file names, one a line.
            let rest = if last && value.starts_with("LIST") {
                String::from_utf8_lossy(&bytes[at..]).into_owned()
            } else {
                String::new()
            };
            fields.push((name, value));
            if last {
                return Ok(Header { fields, length: at, rest });
            }
        }
        Err(Error::image(path, "its MetaImage header has no \"ElementDataFile\" entry; it is cut off"))
    }

    fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|wanted| {
            self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
        })
    }

    /// The files that hold the data; none where they follow the header.
    fn data_files(&self, path: &Path) -> Result<Option<Vec<PathBuf>>> {
        Ok(match self.get(&["ElementDataFile"]).unwrap_or_default() {
            "LOCAL" | "Local" | "local" => None,
            name if name.starts_with("LIST") => Some(list(path, &self.rest)?),
            name if name.contains('%') => Some(pattern(path, name)?),
            name => Some(vec![beside(path, name)]),
        })
    }

    fn flag(&self, names: &[&str]) -> bool {
        // MetaIO looks at the first letter.
        self.get(names).is_some_and(|value| value.starts_with(['T', 't', '1']))
    }
}

/// The data files of a header that has its data elsewhere; none of any other.
pub(super) fn data_files(path: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    Header::parse(path, bytes).and_then(|header| header.data_files(path)).ok().flatten().unwrap_or_default()
}

/// Reads an image; `bytes` are its first ones, unpacked if the file is compressed as a whole (`gzip`).
pub(super) fn read(path: &Path, bytes: &[u8], gzip: bool, options: &ReadOptions) -> Result<Volume> {
    let refuse = |text: String| Error::image(path, text);
    let header = Header::parse(path, bytes)?;
    if gzip {
        return Err(refuse("it is compressed as a whole by gzip; gunzip it first".into()));
    }
    let needed = |names: &[&str]| {
        header.get(names).ok_or_else(|| refuse(format!("its MetaImage header has no \"{}\" entry", names[0])))
    };
    let sizes: Vec<u64> = numbers(needed(&["DimSize"])?).ok_or_else(|| refuse("its DimSize is not numbers".into()))?;
    if needed(&["NDims"])?.parse() != Ok(sizes.len()) {
        return Err(refuse(format!("its header contradicts itself: NDims and {} sizes", sizes.len())));
    }
    if sizes.len() < 3 {
        return Err(refuse(format!("a {}D image; a 3D volume was expected", sizes.len())));
    }
    if sizes[3..].iter().any(|n| *n > 1) {
        return Err(refuse(format!(
            "a {}D image; a single 3D volume was expected: take one out and segment that",
            sizes.len()
        )));
    }
    let channels = header.get(&["ElementNumberOfChannels"]).unwrap_or("1");
    if channels != "1" {
        return Err(refuse(format!("it holds {channels} values per voxel; a scalar CT was expected")));
    }
    let size = [sizes[0] as usize, sizes[1] as usize, sizes[2] as usize];
    if size.contains(&0) {
        return Err(refuse(format!("its header gives sizes of {sizes:?}")));
    }
    let number = number(needed(&["ElementType"])?).map_err(refuse)?;
    let big_endian = header.flag(&["BinaryDataByteOrderMSB", "ElementByteOrderMSB"]);
    let layout = Layout { size, number, big_endian, scale: (1.0, 0.0) };
    layout.check(path, options)?;
    let geometry = geometry(&header, size, sizes.len(), path)?;
    let voxels = voxels::read(path, &layout, &source(&header, path)?, options)?;
    super::on_grid(path, voxels, geometry, options)
}

fn geometry(header: &Header, size: [usize; 3], dimensions: usize, path: &Path) -> Result<Geometry> {
    let values = |names: &[&str], count: usize| -> Result<Option<Vec<f64>>> {
        let Some(text) = header.get(names) else { return Ok(None) };
        match numbers::<f64>(text).filter(|values| values.len() == count) {
            Some(values) => Ok(Some(values)),
            None => Err(Error::image(path, format!("its {} is \"{text}\"; {count} numbers were expected", names[0]))),
        }
    };
    let n = dimensions;
    let spacing = values(&["ElementSpacing", "ElementSize"], n)?.unwrap_or(vec![1.0; n]);
    let origin = values(&["Origin", "Offset", "Position"], n)?.unwrap_or(vec![0.0; n]);
    let mut direction = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    if let Some(matrix) = values(&["TransformMatrix", "Rotation", "Orientation"], n * n)? {
        // The file has one voxel axis after the other: the transpose of a matrix whose columns are the axes.
        direction = std::array::from_fn(|row| std::array::from_fn(|axis| matrix[n * axis + row]));
    }
    // A negative spacing turns the axis round.
    for axis in 0..3 {
        if spacing[axis] < 0.0 {
            direction.iter_mut().for_each(|row| row[axis] = -row[axis]);
        }
    }
    let geometry = Geometry {
        size,
        spacing: [spacing[0].abs(), spacing[1].abs(), spacing[2].abs()],
        origin: [origin[0], origin[1], origin[2]],
        direction,
    };
    geometry.check().map_err(|e| super::name_file(e, path))?;
    Ok(geometry)
}

fn source(header: &Header, path: &Path) -> Result<Source> {
    let refuse = |text: String| Error::image(path, text);
    let text = header.get(&["BinaryData"]).is_some() && !header.flag(&["BinaryData"]);
    let packing = match header.flag(&["CompressedData"]) {
        _ if text => Packing::Text,
        true => Packing::Zlib,
        false => Packing::Plain,
    };
    let (files, start) = match header.data_files(path)? {
        Some(files) => (files, 0),
        None => (vec![path.to_path_buf()], header.length as u64),
    };
    let extra: i64 = match header.get(&["HeaderSize"]) {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| refuse(format!("its HeaderSize is \"{text}\"; a number was expected")))?
        }
    };
    let skip = match extra {
        -1 if packing == Packing::Plain => Skip::Back(0),
        0.. => Skip::Front(0),
        _ => return Err(refuse(format!("its HeaderSize of {extra} is not understood"))),
    };
    Ok(Source { files, start: start + extra.max(0) as u64, lines: 0, packing, skip })
}

fn number(name: &str) -> std::result::Result<Number, String> {
    Ok(match name {
        "MET_CHAR" | "MET_ASCII_CHAR" => Number::I8,
        "MET_UCHAR" => Number::U8,
        "MET_SHORT" => Number::I16,
        "MET_USHORT" => Number::U16,
        "MET_INT" | "MET_LONG" => Number::I32,
        "MET_UINT" | "MET_ULONG" => Number::U32,
        "MET_LONG_LONG" => Number::I64,
        "MET_ULONG_LONG" => Number::U64,
        "MET_FLOAT" => Number::F32,
        "MET_DOUBLE" => Number::F64,
        other if other.ends_with("_ARRAY") => {
            return Err("it holds several values per voxel; a scalar CT was expected".into())
        }
        other => return Err(format!("its voxels are of type \"{other}\"; a number type was expected")),
    })
}

/// The files that [`write`] makes.
pub(super) fn files_written(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_path_buf()];
    if is_two(path) {
        files.extend(data_name(path, DATA_ENDING).map(|name| path.with_file_name(name)));
    }
    files
}

/// The ending of the data file of a header.
const DATA_ENDING: &str = "zraw";

fn is_two(path: &Path) -> bool {
    path.to_string_lossy().to_lowercase().ends_with(".mhd")
}

/// Writes one file, or two if `path` ends in `.mhd`; compressed in both cases.
pub(super) fn write(path: &Path, voxels: Voxels, geometry: &Geometry) -> Result<()> {
    let fault = |e| Error::file("write", path, e);
    // The header states the compressed size, so that the data come first.
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(3));
    voxels.write_to(&mut encoder).map_err(fault)?;
    let data = encoder.finish().map_err(fault)?;
    let two = is_two(path);
    let data_name = if two { data_name(path, DATA_ENDING)? } else { "LOCAL".into() };
    let data_path = path.with_file_name(&data_name);
    let mut file = AtomicFile::create(path)?;
    file.write_all(header(&voxels, geometry, data.len(), &data_name).as_bytes()).map_err(fault)?;
    if !two {
        file.write_all(&data).map_err(fault)?;
        return file.commit();
    }
    let mut data_file = AtomicFile::create(&data_path)?;
    data_file.write_all(&data).map_err(|e| Error::file("write", &data_path, e))?;
    AtomicFile::commit_all(vec![data_file, file])
}

fn header(voxels: &Voxels, geometry: &Geometry, compressed: usize, data_file: &str) -> String {
    let number = match voxels.number() {
        Number::U8 => "MET_UCHAR",
        Number::I16 => "MET_SHORT",
        _ => "MET_FLOAT",
    };
    let words = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let axes: Vec<f64> = (0..3).flat_map(|axis| geometry.direction.map(|row| row[axis])).collect();
    let [i, j, k] = geometry.size;
    format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n\
         CompressedDataSize = {compressed}\nTransformMatrix = {}\nOffset = {}\nCenterOfRotation = 0 0 0\n\
         AnatomicalOrientation = {}\nElementSpacing = {}\nDimSize = {i} {j} {k}\nElementType = {number}\n\
         ElementDataFile = {data_file}\n",
        words(&axes),
        words(&geometry.origin),
        anatomical(geometry),
        words(&geometry.spacing)
    )
}

/// ITK's letters say where each axis comes from, not where it goes.
fn anatomical(geometry: &Geometry) -> String {
    let opposite = |c| match c {
        'L' => 'R',
        'R' => 'L',
        'P' => 'A',
        'A' => 'P',
        'S' => 'I',
        _ => 'S',
    };
    geometry.orientation().chars().map(opposite).collect()
}
