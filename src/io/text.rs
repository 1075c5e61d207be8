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
    let count = (last - first) / step + 1;
    if !(1..=MOST_FILES as i64).contains(&count) {
        return Err(refuse());
    }
    let file = |n| Some(beside(header, &printed(name, first + n * step)?));
    (0..count).map(file).collect::<Option<_>>().ok_or_else(refuse)
}

/// A number as C's printf prints it by a template with one conversion of an integer; none if the template is another.
fn printed(template: &str, number: i64) -> Option<String> {
    /// Longer than any name has it.
    const WIDEST: usize = 20;
    let digits = |text: &mut std::iter::Peekable<std::str::Chars>| -> Option<usize> {
        let mut found = String::new();
        while let Some(digit) = text.next_if(char::is_ascii_digit) {
            found.push(digit);
        }
        let found = if found.is_empty() { 0 } else { found.parse().ok()? };
        (found <= WIDEST).then_some(found)
    };
    let (mut name, mut printed, mut rest) = (String::new(), false, template.chars().peekable());
    while let Some(letter) = rest.next() {
        if letter != '%' {
            name.push(letter);
            continue;
        }
        if rest.next_if_eq(&'%').is_some() {
            name.push('%');
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) = rest.next_if(|letter| "0-+ ".contains(*letter)) {
            flags.push(flag);
        }
        let width = digits(&mut rest)?;
        let precision = rest.next_if_eq(&'.').map(|_| digits(&mut rest)).map_or(Some(None), |found| found.map(Some))?;
        if printed || !matches!(rest.next()?, 'd' | 'i' | 'u') {
            return None;
        }
        printed = true;
        let sign = match number {
            ..0 => "-",
            _ if flags.contains('+') => "+",
            _ if flags.contains(' ') => " ",
            _ => "",
        };
        let digits = format!("{:0>least$}", number.unsigned_abs(), least = precision.unwrap_or(1));
        let number = format!("{sign}{digits}");
        name += &match flags.contains('-') {
            true => format!("{number:<width$}"),
            false if flags.contains('0') && precision.is_none() => {
                format!("{sign}{digits:0>width$}", width = width.saturating_sub(sign.len()))
            }
            false => format!("{number:>width$}"),
        };
    }
    printed.then_some(name)
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

#[cfg(test)]
mod tests {
    use super::printed;

    #[test]
    fn numbers_are_printed_into_names_as_c_does_it() {
        for (template, number, name) in [
            ("s%d.raw", 7, "s7.raw"),
            ("s%03d.raw", 7, "s007.raw"),
            ("s%3d.raw", 7, "s  7.raw"),
            ("s%-3i.raw", 7, "s7  .raw"),
            ("s%.3u.raw", 7, "s007.raw"),
            ("s%5.3d", 7, "s  007"),
            ("s%05d", -7, "s-0007"),
            ("s%+d", 7, "s+7"),
            ("100%%%02d", 7, "100%07"),
            ("s%03d.raw", 12345, "s12345.raw"),
        ] {
            assert_eq!(printed(template, number).as_deref(), Some(name), "{template}");
        }
        for template in ["s.raw", "s%s.raw", "s%d%d", "s%", "s%99999999999999999999d", "s%100d", "%%d"] {
            assert_eq!(printed(template, 7), None, "{template}");
        }
    }
}
