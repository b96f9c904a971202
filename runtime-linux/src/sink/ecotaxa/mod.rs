//! `ecotaxa.zip`: what EcoTaxa imports. A table with a line per object, and a vignette for each.
//!
//! Columns and their meaning are those of the PlanktoScope's segmenter where it has them (lengths in pixels, `process_pixel` in µm per pixel), with
//! what is known of sample and acquisition repeated on each line. Vignettes go to the archive as frames come, and the table, which waits in a
//! file without a name, at the end.

mod glyphs;
mod metadata;
mod table;
mod vignette;

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

pub use metadata::Metadata;
use table::Table;
use vignette::Vignettes;

use super::archive::Archive;
use super::atomic::{folder_of, underlying};
use super::results::Writer;
use super::{Batch, Item, Settings};
use crate::error::{Error, Result};

pub(super) struct EcoTaxa {
    path: PathBuf,
    settings: Settings,
    archive: Archive,
    table: Table,
    lines: BufWriter<File>,
}

impl EcoTaxa {
    pub fn new(path: &Path, settings: Settings) -> Result<Self> {
        let fail = |e: io::Error| Error::output(path, underlying(e.into()));
        let archive = Archive::new(path)?;
        let table = Table::new(&settings);
        let mut lines = BufWriter::new(tempfile::tempfile_in(folder_of(path)).map_err(fail)?);
        lines.write_all(&table.header()).map_err(fail)?;
        Ok(EcoTaxa { path: path.into(), settings, archive, table, lines })
    }
}

impl Writer for EcoTaxa {
    fn frame(&mut self, item: &Item<'_>, _: &mut Batch) -> Result<()> {
        let vignettes = Vignettes::of(item);
        for (label, object) in item.objects() {
            let file = format!("{}_{label:05}.png", item.name);
            let vignette = vignettes.encode(object).map_err(|e| Error::output(&self.path, underlying(e.into())))?;
            self.archive.store(&file, &vignette)?;
            let line = self.table.line(&file, item, label, object, &self.settings);
            self.lines.write_all(&line).map_err(|e| Error::output(&self.path, e))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, files: &mut Batch) -> Result<()> {
        let fail = |e| Error::output(&self.path, e);
        let mut lines = self.lines.into_inner().map_err(|e| fail(e.into_error()))?;
        lines.rewind().map_err(fail)?;
        // EcoTaxa takes tables whose names begin so; a name for each acquisition lets it import a folder of archives at once.
        let name = match self.settings.metadata.text("acq_id") {
            Some(id) => format!("ecotaxa_{}.tsv", id.replace(|c: char| !c.is_alphanumeric() && c != '-', "_")),
            None => "ecotaxa_export.tsv".into(),
        };
        self.archive.deflate(&name, &mut lines)?;
        self.archive.finish(files)
    }
}
