//! The tile of convolutions: 2 pixels by 2 channels, whose four sums stay in registers over the whole window.
//!
//! A step is 4 values deep: one `ldm` of the weights of both channels (four registers), an `ldrd` of either pixel, and 8
//! `smlad`: 11 instructions for 16 products, and three loads. All fourteen registers are taken, which compilers don't give
//! to inline assembly, so a row is one assembly program of *naked* functions that jump to each other:
//!
//! - [`tiles`] begins: two channels of all pixels of a row. The sums of a tile start as biases.
//! - [`aligned`] and [`unaligned`] are six steps of a segment, again and again. A segment enters them so far down that its
//!   steps are used up with the last: there is no rest.
//! - Behind a segment, the next one's [`Part`] is fetched, which says where it enters. Behind the last part, the same
//!   instructions fetch [`Last`], as if the output were an input; it enters:
//! - [`finish`] or [`finish_clamped`]: from sums to values, and on to the next tile.
//!
//! `ldm` and `ldrd` need addresses that are multiples of 4. Where the pixels of a segment are not, nor the weights, its
//! entry is into `unaligned`, which takes five more instructions a step.

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use crate::arch::job::MAX_SEGMENTS;

/// Steps of a round.
pub(super) const STEPS: usize = 6;
/// Bytes of the code of a step: all its instructions take four.
pub(super) const ALIGNED_STEP: usize = 11 * 4;
pub(super) const UNALIGNED_STEP: usize = 16 * 4;

/// A segment, as the assembly reads it.
#[repr(C)]
pub(super) struct Part {
    /// The window of the next tile's first pixel.
    pub input: *const u8,
    /// Bytes to the next pixel's.
    pub stride: usize,
    /// Rounds of steps.
    pub rounds: usize,
    /// Where the first round is entered.
    pub entry: usize,
}

/// What is fetched behind all parts: the first four fields are as a [`Part`]'s.
#[repr(C)]
pub(super) struct Last {
    /// The first channel of the next tile's first pixel.
    pub out: *mut i8,
    /// Values from a pixel to the next.
    pub out_stride: usize,
    pub zero_point: i32,
    pub entry: usize,
    /// Where `out` is behind the last tile.
    pub end: *mut i8,
    /// From the first channel to the second: 1, or 0 where there is no second. It is stored first, so the first stays.
    pub second: usize,
    /// The output's range, twice each, in the halves of a word.
    pub low: u32,
    pub high: u32,
}

/// The parts of a window, the last ones of the array; the others are never read.
#[repr(C)]
pub(super) struct Walk {
    pub parts: [MaybeUninit<Part>; MAX_SEGMENTS],
    pub last: Last,
}

/// Two channels of a row, as the assembly reads them.
#[repr(C)]
pub(super) struct Tiles {
    pub weights: *const u8,
    pub bias: [i32; 2],
    /// The first part; the others and [`Last`] are behind it.
    pub parts: *mut Part,
    pub scales: [f32; 2],
}

/// Enters the part at r8: r1 and r2 are its pixels, r3 its rounds.
macro_rules! enter {
    () => {
        "ldm r8, {{r1, r2, r3, r12}}
        add r9, r1, r2, lsl #1
        str r9, [r8], #16
        str r8, [sp, #4]
        add r2, r1
        bx r12"
    };
}

/// Begins a tile: the sums r4 to r7, and r0, the weights.
macro_rules! begin {
    () => {
        concat!(
            "ldr r0, [sp]
            ldm r0, {{r0, r4, r5, r8}}
            mov r6, r4
            mov r7, r5
            ",
            enter!()
        )
    };
}

/// All tiles of two channels.
///
/// # Safety
/// The CPU is as [`super::Dsp`] promises. `tiles` and all that it points to are as their fields say: inputs, weights and
/// outputs are there for all tiles, of which there is at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn tiles(tiles: *const Tiles) {
    naked_asm!(
        fpu!(),
        // At the stack's top: `tiles`, and room for the next part's address.
        "push {{r0, r1, r4-r11, lr}}",
        "vldr s0, [r0, #16]",
        "vldr s1, [r0, #20]",
        begin!(),
    )
}

