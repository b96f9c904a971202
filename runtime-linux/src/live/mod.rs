//! From a camera to observations, frame after frame, for as long as it takes.
//!
//! ```text
//!     Feed ─▶ Pipeline's thread: take the newest ─▶ segment, measure ─▶ record ─▶ Latest ─▶ who watches
//!                   ▲ between two frames
//!                   └─ what was asked of it: another model, a recording
//! ```
//!
//! One thread does all that a frame needs, so a frame is either done whole or was never begun. Watchers see the newest observation and miss
//! those that come while they are busy; a recording misses none.
//!
//! Invariant: nothing here waits for a watcher, and nothing grows with time.

mod latest;
#[cfg(feature = "mqtt")]
pub mod mqtt;
mod pipeline;
mod report;
mod worker;

pub use latest::Latest;
pub use pipeline::{Pipeline, Status};
pub use report::Report;
pub use worker::{About, Alarm, Identity, Recorder, Standing, Worker};

use serde::Serialize;

use crate::camera::{Counts, Shot};
use crate::instrument::Figures;
use crate::segment::Segmentation;
use crate::sink::{Columns, Extra, Item};

/// A frame and all that was found in it.
pub struct Observation {
    /// How many frames were done before it, plus one.
    pub number: u64,
    /// The frame, corrected where the instrument's profile says so.
    pub shot: Shot,
    /// Mask, labels, objects.
    pub made: Segmentation,
    /// Further numbers of the objects.
    pub extra: Vec<Extra>,
    /// What there is to say of the frame.
    pub figures: Option<Figures>,
    /// Side of a pixel in the sample, in µm.
    pub pixel_size_um: Option<f64>,
    /// Where the time went.
    pub times: Times,
    /// The camera's counts when the frame was taken.
    pub counts: Counts,
}

impl Observation {
    /// As it is written; `name` is for a frame that has none of its own.
    pub fn item<'o>(&'o self, name: &'o str) -> Item<'o> {
        let name = self.shot.name.as_deref().unwrap_or(name);
        let mut item = Item::new(name, &self.shot.image, &self.made.mask, &self.made.found);
        (item.pixel_size_um, item.time, item.extra) = (self.pixel_size_um, Some(self.shot.taken), &self.extra);
        item
    }

    /// The columns of its objects.
    pub fn columns(&self) -> Columns {
        Columns { time: true, extra: self.extra.iter().map(|extra| extra.name.clone()).collect() }
    }
}

/// Where the time of a frame went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Times {
    /// From its arrival until it was taken.
    pub waited_ms: f64,
    /// Network and measurement.
    pub segment_ms: f64,
    /// From its arrival until it was an observation, recording included.
    pub latency_ms: f64,
}
