//! Where frames come from: files, folders, patterns and multi-page stacks.
//!
//! Invariant: an [`Image`] is complete and consistent (`samples` holds exactly `height × width × channels` values) by construction,
//! so nobody after this module checks lengths again.

mod decode;
mod discover;
mod levels;

pub use decode::{Pages, open, read_labels};
pub use discover::{find, images_by_stem};
pub use levels::Histogram;

/// How the samples of a pixel are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// One sample per pixel.
    Grey,
    /// Three interleaved samples per pixel: red, green, blue.
    Rgb,
}

impl Channels {
    /// Samples per pixel.
    pub fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
        }
    }
}

/// The samples of a frame, row by row, pixels interleaved, at the depth that the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// 8 bits per sample.
    U8(Vec<u8>),
    /// 16 bits per sample.
    U16(Vec<u16>),
}

impl Samples {
    fn len(&self) -> usize {
        match self {
            Samples::U8(v) => v.len(),
            Samples::U16(v) => v.len(),
        }
    }
}

/// One frame in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    height: usize,
    width: usize,
    channels: Channels,
    samples: Samples,
}

impl Image {
    /// A frame of `height` rows of `width` pixels.
    ///
    /// # Errors
    /// One sentence when a side is zero, or the number of samples is not `height × width × channels`.
    pub fn new(height: usize, width: usize, channels: Channels, samples: Samples) -> Result<Self, String> {
        let expected = height.checked_mul(width).and_then(|n| n.checked_mul(channels.count()));
        if height == 0 || width == 0 {
            return Err(format!("the frame is {width}x{height} pixels; both sides must be at least 1"));
        }
        if expected != Some(samples.len()) {
            return Err(format!(
                "a {width}x{height} frame of {} channels needs {} samples, found {}",
                channels.count(),
                expected.map_or_else(|| "too many".into(), |n| n.to_string()),
                samples.len()
            ));
        }
        Ok(Image { height, width, channels, samples })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The layout of a pixel.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// All samples, `height × width × channels`.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Sample `index` (in row, pixel, channel order) in the file's units.
    pub fn sample(&self, index: usize) -> u16 {
        match &self.samples {
            Samples::U8(v) => v[index].into(),
            Samples::U16(v) => v[index],
        }
    }

    /// The brightness of pixel `index`, in the file's units: the sample of a grey frame; of a colour frame
    /// `(77 R + 150 G + 29 B + 128) >> 8`, as core converts colour for a one-channel network.
    pub fn luma(&self, index: usize) -> u16 {
        match self.channels {
            Channels::Grey => self.sample(index),
            Channels::Rgb => {
                let [r, g, b] = [0, 1, 2].map(|c| u32::from(self.sample(3 * index + c)));
                ((77 * r + 150 * g + 29 * b + 128) >> 8) as u16
            }
        }
    }
}
