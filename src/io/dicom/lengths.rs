//! Whether a DICOM file holds what its elements claim, looked at before it is parsed.
//!
//! dicom-rs makes room for as many bytes as an element claims, up to 4 GB, and finds out afterwards that the file ends. Here only the heads of
//! elements are read and their values are passed over.

use std::io::{Read, Seek, SeekFrom};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{uids, StandardDataDictionary};

const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
/// Retired long ago, and still in old archives.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Checks the elements of a data set that begins where `file` stands and ends with it, up to (and without) the tag `until` of the outermost level.
/// What is no data set in a known form is left to the parser.
///
/// # Errors
/// Says which element claims more than there is.
pub(super) fn check(file: &mut (impl Read + Seek), syntax: &str, until: Option<Tag>) -> Result<(), String> {
    if syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN || syntax == uids::JPIP_REFERENCED_DEFLATE {
        return Ok(());
    }
    let end = |file: &mut dyn FnMut(SeekFrom) -> std::io::Result<u64>| -> std::io::Result<[u64; 2]> {
        let start = file(SeekFrom::Current(0))?;
        let end = file(SeekFrom::End(0))?;
        file(SeekFrom::Start(start))?;
        Ok([start, end])
    };
    // What cannot be moved in, a pipe, is read as it comes.
    let Ok([start, end]) = end(&mut |to| file.seek(to)) else { return Ok(()) };
    let heads = Heads {
        file,
        at: start,
        end,
        explicit: syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN,
        big_endian: syntax == BIG_ENDIAN,
    };
    heads.check(until)
}

struct Heads<'a, F> {
    file: &'a mut F,
    at: u64,
    end: u64,
    explicit: bool,
    big_endian: bool,
}

