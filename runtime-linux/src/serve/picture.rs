//! Frames as JPEG, for screens.

use axum::body::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageResult};

use crate::sink::Stretch;
use crate::source::{Channels, Image};

/// No noise of the camera is lost at this quality, and a frame of 640x480 takes some 40 KiB.
const QUALITY: u8 = 80;
/// The longest side that a page is sent: larger frames cost encoder and network more than a screen can show.
const LONGEST: usize = 1280;

/// `image`, stretched as overlays are, as a JPEG of its channels; where a side is longer than 1280 pixels, averaged over squares of as few
/// pixels as bring it below.
///
/// # Errors
/// What the encoder says.
pub fn jpeg(image: &Image) -> ImageResult<Bytes> {
    let factor = image.width().max(image.height()).div_ceil(LONGEST);
    let (width, height) = (image.width().div_ceil(factor), image.height().div_ceil(factor));
    let stretch = Stretch::of(image);
    let channels = image.channels().count();
    let sample = |y: usize, x: usize, channel: usize| image.sample((y * image.width() + x) * channels + channel);
    let mean = |y: usize, x: usize, channel: usize| {
        let rows = y * factor..((y + 1) * factor).min(image.height());
        let columns = x * factor..((x + 1) * factor).min(image.width());
        let count = (rows.len() * columns.len()) as u32;
        let sum: u32 = rows.flat_map(|y| columns.clone().map(move |x| u32::from(sample(y, x, channel)))).sum();
        ((sum + count / 2) / count) as u16
    };
    let mut pixels = Vec::with_capacity(width * height * channels);
    if factor == 1 {
        pixels.extend((0..width * height * channels).map(|index| stretch.apply(image.sample(index))));
    } else {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            pixels.extend((0..channels).map(|channel| stretch.apply(mean(y, x, channel))));
        }
    }
    let colour = match image.channels() {
        Channels::Grey => ExtendedColorType::L8,
        Channels::Rgb => ExtendedColorType::Rgb8,
    };
    let mut bytes = Vec::with_capacity(pixels.len() / 4);
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(&pixels, width as u32, height as u32, colour)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Samples;

    #[test]
    fn pictures_have_the_frames_size_and_contrast() {
        let ramp: Vec<u16> = (0..64 * 48).map(|pixel| 1000 + 10 * (pixel % 64)).collect();
        let frame = Image::new(48, 64, Channels::Grey, Samples::U16(ramp)).unwrap();
        let read = image::load_from_memory(&jpeg(&frame).unwrap()).unwrap().into_luma8();
        assert_eq!(read.dimensions(), (64, 48));
        assert!(read.get_pixel(0, 20).0[0] < 10 && read.get_pixel(63, 20).0[0] > 245);
        let colour = Image::new(8, 8, Channels::Rgb, Samples::U8([200, 10, 10].repeat(64))).unwrap();
        let read = image::load_from_memory(&jpeg(&colour).unwrap()).unwrap().into_rgb8();
        assert!(read.get_pixel(4, 4).0[0] > 200 && read.get_pixel(4, 4).0[1] < 60);
    }

    #[test]
    fn large_frames_are_averaged() {
        // Columns of 0 and 200 in turn, but for a dark left half; 2561 columns are averaged by threes.
        let row = |x: usize| if x < 1280 { 0 } else { 200 * (x % 2) as u8 };
        let frame = Image::new(2, 2561, Channels::Grey, Samples::U8((0..2 * 2561).map(|i| row(i % 2561)).collect()));
        let read = image::load_from_memory(&jpeg(&frame.unwrap()).unwrap()).unwrap().into_luma8();
        assert_eq!(read.dimensions(), (854, 1));
        assert!(read.get_pixel(100, 0).0[0] < 20 && (60..200).contains(&read.get_pixel(700, 0).0[0]));
    }
}
