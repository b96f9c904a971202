//! What a kernel is asked to do: rows whose values are staged and whose weights are packed, as [`Layout`] says.
//!
//! A kernel knows nothing of borders, strides, concatenation, upsampling or zero points. Staging (`ops::conv`) has put
//! the values of every pixel's window into runs of consecutive bytes, and folded the zero point into the bias.

use zerocopy::little_endian::{F32, I32};

use crate::quant::Clamp;

/// Pixels that a kernel may compute at a time: inputs can be read as if the number of pixels were rounded up to it.
pub(crate) const TILE: usize = 16;
/// Bytes that can be read behind the last pixel's window.
pub(crate) const SLACK: usize = 64;

/// How an instruction set wants the values and weights of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of a staged value and of a packed weight: 1, or 2 for i16.
    pub value: usize,
    /// What staged values are exclusive-ored with: 0x80 makes them unsigned, 128 higher; 0 leaves them.
    pub flip: u8,
    /// Consecutive values that one step multiplies; segments are filled up to a multiple with weights of 0.
    pub depth: usize,
    /// Output channels that one block of weights serves; the last block is filled up with weights of 0.
    pub channels: usize,
}

impl Layout {
    /// Bytes of the weights of one step of one block: `[channels][depth]` values.
    pub const fn step(&self) -> usize {
        self.channels * self.depth * self.value
    }

    /// Steps that a segment of so many values takes.
    pub const fn steps(&self, values: usize) -> usize {
        values.div_ceil(self.depth)
    }

    /// Blocks that so many output channels take.
    pub const fn blocks(&self, outputs: usize) -> usize {
        outputs.div_ceil(self.channels)
    }
}

/// A part of every pixel's window whose values are consecutive bytes.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The values, from the first of the first pixel's window on. There are at least
    /// `(pixels rounded up to TILE − 1) · stride + steps · depth · value + SLACK` bytes.
    pub input: &'a [u8],
    /// Bytes from a pixel's window to the next.
    pub stride: usize,
    /// Steps of [`Layout::depth`] values.
    pub steps: usize,
}

impl Segment<'_> {
    /// Bytes that may be read for so many pixels.
    pub const fn reach(pixels: usize, stride: usize, steps: usize, layout: &Layout) -> usize {
        (pixels.next_multiple_of(TILE).saturating_sub(1)) * stride + steps * layout.depth * layout.value + SLACK
    }
}

/// What turns accumulators into values, per output channel, filled up to whole blocks.
#[derive(Clone, Copy)]
pub(crate) struct Requantize<'a> {
    /// Where accumulators start: the bias, less what zero point and flip add to every sum. Accumulators wrap: only the
    /// sum at the end has to fit, which the plan's check saw to.
    pub bias: &'a [I32],
    /// Factors; `|accumulator · factor|` stays below 2³⁰.
    pub scales: &'a [F32],
    /// Added after rounding.
    pub zero_point: i8,
    /// Output range.
    pub clamp: Clamp,
}

/// A row of a convolution, or a part of it: `out[x · out_stride + c]` for every pixel x and channel c.
pub(crate) struct ConvRow<'a> {
    /// How values and weights lie.
    pub layout: Layout,
    /// All parts of the window; their steps follow each other in the weights.
    pub segments: &'a [Segment<'a>],
    /// `[blocks][steps of all segments][channels][depth]` values.
    pub weights: &'a [u8],
    /// The way to int8.
    pub requantize: Requantize<'a>,
    /// Whether some weight is −128, whose product with −128 has no room for a second one in 16 bits.
    pub extreme: bool,
    /// Pixels to make.
    pub pixels: usize,
    /// Output channels.
    pub outputs: usize,
    /// Values from a pixel of the output to the next.
    pub out_stride: usize,
}

impl ConvRow<'_> {
    /// Steps of all segments.
    pub fn steps(&self) -> usize {
        self.segments.iter().map(|segment| segment.steps).sum()
    }

    /// Panics unless every slice is as long as a kernel relies on: what makes the pointers in kernels sound.
    pub fn check(&self, out: &[i8]) {
        for segment in self.segments {
            assert!(segment.input.len() >= Segment::reach(self.pixels, segment.stride, segment.steps, &self.layout));
        }
        let blocks = self.layout.blocks(self.outputs);
        assert!(self.weights.len() >= blocks * self.steps() * self.layout.step());
        assert!(self.requantize.bias.len() >= blocks * self.layout.channels);
        assert!(self.requantize.scales.len() >= blocks * self.layout.channels);
        assert!(self.outputs <= self.out_stride && out.len() + self.out_stride >= self.pixels * self.out_stride + self.outputs);
    }
}

/// Kernel rows that [`DepthwiseRow`] interleaves.
pub(crate) const ROWS: usize = 4;

/// A run of outputs of a depthwise convolution, all channels of neighbouring pixels side by side: position
/// `p = x · channels + c`.
///
/// Four kernel rows at a time are interleaved: the bytes `4 · p + r` hold position p of kernel row r (of this group of
/// four), or anything where there is no such row, as its weight is 0.
pub(crate) struct DepthwiseRow<'a> {
    /// Per group of four kernel rows: the interleaved values, from the first pixel's first tap on. There are at least
    /// `4 · (positions + last tap's offset) + SLACK` bytes, positions rounded up to 64.
    pub groups: &'a [&'a [u8]],
    /// Taps of a kernel row.
    pub taps: usize,
    /// Positions from a tap to the next: `dilation · channels`.
    pub tap_stride: usize,
    /// `[groups][taps][period][4]` weights.
    pub weights: &'a [u8],
    /// Positions after which weights, biases and scales repeat: a multiple of the channels and of 16.
    pub period: usize,
    /// `period` biases and scales.
    pub requantize: Requantize<'a>,
}

impl DepthwiseRow<'_> {
    /// Bytes that may be read of a group for so many positions.
    pub const fn reach(positions: usize, taps: usize, tap_stride: usize) -> usize {
        ROWS * (positions.next_multiple_of(64) + (taps - 1) * tap_stride) + SLACK
    }

    /// Panics unless every slice is as long as a kernel relies on.
    pub fn check(&self, out: &[i8]) {
        let reach = DepthwiseRow::reach(out.len(), self.taps, self.tap_stride);
        assert!(self.groups.iter().all(|group| group.len() >= reach));
        assert!(self.period % 16 == 0 && self.period > 0);
        assert!(self.weights.len() >= self.groups.len() * self.taps * self.period * ROWS);
        assert!(self.requantize.bias.len() >= self.period && self.requantize.scales.len() >= self.period);
    }
}
