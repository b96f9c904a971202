//! What a kernel is asked to do: rows whose values are staged and whose weights are packed, as [`Layout`] says.
//!
//! A kernel knows nothing of borders, strides, concatenation, upsampling or zero points. Staging (`ops::conv`) has put
//! the values of every pixel's window into runs of consecutive bytes, and folded the zero point into the bias.
#![allow(dead_code, reason = "a job says more than every instruction set asks")]

use core::ops::Range;

use zerocopy::little_endian::{F32, I32};

use crate::quant::Clamp;

/// Pixels that a kernel may compute at a time: inputs can be read as if the number of pixels were rounded up to it.
pub(crate) const TILE: usize = 16;
/// Bytes that can be read behind the last pixel's window.
pub(crate) const SLACK: usize = 64;
/// Most segments of a convolution.
pub(crate) const MAX_SEGMENTS: usize = 32;

/// The layout of a convolution of so many output channels: [`Isa::layout`](super::Isa::layout) of an instruction set, which
/// need not be one of this machine's.
pub(crate) type Layouts<'f> = &'f dyn Fn(usize) -> Option<Layout>;

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
    /// How many channels lie together in a staged row, the most first. A pixel's channels are cut into planes so wide, and
    /// a row is staged plane after plane; what is missing in the last is never looked at. With none, a row is one plane.
    pub planes: &'static [usize],
    /// Bytes of a value of interleaved kernel rows, and of a weight of a depthwise convolution: 1, or 2 for i16. Only where
    /// it is `value` too are kernel rows interleaved for convolutions that are not depthwise.
    pub interleaved: usize,
}

/// Planes of a staged row, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planes {
    /// The first of their channels.
    pub first: usize,
    /// Channels of all of them; the last plane may lack some.
    pub channels: usize,
    /// Channels that a plane has room for.
    pub width: usize,
    /// How many.
    pub count: usize,
}

impl Layout {
    /// Bytes of the weights of one step of one block: `[channels][depth]` values.
    pub const fn step(&self) -> usize {
        self.channels * self.depth * self.value
    }

    /// How a pixel of so many channels is cut, the widest planes first.
    pub fn cut(&self, channels: usize) -> impl Iterator<Item = Planes> {
        let narrowest = self.planes.last().copied().unwrap_or(channels);
        let widths = if self.planes.is_empty() { core::slice::from_ref(&WHOLE) } else { self.planes };
        let mut first = 0;
        widths.iter().filter_map(move |&width| {
            let width = if width == WHOLE { channels } else { width };
            let left = channels - first;
            // One more where narrower planes would take as much room.
            let count = (left + narrowest - 1) / width;
            let planes = Planes { first, channels: left.min(count * width), width, count };
            first += planes.channels;
            (count > 0).then_some(planes)
        })
    }

    /// Values of a pixel of so many channels, with the room in its planes.
    pub fn room(&self, channels: usize) -> usize {
        self.cut(channels).map(|planes| planes.count * planes.width).sum()
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

/// Stands for all channels of a pixel.
const WHOLE: usize = usize::MAX;

/// A part of every pixel's window whose values are consecutive bytes; the same in several planes.
#[derive(Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The values, from the first of the first pixel's window on. There are at least
    /// `(planes − 1) · pitch + (pixels rounded up to TILE − 1) · stride + steps · depth · value + SLACK` bytes.
    pub input: &'a [u8],
    /// Bytes from a pixel's window to the next.
    pub stride: usize,
    /// Values, in each plane.
    pub values: usize,
    /// Steps of [`Layout::depth`] of these.
    pub steps: usize,
    /// How many planes; one where [`Layout::planes`] are none.
    pub planes: usize,
    /// Bytes from a plane to the next.
    pub pitch: usize,
}

impl Segment<'_> {
    /// Bytes of a plane that may be read for so many pixels.
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
    /// Whether it stays below 2¹⁵ − 256 too, so that 16 bits hold it with its zero point.
    pub small: bool,
    /// Added after rounding.
    pub zero_point: i8,
    /// Output range.
    pub clamp: Clamp,
}

