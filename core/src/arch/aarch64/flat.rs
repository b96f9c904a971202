//! Depthwise: positions side by side, four to a register of sums; the four bytes of a position are the kernel's rows.
//!
//! 16 positions are made at a time, four registers of sums. Weights, biases and scales repeat after a period of positions;
//! where that is 16, they stay in registers.

use core::arch::aarch64::*;
use core::array::from_fn;

use super::epilogue::Epilogue;
use super::instructions::{dot, load_first_4, load_weights, start_4};
use crate::arch::job::{DepthwiseRow, ROWS};

/// With dot products.
///
/// # Safety
/// The CPU has the extension; `DepthwiseRow::check`.
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn dot_products(row: &DepthwiseRow, out: &mut [i8]) {
    // SAFETY: the caller's promise, and the shapes are checked here.
    unsafe {
        match (row.groups.len(), row.taps, row.period) {
            (1, 3, 16) => one_period(row, out),
            (1, 3, _) => three_taps(row, out),
            _ => any(row, out),
        }
    }
}

/// Three taps of up to four rows, and a period of 16.
///
/// # Safety
/// As [`dot_products`], and the row has that shape.
#[inline(always)]
unsafe fn one_period(row: &DepthwiseRow, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    // SAFETY: 16 positions of weights, biases and scales; a group has what tiles of 16 positions read.
    unsafe {
        let weights: [[int8x16_t; 4]; 3] = from_fn(
            #[inline(always)]
            |tap| {
                from_fn(
                    #[inline(always)]
                    |j| vld1q_s8(row.weights.as_ptr().cast::<i8>().add(64 * tap + 16 * j)),
                )
            },
        );
        let scales = scales(row.requantize.scales.as_ptr().cast());
        let bias = row.requantize.bias.as_ptr().cast();
        let mut from: [*const u8; 3] = from_fn(|tap| row.groups[0].as_ptr().wrapping_add(ROWS * tap * row.tap_stride));
        fill(
            out,
            #[inline(always)]
            || {
                let mut sums = start_4(bias);
                for tap in 0..3 {
                    let values = load_first_4(&mut from[tap]);
                    for j in 0..4 {
                        dot(&mut sums[j], values[j], weights[tap][j]);
                    }
                }
                epilogue.values([sums], scales)[0]
            },
        );
    }
}

/// Three taps of up to four rows.
///
/// # Safety
/// As [`dot_products`], and the row has that shape.
#[inline(always)]
unsafe fn three_taps(row: &DepthwiseRow, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    let mut from: [*const u8; 3] = from_fn(|tap| row.groups[0].as_ptr().wrapping_add(ROWS * tap * row.tap_stride));
    for out in out.chunks_mut(row.period) {
        let mut bias = row.requantize.bias.as_ptr().cast::<i32>();
        let mut scale = row.requantize.scales.as_ptr().cast::<f32>();
        let mut weights: [*const u8; 3] = from_fn(|tap| row.weights.as_ptr().wrapping_add(ROWS * tap * row.period));
        fill(
            out,
            #[inline(always)]
            // SAFETY: the period is a multiple of 16 positions of weights, biases and scales; a group has what tiles of 16
            // positions read.
            || unsafe {
                let mut sums = start_4(bias);
                for tap in 0..3 {
                    let values = load_first_4(&mut from[tap]);
                    let weights = load_weights(&mut weights[tap]);
                    for j in 0..4 {
                        dot(&mut sums[j], values[j], weights[j]);
                    }
                }
                let values = epilogue.values([sums], scales(scale))[0];
                bias = bias.wrapping_add(16);
                scale = scale.wrapping_add(16);
                values
            },
        );
    }
}

/// Any taps and rows.
///
/// # Safety
/// As [`dot_products`].
#[inline(always)]
unsafe fn any(row: &DepthwiseRow, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    for (chunk, out) in out.chunks_mut(16).enumerate() {
        let at = 16 * chunk % row.period;
        // SAFETY: the period is a multiple of 16 positions of weights, biases and scales; a group has what tiles of 16
        // positions read.
        unsafe {
            let mut sums = start_4(row.requantize.bias.as_ptr().cast::<i32>().add(at));
            let mut weights = row.weights.as_ptr().add(ROWS * at);
            for group in row.groups {
                let mut from = group.as_ptr().add(ROWS * 16 * chunk);
                for _ in 0..row.taps {
                    let values = load_first_4(&mut { from });
                    let tap = load_weights(&mut { weights });
                    for j in 0..4 {
                        dot(&mut sums[j], values[j], tap[j]);
                    }
                    from = from.wrapping_add(ROWS * row.tap_stride);
                    weights = weights.wrapping_add(ROWS * row.period);
                }
            }
            let scales = scales(row.requantize.scales.as_ptr().cast::<f32>().add(at));
            store_some(epilogue.values([sums], scales)[0], out);
        }
    }
}

/// # Safety
/// 16 scales.
#[inline(always)]
unsafe fn scales(from: *const f32) -> [float32x4_t; 4] {
    from_fn(
        #[inline(always)]
        // SAFETY: the caller's promise.
        |j| unsafe { vld1q_f32(from.add(4 * j)) },
    )
}

/// Fills `out`, 16 values at a time.
#[inline(always)]
fn fill(out: &mut [i8], mut next: impl FnMut() -> int8x16_t) {
    let (chunks, rest) = out.as_chunks_mut::<16>();
    for chunk in chunks {
        // SAFETY: a chunk has 16 values.
        unsafe { vst1q_s8(chunk.as_mut_ptr(), next()) };
    }
    if !rest.is_empty() {
        store_some(next(), rest);
    }
}

/// Stores as many values as there is room for, at most 16.
#[inline(always)]
fn store_some(values: int8x16_t, out: &mut [i8]) {
    let mut buffer = [0; 16];
    // SAFETY: a register's bytes.
    unsafe { vst1q_s8(buffer.as_mut_ptr(), values) };
    let count = out.len().min(16);
    out[..count].copy_from_slice(&buffer[..count]);
}
