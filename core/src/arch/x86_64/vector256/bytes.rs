//! Bytes moved about: interleaved rows, and tables.

use core::arch::x86_64::*;

use crate::arch::{Work, scalar};

/// See [`crate::arch::Isa::interleave`]. Entered with AVX2.
pub(super) struct Interleave<'a> {
    pub rows: [&'a [i8]; 4],
    pub flip: u8,
    pub to: &'a mut [u8],
}

impl Work for Interleave<'_> {
    #[inline(always)]
    fn run(self) {
        let Interleave { rows, flip, to } = self;
        let count = to.len() / 4;
        let [a, b, c, d] = rows;
        let rows = [&a[..count], &b[..count], &c[..count], &d[..count]];
        let mut at = 0;
        // SAFETY: entered with AVX2; all positions are below `count`.
        unsafe {
            let flips = _mm256_set1_epi8(flip as i8);
            // Unpacking works inside lanes of 128 bits: so each of them gets half of the positions of every quarter.
            let halves = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
            while at + 32 <= count {
                let mut values = [flips; 4];
                for row in 0..4 {
                    let loaded = _mm256_loadu_si256(rows[row].as_ptr().add(at).cast());
                    values[row] = _mm256_permutevar8x32_epi32(_mm256_xor_si256(loaded, flips), halves);
                }
                let [a, b, c, d] = values;
                let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
                let place: *mut __m256i = to.as_mut_ptr().add(4 * at).cast();
                _mm256_storeu_si256(place, _mm256_unpacklo_epi16(ab, cd));
                _mm256_storeu_si256(place.add(1), _mm256_unpackhi_epi16(ab, cd));
                let (ab, cd) = (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d));
                _mm256_storeu_si256(place.add(2), _mm256_unpacklo_epi16(ab, cd));
                _mm256_storeu_si256(place.add(3), _mm256_unpackhi_epi16(ab, cd));
                at += 32;
            }
        }
        let [a, b, c, d] = rows;
        let rows = [&a[at..], &b[at..], &c[at..], &d[at..]];
        scalar::Interleave { rows, flip, to: &mut to[4 * at..4 * count] }.run();
    }
}

/// See [`crate::arch::Isa::look_up`]. Entered with AVX2.
///
/// A shuffle looks up 16 entries, by the low bits of values that are not negative, and gives 0 for those that are. So
/// a value is looked up in one sixteenth of the table after the other and lowered by 16 in between, and what is found
/// is summed up by exclusive or: with the *differences* of neighbouring sixteenths, that is the entry of the last one
/// before the value went negative. Half of the table at a time, as values that start out negative stay so.
pub(super) struct LookUp<'a> {
    pub table: &'a [i8; 256],
    pub from: &'a [i8],
    pub out: &'a mut [i8],
}

impl Work for LookUp<'_> {
    #[inline(always)]
    fn run(self) {
        let LookUp { table, from, out } = self;
        let (from, rest) = from.as_chunks::<32>();
        let (chunks, out_rest) = out.as_chunks_mut::<32>();
        // SAFETY: entered with AVX2; pointers are to arrays of the registers' length.
        unsafe {
            let (sign, sixteen) = (_mm256_set1_epi8(-128), _mm256_set1_epi8(16));
            let mut parts = [sign; 16];
            for i in 0..16 {
                let entries = _mm_loadu_si128(table.as_ptr().add(16 * i).cast());
                parts[i] = _mm256_broadcastsi128_si256(entries);
            }
            for i in (1..16).rev() {
                if i != 8 {
                    parts[i] = _mm256_xor_si256(parts[i], parts[i - 1]);
                }
            }
            for (out, from) in chunks.iter_mut().zip(from) {
                // The table starts with the entry of −128: negative values are in its first half.
                let mut high = _mm256_loadu_si256(from.as_ptr().cast());
                let mut low = _mm256_xor_si256(high, sign);
                let mut found = _mm256_setzero_si256();
                for i in 0..8 {
                    found = _mm256_xor_si256(found, _mm256_shuffle_epi8(parts[i], low));
                    found = _mm256_xor_si256(found, _mm256_shuffle_epi8(parts[i + 8], high));
                    low = _mm256_subs_epi8(low, sixteen);
                    high = _mm256_subs_epi8(high, sixteen);
                }
                _mm256_storeu_si256(out.as_mut_ptr().cast(), found);
            }
        }
        scalar::look_up(table, rest, out_rest);
    }
}
