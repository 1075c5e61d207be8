//! Which of several series is read.
//!
//! An archive's folder holds the same patient several times over: thin and thick, soft and sharp, along other planes, without and with
//! contrast medium. A network of abdominal CTs wants thin axial slices of soft tissue; that is what is chosen, by what the files say of
//! themselves, and it is said why.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::header::{Header, Slice};
use super::stack;
use crate::{Error, Result};

/// The distance in mm that a pancreas needs from the lowest to the highest slice, with a margin.
const LONG_ENOUGH: f64 = 120.0;
/// Slices up to so many mm apart are thin, and usable.
const THIN: f64 = 3.5;
const USABLE: f64 = 8.0;

/// One series of a folder, for messages and listings.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSummary {
    /// SeriesInstanceUID; empty where the files have none.
    pub uid: String,
    /// SeriesDescription; empty where the files have none.
    pub description: String,
    /// Modality, "CT" for computed tomography.
    pub modality: String,
    /// Number of slices (images or frames), localizers not counted.
    pub slices: usize,
    /// ConvolutionKernel, the reconstruction's filter; empty where the files have none.
    pub kernel: String,
    /// Distance of slices in mm, from the first to the last; none for fewer than two.
    pub spacing: Option<f64>,
}

/// How well a series suits, best last; what stands first counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Suits {
    ct: bool,
    /// Several slices, which a single projection or a lone image has not.
    several: bool,
    /// Axial, and neither a reformation nor a projection.
    axial: bool,
    long_enough: bool,
    /// Not sharpened for lung or bone.
    soft: bool,
    /// Not named after another part of the body.
    abdominal: bool,
    /// 2 thin, 1 usable, 0 thicker.
    thin: u8,
    slices: usize,
}

/// Why a series was taken, or not.
impl Suits {
    fn of(headers: &[Header], summary: &SeriesSummary) -> Self {
        let slices: Vec<&Slice> = slices(headers).collect();
        let axial = slices.iter().all(|slice| stack::cross(slice.row, slice.column)[2].abs() > 0.8);
        let made = |header: &Header| {
            let words = header.image_type.to_uppercase();
            ["MIP", "MPR", "REFORMATTED", "PROJECTION", "AVERAGE", "SECONDARY"].iter().any(|word| words.contains(word))
        };
        let spacing = summary.spacing;
        Suits {
            ct: summary.modality == "CT",
            several: summary.slices > 1,
            axial: axial && !headers.iter().all(made),
            long_enough: spacing.is_some_and(|spacing| spacing * summary.slices as f64 >= LONG_ENOUGH),
            soft: !is_sharp(&summary.kernel, &summary.description),
            abdominal: !is_elsewhere(&summary.description),
            thin: match spacing {
                Some(spacing) if spacing <= THIN => 2,
                Some(spacing) if spacing <= USABLE => 1,
                _ => 0,
            },
            slices: summary.slices,
        }
    }

    /// What it lacks that another has, in words.
    fn lacks(&self, other: &Suits) -> &'static str {
        let without = |own: bool, others: bool| !own && others;
        let faults = [
            (without(self.ct, other.ct), "no CT"),
            (without(self.several, other.several), "a single slice"),
            (without(self.axial, other.axial), "not axial, or made from other slices"),
            (without(self.long_enough, other.long_enough), "too short"),
            (without(self.soft, other.soft), "sharpened for lung or bone"),
            (without(self.abdominal, other.abdominal), "of another part of the body"),
            (self.thin < other.thin, "thicker slices"),
            (self.slices < other.slices, "fewer slices"),
        ];
        faults.into_iter().find(|(lacks, _)| *lacks).map_or("as good", |(_, fault)| fault)
    }
}

