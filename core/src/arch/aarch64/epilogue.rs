//! From sums to int8, in the integers of [`crate::quant::requantize`]: convert to float, multiply, round to the nearest
//! even, add the zero point and saturate.
//!
//! Scaled sums stay below 2³⁰, so the conversion is exact; what leaves 16 bits leaves int8 too, zero point or not, so
//! every narrowing may saturate.

use core::arch::aarch64::*;

use crate::arch::job::Requantize;
use crate::quant::Clamp;

/// The last steps to int8, the same for all registers.
#[derive(Clone, Copy)]
pub(super) struct Epilogue {
    zero_point: int16x8_t,
    low: int8x16_t,
    high: int8x16_t,
    /// Whether the output range is all of int8.
    full: bool,
}

impl Epilogue {
    #[inline(always)]
    pub fn new(requantize: &Requantize) -> Epilogue {
        let Clamp { low, high } = requantize.clamp;
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            Epilogue {
                zero_point: vdupq_n_s16(requantize.zero_point.into()),
                low: vdupq_n_s8(low),
                high: vdupq_n_s8(high),
                full: requantize.clamp == Clamp::FULL,
            }
        }
    }

    /// Four registers of sums, each with its scales, to 16 values in their order.
    #[inline(always)]
    pub fn pack(&self, sums: [int32x4_t; 4], scales: [float32x4_t; 4]) -> int8x16_t {
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            let ab = vqmovn_high_s32(vqmovn_s32(scaled(sums[0], scales[0])), scaled(sums[1], scales[1]));
            let cd = vqmovn_high_s32(vqmovn_s32(scaled(sums[2], scales[2])), scaled(sums[3], scales[3]));
            let (ab, cd) = (vqaddq_s16(ab, self.zero_point), vqaddq_s16(cd, self.zero_point));
            vqmovn_high_s16(vqmovn_s16(ab), cd)
        }
    }

    /// Packed values, held to the output range.
    #[inline(always)]
    pub fn clamp<const N: usize>(&self, mut values: [int8x16_t; N]) -> [int8x16_t; N] {
        if !self.full {
            for i in 0..N {
                // SAFETY: every AArch64 CPU has NEON.
                values[i] = unsafe { vmaxq_s8(vminq_s8(values[i], self.high), self.low) };
            }
        }
        values
    }
}

#[inline(always)]
fn scaled(sums: int32x4_t, scales: float32x4_t) -> int32x4_t {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe { vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), scales)) }
}
