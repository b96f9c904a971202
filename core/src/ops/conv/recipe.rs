//! How a convolution is done by kernels: which parts its window falls into.
//!
//! A [`Recipe`] depends on the plan and the instruction set, not on the frame. It is cheap to make, so it is made anew
//! wherever it is needed; only the [packed](super::packing) weights are kept, in the session's arena.

use heapless::Vec;
use zerocopy::little_endian::{F32, I32};

use crate::arch::job::{Layout, MAX_SEGMENTS, Planes, ROWS, Segment};
use crate::plan::record::Edge;
use crate::plan::{Conv, Plan};

/// Most groups of four kernel rows that are interleaved.
pub(super) const MAX_GROUPS: usize = 4;

/// Largest magnitude that an accumulator may have after its multiplication: conversions wrap at 2³¹ on some machines, which is
/// far enough for what an f32 of it is rounded.
const MAX_SCALED: f32 = (1u32 << 30) as f32;

/// How the window's values are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The rows under the window are staged one by one.
    Rows,
    /// Kernel rows are interleaved four by four into one run of bytes: for one to three channels.
    Interleaved,
    /// The same, and every channel has sums of its own.
    Depthwise,
}

/// A part of the window whose values are consecutive, pixel after pixel, once staged; the same in several planes.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentShape {
    /// Input.
    pub edge: u16,
    /// Kernel row, or group of four of them.
    pub row: u16,
    /// First kernel column.
    pub column: u16,
    /// Channels of the input, and the first of those that this is of.
    pub channels: u16,
    first: u16,
    /// How many these are.
    present: u16,
    /// Channels that a plane has room for.
    width: u16,
    /// How many planes.
    pub planes: u16,
    /// Values, in each plane.
    pub values: u32,
    /// Where the weights of the first tap start among those of an output channel.
    pub start: u32,
}

impl SegmentShape {
    /// Taps of a kernel row, of such planes of an input of so many channels.
    fn new(channels: usize, planes: &Planes, taps: usize) -> SegmentShape {
        SegmentShape {
            edge: 0,
            row: 0,
            column: 0,
            channels: channels as u16,
            first: planes.first as u16,
            present: planes.channels as u16,
            width: planes.width as u16,
            planes: planes.count as u16,
            values: (taps * planes.width) as u32,
            start: 0,
        }
    }

    /// The segment in a staged row of `count` pixels, from a pixel on.
    pub fn segment<'r>(
        &self,
        row: &'r [u8],
        layout: &Layout,
        count: usize,
        pixel: usize,
        stride: usize,
    ) -> Option<Segment<'r>> {
        let width = usize::from(self.width) * layout.value;
        let input = row.get(count * usize::from(self.first) * layout.value + pixel * width..)?;
        let values = self.values as usize;
        let (steps, planes) = (layout.steps(values), self.planes.into());
        Some(Segment { input, stride: stride * width, values, steps, planes, pitch: count * width })
    }

    /// Values of all planes.
    pub fn all_values(&self) -> usize {
        usize::from(self.planes) * self.values as usize
    }

    /// The tap and the channel of the input that a value (of all planes) is of; none where a plane has room left.
    pub fn source(&self, value: usize) -> Option<(usize, usize)> {
        let (values, width) = (self.values as usize, usize::from(self.width));
        let (plane, value) = (value / values, value % values);
        let channel = plane * width + value % width;
        (channel < usize::from(self.present)).then_some((value / width, usize::from(self.first) + channel))
    }
}

/// See the [module](self).
pub(super) struct Recipe {
    pub layout: Layout,
    pub form: Form,
    /// Channels per pixel of all inputs, and of the output.
    pub inputs: usize,
    pub outputs: usize,
    /// None for [`Form::Depthwise`].
    pub segments: Vec<SegmentShape, MAX_SEGMENTS>,
    pub kernel: [usize; 2],
    /// Whether four interleaved rows serve two rows of the output, one below the other: the second has weights of its own,
    /// behind the first's.
    pub pairs: bool,
}

