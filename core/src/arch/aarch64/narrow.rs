//! Convolutions to very few channels, such as a network's head, with dot products: pixels in the lanes.
//!
//! The tile is 16 pixels by one channel. A register holds the sums of four pixels; a step picks 4 bytes out of a register
//! of weights, and the same 4 bytes of four pixels lie in a register of values, as de-interleaving loads leave them.

use core::arch::aarch64::*;

use super::epilogue::Epilogue;
use super::instructions::dot_lane;
use crate::arch::job::{ConvRow, Layout, Segment};

/// Most output channels that this is worth it for.
pub(super) const MOST: usize = 4;

/// How weights lie: an output channel is a block.
pub(super) const LAYOUT: Layout = Layout { channels: 1, ..super::neon_dot::LAYOUT };

/// Pixels of a tile.
const PIXELS: usize = 16;

/// # Safety
/// The CPU has the dot product extension; `ConvRow::check`, with [`LAYOUT`].
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    let block_len = row.steps() * LAYOUT.step();
    for output in 0..row.outputs {
        let (bias, scale) = (row.requantize.bias[output].get(), row.requantize.scales[output].get());
        for x in (0..row.pixels).step_by(PIXELS) {
            // SAFETY: the weights of the block and the values of a tile are there, as `check` saw to, and so are the places
            // of the row's pixels in `out`.
            unsafe {
                let mut sums = [vdupq_n_s32(bias); 4];
                let mut weights = row.weights.as_ptr().add(output * block_len);
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

/// Steps of windows that are taps of `WORDS` times 4 channels each, neighbours in the row.
///
/// # Safety
/// The CPU has the extension; values and weights are there. So below.
#[inline(always)]
unsafe fn taps<const WORDS: usize>(sums: &mut [int32x4_t; 4], mut tap: *const u8, steps: usize, weights: &mut *const u8) {
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
