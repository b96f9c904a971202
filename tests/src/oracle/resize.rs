//! Resize: nearest and linear, from exact rational positions.

use super::{Clamp, Quant, Tensor, requantize};

/// ONNX's `coordinate_transformation_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `o / ratio`.
    Asymmetric,
    /// `(o + 1/2) / ratio - 1/2`.
    HalfPixel,
    /// As `HalfPixel`, but 0 where the output has one pixel.
    PytorchHalfPixel,
    /// `o * (inputs - 1) / (outputs - 1)`.
    AlignCorners,
}

/// ONNX's `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// Down.
    Floor,
    /// Up.
    Ceil,
    /// To the nearest; half down.
    RoundPreferFloor,
    /// To the nearest; half up.
    RoundPreferCeil,
}

/// How values between pixels come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One pixel's value.
    Nearest(Nearest),
    /// Between the two neighbours along each axis.
    Linear,
}

/// ONNX's Resize by exact ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Output side over input side, `[numerator, denominator]`, for rows and width.
    pub ratios: [[u32; 2]; 2],
    /// Where an output pixel lies on the input.
    pub coordinates: Coordinates,
    /// What it takes from there.
    pub mode: Mode,
}

/// A rational number with a positive denominator.
#[derive(Clone, Copy)]
struct Ratio {
    over: i64,
    under: i64,
}

impl Ratio {
    fn floor(self) -> i64 {
        self.over.div_euclid(self.under)
    }

    fn ceil(self) -> i64 {
        -(-self.over).div_euclid(self.under)
    }

    /// This plus a half.
    fn plus_half(self) -> Ratio {
        Ratio { over: 2 * self.over + self.under, under: 2 * self.under }
    }

    /// This less a half.
    fn less_half(self) -> Ratio {
        Ratio { over: 2 * self.over - self.under, under: 2 * self.under }
    }
}

impl Resize {
    /// Pixels of the output along an axis.
    pub fn outputs(&self, axis: usize, input: usize) -> usize {
        input * self.ratios[axis][0] as usize / self.ratios[axis][1] as usize
    }

    /// Where output `o` lies on the input.
    fn position(&self, axis: usize, input: usize, o: usize) -> Ratio {
        let [up, down] = self.ratios[axis].map(i64::from);
        let (outputs, input, o) = (self.outputs(axis, input) as i64, input as i64, o as i64);
        match self.coordinates {
            Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if outputs == 1 => Ratio { over: 0, under: 1 },
            Coordinates::AlignCorners => Ratio { over: o * (input - 1), under: outputs - 1 },
            Coordinates::Asymmetric => Ratio { over: o * down, under: up },
            _ => Ratio { over: (2 * o + 1) * down - up, under: 2 * up },
        }
    }

    /// The two input pixels along an axis that make output `o`, and the weight of the second in 2048ths.
    fn neighbours(&self, axis: usize, input: usize, o: usize) -> ([usize; 2], i64) {
        let position = self.position(axis, input, o);
        let last = input as i64 - 1;
        match self.mode {
            Mode::Nearest(nearest) => {
                let at = match nearest {
                    Nearest::Floor => position.floor(),
                    Nearest::Ceil => position.ceil(),
                    Nearest::RoundPreferFloor => position.less_half().ceil(),
                    Nearest::RoundPreferCeil => position.plus_half().floor(),
                }
                .clamp(0, last);
                ([at as usize; 2], 0)
            }
            Mode::Linear => {
                let low = position.floor();
                let part = Ratio { over: (position.over - low * position.under) * 2048, under: position.under };
                let weight = part.plus_half().floor();
                // Before the first and after the last pixel both neighbours are that pixel, so the weight is void.
                ([low.clamp(0, last) as usize, (low + 1).clamp(0, last) as usize], weight)
            }
        }
    }
}

/// ONNX's Resize. Nearest keeps the integers (the output's quantization is the input's); linear weighs in 2048ths,
/// rounded half up, exactly, and requantizes by `2^-22 * s_in / s_out`.
pub fn resize(input: &Tensor, op: &Resize, out: Quant) -> Tensor {
    let shape = [op.outputs(0, input.rows), op.outputs(1, input.width), input.channels];
    Tensor::from_fn(shape, out, |y, x, c| {
        let ([top, bottom], down) = op.neighbours(0, input.rows, y);
        let ([left, right], across) = op.neighbours(1, input.width, x);
        if let Mode::Nearest(_) = op.mode {
            return input.at(top, left, c);
        }
        let steps = |y: usize, x: usize| input.steps(y as i64, x as i64, c);
        let upper = steps(top, left) * (2048 - across) + steps(top, right) * across;
        let lower = steps(bottom, left) * (2048 - across) + steps(bottom, right) * across;
        let accumulator = upper * (2048 - down) + lower * down;
        let scale = input.quant.scale / out.scale / 4_194_304.0;
        requantize(accumulator, scale, out.zero_point, Clamp::FULL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Quant = Quant { scale: 1.0, zero_point: 0 };

    fn row(values: &[i8], ratio: [u32; 2], coordinates: Coordinates, mode: Mode) -> Vec<i8> {
        let input = Tensor::from_fn([1, values.len(), 1], UNIT, |_, x, _| values[x]);
        resize(&input, &Resize { ratios: [[1, 1], ratio], coordinates, mode }, UNIT).data
    }

    #[test]
    fn linear_by_hand() {
        assert_eq!(row(&[0, 40, 80], [2, 1], Coordinates::HalfPixel, Mode::Linear), [0, 10, 30, 50, 70, 80]);
        assert_eq!(row(&[0, 50], [3, 1], Coordinates::AlignCorners, Mode::Linear), [0, 10, 20, 30, 40, 50]);
        assert_eq!(row(&[0, 40], [2, 1], Coordinates::Asymmetric, Mode::Linear), [0, 20, 40, 40]);
    }

    #[test]
    fn nearest_by_hand() {
        let nearest = |mode| row(&[1, 2, 3, 4], [1, 2], Coordinates::HalfPixel, Mode::Nearest(mode));
        // Positions 0.5 and 2.5.
        assert_eq!(nearest(Nearest::Floor), [1, 3]);
        assert_eq!(nearest(Nearest::Ceil), [2, 4]);
        assert_eq!(nearest(Nearest::RoundPreferFloor), [1, 3]);
        assert_eq!(nearest(Nearest::RoundPreferCeil), [2, 4]);
    }
}
