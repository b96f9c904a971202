//! Random networks: small U-Nets with everything that the scheduler must cope with, and the slim U-Net of the memory
//! table.

use crate::cases::constants;
use crate::draw::Draw;
use crate::graph::{Graph, Input, Op};
use crate::oracle::{
    Clamp, Classify, Conv, ConvTranspose, Coordinates, INDEX, Mode, Nearest, PROBABILITY, Padding, Pool, Quant, Resize,
    Window, table_of,
};

/// A window of `kernel` x `kernel`, padded so that a stride of 1 keeps the size.
fn square(kernel: usize, stride: usize) -> Window {
    let pad = (kernel - 1) / 2;
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        padding: Padding::Explicit([pad; 4]),
        ceil: false,
    }
}

/// A window of 2x2 in steps of 2.
const HALVE: Window =
    Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], padding: Padding::Explicit([0; 4]), ceil: false };

/// Builds a random U-Net, operator by operator.
struct Builder<'d> {
    draw: &'d mut Draw,
    graph: Graph,
}

impl Builder<'_> {
    fn quant(&self, tensor: usize) -> Quant {
        self.graph.tensor(tensor).1
    }

    fn channels(&self, tensor: usize) -> usize {
        self.graph.tensor(tensor).0
    }

    /// A convolution of inputs that share a quantization; `out` forces that of the output.
    fn conv(&mut self, inputs: &[Input], window: Window, group: usize, outputs: usize, out: Option<Quant>) -> usize {
        let channels = inputs.iter().map(|input| self.channels(input.tensor)).sum();
        let quant = self.quant(inputs[0].tensor);
        let (conv, natural) = constants(self.draw, window, group, channels, outputs, quant);
        self.graph.push(Op::Conv(conv), inputs, outputs, out.unwrap_or(natural))
    }

    /// Keeps the size.
    fn block(&mut self, x: usize) -> usize {
        let outputs = self.draw.from(1, 6);
        let at = [Input::from(x)];
        match self.draw.from(0, 6) {
            // Depthwise, then pointwise.
            0 => {
                let channels = self.channels(x);
                let deep = self.conv(&at, square(3, 1), channels, channels, None);
                self.conv(&[deep.into()], square(1, 1), 1, outputs, None)
            }
            // Dilated.
            1 => {
                let window = Window { dilation: [2, 2], padding: Padding::SameUpper, ..square(3, 1) };
                self.conv(&at, window, 1, outputs, None)
            }
            // Residual.
            2 => {
                let channels = self.channels(x);
                let beside = self.conv(&at, square(3, 1), 1, channels, None);
                let (clamp, quant) = (self.draw.clamp(), self.draw.quant());
                self.graph.push(Op::Add { sign: 1.0, clamp }, &[x.into(), beside.into()], channels, quant)
            }
            // Squeeze and excite.
            3 => {
                let channels = self.channels(x);
                let quant = self.draw.quant();
                let mean = self.graph.push(Op::GlobalAveragePool, &at, channels, quant);
                let gate = self.conv(&[mean.into()], square(1, 1), 1, channels, None);
                let sigmoid = table_of(self.quant(gate), PROBABILITY, |x| 1.0 / (1.0 + (-x).exp()));
                let gate = self.graph.push(Op::Table(sigmoid.to_vec()), &[gate.into()], channels, PROBABILITY);
                let quant = self.quant(x);
                self.graph.push(Op::Mul { clamp: Clamp::FULL }, &[x.into(), gate.into()], channels, quant)
            }
            // An average that keeps the size.
            4 => {
                let (channels, quant) = (self.channels(x), self.draw.quant());
                let pool = Pool { window: square(3, 1), count_include_pad: self.draw.once_in(2) };
                self.graph.push(Op::AveragePool(pool), &at, channels, quant)
            }
            _ => {
                let kernel = self.draw.of(&[1, 3, 3, 5]);
                self.conv(&at, square(kernel, 1), 1, outputs, None)
            }
        }
    }

    /// Half the size.
    fn down(&mut self, x: usize) -> usize {
        let (channels, quant) = (self.channels(x), self.quant(x));
        match self.draw.from(0, 2) {
            0 => self.conv(&[x.into()], square(3, 2), 1, channels + 1, None),
            1 => {
                let pool = Pool { window: HALVE, count_include_pad: false };
                self.graph.push(Op::AveragePool(pool), &[x.into()], channels, quant)
            }
            _ => self.graph.push(Op::MaxPool(HALVE), &[x.into()], channels, quant),
        }
    }

    /// `deep` at twice its size, joined with `skip`.
    fn up(&mut self, deep: usize, skip: usize) -> usize {
        let outputs = self.draw.from(1, 6);
        let (channels, skip_quant) = (self.channels(deep), self.quant(skip));
        // Folded: the convolution reads the skip's ring and, enlarged, the deep one.
        if self.draw.once_in(2) {
            let deep = self.conv(&[deep.into()], square(1, 1), 1, channels, Some(skip_quant));
            let edges = [Input::from(skip), Input { tensor: deep, upsample: 2 }];
            let edges = if self.draw.once_in(2) { edges } else { [edges[1], edges[0]] };
            return self.conv(&edges, square(3, 1), 1, outputs, None);
        }
        let deep_quant = self.quant(deep);
        let resize = |mode, coordinates| Op::Resize(Resize { ratios: [[2, 1]; 2], coordinates, mode });
        let up = match self.draw.from(0, 4) {
            0 => {
                let op = resize(Mode::Nearest(Nearest::Floor), Coordinates::Asymmetric);
                self.graph.push(op, &[deep.into()], channels, deep_quant)
            }
            // To the skip's size, whatever the ratio.
            1 => {
                let (quant, coordinates) =
                    (self.draw.quant(), self.draw.of(&[Coordinates::HalfPixel, Coordinates::AlignCorners]));
                let op = Op::Resize(Resize { ratios: [[1, 1]; 2], coordinates, mode: Mode::Linear });
                self.graph.push(op, &[deep.into(), skip.into()], channels, quant)
            }
            2 | 3 => {
                let coordinates =
                    self.draw.of(&[Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric]);
                let quant = self.draw.quant();
                self.graph.push(resize(Mode::Linear, coordinates), &[deep.into()], channels, quant)
            }
            _ => {
                let (conv, quant) = constants(self.draw, HALVE, 1, channels, channels, deep_quant);
                let op = Op::ConvTranspose(ConvTranspose { conv, output_padding: [0; 2] });
                self.graph.push(op, &[deep.into()], channels, quant)
            }
        };
        let joined = channels + self.channels(skip);
        let quant = self.draw.quant();
        let both = self.graph.push(Op::Concat, &[up.into(), skip.into()], joined, quant);
        self.conv(&[both.into()], square(3, 1), 1, outputs, None)
    }
}

