//! From counts to densities, with what chance alone would make of them.

use serde::{Deserialize, Serialize};

/// µm³ in a mL.
const UM3_PER_ML: f64 = 1e12;

/// The standard normal's 97.5th percentile.
const Z: f64 = 1.959_963_984_540_054;

/// What of the sample a frame shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Volume {
    /// Its area to this depth, in µm.
    Depth(f64),
    /// This, in mL.
    PerFrame(f64),
}

impl Volume {
    /// The volume in mL of a frame of `height` × `width` pixels of side `pixel_size_um`; unknown without that, where it is needed.
    pub fn of_frame(self, height: usize, width: usize, pixel_size_um: Option<f64>) -> Option<f64> {
        match self {
            Volume::PerFrame(ml) => Some(ml),
            Volume::Depth(um) => pixel_size_um.map(|size| (height * width) as f64 * size * size * um / UM3_PER_ML),
        }
    }
}

/// Objects per mL, and the interval that holds the sample's own density 95 times in 100 if objects are spread at random.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// The estimate.
    pub per_ml: f64,
    /// The interval's lower end.
    pub low_per_ml: f64,
    /// The interval's upper end.
    pub high_per_ml: f64,
}

impl Density {
    /// Of `count` objects in `volume_ml` (above 0).
    pub fn new(count: u64, volume_ml: f64) -> Self {
        let (low, high) = poisson_interval(count);
        Density { per_ml: count as f64 / volume_ml, low_per_ml: low / volume_ml, high_per_ml: high / volume_ml }
    }
}

/// Sums over the frames of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Frames.
    pub frames: u64,
    /// Objects; with tracking, each is counted once.
    pub objects: u64,
    /// The volume of all frames, in mL.
    pub volume_ml: Option<f64>,
    /// Objects per mL.
    pub density: Option<Density>,
}

impl Totals {
    /// Adds a frame with `objects` that no frame before it had.
    pub fn add(&mut self, objects: u64, volume_ml: Option<f64>) {
        self.frames += 1;
        self.objects += objects;
        if let Some(ml) = volume_ml {
            *self.volume_ml.get_or_insert(0.0) += ml;
        }
        self.density = self.volume_ml.map(|ml| Density::new(self.objects, ml));
    }
}

/// The 95 % interval of the mean of a Poisson variable of which one draw was `count`.
///
/// Exact (Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936) up to 100: the means at which `count` or more, and
/// `count` or fewer, have a chance of 2.5 %. Byar's approximation of the same above, which is off by less than 0.01 % there (Breslow and Day,
/// "Statistical Methods in Cancer Research", volume II, IARC 1987, p. 69).
pub fn poisson_interval(count: u64) -> (f64, f64) {
    if count > 100 {
        let byar = |n: f64, z: f64| {
            let root = 1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt());
            n * root * root * root
        };
        return (byar(count as f64, -Z), byar(count as f64 + 1.0, Z));
    }
    let low = if count == 0 { 0.0 } else { mean_with_chance(count - 1, 0.975) };
    (low, mean_with_chance(count, 0.025))
}

/// The mean at which `count` or fewer have the chance `chance`, by bisection: the chance falls as the mean rises.
fn mean_with_chance(count: u64, chance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 4.0 * count as f64 + 20.0);
    // A double has no more digits than this halves away.
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if chance_up_to(count, middle) > chance { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

fn chance_up_to(count: u64, mean: f64) -> f64 {
    let mut term = libm::exp(-mean);
    let mut sum = term;
    for n in 1..=count {
        term *= mean / n as f64;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_garwoods() {
        // scipy.stats.chi2.ppf([.025, .975], [2 n, 2 n + 2]) / 2
        for (count, low, high) in [
            (0, 0.0, 3.688879454113936),
            (1, 0.025317807984289876, 5.571643390938898),
            (10, 4.7953886961324335, 18.39035604201778),
            (100, 81.36399125092314, 121.62679379242638),
            (101, 82.26615879303894, 122.72415570583051),
            (1000, 938.9730184076952, 1063.952136016302),
        ] {
            let found = poisson_interval(count);
            assert!((found.0 - low).abs() <= 1e-4 * low && (found.1 / high - 1.0).abs() < 1e-4, "{count}: {found:?}");
        }
    }

    #[test]
    fn a_planktoscope_shows_two_microlitres() {
        let volume = Volume::Depth(300.0).of_frame(3040, 4056, Some(0.75)).unwrap();
        assert!((volume - 0.00208).abs() < 0.00001, "{volume}");
        assert_eq!(Volume::Depth(300.0).of_frame(3040, 4056, None), None);
        assert_eq!(Volume::PerFrame(0.5).of_frame(1, 1, None), Some(0.5));
    }

    #[test]
    fn totals_are_those_of_all_frames() {
        let mut totals = Totals::default();
        for objects in [3, 0, 7] {
            totals.add(objects, Some(0.25));
        }
        assert_eq!((totals.frames, totals.objects, totals.volume_ml), (3, 10, Some(0.75)));
        let density = totals.density.unwrap();
        assert_eq!(density, Density::new(10, 0.75));
        assert!(density.low_per_ml < density.per_ml && density.per_ml < density.high_per_ml);
        let mut unknown = Totals::default();
        unknown.add(3, None);
        assert_eq!((unknown.volume_ml, unknown.density), (None, None));
    }
}
