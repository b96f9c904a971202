//! The arena, taken apart.
//!
//! | part | what |
//! | --- | --- |
//! | state | a record per tensor, edge, operator and output: sizes, reaches, readers, what is to be looked at next |
//! | tables | 256 entries per channel of a camera network's input |
//! | rings | one ring of rows per tensor (tensor `t`, row `y`: slot `y % ring`) |
//! | packed | the weights of convolutions, in the kernel's order; none where the plan's own are used |
//! | scratch | for each worker, the rows under one convolution's window |
//!
//! The first two depend on the plan only, so they are also what questions about a plan are answered in.

use core::mem::{size_of, take};

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use super::geometry;
use super::reach::Reach;
use super::schedule::{Reader, Schedule};
use super::setup::Setup;
use super::{Frame, SessionError};
use crate::arch::job::PACKED_ALIGNMENT;
use crate::arch::parts::MAX_PARTS;
use crate::arch::with_isa;
use crate::ops;
use crate::plan::{MAX_CAMERA_CHANNELS, Plan};
use crate::ring::TensorState;
use crate::shape::Size;

/// Bytes of an arena, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaLen {
    /// Records and tables.
    pub state: usize,
    /// Rows of all tensors: the working set, and all there is with the scalar kernel.
    pub rings: usize,
    /// Weights in the kernel's order, and what it takes to align them.
    pub packed: usize,
    /// Rows under a convolution's window, for every worker.
    pub scratch: usize,
}

impl ArenaLen {
    /// All of it; `None` if this machine cannot address so much.
    pub fn total(&self) -> Option<usize> {
        self.state.checked_add(self.rings)?.checked_add(self.packed)?.checked_add(self.scratch)
    }
}

/// The records of the state, as the schedule uses them.
pub(super) struct State<'a> {
    pub tensors: &'a mut [TensorState],
    pub reaches: &'a mut [Reach],
    /// Rows handed out, per output.
    pub handed: &'a mut [U32],
    /// Where each operator's packed weights start, and where the last's end.
    pub packed_at: &'a mut [U32],
    /// Where each tensor's readers start, and where the last's end.
    pub first_reader: &'a mut [U32],
    pub readers: &'a mut [Reader],
    /// A bit per operator: whether it may have become ready.
    pub waiting: &'a mut [U32],
    pub tables: &'a mut [i8],
}

impl<'a> State<'a> {
    /// Bytes of the state.
    pub fn len(plan: &Plan) -> usize {
        let channels = plan.tensor(0).map_or(0, |tensor| usize::from(tensor.channels));
        let (tensors, operators, edges) = (plan.tensors.len(), plan.operators.len(), plan.edges.len());
        tensors * size_of::<TensorState>()
            + edges * (size_of::<Reach>() + size_of::<Reader>())
            + (plan.outputs.len() + operators + 1 + tensors + 1 + operators.div_ceil(32)) * size_of::<U32>()
            + if channels > MAX_CAMERA_CHANNELS { 0 } else { 256 * channels }
    }

