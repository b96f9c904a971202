//! The frames of all inputs, in their order.
//!
//! Invariant: which frames there are, in which order and under which names, follows from the list of files alone; what was done before, or
//! cannot be read, takes its name all the same. So the outputs are the same however often a run was interrupted.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::names::Names;
use crate::error::Error;
use crate::source::{Image, Pages, open};

/// Where a frame comes from, and what its outputs are called.
#[derive(Clone)]
pub(super) struct Origin {
    pub file: Arc<Path>,
    pub name: String,
    /// The stem of its stack's outputs and its page, from 1, if it is of a stack.
    pub page: Option<(Arc<str>, usize)>,
}

/// What comes of the inputs, with frames as `F`.
pub(super) enum Event<F> {
    Frame(F),
    Note(Note),
}

/// What comes of them besides frames.
pub(super) enum Note {
    /// A file, or a page of one, that cannot be read.
    Failed(Error),
    /// So many more frames than files are to be expected.
    More(usize),
    /// A frame that was done before.
    Passed,
}

/// Frames that were done before, by file and page.
pub(super) type Done = HashSet<(PathBuf, usize)>;

/// All inputs.
pub(super) struct Source<'r> {
    pub files: &'r [PathBuf],
    pub done: &'r Done,
    /// Ends it, when raised.
    pub stop: &'r AtomicBool,
    /// Whether it matters how many pages a stack has.
    pub count: bool,
}

impl Source<'_> {
    /// Gives everything to `take`, up to the first error of its; returns whether that was all, which it is not where it was stopped.
    pub fn each<E>(&self, mut take: impl FnMut(Event<(Origin, Image)>) -> Result<(), E>) -> Result<bool, E> {
        let mut names = Names::default();
        for file in self.files {
            let stem: Arc<str> = names.file(file).into();
            let mut reader = match open(file) {
                Ok(pages) => Reader { file: file.as_path().into(), stem, pages, page: 0 },
                Err(error) => {
                    take(Event::Note(Note::Failed(error)))?;
                    continue;
                }
            };
            if self.count {
                let more = reader.pages.left().saturating_sub(1);
                take(Event::Note(Note::More(more)))?;
            }
            while reader.pages.more() {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                if let Some(event) = reader.next(self.done, &mut names) {
                    take(event)?;
                }
            }
        }
        Ok(true)
    }
}

/// A file under way.
struct Reader {
    file: Arc<Path>,
    stem: Arc<str>,
    pages: Pages,
    page: usize,
}

impl Reader {
    fn next(&mut self, done: &Done, names: &mut Names) -> Option<Event<(Origin, Image)>> {
        self.page += 1;
        if done.contains(&(self.file.to_path_buf(), self.page)) {
            self.pages.pass();
            self.origin(names);
            return Some(Event::Note(Note::Passed));
        }
        match self.pages.next()? {
            Ok(image) => Some(Event::Frame((self.origin(names), image))),
            Err(error) => Some(Event::Note(Note::Failed(error))),
        }
    }

    /// Of the page that was handed out or passed last.
    fn origin(&self, names: &mut Names) -> Origin {
        let page = (self.page > 1 || self.pages.more()).then(|| (Arc::clone(&self.stem), self.page));
        let name = match &page {
            Some((stack, number)) => names.page(stack, *number),
            None => self.stem.to_string(),
        };
        Origin { file: Arc::clone(&self.file), name, page }
    }
}
