//! `If`. TorchScript asks for sizes at run time (is this side 1?), and its branches may differ in rank, which tract does not
//! take. Once the sizes of the inputs are known so is the answer, and the branch takes the place of the `If`.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;
use tract_onnx::prelude::*;

use super::proto;

/// Most levels of `If` within `If`.
const MOST_PASSES: usize = 16;

/// Puts branches in the place of every `If` whose condition is a constant. `analyse` gives the constants among the outputs
/// of a model.
pub fn take(
    model: &mut pb::ModelProto,
    analyse: impl Fn(&pb::ModelProto) -> TractResult<Vec<Option<bool>>>,
) -> TractResult<()> {
    let mut kept: HashSet<String> = HashSet::new();
    for _ in 0..MOST_PASSES {
        let Some(graph) = &model.graph else { return Ok(()) };
        let open = open(graph, &kept);
        if open.is_empty() {
            return Ok(());
        }
        let mut asked = model.clone();
        if let Some(graph) = &mut asked.graph {
            let outputs = open.iter().map(|name| pb::ValueInfoProto { name: name.clone(), ..Default::default() });
            graph.output = outputs.collect();
            proto::keep_needed(graph);
        }
        let answers = analyse(&asked)?;
        let known: HashMap<&str, bool> =
            open.iter().zip(&answers).filter_map(|(name, answer)| Some((name.as_str(), (*answer)?))).collect();
        kept.extend(open.iter().filter(|name| !known.contains_key(name.as_str())).cloned());
        if let Some(graph) = &mut model.graph {
            let nodes = std::mem::take(&mut graph.node);
            for node in nodes {
                match condition(&node).and_then(|name| known.get(name)) {
                    Some(&answer) => replace(graph, node, answer),
                    None => graph.node.push(node),
                }
            }
        }
    }
    Ok(())
}

/// The condition of an `If`.
fn condition(node: &pb::NodeProto) -> Option<&str> {
    (node.op_type == "If").then(|| node.input.first().map(String::as_str)).flatten()
}

/// Conditions that depend on no `If`.
fn open(graph: &pb::GraphProto, kept: &HashSet<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut behind: HashSet<&str> = HashSet::new();
    for node in &graph.node {
        let mut hidden = node.input.iter().any(|name| behind.contains(name.as_str()));
        if let Some(name) = condition(node) {
            if !hidden && !kept.contains(name) && !found.iter().any(|other| other == name) {
                found.push(name.to_owned());
            }
            hidden = true;
        }
        if hidden {
            behind.extend(node.output.iter().map(String::as_str));
        }
    }
    found
}

/// Puts a branch in the place of the `If`.
fn replace(graph: &mut pb::GraphProto, node: pb::NodeProto, answer: bool) {
    let name = if answer { "then_branch" } else { "else_branch" };
    let Some(branch) = proto::subgraph(&node, name) else { return graph.node.push(node) };
    let prefix = node.output.first().cloned().unwrap_or_default();
    let own = branch.node.iter().flat_map(|node| &node.output);
    let own = own.chain(branch.initializer.iter().map(|tensor| &tensor.name)).filter(|name| !name.is_empty());
    let names: HashMap<String, String> = own.map(|name| (name.clone(), format!("{prefix}/{name}"))).collect();
    let mut nodes = branch.node.clone();
    proto::rename(&mut nodes, &names);
    for node in &mut nodes {
        node.name = format!("{prefix}/{}", node.name);
    }
    graph.initializer.extend(branch.initializer.iter().map(|tensor| {
        let name = names.get(&tensor.name).cloned().unwrap_or_default();
        pb::TensorProto { name, ..tensor.clone() }
    }));
    graph.node.extend(nodes);
    for (inside, outside) in branch.output.iter().zip(&node.output).filter(|(_, outside)| !outside.is_empty()) {
        let inside = names.get(&inside.name).unwrap_or(&inside.name);
        graph.node.push(proto::node("Identity", &[inside], outside, Vec::new()));
    }
}
