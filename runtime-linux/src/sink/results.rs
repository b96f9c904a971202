//! All that is written of a run or a recording.
//!
//! Files of a frame (pictures, polygons) appear when the frame is complete; where frames come faster than one a second, those of about a second
//! appear together. Collections (tables, archives) appear when all is finished. Either appears whole or not at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::atomic::Target;
use super::ecotaxa::{EcoTaxa, Metadata};
use super::journal::{Entry, Journal, Tables};
use super::table::Table;
use super::{Batch, Columns, Format, Item, LabelFormat, coco, geojson, imagej, ome_tiff, overlay, picture};
use crate::error::{Error, Result};

/// Waiting for the disk after every frame would take an SD card longer than the frame itself.
const BETWEEN_COMMITS: Duration = Duration::from_secs(1);

/// What to write, and what is the same for all frames.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The outputs; each is written once, however often it is named.
    pub formats: Vec<Format>,
    /// The names of the model's classes, from class 0; empty for a class that no object is of. See [`class_name`](Self::class_name).
    pub classes: Vec<String>,
    /// The columns of tables.
    pub columns: Columns,
    /// What is known of the sample and its acquisition.
    pub metadata: Metadata,
}

impl Settings {
    /// The name of a class: the model's own, or its number where the model has none.
    pub fn class_name(&self, class: u8) -> String {
        self.classes
            .get(usize::from(class))
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| format!("class {class}"))
    }
}

/// Something that writes frames. Files go to the batch when they are complete.
pub(super) trait Writer: Send {
    /// Takes a frame. After an error nothing more is asked of the writer.
    fn frame(&mut self, item: &Item<'_>, files: &mut Batch) -> Result<()>;

    /// The file and the lines of the last frame, of a table.
    fn last(&self) -> Option<(&str, &[u8])> {
        None
    }

    /// Takes a frame's lines again.
    fn again(&mut self, _: &Tables) -> Result<()> {
        Ok(())
    }

    /// Completes what goes over many frames.
    fn finish(self: Box<Self>, _: &mut Batch) -> Result<()> {
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How one file says what is known of a frame.
type Encode = fn(&mut Target<'_>, &Item<'_>, &Settings) -> Result<(), Failure>;

/// A writer of one file per frame, named by the frame and an ending.
struct PerFrame {
    folder: PathBuf,
    ending: &'static str,
    encode: Encode,
    settings: Settings,
}

impl Writer for PerFrame {
    fn frame(&mut self, item: &Item<'_>, files: &mut Batch) -> Result<()> {
        let path = self.folder.join(format!("{}{}", item.name, self.ending));
        files.write(&path, |w| (self.encode)(w, item, &self.settings))
    }
}

/// The outputs of a run or a recording in one folder.
pub struct Results {
    folder: PathBuf,
    columns: Columns,
    writers: Vec<Box<dyn Writer>>,
    /// Files of complete frames that have no name yet.
    waiting: Batch,
    committed: Option<Instant>,
    failed: bool,
    journal: Option<Journal>,
    /// What the journal will say of the frames that wait.
    notes: Vec<u8>,
}

impl Results {
    /// Outputs in `folder`, which exists.
    ///
    /// # Errors
    /// [`Error::Output`] when nothing can be written there.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self> {
        let mut formats = settings.formats.clone();
        formats.sort();
        formats.dedup();
        let writers = formats.into_iter().map(|format| writer(format, folder, settings)).collect::<Result<_>>()?;
        Ok(Results {
            folder: folder.into(),
            columns: settings.columns.clone(),
            writers,
            waiting: Batch::default(),
            committed: None,
            failed: false,
            journal: None,
            notes: Vec::new(),
        })
    }

    /// Outputs in `folder` that `journal` is kept of: those that it has are taken as done. `each` is told what was noted of them.
    ///
    /// # Errors
    /// [`Error::Output`] when nothing can be written there, or the journal cannot be read.
    pub fn journaled<N: DeserializeOwned>(
        folder: &Path,
        settings: &Settings,
        mut journal: Journal,
        mut each: impl FnMut(N),
    ) -> Result<Self> {
        let mut results = Self::open(folder, settings)?;
        journal.replay(|Entry { note, tables }| {
            each(note);
            results.writers.iter_mut().try_for_each(|writer| writer.again(&tables))
        })?;
        results.journal = Some(journal);
        Ok(results)
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`Error::Output`], of a full disk for instance: nothing of this frame appears, the files of the frames before do, and the collections are
    /// lost; no further frame is taken. [`Error::Usage`] for a frame with a column that was not announced in [`Settings::columns`].
    pub fn frame(&mut self, item: &Item<'_>) -> Result<()> {
        self.noted(item, &())
    }

    /// Writes a frame; if a journal is kept, it has `note` once the frame's files are on the disk.
    ///
    /// # Errors
    /// Those of [`frame`](Self::frame).
    pub fn noted(&mut self, item: &Item<'_>, note: &impl Serialize) -> Result<()> {
        if let Some(extra) = item.extra.iter().find(|extra| !self.columns.extra.contains(&extra.name)) {
            let known = self.columns.extra.join(", ");
            let (frame, column) = (item.name, &extra.name);
            return Err(Error::usage(format!("{frame}: a column `{column}`, expected one of: {known}")));
        }
        self.check()?;
        let mut files = Batch::default();
        if let Err(error) = self.writers.iter_mut().try_for_each(|writer| writer.frame(item, &mut files)) {
            self.failed = true;
            // What they hold makes room for the rest.
            self.writers.clear();
            drop(files);
            // The first error is the one to tell.
            let _ = self.commit();
            return Err(error);
        }
        self.waiting.append(files);
        if self.journal.is_some() {
            let tables = self.writers.iter().filter_map(|writer| writer.last());
            let tables = tables.map(|(name, lines)| (name.into(), String::from_utf8_lossy(lines).into_owned()));
            self.notes.extend(Entry { note, tables: tables.collect() }.line());
        }
        match self.committed {
            Some(at) if at.elapsed() < BETWEEN_COMMITS => Ok(()),
            _ => self.commit(),
        }
    }

    /// Completes all files, and ends the journal; returns the collections' paths.
    ///
    /// # Errors
    /// [`Error::Output`]; nothing incomplete is left behind.
    pub fn finish(mut self) -> Result<Vec<PathBuf>> {
        let paths = self.complete()?;
        self.journal.take().map_or(Ok(()), Journal::end)?;
        Ok(paths)
    }

    /// Completes the collections with the frames so far, and leaves the journal to go on with; returns their paths.
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish).
    pub fn pause(mut self) -> Result<Vec<PathBuf>> {
        self.complete()
    }

    fn complete(&mut self) -> Result<Vec<PathBuf>> {
        self.check()?;
        self.commit()?;
        let mut files = Batch::default();
        for writer in std::mem::take(&mut self.writers) {
            writer.finish(&mut files)?;
        }
        let paths = files.paths();
        files.commit()?;
        Ok(paths)
    }

    /// Lets the files of all complete frames appear now: for a recording that pauses.
    ///
    /// # Errors
    /// [`Error::Output`]; those files are lost then.
    pub fn commit(&mut self) -> Result<()> {
        let mut done = std::mem::take(&mut self.waiting).commit();
        let notes = std::mem::take(&mut self.notes);
        if let (Some(journal), Ok(())) = (&mut self.journal, &done) {
            done = journal.append(&notes);
        }
        self.committed = Some(Instant::now());
        done
    }

    fn check(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::output(&self.folder, std::io::Error::other("an output failed before"))),
            false => Ok(()),
        }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Whoever drops results unfinished has an error of their own; complete frames are kept all the same.
        let _ = self.commit();
        if let Some(journal) = self.journal.take().filter(|journal| !journal.has_frames()) {
            let _ = journal.end();
        }
    }
}

