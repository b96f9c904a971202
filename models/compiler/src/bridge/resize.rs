//! `Resize` to sizes that are whole multiples, as by factors.
//!
//! PyTorch enlarges to the size of a skip, which it computes. By factors, tract repeats pixels; to a size it takes the
//! general way, which costs some 20 ns a value.

use tract_onnx::tract_core::ops::nn::resize::{Interpolator, Resize};
use tract_onnx::tract_hir::internal::*;

/// Has every `nearest` Resize to a known size that is a whole multiple go by factors, if tract agrees that they are the same.
pub(crate) fn by_factors(mut model: TypedModel) -> TractResult<TypedModel> {
    for id in 0..model.nodes.len() {
        let node = model.node(id);
        let Some(resize) = node.op_as::<Resize>() else { continue };
        if resize.optional_scales_input.is_some() || !matches!(resize.interpolator, Interpolator::Nearest) {
            continue;
        }
        let Some(factors) = factors(&model, node)? else { continue };
        let by_factors = Resize { optional_scales_input: Some(1), optional_sizes_input: None, ..resize.clone() };
        let mut patch = TypedModelPatch::default();
        let input = patch.tap_model(&model, node.inputs[0])?;
        let factors = patch.add_const(format!("{}.factors", node.name), tensor1(&factors))?;
        let made = patch.wire_node(&node.name, by_factors, &[input, factors])?;
        patch.shunt_outside(&model, id.into(), made[0])?;
        patch.apply(&mut model)?;
    }
    model.into_decluttered()
}

/// What the sides are multiplied by, where that is whole.
fn factors(model: &TypedModel, node: &TypedNode) -> TractResult<Option<Vec<f32>>> {
    let (from, to) = (model.outlet_fact(node.inputs[0])?, model.outlet_fact(node.id.into())?);
    let (Some(from), Some(to)) = (from.shape.as_concrete(), to.shape.as_concrete()) else { return Ok(None) };
    let whole = from.iter().zip(to).all(|(&from, &to)| from > 0 && to % from == 0);
    Ok(whole.then(|| from.iter().zip(to).map(|(&from, &to)| (to / from) as f32).collect()))
}
