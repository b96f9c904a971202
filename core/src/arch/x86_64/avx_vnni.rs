//! 256-bit VNNI: `vpdpbusd` multiplies 32 pairs of bytes, unsigned by signed, and adds them up by fours.
//!
//! The instruction has two encodings, and CPUs that have one without the other: AVX-VNNI (Alder Lake and later, Zen 5),
//! and AVX-512 VNNI with VL (Ice Lake, Zen 4). They are the same operation in the same tiles; the second one is here so
//! that the tiles are tested on machines without AVX-VNNI.

use core::arch::x86_64::*;

use super::detected;
use super::vector256::Vector256;
use crate::arch::Work;

/// The proof that this CPU has AVX-VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvxVnni(());

impl AvxVnni {
    /// The proof, if this CPU has it.
    pub fn new() -> Option<AvxVnni> {
        detected!("avx2", "avxvnni").then_some(AvxVnni(()))
    }
}

impl Vector256 for AvxVnni {
    const NAME: &'static str = "x86_64-avxvnni";
    const VALUE: usize = 1;
    const FLIP: u8 = 0x80;
    const PRODUCTS: bool = false;
    type Rows = __m256i;

    #[inline(always)]
    unsafe fn dot(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-VNNI.
        unsafe { _mm256_dpbusd_avx_epi32(sums, values, weights) }
    }

    #[inline(always)]
    unsafe fn rows(bytes: __m256i) -> __m256i {
        bytes
    }

    #[inline(always)]
    unsafe fn dot_rows(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-VNNI.
        unsafe { Self::dot(sums, values, weights) }
    }

    fn enter<W: Work>(self, work: W) {
        #[target_feature(enable = "avx2,avxvnni")]
        fn inner<W: Work>(work: W) {
            work.run();
        }
        // SAFETY: `self` proves the features.
        unsafe { inner(work) }
    }
}

/// The proof that this CPU has AVX-512 F, VL and VNNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512VlVnni(());

impl Avx512VlVnni {
    /// The proof, if this CPU has them.
    pub fn new() -> Option<Avx512VlVnni> {
        detected!("avx2", "avx512f", "avx512vl", "avx512vnni").then_some(Avx512VlVnni(()))
    }
}

impl Vector256 for Avx512VlVnni {
    const NAME: &'static str = "x86_64-avx512vl-vnni";
    const VALUE: usize = 1;
    const FLIP: u8 = 0x80;
    const PRODUCTS: bool = false;
    type Rows = __m256i;

    #[inline(always)]
    unsafe fn dot(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-512 VNNI and VL.
        unsafe { _mm256_dpbusd_epi32(sums, values, weights) }
    }

    #[inline(always)]
    unsafe fn rows(bytes: __m256i) -> __m256i {
        bytes
    }

    #[inline(always)]
    unsafe fn dot_rows(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-512 VNNI and VL.
        unsafe { Self::dot(sums, values, weights) }
    }

    fn enter<W: Work>(self, work: W) {
        #[target_feature(enable = "avx2,avx512f,avx512vl,avx512vnni")]
        fn inner<W: Work>(work: W) {
            work.run();
        }
        // SAFETY: `self` proves the features.
        unsafe { inner(work) }
    }
}
