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
mod pixels;
mod pool;
pub(crate) mod resample;
mod table;
mod transpose;

use core::ops::Range;

use zerocopy::little_endian::{F32, U16, U32};

use crate::arch::Isa;
use crate::arch::job::Layouts;
use crate::arch::parts::Part;
use crate::plan::op::kind;
use crate::plan::record::{Edge, Tensor};
use crate::plan::{Op, Operator, Operators, Plan};
use crate::ring::{Inputs, TensorState};
use crate::shape::Size;
use conv::side_by_side;

/// One operator's view of its inputs.
pub(crate) struct Context<'a> {
    pub plan: &'a Plan<'a>,
    pub edges: &'a [Edge],
    pub output: &'a Tensor,
    /// Where the output lies.
    pub place: &'a TensorState,
    pub rows: Inputs<'a>,
    /// Weights as the kernel wants them; empty where it takes the plan's.
    pub packed: &'a [u8],
    /// The columns of the output to make: `out` has these only.
    pub columns: Range<u32>,
}

/// What stands in for a tensor that a checked plan never asks for.
static ABSENT: Tensor =
    Tensor { channels: U16::new(1), zero_point: 0, reserved: 0, scale: F32::from_bytes([0; 4]), ring: U32::new(1) };

impl<'a> Context<'a> {
    /// The tensor of input `index`.
    fn input(&self, index: usize) -> &'a Tensor {
        let tensor = |edge: &Edge| self.plan.tensors.get(usize::from(edge.tensor.get()));
        self.edges.get(index).and_then(tensor).unwrap_or(&ABSENT)
    }

    /// Rows and width of input `index`, as stored.
    fn size(&self, index: usize) -> Size {
        let tensor = self.edges.get(index).map_or(0, |edge| usize::from(edge.tensor.get()));
        self.rows.tensors.get(tensor).map_or(Size { rows: 0, width: 0 }, TensorState::size)
    }

    /// What row `y` of input `index` holds in the output's columns.
    fn span(&self, index: usize, y: u32) -> &'a [i8] {
        let channels = usize::from(self.input(index).channels.get());
        let (start, end) = (self.columns.start as usize * channels, self.columns.end as usize * channels);
        self.row(index, y).get(start..end).unwrap_or(&[])
    }

    /// Row `y` of input `index`, as stored: `width · channels` values.
    fn row(&self, index: usize, y: u32) -> &'a [i8] {
        self.edges.get(index).map_or(&[], |edge| self.rows.row(usize::from(edge.tensor.get()), y))
    }
}

/// Fills a part of `rows` of the operator's output: the columns that `cx` names. `scratch` is the worker's own, of
/// [`scratch_len`] bytes. There is code for [`Operators`] of these bits only, which sessions see to.
pub(crate) fn run<I: Isa, const OPERATORS: u32>(
    isa: I,
    cx: &Context,
    op: &Op,
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) {
    match op {
        Op::Conv(conv) if Operators::from_bits(OPERATORS).has(kind::CONV) => {
            return conv::rows(isa, cx, conv, rows, part, scratch);
        }
        Op::ConvTranspose { conv, output_padding }
            if Operators::from_bits(OPERATORS).has(kind::CONV_TRANSPOSE)
                && side_by_side::rows(isa, cx, (conv, *output_padding), rows.clone(), part, scratch).is_some() =>
        {
            return;
        }
        _ => {}
    }
    for y in rows {
        row::<I, OPERATORS>(isa, cx, op, y, part.row(cx.place.slot(y)), scratch);
    }
}

/// Bytes that the operator's weights take, packed in these layouts; 0 if they are not.
pub(crate) fn packed_len(layouts: Layouts, plan: &Plan, operator: &Operator, outputs: usize) -> usize {
    match &operator.op {
        Op::Conv(conv) => conv::packed_len(layouts, plan, operator.inputs, conv, outputs),
        Op::ConvTranspose { conv, output_padding } => {
            side_by_side::packed_len(layouts, plan, operator.inputs, (conv, *output_padding), outputs)
        }
        _ => 0,
    }
}

