//! Depthwise: positions side by side, four to a register of sums; the four bytes of a position are the kernel's rows.
//!
//! 16 positions are made at a time, four registers of sums. Weights, biases and scales repeat after a period of positions:
//! so the same 16 of every period are made one after the other, and their weights stay in registers. How a tap is added is
//! up to the instruction set ([`Products`]):
//!
//! - [`Dots`]: a dot product adds up the four rows of four positions.
//! - [`Long`]: a de-interleaving load takes the rows apart; then long multiplications, of which two fit 16 bits where no
//!   weight is −128, and additions that widen to 32.

use core::arch::aarch64::*;
use core::ops::Range;

use super::epilogue::Epilogue;
use super::instructions::{
    add_first, add_second, dot, load_by_4, load_first_4, load_rows_0, load_rows_1, load_rows_2, load_rows_3,
    load_rows_4, load_weights, multiply_first, multiply_second, start_4,
};
use crate::arch::job::{DepthwiseRow, ROWS};

/// How a tap is added.
///
/// # Safety (all functions)
/// The CPU has the instructions; 64 bytes are at every place.
trait Products {
    /// Weights of three taps, 16 positions.
    type Weights;

    unsafe fn load(taps: [*const u8; 3]) -> Self::Weights;

    /// Adds three taps of up to three rows; the places of their values move by `step` bytes.
    unsafe fn add_three(sums: &mut [int32x4_t; 4], values: &mut [*const u8; 3], step: usize, weights: &Self::Weights);

    /// Adds a tap.
    unsafe fn add(sums: &mut [int32x4_t; 4], values: *const u8, weights: *const u8);
}

/// With dot products.
///
/// # Safety
/// The CPU has the extension; `DepthwiseRow::check`.
#[target_feature(enable = "dotprod")]
pub(super) unsafe fn dot_products(row: &DepthwiseRow, out: &mut [i8]) {
    // SAFETY: the caller's promise. Dots take four rows as well as three.
    unsafe { positions::<Dots>(row, row.groups.len() == 1 && row.taps == 3, out) }
}

/// With long multiplications.
///
/// # Safety
/// `DepthwiseRow::check`.
pub(super) unsafe fn long_products(row: &DepthwiseRow, out: &mut [i8]) {
    // SAFETY: the caller's promise, and every AArch64 CPU has NEON.
    unsafe {
        match (row.extreme, &row.rows) {
            (false, Range { end: ..=3, .. }) => positions::<Long<false, 0>>(row, row.taps == 3, out),
            (false, Range { start: 1, end: 4 }) => positions::<Long<false, 1>>(row, row.taps == 3, out),
            (false, _) => positions::<Long<false, 0>>(row, false, out),
            _ => positions::<Long<true, 0>>(row, false, out),
        }
    }
}

/// All positions; `three` if `add_three` can be used.
///
/// # Safety
/// As [`Products`]; `DepthwiseRow::check`.
#[inline(always)]
unsafe fn positions<P: Products>(row: &DepthwiseRow, three: bool, out: &mut [i8]) {
    let epilogue = Epilogue::new(&row.requantize);
    // SAFETY: the caller's promise.
    unsafe {
        match (three, epilogue.plain) {
            (true, true) => three_taps::<P, true>(row, &epilogue, out),
            (true, false) => three_taps::<P, false>(row, &epilogue, out),
            _ => any::<P>(row, &epilogue, out),
        }
    }
}

/// Three taps of the only group.
///
/// # Safety
/// As [`positions`], and the row has that shape; `PLAIN` if the epilogue is.
#[inline(always)]
unsafe fn three_taps<P: Products, const PLAIN: bool>(row: &DepthwiseRow, epilogue: &Epilogue, out: &mut [i8]) {
    let step = ROWS * row.period;
    for first in (0..row.period.min(out.len())).step_by(16) {
        // SAFETY: the period is a multiple of 16 positions of weights, biases and scales; a group has what tiles of 16
        // positions read; only whole tiles are stored as such.
        unsafe {
            let bias = row.requantize.bias.as_ptr().cast::<i32>().add(first);
            let scales = scales(row.requantize.scales.as_ptr().cast::<f32>().add(first));
            let weights = P::load(taps(row.weights.as_ptr().add(ROWS * first), row.period));
            let mut values = taps(row.groups[0].as_ptr().add(ROWS * first), row.tap_stride);
            let count = out.len() - first;
            let whole = if count < 16 { 0 } else { (count - 16) / row.period + 1 };
            let mut place = out.as_mut_ptr().add(first);
            for _ in 0..whole {
                vst1q_s8(place, tile::<P, PLAIN>(epilogue, bias, scales, &weights, (&mut values, step)));
                place = place.wrapping_add(row.period);
            }
            if whole < count.div_ceil(row.period) {
                let rest = &mut out[first + whole * row.period..];
                store_some(tile::<P, PLAIN>(epilogue, bias, scales, &weights, (&mut values, step)), rest);
            }
        }
    }
}

