//! Convolutions: tiles of `P` pixels by `C` registers, whose sums stay in registers over the whole window.
//!
//! A step loads the weights of its registers and broadcasts a few bytes of every pixel. 16 registers hold the sums, the
//! weights of a step, one broadcast, and, where multiplication and addition are two instructions, a product.
//!
//! - [`Wide`]: 8 channels per register, 4 bytes of depth.
//! - [`Few`]: up to 4 channels, each twice in a register, for the halves of 8 bytes of depth, which are added at the end.
//!
//! **Taps.** Where a segment is as long as three times its stride (three taps of a row, one pixel apart), the bytes that
//! pixel x has under its second tap are those that pixel x + 1 has under its first. So such a tile goes through the bytes
//! of a pixel rather than of a window: each broadcast serves three pixels, with the weights of three taps. 8 pixels take
//! 10 broadcasts for 24 multiplications, where there would be 24. This is what keeps loads, of which there are two a
//! cycle, off the critical path of two multiplications a cycle, and it makes one block as good as two. Otherwise it takes
//! two blocks, 6 pixels by 16 channels, for broadcasts to be few.
//!
//! Rows are cut into tiles of three units and of two, which divide every multiple of their unit but the least. Where tiles
//! don't divide the row, the last one overlaps the one before.

use core::arch::x86_64::*;
use core::marker::PhantomData;
use core::ops::Range;

use super::{Epilogue, Vector256, store_quarters, store_some};
use crate::arch::Work;
use crate::arch::job::ConvRow;

/// A row of a convolution.
pub(super) fn run<V: Vector256>(vector: V, row: &ConvRow, out: &mut [i8]) {
    row.check(out);
    let slides = |bytes| row.segments.iter().all(|s| s.stride % bytes == 0 && s.steps * bytes == 3 * s.stride);
    if row.layout.channels == 4 {
        if slides(8) {
            vector.enter(Few::<V, 3> { row, out, vector: PhantomData });
        } else {
            vector.enter(Few::<V, 1> { row, out, vector: PhantomData });
        }
        return;
    }
    let blocks = row.layout.blocks(row.outputs);
    if slides(4) {
        // 12 sums and the weights of three taps are all registers but one; products need one more.
        let [twelves, eights] = if V::PRODUCTS { [0..0, 0..row.pixels] } else { cut(row.pixels, 4) };
        for block in 0..blocks {
            enter::<V, 12, 1, 3>(vector, row, out, block, twelves.clone());
            enter::<V, 8, 1, 3>(vector, row, out, block, eights.clone());
        }
        return;
    }
    let [sixes, fours] = cut(row.pixels, 2);
    // Of whole blocks.
    let pairs = row.outputs / 16;
    for block in 0..pairs {
        enter::<V, 6, 2, 1>(vector, row, out, 2 * block, sixes.clone());
        enter::<V, 4, 2, 1>(vector, row, out, 2 * block, fours.clone());
    }
    for block in 2 * pairs..blocks {
        enter::<V, 8, 1, 1>(vector, row, out, block, 0..row.pixels);
    }
}

/// Enters [`Wide`], unless there are no pixels.
fn enter<V: Vector256, const P: usize, const C: usize, const TAPS: usize>(
    vector: V,
    row: &ConvRow,
    out: &mut [i8],
    block: usize,
    pixels: Range<usize>,
) {
    if !pixels.is_empty() {
        let block_len = row.steps() * row.layout.step();
        vector.enter(Wide::<V, P, C, TAPS> { row, out, block, block_len, pixels, vector: PhantomData });
    }
}

/// Cuts pixels in two: for tiles of three units, and for tiles of two, so that these divide them where they can.
fn cut(pixels: usize, unit: usize) -> [Range<usize>; 2] {
    let twos = if pixels.is_multiple_of(unit) { pixels / unit * 2 % 3 } else { 0 };
    let at = pixels.saturating_sub(twos * 2 * unit);
    [0..at, at..pixels]
}

