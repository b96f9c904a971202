//! What a run has done, kept beside its outputs, so that it can be gone on with after a power cut.
//!
//! ```text
//!     {"version":…, "model":…, …}                                what decides the outputs
//!     {"note":{…},"tables":{"objects.csv":"…"}}                  a frame: what the run wants to know of it, its lines of every table
//! ```
//!
//! Invariant: a frame is in the journal only when its files are on the disk under their names. The reverse need not be: a frame that was cut
//! off in between is done again, and its files are replaced by the same. Tables are made of the journal's own copy of their lines, so that
//! they need not be on the disk before they are finished.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::atomic::remove_temporaries;
use crate::error::{Error, Result};

/// Its name in the folder of the outputs.
const NAME: &str = ".microtome-run.jsonl";

/// A frame's lines of every table, by the table's name.
pub(super) type Tables = BTreeMap<String, String>;

/// A frame that is done.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry<N> {
    pub note: N,
    pub tables: Tables,
}

impl<N: Serialize> Entry<N> {
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        // Into memory, and keys are strings: it cannot fail.
        let written = serde_json::to_writer(&mut line, self);
        debug_assert!(written.is_ok());
        line.push(b'\n');
        line
    }
}

/// A journal that is being written. As long as it is, nobody else can have it.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    len: u64,
    /// Whether one of them is a frame's.
    has_frames: bool,
}

/// A journal that was found, as it was found.
pub struct Interrupted {
    journal: Journal,
    header: Map<String, Json>,
    /// Frames that it has.
    pub frames: usize,
}

