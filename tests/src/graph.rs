//! A network as the tests have it: the same description goes to the oracle, layer by layer on whole tensors, and to
//! `microtome-core`, as a plan (see [`crate::emit`]).

use crate::oracle::{self, Camera, Clamp, Classify, Conv, ConvTranspose, PadMode, Pool, Quant, Resize, Tensor, Window};

/// An operator and its constants.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Over the concatenation of its inputs, each enlarged as its [`Input`] says.
    Conv(Conv),
    /// Of one input.
    ConvTranspose(ConvTranspose),
    /// Of one input.
    MaxPool(Window),
    /// Of one input.
    AveragePool(Pool),
    /// Of one input.
    GlobalAveragePool,
    /// Of one input; the sides of a second, if there is one, are the output's, and the ratios do not count.
    Resize(Resize),
    /// Of any number of inputs.
    Concat,
    /// Of two inputs; `sign` -1 subtracts.
    Add {
        /// 1 or -1.
        sign: f32,
        /// Output range.
        clamp: Clamp,
    },
    /// Of two inputs.
    Mul {
        /// Output range.
        clamp: Clamp,
    },
    /// 256 entries, for all channels or for each in turn.
    Table(Vec<i8>),
    /// Of one input.
    Pad {
        /// Top, left, bottom, right.
        pads: [usize; 4],
        /// What is added.
        mode: PadMode,
    },
    /// Of one input; channels from `channel` on.
    Slice {
        /// Top, left, bottom, right.
        cut: [usize; 4],
        /// First channel kept.
        channel: usize,
    },
    /// Of one input.
    ArgMax,
    /// Of one input.
    Softmax,
    /// Of one input.
    Classify(Classify),
}

impl Op {
    /// ONNX's name of the operator, or the project's.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv(_) => "Conv",
            Op::ConvTranspose(_) => "ConvTranspose",
            Op::MaxPool(_) => "MaxPool",
            Op::AveragePool(_) => "AveragePool",
            Op::GlobalAveragePool => "GlobalAveragePool",
            Op::Resize(_) => "Resize",
            Op::Concat => "Concat",
            Op::Add { .. } => "Add",
            Op::Mul { .. } => "Mul",
            Op::Table(_) => "Table",
            Op::Pad { .. } => "Pad",
            Op::Slice { .. } => "Slice",
            Op::ArgMax => "ArgMax",
            Op::Softmax => "Softmax",
            Op::Classify(_) => "Classify",
        }
    }

    /// What the operator gives: the oracle's answer. `inputs` are as the operator sees them; `channels` counts only
    /// where a Slice takes fewer than there are.
    pub fn apply(&self, inputs: &[&Tensor], channels: usize, out: Quant) -> Tensor {
        let x = inputs[0];
        match self {
            Op::Conv(op) if inputs.len() == 1 => oracle::conv(x, op, out),
            Op::Conv(op) => oracle::conv(&oracle::concat(inputs, x.quant), op, out),
            Op::ConvTranspose(op) => oracle::conv_transpose(x, op, out),
            Op::MaxPool(window) => oracle::max_pool(x, window),
            Op::AveragePool(op) => oracle::average_pool(x, op, out),
            Op::GlobalAveragePool => oracle::global_average_pool(x, out),
            Op::Resize(op) => match inputs.get(1) {
                None => oracle::resize(x, op, out),
                Some(size) => {
                    let ratio = |to: usize, from: usize| [to as u32, from as u32];
                    let ratios = [ratio(size.rows, x.rows), ratio(size.width, x.width)];
                    oracle::resize(x, &Resize { ratios, ..*op }, out)
                }
            },
            Op::Concat => oracle::concat(inputs, out),
            Op::Add { sign, clamp } => oracle::add(x, inputs[1], *sign, *clamp, out),
            Op::Mul { clamp } => oracle::mul(x, inputs[1], *clamp, out),
            Op::Table(entries) => oracle::table(x, entries, out),
            Op::Pad { pads, mode } => oracle::pad(x, *pads, *mode),
            Op::Slice { cut, channel } => oracle::slice(x, *cut, *channel..channel + channels),
            Op::ArgMax => oracle::arg_max(x),
            Op::Softmax => oracle::softmax(x, &oracle::exponentials(x.quant.scale)),
            Op::Classify(op) => oracle::classify(x, *op),
        }
    }
}

/// A tensor that a node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which: 0 is the frame, `i + 1` what node `i` makes.
    pub tensor: usize,
    /// How many times each pixel is seen, along both axes; above 1 for Conv only.
    pub upsample: usize,
}

impl From<usize> for Input {
    fn from(tensor: usize) -> Input {
        Input { tensor, upsample: 1 }
    }
}

