//! Slices in the order in which they lie, and the one regular grid that they must make.
//!
//! The grid's k axis is the normal of the slices. Positions in files are rounded, so that small deviations are let through
//! and the mean distance is the spacing; whatever a plain volume would misplace is refused:
//!
//! | fault | let through |
//! | --- | --- |
//! | slice away from its place on the regular grid | a tenth of the spacing or 0.1 mm, the larger |
//! | beyond that: distance between two slices unlike the others (a missing slice) | a tenth of the distance or 0.1 mm, the larger |
//! | slices that shift sideways | a tenth of the spacing or 0.1 mm, the larger |
//! | slices that shift evenly (gantry tilt) | 0.5 degrees, with a warning; more on request, to be resampled |
//! | different in-plane spacing, direction cosines | 0.001 mm, 0.001 |
//! | two slices at one position | less than 0.01 mm apart is one position; the same instance twice is used once |

use std::path::Path;

use super::header::Slice;
use crate::volume::Geometry;
use crate::{Error, Result};

/// Slices closer than this, in mm, are at the same position.
const SAME_POSITION: f64 = 0.01;
/// The share of the spacing by which, and the length in mm by which, one distance may differ from the others.
const UNEVEN_SHARE: f64 = 0.1;
const UNEVEN_MM: f64 = 0.1;
/// How far a slice may be from its place: in mm, or as a share of the spacing.
const JITTER_MM: f64 = 0.1;
const JITTER_SHARE: f64 = 0.1;
/// The gantry tilt, in degrees, that a plain volume may have; over 10 cm it shifts slices by less than a millimetre.
const TILT: f64 = 0.5;
/// How far in-plane spacings (mm) and direction cosines may differ between slices.
const ALIKE: f64 = 1e-3;

/// How slices shift sideways for each mm along their normal, in mm along the row and the column direction.
pub(super) type Shear = [f64; 2];

/// Orders the slices of one series and checks that they make a regular grid. `source` is the folder or file for messages. Where a tilted
/// gantry is let through, the last value says how its slices shift.
pub(super) fn stack(
    source: &Path,
    slices: Vec<Slice>,
    let_tilt_through: bool,
) -> Result<(Vec<Slice>, Geometry, Option<Shear>)> {
    let Some(first) = slices.first().cloned() else {
        return Err(Error::image(source, "the series has no slices"));
    };
    alike(source, &slices)?;
    let normal = cross(first.row, first.column);
    let mut slices: Vec<(f64, Slice)> = slices.into_iter().map(|s| (dot(s.position, normal), s)).collect();
    slices.sort_by(|a, b| a.0.total_cmp(&b.0));
    let slices = once_each(source, slices)?;
    let spacing = if slices.len() == 1 { lone_spacing(source, &first)? } else { even_spacing(source, &slices)? };
    let tilt = straight(source, &slices, normal, spacing, let_tilt_through)?;
    let tilt = tilt.map(|slope| [dot(slope, first.row), dot(slope, first.column)]);

    let origin = slices[0].1.position;
    let geometry = Geometry {
        size: [first.size[1], first.size[0], slices.len()],
        spacing: [first.spacing[1], first.spacing[0], spacing],
        origin,
        direction: std::array::from_fn(|r| [first.row[r], first.column[r], normal[r]]),
    };
    geometry.check().map_err(|e| Error::image(source, e.to_string()))?;
    Ok((slices.into_iter().map(|(_, slice)| slice).collect(), geometry, tilt))
}

/// All slices have the size, in-plane spacing and orientation of the first.
fn alike(source: &Path, slices: &[Slice]) -> Result<()> {
    let first = &slices[0];
    for slice in slices {
        let differs = if slice.size != first.size {
            format!("{} x {} pixels against {} x {}", slice.size[1], slice.size[0], first.size[1], first.size[0])
        } else if !alike_lengths(&slice.spacing, &first.spacing) {
            format!("PixelSpacing {:?} mm against {:?}", slice.spacing, first.spacing)
        } else if !alike_lengths(&slice.row, &first.row) || !alike_lengths(&slice.column, &first.column) {
            let (a, b) = ((slice.row, slice.column), (first.row, first.column));
            format!("ImageOrientationPatient {:?} {:?} against {:?} {:?}", a.0, a.1, b.0, b.1)
        } else {
            continue;
        };
        return Err(Error::image(
            source,
            format!(
                "the slices of the series are not alike: {} has {differs} of {}; take apart what does not belong together",
                name(slice),
                name(first)
            ),
        ));
    }
    Ok(())
}

