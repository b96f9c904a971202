//! The session: rows in, rows out.
//!
//! A [`Session`] runs a plan on frames of one size, in an arena that the caller owns. [`Session::push`] takes the next
//! row, runs every operator whose inputs are there, deepest first, and hands out the output rows that came of it;
//! [`Session::finish`] takes the frame's end. Between frames nothing is allocated, freed or rebuilt.
//!
//! The arena holds one ring of rows per tensor (tensor `t`, row `y`: slot `y % ring`), records, and what a kernel wants
//! beside them; [`Plan::arena_len`] is its exact size. A step of an operator makes a strip of rows, which the workers of
//! the [`Setup`] share: by rows where there are enough, else by columns.
//!
//! Frames whose sides do not fit the plan's alignment are padded at the bottom and right by repeating their last row
//! and pixel; rows and pixels that come of the padding are not handed out.

mod geometry;
mod memory;
mod reach;
mod schedule;
mod setup;
mod step;
#[cfg(test)]
mod tests;

pub use memory::{Arena, ArenaLen};
use memory::{Memory, State};
pub use setup::{Alone, Crew, Setup, Watch};

use crate::arch::Kernel;
use crate::compute::Compute;
use crate::error::SessionError;
use crate::ops::input::{Converter, repeat_last};
pub use crate::ops::input::{Layout, Row, luma};
use crate::plan::{Levels, Normalization, Plan};
use crate::ring::TensorState;
use crate::shape::{MAX_SIDE, Size};

/// The frames that a session is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Rows.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
    /// What a pixel of a camera row is.
    pub layout: Layout,
}

impl Frame {
    /// A grey frame.
    pub fn grey(height: u32, width: u32) -> Frame {
        Frame { height, width, layout: Layout::Grey }
    }

    /// An RGB frame.
    pub fn rgb(height: u32, width: u32) -> Frame {
        Frame { height, width, layout: Layout::Rgb }
    }

    fn padded(&self, plan: &Plan) -> Result<Size, SessionError> {
        let error = SessionError::Frame { height: self.height, width: self.width, limit: MAX_SIDE };
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&self.height) || !sides.contains(&self.width) {
            return Err(error);
        }
        let alignment = plan.alignment();
        let size = Size { rows: alignment.pad(0, self.height), width: alignment.pad(1, self.width) };
        if sides.contains(&size.rows) && sides.contains(&size.width) { Ok(size) } else { Err(error) }
    }
}

/// A row that a session hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputRow<'a> {
    /// Index of the plan's output.
    pub output: usize,
    /// Row of the output, from 0.
    pub y: u32,
    /// Values per pixel.
    pub channels: usize,
    /// `width · channels` values.
    pub data: &'a [i8],
}

/// Stack that [`Plan::arena_len`] takes, in bytes.
pub const STACK_SCRATCH: usize = 16 * 1024;

/// The state, in scratch of at least [`Plan::scratch_len`] bytes.
fn state<'s>(plan: &Plan, scratch: &'s mut [u8]) -> Result<State<'s>, SessionError> {
    let error = SessionError::ArenaTooShort { found: scratch.len(), expected: State::len(plan) };
    State::split(plan, scratch).map(|(state, _)| state).ok_or(error)
}

