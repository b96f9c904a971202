//! The bridge to tract: what it lacks of ONNX, or gets wrong, is put right here.
//!
//! | module | what |
//! | --- | --- |
//! | [`functions`] | functions of the file's own, put where they are called |
//! | [`sequences`] | parts of a tensor in a sequence, taken out again, as slices |
//! | [`branches`] | `If` whose condition is known once sizes are, as the branch that is taken |
//! | [`widen`] | f16 and bf16, which become f32 |
//! | [`quantized`] | `QuantizeLinear` and `DequantizeLinear`, in other words |
//! | [`expand`] | `Expand`, which tract loses where it goes into a product |
//! | [`pad`] | `Pad` that crops, and that wraps around |
//! | [`modulo`] | `Mod`, whose sign tract gets wrong |
//! | [`resize`] | `Resize` to sizes that are whole multiples, which tract is slow at |
//! | [`squeeze`] | `Squeeze` of every side of 1, before opset 13 |
//! | [`col2im`] | `Col2Im` |
//! | [`check`] | what is wrong with a file, in a sentence |
//!
//! The first two hold for every size of the inputs, and edit the graph when it is read; so the importer sees what they
//! made. `widen`, `quantized` and `branches` edit the copy of it that tract gets, whose sizes are known, and `resize` what
//! tract makes of it. The others are operators of tract's.

pub(crate) mod branches;
pub(crate) mod check;
mod col2im;
mod expand;
pub(crate) mod functions;
mod modulo;
mod pad;
pub(crate) mod proto;
pub(crate) mod quantized;
pub(crate) mod resize;
pub(crate) mod sequences;
mod squeeze;
pub(crate) mod widen;

use tract_onnx::model::Onnx;
use tract_onnx::tract_hir::internal::*;

use crate::islands::operator;

/// A tensor as integers.
pub(crate) fn integers(tensor: &Tensor) -> TractResult<Vec<i64>> {
    Ok(tensor.cast_to::<i64>()?.to_plain_array_view::<i64>()?.iter().copied().collect())
}

/// An input of `operator` that its shape depends on, so that it must be known before anything runs.
fn known(model: &TypedModel, input: OutletId, operator: &str) -> TractResult<Arc<Tensor>> {
    let known = model.outlet_fact(input)?.konst.clone();
    known.ok_or_else(|| format_err!("what a {operator} reads besides its values must be known before it runs"))
}

/// What NNEF must know of operators that are ours.
pub(crate) fn register(registry: &mut tract_nnef::internal::Registry) {
    col2im::register(registry);
    expand::register(registry);
}

/// tract's reader of ONNX, with the operators that are ours.
pub(crate) fn onnx() -> Onnx {
    let mut onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    onnx.op_register.insert(operator::NAME, operator::parse);
    onnx.op_register.insert("Col2Im", col2im::parse);
    onnx.op_register.insert("Expand", expand::parse);
    onnx.op_register.insert("Mod", modulo::parse);
    onnx.op_register.insert("Pad", pad::parse);
    onnx.op_register.insert("Squeeze", squeeze::parse);
    onnx
}
