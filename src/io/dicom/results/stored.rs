//! DICOM Segmentations read back, whoever wrote them: a label map or a probability on the grid that their frames make, or on another's.
//!
//! A file holds frames, each one segment on one slice; slices without anything are left out more often than not. So its own grid reaches
//! from the first stored slice to the last, and [`read_on`] puts the frames on the grid of a CT or of another mask.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::{tags, uids};
use dicom_encoding::adapters::PixelDataObject;
use dicom_object::{DefaultDicomObject, InMemDicomObject, Tag};
use dicom_pixeldata::PixelDecoder;
use ndarray::Array3;

use crate::io::dicom::header::{self, count, items, numbers, text};
use crate::io::dicom::pixels;
use crate::io::dicom::stack::cross;
use crate::io::ReadOptions;
use crate::volume::{Content, Geometry, Volume};
use crate::{Error, Result};

/// Label Map Segmentation Storage, younger than the dictionary.
const LABEL_MAP_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.66.7";
/// Frames closer than this, in mm, lie on the same slice.
const SAME_SLICE: f64 = 0.01;
/// How far a frame may lie from its place on a grid: this many mm, or this share of the distance between slices, the larger. As far as slices of
/// a series may.
const JITTER_MM: f64 = 0.1;
/// See [`JITTER_MM`].
const JITTER_SHARE: f64 = 0.1;

/// What is wrong with a file is a sentence until the file is named.
type Told<T> = std::result::Result<T, String>;

/// Whether a file is a DICOM Segmentation, by its meta group; a folder, whether it holds exactly one.
pub fn is_segmentation(path: &Path) -> bool {
    find(path).is_ok_and(|found| found.is_some())
}

/// The segmentation that a path names: the file itself, or the only one in a folder.
pub(crate) fn find(path: &Path) -> Result<Option<PathBuf>> {
    let is_one = |file: &Path| {
        super::meta(file)
            .is_some_and(|meta| [uids::SEGMENTATION_STORAGE, LABEL_MAP_STORAGE].contains(&meta.class.as_str()))
    };
    if !path.is_dir() {
        return Ok(is_one(path).then(|| path.to_path_buf()));
    }
    let mut found: Vec<PathBuf> = super::super::files(path).into_iter().filter(|file| is_one(file)).collect();
    if found.len() > 1 {
        let fault = format!("{} DICOM segmentations are in it; name the file of one", found.len());
        return Err(Error::image(path, fault));
    }
    Ok(found.pop())
}

/// A DICOM Segmentation's frames: where they lie and what they mark. The pixels are not in memory.
#[derive(Clone, Debug)]
pub struct Stored {
    path: PathBuf,
    /// Rows and columns.
    size: [usize; 2],
    /// Distance between rows and between columns, in mm.
    spacing: [f64; 2],
    row: [f64; 3],
    column: [f64; 3],
    /// SpacingBetweenSlices, else SliceThickness.
    thickness: Option<f64>,
    frames: Vec<Frame>,
    form: Form,
    segments: Vec<(u16, String)>,
}

#[derive(Clone, Debug)]
struct Frame {
    /// 0 in a label map, whose pixels say it.
    segment: u16,
    position: [f64; 3],
}

/// What a pixel is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Bits,
    /// A fraction of this.
    Fraction(u16),
    /// A segment's number, in so many bytes.
    Label(usize),
}

impl Stored {
    /// Reads what a segmentation says of its frames.
    ///
    /// # Errors
    /// [`Error::Image`] where it is none, or its frames cannot be placed.
    pub fn open(path: &Path) -> Result<Self> {
        let file = find(path)?.ok_or_else(|| Error::image(path, "it is no DICOM segmentation"))?;
        let fail = |fault: String| Error::image(&file, fault);
        let object = header::open(&file, Some(tags::PIXEL_DATA)).map_err(fail)?;
        Self::of(&file, &object).map_err(fail)
    }

    /// The segments' numbers and labels.
    pub fn segments(&self) -> &[(u16, String)] {
        &self.segments
    }

