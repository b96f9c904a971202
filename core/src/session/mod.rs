//! The session: rows in, rows out.
//!
//! A [`Session`] runs a plan on frames of one size, in an arena that the caller owns. [`Session::push`] takes the next
//! row, runs every operator whose inputs are there, deepest first, and hands out the output rows that came of it;
//! [`Session::finish`] takes the frame's end. Between frames nothing is allocated, freed or rebuilt.
//!
//! The arena holds, in this order: a record per tensor and per edge, the input's tables, and one ring of rows per tensor
//! (tensor `t`, row `y`: slot `y % ring`). [`Plan::arena_len`] is its exact size.
//!
//! Frames whose sides do not fit the plan's alignment are padded at the bottom and right by repeating their last row
//! and pixel; rows and pixels that come of the padding are not handed out.

mod geometry;
mod reach;
mod schedule;
#[cfg(test)]
mod tests;

use core::mem::size_of;

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use reach::Reach;
use schedule::{Schedule, Step};

use crate::arch::{Kernel, Scalar};
use crate::error::SessionError;
use crate::ops::input::{Converter, repeat_last};
pub use crate::ops::input::{Layout, Row, luma};
use crate::ops::{self, Context};
use crate::plan::{Levels, MAX_CAMERA_CHANNELS, Normalization, Plan};
use crate::ring::{self, TensorState};
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

/// Bytes of the arena's parts before the rings.
struct Parts {
    tensors: usize,
    reaches: usize,
    outputs: usize,
    tables: usize,
}

impl Parts {
    fn of(plan: &Plan) -> Parts {
        let channels = plan.tensor(0).map_or(0, |tensor| usize::from(tensor.channels));
        Parts {
            tensors: plan.tensors.len(),
            reaches: plan.edges.len(),
            outputs: plan.outputs.len(),
            tables: if channels > MAX_CAMERA_CHANNELS { 0 } else { 256 * channels },
        }
    }

    fn len(&self) -> usize {
        self.tensors * size_of::<TensorState>()
            + self.reaches * size_of::<Reach>()
            + self.outputs * size_of::<U32>()
            + self.tables
    }

    /// Takes the parts off the front of an arena; the last is the rest.
    fn split<'a>(&self, arena: &'a mut [u8]) -> Option<Memory<'a>> {
        let (tensors, rest) = <[TensorState]>::mut_from_prefix_with_elems(arena, self.tensors).ok()?;
        let (reaches, rest) = <[Reach]>::mut_from_prefix_with_elems(rest, self.reaches).ok()?;
        let (handed, rest) = <[U32]>::mut_from_prefix_with_elems(rest, self.outputs).ok()?;
        let (tables, rest) = <[i8]>::mut_from_prefix_with_elems(rest, self.tables).ok()?;
        let rings = <[i8]>::mut_from_bytes(rest).ok()?;
        Some(Memory { tensors, reaches, handed, tables, rings })
    }
}

/// An arena, taken apart.
struct Memory<'a> {
    tensors: &'a mut [TensorState],
    reaches: &'a mut [Reach],
    handed: &'a mut [U32],
    tables: &'a mut [i8],
    rings: &'a mut [i8],
}

/// Stack that [`Plan::arena_len`] takes, in bytes.
pub const STACK_SCRATCH: usize = 16 * 1024;

fn scratch_error(plan: &Plan, found: usize) -> SessionError {
    SessionError::ArenaTooShort { found, expected: Parts::of(plan).len() }
}