fn writer(format: Format, folder: &Path, settings: &Settings) -> Result<Box<dyn Writer>> {
    let per_frame = |ending, encode: Encode| -> Box<dyn Writer> {
        Box::new(PerFrame { folder: folder.into(), ending, encode, settings: settings.clone() })
    };
    let (columns, own) = (settings.columns.clone(), settings.clone());
    Ok(match format {
        Format::Frames => per_frame("_frame.png", |w, item, _| Ok(picture::encode_frame(w, item.image)?)),
        Format::Masks => per_frame("_mask.png", |w, item, _| Ok(picture::encode_mask(w, item.mask)?)),
        Format::Labels => per_frame("_labels.png", |w, item, _| encode_labels(w, item, LabelFormat::Png)),
        Format::LabelTiff => per_frame("_labels.tif", |w, item, _| encode_labels(w, item, LabelFormat::Tiff)),
        Format::Overlay => {
            per_frame("_overlay.png", |w, item, _| Ok(overlay::encode(w, item.image, &item.found.labels)?))
        }
        Format::Geojson => per_frame(".geojson", |w, item, settings| Ok(geojson::encode(w, item, settings)?)),
        Format::OmeTiff => per_frame(".ome.tif", |w, item, _| Ok(ome_tiff::encode(w, item)?)),
        #[cfg(feature = "zarr")]
        Format::OmeZarr => Box::new(super::ome_zarr::OmeZarr::new(folder)),
        Format::Csv => Box::new(Table::csv(&folder.join("objects.csv"), columns)?),
        Format::Jsonl => Box::new(Table::json_lines(&folder.join("objects.jsonl"), columns)?),
        Format::Ecotaxa => Box::new(EcoTaxa::new(&folder.join("ecotaxa.zip"), own)?),
        Format::Roi => Box::new(imagej::Rois::new(folder)),
        Format::Coco => Box::new(coco::Coco::new(&folder.join("coco.json"), own)?),
    })
}

fn encode_labels(to: &mut Target<'_>, item: &Item<'_>, format: LabelFormat) -> Result<(), Failure> {
    picture::encode_labels(to, &item.found.labels, item.image.width(), format)
}
