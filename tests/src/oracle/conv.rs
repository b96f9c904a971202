//! Conv and ConvTranspose.

use super::{Clamp, Quant, Tensor, Window, requantize};

/// A convolution's constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// How the kernel slides.
    pub window: Window,
    /// Groups: outputs of a group read the inputs of that group alone.
    pub group: usize,
    /// Integers `[outputs, kernel rows, kernel columns, inputs of a group]`.
    pub weights: Vec<i8>,
    /// The real value of one step of the weights, per output channel.
    pub weight_scales: Vec<f32>,
    /// Added to the accumulator, per output channel.
    pub bias: Vec<i32>,
    /// Folded ReLU or Clip.
    pub clamp: Clamp,
}

/// ONNX's QLinearConv.
pub fn conv(input: &Tensor, op: &Conv, out: Quant) -> Tensor {
    let outputs = op.bias.len();
    let (per_group, depth) = (outputs / op.group, input.channels / op.group);
    let [kernel_rows, kernel_columns] = op.window.kernel;
    let shape = [op.window.outputs(0, input.rows), op.window.outputs(1, input.width), outputs];
    Tensor::from_fn(shape, out, |y, x, o| {
        let first = o / per_group * depth;
        let mut accumulator = i64::from(op.bias[o]);
        for ky in 0..kernel_rows {
            for kx in 0..kernel_columns {
                let row = op.window.under(0, input.rows, y, ky);
                let column = op.window.under(1, input.width, x, kx);
                for c in 0..depth {
                    let weight = op.weights[((o * kernel_rows + ky) * kernel_columns + kx) * depth + c];
                    accumulator += input.steps(row, column, first + c) * i64::from(weight);
                }
            }
        }
        let scale = (input.quant.scale * op.weight_scales[o]) / out.scale;
        requantize(accumulator, scale, out.zero_point, op.clamp)
    })
}

/// A transposed convolution's constants; its `window` has explicit pads, which are cut from the result.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// Constants as a convolution's; weights `[outputs, kernel rows, kernel columns, inputs of a group]`.
    pub conv: Conv,
    /// Rows and pixels added at the end (bottom, right).
    pub output_padding: [usize; 2],
}

/// ONNX's ConvTranspose on quantized values, from its definition: every input pixel adds the kernel, times its value,
/// to the output at its position times the stride.
pub fn conv_transpose(input: &Tensor, op: &ConvTranspose, out: Quant) -> Tensor {
    let ConvTranspose { conv: Conv { window, group, weights, weight_scales, bias, clamp }, output_padding } = op;
    let outputs = bias.len();
    let (per_group, depth) = (outputs / group, input.channels / group);
    let sides = [input.rows, input.width];
    let pads = [window.pads(0, input.rows), window.pads(1, input.width)];
    let side = |axis: usize| {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        (sides[axis] - 1) * window.stride[axis] + reach + output_padding[axis] - pads[axis][0] - pads[axis][1]
    };
    let [rows, width] = [side(0), side(1)];
    let mut accumulators = vec![0_i64; rows * width * outputs];
    for y in 0..input.rows {
        for x in 0..input.width {
            for ky in 0..window.kernel[0] {
                for kx in 0..window.kernel[1] {
                    let row = (y * window.stride[0] + ky * window.dilation[0]).wrapping_sub(pads[0][0]);
                    let column = (x * window.stride[1] + kx * window.dilation[1]).wrapping_sub(pads[1][0]);
                    if row >= rows || column >= width {
                        continue;
                    }
                    for o in 0..outputs {
                        for c in 0..depth {
                            let weight = weights[((o * window.kernel[0] + ky) * window.kernel[1] + kx) * depth + c];
                            let value = input.steps(y as i64, x as i64, o / per_group * depth + c);
                            accumulators[(row * width + column) * outputs + o] += value * i64::from(weight);
                        }
                    }
                }
            }
        }
    }
    Tensor::from_fn([rows, width, outputs], out, |y, x, o| {
        let scale = (input.quant.scale * weight_scales[o]) / out.scale;
        let accumulator = accumulators[(y * width + x) * outputs + o] + i64::from(bias[o]);
        requantize(accumulator, scale, out.zero_point, *clamp)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Clamp, Padding};
    use super::*;

    #[test]
    fn a_convolution_by_hand() {
        let quant = Quant { scale: 1.0, zero_point: 1 };
        let input = Tensor::from_fn([2, 2, 1], quant, |y, x, _| (y * 2 + x) as i8 + 1);
        let op = Conv {
            window: Window {
                kernel: [2, 2],
                stride: [1, 1],
                dilation: [1, 1],
                padding: Padding::Explicit([0, 0, 1, 1]),
                ceil: false,
            },
            group: 1,
            weights: vec![1, 10, 2, 20],
            weight_scales: vec![1.0],
            bias: vec![3],
            clamp: Clamp::FULL,
        };
        // Steps are [[0, 1], [2, 3]], zeros around.
        let out = conv(&input, &op, Quant { scale: 1.0, zero_point: 0 });
        assert_eq!((out.shape(), out.data), ([2, 2, 1], vec![10 + 4 + 60 + 3, 1 + 6 + 3, 2 + 30 + 3, 3 + 3]));
    }

    #[test]
    fn a_transposed_convolution_by_hand() {
        let input = Tensor::from_fn([1, 2, 1], Quant { scale: 1.0, zero_point: 0 }, |_, x, _| x as i8 + 1);
        let op = ConvTranspose {
            conv: Conv {
                window: Window {
                    kernel: [1, 3],
                    stride: [1, 2],
                    dilation: [1, 1],
                    padding: Padding::Explicit([0, 1, 0, 0]),
                    ceil: false,
                },
                group: 1,
                weights: vec![1, 10, 20],
                weight_scales: vec![1.0],
                bias: vec![0],
                clamp: Clamp::FULL,
            },
            output_padding: [0, 1],
        };
        // 1, 10, 20 and, two to the right, 2, 20, 40; the first pixel cut, one added.
        let out = conv_transpose(&input, &op, Quant { scale: 1.0, zero_point: 0 });
        assert_eq!(out.data, [10, 22, 20, 40, 0]);
    }
}
