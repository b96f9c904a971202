//! `Mod` of integers, whose result has the sign of the divisor. tract's has that of the dividend where sides of tensors are
//! divided, so that a frame padded to a multiple, by `-width % 32`, is cropped instead.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::binary::{rules, wire_cast, wire_rank_broadcast};
use tract_onnx::tract_hir::ops::math::{Rem, add, rem};

use crate::import::attributes::int;

/// Reads the operator from an ONNX node.
pub fn parse(_: &ParsingContext, node: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    // As C has it, which is how real numbers are divided.
    if int(node, "fmod", 0) == 1 {
        return Ok((Rem.into_hir(), vec![]));
    }
    Ok((expand(Mod), vec![]))
}

#[derive(Clone, Debug)]
struct Mod;

fn common(a: DatumType, b: DatumType) -> TractResult<DatumType> {
    a.common_super_type(b).with_context(|| format!("a Mod of {a:?} and {b:?}"))
}

impl Expansion for Mod {
    fn name(&self) -> StaticName {
        "Mod".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        rules(s, inputs, outputs, common)
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let kinds = (model.outlet_fact(inputs[0])?.datum_type, model.outlet_fact(inputs[1])?.datum_type);
        let wires = wire_rank_broadcast(prefix, model, inputs)?;
        let wires = wire_cast(prefix, model, &wires, common(kinds.0, kinds.1)?)?;
        let [of, by] = wires[..] else { bail!("a Mod takes two values") };
        // Between -by and by; then of the sign of by, or one too large, and last as it should be.
        let rest = model.wire_node(format!("{prefix}.rest"), rem(), &[of, by])?[0];
        let more = model.wire_node(format!("{prefix}.more"), add(), &[rest, by])?[0];
        model.wire_node(prefix, rem(), &[more, by])
    }
}
