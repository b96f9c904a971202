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
use core::ops::Range;

use super::instructions::{
    dot_lane, load, load_first_2, load_first_3, load_first_4, load_half_weights, load_last_2, load_next_4, load_weights,
};
use super::tile::{Sums, Tile, Walk, places, tiles, ways};
use super::{bytes, detected, flat, narrow};
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

    fn layout(self, outputs: usize) -> Option<Layout> {
        Some(if outputs <= narrow::MOST { narrow::DOTS } else { LAYOUT })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` proves the feature; `check` saw to the lengths that the pointers rely on.
        unsafe { if row.layout == narrow::DOTS { narrow::dots(row, out) } else { conv(row, out) } }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe { flat::dot_products(row, out) }
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        to.copy_from_slice(zerocopy::IntoBytes::as_bytes(from));
    }

    fn stage_plane(self, from: &[i8], channels: usize, plane: Range<usize>, to: &mut [u8]) {
        bytes::stage_plane(from, channels, plane, to);
    }

    fn interleave(self, rows: [&[i8]; 4], _: u8, to: &mut [u8]) {
        bytes::interleave(rows, to);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        bytes::look_up(table, from, out);
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
    let places = places(row.segments);
    let ways = ways(row.segments, &places, Way::new, Way::Apart(Apart(row.segments)));
    // SAFETY: the ways go through all segments, each in one that suits it.
    unsafe {
        match ways[..] {
            [Way::Four1(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Four3(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Eight1(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Eight3(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Sixteen1(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Sixteen3(way)] => tiles::<Eight, 4, _>(way, row, out),
            [Way::Apart(way)] => tiles::<Eight, 4, _>(way, row, out),
            _ => tiles::<Eight, 4, _>(Mixed(&ways), row, out),
        }
    }
}

/// A way through segments of one shape: one tap, or three, of so many bytes, or any.
#[derive(Clone, Copy)]
enum Way<'a> {
    Four1(Near<'a, 1, 1, 2>),
    Four3(Near<'a, 1, 3, 3>),
    Eight1(Near<'a, 2, 2, 4>),
    Eight3(Near<'a, 2, 6, 5>),
    Sixteen1(Near<'a, 4, 4, 8>),
    Sixteen3(Near<'a, 4, 12, 10>),
    Apart(Apart<'a>),
}

impl<'a> Way<'a> {
    /// The way through these segments, whose planes have these places.
    fn new(segments: &'a [Segment<'a>], places: &'a [*const u8]) -> Way<'a> {
        match (segments[0].stride, segments[0].steps) {
            (4, 1) => Way::Four1(Near(places)),
            (4, 3) => Way::Four3(Near(places)),
            (8, 2) => Way::Eight1(Near(places)),
            (8, 6) => Way::Eight3(Near(places)),
            (16, 4) => Way::Sixteen1(Near(places)),
            (16, 12) => Way::Sixteen3(Near(places)),
            _ => Way::Apart(Apart(segments)),
        }
    }
}

/// Several ways, one after the other.
#[derive(Clone, Copy)]
struct Mixed<'a>(&'a [Way<'a>]);

impl Walk for Mixed<'_> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for way in self.0 {
            // SAFETY: the caller's promise.
            unsafe {
                match way {
                    Way::Four1(way) => way.walk(sums, x, weights),
                    Way::Four3(way) => way.walk(sums, x, weights),
                    Way::Eight1(way) => way.walk(sums, x, weights),
                    Way::Eight3(way) => way.walk(sums, x, weights),
                    Way::Sixteen1(way) => way.walk(sums, x, weights),
                    Way::Sixteen3(way) => way.walk(sums, x, weights),
                    Way::Apart(way) => way.walk(sums, x, weights),
                }
            }
        }
    }
}

/// Windows of `STEPS` steps, `UNITS` of 4 bytes apart; those of all pixels fit `N` registers.
#[derive(Clone, Copy)]
struct Near<'a, const UNITS: usize, const STEPS: usize, const N: usize>(&'a [*const u8]);

impl<const UNITS: usize, const STEPS: usize, const N: usize> Walk for Near<'_, UNITS, STEPS, N> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for place in self.0 {
            let place = place.wrapping_add(x * 4 * UNITS);
            // SAFETY: the caller's promise; N registers end less than 16 bytes behind the last window.
            unsafe { steps::<UNITS, STEPS, N>(sums, &load_values(place), weights) };
        }
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
