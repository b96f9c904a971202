//! Staging: the rows under a window, copied side by side into scratch, with borders, upsampling and the instruction
//! set's idea of a byte all dealt with, so that kernels know nothing of them.
//!
//! A worker stages for itself, a row at a time, into a small ring that stays in the nearest cache. What it costs is one
//! copy of a row per row of output.

use core::ops::Range;

use heapless::Vec;

use super::recipe::Recipe;
use crate::arch::Isa;
use crate::arch::job::{Layout, Planes, ROWS, SLACK, TILE};
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
    /// How a pixel is cut.
    cut: Vec<Planes, MAX_CUT>,
    rows: Axis,
    slots: &'s mut [u8],
    row_len: usize,
    count: usize,
    /// The last row staged.
    last: Option<i64>,
    /// The input's row, enlarged, under the first kernel row.
    start: i64,
    /// Pixels of a staged row, those of them before the input's, and those that are the input's (enlarged).
    pixels: usize,
    before: usize,
    on_row: Range<usize>,
    channels: usize,
    /// Rows of the input.
    height: i64,
    upsample: i64,
    zero_point: i8,
}

/// Most widths of planes that a layout names.
const MAX_CUT: usize = 4;

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
        let (tensor, size) = (cx.input(edge), cx.size(edge));
        let (channels, zero_point) = (usize::from(tensor.channels.get()), tensor.zero_point);
        let upsample = cx.edges.get(edge)?.upsample;
        let (count, row_len) = (ring_rows(rows, upsample), row_len(layout, columns.count, channels));
        let (slots, rest) = core::mem::take(scratch).split_at_mut_checked(count * row_len)?;
        *scratch = rest;
        let (before, on_row) = columns.inside(size.width * u32::from(upsample));
        let mut cut = Vec::new();
        for planes in layout.cut(channels) {
            cut.push(planes).ok()?;
        }
        let (layout, rows, height, upsample) = (*layout, *rows, size.rows.into(), upsample.into());
        let (pixels, last, start) = (columns.count, None, 0);
        let mut ring = Ring {
            edge,
            layout,
            cut,
            rows,
            slots,
            row_len,
            count,
            last,
            start,
            pixels,
            before,
            on_row,
            channels,
            height,
            upsample,
            zero_point,
        };
        ring.border();
        Some(ring)
    }

    /// Fills the pixels beside the input's in every slot, where they stay.
    fn border(&mut self) {
        let Ring { layout, pixels, before, zero_point, .. } = *self;
        let behind = before + self.on_row.len();
        for slot in self.slots.chunks_exact_mut(self.row_len) {
            let mut plane = &mut slot[..];
            for planes in &self.cut {
                let pixel = planes.width * layout.value;
                for _ in 0..planes.count {
                    let (this, rest) = plane.split_at_mut(pixels * pixel);
                    fill(layout.value, layout.flip, zero_point, &mut this[..before * pixel]);
                    fill(layout.value, layout.flip, zero_point, &mut this[behind * pixel..]);
                    plane = rest;
                }
            }
        }
    }

    /// The row that input row `at` is a copy of, which is also what it is known by in the ring; rows beyond the input's
    /// are -1 and its height.
    fn source(&self, at: i64) -> i64 {
        // Divisions of 64 bits are slow on small machines.
        let row = if at < 0 { -1 } else { i64::from(at as u32 / self.upsample as u32) };
        row.min(self.height)
    }

    /// Where a row of the input is, if it is there.
    fn slot(&self, source: i64) -> usize {
        // There is one more than none: rows start with -1.
        (source + 1) as u32 as usize % self.count
    }

    /// Stages what row `y` of the output needs and is not there yet. `spare` has room for a row.
    pub fn advance<I: Isa>(&mut self, isa: I, cx: &Context, y: u32, spare: &mut [i8]) {
        let rows = self.rows;
        let start = i64::from(y * rows.stride) - i64::from(rows.before);
        self.start = start;
        if rows.dilation > 1 {
            for tap in 0..rows.kernel {
                let source = self.source(start + i64::from(tap * rows.dilation));
                self.stage(isa, cx, tap as usize, source, spare);
            }
            return;
        }
        let end = self.source(start + i64::from(rows.kernel) - 1);
        let first = self.source(start).max(self.last.map_or(i64::MIN, |last| last + 1));
        for source in first..=end {
            self.stage(isa, cx, self.slot(source), source, spare);
        }
        self.last = Some(end);
    }

    /// Bytes from the first value of kernel row `tap` on, for the row of the output that was last advanced to.
    #[inline]
    pub fn row(&self, tap: u32) -> &[u8] {
        let slot =
            if self.rows.dilation > 1 { tap as usize } else { self.slot(self.source(self.start + i64::from(tap))) };
        &self.slots[slot * self.row_len..][..self.row_len]
    }

    /// Stages one row of the input, or one beyond it, into a slot.
    fn stage<I: Isa>(&mut self, isa: I, cx: &Context, slot: usize, source: i64, spare: &mut [i8]) {
        let Ring { layout, channels, pixels, before, .. } = *self;
        let mut plane = &mut self.slots[slot * self.row_len..][..self.row_len];
        if !(0..self.height).contains(&source) {
            return fill(layout.value, layout.flip, self.zero_point, plane);
        }
        let row = cx.row(self.edge, source as u32);
        let count = self.on_row.len();
        let values = if self.upsample == 1 {
            &row[self.on_row.start * channels..self.on_row.end * channels]
        } else {
            let enlarged = &mut spare[..count * channels];
            enlarge(isa, row, channels, (self.upsample as usize, self.on_row.start), enlarged);
            enlarged
        };
        for planes in &self.cut {
            let pixel = planes.width * layout.value;
            let end = planes.first + planes.channels;
            for index in 0..planes.count {
                let (this, rest) = plane.split_at_mut(pixels * pixel);
                let to = &mut this[before * pixel..][..count * pixel];
                if planes.width == channels {
                    isa.stage(values, &layout, to);
                } else {
                    let first = planes.first + index * planes.width;
                    isa.stage_plane(values, channels, first..(first + planes.width).min(end), to);
                }
                plane = rest;
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
        8 if I::KNOWN_CHANNELS => enlarge_by::<I, 8>(isa, row, factor, first, out),
        16 if I::KNOWN_CHANNELS => enlarge_by::<I, 16>(isa, row, factor, first, out),
        32 if I::KNOWN_CHANNELS => enlarge_by::<I, 32>(isa, row, factor, first, out),
        64 if I::KNOWN_CHANNELS => enlarge_by::<I, 64>(isa, row, factor, first, out),
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
    let channels = usize::from(tensor.channels.get());
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
