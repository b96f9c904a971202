//! Planes of f64 values, smooth noise over them, and the random numbers that all else is drawn from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A source of random numbers for one frame.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The numbers of frame `frame` under `seed`; frames are independent streams.
    pub fn new(seed: u64, frame: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(frame);
        Random(rng)
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        low + unit * (high - low)
    }

    /// Standard normal (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.between(0.0, 1.0), self.between(0.0, 1.0));
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(core::f64::consts::TAU * v)
    }

    /// Photons counted where `mean` are expected: Poisson, by multiplication (Knuth) where few, as a rounded normal where many.
    pub fn photons(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            return (mean + libm::sqrt(mean) * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = (libm::exp(-mean), self.between(0.0, 1.0), 0.0);
        while product > limit {
            product *= self.between(0.0, 1.0);
            count += 1.0;
        }
        count
    }
}

/// A plane of values, `height × width`.
#[derive(Clone)]
pub struct Field {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Field {
    /// A plane of one value.
    pub fn flat(height: usize, width: usize, value: f64) -> Self {
        Field { height, width, values: vec![value; height * width] }
    }

    /// Smooth noise about 0, of standard deviation near `strength`: random values on a lattice of `cell` pixels, bilinear with eased
    /// steps (Perlin's smoothstep) between.
    pub fn noise(height: usize, width: usize, cell: f64, strength: f64, random: &mut Random) -> Self {
        let columns = (width as f64 / cell) as usize + 2;
        let rows = (height as f64 / cell) as usize + 2;
        let lattice: Vec<f64> = (0..rows * columns).map(|_| 1.6 * strength * random.normal()).collect();
        let ease = |t: f64| t * t * (3.0 - 2.0 * t);
        let mut field = Field::flat(height, width, 0.0);
        for (index, value) in field.values.iter_mut().enumerate() {
            let (y, x) = ((index / width) as f64 / cell, (index % width) as f64 / cell);
            let (row, column) = (y as usize, x as usize);
            let (fy, fx) = (ease(y - row as f64), ease(x - column as f64));
            let at = |r: usize, c: usize| lattice[r * columns + c];
            let top = at(row, column) * (1.0 - fx) + at(row, column + 1) * fx;
            let bottom = at(row + 1, column) * (1.0 - fx) + at(row + 1, column + 1) * fx;
            *value = top * (1.0 - fy) + bottom * fy;
        }
        field
    }

    /// The plane blurred by a Gaussian of standard deviation `sigma` pixels; the edge is repeated.
    pub fn blurred(&self, sigma: f64) -> Self {
        let radius = (3.0 * sigma).ceil() as usize;
        let weights: Vec<f64> =
            (0..=2 * radius).map(|i| (i as f64 - radius as f64) / sigma).map(|d| libm::exp(-0.5 * d * d)).collect();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        self.convolved(&weights, 1, self.width, self.width, self.height).convolved(
            &weights,
            self.width,
            self.height,
            1,
            self.width,
        )
    }

    /// One direction of a separable filter: `lines` lines, `across` apart, of `len` values that are `along` apart.
    fn convolved(&self, weights: &[f64], along: usize, len: usize, across: usize, lines: usize) -> Self {
        let radius = weights.len() / 2;
        let mut out = Field::flat(self.height, self.width, 0.0);
        for line in 0..lines {
            for i in 0..len {
                let mut sum = 0.0;
                for (k, weight) in weights.iter().enumerate() {
                    let from = (i + k).saturating_sub(radius).min(len - 1);
                    sum += weight * self.values[line * across + from * along];
                }
                out.values[line * across + i * along] = sum;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_sum_inside() {
        let mut field = Field::flat(31, 41, 0.0);
        field.values[15 * 41 + 20] = 1.0;
        let blurred = field.blurred(2.0);
        assert!((blurred.values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(blurred.values[15 * 41 + 18], blurred.values[15 * 41 + 22]);
        assert!(blurred.values[15 * 41 + 20] < 0.05);
    }

    #[test]
    fn photons_have_their_mean_as_variance() {
        let mut random = Random::new(1, 0);
        for mean in [3.0, 200.0] {
            let draws: Vec<f64> = (0..20_000).map(|_| random.photons(mean)).collect();
            let average = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|d| (d - average) * (d - average)).sum::<f64>() / 20_000.0;
            assert!(
                (average / mean - 1.0).abs() < 0.02 && (variance / mean - 1.0).abs() < 0.05,
                "{average} {variance}"
            );
        }
    }
}
