//! Operators as the session sees them: ONNX's names, decoded from their records.

use zerocopy::little_endian::{F32, I32, U32};

use super::Plan;
use super::record::Edge;
use crate::quant::Clamp;
use crate::shape::Window;

/// Values of [`record::Operator::kind`](super::record::Operator::kind).
pub mod kind {
    #![allow(missing_docs, reason = "each is the operator of that name")]
    pub const CONV: u8 = 1;
    pub const CONV_TRANSPOSE: u8 = 2;
    pub const MAX_POOL: u8 = 3;
    pub const AVERAGE_POOL: u8 = 4;
    pub const GLOBAL_AVERAGE_POOL: u8 = 5;
    pub const RESIZE: u8 = 6;
    pub const CONCAT: u8 = 7;
    pub const ADD: u8 = 8;
    pub const MUL: u8 = 9;
    pub const TABLE: u8 = 10;
    pub const PAD: u8 = 11;
    pub const SLICE: u8 = 12;
    pub const ARG_MAX: u8 = 13;
    pub const SOFTMAX: u8 = 14;
    pub const CLASSIFY: u8 = 15;
    pub const INPUT: u8 = 16;
}

/// An operator with its place in the graph: operator `i` makes tensor `i + 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operator<'a> {
    /// The ONNX node's name, for messages.
    pub name: &'a str,
    /// Tensors that it reads.
    pub inputs: &'a [Edge],
    /// Rows that one step makes, at least 1.
    pub strip: u16,
    /// What it does.
    pub op: Op<'a>,
}

/// What an operator does. All tensors are int8, `[rows, width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op<'a> {
    /// Convolution over the concatenation of its inputs, which share one scale and zero point.
    Conv(Conv<'a>),
    /// Transposed convolution of one input; `pads` crop the full result (never SAME).
    ConvTranspose {
        /// Window, weights and requantization.
        conv: Conv<'a>,
        /// Rows and columns added at the bottom and right.
        output_padding: [u16; 2],
    },
    /// Largest value in the window; padding never wins.
    MaxPool(Window),
    /// Mean of the window.
    AveragePool(Pool),
    /// Mean of the whole input, `[1, 1, channels]`; the factor is `s_in / s_out`.
    GlobalAveragePool(f32),
    /// Resampling of rows and columns; a second edge, if there is one, gives only its size.
    Resize(Resize),
    /// Channels of all inputs side by side; one 256-entry table per input, indexed by `value + 128`, requantizes.
    Concat {
        /// The tables one after another, or none where every input has the output's scale and zero point.
        tables: &'a [i8],
    },
    /// `factor[0]·(a − za) + factor[1]·(b − zb)`, in steps of the output; b may be `[1, 1, channels]`.
    Add {
        /// `s_a / s_out` and `s_b / s_out`, negative to subtract.
        factor: [f32; 2],
        /// Output range.
        clamp: Clamp,
    },
    /// `factor·(a − za)·(b − zb)`, in steps of the output; b may be `[1, 1, channels]`.
    Mul {
        /// `s_a · s_b / s_out`.
        factor: f32,
        /// Output range.
        clamp: Clamp,
    },
    /// Any unary function: 256 entries indexed by `value + 128`, for all channels or for each in turn.
    Table(&'a [i8]),
    /// More rows and columns around the input; the amounts are top, left, bottom, right.
    Pad {
        /// Pixels added.
        pads: [u16; 4],
        /// What they hold.
        mode: PadMode,
    },
    /// Fewer rows, columns and channels.
    Slice {
        /// Pixels cut off: top, left, bottom, right.
        crop: [u16; 4],
        /// First channel.
        channel: u16,
    },
    /// Index of the channel with the largest value, the first of equals.
    ArgMax,
    /// `exp` of 256 differences to the largest value, in 65536ths: entry `d` is `round(65536·exp(−d·s_in))`.
    /// The output has scale 1/256 and zero point −128.
    Softmax(&'a [U32]),
    /// Class indices from a Softmax over at least two classes.
    Classify(Classify),
    /// Another input of the plan, whose rows come from outside with the frame's ([`Session::run_with`]). Its edge gives
    /// only the size, and the pace: sides over that tensor's, `[[rows numerator, denominator], [width numerator,
    /// denominator]]`; with a numerator of 0, one pixel.
    ///
    /// [`Session::run_with`]: crate::Session::run_with
    Input([[u16; 2]; 2]),
}

/// Window, weights and requantization of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv<'a> {
    /// Kernel, stride, dilation, pads.
    pub window: Window,
    /// Groups; both channel counts are multiples.
    pub group: u16,
    /// Weights in the [format's](super) layout.
    pub weights: &'a [i8],
    /// One per output channel, at scale `s_in · s_w`.
    pub bias: &'a [I32],
    /// One per output channel: `(s_in · s_w) / s_out`.
    pub scales: &'a [F32],
    /// Output range.
    pub clamp: Clamp,
}

/// AveragePool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// Kernel, stride, dilation, pads.
    pub window: Window,
    /// Whether padding counts as zeros.
    pub count_include_pad: bool,
    /// `s_in / s_out`.
    pub factor: f32,
}

