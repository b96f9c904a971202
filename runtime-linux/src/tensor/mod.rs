//! Raw tensors through a plan: `[N, C, rows, width]` of float32 in and out, as ONNX has them.

mod element;
mod file;

use std::sync::Arc;

use microtome_core::Plan;
use microtome_core::plan::{Role, Tensor};
use ndarray::{Array4, ArrayD, Axis};

use crate::engine::PlanEngine;
use crate::machine::Machine;

pub use file::{in_folder, is_archive, read, write_archive};

/// A tensor and what the model calls it.
#[derive(Debug, Clone)]
pub struct Named {
    /// Name of the input or output; empty where there is only one and nobody asks.
    pub name: String,
    /// The values.
    pub values: ArrayD<f32>,
    /// Whether these are class indices.
    pub is_mask: bool,
}

impl Named {
    /// Whether nobody gave it a name: NumPy calls such tensors in archives `arr_0`.
    pub fn is_unnamed(&self) -> bool {
        matches!(self.name.as_str(), "" | "arr_0")
    }
}

/// Runs each of the N frames of `input` through the plan in `bytes`; returns the outputs in the plan's order.
///
/// # Errors
/// One sentence when the bytes are no plan, or the tensor does not fit the network's input.
pub fn run_plan(bytes: &[u8], input: &Array4<f32>, machine: &Arc<Machine>) -> Result<Vec<Named>, String> {
    let plan = Plan::parse(bytes).map_err(|e| e.to_string())?;
    let first = plan.tensor(0).ok_or("the plan has no tensors")?;
    let (frames, channels, height, width) = input.dim();
    if channels != usize::from(first.channels) || frames == 0 {
        let expected = format!("[N, {}, rows, width] with N at least 1", first.channels);
        return Err(format!("a tensor of shape [{frames}, {channels}, {height}, {width}]; expected {expected}"));
    }
    let mut engine = PlanEngine::new(bytes.to_vec(), Arc::clone(machine))?;
    let mut outputs: Vec<Named> = Vec::new();
    for (n, frame) in input.axis_iter(Axis(0)).enumerate() {
        let rows_first = frame.permuted_axes([1, 2, 0]);
        let values: Vec<i8> = rows_first.iter().map(|&value| quantize(value, &first)).collect();
        let found = engine.run_quantized(height, width, &values)?;
        for (index, (rows, output)) in found.into_iter().zip(plan.outputs()).enumerate() {
            let tensor = plan.tensor(output.tensor).ok_or("the plan names an output that it does not have")?;
            let is_mask = output.role == Role::Mask;
            let real = |&value: &i8| if is_mask { f32::from(value) } else { dequantize(value, &tensor) };
            if n == 0 {
                let shape = vec![frames, rows.channels, rows.height, rows.width];
                outputs.push(Named { name: output.name.to_owned(), values: ArrayD::zeros(shape), is_mask });
            }
            let nhwc = ndarray::ArrayView3::from_shape((rows.height, rows.width, rows.channels), &rows.data)
                .map_err(|e| e.to_string())?;
            outputs[index].values.index_axis_mut(Axis(0), n).assign(&nhwc.permuted_axes([2, 0, 1]).map(real));
        }
    }
    Ok(outputs)
}

/// `clamp(round_half_even(value / scale) + zero point)`.
fn quantize(value: f32, tensor: &Tensor) -> i8 {
    ((value / tensor.scale).round_ties_even() + f32::from(tensor.zero_point)).clamp(-128.0, 127.0) as i8
}

/// `(value − zero point) · scale`.
pub(crate) fn dequantize(value: i8, tensor: &Tensor) -> f32 {
    f32::from(i16::from(value) - i16::from(tensor.zero_point)) * tensor.scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantization_rounds_half_to_even_and_saturates() {
        let tensor = Tensor { channels: 1, scale: 0.5, zero_point: -3, ring: 1 };
        assert_eq!([0.0, 0.25, 0.75, -0.25, 1e9, -1e9].map(|v| quantize(v, &tensor)), [-3, -3, -1, -3, 127, -128]);
        assert_eq!(dequantize(-1, &tensor), 1.0);
    }
}