/// Whether lengths in mm, or cosines, are the same but for how they were written.
pub(super) fn alike_lengths(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ALIKE)
}

/// Drops second copies of the same instance; refuses different slices at one position.
fn once_each(source: &Path, sorted: Vec<(f64, Slice)>) -> Result<Vec<(f64, Slice)>> {
    let mut kept: Vec<(f64, Slice)> = Vec::with_capacity(sorted.len());
    let mut clashes: Vec<(Slice, Slice)> = Vec::new();
    for (position, slice) in sorted {
        let here = kept.iter().rev().take_while(|k| position - k.0 < SAME_POSITION);
        let here: Vec<&Slice> = here.map(|(_, slice)| slice).collect();
        let copy = |other: &&&Slice| {
            !slice.instance.is_empty() && other.instance == slice.instance && other.frame == slice.frame
        };
        if let Some(other) = here.iter().find(copy) {
            log::warn!("{} and {} are the same instance; it is used once", name(other), name(&slice));
            continue;
        }
        if let Some(other) = here.first() {
            clashes.push(((*other).clone(), slice.clone()));
        }
        kept.push((position, slice));
    }
    let Some((a, b)) = clashes.first() else { return Ok(kept) };
    let mut acquisitions: Vec<&str> =
        kept.iter().map(|(_, s)| s.acquisition.as_str()).filter(|acquisition| !acquisition.is_empty()).collect();
    acquisitions.sort_by_key(|a| (a.len(), *a));
    acquisitions.dedup();
    Err(Error::image(
        source,
        format!(
            "{} of the {} slices lie where another lies already ({} and {}, for example, at {:?} mm); one slice a position \
             was expected. It seems to hold several acquisitions or phases (AcquisitionNumber {}): give one at a time",
            clashes.len(),
            kept.len(),
            name(a),
            name(b),
            b.position,
            if acquisitions.is_empty() { "not given".to_string() } else { acquisitions.join(", ") }
        ),
    ))
}

/// The slice spacing of a single slice, which has no neighbour to measure it by.
fn lone_spacing(source: &Path, slice: &Slice) -> Result<f64> {
    let spacing = slice.thickness.ok_or_else(|| {
        let fault =
            "it is a single slice without SpacingBetweenSlices or SliceThickness: its height is unknown; give the \
                     folder of its series";
        Error::image(source, fault)
    })?;
    log::warn!(
        "{}: it is a single slice; its height of {spacing} mm is taken from SpacingBetweenSlices or SliceThickness",
        source.display()
    );
    Ok(spacing)
}

/// The mean distance between slices, if all are about the same.
fn even_spacing(source: &Path, slices: &[(f64, Slice)]) -> Result<f64> {
    let gaps: Vec<f64> = slices.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    // The lower median: of one right and one doubled distance the right one.
    let usual = sorted[(sorted.len() - 1) / 2];
    let tolerance = UNEVEN_MM.max(UNEVEN_SHARE * usual).min(usual / 2.0);
    let even = jitters_only(slices);
    for (k, gap) in gaps.iter().enumerate() {
        if even || (gap - usual).abs() <= tolerance {
            continue;
        }
        let missing = (gap / usual).round() - 1.0;
        let guess = if missing >= 1.0 && (gap - (missing + 1.0) * usual).abs() <= tolerance * (missing + 1.0) {
            format!("{missing} of the slices between them seem to be missing: copy the series again, complete")
        } else {
            "the series must be resampled to even slices first, or taken apart".to_string()
        };
        return Err(Error::image(
            source,
            format!(
                "its slices are not evenly spaced: {} and {} (slices {} and {} of {}) are {gap:.3} mm apart, others \
                 {usual:.3} mm; {guess}",
                name(&slices[k].1),
                name(&slices[k + 1].1),
                k + 1,
                k + 2,
                slices.len()
            ),
        ));
    }
    let spacing = gaps.iter().sum::<f64>() / gaps.len() as f64;
    for (k, (position, slice)) in slices.iter().enumerate() {
        let away = (position - slices[0].0 - k as f64 * spacing).abs();
        if away > spacing / 2.0 {
            let fault = format!(
                "its slices are not evenly spaced: {} is {away:.3} mm from where a spacing of {spacing:.3} mm has it; \
                 resample the series to even slices first",
                name(slice)
            );
            return Err(Error::image(source, fault));
        }
    }
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    if most - least > 0.01 * spacing {
        log::warn!(
            "{}: the distances between slices vary from {least:.3} to {most:.3} mm; {spacing:.3} mm is used throughout",
            source.display()
        );
    }
    Ok(spacing)
}

