//! Lens and camera: from light to samples.

use super::field::{Field, Random};

/// The instrument of one frame.
pub struct Optics {
    /// Light lost in the corners.
    vignetting: f64,
    /// Where the optical axis meets the frame, as a share of its sides.
    axis: [f64; 2],
    /// Photons from the brightest nucleus.
    photons: f64,
    /// Background light, 1 being the brightest nucleus.
    background: f64,
    /// How much the background varies over the frame, as a share of it.
    unevenness: f64,
    /// Read noise in photons.
    read_noise: f64,
}

/// Sample of the brightest nucleus: some headroom is left.
const WHITE: f64 = 190.0;

/// Sample of no light at all.
const BLACK: f64 = 4.0;

impl Optics {
    /// An instrument as one meets them.
    pub fn new(random: &mut Random) -> Self {
        Optics {
            vignetting: random.between(0.15, 0.4),
            axis: [random.between(0.4, 0.6), random.between(0.4, 0.6)],
            photons: random.between(250.0, 900.0),
            background: random.between(0.02, 0.05),
            unevenness: 0.25,
            read_noise: random.between(1.0, 3.0),
        }
    }

    /// The same in a light that is even everywhere: for a slide of which frames show parts.
    pub fn even(self) -> Self {
        Optics { vignetting: 0.0, unevenness: 0.0, ..self }
    }

    /// The samples that the camera reads of `light`, which the lens has already blurred.
    pub fn expose(&self, light: &Field, random: &mut Random) -> Vec<u8> {
        let (height, width) = (light.height, light.width);
        let haze = light.blurred(libm::sqrt((height * width) as f64) / 16.0);
        let uneven = Field::noise(height, width, (height + width) as f64 / 4.0, self.unevenness, random);
        (0..height * width)
            .map(|index| {
                let y = (index / width) as f64 / height as f64 - self.axis[0];
                let x = (index % width) as f64 / width as f64 - self.axis[1];
                let corner = falloff(self.vignetting, y, x);
                let background = self.background * (1.0 + uneven.values[index]).max(0.2);
                let arriving = (light.values[index] + 0.05 * haze.values[index] + background) * corner;
                let counted = random.photons(arriving * self.photons) + self.read_noise * random.normal();
                (BLACK + WHITE * counted / self.photons).round().clamp(0.0, 255.0) as u8
            })
            .collect()
    }
}

/// The share of light that arrives `y` and `x` from the axis, as shares of the frame's sides.
pub fn falloff(vignetting: f64, y: f64, x: f64) -> f64 {
    1.0 - vignetting * 2.0 * (x * x + y * y)
}
