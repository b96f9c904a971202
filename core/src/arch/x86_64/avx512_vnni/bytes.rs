//! Bytes moved about: interleaved rows, and tables.
#![allow(clippy::needless_range_loop, reason = "indices keep arrays of registers in registers; iterators may not")]

use core::arch::x86_64::*;

use super::dword_order;
use crate::arch::{Work, scalar};

/// # Safety
/// Every row has a value for every four bytes of `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn interleave(rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
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
    scalar::Interleave { rows: rest, flip, to: &mut to[4 * at..4 * count] }.run();
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")]
pub(super) fn look_up(table: &[i8; 256], from: &[i8], out: &mut [i8]) {
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
    scalar::look_up(table, rest, out_rest);
}
