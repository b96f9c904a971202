//! The one rounding rule.
//!
//! Every number that leaves an operator passes through [`round_half_even`], so that one plan gives the same bytes on
//! every chip: IEEE 754 single precision, round to nearest even, one multiplication and no contraction.

/// The int8 range that an operator's output is held to: ReLU and Clip fold into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clamp {
    /// Smallest value.
    pub low: i8,
    /// Largest value; never below `low`.
    pub high: i8,
}

impl Clamp {
    /// The whole int8 range.
    pub const FULL: Clamp = Clamp { low: i8::MIN, high: i8::MAX };

    /// `value` held to the range.
    #[inline(always)]
    pub fn apply(self, value: i32) -> i8 {
        // Not `clamp`, which minds an empty range, and would print it.
        value.max(self.low.into()).min(self.high.into()) as i8
    }
}

/// `value` rounded to the nearest integer, ties to even, and held to ±1024 (NaN gives −1024).
///
/// The bound costs nothing, as the result is then saturated to int8; it makes the classic addition of 1.5·2²³, whose
/// unit in the last place is 1, exact on every IEEE machine.
#[allow(clippy::manual_clamp, reason = "clamp would let NaN through")]
#[inline(always)]
pub fn round_half_even(value: f32) -> i32 {
    const UNIT_ULP: f32 = 12_582_912.0;
    // All of these sums have one exponent, so their bits count them; and NaN has become −1024.
    (value.max(-1024.0).min(1024.0) + UNIT_ULP).to_bits() as i32 - UNIT_ULP.to_bits() as i32
}

/// `round_half_even(accumulator · scale) + zero_point`, held to `clamp` (contract C2; ONNX's QLinear operators).
#[inline(always)]
pub fn requantize(accumulator: i32, scale: f32, zero_point: i8, clamp: Clamp) -> i8 {
    saturate(accumulator as f32 * scale, zero_point, clamp)
}

/// `round_half_even(value) + zero_point`, held to `clamp`; `value` is in steps of the output's scale.
#[inline(always)]
pub fn saturate(value: f32, zero_point: i8, clamp: Clamp) -> i8 {
    clamp.apply(round_half_even(value) + i32::from(zero_point))
}

/// `round_half_even(value + zero_point)`, held to `clamp`: the order of ONNX Runtime's Add and AveragePool, which have no
/// integer accumulator. It differs from [`saturate`] on ties, where the zero point is odd.
#[inline(always)]
pub fn saturate_shifted(value: f32, zero_point: i8, clamp: Clamp) -> i8 {
    clamp.apply(round_half_even(value + f32::from(zero_point)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_even() {
        for (value, expected) in [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-2.5, -2), (0.500_000_06, 1)] {
            assert_eq!(round_half_even(value), expected, "{value}");
        }
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(requantize(i32::MAX, 1e30, 3, Clamp::FULL), 127);
        assert_eq!(requantize(i32::MIN, 1e30, 3, Clamp::FULL), -128);
        assert_eq!(requantize(-5, 1.0, -128, Clamp { low: -128, high: -100 }), -128);
        assert_eq!(requantize(50, 1.0, -128, Clamp { low: -128, high: -100 }), -100);
    }
}
