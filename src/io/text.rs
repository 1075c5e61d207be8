//! What the two formats with text headers, NRRD and MetaImage, have in common: headers of lines, and data in other files.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The longest text header that is read.
pub(super) const LONGEST_HEADER: usize = 1 << 20;

/// The most files that the data of one image may be spread over.
const MOST_FILES: usize = 100_000;

/// Numbers separated by blanks; none if one of them is not a number.
pub(super) fn numbers<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
    text.split_whitespace().map(|word| word.parse().ok()).collect()
}

/// The path of a data file that a header names, relative to the header.
pub(super) fn beside(header: &Path, name: &str) -> PathBuf {
    header.parent().unwrap_or(Path::new("")).join(name)
}

/// The files of a pattern like `slice%03d.raw 1 20 1`: a printf pattern, first and last number, and step.
pub(super) fn pattern(header: &Path, text: &str) -> Result<Vec<PathBuf>> {
    let refuse =
        || Error::image(header, format!("its header names its data files by \"{text}\", which is not understood"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, range) = words.split_first().ok_or_else(refuse)?;
    let range: Vec<i64> =
        range.iter().map(|word| word.parse::<i32>().ok().map(i64::from)).collect::<Option<_>>().ok_or_else(refuse)?;
    let (first, last, step) = match range[..] {
        [first, last] => (first, last, 1),
        [first, last, step] | [first, last, step, _] if step != 0 => (first, last, step),
        _ => return Err(refuse()),
    };
    let (before, rest) = name.split_once('%').ok_or_else(refuse)?;
    let (width, after) = rest.split_once('d').ok_or_else(refuse)?;
    let digits: usize = if width.is_empty() { 0 } else { width.parse().map_err(|_| refuse())? };
    let count = (last - first) / step + 1;
    if digits > 20 || !(1..=MOST_FILES as i64).contains(&count) {
        return Err(refuse());
    }
    Ok((0..count).map(|n| beside(header, &format!("{before}{:0digits$}{after}", first + n * step))).collect())
}

/// The files that the lines behind a `LIST` name.
pub(super) fn list(header: &Path, lines: &str) -> Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> =
        lines.lines().map(str::trim).filter(|l| !l.is_empty()).map(|line| beside(header, line)).collect();
    if files.is_empty() || files.len() > MOST_FILES {
        return Err(Error::image(header, "its header promises a list of data files, but names none"));
    }
    Ok(files)
}

/// The name by which a header at `header` is to call its data file, which lies beside it with the given ending.
///
/// # Errors
/// [`Error::Argument`] if the name is not text, which is all that a header can hold.
pub(super) fn data_name(header: &Path, ending: &str) -> Result<String> {
    let path = header.with_extension(ending);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        let fault =
            format!("{}: its header would have to name a data file, and this name is not UTF-8", header.display());
        Error::argument("output", fault)
    })?;
    // A per cent sign would make it a pattern.
    Ok(name.replace('%', "_"))
}

/// A header's line that means nothing, shown as far as it fits a sentence.
pub(super) fn not_understood(header: &Path, kind: &str, line: &str) -> Error {
    let shown: String = line.chars().take(60).flat_map(char::escape_debug).take(80).collect();
    Error::image(header, format!("its {kind} header has a line that is not understood: \"{shown}\""))
}
