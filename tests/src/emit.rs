//! A [`Graph`] as a plan: the test's description put into core's types, weights into the format's layout, and ring
//! heights measured by running the schedule dry.

use microtome_core::plan::emit::{Spec, emit, emitted_len};
use microtome_core::plan::record::Edge;
use microtome_core::plan::{self, Alignment, Levels, Normalization, Order, Output, Post, Role, TALL, Task};
use microtome_core::quant::Clamp;
use microtome_core::shape::{Padding, Window};
use microtome_core::{Frame, Plan};
use zerocopy::little_endian::{F32, I32, U32};

use crate::graph::{Graph, Node, Op};
use crate::oracle::{self, Classify, Conv, Coordinates, Mode, Nearest, PadMode, Quant};

/// The rings and strips of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Ring rows per tensor.
    pub rings: Vec<u32>,
    /// Rows per step, per node.
    pub strips: Vec<u16>,
}

impl Schedule {
    /// Every tensor kept whole, operators in strips of `strip` rows.
    pub fn whole(graph: &Graph, strip: u16) -> Schedule {
        Schedule { rings: vec![TALL; graph.nodes.len() + 1], strips: vec![strip; graph.nodes.len()] }
    }

    /// The rings that strips of `strip` rows need for this frame, as the compiler would find them: the most rows ever
    /// live when there is room for all.
    pub fn tight(graph: &Graph, strip: u16, frame: Frame) -> Schedule {
        let mut schedule = Schedule::whole(graph, strip);
        let bytes = plan(graph, &schedule);
        let parsed = Plan::parse(&bytes).expect("the tests emit valid plans");
        let mut most = vec![1; schedule.rings.len()];
        let mut scratch = vec![0; parsed.scratch_len()];
        parsed
            .run_dry(frame, &mut scratch, |tensor, live| most[tensor] = live.max(most[tensor]))
            .expect("endless rings never stall");
        schedule.rings = most;
        schedule
    }
}

/// A node's constants in the format's layout.
struct Parts {
    name: String,
    edges: Vec<Edge>,
    weights: Vec<i8>,
    bias: Vec<I32>,
    scales: Vec<F32>,
    exponentials: Vec<U32>,
}

/// The bytes of the plan of `graph`.
pub fn plan(graph: &Graph, schedule: &Schedule) -> Vec<u8> {
    let tensor = |index: usize| {
        let (channels, quant) = graph.tensor(index);
        let Quant { scale, zero_point } = quant;
        plan::Tensor { channels: narrow(channels), scale, zero_point, ring: schedule.rings[index] }
    };
    let tensors: Vec<plan::Tensor> = (0..=graph.nodes.len()).map(tensor).collect();
    let parts: Vec<Parts> = graph.nodes.iter().enumerate().map(|(i, node)| parts(graph, i, node)).collect();
    let operators: Vec<plan::Operator> = (graph.nodes.iter().zip(&parts).zip(&schedule.strips))
        .map(|((node, parts), &strip)| plan::Operator {
            name: &parts.name,
            inputs: &parts.edges,
            strip,
            op: operator(graph, node, parts),
        })
        .collect();
    let names: Vec<String> = graph.outputs.iter().map(|output| format!("output {output}")).collect();
    let outputs: Vec<Output> = (graph.outputs.iter().zip(&names))
        .map(|(&output, name)| Output { tensor: narrow(output), role: Role::Raw, name })
        .collect();
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &outputs,
        input: plan::Input {
            normalization: if graph.camera.percentile {
                Normalization::Percentile { low: 1.0, high: 99.8, previous: false }
            } else {
                Normalization::Fixed(Levels { low: 0.0, high: 255.0 })
            },
            order: if graph.camera.blue_first { Order::Bgr } else { Order::Rgb },
            gain: graph.camera.gain,
            offset: graph.camera.offset,
        },
        post: Post { task: Task::None, min_area: 0, grow: 0.0, threshold: 0.5 },
        alignment: Alignment { multiple: graph.multiple.map(narrow), remainder: [0; 2] },
        classes: "background\nobject",
        provenance: "source=a test",
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    assert_eq!(emit(&spec, &mut bytes), Some(bytes.len()), "emit and emitted_len disagree");
    bytes
}

