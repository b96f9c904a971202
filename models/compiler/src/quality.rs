//! How close int8 comes to float: the worst of all outputs of a model, and of all samples, as images differ by several dB.

use std::fmt;

use serde::Serialize;

use crate::model::Tensor;

/// What is asked of int8, unless the user asks for something else: with less, counts begin to change.
pub const ENOUGH: Quality = Quality { sqnr: 20.0, agreement: 0.98 };

/// Signal-to-quantization-noise ratio, and how often the decision is the same; of the worst output for the worst sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// In dB.
    pub sqnr: f64,
    /// Share of pixels whose largest channel is the same, or, where there is only one channel, that are on the same side
    /// of the decision: 0.5 for probabilities, 0 for logits.
    pub agreement: f64,
}

impl Quality {
    /// Whether it is at least `other`.
    pub fn is_at_least(&self, other: &Quality) -> bool {
        self.sqnr >= other.sqnr && self.agreement >= other.agreement
    }

    /// Of what was found for several samples, beside what was expected: a tensor for each output.
    pub fn of(samples: &[(Vec<Tensor>, Vec<Tensor>)]) -> Quality {
        let outputs = samples.iter().flat_map(|(found, expected)| found.iter().zip(expected));
        let best = Quality { sqnr: 120.0, agreement: 1.0 };
        outputs.map(|(found, expected)| one(found, expected)).fold(best, |worst, quality| Quality {
            sqnr: worst.sqnr.min(quality.sqnr),
            agreement: worst.agreement.min(quality.agreement),
        })
    }
}

fn one(found: &Tensor, expected: &Tensor) -> Quality {
    let (mut signal, mut noise) = (1e-12, 1e-12);
    for (f, e) in found.data.iter().zip(&expected.data) {
        signal += f64::from(*e).powi(2);
        noise += f64::from(f - e).powi(2);
    }
    let (f, e) = (decisions(found), decisions(expected));
    let same = f.iter().zip(&e).filter(|(f, e)| f == e).count();
    let agreement = if e.is_empty() { 1.0 } else { same as f64 / e.len() as f64 };
    Quality { sqnr: (10.0 * (signal / noise).log10()).min(120.0), agreement }
}

/// The class of every pixel of `[1, channels, …]`.
fn decisions(tensor: &Tensor) -> Vec<usize> {
    let channels = tensor.shape.get(1).copied().unwrap_or(1).max(1);
    let pixels = tensor.data.len() / channels;
    let at = |pixel: usize, channel: usize| tensor.data[channel * pixels + pixel];
    if channels == 1 {
        let probabilities = tensor.data.iter().all(|v| (-0.01..=1.01).contains(v));
        let limit = if probabilities { 0.5 } else { 0.0 };
        return tensor.data.iter().map(|&v| usize::from(v > limit)).collect();
    }
    let largest = |pixel: usize| (1..channels).fold(0, |best, c| if at(pixel, c) > at(pixel, best) { c } else { best });
    (0..pixels).map(largest).collect()
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} dB, {:.1} % of decisions the same", self.sqnr, 100.0 * self.agreement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(channels: usize, data: &[f32]) -> Tensor {
        Tensor::new(vec![1, channels, 1, data.len() / channels], data.to_vec()).unwrap()
    }

    #[test]
    fn the_worst_output_counts() {
        let expected = vec![tensor(1, &[3.0, -4.0]), tensor(2, &[1.0, 0.0, 0.0, 1.0])];
        let found = vec![tensor(1, &[3.0, -4.5]), tensor(2, &[1.0, 0.1, 0.0, 0.0])];
        let quality = Quality::of(&[(found, expected.clone())]);
        // Signal 2, noise 1.01; the second pixel is of the other class.
        assert!((quality.sqnr - 10.0 * (2.0f64 / 1.01).log10()).abs() < 1e-3, "{quality}");
        assert_eq!(quality.agreement, 0.5);
        assert!(Quality::of(&[(expected.clone(), expected)]).is_at_least(&ENOUGH));
    }

    #[test]
    fn the_worst_sample_counts() {
        let expected = vec![tensor(1, &[3.0, -4.0])];
        let good = (vec![tensor(1, &[3.0, -4.01])], expected.clone());
        let bad = (vec![tensor(1, &[3.0, 1.0])], expected);
        let both = Quality::of(&[good, bad]);
        assert!((both.sqnr - 0.0).abs() < 1e-3 && both.agreement == 0.5, "{both}");
    }

    #[test]
    fn one_channel_is_decided_at_a_half_or_at_0() {
        assert_eq!(decisions(&tensor(1, &[0.4, 0.6])), [0, 1]);
        assert_eq!(decisions(&tensor(1, &[-3.0, 0.4])), [0, 1]);
    }
}
