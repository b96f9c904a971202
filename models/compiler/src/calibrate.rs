//! What values the activations take: histograms over calibration images, and the ranges drawn from them.

/// Bins of a histogram; each is a 4096th of its span.
const BINS: usize = 4096;

/// How a range is drawn from what was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Smallest and largest value.
    MinMax,
    /// The values between two percentiles: this one, and what it leaves to 100.
    Percentile(f64),
    /// The range with the smallest mean square of what rounding and clipping change.
    Error,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Method::MinMax => write!(f, "min-max"),
            Method::Percentile(p) => write!(f, "percentile {p}"),
            Method::Error => write!(f, "mean square error"),
        }
    }
}

/// Counts of values between −limit and limit. The limit doubles when a value falls outside, and neighbouring bins merge:
/// one pass suffices, and the order of the images does not matter.
#[derive(Clone, Debug)]
pub struct Histogram {
    bins: Vec<u64>,
    limit: f32,
    min: f32,
    max: f32,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { bins: vec![0; BINS], limit: 1.0 / 1024.0, min: 0.0, max: 0.0, count: 0 }
    }
}

impl Histogram {
    /// Counts values; those that are not finite are left out.
    pub fn add(&mut self, values: &[f32]) {
        for &v in values.iter().filter(|v| v.is_finite()) {
            while v.abs() >= self.limit && self.limit < f32::MAX / 4.0 {
                self.grow();
            }
            self.min = self.min.min(v);
            self.max = self.max.max(v);
            let at = ((v / self.limit + 1.0) * (BINS / 2) as f32) as usize;
            self.bins[at.min(BINS - 1)] += 1;
            self.count += 1;
        }
    }

    fn grow(&mut self) {
        let mut bins = vec![0; BINS];
        for (pair, count) in self.bins.chunks_exact(2).enumerate() {
            bins[BINS / 4 + pair] = count[0] + count[1];
        }
        self.bins = bins;
        self.limit *= 2.0;
    }

    /// The real value at the lower edge of a bin.
    fn edge(&self, bin: usize) -> f32 {
        (bin as f32 / (BINS / 2) as f32 - 1.0) * self.limit
    }

    /// Smallest and largest value that int8 shall hold; both include 0.
    pub fn range(&self, method: Method) -> (f32, f32) {
        match method {
            Method::MinMax => (self.min, self.max),
            Method::Percentile(percent) => {
                let outside = (self.count as f64 * (1.0 - percent / 100.0)) as u64;
                let low = self.edge(beyond(self.bins.iter().enumerate(), outside));
                let high = self.edge(beyond(self.bins.iter().enumerate().rev(), outside) + 1);
                (low.max(self.min).min(0.0), high.min(self.max).max(0.0))
            }
            Method::Error => self.least_error(),
        }
    }

    /// Tries ranges that are fractions of what was seen, either end for itself, and takes the one that changes values least.
    fn least_error(&self) -> (f32, f32) {
        const STEPS: usize = 64;
        const LEVELS: f64 = 255.0;
        // What clipping at either end costs, for every fraction.
        let ends = |seen: f32| -> Vec<(f32, f64)> {
            let steps = if seen == 0.0 { STEPS..=STEPS } else { 1..=STEPS };
            let at = |step: usize| {
                let end = seen * step as f32 / STEPS as f32;
                let beyond = |(bin, &count): (usize, &u64)| {
                    let middle = (self.edge(bin) + self.edge(bin + 1)) / 2.0;
                    let excess = if seen > 0.0 { middle - end } else { end - middle };
                    count as f64 * f64::from(excess.max(0.0)).powi(2)
                };
                (end, self.bins.iter().enumerate().filter(|(_, count)| **count > 0).map(beyond).sum())
            };
            steps.map(at).collect()
        };
        let (lows, highs) = (ends(self.min), ends(self.max));
        let mut best = (f64::INFINITY, (self.min, self.max));
        for &(low, below) in &lows {
            for &(high, above) in &highs {
                let step = f64::from(high - low) / LEVELS;
                let error = below + above + self.count as f64 * step * step / 12.0;
                if error < best.0 {
                    best = (error, (low, high));
                }
            }
        }
        best.1
    }
}

/// The first bin before which more than `outside` values lie.
fn beyond<'a>(bins: impl Iterator<Item = (usize, &'a u64)>, mut outside: u64) -> usize {
    for (bin, count) in bins {
        match outside.checked_sub(*count) {
            Some(left) => outside = left,
            None => return bin,
        }
    }
    BINS / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_what_was_seen() {
        let mut histogram = Histogram::default();
        let values: Vec<f32> = (0..100_000).map(|i| i as f32 / 100_000.0 * 4.0 - 1.0).collect();
        histogram.add(&values);
        assert_eq!(histogram.range(Method::MinMax), (-1.0, values[99_999]));
        let (low, high) = histogram.range(Method::Percentile(99.0));
        assert!((low + 0.96).abs() < 0.01 && (high - 2.96).abs() < 0.01, "{low} {high}");
        histogram.add(&[1000.0]);
        assert_eq!(histogram.range(Method::MinMax).1, 1000.0);
        assert!(histogram.range(Method::Percentile(99.99)).1 < 5.0);
    }
}
