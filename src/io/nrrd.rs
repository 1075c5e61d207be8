//! NRRD, attached (`.nrrd`) and detached (`.nhdr`), as 3D Slicer and ITK write it: raw, gzip and text encodings.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::Compression;
use ndarray::{Array3, ArrayView3};

use super::text::{beside, data_name, list, not_understood, numbers, pattern};
use super::voxels::{self, Layout, Number, Packing, Skip, Source, Voxels};
use super::ReadOptions;
use crate::files::AtomicFile;
use crate::labels::Label;
use crate::volume::{Geometry, Volume};
use crate::{Error, Result};

/// Whether some bytes begin an NRRD.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.starts_with(b"NRRD000")
}

/// The fields of a header, in the order of the file, and where it ends.
struct Header {
    fields: Vec<(String, String)>,
    /// Bytes up to and with the empty line; the whole file for a detached header.
    length: usize,
    /// The lines behind `data file: LIST`.
    listed: Option<String>,
}

impl Header {
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        let mut listed: Option<String> = None;
        while at < bytes.len() {
            let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
            let line = String::from_utf8_lossy(&bytes[at..end]).trim_end_matches('\r').to_string();
            at = (end + 1).min(bytes.len());
            if let Some(files) = &mut listed {
                files.push_str(&line);
                files.push('\n');
                continue;
            }
            if line.is_empty() {
                break;
            }
            if line.starts_with('#') || line.starts_with("NRRD") || line.contains(":=") {
                continue;
            }
            let Some((name, value)) = line.split_once(": ").or_else(|| line.split_once(':')) else {
                return Err(not_understood(path, "NRRD", &line));
            };
            let name = name.trim().to_lowercase();
            if (name == "data file" || name == "datafile") && value.trim_start().starts_with("LIST") {
                listed = Some(String::new());
            }
            fields.push((name, value.trim().to_string()));
        }
        Ok(Header { fields, length: at, listed })
    }

    /// The files that hold the data; none where they follow the header.
    fn data_files(&self, path: &Path) -> Result<Option<Vec<PathBuf>>> {
        Ok(match (&self.listed, self.get(&["data file", "datafile"])) {
            (Some(lines), _) => Some(list(path, lines)?),
            (None, Some(name)) if is_pattern(name) => Some(pattern(path, name)?),
            (None, Some(name)) => Some(vec![beside(path, name)]),
            (None, None) => None,
        })
    }

    fn get(&self, names: &[&str]) -> Option<&str> {
        self.fields.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.as_str())
    }
}

