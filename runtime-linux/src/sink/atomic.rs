//! Whole files: written to a temporary name, made durable, renamed. Whoever looks sees the old file or the new one, never a part, also
//! after a power cut.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

#[cfg(feature = "zarr")]
use tempfile::TempDir;
use tempfile::TempPath;

use crate::error::{Error, Result};

/// What a writer writes to.
pub type Target<'f> = BufWriter<&'f mut File>;

/// Writes the file at `path` through `write`.
///
/// # Errors
/// [`Error::Output`]; nothing is left behind then.
pub fn write_whole<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    path: &Path,
    write: impl FnOnce(&mut Target<'_>) -> Result<(), E>,
) -> Result<()> {
    let mut batch = Batch::default();
    batch.write(path, write)?;
    batch.commit()
}

/// Files and folders that get their names together, after one wait for the disk: on an SD card each wait costs tens of milliseconds.
/// Whatever was not committed is removed.
#[derive(Default)]
pub struct Batch {
    waiting: Vec<(PathBuf, Written)>,
}

/// Something complete under a temporary name.
enum Written {
    // By name only: a batch may have more files than a process may hold open.
    File(TempPath),
    #[cfg(feature = "zarr")]
    Folder(TempDir),
}

impl Batch {
    /// Writes a file that will be `path`.
    ///
    /// # Errors
    /// [`Error::Output`]; nothing of this file is left behind then.
    pub fn write<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut Target<'_>) -> Result<(), E>,
    ) -> Result<()> {
        let fail = |e: io::Error| Error::output(path, e);
        let mut temporary = Temporary::for_path(path)?;
        let mut writer = BufWriter::new(&mut temporary.file);
        write(&mut writer).map_err(|e| fail(underlying(e.into())))?;
        writer.flush().map_err(fail)?;
        drop(writer);
        self.add(path, temporary);
        Ok(())
    }

    /// Takes a complete temporary file in the folder of `path`.
    pub(super) fn add(&mut self, path: &Path, file: Temporary) {
        self.waiting.push((path.into(), Written::File(file.name)));
    }

    /// Takes a complete temporary folder in the folder of `path`.
    #[cfg(feature = "zarr")]
    pub(super) fn add_folder(&mut self, path: &Path, folder: TempDir) {
        self.waiting.push((path.into(), Written::Folder(folder)));
    }

    /// Takes what waits in `other`.
    pub(super) fn append(&mut self, other: Batch) {
        self.waiting.extend(other.waiting);
    }

    /// The names of what waits.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.waiting.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Puts everything under its name, after it has reached the disk.
    ///
    /// # Errors
    /// [`Error::Output`] for the first that fails; it and those after it are removed.
    pub fn commit(self) -> Result<()> {
        let Some((first, _)) = self.waiting.first() else { return Ok(()) };
        let first = first.clone();
        settle(&self.waiting).map_err(|e| Error::output(&first, e))?;
        let mut folders: Vec<PathBuf> = Vec::new();
        for (path, written) in self.waiting {
            let named = match written {
                Written::File(name) => name.persist(&path).map_err(|e| e.error),
                #[cfg(feature = "zarr")]
                Written::Folder(folder) => replace(folder, &path),
            };
            named.map_err(|e| Error::output(&path, e))?;
            let folder = folder_of(&path);
            if !folders.iter().any(|known| known == folder) {
                folders.push(folder.into());
            }
        }
        // A name is durable when its folder is.
        folders
            .iter()
            .try_for_each(|folder| File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::output(folder, e)))
    }
}

/// Waits until all that was written is on the disk. One file is cheaper alone; for more, a pass over the file system beats a wait for each.
#[cfg(target_os = "linux")]
fn settle(waiting: &[(PathBuf, Written)]) -> io::Result<()> {
    if let [(_, Written::File(name))] = waiting {
        return File::open(name)?.sync_all();
    }
    let mut folders: Vec<&Path> = waiting.iter().map(|(path, _)| folder_of(path)).collect();
    folders.dedup();
    folders.into_iter().try_for_each(|folder| Ok(rustix::fs::syncfs(File::open(folder)?)?))
}

