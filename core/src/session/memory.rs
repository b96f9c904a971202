//! The arena, taken apart.
//!
//! | part | what |
//! | --- | --- |
//! | state | a record per tensor, edge, operator and output: sizes, reaches, readers, what is to be looked at next |
//! | tables | 256 entries per channel of a camera network's input |
//! | rings | one ring of rows per tensor (tensor `t`, row `y`: slot `y % ring`) |
//! | packed | the weights of convolutions, in the kernel's order; none where the plan has them in it, or the kernel takes the plan's own |
//! | scratch | for each worker, the rows under one convolution's window |
//!
//! The first two depend on the plan only, so they are also what questions about a plan are answered in. Rings that don't
//! fit behind the rest lie in the arena's second bank, if it has one.

use core::mem::{size_of, take};

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use super::geometry::{self, RingsLen};
use super::reach::Reach;
use super::schedule::{Reader, Schedule};
use super::setup::Setup;
use super::{Frame, STACK_SCRATCH, SessionError};
use crate::arch::job::Layouts;
use crate::arch::parts::MAX_PARTS;
use crate::compute::Compute;
use crate::ops;
use crate::plan::{MAX_CAMERA_CHANNELS, PACKED_ALIGNMENT, Plan};
use crate::ring::{Rings, TensorState};
use crate::shape::Size;

/// Bytes of an arena, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaLen {
    /// Records and tables.
    pub state: usize,
    /// Rows of all tensors: the working set, and all there is with the scalar kernel.
    pub rings: usize,
    /// Weights in the kernel's order, and what it takes to align them; none where the plan has them.
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

/// The memory of a session, in one piece or in two: microcontrollers have banks that are not neighbours.
///
/// Everything lies in `main`, but for those rings that it has no room for. `more` may be empty.
#[derive(Debug)]
pub struct Arena<'a> {
    /// The fastest there is.
    pub main: &'a mut [u8],
    /// For more rings.
    pub more: &'a mut [u8],
}

impl<'a> From<&'a mut [u8]> for Arena<'a> {
    fn from(main: &'a mut [u8]) -> Arena<'a> {
        Arena { main, more: &mut [] }
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
        let channels = plan.channels(0);
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

    /// Fills in all that follows from the plan and the frame; returns the bytes of the rings, of which the first bank has
    /// room for so many.
    pub fn resolve(&mut self, plan: &Plan, size: Size, room: usize) -> Result<RingsLen, SessionError> {
        let rings = geometry::resolve(plan, size, room, self.tensors, self.reaches)?;
        Reader::collect(plan, self.first_reader, self.readers);
        Ok(rings)
    }

    pub fn schedule<'s>(&'s mut self, plan: &'s Plan<'_>) -> Schedule<'s, 'a> {
        Schedule { plan, state: self }
    }

    /// Fills in where packed weights lie, and returns the bytes of all of them and of one worker's scratch.
    fn kernels<C: Compute>(&mut self, plan: &Plan, setup: &Setup<C>) -> Result<(usize, usize), SessionError> {
        let layouts: Layouts = &|outputs| setup.kernel.layout(outputs);
        let (mut packed, mut scratch) = (0, 0);
        for (index, operator) in plan.operators().enumerate() {
            self.packed_at[index] = u32::try_from(packed).map_err(|_| SessionError::TooLarge)?.into();
            let outputs = plan.channels(index + 1);
            let input = operator.inputs.first().and_then(|edge| self.tensors.get(usize::from(edge.tensor.get())));
            let size = input.map_or(Size { rows: 0, width: 0 }, TensorState::size);
            packed += ops::packed_len(layouts, plan, &operator, outputs);
            scratch = scratch.max(ops::scratch_len(layouts, plan, &operator, outputs, size));
        }
        if let Some(end) = self.packed_at.last_mut() {
            *end = u32::try_from(packed).map_err(|_| SessionError::TooLarge)?.into();
        }
        Ok((packed, scratch))
    }
}

/// Workers that a session employs.
pub(super) fn workers<C: Compute>(setup: &Setup<C>) -> usize {
    setup.crew.workers().clamp(1, MAX_PARTS)
}

/// Resolves the state for a frame, and says how long the whole arena is.
pub(super) fn measure<C: Compute>(
    plan: &Plan,
    frame: Frame,
    setup: &Setup<C>,
    state: &mut State,
) -> Result<ArenaLen, SessionError> {
    let rings = state.resolve(plan, frame.padded(plan)?, usize::MAX)?.first;
    let (packed, scratch) = state.kernels(plan, setup)?;
    let scratch = scratch.checked_mul(workers(setup)).ok_or(SessionError::TooLarge)?;
    // What the plan has in it takes no memory.
    let packed = match packed {
        0 => 0,
        _ if packed_in(plan, setup, packed).is_some() => 0,
        _ => packed + PACKED_ALIGNMENT - 1,
    };
    Ok(ArenaLen { state: State::len(plan), rings, packed, scratch })
}

