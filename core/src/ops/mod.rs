//! The operators, one output row at a time.
//!
//! Each file has one family. A function gets a [`Context`] (the operator's inputs, as rows of rings) and the output
//! row to fill; it keeps no state, so the session may run any operator in any order that has its rows. What is worth a
//! kernel of its own is asked of the [`Isa`].

mod arith;
mod conv;
mod head;
pub(crate) mod input;
mod pad;
mod pool;
pub(crate) mod resample;
mod table;
mod transpose;

use crate::arch::Isa;
use crate::plan::record::Edge;
use crate::plan::{Op, Operator, Plan, Tensor};
use crate::ring::{Inputs, TensorState};
use crate::shape::Size;

/// One operator's view of its inputs.
pub(crate) struct Context<'a> {
    pub plan: &'a Plan<'a>,
    pub edges: &'a [Edge],
    /// Index of the output tensor.
    pub output: usize,
    pub rows: Inputs<'a>,
}

/// What stands in for a tensor that a checked plan never asks for.
const ABSENT: Tensor = Tensor { channels: 1, scale: 1.0, zero_point: 0, ring: 1 };

impl<'a> Context<'a> {
    /// The tensor of input `index`.
    fn input(&self, index: usize) -> Tensor {
        self.edges.get(index).and_then(|edge| self.plan.tensor(edge.tensor.get())).unwrap_or(ABSENT)
    }

    /// The output tensor.
    fn output(&self) -> Tensor {
        self.plan.tensor(self.output as u16).unwrap_or(ABSENT)
    }

    /// Rows and width of input `index`, as stored.
    fn size(&self, index: usize) -> Size {
        let tensor = self.edges.get(index).map_or(0, |edge| usize::from(edge.tensor.get()));
        self.rows.tensors.get(tensor).map_or(Size { rows: 0, width: 0 }, TensorState::size)
    }

    /// Rows and width of the output.
    fn output_size(&self) -> Size {
        self.rows.tensors.get(self.output).map_or(Size { rows: 0, width: 0 }, TensorState::size)
    }

    /// Row `y` of input `index`, as stored: `width · channels` values.
    fn row(&self, index: usize, y: u32) -> &'a [i8] {
        self.edges.get(index).map_or(&[], |edge| self.rows.row(usize::from(edge.tensor.get()), y))
    }
}

/// Fills row `y` of the operator's output.
pub(crate) fn run<I: Isa>(isa: I, cx: &Context, operator: &Operator, y: u32, out: &mut [i8]) {
    match &operator.op {
        Op::Conv(conv) => conv::row(isa, cx, conv, y, out),
        Op::ConvTranspose { conv, output_padding } => transpose::row(isa, cx, conv, *output_padding, y, out),
        Op::MaxPool(window) => pool::max(cx, window, y, out),
        Op::AveragePool(pool) => pool::average(cx, pool, y, out),
        Op::GlobalAveragePool(factor) => pool::global_average(cx, *factor, out),
        Op::Resize(resize) => resample::row(cx, resize, y, out),
        Op::Concat { tables } => table::concat(cx, tables, y, out),
        Op::Add { factor, clamp } => arith::add(cx, *factor, *clamp, y, out),
        Op::Mul { factor, clamp } => arith::mul(cx, *factor, *clamp, y, out),
        Op::Table(table) => table::map(cx, table, y, out),
        Op::Pad { pads, mode } => pad::pad(cx, *pads, *mode, y, out),
        Op::Slice { crop, channel } => pad::slice(cx, *crop, *channel, y, out),
        Op::ArgMax => head::arg_max(cx, y, out),
        Op::Softmax(exponentials) => head::softmax(cx, exponentials, y, out),
        Op::Classify(classify) => head::classify(cx, classify, y, out),
    }
}
