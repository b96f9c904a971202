//! The dot product extension (Cortex-A55, A75, A76 and later): `sdot` multiplies 16 pairs of bytes and adds them up by
//! fours.
//!
//! The tile is 8 pixels by 8 channels. A register holds the sums of one pixel and four channels; a step of the window, 4
//! bytes of every pixel, takes two registers of weights and 16 `sdot`, each of which picks the 4 bytes of its pixel out of
//! a register of values. Windows overlap, so these serve several pixels and steps:
//!
//! - [`Near`]: pixels are so near that the windows of all eight fit a few registers of consecutive bytes.
//! - [`Taps3`]: three taps of a multiple of 8 channels; 10 registers, one per pixel of the input.
//! - [`Apart`]: any window; every pixel has 16 bytes of its own at a time.

use core::arch::aarch64::*;

use super::epilogue::Epilogue;
use super::instructions::{dot_lane, load, load_2, load_4, load_other_4};
use super::tile::{Runs, Sums, Tile, Walk, runs, tiles};
use super::{bytes, detected, flat};
use crate::arch::Isa;
use crate::arch::job::{ConvRow, DepthwiseRow, Layout, Segment};

/// The proof that this CPU has the dot product extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeonDot(());

impl NeonDot {
    /// The proof, if this CPU has it.
    pub fn new() -> Option<NeonDot> {
        detected!("neon", "dotprod").then_some(NeonDot(()))
    }
}

impl Isa for NeonDot {
    const NAME: &'static str = "aarch64-neon-dot";

