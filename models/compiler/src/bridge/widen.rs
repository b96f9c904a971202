//! Models in f16 and bf16, as models in f32: tract's own f16 rounds every sum, where ONNX Runtime computes in f32.

use tract_onnx::pb::{self, attribute_proto::AttributeType, tensor_proto::DataType, type_proto};
use tract_onnx::prelude::*;

/// Whether values of this type become f32.
pub fn is_narrow(kind: i32) -> bool {
    kind == DataType::Float16 as i32 || kind == DataType::Bfloat16 as i32
}

/// Makes every narrow value of a graph one of f32. `load` reads a stored tensor.
pub fn widen(graph: &mut pb::GraphProto, load: &impl Fn(&pb::TensorProto) -> TractResult<Tensor>) -> TractResult<()> {
    for tensor in &mut graph.initializer {
        widen_tensor(tensor, load)?;
    }
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_mut().and_then(|kind| kind.value.as_mut())
            && is_narrow(tensor.elem_type)
        {
            tensor.elem_type = DataType::Float as i32;
        }
    }
    for node in &mut graph.node {
        let typed = ["Cast", "EyeLike", "RandomNormalLike", "RandomUniformLike"].contains(&node.op_type.as_str());
        for attribute in &mut node.attribute {
            if typed && attribute.r#type == AttributeType::Int as i32 && is_narrow(attribute.i as i32) {
                attribute.i = DataType::Float as i64;
            }
            if let Some(tensor) = &mut attribute.t {
                widen_tensor(tensor, load)?;
            }
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                widen(graph, load)?;
            }
        }
    }
    Ok(())
}

fn widen_tensor(
    tensor: &mut pb::TensorProto,
    load: &impl Fn(&pb::TensorProto) -> TractResult<Tensor>,
) -> TractResult<()> {
    if !is_narrow(tensor.data_type) {
        return Ok(());
    }
    let values = load(tensor)?.cast_to::<f32>()?.into_owned();
    let raw_data = values.to_plain_array_view::<f32>()?.iter().flat_map(|value| value.to_le_bytes()).collect();
    *tensor = pb::TensorProto {
        name: std::mem::take(&mut tensor.name),
        dims: std::mem::take(&mut tensor.dims),
        data_type: DataType::Float as i32,
        raw_data,
        ..Default::default()
    };
    Ok(())
}
