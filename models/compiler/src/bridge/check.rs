//! Operators and operator sets that nobody here knows, said in a sentence before tract stumbles over them.

use tract_onnx::model::Onnx;
use tract_onnx::pb;

use crate::error::{Error, Result};
use crate::import::attributes::{describe, label};

/// ONNX's operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

/// What is not in tract's register, but is read by it, or by the bridge.
const READ_OTHERWISE: &[&str] = &["Scan"];

/// # Errors
/// The model is for an operator set that is not known.
pub fn opset(proto: &pb::ModelProto) -> Result<()> {
    let own = proto.opset_import.iter().find(|import| import.domain.is_empty() || import.domain == "ai.onnx");
    let found = own.map(|import| import.version).unwrap_or(1);
    if OPSETS.contains(&found) {
        return Ok(());
    }
    let (first, last) = (OPSETS.start(), OPSETS.end());
    Err(Error::Model(format!("it is of operator set {found}, expected {first} to {last}")))
}

/// # Errors
/// A node's operator is not known.
pub fn operators(graph: &pb::GraphProto, onnx: &Onnx) -> Result<()> {
    for node in &graph.node {
        let name = node.op_type.as_str();
        if !onnx.op_register.0.contains_key(name) && !READ_OTHERWISE.contains(&name) {
            return Err(Error::Operator {
                operator: node.op_type.clone(),
                node: label(node),
                attributes: describe(node),
                reason: "there is no such operator here".into(),
            });
        }
        for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            operators(graph, onnx)?;
        }
    }
    Ok(())
}
