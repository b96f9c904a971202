//! AVX2 without VNNI: `vpmaddwd` multiplies 16 pairs of i16 and adds them up by twos, and `vpaddd` adds that to the sums.
//!
//! Values are staged, and weights packed, as i16: the product of bytes, `vpmaddubsw`, adds two of them up in 16 bits and
//! saturates, which full-range values would show.

use core::arch::x86_64::*;

use super::detected;
use super::vector256::Vector256;
use crate::arch::Work;

/// The proof that this CPU has AVX2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// The proof, if this CPU has it.
    pub fn new() -> Option<Avx2> {
        detected!("avx2").then_some(Avx2(()))
    }
}

impl Vector256 for Avx2 {
    const NAME: &'static str = "x86_64-avx2";
    const VALUE: usize = 2;
    const FLIP: u8 = 0;
    const PRODUCTS: bool = true;
    /// The even rows and the odd ones, as i16.
    type Rows = [__m256i; 2];

    #[inline(always)]
    unsafe fn dot(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(values, weights)) }
    }

    #[inline(always)]
    unsafe fn rows(bytes: __m256i) -> [__m256i; 2] {
        // SAFETY: the caller promises AVX2.
        unsafe { [_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)] }
    }

    #[inline(always)]
    unsafe fn dot_rows(sums: __m256i, values: [__m256i; 2], weights: [__m256i; 2]) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { Self::dot(Self::dot(sums, values[0], weights[0]), values[1], weights[1]) }
    }

    fn enter<W: Work>(self, work: W) {
        #[target_feature(enable = "avx2")]
        fn inner<W: Work>(work: W) {
            work.run();
        }
        // SAFETY: `self` proves the feature.
        unsafe { inner(work) }
    }
}
