//! What every operator should give: a reference on whole tensors, written to be obviously right and never fast.
//!
//! It shares no code with `microtome-core`, not even its types: accumulators are `i64` and checked to fit the 32 bits
//! that contract C2 names, positions are signed or rational, and padding is "not on the tensor" rather than
//! arithmetic. Floating point appears only where C2 has it, in [`requantize`] and in the scales given to it.

mod arith;
mod camera;
mod conv;
mod head;
mod pool;
mod resize;
mod window;

pub use arith::{add, concat, mul, requantization_table, table, table_of};
pub use camera::{Camera, photograph};
pub use conv::{Conv, ConvTranspose, conv, conv_transpose};
pub use head::{Classify, INDEX, PROBABILITY, arg_max, classify, exponentials, softmax};
pub use pool::{Pool, average_pool, global_average_pool, max_pool};
pub use resize::{Coordinates, Mode, Nearest, Resize, resize};
pub use window::{PadMode, Padding, Window, enlarge, fit, pad, slice};

/// How an int8 tensor stands for real numbers: `(q - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quant {
    /// The real value of one step.
    pub scale: f32,
    /// The integer that stands for zero.
    pub zero_point: i8,
}

/// The smallest and the largest int8 an operator may give; ReLU and Clip are this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clamp {
    /// Smallest.
    pub low: i8,
    /// Largest.
    pub high: i8,
}

impl Clamp {
    /// All of int8.
    pub const FULL: Clamp = Clamp { low: i8::MIN, high: i8::MAX };
}

/// A whole feature map, `[rows, width, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Rows.
    pub rows: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values in a pixel.
    pub channels: usize,
    /// What the integers stand for.
    pub quant: Quant,
    /// The integers, rows first, channels last.
    pub data: Vec<i8>,
}

impl Tensor {
    /// A tensor whose integer at `(row, column, channel)` is what `value` says.
    pub fn from_fn(
        [rows, width, channels]: [usize; 3],
        quant: Quant,
        mut value: impl FnMut(usize, usize, usize) -> i8,
    ) -> Tensor {
        let mut data = Vec::with_capacity(rows * width * channels);
        for y in 0..rows {
            for x in 0..width {
                for c in 0..channels {
                    data.push(value(y, x, c));
                }
            }
        }
        Tensor { rows, width, channels, quant, data }
    }

    /// `[rows, width, channels]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.rows, self.width, self.channels]
    }

    /// The integer at a place on the tensor.
    pub fn at(&self, y: usize, x: usize, c: usize) -> i8 {
        assert!(y < self.rows && x < self.width && c < self.channels, "{y}, {x}, {c} is not on {:?}", self.shape());
        self.data[(y * self.width + x) * self.channels + c]
    }

    /// Whether a place is on the tensor.
    pub fn has(&self, y: i64, x: i64) -> bool {
        (0..self.rows as i64).contains(&y) && (0..self.width as i64).contains(&x)
    }

    /// Steps above zero at a place: integer less zero point; nothing off the tensor, where padding is.
    pub fn steps(&self, y: i64, x: i64, c: usize) -> i64 {
        if self.has(y, x) {
            i64::from(self.at(y as usize, x as usize, c)) - i64::from(self.quant.zero_point)
        } else {
            0
        }
    }

    /// One row's integers.
    pub fn row(&self, y: usize) -> &[i8] {
        &self.data[y * self.width * self.channels..][..self.width * self.channels]
    }
}

/// Contract C2: `round_half_even(accumulator as f32 * scale) + zero_point`, saturated, then held to `clamp`.
///
/// Panics where the accumulator would not have fit 32 bits, as such a case says nothing about C2.
pub fn requantize(accumulator: i64, scale: f32, zero_point: i8, clamp: Clamp) -> i8 {
    let accumulator = i32::try_from(accumulator).expect("the case overflows a 32-bit accumulator");
    saturate(accumulator as f32 * scale, zero_point, clamp)
}

/// `round_half_even(value) + zero_point`, saturated, then held to `clamp`.
pub fn saturate(value: f32, zero_point: i8, clamp: Clamp) -> i8 {
    // Far beyond int8 already; `as` saturates, and the sum stays inside i64.
    let rounded = value.round_ties_even() as i32;
    let shifted = i64::from(rounded) + i64::from(zero_point);
    shifted.clamp(i64::from(clamp.low), i64::from(clamp.high)) as i8
}

/// `round_half_even(value + zero_point)`, saturated, then held to `clamp`: what ONNX Runtime's Add and AveragePool do.
/// It differs from [`saturate`] where a value lies between two integers and the zero point is odd.
pub fn saturate_shifted(value: f32, zero_point: i8, clamp: Clamp) -> i8 {
    saturate(value + f32::from(zero_point), 0, clamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantization_rounds_ties_to_even_and_saturates() {
        let q = |acc, scale, zp| requantize(acc, scale, zp, Clamp::FULL);
        assert_eq!([q(1, 0.5, 0), q(3, 0.5, 0), q(5, 0.5, 0), q(-1, 0.5, 0), q(-3, 0.5, 0)], [0, 2, 2, 0, -2]);
        assert_eq!([q(1 << 30, 1.0, 5), q(-(1 << 30), 1e20, 5), q(10, 1.0, 120)], [127, -128, 127]);
        assert_eq!((saturate(0.5, 3, Clamp::FULL), saturate_shifted(0.5, 3, Clamp::FULL)), (3, 4));
        assert_eq!(requantize(-9, 1.0, 3, Clamp { low: 3, high: 50 }), 3);
    }
}
