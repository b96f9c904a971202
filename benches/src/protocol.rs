//! Commands on stdin, one answer line each on stdout; `peers/worker.py` speaks the same.
//!
//! | command | answer |
//! | --- | --- |
//! | (start) | `ready VERSION`: the model is loaded; what runs it, in words |
//! | `run N` | the times of `N` frames in nanoseconds, after one frame that is not timed |
//! | `memory` | `EMPTY PEAK`: kB of resident memory before the model was loaded, and the most since then |
//! | `output FILE` | `done`: the last frame's output is in FILE, as little-endian f32 in NHWC |
//!
//! The end of stdin ends the worker. Whatever goes wrong ends it too, with a sentence on stderr.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::memory;
use crate::runtime::{Job, Runtime, load};

/// Serves until stdin ends.
///
/// # Errors
/// The model cannot be loaded or run, or a command is unknown.
pub fn serve(job: &Job, commands: impl BufRead, mut answers: impl Write) -> Result<()> {
    // Frames are read before, as no runtime is to be charged for them.
    let frame = job.frame()?;
    // Emulators have no such file: instructions are counted without.
    let empty = memory::reset_peak().and_then(|()| memory::peak_kb()).ok();
    let (mut runtime, version) = load(job, frame)?;
    writeln!(answers, "ready {version}")?;
    answers.flush()?;
    for command in commands.lines() {
        let command = command?;
        let (verb, argument) = command.split_once(' ').unwrap_or((&command, ""));
        match verb {
            "run" => {
                let count = argument.parse().with_context(|| format!("run {argument}: expected a number of frames"))?;
                let times = run(runtime.as_mut(), count)?;
                writeln!(answers, "{}", times.join(" "))?;
            }
            "memory" => {
                let empty = empty.context("the peak of resident memory cannot be reset here")?;
                writeln!(answers, "{empty} {}", memory::peak_kb()?)?;
            }
            "output" => {
                let bytes: Vec<u8> = runtime.output()?.iter().flat_map(|value| value.to_le_bytes()).collect();
                std::fs::write(argument, bytes).with_context(|| format!("{argument}: cannot be written"))?;
                writeln!(answers, "done")?;
            }
            _ => bail!("unknown command {verb:?}, expected run, memory or output"),
        }
        answers.flush()?;
    }
    Ok(())
}

fn run(runtime: &mut dyn Runtime, count: usize) -> Result<Vec<String>> {
    runtime.run()?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        runtime.run()?;
        times.push(start.elapsed().as_nanos().to_string());
    }
    Ok(times)
}
