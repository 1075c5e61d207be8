//! Stored values of slices, decoded and rescaled to Hounsfield units.
//!
//! The codecs are those of dicom-rs: uncompressed (either byte order, deflated), RLE, JPEG baseline and lossless, JPEG-LS,
//! JPEG 2000. It has none for lossy JPEG of 12 bits, which is what a CT compressed that way has (process 2 and 4, and the
//! retired 6 and 8, 10 and 12); libjpeg-turbo's port to Rust fills that in.
//!
//! Decoders are handed what a file holds, and a file may hold anything: the size in the codestream is compared with the
//! header's before decoding, and a panic on the way becomes an error of that file.

use std::collections::BTreeMap;
use std::path::Path;

use dicom_dictionary_std::{tags, uids};
use dicom_encoding::adapters::PixelDataObject;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::DefaultDicomObject;
use dicom_pixeldata::PixelDecoder;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use libjpeg_turbo_rs::{decompress_12bit_with_limits, read_coefficients, write_coefficients_optimized, DecodeLimits};
use rayon::prelude::*;

use super::header::{self, Slice};
use crate::volume::AIR;
use crate::Error;

/// Decodes slices one behind the other into `voxels`, which holds exactly as many.
///
/// Each file is opened once; no more files are in memory at a time than there are threads.
pub(super) fn decode(slices: &[Slice], voxels: &mut [f32]) -> crate::Result<()> {
    let Some(first) = slices.first() else { return Ok(()) };
    let mut files: BTreeMap<&Path, Vec<(&Slice, &mut [f32])>> = BTreeMap::new();
    for (slice, plane) in slices.iter().zip(voxels.chunks_mut(first.size[0] * first.size[1])) {
        files.entry(slice.file.as_path()).or_default().push((slice, plane));
    }
    files.into_par_iter().try_for_each(|(file, frames)| {
        let fail = |fault| Error::image(file, fault);
        let mut object = header::open(file, None).map_err(fail)?;
        let layout = Layout::of(&object).map_err(fail)?;
        let codec = Codec::of(&mut object);
        frames.into_par_iter().try_for_each(|(slice, plane)| {
            header::guarded(|| decode_frame(&object, codec, &layout, slice, plane)).map_err(fail)
        })
    })
}

/// Which decoder a file goes through.
#[derive(Clone, Copy)]
enum Codec {
    DicomRs,
    /// Lossy JPEG of 12 bits.
    Jpeg12,
}

impl Codec {
    /// Chooses by the codestream rather than by the transfer syntax: what 4.51 announces may have 8 bits or 12.
    fn of(object: &mut DefaultDicomObject) -> Self {
        // Process 6 and 8, process 10 and 12: retired, and so without a name in the dictionary.
        const PROGRESSIVE: [&str; 2] = ["1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"];
        let syntax = syntax(object);
        let progressive = PROGRESSIVE.contains(&syntax.as_str());
        if !progressive && syntax != uids::JPEG_EXTENDED12_BIT {
            return Codec::DicomRs;
        }
        let codestream = object.fragment(0).and_then(|bytes| Codestream::of(&bytes));
        if codestream.is_some_and(|codestream| codestream.bits > 8) {
            return Codec::Jpeg12;
        }
        if progressive {
            // dicom-rs does not know the retired syntaxes, but its decoder for the baseline reads progressive streams.
            object.update_meta(|meta| meta.transfer_syntax = uids::JPEG_BASELINE8_BIT.into());
        }
        Codec::DicomRs
    }
}

/// How stored values lie in the decoded words.
struct Layout {
    bytes: usize,
    /// Bits below and above the stored value in a word of 16.
    below: u32,
    above: u32,
    signed: bool,
}

impl Layout {
    fn of(object: &DefaultDicomObject) -> Result<Self, String> {
        let number = |tag, name: &str| {
            let found = header::text(object, tag);
            found.parse::<u32>().map_err(|_| format!("{name} is \"{found}\"; a number was expected"))
        };
        let allocated = number(tags::BITS_ALLOCATED, "BitsAllocated")?;
        let stored = number(tags::BITS_STORED, "BitsStored")?;
        let high = number(tags::HIGH_BIT, "HighBit")?;
        let signed = number(tags::PIXEL_REPRESENTATION, "PixelRepresentation")? == 1;
        if !matches!(allocated, 8 | 16) || stored == 0 || high >= allocated || stored > high + 1 {
            return Err(format!(
                "its values have BitsAllocated {allocated}, BitsStored {stored}, HighBit {high}; 8 or 16 bits that hold \
                 the stored ones were expected"
            ));
        }
        Ok(Layout { bytes: allocated as usize / 8, below: high + 1 - stored, above: 15 - high, signed })
    }

