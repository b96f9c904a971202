//! Pad and Slice: more and fewer rows, columns, channels.

use super::Context;
use crate::plan::PadMode;

/// The input position for output position `at` of an axis with `before` pixels added in front of `input`.
fn source(mode: PadMode, at: u32, before: u16, input: u32) -> Option<u32> {
    let (last, at) = (i64::from(input) - 1, i64::from(at) - i64::from(before));
    let inside = match mode {
        PadMode::Constant(_) => at,
        PadMode::Edge => at.min(last).max(0),
        PadMode::Reflect => last - (last - at.abs()).abs(),
    };
    (0..=last).contains(&inside).then_some(inside as u32)
}

/// The input with rows and columns around it.
pub(super) fn pad(cx: &Context, pads: [u16; 4], mode: PadMode, y: u32, out: &mut [i8]) {
    let size = cx.size(0);
    let channels = usize::from(cx.output.channels.get());
    let fill = if let PadMode::Constant(value) = mode { value } else { 0 };
    let row = source(mode, y, pads[0], size.rows).map(|at| cx.row(0, at));
    for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
        match (row, source(mode, x, pads[1], size.width)) {
            (Some(row), Some(at)) => {
                let at = at as usize * channels;
                pixel.copy_from_slice(&row[at..at + channels]);
            }
            _ => pixel.fill(fill),
        }
    }
}

/// The input without its outer rows and columns, and with some of its channels.
pub(super) fn slice(cx: &Context, crop: [u16; 4], channel: u16, y: u32, out: &mut [i8]) {
    let (channels, total) = (usize::from(cx.output.channels.get()), usize::from(cx.input(0).channels.get()));
    let row = cx.row(0, y + u32::from(crop[0]));
    let pixels = row.chunks_exact(total).skip(usize::from(crop[1]) + cx.columns.start as usize);
    for (pixel, values) in out.chunks_exact_mut(channels).zip(pixels) {
        pixel.copy_from_slice(&values[usize::from(channel)..usize::from(channel) + channels]);
    }
}
