//! Flat-field correction by a blank frame.
//!
//! A sample is divided by the blank's sample at its place and multiplied by the mean of the blank's channel, so a frame keeps its level and
//! its white balance. The gains are fixed-point numbers of 12 fractional bits: exact to 1/8192 of a sample's value.

use std::path::Path;

use super::{Sample, with_samples};
use crate::error::{Error, Result};
use crate::source::{Channels, Image, Samples, open};

/// Fractional bits of a gain. With 12, a gain below 16 fits 16 bits, and a product with a 16-bit sample 32.
const FRACTION: u32 = 12;

/// A gain for every sample of a frame.
pub struct FlatField {
    height: usize,
    width: usize,
    channels: Channels,
    gains: Vec<u16>,
}

impl FlatField {
    /// By the image at `path`, or the mean of a stack's pages.
    ///
    /// # Errors
    /// [`Error::Usage`] when the file cannot be read, its pages differ in size, or a channel of it is black.
    pub fn open(path: &Path) -> Result<Self> {
        let pages = open(path).and_then(Iterator::collect::<Result<Vec<Image>>>).map_err(Error::usage)?;
        Self::of(&pages).map_err(|reason| Error::usage(format!("{}: {reason}", path.display())))
    }

    /// By the mean of `blanks`.
    ///
    /// # Errors
    /// One sentence when there is none, they differ in size, or a channel is black.
    pub fn of(blanks: &[Image]) -> Result<Self, String> {
        let Some(first) = blanks.first() else { return Err("a blank frame is needed, and there is none".into()) };
        let (height, width, channels) = (first.height(), first.width(), first.channels());
        let mut sums = vec![0_u64; height * width * channels.count()];
        for blank in blanks {
            if (blank.height(), blank.width(), blank.channels()) != (height, width, channels) {
                return Err("blank frames of different sizes or colours (expected one for all)".into());
            }
            sums.iter_mut().enumerate().for_each(|(index, sum)| *sum += u64::from(blank.sample(index)));
        }
        let mut means = [0.0; 3];
        for (channel, mean) in means.iter_mut().enumerate().take(channels.count()) {
            let total: u64 = sums.iter().skip(channel).step_by(channels.count()).sum();
            *mean = total as f64 / (height * width) as f64;
            if *mean == 0.0 {
                return Err("the blank frame is black in a channel (expected the light of the lamp)".into());
            }
        }
        let gain = |(index, &sum): (usize, &u64)| {
            let gain = means[index % channels.count()] / sum as f64 * f64::from(1 << FRACTION);
            gain.round().clamp(1.0, f64::from(u16::MAX)) as u16
        };
        Ok(FlatField { height, width, channels, gains: sums.iter().enumerate().map(gain).collect() })
    }

    /// `image`, evenly lit.
    ///
    /// # Errors
    /// One sentence when the blank frame has another size or layout.
    pub fn apply(&self, image: &Image) -> Result<Image, String> {
        if (image.height(), image.width(), image.channels()) != (self.height, self.width, self.channels) {
            let text = |channels| if channels == Channels::Grey { "grey" } else { "RGB" };
            return Err(format!(
                "a {}x{} {} frame (expected {}x{} {}, as the blank frame)",
                image.width(),
                image.height(),
                text(image.channels()),
                self.width,
                self.height,
                text(self.channels)
            ));
        }
        let samples = match image.samples() {
            Samples::U8(samples) => Samples::U8(self.scaled(samples)),
            Samples::U16(samples) => Samples::U16(self.scaled(samples)),
        };
        with_samples(image, samples)
    }

    fn scaled<S: Sample>(&self, samples: &[S]) -> Vec<S> {
        let half = 1 << (FRACTION - 1);
        let scale = |(&sample, &gain): (&S, &u16)| S::saturated((sample.into() * u32::from(gain) + half) >> FRACTION);
        samples.iter().zip(&self.gains).map(scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(samples: Vec<u8>) -> Image {
        Image::new(1, samples.len(), Channels::Grey, Samples::U8(samples)).unwrap()
    }

    #[test]
    fn a_blank_frame_becomes_flat_at_its_mean() {
        let blank = grey(vec![50, 100, 150, 200, 125, 125]);
        let flat = FlatField::of(std::slice::from_ref(&blank)).unwrap();
        assert_eq!(flat.apply(&blank).unwrap(), grey(vec![125; 6]));
        // Half the light is half the light everywhere.
        assert_eq!(flat.apply(&grey(vec![25, 50, 90, 100, 62, 63])).unwrap(), grey(vec![63, 63, 75, 63, 62, 63]));
        assert_eq!(flat.apply(&grey(vec![255; 6])).unwrap().sample(0), 255);
    }

    #[test]
    fn stacks_are_averaged_and_depths_may_differ() {
        let flat = FlatField::of(&[grey(vec![90, 200]), grey(vec![110, 200])]).unwrap();
        let deep = Image::new(1, 2, Channels::Grey, Samples::U16(vec![20_000, 65_535])).unwrap();
        let expected = Image::new(1, 2, Channels::Grey, Samples::U16(vec![30_000, 49_151])).unwrap();
        assert_eq!(flat.apply(&deep).unwrap(), expected);
    }

    #[test]
    fn channels_keep_their_balance() {
        let rgb = |samples: &[u8]| Image::new(1, 2, Channels::Rgb, Samples::U8(samples.into())).unwrap();
        let flat = FlatField::of(&[rgb(&[100, 50, 20, 200, 150, 40])]).unwrap();
        assert_eq!(flat.apply(&rgb(&[100, 50, 20, 200, 150, 40])).unwrap(), rgb(&[150, 100, 30, 150, 100, 30]));
    }

    #[test]
    fn what_is_no_blank_for_a_frame_is_refused() {
        let flat = FlatField::of(&[grey(vec![1, 2])]).unwrap();
        let error = flat.apply(&grey(vec![1, 2, 3])).unwrap_err();
        assert_eq!(error, "a 3x1 grey frame (expected 2x1 grey, as the blank frame)");
        assert!(FlatField::of(&[grey(vec![0, 0])]).is_err_and(|e| e.contains("black")));
        assert!(FlatField::of(&[grey(vec![1]), grey(vec![1, 2])]).is_err_and(|e| e.contains("different sizes")));
        assert!(FlatField::of(&[]).is_err());
        // A dead pixel of the blank has a bounded gain.
        let flat = FlatField::of(&[grey(vec![0, 100])]).unwrap();
        assert_eq!(flat.apply(&grey(vec![2, 100])).unwrap(), grey(vec![32, 50]));
    }
}
