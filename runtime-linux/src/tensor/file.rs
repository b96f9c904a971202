//! Tensors in NumPy's files: one in an `.npy`, several by name in an `.npz`.

use std::path::{Path, PathBuf};

use ndarray::ArrayD;
use ndarray_npy::{NpzReader, NpzWriter, ReadNpyExt};

use super::Named;
use super::element::Real;
use crate::error::{Error, Result};
use crate::sink::write_whole;

/// Whether a file is an archive of tensors (`.npz`) and not a single one (`.npy`), by its name.
///
/// # Errors
/// [`Error::Usage`] when it is neither.
pub fn is_archive(path: &Path) -> Result<bool> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => Ok(false),
        Some("npz") => Ok(true),
        _ => Err(Error::usage(format!("{}: expected a file name that ends in .npy or .npz", path.display()))),
    }
}

/// The tensors of a file; that of an `.npy` has no name.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read, or does not hold real numbers.
pub fn read(path: &Path) -> Result<Vec<Named>> {
    let bad = |e: &dyn std::fmt::Display| Error::usage(format!("{}: {e} (expected numbers)", path.display()));
    let named = |name: &str, values: ArrayD<Real>| Named {
        name: name.trim_end_matches(".npy").to_owned(),
        values: values.mapv(|real| real.0),
        is_mask: false,
    };
    let archive = is_archive(path)?;
    let file = std::fs::File::open(path).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
    if !archive {
        let values = ArrayD::read_npy(file).map_err(|e| bad(&e))?;
        return Ok(vec![named("", values)]);
    }
    let mut archive = NpzReader::new(file).map_err(|e| bad(&e))?;
    let names = archive.names().map_err(|e| bad(&e))?;
    names.into_iter().map(|name| Ok(named(&name, archive.by_name(&name).map_err(|e| bad(&e))?))).collect()
}

/// Writes tensors by name to the `.npz` file at `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_archive(path: &Path, tensors: &[Named]) -> Result<()> {
    write_whole(path, |w| {
        let mut archive = NpzWriter::new(w);
        for tensor in tensors {
            archive.add_array(tensor.name.as_str(), &tensor.values)?;
        }
        archive.finish().map(|_| ())
    })
}

/// The files of tensors in a folder, by name.
///
/// # Errors
/// [`Error::Usage`] when the folder cannot be listed.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let bad = |e: std::io::Error| Error::usage(format!("{}: cannot list the folder: {e}", folder.display()));
    let paths = folder.read_dir().map_err(bad)?.map(|entry| Ok(entry.map_err(bad)?.path()));
    let mut files = paths.collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.is_file() && is_archive(path).is_ok());
    files.sort();
    Ok(files)
}
