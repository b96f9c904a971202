//! Conv: over the concatenation of its inputs, each of which may be read enlarged.
//!
//! | module | what |
//! | --- | --- |
//! | `gathered` | any Conv, in portable Rust: the definition |
//! | [`side_by_side`] | the ConvTranspose that kernels do as a 1x1 convolution |
//! | [`recipe`] | how kernels do it: the parts of a window |
//! | [`packing`] | the weights of these parts |
//! | [`staging`] | rows as kernels read them |

mod gathered;
mod packing;
mod recipe;
pub(super) mod side_by_side;
mod staging;

use core::ops::Range;

use heapless::Vec;

use super::Context;
use crate::arch::Isa;
use crate::arch::job::{ConvRow, DepthwiseRow, Layouts, MAX_SEGMENTS, ROWS, Requantize, Segment};
use crate::arch::parts::Part;
use crate::plan::record::Edge;
use crate::plan::{Conv, Plan};
use crate::shape::{Axis, Size};
use packing::Packed;
use recipe::{Form, MAX_GROUPS, Recipe};
use staging::{Columns, Ring};

/// Most inputs whose rows are staged.
const MAX_EDGES: usize = 16;

/// Both axes of the window, over the input as it is read.
fn axes(conv: &Conv, size: Size, upsample: u8) -> Option<(Axis, Axis)> {
    let factor = u32::from(upsample);
    Some((conv.window.axis(0, size.rows * factor)?, conv.window.axis(1, size.width * factor)?))
}

