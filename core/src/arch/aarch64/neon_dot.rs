//! The dot product extension (Cortex-A55, A75, A76 and later): `sdot` multiplies 16 pairs of bytes and adds them up by
//! fours.
//!
//! The tile is 8 pixels by 8 channels. A register holds the sums of one pixel and four channels; a step of the window, 4
//! bytes of every pixel, takes two registers of weights and 16 `sdot`, each of which picks the 4 bytes of its pixel out of
//! a register of values. Rows are staged in planes of 16, 8 or 4 channels, so the windows of neighbouring pixels overlap,
//! and the values of all eight fit a few registers:
//!
//! | channels of a plane | registers of values, and `sdot`, for one tap | for three taps of a kernel row |
//! | --- | --- | --- |
//! | 16 | 8, 64 | 10, 192 |
//! | 8 | 4, 32 | 5, 96 |
//! | 4, or four kernel rows of one channel | 2, 16 | 3, 48 |
//!
//! All other windows ([`Apart`]) load 16 bytes of every pixel at a time.

use core::arch::aarch64::*;

use super::instructions::{
    dot_lane, load, load_first_2, load_first_3, load_first_4, load_half_weights, load_last_2, load_next_4, load_weights,
};
use super::tile::{Sums, Tile};
use super::ways::{self, Each, Or, Places, Plane, Threes, Walk};
use super::{Vector128, detected, flat, narrow};
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

impl Vector128 for NeonDot {
    const NAME: &'static str = "aarch64-neon-dot";
    const LAYOUT: Layout = LAYOUT;
    const NARROW: Layout = narrow::DOTS;

    unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { conv(row, out) }
    }

    unsafe fn narrow(row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { narrow::dots(row, out) }
    }

    unsafe fn depthwise(row: &DepthwiseRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { flat::dot_products(row, out) }
    }
}

/// How values and weights lie.
const LAYOUT: Layout = Layout { value: 1, flip: 0, depth: 4, channels: 8, planes: &[16, 8, 4], interleaved: 1 };

/// 8 pixels by 8 channels: register `2 · p + c` has the sums of pixel p and channels 4 · c to 4 · c + 3.
struct Eight;

impl Tile<4> for Eight {
    const LAYOUT: Layout = LAYOUT;
    const PIXELS: usize = 8;

    fn bias(at: usize) -> Option<usize> {
        Some(at % 8)
    }

    fn scale(at: usize) -> usize {
        at % 8
    }

    #[inline(always)]
    fn whole(s: Sums) -> [[int32x4_t; 4]; 4] {
        [[s[0], s[1], s[2], s[3]], [s[4], s[5], s[6], s[7]], [s[8], s[9], s[10], s[11]], [s[12], s[13], s[14], s[15]]]
    }
}

/// # Safety
/// The CPU has the extension; `ConvRow::check`.
#[target_feature(enable = "dotprod")]
unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
    // SAFETY: the caller's promise.
    unsafe { ways::conv::<Eight, 4, Way, _>(row, &mut Places::new(), Apart, out) }
}

/// One tap, or three, of 16, 8 or 4 channels, or of four kernel rows of one.
type Way<'a> = Or<
    Or<Threes<'a, Taps<4, 12, 10>>, Threes<'a, Taps<2, 6, 5>>>,
    Or<Or<Each<'a, Taps<4, 4, 8>>, Each<'a, Taps<2, 2, 4>>>, Or<Each<'a, Taps<1, 3, 3>>, Each<'a, Taps<1, 1, 2>>>>,
>;

/// Windows of `STEPS` steps, `UNITS` of 4 bytes apart; those of all pixels fit `N` registers.
#[derive(Clone, Copy)]
struct Taps<const UNITS: usize, const STEPS: usize, const N: usize>;

impl<const UNITS: usize, const STEPS: usize, const N: usize> Plane for Taps<UNITS, STEPS, N> {
    const SHAPE: (usize, usize) = (4 * UNITS, 4 * STEPS);

    #[inline(always)]
    unsafe fn add(sums: &mut Sums, place: *const u8, weights: &mut *const u8) {
        // SAFETY: the caller's promise; N registers end less than 16 bytes behind the last window.
        unsafe { steps::<UNITS, STEPS, N>(sums, &load_values(place), weights) };
    }
}

/// `N` registers of consecutive values.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn load_values<const N: usize>(mut from: *const u8) -> [int8x16_t; N] {
    const { assert!(N == 2 || N == 3 || N == 4 || N == 5 || N == 8 || N == 10) };
    // SAFETY: the caller's promise.
    unsafe {
        let mut values = [vdupq_n_s8(0); N];
        match N {
            2 => values[..2].copy_from_slice(&load_first_2(&mut from)),
            3 => values[..3].copy_from_slice(&load_first_3(&mut from)),
            _ => values[..4].copy_from_slice(&load_first_4(&mut from)),
        }
        if N == 5 {
            values[4] = load(&mut from);
        }
        if N >= 8 {
            values[4..8].copy_from_slice(&load_next_4(&mut from));
        }
        if N == 10 {
            values[8..].copy_from_slice(&load_last_2(&mut from));
        }
        values
    }
}

/// Any windows.
#[derive(Clone, Copy)]
struct Apart<'a>(&'a [Segment<'a>]);

impl Walk for Apart<'_> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for segment in self.0 {
            let mut plane = segment.input.as_ptr().wrapping_add(x * segment.stride);
            for _ in 0..segment.planes {
                let mut from: [*const u8; 8] = each(plane, segment.stride);
                plane = plane.wrapping_add(segment.pitch);
                // SAFETY: the caller's promise; at most 12 bytes behind the last step are loaded with it, which is what
                // `Segment` has slack for.
                unsafe {
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

/// `STEPS` steps (1, 3, or an even number up to 12).
///
/// # Safety
/// The CPU has the extension, and the weights are there. So below.
#[inline(always)]
unsafe fn steps<const UNITS: usize, const STEPS: usize, const N: usize>(
    sums: &mut Sums,
    values: &[int8x16_t; N],
    weights: &mut *const u8,
) {
    const { assert!(STEPS == 1 || STEPS == 3 || STEPS.is_multiple_of(2) && STEPS <= 12) };
    // SAFETY: the caller's promise.
    unsafe {
        if STEPS == 1 {
            return single::<UNITS, 0, N>(sums, values, weights);
        }
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
        let [a, b, c, d] = load_weights(weights);
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
        let weights = load_half_weights(weights);
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