    fn of(file: &Path, object: &InMemDicomObject) -> Told<Self> {
        let size = [count(object, tags::ROWS, "Rows")?, count(object, tags::COLUMNS, "Columns")?];
        let form = Form::of(object)?;
        let segments = segments(object)?;
        let frames = text(object, tags::NUMBER_OF_FRAMES);
        let frames: usize =
            frames.parse().map_err(|_| format!("NumberOfFrames is \"{frames}\"; a number was expected"))?;
        let per_frame = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        if frames == 0 || per_frame.len() != frames {
            return Err(format!(
                "it has {frames} frames and says of {} where they lie (PerFrameFunctionalGroupsSequence); each was expected",
                per_frame.len()
            ));
        }
        let shared = items(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
        let mut stored: Option<Stored> = None;
        for (number, own) in per_frame.iter().enumerate() {
            let groups = Groups { own, shared };
            let fail = |fault: String| format!("frame {}: {fault}", number + 1);
            let cosines: [f64; 6] = groups
                .exactly(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT, "ImageOrientationPatient")
                .map_err(fail)?;
            let spacing: [f64; 2] =
                groups.exactly(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING, "PixelSpacing").map_err(fail)?;
            let position = groups
                .exactly(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT, "ImagePositionPatient")
                .map_err(fail)?;
            let segment = match form {
                Form::Label(_) => 0,
                _ => groups.segment().map_err(fail)?,
            };
            if segment != 0 && !segments.iter().any(|(known, _)| *known == segment) {
                return Err(fail(format!("it is of segment {segment}, which SegmentSequence does not describe")));
            }
            let frame = Frame { segment, position };
            match &mut stored {
                Some(stored) => {
                    let (row, column) = unit_axes(cosines).map_err(fail)?;
                    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3);
                    let alike =
                        near(&row, &stored.row) && near(&column, &stored.column) && near(&spacing, &stored.spacing);
                    if !alike {
                        return Err(fail(
                            "it lies or measures otherwise than the first; parallel slices were expected".into(),
                        ));
                    }
                    stored.frames.push(frame);
                }
                None => {
                    if spacing.iter().any(|s| *s <= 0.0) {
                        return Err(format!("PixelSpacing is {spacing:?} mm; two positive numbers were expected"));
                    }
                    let (row, column) = unit_axes(cosines).map_err(fail)?;
                    let measure =
                        |tag| groups.numbers(tags::PIXEL_MEASURES_SEQUENCE, tag).and_then(|v| v.first().copied());
                    let positive = |v: &f64| v.is_finite() && *v > 0.0;
                    let thickness = measure(tags::SPACING_BETWEEN_SLICES)
                        .filter(positive)
                        .or_else(|| measure(tags::SLICE_THICKNESS).filter(positive));
                    stored = Some(Stored {
                        path: file.to_path_buf(),
                        size,
                        spacing,
                        row,
                        column,
                        thickness,
                        frames: vec![frame],
                        form,
                        segments: segments.clone(),
                    });
                }
            }
        }
        stored.ok_or_else(|| "it has no frames".into())
    }

    /// The pixels' bytes, checked to be as many as the frames need; bits as they are packed.
    fn pixels(&self, options: &ReadOptions) -> Result<Vec<u8>> {
        let fail = |fault: String| Error::image(&self.path, fault);
        let damaged = |what: String| format!("its pixel data is damaged or cut off ({what}); copy the file again");
        let object = header::open(&self.path, None).map_err(fail)?;
        let pixels = (self.size[0] * self.size[1]) as u64 * self.frames.len() as u64;
        let needed = match self.form {
            Form::Bits => pixels.div_ceil(8),
            Form::Fraction(_) => pixels,
            Form::Label(bytes) => pixels * bytes as u64,
        };
        let bytes = header::guarded(|| match object.number_of_fragments() {
            Some(_) if needed > options.max_bytes => {
                Err(format!("its frames unpack to {needed} bytes, but no more than {} are allowed", options.max_bytes))
            }
            Some(_) => decompressed(&object, self, needed),
            None => {
                let element = object.get(tags::PIXEL_DATA).ok_or_else(|| damaged("there is none".into()))?;
                let bytes = element.value().to_bytes().map_err(|e| damaged(header::causes(&e)))?;
                Ok(bytes.into_owned())
            }
        });
        let bytes = bytes.map_err(fail)?;
        if (bytes.len() as u64) < needed {
            let what = format!("{} bytes where {} frames need {needed}", bytes.len(), self.frames.len());
            return Err(fail(damaged(what)));
        }
        Ok(bytes)
    }

