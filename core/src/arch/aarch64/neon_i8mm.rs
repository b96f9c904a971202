//! The matrix extension (Cortex-A510, A710, X2 and later; Neoverse V1 and N2): `smmla` multiplies two rows of 8 bytes with
//! two others.
//!
//! The tile is 8 pixels by 8 channels. A register holds the sums of two neighbouring pixels and two channels; a step of the
//! window, 8 bytes of every pixel, takes four registers of weights and 16 `smmla`. Rows are staged in planes of 8 channels:
//! so the 16 bytes from any pixel on are those of this one and the next.
//!
//! Very few output channels and depthwise convolutions are done with dot products.

use core::arch::aarch64::*;

use super::instructions::{load, load_first_4, load_next_4, load_weights, matrix};
use super::tile::{Sums, Tile};
use super::ways::{self, Each, Or, Places, Plane, Threes, Walk};
use super::{Vector128, detected, flat, narrow};
use crate::arch::job::{ConvRow, DepthwiseRow, Layout, Segment};

/// The proof that this CPU has the matrix extension, and that for dot products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeonI8mm(());

impl NeonI8mm {
    /// The proof, if this CPU has them.
    pub fn new() -> Option<NeonI8mm> {
        detected!("neon", "dotprod", "i8mm").then_some(NeonI8mm(()))
    }
}

impl Vector128 for NeonI8mm {
    const NAME: &'static str = "aarch64-neon-i8mm";
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
const LAYOUT: Layout = Layout { value: 1, flip: 0, depth: 8, channels: 8, planes: &[8], interleaved: 1 };

/// 8 pixels by 8 channels: register `4 · i + j` has the sums of pixels 2 · i and 2 · i + 1, and of channels 2 · j and 2 · j + 1 for
/// each.
struct Pairs;

impl Pairs {
    /// The channel of lane `at` of four registers.
    fn channel(at: usize) -> usize {
        2 * (at / 4) + at % 2
    }
}

impl Tile<4> for Pairs {
    const LAYOUT: Layout = LAYOUT;
    const PIXELS: usize = 8;

    fn bias(at: usize) -> Option<usize> {
        Some(Pairs::channel(at))
    }

    fn scale(at: usize) -> usize {
        Pairs::channel(at)
    }

    #[inline(always)]
    fn whole(s: Sums) -> [[int32x4_t; 4]; 4] {
        [[s[0], s[1], s[2], s[3]], [s[4], s[5], s[6], s[7]], [s[8], s[9], s[10], s[11]], [s[12], s[13], s[14], s[15]]]
    }

    #[inline(always)]
    fn ordered(values: int8x16_t) -> int8x16_t {
        // Two channels of one pixel, two of the other, and so on: the first pixel's come first.
        const ORDER: [u8; 16] = [0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15];
        // SAFETY: every AArch64 CPU has NEON.
        unsafe { vqtbl1q_s8(values, vld1q_u8(ORDER.as_ptr())) }
    }
}

/// # Safety
/// The CPU has the extension; `ConvRow::check`.
#[target_feature(enable = "i8mm")]
unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
    // SAFETY: the caller's promise.
    unsafe { ways::conv::<Pairs, 4, Way, _>(row, &mut Places::new(), Apart, out) }
}

/// One tap, or three.
type Way<'a> = Or<Threes<'a, Taps<3>>, Each<'a, Taps<1>>>;

/// One tap, or three, of 8 channels, next to each other.
#[derive(Clone, Copy)]
struct Taps<const TAPS: usize>;

impl<const TAPS: usize> Plane for Taps<TAPS> {
    const SHAPE: (usize, usize) = (8, 8 * TAPS);

    #[inline(always)]
    unsafe fn add(sums: &mut Sums, mut place: *const u8, weights: &mut *const u8) {
        const { assert!(TAPS == 1 || TAPS == 3) };
        // SAFETY: the caller's promise; what is loaded ends 8 bytes behind the last window.
        unsafe {
            if TAPS == 1 {
                return step(sums, load_first_4(&mut place), weights);
            }
            // The pairs that start with even pixels, and with odd ones.
            let [second, fourth, sixth, eighth] = load_next_4(&mut place.wrapping_add(8));
            let [first, third, fifth, seventh] = load_first_4(&mut place);
            let ninth = load(&mut place);
            step(sums, [first, third, fifth, seventh], weights);
            step(sums, [second, fourth, sixth, eighth], weights);
            step(sums, [third, fifth, seventh, ninth], weights);
        }
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
                let mut from = [0, 1, 2, 3, 4, 5, 6, 7].map(|pixel| plane.wrapping_add(pixel * segment.stride));
                plane = plane.wrapping_add(segment.pitch);
                // SAFETY: the caller's promise; a last step is loaded with 8 bytes behind it, which `Segment` has slack for.
                unsafe {
                    for _ in 0..segment.steps / 2 {
                        let [first, second] = load_pairs(&mut from);
                        step(sums, first, weights);
                        step(sums, second, weights);
                    }
                    if segment.steps % 2 == 1 {
                        step(sums, load_pairs(&mut from)[0], weights);
                    }
                }
            }
        }
    }
}

/// 16 bytes of every pixel, which the places move behind: the first 8 of every two, and the second 8.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn load_pairs(from: &mut [*const u8; 8]) -> [[int8x16_t; 4]; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut pairs = [[vdupq_n_s8(0); 4]; 2];
        for i in 0..4 {
            let (a, b) = (load(&mut from[2 * i]), load(&mut from[2 * i + 1]));
            let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
            pairs[0][i] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
            pairs[1][i] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
        }
        pairs
    }
}

/// A step of all pixels and channels: 64 bytes of weights.
///
/// # Safety
/// The CPU has the extension, and the weights are there.
#[inline(always)]
unsafe fn step(sums: &mut Sums, pairs: [int8x16_t; 4], weights: &mut *const u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = load_weights(weights);
        for i in 0..4 {
            for j in 0..4 {
                matrix(&mut sums[4 * i + j], pairs[i], weights[j]);
            }
        }
    }
}