impl<F: Read + Seek> Heads<'_, F> {
    fn check(mut self, until: Option<Tag>) -> Result<(), String> {
        // The sequences and items that are open: where they end, if they say so.
        let mut open: Vec<Option<u64>> = Vec::new();
        let mut in_fragments = false;
        while let Some((tag, vr, length)) = self.head() {
            while open.last().is_some_and(|end| end.is_some_and(|end| self.at > end)) {
                open.pop();
            }
            if open.is_empty() && until.is_some_and(|until| tag >= until) {
                return Ok(());
            }
            let left = self.end.saturating_sub(self.at);
            if length != UNDEFINED && u64::from(length) > left {
                return Err(format!("the element {tag} claims {length} bytes, and {left} are left"));
            }
            let inside = (length != UNDEFINED).then(|| self.at + u64::from(length));
            match (tag, vr) {
                (ITEM_END | SEQUENCE_END, _) => {
                    in_fragments = false;
                    open.pop();
                }
                (ITEM, _) if !in_fragments => open.push(inside),
                (_, Some(VR::SQ)) => open.push(inside),
                // Its content is in another form, or is nothing that can be known.
                (_, Some(VR::UN) | None) if length == UNDEFINED => return Ok(()),
                (_, _) if length == UNDEFINED => {
                    in_fragments = true;
                    open.push(None);
                }
                _ => {
                    let taken = whole_values(vr, length);
                    if self.file.seek_relative(i64::from(taken)).is_err() {
                        return Ok(());
                    }
                    self.at += u64::from(taken);
                }
            }
        }
        Ok(())
    }

    /// The next element's tag, value representation and length; none at the end, or where there is no element.
    fn head(&mut self) -> Option<(Tag, Option<VR>, u32)> {
        let head: [u8; 8] = self.bytes()?;
        let tag = Tag(self.short([head[0], head[1]]), self.short([head[2], head[3]]));
        let last = [head[4], head[5], head[6], head[7]];
        if tag.group() == 0xFFFE {
            return Some((tag, None, self.long(last)));
        }
        if !self.explicit {
            let known = StandardDataDictionary.by_tag(tag).map(|entry| entry.vr());
            let vr = match known {
                Some(VirtualVr::Exact(vr)) => Some(vr),
                Some(_) => Some(VR::OW),
                None => None,
            };
            return Some((tag, vr, self.long(last)));
        }
        // dicom-rs takes what is no value representation for an unknown one, whose length has four bytes.
        let vr = VR::from_binary([head[4], head[5]]).unwrap_or(VR::UN);
        let is_long = matches!(
            vr,
            VR::OB
                | VR::OD
                | VR::OF
                | VR::OL
                | VR::OV
                | VR::OW
                | VR::SQ
                | VR::SV
                | VR::UC
                | VR::UN
                | VR::UR
                | VR::UT
                | VR::UV
        );
        let length = match is_long {
            true => {
                let length = self.bytes()?;
                self.long(length)
            }
            false => u32::from(self.short([head[6], head[7]])),
        };
        Some((tag, Some(vr), length))
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).ok()?;
        self.at += N as u64;
        Some(bytes)
    }

    fn short(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn long(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// How many of an element's bytes dicom-rs takes: of numbers whole ones alone. It looks for the next element where they end.
fn whole_values(vr: Option<VR>, length: u32) -> u32 {
    let size = match vr {
        Some(VR::SS | VR::US | VR::OW) => 2,
        Some(VR::AT | VR::FL | VR::OF | VR::OL | VR::SL | VR::UL) => 4,
        Some(VR::FD | VR::OD | VR::OV | VR::SV | VR::UV) => 8,
        _ => 1,
    };
    length - length % size
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use dicom_dictionary_std::tags;

    use super::*;

    fn explicit(tag: [u16; 2], vr: &[u8; 2], length: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = tag.iter().flat_map(|part| part.to_le_bytes()).collect();
        bytes.extend(vr);
        match vr {
            b"OW" | b"OB" | b"SQ" | b"UN" | b"UT" => {
                bytes.extend([0, 0]);
                bytes.extend(length.to_le_bytes());
            }
            _ => bytes.extend((length as u16).to_le_bytes()),
        }
        bytes.extend(value);
        bytes
    }

    fn item(element: u16, length: u32) -> Vec<u8> {
        let mut bytes = vec![0xFE, 0xFF];
        bytes.extend(element.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes
    }

    fn verdict(parts: &[Vec<u8>], syntax: &str) -> Result<(), String> {
        let bytes = parts.concat();
        let mut file = Cursor::new(bytes);
        check(&mut file, syntax, None)
    }

    const LITTLE: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;

    #[test]
    fn what_is_there_may_be_claimed() {
        let name = explicit([0x10, 0x10], b"PN", 4, b"A^B ");
        let sequence = [
            explicit([0x8, 0x1140], b"SQ", UNDEFINED, b""),
            item(0xE000, UNDEFINED),
            name.clone(),
            item(0xE00D, 0),
            item(0xE000, name.len() as u32),
            name.clone(),
            item(0xE0DD, 0),
        ];
        let pixels = [
            explicit([0x7FE0, 0x10], b"OB", UNDEFINED, b""),
            item(0xE000, 0),
            // A fragment's bytes are no elements.
            [item(0xE000, 8), b"\xFE\xFF\x00\xE0\xFF\xFF\xFF\x7F".to_vec()].concat(),
            item(0xE0DD, 0),
        ];
        let parts: Vec<_> = sequence.into_iter().chain([name]).chain(pixels).collect();
        assert_eq!(verdict(&parts, LITTLE), Ok(()));
        assert_eq!(verdict(&parts, uids::JPEG_BASELINE8_BIT), Ok(()));
        assert_eq!(verdict(&[vec![]], LITTLE), Ok(()));
    }

    #[test]
    fn what_is_not_there_may_not() {
        let told = "the element (7FE0,0010) claims 4000000000 bytes, and 2 are left";
        let huge = explicit([0x7FE0, 0x10], b"OW", 4_000_000_000, b"ab");
        assert_eq!(verdict(std::slice::from_ref(&huge), LITTLE), Err(told.into()));
        // The parser takes no value representation for a long one.
        assert!(verdict(&[vec![7; 100]], LITTLE).unwrap_err().contains("claims 117901063 bytes"));
        let nested = [explicit([0x8, 0x1140], b"SQ", UNDEFINED, b""), item(0xE000, UNDEFINED), huge.clone()];
        assert_eq!(verdict(&nested, LITTLE), Err(told.into()));
        let in_known_lengths =
            [explicit([0x8, 0x1140], b"SQ", 8 + huge.len() as u32, b""), item(0xE000, huge.len() as u32), huge.clone()];
        assert_eq!(verdict(&in_known_lengths, LITTLE), Err(told.into()));
        let fragment = [explicit([0x7FE0, 0x10], b"OB", UNDEFINED, b""), item(0xE000, 0), item(0xE000, 99)];
        assert!(verdict(&fragment, LITTLE).unwrap_err().contains("claims 99 bytes"));
        let implicit = [0xE0, 0x7F, 0x10, 0, 0, 0, 0, 0x7F].to_vec();
        assert!(verdict(&[implicit], uids::IMPLICIT_VR_LITTLE_ENDIAN).unwrap_err().contains("(7FE0,0010)"));
        // A length that is no whole number of values: the parser takes what follows the last whole one for an element.
        let halved = [&[8, 0, 0, 0, 2, 0, 0, 0][..], &[0x5C, 1, 0x59, 0xFF, 0xFF, 0xFF, 0x3C, 0xFD, 0, 0]].concat();
        let told = verdict(&[halved], uids::IMPLICIT_VR_LITTLE_ENDIAN).unwrap_err();
        assert!(told.contains("(015C,FF59) claims 4248633343 bytes"), "{told}");
        // Up to a tag of the outermost level.
        let mut file = Cursor::new(huge);
        assert_eq!(check(&mut file, LITTLE, Some(tags::PIXEL_DATA)), Ok(()));
    }
}
