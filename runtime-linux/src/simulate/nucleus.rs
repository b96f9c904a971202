//! One nucleus: where it lies, its outline and its light.

use super::field::Random;

/// Harmonics of the outline: enough for a bean or a rounded corner, too few for a star.
const HARMONICS: usize = 3;

/// A nucleus. Its outline is an ellipse whose radius is modulated by a few harmonics.
pub struct Nucleus {
    pub x: f64,
    pub y: f64,
    /// Semi-axes in pixels.
    axes: [f64; 2],
    /// Cosine and sine of the long axis' direction.
    direction: [f64; 2],
    /// Amplitude and phase of the harmonics from the second on.
    wobble: [(f64, f64); HARMONICS],
    /// Peak light, 1 being the brightest nucleus.
    pub brightness: f64,
    /// How much it lies out of focus, in pixels of blur.
    pub defocus: f64,
    /// Dark spots inside (nucleoli): offset as a share of the axes, radius in pixels.
    nucleoli: Vec<([f64; 2], f64)>,
}

impl Nucleus {
    /// A nucleus of about `radius` pixels around (x, y).
    pub fn new(x: f64, y: f64, radius: f64, random: &mut Random) -> Self {
        let aspect = random.between(0.68, 1.0);
        let angle = random.between(0.0, core::f64::consts::PI);
        let wobble = core::array::from_fn(|k| {
            (random.between(0.0, 0.07) / (k + 1) as f64, random.between(0.0, core::f64::consts::TAU))
        });
        let spots = random.between(0.0, 3.99) as usize;
        Nucleus {
            x,
            y,
            axes: [radius / libm::sqrt(aspect), radius * libm::sqrt(aspect)],
            direction: [libm::cos(angle), libm::sin(angle)],
            wobble,
            brightness: libm::exp(random.between(-1.0, 0.0)),
            defocus: if random.between(0.0, 1.0) < 0.25 { random.between(1.6, 2.4) } else { random.between(0.7, 1.1) },
            nucleoli: (0..spots)
                .map(|_| ([random.between(-0.5, 0.5), random.between(-0.5, 0.5)], radius * random.between(0.10, 0.18)))
                .collect(),
        }
    }

    /// No pixel is further from the centre than this.
    pub fn reach(&self) -> f64 {
        1.25 * self.axes[0] + 2.0
    }

    /// Distance from the centre as a share of the outline's: below 1 inside.
    pub fn depth(&self, x: f64, y: f64) -> f64 {
        let [u, v] = self.turned(x, y);
        let (u, v) = (u / self.axes[0], v / self.axes[1]);
        let angle = libm::atan2(v, u);
        let outline: f64 =
            self.wobble.iter().zip(2..).map(|((size, phase), k)| size * libm::cos(f64::from(k) * angle + phase)).sum();
        libm::sqrt(u * u + v * v) / (1.0 + outline)
    }

    /// Light at a point inside, before texture: a dome with dark nucleoli.
    pub fn light(&self, x: f64, y: f64) -> f64 {
        let depth = self.depth(x, y);
        let [u, v] = self.turned(x, y);
        let spots: f64 = self
            .nucleoli
            .iter()
            .map(|([du, dv], radius)| {
                let (u, v) = ((u - du * self.axes[0]) / radius, (v - dv * self.axes[1]) / radius);
                0.35 * libm::exp(-0.5 * (u * u + v * v))
            })
            .sum();
        self.brightness * (1.0 - 0.3 * depth * depth) * (1.0 - spots).max(0.3)
    }

    /// How far from the centre the outline is in the direction of (dx, dy), a unit vector.
    pub fn radius_towards(&self, dx: f64, dy: f64) -> f64 {
        1.0 / self.depth(self.x + dx, self.y + dy)
    }

    fn turned(&self, x: f64, y: f64) -> [f64; 2] {
        let ([c, s], dx, dy) = (self.direction, x - self.x, y - self.y);
        [dx * c + dy * s, dy * c - dx * s]
    }
}
