//! An observation in words that other programs read: a line of JSON.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::{Observation, Times};
use crate::camera::Counts;
use crate::instrument::Figures;
use crate::sink::Record;

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
    /// The objects, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<Line<'o>>>,
    /// What there is to say of the frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<&'o Figures>,
    /// Where the time went.
    pub times: Times,
    /// What became of the camera's frames.
    pub frames: Counts,
}

/// An object.
#[derive(Serialize)]
pub struct Line<'o> {
    /// As in the table.
    #[serde(flatten)]
    pub record: Record<'o>,
    /// What else was measured: numbers by the names of their columns.
    #[serde(flatten)]
    pub more: BTreeMap<&'static str, f64>,
}

impl Observation {
    /// In words, with or without its objects; `name` is what a frame without one is called in the objects' lines.
    pub fn report<'o>(&'o self, name: &'o str, with_objects: bool) -> Report<'o> {
        let objects = &self.made.found.objects;
        let given = self.shot.name.as_deref();
        let line = |(index, object)| Line {
            record: Record::new(given.unwrap_or(name), index + 1, object, self.pixel_size_um),
            more: self.columns.iter().filter_map(|(column, values)| Some((*column, *values.get(index)?))).collect(),
        };
        Report {
            frame: self.number,
            name: given,
            taken: self.shot.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            width: self.shot.image.width(),
            height: self.shot.image.height(),
            count: objects.len(),
            objects: with_objects.then(|| objects.iter().enumerate().map(line).collect()),
            figures: self.figures.as_ref(),
            times: self.times,
            frames: self.counts,
        }
    }
}