/// `P` pixels by `C` blocks, all steps: sums, pixel by pixel. A step is `BYTES` bytes of depth; a broadcast serves `TAPS`
/// taps.
///
/// # Safety
/// Inlined into [`Vector256::enter`]. `ConvRow::check`; pixels `x..x + P` are below the number of pixels rounded up to a
/// tile; `weights` is the first of `C` blocks, of `block` bytes each. If `TAPS` is not 1, every segment is as long as
/// `TAPS` strides.
#[inline(always)]
unsafe fn accumulate<V: Vector256, const P: usize, const C: usize, const TAPS: usize, const BYTES: usize>(
    row: &ConvRow,
    x: usize,
    (mut weights, block): (*const u8, usize),
    bias: [__m256i; C],
) -> [[__m256i; C]; P] {
    let mut sums = [bias; P];
    for segment in row.segments {
        let stride = segment.stride;
        let steps = segment.steps / TAPS;
        // SAFETY: inside the segment and the weights, as the caller promises.
        unsafe {
            let mut input = segment.input.as_ptr().add(x * stride);
            for _ in 0..steps {
                step::<V, P, C, TAPS, BYTES>(&mut sums, (input, stride), (weights, block, steps * 32));
                weights = weights.add(32);
                input = input.wrapping_add(BYTES);
            }
            weights = weights.add((TAPS - 1) * steps * 32);
        }
    }
    sums
}

/// One step: `BYTES` bytes of every pixel from `input` on, `stride` apart, times the weights of `C` blocks, `block` apart,
/// and `TAPS` taps, `tap` apart.
///
/// # Safety
/// Inlined into [`Vector256::enter`]; all of these are there.
#[inline(always)]
unsafe fn step<V: Vector256, const P: usize, const C: usize, const TAPS: usize, const BYTES: usize>(
    sums: &mut [[__m256i; C]; P],
    (input, stride): (*const u8, usize),
    (weights, block, tap): (*const u8, usize, usize),
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut taps = [[_mm256_setzero_si256(); C]; TAPS];
        for t in 0..TAPS {
            for c in 0..C {
                taps[t][c] = _mm256_loadu_si256(weights.add(c * block + t * tap).cast());
            }
        }
        // Two loops, as compilers don't unroll one that is longer.
        for q in 0..8 {
            slide::<V, P, C, TAPS, BYTES>(sums, q, input.wrapping_add(q * stride), &taps);
        }
        for q in 8..P + TAPS - 1 {
            slide::<V, P, C, TAPS, BYTES>(sums, q, input.wrapping_add(q * stride), &taps);
        }
    }
}

/// Broadcasts the bytes at `value` of the tile's pixel `q`, and adds their products to the sums of the pixels that have
/// them under a tap.
///
/// # Safety
/// Inlined into [`Vector256::enter`]; there are so many bytes if there is such a pixel.
#[inline(always)]
unsafe fn slide<V: Vector256, const P: usize, const C: usize, const TAPS: usize, const BYTES: usize>(
    sums: &mut [[__m256i; C]; P],
    q: usize,
    value: *const u8,
    taps: &[[__m256i; C]; TAPS],
) {
    if q >= P + TAPS - 1 {
        return;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let value = match BYTES {
            4 => _mm256_set1_epi32(value.cast::<i32>().read_unaligned()),
            _ => _mm256_set1_epi64x(value.cast::<i64>().read_unaligned()),
        };
        for tap in 0..TAPS {
            if q >= tap && q - tap < P {
                for c in 0..C {
                    sums[q - tap][c] = V::dot(sums[q - tap][c], value, taps[tap][c]);
                }
            }
        }
    }
}

/// Where tiles of `tile` pixels start, so that they cover `pixels` and only an only one goes beyond.
#[inline(always)]
fn tiles(pixels: Range<usize>, tile: usize) -> impl Iterator<Item = usize> {
    let last = pixels.end.saturating_sub(tile).max(pixels.start);
    pixels.step_by(tile).map(move |x| x.min(last))
}

/// `C` blocks of 8 channels from `block` on, for some pixels. Two blocks are full ones.
struct Wide<'a, 'r, V, const P: usize, const C: usize, const TAPS: usize> {
    row: &'a ConvRow<'r>,
    out: &'a mut [i8],
    block: usize,
    /// Bytes of a block of weights.
    block_len: usize,
    pixels: Range<usize>,
    vector: PhantomData<V>,
}

