//! The black and white point of a frame.
//!
//! A microscope frame fills an arbitrary part of its camera's range, so the networks see it stretched between two percentiles of its luma.
//! The percentile is NumPy's `inverted_cdf`: the smallest value that at least p percent of the pixels do not exceed. It is always a value
//! that occurs in the frame, and takes one histogram and no interpolation: the same integer on every machine, and in firmware.

use super::Image;

/// How many pixels, or samples, have each value.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    pixels: u64,
}

impl Histogram {
    /// Counts the luma of every pixel of `image`.
    pub fn of(image: &Image) -> Self {
        Self::count((0..image.height() * image.width()).map(|pixel| image.luma(pixel)))
    }

    /// Counts every sample of `image`, whatever its channel.
    pub fn of_samples(image: &Image) -> Self {
        let samples = image.height() * image.width() * image.channels().count();
        Self::count((0..samples).map(|index| image.sample(index)))
    }

    /// Counts the samples of one channel of `image`: 0 of a grey frame, 0 to 2 of a colour frame.
    pub fn of_channel(image: &Image, channel: usize) -> Self {
        let channels = image.channels().count();
        Self::count((0..image.height() * image.width()).map(|pixel| image.sample(channels * pixel + channel)))
    }

    /// The share of the values that lie in `range`.
    pub fn share(&self, range: std::ops::RangeInclusive<u16>) -> f64 {
        let range = usize::from(*range.start())..=usize::from(*range.end());
        self.counts[range].iter().sum::<u64>() as f64 / self.pixels as f64
    }

    fn count(values: impl ExactSizeIterator<Item = u16>) -> Self {
        let pixels = values.len() as u64;
        let mut counts = vec![0; 1 << 16];
        values.for_each(|value| counts[usize::from(value)] += 1);
        Histogram { counts, pixels }
    }

    /// The smallest value that at least `percent` of the pixels do not exceed; the percentage counts to a thousandth.
    pub fn percentile(&self, percent: f64) -> u16 {
        // Whole numbers, so that 99.8 written as f32 or f64 names the same pixel.
        let thousandths = (percent.clamp(0.0, 100.0) * 1000.0).round() as u64;
        let rank = (self.pixels * thousandths).div_ceil(100_000).max(1);
        let mut seen = 0;
        for (value, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return value as u16;
            }
        }
        u16::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Channels, Samples};
    use super::*;

    fn grey(values: &[u8]) -> Histogram {
        Histogram::of(&Image::new(1, values.len(), Channels::Grey, Samples::U8(values.to_vec())).unwrap())
    }

    #[test]
    fn percentiles_are_numpys_inverted_cdf() {
        // np.percentile([3, 1, 2, 4], [0, 25, 26, 50, 75, 100], method="inverted_cdf") == [1, 1, 2, 2, 3, 4]
        let h = grey(&[3, 1, 2, 4]);
        let found: Vec<u16> = [0.0, 25.0, 26.0, 50.0, 75.0, 100.0].map(|p| h.percentile(p)).to_vec();
        assert_eq!(found, [1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn single_precision_percentages_name_the_same_pixel() {
        let ramp: Vec<u8> = (0..=249).collect();
        assert_eq!(grey(&ramp).percentile(f64::from(99.6_f32)), grey(&ramp).percentile(99.6));
        assert_eq!(grey(&ramp).percentile(99.6), 248);
    }

    #[test]
    fn colour_counts_by_luma() {
        let image = Image::new(1, 1, Channels::Rgb, Samples::U16(vec![0, 65535, 0])).unwrap();
        assert_eq!(Histogram::of(&image).percentile(50.0), ((150 * 65535 + 128) >> 8) as u16);
        assert_eq!([0, 1, 2].map(|c| Histogram::of_channel(&image, c).percentile(50.0)), [0, 65535, 0]);
    }

    #[test]
    fn shares_include_both_ends() {
        let h = grey(&[3, 1, 2, 4, 4]);
        assert_eq!(
            (h.share(4..=u16::MAX), h.share(0..=0), h.share(1..=3), h.share(0..=u16::MAX)),
            (0.4, 0.0, 0.6, 1.0)
        );
    }
}