impl Plan<'_> {
    /// Bytes of scratch that [`Plan::arena_len_in`] and [`Plan::run_dry`] work in; it does not depend on the frame.
    pub fn scratch_len(&self) -> usize {
        State::len(self)
    }

    /// The exact size of the arena of a session for frames like `frame`, set up like this. Works in `scratch`
    /// ([`Plan::scratch_len`] bytes), which may be the start of the arena itself.
    ///
    /// # Errors
    /// The frame does not fit the network, or the arena this machine.
    pub fn arena_len_in<C: Compute>(
        &self,
        frame: Frame,
        setup: &Setup<C>,
        scratch: &mut [u8],
    ) -> Result<ArenaLen, SessionError> {
        let len = memory::measure(self, frame, setup, &mut state(self, scratch)?)?;
        len.total().map(|_| len).ok_or(SessionError::TooLarge)
    }

    /// Rows and width of every tensor for frames like `frame`, padding included. Works in `scratch`
    /// ([`Plan::scratch_len`] bytes).
    ///
    /// # Errors
    /// The frame does not fit the network.
    pub fn sizes<'s>(
        &self,
        frame: Frame,
        scratch: &'s mut [u8],
    ) -> Result<impl Iterator<Item = Size> + use<'s>, SessionError> {
        let state = state(self, scratch)?;
        geometry::resolve(self, frame.padded(self)?, usize::MAX, state.tensors, state.reaches)?;
        Ok(state.tensors.iter().map(TensorState::size))
    }

    /// The bytes of the arena that [`Session::new`] wants, with [`STACK_SCRATCH`] bytes of stack for scratch, which serves
    /// plans of about two hundred operators.
    ///
    /// # Errors
    /// As [`Plan::arena_len_in`].
    #[inline(never)]
    pub fn arena_len(&self, frame: Frame) -> Result<usize, SessionError> {
        let len = self.arena_len_in(frame, &Setup::default(), &mut [0; STACK_SCRATCH])?;
        len.total().ok_or(SessionError::TooLarge)
    }

    /// Runs a frame's schedule without pixels and tells `watch`, for each step, the tensor that grows and the rows of
    /// it that are then live: with endless rings ([`TALL`](crate::plan::TALL)), the largest is what its ring must hold.
    /// Works in `scratch` ([`Plan::scratch_len`] bytes).
    ///
    /// # Errors
    /// The frame does not fit the network, or a ring is too short.
    pub fn run_dry(&self, frame: Frame, scratch: &mut [u8], watch: impl FnMut(usize, u32)) -> Result<(), SessionError> {
        let mut state = state(self, scratch)?;
        state.resolve(self, frame.padded(self)?, usize::MAX)?;
        state.schedule(self).run_dry(watch)
    }
}

/// A plan, opened for frames of one size.
pub struct Session<'p, 'a, C: Compute = Kernel> {
    plan: Plan<'p>,
    setup: Setup<'a, C>,
    frame: Frame,
    memory: Memory<'a>,
    /// The weights that the plan has in the kernel's order; none where they are in the arena.
    packed: Option<&'p [u8]>,
    levels: Levels,
    /// Rows pushed of the current frame.
    pushed: u32,
    watch: Option<&'a dyn Watch>,
}

impl<'p, 'a> Session<'p, 'a> {
    /// Opens a session on the calling thread, with the fastest kernel that this CPU has.
    ///
    /// # Errors
    /// The frame does not fit the network; `arena` is shorter than [`Plan::arena_len`]; a ring is too short.
    pub fn new(plan: &Plan<'p>, frame: Frame, arena: &'a mut [u8]) -> Result<Session<'p, 'a>, SessionError> {
        Session::open(plan, frame, arena, Setup::default())
    }
}

impl<'p, 'a, C: Compute> Session<'p, 'a, C> {
    /// Opens a session that is set up like this, in an arena of [`Plan::arena_len_in`] bytes. Errors as [`Session::new`].
    pub fn open(
        plan: &Plan<'p>,
        frame: Frame,
        arena: &'a mut [u8],
        setup: Setup<'a, C>,
    ) -> Result<Session<'p, 'a, C>, SessionError> {
        Session::open_in(plan, frame, Arena::from(arena), setup)
    }

    /// Opens a session in memory of one piece or two. With two, it needs a little more than [`Plan::arena_len_in`] says,
    /// as a ring lies whole in one of them. Errors as [`Session::new`].
    pub fn open_in(
        plan: &Plan<'p>,
        frame: Frame,
        arena: Arena<'a>,
        setup: Setup<'a, C>,
    ) -> Result<Session<'p, 'a, C>, SessionError> {
        for (index, operator) in plan.operators().enumerate() {
            if !C::OPERATORS.contains(&operator.op) {
                return Err(SessionError::NoOperator { operator: index as u16, kind: operator.op.name() });
            }
        }
        let mut memory = Memory::new(plan, frame, &setup, arena)?;
        let packed = memory.packed_in(plan, &setup);
        if packed.is_none() {
            memory.pack(plan, &setup);
        }
        let levels = match plan.input().normalization {
            Normalization::Fixed(levels) => levels,
            Normalization::Percentile { .. } => Levels { low: 0.0, high: 255.0 },
        };
        let mut session = Session { plan: *plan, setup, frame, memory, packed, levels, pushed: 0, watch: None };
        session.schedule().run_dry(|_, _| {})?;
        session.set_levels(levels);
        Ok(session)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan<'p> {
        &self.plan
    }

