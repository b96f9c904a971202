//! Tiles of convolutions: pixels by output channels, all accumulators in registers.
#![allow(clippy::needless_range_loop, reason = "indices keep arrays of registers in registers; iterators may not")]

use core::arch::x86_64::*;

use super::{Epilogue, dword_order, store_four, store_some};
use crate::arch::job::ConvRow;

/// `P` pixels by `C` blocks, all steps: accumulators, pixel by pixel.
///
/// # Safety
/// `ConvRow::check`; pixels `x..x + P` are below the number of pixels rounded up to a tile; `weights` is the first of `C`
/// blocks, of `block` bytes each, with biases at `bias`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn accumulate<const P: usize, const C: usize>(
    row: &ConvRow,
    x: usize,
    (mut weights, block): (*const u8, usize),
    bias: [__m512i; C],
) -> [[__m512i; C]; P] {
    let mut sums = [bias; P];
    for segment in row.segments {
        let stride = segment.stride;
        // SAFETY: all of the loop is inside the segment and the weights, as the caller promises.
        unsafe {
            let first = segment.input.as_ptr().add(x * stride);
            // Every fourth pixel: the others are a few strides on.
            let mut fourths = [first, first.add(4 * stride), first.add(8 * stride), first.add(12 * stride)];
            for _ in 0..segment.steps {
                let mut block_weights = [_mm512_setzero_si512(); C];
                for c in 0..C {
                    block_weights[c] = _mm512_loadu_si512(weights.add(c * block).cast());
                }
                for p in 0..P {
                    let value = fourths[p / 4].add(p % 4 * stride).cast::<i32>().read_unaligned();
                    let value = _mm512_set1_epi32(value);
                    for c in 0..C {
                        sums[p][c] = _mm512_dpbusd_epi32(sums[p][c], value, block_weights[c]);
                    }
                }
                weights = weights.add(64);
                for fourth in &mut fourths {
                    *fourth = fourth.wrapping_add(4);
                }
            }
        }
    }
    sums
}

/// Blocks of 16 channels.
///
/// # Safety
/// `ConvRow::check`, with [`Layout::channels`] 16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn wide(row: &ConvRow, out: &mut [i8]) {
    let blocks = row.layout.blocks(row.outputs);
    let mut block = 0;
    // SAFETY: the blocks are there.
    unsafe {
        while block + 1 < blocks {
            wide_blocks::<8, 2>(row, block, out);
            block += 2;
        }
        if block < blocks {
            wide_blocks::<16, 1>(row, block, out);
        }
    }
}

/// `C` blocks from `block` on, all pixels.
///
/// # Safety
/// `ConvRow::check`, and there are as many blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn wide_blocks<const P: usize, const C: usize>(row: &ConvRow, block: usize, out: &mut [i8]) {
    let block_len = row.steps() * 64;
    let epilogue = Epilogue::new(&row.requantize);
    let order = dword_order();
    let mut bias = [_mm512_setzero_si512(); C];
    let mut scales = [_mm512_setzero_ps(); C];
    // SAFETY: whole blocks of biases, scales and weights are there; `store` keeps inside `out`, as `check` saw to.
    unsafe {
        for c in 0..C {
            bias[c] = _mm512_loadu_si512(row.requantize.bias.as_ptr().add((block + c) * 16).cast());
            scales[c] = _mm512_loadu_ps(row.requantize.scales.as_ptr().add((block + c) * 16).cast());
        }
        let weights = row.weights.as_ptr().add(block * block_len);
        let channels = (row.outputs - block * 16).min(16 * C);
        let mut x = 0;
        while x < row.pixels {
            let sums = accumulate::<P, C>(row, x, (weights, block_len), bias);
            for four in 0..P / 4 {
                for c in 0..C {
                    let at = 4 * four;
                    let four_sums = [sums[at][c], sums[at + 1][c], sums[at + 2][c], sums[at + 3][c]];
                    let values = _mm512_permutexvar_epi32(order, epilogue.pack(four_sums, [scales[c]; 4]));
                    let pixels = row.pixels.saturating_sub(x + at).min(4);
                    let channels = channels.saturating_sub(16 * c).min(16);
                    let place = out.as_mut_ptr().add((x + at).min(row.pixels) * row.out_stride + (block + c) * 16);
                    if pixels == 4 && channels == 16 {
                        if row.out_stride == 16 {
                            _mm512_storeu_si512(place.cast(), values);
                        } else {
                            store_four(values, place, row.out_stride);
                        }
                    } else {
                        store_some(values, 16, (pixels, channels), place, row.out_stride);
                    }
                }
            }
            x += P;
        }
    }
}

