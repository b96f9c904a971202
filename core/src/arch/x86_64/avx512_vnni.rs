//! AVX-512 with VNNI: `vpdpbusd` multiplies 64 pairs of bytes and adds them up by fours.
//!
//! Tiles keep their accumulators in registers over the whole window. A step loads the weights of a block once and
//! broadcasts a few bytes of every pixel:
//!
//! - [`wide`]: 16 output channels per register, 4 bytes of depth; 16 pixels by one block or 8 by two.
//! - [`narrow`]: 8 output channels per register, twice, for the halves of 8 bytes of depth; 16 pixels. The halves are
//!   added at the end.
//! - [`flat`]: depthwise, 16 positions per register, whose four bytes are the kernel's rows.
//!
//! The way to int8 is the same for all: convert, multiply, round to the nearest even (the default mode of the
//! processor), and two saturating packs of four registers, which one permutation puts in order.
#![allow(clippy::needless_range_loop, reason = "indices keep arrays of registers in registers; iterators may not")]

use core::arch::x86_64::*;

use super::detected;
use crate::arch::job::{ConvRow, DepthwiseRow, Layout, Requantize, Segment};
use crate::arch::{Isa, Work};
use crate::quant::Clamp;

/// The proof that this CPU has AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512Vnni {
    /// Whether it also permutes bytes across registers.
    vbmi: bool,
}

impl Avx512Vnni {
    /// The proof, if this CPU has them.
    pub fn new() -> Option<Avx512Vnni> {
        let has = detected!("avx512f", "avx512bw", "avx512vl", "avx512vnni");
        has.then_some(Avx512Vnni { vbmi: detected!("avx512vbmi") })
    }
}

impl Isa for Avx512Vnni {
    const NAME: &'static str = "x86_64-avx512vnni";

