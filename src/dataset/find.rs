//! Which files of a folder are images, which labels, and which belong together.
//!
//! A file that finds no partner is no reason to refuse a set: it is left out, [`cases`] says so in the log, and a check
//! makes a problem of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::problem::{Problem, ProblemKind, Severity};
use super::{Case, Layout};
use crate::{Error, Result};

/// How deep folders inside folders are searched; deeper ones are most likely a link that leads back up.
const DEEPEST_FOLDER: usize = 16;
/// The ends of the names of images; of a pair of files, that of the header.
const ENDINGS: [&str; 8] = [".nii.gz", ".nii", ".hdr.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd"];
/// What a label's name ends in, where labels lie beside their images.
const LABEL_SUFFIXES: [&str; 3] = ["_label", "_seg", "_mask"];
/// Folders of images, and those of their labels.
const FOLDERS: [[&str; 2]; 3] = [["images", "labels"], ["imagesTr", "labelsTr"], ["image", "label"]];
/// Patients of NIH Pancreas-CT whose scans were withdrawn (they are crops of patient 2's) while copies of their labels are
/// still about.
const WITHDRAWN: [u32; 2] = [25, 70];
/// How many files without a partner the log names.
const MOST_NAMED: usize = 5;

/// The cases of a set, sorted by name.
///
/// Hidden files (`._*` of macOS among them) are passed over. Files without a partner are left out with a warning in the log.
///
/// # Errors
/// [`Error::File`] if the folder cannot be read; [`Error::Image`] if it does not have the layout, if its `dataset.json` cannot be
/// understood, or if no image in it has a label.
pub fn cases(folder: &Path, layout: Layout) -> Result<Vec<Case>> {
    let survey = survey(folder, layout)?;
    for problem in survey.problems.iter().take(MOST_NAMED) {
        log::warn!("{}: {}", problem.file.display(), problem.text);
    }
    if survey.problems.len() > MOST_NAMED {
        log::warn!("{}: {} more files are left out", folder.display(), survey.problems.len() - MOST_NAMED);
    }
    if survey.cases.is_empty() {
        let text = format!("no image in it has a label, by the layout {layout}");
        return Err(Error::image(folder, text));
    }
    Ok(survey.cases)
}

/// What a folder holds.
pub(super) struct Survey {
    /// Pairs, sorted by name.
    pub cases: Vec<Case>,
    /// What found no partner.
    pub problems: Vec<Problem>,
}

pub(super) fn survey(folder: &Path, layout: Layout) -> Result<Survey> {
    // A missing folder is said to be missing, whatever the layout.
    std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e))?;
    let mut found = match layout {
        Layout::Msd => msd(folder)?,
        Layout::Nihc => nihc(folder)?,
        Layout::Pairs => pairs(folder)?,
    };
    found.cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

// ---- The Decathlon ----

/// The part of `dataset.json` that matters.
#[derive(serde::Deserialize)]
struct Index {
    training: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    image: String,
    label: String,
}

