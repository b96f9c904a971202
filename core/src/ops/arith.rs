//! Add and Mul of two tensors; the second may be one pixel, and one channel, that serves all.

use super::Context;
use crate::arch::{Isa, Work};
use crate::quant::{Clamp, requantize, saturate_shifted};

/// `factor[0]·(a − za) + factor[1]·(b − zb)`.
pub(super) fn add<I: Isa>(isa: I, cx: &Context, factor: [f32; 2], clamp: Clamp, y: u32, out: &mut [i8]) {
    let zero_out = cx.output.zero_point;
    combine(
        isa,
        cx,
        y,
        out,
        #[inline(always)]
        move |a, b| saturate_shifted(a as f32 * factor[0] + b as f32 * factor[1], zero_out, clamp),
    );
}

/// `factor·(a − za)·(b − zb)`.
pub(super) fn mul<I: Isa>(isa: I, cx: &Context, factor: f32, clamp: Clamp, y: u32, out: &mut [i8]) {
    let zero_out = cx.output.zero_point;
    combine(
        isa,
        cx,
        y,
        out,
        #[inline(always)]
        move |a, b| requantize(a * b, factor, zero_out, clamp),
    );
}

/// Applies `f` to `(a − za, b − zb)`, value by value.
fn combine<I: Isa>(isa: I, cx: &Context, y: u32, out: &mut [i8], f: impl Fn(i32, i32) -> i8 + Copy) {
    let zeros = [0, 1].map(|index| cx.input(index).zero_point.into());
    runs(cx, y, out, &mut |a, b, out| match b {
        &[b] => isa.vectorize(Single { a, b, zeros, f, out }),
        _ => isa.vectorize(Pairs { a, b, zeros, f, out }),
    });
}

/// What is made of a run of the first input, and of the second: the run of the output.
type Each<'e> = &'e mut dyn FnMut(&[i8], &[i8], &mut [i8]);

/// Cuts rows into runs of values, in which one value of the second input is for one of the first, or for all: hands them to
/// `each`, with the place of what comes of them.
fn runs(cx: &Context, y: u32, out: &mut [i8], each: Each) {
    let [channels, second_channels] = [0, 1].map(|index| usize::from(cx.input(index).channels.get()));
    let pixel = cx.size(1).rows == 1 && cx.size(1).width == 1;
    let a = cx.span(0, y);
    if pixel {
        let b = cx.row(1, 0);
        out.chunks_mut(channels).zip(a.chunks(channels)).for_each(|(out, a)| each(a, b, out));
        return;
    }
    let b = cx.span(1, y);
    if channels == second_channels {
        return each(a, b, out);
    }
    out.chunks_mut(channels)
        .zip(a.chunks(channels))
        .zip(b.chunks(second_channels))
        .for_each(|((out, a), b)| each(a, b, out));
}

/// Value by value.
struct Pairs<'a, F> {
    a: &'a [i8],
    b: &'a [i8],
    zeros: [i32; 2],
    f: F,
    out: &'a mut [i8],
}

impl<F: Fn(i32, i32) -> i8> Work for Pairs<'_, F> {
    #[inline(always)]
    fn run(self) {
        for ((out, &a), &b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = (self.f)(i32::from(a) - self.zeros[0], i32::from(b) - self.zeros[1]);
        }
    }
}

/// One value for all.
struct Single<'a, F> {
    a: &'a [i8],
    b: i8,
    zeros: [i32; 2],
    f: F,
    out: &'a mut [i8],
}

impl<F: Fn(i32, i32) -> i8> Work for Single<'_, F> {
    #[inline(always)]
    fn run(self) {
        let b = i32::from(self.b) - self.zeros[1];
        for (out, &a) in self.out.iter_mut().zip(self.a) {
            *out = (self.f)(i32::from(a) - self.zeros[0], b);
        }
    }
}