/// Whether a reconstruction is sharpened for lung or bone, by its kernel or, where that says nothing, by the series' name.
///
/// Siemens' kernels have a number that grows with sharpness (B30f, Br40d, I70f), Canon's are numbered by purpose (FC08, FC52); GE and Philips use
/// words and letters.
fn is_sharp(kernel: &str, description: &str) -> bool {
    /// From here on Siemens' kernels are for lung and bone.
    const SIEMENS: u32 = 50;
    /// Canon's kernels for bone, lung and inner ear.
    const CANON: std::ops::Range<u32> = 30..100;
    let kernel = kernel.to_uppercase();
    let first = kernel.split('\\').next().unwrap_or_default().trim();
    let letters: String = first.chars().take_while(char::is_ascii_alphabetic).collect();
    let digits: String = first.chars().skip(letters.len()).take_while(char::is_ascii_digit).collect();
    match (letters.as_str(), digits.parse::<u32>()) {
        ("FC", Ok(number)) => CANON.contains(&number),
        ("B" | "BR" | "BF" | "BL" | "BV" | "HR" | "I" | "D" | "H" | "J" | "QR" | "T" | "U", Ok(number)) => {
            number >= SIEMENS
        }
        ("LUNG" | "BONE" | "BONEPLUS" | "EDGE" | "ULTRA" | "CHST" | "YC" | "YD" | "D" | "E" | "L", _) => true,
        ("STANDARD" | "STND" | "SOFT" | "DETAIL" | "A" | "B" | "C" | "YA" | "YB", _) => false,
        _ => names(description, &["lung", "lunge", "bone", "knochen", "sharp", "hrct", "poumon", "os"]),
    }
}

/// Whether a series is named after another part of the body alone.
fn is_elsewhere(description: &str) -> bool {
    names(
        description,
        &["head", "neck", "brain", "chest", "thorax", "lung", "knee", "foot", "hand", "spine", "schädel", "hals"],
    ) && !names(
        description,
        &["abd", "abdo", "abdomen", "abdominal", "tap", "cap", "pancreas", "pankreas", "liver", "leber", "oberbauch"],
    )
}

/// Whether one of these words is in a text.
fn names(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphabetic()).any(|word| words.contains(&word))
}

/// The slices of a series that can be placed.
fn slices(headers: &[Header]) -> impl Iterator<Item = &Slice> {
    headers
        .iter()
        .filter(|header| !header.localizer && !header.stray)
        .filter_map(|header| header.slices.as_ref().ok())
        .flatten()
}

/// Headers by SeriesInstanceUID.
fn by_series(headers: Vec<Header>) -> BTreeMap<String, Vec<Header>> {
    let mut series: BTreeMap<String, Vec<Header>> = BTreeMap::new();
    for header in headers {
        series.entry(header.series.clone()).or_default().push(header);
    }
    series
}

/// The text that most images of a series have.
fn commonest(headers: &[Header], text: impl Fn(&Header) -> &str) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    headers.iter().filter(|header| !header.stray).for_each(|header| *counts.entry(text(header)).or_default() += 1);
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(|| text(&headers[0]), |(text, _)| text).to_string()
}

fn summary(uid: &str, headers: &[Header]) -> SeriesSummary {
    let mut positions: Vec<f64> = Vec::new();
    let normal = slices(headers).next().map(|slice| stack::cross(slice.row, slice.column));
    if let Some(normal) = normal {
        positions.extend(slices(headers).map(|slice| (0..3).map(|a| slice.position[a] * normal[a]).sum::<f64>()));
    }
    let range = positions.iter().fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(*at), high.max(*at)));
    SeriesSummary {
        uid: uid.to_string(),
        description: commonest(headers, |header| &header.description),
        modality: commonest(headers, |header| &header.modality),
        slices: headers
            .iter()
            .filter(|h| !h.localizer && !h.stray)
            .map(|h| h.slices.as_ref().map_or(1, Vec::len))
            .sum(),
        kernel: commonest(headers, |header| &header.kernel),
        spacing: (positions.len() > 1).then(|| (range.1 - range.0) / (positions.len() - 1) as f64).filter(|s| *s > 0.0),
    }
}

/// What each series is and how well it suits, best first.
fn ranked(series: &BTreeMap<String, Vec<Header>>) -> Vec<(Suits, SeriesSummary)> {
    let mut ranked: Vec<(Suits, SeriesSummary)> = series
        .iter()
        .map(|(uid, headers)| {
            let summary = summary(uid, headers);
            (Suits::of(headers, &summary), summary)
        })
        .collect();
    ranked.sort_by_key(|(suits, _)| Reverse(*suits));
    ranked
}

