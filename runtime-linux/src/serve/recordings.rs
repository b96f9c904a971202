//! Recordings: folders under one folder, named by when they began.
//!
//! Invariant: a name that comes from a client is compared with what is there, and never becomes a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::live::{Recorder, Worker};
use crate::record::{Due, Identity, Keep, Recording};

/// Makes a recorder of what a worker does, into a folder that is there.
pub type RecorderFactory = Box<dyn Fn(&Path, &Worker) -> Result<Box<dyn Recorder>> + Send + Sync>;

/// A factory of recordings of every frame.
pub fn factory(keep: Keep) -> RecorderFactory {
    Box::new(move |folder, worker| {
        let settings = keep.of(worker);
        let identity = Identity::new(worker.model(), &settings);
        Ok(Box::new(Recording::open(folder, &settings, &identity, Due::Always, false)?))
    })
}

/// Where recordings go, and who writes them.
pub struct Recordings {
    folder: Option<PathBuf>,
    factory: RecorderFactory,
    current: Mutex<Option<String>>,
}

/// A recording, or a file of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Files in it, or 1.
    pub files: usize,
    /// Bytes in all.
    pub bytes: u64,
}

impl Recordings {
    /// Recordings under `folder`, which is made; none can be made without one.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: Option<PathBuf>, factory: RecorderFactory) -> Result<Self> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        }
        Ok(Recordings { folder, factory, current: Mutex::default() })
    }

    /// Whether recordings can be made.
    pub fn are_possible(&self) -> bool {
        self.folder.is_some()
    }

    /// The name of the recording that began last.
    pub fn current(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder for a recording of what `worker` does, which begins at `now`; its name, and a recorder over it.
    ///
    /// # Errors
    /// [`Error::Usage`] without a folder to record to; what the recorder says.
    pub fn begin(&self, now: SystemTime, worker: &Worker) -> Result<(String, Box<dyn Recorder>)> {
        let folder = self.folder.as_ref().ok_or_else(|| Error::usage("nothing can be recorded without --out DIR"))?;
        // Without colons, which some file systems refuse.
        let time = humantime::format_rfc3339_seconds(now).to_string().replace(':', "-");
        let names = std::iter::once(time.clone()).chain((2..100).map(|copy| format!("{time}-{copy}")));
        for name in names {
            let path = folder.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let recorder = (self.factory)(&path, worker).inspect_err(|_| drop(fs::remove_dir(&path)))?;
                    *self.lock() = Some(name.clone());
                    return Ok((name, recorder));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::output(path, error)),
            }
        }
        Err(Error::output(folder, std::io::ErrorKind::AlreadyExists.into()))
    }

    /// All recordings, the newest first.
    pub fn list(&self) -> Vec<Entry> {
        let mut found: Vec<Entry> = self
            .folders()
            .map(|(name, path)| {
                let files = files_in(&path);
                Entry { name, files: files.len(), bytes: files.iter().map(|(file, _)| file.bytes).sum() }
            })
            .collect();
        found.sort_by(|a, b| b.name.cmp(&a.name));
        found
    }

    /// The files of a recording that are whole, by name, with their paths; `None` where there is no such recording.
    pub fn files(&self, name: &str) -> Option<Vec<(Entry, PathBuf)>> {
        let (_, path) = self.folders().find(|(other, _)| other == name)?;
        let mut files = files_in(&path);
        files.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Some(files)
    }

    /// The recordings' names and paths.
    fn folders(&self) -> impl Iterator<Item = (String, PathBuf)> {
        let entries = self.folder.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        // Of the link, not of where it leads.
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
        folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
    }
}

/// The ordinary files of a folder; those that are being written begin with a dot.
fn files_in(folder: &Path) -> Vec<(Entry, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_file()));
    let named = files.filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
        Some((Entry { name, files: 1, bytes: entry.metadata().ok()?.len() }, entry.path()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;
    use std::time::Duration;

    use microtome_core::Kernel;

    use super::*;
    use crate::engine::Options;
    use crate::instrument::{Analysis, Setup};
    use crate::machine::{Machine, Rows};
    use crate::sink::Format;

    fn worker() -> Worker {
        let machine = Machine::of(Kernel::best(), NonZeroUsize::MIN, Rows::Exactly(1)).unwrap();
        Worker::new(Arc::new(machine), None, &Options::default(), Analysis::new(Setup::default())).unwrap()
    }

    fn recordings(folder: Option<PathBuf>) -> Recordings {
        Recordings::new(folder, factory(Keep { formats: vec![Format::Csv], ..Keep::default() })).unwrap()
    }

    #[test]
    fn names_are_times_and_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let (recordings, worker) = (recordings(Some(out.clone())), worker());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_169_200);
        let names: Vec<String> = (0..2)
            .map(|_| {
                let (name, recorder) = recordings.begin(now, &worker).unwrap();
                recorder.finish().unwrap();
                name
            })
            .collect();
        assert_eq!(names, ["2025-11-26T15-00-00Z", "2025-11-26T15-00-00Z-2"]);
        assert_eq!(recordings.current().as_ref(), names.last());
        fs::write(dir.path().join("secret"), "x").unwrap();
        fs::write(out.join(&names[0]).join(".microtome-half"), "x").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path(), out.join("link")).unwrap();
            std::os::unix::fs::symlink(dir.path().join("secret"), out.join(&names[0]).join("link")).unwrap();
        }
        let listed: Vec<String> = recordings.list().into_iter().map(|entry| entry.name).collect();
        assert_eq!(listed, [names[1].clone(), names[0].clone()]);
        let files = recordings.files(&names[0]).unwrap();
        let names: Vec<&str> = files.iter().map(|(file, _)| file.name.as_str()).collect();
        assert_eq!(names, ["frames.jsonl", "objects.csv", "recording.json"]);
        for name in ["..", ".", "", "link", "../out", &format!("{}/../..", names[0])] {
            assert_eq!(recordings.files(name), None, "{name}");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_recorded() {
        let recordings = recordings(None);
        assert!(recordings.begin(SystemTime::now(), &worker()).is_err() && recordings.list().is_empty());
    }
}
