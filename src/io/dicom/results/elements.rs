//! Data sets, put together attribute by attribute: texts, numbers, codes, UIDs, dates.

use chrono::{DateTime, FixedOffset, Local, Offset, Utc};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject, Tag};

use super::Code;
use crate::files::AtomicFile;
use crate::io::dicom::header;
use crate::{Error, Result};

/// ggpfn as the writer of files, for the meta group: a UUID that was drawn once.
const IMPLEMENTATION: &str = "2.25.238805497446834785124187171850179316815";

/// A text, or several values divided by backslashes.
pub(super) fn text(set: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    set.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

/// An unsigned number of 16 bits.
pub(super) fn short(set: &mut InMemDicomObject, tag: Tag, value: u16) {
    set.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
}

/// A sequence.
pub(super) fn sequence(set: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    set.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// A sequence of one item.
pub(super) fn one(set: &mut InMemDicomObject, tag: Tag, item: InMemDicomObject) {
    sequence(set, tag, vec![item]);
}

/// A coded concept.
pub(super) fn code(code: &Code) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::CODE_VALUE, VR::SH, &code.value);
    text(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, &code.scheme);
    text(&mut item, tags::CODE_MEANING, VR::LO, &code.meaning);
    item
}

/// A reference to an instance.
pub(super) fn reference(class: &str, instance: &str) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
    text(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
    item
}

/// A number as a decimal string, which holds 16 characters.
pub(super) fn decimal(value: f64) -> String {
    /// Most characters of a decimal string.
    const LONGEST: usize = 16;
    // Adding 0 turns -0 into 0.
    let value = value + 0.0;
    let plain = format!("{value}");
    if plain.len() <= LONGEST {
        return plain;
    }
    let fixed = (0..=15).rev().map(|digits| format!("{value:.digits$}")).find(|text| text.len() <= LONGEST);
    let digits_of = |text: &str| text.chars().filter(char::is_ascii_digit).skip_while(|c| *c == '0').count();
    match fixed {
        // What is tiny keeps its digits in the other notation.
        Some(fixed) if value.abs() >= 1e-4 || digits_of(&fixed) >= 9 => fixed,
        _ => {
            let short = (0..=10).rev().map(|digits| format!("{value:.digits$e}"));
            short.into_iter().find(|text| text.len() <= LONGEST).unwrap_or_else(|| "0".into())
        }
    }
}

/// Several numbers as decimal strings.
pub(super) fn decimals(values: &[f64]) -> String {
    values.iter().copied().map(decimal).collect::<Vec<_>>().join("\\")
}

/// A text that fits an attribute with a limit on its length.
pub(super) fn clipped(value: &str, longest: usize) -> String {
    value.replace('\\', "/").chars().filter(|c| !c.is_control()).take(longest).collect::<String>().trim().to_string()
}

/// Makes UIDs that nobody else makes.
#[derive(Clone, Debug, Default)]
pub(super) struct Uids {
    root: Option<String>,
}

impl Uids {
    /// Below a root that somebody owns; none: below 2.25, from UUIDs.
    pub(super) fn new(root: Option<&str>) -> Result<Self> {
        /// What is left behind it for a number that is not drawn twice.
        const LONGEST_ROOT: usize = 40;
        let Some(root) = root else { return Ok(Uids { root: None }) };
        let root = root.trim_end_matches('.');
        let component = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
        };
        let good = root.len() <= LONGEST_ROOT
            && root.split('.').count() > 1
            && root.split('.').all(component)
            && matches!(root.as_bytes()[0], b'0'..=b'2')
            && root.as_bytes()[1] == b'.';
        if !good {
            let fault = format!(
                "\"{root}\"; a UID of numbers divided by points, up to {LONGEST_ROOT} characters, was expected: a root that your \
                 institution owns"
            );
            return Err(Error::argument("--uid-root", fault));
        }
        Ok(Uids { root: Some(root.to_string()) })
    }

    /// A new one.
    pub(super) fn next(&self) -> String {
        /// Longest UID.
        const LONGEST: usize = 64;
        let number = uuid::Uuid::new_v4().as_u128();
        match &self.root {
            None => format!("2.25.{number}"),
            Some(root) => {
                // The last digits are as good as the first, and never begin with 0.
                let digits = (LONGEST - root.len() - 1).min(36) as u32;
                let least = 10_u128.pow(digits - 1);
                format!("{root}.{}", least + number % (9 * least))
            }
        }
    }
}

