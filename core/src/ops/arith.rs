//! Add and Mul of two tensors; the second may be one pixel, and one channel, that serves all.

use super::Context;
use crate::quant::{Clamp, requantize, saturate_shifted};

/// `factor[0]·(a − za) + factor[1]·(b − zb)`.
pub(super) fn add(cx: &Context, factor: [f32; 2], clamp: Clamp, y: u32, out: &mut [i8]) {
    let zero_out = cx.output().zero_point;
    combine(cx, y, out, |a, b| saturate_shifted(a as f32 * factor[0] + b as f32 * factor[1], zero_out, clamp));
}

/// `factor·(a − za)·(b − zb)`.
pub(super) fn mul(cx: &Context, factor: f32, clamp: Clamp, y: u32, out: &mut [i8]) {
    let zero_out = cx.output().zero_point;
    combine(cx, y, out, |a, b| requantize(a * b, factor, zero_out, clamp));
}

/// Applies `f` to `(a − za, b − zb)`, value by value.
fn combine(cx: &Context, y: u32, out: &mut [i8], f: impl Fn(i32, i32) -> i8) {
    let (first, second) = (cx.input(0), cx.input(1));
    let (zero_a, zero_b) = (i32::from(first.zero_point), i32::from(second.zero_point));
    let f = |a: i8, b: i8| f(i32::from(a) - zero_a, i32::from(b) - zero_b);
    let (channels, second_channels) = (usize::from(first.channels), usize::from(second.channels));
    let pixel = cx.size(1).rows == 1 && cx.size(1).width == 1;
    let a = cx.span(0, y);
    let b = if pixel { cx.row(1, 0) } else { cx.span(1, y) };
    if !pixel && channels == second_channels {
        for ((value, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *value = f(a, b);
        }
        return;
    }
    for (x, (pixel_out, a)) in out.chunks_exact_mut(channels).zip(a.chunks_exact(channels)).enumerate() {
        let at = if pixel { 0 } else { x * second_channels };
        let b = &b[at..at + second_channels];
        for (c, (value, &a)) in pixel_out.iter_mut().zip(a).enumerate() {
            *value = f(a, b[if second_channels == 1 { 0 } else { c }]);
        }
    }
}
