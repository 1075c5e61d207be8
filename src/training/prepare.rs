//! Cases of a data set made ready to train on, from a cache where they were prepared before.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::TrainingCase;
use crate::compute::Cancel;
use crate::dataset::{self, scan_faults, Case};
use crate::files::{create_folder, hex};
use crate::io::ReadOptions;
use crate::labels::LabelBits;
use crate::network::{ModelConfig, NetworkConfig};
use crate::quality::InputFeatures;
use crate::{Error, Result};

/// Loads and prepares cases for a network, whose labels have the values in the cases' label maps that `labels` says. With a `cache` folder, which is created, prepared cases are kept there and mapped, so that memory
/// stays bounded whatever the data set's size. `report` hears how many are done.
///
/// # Errors
/// Those of [`dataset::load`], [`Error::Image`] for a scan of which [`dataset::scan_faults`] has something to say, [`Error::File`] where the cache cannot be written, [`Error::Cancelled`].
pub fn prepare(
    cases: &[Case],
    config: &ModelConfig,
    labels: &LabelBits,
    cache: Option<&Path>,
    cancel: &Cancel,
    report: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Arc<TrainingCase>>> {
    if let Some(folder) = cache {
        create_folder(folder)?;
    }
    let done = AtomicUsize::new(0);
    // Two at a time: a large volume takes much memory while it is prepared.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).thread_name(|n| format!("ggpfn-prepare-{n}")).build();
    let pool = pool.map_err(|e| Error::Memory(format!("the system gave no thread to prepare on ({e})")))?;
    let one = |case: &Case| -> Result<TrainingCase> {
        let load = || -> Result<TrainingCase> {
            let loaded = dataset::load_labels(case, &ReadOptions::default(), labels)?;
            loaded.notes.iter().for_each(|note| log::info!("{}: {note}", case.name));
            if let Some((_, fault)) = scan_faults(&InputFeatures::of(&loaded.volume)).into_iter().next() {
                return Err(Error::image(&case.image, fault));
            }
            let organs = dataset::load_organs(case, &loaded.volume, &ReadOptions::default())?;
            let organs = organs.as_ref().map(|organs| organs.view());
            TrainingCase::converted(&case.name, &loaded.volume, loaded.mask.view(), organs, config)
        };
        let Some(folder) = cache else { return load() };
        let key = cache_key(case, config, labels)?;
        let path = folder.join(format!("{}-{}.case", case.name, &key[..16]));
        match TrainingCase::open(&path, &key)? {
            Some(ready) => Ok(ready),
            None => load()?.into_cache(&path, &key),
        }
    };
    pool.install(|| {
        cases
            .par_iter()
            .map(|case| {
                if cancel.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let ready = one(case)?;
                report(done.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(Arc::new(ready))
            })
            .collect()
    })
}

/// What a prepared case depends on: its files as they are now, window and working spacing, which values are which label.
fn cache_key(case: &Case, config: &ModelConfig, labels: &LabelBits) -> Result<String> {
    let mut hash = Sha256::new();
    for path in [&case.image, &case.label].into_iter().chain(&case.organs) {
        let fault = |e| Error::file("read", path, e);
        let metadata = std::fs::metadata(path).map_err(fault)?;
        let changed = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        hash.update(format!("{}|{}|{changed:?}|", path.display(), metadata.len()));
    }
    hash.update(format!("{:?}{:?}", config.window, config.spacing));
    if let NetworkConfig::Baseline(network) = &config.network {
        // Some work on grids of their own.
        hash.update(format!("{network:?}"));
    }
    if labels.count() > 1 || labels.of(1) != labels.of(2) {
        hash.update(format!("{labels:?}"));
    }
    Ok(hex(&hash.finalize()))
}