/// How kernels do it; `None` where they don't, and there are no packed weights.
fn recipe(layouts: Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> Option<Recipe> {
    if edges.len() > MAX_EDGES || !recipe::fits(conv) {
        return None;
    }
    Recipe::new(layouts(outputs)?, plan, edges, conv, outputs)
}

/// Bytes of the packed weights; 0 where the convolution is gathered.
pub(super) fn packed_len(layouts: Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> usize {
    recipe(layouts, plan, edges, conv, outputs).map_or(0, |recipe| recipe.packed_len())
}

/// Packs the weights.
pub(super) fn pack(layouts: Layouts, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize, out: &mut [u8]) {
    let zero_point = edges.first().and_then(|edge| plan.tensor(edge.tensor.get())).map_or(0, |t| t.zero_point);
    if let Some(recipe) = recipe(layouts, plan, edges, conv, outputs) {
        let _ = recipe.pack(conv, None, zero_point, out);
    }
}

/// Bytes of scratch that one worker needs for whole rows, with inputs of this size.
pub(super) fn scratch_len(
    layouts: Layouts,
    plan: &Plan,
    edges: &[Edge],
    conv: &Conv,
    outputs: usize,
    size: Size,
) -> usize {
    let Some(recipe) = recipe(layouts, plan, edges, conv, outputs) else { return 0 };
    let Some((rows, columns)) = axes(conv, size, edges.first().map_or(1, |edge| edge.upsample)) else { return 0 };
    let channels = |edge: usize| edges.get(edge).map_or(0, |edge| plan.channels(edge.tensor.get().into()));
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
    if by_kernels(isa, cx, conv, rows.clone(), part, scratch).is_none() {
        for y in rows {
            gathered::row(isa, cx, conv, y, part.row(cx.place.slot(y)));
        }
    }
}

/// The same by the instruction set's kernels; `None` if it has none for this.
fn by_kernels<I: Isa>(
    isa: I,
    cx: &Context,
    conv: &Conv,
    rows: Range<u32>,
    part: &mut Part<i8>,
    scratch: &mut [u8],
) -> Option<()> {
    if cx.packed.is_empty() {
        return None;
    }
    let outputs = cx.output.channels.get().into();
    let layout = isa.layout(outputs)?;
    // That the convolution fits is known from its packed weights; to ask for every row would cost as much as a part of it.
    Recipe::with(layout, cx.plan, cx.edges, conv, outputs, |recipe| {
        let strip = Strip::new(cx, conv, recipe)?;
        match strip.recipe.form {
            Form::Rows => strip.staged(isa, rows, part, scratch),
            Form::Interleaved | Form::Depthwise => strip.interleaved(isa, rows, part, scratch),
        }
    })
}

/// What the rows of a strip have in common.
struct Strip<'a> {
    cx: &'a Context<'a>,
    recipe: &'a Recipe,
    /// Both axes of the window.
    along: Axis,
    across: Axis,
    columns: Columns,
    packed: Packed<'a>,
    requantize: Requantize<'a>,
}

impl<'a> Strip<'a> {
    fn new(cx: &'a Context<'a>, conv: &Conv, recipe: &'a Recipe) -> Option<Strip<'a>> {
        let (along, across) = axes(conv, cx.size(0), cx.edges.first()?.upsample)?;
        let columns = Columns::new(&across, &cx.columns);
        let packed = Packed::new(cx.packed, recipe.count())?;
        let requantize = packed.requantize(cx.output.zero_point, conv);
        Some(Strip { cx, recipe, along, across, columns, packed, requantize })
    }

    /// Takes a row of the input with the most channels off the front of scratch; what is left is aligned.
    fn spare<'s>(&self, scratch: &'s mut [u8]) -> Option<(&'s mut [i8], &'s mut [u8])> {
        let channels = (0..self.cx.edges.len()).map(|edge| usize::from(self.cx.input(edge).channels.get())).max()?;
        let (spare, scratch) = scratch.split_at_mut_checked(self.columns.count * channels)?;
        Some((zerocopy::transmute_mut!(spare), staging::aligned(scratch)))
    }

    /// A row of these segments.
    fn row<'r>(&'r self, segments: &'r [Segment<'r>], weights: &'r [u8]) -> ConvRow<'r> {
        ConvRow {
            layout: self.recipe.layout,
            segments,
            weights,
            requantize: self.requantize,
            extreme: self.packed.extreme,
            pixels: self.cx.columns.len(),
            outputs: self.recipe.outputs,
            out_stride: self.recipe.outputs,
        }
    }

    /// Each input's rows staged in a ring.
    fn staged<I: Isa>(&self, isa: I, rows: Range<u32>, part: &mut Part<i8>, scratch: &mut [u8]) -> Option<()> {
        let Strip { cx, recipe, along, across, columns, .. } = self;
        let (spare, mut scratch) = self.spare(scratch)?;
        let mut rings: Vec<Ring, MAX_EDGES> = Vec::new();
        for edge in 0..cx.edges.len() {
            rings.push(Ring::new(cx, &recipe.layout, edge, (along, *columns), &mut scratch)?).ok()?;
        }
        for y in rows {
            for ring in &mut rings {
                ring.advance(isa, cx, y, spare);
            }
            let mut segments: Vec<Segment, MAX_SEGMENTS> = Vec::new();
            for shape in &recipe.segments {
                let row = rings.get(usize::from(shape.edge))?.row(shape.row.into());
                let pixel = (u32::from(shape.column) * across.dilation) as usize;
                let segment = shape.segment(row, &recipe.layout, columns.count, pixel, across.stride as usize);
                segments.push(segment?).ok()?;
            }
            isa.conv(&self.row(&segments, self.packed.weights), part.row(cx.place.slot(y)));
        }
        Some(())
    }

    /// The rows of the only input interleaved, for each row of the output anew, or for two.
    fn interleaved<I: Isa>(&self, isa: I, rows: Range<u32>, part: &mut Part<i8>, scratch: &mut [u8]) -> Option<()> {
        let Strip { cx, recipe, along, across, columns, packed, requantize } = self;
        let channels = usize::from(cx.input(0).channels.get());
        let (zeros, scratch) = self.spare(scratch)?;
        let group_len = staging::group_len(&recipe.layout, columns.count, channels);
        // Bytes of an interleaved pixel.
        let pixel = ROWS * channels * recipe.layout.interleaved;
        let staged = scratch.get_mut(..recipe.groups() * group_len)?;
        for y in rows.clone() {
            let second = recipe.pairs && (y - rows.start) % 2 == 1;
            if !second {
                let more = recipe.pairs && y + 1 < rows.end;
                staging::interleave(isa, cx, recipe, (along, *columns), (y, more), zeros, staged);
            }
            let weights = packed.weights.get(if second { recipe.weights_len() } else { 0 }..)?;
            let mut groups: Vec<&[u8], MAX_GROUPS> = Vec::new();
            for group in staged.chunks_exact(group_len) {
                groups.push(group).ok()?;
            }
            let out = part.row(cx.place.slot(y));
            if recipe.form == Form::Interleaved {
                let stride = across.stride as usize * pixel;
                let mut segments: Vec<Segment, MAX_GROUPS> = Vec::new();
                for (input, shape) in groups.iter().zip(&recipe.segments) {
                    let values = shape.values as usize;
                    let steps = recipe.layout.steps(values);
                    segments.push(Segment { input, stride, values, steps, planes: 1, pitch: 0 }).ok()?;
                }
                isa.conv(&self.row(&segments, weights), out);
                continue;
            }
            // Without strides, neighbouring pixels are neighbours in the input too: the row is one run.
            let (run, step) =
                if across.stride == 1 { (out.len().max(1), 0) } else { (channels, across.stride as usize) };
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
                    requantize: *requantize,
                    extreme: packed.extreme,
                };
                isa.depthwise(&row, out);
            }
        }
        Some(())
    }
}
