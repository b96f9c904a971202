//! `Expand`. tract takes the broadcast out of what a product reads, also where no other operand brings that side to its
//! size, and then finds that the shape is another (DPT's readout tokens). It stays where it cannot see it.

use tract_nnef::internal::{ModelBuilder, Registry, ResolvedInvocation, TypeName, Value, invocation};
use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::array::MultiBroadcastTo;

/// Reads the operator from an ONNX node.
pub fn parse(_: &ParsingContext, _: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    Ok((expand(Expand), vec![]))
}

#[derive(Clone, Debug)]
struct Expand;

impl Expansion for Expand {
    fn name(&self) -> StaticName {
        "Expand".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        MultiBroadcastTo.rules(s, inputs, outputs)
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let wires = MultiBroadcastTo.wire(&format!("{prefix}.broadcast"), model, inputs)?;
        model.wire_node(prefix, Screen, &wires)
    }
}

/// Hands on what it reads, and hides where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Screen;

impl Op for Screen {
    fn name(&self) -> StaticName {
        "Screen".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Screen {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        Ok(inputs)
    }
}

impl TypedOp for Screen {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![inputs[0].datum_type.fact(inputs[0].shape.clone())])
    }
}

/// Its fragment in NNEF.
const SCREEN: &str = "microtome_screen";

/// Makes it known to NNEF.
pub fn register(registry: &mut Registry) {
    registry.register_dumper(|ast, node, _: &Screen| {
        Ok(Some(invocation(SCREEN, &[ast.mapping[&node.inputs[0]].clone()], &[])))
    });
    let input = TypeName::Scalar.tensor().named("input");
    registry.register_primitive(SCREEN, &[input], &[("output", TypeName::Scalar.tensor())], screen);
}

fn screen(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let input = call.named_arg_as(builder, "input")?;
    builder.wire(Screen, &[input])
}