/// The data files of a detached header; none of any other.
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
        header.get(names).ok_or_else(|| refuse(format!("its NRRD header has no \"{}\" field", names[0])))
    };
    let number = number(needed(&["type"])?).map_err(refuse)?;
    let sizes: Vec<u64> = numbers(needed(&["sizes"])?).ok_or_else(|| refuse("its sizes are not numbers".into()))?;
    if needed(&["dimension"])?.parse() != Ok(sizes.len()) {
        return Err(refuse(format!("its header contradicts itself: dimension and {} sizes", sizes.len())));
    }
    if sizes.len() < 3 {
        return Err(refuse(format!("a {}D image; a 3D volume was expected", sizes.len())));
    }
    let directions = header.get(&["space directions"]).map(vectors).transpose().map_err(refuse)?;
    let spacings: Option<Vec<f64>> = header.get(&["spacings"]).map(numbers).unwrap_or_default();
    let kinds: Vec<&str> = header.get(&["kinds"]).unwrap_or("").split_whitespace().collect();
    let axes = spatial_axes(&sizes, directions.as_deref(), &kinds).map_err(refuse)?;
    let size = axes.map(|axis| sizes[axis] as usize);
    if size.contains(&0) {
        return Err(refuse(format!("its header gives sizes of {sizes:?}")));
    }

    let space = header.get(&["space"]).unwrap_or("");
    let signs =
        signs(space).ok_or_else(|| refuse(format!("its space is \"{space}\"; LPS, RAS or LAS was expected")))?;
    let columns: [[f64; 3]; 3] = match &directions {
        Some(directions) => {
            let column = |axis: usize| directions[axis].ok_or_else(|| refuse("an axis has no direction".into()));
            [column(axes[0])?, column(axes[1])?, column(axes[2])?]
        }
        None => {
            log::warn!(
                "{}: it does not say how it lies in the patient; +i, +j, +k are taken for left, back, up",
                path.display()
            );
            let spacing = |n: usize| known(spacings.as_deref(), axes[n]).unwrap_or(1.0);
            [[spacing(0), 0.0, 0.0], [0.0, spacing(1), 0.0], [0.0, 0.0, spacing(2)]]
        }
    };
    let origin = match header.get(&["space origin"]) {
        Some(text) => vectors(text).map_err(refuse)?.first().copied().flatten().unwrap_or([0.0; 3]),
        None if header.get(&["space", "space dimension"]).is_some() => [0.0; 3],
        None => origin_by_axes(&header, &sizes, axes).unwrap_or([0.0; 3]),
    };
    let affine = std::array::from_fn(|row| {
        [columns[0][row], columns[1][row], columns[2][row], origin[row]].map(|v| v * signs[row])
    });
    let geometry = Geometry::from_affine(size, affine).map_err(|e| super::name_file(e, path))?;

    let big_endian = match header.get(&["endian"]).unwrap_or("").to_lowercase().as_str() {
        "big" => true,
        "little" => false,
        "" if number.bytes() == 1 || is_text(&header) => false,
        other => return Err(refuse(format!("its endian is \"{other}\"; little or big was expected"))),
    };
    let layout = Layout { size, number, big_endian, scale: (1.0, 0.0) };
    layout.check(path, options)?;
    let voxels = data(path, &header, &layout, options)?;
    super::on_grid(path, voxels, geometry, options)
}

/// Whether a data file's name is the template of many: Teem has one conversion, of a decimal number.
fn is_pattern(name: &str) -> bool {
    let plain = name.replace("%%", "");
    plain
        .split_once('%')
        .is_some_and(|(_, rest)| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('d'))
}

/// What turns a space's axes to left, back, up. Of spaces that are none of a patient ITK takes them as they are.
fn signs(space: &str) -> Option<[f64; 3]> {
    // Names are written with hyphens, with blanks or without either.
    let name: String = space.to_lowercase().chars().filter(|letter| !matches!(letter, '-' | ' ')).collect();
    Some(match name.strip_suffix("time").unwrap_or(&name) {
        "leftposteriorsuperior" | "lps" | "lpst" | "" => [1.0, 1.0, 1.0],
        "scannerxyz" | "3drighthanded" | "3drh" | "3drht" | "3dlefthanded" | "3dlh" | "3dlht" => [1.0, 1.0, 1.0],
        "rightanteriorsuperior" | "ras" | "rast" => [-1.0, -1.0, 1.0],
        "leftanteriorsuperior" | "las" | "last" => [1.0, -1.0, 1.0],
        _ => return None,
    })
}

/// A number of an axis, if it is given: "nan" stands for one that is not known.
fn known(values: Option<&[f64]>, axis: usize) -> Option<f64> {
    values.and_then(|values| values.get(axis).copied()).filter(|value| value.is_finite())
}

