//! The plan against the float run, value by value: core's session on one side, tract on the other.

use microtome_core::SessionError;
use microtome_core::plan::Plan;
use microtome_core::quant::{Clamp, saturate};
use microtome_core::session::{Frame, Row, Session, Setup};

use crate::error::{Error, Result};
use crate::graph::Quant;
use crate::model::Tensor;

/// Signal and noise of a value, summed over images.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noise {
    signal: f64,
    noise: f64,
    saturated: u64,
    count: u64,
}

impl Noise {
    /// Adds one image: int8 NHWC against float NCHW, for one batch. Sizes must agree. `unit` is what 1 stands for in each
    /// channel of what was found; empty where it stands for 1.
    pub fn add(&mut self, found: &[i8], quant: Quant, expected: &Tensor, channels: usize, unit: &[f32]) -> bool {
        if found.len() != expected.data.len() || channels == 0 {
            return false;
        }
        let pixels = found.len() / channels;
        for (pixel, values) in found.chunks_exact(channels).enumerate() {
            for (c, &q) in values.iter().enumerate() {
                let real = f64::from(expected.data[c * pixels + pixel]);
                let scale = f64::from(quant.scale) * unit.get(c).map_or(1.0, |unit| f64::from(*unit));
                let value = scale * f64::from(i32::from(q) - i32::from(quant.zero_point));
                self.signal += real * real;
                self.noise += (real - value) * (real - value);
                let beyond = (q == i8::MAX && real > value) || (q == i8::MIN && real < value);
                self.saturated += u64::from(beyond && (real - value).abs() > scale);
            }
        }
        self.count += found.len() as u64;
        true
    }

    /// Signal-to-noise ratio in dB, at most 120; `None` where nothing was added.
    pub fn sqnr(&self) -> Option<f64> {
        (self.count > 0).then(|| {
            let ratio = self.signal.max(1e-12) / self.noise.max(1e-300);
            (10.0 * ratio.log10()).min(120.0)
        })
    }

    /// Share of values that int8 cut off by more than a step.
    pub fn saturated(&self) -> Option<f64> {
        (self.count > 0).then(|| self.saturated as f64 / self.count as f64)
    }
}

/// Quantizes an NCHW image to the rows of the plan's input tensor.
fn rows(image: &Tensor, quant: Quant) -> Vec<i8> {
    let [_, channels, height, width] = image.shape[..] else { return Vec::new() };
    let mut out = Vec::with_capacity(image.data.len());
    for pixel in 0..height * width {
        for c in 0..channels {
            let v = image.data[c * height * width + pixel];
            out.push(saturate(v / quant.scale, quant.zero_point, Clamp::FULL));
        }
    }
    out
}

/// An output as the float run has it: NHWC of a plan to `shape`, NCHW.
///
/// # Errors
/// The shape is of another size.
pub fn real(found: &[i8], quant: Quant, channels: usize, shape: &[usize]) -> Result<Tensor> {
    let pixels = found.len() / channels.max(1);
    let value = |(c, p): (usize, usize)| {
        let steps = i32::from(found[p * channels + c]) - i32::from(quant.zero_point);
        quant.scale * steps as f32
    };
    let data = (0..channels).flat_map(|c| (0..pixels).map(move |p| (c, p))).map(value).collect();
    Tensor::new(shape.to_vec(), data)
}

/// All outputs of a plan for one sample (an image, and values for the plan's other inputs; NCHW, sides that fit the plan),
/// as NHWC.
///
/// # Errors
/// core refuses the frame.
pub fn run(plan: &Plan, sample: &[Tensor]) -> Result<Vec<Vec<i8>>> {
    let shape = sample.first().map_or(&[][..], |image| &image.shape);
    let [1, _, height, width] = shape[..] else {
        return Err(Error::Calibration(format!("an image has shape {shape:?}, expected [1, channels, rows, width]")));
    };
    let quantized = |(tensor, values): (usize, &Tensor)| {
        let tensor = plan.tensor(tensor as u16).ok_or_else(|| Error::Plan("it has no such input".into()))?;
        Ok(rows(values, Quant { scale: tensor.scale, zero_point: tensor.zero_point }))
    };
    let inputs = std::iter::once(0).chain(plan.other_inputs()).zip(sample).map(quantized);
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let others: Vec<&[i8]> = inputs[1..].iter().map(Vec::as_slice).collect();
    let frame = Frame::grey(height as u32, width as u32);
    let mut scratch = vec![0; plan.scratch_len()];
    let mut arena =
        vec![0; plan.arena_len_in(frame, &Setup::default(), &mut scratch)?.total().ok_or(SessionError::TooLarge)?];
    let mut session = Session::new(plan, frame, &mut arena)?;
    let mut outputs = vec![Vec::new(); plan.outputs().count()];
    session.run_with(Row::I8(&inputs[0]), &others, |row| outputs[row.output].extend_from_slice(row.data))?;
    Ok(outputs)
}