impl Plan<'_> {
    /// Bytes of scratch that [`Plan::arena_len_in`] and [`Plan::run_dry`] work in; it does not depend on the frame.
    pub fn scratch_len(&self) -> usize {
        Parts::of(self).len()
    }

    /// The exact size in bytes of the arena of a session for frames like `frame`. Works in `scratch`
    /// ([`Plan::scratch_len`] bytes), which may be the start of the arena itself.
    ///
    /// # Errors
    /// The frame does not fit the network, or the arena this machine.
    pub fn arena_len_in(&self, frame: Frame, scratch: &mut [u8]) -> Result<usize, SessionError> {
        let parts = Parts::of(self);
        let found = scratch.len();
        let memory = parts.split(scratch).ok_or(scratch_error(self, found))?;
        let rings = geometry::resolve(self, frame.padded(self)?, memory.tensors, memory.reaches)?;
        parts.len().checked_add(rings).ok_or(SessionError::TooLarge)
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
        let found = scratch.len();
        let memory = Parts::of(self).split(scratch).ok_or(scratch_error(self, found))?;
        geometry::resolve(self, frame.padded(self)?, memory.tensors, memory.reaches)?;
        Ok(memory.tensors.iter().map(TensorState::size))
    }

    /// [`Plan::arena_len_in`] with [`STACK_SCRATCH`] bytes of stack for scratch, which serves plans of about two hundred
    /// operators.
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    pub fn arena_len(&self, frame: Frame) -> Result<usize, SessionError> {
        self.arena_len_in(frame, &mut [0; STACK_SCRATCH])
    }

    /// Runs a frame's schedule without pixels and tells `watch`, for each step, the tensor that grows and the rows of
    /// it that are then live: with endless rings ([`TALL`](crate::plan::TALL)), the largest is what its ring must hold.
    /// Works in `scratch` ([`Plan::scratch_len`] bytes).
    ///
    /// # Errors
    /// The frame does not fit the network, or a ring is too short.
    pub fn run_dry(&self, frame: Frame, scratch: &mut [u8], watch: impl FnMut(usize, u32)) -> Result<(), SessionError> {
        let found = scratch.len();
        let memory = Parts::of(self).split(scratch).ok_or(scratch_error(self, found))?;
        geometry::resolve(self, frame.padded(self)?, memory.tensors, memory.reaches)?;
        Schedule { plan: self, tensors: memory.tensors, reaches: memory.reaches, handed: memory.handed }.run_dry(watch)
    }
}

/// A plan, opened for frames of one size.
pub struct Session<'p, 'a> {
    plan: Plan<'p>,
    kernel: Kernel,
    frame: Frame,
    memory: Memory<'a>,
    levels: Levels,
    /// Rows pushed of the current frame.
    pushed: u32,
}

impl<'p, 'a> Session<'p, 'a> {
    /// Opens a session with the fastest kernel that this CPU has.
    ///
    /// # Errors
    /// The frame does not fit the network; `arena` is shorter than [`Plan::arena_len`]; a ring is too short.
    pub fn new(plan: &Plan<'p>, frame: Frame, arena: &'a mut [u8]) -> Result<Session<'p, 'a>, SessionError> {
        let kernel = Kernel::available().last().copied().unwrap_or(Kernel::Scalar);
        Session::with_kernel(plan, frame, arena, kernel)
    }

    /// Opens a session with this kernel. Errors as [`Session::new`].
    pub fn with_kernel(
        plan: &Plan<'p>,
        frame: Frame,
        arena: &'a mut [u8],
        kernel: Kernel,
    ) -> Result<Session<'p, 'a>, SessionError> {
        let found = arena.len();
        // An arena too short even to measure in must not hide how long it should be.
        let expected =
            if found < plan.scratch_len() { plan.arena_len(frame)? } else { plan.arena_len_in(frame, arena)? };
        let exact = arena.get_mut(..expected).ok_or(SessionError::ArenaTooShort { found, expected })?;
        let memory = Parts::of(plan).split(exact).ok_or(SessionError::ArenaTooShort { found, expected })?;
        let levels = match plan.input().normalization {
            Normalization::Fixed(levels) => levels,
            Normalization::Percentile { .. } => Levels { low: 0.0, high: 255.0 },
        };
        let mut session = Session { plan: *plan, kernel, frame, memory, levels, pushed: 0 };
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
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Rows and pixels per row that output `index` hands out; `None` if there is no such output.
    ///
    /// Where padding was added, it is cut off in proportion: an output at half the resolution has half of the frame's
    /// sides, rounded up.
    pub fn output_size(&self, index: usize) -> Option<Size> {
        let tensor = self.memory.tensors.get(usize::from(self.plan.outputs.get(index)?.tensor.get()))?.size();
        let padded = self.memory.tensors.first()?.size();
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
            converter.fill(self.memory.tables);
        }
    }

    /// Takes the next row of the frame and hands the output rows that came of it to `sink`.
    ///
    /// # Errors
    /// A row of the wrong length, or one too many: the session is then as it was before.
    pub fn push(&mut self, row: Row, sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
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
        let Some((_, out)) = ring::split(self.memory.tensors, self.memory.rings, 0, self.pushed) else { return Ok(()) };
        match (row, converter) {
            (Row::I8(row), _) => {
                out.iter_mut().zip(row).for_each(|(value, &v)| *value = v);
                repeat_last(out, channels, self.frame.width as usize);
            }
            (_, None) => return Err(SessionError::NotACamera { channels: channels as u16 }),
            (Row::U8(row), Some(converter)) => converter.row_u8(self.memory.tables, self.frame.layout, row, out),
            (Row::U16(row), Some(converter)) => converter.row_u16(self.frame.layout, row, out),
        }
        self.pushed += 1;
        let pushed = self.pushed;
        self.schedule().produce(0, pushed);
        self.drain(sink);
        Ok(())
    }