    /// The stored value in a word: bits outside it (old files keep overlays there) are shifted out.
    fn value(&self, word: u16) -> i32 {
        let top = word << self.above;
        if self.signed {
            i32::from((top as i16) >> (self.above + self.below))
        } else {
            i32::from(top >> (self.above + self.below))
        }
    }
}

/// Stored values that stand for nothing measured.
struct Padding {
    low: i32,
    high: i32,
    /// Whether one of them could be the density of something in a patient.
    plausible: bool,
}

impl Padding {
    fn of(slice: &Slice, layout: &Layout) -> Option<Self> {
        /// What is less or more dense than this is in no patient.
        const IN_PATIENTS: std::ops::RangeInclusive<f64> = -900.0..=3071.0;
        // The number's own type is often written wrong: its 16 bits count, read as the pixels are.
        let bounds = slice.padding?.map(|value| match layout.signed {
            true => i32::from(value as u16 as i16),
            false => i32::from(value as u16),
        });
        let (low, high) = (bounds[0].min(bounds[1]), bounds[0].max(bounds[1]));
        let hu = |stored: i32| f64::from(stored) * slice.slope + slice.intercept;
        let plausible = IN_PATIENTS.contains(&hu(low)) || IN_PATIENTS.contains(&hu(high));
        Some(Padding { low, high, plausible })
    }

    fn holds(&self, stored: i32) -> bool {
        (self.low..=self.high).contains(&stored)
    }

    /// Turns what is padded into air. Where the padding's value may be a tissue's, only what is connected with the image's border is: a
    /// scanner pads what lies outside of its field of view.
    fn fill(&self, plane: &mut [f32], padded: &mut [bool], columns: usize) {
        if !self.plausible {
            plane.iter_mut().zip(padded).filter(|(_, padded)| **padded).for_each(|(voxel, _)| *voxel = AIR);
            return;
        }
        let rows = padded.len() / columns;
        let border = |at: &usize| {
            let (row, column) = (at / columns, at % columns);
            row == 0 || column == 0 || row + 1 == rows || column + 1 == columns
        };
        let mut next: Vec<usize> = (0..padded.len()).filter(border).collect();
        while let Some(at) = next.pop() {
            if !std::mem::take(&mut padded[at]) {
                continue;
            }
            plane[at] = AIR;
            let (row, column) = (at / columns, at % columns);
            next.extend((row > 0).then(|| at - columns));
            next.extend((row + 1 < rows).then(|| at + columns));
            next.extend((column > 0).then(|| at - 1));
            next.extend((column + 1 < columns).then(|| at + 1));
        }
    }
}

