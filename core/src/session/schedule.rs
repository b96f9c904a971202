//! Which operator runs next: as soon as its rows are there, deepest operator first.
//!
//! The schedule knows only counters, no pixels. So it can be run dry: a session does that once when it is opened, which
//! proves that no ring will ever stall it; and the compiler does it with endless rings, to learn how many rows each
//! ring needs. Both go through the same [`Schedule`], so they cannot disagree.
//!
//! A step is a matter of microseconds, so finding the next one must not look at every operator: a bit per operator says
//! whether something it waits for has changed since it was last found not ready.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::memory::State;
use crate::error::SessionError;
use crate::plan::Plan;

/// What can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Hand out row `y` of an output.
    Output { index: usize, y: u32 },
    /// Run an operator for `rows` rows from row `y` on.
    Operator { index: usize, y: u32, rows: u32 },
}

/// Counters of one frame.
pub(super) struct Schedule<'s, 'a> {
    pub plan: &'s Plan<'s>,
    pub state: &'s mut State<'a>,
}

/// An edge, listed under the tensor that it reads.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Reader {
    operator: U16,
    edge: U16,
}

impl Reader {
    /// Lists all edges by tensor: those of tensor `t` are `readers[first[t]..first[t + 1]]`.
    pub fn collect(plan: &Plan, first: &mut [U32], readers: &mut [Reader]) {
        let tensor = |edge: usize| plan.edges.get(edge).map_or(0, |edge| usize::from(edge.tensor.get()));
        first.fill(0.into());
        for edge in 0..readers.len() {
            if let Some(count) = first.get_mut(tensor(edge)) {
                *count += 1;
            }
        }
        for t in 1..first.len() {
            first[t] += first[t - 1];
        }
        // Entry t is where the edges of tensor t end. From the last edge to the first, each is put in front of those that are
        // there, and the entry moved: to where they start.
        for (operator, record) in plan.operators.iter().enumerate().rev() {
            let edges = usize::from(record.first_edge.get());
            for edge in (edges..edges + usize::from(record.edges.get())).rev() {
                let Some(end) = first.get_mut(tensor(edge)) else { continue };
                *end -= 1;
                if let Some(place) = readers.get_mut(end.get() as usize) {
                    *place = Reader { operator: (operator as u16).into(), edge: (edge as u16).into() };
                }
            }
        }
    }
}

impl Schedule<'_, '_> {
    /// Back to the start of a frame.
    pub fn rewind(&mut self) {
        self.state.tensors.iter_mut().for_each(|tensor| tensor.produced = 0.into());
        self.state.handed.fill(0.into());
        self.state.waiting.fill(u32::MAX.into());
    }

    /// The deepest step whose inputs are there and whose ring has room.
    pub fn next(&mut self) -> Option<Step> {
        let outputs = self.plan.outputs.iter().zip(self.state.handed.iter()).enumerate();
        for (index, (output, handed)) in outputs {
            if handed.get() < self.produced(output.tensor.get().into()) {
                return Some(Step::Output { index, y: handed.get() });
            }
        }
        for word in (0..self.state.waiting.len()).rev() {
            while self.state.waiting[word] != 0 {
                let bit = self.state.waiting[word].get().ilog2();
                if let Some(step) = self.ready(word * 32 + bit as usize) {
                    return Some(step);
                }
                self.state.waiting[word] &= !(1 << bit);
            }
        }
        None
    }

    /// Has the operator that makes tensor `index` looked at again.
    fn wake_producer(&mut self, index: usize) {
        if let Some(operator) = index.checked_sub(1)
            && let Some(word) = self.state.waiting.get_mut(operator / 32)
        {
            *word |= 1 << (operator % 32);
        }
    }

    /// Records that `step` was done.
    pub fn done(&mut self, step: Step) {
        match step {
            Step::Output { index, y } => {
                if let Some(handed) = self.state.handed.get_mut(index) {
                    *handed = (y + 1).into();
                }
                if let Some(output) = self.plan.outputs.get(index) {
                    self.wake_producer(output.tensor.get().into());
                }
            }
            Step::Operator { index, y, rows } => {
                self.produce(index + 1, y + rows);
                let Some(record) = self.plan.operators.get(index) else { return };
                for edge in self.plan.operator_edges(record) {
                    self.wake_producer(edge.tensor.get().into());
                }
            }
        }
    }

    /// Records that tensor `index` has `rows` rows now.
    pub fn produce(&mut self, index: usize, rows: u32) {
        if let Some(tensor) = self.state.tensors.get_mut(index) {
            tensor.produced = rows.into();
        }
        self.wake_producer(index);
        for at in self.readers_of(index) {
            let Some(reader) = self.state.readers.get(at) else { break };
            self.wake_producer(usize::from(reader.operator.get()) + 1);
        }
    }

