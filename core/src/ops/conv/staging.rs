//! Staging: the rows under a window, copied side by side into scratch, with borders, upsampling and the instruction
//! set's idea of a byte all dealt with, so that kernels know nothing of them.
//!
//! A worker stages for itself, a row at a time, into a small ring that stays in the nearest cache. What it costs is one
//! copy of a row per row of output.

use core::ops::Range;

use super::recipe::Recipe;
use crate::arch::Isa;
use crate::arch::job::{Layout, ROWS, SLACK, TILE};
use crate::ops::Context;
use crate::plan::record::Edge;
use crate::shape::Axis;

/// Which columns of the (upsampled) input a range of output columns needs, tiles filled up.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// The first; negative in the padding.
    pub first: i64,
    /// How many.
    pub count: usize,
}

impl Columns {
    pub fn new(columns: &Axis, span: &Range<u32>) -> Columns {
        let pixels = span.len().next_multiple_of(TILE);
        let reach = (columns.kernel - 1) * columns.dilation;
        let count = (pixels - 1) * columns.stride as usize + reach as usize + 1;
        Columns { first: i64::from(span.start * columns.stride) - i64::from(columns.before), count }
    }

    /// Of these columns, those before a row of `width` pixels, and on it.
    fn inside(&self, width: u32) -> (usize, Range<usize>) {
        let on_row = |at: i64| at.clamp(0, width.into()) as usize;
        let before = (-self.first).clamp(0, self.count as i64) as usize;
        (before, on_row(self.first)..on_row(self.first + self.count as i64))
    }
}

/// Bytes of a staged row of `count` pixels of so many channels. Every segment ends at most one step behind its last value.
pub(super) fn row_len(layout: &Layout, count: usize, channels: usize) -> usize {
    ((count * layout.room(channels) + layout.depth) * layout.value + SLACK).next_multiple_of(ALIGNMENT)
}

/// The staged rows of one input: a ring over its rows, or, where the kernel's rows are apart, one slot for each of them.
pub(super) struct Ring<'s> {
    edge: usize,
    layout: Layout,
    rows: Axis,
    slots: &'s mut [u8],
    row_len: usize,
    count: usize,
    /// The last row staged.
    last: Option<i64>,
    columns: Columns,
    channels: usize,
    upsample: i64,
    zero_point: i8,
}

/// Rows that a ring holds.
pub(super) fn ring_rows(rows: &Axis, upsample: u8) -> usize {
    if rows.dilation > 1 {
        return rows.kernel as usize;
    }
    // An enlarged row serves several, but the window may start in the middle of it.
    if upsample == 1 { rows.kernel as usize } else { (rows.kernel as usize - 1).div_ceil(upsample.into()) + 1 }
}

