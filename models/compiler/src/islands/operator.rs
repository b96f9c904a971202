//! The tract operator that an island is: its plan, run by core's session.
//!
//! Real values `[1, channels, rows, width]` are rounded to the plan's int8 on the way in, and are real again on the way
//! out. Weights are packed once, for the fastest kernel of this machine, and the session's memory is kept between frames.

use std::sync::{Arc, Mutex, PoisonError};

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::plan::strips::Strips;
use microtome_core::quant::{Clamp, saturate};
use microtome_core::{Frame, Kernel, Plan, Row, Session, SessionError, Setup};
use tract_onnx::model::ParsingContext;
use tract_onnx::pb;
use tract_onnx::tract_hir::internal::*;

use crate::error::{Error, Result};

/// The name of the operator in an ONNX file.
pub const NAME: &str = "MicrotomeIsland";
/// Its domain.
pub const DOMAIN: &str = "microtome";
/// Its attribute: the bytes of the plan.
pub const PLAN: &str = "plan";

/// Rows of the frame that a step makes: what caches like that hold the weights of a layer.
const ROWS: u16 = 8;

/// A plan as a tract operator.
#[derive(Clone, Debug)]
pub struct Island(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Packed for the kernel that runs.
    plan: Vec<u8>,
    outputs: usize,
    ready: Mutex<Ready>,
}

/// What is kept between frames of one size.
#[derive(Debug, Default)]
struct Ready {
    size: [usize; 2],
    /// The plan, in strips for this size.
    plan: Vec<u8>,
    arena: Vec<u8>,
}

impl PartialEq for Island {
    fn eq(&self, other: &Island) -> bool {
        self.0.plan == other.0.plan
    }
}

impl Eq for Island {}

impl Island {
    /// Reads a plan.
    ///
    /// # Errors
    /// core refuses it.
    pub fn new(plan: &[u8]) -> Result<Island> {
        let parsed = Plan::parse(plan)?;
        let packing =
            Packing::named(Kernel::best().name()).ok_or_else(|| Error::Plan("this machine has no kernel".into()))?;
        let mut packed = vec![0; packed_len(&parsed, packing)];
        pack(&parsed, packing, &mut packed).ok_or_else(|| Error::Plan("it is too large to be packed".into()))?;
        let outputs = parsed.outputs().count();
        Ok(Island(Arc::new(Shared { plan: packed, outputs, ready: Mutex::default() })))
    }

    /// Channels, rows and width of every output, for an input of this shape.
    fn shapes(&self, shape: &[usize]) -> Result<Vec<[usize; 4]>> {
        let plan = Plan::parse(&self.0.plan)?;
        let frame = frame(&plan, shape)?;
        let mut scratch = vec![0; plan.scratch_len()];
        let sizes: Vec<_> = plan.sizes(frame, &mut scratch)?.collect();
        let shape = |tensor: u16| {
            let size = sizes[usize::from(tensor)];
            let channels = plan.tensor(tensor).map_or(0, |tensor| usize::from(tensor.channels));
            [1, channels, size.rows as usize, size.width as usize]
        };
        Ok(plan.outputs().map(|output| shape(output.tensor)).collect())
    }

    /// Runs one frame: NCHW in; the shape and the values of every output, NCHW too.
    fn run(&self, shape: &[usize], values: &[f32]) -> Result<Vec<([usize; 4], Vec<f32>)>> {
        let shapes = self.shapes(shape)?;
        let mut ready = self.0.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let size = [shape[2], shape[3]];
        if ready.size != size {
            *ready = Ready::new(&self.0.plan, size)?;
        }
        let Ready { plan, arena, .. } = &mut *ready;
        let plan = Plan::parse(plan)?;
        let mut session = Session::new(&plan, frame(&plan, shape)?, arena)?;
        let tensors: Vec<_> = plan.outputs().filter_map(|output| plan.tensor(output.tensor)).collect();
        let mut outputs: Vec<Vec<f32>> = shapes.iter().map(|shape| vec![0.0; shape.iter().product()]).collect();
        let mut sink = |row: microtome_core::OutputRow| {
            let ([_, channels, rows, width], tensor) = (shapes[row.output], tensors[row.output]);
            let output = &mut outputs[row.output];
            for (x, pixel) in row.data.chunks_exact(channels).enumerate() {
                for (c, &q) in pixel.iter().enumerate() {
                    let steps = i32::from(q) - i32::from(tensor.zero_point);
                    output[(c * rows + row.y as usize) * width + x] = tensor.scale * steps as f32;
                }
            }
        };
        let [_, channels, rows, width] = shape[..] else { return Ok(Vec::new()) };
        let input = plan.tensor(0).ok_or_else(|| Error::Plan("it has no input".into()))?;
        let mut line = vec![0i8; channels * width];
        for y in 0..rows {
            for c in 0..channels {
                let from = &values[(c * rows + y) * width..][..width];
                for (to, &v) in line[c..].iter_mut().step_by(channels).zip(from) {
                    *to = saturate(v / input.scale, input.zero_point, Clamp::FULL);
                }
            }
            session.push(Row::I8(&line), &mut sink)?;
        }
        session.finish(&mut sink)?;
        Ok(shapes.into_iter().zip(outputs).collect())
    }
}