    /// Puts all frames on a grid.
    fn lay(&self, options: &ReadOptions, geometry: &Geometry) -> Result<Volume> {
        check_memory(&self.path, geometry, options)?;
        let fail = |fault: String| Error::image(&self.path, fault);
        let bytes = self.pixels(options)?;
        let fractions = options.content == Content::Probability || !self.all_or_nothing(&bytes);
        let mut several: Vec<u16> = self.frames.iter().map(|frame| frame.segment).collect();
        several.sort_unstable();
        several.dedup();
        if fractions && (several.len() > 1 || matches!(self.form, Form::Label(_))) {
            let names: Vec<String> =
                self.segments.iter().map(|(number, label)| format!("{number} \"{label}\"")).collect();
            return Err(fail(format!(
                "it holds fractions of several segments ({}); those of one were expected",
                names.join(", ")
            )));
        }
        let [i, j, k] = geometry.size;
        let mut voxels = Array3::<f32>::zeros((k, j, i));
        let per_frame = self.size[0] * self.size[1];
        let mut overlaps = 0_usize;
        for (number, frame) in self.frames.iter().enumerate() {
            let value = |at: usize| -> f32 {
                let at = number * per_frame + at;
                match self.form {
                    Form::Bits if bytes[at / 8] >> (at % 8) & 1 == 0 => 0.0,
                    Form::Fraction(_) if bytes[at] == 0 => 0.0,
                    Form::Fraction(most) if fractions => f32::from(bytes[at]) / f32::from(most),
                    Form::Bits if fractions => 1.0,
                    Form::Bits | Form::Fraction(_) => f32::from(frame.segment),
                    Form::Label(1) => f32::from(bytes[at]),
                    Form::Label(_) => f32::from(u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])),
                }
            };
            let place = self.place(frame, geometry);
            for at in 0..per_frame {
                let value = value(at);
                if value == 0.0 {
                    continue;
                }
                let [row, column] = [at / self.size[1], at % self.size[1]];
                let voxel = place.as_ref().and_then(|place| place.voxel(row, column, geometry.size)).ok_or_else(|| {
                    fail(format!(
                        "frame {} marks what is no voxel of the grid that it is laid on ({i} x {j} x {k}, from {:?} mm); is it of another \
                         series?",
                        number + 1,
                        geometry.origin
                    ))
                })?;
                let voxel = &mut voxels[voxel];
                overlaps += usize::from(*voxel != 0.0 && *voxel != value);
                *voxel = if fractions { voxel.max(value) } else { value };
            }
        }
        if overlaps > 0 && !fractions {
            log::warn!("{}: segments overlap in {overlaps} voxels; the last one counts there", self.path.display());
        }
        crate::io::on_grid(&self.path, voxels, geometry.clone(), options)
    }

    /// Whether every pixel is in a segment or not, with nothing between.
    fn all_or_nothing(&self, bytes: &[u8]) -> bool {
        match self.form {
            Form::Fraction(most) => {
                let pixels = self.size[0] * self.size[1] * self.frames.len();
                bytes[..pixels].iter().all(|byte| *byte == 0 || u16::from(*byte) == most)
            }
            Form::Bits | Form::Label(_) => true,
        }
    }

    /// Where a frame's pixels are on a grid, if its pixels are voxels of it.
    fn place(&self, frame: &Frame, geometry: &Geometry) -> Option<Place> {
        let tolerance = geometry.spacing.map(|spacing| JITTER_MM.max(JITTER_SHARE * spacing).min(spacing / 2.0));
        let index = |point: [f64; 3]| -> [f64; 3] {
            std::array::from_fn(|axis| {
                let along = (0..3).map(|r| geometry.direction[r][axis] * (point[r] - geometry.origin[r]));
                along.sum::<f64>() / geometry.spacing[axis]
            })
        };
        let at = |row: f64, column: f64| -> [f64; 3] {
            std::array::from_fn(|r| {
                frame.position[r] + column * self.spacing[1] * self.row[r] + row * self.spacing[0] * self.column[r]
            })
        };
        let whole = |found: [f64; 3]| -> Option<[i64; 3]> {
            let near = (0..3).all(|a| (found[a] - found[a].round()).abs() * geometry.spacing[a] <= tolerance[a]);
            let small = found.iter().all(|n| n.abs() < 1e9);
            (near && small).then(|| found.map(|n| n.round() as i64))
        };
        let first = whole(index(at(0.0, 0.0)))?;
        // The step of one pixel, measured over all of them.
        let step = |count: usize, far: [f64; 3]| -> Option<[i64; 3]> {
            let far = whole(index(far))?;
            let step: [i64; 3] = std::array::from_fn(|a| (far[a] - first[a]) / count as i64);
            let even = (0..3).all(|a| step[a] * count as i64 == far[a] - first[a]);
            (even && step.iter().map(|n| n.abs()).sum::<i64>() == 1).then_some(step)
        };
        let [rows, columns] = self.size.map(|n| (n - 1).max(1));
        Some(Place { first, row: step(rows, at(rows as f64, 0.0))?, column: step(columns, at(0.0, columns as f64))? })
    }
}