/// A count that the format holds in 16 bits.
fn narrow(count: usize) -> u16 {
    count.try_into().expect("a test's counts are small")
}

fn pair(counts: [usize; 2]) -> [u16; 2] {
    counts.map(narrow)
}

/// Weights from `[outputs, kernel rows, kernel columns, inputs]` to the plan's layout.
fn weights(conv: &Conv, inputs: &[usize]) -> Vec<i8> {
    let (outputs, taps) = (conv.bias.len(), conv.window.kernel[0] * conv.window.kernel[1]);
    let total: usize = inputs.iter().sum();
    let at = |o: usize, tap: usize, c: usize, depth: usize| conv.weights[(o * taps + tap) * depth + c];
    let mut packed = Vec::with_capacity(conv.weights.len());
    if conv.group > 1 && conv.group == total && conv.group == outputs {
        // Depthwise: [kernel rows, kernel columns, channels].
        for tap in 0..taps {
            packed.extend((0..outputs).map(|o| at(o, tap, 0, 1)));
        }
        return packed;
    }
    if inputs.len() == 1 {
        return conv.weights.clone();
    }
    for o in 0..outputs {
        let mut first = 0;
        for &depth in inputs {
            for tap in 0..taps {
                packed.extend((first..first + depth).map(|c| at(o, tap, c, total)));
            }
            first += depth;
        }
    }
    packed
}

fn parts(graph: &Graph, index: usize, node: &Node) -> Parts {
    let tensors: Vec<(usize, Quant)> = node.inputs.iter().map(|input| graph.tensor(input.tensor)).collect();
    let channels: Vec<usize> = tensors.iter().map(|tensor| tensor.0).collect();
    let edges = node.inputs.iter().map(|input| {
        Edge::upsampled(narrow(input.tensor), input.upsample.try_into().expect("a test's factors are small"))
    });
    let mut parts = Parts {
        name: format!("{} {index}", node.op.name()),
        edges: edges.collect(),
        weights: Vec::new(),
        bias: Vec::new(),
        scales: Vec::new(),
        exponentials: Vec::new(),
    };
    match &node.op {
        Op::Conv(conv) | Op::ConvTranspose(oracle::ConvTranspose { conv, .. }) => {
            let scale = |&weight: &f32| F32::new((tensors[0].1.scale * weight) / node.quant.scale);
            parts.scales = conv.weight_scales.iter().map(scale).collect();
            parts.bias = conv.bias.iter().copied().map(I32::new).collect();
            let transposed = matches!(node.op, Op::ConvTranspose(_));
            parts.weights = if transposed { conv.weights.clone() } else { weights(conv, &channels) };
        }
        Op::Concat if tensors.iter().any(|tensor| tensor.1 != node.quant) => {
            parts.weights = tensors.iter().flat_map(|t| oracle::requantization_table(t.1, node.quant)).collect();
        }
        Op::Table(entries) => parts.weights = entries.clone(),
        Op::Softmax => parts.exponentials = oracle::exponentials(tensors[0].1.scale).map(U32::new).to_vec(),
        _ => {}
    }
    parts
}