/// Decodes one frame to Hounsfield units.
fn decode_frame(
    object: &DefaultDicomObject,
    codec: Codec,
    layout: &Layout,
    slice: &Slice,
    plane: &mut [f32],
) -> Result<(), String> {
    let [rows, columns] = slice.size;
    let damaged = |what: &str| format!("its pixel data is damaged or cut off ({what}); copy the file again");
    if object.get(tags::PIXEL_DATA).is_none() {
        return Err(damaged("there is none"));
    }
    let encapsulated = object.number_of_fragments().is_some();
    if encapsulated {
        let codestream = object.frame_pixel_data(slice.frame).and_then(|bytes| Codestream::of(&bytes));
        if let Some(Codestream { size, .. }) = codestream.filter(|codestream| codestream.size != slice.size) {
            let what = format!("{} x {} pixels where {columns} x {rows} were announced", size[1], size[0]);
            return Err(damaged(&what));
        }
    }
    let padding = Padding::of(slice, layout);
    let mut padded = vec![false; if padding.is_some() { plane.len() } else { 0 }];
    let mut fill = |plane: &mut [f32], words: &mut dyn Iterator<Item = u16>| {
        for (at, (voxel, word)) in plane.iter_mut().zip(words).enumerate() {
            let stored = layout.value(word);
            *voxel = (f64::from(stored) * slice.slope + slice.intercept) as f32;
            if let Some(padding) = &padding {
                padded[at] = padding.holds(stored);
            }
        }
        if let Some(padding) = &padding {
            padding.fill(plane, &mut padded, columns);
        }
    };
    match codec {
        Codec::Jpeg12 => {
            let bytes = object.frame_pixel_data(slice.frame).ok_or_else(|| damaged("a frame is missing"))?;
            let limits = DecodeLimits { max_width: columns, max_height: rows, ..DecodeLimits::default() };
            let bytes = match Codestream::of(&bytes) {
                // A progressive stream is first written anew as a sequential one of the same coefficients, losslessly.
                Some(Codestream { progressive: true, .. }) => read_coefficients(&bytes)
                    .and_then(|coefficients| write_coefficients_optimized(&coefficients))
                    .map_err(|e| damaged(&header::causes(&e)))?
                    .into(),
                _ => bytes,
            };
            let image = decompress_12bit_with_limits(&bytes, &limits).map_err(|e| damaged(&header::causes(&e)))?;
            if image.data.len() != plane.len() || layout.bytes != 2 {
                return Err(damaged("it has another number of values than announced"));
            }
            fill(plane, &mut image.data.iter().map(|&word| word as u16));
        }
        Codec::DicomRs => {
            let syntax = syntax(object);
            if !TransferSyntaxRegistry.get(&syntax).is_some_and(|known| known.can_decode_all()) {
                return Err(format!(
                    "its transfer syntax is {}, for which there is no decoder here; convert the series to Explicit VR Little \
                     Endian first, with dcmdjpeg (DCMTK) or gdcmconv --raw (GDCM) for example",
                    syntax_name(&syntax)
                ));
            }
            let decoded = object.decode_pixel_data_frame(slice.frame).map_err(|e| damaged(&header::causes(&e)))?;
            let data = decoded.data();
            if data.len() != plane.len() * layout.bytes {
                return Err(damaged(&format!(
                    "{} bytes where {} were announced",
                    data.len(),
                    plane.len() * layout.bytes
                )));
            }
            match layout.bytes {
                1 => fill(plane, &mut data.iter().map(|&byte| u16::from(byte))),
                _ => fill(plane, &mut data.chunks_exact(2).map(|word| u16::from_ne_bytes([word[0], word[1]]))),
            }
        }
    }
    Ok(())
}

/// Rows and columns that the head of a codestream announces, where it is one that says so.
pub(super) fn announced(bytes: &[u8]) -> Option<[usize; 2]> {
    Codestream::of(bytes).map(|codestream| codestream.size)
}

/// What the head of a JPEG, JPEG-LS or JPEG 2000 codestream says of the image in it.
struct Codestream {
    /// Rows and columns.
    size: [usize; 2],
    bits: u8,
    /// Whether it is a progressive JPEG.
    progressive: bool,
}

impl Codestream {
    /// None where the bytes are none of these (RLE for example), or make no sense.
    fn of(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
        let long = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
        match bytes.get(..4)? {
            // JPEG 2000: start of codestream, then at once its size.
            [0xFF, 0x4F, 0xFF, 0x51] => {
                let size = [long(12)?.checked_sub(long(20)?)?, long(8)?.checked_sub(long(16)?)?];
                Some(Codestream { size, bits: (bytes.get(42)? & 0x7F) + 1, progressive: false })
            }
            // JPEG and JPEG-LS: segments up to a start of frame.
            [0xFF, 0xD8, 0xFF, _] => {
                let mut at = 2;
                loop {
                    match (*bytes.get(at)?, *bytes.get(at + 1)?) {
                        // Fill bytes may stand before a marker.
                        (0xFF, 0xFF) => at += 1,
                        (0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7) => break,
                        (0xFF, _) => at += 2 + word(at + 2)?,
                        _ => return None,
                    }
                }
                let (size, progressive) = ([word(at + 5)?, word(at + 7)?], bytes[at + 1] == 0xC2);
                Some(Codestream { size, bits: *bytes.get(at + 4)?, progressive })
            }
            _ => None,
        }
    }
}

/// The UID of a file's transfer syntax.
fn syntax(object: &DefaultDicomObject) -> String {
    object.meta().transfer_syntax().trim_end_matches(['\0', ' ']).to_string()
}

/// A transfer syntax by UID, with its name where it is known.
fn syntax_name(uid: &str) -> String {
    TransferSyntaxRegistry.get(uid).map_or(uid.to_string(), |known| format!("{} ({uid})", known.name()))
}