impl<V: Vector256, const P: usize, const C: usize, const TAPS: usize> Work for Wide<'_, '_, V, P, C, TAPS> {
    #[inline(always)]
    fn run(self) {
        let Wide { row, out, block, block_len, pixels, .. } = self;
        let channels = (row.outputs - block * 8).min(8 * C);
        let stride = row.out_stride;
        // SAFETY: entered with the CPU's features; whole blocks of biases, scales and weights are there; stores keep
        // inside `out`, as `check` saw to.
        unsafe {
            let epilogue = Epilogue::new(&row.requantize);
            let mut bias = [_mm256_setzero_si256(); C];
            let mut scales = [_mm256_setzero_ps(); C];
            for c in 0..C {
                bias[c] = _mm256_loadu_si256(row.requantize.bias.as_ptr().add((block + c) * 8).cast());
                scales[c] = _mm256_loadu_ps(row.requantize.scales.as_ptr().add((block + c) * 8).cast());
            }
            let scales = [scales[0], scales[1 % C], scales[0], scales[1 % C]];
            let weights = row.weights.as_ptr().add(block * block_len);
            for x in tiles(pixels.clone(), P) {
                let sums = accumulate::<V, P, C, TAPS, 4>(row, x, (weights, block_len), bias);
                // Four registers at a time, in the order of memory: 4 / C pixels.
                for four in 0..P * C / 4 {
                    let mut values = [bias[0]; 4];
                    for i in 0..4 {
                        let register = four * 4 + i;
                        values[i] = sums[register / C][register % C];
                    }
                    let values = epilogue.pack_in_order(values, scales);
                    let x = x + four * 4 / C;
                    let pixels = pixels.end.saturating_sub(x).min(4 / C);
                    let place = out.as_mut_ptr().wrapping_add(x * stride + block * 8);
                    if pixels < 4 / C || channels < 8 * C {
                        store_some(values, 8 * C, (pixels, channels), place, stride);
                    } else if stride == 8 * C {
                        _mm256_storeu_si256(place.cast(), values);
                    } else if C == 1 {
                        store_quarters(values, place, stride);
                    } else {
                        _mm_storeu_si128(place.cast(), _mm256_castsi256_si128(values));
                        _mm_storeu_si128(place.add(stride).cast(), _mm256_extracti128_si256(values, 1));
                    }
                }
            }
        }
    }
}

/// Up to 4 channels, all pixels, 8 at a time.
struct Few<'a, 'r, V, const TAPS: usize> {
    row: &'a ConvRow<'r>,
    out: &'a mut [i8],
    vector: PhantomData<V>,
}

impl<V: Vector256, const TAPS: usize> Work for Few<'_, '_, V, TAPS> {
    #[inline(always)]
    fn run(self) {
        let Few { row, out, .. } = self;
        let (channels, stride) = (row.outputs, row.out_stride);
        // Of four pixels of four channels each, the channels that there are.
        let mut compact = [-1i8; 16];
        for (i, from) in compact.iter_mut().take(4 * channels).enumerate() {
            *from = (i / channels * 4 + i % channels) as i8;
        }
        // SAFETY: as for `Wide`.
        unsafe {
            let epilogue = Epilogue::new(&row.requantize);
            let compact = _mm_loadu_si128(compact.as_ptr().cast());
            // Channel c in the halves 2c and 2c + 1 of the register: the bias in one of them.
            let bias = [_mm256_cvtepu32_epi64(_mm_loadu_si128(row.requantize.bias.as_ptr().cast()))];
            // Sums of two pixels: each lane has two channels of both.
            let scales = _mm256_castps128_ps256(_mm_loadu_ps(row.requantize.scales.as_ptr().cast()));
            let scales = _mm256_permutevar8x32_ps(scales, _mm256_setr_epi32(0, 1, 0, 1, 2, 3, 2, 3));
            for x in tiles(0..row.pixels, 8) {
                let sums = accumulate::<V, 8, 1, TAPS, 8>(row, x, (row.weights.as_ptr(), 0), bias);
                let mut pairs = [bias[0]; 4];
                for i in 0..4 {
                    pairs[i] = add_halves(sums[2 * i][0], sums[2 * i + 1][0]);
                }
                // The first two channels of eight pixels, and the last two.
                let values = epilogue.pack(pairs, [scales; 4]);
                let (first, last) = (_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
                let fours = [_mm_unpacklo_epi16(first, last), _mm_unpackhi_epi16(first, last)];
                let place = out.as_mut_ptr().add(x * stride);
                if row.pixels < 8 || stride != channels {
                    let pixels = row.pixels.min(8);
                    store_some(_mm256_set_m128i(fours[1], fours[0]), 4, (pixels, channels), place, stride);
                    continue;
                }
                for i in 0..2 {
                    let mut values = _mm_shuffle_epi8(fours[i], compact);
                    // Four pixels are as many 32-bit words as there are channels.
                    for c in 0..channels {
                        _mm_storeu_si32(place.add(4 * (i * channels + c)).cast(), values);
                        values = _mm_srli_si128(values, 4);
                    }
                }
            }
        }
    }
}

/// The sums of two pixels, each register's even and odd halves added.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn add_halves(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: the caller promises AVX2.
    unsafe {
        let (a, b) = (_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
        let even = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
        let odd = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
        _mm256_add_epi32(even, odd)
    }
}