/// The first voxel's centre where there is no space, by the axes' least values as ITK has it. None if one of the three is not known.
fn origin_by_axes(header: &Header, sizes: &[u64], axes: [usize; 3]) -> Option<[f64; 3]> {
    let values = |names: &[&str]| -> Option<Vec<f64>> { header.get(names).and_then(numbers) };
    let (least, most) = (values(&["axis mins", "axismins"])?, values(&["axis maxs", "axismaxs"]));
    let spacings = values(&["spacings"]);
    let centers: Vec<&str> = header.get(&["centers", "centerings"]).unwrap_or("").split_whitespace().collect();
    let mut origin = [0.0; 3];
    for (origin, axis) in origin.iter_mut().zip(axes) {
        let least = known(Some(&least), axis)?;
        let of_cells = !centers.get(axis).is_some_and(|center| center.eq_ignore_ascii_case("node"));
        let steps = sizes[axis] as f64 - if of_cells { 0.0 } else { 1.0 };
        let by_ends = || known(most.as_deref(), axis).map(|most| (most - least) / steps);
        let spacing = known(spacings.as_deref(), axis).or_else(by_ends)?;
        // A cell's value is that of its middle.
        *origin = if of_cells { least + spacing / 2.0 } else { least };
    }
    Some(origin)
}

fn is_text(header: &Header) -> bool {
    matches!(header.get(&["encoding"]).map(str::to_lowercase).as_deref(), Some("ascii" | "text" | "txt"))
}

fn data(path: &Path, header: &Header, layout: &Layout, options: &ReadOptions) -> Result<Array3<f32>> {
    let refuse = |text: String| Error::image(path, text);
    let skip = |names: &[&str]| -> Result<i64> {
        header.get(names).map_or(Ok(0), |text| {
            text.parse().map_err(|_| refuse(format!("its \"{}\" is \"{text}\"; a number was expected", names[0])))
        })
    };
    let (files, start) = match header.data_files(path)? {
        Some(files) => (files, 0),
        None => (vec![path.to_path_buf()], header.length as u64),
    };
    let encoding = header.get(&["encoding"]).unwrap_or("raw").to_lowercase();
    let packing = match encoding.as_str() {
        "raw" => Packing::Plain,
        "gzip" | "gz" => Packing::Gzip,
        "bzip2" | "bz2" => Packing::Bzip2,
        "hex" => Packing::Hex,
        "ascii" | "text" | "txt" => Packing::Text,
        other => {
            return Err(refuse(format!("its encoding is \"{other}\"; raw, gzip, bzip2, hex or text was expected")))
        }
    };
    // Lines are passed over before unpacking, bytes after it. Of -1 bytes and less the voxels are the last, but for what is left of 0.
    let (lines, bytes) = (skip(&["line skip", "lineskip"])?, skip(&["byte skip", "byteskip"])?);
    let skip = match bytes {
        0.. => Skip::Front(bytes as u64),
        _ if packing == Packing::Text => {
            return Err(refuse(format!("its byte skip is {bytes}; for text a number from 0 was expected")))
        }
        _ => Skip::Back(bytes.unsigned_abs() - 1),
    };
    let Ok(lines) = u64::try_from(lines) else {
        return Err(refuse(format!("its line skip is {lines}; a number from 0 was expected")));
    };
    voxels::read(path, layout, &Source { files, start, lines, packing, skip }, options)
}

fn number(name: &str) -> std::result::Result<Number, String> {
    Ok(match name.to_lowercase().as_str() {
        "signed char" | "int8" | "int8_t" => Number::I8,
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => Number::U8,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Number::I16,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Number::U16,
        "int" | "signed int" | "int32" | "int32_t" => Number::I32,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => Number::U32,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => Number::I64,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => Number::U64,
        "float" => Number::F32,
        "double" => Number::F64,
        other => return Err(format!("its voxels are of type \"{other}\"; a number type was expected")),
    })
}