fn msd(folder: &Path) -> Result<Survey> {
    let (images, labels) = (folder.join("imagesTr"), folder.join("labelsTr"));
    let index = folder.join("dataset.json");
    if !index.is_file() {
        if !images.is_dir() || !labels.is_dir() {
            let text =
                "neither dataset.json nor imagesTr and labelsTr are in it; the folder Task07_Pancreas was expected";
            return Err(Error::image(folder, text));
        }
        log::warn!("{}: there is no dataset.json; images and labels are matched by name", folder.display());
        return Ok(matched(Layout::Msd, by_key(&images, true)?, by_key(&labels, false)?));
    }
    let text = std::fs::read_to_string(&index).map_err(|e| Error::file("read", &index, e))?;
    let parsed: Index = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| Error::image(&index, format!("not the index of a Decathlon task: {e}")))?;

    let mut survey = Survey { cases: Vec::new(), problems: Vec::new() };
    let mut named: BTreeSet<PathBuf> = BTreeSet::new();
    let mut names = BTreeSet::new();
    for entry in parsed.training {
        let [image, label] = [&entry.image, &entry.label].map(|p| folder.join(p.trim_start_matches("./")));
        if hidden(&image) {
            continue;
        }
        let name = key(&image).unwrap_or_else(|| file_name(&image));
        if !names.insert(name.clone()) {
            survey.problems.push(problem(ProblemKind::Ambiguous, &index, format!("{name} is listed twice")));
            continue;
        }
        let there = [(&image, ProblemKind::MissingImage), (&label, ProblemKind::MissingLabel)].map(|(path, kind)| {
            let there = path.exists();
            if !there {
                survey.problems.push(problem(kind, path, "listed in dataset.json, but not there".into()));
            }
            there
        });
        named.extend([image.clone(), label.clone()]);
        if there == [true; 2] {
            survey.cases.push(Case { name, image, label, organs: None, layout: Layout::Msd });
        }
    }
    for (sub, kind, what) in
        [(images, ProblemKind::MissingLabel, "an image"), (labels, ProblemKind::MissingImage, "a label")]
    {
        for path in if sub.is_dir() { entries(&sub)? } else { Vec::new() } {
            if key(&path).is_some() && !named.contains(&path) {
                let text = format!("{what} that dataset.json does not list");
                survey.problems.push(Problem { severity: Severity::Warning, ..problem(kind, &path, text) });
            }
        }
    }
    Ok(survey)
}

// ---- NIH Pancreas-CT ----

fn nihc(folder: &Path) -> Result<Survey> {
    let mut found = Nihc::default();
    found.search(folder, 0)?;
    let Nihc { mut images, labels, mut problems } = found;
    if images.is_empty() || labels.is_empty() {
        let text = format!(
            "{} scans (folders PANCREAS_0001 with .dcm files, or PANCREAS_0001.nii.gz) and {} labels (label0001.nii.gz) are in \
             it; both were expected",
            images.len(),
            labels.len()
        );
        return Err(Error::image(folder, text));
    }
    let mut cases = Vec::new();
    for (number, label) in labels {
        match images.remove(&number) {
            Some(image) => cases.push(Case {
                name: format!("PANCREAS_{number:04}"),
                image,
                label,
                organs: None,
                layout: Layout::Nihc,
            }),
            None if WITHDRAWN.contains(&number) => {
                log::info!("{}: patient {number} was withdrawn from the set", label.display())
            }
            None => problems.push(without_image(&label)),
        }
    }
    problems.extend(images.values().map(|image| without_label(image)));
    Ok(Survey { cases, problems })
}

#[derive(Default)]
struct Nihc {
    images: BTreeMap<u32, PathBuf>,
    labels: BTreeMap<u32, PathBuf>,
    problems: Vec<Problem>,
}

impl Nihc {
    fn search(&mut self, folder: &Path, depth: usize) -> Result<()> {
        for path in entries(folder)? {
            let name = file_name(&path).to_lowercase();
            if path.is_dir() {
                match number(&name, "pancreas_") {
                    Some(n) => {
                        if let Some(series) = self.series(&path)? {
                            self.image(n, series);
                        }
                    }
                    None if depth < DEEPEST_FOLDER => self.search(&path, depth + 1)?,
                    None => {}
                }
            } else if let Some(stem) = stem(&name) {
                if let Some(n) = number(stem, "label") {
                    self.label(n, path);
                } else if let Some(n) = number(stem, "pancreas_") {
                    self.image(n, path);
                }
            }
        }
        Ok(())
    }

    /// The folder with a patient's slices: of several, that with the most.
    fn series(&mut self, patient: &Path) -> Result<Option<PathBuf>> {
        let mut folders = Vec::new();
        dicom_folders(patient, 0, &mut folders)?;
        folders.sort_by_key(|(count, path)| (std::cmp::Reverse(*count), path.clone()));
        let Some((count, path)) = folders.first().cloned() else {
            self.problems.push(problem(ProblemKind::MissingImage, patient, "no .dcm file is in it".into()));
            return Ok(None);
        };
        if folders.len() > 1 {
            let text =
                format!("{} folders in it hold .dcm files; {} is taken, with {count}", folders.len(), path.display());
            self.problems.push(problem(ProblemKind::Ambiguous, patient, text));
        }
        Ok(Some(path))
    }