/// An operator in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// Channels of what it makes.
    pub channels: usize,
    /// Quantization of what it makes.
    pub quant: Quant,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Channels of the frame.
    pub channels: usize,
    /// Quantization of the frame.
    pub quant: Quant,
    /// In topological order.
    pub nodes: Vec<Node>,
    /// Tensors that are handed out.
    pub outputs: Vec<usize>,
    /// Frame sides are continued to a multiple of this (rows, width).
    pub multiple: [usize; 2],
    /// How camera rows become the frame.
    pub camera: Camera,
}

impl Graph {
    /// A network of nothing yet, for frames of `channels` channels.
    pub fn new(channels: usize, quant: Quant) -> Graph {
        Graph { channels, quant, nodes: Vec::new(), outputs: Vec::new(), multiple: [1, 1], camera: Camera::PLAIN }
    }

    /// Adds a node; returns the tensor that it makes.
    pub fn push(&mut self, op: Op, inputs: &[Input], channels: usize, quant: Quant) -> usize {
        self.nodes.push(Node { op, inputs: inputs.to_vec(), channels, quant });
        self.nodes.len()
    }

    /// Channels and quantization of a tensor.
    pub fn tensor(&self, index: usize) -> (usize, Quant) {
        match index.checked_sub(1) {
            None => (self.channels, self.quant),
            Some(node) => (self.nodes[node].channels, self.nodes[node].quant),
        }
    }

    /// Every tensor of the network, layer by layer, for a frame whose sides fit.
    pub fn tensors(&self, frame: &Tensor) -> Vec<Tensor> {
        let mut tensors = vec![frame.clone()];
        for node in &self.nodes {
            let inputs: Vec<Tensor> =
                node.inputs.iter().map(|input| oracle::enlarge(&tensors[input.tensor], input.upsample)).collect();
            let inputs: Vec<&Tensor> = inputs.iter().collect();
            let made = node.op.apply(&inputs, node.channels, node.quant);
            assert_eq!(
                (made.channels, made.quant),
                (node.channels, node.quant),
                "{} is described wrongly",
                node.op.name()
            );
            tensors.push(made);
        }
        tensors
    }

    /// What the network hands out for a frame of any size: continued until its sides fit, and what is added cut again
    /// from every output, in proportion to its size.
    pub fn run(&self, frame: &Tensor) -> Vec<Tensor> {
        let fitted = [frame.rows, frame.width].into_iter().zip(self.multiple).map(|(n, m)| n.div_ceil(m) * m);
        let fitted: Vec<usize> = fitted.collect();
        let tensors = self.tensors(&oracle::fit(frame, fitted[0], fitted[1]));
        let side = |made: usize, whole: usize, asked: usize| (made * asked).div_ceil(whole);
        let crop = |tensor: &Tensor| {
            let rows = side(tensor.rows, fitted[0], frame.rows);
            let width = side(tensor.width, fitted[1], frame.width);
            oracle::fit(tensor, rows, width)
        };
        self.outputs.iter().map(|&output| crop(&tensors[output])).collect()
    }

    /// One operator over given tensors, as a network of one frame: several inputs travel as the frame's channels, from
    /// which Slice and Table (every integer as it is, read with another quantization) take them apart again. A second
    /// input of one pixel is spread over the frame, and made one pixel again by GlobalAveragePool.
    pub fn of(op: Op, inputs: &[&Tensor], channels: usize, quant: Quant) -> (Graph, Tensor) {
        let first = inputs[0];
        if let [only] = inputs {
            let mut graph = Graph::new(only.channels, only.quant);
            let made = graph.push(op, &[0.into()], channels, quant);
            graph.outputs = vec![made];
            return (graph, (*only).clone());
        }
        let plain = Quant { scale: 1.0, zero_point: 0 };
        let spread = |t: &&Tensor| Tensor { quant: plain, ..oracle::fit(t, first.rows, first.width) };
        let spread: Vec<Tensor> = inputs.iter().map(spread).collect();
        let frame = oracle::concat(&spread.iter().collect::<Vec<_>>(), plain);
        let mut graph = Graph::new(frame.channels, plain);
        let mut channel = 0;
        let mut taken = Vec::new();
        for input in inputs {
            let identity = (i8::MIN..=i8::MAX).collect();
            let mut at = graph.push(Op::Slice { cut: [0; 4], channel }, &[0.into()], input.channels, plain);
            if input.shape()[..2] != first.shape()[..2] {
                at = graph.push(Op::GlobalAveragePool, &[at.into()], input.channels, plain);
            }
            taken.push(Input::from(graph.push(Op::Table(identity), &[at.into()], input.channels, input.quant)));
            channel += input.channels;
        }
        let made = graph.push(op, &taken, channels, quant);
        graph.outputs = vec![made];
        (graph, frame)
    }
}
