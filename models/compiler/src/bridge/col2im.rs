//! `Col2Im`: overlapping blocks are summed into an image.

use tract_nnef::internal::{ModelBuilder, Registry, ResolvedInvocation, TypeName, Value, invocation};
use tract_nnef::ser::ints as array;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;

use super::{integers, known};
use crate::import::attributes::ints;

/// Reads the operator from an ONNX node.
pub fn parse(_: &ParsingContext, node: &pb::NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let list = |name: &str| -> TractResult<Option<Vec<usize>>> {
        let values = ints(node, name).map(|list| list.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>());
        values.transpose().map_err(|_| format_err!("a Col2Im whose {name} are negative"))
    };
    let [dilations, pads, strides] = [list("dilations")?, list("pads")?, list("strides")?];
    Ok((expand(Columns { dilations, pads, strides }), vec![]))
}

/// Attributes, as the file has them.
#[derive(Clone, Debug)]
struct Columns {
    dilations: Option<Vec<usize>>,
    pads: Option<Vec<usize>>,
    strides: Option<Vec<usize>>,
}

impl Columns {
    fn of(&self, image: &Tensor, block: &Tensor) -> TractResult<Col2Im> {
        let sides = |tensor: &Tensor| -> TractResult<Vec<usize>> {
            integers(tensor)?.into_iter().map(|side| Ok(usize::try_from(side)?)).collect()
        };
        let (image, block) = (sides(image)?, sides(block)?);
        let axes = image.len();
        let dilations = self.dilations.clone().unwrap_or_else(|| vec![1; axes]);
        let strides = self.strides.clone().unwrap_or_else(|| vec![1; axes]);
        let pads = self.pads.clone().unwrap_or_else(|| vec![0; 2 * axes]);
        let lengths = [block.len(), dilations.len(), strides.len(), pads.len() / 2];
        ensure!(
            lengths == [axes; 4] && !strides.contains(&0),
            "a Col2Im of {axes} sides with {lengths:?} of attributes"
        );
        Ok(Col2Im { image, block, dilations, pads, strides })
    }
}

impl Expansion for Columns {
    fn name(&self) -> StaticName {
        "Col2Im".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 3)?;
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        s.given_3(&inputs[0].shape, &inputs[1].value, &inputs[2].value, move |s, shape, image, block| {
            let shape = shape.iter().map(|side| Ok(side.to_usize()?)).collect::<TractResult<Vec<_>>>()?;
            let shape: TVec<TDim> = self.of(&image, &block)?.shape(&shape)?.iter().map(|side| side.to_dim()).collect();
            s.equals(&outputs[0].shape, shape)
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let konst = |input: usize| known(model, inputs[input], "Col2Im");
        let op = self.of(&*konst(1)?, &*konst(2)?)?;
        model.wire_node(prefix, op, &inputs[..1])
    }
}

/// Blocks of `block` values, `strides` apart, summed into an image of sides `image`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Col2Im {
    image: Vec<usize>,
    block: Vec<usize>,
    dilations: Vec<usize>,
    pads: Vec<usize>,
    strides: Vec<usize>,
}

impl Col2Im {
    /// How many blocks there are along a side.
    fn steps(&self, axis: usize) -> TractResult<usize> {
        let padded = self.image[axis] + self.pads[axis] + self.pads[self.image.len() + axis];
        let reach = self.dilations[axis] * self.block[axis].saturating_sub(1) + 1;
        ensure!(padded >= reach, "a Col2Im whose blocks are larger than the image");
        Ok((padded - reach) / self.strides[axis] + 1)
    }

    /// `[N, channels · block, blocks]` to `[N, channels, image]`.
    fn shape(&self, shape: &[usize]) -> TractResult<Vec<usize>> {
        let [n, rows, columns] = shape[..] else { bail!("a Col2Im reads {shape:?}, expected three sides") };
        let block: usize = self.block.iter().product();
        let steps = (0..self.image.len()).map(|axis| self.steps(axis)).product::<TractResult<usize>>()?;
        ensure!(
            block > 0 && rows % block == 0 && columns == steps,
            "a Col2Im reads {shape:?}, expected a multiple of {block} rows and {steps} columns"
        );
        Ok([&[n, rows / block], &self.image[..]].concat())
    }
}