/// 16 positions.
///
/// # Safety
/// As [`Products::add_three`]; `PLAIN` if the epilogue is.
#[inline(always)]
unsafe fn tile<P: Products, const PLAIN: bool>(
    epilogue: &Epilogue,
    bias: *const i32,
    scales: [float32x4_t; 4],
    weights: &P::Weights,
    (values, step): (&mut [*const u8; 3], usize),
) -> int8x16_t {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = start_4(bias);
        P::add_three(&mut sums, values, step, weights);
        if PLAIN { epilogue.plain_values([sums], scales)[0] } else { epilogue.any_values([sums], scales)[0] }
    }
}

/// Any taps and rows.
///
/// # Safety
/// As [`positions`].
#[inline(always)]
unsafe fn any<P: Products>(row: &DepthwiseRow, epilogue: &Epilogue, out: &mut [i8]) {
    for (chunk, out) in out.chunks_mut(16).enumerate() {
        let at = 16 * chunk % row.period;
        // SAFETY: the period is a multiple of 16 positions of weights, biases and scales; a group has what tiles of 16
        // positions read.
        unsafe {
            let mut sums = start_4(row.requantize.bias.as_ptr().cast::<i32>().add(at));
            let mut weights = row.weights.as_ptr().add(ROWS * at);
            for group in row.groups {
                let mut values = group.as_ptr().add(ROWS * 16 * chunk);
                for _ in 0..row.taps {
                    P::add(&mut sums, values, weights);
                    values = values.wrapping_add(ROWS * row.tap_stride);
                    weights = weights.wrapping_add(ROWS * row.period);
                }
            }
            let scales = scales(row.requantize.scales.as_ptr().cast::<f32>().add(at));
            store_some(epilogue.values([sums], scales)[0], out);
        }
    }
}

/// Where three taps are, so many positions apart.
#[inline(always)]
fn taps(first: *const u8, positions: usize) -> [*const u8; 3] {
    [first, first.wrapping_add(ROWS * positions), first.wrapping_add(2 * ROWS * positions)]
}

