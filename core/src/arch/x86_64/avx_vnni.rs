//! 256-bit VNNI: `vpdpbusd` multiplies 32 pairs of bytes, unsigned by signed, and adds them up by fours.
//!
//! The instruction has two encodings, and CPUs that have one without the other: AVX-VNNI (Alder Lake and later, Zen 5),
//! and AVX-512 VNNI with VL (Ice Lake, Zen 4). They are the same operation in the same tiles; the second one is here so
//! that the tiles are tested on machines without AVX-VNNI.

use core::arch::x86_64::*;

use super::detected;
use super::vector256::Vector256;
use crate::arch::Work;

/// A token for an encoding: its name as a kernel, the features that it takes, as a list and in one string, and its
/// intrinsic.
macro_rules! encoding {
    ($(#[$doc:meta])* $token:ident, $name:literal, [$($feature:tt),*] $features:literal, $dot:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $token(());

        impl $token {
            /// The proof, if this CPU has it.
            pub fn new() -> Option<$token> {
                detected!($($feature),*).then_some($token(()))
            }
        }

        impl Vector256 for $token {
            const NAME: &'static str = $name;
            const VALUE: usize = 1;
            const FLIP: u8 = 0x80;
            const PRODUCTS: bool = false;
            type Rows = __m256i;

            #[inline(always)]
            unsafe fn dot(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
                // SAFETY: the caller promises the features.
                unsafe { $dot(sums, values, weights) }
            }

            #[inline(always)]
            unsafe fn rows(bytes: __m256i) -> __m256i {
                bytes
            }

            #[inline(always)]
            unsafe fn dot_rows(sums: __m256i, values: __m256i, weights: __m256i) -> __m256i {
                // SAFETY: the caller promises the features.
                unsafe { Self::dot(sums, values, weights) }
            }

            fn enter<W: Work>(self, work: W) {
                #[target_feature(enable = $features)]
                fn inner<W: Work>(work: W) {
                    work.run();
                }
                // SAFETY: `self` proves the features.
                unsafe { inner(work) }
            }
        }
    };
}

encoding! {
    /// The proof that this CPU has AVX-VNNI.
    AvxVnni, "x86_64-avxvnni", ["avx2", "avxvnni"] "avx2,avxvnni", _mm256_dpbusd_avx_epi32
}

encoding! {
    /// The proof that this CPU has AVX-512 F, VL and VNNI.
    Avx512VlVnni, "x86_64-avx512vl-vnni",
    ["avx2", "avx512f", "avx512vl", "avx512vnni"] "avx2,avx512f,avx512vl,avx512vnni", _mm256_dpbusd_epi32
}
