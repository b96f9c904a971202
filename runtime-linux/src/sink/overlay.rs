//! Outlines on the frame, for the eye.

use std::io::Write;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::source::{Channels, Histogram, Image};

/// Outline colours, one object after another. Bright and saturated, so that they stand on grey frames and on stained ones; neighbours
/// that touch rarely share one.
pub(super) const COLOURS: [[u8; 3]; 6] =
    [[255, 214, 10], [0, 229, 255], [255, 64, 160], [80, 255, 80], [255, 128, 0], [150, 130, 255]];

/// Frames whose shorter side is at least this many pixels get outlines of two pixels: one is lost when such a picture is scaled to a screen.
const WIDE: usize = 900;

/// `image`, stretched between the percentiles 1 and 99.8 of its samples, with the outlines of `labels` drawn on their inner side, as an 8-bit
/// RGB PNG.
///
/// # Errors
/// When it cannot be written.
pub fn encode(to: impl Write, image: &Image, labels: &[u16]) -> image::ImageResult<()> {
    let pixels = draw(image, labels);
    PngEncoder::new(to).write_image(&pixels, image.width() as u32, image.height() as u32, ExtendedColorType::Rgb8)
}

fn draw(image: &Image, labels: &[u16]) -> Vec<u8> {
    let mut pixels = stretched(image);
    let reach = if image.width().min(image.height()) < WIDE { 1 } else { 2 };
    for (index, &label) in labels.iter().enumerate() {
        if label != 0 && on_outline(labels, image.width(), index, reach) {
            let colour = COLOURS[(usize::from(label) - 1) % COLOURS.len()];
            pixels[3 * index..][..3].copy_from_slice(&colour);
        }
    }
    pixels
}

/// Whether another label, or none, is within `reach` pixels up, down, left or right. The frame's edge is no outline.
fn on_outline(labels: &[u16], width: usize, index: usize, reach: usize) -> bool {
    let (row, column) = (index / width, index % width);
    let height = labels.len() / width;
    let differs = |row: usize, column: usize| labels[row * width + column] != labels[index];
    (1..=reach).any(|step| {
        (row >= step && differs(row - step, column))
            || (row + step < height && differs(row + step, column))
            || (column >= step && differs(row, column - step))
            || (column + step < width && differs(row, column + step))
    })
}

fn stretched(image: &Image) -> Vec<u8> {
    let stretch = Stretch::of(image);
    let count = image.height() * image.width();
    match image.channels() {
        Channels::Grey => (0..count).flat_map(|pixel| [stretch.apply(image.sample(pixel)); 3]).collect(),
        Channels::Rgb => (0..3 * count).map(|sample| stretch.apply(image.sample(sample))).collect(),
    }
}

/// From a frame's samples to 8 bits, between the percentiles 1 and 99.8 of all samples, so that colours keep their proportions and stained
/// frames do not clip in red.
pub struct Stretch {
    low: u32,
    range: u32,
}

impl Stretch {
    /// The one for `image`.
    pub fn of(image: &Image) -> Self {
        let histogram = Histogram::of_samples(image);
        let percentile = |percent| u32::from(histogram.percentile(percent));
        let low = percentile(1.0);
        Stretch { low, range: percentile(99.8).saturating_sub(low).max(1) }
    }

    /// 8 bits of a sample.
    pub fn apply(&self, value: u16) -> u8 {
        ((u32::from(value).saturating_sub(self.low) * 255 + self.range / 2) / self.range).min(255) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Samples;

    #[test]
    fn outlines_follow_the_inner_side_and_stop_at_the_frame() {
        let image = Image::new(3, 4, Channels::Grey, Samples::U8(vec![0; 12])).unwrap();
        let labels = [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2];
        let drawn = draw(&image, &labels);
        let coloured: Vec<bool> = drawn.chunks(3).map(|p| p != [0; 3]).collect();
        assert_eq!(coloured, [false, false, true, true].repeat(3));
        assert_eq!(drawn[6..9], COLOURS[0]);
        assert_eq!(drawn[9..12], COLOURS[1]);
    }

    #[test]
    fn frames_are_stretched_between_percentiles() {
        let image = Image::new(1, 3, Channels::Grey, Samples::U16(vec![1000, 1500, 2000])).unwrap();
        assert_eq!(draw(&image, &[0; 3]), [0, 0, 0, 128, 128, 128, 255, 255, 255]);
    }
}
