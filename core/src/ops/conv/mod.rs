//! Conv: over the concatenation of its inputs, each of which may be read enlarged.
//!
//! | module | what |
//! | --- | --- |
//! | `gathered` | any Conv, in portable Rust: the definition |
//! | [`side_by_side`] | the ConvTranspose that kernels do as a 1x1 convolution |
//! | [`recipe`] | how kernels do it: the parts of a window, and the packed weights |
//! | [`staging`] | rows as kernels read them |

mod gathered;
mod recipe;
pub(super) mod side_by_side;
mod staging;

use core::ops::Range;

use heapless::Vec;

use super::Context;
use crate::arch::Isa;
use crate::arch::job::{ConvRow, DepthwiseRow, Layouts, MAX_SEGMENTS, ROWS, Segment};
use crate::arch::parts::Part;
use crate::plan::record::Edge;
use crate::plan::{Conv, Plan};
use crate::shape::{Axis, Size};
use recipe::{Form, MAX_GROUPS, Packed, Recipe};
use staging::{Columns, Ring};

/// Most inputs whose rows are staged.
const MAX_EDGES: usize = 16;

/// Both axes of the window, over the input as it is read.
fn axes(conv: &Conv, size: Size, upsample: u8) -> Option<(Axis, Axis)> {
    let factor = u32::from(upsample);
    Some((conv.window.axis(0, size.rows * factor)?, conv.window.axis(1, size.width * factor)?))
}