    fn layout(self, _: usize) -> Option<Layout> {
        Some(Eight::LAYOUT)
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` proves the feature; `check` saw to the lengths that the pointers rely on.
        unsafe { conv(row, out) }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe { flat::dot_products(row, out) }
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        to.copy_from_slice(zerocopy::IntoBytes::as_bytes(from));
    }

    fn interleave(self, rows: [&[i8]; 4], _: u8, to: &mut [u8]) {
        bytes::interleave(rows, to);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        bytes::look_up(table, from, out);
    }
}

/// 8 pixels by 8 channels: register `2 · p + c` has the sums of pixel p and channels 4 · c to 4 · c + 3.
struct Eight;

impl Tile<4> for Eight {
    const LAYOUT: Layout = Layout { value: 1, flip: 0, depth: 4, channels: 8 };
    const PIXELS: usize = 8;

    fn bias(at: usize) -> Option<usize> {
        Some(at % 8)
    }

    fn scale(at: usize) -> usize {
        at % 8
    }

    #[inline(always)]
    fn pack(epilogue: &Epilogue, s: Sums, scales: [float32x4_t; 4]) -> [int8x16_t; 4] {
        [
            epilogue.pack([s[0], s[1], s[2], s[3]], scales),
            epilogue.pack([s[4], s[5], s[6], s[7]], scales),
            epilogue.pack([s[8], s[9], s[10], s[11]], scales),
            epilogue.pack([s[12], s[13], s[14], s[15]], scales),
        ]
    }
}

/// # Safety
/// The CPU has the extension; `ConvRow::check`.
#[target_feature(enable = "dotprod")]
unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
    let runs = runs(row.segments, Shape::Apart, Shape::of);
    // SAFETY: each way suits the shape that it is chosen for.
    unsafe {
        match runs[..] {
            [(Shape::Interleaved3, _)] => tiles::<Eight, 4, _>(Near::<1, 3, 3>, row, out),
            [(Shape::Eight1, _)] => tiles::<Eight, 4, _>(Near::<2, 2, 4>, row, out),
            [(Shape::Eight3, _)] => tiles::<Eight, 4, _>(Near::<2, 6, 5>, row, out),
            [(Shape::Sixteen1, _)] => tiles::<Eight, 4, _>(Near::<4, 4, 8>, row, out),
            [(Shape::Sixteen3, _)] => tiles::<Eight, 4, _>(Near::<4, 12, 10>, row, out),
            [(Shape::Taps3, _)] => tiles::<Eight, 4, _>(Taps3, row, out),
            [(Shape::Apart, _)] => tiles::<Eight, 4, _>(Apart, row, out),
            _ => tiles::<Eight, 4, _>(Mixed(&runs), row, out),
        }
    }
}

/// Windows for which there is a way of their own.
#[derive(Clone, Copy)]
enum Shape {
    /// Three taps of up to four rows of one channel.
    Interleaved3,
    /// One tap, or three, of 8 channels.
    Eight1,
    Eight3,
    /// One tap, or three, of 16 channels.
    Sixteen1,
    Sixteen3,
    /// Three taps of more channels, a multiple of 8.
    Taps3,
    /// All others.
    Apart,
}

impl Shape {
    /// The shape of windows of so many steps, `stride` bytes apart.
    fn of(stride: usize, steps: usize) -> Shape {
        match (stride, steps) {
            (4, 3) => Shape::Interleaved3,
            (8, 2) => Shape::Eight1,
            (8, 6) => Shape::Eight3,
            (16, 4) => Shape::Sixteen1,
            (16, 12) => Shape::Sixteen3,
            _ if stride % 8 == 0 && 4 * steps == 3 * stride => Shape::Taps3,
            _ => Shape::Apart,
        }
    }
}

/// Every run in its own way.
#[derive(Clone, Copy)]
struct Mixed<'a>(&'a Runs<'a, Shape>);

impl Walk for Mixed<'_> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, _: &[Segment], x: usize, weights: &mut *const u8) {
        for &(shape, run) in self.0 {
            // SAFETY: the caller's promise.
            unsafe {
                match shape {
                    Shape::Interleaved3 => Near::<1, 3, 3>.walk(sums, run, x, weights),
                    Shape::Eight1 => Near::<2, 2, 4>.walk(sums, run, x, weights),
                    Shape::Eight3 => Near::<2, 6, 5>.walk(sums, run, x, weights),
                    Shape::Sixteen1 => Near::<4, 4, 8>.walk(sums, run, x, weights),
                    Shape::Sixteen3 => Near::<4, 12, 10>.walk(sums, run, x, weights),
                    Shape::Taps3 => Taps3.walk(sums, run, x, weights),
                    Shape::Apart => Apart.walk(sums, run, x, weights),
                }
            }
        }
    }
}

/// Windows of `STEPS` steps, `UNITS` of 4 bytes apart; those of all pixels fit `N` registers.
#[derive(Clone, Copy)]
struct Near<const UNITS: usize, const STEPS: usize, const N: usize>;

impl<const UNITS: usize, const STEPS: usize, const N: usize> Walk for Near<UNITS, STEPS, N> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, segments: &[Segment], x: usize, weights: &mut *const u8) {
        for segment in segments {
            // SAFETY: the caller's promise; N registers end less than 16 bytes behind the last window.
            unsafe {
                let mut from = segment.input.as_ptr().add(x * 4 * UNITS);
                let mut values = [vdupq_n_s8(0); N];
                let mut at = 0;
                if N >= 4 {
                    values[..4].copy_from_slice(&load_other_4(&mut from));
                    at = 4;
                }
                while at < N {
                    values[at] = load(&mut from);
                    at += 1;
                }
                steps::<UNITS, STEPS, N>(sums, &values, weights);
            }
        }
    }
}

/// Three taps of `stride` channels, a multiple of 8.
#[derive(Clone, Copy)]
struct Taps3;

impl Walk for Taps3 {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, segments: &[Segment], x: usize, weights: &mut *const u8) {
        for segment in segments {
            let stride = segment.stride;
            // SAFETY: the caller's promise.
            unsafe {
                let mut from: [*const u8; 10] = each(segment.input.as_ptr().add(x * stride), stride);
                let tap = 8 * stride;
                let (mut first, mut second, mut third) = (*weights, weights.add(tap), weights.add(2 * tap));
                for _ in 0..stride / 16 {
                    let values = load_each(&mut from);
                    pair::<4, 0, 10>(sums, &values, &mut first);
                    pair::<4, 2, 10>(sums, &values, &mut first);
                    pair::<4, 4, 10>(sums, &values, &mut second);
                    pair::<4, 6, 10>(sums, &values, &mut second);
                    pair::<4, 8, 10>(sums, &values, &mut third);
                    pair::<4, 10, 10>(sums, &values, &mut third);
                }
                if stride % 16 != 0 {
                    let values = load_each(&mut from);
                    pair::<4, 0, 10>(sums, &values, &mut first);
                    pair::<4, 4, 10>(sums, &values, &mut second);
                    pair::<4, 8, 10>(sums, &values, &mut third);
                }
                *weights = third;
            }
        }
    }
}

/// Any windows.
#[derive(Clone, Copy)]
struct Apart;

impl Walk for Apart {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, segments: &[Segment], x: usize, weights: &mut *const u8) {
        for segment in segments {
            // SAFETY: the caller's promise; at most 12 bytes behind the last step are loaded with it, which is what
            // `Segment` has slack for.
            unsafe {
                let mut from: [*const u8; 8] = each(segment.input.as_ptr().add(x * segment.stride), segment.stride);
                for _ in 0..segment.steps / 4 {
                    let values = load_each(&mut from);
                    pair::<4, 0, 8>(sums, &values, weights);
                    pair::<4, 2, 8>(sums, &values, weights);
                }
                match segment.steps % 4 {
                    0 => {}
                    1 => single::<4, 0, 8>(sums, &load_each(&mut from), weights),
                    2 => pair::<4, 0, 8>(sums, &load_each(&mut from), weights),
                    _ => {
                        let values = load_each(&mut from);
                        pair::<4, 0, 8>(sums, &values, weights);
                        single::<4, 2, 8>(sums, &values, weights);
                    }
                }
            }
        }
    }
}

/// Where `N` pixels are.
#[inline(always)]
fn each<const N: usize>(mut pixel: *const u8, stride: usize) -> [*const u8; N] {
    let mut places = [pixel; N];
    for place in &mut places {
        *place = pixel;
        pixel = pixel.wrapping_add(stride);
    }
    places
}

/// 16 bytes of each, which the places move behind.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn load_each<const N: usize>(from: &mut [*const u8; N]) -> [int8x16_t; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut values = [vdupq_n_s8(0); N];
        for i in 0..N {
            values[i] = load(&mut from[i]);
        }
        values
    }
}

/// `STEPS` steps (3, or an even number up to 12).
///
/// # Safety
/// The CPU has the extension, and the weights are there. So below.
#[inline(always)]
unsafe fn steps<const UNITS: usize, const STEPS: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: &mut *const u8,
) {
    const { assert!(STEPS == 3 || STEPS % 2 == 0 && STEPS <= 12) };
    // SAFETY: the caller's promise.
    unsafe {
        pair::<UNITS, 0, N>(sums, values, weights);
        if STEPS == 3 {
            single::<UNITS, 2, N>(sums, values, weights);
        }
        if STEPS >= 4 {
            pair::<UNITS, 2, N>(sums, values, weights);
        }
        if STEPS >= 6 {
            pair::<UNITS, 4, N>(sums, values, weights);
        }
        if STEPS >= 8 {
            pair::<UNITS, 6, N>(sums, values, weights);
        }
        if STEPS >= 10 {
            pair::<UNITS, 8, N>(sums, values, weights);
        }
        if STEPS >= 12 {
            pair::<UNITS, 10, N>(sums, values, weights);
        }
    }
}

/// Two steps: 64 bytes of weights.
#[inline(always)]
unsafe fn pair<const UNITS: usize, const STEP: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: &mut *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let [a, b, c, d] = load_4(weights);
        step::<UNITS, STEP, 0, N>(sums, values, [a, b]);
        step::<UNITS, STEP, 1, N>(sums, values, [c, d]);
    }
}

/// One step: 32 bytes of weights.
#[inline(always)]
unsafe fn single<const UNITS: usize, const STEP: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: &mut *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = load_2(weights);
        step::<UNITS, STEP, 0, N>(sums, values, weights);
    }
}

/// Step `STEP + MORE`, all pixels.
#[inline(always)]
unsafe fn step<const UNITS: usize, const STEP: usize, const MORE: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: [int8x16_t; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        pixel::<UNITS, STEP, MORE, 0, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 1, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 2, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 3, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 4, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 5, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 6, N>(sums, values, weights);
        pixel::<UNITS, STEP, MORE, 7, N>(sums, values, weights);
    }
}

/// Step `STEP + MORE` of pixel `P`, whose 4 bytes are in lane `unit % 4` of register `unit / 4`.
#[inline(always)]
unsafe fn pixel<const UNITS: usize, const STEP: usize, const MORE: usize, const P: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: [int8x16_t; 2],
) {
    let unit = UNITS * P + STEP + MORE;
    for c in 0..2 {
        let sum = &mut sums[2 * P + c];
        // SAFETY: the caller's promise.
        unsafe {
            match unit % 4 {
                0 => dot_lane::<0>(sum, weights[c], values[unit / 4]),
                1 => dot_lane::<1>(sum, weights[c], values[unit / 4]),
                2 => dot_lane::<2>(sum, weights[c], values[unit / 4]),
                _ => dot_lane::<3>(sum, weights[c], values[unit / 4]),
            }
        }
    }
}