    /// The frames that this session takes.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// The kernel that runs.
    pub fn kernel(&self) -> C {
        self.setup.kernel
    }

    /// Has `watch` told of every step from now on, or nobody.
    pub fn set_watch(&mut self, watch: Option<&'a dyn Watch>) {
        self.watch = watch;
    }

    /// Rows and pixels per row that output `index` hands out; `None` if there is no such output.
    ///
    /// Where padding was added, it is cut off in proportion: an output at half the resolution has half of the frame's
    /// sides, rounded up.
    pub fn output_size(&self, index: usize) -> Option<Size> {
        let tensor = self.memory.state.tensors.get(usize::from(self.plan.outputs.get(index)?.tensor.get()))?.size();
        let padded = self.memory.state.tensors.first()?.size();
        let cut = |out: u32, frame: u32, padded: u32| {
            if frame == padded {
                return out;
            }
            (u64::from(out) * u64::from(frame)).div_ceil(u64::from(padded)) as u32
        };
        Some(Size {
            rows: cut(tensor.rows, self.frame.height, padded.rows),
            width: cut(tensor.width, self.frame.width, padded.width),
        })
    }

    /// Sets the black and white point, in the units of the pushed rows; for the rows to come. A session starts with the
    /// plan's fixed levels, or with 0 and 255.
    ///
    /// Levels that are not finite, or not apart, are taken as one unit apart.
    pub fn set_levels(&mut self, levels: Levels) {
        let low = if levels.low.is_finite() { levels.low } else { 0.0 };
        let high = if levels.high.is_finite() && levels.high > low { levels.high } else { low + 1.0 };
        self.levels = Levels { low, high };
        if let Some(converter) = self.converter() {
            converter.fill(self.memory.state.tables);
        }
    }

    /// Takes the next row of the frame and hands the output rows that came of it to `sink`.
    ///
    /// # Errors
    /// A row of the wrong length, or one too many, or the plan has other inputs: the session is then as it was before.
    pub fn push(&mut self, row: Row, sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        self.check_others(&[])?;
        self.push_beside(row, &[], sink)
    }

    fn push_beside(&mut self, row: Row, others: &[&[i8]], sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        if self.pushed == self.frame.height {
            return Err(SessionError::TooManyRows { height: self.frame.height });
        }
        let (found, per_pixel) = match row {
            Row::U8(row) => (row.len(), self.frame.layout.channels()),
            Row::U16(row) => (row.len(), self.frame.layout.channels()),
            Row::I8(row) => (row.len(), self.input_channels()),
        };
        let expected = self.frame.width as usize * per_pixel;
        if found != expected {
            return Err(SessionError::RowLength { found, expected });
        }
        let converter = self.converter();
        let channels = self.input_channels();
        let Some(input) = self.memory.state.tensors.first() else { return Ok(()) };
        let at = input.at(self.pushed);
        let Some(out) = self.memory.rings.get_mut(at, input.stride()) else { return Ok(()) };
        match (row, converter) {
            (Row::I8(row), _) => {
                if let Some(out) = out.get_mut(..row.len()) {
                    self.setup.kernel.copy(row, out);
                }
                repeat_last(out, channels, self.frame.width as usize);
            }
            (_, None) => return Err(SessionError::NotACamera { channels: channels as u16 }),
            (Row::U8(row), Some(converter)) => {
                let (tables, layout) = (&*self.memory.state.tables, self.frame.layout);
                self.setup.kernel.convert(converter, tables, layout, row, out);
            }
            (Row::U16(row), Some(converter)) => converter.row_u16(self.frame.layout, row, out),
        }
        self.pushed += 1;
        let pushed = self.pushed;
        self.schedule().produce(0, pushed);
        self.drain(others, sink);
        Ok(())
    }