/// Resize.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resize {
    /// Output size over input size: `[[rows numerator, denominator], [width numerator, denominator]]`. Not used where a
    /// second edge gives the size.
    pub ratio: [[u16; 2]; 2],
    /// Where an output pixel lies on the input.
    pub coordinates: Coordinates,
    /// `Some` for nearest, `None` for linear.
    pub nearest: Option<Nearest>,
    /// `s_in / s_out` (1 for nearest, which copies).
    pub factor: f32,
}

/// ONNX's `coordinate_transformation_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `(x + 0.5) / scale − 0.5`.
    HalfPixel,
    /// The same, but 0 where the output is one pixel.
    PytorchHalfPixel,
    /// `x · (input − 1) / (output − 1)`.
    AlignCorners,
    /// `x / scale`.
    Asymmetric,
}

/// ONNX's `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// Down.
    Floor,
    /// Up.
    Ceil,
    /// To the nearest, ties down.
    RoundPreferFloor,
    /// To the nearest, ties up.
    RoundPreferCeil,
}

/// ONNX's `mode` of Pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadMode {
    /// This value.
    Constant(i8),
    /// The input mirrored, without its edge; pads are smaller than the input.
    Reflect,
    /// The input's edge repeated.
    Edge,
}

/// Channel order of a three-channel network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How probabilities become a class index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classify {
    /// With three classes, background first: `object` where its probability is above the threshold; else background
    /// where its probability is at least one half; else `border`.
    InteriorBorder {
        /// Class of interiors.
        object: u8,
        /// Class of borders.
        border: u8,
        /// Threshold as an int8 probability (scale 1/256, zero point −128).
        threshold: i8,
    },
    /// With one probability: class 1 where it is above the threshold, else 0.
    Above {
        /// Threshold in the input's own int8 steps.
        threshold: i8,
    },
}

impl Op<'_> {
    /// The value of [`record::Operator::kind`](super::record::Operator::kind).
    pub fn kind(&self) -> u8 {
        match self {
            Op::Conv(_) => kind::CONV,
            Op::ConvTranspose { .. } => kind::CONV_TRANSPOSE,
            Op::MaxPool(_) => kind::MAX_POOL,
            Op::AveragePool(_) => kind::AVERAGE_POOL,
            Op::GlobalAveragePool(_) => kind::GLOBAL_AVERAGE_POOL,
            Op::Resize(_) => kind::RESIZE,
            Op::Concat { .. } => kind::CONCAT,
            Op::Add { .. } => kind::ADD,
            Op::Mul { .. } => kind::MUL,
            Op::Table(_) => kind::TABLE,
            Op::Pad { .. } => kind::PAD,
            Op::Slice { .. } => kind::SLICE,
            Op::ArgMax => kind::ARG_MAX,
            Op::Softmax(_) => kind::SOFTMAX,
            Op::Classify(_) => kind::CLASSIFY,
            Op::Input(_) => kind::INPUT,
        }
    }

    /// ONNX's name of the operator (or ours, for Table, Classify and Input).
    pub fn name(&self) -> &'static str {
        kind_name(self.kind())
    }
}

/// The name of a kind that there is not.
const UNKNOWN: &str = "unknown";

/// Names of the kinds, by [`kind`].
pub(super) const KINDS: [&str; 17] = [
    UNKNOWN,
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Resize",
    "Concat",
    "Add",
    "Mul",
    "Table",
    "Pad",
    "Slice",
    "ArgMax",
    "Softmax",
    "Classify",
    "Input",
];

/// The name of a kind of operator.
#[inline(never)]
pub(crate) fn kind_name(kind: u8) -> &'static str {
    KINDS.get(usize::from(kind)).copied().unwrap_or(UNKNOWN)
}

/// A set of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operators(u32);

impl Operators {
    /// All there are.
    pub const ALL: Operators = Operators(u32::MAX);

    /// Those that a plan uses.
    pub fn of(plan: &Plan) -> Operators {
        Operators(plan.operators().fold(0, |bits, operator| bits | 1 << operator.op.kind()))
    }

    /// As a number, for [`Only`].
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of this number.
    pub const fn from_bits(bits: u32) -> Operators {
        Operators(bits)
    }

    /// These and those.
    #[must_use]
    pub const fn union(self, other: Operators) -> Operators {
        Operators(self.0 | other.0)
    }

    /// Whether this is one of them.
    pub fn contains(self, op: &Op) -> bool {
        self.has(op.kind())
    }

    /// The same, by [kind].
    pub(crate) const fn has(self, kind: u8) -> bool {
        self.0 >> kind & 1 != 0
    }
}
