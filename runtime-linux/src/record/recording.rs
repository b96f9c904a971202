//! A recording that is being written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Due;
use super::journal::{Entry, Journal};
use crate::error::{Error, Result};
use crate::live::{self, Observation, Recorder};
use crate::sink::{CsvLines, Format, JsonLines, Results, Settings, write_whole};

const IDENTITY: &str = "recording.json";
const JOURNAL: &str = "frames.jsonl";
const CSV: &str = "objects.csv";
const JSONL: &str = "objects.jsonl";

/// Digits of a frame's number in the names of its files, at least.
const DIGITS: usize = 6;

/// Finished frames are on the disk after so long at the latest; waiting for it after each would wear out an SD card.
const COMMIT: Duration = Duration::from_secs(1);

/// And so many frames are not on the disk yet at most: what a power cut can leave of them is known by their numbers.
const PENDING: usize = 1000;

/// What a recording is of. It goes on only with the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model's file, or the name of the one that is built in.
    pub model: String,
    /// Its SHA-256, in hexadecimal.
    pub model_sha256: String,
    /// What is written.
    pub formats: Vec<Format>,
    /// The columns of tables beyond those that all have.
    pub columns: Vec<String>,
    /// The version of microtome.
    pub version: String,
}

impl Identity {
    /// Of a recording that begins now.
    pub fn new(model: &live::Identity, settings: &Settings) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Identity {
            model: model.name.clone(),
            model_sha256: model.sha256.clone(),
            formats: settings.formats.clone(),
            columns: settings.columns.extra.clone(),
            version,
        }
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|e| Error::usage(format!("{}: {e}", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::output(path, error)),
        }
    }
}

/// A recorder into a folder.
pub struct Recording {
    due: Due,
    /// Frames to keep at most.
    most: u64,
    number: u64,
    kept: Arc<AtomicU64>,
    results: Results,
    csv: Option<CsvLines>,
    jsonl: Option<JsonLines>,
    journal: Journal,
    /// Frames whose files may not be on the disk yet.
    pending: Vec<Entry>,
    committed: Instant,
}

impl Recording {
    /// A recording in `folder`, which exists: a new one, or, where `resume` says so, the one that is there.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is a recording and it was not asked for, or one of something else; [`Error::Output`] when nothing can be
    /// written.
    pub fn open(folder: &Path, settings: &Settings, identity: &Identity, due: Due, resume: bool) -> Result<Self> {
        let there = Identity::read(&folder.join(IDENTITY))?;
        let goes_on = there.is_some();
        match there {
            Some(_) if !resume => {
                let folder = folder.display();
                return Err(Error::usage(format!("{folder} holds a recording; --resume goes on with it")));
            }
            Some(other) if other != *identity => {
                return Err(Error::usage(format!(
                    "{} holds a recording by {} {} of {:?} in version {}, which cannot go on with other settings",
                    folder.display(),
                    other.model,
                    other.model_sha256.get(..8).unwrap_or_default(),
                    other.formats,
                    other.version
                )));
            }
            Some(_) => {}
            None => {
                // Nothing here is ours to go on with, or to take back.
                if let Some(name) = [JOURNAL, CSV, JSONL].into_iter().find(|name| folder.join(name).exists()) {
                    let folder = folder.display();
                    return Err(Error::usage(format!(
                        "{folder} has a {name} that is no recording's (expected another folder)"
                    )));
                }
                let text = serde_json::to_vec_pretty(identity).map_err(Error::usage)?;
                write_whole(&folder.join(IDENTITY), |w| w.write_all(&text))?;
            }
        }
        let (journal, last) = Journal::open(&folder.join(JOURNAL))?;
        let number = last.as_ref().map_or(0, |last| last.number);
        let has = |format| settings.formats.contains(&format);
        let tables: Vec<&str> = [(Format::Csv, CSV), (Format::Jsonl, JSONL)]
            .into_iter()
            .filter(|(format, _)| has(*format))
            .map(|(_, name)| name)
            .collect();
        if goes_on {
            take_back(folder, &tables, last.as_ref())?;
        }
        let columns = settings.columns.clone();
        let csv = has(Format::Csv).then(|| CsvLines::append_to(&folder.join(CSV), columns.clone())).transpose()?;
        let jsonl = has(Format::Jsonl).then(|| JsonLines::append_to(&folder.join(JSONL), columns)).transpose()?;
        let mut others = settings.clone();
        others.formats.retain(|format| !matches!(format, Format::Csv | Format::Jsonl));
        Ok(Recording {
            due,
            most: u64::MAX,
            number,
            kept: Arc::new(AtomicU64::new(number)),
            results: Results::open(folder, &others)?,
            csv,
            jsonl,
            journal,
            pending: Vec::new(),
            committed: Instant::now(),
        })
    }

