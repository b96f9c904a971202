//! Rewrites that change no result: affine maps into convolutions, clips into clamps, elementwise chains into one map.

use std::rc::Rc;

use crate::error::Result;
use crate::expr::{Binary, Expr};
use crate::graph::{Bounds, Conv, Graph, Op, ValueId};

/// Largest expression that is composed: exporters spell out a GELU in eight operators.
const MAX_EXPR: usize = 256;

/// Folds what can be folded.
///
/// # Errors
/// A pair of values is combined by an operator that core has only for one value.
pub fn fold(graph: &mut Graph) -> Result<()> {
    while affine_into_conv(graph) || clip_into_clamp(graph) {}
    maps_into_one(graph);
    graph.prune();
    while clip_into_clamp(graph) {}
    refuse_unmerged(graph)
}

/// BatchNormalization, and any factor and offset per channel, into the weights of the Conv before it.
fn affine_into_conv(graph: &mut Graph) -> bool {
    for index in 0..graph.nodes.len() {
        let Op::Map(expr) = &graph.nodes[index].op else { continue };
        let input = graph.nodes[index].inputs[0];
        let Some(producer) = graph.producer(input).filter(|_| graph.is_private(input)) else { continue };
        let Op::Conv(conv) = &graph.nodes[producer].op else { continue };
        if conv.bounds != Bounds::NONE || conv.integers.is_some() {
            continue;
        }
        let Some(lines) = expr.affine(conv.bias.len()) else { continue };
        let mut conv = conv.clone();
        scale(&mut conv, &lines);
        absorb(graph, producer, index, Op::Conv(conv));
        return true;
    }
    false
}

fn scale(conv: &mut Conv, lines: &[(f64, f64)]) {
    let per_output = conv.weights.len() / lines.len();
    for ((weights, bias), (factor, offset)) in conv.weights.chunks_exact_mut(per_output).zip(&mut conv.bias).zip(lines)
    {
        weights.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
        *bias = (f64::from(*bias) * factor + offset) as f32;
    }
}

/// Relu and Clip into the output range of what comes before.
fn clip_into_clamp(graph: &mut Graph) -> bool {
    for index in 0..graph.nodes.len() {
        let Op::Map(expr) = &graph.nodes[index].op else { continue };
        let Some((low, high)) = expr.clip() else { continue };
        let input = graph.nodes[index].inputs[0];
        let Some(producer) = graph.producer(input).filter(|_| graph.is_private(input)) else { continue };
        let mut op = graph.nodes[producer].op.clone();
        let bounds = match &mut op {
            Op::Conv(conv) => &mut conv.bounds,
            Op::Combine(Binary::Add | Binary::Sub | Binary::Mul, bounds) => bounds,
            _ => continue,
        };
        *bounds = Bounds { low: bounds.low.max(low).min(high), high: bounds.high.min(high).max(low) };
        absorb(graph, producer, index, op);
        return true;
    }
    false
}

/// `producer` becomes `op` and makes what `consumer` made; the consumer goes.
fn absorb(graph: &mut Graph, producer: usize, consumer: usize, op: Op) {
    graph.nodes[producer].op = op;
    graph.nodes[producer].output = graph.nodes[consumer].output;
    graph.nodes.remove(consumer);
}

/// Chains, and diamonds, of elementwise operators over one value into one [`Op::Map`] each.
fn maps_into_one(graph: &mut Graph) {
    // What each value is, as a function of another.
    let mut known: Vec<Option<(ValueId, Rc<Expr>)>> = vec![None; graph.values.len()];
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let of = |value: ValueId| match &known[value] {
            Some((base, expr)) if graph.values[value].fixed.is_none() => (*base, Rc::clone(expr)),
            _ => (value, Rc::new(Expr::X)),
        };
        let merged = match &node.op {
            Op::Map(expr) => {
                let (base, inner) = of(node.inputs[0]);
                Some((base, expr.compose(&inner)))
            }
            Op::Combine(function, _) => {
                let ((base, a), (other, b)) = (of(node.inputs[0]), of(node.inputs[1]));
                (base == other).then_some((base, Expr::Binary(*function, a, b)))
            }
            _ => None,
        };
        let Some((base, expr)) = merged.filter(|(_, expr)| expr.size() <= MAX_EXPR) else { continue };
        known[node.output] = Some((base, Rc::new(expr.clone())));
        let node = &mut graph.nodes[index];
        node.op = Op::Map(expr);
        node.inputs = vec![base];
    }
}

fn refuse_unmerged(graph: &Graph) -> Result<()> {
    for node in &graph.nodes {
        if let Op::Combine(Binary::Div | Binary::Max | Binary::Min | Binary::Pow | Binary::PRelu, _) = node.op {
            return Err(node.refuse("core has it for a value and a constant, not for two values"));
        }
    }
    Ok(())
}
