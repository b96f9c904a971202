//! From ranges to scales and zero points, and which values share them.
//!
//! Operators that copy values (MaxPool, nearest Resize, Pad, Slice) keep their input's quantization; a Concat whose
//! inputs share one needs no requantization, and where only convolutions read it, no operator at all.

use crate::graph::{Graph, Node, Op, Quant, ValueId};

/// Rounds a range to int8: 0 is exact, and the whole of −128..=127 is used.
pub fn quant(low: f32, high: f32) -> Quant {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = ((high - low) / 255.0).max(1e-9);
    let zero_point = (-128.0 - low / scale).round_ties_even().clamp(-128.0, 127.0) as i8;
    Quant { scale, zero_point }
}

/// Values that share one quantization.
pub struct Sharing {
    parent: Vec<ValueId>,
    fixed: Vec<Option<Quant>>,
}

impl Sharing {
    fn root(&self, mut value: ValueId) -> ValueId {
        while self.parent[value] != value {
            value = self.parent[value];
        }
        value
    }

    /// Whether two values share their quantization.
    pub fn same(&self, a: ValueId, b: ValueId) -> bool {
        self.root(a) == self.root(b) || (self.of(a).is_some() && self.of(a) == self.of(b))
    }

    fn of(&self, value: ValueId) -> Option<Quant> {
        self.fixed[self.root(value)]
    }

    /// Makes two values share, unless different quantizations are prescribed for them.
    fn join(&mut self, a: ValueId, b: ValueId) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        match (self.fixed[a], self.fixed[b]) {
            (Some(x), Some(y)) if x != y => return false,
            (None, Some(y)) => self.fixed[a] = Some(y),
            _ => {}
        }
        self.parent[b] = a;
        true
    }

    /// Decides which values of `graph` share; `join_concats` tells for each node whether a Concat's inputs shall.
    /// Copying operators between two prescribed quantizations get a requantization after them.
    pub fn decide(graph: &mut Graph, join_concats: impl Fn(&Node) -> bool) -> Sharing {
        let mut sharing = Sharing::new(graph);
        let mut index = 0;
        while index < graph.nodes.len() {
            let node = graph.nodes[index].clone();
            let first = node.inputs.first().copied().unwrap_or(0);
            match &node.op {
                Op::MaxPool(_) | Op::Pad(..) | Op::Slice(..) | Op::Resize { nearest: Some(_), .. }
                    if !sharing.join(first, node.output) =>
                {
                    let copy = requantized(graph, index);
                    sharing.parent.push(copy);
                    sharing.fixed.push(None);
                    sharing.join(first, copy);
                }
                Op::Resize { nearest: None, .. } => {
                    sharing.join(first, node.output);
                }
                Op::Concat if join_concats(&node) => {
                    let all = || node.inputs.iter().chain([&node.output]);
                    let prescribed: Vec<Quant> = all().filter_map(|&v| sharing.of(v)).collect();
                    if prescribed.iter().all(|q| *q == prescribed[0]) {
                        all().for_each(|&v| {
                            sharing.join(first, v);
                        });
                    }
                }
                _ => {}
            }
            index += 1;
        }
        sharing
    }

    fn new(graph: &Graph) -> Sharing {
        Sharing { parent: (0..graph.values.len()).collect(), fixed: graph.values.iter().map(|v| v.fixed).collect() }
    }

    /// The quantization of every value, from the ranges that the values were seen to take.
    pub fn quantize(&self, ranges: &[(f32, f32)]) -> Vec<Quant> {
        let mut shared = vec![(0.0f32, 0.0f32); self.parent.len()];
        for (value, (low, high)) in ranges.iter().enumerate() {
            let (l, h) = &mut shared[self.root(value)];
            (*l, *h) = (l.min(*low), h.max(*high));
        }
        (0..self.parent.len())
            .map(|value| {
                let root = self.root(value);
                self.fixed[root].unwrap_or_else(|| quant(shared[root].0, shared[root].1))
            })
            .collect()
    }

    /// Whether every value that an operator makes has a prescribed quantization: nothing is left to calibrate.
    pub fn is_prescribed(&self, graph: &Graph) -> bool {
        graph.nodes.iter().flat_map(|n| n.inputs.iter().chain([&n.output])).all(|&v| self.of(v).is_some())
    }
}

/// Gives node `index` a new output, and makes the old one from it by a requantization.
fn requantized(graph: &mut Graph, index: usize) -> ValueId {
    let old = graph.nodes[index].output;
    let mut value = graph.values[old].clone();
    value.fixed = None;
    graph.values.push(value);
    let copy = graph.values.len() - 1;
    graph.nodes[index].output = copy;
    let node =
        Node { op: Op::Map(crate::expr::Expr::X), inputs: vec![copy], output: old, ..graph.nodes[index].clone() };
    graph.nodes.insert(index + 1, node);
    copy
}
