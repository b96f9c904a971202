//! MaxPool, AveragePool and GlobalAveragePool.

use core::ops::Range;

use zerocopy::FromBytes;
use zerocopy::little_endian::I32;

use super::Context;
use crate::arch::{Isa, Work};
use crate::plan::Pool;
use crate::quant::{Clamp, saturate, saturate_shifted};
use crate::shape::{Axis, Size, Window};

/// Both axes of a window over an input; `None` only for a plan that was not checked.
fn axes(size: Size, window: &Window) -> Option<(Axis, Axis)> {
    Some((window.axis(0, size.rows)?, window.axis(1, size.width)?))
}

/// Input columns under the windows of a range of output columns.
fn under(columns: &Axis, span: &Range<u32>) -> Range<u32> {
    let at = |column: u32| column.saturating_sub(columns.before).min(columns.input);
    let reach = (columns.kernel - 1) * columns.dilation + 1;
    at(span.start * columns.stride)..at(span.end.saturating_sub(1) * columns.stride + reach)
}

/// Bytes of scratch of AveragePool: one row of sums.
pub(super) fn scratch_len(size: Size, channels: usize) -> usize {
    size.width as usize * channels * size_of::<i32>()
}

/// The largest value in the window; −128 where the window lies in the padding altogether.
pub(super) fn max<I: Isa>(isa: I, cx: &Context, window: &Window, y: u32, out: &mut [i8]) {
    let Some((rows, columns)) = axes(cx.size(0), window) else { return };
    let channels = usize::from(cx.output.channels.get());
    let span = under(&columns, &cx.columns);
    let values = span.start as usize * channels..span.end as usize * channels;
    let row = |tap| rows.position(y, tap).map(|at| &cx.row(0, at)[values.clone()]);
    let across = Across { columns: &columns, first: cx.columns.start, start: span.start, channels };
    // With `ceil`, half of the last window may be missing.
    if rows.kernel == 2
        && let (Some(a), Some(b)) = (row(0), row(1))
        && across.halves()
        && values.len() == 2 * out.len()
    {
        return isa.squares([a, b], channels, out);
    }
    out.fill(i8::MIN);
    for row in (0..rows.kernel).filter_map(row) {
        isa.vectorize(Highest { across: &across, row, out });
    }
}

/// Where the columns under a window lie in a row that starts at an input column.
struct Across<'a> {
    columns: &'a Axis,
    /// First output column.
    first: u32,
    /// First input column.
    start: u32,
    channels: usize,
}

impl Across<'_> {
    /// Whether every pair of columns, and nothing else, makes one.
    fn halves(&self) -> bool {
        let Axis { kernel, stride, dilation, before, .. } = *self.columns;
        (kernel, stride, dilation, before) == (2, 2, 1, 0) && self.first * 2 == self.start
    }

    /// Where the values under the window of output column `x` start, tap by tap.
    #[inline(always)]
    fn taps(&self, x: u32) -> impl Iterator<Item = usize> {
        let columns = (0..self.columns.kernel).filter_map(move |tap| self.columns.position(x, tap));
        columns.map(|at| (at - self.start) as usize * self.channels)
    }
}

/// The largest of what is there and of what a row has under each window.
struct Highest<'a> {
    across: &'a Across<'a>,
    row: &'a [i8],
    out: &'a mut [i8],
}

impl Work for Highest<'_> {
    #[inline(always)]
    fn run(self) {
        let channels = self.across.channels;
        for (x, out) in (self.across.first..).zip(self.out.chunks_exact_mut(channels)) {
            for at in self.across.taps(x) {
                for (out, &value) in out.iter_mut().zip(&self.row[at..at + channels]) {
                    *out = value.max(*out);
                }
            }
        }
    }
}

