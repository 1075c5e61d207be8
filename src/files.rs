//! Files that appear whole or not at all.
//!
//! A result is written to a temporary file beside its place, flushed to the disk, and only then renamed: whoever looks sees the
//! old file or the new one, never half of it. If anything fails, or the program leaves early, the temporary goes away.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use crate::{Error, Result};

/// Temporary files that exist now.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
/// Counts them, so that no name is used twice: of two threads that write one file, the first to finish must not clear away what the other
/// has begun.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A file that will appear under its name on [`commit`](AtomicFile::commit).
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Opens a temporary file beside `path`. It gets the permissions of the file that it will replace, or those of any new
    /// file.
    ///
    /// # Errors
    /// [`Error::File`] if `path` is a folder or nothing can be created beside it.
    pub fn create(path: &Path) -> Result<Self> {
        let fault = |e| Error::file("create", path, e);
        let name = path.file_name().filter(|_| !path.is_dir()).ok_or_else(|| {
            fault(std::io::Error::new(std::io::ErrorKind::IsADirectory, "this is a folder; a file's name was expected"))
        })?;
        // A link stays one, and what it points to is replaced or appears.
        let path = behind_links(path);
        let mut taken = 0;
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let mut hidden = std::ffi::OsString::from(".");
            hidden.push(path.file_name().unwrap_or(name));
            hidden.push(format!(".{}-{number}.tmp", std::process::id()));
            let temporary = path.with_file_name(hidden);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    remember(&temporary);
                    let permissions = std::fs::metadata(&path).map(|m| m.permissions());
                    let atomic = AtomicFile {
                        path: path.clone(),
                        temporary,
                        writer: Some(BufWriter::with_capacity(1 << 18, file)),
                    };
                    if let (Ok(permissions), Some(writer)) = (permissions, &atomic.writer) {
                        writer.get_ref().set_permissions(permissions).map_err(fault)?;
                    }
                    return Ok(atomic);
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && taken < 1000 => taken += 1,
                Err(e) => return Err(fault(e)),
            }
        }
    }

    /// Makes sure of the bytes on the disk and gives the file its name.
    ///
    /// # Errors
    /// [`Error::File`]; a file that was there before is then as it was.
    pub fn commit(mut self) -> Result<()> {
        self.settle()?;
        self.rename()
    }

    /// As [`commit`](Self::commit), for files that belong together: all are on the disk before the first gets its name.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn commit_all(mut files: Vec<AtomicFile>) -> Result<()> {
        files.iter_mut().try_for_each(AtomicFile::settle)?;
        files.into_iter().try_for_each(AtomicFile::rename)
    }

    fn settle(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(|e| Error::file("write", &self.path, e.into_error()))?;
        file.sync_all().map_err(|e| Error::file("write", &self.path, e))
    }

    fn rename(self) -> Result<()> {
        std::fs::rename(&self.temporary, &self.path)
            .map_err(|e| Error::file("rename a finished file to", &self.path, e))?;
        forget(&self.temporary);
        // The name itself reaches the disk with its folder. Not every file system lets folders be synced; the file is whole
        // either way.
        if let Some(folder) = self.path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.as_mut().map_or(Err(std::io::ErrorKind::BrokenPipe.into()), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if forget(&self.temporary) {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// The file that a path stands for: where links lead, also to a file that is not there yet.
pub fn behind_links(path: &Path) -> PathBuf {
    /// As many links, one behind the other, as systems follow.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if let Ok(found) = std::fs::canonicalize(&path) {
            return found;
        }
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    path
}

/// Writes a whole file; it appears with these bytes or not at all.
///
/// # Errors
/// [`Error::File`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| Error::file("write", path, e))?;
    file.commit()
}

/// Writes a file of JSON for people to read too: indented, with a line feed at its end.
///
/// # Errors
/// [`Error::File`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let fail = |e| Error::file("write", path, e);
    serde_json::to_writer_pretty(&mut file, value).map_err(|e| fail(e.into()))?;
    file.write_all(b"\n").map_err(fail)?;
    file.commit()
}

/// Bytes in hexadecimal, as hashes are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a folder and those above it; one that is there already is fine.
///
/// # Errors
/// [`Error::File`].
pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file("create the folder", folder, e))
}

/// Removes all temporary files, for a program that has to leave at once.
pub fn remove_temporaries() {
    let mut temporaries = TEMPORARIES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for path in std::mem::take(&mut *temporaries) {
        let _ = std::fs::remove_file(path);
    }
}

fn remember(path: &Path) {
    TEMPORARIES.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(path.to_path_buf());
}

fn forget(path: &Path) -> bool {
    TEMPORARIES.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_appears_before_the_commit_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("größe one.txt");
        std::fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn threads_that_write_one_file_do_not_take_each_others_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for round in 0..100 {
                        let mut file = AtomicFile::create(path).unwrap();
                        write!(file, "{thread} {round}").unwrap();
                        file.commit().unwrap();
                    }
                });
            }
        });
        assert!(std::fs::read_to_string(&path).unwrap().ends_with(" 99"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_or_a_missing_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(AtomicFile::create(folder.path()), Err(Error::File { .. })));
        assert!(matches!(AtomicFile::create(&folder.path().join("no/such")), Err(Error::File { .. })));
    }
}
