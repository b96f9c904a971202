//! Depthwise convolutions: 8 positions per register, whose four bytes are the kernel's rows.
//!
//! The 3x3 whose channels fill registers goes down [`Columns`]: the weights of 8 channels stay in registers, and what
//! pixel x has under its second tap is what pixel x + 1 has under its first, so that everything is loaded once and serves
//! three pixels. All else goes position by position: [`Flat`].

use core::arch::x86_64::*;
use core::marker::PhantomData;

use super::{Epilogue, Vector256, store_quarters, store_some};
use crate::arch::Work;
use crate::arch::job::DepthwiseRow;

/// Pixels that [`Columns`] makes at a time.
const PIXELS: usize = 8;

/// A run of outputs.
pub(super) fn run<V: Vector256>(vector: V, row: &DepthwiseRow, out: &mut [i8]) {
    row.check(out);
    let whole = row.tap_stride.is_multiple_of(8) && row.tap_stride <= row.period;
    if row.groups.len() == 1 && row.taps == 3 && whole && out.len().is_multiple_of(8) {
        vector.enter(Columns::<V, 3> { row, out, vector: PhantomData });
    } else {
        vector.enter(Flat::<V> { row, out, vector: PhantomData });
    }
}

/// One group of `TAPS` taps, whose stride is a multiple of 8 and not above the period; so is the length of the output.
///
/// Weights repeat after the stride of a tap too, which is a multiple of the channels.
struct Columns<'a, 'r, V, const TAPS: usize> {
    row: &'a DepthwiseRow<'r>,
    out: &'a mut [i8],
    vector: PhantomData<V>,
}

impl<V: Vector256, const TAPS: usize> Work for Columns<'_, '_, V, TAPS> {
    #[inline(always)]
    fn run(self) {
        let Columns { row, out, .. } = self;
        let (period, stride, requantize) = (row.period, row.tap_stride, &row.requantize);
        // SAFETY: entered with the CPU's features; the group has the bytes of all positions of the output, rounded up to
        // 64, for every tap; weights, biases and scales have `period` positions, a multiple of 16; stores keep inside
        // `out`.
        unsafe {
            let epilogue = Epilogue::new(requantize);
            for first in (0..stride.min(out.len())).step_by(8) {
                let mut weights = [V::rows(_mm256_setzero_si256()); TAPS];
                for tap in 0..TAPS {
                    let place = row.weights.as_ptr().add(4 * (tap * period + first));
                    weights[tap] = V::rows(_mm256_loadu_si256(place.cast()));
                }
                let bias = _mm256_loadu_si256(requantize.bias.as_ptr().add(first).cast());
                let scales = [_mm256_loadu_ps(requantize.scales.as_ptr().add(first).cast()); 4];
                let mut input = row.groups[0].as_ptr().add(4 * first);
                let mut place = out.as_mut_ptr().add(first);
                let pixels = (out.len() - first).div_ceil(stride);
                for _ in 0..pixels / PIXELS {
                    let sums = accumulate::<V, PIXELS, TAPS>((input, 4 * stride), &weights, bias);
                    for i in 0..PIXELS / 4 {
                        let sums = [sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]];
                        store_quarters(epilogue.pack_in_order(sums, scales), place, stride);
                        place = place.wrapping_add(4 * stride);
                    }
                    input = input.wrapping_add(4 * PIXELS * stride);
                }
                for _ in 0..pixels % PIXELS {
                    let [sums] = accumulate::<V, 1, TAPS>((input, 4 * stride), &weights, bias);
                    let values = epilogue.pack_in_order([sums; 4], scales);
                    _mm_storel_epi64(place.cast(), _mm256_castsi256_si128(values));
                    place = place.wrapping_add(stride);
                    input = input.wrapping_add(4 * stride);
                }
            }
        }
    }
}

/// Sums of 8 positions of each of `P` pixels, whose first bytes are at `input`, `stride` apart, as taps are.
///
/// # Safety
/// Inlined into [`Vector256::enter`]; there are bytes of 8 positions for all pixels and taps.
#[inline(always)]
unsafe fn accumulate<V: Vector256, const P: usize, const TAPS: usize>(
    (input, stride): (*const u8, usize),
    weights: &[V::Rows; TAPS],
    bias: __m256i,
) -> [__m256i; P] {
    let mut sums = [bias; P];
    for q in 0..P + TAPS - 1 {
        // SAFETY: as the caller promises.
        unsafe {
            let values = V::rows(_mm256_loadu_si256(input.add(q * stride).cast()));
            for tap in 0..TAPS {
                if q >= tap && q - tap < P {
                    sums[q - tap] = V::dot_rows(sums[q - tap], values, weights[tap]);
                }
            }
        }
    }
    sums
}

/// Any number of groups and taps.
struct Flat<'a, 'r, V> {
    row: &'a DepthwiseRow<'r>,
    out: &'a mut [i8],
    vector: PhantomData<V>,
}

impl<V: Vector256> Work for Flat<'_, '_, V> {
    #[inline(always)]
    fn run(self) {
        let Flat { row, out, .. } = self;
        let (period, requantize) = (row.period, &row.requantize);
        let mut start = 0;
        // SAFETY: as for `Columns`.
        unsafe {
            let epilogue = Epilogue::new(requantize);
            for position in (0..out.len()).step_by(32) {
                let mut sums = [_mm256_setzero_si256(); 4];
                let mut scales = [_mm256_setzero_ps(); 4];
                for j in 0..4 {
                    sums[j] = _mm256_loadu_si256(requantize.bias.as_ptr().add(start).cast());
                    scales[j] = _mm256_loadu_ps(requantize.scales.as_ptr().add(start).cast());
                    let mut weights = row.weights.as_ptr().add(4 * start);
                    for group in row.groups {
                        let mut values = group.as_ptr().add(4 * (position + 8 * j));
                        for _ in 0..row.taps {
                            let (bytes, tap) = (_mm256_loadu_si256(values.cast()), _mm256_loadu_si256(weights.cast()));
                            sums[j] = V::dot_rows(sums[j], V::rows(bytes), V::rows(tap));
                            weights = weights.wrapping_add(4 * period);
                            values = values.wrapping_add(4 * row.tap_stride);
                        }
                    }
                    start += 8;
                    if start >= period {
                        start -= period;
                    }
                }
                let values = epilogue.pack_in_order(sums, scales);
                let place = out.as_mut_ptr().add(position);
                if out.len() - position >= 32 {
                    _mm256_storeu_si256(place.cast(), values);
                } else {
                    store_some(values, 32, (1, out.len() - position), place, 0);
                }
            }
        }
    }
}