/// A row of a convolution, or a part of it: `out[x · out_stride + c]` for every pixel x and channel c.
pub(crate) struct ConvRow<'a> {
    /// How values and weights lie.
    pub layout: Layout,
    /// All parts of the window; their steps follow each other in the weights, plane by plane.
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
        self.segments.iter().map(|segment| segment.planes * segment.steps).sum()
    }

    /// Panics unless every slice is as long as a kernel relies on: what makes the pointers in kernels sound.
    pub fn check(&self, out: &[i8]) {
        for segment in self.segments {
            assert!(segment.planes == 1 || segment.planes > 1 && !self.layout.planes.is_empty());
            let reach = Segment::reach(self.pixels, segment.stride, segment.steps, &self.layout);
            assert!(segment.input.len() >= (segment.planes - 1) * segment.pitch + reach);
        }
        let blocks = self.layout.blocks(self.outputs);
        assert!(self.weights.len() >= blocks * self.steps() * self.layout.step());
        assert!(self.requantize.bias.len() >= blocks * self.layout.channels);
        assert!(self.requantize.scales.len() >= blocks * self.layout.channels);
        assert!(
            self.outputs <= self.out_stride
                && out.len() + self.out_stride >= self.pixels * self.out_stride + self.outputs
        );
    }
}

/// Kernel rows that [`DepthwiseRow`] interleaves.
pub(crate) const ROWS: usize = 4;

/// A run of outputs of a depthwise convolution, all channels of neighbouring pixels side by side: position
/// `p = x · channels + c`.
///
/// Four kernel rows at a time are interleaved: value `4 · p + r`, of [`Layout::interleaved`] bytes, is that of position p of
/// kernel row r (of this group of four), or anything where there is no such row, as its weight is 0.
pub(crate) struct DepthwiseRow<'a> {
    /// Bytes of an interleaved value and of a weight.
    pub interleaved: usize,
    /// Per group of four kernel rows: the interleaved values, from the first pixel's first tap on. There are at least
    /// `4 · (positions + last tap's offset) · interleaved + SLACK` bytes, positions rounded up to 64.
    pub groups: &'a [&'a [u8]],
    /// Which of the interleaved rows have weights; the last is in the last group.
    pub rows: Range<usize>,
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
    /// See [`ConvRow::extreme`].
    pub extreme: bool,
}

impl DepthwiseRow<'_> {
    /// Bytes that may be read of a group for so many positions.
    pub const fn reach(positions: usize, taps: usize, tap_stride: usize, interleaved: usize) -> usize {
        ROWS * (positions.next_multiple_of(64) + (taps - 1) * tap_stride) * interleaved + SLACK
    }

    /// Panics unless every slice is as long as a kernel relies on.
    pub fn check(&self, out: &[i8]) {
        let reach = DepthwiseRow::reach(out.len(), self.taps, self.tap_stride, self.interleaved);
        assert!(self.groups.iter().all(|group| group.len() >= reach));
        assert!(self.rows.end.div_ceil(ROWS) == self.groups.len());
        assert!(self.period.is_multiple_of(16) && self.period > 0);
        assert!(self.weights.len() >= self.groups.len() * self.taps * self.period * ROWS * self.interleaved);
        assert!(self.requantize.bias.len() >= self.period && self.requantize.scales.len() >= self.period);
    }
}

/// A run of pixels of a linear Resize to twice the width, which changes no quantization. Input pixel x makes the output
/// pixels 2 · x and 2 · x + 1: three parts of itself and one of its neighbour on that side, or, at the edges, of itself.
pub(crate) struct DoubleRow<'a> {
    /// A row of the input, and the one below it.
    pub above: &'a [i8],
    /// As long.
    pub below: &'a [i8],
    /// What the row below weighs, in quarters.
    pub weight: i8,
    /// Values of a pixel.
    pub channels: usize,
    /// The first pixel of the input.
    pub first: usize,
}
