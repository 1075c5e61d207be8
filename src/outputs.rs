//! Which files may be written, decided before any work begins.
//!
//! A result must not destroy what somebody else needs. [`check`] refuses, by a sentence that names both files,
//!
//! - an output that is one of the inputs by any name (links, relative paths, another case on a file system that ignores it), or a
//!   part of one: the `.img` of a `.hdr`, the data files of an `.nhdr` or `.mhd`;
//! - two outputs that are one file;
//! - an output over an existing file of another kind: a mask over a CT, a model or a report over anything else.
//!
//! An output of the same kind is replaced, so that a command can be run again.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::io::{self, ReadOptions};
use crate::volume::{Content, View, Volume};
use crate::{Error, Result};

/// The key of a safetensors header's metadata under which a model's configuration stands.
pub(crate) const MODEL_KEY: &str = "ggpfn";

/// What a result is, and with it what it may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A mask of 0 and 1.
    Mask,
    /// A probability or another fraction, 0 to 1.
    Fraction,
    /// A model file.
    Model,
    /// A JSON object with at least these keys.
    Json(&'static [&'static str]),
    /// A table whose first line begins with these words.
    Csv(&'static str),
    /// Text that begins with these words.
    Text(&'static str),
    /// Lines of `name = value`.
    Values,
    /// A DICOM structured report.
    DicomReport,
    /// An RT Structure Set.
    DicomContours,
    /// Whatever is there: only inputs and other outputs are looked at.
    Any,
}

/// A file that is going to be written.
#[derive(Clone, Debug)]
pub struct Output {
    /// The argument or option that names it, for messages.
    pub name: &'static str,
    /// The file; images of two files are named by their header.
    pub path: PathBuf,
    /// What it will hold.
    pub kind: Kind,
}

impl Output {
    /// An output.
    pub fn new(name: &'static str, path: impl Into<PathBuf>, kind: Kind) -> Self {
        Output { name, path: path.into(), kind }
    }
}

/// Refuses outputs that would destroy an input, each other, or a file of another kind.
///
/// Inputs may be files of any sort and DICOM folders. Nothing is written or created.
///
/// # Errors
/// [`Error::Argument`] with the output's name.
pub fn check<'a>(inputs: impl IntoIterator<Item = &'a Path>, outputs: &[Output]) -> Result<()> {
    let mut read: Places<PathBuf> = Places::default();
    for input in inputs {
        for file in io::files_of(input) {
            read.insert(&file, input.to_path_buf());
        }
    }
    let mut written: Places<usize> = Places::default();
    for (number, output) in outputs.iter().enumerate() {
        for file in io::files_written(&output.path) {
            if let Some(input) = read.get(&file) {
                return Err(overwrites(output, &file, input));
            }
            if let Some(other) = written.get(&file).filter(|other| **other != number) {
                return Err(twice(output, &outputs[*other]));
            }
            written.insert(&file, number);
        }
    }
    outputs.iter().try_for_each(check_existing)
}