    fn readers_of(&self, tensor: usize) -> core::ops::Range<usize> {
        let at = |index: usize| self.state.first_reader.get(index).map_or(0, |at| at.get() as usize);
        at(tensor)..at(tensor + 1)
    }

    /// Whether tensor `index` can take `rows` more rows.
    pub fn has_room(&self, index: usize, rows: u32) -> bool {
        self.live(index).is_some_and(|(live, ring)| live + rows <= ring)
    }

    /// Rows of tensor `index` that somebody still needs, and the rows of its ring.
    pub fn live(&self, index: usize) -> Option<(u32, u32)> {
        let tensor = self.state.tensors.get(index)?;
        Some((tensor.produced.get() - self.oldest(index), tensor.ring.get()))
    }

    fn produced(&self, index: usize) -> u32 {
        self.state.tensors.get(index).map_or(0, |tensor| tensor.produced.get())
    }

    fn ready(&self, index: usize) -> Option<Step> {
        let record = self.plan.operators.get(index)?;
        let output = self.state.tensors.get(index + 1)?;
        let y = output.produced.get();
        let rows = u32::from(record.strip.get()).min(output.rows.get() - y).min(output.ring.get());
        if rows == 0 {
            return None;
        }
        let first = usize::from(record.first_edge.get());
        for (edge, reach) in self.plan.operator_edges(record).iter().zip(self.state.reaches.get(first..)?) {
            let input = self.state.tensors.get(usize::from(edge.tensor.get()))?;
            if reach.end(y + rows - 1, input.rows.get()) > input.produced.get() {
                return None;
            }
        }
        self.has_room(index + 1, rows).then_some(Step::Operator { index, y, rows })
    }

    /// The first row of tensor `index` that some reader's next row, or any later one, needs.
    fn oldest(&self, index: usize) -> u32 {
        let Some(tensor) = self.state.tensors.get(index) else { return 0 };
        let rows = tensor.rows.get();
        let mut oldest = tensor.produced.get();
        for (output, handed) in self.plan.outputs.iter().zip(self.state.handed.iter()) {
            if usize::from(output.tensor.get()) == index {
                oldest = oldest.min(handed.get());
            }
        }
        for reader in self.state.readers.get(self.readers_of(index)).unwrap_or(&[]) {
            let made = self.state.tensors.get(usize::from(reader.operator.get()) + 1);
            let reach = self.state.reaches.get(usize::from(reader.edge.get()));
            let (Some(made), Some(reach)) = (made, reach) else { continue };
            if made.produced < made.rows {
                oldest = oldest.min(reach.start(made.produced.get(), rows));
            }
        }
        oldest
    }

    /// Runs a whole frame of counters. `watch` sees, before each step, which tensor grows, and to how many live rows.
    ///
    /// # Errors
    /// The first ring in which the frame's next row finds no room although nothing else can run.
    pub fn run_dry(&mut self, mut watch: impl FnMut(usize, u32)) -> Result<(), SessionError> {
        self.rewind();
        loop {
            while let Some(step) = self.next() {
                if let Step::Operator { index, rows, .. } = step {
                    watch(index + 1, self.live(index + 1).map_or(0, |(live, _)| live) + rows);
                }
                self.done(step);
            }
            let Some(input) = self.state.tensors.first() else { break };
            let y = input.produced.get();
            if y == input.rows.get() {
                break;
            }
            if !self.has_room(0, 1) {
                return Err(self.stalled(0));
            }
            watch(0, self.live(0).map_or(0, |(live, _)| live) + 1);
            self.produce(0, y + 1);
        }
        match self.state.tensors.iter().position(|tensor| tensor.produced < tensor.rows) {
            Some(index) => Err(self.stalled(index)),
            None => {
                self.rewind();
                Ok(())
            }
        }
    }

    /// The ring to blame for a stall: that of the first operator whose inputs are there but whose output has no room,
    /// or else `fallback`.
    fn stalled(&self, fallback: usize) -> SessionError {
        let full = (1..self.state.tensors.len()).find(|&index| {
            self.state.tensors.get(index).is_some_and(|tensor| tensor.produced < tensor.rows)
                && !self.has_room(index, 1)
        });
        let tensor = full.unwrap_or(fallback);
        let rows = self.state.tensors.get(tensor).map_or(0, |tensor| tensor.ring.get());
        SessionError::RingTooShort { tensor: tensor as u16, rows }
    }
}
