//! The rings: where the rows of every tensor lie, and how one ring is written while others are read.
//!
//! Rings lie in one bank of memory or in two, each ring whole in one of them. An offset counts through the first bank, and
//! goes on in the second. Operators read rows through [`Inputs`]; an operator never reads the tensor that it writes.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::shape::Size;

/// A tensor, resolved for one frame: a record at the start of the arena, as a plan says how many there are and core has
/// no heap to put them in. Every field is unaligned, so an arena may start anywhere.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct TensorState {
    pub rows: U32,
    pub width: U32,
    pub channels: U32,
    /// Rows of the ring, never more than the tensor's.
    pub ring: U32,
    /// First byte of the ring among all rings.
    pub offset: U32,
    /// Rows made so far.
    pub produced: U32,
}

impl TensorState {
    pub fn size(&self) -> Size {
        Size { rows: self.rows.get(), width: self.width.get() }
    }

    /// Bytes in a row.
    pub fn stride(&self) -> usize {
        self.width.get() as usize * self.channels.get() as usize
    }

    /// Where row `y` lies in the ring, in rows.
    pub fn slot(&self, y: u32) -> usize {
        (y % self.ring.get()) as usize
    }

    /// First byte of row `y` among all rings.
    pub fn at(&self, y: u32) -> usize {
        self.offset.get() as usize + self.slot(y) * self.stride()
    }

    /// Bytes of the ring.
    pub fn len(&self) -> usize {
        self.ring.get() as usize * self.stride()
    }
}

/// The memory of all rings.
pub struct Rings<'a> {
    first: &'a mut [i8],
    second: &'a mut [i8],
}

impl<'a> Rings<'a> {
    pub fn new(first: &'a mut [i8], second: &'a mut [i8]) -> Rings<'a> {
        Rings { first, second }
    }

    /// Bytes of both banks.
    pub fn lens(&self) -> [usize; 2] {
        [self.first.len(), self.second.len()]
    }

    /// `len` values from offset `at` on.
    pub fn get(&self, at: usize, len: usize) -> Option<&[i8]> {
        match at.checked_sub(self.first.len()) {
            Some(at) => self.second.get(at..at.checked_add(len)?),
            None => self.first.get(at..at.checked_add(len)?),
        }
    }

    /// The same, to be written.
    pub fn get_mut(&mut self, at: usize, len: usize) -> Option<&mut [i8]> {
        match at.checked_sub(self.first.len()) {
            Some(at) => self.second.get_mut(at..at.checked_add(len)?),
            None => self.first.get_mut(at..at.checked_add(len)?),
        }
    }

    /// Copies a row of `len` values to another within a ring.
    pub fn copy(&mut self, from: usize, to: usize, len: usize) {
        if from == to {
            return;
        }
        let start = from.min(to);
        let Some(both) = self.get_mut(start, from.max(to) + len - start) else { return };
        let (first, last) = both.split_at_mut(both.len() - len);
        if from < to { last.copy_from_slice(&first[..len]) } else { first[..len].copy_from_slice(last) }
    }

    /// The ring of tensor `index`, to be written, and all others, to be read.
    pub fn split<'s>(&'s mut self, tensors: &'s [TensorState], index: usize) -> Option<(Inputs<'s>, &'s mut [i8])> {
        let tensor = tensors.get(index)?;
        let (offset, len, cut) = (tensor.offset.get() as usize, tensor.len(), self.first.len());
        let (bank, start, other) = match offset.checked_sub(cut) {
            Some(_) => (&mut *self.second, cut, Piece { start: 0, values: self.first }),
            None => (&mut *self.first, 0, Piece { start: cut, values: self.second }),
        };
        let (before, rest) = bank.split_at_mut_checked(offset - start)?;
        let (ring, after) = rest.split_at_mut_checked(len)?;
        let before = Piece { start, values: before };
        let after = Piece { start: offset + len, values: after };
        Some((Inputs { tensors, pieces: [before, after, other] }, ring))
    }
}

/// Neighbouring rings.
#[derive(Clone, Copy)]
struct Piece<'a> {
    /// Where they start among all rings.
    start: usize,
    values: &'a [i8],
}

/// All rings but the one that is being written.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub tensors: &'a [TensorState],
    pieces: [Piece<'a>; 3],
}

impl<'a> Inputs<'a> {
    /// Row `y` of tensor `index`: `width · channels` values.
    pub fn row(&self, index: usize, y: u32) -> &'a [i8] {
        let Some(tensor) = self.tensors.get(index) else { return &[] };
        let (at, stride) = (tensor.at(y), tensor.stride());
        let within = |piece: &Piece<'a>| {
            let at = at.checked_sub(piece.start)?;
            piece.values.get(at..at + stride)
        };
        self.pieces.iter().find_map(within).unwrap_or(&[])
    }
}
