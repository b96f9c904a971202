//! From the graph and its quantization to core's operators: int8 weights, i32 biases, factors and tables.
//!
//! A Concat whose inputs share one quantization, and a nearest Resize by a whole factor, become edges of the
//! convolutions that read them: no operator, no ring.

use microtome_core::plan::record::Edge;
use microtome_core::plan::{self, Classify, Nearest, Op as Plan, PadMode, Pool, Resize};
use microtome_core::quant::{Clamp, round_half_even, saturate};
use zerocopy::little_endian::{F32, I32, U32};

use crate::error::Result;
use crate::expr::{Binary, Expr};
use crate::graph::{Bounds, Conv, Fill, Graph, Node, Op, Quant, ValueId};
use crate::quantize::Sharing;

/// Most that an edge enlarges.
const MAX_UPSAMPLE: u16 = 16;
/// Largest bias, so that accumulators stay inside i32.
const MAX_BIAS: f64 = (1u32 << 30) as f64;

/// One of core's operators, with the data that it refers to.
pub struct Lowered {
    /// The node's name.
    pub name: String,
    /// Edges, by tensor.
    pub inputs: Vec<Edge>,
    /// The value that it makes.
    pub value: ValueId,
    /// ONNX's operator and attributes, for messages and reports.
    pub source: (String, String),
    template: Plan<'static>,
    /// Weights or tables.
    pub bytes: Vec<i8>,
    bias: Vec<I32>,
    exponentials: Vec<U32>,
    scales: Vec<F32>,
}

impl Lowered {
    /// The operator, referring to this one's data.
    pub fn op(&self) -> Plan<'_> {
        let conv = |conv: plan::Conv<'static>| plan::Conv {
            weights: &self.bytes,
            bias: &self.bias,
            scales: &self.scales,
            ..conv
        };
        match self.template {
            Plan::Conv(c) => Plan::Conv(conv(c)),
            Plan::ConvTranspose { conv: c, output_padding } => Plan::ConvTranspose { conv: conv(c), output_padding },
            Plan::Concat { .. } => Plan::Concat { tables: &self.bytes },
            Plan::Table(_) => Plan::Table(&self.bytes),
            Plan::Softmax(_) => Plan::Softmax(&self.exponentials),
            other => other,
        }
    }

    /// Bytes of weights, biases, scales and tables.
    pub fn data_len(&self) -> usize {
        self.bytes.len() + 4 * (self.bias.len() + self.exponentials.len() + self.scales.len())
    }
}

/// A graph, lowered.
pub struct Program {
    /// Tensors; operator `i` makes tensor `i + 1`. Ring heights are open.
    pub tensors: Vec<plan::Tensor>,
    /// Operators.
    pub operators: Vec<Lowered>,
    /// The tensor of each value; `None` where the value became edges.
    pub tensor_of: Vec<Option<u16>>,
}

/// What a lowering needs to know of the values.
pub struct Lowering<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// Who shares.
    pub sharing: &'a Sharing,
    /// Quantization of every value.
    pub quants: &'a [Quant],
    /// Real correction of each value's biases, per channel; empty where there is none.
    pub corrections: &'a [Vec<f32>],
}