impl Op for Col2Im {
    fn name(&self) -> StaticName {
        "Col2Im".into()
    }

    op_as_typed_op!();
}

/// Digits of `index` in a mixed base, the last side fastest.
fn digits(mut index: usize, bases: &[usize]) -> Vec<usize> {
    let mut found = vec![0; bases.len()];
    for (digit, base) in found.iter_mut().zip(bases).rev() {
        *digit = index % base;
        index /= base;
    }
    found
}

impl EvalOp for Col2Im {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let shape = self.shape(inputs[0].shape())?;
        let steps = (0..self.image.len()).map(|axis| self.steps(axis)).collect::<TractResult<Vec<_>>>()?;
        let input = inputs[0].cast_to::<f32>()?;
        let view = input.to_plain_array_view::<f32>()?;
        let values = view.as_slice().ok_or_else(|| format_err!("values that are not in order"))?;
        let [block, columns, pixels] = [&self.block, &steps, &self.image].map(|sides| sides.iter().product::<usize>());
        let mut output = vec![0f32; shape.iter().product()];
        for (row, line) in values.chunks_exact(columns.max(1)).enumerate() {
            let within = digits(row % block, &self.block);
            let plane = &mut output[row / block * pixels..][..pixels];
            for (column, value) in line.iter().enumerate() {
                let step = digits(column, &steps);
                let place = (0..self.image.len()).try_fold(0, |place, axis| {
                    let at = step[axis] * self.strides[axis] + within[axis] * self.dilations[axis];
                    let at = at.checked_sub(self.pads[axis]).filter(|at| *at < self.image[axis])?;
                    Some(place * self.image[axis] + at)
                });
                if let Some(place) = place {
                    plane[place] += value;
                }
            }
        }
        let output = Tensor::from_shape(&shape, &output)?;
        Ok(tvec![output.cast_to_dt(inputs[0].datum_type())?.into_owned().into_tvalue()])
    }
}

impl TypedOp for Col2Im {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape = inputs[0].shape.as_concrete().ok_or_else(|| format_err!("a Col2Im wants a size"))?;
        Ok(tvec![inputs[0].datum_type.fact(self.shape(shape)?)])
    }
}

/// Its fragment in NNEF.
const FRAGMENT: &str = "microtome_col2im";

/// Makes it known to NNEF.
pub fn register(registry: &mut Registry) {
    registry.register_dumper(|ast, node, op: &Col2Im| {
        let Col2Im { image, block, dilations, pads, strides } = op;
        let lists = [image, block, dilations, pads, strides];
        let named: Vec<_> = LISTS.iter().zip(lists).map(|(name, list)| (*name, array(list))).collect();
        Ok(Some(invocation(FRAGMENT, &[ast.mapping[&node.inputs[0]].clone()], &named)))
    });
    let lists = LISTS.map(|name| TypeName::Integer.array().named(name));
    let parameters = [vec![TypeName::Scalar.tensor().named("input")], lists.to_vec()].concat();
    registry.register_primitive(FRAGMENT, &parameters, &[("output", TypeName::Scalar.tensor())], wire);
}

/// Its parameters besides the input.
const LISTS: [&str; 5] = ["image", "block", "dilations", "pads", "strides"];

fn wire(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let input: OutletId = call.named_arg_as(builder, "input")?;
    let mut list = |name: &str| Ok(call.named_arg_as::<TVec<usize>>(builder, name)?.to_vec());
    let lists: TractResult<Vec<Vec<usize>>> = LISTS.into_iter().map(&mut list).collect();
    let Ok([image, block, dilations, pads, strides]) = <[Vec<usize>; 5]>::try_from(lists?) else {
        bail!("a Col2Im of another number of parameters")
    };
    let axes = image.len();
    let lengths = [block.len(), dilations.len(), strides.len(), pads.len() / 2];
    ensure!(lengths == [axes; 4] && !strides.contains(&0), "a Col2Im of {axes} sides with {lengths:?} of attributes");
    builder.wire(Col2Im { image, block, dilations, pads, strides }, &[input])
}
