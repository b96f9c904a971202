//! The brightness of a frame, one value per pixel.

use crate::source::{Channels, Image, Samples};

/// Luma in the frame's units, `height × width`.
pub struct Plane {
    /// Rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// The values, row by row.
    pub values: Vec<u16>,
}

impl Plane {
    /// The luma of `image`.
    pub fn of(image: &Image) -> Self {
        let values = match (image.channels(), image.samples()) {
            (Channels::Grey, Samples::U8(samples)) => samples.iter().map(|&sample| sample.into()).collect(),
            (Channels::Grey, Samples::U16(samples)) => samples.clone(),
            (Channels::Rgb, _) => (0..image.height() * image.width()).map(|pixel| image.luma(pixel)).collect(),
        };
        Plane { height: image.height(), width: image.width(), values }
    }
}
