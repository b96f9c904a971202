//! Ways through the window of a convolution.
//!
//! A window is planes of values, one after the other ([`Segment`]). A way is made for planes of one shape, in which
//! neighbouring pixels share values ([`Plane`]); or for any, pixel by pixel, which every instruction set has one of. A row
//! is walked in one way, or, where its planes are of several shapes, in several.

use core::marker::PhantomData;
use core::ops::Range;

use heapless::Vec;

use super::tile::{Sums, Tile, tiles};
use crate::arch::job::{ConvRow, Segment};

/// A way through a window, or through a part of it.
pub(super) trait Walk: Copy {
    /// Adds what it gives the pixels from `x` on.
    ///
    /// # Safety
    /// The CPU has the instructions; the pixels are below the row's number rounded up to a tile; `weights` are those of
    /// this way, for one block. They move behind the last.
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8);

    /// Makes a row whose window it goes through.
    ///
    /// # Safety
    /// As [`conv`].
    #[inline(always)]
    unsafe fn row<T: Tile<N>, const N: usize>(self, row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe { tiles::<T, N, Self>(self, row, out) }
    }
}

/// A way that suits planes of some shape.
pub(super) trait Suits<'a>: Walk {
    /// The way through planes of this shape, which start at these places, if it suits them.
    fn through(shape: Shape, places: &'a [*const u8]) -> Option<Self>;
}

/// Bytes from a pixel of a plane to the next, and values of its part of the window.
type Shape = (usize, usize);

/// Planes of one shape: one tap, or more, of some channels, next to each other.
pub(super) trait Plane: Copy {
    const SHAPE: Shape;

    /// Adds what the plane gives the pixels from the one at `place` on.
    ///
    /// # Safety
    /// As [`Walk::walk`].
    unsafe fn add(sums: &mut Sums, place: *const u8, weights: &mut *const u8);

    /// The same for three planes.
    ///
    /// # Safety
    /// As [`Walk::walk`].
    #[inline(always)]
    unsafe fn add_three(sums: &mut Sums, [a, b, c]: [*const u8; 3], weights: &mut *const u8) {
        // SAFETY: the caller's promise.
        unsafe {
            Self::add(sums, a, weights);
            Self::add(sums, b, weights);
            Self::add(sums, c, weights);
        }
    }
}

/// Does something with each. As there is one at least, nobody need ask, once a tile, whether there are any.
///
/// # Safety
/// There is one at least.
#[inline(always)]
unsafe fn for_each<T: Copy>(items: &[T], mut work: impl FnMut(T)) {
    let Range { start: mut item, end } = items.as_ptr_range();
    loop {
        // SAFETY: an item is there as long as this is not their end.
        unsafe {
            work(*item);
            item = item.add(1);
        }
        if item == end {
            return;
        }
    }
}

/// Planes, one at a time, at least one.
#[derive(Clone, Copy)]
pub(super) struct Each<'a, P>(&'a [*const u8], PhantomData<P>);

impl<P: Plane> Walk for Each<'_, P> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        // SAFETY: the caller's promise; there is a place.
        unsafe {
            for_each(
                self.0,
                #[inline(always)]
                |place| P::add(sums, place.wrapping_add(x * P::SHAPE.0), weights),
            );
        }
    }
}

impl<'a, P: Plane> Suits<'a> for Each<'a, P> {
    fn through(shape: Shape, places: &'a [*const u8]) -> Option<Self> {
        (shape == P::SHAPE && !places.is_empty()).then_some(Each(places, PhantomData))
    }
}

/// Planes, three at a time, at least three: a kernel of three columns has three rows as a rule.
#[derive(Clone, Copy)]
pub(super) struct Threes<'a, P>(&'a [[*const u8; 3]], PhantomData<P>);

impl<P: Plane> Walk for Threes<'_, P> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        // SAFETY: the caller's promise; there are places.
        unsafe {
            for_each(
                self.0,
                #[inline(always)]
                |[a, b, c]| {
                    let at = x * P::SHAPE.0;
                    P::add_three(sums, [a.wrapping_add(at), b.wrapping_add(at), c.wrapping_add(at)], weights);
                },
            );
        }
    }
}