    fn image(&mut self, number: u32, path: PathBuf) {
        match self.images.get_mut(&number) {
            Some(first) => {
                let mut path = path;
                // The DICOM series is the original.
                if path.is_dir() && !first.is_dir() {
                    std::mem::swap(first, &mut path);
                }
                self.problems.push(second(&path, first));
            }
            None => drop(self.images.insert(number, path)),
        }
    }

    fn label(&mut self, number: u32, path: PathBuf) {
        match self.labels.get(&number) {
            Some(first) => self.problems.push(second(&path, first)),
            None => drop(self.labels.insert(number, path)),
        }
    }
}

/// The folders below `folder` that hold .dcm files, and how many.
fn dicom_folders(folder: &Path, depth: usize, out: &mut Vec<(usize, PathBuf)>) -> Result<()> {
    let mut count = 0;
    for path in entries(folder)? {
        if path.is_dir() {
            if depth < DEEPEST_FOLDER {
                dicom_folders(&path, depth + 1, out)?;
            }
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("dcm")) {
            count += 1;
        }
    }
    if count > 0 {
        out.push((count, folder.to_path_buf()));
    }
    Ok(())
}

/// 1 of "label0001", whatever the zeros.
fn number(name: &str, prefix: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

// ---- Any pairs ----

fn pairs(folder: &Path) -> Result<Survey> {
    for [images, labels] in FOLDERS.map(|pair| pair.map(|name| folder.join(name))) {
        if images.is_dir() && labels.is_dir() {
            let mut survey = matched(Layout::Pairs, by_key(&images, true)?, by_key(&labels, false)?);
            let organs = folder.join("organs");
            if organs.is_dir() {
                let mut maps = by_key(&organs, false)?;
                survey.cases.iter_mut().for_each(|case| case.organs = maps.first.remove(&case.name));
                survey.problems.extend(maps.problems);
            }
            return Ok(survey);
        }
    }
    let (mut images, mut labels) = (ByKey::default(), ByKey::default());
    let mut folders = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            folders.push(path);
            continue;
        }
        let dicom = segmentation_key(&path);
        let Some(key) = key(&path).or_else(|| dicom.clone()) else { continue };
        let lower = key.to_lowercase();
        let suffix = LABEL_SUFFIXES.iter().find(|suffix| lower.ends_with(*suffix) && lower.len() > suffix.len());
        match suffix {
            // The suffixes are ASCII, so that the cut is at a character's end.
            Some(suffix) => labels.add(key[..key.len() - suffix.len()].trim_end_matches("_0000").to_string(), path),
            None if dicom.is_some() => {}
            None => images.add(key, path),
        }
    }
    // A folder beside labels is a DICOM series only if it has one.
    for path in folders {
        let name = file_name(&path);
        if labels.first.contains_key(&name) {
            images.add(name, path);
        }
    }
    if images.first.is_empty() || labels.first.is_empty() {
        let text = "neither images and labels, imagesTr and labelsTr, or image and label are in it, nor files like \
                    NAME.nii.gz with NAME_label.nii.gz (_seg, _mask)";
        return Err(Error::image(folder, text));
    }
    Ok(matched(Layout::Pairs, images, labels))
}

/// Files by the name under which they find each other.
#[derive(Default)]
struct ByKey {
    first: BTreeMap<String, PathBuf>,
    problems: Vec<Problem>,
}

impl ByKey {
    fn add(&mut self, key: String, path: PathBuf) {
        match self.first.get(&key) {
            Some(first) => self.problems.push(second(&path, first)),
            None => drop(self.first.insert(key, path)),
        }
    }
}

