//! Weights in 16 bits: an ONNX file of half the size, for what runs in float.
//!
//! Every large tensor of f32 is stored as f16, behind a Cast of the old name. tract folds the Cast when it loads the file,
//! and computes in f32 as before; what changes is each weight's rounding, by up to one part in 2048.

use half::f16;
use tract_onnx::pb::{self, tensor_proto::DataType};

use crate::error::Result;
use crate::model::{Model, initializer, reals};

/// Smaller tensors (shapes, scales of a layer) stay: they weigh nothing.
const FEWEST: usize = 64;

/// The model with its initializers of f32 in f16. Those with values beyond f16's range (65,504) stay in f32.
///
/// # Errors
/// An initializer cannot be read.
pub fn halved(model: &Model) -> Result<Model> {
    let mut halves = Vec::new();
    for tensor in &model.graph()?.initializer {
        if tensor.data_type != DataType::Float as i32 || tensor.dims.iter().product::<i64>() < FEWEST as i64 {
            continue;
        }
        let values = reals(&initializer(tensor, model.directory())?)?;
        let rounded: Vec<f16> = values.data.iter().map(|&value| f16::from_f32(value)).collect();
        if rounded.iter().all(|value| value.is_finite()) {
            halves.push((tensor.name.clone(), stored(tensor, &rounded)));
        }
    }
    model.edited(|graph| {
        for (name, half) in halves {
            let cast = cast(&half.name, &name);
            // Old files list initializers among the inputs; without one, it would have to be given.
            graph.input.retain(|port| port.name != name);
            if let Some(tensor) = graph.initializer.iter_mut().find(|tensor| tensor.name == name) {
                *tensor = half;
                graph.node.insert(0, cast);
            }
        }
    })
}

fn stored(tensor: &pb::TensorProto, values: &[f16]) -> pb::TensorProto {
    pb::TensorProto {
        name: format!("{}.f16", tensor.name),
        dims: tensor.dims.clone(),
        data_type: DataType::Float16 as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..Default::default()
    }
}

fn cast(from: &str, to: &str) -> pb::NodeProto {
    let kind = pb::AttributeProto {
        name: "to".into(),
        r#type: pb::attribute_proto::AttributeType::Int as i32,
        i: DataType::Float as i64,
        ..Default::default()
    };
    pb::NodeProto {
        op_type: "Cast".into(),
        name: from.into(),
        input: vec![from.into()],
        output: vec![to.into()],
        attribute: vec![kind],
        ..Default::default()
    }
}
