//! The journal: which frames are finished.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A frame that is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the recording, from 1.
    pub number: u64,
    /// The stem of its files.
    pub name: String,
    /// When it was taken, in seconds since 1970.
    pub taken: f64,
    /// Objects in it.
    pub objects: usize,
    /// The lengths of the tables with this frame's lines, in bytes, in the order of their names.
    pub tables: Vec<u64>,
}

/// A file of entries, one a line.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// The journal at `path`, and its last entry. A line that a power cut left unfinished is cut off.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be read or written, or a line is none of a journal.
    pub fn open(path: &Path) -> Result<(Self, Option<Entry>)> {
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            let last = text[..whole].split(|&byte| byte == b'\n').rfind(|line| !line.is_empty());
            let last = last.map(|line| serde_json::from_slice(line).map_err(io::Error::other)).transpose()?;
            Ok((file, last))
        };
        let (file, last) = open().map_err(|e| Error::output(path, e))?;
        Ok((Journal { path: path.into(), file }, last))
    }

    /// Appends entries, and waits until they are on the disk.
    ///
    /// # Errors
    /// [`Error::Output`], of a full disk for instance.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let fail = |e: io::Error| Error::output(&self.path, e);
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, entry).map_err(|e| fail(e.into()))?;
            text.push(b'\n');
        }
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames.jsonl");
        let entry = |number| Entry { number, name: format!("{number:06}"), taken: 0.5, objects: 3, tables: vec![7] };
        let (mut journal, last) = Journal::open(&path).unwrap();
        assert_eq!(last, None);
        journal.append(&[entry(1), entry(2)]).unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"number\":3,\"na");
        std::fs::write(&path, text).unwrap();
        let (mut journal, last) = Journal::open(&path).unwrap();
        assert_eq!(last, Some(entry(2)));
        journal.append(&[entry(3)]).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1, Some(entry(3)));
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(Journal::open(&path).is_err());
    }
}
