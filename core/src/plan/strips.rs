//! Another number of rows per step, written into a plan in place.
//!
//! Strips and ring heights are the only choices in a plan that change no result. One row per step needs the least
//! memory; more rows share the cost of a step, and give several cores something to do. A taller strip needs taller
//! rings, and how tall is found as the compiler finds it: by running the schedule dry with endless rings.
//!
//! ```no_run
//! # use microtome_core::{Frame, plan::strips::Strips};
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let (mut file, mut scratch) = (std::vec![0u8], std::vec![0u8; 65536]);
//! let frame = Frame::grey(480, 640);
//! let mut strips = Strips::of(&mut file)?;
//! strips.set(frame, 8, &mut scratch)?;
//! let plan = strips.finish();
//! # Ok(())
//! # }
//! ```

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Plan, TALL, check, record};
use crate::error::{PlanError, SessionError};
use crate::session::Frame;

/// A checked plan whose strips and rings can be set.
///
/// Its bytes are a valid plan again after [`Strips::finish`]: until then, the checksum is the old one.
pub struct Strips<'b> {
    pub(super) header: &'b mut record::Header,
    tensors: &'b mut [record::Tensor],
    pub(super) operators: &'b mut [record::Operator],
    edges: &'b [record::Edge],
    outputs: &'b [record::Output],
    data: &'b [u8],
}

/// What is kept of a tensor, and of the operator that makes it, while the schedule runs dry.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Kept {
    ring: U32,
    strip: U16,
    /// The strip to be.
    rows: U16,
    /// Most rows that were live.
    most: U32,
}

impl<'b> Strips<'b> {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// As [`Plan::parse`].
    pub fn of(bytes: &'b mut [u8]) -> Result<Strips<'b>, PlanError> {
        Plan::parse(bytes)?;
        let short = PlanError::Length { found: bytes.len(), expected: bytes.len() };
        Strips::split(bytes).ok_or(short)
    }

    fn split(bytes: &'b mut [u8]) -> Option<Strips<'b>> {
        let (header, rest) = record::Header::mut_from_prefix(bytes).ok()?;
        let count = |count: U16| usize::from(count.get());
        let (tensors, rest) = <[_]>::mut_from_prefix_with_elems(rest, count(header.tensors)).ok()?;
        let (operators, rest) = <[_]>::mut_from_prefix_with_elems(rest, count(header.operators)).ok()?;
        let (edges, rest) = <[_]>::mut_from_prefix_with_elems(rest, count(header.edges)).ok()?;
        let (outputs, data) = <[_]>::mut_from_prefix_with_elems(rest, count(header.outputs)).ok()?;
        Some(Strips { header, tensors, operators, edges, outputs, data })
    }

    /// The plan as it is now.
    pub fn plan(&self) -> Plan<'_> {
        Plan {
            header: self.header,
            tensors: self.tensors,
            operators: self.operators,
            edges: self.edges,
            outputs: self.outputs,
            data: self.data,
        }
    }

    /// Bytes of scratch that [`Strips::set`] works in.
    pub fn scratch_len(&self) -> usize {
        self.tensors.len() * size_of::<Kept>() + self.plan().scratch_len()
    }

    /// Has a step make the part of each tensor that belongs to `rows` rows of the frame, at least one row; rings are as
    /// tall as frames like `frame` then need. Tensors that are [`TALL`] stay so. Works in `scratch`
    /// ([`Strips::scratch_len`] bytes).
    ///
    /// # Errors
    /// The frame does not fit the network, or all of its tensors do not fit this machine. The plan is then as it was.
    pub fn set(&mut self, frame: Frame, rows: u16, scratch: &mut [u8]) -> Result<(), SessionError> {
        let short = SessionError::ArenaTooShort { found: scratch.len(), expected: self.scratch_len() };
        let (kept, scratch) = <[Kept]>::mut_from_prefix_with_elems(scratch, self.tensors.len()).map_err(|_| short)?;
        let mut sizes = self.plan().sizes(frame, scratch)?.map(|size| size.rows);
        let of = sizes.next().unwrap_or(1).max(1);
        for (kept, height) in kept.iter_mut().skip(1).zip(sizes) {
            kept.rows = strip(rows, height, of).into();
        }
        for (kept, tensor) in kept.iter_mut().zip(self.tensors.iter_mut()) {
            (kept.ring, kept.most) = (tensor.ring, 1.into());
            tensor.ring = TALL.into();
        }
        for (kept, operator) in kept.iter_mut().skip(1).zip(self.operators.iter_mut()) {
            kept.strip = operator.strip;
            operator.strip = kept.rows;
        }
        let done = self.plan().run_dry(frame, scratch, |tensor, live| {
            if let Some(kept) = kept.get_mut(tensor) {
                kept.most = kept.most.get().max(live).into();
            }
        });
        for (kept, tensor) in kept.iter().zip(self.tensors.iter_mut()) {
            tensor.ring = if done.is_err() || kept.ring.get() == TALL { kept.ring } else { kept.most };
        }
        if done.is_err() {
            for (kept, operator) in kept.iter().skip(1).zip(self.operators.iter_mut()) {
                operator.strip = kept.strip;
            }
        }
        done
    }

    /// Writes the checksum, and hands out the plan.
    pub fn finish(self) -> Plan<'b> {
        let sections = [
            self.tensors.as_bytes(),
            self.operators.as_bytes(),
            self.edges.as_bytes(),
            self.outputs.as_bytes(),
            self.data,
        ];
        self.header.checksum = check::checksum_of(self.header, &sections).into();
        let Strips { header, tensors, operators, edges, outputs, data } = self;
        Plan { header, tensors, operators, edges, outputs, data }
    }
}

/// The rows of a tensor that belong to `rows` rows of a frame: at least one.
pub fn strip(rows: u16, height: u32, frame_height: u32) -> u16 {
    let rows = u64::from(rows) * u64::from(height) / u64::from(frame_height.max(1));
    rows.clamp(1, u16::MAX.into()) as u16
}
