//! Convolutions to very few channels, such as a network's head. The tile is 16 pixels by one channel.
//!
//! - [`Dots`]: a register holds the sums of four pixels. A step picks 4 bytes out of a register of weights, and the same 4
//!   bytes of four pixels lie in a register of values, as de-interleaving loads leave them.
//! - [`Long`]: a register holds four partial sums of a pixel. A step multiplies 8 bytes of two pixels with the same 8
//!   weights to 16 bits, and adds neighbours to the sums.

use core::arch::aarch64::*;

use super::epilogue::Epilogue;
use super::instructions::{add_pairs, dot_lane, load_first_4, load_weights, multiply_first, multiply_second};
use super::tile::{Sums, add_up};
use crate::arch::job::{ConvRow, Layout, Segment};

/// Most output channels that this is worth it for.
pub(super) const MOST: usize = 4;

/// How values and weights lie for [`dots`]: an output channel is a block.
pub(super) const DOTS: Layout =
    Layout { value: 1, flip: 0, depth: 4, channels: 1, planes: &[16, 8, 4], interleaved: 1 };

/// The same for [`long`].
pub(super) const LONG: Layout = Layout { value: 1, flip: 0, depth: 8, channels: 1, planes: &[8], interleaved: 1 };

/// Pixels of a tile.
const PIXELS: usize = 16;

/// How the sums of a tile come about.
trait Products {
    /// The sums of the pixels from `x` on, without the bias.
    ///
    /// # Safety
    /// The CPU has the instructions; `ConvRow::check`; `x` is a pixel of the row, and `weights` are those of the channel.
    unsafe fn sums(row: &ConvRow, x: usize, weights: *const u8) -> [int32x4_t; 4];
}

/// # Safety
/// The CPU has the dot product extension; `ConvRow::check`, with [`DOTS`].
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn dots(row: &ConvRow, out: &mut [i8]) {
    // SAFETY: the caller's promise.
    unsafe { conv::<Dots>(row, out) }
}

/// # Safety
/// `ConvRow::check`, with [`LONG`].
pub(super) unsafe fn long(row: &ConvRow, out: &mut [i8]) {
    // SAFETY: the caller's promise, and every AArch64 CPU has NEON.
    unsafe { conv::<Long>(row, out) }
}

/// # Safety
/// As [`Products::sums`].
#[inline(always)]
unsafe fn conv<P: Products>(row: &ConvRow, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    let block_len = row.steps() * row.layout.step();
    for output in 0..row.outputs {
        let (bias, scale) = (row.requantize.bias[output].get(), row.requantize.scales[output].get());
        for x in (0..row.pixels).step_by(PIXELS) {
            // SAFETY: the weights of the block and the values of a tile are there, as `check` saw to, and so are the places
            // of the row's pixels in `out`.
            unsafe {
                let mut sums = P::sums(row, x, row.weights.as_ptr().add(output * block_len));
                for i in 0..4 {
                    sums[i] = vaddq_s32(sums[i], vdupq_n_s32(bias));
                }
                let [values] = epilogue.values([sums], [vdupq_n_f32(scale); 4]);
                let place = out.as_mut_ptr().add(x * row.out_stride + output);
                if row.pixels - x >= PIXELS && row.out_stride == 1 {
                    vst1q_s8(place, values);
                } else {
                    let values = core::mem::transmute::<int8x16_t, [i8; 16]>(values);
                    for (pixel, value) in values.into_iter().take(row.pixels - x).enumerate() {
                        *place.add(pixel * row.out_stride) = value;
                    }
                }
            }
        }
    }
}

/// Pixels in the lanes.
struct Dots;

impl Products for Dots {
    #[inline(always)]
    unsafe fn sums(row: &ConvRow, x: usize, mut weights: *const u8) -> [int32x4_t; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [vdupq_n_s32(0); 4];
            for segment in row.segments {
                let mut plane = segment.input.as_ptr().wrapping_add(x * segment.stride);
                for _ in 0..segment.planes {
                    match (segment.stride, segment.steps % (segment.stride / 4).max(1)) {
                        (4, 0) => taps::<1>(&mut sums, plane, segment.steps, &mut weights),
                        (8, 0) => taps::<2>(&mut sums, plane, segment.steps, &mut weights),
                        (16, 0) => taps::<4>(&mut sums, plane, segment.steps, &mut weights),
                        _ => apart(&mut sums, plane, segment, &mut weights),
                    }
                    plane = plane.wrapping_add(segment.pitch);
                }
            }
            sums
        }
    }
}

