//! From sums to int8, in the integers of [`crate::quant::requantize`]: convert to float, multiply, round to the nearest
//! even, add the zero point and saturate.
//!
//! Where scaled sums are small ([`Requantize::small`]), one addition rounds and adds the zero point: a float of 1.5 · 2²³
//! has no room for fractions, and its lower half is the integer that was added to it. Ties go to even as long as the zero
//! point is even; of an odd one, 1 is added later. Otherwise scaled sums stay below 2³⁰, so the conversion is exact; and
//! what leaves 16 bits leaves int8 too, zero point or not, so every narrowing may saturate.

use core::arch::aarch64::*;
use core::ptr::read_volatile;

use crate::arch::job::Requantize;
use crate::quant::Clamp;

/// 1.5 · 2²³.
const UNIT_ULP: f32 = 12_582_912.0;

/// The last steps to int8, the same for all registers.
#[derive(Clone, Copy)]
pub(super) struct Epilogue {
    /// Whether nothing is left but the one addition: scaled sums are small, the zero point is even, the output range is all
    /// of int8.
    pub plain: bool,
    small: bool,
    full: bool,
    /// 1.5 · 2²³, and the even part of the zero point.
    unit_ulp: float32x4_t,
    even: int16x8_t,
    /// What the zero point has more, 0 or 1.
    odd: int16x8_t,
    low: int8x16_t,
    high: int8x16_t,
}

impl Epilogue {
    #[inline(always)]
    pub fn new(requantize: &Requantize) -> Epilogue {
        let Requantize { small, zero_point, clamp, .. } = *requantize;
        let even = zero_point & !1;
        let full = clamp == Clamp::FULL;
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            Epilogue {
                plain: small && even == zero_point && full,
                small,
                full,
                unit_ulp: vdupq_n_f32(UNIT_ULP + f32::from(even)),
                even: vdupq_n_s16(even.into()),
                odd: vdupq_n_s16((zero_point - even).into()),
                low: vdupq_n_s8(clamp.low),
                high: vdupq_n_s8(clamp.high),
            }
        }
    }

    /// `N` times four registers of sums, with the scales of each of the four, to 16 values in their order.
    #[inline(always)]
    pub fn values<const N: usize>(&self, sums: [[int32x4_t; 4]; N], scales: [float32x4_t; 4]) -> [int8x16_t; N] {
        if self.plain { self.plain_values(sums, scales) } else { self.loaded().any_values(sums, scales) }
    }

    /// The same constants, loaded where this is called. The compiler would have them in registers all the time, which the
    /// plain case needs more.
    #[inline(always)]
    fn loaded(&self) -> Epilogue {
        rarely();
        // SAFETY: they are there.
        unsafe {
            Epilogue {
                even: read_volatile(&self.even),
                odd: read_volatile(&self.odd),
                low: read_volatile(&self.low),
                high: read_volatile(&self.high),
                ..*self
            }
        }
    }

    /// The same, where [`Epilogue::plain`] says so.
    #[inline(always)]
    pub fn plain_values<const N: usize>(&self, sums: [[int32x4_t; 4]; N], scales: [float32x4_t; 4]) -> [int8x16_t; N] {
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            let mut values = [vdupq_n_s8(0); N];
            for i in 0..N {
                let [a, b] = self.rounded(sums[i], scales);
                values[i] = vqmovn_high_s16(vqmovn_s16(a), b);
            }
            values
        }
    }

    /// The same, anywhere.
    #[inline(always)]
    pub fn any_values<const N: usize>(&self, sums: [[int32x4_t; 4]; N], scales: [float32x4_t; 4]) -> [int8x16_t; N] {
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            let mut values = [vdupq_n_s8(0); N];
            for i in 0..N {
                let [a, b] = if self.small { self.rounded(sums[i], scales) } else { self.converted(sums[i], scales) };
                let (a, b) = (vqaddq_s16(a, self.odd), vqaddq_s16(b, self.odd));
                values[i] = vqmovn_high_s16(vqmovn_s16(a), b);
            }
            if !self.full {
                for i in 0..N {
                    values[i] = vmaxq_s8(vminq_s8(values[i], self.high), self.low);
                }
            }
            values
        }
    }

    /// Scaled sums with the even part of the zero point, where they are small.
    #[inline(always)]
    unsafe fn rounded(&self, sums: [int32x4_t; 4], scales: [float32x4_t; 4]) -> [int16x8_t; 2] {
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            let mut lower = [vdupq_n_s16(0); 4];
            for i in 0..4 {
                lower[i] = vreinterpretq_s16_f32(vaddq_f32(scaled(sums[i], scales[i]), self.unit_ulp));
            }
            [vuzp1q_s16(lower[0], lower[1]), vuzp1q_s16(lower[2], lower[3])]
        }
    }

    /// The same for any.
    #[inline(always)]
    unsafe fn converted(&self, sums: [int32x4_t; 4], scales: [float32x4_t; 4]) -> [int16x8_t; 2] {
        // SAFETY: every AArch64 CPU has NEON.
        unsafe {
            let mut integers = [vdupq_n_s32(0); 4];
            for i in 0..4 {
                integers[i] = vcvtnq_s32_f32(scaled(sums[i], scales[i]));
            }
            let a = vqmovn_high_s32(vqmovn_s32(integers[0]), integers[1]);
            let b = vqmovn_high_s32(vqmovn_s32(integers[2]), integers[3]);
            [vqaddq_s16(a, self.even), vqaddq_s16(b, self.even)]
        }
    }
}

/// Tells the compiler that what calls this is the rarer case.
#[cold]
fn rarely() {}

#[inline(always)]
unsafe fn scaled(sums: int32x4_t, scales: float32x4_t) -> float32x4_t {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe { vmulq_f32(vcvtq_f32_s32(sums), scales) }
}
