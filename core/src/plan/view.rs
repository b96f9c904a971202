//! A plan, read in place.

use core::str;

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::inspector::{Broken, Inspector};
use super::op::{Classify, Conv, Coordinates, KINDS, Nearest, Op, Operator, Order, PadMode, Pool, Resize, kind};
use super::record::{self, Span};
use super::{MAX_CAMERA_CHANNELS, check};
use crate::error::{Place, PlanError};
use crate::measure;
use crate::quant::Clamp;
use crate::shape::{Padding, Window};

/// A parsed plan: a few slices into the file's bytes, cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub(super) header: &'a record::Header,
    pub(crate) tensors: &'a [record::Tensor],
    pub(crate) operators: &'a [record::Operator],
    pub(crate) edges: &'a [record::Edge],
    pub(crate) outputs: &'a [record::Output],
    pub(super) data: &'a [u8],
}

/// A tensor's channels and quantization: real value = `scale · (value − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor {
    /// Channels.
    pub channels: u16,
    /// Real value of one step.
    pub scale: f32,
    /// The int8 value that stands for 0.
    pub zero_point: i8,
    /// Rows that the session keeps, or [`TALL`](super::TALL).
    pub ring: u32,
}

/// The black and white point of a frame, in the units of its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Becomes 0.
    pub low: f32,
    /// Becomes 1.
    pub high: f32,
}

/// Where a frame's [`Levels`] come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// They are these; values outside are kept.
    Fixed(Levels),
    /// Percentiles of the luma, from 0 to 100; values outside are clipped.
    Percentile {
        /// Percentile that becomes 0.
        low: f32,
        /// Percentile that becomes 1.
        high: f32,
        /// Whether to take those of the previous frame: for video, so that the first row need not wait for the last.
        previous: bool,
    },
}

/// Preprocessing: a camera value x becomes `(x − low) / (high − low) · gain + offset` for its channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Black and white point.
    pub normalization: Normalization,
    /// Channel order.
    pub order: Order,
    /// Factor per channel.
    pub gain: [f32; MAX_CAMERA_CHANNELS],
    /// Added per channel.
    pub offset: [f32; MAX_CAMERA_CHANNELS],
}

/// What the mask's classes mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// No mask, or one that is not made of objects.
    None,
    /// Every class but 0 is a kind of object.
    Components,
    /// Objects are the connected interiors, grown back over the border.
    InteriorBorder {
        /// Class of interiors.
        object: u8,
        /// Class of borders.
        border: u8,
    },
}

/// Post-processing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Post {
    /// What the mask's classes mean.
    pub task: Task,
    /// Smallest object, in pixels.
    pub min_area: u32,
    /// How far interiors grow back over the border, in pixels.
    pub grow: f32,
    /// The probability above which a pixel is an object's; the plan's operators apply it.
    pub threshold: f32,
}

impl Post {
    /// What to measure in the mask; `None` where it is not made of objects.
    pub fn measure_task(&self) -> Option<measure::Task> {
        let min_area = self.min_area;
        match self.task {
            Task::None => None,
            Task::Components => Some(measure::Task::Components { min_area }),
            Task::InteriorBorder { object, border } => {
                Some(measure::Task::InteriorBorder { object, border, grow_px: self.grow, min_area })
            }
        }
    }
}

/// What an output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Values to be read with the tensor's scale and zero point.
    Raw,
    /// Class indices.
    Mask,
}

/// A tensor that is handed out row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output<'a> {
    /// Which tensor.
    pub tensor: u16,
    /// What it holds.
    pub role: Role,
    /// The ONNX output's name, or `mask`.
    pub name: &'a str,
}

/// Frame sides that the network takes: `side % multiple == remainder`, for rows and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// At least 1.
    pub multiple: [u16; 2],
    /// Below `multiple`.
    pub remainder: [u16; 2],
}

impl Alignment {
    /// The smallest side the network takes that is at least `side`, along axis 0 (rows) or 1 (width).
    pub fn pad(&self, axis: usize, side: u32) -> u32 {
        let (multiple, remainder) = (u32::from(self.multiple[axis]), u32::from(self.remainder[axis]));
        side + (remainder + multiple - side % multiple) % multiple
    }
}

