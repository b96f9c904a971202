//! The records of the file, byte for byte: the only place that knows an offset.
//!
//! Every field is little endian and unaligned, so a record can be read wherever it lies.

use zerocopy::little_endian::{F32, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::MAX_CAMERA_CHANNELS;

/// First four bytes of a plan.
pub const MAGIC: [u8; 4] = *b"MTM1";

/// The version that this crate reads and writes. The order of packed weights is a part of it: kernels trust it, and a plan
/// that was packed in another would give other bytes.
pub const VERSION: u16 = 2;

/// A range of bytes in the data section.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Span {
    /// First byte, from the start of the data section.
    pub offset: U32,
    /// Number of bytes.
    pub len: U32,
}

/// The start of the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`VERSION`].
    pub version: U16,
    /// Size of this record in bytes.
    pub header_len: U16,
    /// Size of the whole plan in bytes.
    pub file_len: U32,
    /// CRC-32 (ISO-HDLC, as in zip) of every byte after this field.
    pub checksum: U32,
    /// Number of tensors.
    pub tensors: U16,
    /// Number of operators.
    pub operators: U16,
    /// Number of edges.
    pub edges: U16,
    /// Number of outputs.
    pub outputs: U16,
    /// Frame sides are padded until `side % multiple == remainder`: rows, width.
    pub multiple: [U16; 2],
    /// See `multiple`.
    pub remainder: [U16; 2],
    /// How camera rows become the input tensor.
    pub input: Input,
    /// What to do with the mask.
    pub post: Post,
    /// Class names, UTF-8, one a line.
    pub classes: Span,
    /// Provenance, UTF-8, one `key=value` a line.
    pub provenance: Span,
    /// Name of the kernel that weights are packed for, UTF-8; empty if they are not.
    pub packing: Span,
    /// All packed weights, operator by operator: the last of the file, at a multiple of
    /// [`PACKED_ALIGNMENT`](super::PACKED_ALIGNMENT) from its start.
    pub packed: Span,
}

impl Header {
    /// Bytes before the data section.
    pub(super) fn sections_len(&self) -> usize {
        size_of::<Header>()
            + size_of::<Tensor>() * usize::from(self.tensors.get())
            + size_of::<Operator>() * usize::from(self.operators.get())
            + size_of::<Edge>() * usize::from(self.edges.get())
            + size_of::<Output>() * usize::from(self.outputs.get())
    }
}

/// Preprocessing.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Input {
    /// 0: fixed levels; 1: percentiles of the frame; 2: percentiles of the previous frame.
    pub policy: u8,
    /// Channel order of a three-channel network: 0 RGB, 1 BGR.
    pub order: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// Level, or percentile, that becomes 0.
    pub low: F32,
    /// Level, or percentile, that becomes 1.
    pub high: F32,
    /// Factor per channel.
    pub gain: [F32; MAX_CAMERA_CHANNELS],
    /// Added per channel.
    pub offset: [F32; MAX_CAMERA_CHANNELS],
}

/// Post-processing.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Post {
    /// 0: none; 1: components per class; 2: interiors and border.
    pub task: u8,
    /// Object class (task 2).
    pub object: u8,
    /// Border class (task 2).
    pub border: u8,
    /// Zero.
    pub reserved: u8,
    /// Smallest object in pixels.
    pub min_area: U32,
    /// How far interiors grow back over the border, in pixels.
    pub grow: F32,
    /// The probability above which a pixel is an object's; for information, as the operators already apply it.
    pub threshold: F32,
}

/// A tensor.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Tensor {
    /// Channels, at least 1.
    pub channels: U16,
    /// The int8 value that stands for 0.
    pub zero_point: i8,
    /// Zero.
    pub reserved: u8,
    /// Real value of one step.
    pub scale: F32,
    /// Rows that the session keeps, or [`TALL`](super::TALL).
    pub ring: U32,
}

/// An operator. Which fields a kind uses is told by [`Op`](super::Op); the others are zero.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Operator {
    /// See [`op::kind`](super::op::kind).
    pub kind: u8,
    /// Bit 0: `ceil`; bit 1: count the padding.
    pub flags: u8,
    /// Variant within the kind: padding, coordinates, fill.
    pub mode: u8,
    /// Second variant: rounding of Resize.
    pub rounding: u8,
    /// Lowest and highest output value.
    pub clamp: [i8; 2],
    /// Fill of Pad, threshold of Classify.
    pub value: i8,
    /// Zero.
    pub reserved: u8,
    /// Rows per step.
    pub strip: U16,
    /// First edge.
    pub first_edge: U16,
    /// Number of edges.
    pub edges: U16,
    /// Kernel: rows, columns.
    pub kernel: [U16; 2],
    /// Stride: rows, columns.
    pub stride: [U16; 2],
    /// Dilation: rows, columns.
    pub dilation: [U16; 2],
    /// Pads (or crops): top, left, bottom, right.
    pub pads: [U16; 4],
    /// Groups.
    pub group: U16,
    /// Ratio of Resize and Input (rows numerator, denominator, width numerator, denominator); channels of Slice; classes of
    /// Classify; output padding of ConvTranspose.
    pub size: [U16; 4],
    /// Real factors of Add, Mul, AveragePool.
    pub factor: [F32; 2],
    /// The ONNX node's name.
    pub name: Span,
    /// Weights or table.
    pub weights: Span,
    /// Biases (i32) or exponentials (u32).
    pub bias: Span,
    /// Requantization scales (f32).
    pub scales: Span,
}

/// A tensor that an operator reads.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Edge {
    /// Which tensor.
    pub tensor: U16,
    /// Nearest upsampling on the way (1: none): the reader sees each pixel `upsample` times, each row too. Conv only.
    pub upsample: u8,
    /// Zero.
    pub reserved: u8,
}

impl Edge {
    /// An edge that reads `tensor` as it is.
    pub fn new(tensor: u16) -> Edge {
        Edge::upsampled(tensor, 1)
    }

    /// An edge that reads `tensor` enlarged `factor` times (nearest).
    pub fn upsampled(tensor: u16, factor: u8) -> Edge {
        Edge { tensor: tensor.into(), upsample: factor, reserved: 0 }
    }
}

/// A tensor that is handed out.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct Output {
    /// Which tensor.
    pub tensor: U16,
    /// 0: raw values; 1: class indices.
    pub role: u8,
    /// Zero.
    pub reserved: u8,
    /// Name.
    pub name: Span,
}
