//! From a lowered program to the bytes of a plan, through core's own emit.

use microtome_core::plan::emit::{Spec, emit, emitted_len};
use microtome_core::plan::{self, Alignment, Operator, Output, Plan, Post, Role};

use crate::error::{Error, Result};
use crate::lower::Program;

/// What a plan holds besides its operators.
pub struct Envelope {
    /// Preprocessing.
    pub input: plan::Input,
    /// Post-processing.
    pub post: Post,
    /// Frame sides.
    pub alignment: Alignment,
    /// Class names, one a line.
    pub classes: String,
    /// Provenance, one `key=value` a line.
    pub provenance: String,
}

/// An output of a plan.
pub struct Out {
    /// Tensor.
    pub tensor: u16,
    /// Class indices or values.
    pub role: Role,
    /// Name.
    pub name: String,
}

/// The plan's bytes, with one row per step, which core has parsed.
///
/// # Errors
/// core refuses the plan.
pub fn plan(program: &Program, outputs: &[Out], envelope: &Envelope) -> Result<Vec<u8>> {
    plan_in_strips(program, outputs, envelope, |_| 1)
}

/// The same, with so many rows per step of each operator.
///
/// # Errors
/// core refuses the plan.
pub fn plan_in_strips(
    program: &Program,
    outputs: &[Out],
    envelope: &Envelope,
    strip: impl Fn(usize) -> u16,
) -> Result<Vec<u8>> {
    let operators = program.operators.iter().enumerate();
    let operators: Vec<Operator> = operators
        .map(|(index, o)| Operator { name: &o.name, inputs: &o.inputs, strip: strip(index), op: o.op() })
        .collect();
    let outputs: Vec<Output> =
        outputs.iter().map(|o| Output { tensor: o.tensor, role: o.role, name: &o.name }).collect();
    let spec = Spec {
        tensors: &program.tensors,
        operators: &operators,
        outputs: &outputs,
        input: envelope.input,
        post: envelope.post,
        alignment: envelope.alignment,
        classes: &envelope.classes,
        provenance: &envelope.provenance,
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    emit(&spec, &mut bytes).ok_or_else(|| Error::Plan("it exceeds 4 GiB".into()))?;
    if let Err(error) = Plan::parse(&bytes) {
        return Err(Error::Plan(format!("core refuses what was compiled: {error}")));
    }
    Ok(bytes)
}
