//! Convolutions: tiles of 2 pixels by 4 channels, whose eight sums stay in registers over the whole window.
//!
//! A step is 16 values deep: it loads both pixels and the weights of four channels, one after the other, and multiplies
//! each with either pixel: 14 instructions for 128 products. `vmladava` takes its sum in an even register; there are eight
//! of these, and all the others are pointers and counts. So, as for the DSP extension, a row is one assembly program of
//! *naked* functions that jump to each other:
//!
//! - [`tiles`] begins: four channels of all pixels of a row. The first step of a tile needs no sums.
//! - [`steps`] is six steps of a segment, again and again. A segment enters it so far down that its steps are used up with
//!   the last: there is no rest.
//! - Behind a segment, the next one's [`Part`] is fetched, which says where it enters. Behind the last part, the same
//!   instructions fetch [`Last`], as if the output were an input; it enters:
//! - [`finish`]: from sums to values, and on to the next tile. Biases (q4), scales (q5) and the output's range (q6, q7) are in
//!   registers all the while; predicates keep the stores to the channels that are there.
//!
//! Nothing here needs an alignment.

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use crate::arch::job::{ConvRow, MAX_SEGMENTS, Segment};

/// Channels of a block.
const CHANNELS: usize = 4;
/// Steps of a round.
const STEPS: usize = 6;
/// Bytes of the code of a step: all its instructions take four.
const STEP: usize = 14 * 4;

/// A segment, as the assembly reads it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Part {
    /// The window of the last tile's first pixel.
    input: *const u8,
    /// Bytes from a pixel to the next one's.
    stride: usize,
    /// Rounds of steps.
    rounds: usize,
    /// Where the first round is entered.
    entry: usize,
}

/// What is fetched behind all parts: the first four fields are as a [`Part`]'s.
#[repr(C)]
struct Last {
    /// The first channel of the last tile's first pixel: two strides before the next one's.
    out: *mut i8,
    /// Values from a pixel to the next.
    out_stride: usize,
    zero_point: i32,
    entry: usize,
    /// What `out` is in the last tile.
    end: *mut i8,
}

/// The parts of a window, the last ones of the array; the others are never read.
#[repr(C)]
struct Walk {
    parts: [MaybeUninit<Part>; MAX_SEGMENTS],
    last: Last,
}

/// Four channels of a row, as the assembly reads them.
#[repr(C)]
struct Tiles {
    weights: *const u8,
    /// The first part; the others and [`Last`] are behind it.
    parts: *mut Part,
    /// Of all channels of the block.
    bias: *const u8,
    scales: *const u8,
    low: i32,
    high: i32,
    /// How many of the channels are there.
    channels: usize,
}

/// A row of a convolution.
pub(super) fn row(row: &ConvRow, out: &mut [i8]) {
    row.check(out);
    assert!(row.segments.len() <= MAX_SEGMENTS && !row.segments.is_empty());
    if row.pixels == 0 {
        return;
    }
    let block_len = row.steps() * row.layout.step();
    let requantize = &row.requantize;
    let last = Last {
        out: out.as_mut_ptr(),
        out_stride: row.out_stride,
        zero_point: requantize.zero_point.into(),
        entry: finish as *const () as usize,
        end: out.as_mut_ptr(),
    };
    let mut walk = Walk { parts: [const { MaybeUninit::uninit() }; MAX_SEGMENTS], last };
    let unused = MAX_SEGMENTS - row.segments.len();
    for block in 0..row.layout.blocks(row.outputs) {
        for (index, (part, segment)) in walk.parts[unused..].iter_mut().zip(row.segments).enumerate() {
            // The tile has done the first step of the first.
            part.write(self::part(segment, segment.steps - usize::from(index == 0)));
        }
        let channel = CHANNELS * block;
        let channels = CHANNELS.min(row.outputs - channel);
        let pairs = row.pixels / 2;
        let before = out[channel..].as_mut_ptr().wrapping_sub(2 * row.out_stride);
        walk.last.out = before;
        walk.last.out_stride = row.out_stride;
        walk.last.end = before.wrapping_add(2 * pairs * row.out_stride);
        let tiles_of = |walk: &mut Walk| Tiles {
            weights: row.weights[block * block_len..].as_ptr(),
            parts: (&raw mut *walk).cast::<Part>().wrapping_add(unused),
            bias: requantize.bias[channel..].as_ptr().cast(),
            scales: requantize.scales[channel..].as_ptr().cast(),
            low: requantize.clamp.low.into(),
            high: requantize.clamp.high.into(),
            channels,
        };
        // SAFETY: `check` saw to all that is read and written: segments reach over all pixels, rounded up to more than 2;
        // weights, biases and scales are those of whole blocks; `out` has the channels that are there of every pixel. What
        // is left of an odd row is written to a tile of its own.
        unsafe {
            if pairs > 0 {
                tiles(&tiles_of(&mut walk));
            }
            if row.pixels % 2 == 1 {
                let mut odd = [0; 2 * CHANNELS];
                walk.last.end = odd.as_mut_ptr();
                (walk.last.out, walk.last.out_stride) = (walk.last.end.wrapping_sub(2 * CHANNELS), CHANNELS);
                tiles(&tiles_of(&mut walk));
                let left = &mut out[(row.pixels - 1) * row.out_stride + channel..];
                left[..channels].copy_from_slice(&odd[..channels]);
            }
        }
    }
}

