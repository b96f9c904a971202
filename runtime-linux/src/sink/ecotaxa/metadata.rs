//! What is known of a sample and of its acquisition, from a TOML file.

use std::path::Path;

use toml::{Table, Value};

use crate::error::{Error, Result};

/// The levels of EcoTaxa's columns that a user can fill.
const LEVELS: [&str; 4] = ["sample", "acq", "process", "object"];

/// Columns of EcoTaxa's table that are the same for all objects, by name.
///
/// In the file they stand under their names (`sample_id = "haul 3"`), or in a table per level (`[sample]`, `id = "haul 3"`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(Vec<(String, Field)>);

/// A value, and whether EcoTaxa takes it as a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub text: String,
    pub is_number: bool,
}

impl Metadata {
    /// Reads `path`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it cannot be read, is no TOML, or names what is no column of EcoTaxa's.
    pub fn read(path: &Path) -> Result<Self> {
        let parse = || {
            let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
            Self::parse(&text)
        };
        parse().map_err(|reason| Error::usage(format!("{}: {reason}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            format!("line {line}: {}", e.message())
        })?;
        let mut fields = Vec::new();
        for (key, value) in table {
            match value {
                Value::Table(level) if LEVELS.contains(&key.as_str()) => {
                    for (name, value) in level {
                        fields.push(field(format!("{key}_{name}"), value)?);
                    }
                }
                value => fields.push(field(key, value)?),
            }
        }
        Ok(Metadata(fields))
    }

    /// The value of a column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, field)| field.text.as_str())
    }

    /// All columns.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field))
    }
}

fn field(name: String, value: Value) -> Result<(String, Field), String> {
    let level = LEVELS.into_iter().find(|level| name.strip_prefix(level).is_some_and(|rest| rest.starts_with('_')));
    let Some(level) = level else {
        return Err(format!("`{name}`: expected a name that begins with sample_, acq_, process_ or object_"));
    };
    let (text, number) = match value {
        Value::String(text) => (text, false),
        Value::Integer(number) => (number.to_string(), true),
        Value::Float(number) if number.is_finite() => (number.to_string(), true),
        Value::Boolean(flag) => (flag.to_string(), false),
        Value::Datetime(time) => (time.to_string(), false),
        _ => return Err(format!("`{name}`: expected a text, a number, a date or a flag")),
    };
    if text.contains(['\t', '\n', '\r']) {
        return Err(format!("`{name}`: expected a text of one line, without tabs"));
    }
    // Of free columns, EcoTaxa has numbers for objects only.
    Ok((name, Field { text, is_number: number && level == "object" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_it() {
        let found =
            Metadata::parse("acq_minimum_mesh = 20\n[object]\nlat = -21.5\n[sample]\nid = \"haul 3\"\n").unwrap();
        let field = |text: &str, is_number| Field { text: text.into(), is_number };
        assert_eq!(
            found.0,
            [
                ("acq_minimum_mesh".into(), field("20", false)),
                ("object_lat".into(), field("-21.5", true)),
                ("sample_id".into(), field("haul 3", false)),
            ]
        );
    }

    #[test]
    fn what_is_no_column_is_refused() {
        for (text, reason) in [
            ("ship = \"Tara\"", "`ship`: expected a name that begins with"),
            ("a = 1\nb = ", "line 2: "),
            ("sample_id = [1]", "`sample_id`: expected a text, a number"),
            ("sample_id = \"a\\tb\"", "of one line"),
        ] {
            let error = Metadata::parse(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
