//! What every AArch64 CPU has (Cortex-A53, A72): 16 products in two long multiplications, added up in pairs.
//!
//! The tile is 4 pixels by 4 channels. A register holds four partial sums of one pixel and one channel, which are added up at
//! the end. A step of the window is 16 bytes of every pixel, and of the weights of every channel: `smull` multiplies their
//! first halves to 16 bits, `smlal2` adds the products of their second halves, `sadalp` adds neighbours to the sums. Two
//! products fit 16 bits as long as no weight is −128; where one is, every product is added on its own. Of a last step that
//! is half empty, the second halves are left out.
//!
//! Rows are staged in planes of 16 or 8 channels, so that neighbouring pixels share registers of values ([`Taps`]).

use core::arch::aarch64::*;

use super::instructions::{
    add_first, add_pairs, add_second, load, load_by_8, load_first_3, load_first_4, load_halves, load_last_2,
    load_other_3, load_weights, multiply_first, multiply_second,
};
use super::tile::{Sums, Tile, add_up};
use super::ways::{self, Each, Or, Places, Plane, Threes, Walk};
use super::{Vector128, detected, flat, narrow};
use crate::arch::job::{ConvRow, DepthwiseRow, Layout, Segment};

/// The proof that this CPU has NEON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neon(());

impl Neon {
    /// The proof, if this CPU has it.
    pub fn new() -> Option<Neon> {
        detected!("neon").then_some(Neon(()))
    }
}

impl Vector128 for Neon {
    const NAME: &'static str = "aarch64-neon";
    const LAYOUT: Layout = LAYOUT;
    const NARROW: Layout = narrow::LONG;

    unsafe fn conv(row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { if row.extreme { conv::<true>(row, out) } else { conv::<false>(row, out) } }
    }

    unsafe fn narrow(row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { narrow::long(row, out) }
    }

    unsafe fn depthwise(row: &DepthwiseRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { flat::long_products(row, out) }
    }
}

/// How values and weights lie.
const LAYOUT: Layout = Layout { value: 1, flip: 0, depth: 16, channels: 4, planes: &[16, 8], interleaved: 1 };

/// 4 pixels by 4 channels: register `4 · p + c` has partial sums of pixel p and channel c.
struct Four;

impl Tile<1> for Four {
    const LAYOUT: Layout = LAYOUT;
    const PIXELS: usize = 4;

    fn bias(at: usize) -> Option<usize> {
        at.is_multiple_of(4).then_some(at / 4)
    }

    fn scale(at: usize) -> usize {
        at % 4
    }

    #[inline(always)]
    fn whole(s: Sums) -> [[int32x4_t; 4]; 1] {
        [[
            add_up(s[0], s[1], s[2], s[3]),
            add_up(s[4], s[5], s[6], s[7]),
            add_up(s[8], s[9], s[10], s[11]),
            add_up(s[12], s[13], s[14], s[15]),
        ]]
    }
}

/// # Safety
/// The CPU has NEON; `ConvRow::check`; `EXTREME` if the row has a weight of −128.
unsafe fn conv<const EXTREME: bool>(row: &ConvRow, out: &mut [i8]) {
    // SAFETY: the caller's promise.
    unsafe { ways::conv::<Four, 1, Way<EXTREME>, _>(row, &mut Places::new(), Apart::<EXTREME>, out) }
}

/// One tap, or three, of 16 or 8 channels, or of four kernel rows of one.
type Way<'a, const EXTREME: bool> = Or<
    Or<Threes<'a, Taps<16, 3, 6, EXTREME>>, Threes<'a, Taps<8, 3, 6, EXTREME>>>,
    Or<Or<Each<'a, Taps<16, 1, 4, EXTREME>>, Each<'a, Taps<8, 1, 4, EXTREME>>>, Each<'a, Taps<4, 3, 4, EXTREME>>>,
>;

/// Taps of `WIDTH` channels, 16, 8 or 4 (kernel rows of one channel), next to each other. Each of the `N` registers has the
/// 16 bytes from a pixel on.
#[derive(Clone, Copy)]
struct Taps<const WIDTH: usize, const TAPS: usize, const N: usize, const EXTREME: bool>;

