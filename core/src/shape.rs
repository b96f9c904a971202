//! Sizes along an axis, and which input positions an output position needs.
//!
//! Rows and columns follow the same arithmetic, so it is written once, for one [`Axis`] at a time. Everything is
//! integer: resolved once per session, the same on every machine.

/// Longest side of any tensor, in pixels. Keeps every product of two positions inside `i64` and every stored
/// coefficient inside `i32`.
pub const MAX_SIDE: u32 = 65_535;

/// Rows and width of a tensor, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of rows.
    pub rows: u32,
    /// Pixels in a row.
    pub width: u32,
}

impl Size {
    /// The size along axis 0 (rows) or 1 (width).
    pub fn along(self, axis: usize) -> u32 {
        if axis == 0 { self.rows } else { self.width }
    }
}

/// How much is added around an input before a window slides over it; ONNX's `pads` and `auto_pad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Pixels added: top, left, bottom, right (ONNX's order).
    Explicit([u16; 4]),
    /// As much as makes the output `ceil(input / stride)`; the odd pixel goes after.
    SameUpper,
    /// As much as makes the output `ceil(input / stride)`; the odd pixel goes before.
    SameLower,
}

/// A window that slides over rows and columns; every pair is `[rows, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps per axis, at least 1.
    pub kernel: [u16; 2],
    /// Step between neighbouring outputs, at least 1.
    pub stride: [u16; 2],
    /// Distance between neighbouring taps, at least 1.
    pub dilation: [u16; 2],
    /// What surrounds the input.
    pub padding: Padding,
    /// Whether a last window that overhangs the end counts (ONNX's `ceil_mode`; pooling only).
    pub ceil: bool,
}

impl Window {
    /// A window of one pixel: the identity.
    pub const UNIT: Window =
        Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: Padding::Explicit([0; 4]), ceil: false };

    /// The window along `axis` (0 rows, 1 width) over an input of `input` pixels; `None` if not even one fits.
    pub fn axis(&self, axis: usize, input: u32) -> Option<Axis> {
        let (kernel, stride, dilation) =
            (u32::from(self.kernel[axis]), u32::from(self.stride[axis]), u32::from(self.dilation[axis]));
        let reach = (kernel - 1) * dilation + 1;
        let same = |upper: bool| {
            let total = ((input.div_ceil(stride) - 1) * stride + reach).saturating_sub(input);
            if upper { (total / 2, total - total / 2) } else { (total - total / 2, total / 2) }
        };
        let (before, after) = match self.padding {
            Padding::Explicit(pads) => (u32::from(pads[axis]), u32::from(pads[axis + 2])),
            _ if input == 0 => return None,
            Padding::SameUpper => same(true),
            Padding::SameLower => same(false),
        };
        let span = (input + before + after).checked_sub(reach)?;
        let mut output = if self.ceil { span.div_ceil(stride) } else { span / stride } + 1;
        // A window that would start in the padding after the input does not count.
        if self.ceil && (output - 1) * stride >= input + before {
            output -= 1;
        }
        Some(Axis { kernel, stride, dilation, before, after, input, output })
    }

    /// The window the other way round, as ConvTranspose has it: input position i and tap k reach output position
    /// `i · stride + k · dilation − before`. `None` if the padding leaves nothing.
    pub fn transposed_axis(&self, axis: usize, input: u32, output_padding: u16) -> Option<Axis> {
        let (kernel, stride, dilation) =
            (u32::from(self.kernel[axis]), u32::from(self.stride[axis]), u32::from(self.dilation[axis]));
        let (before, after) = match self.padding {
            Padding::Explicit(pads) => (u32::from(pads[axis]), u32::from(pads[axis + 2])),
            Padding::SameUpper | Padding::SameLower => (0, 0),
        };
        let full = input.checked_sub(1)? * stride + (kernel - 1) * dilation + 1 + u32::from(output_padding);
        let output = full.checked_sub(before + after)?;
        Some(Axis { kernel, stride, dilation, before, after, input, output })
    }
}

/// A [`Window`] along one axis of one input, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Taps.
    pub kernel: u32,
    /// Step between outputs.
    pub stride: u32,
    /// Distance between taps.
    pub dilation: u32,
    /// Padding before the input, in pixels.
    pub before: u32,
    /// Padding after the input, in pixels.
    pub after: u32,
    /// Input size in pixels.
    pub input: u32,
    /// Output size in pixels.
    pub output: u32,
}

impl Axis {
    /// The input position under `tap` of the window at `output`, or `None` in the padding.
    pub fn position(&self, output: u32, tap: u32) -> Option<u32> {
        (output * self.stride + tap * self.dilation).checked_sub(self.before).filter(|&at| at < self.input)
    }

    /// How many taps of the window at `output` lie on the input or its padding: fewer than the kernel only where
    /// `ceil` lets the last window overhang.
    pub fn covered(&self, output: u32) -> u32 {
        (0..self.kernel)
            .filter(|tap| output * self.stride + tap * self.dilation < self.before + self.input + self.after)
            .count() as u32
    }
}

/// `floor((position · mul + add) / div)`: how every operator maps an output position to an input one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affine {
    /// Factor of the position.
    pub mul: i64,
    /// Constant.
    pub add: i64,
    /// Divisor, at least 1.
    pub div: i64,
}

impl Affine {
    /// The identity.
    pub const UNIT: Affine = Affine { mul: 1, add: 0, div: 1 };

    /// The value at `position`, rounded down.
    pub fn floor(&self, position: u32) -> i64 {
        self.numerator(position).div_euclid(self.div)
    }

    /// The numerator at `position`, over [`Affine::div`].
    pub fn numerator(&self, position: u32) -> i64 {
        i64::from(position) * self.mul + self.add
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: u16, stride: u16, padding: Padding, ceil: bool) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], padding, ceil }
    }

    #[test]
    fn sizes_follow_onnx() {
        let out = |w: Window, n| w.axis(0, n).map(|a| (a.before, a.after, a.output));
        assert_eq!(out(window(3, 1, Padding::Explicit([1; 4]), false), 8), Some((1, 1, 8)));
        assert_eq!(out(window(3, 1, Padding::Explicit([0; 4]), false), 2), None);
        assert_eq!(out(window(3, 2, Padding::SameUpper, false), 8), Some((0, 1, 4)));
        assert_eq!(out(window(3, 2, Padding::SameLower, false), 8), Some((1, 0, 4)));
        assert_eq!(out(window(2, 2, Padding::Explicit([0; 4]), true), 5), Some((0, 0, 3)));
        assert_eq!(out(window(2, 2, Padding::Explicit([1; 4]), true), 3), Some((1, 1, 2)));
    }

    #[test]
    fn affine_rounds_down_below_zero() {
        assert_eq!(Affine { mul: 1, add: -3, div: 2 }.floor(0), -2);
    }
}