/// Rounds of a segment whose addresses are multiples of 4.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn aligned() {
    naked_asm!(
        "2:",
        ".rept {steps}",
        "ldm r0!, {{r8-r11}}",
        "ldrd r12, lr, [r1], #8",
        "smlad r4, r12, r8, r4",
        "smlad r5, r12, r10, r5",
        "smlad r4, lr, r9, r4",
        "smlad r5, lr, r11, r5",
        "ldrd r12, lr, [r2], #8",
        "smlad r6, r12, r8, r6",
        "smlad r7, r12, r10, r7",
        "smlad r6, lr, r9, r6",
        "smlad r7, lr, r11, r7",
        ".endr",
        "subs r3, #1",
        "bne 2b",
        "ldr r8, [sp, #4]",
        enter!(),
        steps = const STEPS,
    )
}

/// Rounds of any other.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn unaligned() {
    naked_asm!(
        "2:",
        ".rept {steps}",
        "ldr.w r8, [r0], #4",
        "ldr.w r9, [r0], #4",
        "ldr.w r10, [r0], #4",
        "ldr.w r11, [r0], #4",
        "ldr.w r12, [r1], #4",
        "ldr.w lr, [r1], #4",
        "smlad r4, r12, r8, r4",
        "smlad r5, r12, r10, r5",
        "smlad r4, lr, r9, r4",
        "smlad r5, lr, r11, r5",
        "ldr.w r12, [r2], #4",
        "ldr.w lr, [r2], #4",
        "smlad r6, r12, r8, r6",
        "smlad r7, r12, r10, r7",
        "smlad r6, lr, r9, r6",
        "smlad r7, lr, r11, r7",
        ".endr",
        "subs r3, #1",
        "bne 2b",
        "ldr r8, [sp, #4]",
        enter!(),
        steps = const STEPS,
    )
}

/// From the sums r4 to r7 to values, saturated to int8, in the same registers. r1 and r2 are the pixels' places, r9 that of
/// the next tile, and r3 the zero point; r10 becomes the end, r11 the distance of the second channel.
macro_rules! values {
    () => {
        "vmov s4, s5, r4, r5
        vmov s6, s7, r6, r7
        vcvt.f32.s32 s4, s4
        vcvt.f32.s32 s5, s5
        vcvt.f32.s32 s6, s6
        vcvt.f32.s32 s7, s7
        vmul.f32 s4, s4, s0
        vmul.f32 s5, s5, s1
        vmul.f32 s6, s6, s0
        vmul.f32 s7, s7, s1
        vcvtr.s32.f32 s4, s4
        vcvtr.s32.f32 s5, s5
        vcvtr.s32.f32 s6, s6
        vcvtr.s32.f32 s7, s7
        vmov r4, r5, s4, s5
        vmov r6, r7, s6, s7
        ldm r8, {{r10, r11}}
        add r4, r3
        add r5, r3
        add r6, r3
        add r7, r3
        ssat r4, #8, r4
        ssat r5, #8, r5
        ssat r6, #8, r6
        ssat r7, #8, r7"
    };
}

/// Stores them, and goes on to the next tile or returns.
macro_rules! store {
    () => {
        concat!(
            "strb r5, [r1, r11]
            strb r4, [r1]
            strb r7, [r2, r11]
            strb r6, [r2]
            cmp r9, r10
            beq 2f
            ",
            begin!(),
            "
            2: pop {{r0, r1, r4-r11, pc}}"
        )
    };
}

/// The end of a tile whose output range is all of int8.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn finish() {
    naked_asm!(fpu!(), values!(), store!())
}

/// The end of any other. The halves of a word are held to the range at once: `sel` takes those of the second where the
/// subtraction before went below 0.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn finish_clamped() {
    naked_asm!(
        fpu!(),
        values!(),
        "ldrd r12, lr, [r8, #8]",
        "pkhbt r4, r4, r5, lsl #16",
        "pkhbt r6, r6, r7, lsl #16",
        "ssub16 r5, r4, r12",
        "sel r4, r4, r12",
        "ssub16 r5, lr, r4",
        "sel r4, r4, lr",
        "ssub16 r7, r6, r12",
        "sel r6, r6, r12",
        "ssub16 r7, lr, r6",
        "sel r6, r6, lr",
        "lsr r5, r4, #16",
        "lsr r7, r6, #16",
        store!(),
    )
}
