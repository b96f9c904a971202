//! What is written of a frame.

use std::cell::OnceCell;
use std::path::Path;
use std::time::SystemTime;

use microtome_core::measure::Object;

use crate::engine::Mask;
use crate::instrument::Column;
use crate::objects::Found;
use crate::outline::{Polygon, outlines};
use crate::source::Image;

/// A frame and all that is known of it. Writers take what they need; a new field is for those that know it.
pub struct Item<'f> {
    /// The stem of the frame's files, unique among the frames of a [`Results`](super::Results).
    pub name: &'f str,
    /// The frame.
    pub image: &'f Image,
    /// The class of every pixel.
    pub mask: &'f Mask,
    /// Labels and objects.
    pub found: &'f Found,
    /// Where it came from, if from a file.
    pub file: Option<&'f Path>,
    /// Its place in a stack, if it has one.
    pub page: Option<Page<'f>>,
    /// Side of a pixel in µm.
    pub pixel_size_um: Option<f64>,
    /// When it was taken.
    pub time: Option<SystemTime>,
    /// Further figures of its objects.
    pub extra: &'f [Extra],
    outlines: OnceCell<Vec<Vec<Polygon>>>,
}

/// A place in a stack. The pages of a stack come one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<'f> {
    /// The stem of the stack's files.
    pub stack: &'f str,
    /// The page, from 1.
    pub number: usize,
}

/// A figure that something else than core measured: a focus score, the number of a track.
#[derive(Debug, Clone, PartialEq)]
pub struct Extra {
    /// Its column, one of [`Settings::columns`](super::Settings::columns).
    pub name: String,
    /// One value per object of the frame, in their order; NaN where there is none.
    pub values: Vec<f64>,
}

impl From<Column> for Extra {
    fn from((name, values): Column) -> Self {
        Extra { name: name.into(), values }
    }
}

impl<'f> Item<'f> {
    /// A frame of which no more is known.
    pub fn new(name: &'f str, image: &'f Image, mask: &'f Mask, found: &'f Found) -> Self {
        Item {
            name,
            image,
            mask,
            found,
            file: None,
            page: None,
            pixel_size_um: None,
            time: None,
            extra: &[],
            outlines: OnceCell::new(),
        }
    }

    /// The objects with their labels.
    pub fn objects(&self) -> impl Iterator<Item = (usize, &'f Object)> {
        (1..).zip(&self.found.objects)
    }

    /// The polygons of object `label`, made for the whole frame when the first is asked for.
    pub fn polygons(&self, label: usize) -> &[Polygon] {
        let all = self.outlines.get_or_init(|| outlines(&self.found.labels, self.image.width()));
        all.get(label - 1).map_or(&[], Vec::as_slice)
    }

    /// The value of column `name` for object `label`.
    pub fn extra(&self, name: &str, label: usize) -> Option<f64> {
        let column = self.extra.iter().find(|extra| extra.name == name)?;
        column.values.get(label - 1).copied().filter(|value| value.is_finite())
    }
}
