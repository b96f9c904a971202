//! What an edge needs of its input: a record per edge in the arena, unaligned like all of them.

use zerocopy::little_endian::{I32, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::shape::Affine;

/// Which rows of an input the rows of an output need: the appetite of one edge.
///
/// Output rows `first..=last` need the input rows from `min(from(first), no_later)` until before
/// `max(to(last) + 1, no_sooner)`, cut to the tensor.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Reach {
    mul: I32,
    from: I32,
    to: I32,
    div: I32,
    no_later: U32,
    no_sooner: U32,
}

impl Reach {
    /// Nothing: an edge that is read for its size only.
    pub(super) const NOTHING: Reach = Reach::new(Affine { mul: 0, add: i32::MAX as i64, div: 1 }, i32::MIN as i64);

    /// From `from` to the same map with `to` for its constant.
    pub(super) const fn new(from: Affine, to: i64) -> Reach {
        Reach {
            mul: I32::new(from.mul as i32),
            from: I32::new(from.add as i32),
            to: I32::new(to as i32),
            div: I32::new(from.div as i32),
            no_later: U32::new(u32::MAX),
            no_sooner: U32::new(0),
        }
    }

    /// Nothing, but not before there are the rows below which, enlarged by `up / down`, the output's lie.
    pub(super) const fn pace(up: u16, down: u16) -> Reach {
        Reach::new(Affine { mul: down as i64, add: i32::MAX as i64, div: up as i64 }, 0)
    }

    /// Row by row.
    pub(super) const fn same() -> Reach {
        Reach::new(Affine::UNIT, 0)
    }

    /// All of a tensor of `rows` rows, always.
    pub(super) const fn whole(rows: u32) -> Reach {
        Reach::new(Affine { mul: 0, add: 0, div: 1 }, rows as i64 - 1)
    }

    /// The same, but from row `no_later` at the latest, which is needed until the end, and never before there are
    /// `no_sooner` rows.
    pub(super) const fn mirrored(mut self, no_later: u32, no_sooner: u32) -> Reach {
        self.no_later = U32::new(no_later);
        self.no_sooner = U32::new(no_sooner);
        self
    }

    /// The first of `rows` input rows that output row `y` and all later ones need; `rows` if none.
    pub(super) fn start(&self, y: u32, rows: u32) -> u32 {
        let from = Affine { mul: self.mul.get().into(), add: self.from.get().into(), div: self.div.get().into() };
        from.floor(y).min(self.no_later.get().into()).clamp(0, rows.into()) as u32
    }

    /// One past the last of `rows` input rows that output row `y` and all earlier ones need.
    pub(super) fn end(&self, y: u32, rows: u32) -> u32 {
        let to = Affine { mul: self.mul.get().into(), add: self.to.get().into(), div: self.div.get().into() };
        (to.floor(y) + 1).max(self.no_sooner.get().into()).clamp(0, rows.into()) as u32
    }
}