impl Lowering<'_> {
    /// Lowers the whole graph.
    ///
    /// # Errors
    /// An operator that core cannot hold in this form.
    pub fn run(&self) -> Result<Program> {
        let inline = self.inline();
        let mut program = Program {
            tensors: vec![self.tensor(0)],
            operators: Vec::new(),
            tensor_of: vec![None; self.graph.values.len()],
        };
        program.tensor_of[0] = Some(0);
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if inline[index] {
                continue;
            }
            let sources: Vec<(ValueId, u8)> = node.inputs.iter().flat_map(|&v| self.sources(v, 1, &inline)).collect();
            let edge = |&(value, factor): &(ValueId, u8)| program.tensor_of[value].map(|t| Edge::upsampled(t, factor));
            let edges: Option<Vec<Edge>> = sources.iter().map(edge).collect();
            let mut inputs = edges.ok_or_else(|| node.refuse("one of its inputs is made after it"))?;
            if program.operators.len() + 2 > usize::from(u16::MAX) {
                return Err(node.refuse("a plan holds at most 65534 operators"));
            }
            let mut lowered = Lowered {
                name: node.name.clone(),
                inputs: Vec::new(),
                value: node.output,
                source: node.source.clone(),
                template: Plan::ArgMax,
                bytes: Vec::new(),
                bias: Vec::new(),
                exponentials: Vec::new(),
                scales: Vec::new(),
            };
            self.operator(node, &sources, &mut inputs, &mut lowered)?;
            lowered.inputs = inputs;
            program.operators.push(lowered);
            program.tensors.push(self.tensor(node.output));
            program.tensor_of[node.output] = Some(program.operators.len() as u16);
        }
        Ok(program)
    }

    fn tensor(&self, value: ValueId) -> plan::Tensor {
        let quant = self.quants[value];
        let channels = self.graph.values[value].channels as u16;
        plan::Tensor { channels, scale: quant.scale, zero_point: quant.zero_point, ring: plan::TALL }
    }

    /// Which nodes become edges of the convolutions that read them. A Resize never reads another such node, so that an
    /// edge enlarges once.
    fn inline(&self) -> Vec<bool> {
        let graph = self.graph;
        let mut inline = vec![false; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            let candidate = match &node.op {
                Op::Concat => node.inputs.iter().all(|&v| self.sharing.same(v, node.output)),
                Op::Resize { .. } => whole_factor(node).is_some(),
                _ => false,
            };
            let reader = |r: usize| match &graph.nodes[r].op {
                Op::Conv(conv) => conv.group == 1 && conv.output_padding.is_none(),
                Op::Concat => inline[r],
                _ => false,
            };
            inline[index] = candidate && !graph.is_output(node.output) && graph.consumers(node.output).all(reader);
        }
        inline
    }

    /// The tensors behind a value that may have become edges, with their enlargement.
    fn sources(&self, value: ValueId, factor: u8, inline: &[bool]) -> Vec<(ValueId, u8)> {
        match self.graph.producer(value).filter(|&p| inline[p]) {
            None => vec![(value, factor)],
            Some(p) => {
                let node = &self.graph.nodes[p];
                let factor = whole_factor(node).map_or(factor, |f| f as u8);
                node.inputs.iter().flat_map(|&v| self.sources(v, factor, inline)).collect()
            }
        }
    }

    fn operator(&self, node: &Node, sources: &[(ValueId, u8)], edges: &mut [Edge], out: &mut Lowered) -> Result<()> {
        let quant = |i: usize| self.quants[node.inputs[i]];
        let made = self.quants[node.output];
        out.template = match &node.op {
            Op::Conv(conv) => self.conv(node, conv, sources, out)?,
            Op::MaxPool(window) => Plan::MaxPool(*window),
            Op::AveragePool { window, count_include_pad } => Plan::AveragePool(Pool {
                window: *window,
                count_include_pad: *count_include_pad,
                factor: quant(0).scale / made.scale,
            }),
            Op::GlobalAveragePool => Plan::GlobalAveragePool(quant(0).scale / made.scale),
            Op::Resize { ratio, coordinates, nearest } => Plan::Resize(Resize {
                ratio: *ratio,
                coordinates: *coordinates,
                nearest: *nearest,
                factor: if nearest.is_some() { 1.0 } else { quant(0).scale / made.scale },
            }),
            Op::Concat => {
                if (0..node.inputs.len()).any(|i| quant(i) != made) {
                    out.bytes = (0..node.inputs.len()).flat_map(|i| table(&Expr::X, quant(i), made, 0)).collect();
                }
                Plan::Concat { tables: &[] }
            }
            Op::Combine(function, bounds) => {
                let swapped = self.swap(node)?;
                if swapped {
                    edges.swap(0, 1);
                }
                let (a, b) = if swapped { (quant(1), quant(0)) } else { (quant(0), quant(1)) };
                let clamp = clamp(*bounds, made);
                match function {
                    Binary::Mul => Plan::Mul { factor: a.scale * b.scale / made.scale, clamp },
                    function => {
                        let mut factor = [a.scale / made.scale, b.scale / made.scale];
                        if *function == Binary::Sub {
                            factor[usize::from(!swapped)] *= -1.0;
                        }
                        Plan::Add { factor, clamp }
                    }
                }
            }
            Op::Map(expr) => {
                let channels = if expr.per_channel() { self.graph.values[node.output].channels } else { 1 };
                out.bytes = (0..channels).flat_map(|c| table(expr, quant(0), made, c)).collect();
                Plan::Table(&[])
            }
            Op::Pad(pads, fill) => Plan::Pad {
                pads: *pads,
                mode: match fill {
                    Fill::Constant(value) => PadMode::Constant(step(*value, made)),
                    Fill::Reflect => PadMode::Reflect,
                    Fill::Edge => PadMode::Edge,
                },
            },
            Op::Slice(crop, channel) => Plan::Slice { crop: *crop, channel: *channel },
            Op::Softmax => {
                let scale = f64::from(quant(0).scale);
                let entry = |d: i32| U32::new((65_536.0 * (-f64::from(d) * scale).exp()).round() as u32);
                out.exponentials = (0..256).map(entry).collect();
                Plan::Softmax(&[])
            }
            Op::ArgMax => Plan::ArgMax,
            Op::Input(ratio) => Plan::Input(*ratio),
            Op::Classify { classes, threshold } => Plan::Classify(match classes {
                Some((object, border)) => {
                    Classify::InteriorBorder { object: *object, border: *border, threshold: step(*threshold, quant(0)) }
                }
                None => Classify::Above { threshold: step(*threshold, quant(0)) },
            }),
        };
        Ok(())
    }

    /// Whether the inputs of an Add, Sub or Mul must change places: core broadcasts the second.
    fn swap(&self, node: &Node) -> Result<bool> {
        let (a, b) = (&self.graph.values[node.inputs[0]], &self.graph.values[node.inputs[1]]);
        let serves = |small: &crate::graph::Value, large: &crate::graph::Value| {
            let pixel = small.sizes.iter().all(|s| *s == [1, 1]);
            (small.sizes == large.sizes || pixel) && (small.channels == large.channels || small.channels == 1)
        };
        match (serves(b, a), serves(a, b)) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            _ => Err(node.refuse(format!(
                "it combines {} channels of {:?} with {} channels of {:?}; core broadcasts one of them only",
                a.channels, a.sizes[0], b.channels, b.sizes[0]
            ))),
        }
    }

    fn conv(&self, node: &Node, conv: &Conv, sources: &[(ValueId, u8)], out: &mut Lowered) -> Result<Plan<'static>> {
        let (input, made) = (self.quants[node.inputs[0]], self.quants[node.output]);
        let outputs = conv.bias.len();
        let per_output = conv.weights.len() / outputs.max(1);
        let mut weights = Vec::with_capacity(conv.weights.len());
        for (o, real) in conv.weights.chunks_exact(per_output).enumerate() {
            let correction = self.corrections.get(node.output).and_then(|c| c.get(o)).copied().unwrap_or(0.0);
            let bias = f64::from(conv.bias[o] + correction);
            let scale = match &conv.integers {
                Some(integers) => {
                    weights.extend(&integers.weights[o * per_output..][..per_output]);
                    integers.scales[o]
                }
                None => {
                    let scale = weight_scale(real, bias, input);
                    weights.extend(real.iter().map(|w| (w / scale).round_ties_even().clamp(-127.0, 127.0) as i8));
                    scale
                }
            };
            let unit = input.scale * scale;
            let integer = conv.integers.as_ref().and_then(|i| i.bias.as_ref()).map(|b| b[o]);
            let real = || (bias / f64::from(unit)).round_ties_even().clamp(-MAX_BIAS, MAX_BIAS) as i32;
            out.bias.push(I32::new(integer.unwrap_or_else(real)));
            out.scales.push(F32::new(unit / made.scale));
        }
        if let Some(bad) = out.scales.iter().find(|s| !(s.get().is_finite() && s.get() > 0.0)) {
            return Err(node.refuse(format!("its requantization scale is {}", bad.get())));
        }
        let parts: Vec<usize> = sources.iter().map(|(v, _)| self.graph.values[*v].channels).collect();
        let kernel = conv.window.kernel.map(usize::from);
        let depthwise = conv.group > 1 && conv.group == outputs && per_output == kernel[0] * kernel[1];
        let depthwise = depthwise && conv.output_padding.is_none();
        out.bytes = arrange(&weights, outputs, kernel, if conv.group > 1 { &[] } else { &parts }, depthwise);
        let template = plan::Conv {
            window: conv.window,
            group: conv.group as u16,
            weights: &[],
            bias: &[],
            scales: &[],
            clamp: clamp(conv.bounds, made),
        };
        Ok(match conv.output_padding {
            None => Plan::Conv(template),
            Some(output_padding) => Plan::ConvTranspose { conv: template, output_padding },
        })
    }
}

