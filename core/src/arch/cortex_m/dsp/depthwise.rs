//! Depthwise convolutions: an `ldrd` brings four kernel rows of a position, and two `smlad` multiply them.
//!
//! The 3x3 goes down the positions of one channel, a tap's stride apart: what position p has under its second tap is what
//! the next one has under its first. So the weights of three taps stay in six registers, everything is loaded once, and
//! the three sums that it belongs to move on by one. All else goes tap by tap.

use core::arch::{asm, naked_asm};

use crate::arch::job::{DepthwiseRow, ROWS};
use crate::quant::{Clamp, requantize};

/// Bytes of four kernel rows of a position.
const PLACE: usize = 2 * ROWS;

/// A run of outputs.
pub(super) fn row(row: &DepthwiseRow, out: &mut [i8]) {
    row.check(out);
    assert!(row.interleaved == 2);
    let aligned = row.groups.iter().all(|group| group.as_ptr().addr().is_multiple_of(4));
    if row.groups.len() == 1 && row.taps == 3 && aligned {
        (0..row.tap_stride.min(out.len())).for_each(|first| column(row, first, out));
    } else {
        taps(row, out);
    }
}

/// A channel, as the assembly reads it.
#[repr(C)]
struct Column {
    /// Of each tap, those of the first two kernel rows, and those of the last.
    weights: [[u32; 2]; 3],
    bias: i32,
    scale: f32,
    zero_point: i32,
    low: i32,
    high: i32,
    input: *const u8,
    out: *mut i8,
    end: *mut i8,
    stride: usize,
}

/// Every position from `first` on, a tap's stride apart.
fn column(row: &DepthwiseRow, first: usize, out: &mut [i8]) {
    let stride = row.tap_stride;
    let at = first % row.period;
    let tap = |tap: usize| {
        let place = PLACE * (tap * row.period + at);
        [0, 4].map(|half| word(row.weights, place + half))
    };
    let count = (out.len() - first).div_ceil(stride);
    let place = out[first..].as_mut_ptr();
    let requantize = &row.requantize;
    let column = Column {
        weights: [tap(0), tap(1), tap(2)],
        bias: requantize.bias[at].get(),
        scale: requantize.scales[at].get(),
        zero_point: requantize.zero_point.into(),
        low: requantize.clamp.low.into(),
        high: requantize.clamp.high.into(),
        input: row.groups[0][PLACE * first..].as_ptr(),
        out: place,
        end: place.wrapping_add(count * stride),
        stride,
    };
    // SAFETY: the group has all positions of the output for three taps, as `check` saw to, and starts at a multiple of 4;
    // `count` positions, `stride` apart, are in `out`.
    unsafe { if requantize.clamp == Clamp::FULL { down(&column) } else { down_clamped(&column) } }
}

/// A channel down all its positions. r4 to r9 are the weights; r0 and r1 the sums of the positions one and two before the
/// next; r3, r12 and lr input, output and stride; s0 to s5 all else.
macro_rules! down {
    ($($clamp:literal),*) => {
        naked_asm!(
            fpu!(),
            "push {{r4-r11, lr}}",
            "add r1, r0, #24",
            "vldm r1, {{s0-s4}}",
            "add r1, r0, #44",
            "ldm r1, {{r3, r12}}",
            "vldr s5, [r0, #52]",
            "ldr lr, [r0, #56]",
            "ldm r0, {{r4-r9}}",
            // The first two positions of the input.
            "vmov r2, s0",
            "ldrd r10, r11, [r3]",
            "add r3, r3, lr, lsl #3",
            "smlad r1, r10, r4, r2",
            "smlad r1, r11, r5, r1",
            "ldrd r10, r11, [r3]",
            "add r3, r3, lr, lsl #3",
            "smlad r1, r10, r6, r1",
            "smlad r1, r11, r7, r1",
            "smlad r0, r10, r4, r2",
            "smlad r0, r11, r5, r0",
            "2:",
            "ldrd r10, r11, [r3]",
            "add r3, r3, lr, lsl #3",
            "smlad r2, r10, r8, r1",
            "smlad r2, r11, r9, r2",
            "vmov s6, r2",
            "vmov r2, s0",
            "smlad r1, r10, r6, r0",
            "smlad r1, r11, r7, r1",
            "smlad r0, r10, r4, r2",
            "smlad r0, r11, r5, r0",
            "vcvt.f32.s32 s6, s6",
            "vmul.f32 s6, s6, s1",
            "vcvtr.s32.f32 s6, s6",
            "vmov r2, s6",
            "vmov r10, s2",
            "vmov r11, s5",
            "add r2, r10",
            "ssat r2, #8, r2",
            $($clamp,)*
            "strb r2, [r12]",
            "add r12, lr",
            "cmp r12, r11",
            "bne 2b",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// All positions of a channel whose output range is all of int8.
///
/// # Safety
/// The CPU is as [`super::Dsp`] promises. `column` is as its fields say: there is at least one position, and input and
/// output for all.
#[unsafe(naked)]
unsafe extern "C" fn down(column: *const Column) {
    down!()
}

/// Those of any other.
///
/// # Safety
/// As [`down`].
#[unsafe(naked)]
unsafe extern "C" fn down_clamped(column: *const Column) {
    down!(
        "vmov r10, s3",
        "cmp r2, r10",
        "it lt",
        "movlt r2, r10",
        "vmov r10, s4",
        "cmp r2, r10",
        "it gt",
        "movgt r2, r10"
    )
}

/// Any number of groups and taps.
fn taps(row: &DepthwiseRow, out: &mut [i8]) {
    let requantize_as = &row.requantize;
    let mut at = 0;
    for (position, out) in out.iter_mut().enumerate() {
        let mut sum = requantize_as.bias[at].get();
        let mut weights = PLACE * at;
        for group in row.groups {
            for tap in 0..row.taps {
                let place = PLACE * (position + tap * row.tap_stride);
                for half in [0, 4] {
                    sum = multiply_add(sum, word(group, place + half), word(row.weights, weights + half));
                }
                weights += PLACE * row.period;
            }
        }
        *out = requantize(sum, requantize_as.scales[at].get(), requantize_as.zero_point, requantize_as.clamp);
        at = if at + 1 == row.period { 0 } else { at + 1 };
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let [a, b, c, d] = [0, 1, 2, 3].map(|byte| bytes[at + byte]);
    u32::from_le_bytes([a, b, c, d])
}

/// Adds the products of two pairs of i16.
fn multiply_add(mut sum: i32, values: u32, weights: u32) -> i32 {
    // SAFETY: no memory is touched; the CPU has the DSP extension, as `Dsp` promises.
    unsafe {
        asm!(
            "smlad {sum}, {values}, {weights}, {sum}",
            sum = inout(reg) sum, values = in(reg) values, weights = in(reg) weights,
            options(pure, nomem, nostack),
        );
    }
    sum
}
