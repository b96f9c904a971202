//! Linear Resize to twice the size with half-pixel coordinates, as decoders do it: all weights are quarters, so sums fit
//! 16 bits.
//!
//! The general sum is `2¹⁸·k`, where `k` is made with weights of 1, 3 and 4, and is multiplied with `factor / 2²²`. Powers of
//! two change nothing about rounding, so `k · (factor / 16)` gives the same integers; and where the factor is 1, integers
//! alone do. Where the zero point is the same on both sides, too, and even, it can be left out: an instruction set may have
//! a kernel for that, which is the common case.

use core::ops::Range;

use zerocopy::FromBytes;
use zerocopy::little_endian::I16;

use super::Mix;
use crate::arch::job::DoubleRow;
use crate::arch::{Isa, Work};
use crate::ops::pixels::spread;
use crate::quant::{Clamp, requantize};

/// Whether dividing the factor by 2²² only changes its exponent.
pub(super) fn exact(factor: f32) -> bool {
    (1e-20..1e20).contains(&factor)
}

/// The output columns `span` of one row; `mix` is in quarters.
#[allow(clippy::too_many_arguments, reason = "a row of an operator, taken apart once")]
pub(super) fn row<I: Isa>(
    isa: I,
    mix: &Mix,
    factor: f32,
    zero_point: i8,
    span: Range<u32>,
    channels: usize,
    scratch: &mut [u8],
    out: &mut [i8],
) {
    let unchanged = factor == 1.0 && mix.zero == i32::from(zero_point) && zero_point % 2 == 0;
    if unchanged && span.start.is_multiple_of(2) && span.end.is_multiple_of(2) {
        let Mix { above, below, weight, .. } = *mix;
        let row = DoubleRow { above, below, weight: weight as i8, channels, first: span.start as usize / 2 };
        if isa.double(&row, out) {
            return;
        }
    }
    let width = mix.above.len() / channels;
    // Input pixel x makes the output pixels 2x and 2x + 1, of itself and of a neighbour; beyond the edges, the edge is
    // repeated. An odd start or end takes a pixel more, which is not stored.
    let (first, end) = (span.start as usize / 2, (span.end as usize).div_ceil(2));
    let values = (end - first) * channels;
    let Ok((mixed, rest)) = <[I16]>::mut_from_prefix_with_elems(scratch, values + 2 * channels) else { return };
    let rest: &mut [i8] = zerocopy::transmute_mut!(rest);
    let Some((even, rest)) = rest.split_at_mut_checked(values) else { return };
    let Some(odd) = rest.get_mut(..values) else { return };
    let (start, stop) = (first.saturating_sub(1), (end + 1).min(width));
    let lead = if first == 0 { channels } else { 0 };
    let count = (stop - start) * channels;
    isa.vectorize(MixRows { mix: mix.part(start * channels..stop * channels), mixed: &mut mixed[lead..lead + count] });
    if first == 0 {
        let (edge, row) = mixed.split_at_mut(channels);
        edge.copy_from_slice(&row[..channels]);
    }
    if end == width {
        let (row, edge) = mixed.split_at_mut(values + channels);
        edge.copy_from_slice(&row[values..]);
    }
    let near = &mixed[channels..channels + values];
    for (far, out) in [(&mixed[..values], &mut *even), (&mixed[2 * channels..], &mut *odd)] {
        if factor == 1.0 {
            isa.vectorize(Sixteenths { near, far, zero_point, out });
        } else {
            isa.vectorize(Scaled { near, far, factor: factor / 16.0, zero_point, out });
        }
    }
    let skip = span.start as usize % 2;
    match channels {
        8 if I::KNOWN_CHANNELS => place::<8>(even, odd, skip, out),
        16 if I::KNOWN_CHANNELS => place::<16>(even, odd, skip, out),
        32 if I::KNOWN_CHANNELS => place::<32>(even, odd, skip, out),
        64 if I::KNOWN_CHANNELS => place::<64>(even, odd, skip, out),
        _ => {
            spread(isa, &even[skip * channels..], channels, (skip * channels, 2 * channels), out);
            spread(isa, odd, channels, ((1 - skip) * channels, 2 * channels), out);
        }
    }
}

/// Pixels of `C` channels in turn from two rows, from pixel `skip` on.
fn place<const C: usize>(even: &[i8], odd: &[i8], skip: usize, out: &mut [i8]) {
    let (even, odd, out) = (even.as_chunks::<C>().0, odd.as_chunks::<C>().0, out.as_chunks_mut::<C>().0);
    let (first, out) = out.split_at_mut(skip.min(out.len()));
    first.copy_from_slice(&odd[..first.len()]);
    let (even, odd) = (&even[skip..], &odd[skip..]);
    let (pairs, last) = out.as_chunks_mut::<2>();
    for (pair, (even, odd)) in pairs.iter_mut().zip(even.iter().zip(odd)) {
        *pair = [*even, *odd];
    }
    if let (Some(last), Some(pixel)) = (last.first_mut(), even.get(pairs.len())) {
        *last = *pixel;
    }
}

/// One row of two, in quarters: values less their zero point, times 4.
struct MixRows<'a> {
    mix: Mix<'a>,
    mixed: &'a mut [I16],
}

impl Work for MixRows<'_> {
    #[inline(always)]
    fn run(self) {
        let Mix { above, below, weight, zero } = self.mix;
        let (weight, zero) = (weight as i16, zero as i16);
        for ((mixed, &above), &below) in self.mixed.iter_mut().zip(above).zip(below) {
            mixed.set((i16::from(above) - zero) * (4 - weight) + (i16::from(below) - zero) * weight);
        }
    }
}

/// Three of `near` and one of `far`, where the factor is 1: sixteenths, rounded half to even.
struct Sixteenths<'a> {
    near: &'a [I16],
    far: &'a [I16],
    zero_point: i8,
    out: &'a mut [i8],
}

impl Work for Sixteenths<'_> {
    #[inline(always)]
    fn run(self) {
        let zero_point = i16::from(self.zero_point);
        for ((out, near), far) in self.out.iter_mut().zip(self.near).zip(self.far) {
            let sum = 3 * near.get() + far.get();
            let rounded = (sum + 7 + (sum >> 4 & 1)) >> 4;
            *out = (rounded + zero_point).clamp(i8::MIN.into(), i8::MAX.into()) as i8;
        }
    }
}

/// Three of `near` and one of `far`, times a factor.
struct Scaled<'a> {
    near: &'a [I16],
    far: &'a [I16],
    factor: f32,
    zero_point: i8,
    out: &'a mut [i8],
}

impl Work for Scaled<'_> {
    #[inline(always)]
    fn run(self) {
        for ((out, near), far) in self.out.iter_mut().zip(self.near).zip(self.far) {
            let sum = 3 * near.get() + far.get();
            *out = requantize(sum.into(), self.factor, self.zero_point, Clamp::FULL);
        }
    }
}
