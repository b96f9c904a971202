//! Any Conv, without kernels of its own: the definition, and what runs where an instruction set has no layout for it.
//!
//! Four neighbouring output pixels are made at a time. Their patches (the values under the window, less the zero
//! point, so that padding is 0) are gathered once and then multiplied with the weights of every output channel: the
//! gather pays for borders, concatenation, upsampling and dilation, and the inner loop knows nothing of them. A patch
//! longer than [`PATCH`] is done in pieces.

use core::ops::Range;

use crate::arch::Isa;
use crate::ops::Context;
use crate::plan::Conv;
use crate::quant::requantize;
use crate::shape::Axis;

/// Pixels at a time.
const PIXELS: usize = 4;
/// Values of a patch that are gathered before they are multiplied.
const PATCH: usize = 256;
/// Output channels whose sums are held at a time.
const CHANNELS: usize = 32;

/// Columns of a row of a Conv.
pub(super) fn row<I: Isa>(isa: I, cx: &Context, conv: &Conv, y: u32, out: &mut [i8]) {
    let inputs: usize = (0..cx.edges.len()).map(|i| usize::from(cx.input(i).channels.get())).sum();
    let outputs = usize::from(cx.output.channels.get());
    let factor = cx.edges.first().map_or(1, |edge| u32::from(edge.upsample));
    let size = cx.size(0);
    let axes = (conv.window.axis(0, size.rows * factor), conv.window.axis(1, size.width * factor));
    let (Some(rows), Some(columns)) = axes else { return };
    if conv.is_depthwise(inputs, outputs) && factor == 1 {
        return depthwise(isa, cx, conv, (&rows, &columns), y, out);
    }
    let group = usize::from(conv.group);
    let (group_inputs, group_outputs) = (inputs / group, outputs / group);
    let taps = (rows.kernel * columns.kernel) as usize * group_inputs;
    let zero_out = cx.output.zero_point;
    let patch = Patch { cx, rows: &rows, columns: &columns, y, zero_point: i16::from(cx.input(0).zero_point) };
    for (block, pixels) in out.chunks_mut(PIXELS * outputs).enumerate() {
        let x = cx.columns.start + (block * PIXELS) as u32;
        for g in 0..group {
            for first in (g * group_outputs..(g + 1) * group_outputs).step_by(CHANNELS) {
                let count = CHANNELS.min((g + 1) * group_outputs - first);
                let mut sums = [[0; PIXELS]; CHANNELS];
                for (sum, bias) in sums.iter_mut().zip(&conv.bias[first..first + count]) {
                    *sum = [bias.get(); PIXELS];
                }
                patch.gather(x, g * group_inputs..(g + 1) * group_inputs, |at, values| {
                    for (sum, o) in sums[..count].iter_mut().zip(first..) {
                        let weights = &conv.weights[o * taps + at..][..values[0].len()];
                        let dots = isa.dot(values, weights);
                        sum.iter_mut().zip(dots).for_each(|(sum, dot)| *sum += dot);
                    }
                });
                for (p, pixel) in pixels.chunks_exact_mut(outputs).enumerate() {
                    for ((value, sum), o) in pixel[first..first + count].iter_mut().zip(&sums).zip(first..) {
                        *value = requantize(sum[p], conv.scales[o].get(), zero_out, conv.clamp);
                    }
                }
            }
        }
    }
}

/// Where patches come from.
struct Patch<'a> {
    cx: &'a Context<'a>,
    rows: &'a Axis,
    columns: &'a Axis,
    y: u32,
    zero_point: i16,
}

impl Patch<'_> {
    /// Gathers the patches of [`PIXELS`] pixels from `x` on, for a range of channels, in the order of the weights, and
    /// hands them to `each` in pieces of at most [`PATCH`] values with the position of their first.
    fn gather(&self, x: u32, channels: Range<usize>, mut each: impl FnMut(usize, [&[i16]; PIXELS])) {
        let mut values = [[0i16; PATCH]; PIXELS];
        let (mut at, mut filled) = (0, 0);
        let last = self.columns.output - 1;
        for (index, edge) in self.cx.edges.iter().enumerate() {
            let total = usize::from(self.cx.input(index).channels.get());
            // Only one input can be grouped: the range is all of the channels otherwise.
            let range = if self.cx.edges.len() == 1 { channels.clone() } else { 0..total };
            let factor = u32::from(edge.upsample);
            for ky in 0..self.rows.kernel {
                let row = self.rows.position(self.y, ky).map(|row| self.cx.row(index, row / factor));
                for kx in 0..self.columns.kernel {
                    let mut start = range.start;
                    while start < range.end {
                        let len = (range.end - start).min(PATCH - filled);
                        for (x, patch) in (x..).zip(&mut values) {
                            // Pixels beyond the row repeat the last: computed, never stored.
                            let column = self.columns.position(x.min(last), kx).map(|c| (c / factor) as usize);
                            let place = &mut patch[filled..filled + len];
                            match (row, column) {
                                (Some(row), Some(column)) => {
                                    let source = &row[column * total + start..][..len];
                                    for (value, &v) in place.iter_mut().zip(source) {
                                        *value = i16::from(v) - self.zero_point;
                                    }
                                }
                                _ => place.fill(0),
                            }
                        }
                        start += len;
                        filled += len;
                        if filled == PATCH {
                            each(at, values.each_ref().map(|patch| &patch[..]));
                            at += PATCH;
                            filled = 0;
                        }
                    }
                }
            }
        }
        if filled > 0 {
            each(at, values.each_ref().map(|patch| &patch[..filled]));
        }
    }
}

/// One channel per group: tap by tap, all channels side by side.
fn depthwise<I: Isa>(isa: I, cx: &Context, conv: &Conv, axes: (&Axis, &Axis), y: u32, out: &mut [i8]) {
    let (rows, columns) = axes;
    let channels = usize::from(cx.output.channels.get());
    let (zero_in, zero_out) = (cx.input(0).zero_point, cx.output.zero_point);
    for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
        for (block, values) in pixel.chunks_mut(CHANNELS).enumerate() {
            let first = block * CHANNELS;
            let mut sums = [0; CHANNELS];
            let sums = &mut sums[..values.len()];
            for (sum, bias) in sums.iter_mut().zip(&conv.bias[first..]) {
                *sum = bias.get();
            }
            for ky in 0..rows.kernel {
                let Some(row) = rows.position(y, ky).map(|at| cx.row(0, at)) else { continue };
                for kx in 0..columns.kernel {
                    let Some(column) = columns.position(x, kx) else { continue };
                    let tap = (ky * columns.kernel + kx) as usize;
                    let source = &row[column as usize * channels + first..][..sums.len()];
                    isa.multiply_add(sums, source, zero_in, &conv.weights[tap * channels + first..][..source.len()]);
                }
            }
            for (c, (value, sum)) in values.iter_mut().zip(sums).enumerate() {
                *value = requantize(*sum, conv.scales[first + c].get(), zero_out, conv.clamp);
            }
        }
    }
}