/// Where the pixels of a frame are on a grid, as i, j and k.
struct Place {
    first: [i64; 3],
    /// The step from one row to the next.
    row: [i64; 3],
    column: [i64; 3],
}

impl Place {
    /// The voxel of a pixel, `[k, j, i]`; none outside of the grid.
    fn voxel(&self, row: usize, column: usize, size: [usize; 3]) -> Option<[usize; 3]> {
        let mut voxel = [0; 3];
        for axis in 0..3 {
            let at = self.first[axis] + row as i64 * self.row[axis] + column as i64 * self.column[axis];
            voxel[2 - axis] = usize::try_from(at).ok().filter(|at| *at < size[axis])?;
        }
        Some(voxel)
    }
}

impl Form {
    fn of(object: &InMemDicomObject) -> Told<Self> {
        let number = |tag, name: &str| {
            let found = text(object, tag);
            found.parse::<u16>().map_err(|_| format!("{name} is \"{found}\"; a number was expected"))
        };
        let kind = text(object, tags::SEGMENTATION_TYPE);
        let bits = [number(tags::BITS_ALLOCATED, "BitsAllocated")?, number(tags::BITS_STORED, "BitsStored")?];
        let samples = text(object, tags::SAMPLES_PER_PIXEL);
        if !matches!(samples.as_str(), "" | "1") {
            return Err(format!("its pixels have {samples} samples each; one was expected"));
        }
        match (kind.as_str(), bits) {
            ("BINARY", [1, 1]) => Ok(Form::Bits),
            ("FRACTIONAL", [8, 8]) => {
                let most = number(tags::MAXIMUM_FRACTIONAL_VALUE, "MaximumFractionalValue")?;
                match most {
                    1..=255 => Ok(Form::Fraction(most)),
                    _ => Err(format!("MaximumFractionalValue is {most}; a number from 1 to 255 was expected")),
                }
            }
            ("LABELMAP", [8, 8]) => Ok(Form::Label(1)),
            ("LABELMAP", [16, 16]) => Ok(Form::Label(2)),
            _ => Err(format!(
                "its SegmentationType is \"{kind}\" with {} bits of {} for each pixel; BINARY with 1, FRACTIONAL with 8, or LABELMAP with 8 \
                 or 16 was expected",
                bits[1], bits[0]
            )),
        }
    }
}

/// The segments' numbers and labels.
fn segments(object: &InMemDicomObject) -> Told<Vec<(u16, String)>> {
    let found = items(object, tags::SEGMENT_SEQUENCE);
    if found.is_empty() {
        return Err("it describes no segment (SegmentSequence); one at least was expected".into());
    }
    let of = |item: &InMemDicomObject| {
        let number = text(item, tags::SEGMENT_NUMBER);
        let known = number.parse().map_err(|_| format!("SegmentNumber is \"{number}\"; a number was expected"))?;
        Ok((known, text(item, tags::SEGMENT_LABEL)))
    };
    found.iter().map(of).collect()
}

/// Where the attributes of a frame stand.
struct Groups<'a> {
    own: &'a InMemDicomObject,
    shared: Option<&'a InMemDicomObject>,
}

