//! A progress bar on standard error, when that is a terminal.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::complain;
use crate::error::Error;

/// A bar over a known number of inputs; also counts those that failed.
pub struct Progress {
    bar: ProgressBar,
    failed: usize,
}

impl Progress {
    /// A bar of `total` steps.
    pub fn new(total: usize) -> Self {
        // Draws to stderr, and nothing at all where that is no terminal.
        let bar = ProgressBar::new(total as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {eta}  {msg}") {
            bar.set_style(style);
        }
        Progress { bar, failed: 0 }
    }

    /// A bar over the frames of `files` files, each of one until [`grow`](Self::grow) says that there are more.
    pub fn frames(files: usize) -> Self {
        let progress = Progress::new(files);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} frames  {rate}  {eta} left  {msg}") {
            let rate = |state: &ProgressState, to: &mut dyn Write| _ = write!(to, "{:.1}/s", state.per_sec());
            progress.bar.set_style(style.with_key("rate", rate));
        }
        progress
    }

    /// Whether anybody sees it.
    pub fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// So many more steps than were known.
    pub fn grow(&self, steps: usize) {
        self.bar.inc_length(steps as u64);
    }

    /// A step that need not be done: the rate is that of the others.
    pub fn pass(&self) {
        self.bar.dec_length(1);
    }

    /// Shows what is being done.
    pub fn at(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// One step further.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Shows another stage, `done` of `total`.
    #[cfg(feature = "onnx")]
    pub fn set(&self, done: usize, total: usize, what: &'static str) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(what);
    }

    /// Reports a failed input.
    pub fn fail(&mut self, error: &Error) {
        self.bar.suspend(|| complain(error));
        self.failed += 1;
    }

    /// Takes the bar away; returns how many inputs failed.
    pub fn finish(self) -> usize {
        self.bar.finish_and_clear();
        self.failed
    }
}
