//! MaxPool, AveragePool and GlobalAveragePool.

use super::Context;
use crate::plan::Pool;
use crate::quant::{Clamp, saturate, saturate_shifted};
use crate::shape::{Axis, Window};

/// Both axes of a window over input 0; `None` only for a plan that was not checked.
fn axes(cx: &Context, window: &Window) -> Option<(Axis, Axis)> {
    let size = cx.size(0);
    Some((window.axis(0, size.rows)?, window.axis(1, size.width)?))
}

/// The largest value in the window; −128 where the window lies in the padding altogether.
pub(super) fn max(cx: &Context, window: &Window, y: u32, out: &mut [i8]) {
    let Some((rows, columns)) = axes(cx, window) else { return };
    let channels = usize::from(cx.output().channels);
    out.fill(i8::MIN);
    for row in (0..rows.kernel).filter_map(|tap| rows.position(y, tap)).map(|at| cx.row(0, at)) {
        for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
            for at in (0..columns.kernel).filter_map(|tap| columns.position(x, tap)) {
                let at = at as usize * channels;
                for (best, &value) in pixel.iter_mut().zip(&row[at..at + channels]) {
                    *best = (*best).max(value);
                }
            }
        }
    }
}

/// The mean of the window: the exact sum, times `factor / count`, rounded once.
pub(super) fn average(cx: &Context, pool: &Pool, y: u32, out: &mut [i8]) {
    let Some((rows, columns)) = axes(cx, &pool.window) else { return };
    let channels = usize::from(cx.output().channels);
    let (zero_in, zero_out) = (i32::from(cx.input(0).zero_point), cx.output().zero_point);
    let count = |axis: &Axis, at: u32| {
        if pool.count_include_pad {
            axis.covered(at)
        } else {
            (0..axis.kernel).filter(|&tap| axis.position(at, tap).is_some()).count() as u32
        }
    };
    let high = count(&rows, y);
    for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
        let scale = pool.factor / (high * count(&columns, x)).max(1) as f32;
        for (c, value) in pixel.iter_mut().enumerate() {
            let mut sum = 0;
            for row in (0..rows.kernel).filter_map(|tap| rows.position(y, tap)).map(|at| cx.row(0, at)) {
                for at in (0..columns.kernel).filter_map(|tap| columns.position(x, tap)) {
                    sum += i32::from(row[at as usize * channels + c]) - zero_in;
                }
            }
            *value = saturate_shifted(sum as f32 * scale, zero_out, Clamp::FULL);
        }
    }
}

/// The mean of the whole input. The sum is exact in i64, as a large frame would overflow i32.
pub(super) fn global_average(cx: &Context, factor: f32, out: &mut [i8]) {
    let size = cx.size(0);
    let channels = usize::from(cx.output().channels);
    let (zero_in, zero_out) = (i64::from(cx.input(0).zero_point), cx.output().zero_point);
    let count = i64::from(size.rows) * i64::from(size.width);
    let scale = factor / count as f32;
    for (c, value) in out.iter_mut().enumerate() {
        let column = |y| cx.row(0, y).iter().skip(c).step_by(channels).map(|&v| i64::from(v)).sum::<i64>();
        let sum: i64 = (0..size.rows).map(column).sum();
        *value = saturate((sum - count * zero_in) as f32 * scale, zero_out, Clamp::FULL);
    }
}