/// # Safety
/// 16 scales.
#[inline(always)]
unsafe fn scales(from: *const f32) -> [float32x4_t; 4] {
    // SAFETY: the caller's promise.
    unsafe { [vld1q_f32(from), vld1q_f32(from.add(4)), vld1q_f32(from.add(8)), vld1q_f32(from.add(12))] }
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

/// Dot products.
struct Dots;

impl Products for Dots {
    type Weights = [int8x16x4_t; 3];

    #[inline(always)]
    unsafe fn load([a, b, c]: [*const u8; 3]) -> [int8x16x4_t; 3] {
        // SAFETY: the caller's promise.
        unsafe { [vld1q_s8_x4(a.cast()), vld1q_s8_x4(b.cast()), vld1q_s8_x4(c.cast())] }
    }

    #[inline(always)]
    unsafe fn add_three(
        sums: &mut [int32x4_t; 4],
        values: &mut [*const u8; 3],
        step: usize,
        weights: &[int8x16x4_t; 3],
    ) {
        for tap in 0..3 {
            let int8x16x4_t(a, b, c, d) = weights[tap];
            // SAFETY: the caller's promise.
            unsafe {
                let values = load_by_4(&mut values[tap], step);
                dot(&mut sums[0], values[0], a);
                dot(&mut sums[1], values[1], b);
                dot(&mut sums[2], values[2], c);
                dot(&mut sums[3], values[3], d);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(sums: &mut [int32x4_t; 4], mut values: *const u8, mut weights: *const u8) {
        // SAFETY: the caller's promise.
        unsafe {
            let (values, weights) = (load_first_4(&mut values), load_weights(&mut weights));
            for i in 0..4 {
                dot(&mut sums[i], values[i], weights[i]);
            }
        }
    }
}

/// Long multiplications; `EXTREME` if a weight is −128. Where there are three rows, `FIRST` is the first of them.
struct Long<const EXTREME: bool, const FIRST: usize>;

impl<const EXTREME: bool, const FIRST: usize> Products for Long<EXTREME, FIRST> {
    /// Of three rows.
    type Weights = [[int8x16_t; 3]; 3];

    #[inline(always)]
    unsafe fn load([mut a, mut b, mut c]: [*const u8; 3]) -> [[int8x16_t; 3]; 3] {
        // SAFETY: the caller's promise.
        let taps = unsafe { [load_rows_2(&mut a, 0), load_rows_3(&mut b, 0), load_rows_4(&mut c, 0)] };
        taps.map(
            #[inline(always)]
            |tap| [tap[FIRST], tap[FIRST + 1], tap[FIRST + 2]],
        )
    }

    #[inline(always)]
    unsafe fn add_three(
        sums: &mut [int32x4_t; 4],
        [a, b, c]: &mut [*const u8; 3],
        step: usize,
        [u, v, w]: &[[int8x16_t; 3]; 3],
    ) {
        // SAFETY: the caller's promise.
        let (a, b) = unsafe { (load_rows_0(a, step), load_rows_1(b, step)) };
        add_two::<EXTREME>(sums, [a[FIRST], a[FIRST + 1]], [u[0], u[1]]);
        add_two::<EXTREME>(sums, [a[FIRST + 2], b[FIRST]], [u[2], v[0]]);
        // SAFETY: the caller's promise.
        let c = unsafe { load_rows_0(c, step) };
        add_two::<EXTREME>(sums, [b[FIRST + 1], b[FIRST + 2]], [v[1], v[2]]);
        add_two::<EXTREME>(sums, [c[FIRST], c[FIRST + 1]], [w[0], w[1]]);
        add_one(sums, c[FIRST + 2], w[2]);
    }

    #[inline(always)]
    unsafe fn add(sums: &mut [int32x4_t; 4], mut values: *const u8, mut weights: *const u8) {
        // SAFETY: the caller's promise.
        let (a, u) = unsafe { (load_rows_0(&mut values, 0), load_rows_2(&mut weights, 0)) };
        add_two::<EXTREME>(sums, [a[0], a[1]], [u[0], u[1]]);
        add_two::<EXTREME>(sums, [a[2], a[3]], [u[2], u[3]]);
    }
}

/// Adds two products of 16 positions.
#[inline(always)]
fn add_two<const EXTREME: bool>(sums: &mut [int32x4_t; 4], [a, b]: [int8x16_t; 2], [u, v]: [int8x16_t; 2]) {
    if EXTREME {
        add_one(sums, a, u);
        return add_one(sums, b, v);
    }
    // SAFETY: every AArch64 CPU has NEON.
    unsafe {
        let (mut first, mut second) = (multiply_first(a, u), multiply_second(a, u));
        add_first(&mut first, b, v);
        add_second(&mut second, b, v);
        add_wide(sums, first, second);
    }
}

/// Adds a product of 16 positions.
#[inline(always)]
fn add_one(sums: &mut [int32x4_t; 4], a: int8x16_t, u: int8x16_t) {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe { add_wide(sums, multiply_first(a, u), multiply_second(a, u)) }
}

/// Adds 16 numbers of 16 bits.
#[inline(always)]
fn add_wide(sums: &mut [int32x4_t; 4], low: int16x8_t, high: int16x8_t) {
    // SAFETY: every AArch64 CPU has NEON.
    unsafe {
        sums[0] = vaddw_s16(sums[0], vget_low_s16(low));
        sums[1] = vaddw_high_s16(sums[1], low);
        sums[2] = vaddw_s16(sums[2], vget_low_s16(high));
        sums[3] = vaddw_high_s16(sums[3], high);
    }
}