/// The mean of the window: the exact sum, times `factor / count`, rounded once.
pub(super) fn average<I: Isa>(isa: I, cx: &Context, pool: &Pool, y: u32, out: &mut [i8], scratch: &mut [u8]) {
    let Some((rows, columns)) = axes(cx.size(0), &pool.window) else { return };
    let channels = usize::from(cx.output.channels.get());
    let span = under(&columns, &cx.columns);
    let values = span.start as usize * channels..span.end as usize * channels;
    let Ok((sums, _)) = <[I32]>::mut_from_prefix_with_elems(scratch, values.len()) else { return };
    sums.fill(0.into());
    let zero = i32::from(cx.input(0).zero_point);
    for row in (0..rows.kernel).filter_map(|tap| rows.position(y, tap)).map(|at| &cx.row(0, at)[values.clone()]) {
        isa.vectorize(Sum { row, zero, sums });
    }
    let count = |axis: &Axis, at: u32| {
        if pool.count_include_pad {
            axis.covered(at)
        } else {
            (0..axis.kernel).filter(|&tap| axis.position(at, tap).is_some()).count() as u32
        }
    };
    let high = count(&rows, y);
    let scale = |x: u32| pool.factor / (high * count(&columns, x)).max(1) as f32;
    let across = Across { columns: &columns, first: cx.columns.start, start: span.start, channels };
    isa.vectorize(Mean { across, sums, scale, zero_point: cx.output.zero_point, out });
}

/// A row added to sums.
struct Sum<'a> {
    row: &'a [i8],
    zero: i32,
    sums: &'a mut [I32],
}

impl Work for Sum<'_> {
    #[inline(always)]
    fn run(self) {
        for (sum, &value) in self.sums.iter_mut().zip(self.row) {
            sum.set(sum.get() + i32::from(value) - self.zero);
        }
    }
}

/// Sums across, and the mean of them.
struct Mean<'a, F> {
    across: Across<'a>,
    sums: &'a [I32],
    scale: F,
    zero_point: i8,
    out: &'a mut [i8],
}

impl<F: Fn(u32) -> f32> Work for Mean<'_, F> {
    #[inline(always)]
    fn run(self) {
        /// Channels at a time.
        const BLOCK: usize = 64;
        let Mean { across, sums, scale, zero_point, out } = self;
        for (x, out) in (across.first..).zip(out.chunks_exact_mut(across.channels)) {
            let scale = scale(x);
            for (block, out) in out.chunks_mut(BLOCK).enumerate() {
                let mut totals = [0; BLOCK];
                for at in across.taps(x) {
                    let values = &sums[at + block * BLOCK..][..out.len()];
                    totals.iter_mut().zip(values).for_each(|(total, value)| *total += value.get());
                }
                for (out, &total) in out.iter_mut().zip(&totals) {
                    *out = saturate_shifted(total as f32 * scale, zero_point, Clamp::FULL);
                }
            }
        }
    }
}

/// The mean of the whole input. The sum is exact in i64, as a large frame would overflow i32.
pub(super) fn global_average<I: Isa>(isa: I, cx: &Context, factor: f32, out: &mut [i8]) {
    /// Channels at a time.
    const BLOCK: usize = 32;
    let size = cx.size(0);
    let channels = usize::from(cx.output.channels.get());
    let (zero_in, zero_out) = (i64::from(cx.input(0).zero_point), cx.output.zero_point);
    let count = i64::from(size.rows) * i64::from(size.width);
    let scale = factor / count as f32;
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut sums = [0i64; BLOCK];
        for y in 0..size.rows {
            // A row of at most 65,535 values of at most 128 fits i32.
            let mut row_sums = [0i32; BLOCK];
            let row = cx.row(0, y);
            isa.vectorize(ColumnSums { row, channels, first: block * BLOCK, count: out.len(), sums: &mut row_sums });
            sums.iter_mut().zip(row_sums).for_each(|(sum, row)| *sum += i64::from(row));
        }
        for (value, sum) in out.iter_mut().zip(sums) {
            *value = saturate((sum - count * zero_in) as f32 * scale, zero_out, Clamp::FULL);
        }
    }
}

/// The sum of each of a few channels over a row.
struct ColumnSums<'a> {
    row: &'a [i8],
    channels: usize,
    first: usize,
    count: usize,
    sums: &'a mut [i32],
}

impl Work for ColumnSums<'_> {
    #[inline(always)]
    fn run(self) {
        for pixel in self.row.chunks_exact(self.channels) {
            for (sum, &value) in self.sums.iter_mut().zip(&pixel[self.first..self.first + self.count]) {
                *sum += i32::from(value);
            }
        }
    }
}
