//! Frames as a perfect instrument would have taken them: the lamp even, and nothing stuck to the glass.
//!
//! Invariant: integers in, integers out, of the frame's own depth, layout and mean level; the same bytes on every machine.

mod background;
mod flat;

pub use background::{Mode, RunningMedian};
pub use flat::FlatField;

use std::borrow::Cow;

use crate::source::{Image, Samples};

/// The corrections of a run, in the order in which they apply.
#[derive(Default)]
pub struct Corrector {
    /// Takes out what a blank frame shows.
    pub flat: Option<FlatField>,
    /// Takes out what the last frames have in common.
    pub background: Option<RunningMedian>,
}

impl Corrector {
    /// `image`, corrected; as it is where there is nothing to correct, or not known yet. The background is the caller's: it remembers frames,
    /// and this is shared among threads.
    ///
    /// # Errors
    /// One sentence when the blank frame is of another size than `image`.
    pub(super) fn apply<'i>(
        &self,
        image: &'i Image,
        background: Option<&mut RunningMedian>,
    ) -> Result<Cow<'i, Image>, String> {
        let mut frame = Cow::Borrowed(image);
        if let Some(flat) = &self.flat {
            frame = Cow::Owned(flat.apply(&frame)?);
        }
        if let Some(background) = background
            && let Some(corrected) = background.apply(&frame)
        {
            frame = Cow::Owned(corrected);
        }
        Ok(frame)
    }
}

/// What a camera counts in.
trait Sample: Copy + Default + Ord + Into<u32> {
    /// The nearest sample to `value`.
    fn saturated(value: u32) -> Self;
}

impl Sample for u8 {
    fn saturated(value: u32) -> Self {
        value.min(u8::MAX.into()) as u8
    }
}

impl Sample for u16 {
    fn saturated(value: u32) -> Self {
        value.min(u16::MAX.into()) as u16
    }
}

/// The frame `image` with other samples.
fn with_samples(image: &Image, samples: Samples) -> Result<Image, String> {
    Image::new(image.height(), image.width(), image.channels(), samples)
}
