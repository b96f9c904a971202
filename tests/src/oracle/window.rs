//! Windows that slide over a tensor, and the operators that only move values: Pad and Slice.

use std::ops::Range;

use super::Tensor;

/// What surrounds a tensor under a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Top, left, bottom, right.
    Explicit([usize; 4]),
    /// `ceil(input / stride)` outputs; an odd pixel goes after.
    SameUpper,
    /// `ceil(input / stride)` outputs; an odd pixel goes before.
    SameLower,
}

/// ONNX's `kernel_shape`, `strides`, `dilations`, pads and `ceil_mode`; pairs are `[rows, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps.
    pub kernel: [usize; 2],
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// What surrounds the tensor.
    pub padding: Padding,
    /// Whether the last window may overhang.
    pub ceil: bool,
}

impl Window {
    /// `[before, after]` the tensor along an axis of `input` pixels.
    pub fn pads(&self, axis: usize, input: usize) -> [usize; 2] {
        let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        let total = || {
            let outputs = input.div_ceil(self.stride[axis]);
            ((outputs - 1) * self.stride[axis] + reach).saturating_sub(input)
        };
        match self.padding {
            Padding::Explicit(pads) => [pads[axis], pads[axis + 2]],
            Padding::SameUpper => [total() / 2, total().div_ceil(2)],
            Padding::SameLower => [total().div_ceil(2), total() / 2],
        }
    }

    /// How many outputs there are along an axis; 0 if the window does not fit once.
    pub fn outputs(&self, axis: usize, input: usize) -> usize {
        let [before, after] = self.pads(axis, input);
        let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
        // Counted rather than computed: windows that start on the tensor or before it, and end where they may.
        let fits = |start: usize| start + reach <= before + input + after;
        let mut outputs = 0;
        while fits(outputs * self.stride[axis]) {
            outputs += 1;
        }
        let start = outputs * self.stride[axis];
        // One more where `ceil` lets it overhang: the last that fitted must not have reached the end already, and the
        // new one has to start before the padding that follows the tensor.
        let reached = outputs > 0 && start - self.stride[axis] + reach == before + input + after;
        if self.ceil && outputs > 0 && !reached && start < before + input {
            outputs += 1;
        }
        outputs
    }

    /// The place on the input under a tap of the window of an output; may be off the tensor.
    pub fn under(&self, axis: usize, input: usize, output: usize, tap: usize) -> i64 {
        (output * self.stride[axis] + tap * self.dilation[axis]) as i64 - self.pads(axis, input)[0] as i64
    }
}

/// ONNX's Pad modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadMode {
    /// Every added pixel has this integer.
    Constant(i8),
    /// Mirrored at the outermost pixel, which is not repeated.
    Reflect,
    /// The outermost pixel again.
    Edge,
}

/// Pad by `[top, left, bottom, right]` pixels.
pub fn pad(input: &Tensor, pads: [usize; 4], mode: PadMode) -> Tensor {
    let shape = [input.rows + pads[0] + pads[2], input.width + pads[1] + pads[3], input.channels];
    let fold = |at: i64, side: usize| match mode {
        _ if side == 1 => 0,
        PadMode::Edge => at.clamp(0, side as i64 - 1),
        // Bounce until inside.
        _ => {
            let mut at = at;
            while !(0..side as i64).contains(&at) {
                at = if at < 0 { -at } else { 2 * (side as i64 - 1) - at };
            }
            at
        }
    };
    Tensor::from_fn(shape, input.quant, |y, x, c| {
        let (y, x) = (y as i64 - pads[0] as i64, x as i64 - pads[1] as i64);
        match mode {
            PadMode::Constant(value) if !input.has(y, x) => value,
            _ => input.at(fold(y, input.rows) as usize, fold(x, input.width) as usize, c),
        }
    })
}

/// The tensor without `[top, left, bottom, right]` pixels, and only these channels of it.
pub fn slice(input: &Tensor, cut: [usize; 4], channels: Range<usize>) -> Tensor {
    let shape = [input.rows - cut[0] - cut[2], input.width - cut[1] - cut[3], channels.len()];
    Tensor::from_fn(shape, input.quant, |y, x, c| input.at(y + cut[0], x + cut[1], channels.start + c))
}

/// The tensor cut or continued to `rows` and `width` by repeating its last row and pixel: how a session makes frames
/// fit a network.
pub fn fit(input: &Tensor, rows: usize, width: usize) -> Tensor {
    Tensor::from_fn([rows, width, input.channels], input.quant, |y, x, c| {
        input.at(y.min(input.rows - 1), x.min(input.width - 1), c)
    })
}

/// Every pixel `factor` times, along both axes.
pub fn enlarge(input: &Tensor, factor: usize) -> Tensor {
    let shape = [input.rows * factor, input.width * factor, input.channels];
    Tensor::from_fn(shape, input.quant, |y, x, c| input.at(y / factor, x / factor, c))
}