/// Vectors like `(1,0,0) (0,1,0) none`. A fourth number, along time, is left out: that axis is refused or has one element.
fn vectors(text: &str) -> std::result::Result<Vec<Option<[f64; 3]>>, String> {
    let fault = || format!("its vectors \"{text}\" are not understood; three numbers each were expected");
    let mut rest = text.trim();
    let mut result = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("none") {
            result.push(None);
            rest = after.trim_start();
            continue;
        }
        let (vector, after) = rest.strip_prefix('(').and_then(|r| r.split_once(')')).ok_or_else(fault)?;
        let values: Vec<f64> =
            vector.split(',').map(|word| word.trim().parse().ok()).collect::<Option<_>>().ok_or_else(fault)?;
        match values[..] {
            [x, y, z] | [x, y, z, _] if [x, y, z].iter().all(|value| value.is_nan()) => result.push(None),
            [x, y, z] | [x, y, z, _] => result.push(Some([x, y, z])),
            _ => return Err(fault()),
        }
        rest = after.trim_start();
    }
    Ok(result)
}

/// The three axes that run through space. Any other must have one element.
fn spatial_axes(
    sizes: &[u64],
    directions: Option<&[Option<[f64; 3]>]>,
    kinds: &[&str],
) -> std::result::Result<[usize; 3], String> {
    if directions.is_some_and(|d| d.len() != sizes.len()) {
        return Err("its header contradicts itself: sizes and space directions differ in number".into());
    }
    let mut axes: Vec<usize> = (0..sizes.len()).filter(|axis| directions.is_none_or(|d| d[*axis].is_some())).collect();
    let spatial = |axis: &usize| {
        kinds
            .get(*axis)
            .is_none_or(|kind| ["domain", "space", "???", "none"].iter().any(|k| kind.eq_ignore_ascii_case(k)))
    };
    // One volume of a series, or the one component of a vector: an axis of one element that is none of space, else the last one, else
    // the first.
    axes.retain(|axis| sizes[*axis] > 1 || spatial(axis));
    while axes.len() > 3 && axes.last().is_some_and(|axis| sizes[*axis] == 1) {
        axes.pop();
    }
    while axes.len() > 3 && sizes[axes[0]] == 1 {
        axes.remove(0);
    }
    if let Some(axis) = axes.iter().find(|axis| !spatial(axis)) {
        return Err(format!("its axis {axis} is of kind \"{}\"; three axes through space were expected", kinds[*axis]));
    }
    if axes.len() > 3 {
        return Err(format!(
            "a {}D image; a single 3D volume was expected: take one out and segment that",
            sizes.len()
        ));
    }
    if let Some((axis, size)) = sizes.iter().enumerate().find(|(axis, size)| !axes.contains(axis) && **size > 1) {
        return Err(format!(
            "its axis {axis} holds {size} values per voxel or volumes; a scalar 3D volume was expected"
        ));
    }
    <[usize; 3]>::try_from(axes).map_err(|axes| format!("a {}D image; a 3D volume was expected", axes.len()))
}

/// The files that [`write`] makes.
pub(super) fn files_written(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_path_buf()];
    if is_detached(path) {
        files.extend(data_name(path, DATA_ENDING).map(|name| path.with_file_name(name)));
    }
    files
}

/// The ending of the data file of a detached header.
const DATA_ENDING: &str = "raw.gz";

fn is_detached(path: &Path) -> bool {
    path.to_string_lossy().to_lowercase().ends_with(".nhdr")
}

/// Writes an attached image, or a detached one if `path` ends in `.nhdr`; gzip in both cases. `fields` are lines of the header, as
/// [`segments`] makes them.
pub(super) fn write(path: &Path, voxels: Voxels, geometry: &Geometry, fields: &str) -> Result<()> {
    let fault = |e| Error::file("write", path, e);
    let data_name = if is_detached(path) { Some(data_name(path, DATA_ENDING)?) } else { None };
    let header = header(&voxels, geometry, fields, data_name.as_deref());
    let put_data = |file: &mut AtomicFile| -> std::io::Result<()> {
        let mut encoder = GzEncoder::new(file, Compression::new(3));
        voxels.write_to(&mut encoder)?;
        encoder.finish().map(|_| ())
    };
    let mut file = AtomicFile::create(path)?;
    file.write_all(header.as_bytes()).map_err(fault)?;
    let Some(data_name) = data_name else {
        put_data(&mut file).map_err(fault)?;
        return file.commit();
    };
    let data_path = path.with_file_name(data_name);
    let mut data = AtomicFile::create(&data_path)?;
    put_data(&mut data).map_err(|e| Error::file("write", &data_path, e))?;
    AtomicFile::commit_all(vec![data, file])
}

