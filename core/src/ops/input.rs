//! From camera rows to the network's input tensor.
//!
//! A value x becomes `v = (x − low) / (high − low)`, clipped to [0, 1] where the levels are percentiles, then
//! `v · gain + offset` of its channel, then int8 by the one rounding rule. For 8-bit rows that is a table of 256
//! entries per channel, made when the levels are set.

use crate::arch::Isa;
use crate::plan::{Input, Levels, MAX_CAMERA_CHANNELS, Normalization, Order, Tensor};
use crate::quant::{Clamp, saturate};

/// Pixels of a pushed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One value per pixel.
    Grey,
    /// Red, green, blue.
    Rgb,
}

impl Layout {
    /// Values per pixel.
    pub fn channels(self) -> usize {
        match self {
            Layout::Grey => 1,
            Layout::Rgb => 3,
        }
    }
}

/// One pushed row, pixel after pixel.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// 8-bit camera values: `width` times the channels of the frame's layout.
    U8(&'a [u8]),
    /// 16-bit camera values, likewise.
    U16(&'a [u16]),
    /// Values of the input tensor itself, `width` times its channels: no preprocessing.
    I8(&'a [i8]),
}

/// Luma of an RGB pixel, in the units of its values: `(77·r + 150·g + 29·b + 128) >> 8` (BT.601).
pub fn luma(r: u32, g: u32, b: u32) -> u32 {
    (77 * r + 150 * g + 29 * b + 128) >> 8
}

/// The preprocessing of one frame.
#[derive(Clone, Copy)]
pub(crate) struct Converter {
    pub input: Input,
    pub tensor: Tensor,
    pub levels: Levels,
}

impl Converter {
    fn value(&self, channel: usize, x: f32) -> i8 {
        let mut v = (x - self.levels.low) / (self.levels.high - self.levels.low);
        if matches!(self.input.normalization, Normalization::Percentile { .. }) {
            v = v.clamp(0.0, 1.0);
        }
        let c = channel % MAX_CAMERA_CHANNELS;
        saturate(
            (v * self.input.gain[c] + self.input.offset[c]) / self.tensor.scale,
            self.tensor.zero_point,
            Clamp::FULL,
        )
    }

    /// Fills the tables: 256 entries per channel, in the order of the values taken as signed bytes.
    pub fn fill(&self, tables: &mut [i8]) {
        for (channel, table) in tables.chunks_exact_mut(256).enumerate() {
            for (x, value) in table.iter_mut().enumerate() {
                *value = self.value(channel, (x ^ 0x80) as f32);
            }
        }
    }

    /// Converts a row of 8-bit values of `layout`.
    pub fn row_u8<I: Isa>(&self, isa: I, tables: &[i8], layout: Layout, row: &[u8], out: &mut [i8]) {
        let (tables, _) = tables.as_chunks::<256>();
        if let (Layout::Grey, [table]) = (layout, tables) {
            let written = row.len().min(out.len());
            isa.look_up(table, zerocopy::transmute_ref!(row), &mut out[..written]);
            return repeat_last(out, 1, written);
        }
        self.row(layout, row, out, |channel, x| tables[channel][x as usize ^ 0x80]);
    }

    /// Converts a row of 16-bit values of `layout`.
    pub fn row_u16(&self, layout: Layout, row: &[u16], out: &mut [i8]) {
        self.row(layout, row, out, |channel, x| self.value(channel, x as f32));
    }

    /// `out` may be wider than the row: the last pixel is repeated.
    fn row<T: Copy + Into<u32>>(&self, layout: Layout, row: &[T], out: &mut [i8], value: impl Fn(usize, u32) -> i8) {
        let channels = usize::from(self.tensor.channels);
        let pixels = row.chunks_exact(layout.channels());
        let written = pixels.len();
        for (pixel, out) in pixels.zip(out.chunks_exact_mut(channels)) {
            match (layout, channels) {
                (Layout::Rgb, 1) => {
                    out[0] = value(0, luma(pixel[0].into(), pixel[1].into(), pixel[2].into()));
                }
                _ => {
                    for (channel, out) in out.iter_mut().enumerate() {
                        let source = match self.input.order {
                            _ if layout == Layout::Grey => 0,
                            Order::Rgb => channel % 3,
                            Order::Bgr => 2 - channel % 3,
                        };
                        *out = value(channel, pixel[source].into());
                    }
                }
            }
        }
        repeat_last(out, channels, written);
    }
}

/// Repeats the last of `written` pixels to the end of the row.
pub(crate) fn repeat_last(out: &mut [i8], channels: usize, written: usize) {
    let (row, rest) = out.split_at_mut(out.len().min(written * channels));
    if let Some(last) = row.len().checked_sub(channels).map(|at| &row[at..]) {
        rest.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(last));
    }
}
