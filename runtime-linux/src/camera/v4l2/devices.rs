//! Which cameras there are, and what opening one says.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ENODEV, Offer, offer};

/// A /dev/video node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its path.
    pub path: PathBuf,
    /// What the driver calls it.
    pub name: String,
    /// What it offers; empty where it is no camera but, say, a camera's second node, or a codec.
    pub offers: Vec<Offer>,
    /// Why it could not be asked, in one sentence.
    pub fault: Option<String>,
}

/// The nodes of this machine, in the order of their numbers.
pub fn devices() -> Vec<Device> {
    let ask = |path: PathBuf| {
        let (offers, fault) = match open(&path) {
            Ok(device) => (offer::of(&device), None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        Device { name: name(&path), path, offers, fault }
    };
    nodes().into_iter().map(ask).collect()
}

fn nodes() -> Vec<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("video")?.parse::<u32>().ok();
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut nodes: Vec<(u32, PathBuf)> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// What the driver calls a node; its file's name where that cannot be read.
pub fn name(path: &Path) -> String {
    // /dev/v4l/by-id has links.
    let node = path.canonicalize().unwrap_or_else(|_| path.into());
    let file = node.file_name().unwrap_or_default();
    let name = std::fs::read(Path::new("/sys/class/video4linux").join(file).join("name"));
    name.map_or_else(|_| file.to_string_lossy().into_owned(), |name| String::from_utf8_lossy(&name).trim().to_owned())
}

/// Opens a node.
pub fn open(path: &Path) -> Result<moq_v4l::Device, String> {
    moq_v4l::Device::with_path(path).map_err(|error| fault(path, &error))
}

/// What is wrong with a node, in a sentence that says what to do about it.
pub fn fault(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("{path}: there is no such device; {}", those_there()),
        io::ErrorKind::PermissionDenied => format!("{path}: permission denied: add the user to the group video"),
        io::ErrorKind::ResourceBusy => format!("{path}: the camera is in use by another program"),
        _ if error.raw_os_error() == Some(ENODEV) => format!("{path}: the camera is gone (unplugged?)"),
        _ => format!("{path}: {error}"),
    }
}

/// What a node without frames is told.
pub fn no_camera(path: &Path) -> String {
    format!("{} ({}) is no camera: it captures no frames; {}", path.display(), name(path), those_there())
}

fn those_there() -> String {
    let all: Vec<String> = nodes().iter().map(|path| format!("{} ({})", path.display(), name(path))).collect();
    if all.is_empty() { "there is no /dev/video at all".into() } else { format!("there are {}", all.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_what_to_do() {
        let path = Path::new("/dev/video99");
        let said = |kind| fault(path, &io::Error::from(kind));
        assert!(said(io::ErrorKind::PermissionDenied).ends_with("add the user to the group video"));
        assert!(said(io::ErrorKind::ResourceBusy).contains("another program"));
        assert!(fault(path, &io::Error::from_raw_os_error(ENODEV)).contains("unplugged"));
        assert!(open(Path::new("/dev/video99999")).err().unwrap().contains("no such device; there "));
    }

    #[test]
    fn a_file_is_no_camera() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let device = open(file.path()).unwrap();
        assert!(offer::of(&device).is_empty());
        assert!(no_camera(file.path()).contains("is no camera"));
    }
}