impl<'s> Ring<'s> {
    /// Takes the ring of input `edge` off the front of `scratch`.
    pub fn new(
        cx: &Context,
        layout: &Layout,
        edge: usize,
        (rows, columns): (&Axis, Columns),
        scratch: &mut &'s mut [u8],
    ) -> Option<Ring<'s>> {
        let tensor = cx.input(edge);
        let channels = usize::from(tensor.channels);
        let upsample = cx.edges.get(edge)?.upsample;
        let (count, row_len) = (ring_rows(rows, upsample), row_len(layout, columns.count, channels));
        let (slots, rest) = core::mem::take(scratch).split_at_mut_checked(count * row_len)?;
        *scratch = rest;
        let zero_point = tensor.zero_point;
        let (layout, rows, upsample) = (*layout, *rows, upsample.into());
        Some(Ring { edge, layout, rows, slots, row_len, count, last: None, columns, channels, upsample, zero_point })
    }

    /// The row that input row `at` is a copy of, which is also what it is known by in the ring; rows beyond the input's
    /// are -1 and its height.
    fn source(&self, at: i64, height: u32) -> i64 {
        // Divisions of 64 bits are slow on small machines.
        let at = if at < 0 { -1 } else { i64::from(at as u32 / self.upsample as u32) };
        at.min(height.into())
    }

    /// The slot of such a row.
    fn slot(&self, source: i64) -> usize {
        (source + self.count as i64) as u32 as usize % self.count
    }

    /// Stages what row `y` of the output needs and is not there yet. `spare` has room for a row.
    pub fn advance<I: Isa>(&mut self, isa: I, cx: &Context, y: u32, spare: &mut [i8]) {
        let (height, rows) = (cx.size(self.edge).rows, self.rows);
        let start = i64::from(y * rows.stride) - i64::from(rows.before);
        if rows.dilation > 1 {
            for tap in 0..rows.kernel {
                let source = self.source(start + i64::from(tap * rows.dilation), height);
                self.stage(isa, cx, tap as usize, source, spare);
            }
            return;
        }
        let end = self.source(start + i64::from(rows.kernel) - 1, height);
        let first = self.source(start, height).max(self.last.map_or(i64::MIN, |last| last + 1));
        for source in first..=end {
            self.stage(isa, cx, self.slot(source), source, spare);
        }
        self.last = Some(end);
    }

    /// Bytes from the first value of kernel row `tap` on, for row `y` of the output.
    pub fn row(&self, cx: &Context, y: u32, tap: u32) -> &[u8] {
        let rows = &self.rows;
        let slot = if rows.dilation > 1 {
            tap as usize
        } else {
            let at = i64::from(y * rows.stride + tap) - i64::from(rows.before);
            self.slot(self.source(at, cx.size(self.edge).rows))
        };
        &self.slots[slot * self.row_len..][..self.row_len]
    }

    /// Stages one row of the input, or one beyond it, into a slot.
    fn stage<I: Isa>(&mut self, isa: I, cx: &Context, slot: usize, source: i64, spare: &mut [i8]) {
        let (size, layout) = (cx.size(self.edge), &self.layout);
        let len = self.columns.count * layout.room(self.channels) * layout.value;
        let mut place = &mut self.slots[slot * self.row_len..][..len];
        if !(0..i64::from(size.rows)).contains(&source) {
            return fill(layout.value, layout.flip, self.zero_point, place);
        }
        let row = cx.row(self.edge, source as u32);
        let (before, on_row) = self.columns.inside(size.width * self.upsample as u32);
        let values = if self.upsample == 1 {
            &row[on_row.start * self.channels..on_row.end * self.channels]
        } else {
            let enlarged = &mut spare[..on_row.len() * self.channels];
            enlarge(isa, row, self.channels, (self.upsample as usize, on_row.start), enlarged);
            enlarged
        };
        for planes in layout.cut(self.channels) {
            let pixel = planes.width * layout.value;
            for plane in 0..planes.count {
                let (to, rest) = place.split_at_mut(self.columns.count * pixel);
                place = rest;
                let (left, to) = to.split_at_mut(before * pixel);
                let (middle, right) = to.split_at_mut(on_row.len() * pixel);
                fill(layout.value, layout.flip, self.zero_point, left);
                fill(layout.value, layout.flip, self.zero_point, right);
                if planes.width == self.channels {
                    isa.stage(values, layout, middle);
                } else {
                    let first = planes.first + plane * planes.width;
                    let end = (first + planes.width).min(planes.first + planes.channels);
                    isa.stage_plane(values, self.channels, first..end, middle);
                }
            }
        }
    }
}

/// Fills staged values, of `width` bytes, with the zero point.
fn fill(width: usize, flip: u8, zero_point: i8, out: &mut [u8]) {
    if width == 1 {
        out.fill(zero_point as u8 ^ flip);
    } else {
        let value = i16::from(zero_point ^ flip as i8).to_le_bytes();
        out.as_chunks_mut::<2>().0.fill(value);
    }
}

/// Repeats every pixel `factor` times, from repeated pixel `first` on.
fn enlarge<I: Isa>(isa: I, row: &[i8], channels: usize, (factor, first): (usize, usize), out: &mut [i8]) {
    match channels {
        8 => enlarge_by::<I, 8>(isa, row, factor, first, out),
        16 => enlarge_by::<I, 16>(isa, row, factor, first, out),
        32 => enlarge_by::<I, 32>(isa, row, factor, first, out),
        64 => enlarge_by::<I, 64>(isa, row, factor, first, out),
        _ => {
            for (at, pixel) in (first..).zip(out.chunks_exact_mut(channels)) {
                isa.copy(&row[at / factor * channels..][..channels], pixel);
            }
        }
    }
}