/// So many steps of a segment.
fn part(segment: &Segment, steps: usize) -> Part {
    let rounds = steps.div_ceil(STEPS);
    let skipped = (rounds * STEPS - steps) * STEP;
    let entry = if steps == 0 { next as *const () as usize } else { self::steps as *const () as usize + skipped };
    let input = segment.input.as_ptr().wrapping_sub(2 * segment.stride);
    Part { input, stride: segment.stride, rounds, entry }
}

/// Fetches the part at r9: r1 and r3 are its pixels, r7 its rounds, r11 its entry.
macro_rules! fetch {
    () => {
        "ldm r9!, {{r1, r3, r7, r11}}
        str r9, [sp, #4]
        add r1, r1, r3, lsl #1
        str r1, [r9, #-16]
        add r3, r1"
    };
}

/// Goes on to the next part.
macro_rules! enter {
    () => {
        concat!("ldr r9, [sp, #4]\n", fetch!(), "\nbx r11")
    };
}

/// A step, by `vmladava`, or by `vmladav` which starts new sums: r0, r2, r4, r6 of the first pixel, r8, r10, r12, lr of the
/// second.
macro_rules! step {
    ($multiply:literal) => {
        concat!(
            "vldrb.u8 q0, [r1], #16\n",
            "vldrb.u8 q2, [r5], #16\n",
            $multiply,
            " r0, q0, q2\n",
            "vldrb.u8 q1, [r3], #16\n",
            $multiply,
            " r8, q1, q2\n",
            "vldrb.u8 q3, [r5], #16\n",
            $multiply,
            " r2, q0, q3\n",
            $multiply,
            " r10, q1, q3\n",
            "vldrb.u8 q2, [r5], #16\n",
            $multiply,
            " r4, q0, q2\n",
            $multiply,
            " r12, q1, q2\n",
            "vldrb.u8 q3, [r5], #16\n",
            $multiply,
            " r6, q0, q3\n",
            $multiply,
            " lr, q1, q3",
        )
    };
}

/// Begins a tile, with its first step. r5 is the weights.
macro_rules! begin {
    () => {
        concat!(
            "ldr r0, [sp]
            ldr r5, [r0]
            ldr r9, [r0, #4]
            ",
            fetch!(),
            "\n",
            step!("vmladav.s8"),
            "\nbx r11"
        )
    };
}

/// All tiles of four channels.
///
/// # Safety
/// The CPU is as [`super::Mve`] promises. `tiles` and all that it points to are as their fields say: inputs, weights and
/// outputs are there for all tiles, of which there is at least one.
#[unsafe(naked)]
unsafe extern "C" fn tiles(tiles: *const Tiles) {
    naked_asm!(
        mve!(),
        // At the stack's top: `tiles`, and room for the next part's address.
        "vpush {{d8-d15}}",
        "push {{r0, r1, r4-r11, lr}}",
        "add r1, r0, #8",
        "ldm r1, {{r1-r5}}",
        "vldrb.u8 q4, [r1]",
        "vldrb.u8 q5, [r2]",
        "vdup.32 q6, r3",
        "vdup.32 q7, r4",
        "vctp.32 r5",
        begin!(),
    )
}

/// Where a part of no more steps goes on.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
unsafe extern "C" fn next() {
    naked_asm!(enter!())
}

/// Rounds of a segment.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
unsafe extern "C" fn steps() {
    naked_asm!(
        mve!(),
        "2:",
        ".rept {steps}",
        step!("vmladava.s8"),
        ".endr",
        "subs r7, #1",
        "bne 2b",
        enter!(),
        steps = const STEPS,
    )
}

/// From sums to values, which are stored; then the next tile, or the end. r1 and r3 are the pixels' places, r7 the zero point.
///
/// # Safety
/// A part of [`tiles`].
#[unsafe(naked)]
unsafe extern "C" fn finish() {
    naked_asm!(
        mve!(),
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "vmov q1[2], q1[0], r8, r12",
        "vmov q1[3], q1[1], r10, lr",
        "vadd.i32 q0, q0, q4",
        "vadd.i32 q1, q1, q4",
        "vcvt.f32.s32 q0, q0",
        "vcvt.f32.s32 q1, q1",
        "vmul.f32 q0, q0, q5",
        "vmul.f32 q1, q1, q5",
        "vcvtn.s32.f32 q0, q0",
        "vcvtn.s32.f32 q1, q1",
        "vadd.i32 q0, q0, r7",
        "vadd.i32 q1, q1, r7",
        "vmax.s32 q0, q0, q6",
        "vmax.s32 q1, q1, q6",
        "vmin.s32 q0, q0, q7",
        "vmin.s32 q1, q1, q7",
        "ldr r9, [r9]",
        "vpstt",
        "vstrbt.32 q0, [r1]",
        "vstrbt.32 q1, [r3]",
        "cmp r1, r9",
        "beq 2f",
        begin!(),
        "2: pop {{r0, r1, r4-r11, lr}}",
        "vpop {{d8-d15}}",
        "bx lr",
    )
}