/// The real value of one step of an output's weights.
pub fn weight_scale(weights: &[f32], bias: f64, input: Quant) -> f32 {
    let largest = weights.iter().fold(0f32, |m, w| m.max(w.abs()));
    // A channel that is all bias would have no scale.
    let least = bias.abs() / (f64::from(input.scale) * MAX_BIAS);
    (largest / 127.0).max(least as f32).max(f32::MIN_POSITIVE * 1e6)
}

/// ONNX's `[output, input, rows, columns]` to core's layout: per output one block `[rows, columns, channels]` per input,
/// or for a depthwise Conv `[rows, columns, output]`.
fn arrange(weights: &[i8], outputs: usize, kernel: [usize; 2], parts: &[usize], depthwise: bool) -> Vec<i8> {
    let taps = kernel[0] * kernel[1];
    let inputs = weights.len() / (outputs * taps).max(1);
    if depthwise {
        return (0..taps).flat_map(|tap| (0..outputs).map(move |o| weights[o * taps + tap])).collect();
    }
    let whole = [inputs];
    let parts = if parts.is_empty() { &whole[..] } else { parts };
    let mut arranged = Vec::with_capacity(weights.len());
    for o in 0..outputs {
        let mut first = 0;
        for &count in parts {
            for tap in 0..taps {
                arranged.extend((first..first + count).map(|i| weights[(o * inputs + i) * taps + tap]));
            }
            first += count;
        }
    }
    arranged
}

