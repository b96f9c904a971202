//! ConvTranspose whose windows lie side by side (kernel = stride, nothing cropped: the up-convolution of a U-Net).
//!
//! Every input pixel makes a block of output pixels of its own, so a row of the output is a 1x1 convolution of a row of
//! the input to `kernel columns · channels` values per pixel, in the order in which they lie in the output. Each kernel
//! row has weights of its own.

use core::ops::Range;

use heapless::Vec;

use super::packing::Packed;
use super::recipe::{self, Recipe};
use super::staging::{self, Columns, Ring};
use crate::arch::Isa;
use crate::arch::job::{ConvRow, Layouts, MAX_SEGMENTS, Segment};
use crate::arch::parts::Part;
use crate::ops::Context;
use crate::plan::record::Edge;
use crate::plan::{Conv, Plan, Tensor};
use crate::shape::{Axis, Padding, Size};

/// How it is done, if it is such a convolution and the instruction set has kernels for it.
fn recipe(layouts: Layouts, conv: &Conv, output_padding: [u16; 2], inputs: usize, outputs: usize) -> Option<Recipe> {
    let window = &conv.window;
    let side_by_side = window.kernel == window.stride
        && window.dilation == [1; 2]
        && window.padding == Padding::Explicit([0; 4])
        && output_padding == [0; 2]
        && conv.group == 1;
    if !side_by_side {
        return None;
    }
    let outputs = outputs * usize::from(window.kernel[1]);
    Recipe::side_by_side(layouts(outputs)?, inputs, outputs)
}

/// The same, if accumulators fit; where packed weights are, they do.
fn checked(layouts: Layouts, conv: &Conv, output_padding: [u16; 2], inputs: usize, outputs: usize) -> Option<Recipe> {
    if recipe::fits(conv) { recipe(layouts, conv, output_padding, inputs, outputs) } else { None }
}

fn input(plan: &Plan, edges: &[Edge]) -> Option<Tensor> {
    plan.tensor(edges.first()?.tensor.get())
}

/// Bytes of the packed weights; 0 where the convolution is not such a one.
pub(in crate::ops) fn packed_len(
    layouts: Layouts,
    plan: &Plan,
    edges: &[Edge],
    (conv, output_padding): (&Conv, [u16; 2]),
    outputs: usize,
) -> usize {
    let inputs = input(plan, edges).map_or(0, |tensor| tensor.channels.into());
    let rows = usize::from(conv.window.kernel[0]);
    checked(layouts, conv, output_padding, inputs, outputs).map_or(0, |recipe| recipe.packed_len() * rows)
}

/// Packs the weights, kernel row by kernel row.
pub(in crate::ops) fn pack(
    layouts: Layouts,
    plan: &Plan,
    edges: &[Edge],
    (conv, output_padding): (&Conv, [u16; 2]),
    outputs: usize,
    out: &mut [u8],
) {
    let Some(tensor) = input(plan, edges) else { return };
    let inputs = usize::from(tensor.channels);
    let Some(recipe) = checked(layouts, conv, output_padding, inputs, outputs) else { return };
    for (row, out) in out.chunks_exact_mut(recipe.packed_len()).enumerate() {
        let _ = recipe.pack(conv, Some(row), tensor.zero_point, out);
    }
}

fn identity(side: u32) -> Axis {
    Axis { kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, input: side, output: side }
}

/// Bytes of scratch that one worker needs for whole rows, with an input of this size.
pub(in crate::ops) fn scratch_len(
    layouts: Layouts,
    plan: &Plan,
    edges: &[Edge],
    (conv, output_padding): (&Conv, [u16; 2]),
    outputs: usize,
    size: Size,
) -> usize {
    let inputs = input(plan, edges).map_or(0, |tensor| usize::from(tensor.channels));
    let Some(recipe) = checked(layouts, conv, output_padding, inputs, outputs) else { return 0 };
    let columns = Columns::new(&identity(size.width), &(0..size.width));
    staging::scratch_len(&recipe, edges, |_| inputs, &identity(size.rows), columns)
}

/// Rows of the output; `None` if it is not such a convolution.
pub(in crate::ops) fn rows<I: Isa>(
    isa: I,
    cx: &Context,
    (conv, output_padding): (&Conv, [u16; 2]),
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) -> Option<()> {
    if cx.packed.is_empty() {
        return None;
    }
    let (inputs, outputs) = (usize::from(cx.input(0).channels.get()), usize::from(cx.output.channels.get()));
    let recipe = recipe(&|n| isa.layout(n), conv, output_padding, inputs, outputs)?;
    let [kernel_rows, kernel_columns] = conv.window.kernel.map(u32::from);
    let size = cx.size(0);
    let span = cx.columns.start / kernel_columns..cx.columns.end.div_ceil(kernel_columns);
    let (along, columns) = (identity(size.rows), Columns::new(&identity(size.width), &span));
    let (spare, scratch) = scratch.split_at_mut_checked(columns.count * inputs)?;
    let spare = zerocopy::transmute_mut!(spare);
    let mut scratch = staging::aligned(scratch);
    let mut ring = Ring::new(cx, &recipe.layout, 0, (&along, columns), &mut scratch)?;
    for y in rows {
        let (source, kernel_row) = (y / kernel_rows, (y % kernel_rows) as usize);
        ring.advance(isa, cx, source, spare);
        let packed = cx.packed.chunks_exact(recipe.packed_len()).nth(kernel_row)?;
        let packed = Packed::new(packed, recipe.count())?;
        let input = ring.row(0);
        let mut segments: Vec<Segment, MAX_SEGMENTS> = Vec::new();
        for shape in &recipe.segments {
            segments.push(shape.segment(input, &recipe.layout, columns.count, 0, 1)?).ok()?;
        }
        let row = ConvRow {
            layout: recipe.layout,
            segments: &segments,
            weights: packed.weights,
            requantize: packed.requantize(cx.output.zero_point, conv),
            extreme: packed.extreme,
            pixels: span.len(),
            outputs: recipe.outputs,
            out_stride: recipe.outputs,
        };
        isa.conv(&row, part.row(cx.place.slot(y)));
    }
    Some(())
}
