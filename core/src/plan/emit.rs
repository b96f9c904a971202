//! Writing a plan: the inverse of [`Plan::parse`](super::Plan::parse), and, like it, without a heap.

use zerocopy::little_endian::U16;
use zerocopy::{Immutable, IntoBytes};

use super::op::{Classify, Coordinates, Nearest, Op, Operator, Order, PadMode};
use super::record::{self, Span};
use super::{Alignment, Input, Normalization, Output, Post, Role, Task, Tensor, check};
use crate::shape::{Padding, Window};

/// Everything that a plan holds.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Tensors; the first is the network's input.
    pub tensors: &'a [Tensor],
    /// Operators, in topological order.
    pub operators: &'a [Operator<'a>],
    /// Outputs.
    pub outputs: &'a [Output<'a>],
    /// Preprocessing.
    pub input: Input,
    /// Post-processing.
    pub post: Post,
    /// Which frame sides fit.
    pub alignment: Alignment,
    /// Class names, one a line.
    pub classes: &'a str,
    /// Provenance, one `key=value` a line.
    pub provenance: &'a str,
}

/// The size in bytes of the plan that [`emit`] writes.
pub fn emitted_len(spec: &Spec) -> usize {
    write(spec, &mut Writer { out: &mut [], at: 0, data: 0 })
}

/// Writes the plan to the start of `out` and returns its size in bytes; `None`, with `out` in an unspecified state,
/// where [`emitted_len`] does not fit or exceeds the format's 4 GiB.
///
/// Nothing is checked here: [`Plan::parse`](super::Plan::parse) does that, for whoever made the bytes.
pub fn emit(spec: &Spec, out: &mut [u8]) -> Option<usize> {
    let len = emitted_len(spec);
    u32::try_from(len).ok()?;
    let out = out.get_mut(..len)?;
    write(spec, &mut Writer { out, at: 0, data: 0 });
    let checksum = check::checksum(out);
    let at = core::mem::offset_of!(record::Header, checksum);
    out[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
    Some(len)
}

/// Writes what fits and counts everything, so that one function knows the size.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Bytes of the data section so far.
    data: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.out.get_mut(self.at..self.at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }

    /// Reserves room in the data section.
    fn span<T: IntoBytes + Immutable>(&mut self, items: &[T]) -> Span {
        let span = Span { offset: (self.data as u32).into(), len: (size_of_val(items) as u32).into() };
        self.data += size_of_val(items);
        span
    }
}

/// Two passes in the same order: the records, with their spans, and then the data that the spans name.
fn write(spec: &Spec, w: &mut Writer) -> usize {
    let edges: usize = spec.operators.iter().map(|o| o.inputs.len()).sum();
    let data: usize = spec.operators.iter().map(|o| o.name.len() + payload(&o.op).len()).sum::<usize>()
        + spec.outputs.iter().map(|o| o.name.len()).sum::<usize>()
        + spec.classes.len()
        + spec.provenance.len();
    let classes = w.span(spec.classes.as_bytes());
    let provenance = w.span(spec.provenance.as_bytes());
    let mut header = record::Header {
        magic: record::MAGIC,
        version: record::VERSION.into(),
        header_len: (size_of::<record::Header>() as u16).into(),
        file_len: 0.into(),
        checksum: 0.into(),
        tensors: (spec.tensors.len() as u16).into(),
        operators: (spec.operators.len() as u16).into(),
        edges: (edges as u16).into(),
        outputs: (spec.outputs.len() as u16).into(),
        multiple: spec.alignment.multiple.map(U16::new),
        remainder: spec.alignment.remainder.map(U16::new),
        input: input(&spec.input),
        post: post(&spec.post),
        classes,
        provenance,
        packing: Span::default(),
        packed: Span::default(),
    };
    header.file_len = ((header.sections_len() + data) as u32).into();
    w.put(header.as_bytes());
    for t in spec.tensors {
        let tensor = record::Tensor {
            channels: t.channels.into(),
            zero_point: t.zero_point,
            reserved: 0,
            scale: t.scale.into(),
            ring: t.ring.into(),
        };
        w.put(tensor.as_bytes());
    }
    let mut first_edge = 0;
    for o in spec.operators {
        let name = w.span(o.name.as_bytes());
        let payload = payload(&o.op);
        let record = record::Operator {
            strip: o.strip.into(),
            first_edge: first_edge.into(),
            edges: (o.inputs.len() as u16).into(),
            name,
            weights: w.span(payload.weights),
            bias: w.span(payload.bias),
            scales: w.span(payload.scales),
            ..operator(&o.op)
        };
        w.put(record.as_bytes());
        first_edge += o.inputs.len() as u16;
    }
    for o in spec.operators {
        w.put(o.inputs.as_bytes());
    }
    for o in spec.outputs {
        let name = w.span(o.name.as_bytes());
        let role = match o.role {
            Role::Raw => 0,
            Role::Mask => 1,
        };
        w.put(record::Output { tensor: o.tensor.into(), role, reserved: 0, name }.as_bytes());
    }
    w.put(spec.classes.as_bytes());
    w.put(spec.provenance.as_bytes());
    for o in spec.operators {
        let payload = payload(&o.op);
        w.put(o.name.as_bytes());
        w.put(payload.weights);
        w.put(payload.bias);
        w.put(payload.scales);
    }
    for o in spec.outputs {
        w.put(o.name.as_bytes());
    }
    w.at
}

