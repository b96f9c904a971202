//! Where the time of a model goes that tract runs: node by node.

use std::time::Instant;

use tract_onnx::tract_core::plan::eval;

use crate::error::Result;
use crate::guard::guarded;
use crate::model::{Model, Tensor, tensors};

/// What one node of tract's optimized graph took.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// tract's name of the node, which begins with that of the ONNX node it came from.
    pub name: String,
    /// tract's name of the operator; an island is a `MicrotomeIsland`.
    pub operator: String,
    /// Seconds.
    pub seconds: f64,
}

impl Model {
    /// Runs the model as [`Model::run_float`] does, and tells what each of its nodes took, in the order in which they ran.
    ///
    /// # Errors
    /// tract cannot run the model on inputs of these shapes.
    pub fn profile(&self, inputs: &[Tensor]) -> Result<Vec<Stage>> {
        let runnable = self.runnable(inputs)?;
        guarded("run the model", || {
            let mut stages = Vec::new();
            let inputs = tensors(&runnable, inputs)?;
            runnable.spawn()?.run_plan_with_eval(inputs, |context, state, node, values| {
                let start = Instant::now();
                let made = eval(context, state, node, values);
                let seconds = start.elapsed().as_secs_f64();
                stages.push(Stage { name: node.name.clone(), operator: node.op.name().into_owned(), seconds });
                made
            })?;
            Ok(stages)
        })
    }
}
