//! Files that appear whole or not at all.
use crate::Result;
use std::path::Path;
/// stub
pub struct AtomicFile(std::fs::File);
impl AtomicFile {
    /// stub
    pub fn create(p: &Path) -> Result<Self> { std::fs::File::create(p).map(AtomicFile).map_err(|e| crate::Error::file("create", p, e)) }
    /// stub
    pub fn commit(self) -> Result<()> { Ok(()) }
}
impl std::io::Write for AtomicFile {
    fn write(&mut self, b: &[u8]) -> std::io::Result<usize> { self.0.write(b) }
    fn flush(&mut self) -> std::io::Result<()> { self.0.flush() }
}
