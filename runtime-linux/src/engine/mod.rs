//! Frames to class masks, by an int8 plan or by the float model it was made from.
//!
//! Both give a [`Mask`]; what follows (objects, pictures, scores) is the same code for both, so that a difference between them is a
//! difference of their masks. Models without one give their outputs as they are, which [`heads`](crate::heads) make objects of.

mod model;
mod plan;
mod threshold;

#[cfg(feature = "onnx")]
mod float;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "onnx")]
mod preprocess;

#[cfg(feature = "onnx")]
pub use float::FloatEngine;
pub use model::{CONTAINER, Model, Options};
#[cfg(feature = "onnx")]
pub use onnx::{Built, OnnxModel, Outlook, Wishes};
pub use plan::PlanEngine;

use microtome_core::Frame;
use microtome_core::measure::Task;
use microtome_core::plan::{Levels, Normalization, Post, Task as PlanTask};

use crate::heads::{Field, Heads};
use crate::objects::Found;
use crate::source::{Channels, Histogram, Image};

/// The plan `nuclei` of the zoo, built into the program: what a model is, where none is named.
pub const BUNDLED: &[u8] = include_bytes!("../../../models/zoo/nuclei/model.mtm");
/// What it is called.
pub const BUNDLED_NAME: &str = "nuclei (bundled)";

/// One class per pixel, row by row; 0 is the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// `height × width` class indices.
    pub classes: Vec<u8>,
}

impl Mask {
    /// The classes of objects, in rows of `width`.
    pub fn of(found: &Found, width: usize) -> Mask {
        let class = |&label: &u16| usize::from(label).checked_sub(1).map_or(0, |index| found.objects[index].class());
        Mask { height: found.labels.len() / width, width, classes: found.labels.iter().map(class).collect() }
    }
}

/// Whatever makes masks of frames.
pub trait Engine {
    /// The class of every pixel of `image`.
    ///
    /// # Errors
    /// One sentence when the model cannot take such a frame.
    fn mask(&mut self, image: &Image) -> Result<Mask, String>;

    /// What the model's classes mean.
    fn post(&self) -> Post;

    /// What makes objects of the model's [`fields`](Self::fields), where it has no mask to make them of.
    fn heads(&self) -> Option<Heads> {
        None
    }

    /// The model's outputs for `image`, those that have a place for its pixels, or for every few of them; in real values.
    ///
    /// # Errors
    /// One sentence when the model cannot take such a frame.
    fn fields(&mut self, image: &Image) -> Result<Vec<Field>, String> {
        let _ = image;
        Err("this model gives class masks only".into())
    }

    /// The probability that [`set_threshold`](Self::set_threshold) sets; none where there is none to be set.
    fn threshold(&mut self) -> Option<f32> {
        None
    }

    /// Has pixels be an object's above this probability, between 0 and 1, from the next frame on.
    ///
    /// # Errors
    /// One sentence when the model chooses classes without a threshold.
    fn set_threshold(&mut self, probability: f32) -> Result<(), String> {
        let _ = probability;
        Err(threshold::NONE.into())
    }
}

/// What core is to make objects of, by a plan's post-processing record.
///
/// # Errors
/// When the model's mask is not made of objects.
pub fn task(post: &Post) -> Result<Task, String> {
    match post.task {
        PlanTask::None => {
            Err("the model has no class mask to make objects of (expected one from Softmax, Sigmoid or ArgMax)".into())
        }
        PlanTask::Components => Ok(Task::Components { min_area: post.min_area }),
        PlanTask::InteriorBorder { object, border } => {
            Ok(Task::InteriorBorder { object, border, grow_px: post.grow, min_area: post.min_area })
        }
    }
}

/// Whether a model makes objects: by its [`task`], or its [`heads`](Engine::heads).
///
/// # Errors
/// It does not.
pub fn makes_objects(engine: &dyn Engine) -> Result<(), String> {
    if engine.heads().is_some() { Ok(()) } else { task(&engine.post()).map(drop) }
}

/// The frames that a session must be opened for to take `image`.
///
/// # Errors
/// One sentence when a side is beyond all bounds.
pub fn frame_of(image: &Image) -> Result<Frame, String> {
    let side = |pixels: usize| {
        u32::try_from(pixels).map_err(|_| format!("a side of {pixels} pixels (expected at most {})", u32::MAX))
    };
    let (height, width) = (side(image.height())?, side(image.width())?);
    Ok(match image.channels() {
        Channels::Grey => Frame::grey(height, width),
        Channels::Rgb => Frame::rgb(height, width),
    })
}

/// The black and white point of `image`. Files always take their own percentiles, also where the plan names the previous frame's:
/// neighbours in a folder need not have been neighbours under the microscope.
pub fn levels(normalization: Normalization, image: &Image) -> Levels {
    match normalization {
        Normalization::Fixed(levels) => levels,
        Normalization::Percentile { low, high, .. } => {
            let histogram = Histogram::of(image);
            let [low, high] = [low, high].map(|percent| f32::from(histogram.percentile(percent.into())));
            Levels { low, high }
        }
    }
}