/// Whether there are so few output channels that [`head`] is worth it.
pub(super) fn is_head(row: &ConvRow) -> bool {
    row.outputs <= 4 && row.out_stride == row.outputs
}

/// A 1x1 convolution of `8 · STEPS` channels to very few: 64 pixels in the lanes of four registers, one output channel
/// after another. Returns how many pixels it made: whole sixty-fours.
///
/// # Safety
/// `ConvRow::check`, one segment of `STEPS` steps of 8, one right behind the other, and [`is_head`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn head<const STEPS: usize>(row: &ConvRow, out: &mut [i8]) -> usize {
    let epilogue = Epilogue::new(&row.requantize);
    let order = dword_order();
    // In each lane of 16 pixels, after the packs and the permutation: byte `from[i]` is that of pixel i.
    let from: [i8; 16] = core::array::from_fn(|i| match STEPS {
        // Dword l has the pixels 2l, 2l + 1, 8 + 2l, 9 + 2l.
        1 => (i % 8 / 2 * 4 + i / 8 * 2 + i % 2) as i8,
        // Dword l has the pixels l, 4 + l, 8 + l, 12 + l.
        _ => (i % 4 * 4 + i / 4) as i8,
    });
    let whole = row.pixels / 64 * 64;
    // SAFETY: 64 pixels from any multiple below `whole` are there; weights, biases and scales of a block too; `out` has
    // `outputs` values per pixel.
    unsafe {
        let from = _mm512_broadcast_i32x4(_mm_loadu_si128(from.as_ptr().cast()));
        let input = row.segments[0].input.as_ptr();
        for x in (0..whole).step_by(64) {
            let mut planes = [[0i8; 64]; 4];
            for (c, plane) in planes.iter_mut().enumerate().take(row.outputs) {
                let bias = _mm512_set1_epi64(i64::from(row.requantize.bias[c].get() as u32));
                let scale = _mm512_set1_ps(row.requantize.scales[c].get());
                let mut weights = [_mm512_setzero_si512(); STEPS];
                for step in 0..STEPS {
                    let bytes = row.weights.as_ptr().add(step * 64 + c * 8).cast::<i64>().read_unaligned();
                    weights[step] = _mm512_set1_epi64(bytes);
                }
                let mut sums = [_mm512_setzero_si512(); 4];
                for i in 0..4 {
                    let mut eights = [bias; 2];
                    for half in 0..2 {
                        let pixels = input.add((x + 16 * i + 8 * half) * 8 * STEPS);
                        let first = _mm512_loadu_si512(pixels.cast());
                        if STEPS == 1 {
                            eights[half] = _mm512_dpbusd_epi32(bias, first, weights[0]);
                        } else {
                            let second = _mm512_loadu_si512(pixels.add(64).cast());
                            let (low, high) =
                                (_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
                            let sum = _mm512_dpbusd_epi32(bias, low, weights[0]);
                            eights[half] = _mm512_dpbusd_epi32(sum, high, weights[STEPS - 1]);
                        }
                    }
                    sums[i] = add_halves(eights[0], eights[1]);
                }
                let values = _mm512_permutexvar_epi32(order, epilogue.pack(sums, [scale; 4]));
                let values = _mm512_shuffle_epi8(values, from);
                if row.outputs == 1 {
                    _mm512_storeu_si512(out.as_mut_ptr().add(x).cast(), values);
                } else {
                    _mm512_storeu_si512(plane.as_mut_ptr().cast(), values);
                }
            }
            if row.outputs > 1 {
                let out = &mut out[x * row.outputs..(x + 64) * row.outputs];
                for (pixel, out) in out.chunks_exact_mut(row.outputs).enumerate() {
                    for (value, plane) in out.iter_mut().zip(&planes) {
                        *value = plane[pixel];
                    }
                }
            }
        }
    }
    whole
}