impl Recipe {
    /// `None` where the instruction set of this layout has no kernel for the convolution; it must also be one that [`fits`].
    pub fn new(layout: Layout, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> Option<Recipe> {
        let mut recipe = Recipe::blank(layout, plan, edges, conv, outputs);
        recipe.cut(plan, edges, conv)?;
        Some(recipe)
    }

    /// What `then` makes of it, where there is a kernel. It stays where it is made: to move it would cost a small machine as
    /// much as to make it, for every row.
    pub fn with<T>(
        layout: Layout,
        plan: &Plan,
        edges: &[Edge],
        conv: &Conv,
        outputs: usize,
        then: impl FnOnce(&Recipe) -> Option<T>,
    ) -> Option<T> {
        let mut recipe = Recipe::blank(layout, plan, edges, conv, outputs);
        recipe.cut(plan, edges, conv)?;
        then(&recipe)
    }

    /// Without segments.
    #[inline(always)]
    fn blank(layout: Layout, plan: &Plan, edges: &[Edge], conv: &Conv, outputs: usize) -> Recipe {
        let inputs = edges.iter().map(|edge| channels(plan, edge)).sum();
        let (form, segments, kernel) = (Form::Rows, Vec::new(), conv.window.kernel.map(usize::from));
        Recipe { layout, form, inputs, outputs, segments, kernel, pairs: false }
    }

    /// Finds the form and the segments.
    fn cut(&mut self, plan: &Plan, edges: &[Edge], conv: &Conv) -> Option<()> {
        let Recipe { layout, inputs, outputs, kernel: [rows, columns], .. } = *self;
        let channels = |edge: &Edge| channels(plan, edge);
        let upsampled = edges.iter().any(|edge| edge.upsample != 1);
        let dilated = conv.window.dilation[1] != 1;
        let one_below = rows + 1 == ROWS && (conv.window.stride[0], conv.window.dilation[0]) == (1, 1);
        let groups = rows.div_ceil(ROWS);
        if conv.is_depthwise(inputs, outputs) && !upsampled && groups <= MAX_GROUPS {
            (self.form, self.pairs) = (Form::Depthwise, one_below);
            return Some(());
        }
        if conv.group != 1 {
            return None;
        }
        let steps = |planes: Planes| planes.count * layout.steps(columns * planes.width);
        let row_steps = rows * edges.iter().flat_map(|edge| layout.cut(channels(edge)).map(steps)).sum::<usize>();
        let alike = layout.interleaved == layout.value;
        let may_interleave = edges.len() == 1 && !upsampled && !dilated && alike && groups <= MAX_GROUPS;
        // An interleaved pixel of wide values is aligned, which a pixel of few channels is not: worth as many steps.
        let most = row_steps + usize::from(layout.interleaved > 1);
        if may_interleave && groups * layout.steps(ROWS * columns * inputs) < most {
            (self.form, self.pairs) = (Form::Interleaved, one_below);
            let whole = Planes { first: 0, channels: ROWS * inputs, width: ROWS * inputs, count: 1 };
            for row in 0..groups as u16 {
                self.segments.push(SegmentShape { row, ..SegmentShape::new(inputs, &whole, columns) }).ok()?;
            }
            return Some(());
        }
        // With dilation, the taps of a kernel row are apart.
        let taps = if dilated { 1 } else { columns };
        let mut before = 0;
        for (edge, channels) in edges.iter().map(channels).enumerate() {
            for planes in layout.cut(channels) {
                for (row, column) in (0..rows).flat_map(|row| (0..columns).step_by(taps).map(move |c| (row, c))) {
                    let start = (before + (row * columns + column) * channels) as u32;
                    let (edge, row, column) = (edge as u16, row as u16, column as u16);
                    let shape = SegmentShape { edge, row, column, start, ..SegmentShape::new(channels, &planes, taps) };
                    self.segments.push(shape).ok()?;
                }
            }
            before += rows * columns * channels;
        }
        Some(())
    }

    /// A row of a transposed convolution whose windows lie side by side: every input pixel makes `kernel columns`
    /// output pixels, so it is a 1x1 convolution to as many times the channels.
    pub fn side_by_side(layout: Layout, inputs: usize, outputs: usize) -> Option<Recipe> {
        let mut segments = Vec::new();
        for planes in layout.cut(inputs) {
            segments.push(SegmentShape::new(inputs, &planes, 1)).ok()?;
        }
        let (form, kernel, pairs) = (Form::Rows, [1, 1], false);
        Some(Recipe { layout, form, inputs, outputs, segments, kernel, pairs })
    }

    /// Steps of all segments.
    fn steps(&self) -> usize {
        let steps = |segment: &SegmentShape| usize::from(segment.planes) * self.layout.steps(segment.values as usize);
        self.segments.iter().map(steps).sum()
    }

    /// Positions after which the weights of a depthwise convolution repeat.
    pub fn period(&self) -> usize {
        // 16 is a power of two: the least common multiple is what the channels lack of its factors.
        self.outputs * (16 / (1 << self.outputs.trailing_zeros().min(4)))
    }

    /// Biases and scales.
    pub fn count(&self) -> usize {
        match self.form {
            Form::Depthwise => self.period(),
            _ => self.layout.blocks(self.outputs) * self.layout.channels,
        }
    }

    /// Groups of four kernel rows.
    pub fn groups(&self) -> usize {
        self.kernel[0].div_ceil(ROWS)
    }

    /// Bytes of the weights for one row of the output.
    pub fn weights_len(&self) -> usize {
        match self.form {
            Form::Depthwise => self.groups() * self.kernel[1] * self.period() * ROWS * self.layout.interleaved,
            _ => self.layout.blocks(self.outputs) * self.steps() * self.layout.step(),
        }
    }
}

/// Channels of an input.
fn channels(plan: &Plan, edge: &Edge) -> usize {
    plan.channels(edge.tensor.get().into())
}

/// Whether every accumulator, scaled, stays far from where conversions wrap.
pub(super) fn fits(conv: &Conv) -> bool {
    let most = 255.0 * 128.0 * (conv.weights.len() / conv.bias.len().max(1)) as f32;
    let scaled = |(bias, scale): (&I32, &F32)| (most + (bias.get() as f32).abs()) * scale.get();
    conv.bias.iter().zip(conv.scales).map(scaled).all(|scaled| scaled < MAX_SCALED)
}
