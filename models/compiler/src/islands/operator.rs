//! The tract operator that an [`Island`] is.

use std::fmt;
use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;

use super::island::Island;
use crate::error::Result;

/// The name of the operator in an ONNX file.
pub const NAME: &str = "MicrotomeIsland";
/// Its domain.
pub const DOMAIN: &str = "microtome";
/// Its attribute: the bytes of the plan.
pub const PLAN: &str = "plan";

/// An island in tract's graph.
#[derive(Clone)]
pub struct Operator(Arc<Island>);

impl Operator {
    /// The operator of a plan.
    ///
    /// # Errors
    /// core refuses it.
    pub fn new(plan: &[u8]) -> Result<Operator> {
        Ok(Operator(Arc::new(Island::new(plan)?)))
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}({} bytes)", self.0.bytes().len())
    }
}

impl PartialEq for Operator {
    fn eq(&self, other: &Operator) -> bool {
        self.0.bytes() == other.0.bytes()
    }
}

impl Eq for Operator {}

impl Op for Operator {
    fn name(&self) -> StaticName {
        NAME.into()
    }

    op_as_typed_op!();
}

impl EvalOp for Operator {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let cast = inputs.iter().map(|input| input.cast_to::<f32>()).collect::<TractResult<Vec<_>>>()?;
        let views = cast.iter().map(|input| input.to_plain_array_view::<f32>()).collect::<TractResult<Vec<_>>>()?;
        let given = views.iter().map(|view| {
            let values =
                view.as_slice().ok_or_else(|| format_err!("an island reads a value that is not contiguous"))?;
            Ok((view.shape(), values))
        });
        let outputs = self.0.run(&given.collect::<TractResult<Vec<_>>>()?).map_err(|e| format_err!("{e}"))?;
        let tensor = |(shape, output)| Ok(tract_ndarray::Array4::from_shape_vec(shape, output)?.into_tvalue());
        outputs.into_iter().map(tensor).collect()
    }
}

impl TypedOp for Operator {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let given = inputs.iter().map(|input| input.shape.as_concrete());
        let given = given.collect::<Option<Vec<_>>>().ok_or_else(|| format_err!("an island wants a size"))?;
        let shapes = self.0.shapes(&given).map_err(|e| format_err!("{e}"))?;
        Ok(shapes.iter().map(f32::fact).collect())
    }
}

impl Expansion for Operator {
    fn name(&self) -> StaticName {
        NAME.into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.0.outputs())
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, self.0.inputs())?;
        check_output_arity(outputs, self.0.outputs())?;
        for value in inputs.iter().chain(outputs) {
            s.equals(&value.datum_type, f32::datum_type())?;
            s.equals(&value.rank, 4)?;
        }
        s.given_all(inputs.iter().map(|input| &input.shape), move |s, shapes| {
            let sides = |shape: &TVec<TDim>| shape.iter().map(|side| side.to_usize().ok()).collect();
            let given: Option<Vec<Vec<usize>>> = shapes.iter().map(sides).collect();
            let given = given.ok_or_else(|| format_err!("an island wants a size"))?;
            let given: Vec<&[usize]> = given.iter().map(Vec::as_slice).collect();
            let shapes = self.0.shapes(&given).map_err(|e| format_err!("{e}"))?;
            for (output, shape) in outputs.iter().zip(shapes) {
                for (axis, side) in shape.into_iter().enumerate() {
                    s.equals(&output.shape[axis], side.to_dim())?;
                }
            }
            Ok(())
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

/// Reads the operator from an ONNX node.
pub fn parse(_: &ParsingContext, node: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let plan = node.attribute.iter().find(|attribute| attribute.name == PLAN);
    let plan = plan.ok_or_else(|| format_err!("an island without a plan"))?;
    let operator = Operator::new(&plan.s).map_err(|e| format_err!("{e}"))?;
    Ok((expand(operator), vec![]))
}
