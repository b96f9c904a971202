//! ConvTranspose, gathered: each output pixel sums over the input pixels that reach it, so a row is finished at once
//! and nothing is accumulated between rows.

use super::Context;
use crate::arch::Isa;
use crate::plan::Conv;
use crate::quant::requantize;
use crate::shape::Axis;

/// Input channels that are gathered at a time.
const PATCH: usize = 256;
/// Output channels whose sums are held at a time.
const CHANNELS: usize = 32;

/// The input position that tap `tap` brings to output position `at`.
fn source(axis: &Axis, at: u32, tap: u32) -> Option<u32> {
    let ahead = (at + axis.before).checked_sub(tap * axis.dilation)?;
    (ahead % axis.stride == 0).then_some(ahead / axis.stride).filter(|&i| i < axis.input)
}

/// One row of a ConvTranspose.
pub(super) fn row<I: Isa>(isa: I, cx: &Context, conv: &Conv, output_padding: [u16; 2], y: u32, out: &mut [i8]) {
    let size = cx.size(0);
    let axes = (
        conv.window.transposed_axis(0, size.rows, output_padding[0]),
        conv.window.transposed_axis(1, size.width, output_padding[1]),
    );
    let (Some(rows), Some(columns)) = axes else { return };
    let (inputs, outputs) = (usize::from(cx.input(0).channels.get()), usize::from(cx.output.channels.get()));
    let group = usize::from(conv.group);
    let (group_inputs, group_outputs) = (inputs / group, outputs / group);
    let taps = (rows.kernel * columns.kernel) as usize;
    let (zero_in, zero_out) = (i16::from(cx.input(0).zero_point), cx.output.zero_point);
    let mut patch = [0i16; PATCH];
    for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(outputs)) {
        for first in (0..outputs).step_by(CHANNELS) {
            // A block that crosses groups would need two patches: blocks end where groups do.
            let mut start = first;
            while start < outputs.min(first + CHANNELS) {
                let g = start / group_outputs;
                let end = outputs.min(first + CHANNELS).min((g + 1) * group_outputs);
                let mut sums = [0; CHANNELS];
                for (sum, bias) in sums.iter_mut().zip(&conv.bias[start..end]) {
                    *sum = bias.get();
                }
                for ky in 0..rows.kernel {
                    let Some(row) = source(&rows, y, ky).map(|at| cx.row(0, at)) else { continue };
                    for kx in 0..columns.kernel {
                        let Some(column) = source(&columns, x, kx) else { continue };
                        let tap = (ky * columns.kernel + kx) as usize;
                        let values = &row[column as usize * inputs + g * group_inputs..][..group_inputs];
                        for (piece, values) in values.chunks(PATCH).enumerate() {
                            let patch = &mut patch[..values.len()];
                            patch.iter_mut().zip(values).for_each(|(p, &v)| *p = i16::from(v) - zero_in);
                            for (sum, o) in sums.iter_mut().zip(start..end) {
                                let weights = &conv.weights[(o * taps + tap) * group_inputs + piece * PATCH..];
                                *sum += isa.dot([patch], &weights[..patch.len()])[0];
                            }
                        }
                    }
                }
                for ((value, sum), o) in pixel[start..end].iter_mut().zip(sums).zip(start..) {
                    *value = requantize(sum, conv.scales[o].get(), zero_out, conv.clamp);
                }
                start = end;
            }
        }
    }
}
