//! microtome itself, set up as the `microtome` command sets it up: camera rows in, the plan's first output back.

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use microtome::machine::cores::Cache;
use microtome::machine::{Machine, Rows, cores};
use microtome_core::plan::strips::Strips;
use microtome_core::{Frame, Kernel, OutputRow, Row, Session};

use super::{Job, Runtime};

struct Ours {
    session: Session<'static, 'static>,
    frame: Vec<u8>,
    output: Vec<i8>,
    scale: f32,
    zero_point: i8,
}

/// Opens a session for the job's plan. What it borrows is leaked: it lives as long as the process.
///
/// A runtime called `microtome@BYTES` makes its strips for a second-level cache of so many bytes, not for this machine's.
pub(super) fn load(job: &Job, frame: Vec<u8>) -> Result<(Box<dyn Runtime>, String)> {
    let path = job.model.display();
    let cache = match job.runtime.split_once('@') {
        Some((_, bytes)) => {
            let bytes = bytes.parse().with_context(|| format!("{}: expected a number of bytes", job.runtime))?;
            Some(Cache { bytes, sharers: NonZeroUsize::MIN })
        }
        None => cores::second_level_cache(),
    };
    let threads = NonZeroUsize::new(job.threads).context("0 threads, expected at least one")?;
    let machine = Machine::of(Kernel::best(), threads, Rows::cached(cache, threads))?;
    let machine: &Machine = Box::leak(Box::new(machine));
    let bytes = std::fs::read(&job.model).with_context(|| format!("{path}: cannot be read"))?.leak();
    let mut strips = Strips::of(bytes).with_context(|| format!("{path}: not a plan that this core reads"))?;
    let size = Frame::grey(job.rows as u32, job.width as u32);
    let setup = machine.setup();
    let fit = machine.rows().fit(&mut strips, size, &setup)?;
    let plan = strips.finish();
    let arena = vec![0; fit.arena.total().context("the arena is larger than the address space")?].leak();
    let session = Session::open(&plan, size, arena, setup)?;
    let kernel = machine.kernel().name();
    let version = format!("microtome {} {kernel}, {} rows a step", env!("CARGO_PKG_VERSION"), fit.rows);
    let output = plan.outputs().next().with_context(|| format!("{path}: the plan has no output"))?;
    let tensor = plan.tensor(output.tensor).with_context(|| format!("{path}: the output has no tensor"))?;
    let (scale, zero_point) = (tensor.scale, tensor.zero_point);
    let output = Vec::with_capacity(job.rows * job.width * usize::from(tensor.channels));
    Ok((Box::new(Ours { session, frame, output, scale, zero_point }), version))
}

impl Runtime for Ours {
    fn run(&mut self) -> Result<()> {
        self.output.clear();
        let output = &mut self.output;
        let keep = |row: OutputRow| {
            if row.output == 0 {
                output.extend_from_slice(row.data);
            }
        };
        Ok(self.session.run(Row::U8(&self.frame), keep)?)
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        let real = |&value: &i8| f32::from(i16::from(value) - i16::from(self.zero_point)) * self.scale;
        Ok(self.output.iter().map(real).collect())
    }
}
