//! The ends of networks: ArgMax, Softmax and the rule that makes classes of probabilities.

use super::{Quant, Tensor};

/// Class indices are plain integers.
pub const INDEX: Quant = Quant { scale: 1.0, zero_point: 0 };

/// Probabilities are 256ths.
pub const PROBABILITY: Quant = Quant { scale: 1.0 / 256.0, zero_point: -128 };

/// ONNX's ArgMax over the channels; the first of equals.
pub fn arg_max(input: &Tensor) -> Tensor {
    Tensor::from_fn([input.rows, input.width, 1], INDEX, |y, x, _| {
        let mut best = 0;
        for c in 1..input.channels {
            if input.at(y, x, c) > input.at(y, x, best) {
                best = c;
            }
        }
        best as i8
    })
}

/// `round(65536 exp(-d s))` for the 256 differences `d` there can be to the largest of a pixel's channels.
pub fn exponentials(scale: f32) -> [u32; 256] {
    std::array::from_fn(|d| (65_536.0 * (-(d as f64) * f64::from(scale)).exp()).round() as u32)
}

/// Softmax over the channels, in integers: every channel's exponential over their sum, in 256ths, rounded half up.
pub fn softmax(input: &Tensor, exponentials: &[u32; 256]) -> Tensor {
    Tensor::from_fn(input.shape(), PROBABILITY, |y, x, c| {
        let value = |c: usize| i64::from(input.at(y, x, c));
        let largest = (0..input.channels).map(value).max().expect("a pixel has channels");
        let exponential = |c: usize| i64::from(exponentials[(largest - value(c)) as usize]);
        let sum: i64 = (0..input.channels).map(exponential).sum();
        let rounded = (2 * 256 * exponential(c) + sum) / (2 * sum);
        (rounded - 128).min(127) as i8
    })
}

/// How probabilities become a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classify {
    /// Of background, and two more: `object` above the threshold, else background from one half, else `border`.
    InteriorBorder {
        /// Class of interiors.
        object: i8,
        /// Class of borders.
        border: i8,
        /// An int8 probability.
        threshold: i8,
    },
    /// Of one: 1 above the threshold, else 0.
    Above {
        /// In the input's integers.
        threshold: i8,
    },
}

/// Class indices from probabilities.
pub fn classify(input: &Tensor, op: Classify) -> Tensor {
    Tensor::from_fn([input.rows, input.width, 1], INDEX, |y, x, _| match op {
        Classify::Above { threshold } => i8::from(input.at(y, x, 0) > threshold),
        Classify::InteriorBorder { object, threshold, .. } if input.at(y, x, object as usize) > threshold => object,
        // One half is 128 of 256, the integer 0.
        Classify::InteriorBorder { .. } if input.at(y, x, 0) >= 0 => 0,
        Classify::InteriorBorder { border, .. } => border,
    })
}