/// What each series is, the one that suits best first.
pub(super) fn list(headers: Vec<Header>) -> Vec<SeriesSummary> {
    ranked(&by_series(headers)).into_iter().map(|(_, summary)| summary).collect()
}

/// The headers, without localizers, of the one series to read.
pub(super) fn choose(path: &Path, headers: Vec<Header>, wanted: Option<&str>) -> Result<Vec<Header>> {
    let mut series = by_series(headers);
    let list = ranked(&series);
    let Some(best) = list.first() else {
        return Err(Error::image(path, "there is no DICOM image in it; a CT series was expected"));
    };
    let (suits, chosen) = match wanted {
        Some(uid) => list.iter().find(|(_, s)| s.uid == uid).ok_or_else(|| {
            let all: Vec<String> = list.iter().map(|(_, s)| name(s)).collect();
            Error::argument("series", format!("{uid} is not in {}; there are: {}", path.display(), all.join("; ")))
        })?,
        // Of those that are no CT the largest is the one to speak of.
        None if !best.0.ct => list.iter().max_by_key(|(suits, _)| suits.slices).unwrap_or(best),
        None => best,
    };
    if chosen.modality != "CT" {
        return Err(Error::image(path, format!("it holds {}; a series of Modality CT was expected", name(chosen))));
    }
    if chosen.slices == 0 {
        let fault =
            format!("the series {} holds localizers (scouts) only; a series of slices was expected", chosen.uid);
        return Err(Error::image(path, fault));
    }
    if wanted.is_none() && list.len() > 1 {
        let others = list.iter().filter(|(_, s)| s != chosen);
        let others: Vec<String> = others.map(|(other, s)| format!("{}: {}", name(s), other.lacks(suits))).collect();
        log::warn!(
            "{}: there are {} series; taken is the one most like a thin axial soft-tissue CT: {}; left out: {}. Another can be chosen by \
             its UID",
            path.display(),
            list.len(),
            name(chosen),
            others.join("; ")
        );
    }
    let mut headers = series.remove(&chosen.uid).unwrap_or_default();
    let all = headers.len();
    headers.retain(|h| !h.localizer);
    if headers.len() < all {
        let left_out = all - headers.len();
        log::warn!("{}: {left_out} localizers (scouts) in the series {} are left out", path.display(), chosen.uid);
    }
    leave_out_strays(path, &mut headers);
    doubt(path, &headers);
    Ok(headers)
}

/// Leaves out what is filed under a series without being a slice of it: screenshots, and a few images that differ from all others, as
/// localizers do that do not say so, slices of another modality or of another reconstruction. A series of nothing else stays as it is, for
/// its own message.
fn leave_out_strays(path: &Path, headers: &mut Vec<Header>) {
    if headers.iter().all(|header| header.stray) {
        return;
    }
    let modality = usual(headers, |header| Some(header.modality.clone()), PartialEq::eq);
    let normal = usual(headers, normal, |a, b| !is_across(*a, *b));
    let size = usual(headers, |header| first(header).map(|slice| slice.size), PartialEq::eq);
    let spacing = usual(headers, |header| first(header).map(|slice| slice.spacing), |a, b| stack::alike_lengths(a, b));
    let odd = |header: &Header| -> Option<String> {
        if header.stray {
            return Some("a screenshot or the like".into());
        }
        if modality.as_ref().is_some_and(|usual| header.modality != *usual) {
            return Some(format!("of Modality {}", header.modality));
        }
        let slice = first(header)?;
        if normal.is_some_and(|usual| is_across(stack::cross(slice.row, slice.column), usual)) {
            return Some("an image across the others, as a localizer is".into());
        }
        if let Some([rows, columns]) = size.filter(|usual| slice.size != *usual) {
            let [own_rows, own_columns] = slice.size;
            return Some(format!("{own_columns} x {own_rows} pixels large, the others {columns} x {rows}"));
        }
        let other = spacing.filter(|usual| !stack::alike_lengths(&slice.spacing, usual));
        other.map(|usual| format!("of pixels of {:?} mm, the others of {usual:?} mm", slice.spacing))
    };
    headers.retain(|header| {
        let found = odd(header);
        if let Some(what) = &found {
            let file = header.path.file_name().unwrap_or_default().display();
            log::warn!("{}: {file} is {what}, and no slice of the series; it is left out", path.display());
        }
        found.is_none()
    });
}