impl Journal {
    /// The journal of a run in `folder` that did not come to its end; none where no frame of it was finished.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be read, or that run is still under way.
    pub fn find(folder: &Path) -> Result<Option<Interrupted>> {
        let path = folder.join(NAME);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|e| Error::output(&path, e))?,
        };
        lock(&file, folder)?;
        let read = |mut journal: Journal| {
            let mut header = None;
            let mut frames = 0;
            journal.len = whole_lines(&journal.file, |line| {
                match &header {
                    None => header = Some(serde_json::from_slice::<Map<String, Json>>(line)?),
                    Some(_) => {
                        serde_json::from_slice::<Entry<Json>>(line)?;
                        frames += 1;
                    }
                }
                Ok(())
            })?;
            Ok(header.filter(|_| frames > 0).map(|header| Interrupted { journal, header, frames }))
        };
        read(Journal { path: path.clone(), file, len: 0, has_frames: true }).map_err(|e| Error::output(path, e))
    }

    /// Begins one in `folder`, for a run that `decisions` decide the outputs of.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be written, or another run in this folder is under way.
    pub fn begin(folder: &Path, decisions: &Map<String, Json>) -> Result<Journal> {
        let path = folder.join(NAME);
        let fail = |e: io::Error| Error::output(&path, e);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        lock(&file, folder)?;
        if file.metadata().map_err(fail)?.len() > 0 {
            remove_temporaries(folder).map_err(fail)?;
        }
        let mut journal = Journal { path: path.clone(), file, len: 0, has_frames: false };
        journal.cut().map_err(fail)?;
        journal.write(format!("{}\n", Json::from(decisions.clone())).as_bytes())?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(journal)
    }

    /// Adds the lines of frames, which are on the disk afterwards.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.write(lines)?;
        self.has_frames = true;
        Ok(())
    }

    /// Whether there is something to go on with.
    pub(super) fn has_frames(&self) -> bool {
        self.has_frames
    }

    fn write(&mut self, lines: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(lines).and_then(|()| self.file.sync_data()) {
            // Cutting takes no space; if even that fails, whoever goes on does it.
            let _ = self.cut();
            return Err(Error::output(&self.path, error));
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    /// Goes over the frames that it has, and stands at its end then.
    pub(super) fn replay<N: DeserializeOwned>(&mut self, mut each: impl FnMut(Entry<N>) -> Result<()>) -> Result<()> {
        let mut failure = None;
        let mut first = true;
        let read = whole_lines(&self.file, |line| {
            if std::mem::take(&mut first) {
                return Ok(());
            }
            each(serde_json::from_slice(line)?).map_err(|error| {
                failure = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let fail = |e| Error::output(&self.path, e);
        let len = read.map_err(fail)?;
        if len != self.len {
            return Err(fail(io::Error::other(format!("line {} bytes in is of another version", len))));
        }
        self.file.seek(SeekFrom::Start(self.len)).map_err(fail)?;
        Ok(())
    }

    /// Removes it: the run is finished.
    pub(super) fn end(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|e| Error::output(&self.path, e))
    }

    /// Cuts off what is not whole lines.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        Ok(())
    }
}

impl Interrupted {
    /// Goes on with it: removes what was cut off half way, here and of files that have no name yet.
    ///
    /// # Errors
    /// [`Error::Usage`] when other things than `decisions` decided the outputs: nothing is changed then. [`Error::Output`] when the folder
    /// cannot be written.
    pub fn resume(mut self, folder: &Path, decisions: &Map<String, Json>) -> Result<Journal> {
        let keys = decisions.keys().chain(self.header.keys());
        let mut other: Vec<&str> =
            keys.filter(|&key| decisions.get(key) != self.header.get(key)).map(String::as_str).collect();
        other.sort_unstable();
        other.dedup();
        if !other.is_empty() {
            return Err(Error::usage(format!(
                "{}: the interrupted run here was begun with another {} (expected the same command with --resume, or another folder)",
                folder.display(),
                other.join(", another ")
            )));
        }
        self.journal.cut().map_err(|e| Error::output(&self.journal.path, e))?;
        remove_temporaries(folder).map_err(|e| Error::output(folder, e))?;
        Ok(self.journal)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.journal.path
    }
}

fn lock(file: &File, folder: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::output(folder, io::Error::other("another run writes to this folder at this moment")))
        }
        // Some file systems of the network have no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Gives all lines to `take`, up to one that is not whole or that `take` does not want; returns the bytes of those before.
///
/// After a power cut the last lines can be cut off, or their bytes be anything.
fn whole_lines(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    reader.rewind()?;
    let (mut len, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') || take(&line).is_err() {
            return Ok(len);
        }
        len += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decisions(model: &str) -> Map<String, Json> {
        Map::from_iter([("model".to_owned(), json!(model)), ("formats".to_owned(), json!(["csv"]))])
    }

    fn notes(journal: &mut Journal) -> Vec<f64> {
        let mut notes = Vec::new();
        journal
            .replay(|entry: Entry<f64>| {
                notes.push(entry.note);
                Ok(())
            })
            .unwrap();
        notes
    }

    #[test]
    fn it_heals_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        assert!(Journal::find(dir.path()).unwrap().is_none());
        let mut journal = Journal::begin(dir.path(), &decisions("a")).unwrap();
        let busy = Journal::find(dir.path()).err().unwrap().to_string();
        assert!(busy.contains("another run writes"), "{busy}");
        let line = |note: f64| Entry { note, tables: Tables::new() }.line();
        journal.append(&line(0.1)).unwrap();
        journal.append(&line(5e-324)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for torn in [&b""[..], b"{\"note\":2,\"tab", b"\0\0\0\0\n", &[0; 9]] {
            std::fs::write(&path, [&whole, torn].concat()).unwrap();
            let found = Journal::find(dir.path()).unwrap().unwrap();
            assert_eq!(found.frames, 2);
            let mut journal = found.resume(dir.path(), &decisions("a")).unwrap();
            assert_eq!(notes(&mut journal), [0.1, 5e-324]);
            journal.append(&line(3.0)).unwrap();
            assert_eq!(notes(&mut journal), [0.1, 5e-324, 3.0]);
        }
        Journal::find(dir.path()).unwrap().unwrap().resume(dir.path(), &decisions("a")).unwrap().end().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn without_a_frame_there_is_nothing_to_go_on_with() {
        let dir = tempfile::tempdir().unwrap();
        for content in ["", "{\"model\"", "{\"model\":\"a\"}\n", "{\"model\":\"a\"}\n{\"note\""] {
            std::fs::write(dir.path().join(NAME), content).unwrap();
            assert!(Journal::find(dir.path()).unwrap().is_none(), "{content}");
        }
    }

    #[test]
    fn other_decisions_are_named_and_nothing_is_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut journal = Journal::begin(dir.path(), &decisions("a")).unwrap();
        journal.append(&Entry { note: 1, tables: Tables::new() }.line()).unwrap();
        drop(journal);
        let torn = [&std::fs::read(&path).unwrap()[..], b"{"].concat();
        std::fs::write(&path, &torn).unwrap();
        let found = Journal::find(dir.path()).unwrap().unwrap();
        let error = found.resume(dir.path(), &decisions("b")).err().unwrap();
        assert!(error.exit_code() == 2 && error.to_string().contains("another model (expected"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), torn);
    }
}