/// The weights that the plan has in this kernel's order, if they are all there and lie as kernels read them.
fn packed_in<'p, C: Compute>(plan: &Plan<'p>, setup: &Setup<C>, len: usize) -> Option<&'p [u8]> {
    let packed = plan.packed_for(setup.kernel.name())?;
    (packed.len() == len && packed.as_ptr().addr().is_multiple_of(PACKED_ALIGNMENT)).then_some(packed)
}

/// The length of an arena, without one. In a function of its own, so that those who have one don't pay with their stack.
#[cold]
#[inline(never)]
fn len_on_the_stack<C: Compute>(plan: &Plan, frame: Frame, setup: &Setup<C>) -> Result<ArenaLen, SessionError> {
    plan.arena_len_in(frame, setup, &mut [0; STACK_SCRATCH])
}

/// A whole arena, taken apart.
pub(super) struct Memory<'a> {
    pub state: State<'a>,
    pub rings: Rings<'a>,
    pub packed: &'a mut [u8],
    pub scratch: &'a mut [u8],
}

impl<'a> Memory<'a> {
    /// Measures a session, and takes an arena apart for it.
    pub fn new<C: Compute>(
        plan: &Plan,
        frame: Frame,
        setup: &Setup<C>,
        arena: Arena<'a>,
    ) -> Result<Memory<'a>, SessionError> {
        let Arena { main, more } = arena;
        // An arena too short even to measure in must not hide how long it should be.
        let len = if main.len() < plan.scratch_len() {
            len_on_the_stack(plan, frame, setup)?
        } else {
            plan.arena_len_in(frame, setup, main)?
        };
        let expected = len.total().ok_or(SessionError::TooLarge)?;
        let error = SessionError::ArenaTooShort { found: main.len().saturating_add(more.len()), expected };
        if main.len() >= expected {
            return Memory::split(plan, &len, main, &mut []).ok_or(error);
        }
        // What is left for rings in the first bank.
        let rings = main.len().checked_sub(expected - len.rings).ok_or(error)?;
        let mut memory = Memory::split(plan, &ArenaLen { rings, ..len }, main, more).ok_or(error)?;
        let found = memory.state.resolve(plan, frame.padded(plan)?, rings)?;
        if found.second > memory.rings.lens()[1] {
            return Err(error);
        }
        Ok(memory)
    }

    fn split(plan: &Plan, len: &ArenaLen, main: &'a mut [u8], more: &'a mut [u8]) -> Option<Memory<'a>> {
        let (state, rest) = State::split(plan, main)?;
        let (rings, rest) = <[i8]>::mut_from_prefix_with_elems(rest, len.rings).ok()?;
        let (packed, rest) = rest.split_at_mut_checked(len.packed)?;
        let skip = packed.as_ptr().align_offset(PACKED_ALIGNMENT).min(packed.len());
        let packed = packed.get_mut(skip..)?;
        let scratch = rest.get_mut(..len.scratch)?;
        let rings = Rings::new(rings, <[i8]>::mut_from_bytes(more).ok()?);
        Some(Memory { state, rings, packed, scratch })
    }

    /// The weights that the plan has in this kernel's order.
    pub fn packed_in<'p, C: Compute>(&self, plan: &Plan<'p>, setup: &Setup<C>) -> Option<&'p [u8]> {
        let len = self.state.packed_at.last().map_or(0, |end| end.get() as usize);
        packed_in(plan, setup, len)
    }

    /// Packs the weights of every operator.
    pub fn pack<C: Compute>(&mut self, plan: &Plan, setup: &Setup<C>) {
        for (index, operator) in plan.operators().enumerate() {
            let outputs = plan.channels(index + 1);
            let span = self.packed_span(index);
            if let Some(out) = self.packed.get_mut(span).filter(|out| !out.is_empty()) {
                ops::pack(&|outputs| setup.kernel.layout(outputs), plan, &operator, outputs, out);
            }
        }
    }

    /// Where the packed weights of operator `index` lie.
    pub fn packed_span(&self, index: usize) -> core::ops::Range<usize> {
        let at = |index: usize| self.state.packed_at.get(index).map_or(0, |at| at.get() as usize);
        at(index)..at(index + 1)
    }
}