/// The same, where the compiler knows the channels.
fn enlarge_by<I: Isa, const C: usize>(isa: I, row: &[i8], factor: usize, first: usize, out: &mut [i8]) {
    let (mut source, mut phase) = (first / factor, first % factor);
    let row = row.as_chunks::<C>().0;
    for pixel in out.as_chunks_mut::<C>().0 {
        isa.copy(&row[source], pixel);
        phase += 1;
        if phase == factor {
            (source, phase) = (source + 1, 0);
        }
    }
}

/// Bytes of one interleaved group of kernel rows of `count` pixels.
pub(super) fn group_len(layout: &Layout, count: usize, channels: usize) -> usize {
    // Tiles of 64 positions may read beyond the last pixel.
    (ROWS * (count * channels + 64) * layout.interleaved + SLACK).next_multiple_of(ALIGNMENT)
}

/// Bytes of a cache line: registers as long as one are slow to read across two.
const ALIGNMENT: usize = 64;

/// The part of scratch that starts with a cache line.
pub(super) fn aligned(scratch: &mut [u8]) -> &mut [u8] {
    let skip = scratch.as_ptr().align_offset(ALIGNMENT).min(scratch.len());
    &mut scratch[skip..]
}

/// Interleaves the rows under the window at row `y` of the output, four by four, into the groups of `out`, and with
/// `more` the row below them. `zeros` has room for a row.
pub(super) fn interleave<I: Isa>(
    isa: I,
    cx: &Context,
    recipe: &Recipe,
    (rows, columns): (&Axis, Columns),
    (y, more): (u32, bool),
    zeros: &mut [i8],
    out: &mut [u8],
) {
    let (size, tensor) = (cx.size(0), cx.input(0));
    let channels = usize::from(tensor.channels);
    let (before, on_row) = columns.inside(size.width);
    let values = on_row.start * channels..on_row.end * channels;
    let zeros = &mut zeros[..values.len()];
    let taps = rows.kernel + u32::from(more);
    if (0..taps).any(|tap| rows.position(y, tap).is_none()) {
        zeros.fill(tensor.zero_point);
    }
    // Behind the last, anything: its weights are 0.
    let row = |tap: u32| match rows.position(y, tap) {
        Some(at) if tap < taps => &cx.row(0, at)[values.clone()],
        _ => &*zeros,
    };
    let layout = &recipe.layout;
    let place = ROWS * layout.interleaved;
    for (group, out) in out.chunks_exact_mut(group_len(layout, columns.count, channels)).enumerate() {
        let pixels = &mut out[..place * columns.count * channels];
        let (left, rest) = pixels.split_at_mut(place * before * channels);
        let (middle, right) = rest.split_at_mut(place * values.len());
        fill(layout.interleaved, layout.flip, tensor.zero_point, left);
        fill(layout.interleaved, layout.flip, tensor.zero_point, right);
        let first = (group * ROWS) as u32;
        isa.interleave([0, 1, 2, 3].map(|r| row(first + r)), layout.flip, middle);
    }
}

/// Bytes of scratch for a convolution over these columns.
pub(super) fn scratch_len(
    recipe: &Recipe,
    edges: &[Edge],
    channels: impl Fn(usize) -> usize,
    rows: &Axis,
    columns: Columns,
) -> usize {
    let spare = (0..edges.len()).map(|edge| columns.count * channels(edge)).max().unwrap_or(0);
    let staged: usize = match recipe.form {
        super::recipe::Form::Rows => edges
            .iter()
            .enumerate()
            .map(|(edge, record)| {
                ring_rows(rows, record.upsample) * row_len(&recipe.layout, columns.count, channels(edge))
            })
            .sum(),
        _ => recipe.groups() * group_len(&recipe.layout, columns.count, channels(0)),
    };
    spare + staged + ALIGNMENT
}