/// How kernels do it; `None` where they don't, and there are no packed weights.
fn recipe(layouts: impl Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> Option<Recipe> {
    if edges.len() > MAX_EDGES || !recipe::fits(conv) { None } else { Recipe::new(layouts, plan, edges, conv, outputs) }
}

/// Bytes of the packed weights; 0 where the convolution is gathered.
pub(super) fn packed_len(layouts: impl Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> usize {
    recipe(layouts, plan, edges, conv, outputs).map_or(0, |recipe| recipe.packed_len())
}

/// Packs the weights.
pub(super) fn pack(layouts: impl Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize, out: &mut [u8]) {
    let zero_point = edges.first().and_then(|edge| plan.tensor(edge.tensor.get())).map_or(0, |t| t.zero_point);
    if let Some(recipe) = recipe(layouts, plan, edges, conv, outputs) {
        let _ = recipe.pack(conv, zero_point, out);
    }
}

/// Bytes of scratch that one worker needs for whole rows, with inputs of this size.
pub(super) fn scratch_len(
    layouts: impl Layouts,
    plan: &Plan,
    edges: &[Edge],
    conv: &Conv,
    outputs: usize,
    size: Size,
) -> usize {
    let Some(recipe) = recipe(layouts, plan, edges, conv, outputs) else { return 0 };
    let Some((rows, columns)) = axes(conv, size, edges.first().map_or(1, |edge| edge.upsample)) else { return 0 };
    let channels = |edge: usize| {
        edges.get(edge).and_then(|edge| plan.tensor(edge.tensor.get())).map_or(0, |t| usize::from(t.channels))
    };
    staging::scratch_len(&recipe, edges, channels, &rows, Columns::new(&columns, &(0..columns.output)))
}

/// Rows of a Conv.
pub(super) fn rows<I: Isa>(
    isa: I,
    cx: &Context,
    conv: &Conv,
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) {
    let outputs = usize::from(cx.output().channels);
    // That the convolution fits is known from its packed weights; to ask for every row would cost as much as a part of it.
    let kernels = |recipe: &Recipe| match recipe.form {
        Form::Rows => staged(isa, cx, conv, recipe, rows.clone(), part, scratch),
        Form::Interleaved | Form::Depthwise => interleaved(isa, cx, conv, recipe, rows.clone(), part, scratch),
    };
    let done = if cx.packed.is_empty() {
        None
    } else {
        Recipe::with(|n| isa.layout(n), cx.plan, cx.edges, conv, outputs, kernels)
    };
    if done.is_none() {
        for y in rows {
            gathered::row(isa, cx, conv, y, part.row(cx.slot(y)));
        }
    }
}

/// Each input's rows staged in a ring.
fn staged<I: Isa>(
    isa: I,
    cx: &Context,
    conv: &Conv,
    recipe: &Recipe,
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) -> Option<()> {
    let (along, across) = axes(conv, cx.size(0), cx.edges.first()?.upsample)?;
    let columns = Columns::new(&across, &cx.columns);
    let packed = Packed::new(cx.packed, recipe.count())?;
    let layout = recipe.layout;
    let most = (0..cx.edges.len()).map(|edge| usize::from(cx.input(edge).channels)).max()?;
    let (spare, scratch) = scratch.split_at_mut_checked(columns.count * most)?;
    let spare = zerocopy::transmute_mut!(spare);
    let mut scratch = staging::aligned(scratch);
    let mut rings: Vec<Ring, MAX_EDGES> = Vec::new();
    for edge in 0..cx.edges.len() {
        rings.push(Ring::new(cx, &layout, edge, (&along, columns), &mut scratch)?).ok()?;
    }
    for y in rows {
        for ring in &mut rings {
            ring.advance(isa, cx, y, spare);
        }
        let mut segments: Vec<Segment, MAX_SEGMENTS> = Vec::new();
        for shape in &recipe.segments {
            let edge = usize::from(shape.edge);
            let row = rings.get(edge)?.row(cx, y, shape.row.into());
            let pixel = (u32::from(shape.column) * across.dilation) as usize;
            segments.push(shape.segment(row, &layout, columns.count, pixel, across.stride as usize)?).ok()?;
        }
        let row = ConvRow {
            layout,
            segments: &segments,
            weights: packed.weights,
            requantize: packed.requantize(cx.output().zero_point, conv),
            extreme: packed.extreme,
            pixels: cx.columns.len(),
            outputs: recipe.outputs,
            out_stride: recipe.outputs,
        };
        isa.conv(&row, part.row(cx.slot(y)));
    }
    Some(())
}

/// The rows of the only input interleaved, for each row of the output anew, or for two.
fn interleaved<I: Isa>(
    isa: I,
    cx: &Context,
    conv: &Conv,
    recipe: &Recipe,
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) -> Option<()> {
    let (along, across) = axes(conv, cx.size(0), 1)?;
    let columns = Columns::new(&across, &cx.columns);
    let channels = usize::from(cx.input(0).channels);
    let packed = Packed::new(cx.packed, recipe.count())?;
    let requantize = packed.requantize(cx.output().zero_point, conv);
    let (zeros, scratch) = scratch.split_at_mut_checked(columns.count * channels)?;
    let zeros = zerocopy::transmute_mut!(zeros);
    let scratch = staging::aligned(scratch);
    let group_len = staging::group_len(&recipe.layout, columns.count, channels);
    // Bytes of an interleaved pixel.
    let pixel = ROWS * channels * recipe.layout.interleaved;
    let staged = scratch.get_mut(..recipe.groups() * group_len)?;
    for y in rows.clone() {
        let second = recipe.pairs && (y - rows.start) % 2 == 1;
        if !second {
            let more = recipe.pairs && y + 1 < rows.end;
            staging::interleave(isa, cx, recipe, (&along, columns), (y, more), zeros, staged);
        }
        let weights = packed.weights.get(if second { recipe.weights_len() } else { 0 }..)?;
        let mut groups: Vec<&[u8], MAX_GROUPS> = Vec::new();
        for group in staged.chunks_exact(group_len) {
            groups.push(group).ok()?;
        }
        let out = part.row(cx.slot(y));
        if recipe.form == Form::Interleaved {
            let stride = across.stride as usize * pixel;
            let mut segments: Vec<Segment, MAX_GROUPS> = Vec::new();
            for (input, shape) in groups.iter().zip(&recipe.segments) {
                let values = shape.values as usize;
                let steps = recipe.layout.steps(values);
                segments.push(Segment { input, stride, values, steps, planes: 1, pitch: 0 }).ok()?;
            }
            let row = ConvRow {
                layout: recipe.layout,
                segments: &segments,
                weights,
                requantize,
                extreme: packed.extreme,
                pixels: cx.columns.len(),
                outputs: recipe.outputs,
                out_stride: recipe.outputs,
            };
            isa.conv(&row, out);
            continue;
        }
        // Without strides, neighbouring pixels are neighbours in the input too: the row is one run.
        let (run, step) = if across.stride == 1 { (out.len().max(1), 0) } else { (channels, across.stride as usize) };
        for (x, out) in out.chunks_mut(run).enumerate() {
            let start = x * step * pixel;
            let mut from_here: Vec<&[u8], MAX_GROUPS> = Vec::new();
            for group in &groups {
                from_here.push(group.get(start..)?).ok()?;
            }
            let row = DepthwiseRow {
                interleaved: recipe.layout.interleaved,
                groups: &from_here,
                rows: usize::from(second)..along.kernel as usize + usize::from(second),
                taps: across.kernel as usize,
                tap_stride: across.dilation as usize * channels,
                weights,
                period: recipe.period(),
                requantize,
                extreme: packed.extreme,
            };
            isa.depthwise(&row, out);
        }
    }
    Some(())
}