impl Groups<'_> {
    /// An attribute from a functional group of the frame, or that of all frames.
    fn numbers(&self, sequence: Tag, tag: Tag) -> Option<Vec<f64>> {
        let group = |groups: &InMemDicomObject| numbers(items(groups, sequence).first()?, tag);
        group(self.own).or_else(|| group(self.shared?))
    }

    /// Exactly `N` finite numbers.
    fn exactly<const N: usize>(&self, sequence: Tag, tag: Tag, name: &str) -> Told<[f64; N]> {
        let found = self.numbers(sequence, tag).ok_or_else(|| {
            format!("it has no {name}; a segmentation whose frames say where they lie in the patient was expected")
        })?;
        <[f64; N]>::try_from(found.as_slice())
            .ok()
            .filter(|values| values.iter().all(|v| v.is_finite()))
            .ok_or_else(|| format!("{name} is {found:?}; {N} finite numbers were expected"))
    }

    fn segment(&self) -> Told<u16> {
        let [number] = self.exactly(
            tags::SEGMENT_IDENTIFICATION_SEQUENCE,
            tags::REFERENCED_SEGMENT_NUMBER,
            "ReferencedSegmentNumber",
        )?;
        if number.fract() != 0.0 || !(1.0..=f64::from(u16::MAX)).contains(&number) {
            return Err(format!("ReferencedSegmentNumber is {number}; a whole number from 1 on was expected"));
        }
        Ok(number as u16)
    }
}

