//! An observation in words that other programs read: a line of JSON.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::{Observation, Times};
use crate::camera::Counts;
use crate::instrument::Figures;

/// A frame and what was found in it.
#[derive(Serialize)]
pub struct Report<'o> {
    /// How many frames were done before it, plus one.
    pub frame: u64,
    /// What it is called, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'o str>,
    /// When it was taken, in seconds since 1970.
    pub taken: f64,
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Number of objects.
    pub count: usize,
    /// The objects as lines of the table, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<serde_json::Value>>,
    /// What there is to say of the frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<&'o Figures>,
    /// Where the time went.
    pub times: Times,
    /// What became of the camera's frames.
    pub frames: Counts,
}

impl Observation {
    /// In words, with or without its objects; `name` is what a frame without one is called in the objects' lines.
    pub fn report<'o>(&'o self, name: &'o str, with_objects: bool) -> Report<'o> {
        let (item, columns) = (self.item(name), self.columns());
        let line = |(label, object)| {
            // Numbers and names into memory: it cannot fail.
            serde_json::to_value(columns.object(&item, label, object)).unwrap_or_default()
        };
        Report {
            frame: self.number,
            name: self.shot.name.as_deref(),
            taken: self.shot.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            width: self.shot.image.width(),
            height: self.shot.image.height(),
            count: self.made.found.objects.len(),
            objects: with_objects.then(|| item.objects().map(line).collect()),
            figures: self.figures.as_ref(),
            times: self.times,
            frames: self.counts,
        }
    }
}