    /// Takes the frame's end: hands out the rows that waited for it, and gets ready for the next frame.
    ///
    /// # Errors
    /// Rows are missing. The frame is given up, and the session ready for the next.
    pub fn finish(&mut self, sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        self.finish_beside(&[], sink)
    }

    fn finish_beside(&mut self, others: &[&[i8]], mut sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        let found = self.pushed;
        if found == self.frame.height {
            let rows = self.memory.state.tensors.first().map_or(0, |tensor| tensor.rows.get());
            for y in found..rows {
                self.repeat_row(y);
                self.schedule().produce(0, y + 1);
                self.drain(others, &mut sink);
            }
        }
        self.pushed = 0;
        self.schedule().rewind();
        if found < self.frame.height {
            return Err(SessionError::TooFewRows { found, height: self.frame.height });
        }
        Ok(())
    }

    /// A whole frame at once: `pixels` holds its rows one after another, without gaps.
    ///
    /// # Errors
    /// `pixels` is not as long as the frame, or the session is in the middle of another.
    pub fn run(&mut self, pixels: Row, sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        self.run_with(pixels, &[], sink)
    }

    /// A whole frame at once of a plan that has other inputs: `others` holds the values of each
    /// [`Input`](crate::plan::Op::Input), in their order, `rows · width · channels` of them, as
    /// [`Plan::sizes`] tells.
    ///
    /// # Errors
    /// As [`Self::run`], or `others` are not the plan's.
    pub fn run_with(
        &mut self,
        pixels: Row,
        others: &[&[i8]],
        mut sink: impl FnMut(OutputRow),
    ) -> Result<(), SessionError> {
        self.check_others(others)?;
        let (width, per_pixel) = (self.frame.width as usize, self.frame.layout.channels());
        let camera = width * per_pixel;
        match pixels {
            Row::U8(all) => self.rows(all, camera, Row::U8, others, &mut sink)?,
            Row::U16(all) => self.rows(all, camera, Row::U16, others, &mut sink)?,
            Row::I8(all) => self.rows(all, width * self.input_channels(), Row::I8, others, &mut sink)?,
        }
        self.finish_beside(others, sink)
    }

    fn rows<'r, T>(
        &mut self,
        all: &'r [T],
        len: usize,
        row: impl Fn(&'r [T]) -> Row<'r>,
        others: &[&[i8]],
        sink: &mut impl FnMut(OutputRow),
    ) -> Result<(), SessionError> {
        let expected = len.saturating_mul(self.frame.height as usize);
        if all.len() != expected {
            return Err(SessionError::RowLength { found: all.len(), expected });
        }
        all.chunks_exact(len).try_for_each(|values| self.push_beside(row(values), others, &mut *sink))
    }

    /// That these are the values of the plan's other inputs.
    fn check_others(&self, others: &[&[i8]]) -> Result<(), SessionError> {
        let expected = self.plan.other_inputs().count();
        if others.len() != expected {
            return Err(SessionError::Inputs { found: 1 + others.len(), expected: 1 + expected });
        }
        for (index, values) in self.plan.other_inputs().zip(others) {
            let expected = self.memory.state.tensors.get(index).map_or(0, |t| t.stride() * t.rows.get() as usize);
            if values.len() != expected {
                return Err(SessionError::RowLength { found: values.len(), expected });
            }
        }
        Ok(())
    }

    fn input_channels(&self) -> usize {
        self.plan.channels(0)
    }

    /// How camera rows are converted; `None` if the network does not take them.
    fn converter(&self) -> Option<Converter> {
        let tensor = self.plan.tensor(0).filter(|tensor| matches!(tensor.channels, 1 | 3))?;
        Some(Converter { input: self.plan.input(), tensor, levels: self.levels })
    }
}
