//! The models that can be chosen: the bundled one, the one that the command was started with, and the plans of a folder.
//!
//! Invariant: a name that comes from a client is compared with the list, and never becomes a path.

use std::path::{Path, PathBuf};

use crate::engine::{BUNDLED_NAME, Options};
use crate::error::{Error, Result};

/// Plans by name.
pub struct Models {
    folder: Option<PathBuf>,
    /// The model at the start, if it is not the bundled one.
    first: Option<PathBuf>,
    /// How that one is opened.
    options: Options,
}

/// A model, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What to call it.
    pub name: String,
    /// Its file; none for the bundled one.
    pub path: Option<PathBuf>,
}

impl Models {
    /// The plans of `folder`, if there is one, and the model that is run at first.
    ///
    /// # Errors
    /// [`Error::Usage`] when the folder cannot be listed.
    pub fn new(folder: Option<PathBuf>, first: Option<PathBuf>, options: Options) -> Result<Self> {
        if let Some(folder) = &folder {
            std::fs::read_dir(folder).map_err(|e| Error::usage(format!("--models {}: {e}", folder.display())))?;
        }
        Ok(Models { folder, first, options })
    }

    /// All of them, as the folder is now: `NAME.mtm` in it, and `NAME/model.mtm` one level below, as in the zoo.
    pub fn list(&self) -> Vec<Choice> {
        let bundled = Choice { name: BUNDLED_NAME.into(), path: None };
        let mut found: Vec<Choice> = self.folder.iter().flat_map(|folder| plans(folder)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut all: Vec<Choice> = Vec::new();
        for choice in [bundled, self.first()].into_iter().chain(found) {
            if all.iter().all(|other| other.path != choice.path && other.name != choice.name) {
                all.push(choice);
            }
        }
        all
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<Choice> {
        self.list().into_iter().find(|choice| choice.name == name)
    }

    /// The one that is run at first.
    pub fn first(&self) -> Choice {
        match &self.first {
            Some(path) => Choice { name: name_of(path), path: Some(path.clone()) },
            None => Choice { name: BUNDLED_NAME.into(), path: None },
        }
    }

    /// How to open it: the command's options are about its own model.
    pub fn options(&self, choice: &Choice) -> Options {
        if choice.path == self.first { self.options.clone() } else { Options::default() }
    }
}

fn plans(folder: &Path) -> Vec<Choice> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let plan = |path: PathBuf| path.is_file().then(|| Choice { name: name_of(&path), path: Some(path) });
    let at = |path: PathBuf| {
        if path.extension().is_some_and(|it| it == "mtm") { plan(path) } else { plan(path.join("model.mtm")) }
    };
    entries.filter_map(|entry| at(entry.path())).collect()
}

/// The file's stem, or its folder's name where all are called alike.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().filter(|stem| *stem != "model");
    let parent = || path.parent().and_then(Path::file_name);
    stem.or_else(parent).unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_found_by_name_and_by_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("models");
        std::fs::create_dir_all(folder.join("phase")).unwrap();
        for file in ["models/b.mtm", "models/phase/model.mtm", "models/notes.txt", "outside.mtm"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let threshold = Options { threshold: Some(0.7), ..Options::default() };
        let models = Models::new(Some(folder.clone()), Some("x/own.mtm".into()), threshold.clone()).unwrap();
        let names: Vec<String> = models.list().into_iter().map(|choice| choice.name).collect();
        assert_eq!(names, [BUNDLED_NAME, "own", "b", "phase"]);
        assert_eq!(models.named("phase").unwrap().path, Some(folder.join("phase/model.mtm")));
        for name in ["../outside", "../outside.mtm", "phase/model.mtm", "", "/etc/passwd", "notes"] {
            assert_eq!(models.named(name), None, "{name}");
        }
        assert_eq!(models.first().name, "own");
        let thresholds = models.list().iter().map(|choice| models.options(choice).threshold).collect::<Vec<_>>();
        assert_eq!(thresholds, [None, Some(0.7), None, None]);
        assert!(Models::new(Some("no/such/folder".into()), None, Options::default()).is_err());
    }
}
