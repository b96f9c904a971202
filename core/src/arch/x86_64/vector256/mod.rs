//! Registers of 256 bits: what AVX2 without VNNI and the two encodings of 256-bit VNNI have in common.
//!
//! They differ in one operation, [`Vector256::dot`]: each 32-bit sum takes the products of the four bytes of values and
//! of weights in its place, which are four int8 (VNNI) or two i16 (AVX2). So the tiles are written once, over four
//! *bytes* of depth, and an instruction set is a file of its own with that operation.
//!
//! | module | what |
//! | --- | --- |
//! | [`conv`] | tiles of pixels by channels, 8 to 12 registers of sums |
//! | [`depthwise`] | 8 positions per register |
//! | [`bytes`] | interleaving rows, looking up tables |
//!
//! All of it is `#[inline(always)]` into [`Vector256::enter`], whose instance is what is compiled for the instruction
//! set.
#![allow(clippy::needless_range_loop, reason = "registers of several arrays share an index")]

mod bytes;
mod conv;
mod depthwise;

use core::arch::x86_64::*;

use crate::arch::job::{ConvRow, DepthwiseRow, Layout, Requantize};
use crate::arch::{Isa, Work};

/// An instruction set of 256-bit registers. A value of it is the proof that the CPU has it, and AVX2.
pub(super) trait Vector256: Copy + Send + Sync {
    /// As [`Isa::NAME`].
    const NAME: &'static str;
    /// Bytes of a staged value and a weight: as [`Layout::value`].
    const VALUE: usize;
    /// As [`Layout::flip`].
    const FLIP: u8;
    /// Whether [`Vector256::dot`] needs a register for its products, of the 16 that there are.
    const PRODUCTS: bool;
    /// The bytes of four kernel rows at 8 positions, as [`Vector256::dot_rows`] takes them.
    type Rows: Copy;

    /// Adds to each of 8 sums the products of the four bytes in its place.
    ///
    /// # Safety
    /// Inlined into [`Vector256::enter`]: the CPU has the instruction set.
    unsafe fn dot(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i;

    /// Prepares values or weights of 8 positions, four rows each.
    ///
    /// # Safety
    /// As [`Vector256::dot`].
    unsafe fn rows(bytes: __m256i) -> Self::Rows;

    /// Adds to each of 8 sums the products of its four rows.
    ///
    /// # Safety
    /// As [`Vector256::dot`].
    unsafe fn dot_rows(sums: __m256i, values: Self::Rows, weights: Self::Rows) -> __m256i;

    /// Runs work compiled for the instruction set.
    fn enter<W: Work>(self, work: W);
}

impl<V: Vector256> Isa for V {
    const NAME: &'static str = V::NAME;

    fn layout(self, outputs: usize) -> Option<Layout> {
        let (channels, bytes) = if outputs <= 4 { (4, 8) } else { (8, 4) };
        Some(Layout { value: V::VALUE, flip: V::FLIP, depth: bytes / V::VALUE, channels, planes: &[], interleaved: 1 })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        conv::run(self, row, out);
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        depthwise::run(self, row, out);
    }

    fn interleave(self, rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
        self.enter(bytes::Interleave { rows, flip, to });
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        self.enter(bytes::LookUp { table, from, out });
    }

    fn vectorize<W: Work>(self, work: W) {
        self.enter(work);
    }
}

/// The way to int8, the same for all registers: convert, multiply, round to the nearest even (the default mode of the
/// processor), and two saturating packs of four registers, which one permutation puts in order.
#[derive(Clone, Copy)]
struct Epilogue {
    zero_point: __m256i,
    low: __m256i,
    high: __m256i,
}

impl Epilogue {
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn new(requantize: &Requantize) -> Epilogue {
        // SAFETY: the caller promises AVX2.
        unsafe {
            Epilogue {
                zero_point: _mm256_set1_epi16(requantize.zero_point.into()),
                low: _mm256_set1_epi8(requantize.clamp.low),
                high: _mm256_set1_epi8(requantize.clamp.high),
            }
        }
    }

    /// Four registers of sums to 32 values: in each 128-bit lane, four of every register in turn.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn pack(&self, sums: [__m256i; 4], scales: [__m256; 4]) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe {
            let (a, b) = (scaled(sums[0], scales[0]), scaled(sums[1], scales[1]));
            let (c, d) = (scaled(sums[2], scales[2]), scaled(sums[3], scales[3]));
            let ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), self.zero_point);
            let cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), self.zero_point);
            _mm256_max_epi8(_mm256_min_epi8(_mm256_packs_epi16(ab, cd), self.high), self.low)
        }
    }

    /// The same, register by register.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn pack_in_order(&self, sums: [__m256i; 4], scales: [__m256; 4]) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe {
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            _mm256_permutevar8x32_epi32(self.pack(sums, scales), order)
        }
    }
}

/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn scaled(sums: __m256i, scales: __m256) -> __m256i {
    // SAFETY: the caller promises AVX2.
    unsafe { _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), scales)) }
}

/// Stores the four quarters of a register, 8 values each, at places `stride` apart.
///
/// # Safety
/// The CPU has AVX2, and there are 8 values at each place.
#[inline(always)]
unsafe fn store_quarters(values: __m256i, place: *mut i8, stride: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let (low, high) = (_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
        _mm_storel_epi64(place.cast(), low);
        _mm_storeh_pd(place.add(stride).cast(), _mm_castsi128_pd(low));
        _mm_storel_epi64(place.add(2 * stride).cast(), high);
        _mm_storeh_pd(place.add(3 * stride).cast(), _mm_castsi128_pd(high));
    }
}

/// Stores the first `count` values of each of `runs` runs of `width` values, `stride` apart.
///
/// # Safety
/// The CPU has AVX2; a register has so many runs, and there are so many values at each place.
#[inline(always)]
unsafe fn store_some(values: __m256i, width: usize, (runs, count): (usize, usize), place: *mut i8, stride: usize) {
    let mut buffer = [0i8; 32];
    // SAFETY: the buffer is as long as a register, and the caller promises the places.
    unsafe {
        _mm256_storeu_si256(buffer.as_mut_ptr().cast(), values);
        copy_some(&buffer, width, (runs, count), place, stride);
    }
}

/// [`store_some`], out of the way of the tiles.
///
/// # Safety
/// There are so many values at each place.
#[cold]
#[inline(never)]
unsafe fn copy_some(values: &[i8; 32], width: usize, (runs, count): (usize, usize), place: *mut i8, stride: usize) {
    for (run, values) in values.chunks_exact(width).take(runs).enumerate() {
        // SAFETY: the caller promises the places.
        unsafe { core::ptr::copy_nonoverlapping(values[..count].as_ptr(), place.add(run * stride), count) };
    }
}
