//! A folder that another program adds images to.
//!
//! A file counts once it is complete: when its writer closed it, or when it was renamed into the folder. What was there before the watch
//! began is not new.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::{Camera, Shot, Trouble};
use crate::source;

/// Extensions of images; another program's notes are none.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// A watched folder.
pub struct Folder {
    path: PathBuf,
    events: Receiver<notify::Result<Event>>,
    /// Files that are complete; further pages of a stack come before further files.
    ready: std::collections::VecDeque<PathBuf>,
    open: Option<(PathBuf, source::Pages)>,
    /// What was ready last, and when it had been written: a file that is renamed while it is open is closed after that.
    last: Option<(PathBuf, SystemTime)>,
    _watcher: RecommendedWatcher,
}

impl Folder {
    /// # Errors
    /// When the folder cannot be watched.
    pub fn watch(path: &Path) -> Result<Self, String> {
        let (sender, events) = channel();
        let bad = |e: notify::Error| format!("{}: cannot be watched: {e}", path.display());
        // Whoever hung up needs no events.
        let mut watcher = notify::recommended_watcher(move |event| drop(sender.send(event))).map_err(bad)?;
        watcher.watch(path, RecursiveMode::NonRecursive).map_err(bad)?;
        Ok(Folder { path: path.into(), events, ready: Default::default(), open: None, last: None, _watcher: watcher })
    }

    fn note(&mut self, event: Event) {
        let complete = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => event.paths.first(),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => event.paths.first(),
            _ => None,
        };
        let is_image = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            !name.starts_with('.') && EXTENSIONS.contains(&&*extension)
        };
        let Some(path) = complete.filter(is_image) else { return };
        let version = (path.clone(), written(path));
        if self.last.as_ref() != Some(&version) {
            self.ready.push_back(path.clone());
            self.last = Some(version);
        }
    }

    /// The next page of what is open or ready.
    fn page(&mut self) -> Option<Result<Shot, Trouble>> {
        loop {
            if let Some((path, pages)) = &mut self.open {
                match pages.next() {
                    Some(Ok(image)) => return Some(Ok(shot(path, image))),
                    Some(Err(error)) => return Some(Err(Trouble::Spoilt(error.to_string()))),
                    None => self.open = None,
                }
            }
            let path = self.ready.pop_front()?;
            match source::open(&path) {
                Ok(pages) => self.open = Some((path, pages)),
                Err(error) => return Some(Err(Trouble::Spoilt(error.to_string()))),
            }
        }
    }
}

/// When the file was last written to; now, where it is gone already.
fn written(path: &Path) -> SystemTime {
    path.metadata().and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now())
}

fn shot(path: &Path, image: source::Image) -> Shot {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Shot { taken: written(path), name, ..Shot::now(image) }
}

impl Camera for Folder {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        if let Some(result) = self.page() {
            return result;
        }
        match self.events.recv_timeout(patience) {
            Ok(Ok(event)) => self.note(event),
            Ok(Err(error)) => return Err(Trouble::Gone(format!("{}: {error}", self.path.display()))),
            Err(RecvTimeoutError::Timeout) if self.path.is_dir() => {}
            Err(_) => return Err(Trouble::Gone(format!("{}: no such folder any more", self.path.display()))),
        }
        self.page().unwrap_or(Err(Trouble::Late))
    }

    fn describe(&self) -> String {
        format!("images added to {}", self.path.display())
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Channels, Image, Samples};

    const LONG: Duration = Duration::from_secs(20);

    fn next(folder: &mut Folder) -> Result<Shot, Trouble> {
        std::iter::repeat_with(|| folder.next(LONG)).find(|next| !matches!(next, Err(Trouble::Late))).unwrap()
    }

    #[test]
    fn complete_images_come_in_order_and_other_files_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let image = |value| Image::new(1, 2, Channels::Grey, Samples::U8(vec![value, 0])).unwrap();
        crate::sink::frame(&dir.path().join("old.png"), &image(1)).unwrap();
        let mut folder = Folder::watch(dir.path()).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "nothing").unwrap();
        std::fs::write(dir.path().join("bad.png"), "nothing").unwrap();
        // Written elsewhere in the folder and renamed, as most programs do that care.
        crate::sink::frame(&dir.path().join("a.png"), &image(2)).unwrap();
        std::fs::copy(dir.path().join("a.png"), dir.path().join("b.png")).unwrap();
        assert!(matches!(next(&mut folder), Err(Trouble::Spoilt(reason)) if reason.contains("bad.png")));
        let names: Vec<_> = (0..2).map(|_| next(&mut folder).unwrap().name.unwrap()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(matches!(folder.next(Duration::from_millis(1)), Err(Trouble::Late)));
    }

    #[test]
    fn a_folder_that_goes_away_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::watch(dir.path()).unwrap();
        dir.close().unwrap();
        let gone = std::iter::repeat_with(|| folder.next(Duration::from_millis(20)))
            .find(|next| !matches!(next, Err(Trouble::Late)));
        assert!(matches!(gone, Some(Err(Trouble::Gone(_)))));
    }
}
