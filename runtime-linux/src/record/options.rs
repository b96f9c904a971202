//! What a recording keeps.

use std::path::PathBuf;

use crate::error::Result;
use crate::live::Worker;
use crate::sink::{Columns, Format, Metadata, Settings};

/// Formats, and what is known of the sample, as the command line says it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// What recordings keep, separated by commas
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', default_values_t = Format::RECORDED)]
    format: Vec<Format>,
    /// For --format ecotaxa: a TOML file with what is known of the sample, under the names of EcoTaxa's columns
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
}

impl Options {
    /// The same with the metadata read.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::error::Error::Usage) when that cannot be.
    pub fn keep(&self) -> Result<Keep> {
        let metadata = self.metadata.as_deref().map(Metadata::read).transpose()?.unwrap_or_default();
        Ok(Keep { formats: self.format.clone(), metadata })
    }
}

/// What recordings keep, whatever they are of.
#[derive(Debug, Clone, Default)]
pub struct Keep {
    /// The outputs.
    pub formats: Vec<Format>,
    /// What is known of the sample and its acquisition.
    pub metadata: Metadata,
}

impl Keep {
    /// The settings of a recording of what `worker` makes.
    pub fn of(&self, worker: &Worker) -> Settings {
        let columns = Columns { time: true, extra: worker.analysis().columns().map(String::from).collect() };
        let classes = worker.model().classes.clone();
        Settings { formats: self.formats.clone(), classes, columns, metadata: self.metadata.clone() }
    }
}
