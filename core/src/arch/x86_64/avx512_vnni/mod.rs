//! AVX-512 with VNNI: `vpdpbusd` multiplies 64 pairs of bytes and adds them up by fours.
//!
//! Tiles keep their accumulators in registers over the whole window. A step loads the weights of a block once and
//! broadcasts a few bytes of every pixel:
//!
//! - [`conv::wide`]: 16 output channels per register, 4 bytes of depth; 16 pixels by one block or 8 by two.
//! - [`conv::narrow`]: 8 output channels per register, twice, for the halves of 8 bytes of depth; 16 pixels. The halves are
//!   added at the end.
//! - [`depthwise::flat`]: depthwise, 16 positions per register, whose four bytes are the kernel's rows.
//!
//! The way to int8 is the same for all: convert, multiply, round to the nearest even (the default mode of the
//! processor), and two saturating packs of four registers, which one permutation puts in order.

mod bytes;
mod conv;
mod depthwise;

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
        Some(Layout { value: 1, flip: 0x80, depth, channels, planes: &[], interleaved: 1 })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` proves the features; `check` saw to the lengths that the pointers rely on.
        unsafe {
            if row.layout.channels != 8 {
                return conv::wide(row, out);
            }
            let done = match row.segments {
                [Segment { stride: 8, steps: 1, .. }] if conv::is_head(row) => conv::head::<1>(row, out),
                [Segment { stride: 16, steps: 2, .. }] if conv::is_head(row) => conv::head::<2>(row, out),
                _ => 0,
            };
            conv::narrow(row, done, out);
        }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe {
            match (row.groups.len(), row.taps) {
                (1, 3) => depthwise::flat::<1, 3>(row, out),
                _ => depthwise::flat::<0, 0>(row, out),
            }
        }
    }

    fn interleave(self, rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
        assert!(rows.iter().all(|row| row.len() >= to.len() / 4));
        // SAFETY: `self` proves the features; the rows are as long as `to` needs.
        unsafe { bytes::interleave(rows, flip, to) }
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        if self.vbmi {
            // SAFETY: `vbmi` is the proof.
            unsafe { bytes::look_up(table, from, out) }
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
