//! A row of a convolution, tile by tile: what the instruction sets have in common.
//!
//! A tile is some pixels by some channels, whose sums stay in sixteen registers from the first step of the window to the
//! last. An instruction set says what the registers hold ([`Tile`]); how a window adds to them is a [`Walk`].

use core::arch::aarch64::*;

use super::epilogue::Epilogue;
use super::instructions::{start, store_halves, store_quarters};
use super::ways::Walk;
use crate::arch::job::{ConvRow, Layout};

/// Sixteen registers of sums: four for every 16 values of the output, `16 / channels` pixels.
pub(super) type Sums = [int32x4_t; 16];

/// What the registers of a tile hold.
pub(super) trait Tile<const N: usize> {
    /// How values and weights lie.
    const LAYOUT: Layout;
    /// Pixels of a tile.
    const PIXELS: usize;

    /// The channel whose bias lane `at` of the first four registers starts with. The others start like these.
    fn bias(at: usize) -> Option<usize>;

    /// The channel whose scale lane `at` of the four registers that become 16 values is multiplied with.
    fn scale(at: usize) -> usize;

    /// Whole sums: four registers for each of the `N` registers of values that they make.
    fn whole(sums: Sums) -> [[int32x4_t; 4]; N];

    /// Values put into the order of the output, pixel by pixel.
    #[inline(always)]
    fn ordered(values: int8x16_t) -> int8x16_t {
        values
    }
}

/// The four sums of four registers of partial sums.
#[inline(always)]
pub(super) fn add_up(a: int32x4_t, b: int32x4_t, c: int32x4_t, d: int32x4_t) -> int32x4_t {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe { vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)) }
}

/// All blocks and pixels of a row.
///
/// # Safety
/// The CPU has the instructions of `walk`, which goes through all of the row's window; `ConvRow::check`.
#[inline(always)]
pub(super) unsafe fn tiles<T: Tile<N>, const N: usize, W: Walk>(walk: W, row: &ConvRow, out: &mut [i8]) {
    let channels = T::LAYOUT.channels;
    let block_len = row.steps() * T::LAYOUT.step();
    let epilogue = Epilogue::new(&row.requantize);
    for block in 0..T::LAYOUT.blocks(row.outputs) {
        let (bias, scales) = (&row.requantize.bias[block * channels..], &row.requantize.scales[block * channels..]);
        let bias: [i32; 16] = core::array::from_fn(|at| T::bias(at).map_or(0, |channel| bias[channel].get()));
        let scales: [f32; 16] = core::array::from_fn(|at| scales[T::scale(at)].get());
        // SAFETY: the weights of the block are there, as `check` saw to, and so are x and its place in `out`.
        unsafe {
            let weights = row.weights.as_ptr().add(block * block_len);
            let mut place = out.as_mut_ptr().add(block * channels);
            let present = (row.outputs - block * channels).min(channels);
            // Whole tiles go to their places; of others, the part that is there, by way of a buffer.
            let whole = if present == channels { row.pixels / T::PIXELS * T::PIXELS } else { 0 };
            let scales = [0, 4, 8, 12].map(
                #[inline(always)]
                |at| vld1q_f32(scales.as_ptr().add(at)),
            );
            let mut buffer = [0; 64];
            let mut x = 0;
            while x < row.pixels {
                let (end, mut to, stride) =
                    if x < whole { (whole, place, row.out_stride) } else { (x + 1, buffer.as_mut_ptr(), channels) };
                let first = x;
                while x < end {
                    let mut sums = start(&bias);
                    walk.walk(&mut sums, x, &mut { weights });
                    let mut values = epilogue.values(T::whole(sums), scales);
                    for i in 0..N {
                        values[i] = T::ordered(values[i]);
                    }
                    store(values, channels, &mut to, stride);
                    x += T::PIXELS;
                }
                if first >= whole {
                    let pixels = T::PIXELS.min(row.pixels - first);
                    copy_some(&buffer, channels, (pixels, present), place, row.out_stride);
                }
                place = place.wrapping_add((x - first) * row.out_stride);
            }
        }
    }
}

/// Stores whole registers, which hold `channels` (4 or 8) values of each of their pixels. The place moves to the pixel
/// behind them.
///
/// # Safety
/// There are so many values at `place`, pixels `stride` apart.
#[inline(always)]
unsafe fn store<const N: usize>(values: [int8x16_t; N], channels: usize, place: &mut *mut i8, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        // Four channels are never all that there are.
        if channels == 8 && stride == channels {
            for i in 0..N {
                vst1q_s8(place.add(16 * i), values[i]);
            }
            *place = place.add(16 * N);
            return;
        }
        for i in 0..N {
            if channels == 8 {
                store_halves(values[i], place, stride);
            } else {
                store_quarters(values[i], place, stride);
            }
        }
    }
}

/// The first `present` of the `channels` values of the first pixels, as many as are there.
///
/// # Safety
/// There is room for `present` values at `place`, and `stride` behind it, so many times.
#[cold]
unsafe fn copy_some(
    buffer: &[i8; 64],
    channels: usize,
    (pixels, present): (usize, usize),
    place: *mut i8,
    stride: usize,
) {
    for (pixel, from) in buffer.chunks_exact(channels).take(pixels).enumerate() {
        // SAFETY: the caller's promise.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), place.add(pixel * stride), present.min(from.len())) };
    }
}