    fn layout(self, outputs: usize) -> Option<Layout> {
        // Half a register of padding would be as much work again.
        let narrow = outputs < 32 && (1..=8).contains(&(outputs % 16));
        let (channels, depth) = if narrow { (8, 8) } else { (16, 4) };
        Some(Layout { value: 1, flip: 0x80, depth, channels, planes: &[] })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` proves the features; `check` saw to the lengths that the pointers rely on.
        unsafe {
            if row.layout.channels != 8 {
                return wide(row, out);
            }
            let done = match row.segments {
                [Segment { stride: 8, steps: 1, .. }] if is_head(row) => head::<1>(row, out),
                [Segment { stride: 16, steps: 2, .. }] if is_head(row) => head::<2>(row, out),
                _ => 0,
            };
            narrow(row, done, out);
        }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe {
            match (row.groups.len(), row.taps) {
                (1, 3) => flat::<1, 3>(row, out),
                _ => flat::<0, 0>(row, out),
            }
        }
    }

    fn interleave(self, rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
        assert!(rows.iter().all(|row| row.len() >= to.len() / 4));
        // SAFETY: `self` proves the features; the rows are as long as `to` needs.
        unsafe { interleave(rows, flip, to) }
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        if self.vbmi {
            // SAFETY: `vbmi` is the proof.
            unsafe { look_up(table, from, out) }
        } else {
            crate::arch::scalar::look_up(table, from, out);
        }
    }

    fn vectorize<W: Work>(self, work: W) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
        fn inner<W: Work>(work: W) {
            work.run();
        }
        // SAFETY: `self` proves the features.
        unsafe { inner(work) }
    }
}

/// The order in which two packs of four registers leave groups of four bytes: transposed.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn dword_order() -> __m512i {
    _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
}

/// The last steps to int8, the same for all registers.
#[derive(Clone, Copy)]
struct Epilogue {
    zero_point: __m512i,
    low: __m512i,
    high: __m512i,
    /// Whether nothing is left to clamp.
    whole: bool,
}

impl Epilogue {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(requantize: &Requantize) -> Epilogue {
        Epilogue {
            zero_point: _mm512_set1_epi16(requantize.zero_point.into()),
            low: _mm512_set1_epi8(requantize.clamp.low),
            high: _mm512_set1_epi8(requantize.clamp.high),
            whole: requantize.clamp == Clamp::FULL,
        }
    }

    /// Four registers of sums to 64 values: in each 128-bit lane, four of every register in turn.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn pack(&self, sums: [__m512i; 4], scales: [__m512; 4]) -> __m512i {
        // One by one: closures inside `target_feature` functions are not inlined.
        let (a, b) = (scaled(sums[0], scales[0]), scaled(sums[1], scales[1]));
        let (c, d) = (scaled(sums[2], scales[2]), scaled(sums[3], scales[3]));
        let (ab, cd) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let (ab, cd) = (_mm512_adds_epi16(ab, self.zero_point), _mm512_adds_epi16(cd, self.zero_point));
        let packed = _mm512_packs_epi16(ab, cd);
        if self.whole { packed } else { _mm512_max_epi8(_mm512_min_epi8(packed, self.high), self.low) }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn scaled(sums: __m512i, scales: __m512) -> __m512i {
    _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), scales))
}

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
unsafe fn wide(row: &ConvRow, out: &mut [i8]) {
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

/// Stores `channels` values of each of `pixels` pixels, of which a register holds `width` values each.
///
/// # Safety
/// There are so many values at `place`, `stride` apart.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store_some(values: __m512i, width: usize, (pixels, channels): (usize, usize), place: *mut i8, stride: usize) {
    let mut buffer = [0i8; 64];
    // SAFETY: the buffer is as long as a register, and the caller promises the places.
    unsafe {
        _mm512_storeu_si512(buffer.as_mut_ptr().cast(), values);
        for pixel in 0..pixels {
            let from = buffer.as_ptr().add(pixel * width);
            core::ptr::copy_nonoverlapping(from, place.add(pixel * stride), channels);
        }
    }
}

/// Whether there are so few output channels that [`head`] is worth it.
fn is_head(row: &ConvRow) -> bool {
    row.outputs <= 4 && row.out_stride == row.outputs
}

/// A 1x1 convolution of `8 · STEPS` channels to very few: 64 pixels in the lanes of four registers, one output channel
/// after another. Returns how many pixels it made: whole sixty-fours.
///
/// # Safety
/// `ConvRow::check`, one segment of `STEPS` steps of 8, one right behind the other, and [`is_head`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn head<const STEPS: usize>(row: &ConvRow, out: &mut [i8]) -> usize {
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
unsafe fn narrow(row: &ConvRow, first: usize, out: &mut [i8]) {
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

/// Depthwise, four times 16 positions at a time: those of the same 16 channels in neighbouring periods, so that weights,
/// biases and scales stay in registers. The constants are the row's where they are not 0.
///
/// # Safety
/// `DepthwiseRow::check`; constants that are not 0 are the row's.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn flat<const GROUPS: usize, const TAPS: usize>(row: &DepthwiseRow, out: &mut [i8]) {
    let groups = if GROUPS == 0 { row.groups.len() } else { GROUPS };
    let taps = if TAPS == 0 { row.taps } else { TAPS };
    let epilogue = Epilogue::new(&row.requantize);
    let order = dword_order();
    let mut first = 0;
    // SAFETY: a group has the bytes of 16 positions from any of the output's on; the weights, biases and scales have
    // `period` positions, a multiple of 16; `store_depthwise` keeps inside `out`.
    unsafe {
        while first < row.period {
            let bias = _mm512_loadu_si512(row.requantize.bias.as_ptr().add(first).cast());
            let scale = _mm512_loadu_ps(row.requantize.scales.as_ptr().add(first).cast());
            let mut position = first;
            while position < out.len() {
                // Positions behind the end are computed again, not read.
                let mut at = [position; 4];
                for j in 1..4 {
                    let next = position + j * row.period;
                    at[j] = if next < out.len() { next } else { position };
                }
                let mut sums = [bias; 4];
                for group in 0..groups {
                    let input = row.groups[group].as_ptr();
                    for tap in 0..taps {
                        let weights = row.weights.as_ptr().add(4 * ((group * taps + tap) * row.period + first));
                        let weights = _mm512_loadu_si512(weights.cast());
                        for j in 0..4 {
                            let values = input.add(4 * (at[j] + tap * row.tap_stride));
                            sums[j] = _mm512_dpbusd_epi32(sums[j], _mm512_loadu_si512(values.cast()), weights);
                        }
                    }
                }
                let values = _mm512_permutexvar_epi32(order, epilogue.pack(sums, [scale; 4]));
                let last = position + 3 * row.period;
                let place = out.as_mut_ptr().add(position);
                if last + 16 <= out.len() {
                    let stride = row.period;
                    if stride == 16 {
                        _mm512_storeu_si512(place.cast(), values);
                    } else {
                        store_four(values, place, stride);
                    }
                } else {
                    for (j, values) in quarters(values).into_iter().enumerate() {
                        let count = out.len().saturating_sub(position + j * row.period).min(16);
                        let mask = (1u32 << count).wrapping_sub(1) as __mmask16;
                        let place = place.wrapping_add(j * row.period);
                        _mm_mask_storeu_epi8(place, mask, values);
                    }
                }
                position += 4 * row.period;
            }
            first += 16;
        }
    }
}

/// The four lanes of a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn quarters(values: __m512i) -> [__m128i; 4] {
    [
        _mm512_castsi512_si128(values),
        _mm512_extracti32x4_epi32(values, 1),
        _mm512_extracti32x4_epi32(values, 2),
        _mm512_extracti32x4_epi32(values, 3),
    ]
}

/// Stores the four lanes of a register `stride` apart.
///
/// # Safety
/// There is room for 16 values at each place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store_four(values: __m512i, place: *mut i8, stride: usize) {
    for (j, lane) in quarters(values).into_iter().enumerate() {
        // SAFETY: as the caller promises.
        unsafe { _mm_storeu_si128(place.add(j * stride).cast(), lane) };
    }
}

/// # Safety
/// Every row has a value for every four bytes of `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn interleave(rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
    let count = to.len() / 4;
    let flips = _mm512_set1_epi8(flip as i8);
    // Unpacking works inside lanes of 128 bits: so lane l gets the positions 4l… of each quarter first.
    let quarters = dword_order();
    let mut at = 0;
    // SAFETY: all below `count`.
    unsafe {
        while at + 64 <= count {
            let mut values = [_mm512_setzero_si512(); 4];
            for r in 0..4 {
                let row = _mm512_loadu_si512(rows[r].as_ptr().add(at).cast());
                values[r] = _mm512_permutexvar_epi32(quarters, _mm512_xor_si512(row, flips));
            }
            let [a, b, c, d] = values;
            let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
            let place: *mut __m512i = to.as_mut_ptr().add(4 * at).cast();
            _mm512_storeu_si512(place, _mm512_unpacklo_epi16(ab, cd));
            _mm512_storeu_si512(place.add(1), _mm512_unpackhi_epi16(ab, cd));
            let (ab, cd) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
            _mm512_storeu_si512(place.add(2), _mm512_unpacklo_epi16(ab, cd));
            _mm512_storeu_si512(place.add(3), _mm512_unpackhi_epi16(ab, cd));
            at += 64;
        }
    }
    let rest = rows.map(|row| &row[at..count]);
    crate::arch::scalar::Interleave { rows: rest, flip, to: &mut to[4 * at..4 * count] }.run();
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")]
fn look_up(table: &[i8; 256], from: &[i8], out: &mut [i8]) {
    let mut quarters = [_mm512_setzero_si512(); 4];
    for (quarter, values) in quarters.iter_mut().zip(table.as_chunks::<64>().0) {
        // SAFETY: 64 values.
        *quarter = unsafe { _mm512_loadu_si512(values.as_ptr().cast()) };
    }
    let [a, b, c, d] = quarters;
    let (from, rest) = from.as_chunks::<64>();
    let (chunks, out_rest) = out.as_chunks_mut::<64>();
    for (out, from) in chunks.iter_mut().zip(from) {
        // SAFETY: 64 values each.
        unsafe {
            let value = _mm512_loadu_si512(from.as_ptr().cast());
            // The table starts with the entry of −128: negative values are in its first half.
            let (low, high) = (_mm512_permutex2var_epi8(a, value, b), _mm512_permutex2var_epi8(c, value, d));
            let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(value), high, low);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), found);
        }
    }
    crate::arch::scalar::look_up(table, rest, out_rest);
}
