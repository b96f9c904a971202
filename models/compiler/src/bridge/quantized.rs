//! `QuantizeLinear` and `DequantizeLinear` in ONNX's other words: tract moves them past what they do not commute with, and
//! knows neither 16 bits nor, after some operators, a scale for each channel. Between the two, values are integers in f32.
//!
//! Only what ends in a `DequantizeLinear` is put so: operators on integers, such as `QLinearConv`, keep theirs.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{self, tensor_proto::DataType};

use super::proto::{int, integers, node, real};
use crate::import::attributes;

/// Least and largest value of a type that tensors are quantized to.
fn range(kind: i32) -> Option<[f32; 2]> {
    Some(match DataType::try_from(kind).ok()? {
        DataType::Int8 => [i8::MIN.into(), i8::MAX.into()],
        DataType::Uint8 => [u8::MIN.into(), u8::MAX.into()],
        DataType::Int16 => [i16::MIN.into(), i16::MAX.into()],
        DataType::Uint16 => [u16::MIN.into(), u16::MAX.into()],
        _ => return None,
    })
}

/// Types and sides of what is stored, by name.
type Stored = HashMap<String, (i32, Vec<i64>)>;

fn stored(graph: &pb::GraphProto) -> Stored {
    let constants = graph.node.iter().filter(|node| node.op_type == "Constant").filter_map(|node| {
        let tensor = node.attribute.iter().find_map(|attribute| attribute.t.as_ref())?;
        Some((node.output.first()?.clone(), (tensor.data_type, tensor.dims.clone())))
    });
    let tensors = graph.initializer.iter().map(|t| (t.name.clone(), (t.data_type, t.dims.clone())));
    tensors.chain(constants).collect()
}

/// Puts every pair of them in other words.
pub fn unfold(graph: &mut pb::GraphProto) {
    let stored = stored(graph);
    let handed_out = graph.output.iter().map(|output| output.name.as_str());
    let reads = graph.node.iter().filter(|node| node.op_type != "DequantizeLinear").flat_map(|node| &node.input);
    let read: HashSet<String> = handed_out.chain(reads.map(String::as_str)).map(str::to_owned).collect();
    let mut reals: HashSet<String> = HashSet::new();
    for original in std::mem::take(&mut graph.node) {
        let made = original.output.first().cloned().unwrap_or_default();
        let replaced = match original.op_type.as_str() {
            "QuantizeLinear" if !read.contains(&made) => quantize(&original, &made, &stored),
            "DequantizeLinear" => dequantize(&original, &made, &stored, &reals),
            _ => None,
        };
        if original.op_type == "QuantizeLinear" && replaced.is_some() {
            reals.insert(made);
        }
        graph.node.extend(replaced.unwrap_or_else(|| vec![original]));
    }
}

/// The nodes that make `made`, integers in f32; none for types that are not known here, and for other than a single scale.
fn quantize(node_of: &pb::NodeProto, made: &str, stored: &Stored) -> Option<Vec<pb::NodeProto>> {
    let [value, scale, rest @ ..] = &node_of.input[..] else { return None };
    let (_, sides) = stored.get(scale)?;
    let zero = rest.first().filter(|name| !name.is_empty());
    let kind = match zero {
        Some(zero) => stored.get(zero)?.0,
        None => attributes::int(node_of, "output_dtype", DataType::Uint8 as i64) as i32,
    };
    let [least, most] = range(kind)?;
    if sides.iter().product::<i64>() != 1 {
        return None;
    }
    let name = |part: &str| format!("{made}/{part}");
    let mut nodes = vec![
        node("Div", &[value, scale], &name("scaled"), vec![]),
        node("Round", &[&name("scaled")], &name("rounded"), vec![]),
        real(&name("least"), least),
        real(&name("most"), most),
    ];
    let moved = match zero {
        Some(zero) => {
            nodes.push(node("Cast", &[zero], &name("zero"), vec![int("to", DataType::Float as i64)]));
            nodes.push(node("Add", &[&name("rounded"), &name("zero")], &name("moved"), vec![]));
            name("moved")
        }
        None => name("rounded"),
    };
    nodes.push(node("Max", &[&moved, &name("least")], &name("above"), vec![]));
    nodes.push(node("Min", &[&name("above"), &name("most")], made, vec![]));
    Some(nodes)
}

/// The nodes that make `made` of stored integers, or of what [`quantize`] made.
fn dequantize(
    node_of: &pb::NodeProto,
    made: &str,
    stored: &Stored,
    reals: &HashSet<String>,
) -> Option<Vec<pb::NodeProto>> {
    let [value, scale, rest @ ..] = &node_of.input[..] else { return None };
    let (_, sides) = stored.get(scale)?;
    let channels: i64 = sides.iter().product();
    if attributes::int(node_of, "block_size", 0) != 0 || !(stored.contains_key(value) || reals.contains(value)) {
        return None;
    }
    let zero = rest.first().filter(|name| !name.is_empty());
    let name = |part: &str| format!("{made}/{part}");
    let float = || vec![int("to", DataType::Float as i64)];
    let mut nodes = vec![node("Cast", &[value], &name("real"), float())];
    let (mut scale, mut moved) = (scale.clone(), name("real"));
    let mut zero = zero.map(|zero| {
        nodes.push(node("Cast", &[zero], &name("zero"), float()));
        name("zero")
    });
    if channels != 1 {
        // One for each channel: as many sides of 1 behind as the values have.
        let rank = stored.get(value)?.1.len() as i64;
        let axis = attributes::int(node_of, "axis", 1);
        let behind = rank - 1 - if axis < 0 { axis + rank } else { axis };
        let shape: Vec<i64> = std::iter::once(-1).chain((0..behind).map(|_| 1)).collect();
        nodes.push(integers(&name("sides"), &shape, 1));
        nodes.push(node("Reshape", &[&scale, &name("sides")], &name("scales"), vec![]));
        scale = name("scales");
        zero = zero.map(|zero| {
            nodes.push(node("Reshape", &[&zero, &name("sides")], &name("zeros"), vec![]));
            name("zeros")
        });
    }
    if let Some(zero) = zero {
        nodes.push(node("Sub", &[&moved, &zero], &name("moved"), vec![]));
        moved = name("moved");
    }
    nodes.push(node("Mul", &[&moved, &scale], made, vec![]));
    Some(nodes)
}
