//! Doing what the schedule says: handing out rows, and running an operator for a strip of them.

use heapless::Vec;

use super::memory::workers;
use super::schedule::{Schedule, Step};
use super::setup::{Alone, Crew};
use super::{OutputRow, Session};
use crate::arch::parts::{MAX_PARTS, Parts};
use crate::compute::Compute;
use crate::ops::{self, Context};

/// Where parts start, and where the last ends.
type Cuts<T> = Vec<T, { MAX_PARTS + 1 }>;

/// Products that take about as long as a value of an operator that has none.
const VALUE: usize = 32;

impl<'a, C: Compute> Session<'_, 'a, C> {
    /// Makes row `y` of the input, which lies below the frame, from the row above it.
    pub(super) fn repeat_row(&mut self, y: u32) {
        let Some(tensor) = self.memory.state.tensors.first() else { return };
        let (from, to, len) = (tensor.at(y.saturating_sub(1)), tensor.at(y), tensor.stride());
        self.memory.rings.copy(from, to, len);
    }

    pub(super) fn schedule(&mut self) -> Schedule<'_, 'a> {
        self.memory.state.schedule(&self.plan)
    }

    /// Runs everything that can run; `others` are the values of the plan's other inputs.
    pub(super) fn drain(&mut self, others: &[&[i8]], mut sink: impl FnMut(OutputRow)) {
        while let Some(step) = self.schedule().next() {
            match step {
                Step::Output { index, y } => self.hand_out(index, y, &mut sink),
                Step::Operator { index, y, rows } => {
                    if let Some(watch) = self.watch {
                        watch.begin(index, rows);
                    }
                    match self.plan.input_number(index) {
                        Some(number) => self.take_in(index, y, rows, others.get(number).unwrap_or(&&[][..])),
                        None => self.run_strip(index, y, rows),
                    }
                    if let Some(watch) = self.watch {
                        watch.end(index);
                    }
                }
            }
            self.schedule().done(step);
        }
    }

    fn hand_out(&self, index: usize, y: u32, sink: &mut impl FnMut(OutputRow)) {
        let (Some(output), Some(size)) = (self.plan.outputs.get(index), self.output_size(index)) else { return };
        let Some(tensor) = self.memory.state.tensors.get(usize::from(output.tensor.get())) else { return };
        if y >= size.rows {
            return;
        }
        let channels = tensor.channels.get() as usize;
        let at = tensor.at(y);
        if let Some(data) = self.memory.rings.get(at, size.width as usize * channels) {
            sink(OutputRow { output: index, y, channels, data });
        }
    }

    /// Copies `rows` rows from row `y` on of another input.
    fn take_in(&mut self, index: usize, y: u32, rows: u32, values: &[i8]) {
        let Some(place) = self.memory.state.tensors.get(index + 1) else { return };
        let stride = place.stride();
        for y in y..y + rows {
            let from = values.get(y as usize * stride..(y as usize + 1) * stride);
            if let (Some(from), Some(to)) = (from, self.memory.rings.get_mut(place.at(y), stride)) {
                to.copy_from_slice(from);
            }
        }
    }

    /// Makes `rows` rows of an operator's output from row `y` on.
    fn run_strip(&mut self, index: usize, y: u32, rows: u32) {
        let packed = self.memory.packed_span(index);
        let (Some(op), Some(record), Some(output), Some((inputs, ring)), Some(place)) = (
            self.plan.op(index),
            self.plan.operators.get(index),
            self.plan.tensors.get(index + 1),
            self.memory.rings.split(self.memory.state.tensors, index + 1),
            self.memory.state.tensors.get(index + 1),
        ) else {
            return;
        };
        let (width, channels) = (place.width.get(), place.channels.get() as usize);
        let work = rows as usize * width as usize * channels * ops::products(&op, channels).max(VALUE);
        let crew: &dyn Crew = if work < self.setup.crew.worth() { &Alone } else { self.setup.crew };
        let count = crew.workers().clamp(1, MAX_PARTS);
        let share = self.memory.scratch.len() / workers(&self.setup);
        // Rows, where there are enough: each worker's are then neighbours in memory, and what it reads of another's is a
        // row or two. Cut by columns, every row has an edge that two cores want.
        let by_rows = rows as usize >= count;
        let (mut cuts, mut values, mut scratches) = (Cuts::new(), Cuts::new(), Cuts::new());
        for part in 0..=count {
            let (all, granule) = if by_rows {
                (rows, 1)
            } else {
                // Whole tiles, and whole blocks of pixels that come of one.
                (width, u64::from(ops::columns_together(&op)) * 16)
            };
            // Divisions of 64 bits are slow where there is but one worker.
            let cut = match part {
                0 => 0,
                _ if part == count => all,
                _ => (u64::from(all) * part as u64 / count as u64).next_multiple_of(granule).min(all.into()) as u32,
            };
            // There is room for all of them.
            let _ = cuts.push(cut);
            let _ = values.push(cut as usize * if by_rows { 1 } else { channels });
            let _ = scratches.push(part * share);
        }
        let scratch: &mut [i8] = zerocopy::transmute_mut!(&mut *self.memory.scratch);
        let whole = scratch.len().max(1);
        let outs = if by_rows {
            Parts::by_rows(ring, place.stride(), place.slot(y), &values)
        } else {
            Parts::new(ring, place.stride(), &values)
        };
        let scratches = Parts::new(scratch, whole, &scratches);
        let (Some(outs), Some(scratches)) = (outs, scratches) else { return };
        let edges = self.plan.operator_edges(record);
        let (plan, packed) = (&self.plan, self.packed.unwrap_or(self.memory.packed).get(packed).unwrap_or(&[]));
        let work = |worker: usize| {
            let (Some(mut out), Some(mut scratch)) = (outs.take(worker), scratches.take(worker)) else { return };
            let span = cuts[worker]..cuts[worker + 1];
            if span.is_empty() {
                return;
            }
            let (lines, columns) = if by_rows { (y + span.start..y + span.end, 0..width) } else { (y..y + rows, span) };
            let cx = Context { plan, edges, output, place, rows: inputs, packed, columns };
            let scratch = zerocopy::transmute_mut!(scratch.row(0));
            self.setup.kernel.run(&cx, &op, lines, &mut out, scratch);
        };
        crew.share(&work);
    }
}
