//! Names for outputs, each given once.

use std::collections::HashSet;
use std::path::Path;

/// Names that outputs have.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name for the outputs of a file, or of the stack in it: its stem, and a number where two folders have files of the same name.
    pub fn file(&mut self, file: &Path) -> String {
        self.unique(file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// A name for the outputs of one page.
    pub fn page(&mut self, stack: &str, number: usize) -> String {
        self.unique(format!("{stack}_p{number:04}"))
    }

    fn unique(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut copies = 1;
        while !self.0.insert(name.clone()) {
            copies += 1;
            name = format!("{wanted}-{copies}");
        }
        name
    }
}
