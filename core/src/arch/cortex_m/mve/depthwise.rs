//! Depthwise convolutions: the window of an output, up to four taps of four kernel rows, is one register.
//!
//! Interleaved rows put the four kernel rows of a tap into a word, so that a gathering load of four words, a tap's stride
//! apart, is a window, and one `vmladav` all its products. Four neighbouring channels go down their pixels together: their
//! weights stay in four registers, and a register of addresses moves on by a pixel. All else goes tap by tap.

use core::arch::naked_asm;

use crate::arch::job::{DepthwiseRow, ROWS};
use crate::quant::requantize;

/// Channels at a time.
const LANES: usize = 4;

/// A run of outputs.
pub(super) fn row(row: &DepthwiseRow, out: &mut [i8]) {
    row.check(out);
    assert!(row.interleaved == 1);
    let stride = row.tap_stride;
    let aligned = row.groups.iter().all(|group| group.as_ptr().addr().is_multiple_of(4));
    if row.groups.len() == 1 && row.taps <= LANES && aligned && out.len().is_multiple_of(stride) && !out.is_empty() {
        (0..stride).step_by(LANES).for_each(|first| columns(row, first, out));
    } else {
        taps(row, out);
    }
}

/// Four channels, as the assembly reads them.
#[repr(C)]
struct Columns {
    /// Of each channel, those of all taps.
    weights: [[u32; LANES]; LANES],
    bias: [i32; LANES],
    scales: [f32; LANES],
    low: [i32; LANES],
    high: [i32; LANES],
    /// Of each tap of the first channel, where its word of the first pixel is.
    addresses: [*const u8; LANES],
    zero_point: i32,
    out: *mut i8,
    stride: usize,
    pixels: usize,
    /// How many of the channels are there.
    channels: usize,
}

/// Every position from `first` on and three behind it, a tap's stride apart.
fn columns(row: &DepthwiseRow, first: usize, out: &mut [i8]) {
    let stride = row.tap_stride;
    let at = |channel: usize| (first + channel) % row.period;
    let requantize = &row.requantize;
    let weights = |channel: usize, tap: usize| {
        if tap < row.taps { word(row.weights, ROWS * (tap * row.period + at(channel))) } else { 0 }
    };
    let each = [0, 1, 2, 3];
    let input = row.groups[0][ROWS * first..].as_ptr();
    let columns = Columns {
        weights: each.map(|channel| each.map(|tap| weights(channel, tap))),
        bias: each.map(|channel| requantize.bias[at(channel)].get()),
        scales: each.map(|channel| requantize.scales[at(channel)].get()),
        low: [requantize.clamp.low.into(); LANES],
        high: [requantize.clamp.high.into(); LANES],
        // Where there is no such tap, the first one's values are multiplied by 0.
        addresses: each.map(|tap| input.wrapping_add(if tap < row.taps { ROWS * tap * stride } else { 0 })),
        zero_point: requantize.zero_point.into(),
        out: out[first..].as_mut_ptr(),
        stride,
        pixels: out.len() / stride,
        channels: LANES.min(stride - first),
    };
    // SAFETY: the group has all positions of the output and the slack behind them, for every tap, as `check` saw to, and
    // starts at a multiple of 4; `out` has these channels of every pixel, of which there is at least one.
    unsafe { down(&columns) }
}

/// Four channels down all their pixels. q0 to q3 are the weights, q7 the addresses.
///
/// # Safety
/// The CPU is as [`super::Mve`] promises. `columns` is as its fields say: there is at least one pixel, and input and output
/// for all.
#[unsafe(naked)]
unsafe extern "C" fn down(columns: *const Columns) {
    naked_asm!(
        mve!(),
        "vpush {{d8-d15}}",
        "push {{r4-r9, lr}}",
        "vldrw.u32 q0, [r0]",
        "vldrw.u32 q1, [r0, #16]",
        "vldrw.u32 q2, [r0, #32]",
        "vldrw.u32 q3, [r0, #48]",
        "add r0, #64",
        "vldrw.u32 q7, [r0, #64]",
        "add r1, r0, #80",
        // Zero point, output, stride, pixels, channels.
        "ldm r1, {{r1, r3, r5, r7, r9}}",
        "vctp.32 r9",
        "lsl r9, r5, #2",
        "dls lr, r7",
        "2:",
        "vldrw.u32 q4, [q7]",
        "vmladav.s8 r2, q4, q0",
        "vldrw.u32 q5, [q7, #4]",
        "vmladav.s8 r4, q5, q1",
        "vldrw.u32 q4, [q7, #8]",
        "vmladav.s8 r6, q4, q2",
        "vldrw.u32 q5, [q7, #12]",
        "vmladav.s8 r8, q5, q3",
        "vadd.i32 q7, q7, r9",
        "vmov q4[2], q4[0], r2, r6",
        "vldrw.u32 q5, [r0]",
        "vmov q4[3], q4[1], r4, r8",
        "vldrw.u32 q6, [r0, #16]",
        "vadd.i32 q4, q4, q5",
        "vldrw.u32 q5, [r0, #32]",
        "vcvt.f32.s32 q4, q4",
        "vmul.f32 q4, q4, q6",
        "vldrw.u32 q6, [r0, #48]",
        "vcvtn.s32.f32 q4, q4",
        "vadd.i32 q4, q4, r1",
        "vmax.s32 q4, q4, q5",
        "vmin.s32 q4, q4, q6",
        "vpst",
        "vstrbt.32 q4, [r3]",
        "add r3, r5",
        "le lr, 2b",
        "pop {{r4-r9, lr}}",
        "vpop {{d8-d15}}",
        "bx lr",
    )
}

/// Any number of groups and taps.
fn taps(row: &DepthwiseRow, out: &mut [i8]) {
    let requantize_as = &row.requantize;
    let mut at = 0;
    for (position, out) in out.iter_mut().enumerate() {
        let mut sum = requantize_as.bias[at].get();
        let mut weights = ROWS * at;
        for group in row.groups {
            for tap in 0..row.taps {
                let values = &group[ROWS * (position + tap * row.tap_stride)..][..ROWS];
                for (&value, &weight) in values.iter().zip(&row.weights[weights..weights + ROWS]) {
                    sum = sum.wrapping_add(i32::from(value as i8) * i32::from(weight as i8));
                }
                weights += ROWS * row.period;
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