/// Packs the operator's weights into [`packed_len`] bytes.
pub(crate) fn pack(layouts: Layouts, plan: &Plan, operator: &Operator, outputs: usize, out: &mut [u8]) {
    match &operator.op {
        Op::Conv(conv) => conv::pack(layouts, plan, operator.inputs, conv, outputs, out),
        Op::ConvTranspose { conv, output_padding } => {
            side_by_side::pack(layouts, plan, operator.inputs, (conv, *output_padding), outputs, out)
        }
        _ => {}
    }
}

/// Bytes of scratch that a worker needs to run the operator; `size` is its first input's.
pub(crate) fn scratch_len(layouts: Layouts, plan: &Plan, operator: &Operator, outputs: usize, size: Size) -> usize {
    match &operator.op {
        Op::Conv(conv) => conv::scratch_len(layouts, plan, operator.inputs, conv, outputs, size),
        Op::ConvTranspose { conv, output_padding } => {
            side_by_side::scratch_len(layouts, plan, operator.inputs, (conv, *output_padding), outputs, size)
        }
        Op::AveragePool(_) => pool::scratch_len(size, outputs),
        Op::Resize(resize) => resample::scratch_len(resize, size, outputs),
        Op::Concat { tables } => table::scratch_len(tables, size.width as usize, outputs),
        _ => 0,
    }
}

/// Products that go into one value of the output; 1 where there are none.
pub(crate) fn products(op: &Op, outputs: usize) -> usize {
    match op {
        Op::Conv(conv) => conv.weights.len() / outputs.max(1),
        Op::ConvTranspose { conv, .. } => {
            let stride: usize = conv.window.stride.iter().map(|&s| usize::from(s)).product();
            conv.weights.len() / (outputs * stride).max(1)
        }
        _ => 1,
    }
}

/// Output columns that must not be parted: those that one input pixel makes.
pub(crate) fn columns_together(op: &Op) -> u32 {
    match op {
        Op::ConvTranspose { conv, .. } => conv.window.kernel[1].into(),
        _ => 1,
    }
}

/// Fills row `y` of the operator's output, in the columns that `cx` names.
fn row<I: Isa, const OPERATORS: u32>(isa: I, cx: &Context, op: &Op, y: u32, out: &mut [i8], scratch: &mut [u8]) {
    let has = |kind| Operators::from_bits(OPERATORS).has(kind);
    match op {
        Op::ConvTranspose { conv, output_padding } if has(kind::CONV_TRANSPOSE) => {
            transpose::row(isa, cx, conv, *output_padding, y, out)
        }
        Op::MaxPool(window) if has(kind::MAX_POOL) => pool::max(isa, cx, window, y, out),
        Op::AveragePool(pool) if has(kind::AVERAGE_POOL) => pool::average(isa, cx, pool, y, out, scratch),
        Op::GlobalAveragePool(factor) if has(kind::GLOBAL_AVERAGE_POOL) => pool::global_average(isa, cx, *factor, out),
        Op::Resize(resize) if has(kind::RESIZE) => resample::row(isa, cx, resize, y, out, scratch),
        Op::Concat { tables } if has(kind::CONCAT) => table::concat(isa, cx, tables, y, out, scratch),
        Op::Add { factor, clamp } if has(kind::ADD) => arith::add(isa, cx, *factor, *clamp, y, out),
        Op::Mul { factor, clamp } if has(kind::MUL) => arith::mul(isa, cx, *factor, *clamp, y, out),
        Op::Table(table) if has(kind::TABLE) => table::map(isa, cx, table, y, out),
        Op::Pad { pads, mode } if has(kind::PAD) => pad::pad(cx, *pads, *mode, y, out),
        Op::Slice { crop, channel } if has(kind::SLICE) => pad::slice(cx, *crop, *channel, y, out),
        Op::ArgMax if has(kind::ARG_MAX) => head::arg_max(cx, y, out),
        Op::Softmax(exponentials) if has(kind::SOFTMAX) => head::softmax(isa, cx, exponentials, y, out),
        Op::Classify(classify) if has(kind::CLASSIFY) => head::classify(isa, cx, classify, y, out),
        // Convolutions with kernels were done above.
        _ => {}
    }
}
