//! How long a model takes on this machine: whole frames, and then where their time goes.
//!
//! The two are measured apart. Frames are timed without a look inside; the profile comes from further frames, whose steps are
//! watched, which costs a little.

mod picture;
mod profile;
mod report;
#[cfg(feature = "onnx")]
mod stages;

pub use picture::svg;
pub use report::{OperatorTime, Report, Times};
#[cfg(feature = "onnx")]
pub use stages::{NodeTime, StagesReport, stages};

use std::time::Instant;

use microtome_core::plan::strips::Strips;
use microtome_core::{Row, Session};

use crate::engine::{frame_of, levels};
use crate::inspect::inspect;
use crate::machine::{Footing, Machine};
use crate::source::{Image, Samples};
use profile::Profile;

/// Most frames that are watched.
const WATCHED: usize = 20;

/// Times `frames` frames like `image` through the plan in `bytes`, after one that is not timed.
///
/// # Errors
/// One sentence when the bytes are no plan, or the frame does not fit the network.
pub fn plan(bytes: &mut [u8], image: &Image, frames: usize, machine: &Machine) -> Result<Report, String> {
    let frame = frame_of(image)?;
    let setup = machine.setup();
    let mut strips = Strips::of(bytes).map_err(|e| e.to_string())?;
    let fit = machine.rows().fit(&mut strips, frame, &setup).map_err(|e| e.to_string())?;
    let plan = strips.finish();
    let profile = Profile::new(plan.operators().count());
    let mut arena = vec![0; fit.arena.total().ok_or("an arena larger than this machine's address space")?];
    let mut session = Session::open(&plan, frame, &mut arena, setup).map_err(|e| e.to_string())?;
    session.set_levels(levels(plan.input().normalization, image));
    let times = timed(&mut session, image, frames, || (), || ())?;
    session.set_watch(Some(&profile));
    let mut taken = Vec::new();
    timed(&mut session, image, frames.min(WATCHED), || profile.start(), || taken.push(profile.take()))?;
    let costs = inspect(&plan, frame).map_err(|e| e.to_string())?;
    // The first frame does not count here either.
    let (operators, rest) = report::profile(&taken[1..], &costs, &plan);
    let times = Times::of(times, costs.macs);
    Ok(Report::new(&plan, frame, Footing::new(machine, fit), times, operators, rest))
}

/// Seconds of each of so many frames, after one that does not count; `before` and `after` are called around all of them.
fn timed(
    session: &mut Session<'_, '_>,
    image: &Image,
    frames: usize,
    before: impl Fn(),
    mut after: impl FnMut(),
) -> Result<Vec<f64>, String> {
    let pixels = match image.samples() {
        Samples::U8(samples) => Row::U8(samples),
        Samples::U16(samples) => Row::U16(samples),
    };
    let mut seconds = Vec::with_capacity(frames);
    for number in 0..=frames {
        let mut values = 0;
        before();
        let start = Instant::now();
        session.run(pixels, |row| values += row.data.len()).map_err(|e| e.to_string())?;
        if number > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
        after();
    }
    Ok(seconds)
}