impl<const WIDTH: usize, const TAPS: usize, const N: usize, const EXTREME: bool> Plane
    for Taps<WIDTH, TAPS, N, EXTREME>
{
    const SHAPE: (usize, usize) = (WIDTH, TAPS * WIDTH);

    #[inline(always)]
    unsafe fn add(sums: &mut Sums, place: *const u8, weights: &mut *const u8) {
        // SAFETY: the caller's promise. The registers end less than 16 bytes behind the last window.
        unsafe {
            let v: [int8x16_t; N] = load_pixels::<WIDTH, N>(place);
            match (WIDTH, TAPS) {
                (8, 1) => step::<EXTREME, false>(sums, [v[0], v[1], v[2], v[3]], weights),
                (8, _) => {
                    // Two taps, and the third.
                    step::<EXTREME, true>(sums, [v[0], v[1], v[2], v[3]], weights);
                    step::<EXTREME, false>(sums, [v[2], v[3], v[N - 2], v[N - 1]], weights);
                }
                (16, 3) => {
                    step::<EXTREME, true>(sums, [v[0], v[1], v[2], v[3]], weights);
                    step::<EXTREME, true>(sums, [v[1], v[2], v[3], v[N - 2]], weights);
                    step::<EXTREME, true>(sums, [v[2], v[3], v[N - 2], v[N - 1]], weights);
                }
                _ => step::<EXTREME, true>(sums, [v[0], v[1], v[2], v[3]], weights),
            }
        }
    }

    #[inline(always)]
    unsafe fn add_three(sums: &mut Sums, [a, b, c]: [*const u8; 3], weights: &mut *const u8) {
        // SAFETY: the caller's promise.
        unsafe {
            if (WIDTH, TAPS) == (8, 3) {
                return three_rows::<EXTREME>(sums, [a, b, c], weights);
            }
            Self::add(sums, a, weights);
            Self::add(sums, b, weights);
            Self::add(sums, c, weights);
        }
    }
}

/// Three kernel rows of three taps of 8 channels: five steps, of which the last is half, as the third taps of the first
/// two rows go together.
///
/// # Safety
/// As [`step`]; the values are there.
#[inline(always)]
unsafe fn three_rows<const EXTREME: bool>(sums: &mut Sums, [a, b, c]: [*const u8; 3], weights: &mut *const u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let v: [int8x16_t; 4] = load_pixels::<8, 4>(a);
        step::<EXTREME, true>(sums, v, weights);
        let third = *weights;
        *weights = weights.add(64);
        let v: [int8x16_t; 4] = load_pixels::<8, 4>(b);
        step::<EXTREME, true>(sums, v, weights);
        let both = [load_weights(&mut { third }), load_first_4(weights)];
        // Two pixels at a time, as there are not registers for more.
        two_halves::<EXTREME, 0>(sums, load_halves::<16>(a), load_halves::<16>(b), both);
        two_halves::<EXTREME, 2>(sums, load_halves::<32>(a), load_halves::<32>(b), both);
        let v: [int8x16_t; 6] = load_pixels::<8, 6>(c);
        step::<EXTREME, true>(sums, [v[0], v[1], v[2], v[3]], weights);
        step::<EXTREME, false>(sums, [v[2], v[3], v[4], v[5]], weights);
    }
}

/// The first halves of two steps, for pixels `P` and `P + 1`.
///
/// # Safety
/// As [`step`].
#[inline(always)]
unsafe fn two_halves<const EXTREME: bool, const P: usize>(
    sums: &mut Sums,
    a: [int8x16_t; 2],
    b: [int8x16_t; 2],
    [u, v]: [[int8x16_t; 4]; 2],
) {
    for c in 0..4 {
        // SAFETY: the caller's promise.
        unsafe {
            let mut products = [multiply_first(a[0], u[c]), multiply_first(a[1], u[c])];
            if EXTREME {
                add_pairs(&mut sums[4 * P + c], products[0]);
                add_pairs(&mut sums[4 * P + 4 + c], products[1]);
                products = [multiply_first(b[0], v[c]), multiply_first(b[1], v[c])];
            } else {
                add_first(&mut products[0], b[0], v[c]);
                add_first(&mut products[1], b[1], v[c]);
            }
            add_pairs(&mut sums[4 * P + c], products[0]);
            add_pairs(&mut sums[4 * P + 4 + c], products[1]);
        }
    }
}