/// Steps of windows that are taps of `WORDS` times 4 channels each, neighbours in the row.
///
/// # Safety
/// The CPU has the extension; values and weights are there. So below.
#[inline(always)]
unsafe fn taps<const WORDS: usize>(
    sums: &mut [int32x4_t; 4],
    mut tap: *const u8,
    steps: usize,
    weights: &mut *const u8,
) {
    for _ in 0..steps / WORDS {
        // SAFETY: the caller's promise.
        unsafe {
            let weight = match WORDS {
                1 => vreinterpretq_s8_s32(vld1q_dup_s32(weights.cast())),
                2 => vreinterpretq_s8_s64(vld1q_dup_s64(weights.cast())),
                _ => vld1q_s8(weights.cast()),
            };
            for four in 0..4 {
                let values: *const i32 = tap.add(four * 16 * WORDS).cast();
                let sum = &mut sums[four];
                match WORDS {
                    1 => dot_lane::<0>(sum, vld1q_s8(values.cast()), weight),
                    2 => {
                        let words = vld2q_s32(values);
                        dot_lane::<0>(sum, vreinterpretq_s8_s32(words.0), weight);
                        dot_lane::<1>(sum, vreinterpretq_s8_s32(words.1), weight);
                    }
                    _ => {
                        let words = vld4q_s32(values);
                        dot_lane::<0>(sum, vreinterpretq_s8_s32(words.0), weight);
                        dot_lane::<1>(sum, vreinterpretq_s8_s32(words.1), weight);
                        dot_lane::<2>(sum, vreinterpretq_s8_s32(words.2), weight);
                        dot_lane::<3>(sum, vreinterpretq_s8_s32(words.3), weight);
                    }
                }
            }
            tap = tap.wrapping_add(4 * WORDS);
            *weights = weights.add(4 * WORDS);
        }
    }
}

/// Steps of any windows.
#[inline(always)]
unsafe fn apart(sums: &mut [int32x4_t; 4], plane: *const u8, segment: &Segment, weights: &mut *const u8) {
    for step in 0..segment.steps {
        // SAFETY: the caller's promise.
        unsafe {
            let weight = vreinterpretq_s8_s32(vld1q_dup_s32(weights.cast()));
            for four in 0..4 {
                let mut words = [0i32; 4];
                for (pixel, word) in words.iter_mut().enumerate() {
                    *word = plane.add((4 * four + pixel) * segment.stride + 4 * step).cast::<i32>().read_unaligned();
                }
                dot_lane::<0>(&mut sums[four], vreinterpretq_s8_s32(vld1q_s32(words.as_ptr())), weight);
            }
            *weights = weights.add(4);
        }
    }
}

/// Pixels by themselves.
struct Long;

impl Products for Long {
    #[inline(always)]
    unsafe fn sums(row: &ConvRow, x: usize, mut weights: *const u8) -> [int32x4_t; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [vdupq_n_s32(0); 16];
            for segment in row.segments {
                let mut plane = segment.input.as_ptr().wrapping_add(x * segment.stride);
                for _ in 0..segment.planes {
                    for step in 0..segment.steps {
                        let weight = vreinterpretq_s8_s64(vld1q_dup_s64(weights.cast()));
                        let mut from = plane.wrapping_add(8 * step);
                        if segment.stride == 8 {
                            eight(&mut sums, 0, load_first_4(&mut from), weight);
                            eight(&mut sums, 8, load_weights(&mut from), weight);
                        } else {
                            eight(&mut sums, 0, pairs(from, segment.stride), weight);
                            eight(&mut sums, 8, pairs(from.wrapping_add(8 * segment.stride), segment.stride), weight);
                        }
                        weights = weights.add(8);
                    }
                    plane = plane.wrapping_add(segment.pitch);
                }
            }
            [
                add_up(sums[0], sums[1], sums[2], sums[3]),
                add_up(sums[4], sums[5], sums[6], sums[7]),
                add_up(sums[8], sums[9], sums[10], sums[11]),
                add_up(sums[12], sums[13], sums[14], sums[15]),
            ]
        }
    }
}

/// A step of eight pixels from `first` on, two to a register.
///
/// # Safety
/// The CPU has NEON.
#[inline(always)]
unsafe fn eight(sums: &mut Sums, first: usize, values: [int8x16_t; 4], weight: int8x16_t) {
    for i in 0..4 {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, odd) = (multiply_first(values[i], weight), multiply_second(values[i], weight));
            add_pairs(&mut sums[first + 2 * i], even);
            add_pairs(&mut sums[first + 2 * i + 1], odd);
        }
    }
}

/// 8 bytes of each of eight pixels.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn pairs(from: *const u8, stride: usize) -> [int8x16_t; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut values = [vdupq_n_s8(0); 4];
        for i in 0..4 {
            let (even, odd) = (from.add(2 * i * stride), from.add((2 * i + 1) * stride));
            values[i] = vcombine_s8(vld1_s8(even.cast()), vld1_s8(odd.cast()));
        }
        values
    }
}