    /// Ends after so many frames, those before it went on included.
    pub fn at_most(mut self, frames: u64) -> Self {
        self.most = frames;
        self
    }

    /// Frames kept so far, while it goes on.
    pub fn kept(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.kept)
    }

    fn commit(&mut self) -> Result<()> {
        self.results.commit()?;
        self.note()
    }

    /// Notes the frames whose files are on the disk.
    fn note(&mut self) -> Result<()> {
        self.csv.as_ref().map_or(Ok(()), CsvLines::sync)?;
        self.jsonl.as_ref().map_or(Ok(()), JsonLines::sync)?;
        self.journal.append(&self.pending)?;
        self.pending.clear();
        self.committed = Instant::now();
        Ok(())
    }
}

impl Recorder for Recording {
    fn keep(&mut self, observation: &Observation) -> Result<()> {
        if self.number >= self.most || !self.due.takes(observation.shot.received) {
            return Ok(());
        }
        let number = self.number + 1;
        let since_1970 = observation.shot.taken.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Without colons, which some file systems refuse.
        let time = humantime::format_rfc3339_millis(UNIX_EPOCH + since_1970).to_string().replace(':', "");
        let name = match &observation.shot.name {
            Some(name) => format!("{number:0DIGITS$}-{name}"),
            None => format!("{number:0DIGITS$}-{time}"),
        };
        let mut item = observation.item(&name);
        item.name = &name;
        if let Err(error) = self.results.frame(&item) {
            // The frames before are on the disk now; the first error is the one to tell.
            let _ = self.note();
            return Err(error);
        }
        self.csv.as_mut().map_or(Ok(()), |csv| csv.frame(&item))?;
        self.jsonl.as_mut().map_or(Ok(()), |jsonl| jsonl.frame(&item))?;
        let lengths = [self.csv.as_ref().map(CsvLines::len), self.jsonl.as_ref().map(JsonLines::len)];
        self.pending.push(Entry {
            number,
            taken: since_1970.as_secs_f64(),
            objects: observation.made.found.objects.len(),
            tables: lengths.into_iter().flatten().collect(),
            name,
        });
        self.number = number;
        self.kept.store(number, Ordering::Relaxed);
        if self.committed.elapsed() >= COMMIT || self.pending.len() >= PENDING {
            self.commit()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.commit()?;
        self.results.finish().map(drop)
    }
}

/// Takes back what a power cut left beyond the last finished frame: lines of tables, and files of the frame after it.
fn take_back(folder: &Path, tables: &[&str], last: Option<&Entry>) -> Result<()> {
    for (index, name) in tables.iter().enumerate() {
        let path = folder.join(name);
        let length = last.and_then(|last| last.tables.get(index).copied()).unwrap_or(0);
        if path.exists() {
            let cut = OpenOptions::new().write(true).open(&path).and_then(|file| {
                let found = file.metadata()?.len();
                file.set_len(found.min(length))
            });
            cut.map_err(|e| Error::output(&path, e))?;
        }
    }
    let number = last.map_or(0, |last| last.number);
    let unfinished = number + 1..=number + PENDING as u64;
    let entries = std::fs::read_dir(folder).map_err(|e| Error::output(folder, e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Numbers as they are written here: a date in a name is none.
        let found = name.split_once('-').and_then(|(digits, _)| {
            let found: u64 = digits.parse().ok()?;
            (format!("{found:0DIGITS$}") == digits).then_some(found)
        });
        if found.is_some_and(|found| unfinished.contains(&found)) {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|e| Error::output(&path, e))?;
        }
    }
    Ok(())
}
