//! The models that a command works with: one, or several whose probabilities are averaged.

use std::path::{Path, PathBuf};

use ggpfn::dataset::Folds;
use ggpfn::inference::Ensemble;
use ggpfn::network::Model;
use ggpfn::{outputs, Error, Result};
use serde_json::{json, Value};

use crate::runs::{fold_folder, DONE, FOLDS, MODEL};

/// Models and where they come from.
pub struct Models {
    models: Vec<Model>,
    origins: Vec<String>,
}

impl Models {
    /// Loads model files, and those of folders with a training or a cross-validation; without any, the model that ships.
    pub fn load(paths: &[PathBuf]) -> Result<Self> {
        if paths.is_empty() {
            return Ok(Models { models: vec![Model::shipped()?], origins: vec![Model::SHIPPED_NAME.into()] });
        }
        let files = files(paths)?;
        let models = files.iter().map(|path| Model::load(path)).collect::<Result<_>>()?;
        Ok(Models { models, origins: files.iter().map(|path| path.display().to_string()).collect() })
    }

    /// The models together.
    pub fn ensemble(&self) -> Result<Ensemble<'_>> {
        let models: Vec<&Model> = self.models.iter().collect();
        Ensemble::new(&models).map_err(|error| match error {
            // In the order of the command line, by their files.
            Error::Argument { fault, .. } => Error::Argument {
                name: "--model",
                fault: format!("{fault} (in their order: {})", self.origins.join(", ")),
            },
            error => error,
        })
    }

    /// Where they come from, in words.
    pub fn origin(&self) -> String {
        self.origins.join(", ")
    }

    /// What a report says of them.
    pub fn report(&self, sha256: &str) -> Value {
        let one = |(model, origin): (&Model, &String)| json!({ "file": origin, "sha256": model.sha256(), "training": model.config().training });
        let each: Vec<Value> = self.models.iter().zip(&self.origins).map(one).collect();
        match each.as_slice() {
            [only] => only.clone(),
            _ => json!({ "file": self.origin(), "sha256": sha256, "training": null, "models": each }),
        }
    }
}

/// The files behind paths that may be folders.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let of_path = if path.is_dir() { of_folder(path)? } else { vec![path.clone()] };
        for file in of_path {
            if files.iter().any(|other| outputs::same_file(other, &file)) {
                let fault = format!("{} is named twice; each model once was expected", file.display());
                return Err(Error::argument("--model", fault));
            }
            files.push(file);
        }
    }
    Ok(files)
}

/// The model of a run, or those of all folds.
fn of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let division = folder.join(FOLDS);
    if !division.exists() {
        // What a folder without a model is told is what loading says.
        let own = folder.join(MODEL);
        return Ok(vec![if own.exists() { own } else { folder.to_path_buf() }]);
    }
    let count = Folds::read(&division)?.folds.len();
    let of_fold = |fold: usize| {
        let run = fold_folder(folder, fold);
        match run.join(DONE).exists() {
            true => Ok(run.join(MODEL)),
            false => {
                let fault = format!(
                    "fold {fold} of the {count} in {} is not trained to its end; go on with ggpfn train --resume, or name the models \
                     of the others one by one",
                    folder.display()
                );
                Err(Error::argument("--model", fault))
            }
        }
    };
    (1..=count).map(of_fold).collect()
}