/// Refuses a file that is there already and is of another kind than `output`.
///
/// # Errors
/// [`Error::Argument`] with the output's name.
pub fn check_existing(output: &Output) -> Result<()> {
    let path = &output.path;
    let refuse = |what: String| {
        let fault = format!("{} {what}; name another file, or move that one away first", path.display());
        Err(Error::argument(output.name, fault))
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(_) => {
            // The header is new, and what is to be its data file is not.
            let other = io::files_written(path).into_iter().find(|file| file != path && file.exists());
            return match other {
                Some(file) => {
                    let fault = format!(
                        "{} would be written with its data in {}, which exists already and belongs to something else; name another \
                         file, or move that one away first",
                        path.display(),
                        file.display()
                    );
                    Err(Error::argument(output.name, fault))
                }
                None => Ok(()),
            };
        }
    };
    // What creates the file speaks of folders.
    if metadata.is_dir() || output.kind == Kind::Any {
        return Ok(());
    }
    if !metadata.is_file() {
        return refuse("is no regular file".into());
    }
    if let Some(file) = foreign_companion(path) {
        return refuse(format!(
            "keeps its data elsewhere, and would now be written with {}, which exists already",
            file.display()
        ));
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    match output.kind {
        Kind::Mask | Kind::Fraction => match io::read(path, &options_for(path)) {
            Ok(volume) => {
                let found = contents(&volume);
                let (fits, wanted) = match output.kind {
                    Kind::Mask => (found.mask, "is no mask"),
                    _ => (found.fraction, "holds no fractions from 0 to 1"),
                };
                match fits || found.zeros {
                    true => Ok(()),
                    false => refuse(format!("exists already and {wanted} ({})", range(&volume))),
                }
            }
            Err(error) => refuse(format!("exists already and cannot be read as an image ({})", reason(&error))),
        },
        Kind::Model if is_model_file(path) => Ok(()),
        Kind::Model => refuse("exists already and is no GGPFN model".into()),
        Kind::Json(keys) => match holds_keys(path, keys) {
            true => Ok(()),
            false => refuse("exists already and is another file than the JSON that would replace it".into()),
        },
        Kind::Csv(head) => match first_bytes(path, head.len()).is_some_and(|bytes| bytes == head.as_bytes()) {
            true => Ok(()),
            false => refuse("exists already and is another file than the table that would replace it".into()),
        },
        Kind::Text(head) => match first_bytes(path, head.len()).is_some_and(|bytes| bytes == head.as_bytes()) {
            true => Ok(()),
            false => refuse(format!("exists already and does not begin with \"{head}\", as what would replace it")),
        },
        Kind::Values => match are_values(path) {
            true => Ok(()),
            false => refuse("exists already and does not hold lines of the form name = value".into()),
        },
        Kind::DicomReport => match io::results::is_report(path) {
            true => Ok(()),
            false => refuse("exists already and is no DICOM report".into()),
        },
        Kind::DicomContours => match io::results::is_structure_set(path) {
            true => Ok(()),
            false => refuse("exists already and is no RT Structure Set".into()),
        },
        Kind::Any => Ok(()),
    }
}

/// A file that would be written together with one that is there already, and is none of its own: the `mask.raw.gz` of a `ct.nhdr` beside
/// a `mask.nhdr` that has its data elsewhere.
fn foreign_companion(path: &Path) -> Option<PathBuf> {
    let own = io::files_of(path);
    io::files_written(path).into_iter().find(|file| file.exists() && !own.iter().any(|own| same_file(own, file)))
}

/// The files that make a folder a run's; the first is the one that is always there.
const RUN_FILES: [&str; 5] = ["options.toml", "cases.json", "curves.png", "model.safetensors", "initial.safetensors"];

/// Those in the folder of each of its views.
const VIEW_FILES: [&str; 3] = ["log.jsonl", "checkpoint.safetensors", "events.out.tfevents.ggpfn"];

/// Where a run in this folder has its files.
fn run_files(folder: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let of_views = View::ALL.into_iter().flat_map(|view| VIEW_FILES.map(|file| folder.join(view.name()).join(file)));
    RUN_FILES.iter().map(|file| folder.join(file)).chain(of_views)
}

/// Refuses to train into a folder that holds files of the names of a run's, and is none: a model that somebody put there, say.
///
/// # Errors
/// [`Error::Argument`], called `name`.
pub fn check_run_folder(name: &'static str, folder: &Path) -> Result<()> {
    if folder.join(RUN_FILES[0]).exists() {
        return Ok(());
    }
    let Some(file) = run_files(folder).find(|file| file.exists()) else { return Ok(()) };
    let fault = format!(
        "{} exists already, but {} holds no run (it has no {}); train into another folder, or move that file away first",
        file.display(),
        folder.display(),
        RUN_FILES[0]
    );
    Err(Error::argument(name, fault))
}

/// The files of a run's folder that are inputs of none.
///
/// # Errors
/// [`Error::Argument`] with the input's name, if it is one that the run would replace.
pub fn check_run_inputs<'a>(folder: &Path, inputs: impl IntoIterator<Item = (&'static str, &'a Path)>) -> Result<()> {
    for (name, input) in inputs {
        for file in run_files(folder) {
            if file.exists() && Place::of(&file).same(&Place::of(input)) {
                let fault = format!(
                    "{} is the run's own {}, which would be overwritten; leave it out (a run that is taken up again knows it), or \
                     give a copy of it",
                    input.display(),
                    file.display()
                );
                return Err(Error::argument(name, fault));
            }
        }
    }
    Ok(())
}