/// The bytes of an operator's weights, bias and scales.
#[derive(Default)]
struct Payload<'a> {
    weights: &'a [u8],
    bias: &'a [u8],
    scales: &'a [u8],
}

impl Payload<'_> {
    fn len(&self) -> usize {
        self.weights.len() + self.bias.len() + self.scales.len()
    }
}

fn payload<'a>(op: &Op<'a>) -> Payload<'a> {
    match op {
        Op::Conv(conv) | Op::ConvTranspose { conv, .. } => {
            Payload { weights: conv.weights.as_bytes(), bias: conv.bias.as_bytes(), scales: conv.scales.as_bytes() }
        }
        Op::Concat { tables } | Op::Table(tables) => Payload { weights: tables.as_bytes(), ..Payload::default() },
        Op::Softmax(exponentials) => Payload { bias: exponentials.as_bytes(), ..Payload::default() },
        _ => Payload::default(),
    }
}

fn input(input: &Input) -> record::Input {
    let (policy, low, high) = match input.normalization {
        Normalization::Fixed(levels) => (0, levels.low, levels.high),
        Normalization::Percentile { low, high, previous } => (1 + u8::from(previous), low, high),
    };
    record::Input {
        policy,
        order: u8::from(input.order == Order::Bgr),
        reserved: [0; 2],
        low: low.into(),
        high: high.into(),
        gain: input.gain.map(Into::into),
        offset: input.offset.map(Into::into),
    }
}

fn post(post: &Post) -> record::Post {
    let (task, object, border) = match post.task {
        Task::None => (0, 0, 0),
        Task::Components => (1, 0, 0),
        Task::InteriorBorder { object, border } => (2, object, border),
    };
    record::Post {
        task,
        object,
        border,
        reserved: 0,
        min_area: post.min_area.into(),
        grow: post.grow.into(),
        threshold: post.threshold.into(),
    }
}

/// The record of an operator, but for its place in the graph and its spans.
fn operator(op: &Op) -> record::Operator {
    let mut r = record::Operator { kind: op.kind(), ..record::Operator::default() };
    match op {
        Op::Conv(conv) => {
            window(&mut r, &conv.window);
            r.group = conv.group.into();
            r.clamp = [conv.clamp.low, conv.clamp.high];
        }
        Op::ConvTranspose { conv, output_padding } => {
            window(&mut r, &conv.window);
            r.group = conv.group.into();
            r.clamp = [conv.clamp.low, conv.clamp.high];
            r.size = [output_padding[0].into(), output_padding[1].into(), 0.into(), 0.into()];
        }
        Op::MaxPool(w) => window(&mut r, w),
        Op::AveragePool(pool) => {
            window(&mut r, &pool.window);
            r.flags |= u8::from(pool.count_include_pad) << 1;
            r.factor[0] = pool.factor.into();
        }
        Op::GlobalAveragePool(factor) => r.factor[0] = (*factor).into(),
        Op::Resize(resize) => {
            let [rows, width] = resize.ratio;
            r.size = [rows[0], rows[1], width[0], width[1]].map(U16::new);
            r.mode = match resize.coordinates {
                Coordinates::HalfPixel => 0,
                Coordinates::PytorchHalfPixel => 1,
                Coordinates::AlignCorners => 2,
                Coordinates::Asymmetric => 3,
            };
            r.rounding = match resize.nearest {
                None => 0,
                Some(Nearest::Floor) => 1,
                Some(Nearest::Ceil) => 2,
                Some(Nearest::RoundPreferFloor) => 3,
                Some(Nearest::RoundPreferCeil) => 4,
            };
            r.factor[0] = resize.factor.into();
        }
        Op::Add { factor, clamp } => {
            r.factor = factor.map(Into::into);
            r.clamp = [clamp.low, clamp.high];
        }
        Op::Mul { factor, clamp } => {
            r.factor[0] = (*factor).into();
            r.clamp = [clamp.low, clamp.high];
        }
        Op::Pad { pads, mode } => {
            r.pads = pads.map(U16::new);
            (r.mode, r.value) = match mode {
                PadMode::Constant(value) => (0, *value),
                PadMode::Reflect => (1, 0),
                PadMode::Edge => (2, 0),
            };
        }
        Op::Slice { crop, channel } => {
            r.pads = crop.map(U16::new);
            r.size[0] = (*channel).into();
        }
        Op::Classify(Classify::InteriorBorder { object, border, threshold }) => {
            r.size[0] = u16::from(*object).into();
            r.size[1] = u16::from(*border).into();
            r.value = *threshold;
        }
        Op::Classify(Classify::Above { threshold }) => {
            r.mode = 1;
            r.value = *threshold;
        }
        Op::Input([rows, width]) => r.size = [rows[0], rows[1], width[0], width[1]].map(U16::new),
        Op::Concat { .. } | Op::Table(_) | Op::ArgMax | Op::Softmax(_) => {}
    }
    r
}

fn window(r: &mut record::Operator, window: &Window) {
    r.kernel = window.kernel.map(U16::new);
    r.stride = window.stride.map(U16::new);
    r.dilation = window.dilation.map(U16::new);
    r.flags |= u8::from(window.ceil);
    match window.padding {
        Padding::Explicit(pads) => r.pads = pads.map(U16::new),
        Padding::SameUpper => r.mode = 1,
        Padding::SameLower => r.mode = 2,
    }
}