impl<'a> Plan<'a> {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// The first thing that is wrong with it. Never panics, whatever the bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Plan<'a>, PlanError> {
        if !bytes.starts_with(&record::MAGIC) {
            return Err(PlanError::NotAPlan);
        }
        let short = |expected| PlanError::Length { found: bytes.len(), expected };
        let (header, rest) = record::Header::ref_from_prefix(bytes).map_err(|_| short(size_of::<record::Header>()))?;
        if header.version != record::VERSION {
            return Err(PlanError::Version { found: header.version.get() });
        }
        if header.file_len.get() as usize != bytes.len() {
            return Err(short(header.file_len.get() as usize));
        }
        if usize::from(header.header_len.get()) != size_of::<record::Header>() {
            return Err(PlanError::Field {
                place: Place::Header,
                field: "header length",
                found: header.header_len.get().into(),
                rule: "exactly",
                limit: size_of::<record::Header>() as i64,
            });
        }
        let (found, expected) = (check::checksum(bytes), header.checksum.get());
        if found != expected {
            return Err(PlanError::Checksum { found, expected });
        }
        let sections = || short(header.sections_len());
        let (tensors, rest) = table(rest, header.tensors.get()).ok_or_else(sections)?;
        let (operators, rest) = table(rest, header.operators.get()).ok_or_else(sections)?;
        let (edges, rest) = table(rest, header.edges.get()).ok_or_else(sections)?;
        let (outputs, data) = table(rest, header.outputs.get()).ok_or_else(sections)?;
        let plan = Plan { header, tensors, operators, edges, outputs, data };
        check::check(&plan)?;
        Ok(plan)
    }

    /// Tensor `index`; tensor 0 is the network's input.
    pub fn tensor(&self, index: u16) -> Option<Tensor> {
        self.tensors.get(usize::from(index)).map(|t| Tensor {
            channels: t.channels.get(),
            scale: t.scale.get(),
            zero_point: t.zero_point,
            ring: t.ring.get(),
        })
    }

    /// Channels of tensor `index`; 0 if there is none.
    pub(crate) fn channels(&self, index: usize) -> usize {
        self.tensors.get(index).map_or(0, |tensor| tensor.channels.get().into())
    }

    /// All tensors.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = Tensor> + '_ {
        self.tensors.iter().map(|t| Tensor {
            channels: t.channels.get(),
            scale: t.scale.get(),
            zero_point: t.zero_point,
            ring: t.ring.get(),
        })
    }

    /// Operator `index`.
    pub fn operator(&self, index: usize) -> Option<Operator<'a>> {
        self.decode(self.operators.get(index)?, &Inspector::new()).ok()
    }

    /// What operator `index` does.
    pub(crate) fn op(&self, index: usize) -> Option<Op<'a>> {
        self.decode_op(self.operators.get(index)?, &Inspector::new()).ok()
    }

    /// All operators, in topological order.
    pub fn operators(&self) -> impl Iterator<Item = Operator<'a>> + '_ {
        (0..self.operators.len()).filter_map(|index| self.operator(index))
    }

    /// The tensors of the inputs beside the frame, in their order.
    pub fn other_inputs(&self) -> impl Iterator<Item = usize> + '_ {
        let made = self.operators.iter().zip(1..);
        made.filter(|(record, _)| record.kind == kind::INPUT).map(|(_, tensor)| tensor)
    }

    /// Which of the [other inputs](Self::other_inputs) operator `index` is, if it is one.
    pub(crate) fn input_number(&self, index: usize) -> Option<usize> {
        let before = self.operators.get(..index)?.iter().filter(|record| record.kind == kind::INPUT);
        (self.operators.get(index)?.kind == kind::INPUT).then(|| before.count())
    }

    /// All outputs.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'a>> + '_ {
        self.outputs.iter().filter_map(|output| self.decode_output(output, &Inspector::new()).ok())
    }

    /// The index of the output that holds class indices, if there is one.
    pub fn mask_output(&self) -> Option<usize> {
        self.outputs().position(|output| output.role == Role::Mask)
    }

    /// Preprocessing.
    pub fn input(&self) -> Input {
        let input = &self.header.input;
        let levels = Levels { low: input.low.get(), high: input.high.get() };
        Input {
            normalization: match input.policy {
                0 => Normalization::Fixed(levels),
                policy => Normalization::Percentile { low: levels.low, high: levels.high, previous: policy == 2 },
            },
            order: if input.order == 0 { Order::Rgb } else { Order::Bgr },
            gain: input.gain.map(|v| v.get()),
            offset: input.offset.map(|v| v.get()),
        }
    }

    /// Post-processing.
    pub fn post(&self) -> Post {
        let post = &self.header.post;
        Post {
            task: match post.task {
                0 => Task::None,
                1 => Task::Components,
                _ => Task::InteriorBorder { object: post.object, border: post.border },
            },
            min_area: post.min_area.get(),
            grow: post.grow.get(),
            threshold: post.threshold.get(),
        }
    }

    /// Class names, in the order of their indices.
    pub fn classes(&self) -> str::Lines<'a> {
        self.utf8(self.header.classes).unwrap_or("").lines()
    }

    /// Where the plan comes from: one `key=value` a line.
    pub fn provenance(&self) -> &'a str {
        self.utf8(self.header.provenance).unwrap_or("")
    }

    /// Name of the kernel that weights are packed for; none where they are not.
    pub fn packing(&self) -> Option<&'a str> {
        self.utf8(self.header.packing).filter(|name| !name.is_empty())
    }

    /// The packed weights, if they are for the kernel of this name.
    pub(crate) fn packed_for(&self, kernel: &str) -> Option<&'a [u8]> {
        self.packing().filter(|&name| name == kernel)?;
        self.slice(self.header.packed)
    }

    /// Which frame sides the network takes without padding.
    pub fn alignment(&self) -> Alignment {
        Alignment { multiple: self.header.multiple.map(|v| v.get()), remainder: self.header.remainder.map(|v| v.get()) }
    }

    /// Size of the file in bytes.
    pub fn file_len(&self) -> usize {
        self.header.file_len.get() as usize
    }

    pub(super) fn header(&self) -> &'a record::Header {
        self.header
    }

    /// An output from its record: its role and name checked, nothing else.
    pub(super) fn decode_output(&self, output: &record::Output, inspector: &Inspector) -> Result<Output<'a>, Broken> {
        inspector.at_most("role", output.role.into(), 1)?;
        let role = if output.role == 0 { Role::Raw } else { Role::Mask };
        Ok(Output { tensor: output.tensor.get(), role, name: self.text(output.name, inspector)? })
    }

    /// The edges of an operator; empty where the record is wrong, which [`Plan::parse`] refuses.
    pub(crate) fn operator_edges(&self, operator: &record::Operator) -> &'a [record::Edge] {
        let first = usize::from(operator.first_edge.get());
        self.edges.get(first..first + usize::from(operator.edges.get())).unwrap_or(&[])
    }

    /// The bytes of a span, if there are so many.
    fn slice(&self, span: Span) -> Option<&'a [u8]> {
        let (start, len) = (span.offset.get() as usize, span.len.get() as usize);
        self.data.get(start..)?.get(..len)
    }

    fn utf8(&self, span: Span) -> Option<&'a str> {
        str::from_utf8(self.slice(span)?).ok()
    }

    pub(super) fn text(&self, span: Span, inspector: &Inspector) -> Result<&'a str, Broken> {
        str::from_utf8(self.bytes(span, "text", inspector)?).map_err(|_| inspector.text())
    }

    pub(super) fn bytes(&self, span: Span, field: &'static str, inspector: &Inspector) -> Result<&'a [u8], Broken> {
        self.slice(span).ok_or_else(|| {
            let end = i64::from(span.offset.get()) + i64::from(span.len.get());
            inspector.field(field, end, "an end of at most", self.data.len() as i64)
        })
    }

    fn items<T: FromBytes + Immutable + KnownLayout + Unaligned>(
        &self,
        span: Span,
        field: &'static str,
        inspector: &Inspector,
    ) -> Result<&'a [T], Broken> {
        <[T]>::ref_from_bytes(self.bytes(span, field, inspector)?)
            .map_err(|_| inspector.field(field, span.len.get().into(), "bytes in multiples of", size_of::<T>() as i64))
    }

    /// An operator from its record: every enumeration and span checked, nothing else.
    pub(super) fn decode(&self, record: &'a record::Operator, inspector: &Inspector) -> Result<Operator<'a>, Broken> {
        let (op, name) = (self.decode_op(record, inspector)?, self.text(record.name, inspector)?);
        Ok(Operator { name, inputs: self.operator_edges(record), strip: record.strip.get(), op })
    }

    fn decode_op(&self, record: &record::Operator, inspector: &Inspector) -> Result<Op<'a>, Broken> {
        if !(1..KINDS.len()).contains(&record.kind.into()) {
            return Err(inspector.field("kind", record.kind.into(), "at most", KINDS.len() as i64 - 1));
        }
        let mode = |limit: u8| {
            inspector.at_most("mode", record.mode.into(), limit.into())?;
            Ok(record.mode)
        };
        let pads = record.pads.map(|v| v.get());
        let window = |padding| Window {
            kernel: record.kernel.map(|v| v.get()),
            stride: record.stride.map(|v| v.get()),
            dilation: record.dilation.map(|v| v.get()),
            padding,
            ceil: record.flags & 1 != 0,
        };
        let padded_window = || {
            Ok(window(match mode(2)? {
                0 => Padding::Explicit(pads),
                1 => Padding::SameUpper,
                _ => Padding::SameLower,
            }))
        };
        let clamp = Clamp { low: record.clamp[0], high: record.clamp[1] };
        let conv = |window| {
            Ok(Conv {
                window,
                group: record.group.get(),
                weights: self.items(record.weights, "weights", inspector)?,
                bias: self.items(record.bias, "bias", inspector)?,
                scales: self.items(record.scales, "scales", inspector)?,
                clamp,
            })
        };
        let size = record.size.map(|v| v.get());
        let factor = record.factor.map(|v| v.get());
        Ok(match record.kind {
            kind::CONV => Op::Conv(conv(padded_window()?)?),
            kind::CONV_TRANSPOSE => {
                Op::ConvTranspose { conv: conv(window(Padding::Explicit(pads)))?, output_padding: [size[0], size[1]] }
            }
            kind::MAX_POOL => Op::MaxPool(padded_window()?),
            kind::AVERAGE_POOL => Op::AveragePool(Pool {
                window: padded_window()?,
                count_include_pad: record.flags & 2 != 0,
                factor: factor[0],
            }),
            kind::GLOBAL_AVERAGE_POOL => Op::GlobalAveragePool(factor[0]),
            kind::RESIZE => Op::Resize(Resize {
                ratio: [[size[0], size[1]], [size[2], size[3]]],
                coordinates: match mode(3)? {
                    0 => Coordinates::HalfPixel,
                    1 => Coordinates::PytorchHalfPixel,
                    2 => Coordinates::AlignCorners,
                    _ => Coordinates::Asymmetric,
                },
                nearest: match record.rounding {
                    0 => None,
                    1 => Some(Nearest::Floor),
                    2 => Some(Nearest::Ceil),
                    3 => Some(Nearest::RoundPreferFloor),
                    4 => Some(Nearest::RoundPreferCeil),
                    found => return Err(inspector.field("rounding", found.into(), "at most", 4)),
                },
                factor: factor[0],
            }),
            kind::CONCAT => Op::Concat { tables: self.items(record.weights, "tables", inspector)? },
            kind::ADD => Op::Add { factor, clamp },
            kind::MUL => Op::Mul { factor: factor[0], clamp },
            kind::TABLE => Op::Table(self.items(record.weights, "table", inspector)?),
            kind::PAD => Op::Pad {
                pads,
                mode: match mode(2)? {
                    0 => PadMode::Constant(record.value),
                    1 => PadMode::Reflect,
                    _ => PadMode::Edge,
                },
            },
            kind::SLICE => Op::Slice { crop: pads, channel: size[0] },
            kind::ARG_MAX => Op::ArgMax,
            kind::SOFTMAX => Op::Softmax(self.items(record.bias, "exponentials", inspector)?),
            kind::CLASSIFY => Op::Classify(match mode(1)? {
                0 => Classify::InteriorBorder { object: size[0] as u8, border: size[1] as u8, threshold: record.value },
                _ => Classify::Above { threshold: record.value },
            }),
            _ => Op::Input([[size[0], size[1]], [size[2], size[3]]]),
        })
    }
}

fn table<T: FromBytes + Immutable + KnownLayout + Unaligned>(bytes: &[u8], count: u16) -> Option<(&[T], &[u8])> {
    <[T]>::ref_from_prefix_with_elems(bytes, usize::from(count)).ok()
}
