//! The plan: one file with all that a device must know (contract C4).
//!
//! A plan (`.mtm`) is independent of a frame's size. It is read in place, from a file or from flash, at any alignment:
//! [`Plan::parse`] checks everything once, after which no accessor can fail. [`emit`](emit::emit) is its inverse.
//!
//! # Format, version 2
//!
//! Little endian throughout. Sections follow each other in this order, without gaps:
//!
//! | section | record | what |
//! | --- | --- | --- |
//! | header | [`record::Header`] | magic `MTM1`, version, length, CRC-32 of all that follows the checksum, counts, input, post-processing |
//! | tensors | [`record::Tensor`] | channels, zero point, scale, ring rows; tensor 0 is the network's input |
//! | operators | [`record::Operator`] | in topological order; operator `i` makes tensor `i + 1` |
//! | edges | [`record::Edge`] | which tensors the operators read; an operator's edges are consecutive |
//! | outputs | [`record::Output`] | which tensors are handed out, and as what |
//! | data | bytes | weights, biases, scales, tables, names: addressed from its start by [`record::Span`]s |
//! | packed | bytes | none, or the weights once more, in the order of one kernel: [`packed`] |
//!
//! Weights of a Conv are, for every output channel, one block `[kernel rows, kernel columns, channels / group]` per
//! input edge, in the edges' order (for one input that is OHWI); those of a ConvTranspose likewise. A depthwise Conv
//! (one input channel and one output channel per group) stores `[kernel rows, kernel columns, channels]`.

pub mod emit;
pub mod op;
pub mod packed;
pub mod record;
pub mod strips;
pub mod threshold;

mod check;
mod inspector;
pub(crate) mod view;

pub use op::{Classify, Conv, Coordinates, Nearest, Op, Operator, Operators, Order, PadMode, Pool, Resize};
pub use view::{Alignment, Input, Levels, Normalization, Output, Plan, Post, Role, Task, Tensor};

/// Ring rows of a tensor that is kept whole: global pooling, squeeze-and-excite.
pub const TALL: u32 = u32::MAX;

/// What packed weights are aligned to from the start of the file, in bytes; and must be in memory to be read in place.
pub const PACKED_ALIGNMENT: usize = 16;

/// Most channels that the preprocessing of camera rows serves.
pub const MAX_CAMERA_CHANNELS: usize = 4;