/// Says what a series' slices make doubtful that is no reason to refuse them.
fn doubt(path: &Path, headers: &[Header]) {
    let projected = |header: &&Header| {
        let words = header.image_type.to_uppercase();
        words.split(['\\', ' ', '_']).any(|word| ["MIP", "MINIP", "PROJECTION"].contains(&word))
    };
    if let Some(header) = headers.iter().find(projected) {
        log::warn!(
            "{}: ImageType is {}: projections through thick slabs, of which each shows the brightest or darkest of many slices; plain slices \
             were expected",
            path.display(),
            header.image_type
        );
    }
    let frames: BTreeSet<&str> = headers.iter().map(|header| header.frame_of_reference.as_str()).collect();
    if frames.len() > 1 {
        log::warn!(
            "{}: its slices name {} frames of reference (FrameOfReferenceUID), in which positions cannot be compared; one was expected, and \
             they are placed as if it were one",
            path.display(),
            frames.len()
        );
    }
}

/// The first slice of an image that can be placed.
fn first(header: &Header) -> Option<&Slice> {
    header.slices.as_ref().ok()?.first()
}

/// The normal of an image's first slice.
fn normal(header: &Header) -> Option<[f64; 3]> {
    first(header).map(|slice| stack::cross(slice.row, slice.column))
}

/// What nearly all images of a series share, where a few do not.
fn usual<T>(headers: &[Header], value: impl Fn(&Header) -> Option<T>, same: impl Fn(&T, &T) -> bool) -> Option<T> {
    /// Of so many images one may differ.
    const ONE_OF: usize = 5;
    let mut values: Vec<T> = headers.iter().filter(|header| !header.stray).filter_map(value).collect();
    let at = values.iter().take(values.len() / ONE_OF + 1).position(|usual| {
        let others = values.iter().filter(|own| !same(own, usual)).count();
        others > 0 && others * ONE_OF <= values.len()
    });
    at.map(|at| values.swap_remove(at))
}

/// Whether two normals are more than 30 degrees apart.
fn is_across(a: [f64; 3], b: [f64; 3]) -> bool {
    (0..3).map(|n| a[n] * b[n]).sum::<f64>().abs() < 30_f64.to_radians().cos()
}

/// A series in words.
fn name(series: &SeriesSummary) -> String {
    let SeriesSummary { uid, description, modality, slices, kernel, spacing } = series;
    let uid = if uid.is_empty() { "(no UID)" } else { uid };
    let spacing = spacing.map_or(String::new(), |mm| format!(" {mm:.1} mm apart"));
    let kernel = if kernel.is_empty() { String::new() } else { format!(", kernel {kernel}") };
    format!("{uid} (Modality {modality}, {slices} slices{spacing}{kernel}, \"{description}\")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_for_lung_and_bone_are_known_by_their_makers_names() {
        for sharp in ["B70f", "Br60d\\3", "I50f", "FC52", "FC30", "LUNG", "BONEPLUS", "D", "L", "bone"] {
            assert!(is_sharp(sharp, ""), "{sharp}");
        }
        for soft in ["B30f", "Br40d\\3", "I31f\\3", "FC08", "FC13", "STANDARD", "SOFT", "B", "C", "", "Hr40"] {
            assert!(!is_sharp(soft, "Abdomen"), "{soft}");
        }
        assert!(is_sharp("", "Thorax lung 1.0"));
        assert!(!is_sharp("B30f", "lung recon"));
    }

    #[test]
    fn other_parts_of_the_body_are_known_by_the_series_name() {
        assert!(is_elsewhere("CHEST 1.0 B30f") && is_elsewhere("Hals nativ"));
        assert!(!is_elsewhere("Chest/Abd 2.0") && !is_elsewhere("portal venous") && !is_elsewhere(""));
    }
}
