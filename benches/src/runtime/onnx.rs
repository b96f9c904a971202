//! Peers that are Rust crates and read ONNX. Both are given the frame as the model asks for it: f32, NCHW, in [0, 1].

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rten_tensor::prelude::*;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::{DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TypedRunnableModel, tvec};

use super::{Job, Runtime};

/// Planes one after another to pixels one after another.
fn interleaved(planes: &[f32], pixels: usize) -> Vec<f32> {
    (0..pixels).flat_map(|pixel| planes.iter().skip(pixel).step_by(pixels).copied()).collect()
}

fn normalized(frame: &[u8]) -> Vec<f32> {
    frame.iter().map(|&grey| f32::from(grey) / 255.0).collect()
}

struct Tract {
    model: Arc<TypedRunnableModel>,
    input: Tensor,
    output: Vec<f32>,
}

/// tract, in float: its int8 is slower.
pub(super) fn tract(job: &Job, frame: &[u8]) -> Result<(Box<dyn Runtime>, String)> {
    if job.threads > 1 {
        set_default_executor(Executor::multithread(job.threads));
    }
    let shape = [1, 1, job.rows, job.width];
    let model = tract_onnx::onnx()
        .model_for_path(&job.model)?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_optimized()?
        .into_runnable()?;
    let input = Tensor::from_shape(&shape, &normalized(frame))?;
    Ok((Box::new(Tract { model, input, output: Vec::new() }), "tract-onnx 0.23.9".into()))
}

impl Runtime for Tract {
    fn run(&mut self) -> Result<()> {
        let outputs = self.model.run(tvec!(self.input.clone().into()))?;
        let output = outputs.first().context("tract gave no output")?;
        self.output.clear();
        self.output.extend(output.to_plain_array_view::<f32>()?.iter());
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        Ok(interleaved(&self.output, self.input.len()))
    }
}

struct Rten {
    model: rten::Model,
    input: rten_tensor::Tensor<f32>,
    options: rten::RunOptions,
    output: Vec<f32>,
}

/// rten, float or QDQ.
pub(super) fn rten(job: &Job, frame: &[u8]) -> Result<(Box<dyn Runtime>, String)> {
    let model = rten::ModelOptions::with_all_ops()
        .prepack_weights(true)
        .load_file(&job.model)
        .map_err(|error| anyhow!("{}: {error}", job.model.display()))?;
    let pool = rten::ThreadPool::with_num_threads(job.threads);
    let options = rten::RunOptions::default().with_thread_pool(Some(Arc::new(pool)));
    let input = rten_tensor::Tensor::from_data(&[1, 1, job.rows, job.width], normalized(frame));
    Ok((Box::new(Rten { model, input, options, output: Vec::new() }), "rten 0.27.0".into()))
}

impl Runtime for Rten {
    fn run(&mut self) -> Result<()> {
        let output = self.model.run_one(self.input.view().into(), Some(self.options.clone()))?;
        let output: rten_tensor::Tensor<f32> = output.try_into().map_err(|error| anyhow!("rten's output: {error}"))?;
        self.output.clear();
        self.output.extend(output.iter());
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        Ok(interleaved(&self.output, self.input.len()))
    }
}
