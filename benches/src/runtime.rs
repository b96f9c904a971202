//! The runtimes, behind one trait.

#[cfg(feature = "peers")]
mod onnx;
mod ours;
mod peak;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// A runtime that has loaded a model and holds a frame.
pub trait Runtime {
    /// Runs the frame through the model.
    ///
    /// # Errors
    /// As the runtime has them.
    fn run(&mut self) -> Result<()>;

    /// The output of the last run, `[rows, width, channels]`.
    ///
    /// # Errors
    /// There was no run.
    fn output(&mut self) -> Result<Vec<f32>>;
}

/// What a worker is started for.
#[derive(Clone, Debug)]
pub struct Job {
    /// `microtome` (or `microtome@BYTES`, for a cache of that size), `tract`, `rten`, or `peak`.
    pub runtime: String,
    /// The model's file; for `peak`, the multiply-accumulates of a run.
    pub model: PathBuf,
    /// The frame's file: grey values, row by row.
    pub frame: PathBuf,
    /// Rows of the frame.
    pub rows: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Threads to run on.
    pub threads: usize,
}

impl Job {
    /// Takes a worker's arguments: `RUNTIME MODEL FRAME ROWS WIDTH THREADS`.
    ///
    /// # Errors
    /// There are more or fewer, or a number is none.
    pub fn parse(arguments: &[String]) -> Result<Job> {
        let [runtime, model, frame, rows, width, threads] = arguments else {
            bail!("expected the arguments RUNTIME MODEL FRAME ROWS WIDTH THREADS, found {}", arguments.len());
        };
        let number = |name: &str, text: &String| text.parse().with_context(|| format!("{name} {text}: not a number"));
        Ok(Job {
            runtime: runtime.clone(),
            model: model.into(),
            frame: frame.into(),
            rows: number("ROWS", rows)?,
            width: number("WIDTH", width)?,
            threads: number("THREADS", threads)?,
        })
    }

    /// Reads the frame; `peak` has none.
    ///
    /// # Errors
    /// It cannot be read, or is not of this size.
    pub fn frame(&self) -> Result<Vec<u8>> {
        if self.runtime == "peak" {
            return Ok(Vec::new());
        }
        let path = self.frame.display();
        let frame = std::fs::read(&self.frame).with_context(|| format!("{path}: cannot be read"))?;
        let expected = self.rows * self.width;
        if frame.len() != expected {
            bail!("{path}: {} bytes, expected {expected} ({}x{} grey values)", frame.len(), self.width, self.rows);
        }
        Ok(frame)
    }
}

/// Loads the job's model; returns what runs it, and its version in words.
///
/// # Errors
/// The runtime is unknown or not built in, or it does not take the model.
pub fn load(job: &Job, frame: Vec<u8>) -> Result<(Box<dyn Runtime>, String)> {
    match job.runtime.split('@').next().unwrap_or_default() {
        "microtome" => ours::load(job, frame),
        "peak" => peak::load(job),
        #[cfg(feature = "peers")]
        "tract" => onnx::tract(job, &frame),
        #[cfg(feature = "peers")]
        "rten" => onnx::rten(job, &frame),
        #[cfg(not(feature = "peers"))]
        "tract" | "rten" => bail!("{}: built without the feature `peers`", job.runtime),
        other => bail!("unknown runtime {other:?}, expected microtome, tract, rten or peak"),
    }
}
