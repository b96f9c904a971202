//! Functions that the file defines, such as those of onnxscript or of a module, put where they are called.

use std::collections::HashMap;

use tract_onnx::pb;

use super::proto;
use crate::error::{Error, Result};
use crate::import::attributes::label;

/// Deepest nesting of calls.
const MOST_PASSES: usize = 64;

/// Replaces every call by the nodes of the function.
///
/// # Errors
/// Functions call each other in a circle.
pub fn inline(proto: &mut pb::ModelProto) -> Result<()> {
    if proto.functions.is_empty() {
        return Ok(());
    }
    let functions = std::mem::take(&mut proto.functions);
    let Some(graph) = &mut proto.graph else { return Ok(()) };
    let mut calls = 0;
    for _ in 0..MOST_PASSES {
        if !pass(&mut graph.node, &functions, &mut calls) {
            return Ok(());
        }
    }
    Err(Error::NotOnnx("its functions call each other in a circle".into()))
}

/// One level of calls; whether there were any.
fn pass(nodes: &mut Vec<pb::NodeProto>, functions: &[pb::FunctionProto], calls: &mut usize) -> bool {
    let mut found = false;
    for mut node in std::mem::take(nodes) {
        for attribute in &mut node.attribute {
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                found |= pass(&mut graph.node, functions, calls);
            }
        }
        match functions.iter().find(|function| is_call(&node, function)) {
            Some(function) => {
                found = true;
                *calls += 1;
                nodes.extend(body(&node, function, *calls));
            }
            None => nodes.push(node),
        }
    }
    found
}

fn is_call(node: &pb::NodeProto, function: &pb::FunctionProto) -> bool {
    function.name.as_deref() == Some(&node.op_type) && function.domain.as_deref().unwrap_or_default() == node.domain
}

/// The nodes of a function, as this call has them.
fn body(call: &pb::NodeProto, function: &pb::FunctionProto, index: usize) -> Vec<pb::NodeProto> {
    let mut names: HashMap<String, String> = HashMap::new();
    for output in function.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
        names.insert(output.clone(), format!("call_{index}/{output}"));
    }
    // Whatever is not given is absent.
    let given = |values: &[String], index: usize| values.get(index).cloned().unwrap_or_default();
    for (position, name) in function.input.iter().enumerate() {
        names.insert(name.clone(), given(&call.input, position));
    }
    let mut passed = Vec::new();
    for (position, name) in function.output.iter().enumerate() {
        let outside = given(&call.output, position);
        if outside.is_empty() {
            continue;
        }
        if function.input.contains(name) {
            passed.push(proto::node("Identity", &[&names[name]], &outside, Vec::new()));
        } else {
            names.insert(name.clone(), outside);
        }
    }
    let mut nodes = function.node.clone();
    for node in &mut nodes {
        node.name = format!("{}/{}", label(call), label(node));
        arguments(node, call);
    }
    proto::rename(&mut nodes, &names);
    nodes.extend(passed);
    nodes
}

/// Attributes that stand for those of the call become theirs; those that the call lacks are dropped, also in graphs within.
fn arguments(node: &mut pb::NodeProto, call: &pb::NodeProto) {
    let taken = std::mem::take(&mut node.attribute).into_iter().filter_map(|attribute| {
        if attribute.ref_attr_name.is_empty() {
            return Some(attribute);
        }
        let argument = call.attribute.iter().find(|given| given.name == attribute.ref_attr_name)?;
        Some(pb::AttributeProto { name: attribute.name, ..argument.clone() })
    });
    node.attribute = taken.collect();
    for attribute in &mut node.attribute {
        for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            graph.node.iter_mut().for_each(|node| arguments(node, call));
        }
    }
}
