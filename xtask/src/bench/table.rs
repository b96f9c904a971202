//! What is printed, and what goes on record: `benches/record/MACHINE/DATE.csv`.

use std::path::PathBuf;

use anyhow::Result;
use xshell::{Shell, cmd};

/// A table of text.
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(header: &[&'static str]) -> Table {
        Table { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells at its end stay empty.
    pub fn push(&mut self, mut row: Vec<String>) {
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// All in columns, the first to the left, the others to the right.
    pub fn print(&self) {
        let header: Vec<String> = self.header.iter().map(ToString::to_string).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&header).chain(&self.rows).collect();
        // A failure's sentence in the second column is as long as it is, and widens no column.
        let wide = |row: &&&Vec<String>| row.len() > 2 && !row[2].is_empty();
        let width = |column: usize| {
            let cells = all.iter().filter(wide).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(header[column].len())
        };
        let name = all.iter().map(|row| row[0].chars().count()).max().unwrap_or(0);
        for row in &all {
            let rest = row.iter().enumerate().skip(1);
            let rest = rest.map(|(column, cell)| format!("  {cell:>width$}", width = width(column)));
            println!("  {:name$}{}", row[0], rest.collect::<String>().trim_end());
        }
    }

    /// As CSV.
    fn csv(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<String> = cells.map(quoted).collect();
            cells.join(",") + "\n"
        };
        let mut text = line(&mut self.header.iter().copied());
        self.rows.iter().for_each(|row| text += &line(&mut row.iter().map(String::as_str)));
        text
    }

    /// Writes the table to `benches/record/MACHINE/DATE.csv`; returns where that is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self, sh: &Shell, machine: &str) -> Result<PathBuf> {
        let date = cmd!(sh, "date --utc +%F").quiet().read()?;
        let folder = PathBuf::from("benches/record").join(machine);
        let file = folder.join(format!("{date}.csv"));
        sh.create_dir(&folder)?;
        sh.write_file(&file, self.csv())?;
        Ok(file)
    }
}

fn quoted(cell: &str) -> String {
    let plain = !cell.contains([',', '"', '\n']);
    if plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// A number with three significant digits or so; empty where there is none.
pub fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_csv() {
        let mut table = Table::new(&["name", "ms"]);
        table.push(vec!["a, b".into(), "1".into()]);
        table.push(vec!["says \"no\"".into()]);
        assert_eq!(table.csv(), "name,ms\n\"a, b\",1\n\"says \"\"no\"\"\",\n");
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
