//! Cross-layer equalization: channels that take small values are enlarged, so that int8 serves all of them alike.
//!
//! A tensor has one scale for all of its channels. Where one channel reaches 50 and another 0.5, as depthwise layers make
//! them, the second is left with two or three steps. But what a convolution makes can be divided by a factor per channel
//! for nothing, in its weights, and the convolutions behind it multiply by it, in theirs; whatever lies between and works on
//! every channel alone (Relu, pooling, Resize, Pad, Slice, Concat, and Add where both sides have the same factors) needs
//! not know. The network computes the same real values. (Nagel et al., *Data-Free Quantization Through Weight Equalization
//! and Bias Correction*, 2019; here what activations were seen to take decides, not the weights.)
//!
//! A Clip's upper bound stays exact: the factor of a channel is a function of the largest value that it takes, so all
//! channels that reach the bound have the same one, and the others are below it anyway.

use crate::expr::{Binary, Expr};
use crate::graph::{Bounds, Conv, Fill, Graph, Node, Op, ValueId};

/// Channels are enlarged at most so far.
const MOST: f32 = 1024.0;

/// The graph with factors per channel, or `None` where no channel can have one. `largest` has the largest absolute value
/// of every channel of every value; at `strength` 1 all channels reach the same value, at 0 none is changed.
pub(crate) fn equalize(graph: &Graph, largest: &[Vec<f32>], strength: f32) -> Option<Graph> {
    let units = units(graph, largest, strength);
    if units.iter().flatten().all(|&unit| unit == 1.0) {
        return None;
    }
    let mut graph = graph.clone();
    for node in &mut graph.nodes {
        if let Op::Conv(conv) = &mut node.op {
            rescale(conv, &units[node.inputs[0]], &units[node.output]);
        }
    }
    graph.values.iter_mut().zip(units).for_each(|(value, unit)| value.unit = unit);
    Some(graph)
}

/// The real value of 1 in every channel of every value.
fn units(graph: &Graph, largest: &[Vec<f32>], strength: f32) -> Vec<Vec<f32>> {
    let mut classes = Classes::new(graph);
    classes.bind(graph);
    let peaks = classes.peaks(graph, largest);
    // What a tensor's channels are made to reach: what those that cannot be changed reach, or the largest.
    let mut tensors = Tensors::new(graph, &mut classes);
    let mut goals = vec![(0f32, 0f32); graph.values.len()];
    for (value, of) in graph.values.iter().enumerate() {
        let (kept, all) = &mut goals[tensors.root(value)];
        for channel in 0..of.channels {
            let class = classes.root(value, channel);
            *all = all.max(peaks[class]);
            if classes.kept[class] {
                *kept = kept.max(peaks[class]);
            }
        }
    }
    let mut unit = |value: ValueId, channel: usize| {
        let class = classes.root(value, channel);
        let (kept, all) = goals[tensors.root(value)];
        let goal = if kept > 0.0 { kept } else { all };
        if classes.kept[class] || goal == 0.0 {
            return 1.0;
        }
        (peaks[class] / goal).clamp(1.0 / MOST, MOST).powf(strength)
    };
    graph.values.iter().enumerate().map(|(v, value)| (0..value.channels).map(|c| unit(v, c)).collect()).collect()
}

/// The weights for an input and an output in these units.
fn rescale(conv: &mut Conv, input: &[f32], output: &[f32]) {
    let outputs = conv.bias.len();
    let per_output = conv.weights.len() / outputs;
    let taps = usize::from(conv.window.kernel[0]) * usize::from(conv.window.kernel[1]);
    let group_inputs = per_output / taps;
    for (o, weights) in conv.weights.chunks_exact_mut(per_output).enumerate() {
        let first = o / (outputs / conv.group) * group_inputs;
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight *= input[first + i / taps] / output[o];
        }
        conv.bias[o] /= output[o];
    }
    if conv.bounds.high.is_finite() {
        let reached = output.iter().map(|unit| conv.bounds.high / unit);
        conv.bounds.high = reached.fold(0.0, f32::max);
    }
}

/// Channels of values that must have one factor.
struct Classes {
    /// The first channel of each value.
    first: Vec<usize>,
    parent: Vec<usize>,
    /// Whether a class must be left as it is, by its root.
    kept: Vec<bool>,
}

impl Classes {
    fn new(graph: &Graph) -> Classes {
        let mut first = Vec::with_capacity(graph.values.len());
        let mut count = 0;
        for value in &graph.values {
            first.push(count);
            count += value.channels;
        }
        Classes { first, parent: (0..count).collect(), kept: vec![false; count] }
    }

    fn root(&mut self, value: ValueId, channel: usize) -> usize {
        let mut class = self.first[value] + channel;
        while self.parent[class] != class {
            self.parent[class] = self.parent[self.parent[class]];
            class = self.parent[class];
        }
        class
    }

    fn join(&mut self, a: (ValueId, usize), b: (ValueId, usize)) {
        let (a, b) = (self.root(a.0, a.1), self.root(b.0, b.1));
        self.parent[b] = a;
        self.kept[a] |= self.kept[b];
    }

    /// All channels of a value stay as they are.
    fn keep(&mut self, graph: &Graph, value: ValueId) {
        for channel in 0..graph.values[value].channels {
            let class = self.root(value, channel);
            self.kept[class] = true;
        }
    }

    /// Channel `c` of `a` is channel `from + c` of `b`.
    fn pass(&mut self, graph: &Graph, a: ValueId, b: ValueId, from: usize) {
        (0..graph.values[a].channels).for_each(|c| self.join((a, c), (b, from + c)));
    }