/// Waits until all that was written is on the disk.
#[cfg(not(target_os = "linux"))]
fn settle(waiting: &[(PathBuf, Written)]) -> io::Result<()> {
    #[cfg(feature = "zarr")]
    fn below(folder: &Path) -> io::Result<()> {
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.is_dir() { below(&path)? } else { File::open(path)?.sync_all()? }
        }
        Ok(())
    }
    waiting.iter().try_for_each(|(_, written)| match written {
        Written::File(name) => File::open(name)?.sync_all(),
        #[cfg(feature = "zarr")]
        Written::Folder(folder) => below(folder.path()),
    })
}

/// Gives a temporary folder its name. The folder that had it is gone only when the new one is there.
#[cfg(feature = "zarr")]
fn replace(folder: TempDir, path: &Path) -> io::Result<()> {
    let old = match path.symlink_metadata() {
        Ok(_) => {
            let aside = temporary_folder(folder_of(path))?;
            std::fs::rename(path, aside.path().join("old"))?;
            Some(aside)
        }
        Err(_) => None,
    };
    std::fs::rename(folder.path(), path)?;
    let _ = folder.keep();
    drop(old);
    Ok(())
}

/// The folder of a file; a bare name lies in the current one.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The operating system's error inside of an encoder's, where there is one: its sentence is the one that helps.
pub(super) fn underlying(error: Box<dyn std::error::Error + Send + Sync>) -> io::Error {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(e) = inner {
        let io = e.downcast_ref::<io::Error>();
        if let Some(code) = io.and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(code);
        }
        // The source of an I/O error is that of the error it carries, so that one would be skipped.
        inner = match io.and_then(io::Error::get_ref) {
            Some(carried) => Some(carried),
            None => e.source(),
        };
    }
    io::Error::other(error)
}

/// A file that is removed unless it gets its name.
pub(super) struct Temporary {
    // Apart from its name: `NamedTempFile` would wrap the operating system's errors.
    file: File,
    name: TempPath,
}

impl Temporary {
    /// An empty one in the folder of `path`, with the permissions of an ordinary file.
    pub fn for_path(path: &Path) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).rand_bytes(RANDOM);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The umask takes away what the user does not want to share; tempfile's own default is 0600.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder_of(path)).map_err(|e| Error::output(path, underlying(e.into())))?;
        let (file, name) = file.into_parts();
        Ok(Temporary { file, name })
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Temporary {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Removes the temporary files and folders that a process left in `folder` when it was killed. Nobody else may be writing there.
pub(super) fn remove_temporaries(folder: &Path) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if !random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric())) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A temporary folder in `folder`, with the permissions of an ordinary one.
#[cfg(feature = "zarr")]
pub(super) fn temporary_folder(folder: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(folder)
}

/// What the names of temporaries begin with.
const PREFIX: &str = ".microtome-";
/// Random letters and digits in them.
const RANDOM: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write_whole(&path, |w| w.write_all(b"old")).unwrap();
        let error = write_whole(&path, |w| w.write_all(b"ne").and(Err(io::Error::other("disk full")))).unwrap_err();
        assert!(error.to_string().ends_with("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_batch_appears_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b"].map(|name| dir.path().join(name));
        let filled = || {
            let mut batch = Batch::default();
            names.iter().for_each(|name| batch.write(name, |w| w.write_all(b"x")).unwrap());
            batch
        };
        let batch = filled();
        assert!(names.iter().all(|name| !name.exists()));
        drop(batch);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
        filled().commit().unwrap();
        assert!(names.iter().all(|name| name.exists()));
        assert_eq!(dir.path().read_dir().unwrap().count(), 2);
    }

    #[cfg(feature = "zarr")]
    #[test]
    fn a_folder_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.zarr");
        for content in ["old", "new"] {
            let folder = temporary_folder(dir.path()).unwrap();
            std::fs::write(folder.path().join(content), content).unwrap();
            replace(folder, &path).unwrap();
        }
        assert!(path.join("new").exists() && !path.join("old").exists());
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn the_operating_systems_sentence_is_the_one_shown() {
        let full = io::Error::from_raw_os_error(28);
        let wrapped = io::Error::other(zip::result::ZipError::from(full));
        assert_eq!(underlying(wrapped.into()).raw_os_error(), Some(28));
    }
}
