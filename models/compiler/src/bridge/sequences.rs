//! Sequences of tensors. PyTorch's TorchScript exporter splits into them what it cannot divide evenly, and takes the parts
//! out again, one by one: they are slices.

use std::collections::HashMap;

use tract_onnx::pb;

use super::proto;
use crate::import::attributes::int;

/// Makes slices of the parts that are taken out of sequences, where it is known which they are.
pub fn unpack(graph: &mut pb::GraphProto, integers: impl Fn(&pb::GraphProto, &str) -> Option<(Vec<i64>, usize)>) {
    let made: HashMap<String, pb::NodeProto> = graph
        .node
        .iter()
        .filter(|node| matches!(node.op_type.as_str(), "SplitToSequence" | "SequenceConstruct"))
        .filter_map(|node| Some((node.output.first()?.clone(), node.clone())))
        .collect();
    if made.is_empty() {
        return;
    }
    let known = |name: &str| integers(graph, name);
    let nodes = graph.node.iter().flat_map(|node| {
        let sequence = node.input.first().and_then(|name| made.get(name));
        let unpacked = sequence.and_then(|sequence| match node.op_type.as_str() {
            "SequenceAt" => part(node, sequence, known),
            "ConcatFromSequence" if sequence.op_type == "SequenceConstruct" => Some(concat(node, sequence)),
            _ => None,
        });
        unpacked.unwrap_or_else(|| vec![node.clone()])
    });
    let mut nodes: Vec<pb::NodeProto> = nodes.collect();
    let used: Vec<String> = nodes.iter().flat_map(|node| node.input.clone()).collect();
    nodes.retain(|node| !node.output.first().is_some_and(|name| made.contains_key(name) && !used.contains(name)));
    graph.node = nodes;
}

/// The part at a known place.
fn part(
    at: &pb::NodeProto,
    sequence: &pb::NodeProto,
    known: impl Fn(&str) -> Option<(Vec<i64>, usize)>,
) -> Option<Vec<pb::NodeProto>> {
    let output = at.output.first()?;
    let index = *known(at.input.get(1)?)?.0.first()?;
    let place = usize::try_from(index).ok()?;
    if sequence.op_type == "SequenceConstruct" {
        return Some(vec![proto::node("Identity", &[sequence.input.get(place)?], output, Vec::new())]);
    }
    let [whole, axis] = [sequence.input.first()?, &format!("{output}/axis")];
    let dimension = int(sequence, "axis", 0);
    let Some(split) = sequence.input.get(1).filter(|name| !name.is_empty()) else {
        // Parts of 1, without that side unless it is to be kept.
        let rank = if int(sequence, "keepdims", 1) == 0 { 0 } else { 1 };
        let gather = proto::node("Gather", &[whole, axis], output, vec![proto::int("axis", dimension)]);
        return Some(vec![proto::integers(axis, &[index], rank), gather]);
    };
    let [from, to] = ["start", "end"].map(|name| format!("{output}/{name}"));
    let mut nodes = vec![proto::integers(axis, &[dimension], 1)];
    match known(split) {
        Some((sizes, 0)) => {
            let size = *sizes.first()?;
            let start = size.checked_mul(index)?;
            nodes.push(proto::integers(&from, &[start], 1));
            nodes.push(proto::integers(&to, &[start.checked_add(size)?], 1));
        }
        // Sizes of the parts, which may be computed.
        _ => nodes.extend(bounds(split, place, &from, &to)),
    }
    nodes.push(proto::node("Slice", &[whole, &from, &to, axis], output, Vec::new()));
    Some(nodes)
}

/// Computes where a part begins and ends from the sizes of all.
fn bounds(sizes: &str, place: usize, from: &str, to: &str) -> Vec<pb::NodeProto> {
    let sum = |part: usize| match part.checked_sub(place) {
        Some(0) => from.to_owned(),
        Some(_) => to.to_owned(),
        None => format!("{to}/sum_{part}"),
    };
    let mut nodes = vec![proto::integers(&sum(0), &[0], 1)];
    for part in 0..=place {
        let [index, size] = ["index", "size"].map(|name| format!("{to}/{name}_{part}"));
        nodes.push(proto::integers(&index, &[part as i64], 1));
        nodes.push(proto::node("Gather", &[sizes, &index], &size, vec![proto::int("axis", 0)]));
        nodes.push(proto::node("Add", &[&sum(part), &size], &sum(part + 1), Vec::new()));
    }
    nodes
}

/// Tensors that were only put in a sequence to be concatenated, or stacked.
fn concat(node: &pb::NodeProto, sequence: &pb::NodeProto) -> Vec<pb::NodeProto> {
    let output = node.output.first().cloned().unwrap_or_default();
    let axis = int(node, "axis", 0);
    let mut nodes = Vec::new();
    let mut parts = sequence.input.clone();
    if int(node, "new_axis", 0) != 0 {
        let axes = format!("{output}/axes");
        nodes.push(proto::integers(&axes, &[axis], 1));
        for (index, part) in parts.iter_mut().enumerate() {
            let stacked = format!("{output}/part_{index}");
            nodes.push(proto::node("Unsqueeze", &[part, &axes], &stacked, Vec::new()));
            *part = stacked;
        }
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    nodes.push(proto::node("Concat", &parts, &output, vec![proto::int("axis", axis)]));
    nodes
}