    /// Takes the state off the front of an arena, and returns the rest.
    pub fn split(plan: &Plan, arena: &'a mut [u8]) -> Option<(State<'a>, &'a mut [u8])> {
        fn records<'a, T>(bytes: &mut &'a mut [u8], count: usize) -> Option<&'a mut [T]>
        where
            T: FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned,
        {
            let (records, rest) = <[T]>::mut_from_prefix_with_elems(take(bytes), count).ok()?;
            *bytes = rest;
            Some(records)
        }
        let len = State::len(plan);
        let (mut bytes, rest) = arena.split_at_mut_checked(len)?;
        let bytes = &mut bytes;
        let (tensors, operators, edges) = (plan.tensors.len(), plan.operators.len(), plan.edges.len());
        let state = State {
            tensors: records(bytes, tensors)?,
            reaches: records(bytes, edges)?,
            handed: records(bytes, plan.outputs.len())?,
            packed_at: records(bytes, operators + 1)?,
            first_reader: records(bytes, tensors + 1)?,
            readers: records(bytes, edges)?,
            waiting: records(bytes, operators.div_ceil(32))?,
            // What is left.
            tables: <[i8]>::mut_from_bytes(take(bytes)).ok()?,
        };
        Some((state, rest))
    }

    /// Fills in all that follows from the plan and the frame; returns the bytes of the rings.
    pub fn resolve(&mut self, plan: &Plan, size: Size) -> Result<usize, SessionError> {
        let rings = geometry::resolve(plan, size, self.tensors, self.reaches)?;
        Reader::collect(plan, self.first_reader, self.readers);
        Ok(rings)
    }

    pub fn schedule<'s, 'p>(&'s mut self, plan: &'s Plan<'p>) -> Schedule<'s, 'p> {
        Schedule {
            plan,
            tensors: self.tensors,
            reaches: self.reaches,
            handed: self.handed,
            first_reader: self.first_reader,
            readers: self.readers,
            waiting: self.waiting,
        }
    }

    /// Fills in where packed weights lie, and returns the bytes of all of them and of one worker's scratch.
    fn kernels(&mut self, plan: &Plan, setup: &Setup) -> Result<(usize, usize), SessionError> {
        let (mut packed, mut scratch) = (0, 0);
        for (index, operator) in plan.operators().enumerate() {
            self.packed_at[index] = u32::try_from(packed).map_err(|_| SessionError::TooLarge)?.into();
            let outputs = plan.tensor(index as u16 + 1).map_or(0, |tensor| usize::from(tensor.channels));
            let input = operator.inputs.first().and_then(|edge| self.tensors.get(usize::from(edge.tensor.get())));
            let size = input.map_or(Size { rows: 0, width: 0 }, TensorState::size);
            with_isa!(setup.kernel, isa => {
                packed += ops::packed_len(isa, plan, &operator, outputs);
                scratch = scratch.max(ops::scratch_len(isa, plan, &operator, outputs, size));
            });
        }
        if let Some(end) = self.packed_at.last_mut() {
            *end = u32::try_from(packed).map_err(|_| SessionError::TooLarge)?.into();
        }
        Ok((packed, scratch))
    }
}

/// Workers that a session employs.
pub(super) fn workers(setup: &Setup) -> usize {
    setup.crew.workers().clamp(1, MAX_PARTS)
}

/// Resolves the state for a frame, and says how long the whole arena is.
pub(super) fn measure(plan: &Plan, frame: Frame, setup: &Setup, state: &mut State) -> Result<ArenaLen, SessionError> {
    let rings = state.resolve(plan, frame.padded(plan)?)?;
    let (packed, scratch) = state.kernels(plan, setup)?;
    let scratch = scratch.checked_mul(workers(setup)).ok_or(SessionError::TooLarge)?;
    let packed = if packed == 0 { 0 } else { packed + PACKED_ALIGNMENT - 1 };
    Ok(ArenaLen { state: State::len(plan), rings, packed, scratch })
}

/// A whole arena, taken apart.
pub(super) struct Memory<'a> {
    pub state: State<'a>,
    pub rings: &'a mut [i8],
    pub packed: &'a mut [u8],
    pub scratch: &'a mut [u8],
}

impl<'a> Memory<'a> {
    pub fn split(plan: &Plan, len: &ArenaLen, arena: &'a mut [u8]) -> Option<Memory<'a>> {
        let (state, rest) = State::split(plan, arena)?;
        let (rings, rest) = <[i8]>::mut_from_prefix_with_elems(rest, len.rings).ok()?;
        let (packed, rest) = rest.split_at_mut_checked(len.packed)?;
        let skip = packed.as_ptr().align_offset(PACKED_ALIGNMENT).min(packed.len());
        let packed = packed.get_mut(skip..)?;
        let scratch = rest.get_mut(..len.scratch)?;
        Some(Memory { state, rings, packed, scratch })
    }

    /// Packs the weights of every operator.
    pub fn pack(&mut self, plan: &Plan, setup: &Setup) {
        for (index, operator) in plan.operators().enumerate() {
            let outputs = plan.tensor(index as u16 + 1).map_or(0, |tensor| usize::from(tensor.channels));
            let span = self.packed_span(index);
            if let Some(out) = self.packed.get_mut(span).filter(|out| !out.is_empty()) {
                with_isa!(setup.kernel, isa => ops::pack(isa, plan, &operator, outputs, out));
            }
        }
    }

    /// Where the packed weights of operator `index` lie.
    pub fn packed_span(&self, index: usize) -> core::ops::Range<usize> {
        let at = |index: usize| self.state.packed_at.get(index).map_or(0, |at| at.get() as usize);
        at(index)..at(index + 1)
    }
}
