//! Room for results.

use std::path::Path;

use super::Check;

const MIB: u64 = 1 << 20;
/// Less is full after a few minutes of pictures.
const LITTLE: u64 = 1024 * MIB;

/// Whether results can be written to `folder`, and how much.
pub fn disk(folder: &Path) -> Check {
    let what = "disk";
    // A folder that will be made is on the disk of the one that is there.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let Some(place) = absolute.ancestors().find(|path| path.is_dir()) else {
        return Check::problem(what, format!("{}: no such folder", folder.display()), "name another folder by --out");
    };
    if let Err(error) = tempfile::tempfile_in(place) {
        return Check::problem(
            what,
            format!("{}: {error}", place.display()),
            "name a folder by --out that you may write to",
        );
    }
    let free = match rustix::fs::statvfs(place) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            return Check::warning(what, format!("{}: {error}", place.display()), "see how much room there is");
        }
    };
    let found = format!("{} MiB free in {}", free / MIB, place.display());
    if free < LITTLE {
        Check::warning(what, found, "make room, or record tables only")
    } else {
        Check::good(what, found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_folder_to_be_is_on_its_parents_disk() {
        let dir = tempfile::tempdir().unwrap();
        let check = disk(&dir.path().join("a/b"));
        assert!(check.verdict != Verdict::Problem && check.found.contains("MiB free"), "{check:?}");
        assert!(!dir.path().join("a").exists());
    }
}