/// Whether a file holds a JSON object with these keys.
pub fn holds_keys(path: &Path, keys: &[&str]) -> bool {
    let value: Option<serde_json::Value> =
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    value.is_some_and(|value| keys.iter().all(|key| value.get(key).is_some()))
}

/// Whether two paths lead to one file, or would.
pub fn same_file(a: &Path, b: &Path) -> bool {
    Place::of(a).same(&Place::of(b))
}

fn overwrites(output: &Output, file: &Path, input: &Path) -> Error {
    let fault = if file == output.path && file == input {
        format!("{} is also an input and would be overwritten; name another file", file.display())
    } else {
        let part = if file == output.path { String::new() } else { format!(" (it writes {})", file.display()) };
        format!(
            "{}{part} is a file of the input {}, which would be overwritten; name another file",
            output.path.display(),
            input.display()
        )
    };
    Error::argument(output.name, fault)
}

fn twice(output: &Output, other: &Output) -> Error {
    let fault = if output.path == other.path {
        format!(
            "{} is named for two different results ({} is the other); name two files",
            output.path.display(),
            other.name
        )
    } else {
        format!(
            "{} and {} ({}) are one file, named for two different results; name two files",
            output.path.display(),
            other.path.display(),
            other.name
        )
    };
    Error::argument(output.name, fault)
}

/// What an image that is there already may be.
struct Contents {
    /// Nothing but zeros: an empty mask, or a probability of nothing.
    zeros: bool,
    /// A few small whole numbers.
    mask: bool,
    /// Numbers from 0 to 1 that are not all whole.
    fraction: bool,
}

/// More values than this make an image no mask that is meant to be replaced.
const MOST_VALUES: usize = 8;

fn contents(volume: &Volume) -> Contents {
    /// Files that store masks as scaled integers or floats round.
    const WHOLE: f32 = 1e-3;
    let mut seen = [false; 256];
    let mut contents = Contents { zeros: true, mask: true, fraction: false };
    let mut within = true;
    for value in volume.voxels() {
        let whole = value.round();
        contents.zeros &= *value == 0.0;
        contents.fraction |= *value != whole;
        contents.mask &= (value - whole).abs() <= WHOLE && (0.0..=255.0).contains(&whole);
        within &= (-WHOLE..=1.0 + WHOLE).contains(value);
        // Casting keeps to the range of the type; what is beyond is no mask.
        seen[usize::from(whole as u8)] = true;
    }
    contents.mask &= seen.iter().filter(|seen| **seen).count() <= MOST_VALUES;
    contents.fraction &= within;
    contents
}

fn range(volume: &Volume) -> String {
    let (low, high) = volume.voxels().iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    format!("its values go from {low} to {high}")
}

/// How a file is read that may be a mask, a fraction or a scan.
fn options_for(path: &Path) -> ReadOptions {
    match io::results::is_segmentation(path) {
        true => ReadOptions::of(Content::Labels),
        false => ReadOptions::default(),
    }
}

