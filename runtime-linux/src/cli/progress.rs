//! A progress bar on standard error, when that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

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