/// Blocks of 8 channels, from pixel `first` on.
///
/// # Safety
/// `ConvRow::check`, with [`Layout::channels`] 8 and [`Layout::depth`] 8.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn narrow(row: &ConvRow, first: usize, out: &mut [i8]) {
    let block_len = row.steps() * 64;
    let epilogue = Epilogue::new(&row.requantize);
    // Words of two channels: after the packs, lane l has channels 2l and 2l + 1 of eight pixels.
    let order: [i16; 32] = core::array::from_fn(|i| (i % 4 * 8 + i / 4) as i16);
    // SAFETY: whole blocks of biases, scales and weights are there; stores keep inside `out`, as `check` saw to.
    unsafe {
        let order = _mm512_loadu_si512(order.as_ptr().cast());
        for block in 0..row.layout.blocks(row.outputs) {
            // Channel c in the halves 2c and 2c + 1 of the register: the bias in one of them.
            let bias = _mm256_loadu_si256(row.requantize.bias.as_ptr().add(block * 8).cast());
            let bias = [_mm512_cvtepu32_epi64(bias)];
            // Sums of two pixels: lane l has channels 2l and 2l + 1 of both.
            let scales = _mm256_loadu_ps(row.requantize.scales.as_ptr().add(block * 8).cast());
            let pairs = _mm512_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7);
            let scales = _mm512_permutexvar_ps(pairs, _mm512_castps256_ps512(scales));
            let weights = row.weights.as_ptr().add(block * block_len);
            let channels = (row.outputs - block * 8).min(8);
            let mut x = first;
            while x < row.pixels {
                let sums = accumulate_narrow(row, x, weights, bias[0]);
                for eight in 0..2 {
                    let at = eight * 8;
                    let mut pairs = [_mm512_setzero_si512(); 4];
                    for i in 0..4 {
                        pairs[i] = add_halves(sums[at + 2 * i], sums[at + 2 * i + 1]);
                    }
                    let values = _mm512_permutexvar_epi16(order, epilogue.pack(pairs, [scales; 4]));
                    let pixels = row.pixels.saturating_sub(x + at).min(8);
                    let place = out.as_mut_ptr().add((x + at).min(row.pixels) * row.out_stride + block * 8);
                    if pixels == 8 && row.out_stride == 8 && channels == 8 {
                        _mm512_storeu_si512(place.cast(), values);
                    } else if pixels == 8 && row.out_stride == 4 && channels == 4 {
                        _mm256_storeu_si256(place.cast(), _mm512_cvtepi64_epi32(values));
                    } else {
                        store_some(values, 8, (pixels, channels), place, row.out_stride);
                    }
                }
                x += 16;
            }
        }
    }
}

/// The sums of two pixels, each register's even and odd halves added.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_halves(a: __m512i, b: __m512i) -> __m512i {
    let (a, b) = (_mm512_castsi512_ps(a), _mm512_castsi512_ps(b));
    let even = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88));
    let odd = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd));
    _mm512_add_epi32(even, odd)
}

/// 16 pixels by 8 channels, 8 bytes a step.
///
/// # Safety
/// As [`accumulate`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn accumulate_narrow(row: &ConvRow, x: usize, mut weights: *const u8, bias: __m512i) -> [__m512i; 16] {
    let mut sums = [bias; 16];
    for segment in row.segments {
        let stride = segment.stride;
        // SAFETY: all of the loop is inside the segment and the weights, as the caller promises.
        unsafe {
            let first = segment.input.as_ptr().add(x * stride);
            let mut fourths = [first, first.add(4 * stride), first.add(8 * stride), first.add(12 * stride)];
            for _ in 0..segment.steps {
                let step_weights = _mm512_loadu_si512(weights.cast());
                for p in 0..16 {
                    let value = fourths[p / 4].add(p % 4 * stride).cast::<i64>().read_unaligned();
                    sums[p] = _mm512_dpbusd_epi32(sums[p], _mm512_set1_epi64(value), step_weights);
                }
                weights = weights.add(64);
                for fourth in &mut fourths {
                    *fourth = fourth.wrapping_add(8);
                }
            }
        }
    }
    sums
}
