//! From a network's answer to the next sample.
//!
//! As diffusers' `DDIMScheduler` and `EulerDiscreteScheduler` do it, to which `tests/diffuse.rs` holds them, with one
//! departure: the level that DDIM's step ends at is the one that the next step starts at, also where the number of steps
//! does not divide the number of levels.

mod ddim;
mod euler;

pub use ddim::Ddim;
pub use euler::Euler;

use microtome_compiler::description::{self, Diffusion};

/// How samples lose their noise.
pub trait Scheduler {
    /// The levels to ask the network at, one per step; fractions of levels where spacing makes them.
    fn timesteps(&self) -> &[f64];

    /// The standard deviation of the noise to start from.
    fn start(&self) -> f64;

    /// What the sample is to be multiplied by for the network, at step `step`.
    fn input_scale(&self, step: usize) -> f64;

    /// Makes `sample` the one after step `step`, at which the network answered `output` (as long); `noise` gives standard
    /// normal numbers, where the scheduler adds noise.
    fn step(&self, step: usize, output: &[f32], sample: &mut [f64], noise: &mut dyn FnMut() -> f64);
}

/// The scheduler `kind` over `steps` steps of a model that was trained so; `eta` is DDIM's share of new noise, from 0
/// (none) to 1 (as DDPM).
///
/// # Errors
/// One sentence when so many steps cannot be made, or `eta` is asked of Euler.
pub fn scheduler(
    kind: description::Scheduler,
    trained: &Diffusion,
    steps: usize,
    eta: f64,
) -> Result<Box<dyn Scheduler>, String> {
    match kind {
        description::Scheduler::Ddim => Ok(Box::new(Ddim::new(trained, steps, eta)?)),
        description::Scheduler::Euler if eta != 0.0 => Err("eta is for DDIM; Euler adds no noise".into()),
        description::Scheduler::Euler => Ok(Box::new(Euler::new(trained, steps)?)),
    }
}