    /// What the operators ask of the factors.
    fn bind(&mut self, graph: &Graph) {
        self.keep(graph, 0);
        let outputs = graph.outputs.iter().map(|(_, value)| *value).chain(graph.mask);
        let fixed = (0..graph.values.len()).filter(|&value| graph.values[value].fixed.is_some());
        outputs.chain(fixed).for_each(|value| self.keep(graph, value));
        for node in &graph.nodes {
            self.operator(graph, node);
        }
    }

    fn operator(&mut self, graph: &Graph, node: &Node) {
        let (first, output) = (node.inputs[0], node.output);
        let channels = |value: ValueId| graph.values[value].channels;
        match &node.op {
            Op::Input(_) => self.keep(graph, output),
            Op::Conv(conv) if conv.integers.is_none() && scales(conv.bounds) => {}
            Op::MaxPool(_) | Op::AveragePool { .. } | Op::GlobalAveragePool | Op::Resize { .. } => {
                self.pass(graph, output, first, 0);
            }
            Op::Pad(_, Fill::Reflect | Fill::Edge) => self.pass(graph, output, first, 0),
            Op::Pad(_, Fill::Constant(value)) if *value == 0.0 => self.pass(graph, output, first, 0),
            Op::Slice(_, channel) => self.pass(graph, output, first, usize::from(*channel)),
            Op::Map(expr) if is_homogeneous(expr, channels(output)) => self.pass(graph, output, first, 0),
            Op::Concat => {
                let mut from = 0;
                for &input in &node.inputs {
                    self.pass(graph, input, output, from);
                    from += channels(input);
                }
            }
            Op::Combine(Binary::Add | Binary::Sub, bounds)
                if *bounds == Bounds::NONE || (scales(*bounds) && bounds.high.is_infinite()) =>
            {
                for &input in &node.inputs {
                    if channels(input) != channels(output) {
                        node.inputs.iter().for_each(|&value| self.keep(graph, value));
                        self.keep(graph, output);
                        return;
                    }
                    self.pass(graph, input, output, 0);
                    // Where it was clipped, its channels' factors are its own.
                    if is_clipped(graph, input) {
                        self.keep(graph, input);
                    }
                }
            }
            // A gate: the other side has the factors.
            Op::Combine(Binary::Mul, bounds) if *bounds == Bounds::NONE && channels(first) == channels(output) => {
                let area = |value: ValueId| graph.values[value].sizes[0].iter().product::<usize>();
                let [a, b] = node.inputs[..] else { return };
                let (gate, value) = if area(a) < area(b) { (a, b) } else { (b, a) };
                self.keep(graph, gate);
                if channels(value) == channels(output) && gate != value {
                    self.pass(graph, value, output, 0);
                } else {
                    self.keep(graph, value);
                    self.keep(graph, output);
                }
            }
            _ => {
                node.inputs.iter().for_each(|&value| self.keep(graph, value));
                self.keep(graph, output);
            }
        }
    }

    /// The largest value of every class, by its root.
    fn peaks(&mut self, graph: &Graph, largest: &[Vec<f32>]) -> Vec<f32> {
        let mut peaks = vec![0f32; self.parent.len()];
        for (value, of) in graph.values.iter().enumerate() {
            for channel in 0..of.channels {
                let class = self.root(value, channel);
                peaks[class] = peaks[class].max(largest[value].get(channel).copied().unwrap_or(0.0));
            }
        }
        peaks
    }
}

/// Values whose channels have classes in common.
struct Tensors(Vec<ValueId>);

impl Tensors {
    fn new(graph: &Graph, classes: &mut Classes) -> Tensors {
        let mut tensors = Tensors((0..graph.values.len()).collect());
        let mut owner = vec![None; classes.parent.len()];
        for (value, of) in graph.values.iter().enumerate() {
            for channel in 0..of.channels {
                let class = classes.root(value, channel);
                let of = *owner[class].get_or_insert(value);
                let (a, b) = (tensors.root(of), tensors.root(value));
                tensors.0[b] = a;
            }
        }
        tensors
    }

    fn root(&mut self, mut value: ValueId) -> ValueId {
        while self.0[value] != value {
            value = self.0[value];
        }
        value
    }
}

/// Whether an output between these may be divided by a factor: the lower bound is 0, or there is none.
fn scales(bounds: Bounds) -> bool {
    bounds.low == 0.0 || (bounds.low == f32::NEG_INFINITY && bounds.high == f32::INFINITY)
}

/// Whether a value has an upper bound, which passes through what copies it.
fn is_clipped(graph: &Graph, value: ValueId) -> bool {
    let Some(producer) = graph.producer(value) else { return false };
    let node = &graph.nodes[producer];
    match &node.op {
        Op::Conv(conv) => conv.bounds.high.is_finite(),
        Op::Map(_) | Op::Combine(..) => false,
        _ => node.inputs.iter().any(|&input| is_clipped(graph, input)),
    }
}

/// Whether `f(a·x) = a·f(x)` for positive factors.
fn is_homogeneous(expr: &Expr, channels: usize) -> bool {
    let channels = if expr.per_channel() { channels } else { 1 };
    let holds = |x: f64, channel: usize| {
        let value = expr.eval(x, channel);
        [0.125, 3.0, 70.0].iter().all(|factor| {
            let (found, expected) = (expr.eval(factor * x, channel), factor * value);
            (found - expected).abs() <= 1e-9 * expected.abs()
        })
    };
    (0..channels).all(|channel| [-9.0, -1.0, -0.1, 0.0, 0.1, 1.0, 9.0].iter().all(|&x| holds(x, channel)))
}
