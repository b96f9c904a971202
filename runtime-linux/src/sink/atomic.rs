//! Whole files.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// What a writer writes to.
pub type Target<'f> = BufWriter<&'f mut std::fs::File>;

/// Writes the file at `path` through `write`: to a temporary file in the same folder, which takes the name only when all is written.
/// Whoever looks sees the old file or the new one, never a part.
///
/// # Errors
/// [`Error::Output`]; nothing is left behind then.
pub fn write_whole<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    path: &Path,
    write: impl FnOnce(&mut Target<'_>) -> Result<(), E>,
) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |e: std::io::Error| Error::output(path, e);
    let mut temporary = temporary(folder).map_err(fail)?;
    let mut writer = BufWriter::new(temporary.as_file_mut());
    write(&mut writer).map_err(|e| fail(std::io::Error::other(e)))?;
    writer.flush().map_err(fail)?;
    drop(writer);
    temporary.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// A temporary file in `folder`, with the permissions of an ordinary one.
pub(super) fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".microtome-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask takes away what the user does not want to share; tempfile's own default is 0600.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write_whole(&path, |w| w.write_all(b"old")).unwrap();
        let error =
            write_whole(&path, |w| w.write_all(b"ne").and(Err(std::io::Error::other("disk full")))).unwrap_err();
        assert!(error.to_string().ends_with("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }
}
