//! Tables that others read while they grow: lines under the file's own name, complete ones only.
//!
//! A frame's lines are written with one call. If that fails half way (a full disk), or a line was cut off by a power cut before, the file is
//! cut back to its last complete line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::table::{header, rows};
use super::{Columns, Item};
use crate::error::{Error, Result};

/// A file of lines.
struct Lines {
    path: PathBuf,
    file: File,
    /// Bytes of complete lines.
    len: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let len = complete(&mut file)?;
            file.set_len(len)?;
            file.seek(SeekFrom::End(0))?;
            Ok((file, len))
        };
        let (file, len) = open().map_err(|e| Error::output(path, e))?;
        Ok(Lines { path: path.into(), file, len })
    }

    fn append(&mut self, lines: &[u8]) -> Result<()> {
        let written = self.file.write_all(lines);
        match written {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Cutting takes no space; if even that fails, the next opening does it.
                let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::End(0)));
                Err(Error::output(&self.path, error))
            }
        }
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::output(&self.path, e))
    }
}

/// The length of `file` up to the end of its last line.
fn complete(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let block = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(at) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The objects of each frame as JSON, one object a line, from when [`frame`](Self::frame) returns.
pub struct JsonLines {
    lines: Lines,
    columns: Columns,
}

impl JsonLines {
    /// Goes on after the last complete line of `path`, or begins it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_to(path: &Path, columns: Columns) -> Result<Self> {
        Ok(JsonLines { lines: Lines::open(path)?, columns })
    }

    /// Bytes of complete lines.
    pub fn len(&self) -> u64 {
        self.lines.len
    }

    /// Whether there is no line yet.
    pub fn is_empty(&self) -> bool {
        self.lines.len == 0
    }

    /// Appends the objects of a frame: all lines, or none.
    ///
    /// # Errors
    /// When the disk is full; the file has the frames before, and takes further ones.
    pub fn frame(&mut self, item: &Item<'_>) -> Result<()> {
        self.lines.append(&json_lines(&self.columns, item))
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        self.lines.sync()
    }
}

/// The same table as comma-separated values, with a header when the file is new.
pub struct CsvLines {
    lines: Lines,
    columns: Columns,
}

impl CsvLines {
    /// Goes on after the last complete line of `path`, or begins it.
    ///
    /// # Errors
    /// When it cannot be written, or has other columns.
    pub fn append_to(path: &Path, columns: Columns) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let header = header(&columns);
        if lines.len == 0 {
            lines.append(&header)?;
        } else {
            let mut found = vec![0; header.len()];
            let read = lines.file.seek(SeekFrom::Start(0)).and_then(|_| lines.file.read(&mut found));
            let read =
                read.and_then(|n| lines.file.seek(SeekFrom::End(0)).map(|_| n)).map_err(|e| Error::output(path, e))?;
            if found[..read] != header {
                return Err(Error::output(path, io::Error::other("the file has other columns; expected a new file")));
            }
        }
        Ok(CsvLines { lines, columns })
    }

    /// Bytes of complete lines.
    pub fn len(&self) -> u64 {
        self.lines.len
    }

    /// Whether there is no line yet.
    pub fn is_empty(&self) -> bool {
        self.lines.len == 0
    }

    /// Appends the objects of a frame: all lines, or none.
    ///
    /// # Errors
    /// When the disk is full; the file has the frames before, and takes further ones.
    pub fn frame(&mut self, item: &Item<'_>) -> Result<()> {
        self.lines.append(&rows(&self.columns, item))
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<()> {
        self.lines.sync()
    }
}

/// The lines of a frame.
pub(super) fn json_lines(columns: &Columns, item: &Item<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for (label, object) in item.objects() {
        // Numbers and names into memory: neither can fail.
        let written = serde_json::to_writer(&mut text, &columns.object(item, label, object));
        debug_assert!(written.is_ok());
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::tests::Sample;
    use super::*;

    #[test]
    fn lines_grow_and_heal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.jsonl");
        let sample = Sample::new();
        let columns = Columns { time: true, extra: vec!["focus".into()] };
        let extra = sample.extra("focus", 0.5);
        let mut item = sample.item("a");
        item.time = Some(UNIX_EPOCH + Duration::from_millis(1_500));
        item.extra = &extra;
        JsonLines::append_to(&path, columns.clone()).unwrap().frame(&item).unwrap();
        let once = std::fs::read(&path).unwrap();
        let first: serde_json::Value = serde_json::from_slice(once.split(|&b| b == b'\n').next().unwrap()).unwrap();
        assert_eq!((&first["time"], &first["focus"]), (&"1970-01-01T00:00:01.500Z".into(), &0.5.into()));
        assert!(first.get("area_um2").is_none());
        // A power cut in the middle of a line.
        std::fs::write(&path, [&once[..], b"{\"frame\":\"b"].concat()).unwrap();
        let mut lines = JsonLines::append_to(&path, columns).unwrap();
        lines.frame(&item).unwrap();
        lines.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), once.repeat(2));
    }

    #[test]
    fn a_table_goes_on_only_with_its_own_columns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.csv");
        let sample = Sample::new();
        for _ in 0..2 {
            CsvLines::append_to(&path, Columns::default()).unwrap().frame(&sample.item("a")).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("frame,")).count(), 1);
        assert_eq!(text.lines().count(), 1 + 2 * sample.found.objects.len());
        let other = Columns { time: true, extra: Vec::new() };
        assert!(CsvLines::append_to(&path, other).err().unwrap().to_string().contains("other columns"));
    }
}
