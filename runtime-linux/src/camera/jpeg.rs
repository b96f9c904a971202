//! JPEG frames: decoding, and finding them in a stream.
//!
//! Motion JPEG has no container worth the name: `rpicam-vid --codec mjpeg` writes one picture after another, a web camera puts lines of
//! headers between them. A [`Splitter`] walks the pictures' own segments and skips all else, so it reads both.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::source::{Channels, Image, Samples};

/// Decodes a picture; only its brightness, where no `colour` is asked for.
///
/// # Errors
/// What is wrong with it.
pub fn decode(bytes: &[u8], colour: bool) -> Result<Image, String> {
    let (space, channels) = if colour { (ColorSpace::RGB, Channels::Rgb) } else { (ColorSpace::Luma, Channels::Grey) };
    // A frame cut short is no frame: strict.
    let options = DecoderOptions::default().jpeg_set_out_colorspace(space).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| format!("a damaged JPEG: {e}"))?;
    let (width, height) = decoder.dimensions().ok_or("a JPEG without a size")?;
    Image::new(height, width, channels, Samples::U8(pixels))
}

/// No frame is as large; a stream that says so is damaged.
const MOST: usize = 64 << 20;

/// Cuts a stream of bytes into JPEGs.
#[derive(Default)]
pub struct Splitter {
    /// From a picture's first byte on, or what may become one.
    held: Vec<u8>,
    /// How far `held` has been walked; 0 before a picture was found.
    walked: usize,
    /// Whether the walk is in a scan, where only a marker ends the data.
    scan: bool,
}

/// Markers without a length.
const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;

impl Splitter {
    /// Takes further bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole picture; `None` until more bytes come.
    pub fn next_picture(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.walked == 0 && !self.find_start() {
                return None;
            }
            match self.walk() {
                Walk::More if self.held.len() > MOST => self.forget(),
                Walk::More => return None,
                // Whatever it was, the next picture begins behind its first byte.
                Walk::Lost => self.forget(),
                Walk::Whole => {
                    let rest = self.held.split_off(self.walked);
                    self.walked = 0;
                    return Some(std::mem::replace(&mut self.held, rest));
                }
            }
        }
    }

    /// Drops all before the next start of a picture.
    fn find_start(&mut self) -> bool {
        let start = self.held.windows(3).position(|w| w == [0xFF, START, 0xFF]);
        let keep = start.unwrap_or(self.held.len().saturating_sub(2));
        self.held.drain(..keep);
        (self.walked, self.scan) = (if start.is_some() { 2 } else { 0 }, false);
        start.is_some()
    }

    fn forget(&mut self) {
        self.held.drain(..2);
        self.walked = 0;
    }

    fn walk(&mut self) -> Walk {
        loop {
            if self.scan {
                let Some(at) = self.held[self.walked..].windows(2).position(is_marker) else {
                    self.walked = self.held.len().saturating_sub(1).max(self.walked);
                    return Walk::More;
                };
                (self.walked, self.scan) = (self.walked + at, false);
            }
            let Some(&[first, marker]) = self.held.get(self.walked..self.walked + 2) else { return Walk::More };
            match (first, marker) {
                (0xFF, 0xFF) => self.walked += 1,
                (0xFF, END) => {
                    self.walked += 2;
                    return Walk::Whole;
                }
                (0xFF, 0xC0..=0xCF | 0xDA..=0xEF | 0xFE) => {
                    let Some(&[high, low]) = self.held.get(self.walked + 2..self.walked + 4) else { return Walk::More };
                    let end = self.walked + 2 + usize::from(u16::from_be_bytes([high, low]));
                    if self.held.len() < end {
                        return Walk::More;
                    }
                    (self.walked, self.scan) = (end, marker == SCAN);
                }
                _ => return Walk::Lost,
            }
        }
    }
}

/// Whether these two bytes end a scan: neither a stuffed 0xFF nor a restart.
fn is_marker(pair: &[u8]) -> bool {
    pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7)
}

enum Walk {
    /// More bytes are needed.
    More,
    /// `walked` is the picture's end.
    Whole,
    /// This is no JPEG.
    Lost,
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    fn picture(value: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..24 * 16 * 3).map(|i| value.wrapping_add((i % 7) as u8)).collect();
        JpegEncoder::new_with_quality(&mut bytes, 90).write_image(&pixels, 24, 16, ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    #[test]
    fn pictures_are_found_whatever_lies_between_and_however_they_arrive() {
        let pictures = [picture(10), picture(100), picture(200)];
        let mut stream = b"HTTP junk \xFF\xD8 nothing".to_vec();
        for picture in &pictures {
            stream.extend_from_slice(b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n");
            stream.extend_from_slice(picture);
        }
        for piece in [1, 7, 1000, stream.len()] {
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                splitter.push(bytes);
                found.extend(std::iter::from_fn(|| splitter.next_picture()));
            }
            assert_eq!(found, pictures, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_picture_cut_short_costs_what_its_lengths_cover_at_most() {
        let (cut, whole) = (picture(10), picture(100));
        // A segment's length is at most 65,535.
        let following = 65_535 / whole.len() + 3;
        for at in 0..cut.len() {
            let mut splitter = Splitter::default();
            splitter.push(&cut[..at]);
            (0..following).for_each(|_| splitter.push(&whole));
            let last = std::iter::from_fn(|| splitter.next_picture()).last();
            assert_eq!(last.as_ref(), Some(&whole), "cut at {at}");
        }
    }

    #[test]
    fn luma_alone_is_decoded_unless_colour_is_asked_for() {
        let grey = decode(&picture(100), false).unwrap();
        let rgb = decode(&picture(100), true).unwrap();
        assert_eq!((grey.channels(), rgb.channels()), (Channels::Grey, Channels::Rgb));
        assert!((0..24 * 16).all(|i| grey.sample(i).abs_diff(rgb.luma(i)) <= 2));
        assert!(decode(&picture(100)[..200], false).is_err());
    }
}