/// The unit vectors of ImageOrientationPatient.
fn unit_axes(cosines: [f64; 6]) -> Told<([f64; 3], [f64; 3])> {
    let [row, column] = [[cosines[0], cosines[1], cosines[2]], [cosines[3], cosines[4], cosines[5]]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    if (dot(row, row) - 1.0).abs() > 1e-3 || (dot(column, column) - 1.0).abs() > 1e-3 || dot(row, column).abs() > 1e-3 {
        return Err(format!("ImageOrientationPatient is {cosines:?}; two perpendicular unit vectors were expected"));
    }
    let unit = |v: [f64; 3]| v.map(|c| c / dot(v, v).sqrt());
    Ok((unit(row), unit(column)))
}

/// The frames of an encapsulated file, one behind the other.
fn decompressed(object: &DefaultDicomObject, stored: &Stored, needed: u64) -> Told<Vec<u8>> {
    let damaged = |what: String| format!("its pixel data is damaged or cut off ({what}); copy the file again");
    if stored.form == Form::Bits {
        return Err(
            "its bits are compressed, which is not read here; convert it to Explicit VR Little Endian first".into()
        );
    }
    let frames = stored.frames.len();
    let each = needed / frames as u64;
    let mut bytes = Vec::new();
    for frame in 0..frames {
        // Before it is unpacked, which takes as much memory as it claims.
        let claimed = object.frame_pixel_data(frame as u32).and_then(|bytes| pixels::announced(&bytes));
        if let Some([rows, columns]) = claimed.filter(|claimed| *claimed != stored.size) {
            let [announced_rows, announced_columns] = stored.size;
            let what = format!("{columns} x {rows} pixels where {announced_columns} x {announced_rows} were announced");
            return Err(damaged(what));
        }
        let decoded = object.decode_pixel_data_frame(frame as u32).map_err(|e| damaged(header::causes(&e)))?;
        if decoded.data().len() as u64 != each {
            return Err(damaged(format!(
                "frame {} has {} bytes, {each} were expected",
                frame + 1,
                decoded.data().len()
            )));
        }
        bytes.extend_from_slice(decoded.data());
    }
    Ok(bytes)
}

/// The grid that the frames of one or several segmentations make together, from the first stored slice to the last.
///
/// # Errors
/// [`Error::Image`] where they do not lie on one regular grid; [`Error::Argument`] if no file is named.
pub fn common_grid(paths: &[&Path]) -> Result<Geometry> {
    let all: Vec<Stored> = paths.iter().map(|path| Stored::open(path)).collect::<Result<_>>()?;
    grid(&all)
}

fn grid(all: &[Stored]) -> Result<Geometry> {
    let first = all.first().ok_or_else(|| Error::argument("segmentations", "one at least was expected"))?;
    let normal = cross(first.row, first.column);
    let dot = |a: [f64; 3], b: [f64; 3]| (0..3).map(|n| a[n] * b[n]).sum::<f64>();
    let mut places: Vec<(f64, [f64; 3])> = Vec::new();
    for stored in all {
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3);
        if stored.size != first.size
            || !near(&stored.spacing, &first.spacing)
            || !near(&stored.row, &first.row)
            || !near(&stored.column, &first.column)
        {
            let fault = format!("its slices lie or measure otherwise than those of {}", first.path.display());
            return Err(Error::image(&stored.path, fault));
        }
        places.extend(stored.frames.iter().map(|frame| (dot(frame.position, normal), frame.position)));
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.dedup_by(|next, kept| next.0 - kept.0 < SAME_SLICE);
    let thickness = all.iter().find_map(|stored| stored.thickness);
    let fail = |fault: String| Error::image(&first.path, fault);
    let (spacing, slices) = match (even(&places, thickness), places.len()) {
        (Some(found), _) => found,
        (None, 1) => {
            return Err(fail("it has a single slice and says nothing of its height (SpacingBetweenSlices)".into()));
        }
        (None, _) => return Err(fail("its frames do not lie on evenly spaced slices".into())),
    };
    let (from, origin) = places[0];
    for (along, position) in &places {
        let aside = (0..3).map(|n| (position[n] - origin[n] - (along - from) * normal[n]).powi(2)).sum::<f64>().sqrt();
        if aside > JITTER_MM.max(JITTER_SHARE * spacing) {
            return Err(fail(format!("its frames shift sideways by {aside:.2} mm, as those of a tilted gantry do")));
        }
    }
    let geometry = Geometry {
        size: [first.size[1], first.size[0], slices],
        spacing: [first.spacing[1], first.spacing[0], spacing],
        origin,
        direction: std::array::from_fn(|r| [first.row[r], first.column[r], normal[r]]),
    };
    geometry.check().map_err(|e| fail(e.to_string()))?;
    Ok(geometry)
}

/// The distance of slices and their number, from the first to the last stored one.
fn even(places: &[(f64, [f64; 3])], thickness: Option<f64>) -> Option<(f64, usize)> {
    if places.len() == 1 {
        return thickness.map(|thickness| (thickness, 1));
    }
    let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    let least = gaps.iter().copied().fold(f64::MAX, f64::min);
    [thickness, Some(least)].into_iter().flatten().find_map(|guess| {
        // Counted gap by gap, so that a guess that is a little off does not add up.
        let mut at = vec![0.0_f64];
        for gap in &gaps {
            let steps = (gap / guess).round();
            if steps < 1.0 || steps > f64::from(u16::MAX) {
                return None;
            }
            at.push(at[at.len() - 1] + steps);
        }
        let last = at[at.len() - 1];
        let spacing = (places[places.len() - 1].0 - places[0].0) / last;
        let tolerance = JITTER_MM.max(JITTER_SHARE * spacing).min(spacing / 2.0);
        let fits = places.iter().zip(&at).all(|(place, at)| (place.0 - places[0].0 - at * spacing).abs() <= tolerance);
        (fits && last < f64::from(u16::MAX)).then_some((spacing, last as usize + 1))
    })
}

/// Refuses a grid whose voxels take more memory than is allowed.
fn check_memory(path: &Path, geometry: &Geometry, options: &ReadOptions) -> Result<()> {
    let bytes = geometry.size.iter().try_fold(4_u64, |bytes, &n| bytes.checked_mul(n as u64)).unwrap_or(u64::MAX);
    if bytes > options.max_bytes {
        let [i, j, k] = geometry.size;
        return Err(Error::Memory(format!(
            "{}: its {i} x {j} x {k} voxels take {bytes} bytes, but no more than {} are allowed",
            path.display(),
            options.max_bytes
        )));
    }
    Ok(())
}

/// Reads a segmentation on the grid of its own frames, slices that were left out between them included: each voxel has its segment's number,
/// or, where the file holds fractions, its fraction.
///
/// # Errors
/// [`Error::Image`] where it cannot be used, [`Error::Memory`] where its grid takes more than `options` allow.
pub(crate) fn read(path: &Path, options: &ReadOptions) -> Result<Volume> {
    let stored = Stored::open(path)?;
    let geometry = grid(std::slice::from_ref(&stored))?;
    stored.lay(options, &geometry)
}

/// The same on a given grid, that of the CT for example: frames that were left out are empty.
///
/// # Errors
/// As for reading it alone, and [`Error::Image`] where it marks what is no voxel of that grid.
pub fn read_on(path: &Path, options: &ReadOptions, geometry: &Geometry) -> Result<Volume> {
    geometry.check()?;
    Stored::open(path)?.lay(options, geometry)
}
