//! Zip archives that grow frame by frame.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Batch;
use super::atomic::{Temporary, underlying};
use crate::error::{Error, Result};

pub(super) struct Archive {
    path: PathBuf,
    zip: ZipWriter<BufWriter<Spool>>,
}

impl Archive {
    /// An empty archive that will be `path`.
    pub fn new(path: &Path) -> Result<Self> {
        let spool = Spool { file: Temporary::for_path(path)?, failed: false };
        Ok(Archive { path: path.into(), zip: ZipWriter::new(BufWriter::new(spool)) })
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
        let fail = |e: io::Error| Error::output(&self.path, underlying(e.into()));
        let buffer = self.zip.finish().map_err(|e| fail(e.into()))?;
        let spool = buffer.into_inner().map_err(|e| fail(e.into_error()))?;
        files.add(&self.path, spool.file);
        Ok(())
    }
}

/// A file that fails once. A `ZipWriter` that is dropped completes its archive, and complains on standard error if it cannot, about a disk
/// whose being full has been told already.
struct Spool {
    file: Temporary,
    failed: bool,
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes);
        self.failed = written.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::Interrupted);
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