impl Ready {
    fn new(plan: &[u8], [rows, width]: [usize; 2]) -> Result<Ready> {
        let mut plan = plan.to_vec();
        let size = Frame::grey(rows as u32, width as u32);
        let mut strips = Strips::of(&mut plan)?;
        let mut scratch = vec![0; strips.scratch_len()];
        strips.set(size, ROWS, &mut scratch)?;
        let striped = strips.finish();
        let len = striped.arena_len_in(size, &Setup::default(), &mut scratch)?.total();
        let arena = vec![0; len.ok_or(SessionError::TooLarge)?];
        Ok(Ready { size: [rows, width], plan, arena })
    }
}

/// The frame of an input of this shape, which the plan must take without padding: what is cut off behind it would be
/// missing where tract goes on.
fn frame(plan: &Plan, shape: &[usize]) -> Result<Frame> {
    let channels = plan.tensor(0).map_or(0, |tensor| usize::from(tensor.channels));
    let [1, found, rows, width] = shape[..] else {
        return Err(Error::Model(format!(
            "an island reads a value of shape {shape:?}, expected [1, channels, rows, width]"
        )));
    };
    let (Ok(rows), Ok(width)) = (u32::try_from(rows), u32::try_from(width)) else {
        return Err(Error::Model(format!("an island reads a value of shape {shape:?}, which is too large")));
    };
    if found != channels {
        return Err(Error::Model(format!("an island reads {found} channels, expected {channels}")));
    }
    let alignment = plan.alignment();
    if alignment.pad(0, rows) != rows || alignment.pad(1, width) != width {
        return Err(Error::Model(format!("an island cannot take a value of {width}x{rows} pixels")));
    }
    Ok(Frame::grey(rows, width))
}

impl Op for Island {
    fn name(&self) -> StaticName {
        NAME.into()
    }

    op_as_typed_op!();
}

impl EvalOp for Island {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs[0].cast_to::<f32>()?;
        let view = input.to_plain_array_view::<f32>()?;
        let values: Vec<f32> = view.iter().copied().collect();
        let outputs = self.run(inputs[0].shape(), &values).map_err(|e| format_err!("{e}"))?;
        outputs.iter().map(|(shape, output)| Ok(Tensor::from_shape(shape, output)?.into_tvalue())).collect()
    }
}

impl TypedOp for Island {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape = inputs[0].shape.as_concrete().ok_or_else(|| format_err!("an island wants a size"))?;
        let shapes = self.shapes(shape).map_err(|e| format_err!("{e}"))?;
        Ok(shapes.iter().map(f32::fact).collect())
    }
}

impl Expansion for Island {
    fn name(&self) -> StaticName {
        NAME.into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.0.outputs)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, self.0.outputs)?;
        s.equals(&inputs[0].datum_type, f32::datum_type())?;
        for output in outputs {
            s.equals(&output.datum_type, f32::datum_type())?;
            s.equals(&output.rank, 4)?;
        }
        s.given(&inputs[0].shape, move |s, shape| {
            let sides = shape.iter().map(|side| Ok(side.to_usize()?)).collect::<TractResult<Vec<_>>>()?;
            let shapes = self.shapes(&sides).map_err(|e| format_err!("{e}"))?;
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
    let island = Island::new(&plan.s).map_err(|e| format_err!("{e}"))?;
    Ok((expand(island), vec![]))
}
