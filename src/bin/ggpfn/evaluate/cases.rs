//! Which files belong together: predictions, truths, and what else there is of a case, by their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ggpfn::{Error, Result};

use crate::segment::split_extension;

/// A prediction and its truth.
pub struct Case {
    pub name: String,
    pub prediction: PathBuf,
    pub truth: PathBuf,
}

/// What is to be compared, and what is not.
pub struct Cases {
    pub cases: Vec<Case>,
    /// Files without a partner, each as a sentence.
    pub left_out: Vec<String>,
}

/// What is to be compared with what.
pub fn cases(prediction: &Path, truth: &Path, allow_missing: bool) -> Result<Cases> {
    for path in [prediction, truth] {
        std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?;
    }
    match (prediction.is_dir(), truth.is_dir()) {
        (false, false) => {
            let name = name_of(prediction);
            let case = Case { name, prediction: prediction.to_path_buf(), truth: truth.to_path_buf() };
            Ok(Cases { cases: vec![case], left_out: Vec::new() })
        }
        (true, true) => matched(prediction, truth, allow_missing),
        (folder, _) => {
            let (folder, file) = if folder { (prediction, truth) } else { (truth, prediction) };
            let fault = format!("{} is a folder and {} is not", folder.display(), file.display());
            Err(Error::argument("PREDICTION TRUTH", format!("{fault}; two files or two folders were expected")))
        }
    }
}

/// The cases of two folders: first those with the same name in both, then those with the same name but for what people add.
fn matched(prediction: &Path, truth: &Path, allow_missing: bool) -> Result<Cases> {
    let (mut predictions, mut truths) = (images(prediction, false)?, images(truth, false)?);
    let mut cases = Vec::new();
    predictions.retain(|name, path| match truths.remove(name) {
        Some(truth) => {
            cases.push(Case { name: name.clone(), prediction: path.clone(), truth });
            false
        }
        None => true,
    });
    let (mut predictions, mut truths) = (bare(predictions)?, bare(truths)?);
    predictions.retain(|name, path| match truths.remove(name) {
        Some(truth) => {
            cases.push(Case { name: name.clone(), prediction: path.clone(), truth });
            false
        }
        None => true,
    });
    if cases.is_empty() {
        let fault = format!(
            "no image in {} has the name of one in {}; both sides were expected to be named by case, as case1.nii.gz or \
             case1_pancreas.nii.gz",
            prediction.display(),
            truth.display()
        );
        return Err(Error::argument("PREDICTION TRUTH", fault));
    }
    if let (false, Some((_, first))) = (allow_missing, truths.first_key_value()) {
        let fault = format!(
            "there is no prediction for {} of {} cases in {} ({} is one); add them, or leave those cases out with --allow-missing",
            truths.len(),
            truths.len() + cases.len(),
            truth.display(),
            first.display()
        );
        return Err(Error::argument("PREDICTION", fault));
    }
    let mut left_out = Vec::new();
    for (paths, missing) in [(predictions, "truth"), (truths, "prediction")] {
        for path in paths.values() {
            let words = format!("{}: there is no {missing} for it; it is left out", path.display());
            log::warn!("{words}");
            left_out.push(words);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Cases { cases, left_out })
}

/// The images of a folder by their names without ending; with `series`, folders too, which may be DICOM series.
fn images(folder: &Path, series: bool) -> Result<BTreeMap<String, PathBuf>> {
    let fault = |e| Error::file("read the folder", folder, e);
    let mut images = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if series && path.is_dir() && !file.starts_with('.') {
            add(&mut images, file, path)?;
            continue;
        }
        let (name, ending) = split_extension(&file);
        // The voxels' half of a pair is read by its header.
        let half = ending.to_lowercase().starts_with(".img");
        let header = |ending| folder.join(format!("{name}{ending}")).exists();
        if name.is_empty()
            || name.starts_with('.')
            || ending.is_empty()
            || half && (header(".hdr") || header(".hdr.gz"))
        {
            continue;
        }
        add(&mut images, name.to_string(), path)?;
    }
    Ok(images)
}

/// The same images by what their names have in common with those of other tools.
fn bare(images: BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, PathBuf>> {
    let mut result = BTreeMap::new();
    for (name, path) in images {
        add(&mut result, bare_name(&name).to_string(), path)?;
    }
    Ok(result)
}

fn add(images: &mut BTreeMap<String, PathBuf>, name: String, path: PathBuf) -> Result<()> {
    if let Some(twin) = images.get(&name) {
        let fault = format!("{} and {} could both be the case {name}", twin.display(), path.display());
        return Err(Error::argument("PREDICTION TRUTH", format!("{fault}; move one of them out of the folder")));
    }
    images.insert(name, path);
    Ok(())
}

/// More files of the cases: probability maps or scans.
pub struct Companions {
    /// The one file of the one case.
    single: Option<PathBuf>,
    by_name: BTreeMap<String, PathBuf>,
    by_bare_name: BTreeMap<String, PathBuf>,
}

impl Companions {
    /// Of a folder, or of the one file that belongs to the one case.
    pub fn of(path: &Path, one_case: bool) -> Result<Self> {
        std::fs::metadata(path).map_err(|e| Error::file("open", path, e))?;
        if one_case {
            let single = Some(path.to_path_buf());
            return Ok(Companions { single, by_name: BTreeMap::new(), by_bare_name: BTreeMap::new() });
        }
        if !path.is_dir() {
            let fault = format!("{} is a file; a folder was expected, as for the predictions", path.display());
            return Err(Error::argument("--probabilities, --images", fault));
        }
        let by_name = images(path, true)?;
        let by_bare_name = bare(by_name.clone())?;
        Ok(Companions { single: None, by_name, by_bare_name })
    }

    /// The file of a case: that with the prediction's name or the truth's, or with either but for what people add.
    pub fn find(&self, case: &Case) -> Option<&Path> {
        let names = [name_of(&case.prediction), name_of(&case.truth)];
        let same = || names.iter().find_map(|name| self.by_name.get(name));
        let alike = || names.iter().find_map(|name| self.by_bare_name.get(bare_name(name)));
        self.single.as_ref().or_else(same).or_else(alike).map(PathBuf::as_path)
    }
}

pub fn name_of(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    split_extension(&file).0.to_string()
}

/// A name without what tools and data sets add to that of the case; never empty.
fn bare_name(name: &str) -> &str {
    const SUFFIXES: [&str; 10] = [
        "_pancreas",
        "_mask",
        "_pred",
        "_label",
        "_seg",
        "_probability",
        "_prob",
        "_image",
        "_ct",
        // The first channel of nnU-Net.
        "_0000",
    ];
    const PREFIXES: [&str; 3] = ["pancreas_", "label_", "label"];
    let cut =
        |name: &str, part: &str, at: usize| name.get(at..at + part.len()).is_some_and(|s| s.eq_ignore_ascii_case(part));
    let mut bare = name;
    while let Some(suffix) =
        SUFFIXES.iter().find(|suffix| bare.len() > suffix.len() && cut(bare, suffix, bare.len() - suffix.len()))
    {
        bare = &bare[..bare.len() - suffix.len()];
    }
    let prefix = PREFIXES.iter().find(|prefix| bare.len() > prefix.len() && cut(bare, prefix, 0));
    prefix.map_or(bare, |prefix| &bare[prefix.len()..])
}
