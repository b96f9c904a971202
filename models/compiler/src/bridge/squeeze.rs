//! `Squeeze` of every side of 1. tract knows it from opset 13 on.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::array::Squeeze;

use crate::import::attributes::ints;

/// Reads the operator from an ONNX node.
pub fn parse(context: &ParsingContext, node: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    if context.onnx_operator_set_version < 13 && ints(node, "axes").is_none() {
        return Ok((expand(All), vec![]));
    }
    let theirs = tract_onnx::onnx().op_register.0.get("Squeeze").copied();
    theirs.ok_or_else(|| format_err!("tract has no Squeeze"))?(context, node)
}

#[derive(Clone, Debug)]
struct All;

fn of(shape: &[TDim]) -> Squeeze {
    let axes = shape.iter().enumerate().filter(|(_, side)| side.is_one()).map(|(axis, _)| axis as isize);
    Squeeze::new(Some(axes.collect()))
}

impl Expansion for All {
    fn name(&self) -> StaticName {
        "Squeeze".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        s.equals(&outputs[0].datum_type, &inputs[0].datum_type)?;
        s.given(&inputs[0].shape, move |s, shape| s.equals(&outputs[0].shape, of(&shape).output_shape(&shape)?))
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        of(&model.outlet_fact(inputs[0])?.shape.to_tvec()).wire(prefix, model, inputs)
    }
}