/// The 16 bytes from each of `N` pixels on, 4 or 6.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn load_pixels<const WIDTH: usize, const N: usize>(mut from: *const u8) -> [int8x16_t; N] {
    const { assert!(N == 4 || N == 6) };
    // SAFETY: the caller's promise.
    unsafe {
        let mut pixels = [vdupq_n_s8(0); N];
        match (WIDTH, N) {
            (16, _) => {
                pixels[..4].copy_from_slice(&load_first_4(&mut from));
                if N == 6 {
                    pixels[4..].copy_from_slice(&load_last_2(&mut from));
                }
            }
            (8, 4) => pixels.copy_from_slice(&load_by_8(from)),
            (8, _) => {
                let odd = load_other_3(&mut from.add(8));
                let even = load_first_3(&mut from);
                pixels.copy_from_slice(&[even[0], odd[0], even[1], odd[1], even[2], odd[2]]);
            }
            _ => {
                for pixel in 0..4 {
                    pixels[pixel] = vld1q_s8(from.add(WIDTH * pixel).cast());
                }
            }
        }
        pixels
    }
}

/// Any windows.
#[derive(Clone, Copy)]
struct Apart<'a, const EXTREME: bool>(&'a [Segment<'a>]);

impl<const EXTREME: bool> Walk for Apart<'_, EXTREME> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for segment in self.0 {
            let stride = segment.stride;
            let mut plane = segment.input.as_ptr().wrapping_add(x * stride);
            let half = (1..=8).contains(&(segment.values % 16));
            for _ in 0..segment.planes {
                let mut from = [0, 1, 2, 3].map(|pixel| plane.wrapping_add(pixel * stride));
                plane = plane.wrapping_add(segment.pitch);
                // SAFETY: the caller's promise; half a step is loaded whole, which `Segment` has slack for.
                unsafe {
                    for _ in 0..segment.steps - usize::from(half) {
                        step::<EXTREME, true>(sums, load_each(&mut from), weights);
                    }
                    if half {
                        step::<EXTREME, false>(sums, load_each(&mut from), weights);
                    }
                }
            }
        }
    }
}

/// 16 bytes of each, which the places move behind.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn load_each(from: &mut [*const u8; 4]) -> [int8x16_t; 4] {
    // SAFETY: the caller's promise.
    unsafe { [load(&mut from[0]), load(&mut from[1]), load(&mut from[2]), load(&mut from[3])] }
}

/// A step of all pixels and channels: 64 bytes of weights. If not `WHOLE`, the second halves are of nothing.
///
/// # Safety
/// The CPU has NEON, and the weights are there; `EXTREME` if one is −128.
#[inline(always)]
unsafe fn step<const EXTREME: bool, const WHOLE: bool>(
    sums: &mut Sums,
    values: [int8x16_t; 4],
    weights: &mut *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = load_weights(weights);
        for c in 0..4 {
            // Four at a time, as each waits for the one before.
            let mut products = [vdupq_n_s16(0); 4];
            for p in 0..4 {
                products[p] = multiply_first(values[p], weights[c]);
            }
            if WHOLE && !EXTREME {
                for p in 0..4 {
                    add_second(&mut products[p], values[p], weights[c]);
                }
            }
            for p in 0..4 {
                add_pairs(&mut sums[4 * p + c], products[p]);
            }
            if WHOLE && EXTREME {
                for p in 0..4 {
                    products[p] = multiply_second(values[p], weights[c]);
                }
                for p in 0..4 {
                    add_pairs(&mut sums[4 * p + c], products[p]);
                }
            }
        }
    }
}
