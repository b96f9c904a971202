//! From what the user typed to a list of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// File name extensions that [`super::open`] reads, in lower case.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

fn is_image(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// The images of a folder (not of its subfolders), by name.
fn folder(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = dir.read_dir().map_err(|e| Error::input(dir, format!("cannot list the folder: {e}")))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::input(dir, format!("cannot list the folder: {e}")))?.path();
        if is_image(&path) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The files that `inputs` name, in the order given and each once: a file stands for itself, a folder for its images, and whatever does
/// not exist under its own name for the files that match it as a pattern (`*`, `?`, `[…]`, `**`).
///
/// An input that gives no file is an error of its own; the others are still found.
pub fn find(inputs: &[PathBuf]) -> (Vec<PathBuf>, Vec<Error>) {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut errors = Vec::new();
    for input in inputs {
        match find_one(input) {
            Ok(found) => files.extend(found),
            Err(error) => errors.push(error),
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    (files, errors)
}

fn find_one(input: &Path) -> Result<Vec<PathBuf>> {
    if input.is_dir() {
        let found = folder(input)?;
        return match found.is_empty() {
            true => Err(Error::input(
                input,
                format!("the folder has no image (expected one of .{})", EXTENSIONS.join(", .")),
            )),
            false => Ok(found),
        };
    }
    if input.exists() {
        return Ok(vec![input.into()]);
    }
    let pattern = input.to_str().ok_or_else(|| Error::input(input, "no such file"))?;
    if !pattern.contains(['*', '?', '[']) {
        return Err(Error::input(input, "no such file or folder"));
    }
    let matches = glob::glob(pattern).map_err(|e| Error::input(input, format!("not a valid pattern: {e}")))?;
    let found: Vec<PathBuf> =
        matches.filter_map(std::result::Result::ok).filter(|path| is_image(path) && path.is_file()).collect();
    match found.is_empty() {
        true => Err(Error::input(input, "no image matches the pattern")),
        false => Ok(found),
    }
}

/// The images of a folder by their name without extension.
///
/// # Errors
/// When the folder cannot be listed, has no image, or two images differ in their extension only.
pub fn images_by_stem(dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut by_stem = BTreeMap::new();
    for path in find_one(dir)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = by_stem.insert(stem, path.clone()) {
            return Err(Error::input(path, format!("has the same name as {} but for the extension", other.display())));
        }
    }
    Ok(by_stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns_each_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.TIF", "c.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let inputs = [
            dir.path().join("b.png"),
            dir.path().into(),
            dir.path().join("*.png"),
            dir.path().join("none*"),
            dir.path().join("gone.png"),
        ];
        let (files, errors) = find(&inputs);
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["b.png", "a.TIF"]);
        assert_eq!(errors.len(), 2);
        assert!(errors[0].to_string().ends_with("no image matches the pattern"));
        assert!(errors[1].to_string().ends_with("no such file or folder"));
    }
}
