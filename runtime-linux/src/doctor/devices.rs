//! Cameras and pins: whether they are there, and whether this user may use them.

use std::fs::{OpenOptions, read_dir, read_to_string};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Check;

/// Files of a folder whose names begin so, in order.
fn named(folder: &Path, start: &str) -> Vec<PathBuf> {
    let entries = read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)));
    paths.sort();
    paths
}

/// Why a device cannot be opened for reading and writing.
fn refused(path: &Path) -> Option<ErrorKind> {
    OpenOptions::new().read(true).write(true).open(path).err().map(|error| error.kind())
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// V4L2 devices.
pub fn cameras(root: &Path) -> Check {
    let what = "cameras";
    let devices = named(&root.join("dev"), "video");
    if devices.is_empty() {
        return Check::absent(
            what,
            "no /dev/video*: plug a USB camera in; a Raspberry Pi's own camera comes by `rpicam-vid -o - | microtome live --source -`",
        );
    }
    let denied: Vec<PathBuf> =
        devices.iter().filter(|path| refused(path) == Some(ErrorKind::PermissionDenied)).cloned().collect();
    if !denied.is_empty() {
        let advice = "sudo usermod -aG video $USER, and log in again";
        return Check::problem(what, format!("{} may not be used", list(&denied)), advice);
    }
    Check::good(what, list(&devices))
}

/// A Raspberry Pi's pins.
pub fn gpio(root: &Path) -> Check {
    let what = "pins";
    let model = read_to_string(root.join("proc/device-tree/model")).unwrap_or_default();
    let model = model.trim_end_matches('\0');
    if !model.starts_with("Raspberry Pi") {
        return Check::absent(what, "this is no Raspberry Pi: no light, trigger or pump is driven");
    }
    let devices = [named(&root.join("dev"), "gpiomem"), named(&root.join("dev"), "gpiochip")].concat();
    if devices.is_empty() {
        return Check::problem(what, format!("{model} without /dev/gpiomem"), "run a kernel for this board");
    }
    if devices.iter().all(|path| refused(path) == Some(ErrorKind::PermissionDenied)) {
        let advice = "sudo usermod -aG gpio $USER, and log in again";
        return Check::problem(what, format!("{} may not be used", list(&devices)), advice);
    }
    Check::good(what, model)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_is_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!([cameras(root), gpio(root)].map(|check| check.verdict), [Verdict::Absent; 2]);
        for folder in ["dev", "proc/device-tree"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("dev/video1"), "").unwrap();
        std::fs::write(root.join("dev/video0"), "").unwrap();
        std::fs::write(root.join("proc/device-tree/model"), "Raspberry Pi 4 Model B\0").unwrap();
        let cameras = cameras(root);
        assert_eq!(cameras.verdict, Verdict::Good);
        assert!(cameras.found.find("video0") < cameras.found.find("video1"), "{}", cameras.found);
        assert_eq!(gpio(root).verdict, Verdict::Problem);
        std::fs::write(root.join("dev/gpiomem"), "").unwrap();
        assert_eq!((gpio(root).verdict, gpio(root).found.as_str()), (Verdict::Good, "Raspberry Pi 4 Model B"));
    }
}
