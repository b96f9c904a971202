//! Depthwise convolutions: positions in the lanes, the kernel's rows in the bytes of each.
#![allow(clippy::needless_range_loop, reason = "indices keep arrays of registers in registers; iterators may not")]

use core::arch::x86_64::*;

use super::{Epilogue, dword_order, quarters, store_four};
use crate::arch::job::DepthwiseRow;

/// Depthwise, four times 16 positions at a time: those of the same 16 channels in neighbouring periods, so that weights,
/// biases and scales stay in registers. The constants are the row's where they are not 0.
///
/// # Safety
/// `DepthwiseRow::check`; constants that are not 0 are the row's.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn flat<const GROUPS: usize, const TAPS: usize>(row: &DepthwiseRow, out: &mut [i8]) {
    let groups = if GROUPS == 0 { row.groups.len() } else { GROUPS };
    let taps = if TAPS == 0 { row.taps } else { TAPS };
    let epilogue = Epilogue::new(&row.requantize);
    let order = dword_order();
    let mut first = 0;
    // SAFETY: a group has the bytes of 16 positions from any of the output's on; the weights, biases and scales have
    // `period` positions, a multiple of 16; `store_depthwise` keeps inside `out`.
    unsafe {
        while first < row.period {
            let bias = _mm512_loadu_si512(row.requantize.bias.as_ptr().add(first).cast());
            let scale = _mm512_loadu_ps(row.requantize.scales.as_ptr().add(first).cast());
            let mut position = first;
            while position < out.len() {
                // Positions behind the end are computed again, not read.
                let mut at = [position; 4];
                for j in 1..4 {
                    let next = position + j * row.period;
                    at[j] = if next < out.len() { next } else { position };
                }
                let mut sums = [bias; 4];
                for group in 0..groups {
                    let input = row.groups[group].as_ptr();
                    for tap in 0..taps {
                        let weights = row.weights.as_ptr().add(4 * ((group * taps + tap) * row.period + first));
                        let weights = _mm512_loadu_si512(weights.cast());
                        for j in 0..4 {
                            let values = input.add(4 * (at[j] + tap * row.tap_stride));
                            sums[j] = _mm512_dpbusd_epi32(sums[j], _mm512_loadu_si512(values.cast()), weights);
                        }
                    }
                }
                let values = _mm512_permutexvar_epi32(order, epilogue.pack(sums, [scale; 4]));
                let last = position + 3 * row.period;
                let place = out.as_mut_ptr().add(position);
                if last + 16 <= out.len() {
                    let stride = row.period;
                    if stride == 16 {
                        _mm512_storeu_si512(place.cast(), values);
                    } else {
                        store_four(values, place, stride);
                    }
                } else {
                    for (j, values) in quarters(values).into_iter().enumerate() {
                        let count = out.len().saturating_sub(position + j * row.period).min(16);
                        let mask = (1u32 << count).wrapping_sub(1) as __mmask16;
                        let place = place.wrapping_add(j * row.period);
                        _mm_mask_storeu_epi8(place, mask, values);
                    }
                }
                position += 4 * row.period;
            }
            first += 16;
        }
    }
}