impl<'a, P: Plane> Suits<'a> for Threes<'a, P> {
    fn through(shape: Shape, places: &'a [*const u8]) -> Option<Self> {
        match places.as_chunks() {
            (threes @ [_, ..], []) if shape == P::SHAPE => Some(Threes(threes, PhantomData)),
            _ => None,
        }
    }
}

/// One way or the other.
#[derive(Clone, Copy)]
pub(super) enum Or<A, B> {
    This(A),
    That(B),
}

impl<A: Walk, B: Walk> Walk for Or<A, B> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Or::This(way) => way.walk(sums, x, weights),
                Or::That(way) => way.walk(sums, x, weights),
            }
        }
    }

    #[inline(always)]
    unsafe fn row<T: Tile<N>, const N: usize>(self, row: &ConvRow, out: &mut [i8]) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Or::This(way) => way.row::<T, N>(row, out),
                Or::That(way) => way.row::<T, N>(row, out),
            }
        }
    }
}

impl<'a, A: Suits<'a>, B: Suits<'a>> Suits<'a> for Or<A, B> {
    #[inline(always)]
    fn through(shape: Shape, places: &'a [*const u8]) -> Option<Or<A, B>> {
        match A::through(shape, places) {
            Some(way) => Some(Or::This(way)),
            None => B::through(shape, places).map(Or::That),
        }
    }
}

/// Several ways, one after the other.
#[derive(Clone, Copy)]
struct All<'a, W>(&'a [W]);

impl<W: Walk> Walk for All<'_, W> {
    #[inline(always)]
    unsafe fn walk(self, sums: &mut Sums, x: usize, weights: &mut *const u8) {
        for way in self.0 {
            // SAFETY: the caller's promise.
            unsafe { way.walk(sums, x, weights) };
        }
    }
}

/// Most planes of which the places are listed.
const MAX_PLACES: usize = 256;
/// Most runs of equal segments that are walked each in its own way.
const MAX_RUNS: usize = 8;

/// Where the planes of a row's window start, segment by segment; what the row's first pixel has there.
pub(super) type Places = Vec<*const u8, MAX_PLACES>;

/// A row, each run of segments of one shape in the way `W` that suits it, or `apart` where none does.
///
/// # Safety
/// The CPU has the instructions of all ways; `ConvRow::check`.
#[inline(always)]
pub(super) unsafe fn conv<'a, T: Tile<N>, const N: usize, W: Suits<'a>, A: Walk>(
    row: &ConvRow<'a>,
    places: &'a mut Places,
    apart: fn(&'a [Segment<'a>]) -> A,
    out: &mut [i8],
) {
    let runs = row.segments.chunk_by(|a, b| shape(a) == shape(b));
    let count = list(row.segments, places).map_or(0, |()| runs.clone().count());
    let mut rest = &places[..];
    let mut way = |run: &'a [Segment<'a>]| {
        let (places, behind) = rest.split_at(run.iter().map(|segment| segment.planes).sum());
        rest = behind;
        W::through(shape(&run[0]), places).map_or_else(|| Or::That(apart(run)), Or::This)
    };
    // SAFETY: the ways go through all segments, each in one that suits it.
    unsafe {
        if (2..=MAX_RUNS).contains(&count) {
            let ways: Vec<Or<W, A>, MAX_RUNS> = runs.map(way).collect();
            return tiles::<T, N, _>(All(&ways), row, out);
        }
        let only = if count == 1 { way(row.segments) } else { Or::That(apart(row.segments)) };
        only.row::<T, N>(row, out);
    }
}

/// What planes of a segment are like.
fn shape(segment: &Segment) -> Shape {
    (segment.stride, segment.values)
}

/// Lists where the planes of a window start; `None` if there are too many.
fn list(segments: &[Segment], places: &mut Places) -> Option<()> {
    for segment in segments {
        for plane in 0..segment.planes {
            places.push(segment.input.as_ptr().wrapping_add(plane * segment.pitch)).ok()?;
        }
    }
    Some(())
}
