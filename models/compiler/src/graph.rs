//! The compiler's own graph: ONNX's operators, NHWC in spirit, free of one frame's size.
//!
//! Invariant: nodes are in topological order, and every value has one producer (or is the input). Weights are
//! `[output, input / group, kernel rows, kernel columns]` for Conv and ConvTranspose alike.

use microtome_core::plan::{Coordinates, Nearest};
use microtome_core::shape::Window;

use crate::error::Error;
use crate::expr::{Binary, Expr};

/// Index of a value.
pub type ValueId = usize;

/// How int8 stands for real values: `scale · (q − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quant {
    /// Real value of one step.
    pub scale: f32,
    /// The int8 value that stands for 0.
    pub zero_point: i8,
}

/// What flows between operators.
#[derive(Clone, Debug)]
pub struct Value {
    /// ONNX's name, under which the float run knows it.
    pub name: String,
    /// Channels.
    pub channels: usize,
    /// Rows and width at every size that the importer tried.
    pub sizes: Vec<[usize; 2]>,
    /// Quantization that the model itself prescribes (QuantizeLinear).
    pub fixed: Option<Quant>,
    /// What 1 stands for in each channel, in the model's own terms (cross-layer
    /// equalization); empty where it stands for 1.
    pub unit: Vec<f32>,
}

/// An operator of the graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// The ONNX node's name.
    pub name: String,
    /// ONNX's operator and attributes, for messages.
    pub source: (String, String),
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub output: ValueId,
}

impl Node {
    /// This node, refused.
    pub fn refuse(&self, reason: impl Into<String>) -> Error {
        let (operator, attributes) = self.source.clone();
        Error::Operator { operator, attributes, node: self.name.clone(), reason: reason.into() }
    }
}

/// What an operator does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Conv, and ConvTranspose where there is an output padding.
    Conv(Conv),
    /// MaxPool.
    MaxPool(Window),
    /// AveragePool.
    AveragePool {
        /// Kernel, stride, dilation, pads.
        window: Window,
        /// Whether padding counts as zeros.
        count_include_pad: bool,
    },
    /// Mean over rows and columns.
    GlobalAveragePool,
    /// Resize; a second input gives only its size.
    Resize {
        /// Output over input, rows and width.
        ratio: [[u16; 2]; 2],
        /// Where output pixels lie.
        coordinates: Coordinates,
        /// `None` for linear.
        nearest: Option<Nearest>,
    },
    /// Channels side by side.
    Concat,
    /// Add, Sub or Mul of two values; any other pair must merge into a [`Op::Map`].
    Combine(Binary, Bounds),
    /// A function of one value.
    Map(Expr),
    /// Pad: top, left, bottom, right.
    Pad([u16; 4], Fill),
    /// Crop (top, left, bottom, right) and first channel.
    Slice([u16; 4], u16),
    /// Softmax over channels.
    Softmax,
    /// Index of the largest channel.
    ArgMax,
    /// Class indices of a mask; the threshold is a probability.
    Classify {
        /// Object and border class, or `None` for one probability.
        classes: Option<(u8, u8)>,
        /// Probability above which a pixel is an object's (a logit where `classes` is `None` and the input is one).
        threshold: f32,
    },
    /// Another input of the plan, its sides over those of the first input, which it reads for its size only.
    Input([[u16; 2]; 2]),
}

/// What Pad fills in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// A real value.
    Constant(f32),
    /// The input mirrored.
    Reflect,
    /// The input's edge.
    Edge,
}

/// Real bounds of an output; infinite where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Smallest.
    pub low: f32,
    /// Largest.
    pub high: f32,
}

impl Bounds {
    /// No bounds.
    pub const NONE: Bounds = Bounds { low: f32::NEG_INFINITY, high: f32::INFINITY };
}

/// Conv or ConvTranspose.
#[derive(Clone, Debug)]
pub struct Conv {
    /// Kernel, stride, dilation, pads.
    pub window: Window,
    /// Groups.
    pub group: usize,
    /// Real weights, see the [module](self).
    pub weights: Vec<f32>,
    /// Real biases, one per output channel.
    pub bias: Vec<f32>,
    /// A quantized model's own integers.
    pub integers: Option<Integers>,
    /// Folded Relu or Clip.
    pub bounds: Bounds,
    /// `Some` for ConvTranspose.
    pub output_padding: Option<[u16; 2]>,
}

/// Weights that a quantized model brings.
#[derive(Clone, Debug)]
pub struct Integers {
    /// Like [`Conv::weights`].
    pub weights: Vec<i8>,
    /// One per output channel.
    pub scales: Vec<f32>,
    /// One per output channel, at scale `s_in · s_w`, where the model brings them too.
    pub bias: Option<Vec<i32>>,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All values; value 0 is the first input.
    pub values: Vec<Value>,
    /// Operators, in topological order.
    pub nodes: Vec<Node>,
    /// Outputs: ONNX's name and the value.
    pub outputs: Vec<(String, ValueId)>,
    /// The value of class indices, if the description asks for a mask.
    pub mask: Option<ValueId>,
}

impl Graph {
    /// The node that makes `value`.
    pub fn producer(&self, value: ValueId) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == value)
    }

    /// The nodes that read `value`.
    pub fn consumers(&self, value: ValueId) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().enumerate().filter(move |(_, n)| n.inputs.contains(&value)).map(|(i, _)| i)
    }

    /// Whether `value` is handed out.
    pub fn is_output(&self, value: ValueId) -> bool {
        self.mask == Some(value) || self.outputs.iter().any(|(_, v)| *v == value)
    }

    /// Whether exactly one node reads `value`, once, nobody else sees it, and its integers are not prescribed.
    pub fn is_private(&self, value: ValueId) -> bool {
        let reads = self.nodes.iter().flat_map(|n| &n.inputs).filter(|&&v| v == value).count();
        reads == 1 && !self.is_output(value) && self.values[value].fixed.is_none()
    }

    /// The values of the inputs beside the first, in their order.
    pub fn other_inputs(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.nodes.iter().filter(|node| matches!(node.op, Op::Input(_))).map(|node| node.output)
    }

    /// Drops nodes whose values nobody needs.
    pub fn prune(&mut self) {
        let mut needed = vec![false; self.values.len()];
        self.outputs.iter().for_each(|(_, v)| needed[*v] = true);
        self.mask.iter().for_each(|&v| needed[v] = true);
        for node in self.nodes.iter().rev() {
            if needed[node.output] {
                node.inputs.iter().for_each(|&v| needed[v] = true);
            }
        }
        // Inputs are given whether they are needed or not.
        self.nodes.retain(|node| needed[node.output] || matches!(node.op, Op::Input(_)));
    }
}
