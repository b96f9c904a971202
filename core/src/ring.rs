//! The rings: where the rows of every tensor lie, all in one slice, and how one ring is written while others are read.
//!
//! Operators read rows through [`Inputs`]; an operator never reads the tensor that it writes.

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

/// All rings but the one that is being written.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub tensors: &'a [TensorState],
    before: &'a [i8],
    after: &'a [i8],
    /// Where `after` starts among all rings.
    after_start: usize,
}

impl<'a> Inputs<'a> {
    /// Row `y` of tensor `index`: `width · channels` values.
    pub fn row(&self, index: usize, y: u32) -> &'a [i8] {
        let Some(tensor) = self.tensors.get(index) else { return &[] };
        let (at, stride) = (tensor.at(y), tensor.stride());
        let row = match at.checked_sub(self.after_start) {
            Some(at) => self.after.get(at..at + stride),
            None => self.before.get(at..at + stride),
        };
        row.unwrap_or(&[])
    }
}

/// The ring of tensor `index`, to be written, and all others, to be read.
pub fn split<'a>(tensors: &'a [TensorState], rings: &'a mut [i8], index: usize) -> Option<(Inputs<'a>, &'a mut [i8])> {
    let tensor = tensors.get(index)?;
    let (before, rest) = rings.split_at_mut_checked(tensor.offset.get() as usize)?;
    let (ring, after) = rest.split_at_mut_checked(tensor.len())?;
    let after_start = before.len() + ring.len();
    Some((Inputs { tensors, before, after, after_start }, ring))
}