    /// Takes the frame's end: hands out the rows that waited for it, and gets ready for the next frame.
    ///
    /// # Errors
    /// Rows are missing. The frame is given up, and the session ready for the next.
    pub fn finish(&mut self, mut sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        let found = self.pushed;
        if found == self.frame.height {
            let rows = self.memory.tensors.first().map_or(0, |tensor| tensor.rows.get());
            for y in found..rows {
                self.repeat_row(y);
                self.schedule().produce(0, y + 1);
                self.drain(&mut sink);
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
    pub fn run(&mut self, pixels: Row, mut sink: impl FnMut(OutputRow)) -> Result<(), SessionError> {
        let (width, per_pixel) = (self.frame.width as usize, self.frame.layout.channels());
        let camera = width * per_pixel;
        match pixels {
            Row::U8(all) => self.rows(all, camera, Row::U8, &mut sink)?,
            Row::U16(all) => self.rows(all, camera, Row::U16, &mut sink)?,
            Row::I8(all) => self.rows(all, width * self.input_channels(), Row::I8, &mut sink)?,
        }
        self.finish(sink)
    }

    fn rows<'r, T>(
        &mut self,
        all: &'r [T],
        len: usize,
        row: impl Fn(&'r [T]) -> Row<'r>,
        sink: &mut impl FnMut(OutputRow),
    ) -> Result<(), SessionError> {
        let expected = len.saturating_mul(self.frame.height as usize);
        if all.len() != expected {
            return Err(SessionError::RowLength { found: all.len(), expected });
        }
        all.chunks_exact(len).try_for_each(|values| self.push(row(values), &mut *sink))
    }

    fn input_channels(&self) -> usize {
        self.plan.tensor(0).map_or(0, |tensor| usize::from(tensor.channels))
    }

    /// How camera rows are converted; `None` if the network does not take them.
    fn converter(&self) -> Option<Converter> {
        let tensor = self.plan.tensor(0).filter(|tensor| matches!(tensor.channels, 1 | 3))?;
        Some(Converter { input: self.plan.input(), tensor, levels: self.levels })
    }

    /// Makes row `y` of the input, which lies below the frame, from the row above it.
    fn repeat_row(&mut self, y: u32) {
        let Some(tensor) = self.memory.tensors.first() else { return };
        let (from, to, len) = (tensor.at(y.saturating_sub(1)), tensor.at(y), tensor.stride());
        if from + len <= self.memory.rings.len() && to + len <= self.memory.rings.len() {
            self.memory.rings.copy_within(from..from + len, to);
        }
    }

    fn schedule(&mut self) -> Schedule<'_, 'p> {
        Schedule {
            plan: &self.plan,
            tensors: self.memory.tensors,
            reaches: self.memory.reaches,
            handed: self.memory.handed,
        }
    }

    /// Runs everything that can run.
    fn drain(&mut self, mut sink: impl FnMut(OutputRow)) {
        while let Some(step) = self.schedule().next() {
            match step {
                Step::Output { index, y } => self.hand_out(index, y, &mut sink),
                Step::Operator { index, y, rows } => (y..y + rows).for_each(|y| self.run_row(index, y)),
            }
            self.schedule().done(step);
        }
    }

    fn hand_out(&self, index: usize, y: u32, sink: &mut impl FnMut(OutputRow)) {
        let (Some(output), Some(size)) = (self.plan.outputs.get(index), self.output_size(index)) else { return };
        let Some(tensor) = self.memory.tensors.get(usize::from(output.tensor.get())) else { return };
        if y >= size.rows {
            return;
        }
        let channels = tensor.channels.get() as usize;
        let at = tensor.at(y);
        if let Some(data) = self.memory.rings.get(at..at + size.width as usize * channels) {
            sink(OutputRow { output: index, y, channels, data });
        }
    }

    fn run_row(&mut self, index: usize, y: u32) {
        let (Some(operator), Some((rows, out))) =
            (self.plan.operator(index), ring::split(self.memory.tensors, self.memory.rings, index + 1, y))
        else {
            return;
        };
        let cx = Context { plan: &self.plan, edges: operator.inputs, output: index + 1, rows };
        match self.kernel {
            Kernel::Scalar => ops::run(Scalar, &cx, &operator, y, out),
        }
    }
}
