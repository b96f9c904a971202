//! The black and white point of a frame, by the rule that plans are made with: NumPy's `inverted_cdf`, the smallest value
//! that at least p percent of the pixels do not exceed. One histogram, no interpolation: the same integer everywhere.

use microtome_core::session::luma;
use microtome_core::{Layout, Levels};

/// How many pixels have each luma.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u32; 256],
    pixels: u32,
}

impl Histogram {
    /// Nothing counted.
    pub const EMPTY: Histogram = Histogram { counts: [0; 256], pixels: 0 };

    /// Counts a row's pixels.
    pub fn add(&mut self, layout: Layout, row: &[u8]) {
        match layout {
            Layout::Grey => row.iter().for_each(|&value| self.count(value.into())),
            Layout::Rgb => {
                row.as_chunks().0.iter().for_each(|rgb| {
                    let [r, g, b] = rgb.map(u32::from);
                    self.count(luma(r, g, b));
                });
            }
        }
    }

    /// The levels at two percentiles, from 0 to 100, which count to a thousandth.
    pub fn levels(&self, low: f32, high: f32) -> Levels {
        Levels { low: self.percentile(low) as f32, high: self.percentile(high) as f32 }
    }

    /// Forgets what was counted.
    pub fn clear(&mut self) {
        *self = Histogram::EMPTY;
    }

    fn count(&mut self, value: u32) {
        if let Some(count) = self.counts.get_mut(value as usize) {
            *count += 1;
            self.pixels += 1;
        }
    }

    fn percentile(&self, percent: f32) -> usize {
        // Adding a half and cutting rounds what is not below 0, which the plan's check saw to.
        let thousandths = (percent * 1000.0 + 0.5) as u64;
        let rank = (u64::from(self.pixels) * thousandths).div_ceil(100_000).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|&count| {
            seen += u64::from(count);
            seen >= rank
        });
        reached.unwrap_or(self.counts.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys_inverted_cdf() {
        // np.percentile([3, 1, 2, 4], [0, 25, 26, 50, 75, 100], method="inverted_cdf") == [1, 1, 2, 2, 3, 4]
        let mut histogram = Histogram::EMPTY;
        histogram.add(Layout::Grey, &[3, 1, 2, 4]);
        assert_eq!([0.0, 25.0, 26.0, 50.0, 75.0, 100.0].map(|p| histogram.percentile(p)), [1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn single_precision_percentages_name_the_right_pixel() {
        let mut histogram = Histogram::EMPTY;
        let ramp: [u8; 250] = core::array::from_fn(|i| i as u8);
        histogram.add(Layout::Grey, &ramp);
        assert_eq!(histogram.percentile(99.6), 248);
        assert_eq!(histogram.percentile(99.8), 249);
    }

    #[test]
    fn colour_counts_by_luma() {
        let mut histogram = Histogram::EMPTY;
        histogram.add(Layout::Rgb, &[0, 255, 0, 0, 255, 0]);
        assert_eq!(histogram.percentile(50.0), luma(0, 255, 0) as usize);
    }
}