/// A random U-Net of one to three levels, with one to three outputs.
pub fn unet(draw: &mut Draw) -> Graph {
    let (channels, quant, levels) = (draw.of(&[1, 1, 3, 2]), draw.quant(), draw.from(1, 3));
    let mut builder = Builder { draw, graph: Graph::new(channels, quant) };
    builder.graph.multiple = [1 << levels; 2];
    let mut x = builder.block(0);
    let mut skips = Vec::new();
    for _ in 0..levels {
        skips.push(x);
        x = builder.down(x);
        x = builder.block(x);
    }
    let bottom = x;
    while let Some(skip) = skips.pop() {
        x = builder.up(x, skip);
        if builder.draw.once_in(2) {
            x = builder.block(x);
        }
    }
    let logits = builder.conv(&[x.into()], square(1, 1), 1, 3, None);
    let mut graph = builder.graph;
    graph.outputs = vec![logits];
    match draw.from(0, 2) {
        0 => {
            let probabilities = graph.push(Op::Softmax, &[logits.into()], 3, PROBABILITY);
            let op = Classify::InteriorBorder { object: 1, border: 2, threshold: 25 };
            graph.outputs.push(graph.nodes.len() + 1);
            graph.push(Op::Classify(op), &[probabilities.into()], 1, INDEX);
        }
        1 => {
            graph.outputs.push(graph.nodes.len() + 1);
            graph.push(Op::ArgMax, &[logits.into()], 1, INDEX);
        }
        _ => graph.outputs.insert(0, bottom),
    }
    graph
}

/// The network of the design's memory table: two 3x3 convolutions per level, `base` channels on the first and twice as
/// many on each next, max pooling, nearest upsampling folded into the next convolution, a 1x1 head of three classes.
pub fn slim_unet(base: usize, levels: usize) -> Graph {
    let quant = Quant { scale: 0.05, zero_point: 0 };
    let mut graph = Graph::new(1, quant);
    graph.multiple = [1 << levels; 2];
    let conv = |graph: &mut Graph, inputs: &[Input], kernel: usize, outputs: usize| {
        let depth: usize = inputs.iter().map(|input| graph.tensor(input.tensor).0).sum();
        let count = outputs * kernel * kernel * depth;
        let weights = (0..count).map(|index| ((index * 37) % 255) as i8).collect();
        let (weight_scales, bias) = (vec![0.001; outputs], vec![0; outputs]);
        let op = Conv { window: square(kernel, 1), group: 1, weights, weight_scales, bias, clamp: Clamp::FULL };
        graph.push(Op::Conv(op), inputs, outputs, quant)
    };
    let mut x = 0;
    let mut skips = Vec::new();
    for level in 0..=levels {
        if level > 0 {
            let channels = graph.tensor(x).0;
            skips.push(x);
            x = graph.push(Op::MaxPool(HALVE), &[x.into()], channels, quant);
        }
        x = conv(&mut graph, &[x.into()], 3, base << level);
        x = conv(&mut graph, &[x.into()], 3, base << level);
    }
    for level in (0..levels).rev() {
        let skip = skips[level];
        x = conv(&mut graph, &[skip.into(), Input { tensor: x, upsample: 2 }], 3, base << level);
        x = conv(&mut graph, &[x.into()], 3, base << level);
    }
    x = conv(&mut graph, &[x.into()], 1, 3);
    graph.outputs = vec![x];
    graph
}
