//! Which operator runs next: as soon as its rows are there, deepest operator first.
//!
//! The schedule knows only counters, no pixels. So it can be run dry: a session does that once when it is opened, which
//! proves that no ring will ever stall it; and the compiler does it with endless rings, to learn how many rows each
//! ring needs. Both go through the same [`Schedule`], so they cannot disagree.

use zerocopy::little_endian::U32;

use super::reach::Reach;
use crate::error::SessionError;
use crate::plan::Plan;
use crate::ring::TensorState;

/// What can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Hand out row `y` of an output.
    Output { index: usize, y: u32 },
    /// Run an operator for `rows` rows from row `y` on.
    Operator { index: usize, y: u32, rows: u32 },
}

/// Counters of one frame.
pub(super) struct Schedule<'s, 'p> {
    pub plan: &'s Plan<'p>,
    pub tensors: &'s mut [TensorState],
    pub reaches: &'s [Reach],
    /// Rows handed out, per output.
    pub handed: &'s mut [U32],
}

impl Schedule<'_, '_> {
    /// Back to the start of a frame.
    pub fn rewind(&mut self) {
        self.tensors.iter_mut().for_each(|tensor| tensor.produced = 0.into());
        self.handed.fill(0.into());
    }

    /// The deepest step whose inputs are there and whose ring has room.
    pub fn next(&self) -> Option<Step> {
        let outputs = self.plan.outputs.iter().zip(self.handed.iter()).enumerate();
        for (index, (output, handed)) in outputs {
            if handed.get() < self.produced(output.tensor.get().into()) {
                return Some(Step::Output { index, y: handed.get() });
            }
        }
        (0..self.plan.operators.len()).rev().find_map(|index| self.ready(index))
    }

    /// Records that `step` was done.
    pub fn done(&mut self, step: Step) {
        match step {
            Step::Output { index, y } => {
                if let Some(handed) = self.handed.get_mut(index) {
                    *handed = (y + 1).into();
                }
            }
            Step::Operator { index, y, rows } => self.produce(index + 1, y + rows),
        }
    }

    /// Records that tensor `index` has `rows` rows now.
    pub fn produce(&mut self, index: usize, rows: u32) {
        if let Some(tensor) = self.tensors.get_mut(index) {
            tensor.produced = rows.into();
        }
    }

    /// Whether tensor `index` can take `rows` more rows.
    pub fn has_room(&self, index: usize, rows: u32) -> bool {
        self.live(index).is_some_and(|(live, ring)| live + rows <= ring)
    }

    /// Rows of tensor `index` that somebody still needs, and the rows of its ring.
    pub fn live(&self, index: usize) -> Option<(u32, u32)> {
        let tensor = self.tensors.get(index)?;
        Some((tensor.produced.get() - self.oldest(index), tensor.ring.get()))
    }

    fn produced(&self, index: usize) -> u32 {
        self.tensors.get(index).map_or(0, |tensor| tensor.produced.get())
    }

    fn ready(&self, index: usize) -> Option<Step> {
        let record = self.plan.operators.get(index)?;
        let output = self.tensors.get(index + 1)?;
        let y = output.produced.get();
        let rows = u32::from(record.strip.get()).min(output.rows.get() - y).min(output.ring.get());
        if rows == 0 {
            return None;
        }
        let first = usize::from(record.first_edge.get());
        for (edge, reach) in self.plan.operator_edges(record).iter().zip(self.reaches.get(first..)?) {
            let input = self.tensors.get(usize::from(edge.tensor.get()))?;
            if reach.end(y + rows - 1, input.rows.get()) > input.produced.get() {
                return None;
            }
        }
        self.has_room(index + 1, rows).then_some(Step::Operator { index, y, rows })
    }

    /// The first row of tensor `index` that some reader's next row, or any later one, needs.
    fn oldest(&self, index: usize) -> u32 {
        let Some(tensor) = self.tensors.get(index) else { return 0 };
        let rows = tensor.rows.get();
        let mut oldest = tensor.produced.get();
        for (output, handed) in self.plan.outputs.iter().zip(self.handed.iter()) {
            if usize::from(output.tensor.get()) == index {
                oldest = oldest.min(handed.get());
            }
        }
        // A tensor is read by later operators only.
        for (reader, record) in self.plan.operators.iter().enumerate().skip(index) {
            let first = usize::from(record.first_edge.get());
            let reaches = self.reaches.get(first..).unwrap_or(&[]);
            for (edge, reach) in self.plan.operator_edges(record).iter().zip(reaches) {
                let Some(made) = self.tensors.get(reader + 1) else { continue };
                if usize::from(edge.tensor.get()) == index && made.produced < made.rows {
                    oldest = oldest.min(reach.start(made.produced.get(), rows));
                }
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
            let Some(input) = self.tensors.first() else { break };
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
        match self.tensors.iter().position(|tensor| tensor.produced < tensor.rows) {
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
        let full = (1..self.tensors.len()).find(|&index| {
            self.tensors.get(index).is_some_and(|tensor| tensor.produced < tensor.rows) && !self.has_room(index, 1)
        });
        let tensor = full.unwrap_or(fallback);
        let rows = self.tensors.get(tensor).map_or(0, |tensor| tensor.ring.get());
        SessionError::RingTooShort { tensor: tensor as u16, rows }
    }
}
