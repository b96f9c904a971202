//! Parts of ONNX graphs: made, read, renamed and dropped.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{self, attribute_proto::AttributeType, tensor_proto::DataType};

/// A node of one output.
pub fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<pb::AttributeProto>) -> pb::NodeProto {
    pb::NodeProto {
        op_type: operator.into(),
        name: output.into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}

/// An integer attribute.
pub fn int(name: &str, i: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

/// A `Constant` of integers, with one side, or none for a single one.
pub fn integers(name: &str, values: &[i64], rank: usize) -> pb::NodeProto {
    let dims = vec![values.len() as i64; rank];
    let data_type = DataType::Int64 as i32;
    constant(name, pb::TensorProto { dims, data_type, int64_data: values.to_vec(), ..Default::default() })
}

/// A `Constant` of one real number, without sides.
pub fn real(name: &str, value: f32) -> pb::NodeProto {
    let data_type = DataType::Float as i32;
    constant(name, pb::TensorProto { data_type, float_data: vec![value], ..Default::default() })
}

fn constant(name: &str, tensor: pb::TensorProto) -> pb::NodeProto {
    let value = pb::AttributeProto {
        name: "value".into(),
        r#type: AttributeType::Tensor as i32,
        t: Some(tensor),
        ..Default::default()
    };
    node("Constant", &[], name, vec![value])
}

/// A graph that an attribute holds.
pub fn subgraph<'a>(node: &'a pb::NodeProto, name: &str) -> Option<&'a pb::GraphProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)?.g.as_ref()
}

/// Gives the values of `nodes` new names, also where graphs within them read them. What is not in `names` keeps its own.
pub fn rename(nodes: &mut [pb::NodeProto], names: &HashMap<String, String>) {
    for node in nodes {
        for value in node.input.iter_mut().chain(&mut node.output) {
            if let Some(new) = names.get(value) {
                value.clone_from(new);
            }
        }
        for attribute in &mut node.attribute {
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                rename(&mut graph.node, names);
                for value in &mut graph.output {
                    if let Some(new) = names.get(&value.name) {
                        value.name.clone_from(new);
                    }
                }
            }
        }
    }
}

/// Drops nodes that nothing of what is handed out depends on.
pub fn keep_needed(graph: &mut pb::GraphProto) {
    let mut needed: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let mut kept = Vec::new();
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
}

/// Places of the nodes, each behind those that make what it reads; else in the order in which they are.
///
/// # Errors
/// Nodes wait for each other: the first of them.
pub fn in_order(nodes: &[pb::NodeProto]) -> Result<Vec<usize>, usize> {
    let names = nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
    let mut pending: HashSet<&String> = names.collect();
    let mut order = Vec::with_capacity(nodes.len());
    // In the order of files one pass is enough.
    let mut waiting: Vec<usize> = (0..nodes.len()).collect();
    while let Some(&first) = waiting.first() {
        let before = order.len();
        waiting.retain(|&place| {
            let waits = nodes[place].input.iter().any(|name| pending.contains(name));
            if !waits {
                nodes[place].output.iter().for_each(|name| {
                    pending.remove(name);
                });
                order.push(place);
            }
            waits
        });
        if order.len() == before {
            return Err(first);
        }
    }
    Ok(order)
}
