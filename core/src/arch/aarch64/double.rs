//! Linear Resize to twice the width: sixteenths of four values, rounded half to even.
//!
//! Every value of the input is mixed with the one below it once, and the mix `m` of a pixel makes the two output pixels in
//! front of it and behind it: `3 · m + m'`, with the mix of a neighbour. All of it is done in 256ths, in which the rounded
//! value is the upper byte of 16 bits, and of sums with the opposite sign: then a sum that lies in the middle and has bit 8
//! set comes of an even number and a half, and has to be rounded down. `cmtst` makes that bit a −1, and `rsubhn` takes the
//! sum from it, adds a half, and keeps the upper byte.
//!
//! The sum of sixteen times −128 is the only one that leaves 16 bits. It wraps to itself, as does its difference.

use core::arch::aarch64::*;

use crate::arch::job::DoubleRow;

/// Channels at a time.
const BLOCK: usize = 16;
/// The weights of a pixel's four values add up to −256.
const QUARTER: i8 = -16;

/// The mixes of 16 channels of a pixel.
type Mixed = [int16x8_t; 2];

/// See [`crate::arch::Isa::double`]; done where there are whole blocks.
pub(super) fn double(row: &DoubleRow, out: &mut [i8]) -> bool {
    let DoubleRow { above, below, channels, first, .. } = *row;
    if !channels.is_multiple_of(BLOCK) || channels == 0 {
        return false;
    }
    let (width, pixels) = (above.len() / channels, out.len() / (2 * channels));
    assert!(below.len() == above.len() && out.len() == 2 * pixels * channels && first + pixels <= width);
    if pixels > 0 {
        for channel in (0..channels).step_by(BLOCK) {
            // SAFETY: every pixel has a block from `channel` on; input pixels are below `width`, and `out` has two for each.
            unsafe { block(row, channel, width, pixels, out.as_mut_ptr().add(channel)) };
        }
    }
    true
}

/// The channels from `channel` on.
///
/// # Safety
/// Pixels of both rows have these; `pixels` of them from `row.first` on, at least one, are below `width`; and there is room for
/// two at `out` for each.
#[inline(always)]
unsafe fn block(row: &DoubleRow, channel: usize, width: usize, pixels: usize, mut out: *mut i8) {
    let DoubleRow { above, below, channels, first, .. } = *row;
    let weights = [QUARTER * (4 - row.weight), QUARTER * row.weight];
    let mixed = |x: usize| {
        let at = x * channels + channel;
        // SAFETY: the caller's promise, of pixels that are below `width`.
        unsafe { mixed(above.as_ptr().add(at), below.as_ptr().add(at), weights) }
    };
    let mut put = |near: Mixed, far: Mixed| {
        // SAFETY: two for each pixel, as below.
        unsafe {
            vst1q_s8(out, rounded(near, far));
            out = out.add(channels);
        }
    };
    let end = first + pixels;
    let mut near = mixed(first);
    let mut thrice = times_3(near);
    put(thrice, mixed(first.saturating_sub(1)));
    // Between two pixels: the last output of one, and the first of the other.
    let mut step = |x: usize, near: Mixed, thrice: Mixed| {
        let next = mixed(x);
        let next_thrice = times_3(next);
        put(thrice, next);
        put(next_thrice, near);
        (next, next_thrice)
    };
    let mut x = first + 1;
    // Two at a time, so that registers need not be copied.
    while x + 1 < end {
        let (other, other_thrice) = step(x, near, thrice);
        (near, thrice) = step(x + 1, other, other_thrice);
        x += 2;
    }
    if x < end {
        (_, thrice) = step(x, near, thrice);
    }
    put(thrice, mixed(end.min(width - 1)));
}

/// A block of two rows, weighted.
///
/// # Safety
/// 16 values each.
#[inline(always)]
unsafe fn mixed(above: *const i8, below: *const i8, [u, v]: [i8; 2]) -> Mixed {
    // SAFETY: the caller's promise.
    unsafe {
        let (above, below, u, v) = (vld1q_s8(above), vld1q_s8(below), vdupq_n_s8(u), vdupq_n_s8(v));
        let low = vmull_s8(vget_low_s8(above), vget_low_s8(u));
        let high = vmull_high_s8(above, u);
        [vmlal_s8(low, vget_low_s8(below), vget_low_s8(v)), vmlal_high_s8(high, below, v)]
    }
}

#[inline(always)]
fn times_3([low, high]: Mixed) -> Mixed {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe { [vmulq_n_s16(low, 3), vmulq_n_s16(high, 3)] }
}

/// The values whose 256ths, with the opposite sign, are sums of these.
#[inline(always)]
fn rounded(a: Mixed, b: Mixed) -> int8x16_t {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe {
        let (low, high) = (vaddq_s16(a[0], b[0]), vaddq_s16(a[1], b[1]));
        let even = vdupq_n_s16(1 << 8);
        let (down_low, down_high) = (vtstq_s16(low, even), vtstq_s16(high, even));
        let low = vrsubhn_s16(vreinterpretq_s16_u16(down_low), low);
        vrsubhn_high_s16(low, vreinterpretq_s16_u16(down_high), high)
    }
}
