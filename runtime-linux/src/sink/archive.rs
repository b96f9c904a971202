//! Zip archives that grow frame by frame.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Batch;
use super::atomic::{Temporary, underlying};
use crate::error::{Error, Result};

pub(super) struct Archive {
    path: PathBuf,
    // Before the writer, because fields are dropped in order.
    abandoned: Abandoned,
    zip: ZipWriter<BufWriter<Spool>>,
}

impl Archive {
    /// An empty archive that will be `path`.
    pub fn new(path: &Path) -> Result<Self> {
        let abandoned = Abandoned::default();
        let spool = Spool { file: Temporary::for_path(path)?, abandoned: Arc::clone(&abandoned.0) };
        Ok(Archive { path: path.into(), abandoned, zip: ZipWriter::new(BufWriter::new(spool)) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an entry as it is: for what is compressed already, or too small to gain.
    pub fn store(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.add(name, CompressionMethod::Stored, &mut &bytes[..])
    }

    /// Adds an entry, compressed.
    pub fn deflate(&mut self, name: &str, from: &mut impl Read) -> Result<()> {
        self.add(name, CompressionMethod::Deflated, from)
    }

    fn add(&mut self, name: &str, method: CompressionMethod, from: &mut impl Read) -> Result<()> {
        let options = SimpleFileOptions::default().compression_method(method);
        let added = self.zip.start_file(name, options).map_err(io::Error::from);
        added
            .and_then(|()| io::copy(from, &mut self.zip))
            .map_err(|e| Error::output(&self.path, underlying(e.into())))?;
        Ok(())
    }

    /// Completes the archive.
    pub fn finish(self, files: &mut Batch) -> Result<()> {
        let Archive { path, abandoned, zip } = self;
        let fail = |e: io::Error| Error::output(&path, underlying(e.into()));
        let buffer = zip.finish().map_err(|e| fail(e.into()))?;
        let spool = buffer.into_inner().map_err(|e| fail(e.into_error()))?;
        drop(abandoned);
        files.add(&path, spool.file);
        Ok(())
    }
}

/// Says that an archive will not be completed. A `ZipWriter` that is dropped would try to, and complain on standard error where it cannot, as
/// on a disk whose being full has been told already.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A file that takes everything and keeps nothing once a write has failed or its archive is abandoned.
struct Spool {
    file: Temporary,
    abandoned: Arc<AtomicBool>,
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.abandoned.load(Relaxed) {
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes);
        if written.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::Interrupted) {
            self.abandoned.store(true, Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Spool {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_abandoned_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zip");
        let mut archive = Archive::new(&path).unwrap();
        archive.store("a", b"entry").unwrap();
        let spool = Arc::clone(&archive.abandoned.0);
        assert!(!spool.load(Relaxed));
        drop(archive);
        assert!(spool.load(Relaxed));
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);

        let mut files = Batch::default();
        let mut archive = Archive::new(&path).unwrap();
        archive.deflate("b", &mut &b"entry"[..]).unwrap();
        archive.finish(&mut files).unwrap();
        files.commit().unwrap();
        let mut zip = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut text = String::new();
        zip.by_name("b").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "entry");
    }
}
