//! Euler's method on the probability flow (Karras et al., 2022, Algorithm 1 with one evaluation per step).

use libm::sqrt;
use microtome_compiler::description::{Diffusion, Prediction, Spacing};

use super::Scheduler;
use crate::diffuse::schedule::{Schedule, timesteps};

/// Euler: samples are `picture + σ · noise`, and a step follows the slope from one σ to the next.
#[derive(Debug, Clone)]
pub struct Euler {
    timesteps: Vec<f64>,
    /// σ at the start of each step, and 0 at the end of the last.
    sigmas: Vec<f64>,
    prediction: Prediction,
    start: f64,
}

impl Euler {
    /// `steps` steps over the levels of `trained`.
    ///
    /// # Errors
    /// One sentence when so many steps cannot be made.
    pub fn new(trained: &Diffusion, steps: usize) -> Result<Self, String> {
        let schedule = Schedule::new(trained);
        let timesteps = timesteps(trained, steps)?;
        let sigmas: Vec<f64> = timesteps.iter().map(|&t| schedule.sigma(t)).chain([0.0]).collect();
        let most = sigmas[0];
        // The first sample is all noise where the first level is the last one trained on, and else nearly so.
        let start = if trained.timestep_spacing == Spacing::Leading { sqrt(most * most + 1.0) } else { most };
        Ok(Euler { timesteps, sigmas, prediction: trained.prediction_type, start })
    }
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn start(&self) -> f64 {
        self.start
    }

    /// The network was trained on samples of variance 1.
    fn input_scale(&self, step: usize) -> f64 {
        1.0 / sqrt(self.sigmas[step] * self.sigmas[step] + 1.0)
    }

    fn step(&self, step: usize, output: &[f32], sample: &mut [f64], _: &mut dyn FnMut() -> f64) {
        let (sigma, next) = (self.sigmas[step], self.sigmas[step + 1]);
        let scale = self.input_scale(step);
        for (x, &output) in sample.iter_mut().zip(output) {
            let output = f64::from(output);
            let picture = match self.prediction {
                Prediction::Epsilon => *x - sigma * output,
                Prediction::Sample => output,
                Prediction::VPrediction => *x * scale * scale - output * sigma * scale,
            };
            // x + (x − picture) / σ · (next − σ), in the form that cancels nothing.
            *x = picture + (*x - picture) * (next / sigma);
        }
    }
}