fn header(voxels: &Voxels, geometry: &Geometry, fields: &str, data_file: Option<&str>) -> String {
    let number = match voxels.number() {
        Number::U8 => "unsigned char",
        Number::I16 => "short",
        _ => "float",
    };
    let vector = |v: [f64; 3]| format!("({},{},{})", v[0], v[1], v[2]);
    let affine = geometry.affine();
    let column = |axis: usize| vector(std::array::from_fn(|row| affine[row][axis]));
    let [i, j, k] = geometry.size;
    let mut text = format!(
        "NRRD0005\ntype: {number}\ndimension: 3\nspace: left-posterior-superior\nsizes: {i} {j} {k}\n\
         space directions: {} {} {}\nkinds: domain domain domain\nendian: little\nencoding: gzip\n\
         space units: \"mm\" \"mm\" \"mm\"\nspace origin: {}\n",
        column(0),
        column(1),
        column(2),
        vector(geometry.origin)
    );
    text.push_str(fields);
    match data_file {
        Some(name) => text.push_str(&format!("data file: {name}\n")),
        None => text.push('\n'),
    }
    text
}

/// The key/value lines by which 3D Slicer names, colours and codes the segments of a label map, `[k, j, i]`, in a `.seg.nrrd` file.
pub(super) fn segments(map: ArrayView3<u8>, labels: &[Label]) -> String {
    let (slices, rows, columns) = map.dim();
    let mut text = [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
        "Segmentation_ConversionParameters:=",
        "",
    ]
    .join("\n");
    for (number, label) in labels.iter().enumerate() {
        let [r, g, b] = label.colour.map(|part| f64::from(part) / 255.0);
        // A key/value line ends at the line's end.
        let name: String = label.name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let id = format!("Segment_{}", number + 1);
        let mut extent = [[columns, rows, slices], [0; 3]];
        for ((k, j, i), _) in map.indexed_iter().filter(|(_, value)| **value == label.value) {
            for (axis, index) in [i, j, k].into_iter().enumerate() {
                extent[0][axis] = extent[0][axis].min(index);
                extent[1][axis] = extent[1][axis].max(index);
            }
        }
        let [low, high] = extent;
        // Slicer writes an empty segment's extent in this way too.
        let extent = match low[0] > high[0] {
            true => "0 -1 0 -1 0 -1".to_string(),
            false => format!("{} {} {} {} {} {}", low[0], high[0], low[1], high[1], low[2], high[2]),
        };
        let category = match label.is_lesion() {
            true => "SCT^49755003^Morphologically Altered Structure",
            false => "SCT^123037004^Anatomical Structure",
        };
        let kind = match &label.code {
            Some(code) => format!("{}^{}^{}", code.scheme, code.value, code.meaning),
            None => "SCT^85756007^Tissue".to_string(),
        };
        text.push_str(&format!(
            "Segment{number}_Color:={r:.6} {g:.6} {b:.6}\nSegment{number}_ColorAutoGenerated:=0\nSegment{number}_Extent:={extent}\n\
             Segment{number}_ID:={id}\nSegment{number}_LabelValue:={}\nSegment{number}_Layer:=0\nSegment{number}_Name:={name}\n\
             Segment{number}_NameAutoGenerated:=0\n\
             Segment{number}_Tags:=TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list~{category}~{kind}\
             ~^^~Anatomic codes - DICOM master list~^^~^^|\n",
            label.value,
        ));
    }
    text
}