/// The factor of a nearest Resize that repeats each pixel a whole number of times, the same along both axes.
fn whole_factor(node: &Node) -> Option<u16> {
    use microtome_core::plan::Coordinates::{Asymmetric, HalfPixel, PytorchHalfPixel};
    let Op::Resize { ratio: [[rows, 1], [width, 1]], coordinates, nearest: Some(nearest) } = &node.op else {
        return None;
    };
    let repeats = matches!(
        (coordinates, nearest),
        (Asymmetric, Nearest::Floor)
            | (HalfPixel | PytorchHalfPixel, Nearest::RoundPreferFloor | Nearest::RoundPreferCeil)
    );
    (repeats && rows == width && (2..=MAX_UPSAMPLE).contains(rows) && node.inputs.len() == 1).then_some(*rows)
}

/// 256 entries of a function, indexed by `value + 128`. Computed in the order of ONNX Runtime's table operators:
/// dequantized in f32, the function, divided by the output's scale, rounded half to even.
fn table(expr: &Expr, input: Quant, output: Quant, channel: usize) -> Vec<i8> {
    let entry = |q: i32| {
        let x = input.scale * (q - i32::from(input.zero_point)) as f32;
        let y = expr.eval(f64::from(x), channel) as f32;
        saturate(y / output.scale, output.zero_point, Clamp::FULL)
    };
    (-128..128).map(entry).collect()
}

/// A real value in steps of `quant`.
fn step(value: f32, quant: Quant) -> i8 {
    saturate(value / quant.scale, quant.zero_point, Clamp::FULL)
}

fn clamp(bounds: Bounds, quant: Quant) -> Clamp {
    let bound = |value: f32, none: i8| {
        if value.is_infinite() {
            none
        } else {
            Clamp::FULL.apply(round_half_even(value / quant.scale) + i32::from(quant.zero_point))
        }
    };
    let (low, high) = (bound(bounds.low, i8::MIN), bound(bounds.high, i8::MAX));
    Clamp { low, high: high.max(low) }
}
