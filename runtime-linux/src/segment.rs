//! One frame from samples to objects: what `run`, `eval` and the demo have in common.

use std::time::{Duration, Instant};

use crate::engine::{Engine, Mask, task};
use crate::objects::{Found, find};
use crate::source::Image;

/// What was made of a frame.
pub struct Segmentation {
    /// The class of every pixel.
    pub mask: Mask,
    /// Labels and measurements.
    pub found: Found,
    /// Time for both.
    pub elapsed: Duration,
}

/// Segments `image`.
///
/// # Errors
/// One sentence when the model cannot take the frame, or the frame has too many objects.
pub fn segment(engine: &mut dyn Engine, image: &Image) -> Result<Segmentation, String> {
    let start = Instant::now();
    let (mask, found) = match engine.heads() {
        Some(heads) => {
            let found = heads.find(&engine.fields(image)?, image)?;
            (Mask::of(&found, image.width()), found)
        }
        None => {
            let task = task(&engine.post())?;
            let mask = engine.mask(image)?;
            let found = find(task, &mask, image)?;
            (mask, found)
        }
    };
    Ok(Segmentation { mask, found, elapsed: start.elapsed() })
}
