//! What a plan costs on a frame: operators, rings, multiply-accumulates and memory, as figures and as a picture.
//!
//! The rows in flight come from the session's own schedule, run dry; nothing here estimates.

mod picture;

use std::fmt;

use microtome_core::plan::{Op, Operator, TALL};
use microtome_core::{Frame, Kernel, Plan, SessionError, Setup};
use serde::Serialize;

pub use picture::svg;

/// A plan on frames of one size.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// Rows of the frame.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Size of the plan in bytes.
    pub plan_bytes: usize,
    /// The session's arena in bytes.
    pub arena_bytes: usize,
    /// Bytes of all rings, part of the arena.
    pub ring_bytes: u64,
    /// What a runtime holds that executes one operator after another, freeing each tensor after its last reader.
    pub layer_by_layer_bytes: u64,
    /// Multiply-accumulates per frame.
    pub macs: u64,
    /// The network's input, and then what each operator makes.
    pub tensors: Vec<TensorCost>,
}

/// A tensor and the operator that makes it.
#[derive(Debug, Serialize)]
pub struct TensorCost {
    /// ONNX operator; `Input` for the first.
    pub operator: &'static str,
    /// ONNX node's name.
    pub name: String,
    /// Tensors that it reads, with the factor of the upsampling on the way.
    pub inputs: Vec<(u16, u8)>,
    /// Rows, width, channels.
    pub shape: [u32; 3],
    /// Real value of one step.
    pub scale: f32,
    /// The int8 value that stands for 0.
    pub zero_point: i8,
    /// Rows of the ring on this frame.
    pub ring_rows: u32,
    /// Whether the tensor is kept whole.
    pub tall: bool,
    /// Bytes of the ring.
    pub ring_bytes: u64,
    /// Bytes of weights, biases and tables.
    pub weight_bytes: usize,
    /// Multiply-accumulates per frame.
    pub macs: u64,
}

/// Costs of `plan` on frames like `frame`.
///
/// # Errors
/// The frame does not fit the network.
pub fn inspect(plan: &Plan, frame: Frame) -> Result<Inspection, SessionError> {
    let mut scratch = vec![0; plan.scratch_len()];
    let arena_bytes =
        plan.arena_len_in(frame, &Setup::alone(Kernel::Scalar), &mut scratch)?.total().ok_or(SessionError::TooLarge)?;
    let sizes = plan.sizes(frame, &mut scratch)?.collect::<Vec<_>>();
    let mut tensors = Vec::new();
    for (index, (tensor, size)) in plan.tensors().zip(&sizes).enumerate() {
        let operator = index.checked_sub(1).and_then(|index| plan.operator(index));
        let row = u64::from(size.width) * u64::from(tensor.channels);
        let ring_rows = tensor.ring.min(size.rows);
        tensors.push(TensorCost {
            operator: operator.map_or("Input", |o| o.op.name()),
            name: operator.map_or("", |o| o.name).to_owned(),
            inputs: operator.map_or(&[][..], |o| o.inputs).iter().map(|e| (e.tensor.get(), e.upsample)).collect(),
            shape: [size.rows, size.width, tensor.channels.into()],
            scale: tensor.scale,
            zero_point: tensor.zero_point,
            ring_rows,
            tall: tensor.ring == TALL,
            ring_bytes: row * u64::from(ring_rows),
            weight_bytes: operator.map_or(0, |o| weight_bytes(&o)),
            macs: operator.map_or(0, |o| macs(&o, &sizes, row * u64::from(size.rows))),
        });
    }
    Ok(Inspection {
        height: frame.height,
        width: frame.width,
        plan_bytes: plan.file_len(),
        arena_bytes,
        ring_bytes: tensors.iter().map(|t| t.ring_bytes).sum(),
        layer_by_layer_bytes: layer_by_layer(plan, &tensors),
        macs: tensors.iter().map(|t| t.macs).sum(),
        tensors,
    })
}

