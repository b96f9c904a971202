//! `objects.csv` and `objects.jsonl`: a line per object, under their names when they are finished.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::atomic::Temporary;
use super::journal::Tables;
use super::lines::json_lines;
use super::results::Writer;
use super::{Batch, Columns, Item};
use crate::error::{Error, Result};

/// The lines that a table has of a frame.
type Lines = fn(&Columns, &Item<'_>) -> Vec<u8>;

/// A table that grows frame by frame.
pub(super) struct Table {
    path: PathBuf,
    writer: BufWriter<Temporary>,
    columns: Columns,
    lines: Lines,
    /// Those of the last frame.
    last: Vec<u8>,
}

impl Table {
    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn append(&mut self, lines: &[u8]) -> Result<()> {
        self.writer.write_all(lines).map_err(|e| Error::output(&self.path, e))
    }

    pub fn csv(path: &Path, columns: Columns) -> Result<Self> {
        let first = header(&columns);
        Self::new(path, columns, &first, rows)
    }

    pub fn json_lines(path: &Path, columns: Columns) -> Result<Self> {
        Self::new(path, columns, &[], json_lines)
    }

    fn new(path: &Path, columns: Columns, header: &[u8], lines: Lines) -> Result<Self> {
        let mut writer = BufWriter::new(Temporary::for_path(path)?);
        writer.write_all(header).map_err(|e| Error::output(path, e))?;
        Ok(Table { path: path.into(), writer, columns, lines, last: Vec::new() })
    }
}

impl Writer for Table {
    fn frame(&mut self, item: &Item<'_>, _: &mut Batch) -> Result<()> {
        let lines = (self.lines)(&self.columns, item);
        self.append(&lines)?;
        self.last = lines;
        Ok(())
    }

    fn last(&self) -> Option<(&str, &[u8])> {
        Some((self.name(), &self.last))
    }

    fn again(&mut self, tables: &Tables) -> Result<()> {
        match tables.get(self.name()).cloned() {
            Some(lines) => self.append(lines.as_bytes()),
            None => Ok(()),
        }
    }

    fn finish(self: Box<Self>, files: &mut Batch) -> Result<()> {
        let file = self.writer.into_inner().map_err(|e| Error::output(&self.path, e.into_error()))?;
        files.add(&self.path, file);
        Ok(())
    }
}

/// The header line of a table in CSV.
pub(super) fn header(columns: &Columns) -> Vec<u8> {
    in_csv(|csv| csv.write_record(columns.names()))
}

/// The lines of a frame in CSV.
pub(super) fn rows(columns: &Columns, item: &Item<'_>) -> Vec<u8> {
    in_csv(|csv| {
        item.objects().try_for_each(|(label, object)| {
            let values: Vec<_> = columns.values(item, label, object).collect();
            csv.serialize(values)
        })
    })
}

fn in_csv(write: impl FnOnce(&mut csv::Writer<&mut Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut text);
    // Into memory, and every line has as many fields as the first: it cannot fail.
    let written = write(&mut csv);
    debug_assert!(written.is_ok());
    drop(csv);
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::*;

    #[test]
    fn columns_are_the_keys_of_json() {
        let sample = Sample::new();
        let mut item = sample.item("a, b");
        let extra = sample.extra("focus", 2.5);
        (item.pixel_size_um, item.extra) = (Some(0.5), &extra);
        let columns = Columns { time: false, extra: vec!["focus".into()] };
        let (label, object) = item.objects().next().unwrap();
        let json = serde_json::to_value(columns.object(&item, label, object)).unwrap();
        let text = [header(&columns), rows(&columns, &item)].concat();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        assert_eq!(reader.headers().unwrap().len(), json.as_object().unwrap().len());
        let line: std::collections::HashMap<String, String> = reader.deserialize().next().unwrap().unwrap();
        for (column, value) in json.as_object().unwrap() {
            assert_eq!(line[column], value.as_str().map_or_else(|| value.to_string(), Into::into), "{column}");
        }
        assert_eq!((line["frame"].as_str(), line["focus"].as_str(), line["area_um2"].as_str()), ("a, b", "2.5", "2.0"));
    }
}