/// Whether no slice is farther from its place on the regular grid that fits best than positions jitter.
fn jitters_only(slices: &[(f64, Slice)]) -> bool {
    let count = slices.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, slices.iter().map(|(position, _)| position).sum::<f64>() / count);
    let numbered = || slices.iter().enumerate().map(|(k, (position, _))| (k as f64 - middle, position - mean));
    let spacing =
        numbered().map(|(k, position)| k * position).sum::<f64>() / numbered().map(|(k, _)| k * k).sum::<f64>();
    // A little more than what jitters: the fit is not the grid that the positions were made from.
    let allowed = (1.5 * JITTER_MM.max(JITTER_SHARE * spacing)).min(spacing / 6.0);
    numbered().all(|(k, position)| (position - k * spacing).abs() <= allowed)
}

/// The slices lie one above the other along their normal: they shift sideways by no more than positions jitter, or evenly by a tilt that
/// hardly matters, or by one that is let through, which is given.
fn straight(
    source: &Path,
    slices: &[(f64, Slice)],
    normal: [f64; 3],
    spacing: f64,
    let_tilt_through: bool,
) -> Result<Option<[f64; 3]>> {
    let (start, origin) = (slices[0].0, slices[0].1.position);
    let shift = |(position, slice): &(f64, Slice)| -> (f64, [f64; 3]) {
        let along = position - start;
        (along, std::array::from_fn(|a| slice.position[a] - origin[a] - along * normal[a]))
    };
    let length = |v: [f64; 3]| dot(v, v).sqrt();
    // The first slice, from which shifts are measured, jitters as well.
    let allowed = 2.0 * JITTER_MM.max(JITTER_SHARE * spacing) + 1e-6;
    let shifts: Vec<(f64, [f64; 3])> = slices.iter().map(shift).collect();
    let Some((worst, (along, sideways))) =
        shifts.iter().enumerate().max_by(|a, b| length(a.1 .1).total_cmp(&length(b.1 .1)))
    else {
        return Ok(None);
    };
    if length(*sideways) <= allowed {
        return Ok(None);
    }
    // The straight line through the shifts, by least squares.
    let count = shifts.len() as f64;
    let middle = shifts.iter().map(|(along, _)| along).sum::<f64>() / count;
    let squares: f64 = shifts.iter().map(|(along, _)| (along - middle).powi(2)).sum();
    let mean: [f64; 3] = std::array::from_fn(|a| shifts.iter().map(|(_, shift)| shift[a]).sum::<f64>() / count);
    let slope: [f64; 3] = std::array::from_fn(|a| {
        shifts.iter().map(|(along, shift)| (along - middle) * (shift[a] - mean[a])).sum::<f64>() / squares
    });
    let tilt = length(slope).atan().to_degrees();
    let rest = |(along, shift): &(f64, [f64; 3])| {
        length(std::array::from_fn(|a| shift[a] - mean[a] - slope[a] * (along - middle)))
    };
    let evenly = shifts.iter().all(|shift| rest(shift) <= allowed);
    if evenly && tilt <= TILT {
        log::warn!(
            "{}: its slices are shifted sideways, by {tilt:.2} degrees (a gantry hardly tilted): up to {:.2} mm over {along:.2} mm, \
             which is neglected",
            source.display(),
            length(*sideways)
        );
        return Ok(None);
    }
    if evenly && let_tilt_through {
        return Ok(Some(slope));
    }
    let remedy = if evenly {
        "resample it to straight slices, which the reader does on request, or with a tool for gantry tilt"
    } else {
        "they do not shift evenly, so that no tilt explains it: take apart what does not belong together"
    };
    Err(Error::image(
        source,
        format!(
            "its slices are shifted sideways: {} by {:.2} mm over {along:.2} mm, {:.1} degrees (a tilted gantry); slices straight above \
             each other were expected: {remedy}",
            name(&slices[worst].1),
            length(*sideways),
            length(*sideways).atan2(*along).to_degrees()
        ),
    ))
}

/// A slice's name in messages.
fn name(slice: &Slice) -> String {
    let file = slice.file.file_name().unwrap_or(slice.file.as_os_str()).to_string_lossy();
    if slice.frame == 0 {
        file.into_owned()
    } else {
        format!("{file} (frame {})", slice.frame + 1)
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The unit vector perpendicular to two that are (nearly) perpendicular unit vectors.
pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    let c = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    c.map(|v| v / dot(c, c).sqrt())
}
