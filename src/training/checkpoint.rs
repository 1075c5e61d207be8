//! A view's training on disk: one safetensors file with everything that it goes on from.
//!
//! Parameters, Adam's moments, running statistics, the best weights so far, and as JSON in the header where the training is. Random numbers
//! follow from the seed and from where it is, so that no state of theirs is needed. The file replaces the one before it whole or
//! not at all.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::parameters::{Buffer, Snapshot};
use super::stage::Stage;
use super::trainer::Trainer;
use crate::files;
use crate::{Error, Result};

const METADATA_KEY: &str = "ggpfn-training";
const FORMAT: u32 = 2;

/// Where a view's training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The stage; none once all are done.
    pub stage: Option<Stage>,
    /// Whole epochs of the stage that are done, validation included.
    pub epoch: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// The best validation Dice: of the global stage's maps in that stage, of the masks of the other two after it.
    pub best_dice: Option<f64>,
    /// The stage and epoch that the best weights are from, counted from 1.
    pub best_epoch: Option<(Stage, usize)>,
    /// Sum of the losses of this epoch's batches so far, and of their terms: total, map, side, global, finer global.
    pub sums: [f64; 5],
    /// The same of the other organs' cross entropy.
    #[serde(default)]
    pub organs_sum: f64,
    /// Lines in the log.
    pub log_lines: usize,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    adam_steps: u64,
    /// Options and names of the cases: a checkpoint of another training is refused.
    key: String,
    progress: Progress,
}

/// Writes a checkpoint.
pub(super) fn save(
    path: &Path,
    trainer: &Trainer,
    best: Option<&Snapshot>,
    progress: &Progress,
    key: &str,
) -> Result<()> {
    let now = Snapshot::of(&trainer.parameters)?;
    let mut tensors = vec![
        ("parameters", now.parameters),
        ("statistics", now.statistics),
        ("first_moments", trainer.parameters.buffer(Buffer::FirstMoments)?),
        ("second_moments", trainer.parameters.buffer(Buffer::SecondMoments)?),
    ];
    if let Some(best) = best {
        tensors.push(("best_parameters", best.parameters.clone()));
        tensors.push(("best_statistics", best.statistics.clone()));
    }
    let header =
        Header { format: FORMAT, adam_steps: trainer.parameters.steps(), key: key.into(), progress: progress.clone() };
    let json = serde_json::to_string(&header).map_err(|e| Error::Training(e.to_string()))?;
    let bytes: Vec<(&str, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, values)| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, bytes)| TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map(|view| (*name, view)));
    let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| Error::Training(e.to_string()))?;
    let metadata = HashMap::from([(METADATA_KEY.to_string(), json)]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| Error::Training(e.to_string()))?;
    files::write(path, &file)
}

/// Puts a checkpoint into a trainer, and gives where it is and the best weights so far.
///
/// # Errors
/// [`Error::File`] if it cannot be read, [`Error::Training`] if it is damaged or belongs to another training.
pub(super) fn load(path: &Path, trainer: &mut Trainer, key: &str) -> Result<(Progress, Option<Snapshot>)> {
    let fault = |text: &str| Error::Training(format!("{}: {text}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    let damaged = |_| fault("not a whole checkpoint; it is damaged or of another kind");
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let json = metadata.metadata().as_ref().and_then(|m| m.get(METADATA_KEY));
    let json = json.ok_or_else(|| fault("a safetensors file, but not a checkpoint"))?;
    let header: Header = serde_json::from_str(json).map_err(|e| fault(&format!("its header cannot be used ({e})")))?;
    if header.format != FORMAT {
        return Err(fault(&format!(
            "it was made by {} version of ggpfn (checkpoint format {}; this one reads {FORMAT}), which trains by other rules; finish \
             the training with that version, or train into another folder, from this one's model.safetensors",
            if header.format < FORMAT { "an earlier" } else { "a later" },
            header.format
        )));
    }
    if header.key != key {
        return Err(fault(
            "it was made with other options, other cases or from another model; go on with those of the run's options.toml and \
             cases.json and with the model that it started from, or train into another folder",
        ));
    }
    let read = |name: &str| -> Result<Vec<f32>> {
        let tensor = file.tensor(name).map_err(|_| fault(&format!("it has no {name}")))?;
        let data = tensor.data().chunks_exact(4);
        Ok(data.map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
    };
    if let Some(stage) = header.progress.stage {
        trainer.start_stage(stage)?;
    }
    Snapshot { parameters: read("parameters")?, statistics: read("statistics")? }.put_into(&mut trainer.parameters)?;
    trainer.parameters.set_buffer(Buffer::FirstMoments, &read("first_moments")?)?;
    trainer.parameters.set_buffer(Buffer::SecondMoments, &read("second_moments")?)?;
    trainer.parameters.set_steps(header.adam_steps);
    let best = match file.tensor("best_parameters") {
        Ok(_) => Some(Snapshot { parameters: read("best_parameters")?, statistics: read("best_statistics")? }),
        Err(_) => None,
    };
    Ok((header.progress, best))
}
