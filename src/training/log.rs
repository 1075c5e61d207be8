//! A view's log, one JSON object for each epoch, one to a line; the same for TensorBoard; and the curves drawn from it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::events;

use crate::evaluation::{self, Chart, Series, COLOURS};
use crate::volume::View;
use crate::{Error, Result};

/// The log of one view.
#[derive(Debug)]
pub(super) struct Log {
    path: Option<PathBuf>,
    lines: Vec<Value>,
    /// Seconds since 1970 at which the last epoch ended.
    ended: f64,
}

/// The name of the file for TensorBoard, which knows its files by a part of it.
const EVENTS: &str = "events.out.tfevents.ggpfn";

impl Log {
    /// Nowhere but in memory.
    pub fn in_memory() -> Self {
        Log { path: None, lines: Vec::new(), ended: 0.0 }
    }

    /// A file's log, cut to the `keep` lines that the checkpoint knows of: what came after it happens again.
    pub fn open(path: &Path, keep: usize) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::file("read", path, e)),
        };
        let lines: Vec<Value> = text.lines().map_while(|line| serde_json::from_str(line).ok()).take(keep).collect();
        let mut file = crate::files::AtomicFile::create(path)?;
        for line in &lines {
            writeln!(file, "{line}").map_err(|e| Error::file("write", path, e))?;
        }
        file.commit()?;
        // When the epochs ended is not known any more; how long they took is.
        let seconds = |line: &Value| line["seconds"].as_f64().unwrap_or(0.0);
        let mut ended = now() - lines.iter().map(seconds).sum::<f64>();
        let mut records = events::head(ended);
        for (epoch, line) in lines.iter().enumerate() {
            ended += seconds(line);
            records.extend(events::epoch(line, epoch as u64 + 1, ended));
        }
        crate::files::write(&path.with_file_name(EVENTS), &records)?;
        Ok(Log { path: Some(path.to_path_buf()), lines, ended })
    }

    /// Adds a line.
    pub fn write(&mut self, line: &Value) -> Result<()> {
        self.lines.push(line.clone());
        // A clock that was set back would turn the curve.
        self.ended = now().max(self.ended);
        let Some(path) = &self.path else { return Ok(()) };
        append(path, format!("{line}\n").as_bytes())?;
        append(&path.with_file_name(EVENTS), &events::epoch(line, self.lines.len() as u64, self.ended))
    }

    /// All lines.
    pub fn lines(&self) -> &[Value] {
        &self.lines
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let fault = |e| Error::file("write", path, e);
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(fault)?;
    file.write_all(bytes).map_err(fault)
}

/// Draws the curves of all views: loss and validation Dice over the epochs, the stages one after the other.
pub(super) fn draw(path: &Path, views: &[(View, &[Value])]) -> Result<()> {
    let chart = |title: &str, key: &str, log_y: bool| Chart {
        title: title.into(),
        x_label: "epoch, stages one after the other".into(),
        series: views
            .iter()
            .zip(COLOURS)
            .map(|((view, lines), colour)| Series {
                name: view.name().into(),
                colour,
                points: lines
                    .iter()
                    .enumerate()
                    .filter_map(|(epoch, line)| Some((epoch as f64 + 1.0, line[key].as_f64()?)))
                    .collect(),
            })
            .collect(),
        log_y,
    };
    if views.iter().all(|(_, lines)| lines.is_empty()) {
        return Ok(());
    }
    evaluation::draw(path, &[chart("Loss", "loss", true), chart("Validation Dice", "dice", false)])
}
