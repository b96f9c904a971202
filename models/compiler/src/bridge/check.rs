//! Operators and operator sets that nobody here knows, values that nothing makes, or that two nodes make, or that make each
//! other, weights that are not there or of another number: said in a sentence before tract stumbles over them.

use std::collections::HashSet;
use std::path::{Component, Path};

use tract_onnx::pb::{self, tensor_proto::DataLocation, tensor_proto::DataType};

use super::proto::in_order;
use crate::error::{Error, Result};
use crate::import::attributes::{describe, label};
use crate::islands::operator;

/// ONNX's operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;

/// Domains whose operators are ONNX's, or ours.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", operator::DOMAIN];

/// Operators of ONNX Runtime's own that are what ONNX has by the same name.
const MICROSOFT: [&str; 3] = ["Gelu", "QuantizeLinear", "DequantizeLinear"];

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
        match tensor.data_location == Some(DataLocation::External as i32) {
            true => external(tensor, directory)?,
            false => complete(tensor)?,
        }
    }
    let known = super::onnx().op_register.0;
    let given = graph.input.iter().map(|input| &input.name);
    let stored = graph.initializer.iter().map(|tensor| &tensor.name);
    let sparse = graph.sparse_initializer.iter().filter_map(|tensor| Some(&tensor.values.as_ref()?.name));
    let made = graph.node.iter().flat_map(|node| &node.output);
    let values: HashSet<&String> = given.chain(stored).chain(sparse).chain(made).collect();
    for node in &graph.node {
        let domain = node.domain.as_str();
        let here = DOMAINS.contains(&domain) || domain == "com.microsoft" && MICROSOFT.contains(&node.op_type.as_str());
        if !here || !known.contains_key(&node.op_type) {
            let dot = if domain.is_empty() { "" } else { "." };
            return Err(Error::Operator {
                operator: format!("{domain}{dot}{}", node.op_type),
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
    if let Some(output) = graph.output.iter().find(|output| !values.contains(&output.name)) {
        return Err(Error::Model(format!("nothing makes its output `{}`", output.name)));
    }
    order(graph)
}

/// # Errors
/// Two nodes make the same value, or nodes wait for each other.
fn order(graph: &pb::GraphProto) -> Result<()> {
    let mut made: HashSet<&String> = HashSet::new();
    for name in graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
        if !made.insert(name) {
            return Err(Error::Model(format!("two nodes make `{name}`")));
        }
    }
    in_order(&graph.node).map(drop).map_err(|stuck| {
        Error::Model(format!("node `{}` reads what depends on its own output", label(&graph.node[stuck])))
    })
}

/// Bytes of a tensor's values; none where the type packs them, or is not known.
fn bytes(tensor: &pb::TensorProto) -> Option<u64> {
    let size = match DataType::try_from(tensor.data_type).ok()? {
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int8 | DataType::Uint8 | DataType::Bool => 1,
        _ => return None,
    };
    tensor.dims.iter().try_fold(size, |product: u64, &side| product.checked_mul(u64::try_from(side).ok()?))
}

/// # Errors
/// A tensor in the file has other than the bytes that its sides ask for.
fn complete(tensor: &pb::TensorProto) -> Result<()> {
    let (found, name, sides) = (tensor.raw_data.len() as u64, &tensor.name, &tensor.dims);
    match bytes(tensor) {
        Some(expected) if found > 0 && found != expected => {
            Err(Error::Model(format!("weights `{name}` have {found} bytes, expected {expected} for sides {sides:?}")))
        }
        Some(expected) if found == 0 && tensor.data_type == DataType::Float as i32 => {
            let (found, expected) = (tensor.float_data.len() as u64, expected / 4);
            let wrong = format!("weights `{name}` are {found} numbers, expected {expected} for sides {sides:?}");
            if found == expected { Ok(()) } else { Err(Error::Model(wrong)) }
        }
        _ => Ok(()),
    }
}

/// # Errors
/// A tensor's values lie in a file that is not there, or not in the model's folder, or ends too early.
fn external(tensor: &pb::TensorProto, directory: Option<&str>) -> Result<()> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let name = &tensor.name;
    let Some(location) = entry("location") else {
        return Err(Error::Model(format!("weights `{name}` lie in another file, but it is not said in which")));
    };
    if Path::new(location).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(Error::Model(format!("weights `{name}` lie in {location}, expected a file in the model's folder")));
    }
    let path = Path::new(directory.unwrap_or_default()).join(location);
    let Some(found) = path.metadata().ok().filter(std::fs::Metadata::is_file) else {
        let path = path.display();
        return Err(Error::Model(format!("weights `{name}` lie in {path}, and there is no such file")));
    };
    let number = |key: &str| entry(key).and_then(|value| value.parse::<u64>().ok());
    let length = number("length").max(bytes(tensor)).unwrap_or(0);
    let end = number("offset").unwrap_or(0).saturating_add(length);
    if found.len() < end {
        let (path, len) = (path.display(), found.len());
        return Err(Error::Model(format!("weights `{name}` end at byte {end} of {path}, which has {len}")));
    }
    Ok(())
}
