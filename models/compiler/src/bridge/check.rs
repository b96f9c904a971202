//! Operators and operator sets that nobody here knows, values that nothing makes, weights that are not there: said in a
//! sentence before tract stumbles over them.

use std::collections::HashSet;
use std::path::Path;

use tract_onnx::pb::{self, tensor_proto::DataLocation};

use crate::error::{Error, Result};
use crate::import::attributes::{describe, label};

/// ONNX's operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

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
/// A node's operator is not known, it reads what nothing makes, or weights that lie in another file are not there.
pub fn graph(graph: &pb::GraphProto, directory: Option<&str>) -> Result<()> {
    for tensor in &graph.initializer {
        external(tensor, directory)?;
    }
    let known = super::onnx().op_register.0;
    let given = graph.input.iter().map(|input| &input.name);
    let stored = graph.initializer.iter().map(|tensor| &tensor.name);
    let sparse = graph.sparse_initializer.iter().filter_map(|tensor| Some(&tensor.values.as_ref()?.name));
    let made = graph.node.iter().flat_map(|node| &node.output);
    let values: HashSet<&String> = given.chain(stored).chain(sparse).chain(made).collect();
    for node in &graph.node {
        if !known.contains_key(&node.op_type) {
            return Err(Error::Operator {
                operator: node.op_type.clone(),
                node: label(node),
                attributes: describe(node),
                reason: "there is no such operator here".into(),
            });
        }
        if let Some(name) = node.input.iter().find(|name| !name.is_empty() && !values.contains(name)) {
            let node = label(node);
            return Err(Error::Model(format!("node `{node}` reads `{name}`, which nothing makes")));
        }
    }
    match graph.output.iter().find(|output| !values.contains(&output.name)) {
        Some(output) => Err(Error::Model(format!("nothing makes its output `{}`", output.name))),
        None => Ok(()),
    }
}

/// # Errors
/// A tensor's values lie in a file that is not there, or ends too early.
fn external(tensor: &pb::TensorProto, directory: Option<&str>) -> Result<()> {
    if tensor.data_location != Some(DataLocation::External as i32) {
        return Ok(());
    }
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let name = &tensor.name;
    let Some(location) = entry("location") else {
        return Err(Error::Model(format!("weights `{name}` lie in another file, but it is not said in which")));
    };
    let path = Path::new(directory.unwrap_or_default()).join(location);
    let Ok(found) = path.metadata() else {
        let path = path.display();
        return Err(Error::Model(format!("weights `{name}` lie in {path}, and there is no such file")));
    };
    let number = |key: &str| entry(key).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let end = number("offset").saturating_add(number("length"));
    if found.len() < end {
        let (path, len) = (path.display(), found.len());
        return Err(Error::Model(format!("weights `{name}` end at byte {end} of {path}, which has {len}")));
    }
    Ok(())
}
