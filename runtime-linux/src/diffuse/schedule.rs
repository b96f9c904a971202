//! Noise levels. At level t a sample is `√ᾱ · picture + √(1 − ᾱ) · noise`, and ᾱ is the product of `1 − β` up to t.

use libm::{cos, sqrt};
use microtome_compiler::description::{Betas, Diffusion, Spacing};

/// Most noise that a level adds under [`Betas::Cosine`].
const MOST_BETA: f64 = 0.999;

/// ᾱ of every level that a network was trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    alphas: Vec<f64>,
}

impl Schedule {
    /// The levels of `trained`.
    pub fn new(trained: &Diffusion) -> Self {
        let mut alphas: Vec<f64> = betas(trained)
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect();
        if trained.rescale_betas_zero_snr {
            to_nothing(&mut alphas);
        }
        Schedule { alphas }
    }

    /// Levels.
    pub fn len(&self) -> usize {
        self.alphas.len()
    }

    /// Whether there are none, which a description refuses.
    pub fn is_empty(&self) -> bool {
        self.alphas.is_empty()
    }

    /// ᾱ of level `t`, which is below [`len`](Schedule::len).
    pub fn alpha(&self, t: usize) -> f64 {
        self.alphas[t]
    }

    /// Noise in units of the picture at level `t`, between two levels on a straight line: `√((1 − ᾱ) / ᾱ)`.
    pub fn sigma(&self, t: f64) -> f64 {
        let last = self.len() - 1;
        let below = (t.max(0.0) as usize).min(last);
        // diffusers puts the level without any picture at 2⁻²⁴ here, and so do we.
        let at = |t: usize| {
            let alpha = self.alphas[t].max(f64::powi(2.0, -24) * f64::from(u8::from(self.alphas[t] == 0.0)));
            sqrt((1.0 - alpha) / alpha)
        };
        let (low, high) = (at(below), at((below + 1).min(last)));
        low + (high - low) * (t - below as f64).clamp(0.0, 1.0)
    }
}

/// β of every level.
fn betas(trained: &Diffusion) -> impl Iterator<Item = f64> {
    let Diffusion { num_train_timesteps: count, beta_schedule: kind, beta_start: start, beta_end: end, .. } = *trained;
    let even = move |low: f64, high: f64, t: usize| low + (high - low) * t as f64 / (count - 1) as f64;
    let kept = move |t: usize| {
        let c = cos((t as f64 / count as f64 + 0.008) / 1.008 * core::f64::consts::FRAC_PI_2);
        c * c
    };
    (0..count).map(move |t| match kind {
        Betas::Linear => even(start, end, t),
        Betas::ScaledLinear => {
            let root = even(sqrt(start), sqrt(end), t);
            root * root
        }
        Betas::Cosine => (1.0 - kept(t + 1) / kept(t)).min(MOST_BETA),
    })
}

/// Shifts and scales √ᾱ so that the first level stays and the last has nothing of the picture (Lin et al., 2024, Algorithm 1).
fn to_nothing(alphas: &mut [f64]) {
    let [Some(first), Some(last)] = [alphas.first(), alphas.last()].map(|a| a.map(|&a| sqrt(a))) else { return };
    for alpha in alphas {
        let root = (sqrt(*alpha) - last) * first / (first - last);
        *alpha = root * root;
    }
}

/// The levels that `steps` steps go through, from much noise to little.
///
/// # Errors
/// One sentence when there are fewer levels than steps.
pub fn timesteps(trained: &Diffusion, steps: usize) -> Result<Vec<f64>, String> {
    let count = trained.num_train_timesteps;
    if steps == 0 || steps > count {
        return Err(format!(
            "{steps} steps; the model was trained on {count} noise levels, expected 1 to {count} steps"
        ));
    }
    let (top, n) = (count as f64, steps as f64);
    let at = |i: usize| match trained.timestep_spacing {
        Spacing::Linspace if steps == 1 => 0.0,
        Spacing::Linspace => (steps - 1 - i) as f64 * (top - 1.0) / (n - 1.0),
        Spacing::Leading => ((steps - 1 - i) * (count / steps) + trained.steps_offset) as f64,
        Spacing::Trailing => (top - i as f64 * top / n).round_ties_even() - 1.0,
    };
    let times: Vec<f64> = (0..steps).map(at).collect();
    match times.first().filter(|&&t| t > top - 1.0) {
        None => Ok(times),
        Some(t) => {
            let offset = trained.steps_offset;
            Err(format!("{steps} steps with steps_offset {offset} start at level {t}, the last one is {}", count - 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaced(spacing: Spacing, steps_offset: usize) -> Diffusion {
        Diffusion { timestep_spacing: spacing, steps_offset, ..Diffusion::default() }
    }

    #[test]
    fn spacings_are_those_of_the_table() {
        let times = |spacing, offset, steps| timesteps(&spaced(spacing, offset), steps);
        assert_eq!(times(Spacing::Linspace, 0, 4).unwrap(), [999.0, 666.0, 333.0, 0.0]);
        assert_eq!(times(Spacing::Leading, 1, 4).unwrap(), [751.0, 501.0, 251.0, 1.0]);
        assert_eq!(times(Spacing::Trailing, 0, 4).unwrap(), [999.0, 749.0, 499.0, 249.0]);
        assert!(times(Spacing::Leading, 300, 4).unwrap_err().contains("start at level 1050, the last one is 999"));
        assert!(times(Spacing::Trailing, 0, 1001).is_err());
    }

    #[test]
    fn nothing_is_left_where_nothing_shall_be() {
        let plain = Schedule::new(&Diffusion::default());
        let zero = Schedule::new(&Diffusion { rescale_betas_zero_snr: true, ..Diffusion::default() });
        assert!(plain.alpha(999) > 1e-5 && zero.alpha(999) == 0.0);
        assert!((plain.alpha(0) - zero.alpha(0)).abs() < 1e-12);
        assert!(zero.sigma(999.0) > 4000.0 && zero.sigma(999.0) < 4100.0);
        assert_eq!(plain.sigma(10.5), (plain.sigma(10.0) + plain.sigma(11.0)) / 2.0);
    }
}
