//! Pictures from noise: a network that was trained to take noise out of pictures, asked again and again.
//!
//! ```text
//!     seed ─▶ noise ─▶ sample ─▶ network ─▶ scheduler ─▶ sample ─▶ … ─▶ picture
//!                        ▲      timestep,                  │
//!                        │      condition                  │
//!                        └──────── once per step ──────────┘
//! ```
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`schedule`] | how much of a sample is picture at every level, and which levels a few steps go through |
//! | [`scheduler`] | one step from the network's answer to the next sample: [`Ddim`], [`Euler`] |
//! | [`network`] | the model's inputs: sample, timestep, condition; guidance |
//! | [`picture`] | samples as pixels, and pictures side by side |
//!
//! A sample is `[channels, rows, width]`; between the steps it is kept in f64, so that what a scheduler loses is nothing
//! beside what a network in f32 or int8 does. Noise comes from the seed and the picture's number only.

pub mod network;
pub mod picture;
pub mod schedule;
pub mod scheduler;

pub use network::{Network, Request};
pub use schedule::Schedule;
pub use scheduler::{Ddim, Euler, Scheduler, scheduler};

use microtome_compiler::Tensor;

use crate::error::Result;
use crate::simulate::Random;

/// What a network was given at a step, and whether that was without the condition, for guidance.
pub struct Given<'a> {
    /// The step, from 0.
    pub step: usize,
    /// Whether the condition was left out.
    pub free: bool,
    /// One tensor per input of the model.
    pub inputs: &'a [Tensor],
}

/// Makes a sample `[channels, rows, width]` from noise of `random`, with what the network was given at every step told to
/// `observe`.
///
/// # Errors
/// The network cannot be run, or `observe` says so.
pub fn denoise(
    network: &Network,
    scheduler: &dyn Scheduler,
    request: &Request,
    random: &mut Random,
    observe: &mut dyn FnMut(Given<'_>) -> Result<()>,
) -> Result<Vec<f32>> {
    let start = scheduler.start();
    let mut sample: Vec<f64> = (0..network.len()).map(|_| start * random.normal()).collect();
    for (step, &time) in scheduler.timesteps().iter().enumerate() {
        let scale = scheduler.input_scale(step);
        let seen: Vec<f32> = sample.iter().map(|&value| (value * scale) as f32).collect();
        let mut answer = |free: bool| {
            let inputs = network.inputs(&seen, time, request, free)?;
            observe(Given { step, free, inputs: &inputs })?;
            network.run(&inputs)
        };
        let mut output = answer(false)?;
        if request.guidance != 1.0 {
            // Away from what the network would say to any picture (Ho and Salimans, 2022).
            let free = answer(true)?;
            let guided = |(asked, free): (&mut f32, &f32)| *asked = free + request.guidance as f32 * (*asked - free);
            output.iter_mut().zip(&free).for_each(guided);
        }
        scheduler.step(step, &output, &mut sample, &mut || random.normal());
    }
    Ok(sample.iter().map(|&value| value as f32).collect())
}
