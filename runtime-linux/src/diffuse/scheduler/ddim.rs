//! Denoising diffusion implicit models (Song, Meng and Ermon, 2021).

use libm::sqrt;
use microtome_compiler::description::{Diffusion, Prediction};

use super::Scheduler;
use crate::diffuse::schedule::{Schedule, timesteps};

/// DDIM: the picture that the network expects, with the noise of the next level.
#[derive(Debug, Clone)]
pub struct Ddim {
    timesteps: Vec<f64>,
    /// ᾱ at the start of each step, and at the end of the last.
    alphas: Vec<f64>,
    prediction: Prediction,
    clip: Option<f64>,
    eta: f64,
}

impl Ddim {
    /// `steps` steps over the levels of `trained`; `eta` is the share of noise that is new at each step, from 0 to 1.
    ///
    /// # Errors
    /// One sentence when so many steps cannot be made, or `eta` is out of range.
    pub fn new(trained: &Diffusion, steps: usize, eta: f64) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&eta) {
            return Err(format!("eta is {eta}, expected 0 to 1"));
        }
        let schedule = Schedule::new(trained);
        let timesteps: Vec<f64> = timesteps(trained, steps)?.into_iter().map(f64::round_ties_even).collect();
        let end = if trained.set_alpha_to_one { 1.0 } else { schedule.alpha(0) };
        let alphas = timesteps.iter().map(|&t| schedule.alpha(t as usize)).chain([end]).collect();
        let clip = trained.clip_sample.then_some(trained.clip_sample_range);
        Ok(Ddim { timesteps, alphas, prediction: trained.prediction_type, clip, eta })
    }
}

impl Scheduler for Ddim {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn start(&self) -> f64 {
        1.0
    }

    fn input_scale(&self, _: usize) -> f64 {
        1.0
    }

    /// Formula 12 of the paper, with formula 16's σ.
    fn step(&self, step: usize, output: &[f32], sample: &mut [f64], noise: &mut dyn FnMut() -> f64) {
        let (alpha, next) = (self.alphas[step], self.alphas[step + 1]);
        let (a, b) = (sqrt(alpha), sqrt(1.0 - alpha));
        let sigma = self.eta * sqrt(((1.0 - next) / (1.0 - alpha) * (1.0 - alpha / next)).max(0.0));
        let direction = sqrt((1.0 - next - sigma * sigma).max(0.0));
        for (x, &output) in sample.iter_mut().zip(output) {
            let output = f64::from(output);
            let (picture, epsilon) = match self.prediction {
                Prediction::Epsilon => ((*x - b * output) / a, output),
                Prediction::Sample => (output, (*x - a * output) / b),
                Prediction::VPrediction => (a * *x - b * output, a * output + b * *x),
            };
            let picture = self.clip.map_or(picture, |most| picture.clamp(-most, most));
            *x = sqrt(next) * picture + direction * epsilon;
            if sigma > 0.0 {
                *x += sigma * noise();
            }
        }
    }
}
