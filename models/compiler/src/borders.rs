//! Networks of valid convolutions, such as the U-Net of 2015: their output is smaller than the frame by what their
//! convolutions eat at its borders.
//!
//! Ronneberger et al. cut a frame into tiles that overlap by as much, and mirror what lies beyond the frame's borders
//! (arXiv:1505.04597, figure 2). Here frames are streamed, so there is nothing to be gained by tiles; the mirrored borders
//! are what is left of it: a Pad in front of the network, by half of what it eats on each side. Then any frame that is
//! larger than that fits, and where no border is involved, the values are those of the network alone.

use tract_onnx::pb::{self, tensor_shape_proto::dimension, type_proto};

use crate::error::{Error, Result};
use crate::import::probe::Probe;
use crate::model::Model;

/// Farthest that a frame is mirrored beyond its border, in pixels.
const MAX_MARGIN: usize = 1024;

/// The model with a Pad in front, so that its first output is as large as the frame.
///
/// # Errors
/// Its first output is no map of the frame, or what it lacks depends on the frame's size or cannot be halved.
pub fn mirrored(model: &Model) -> Result<Model> {
    let [rows, width] = margin(model)?;
    if rows == 0 && width == 0 {
        return model.edited(|_| {});
    }
    let input = model.inputs()[0].name.clone();
    let (padded, pads) = (fresh(model, &input, "mirrored"), fresh(model, &input, "pads"));
    model.edited(|graph| {
        for name in graph.node.iter_mut().flat_map(|node| &mut node.input).filter(|name| **name == input) {
            name.clone_from(&padded);
        }
        let amounts = [0, 0, rows, width, 0, 0, rows, width].map(|n| n as i64);
        graph.initializer.push(pb::TensorProto {
            name: pads.clone(),
            dims: vec![8],
            data_type: pb::tensor_proto::DataType::Int64 as i32,
            int64_data: amounts.to_vec(),
            ..Default::default()
        });
        let mode = pb::AttributeProto {
            name: "mode".into(),
            r#type: pb::attribute_proto::AttributeType::String as i32,
            s: b"reflect".to_vec(),
            ..Default::default()
        };
        let pad = pb::NodeProto {
            op_type: "Pad".into(),
            name: padded.clone(),
            input: vec![input.clone(), pads.clone()],
            output: vec![padded.clone()],
            attribute: vec![mode],
            ..Default::default()
        };
        graph.node.insert(0, pad);
        // A fixed size was that of the network alone.
        for info in graph.input.iter_mut().filter(|info| info.name == input) {
            shrink(info, [2 * rows, 2 * width]);
        }
    })
}

/// Half of what the first output lacks to the frame: rows and width.
fn margin(model: &Model) -> Result<[usize; 2]> {
    let probe = Probe::run(model)?;
    let output = &model.outputs()[0].name;
    let (inputs, outputs) = (probe.shapes(&model.inputs()[0].name)?, probe.shapes(output)?);
    let wrong = |what: String| Err(Error::Model(format!("borders cannot be mirrored: output `{output}` {what}")));
    let mut lacks = Vec::new();
    for (input, shape) in inputs.iter().zip(&outputs) {
        let ([_, _, h, w], [_, _, rows, width]) = (&input[..], &shape[..]) else {
            return wrong(format!("has shape {shape:?}, expected [1, channels, rows, width]"));
        };
        if rows > h || width > w {
            return wrong(format!("is {width}x{rows} for a frame of {w}x{h}, expected one that is no larger"));
        }
        lacks.push([h - rows, w - width]);
    }
    match lacks[..] {
        [lack, ref rest @ ..] if rest.iter().all(|other| *other == lack) => {
            if lack.iter().any(|n| n % 2 != 0 || n / 2 > MAX_MARGIN) {
                return wrong(format!(
                    "lacks {lack:?} rows and columns, expected even numbers up to {}",
                    2 * MAX_MARGIN
                ));
            }
            Ok(lack.map(|n| n / 2))
        }
        _ => wrong(format!("lacks {lacks:?} rows and columns for frames of two sizes, expected the same for both")),
    }
}

/// A name that no value of the model has.
fn fresh(model: &Model, stem: &str, suffix: &str) -> String {
    let taken = |name: &str| {
        model.graph().is_ok_and(|graph| {
            graph.node.iter().flat_map(|node| &node.output).any(|output| output == name)
                || graph.initializer.iter().any(|tensor| tensor.name == name)
                || graph.input.iter().any(|input| input.name == name)
        })
    };
    let mut name = format!("{stem}_{suffix}");
    while taken(&name) {
        name.push('_');
    }
    name
}

/// Takes so many rows and columns off a fixed shape.
fn shrink(info: &mut pb::ValueInfoProto, by: [usize; 2]) {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_mut().and_then(|t| t.value.as_mut()) else {
        return;
    };
    let sides = tensor.shape.iter_mut().flat_map(|shape| shape.dim.iter_mut().skip(2));
    for (side, by) in sides.zip(by) {
        if let Some(dimension::Value::DimValue(n)) = &mut side.value {
            *n -= by as i64;
        }
    }
}
