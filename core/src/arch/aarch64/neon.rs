//! What every AArch64 CPU has (Cortex-A53, A72): 16 products in two long multiplications, added up in pairs.
//!
//! The tile is 4 pixels by 4 channels. A register holds four partial sums of one pixel and one channel, which are added up at
//! the end. A step of the window is 16 bytes of every pixel, and of the weights of every channel: `smull` multiplies their
//! first halves to 16 bits, `smlal2` adds the products of their second halves, `sadalp` adds neighbours to the sums. Two
//! products fit 16 bits as long as no weight is −128; where one is, every product is added on its own. Of a last step that
//! is half empty, the second halves are left out.
//!
//! Rows are staged in planes of 16 or 8 channels, so that neighbouring pixels share registers of values ([`Near`]).

use core::arch::aarch64::*;
use core::ops::Range;

use super::instructions::{
    add_first, add_pairs, add_second, load, load_first_2, load_first_3, load_first_4, load_halves, load_last_2,
    load_other_2, load_other_3, load_weights, multiply_first, multiply_second,
};
use super::tile::{Sums, Tile, Walk, add_up, places, tiles, ways};
use super::{bytes, detected, flat, narrow};
use crate::arch::Isa;
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

impl Isa for Neon {
    const NAME: &'static str = "aarch64-neon";

    fn layout(self, outputs: usize) -> Option<Layout> {
        Some(if outputs <= narrow::MOST { narrow::LONG } else { LAYOUT })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` proves NEON; `check` saw to the lengths that the pointers rely on.
        unsafe {
            match row.layout {
                narrow::LONG => narrow::long(row, out),
                _ if row.extreme => conv::<true>(row, out),
                _ => conv::<false>(row, out),
            }
        }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe { flat::long_products(row, out) }
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        bytes::stage(from, to);
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
    let places = places(row.segments);
    let ways = ways(row.segments, &places, Way::new, Way::Apart(Apart(row.segments)));
    // SAFETY: the ways go through all segments, each in one that suits it.
    unsafe {
        match ways[..] {
            [Way::Four3(way)] => tiles::<Four, 1, _>(way, row, out),
            [Way::Eight1(way)] => tiles::<Four, 1, _>(way, row, out),
            [Way::Eight3(way)] => tiles::<Four, 1, _>(way, row, out),
            [Way::Sixteen1(way)] => tiles::<Four, 1, _>(way, row, out),
            [Way::Sixteen3(way)] => tiles::<Four, 1, _>(way, row, out),
            [Way::Apart(way)] => tiles::<Four, 1, _>(way, row, out),
            _ => tiles::<Four, 1, _>(Mixed::<EXTREME>(&ways), row, out),
        }
    }
}

/// A way through segments of one shape: one tap, or three, of so many channels, or any.
#[derive(Clone, Copy)]
enum Way<'a, const EXTREME: bool> {
    Four3(Near<'a, 4, 3, 4, EXTREME>),
    Eight1(Near<'a, 8, 1, 4, EXTREME>),
    Eight3(Near<'a, 8, 3, 6, EXTREME>),
    Sixteen1(Near<'a, 16, 1, 4, EXTREME>),
    Sixteen3(Near<'a, 16, 3, 6, EXTREME>),
    Apart(Apart<'a, EXTREME>),
}

impl<'a, const EXTREME: bool> Way<'a, EXTREME> {
    /// The way through these segments, whose planes have these places.
    fn new(segments: &'a [Segment<'a>], places: &'a [*const u8]) -> Way<'a, EXTREME> {
        match (segments[0].stride, segments[0].values) {
            (4, 12) => Way::Four3(Near(places)),
            (8, 8) => Way::Eight1(Near(places)),
            (8, 24) => Way::Eight3(Near(places)),
            (16, 16) => Way::Sixteen1(Near(places)),
            (16, 48) => Way::Sixteen3(Near(places)),
            _ => Way::Apart(Apart(segments)),
        }
    }
}

/// Several ways, one after the other.
#[derive(Clone, Copy)]
struct Mixed<'a, const EXTREME: bool>(&'a [Way<'a, EXTREME>]);

impl<const EXTREME: bool> Walk for Mixed<'_, EXTREME> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for way in self.0 {
            // SAFETY: the caller's promise.
            unsafe {
                match way {
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

/// Taps of `WIDTH` channels, 16, 8 or 4 (kernel rows of one channel), next to each other. Each of the `N` registers has the
/// 16 bytes from a pixel on.
#[derive(Clone, Copy)]
struct Near<'a, const WIDTH: usize, const TAPS: usize, const N: usize, const EXTREME: bool>(&'a [*const u8]);

impl<const WIDTH: usize, const TAPS: usize, const N: usize, const EXTREME: bool> Walk
    for Near<'_, WIDTH, TAPS, N, EXTREME>
{
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        // A kernel of three columns has three rows as a rule.
        let (threes, rest) = if TAPS == 3 && WIDTH >= 8 { self.0.as_chunks::<3>() } else { (&[][..], self.0) };
        // SAFETY: the caller's promise.
        unsafe {
            for places in threes {
                let [a, b, c] = places.map(|place| place.wrapping_add(x * WIDTH));
                if (WIDTH, TAPS) == (8, 3) {
                    three_rows::<EXTREME>(sums, [a, b, c], weights);
                } else {
                    Self::plane(sums, a, weights);
                    Self::plane(sums, b, weights);
                    Self::plane(sums, c, weights);
                }
            }
            for place in rest {
                Self::plane(sums, place.wrapping_add(x * WIDTH), weights);
            }
        }
    }
}

impl<const WIDTH: usize, const TAPS: usize, const N: usize, const EXTREME: bool> Near<'_, WIDTH, TAPS, N, EXTREME> {
    /// The taps in one plane.
    ///
    /// # Safety
    /// As [`step`]; the values are there. The registers end less than 16 bytes behind the last window.
    #[inline(always)]
    unsafe fn plane(sums: &mut Sums, place: *const u8, weights: &mut *const u8) {
        // SAFETY: the caller's promise.
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
            (8, 4) => {
                let (even, odd) = (load_first_2(&mut { from }), load_other_2(&mut from.add(8)));
                pixels.copy_from_slice(&[even[0], odd[0], even[1], odd[1]]);
            }
            (8, _) => {
                let (even, odd) = (load_first_3(&mut { from }), load_other_3(&mut from.add(8)));
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