/// An error without the file's name, which its sentence has already.
fn reason(error: &Error) -> String {
    match error {
        Error::Image { fault, .. } => fault.clone(),
        other => other.to_string(),
    }
}

/// Whether a file is one of GGPFN's models, by its header alone; its tensors are not looked at.
fn is_model_file(path: &Path) -> bool {
    /// The format's own limit.
    const LONGEST_HEADER: u64 = 100_000_000;
    let header = || -> Option<serde_json::Value> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut length = [0_u8; 8];
        file.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        let mut header = Vec::new();
        let whole = length <= LONGEST_HEADER && file.take(length).read_to_end(&mut header).ok()? as u64 == length;
        whole.then(|| serde_json::from_slice(&header).ok())?
    };
    header().is_some_and(|header| header["__metadata__"].get(MODEL_KEY).is_some())
}

fn first_bytes(path: &Path, count: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(count as u64).read_to_end(&mut bytes)).ok()?;
    Some(bytes)
}

/// Whether a file is text of which each line is empty or `name = value`.
fn are_values(path: &Path) -> bool {
    /// Longer than anything that a module returns.
    const LONGEST: usize = 1 << 20;
    let text = first_bytes(path, LONGEST).filter(|bytes| bytes.len() < LONGEST).and_then(|b| String::from_utf8(b).ok());
    text.is_some_and(|text| text.lines().all(|line| line.trim().is_empty() || line.contains('=')))
}

/// Where a path leads: by name, and by the file system's own number where the file is there.
#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    node: Option<[u64; 2]>,
}

impl Place {
    fn of(path: &Path) -> Self {
        let found = std::fs::canonicalize(path);
        let node = found.as_ref().ok().and_then(|path| std::fs::metadata(path).ok()).and_then(|file| number(&file));
        let path = found.unwrap_or_else(|_| {
            let path = crate::files::behind_links(path);
            let whole = std::path::absolute(&path).unwrap_or(path);
            match (whole.parent().and_then(|folder| folder.canonicalize().ok()), whole.file_name()) {
                (Some(folder), Some(name)) if ignores_case(&folder) => {
                    folder.join(name.to_string_lossy().to_lowercase())
                }
                (Some(folder), Some(name)) => folder.join(name),
                _ => whole,
            }
        });
        Place { path, node }
    }

    fn same(&self, other: &Place) -> bool {
        self.path == other.path || (self.node.is_some() && self.node == other.node)
    }
}

/// Whether a folder's file system takes names of another case for the same: asked by the folder's own name.
fn ignores_case(folder: &Path) -> bool {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return false };
    let swapped: String =
        name.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let (here, there) = (std::fs::metadata(folder), std::fs::metadata(folder.with_file_name(&swapped)));
    swapped != name && matches!((here, there), (Ok(a), Ok(b)) if number(&a).is_some() && number(&a) == number(&b))
}

/// What the file system calls a file, whatever its name: device and inode.
#[cfg(unix)]
fn number(file: &Metadata) -> Option<[u64; 2]> {
    use std::os::unix::fs::MetadataExt;
    Some([file.dev(), file.ino()])
}

/// No such number is to be had here; names have to do.
#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<[u64; 2]> {
    None
}

/// Something for each of many files, found by any of a file's names.
struct Places<T> {
    by_path: HashMap<PathBuf, T>,
    by_node: HashMap<[u64; 2], T>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places { by_path: HashMap::new(), by_node: HashMap::new() }
    }
}

impl<T: Clone> Places<T> {
    fn insert(&mut self, path: &Path, value: T) {
        let Place { path, node } = Place::of(path);
        if let Some(node) = node {
            self.by_node.entry(node).or_insert_with(|| value.clone());
        }
        self.by_path.entry(path).or_insert(value);
    }

    fn get(&self, path: &Path) -> Option<&T> {
        let Place { path, node } = Place::of(path);
        self.by_path.get(&path).or_else(|| self.by_node.get(&node?))
    }
}
