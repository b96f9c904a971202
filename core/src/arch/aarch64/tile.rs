//! A row of a convolution, tile by tile: what the instruction sets have in common.
//!
//! A tile is some pixels by some channels, whose sums stay in sixteen registers from the first step of the window to the
//! last. An instruction set says what the registers hold ([`Tile`]) and how a step adds to them ([`Walk`]); a walk is
//! made for windows of a certain shape, in which neighbouring pixels share values.

use core::arch::aarch64::*;

use heapless::Vec;

use super::epilogue::Epilogue;
use super::instructions::{start, store_halves, store_quarters};
use crate::arch::job::{ConvRow, Layout, Segment};

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

/// A way through a window, or through a part of it.
pub(super) trait Walk: Copy {
    /// Adds what it gives the pixels from `x` on.
    ///
    /// # Safety
    /// The CPU has the instructions; the pixels are below the row's number rounded up to a tile; `weights` are those of
    /// this way, for one block. They move behind the last.
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8);
}

/// Most planes of which the places are listed.
const MAX_PLACES: usize = 256;
/// Most runs of equal segments that are walked each in its own way.
const MAX_RUNS: usize = 8;

/// Where the planes of a window start, segment by segment; what a row's first pixel has there.
pub(super) type Places = Vec<*const u8, MAX_PLACES>;

/// The places of all planes; none if there are too many.
pub(super) fn places(segments: &[Segment]) -> Places {
    let mut places = Vec::new();
    for segment in segments {
        for plane in 0..segment.planes {
            if places.push(segment.input.as_ptr().wrapping_add(plane * segment.pitch)).is_err() {
                return Vec::new();
            }
        }
    }
    places
}

/// A window's ways: what `way` makes of every run of segments of one shape and their places, or `any` for all of them,
/// where there are too many.
pub(super) fn ways<'a, W>(
    segments: &'a [Segment<'a>],
    places: &'a Places,
    way: impl Fn(&'a [Segment<'a>], &'a [*const u8]) -> W,
    any: W,
) -> Vec<W, MAX_RUNS> {
    let mut ways = Vec::new();
    let mut rest = &places[..];
    for run in segments.chunk_by(|a, b| (a.stride, a.values) == (b.stride, b.values)) {
        let planes = run.iter().map(|segment| segment.planes).sum();
        let pushed = rest.split_at_checked(planes).is_some_and(|(places, behind)| {
            rest = behind;
            ways.push(way(run, places)).is_ok()
        });
        if !pushed {
            ways.clear();
            let _ = ways.push(any);
            break;
        }
    }
    ways
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
            let mut whole = if present == channels { row.pixels / T::PIXELS } else { 0 };
            let mut x = 0;
            while x < row.pixels {
                let mut sums = start(&bias);
                walk.walk(&mut sums, x, &mut { weights });
                let scales = [0, 4, 8, 12].map(
                    #[inline(always)]
                    |at| vld1q_f32(scales.as_ptr().add(at)),
                );
                let mut values = epilogue.values(T::whole(sums), scales);
                for i in 0..N {
                    values[i] = T::ordered(values[i]);
                }
                if whole == 0 {
                    let pixels = T::PIXELS.min(row.pixels - x);
                    store_some(values, channels, (pixels, present), place, row.out_stride);
                    place = place.wrapping_add(T::PIXELS * row.out_stride);
                } else {
                    whole -= 1;
                    store(values, channels, &mut place, row.out_stride);
                }
                x += T::PIXELS;
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
        if stride == channels {
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

/// Stores the first `present` of the `channels` values of the first pixels.
///
/// # Safety
/// There are so many values at `place`, pixels `stride` apart; no more than four registers.
#[inline(always)]
unsafe fn store_some<const N: usize>(
    values: [int8x16_t; N],
    channels: usize,
    (pixels, present): (usize, usize),
    place: *mut i8,
    stride: usize,
) {
    let mut buffer = [0; 64];
    for i in 0..N {
        // SAFETY: a register's bytes.
        unsafe { vst1q_s8(buffer[16 * i..16 * i + 16].as_mut_ptr(), values[i]) };
    }
    // SAFETY: the caller's promise.
    unsafe { copy_some(&buffer, channels, (pixels, present), place, stride) };
}

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