fn weight_bytes(operator: &Operator) -> usize {
    match &operator.op {
        Op::Conv(conv) | Op::ConvTranspose { conv, .. } => {
            conv.weights.len() + size_of_val(conv.bias) + size_of_val(conv.scales)
        }
        Op::Table(table) | Op::Concat { tables: table } => table.len(),
        Op::Softmax(table) => size_of_val(*table),
        _ => 0,
    }
}

/// Multiply-accumulates of an operator, padding included: weights per output value times output values for a Conv, per
/// input value for a ConvTranspose.
fn macs(operator: &Operator, sizes: &[microtome_core::shape::Size], values: u64) -> u64 {
    match &operator.op {
        Op::Conv(conv) => values * (conv.weights.len() / conv.bias.len()) as u64,
        Op::ConvTranspose { conv, .. } => {
            let input = operator.inputs.first().and_then(|edge| sizes.get(usize::from(edge.tensor.get())));
            input.map_or(0, |size| u64::from(size.rows) * u64::from(size.width) * conv.weights.len() as u64)
        }
        _ => 0,
    }
}

/// The largest sum of whole tensors alive at once, operator by operator.
fn layer_by_layer(plan: &Plan, tensors: &[TensorCost]) -> u64 {
    let whole = |t: &TensorCost| t.shape.iter().map(|&side| u64::from(side)).product::<u64>();
    let last_reader = |index: usize| {
        let readers = tensors.iter().enumerate().filter(|(_, t)| t.inputs.iter().any(|e| usize::from(e.0) == index));
        let output = plan.outputs().any(|o| usize::from(o.tensor) == index);
        if output { index } else { readers.map(|(reader, _)| reader).max().unwrap_or(index) }
    };
    let last: Vec<usize> = (0..tensors.len()).map(last_reader).collect();
    (0..tensors.len())
        .map(|now| {
            (0..=now).filter(|&index| index == now || last[index] >= now).map(|index| whole(&tensors[index])).sum()
        })
        .max()
        .unwrap_or(0)
}

fn kib(bytes: u64) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>3}  {:<18} {:<14} {:>18} {:>10} {:>5} {:>6} {:>12} {:>10} {:>10}",
            "#", "operator", "reads", "shape", "scale", "zero", "rows", "ring", "weights", "MMAC"
        )?;
        for (index, t) in self.tensors.iter().enumerate() {
            let edge = |&(tensor, factor): &(u16, u8)| {
                if factor == 1 { tensor.to_string() } else { format!("{tensor}(x{factor})") }
            };
            let reads = t.inputs.iter().map(edge).collect::<Vec<_>>().join(" ");
            let shape = format!("{}x{}x{}", t.shape[0], t.shape[1], t.shape[2]);
            let rows = if t.tall { "all".to_owned() } else { t.ring_rows.to_string() };
            writeln!(
                f,
                "{index:>3}  {:<18} {reads:<14} {shape:>18} {:>10.3e} {:>5} {rows:>6} {:>12} {:>10} {:>10.2}",
                t.operator,
                t.scale,
                t.zero_point,
                kib(t.ring_bytes),
                kib(t.weight_bytes as u64),
                t.macs as f64 / 1e6
            )?;
        }
        writeln!(f)?;
        writeln!(f, "frame            {}x{}", self.width, self.height)?;
        writeln!(f, "plan             {}", kib(self.plan_bytes as u64))?;
        writeln!(f, "arena            {} (rings {})", kib(self.arena_bytes as u64), kib(self.ring_bytes))?;
        writeln!(
            f,
            "layer by layer   {} ({:.1} times the rings)",
            kib(self.layer_by_layer_bytes),
            self.layer_by_layer_bytes as f64 / self.ring_bytes as f64
        )?;
        write!(f, "work             {:.1} MMAC per frame", self.macs as f64 / 1e6)
    }
}