/// The images of a folder, and its folders too where those can be DICOM series.
fn by_key(folder: &Path, series: bool) -> Result<ByKey> {
    let mut found = ByKey::default();
    for path in entries(folder)? {
        if path.is_dir() {
            if series {
                found.add(file_name(&path), path);
            }
        } else if let Some(key) = key(&path).or_else(|| if series { None } else { segmentation_key(&path) }) {
            found.add(key, path);
        }
    }
    Ok(found)
}

fn matched(layout: Layout, mut images: ByKey, labels: ByKey) -> Survey {
    let mut survey = Survey { cases: Vec::new(), problems: std::mem::take(&mut images.problems) };
    survey.problems.extend(labels.problems);
    for (name, label) in labels.first {
        match images.first.remove(&name) {
            Some(image) => survey.cases.push(Case { name, image, label, organs: None, layout }),
            None => survey.problems.push(without_image(&label)),
        }
    }
    survey.problems.extend(images.first.values().map(|image| without_label(image)));
    survey
}

// ---- Names and problems ----

/// What a folder holds, sorted, but for hidden entries.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e| Error::file("read", folder, e);
    let entries = std::fs::read_dir(folder).map_err(fail)?;
    let mut paths: Vec<PathBuf> = entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>().map_err(fail)?;
    paths.retain(|path| !hidden(path));
    paths.sort();
    Ok(paths)
}

fn hidden(path: &Path) -> bool {
    file_name(path).starts_with('.')
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name without the ending of an image; none if it has no such ending.
fn stem(name: &str) -> Option<&str> {
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|ending| lower.ends_with(*ending) && lower.len() > ending.len())?;
    Some(&name[..name.len() - ending.len()])
}

/// The name under which an image finds its label: without ending and without nnU-Net's `_0000`.
fn key(path: &Path) -> Option<String> {
    let name = file_name(path);
    let stem = stem(&name)?;
    Some(stem.strip_suffix("_0000").unwrap_or(stem).to_string())
}

/// The name under which a label that is a DICOM file finds its image.
fn segmentation_key(path: &Path) -> Option<String> {
    let name = file_name(path);
    let (stem, ending) = name.rsplit_once('.')?;
    (ending.eq_ignore_ascii_case("dcm") && !stem.is_empty()).then(|| stem.to_string())
}

/// A problem of the severity that its kind usually has.
fn problem(kind: ProblemKind, path: &Path, text: String) -> Problem {
    let severity = if kind == ProblemKind::Ambiguous { Severity::Warning } else { Severity::Error };
    Problem { severity, kind, case: None, file: path.to_path_buf(), text }
}

fn without_image(label: &Path) -> Problem {
    problem(ProblemKind::MissingImage, label, "a label without an image".into())
}

/// Not an error: such a scan is simply not used.
fn without_label(image: &Path) -> Problem {
    let text = "an image without a label".into();
    Problem { severity: Severity::Warning, ..problem(ProblemKind::MissingLabel, image, text) }
}

fn second(path: &Path, first: &Path) -> Problem {
    let text = format!("left out, for {} goes by the same name", first.display());
    problem(ProblemKind::Ambiguous, path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_endings_and_nothing_else() {
        for (name, expected) in [
            ("pancreas_001.nii.gz", Some("pancreas_001")),
            ("Größe 1.5 mm_0000.NII.GZ", Some("Größe 1.5 mm")),
            ("a.b.mha", Some("a.b")),
            ("case.hdr", Some("case")),
            ("case.img", None),
            ("notes.txt", None),
            (".nii.gz", None),
            ("ß.nii", Some("ß")),
        ] {
            assert_eq!(key(Path::new(name)).as_deref(), expected, "{name}");
        }
        assert_eq!(number("label0001", "label"), Some(1));
        for name in ["label", "label00x1", "label99999999999", "mask0001"] {
            assert_eq!(number(name, "label"), None, "{name}");
        }
    }
}