/// Now, as the dates and times of a data set are to be understood: in the zone that it names, else in that of the machine.
pub(super) struct Moment(DateTime<FixedOffset>);

impl Moment {
    /// `zone` is a TimezoneOffsetFromUTC, or nothing.
    pub(super) fn now(zone: &str) -> Self {
        let offset = || {
            let (sign, rest) = zone.split_at_checked(1)?;
            let minutes = |part: &str| part.parse::<i32>().ok().filter(|n| (0..60).contains(n));
            let (hours, minutes) = (minutes(rest.get(..2)?)?, minutes(rest.get(2..4)?)?);
            let seconds = 3600 * hours + 60 * minutes;
            match sign {
                "+" => FixedOffset::east_opt(seconds),
                "-" => FixedOffset::west_opt(seconds),
                _ => None,
            }
        };
        let offset = offset().unwrap_or_else(|| Local::now().offset().fix());
        Moment(Utc::now().with_timezone(&offset))
    }

    /// As a DA.
    pub(super) fn date(&self) -> String {
        self.0.format("%Y%m%d").to_string()
    }

    /// As a TM.
    pub(super) fn time(&self) -> String {
        self.0.format("%H%M%S").to_string()
    }

    /// As a DT, in the zone of the data set.
    pub(super) fn both(&self) -> String {
        self.0.format("%Y%m%d%H%M%S").to_string()
    }
}

/// Writes a data set as a DICOM file, explicit little endian. It appears whole or not at all.
pub(super) fn write(path: &std::path::Path, set: InMemDicomObject, class: &str, instance: &str) -> Result<()> {
    write_as(path, set, class, instance, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

/// The same in another transfer syntax.
pub(super) fn write_as(
    path: &std::path::Path,
    set: InMemDicomObject,
    class: &str,
    instance: &str,
    syntax: &str,
) -> Result<()> {
    use std::io::Write;
    let version = format!("GGPFN_{}", env!("CARGO_PKG_VERSION"));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance)
        .implementation_class_uid(IMPLEMENTATION)
        .implementation_version_name(clipped(&version, 16));
    let fail = |fault: String| Error::file("write", path, std::io::Error::other(fault));
    let object = set.with_meta(meta).map_err(|e| fail(header::causes(&e)))?;
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).map_err(|e| fail(header::causes(&e)))?;
    let mut file = AtomicFile::create(path)?;
    file.write_all(&bytes).map_err(|e| Error::file("write", path, e))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_keep_to_their_length_and_lose_next_to_nothing() {
        for value in
            [0.0, -0.0, 1.0, -804.5, 0.9765625, -249.51171875, 0.970295726276, -0.24192189559967, 1e-17, -1.0 / 3.0]
        {
            let text = decimal(value);
            assert!(text.len() <= 16 && text != "-0", "{text}");
            assert!((text.parse::<f64>().unwrap() - value).abs() < 1e-11, "{text} for {value}");
        }
        for value in [-123456.789_012_3, 1.0 / 3.0e7, -1e-9 / 3.0, 1e300, f64::MIN_POSITIVE] {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            assert!((text.parse::<f64>().unwrap() / value - 1.0).abs() < 1e-8, "{text} for {value}");
        }
    }

    #[test]
    fn uids_are_valid_and_all_different() {
        for root in [None, Some("1.2.826.0.1.3680043.10.999"), Some("2.25")] {
            let uids = Uids::new(root).unwrap();
            let made: std::collections::BTreeSet<String> = (0..200).map(|_| uids.next()).collect();
            assert_eq!(made.len(), 200);
            for uid in made {
                assert!(uid.len() <= 64 && uid.starts_with(root.unwrap_or("2.25")), "{uid}");
                let part = |p: &str| p.parse::<u128>().is_ok() && (p == "0" || !p.starts_with('0'));
                assert!(uid.split('.').all(part), "{uid}");
            }
        }
        for root in ["", "1", "1..2", "a.b", "1.02", "3.1", "1.2.3456789012345678901234567890123456789012345"] {
            assert!(Uids::new(Some(root)).is_err(), "{root}");
        }
    }

    #[test]
    fn time_is_told_in_the_zone_of_the_data_set() {
        for (zone, seconds) in [("+0530", 19_800), ("-0700", -25_200), ("+0000", 0)] {
            assert_eq!(Moment::now(zone).0.offset().local_minus_utc(), seconds);
        }
        for odd in ["", "+", "0530", "+99", "ü123", "+2500"] {
            assert_eq!(Moment::now(odd).date().len(), 8, "{odd}");
        }
    }
}