fn operator<'a>(graph: &Graph, node: &Node, parts: &'a Parts) -> plan::Op<'a> {
    let scale = |index: usize| graph.tensor(node.inputs[index].tensor).1.scale;
    let out = node.quant.scale;
    let conv = |conv: &Conv| plan::Conv {
        window: window(&conv.window),
        group: narrow(conv.group),
        weights: &parts.weights,
        bias: &parts.bias,
        scales: &parts.scales,
        clamp: clamp(conv.clamp),
    };
    match &node.op {
        Op::Conv(op) => plan::Op::Conv(conv(op)),
        Op::ConvTranspose(op) => {
            plan::Op::ConvTranspose { conv: conv(&op.conv), output_padding: pair(op.output_padding) }
        }
        Op::MaxPool(op) => plan::Op::MaxPool(window(op)),
        Op::AveragePool(op) => plan::Op::AveragePool(plan::Pool {
            window: window(&op.window),
            count_include_pad: op.count_include_pad,
            factor: scale(0) / out,
        }),
        Op::GlobalAveragePool => plan::Op::GlobalAveragePool(scale(0) / out),
        Op::Resize(op) => plan::Op::Resize(plan::Resize {
            ratio: op.ratios.map(|ratio| ratio.map(|part| narrow(part as usize))),
            coordinates: match op.coordinates {
                Coordinates::Asymmetric => plan::Coordinates::Asymmetric,
                Coordinates::HalfPixel => plan::Coordinates::HalfPixel,
                Coordinates::PytorchHalfPixel => plan::Coordinates::PytorchHalfPixel,
                Coordinates::AlignCorners => plan::Coordinates::AlignCorners,
            },
            nearest: match op.mode {
                Mode::Linear => None,
                Mode::Nearest(Nearest::Floor) => Some(plan::Nearest::Floor),
                Mode::Nearest(Nearest::Ceil) => Some(plan::Nearest::Ceil),
                Mode::Nearest(Nearest::RoundPreferFloor) => Some(plan::Nearest::RoundPreferFloor),
                Mode::Nearest(Nearest::RoundPreferCeil) => Some(plan::Nearest::RoundPreferCeil),
            },
            factor: scale(0) / out,
        }),
        Op::Concat => plan::Op::Concat { tables: &parts.weights },
        Op::Add { sign, clamp: range } => {
            plan::Op::Add { factor: [scale(0) / out, sign * scale(1) / out], clamp: clamp(*range) }
        }
        Op::Mul { clamp: range } => plan::Op::Mul { factor: (scale(0) * scale(1)) / out, clamp: clamp(*range) },
        Op::Table(_) => plan::Op::Table(&parts.weights),
        Op::Pad { pads, mode } => plan::Op::Pad {
            pads: pads.map(narrow),
            mode: match mode {
                PadMode::Constant(value) => plan::PadMode::Constant(*value),
                PadMode::Reflect => plan::PadMode::Reflect,
                PadMode::Edge => plan::PadMode::Edge,
            },
        },
        Op::Slice { cut, channel } => plan::Op::Slice { crop: cut.map(narrow), channel: narrow(*channel) },
        Op::ArgMax => plan::Op::ArgMax,
        Op::Softmax => plan::Op::Softmax(&parts.exponentials),
        Op::Classify(Classify::Above { threshold }) => {
            plan::Op::Classify(plan::Classify::Above { threshold: *threshold })
        }
        Op::Classify(Classify::InteriorBorder { object, border, threshold }) => {
            let class = |class: &i8| u8::try_from(*class).expect("classes are not negative");
            plan::Op::Classify(plan::Classify::InteriorBorder {
                object: class(object),
                border: class(border),
                threshold: *threshold,
            })
        }
    }
}

fn clamp(clamp: oracle::Clamp) -> Clamp {
    Clamp { low: clamp.low, high: clamp.high }
}

fn window(window: &oracle::Window) -> Window {
    Window {
        kernel: pair(window.kernel),
        stride: pair(window.stride),
        dilation: pair(window.dilation),
        padding: match window.padding {
            oracle::Padding::Explicit(pads) => Padding::Explicit(pads.map(narrow)),
            oracle::Padding::SameUpper => Padding::SameUpper,
            oracle::Padding::SameLower => Padding::SameLower,
        },
        ceil: window.ceil,
    }
}
