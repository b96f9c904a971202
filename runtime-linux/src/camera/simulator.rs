//! A camera without a camera: a stage that moves under the simulated microscope.
//!
//! One large scene is drawn when it is opened; a frame is a window on it that drifts back and forth, darker in the corners, with shot noise of
//! its own. So a frame costs a copy and not a drawing, the light stays with the camera, objects come, stay and go as they do under a moving stage, and the same settings give the same frames.

use std::time::{Duration, Instant};

use super::{Camera, Options, Shot, Size, Trouble};
use crate::simulate::{Random, Settings, falloff, slide};
use crate::source::{Channels, Image, Samples};

const SEED: u64 = 1;
const SIZE: Size = Size { width: 640, height: 480 };
const FPS: f64 = 30.0;
/// How far the window moves per frame, in pixels; prime to each other, so that it does not come by the same way for long.
const STEP: [usize; 2] = [1, 3];
/// The scene is larger than the window by this share of its sides.
const MARGIN: [usize; 2] = [2, 1];
/// Light lost in the corners.
const VIGNETTING: f64 = 0.3;
/// The light's unit.
const FULL: u16 = 256;
/// Values of noise; frames begin at various places in it.
const NOISE: usize = 65_537;

/// The simulator.
pub struct Simulator {
    size: Size,
    slide: Slide,
    /// The light of every pixel of the window, of [`FULL`].
    light: Vec<u16>,
    noise: Vec<i8>,
    interval: Duration,
    due: Instant,
    number: usize,
}

/// The scene, row by row.
struct Slide {
    size: Size,
    samples: Vec<u8>,
}

impl Simulator {
    /// # Errors
    /// When the size is not one that can be simulated.
    pub fn new(options: &Options) -> Result<Self, String> {
        let size = options.size.unwrap_or(SIZE);
        let [right, down] = MARGIN;
        let whole = Size { width: size.width + size.width / right, height: size.height + size.height / down };
        let scene = slide(Settings { seed: SEED, height: whole.height, width: whole.width }, 0)?;
        let samples = match scene.image.samples() {
            Samples::U8(samples) => samples.clone(),
            Samples::U16(_) => return Err("the simulator draws 8 bits".into()),
        };
        let mut random = Random::new(SEED, 1);
        let noise = (0..NOISE).map(|_| (2.0 * random.normal()).round().clamp(-9.0, 9.0) as i8).collect();
        let centred = |at: usize, side: usize| at as f64 / side as f64 - 0.5;
        let light = (0..size.width * size.height).map(|i| {
            let [y, x] = [centred(i / size.width, size.height), centred(i % size.width, size.width)];
            (f64::from(FULL) * falloff(VIGNETTING, y, x)).round() as u16
        });
        let light = light.collect();
        let interval = Duration::from_secs_f64(1.0 / options.fps.unwrap_or(FPS));
        let slide = Slide { size: whole, samples };
        Ok(Simulator { size, slide, light, noise, interval, due: Instant::now(), number: 0 })
    }

    /// Frame `number`: the window's place follows from it.
    fn frame(&self, number: usize) -> Result<Image, String> {
        let [dy, dx] = STEP;
        let top = swing(number * dy, self.slide.size.height - self.size.height);
        let left = swing(number * dx, self.slide.size.width - self.size.width);
        let mut noise = self.noise.iter().cycle().skip(number.wrapping_mul(7919) % NOISE);
        let mut samples = Vec::with_capacity(self.size.width * self.size.height);
        let rows = self.slide.samples.chunks_exact(self.slide.size.width).skip(top);
        for (row, light) in rows.zip(self.light.chunks_exact(self.size.width)) {
            let window = row[left..left + self.size.width].iter().zip(light).zip(&mut noise);
            samples.extend(window.map(|((&sample, &light), &noise)| {
                ((u16::from(sample) * light / FULL) as u8).saturating_add_signed(noise)
            }));
        }
        Image::new(self.size.height, self.size.width, Channels::Grey, Samples::U8(samples))
    }
}

/// Back and forth in `0..=most`.
fn swing(way: usize, most: usize) -> usize {
    if most == 0 {
        return 0;
    }
    let at = way % (2 * most);
    at.min(2 * most - at)
}

impl Camera for Simulator {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        let wait = self.due.saturating_duration_since(Instant::now());
        std::thread::sleep(wait.min(patience));
        if wait > patience {
            return Err(Trouble::Late);
        }
        // A machine that is too slow gets frames later, not all at once.
        self.due = (self.due + self.interval).max(Instant::now());
        let image = self.frame(self.number).map_err(Trouble::Gone)?;
        self.number += 1;
        Ok(Shot::now(image))
    }

    fn describe(&self) -> String {
        format!("simulator, {}, {:.0} frames a second", self.size, 1.0 / self.interval.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Address;

    fn simulator(size: Size) -> Simulator {
        let options = Options {
            source: Address::Simulator,
            size: Some(size),
            fps: Some(1000.0),
            pixel_format: None,
            colour: false,
            every_frame: false,
        };
        Simulator::new(&options).unwrap()
    }

    #[test]
    fn the_stage_moves_and_comes_back() {
        assert_eq!((0..8).map(|way| swing(way, 3)).collect::<Vec<_>>(), [0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(swing(5, 0), 0);
    }

    #[test]
    fn the_light_stays_as_it_was() {
        let camera = simulator(Size { width: 320, height: 240 });
        let medians: Vec<u16> = (0..240)
            .step_by(20)
            .map(|number| crate::source::Histogram::of(&camera.frame(number).unwrap()).percentile(50.0))
            .collect();
        let [least, most] = [medians.iter().min(), medians.iter().max()].map(|median| *median.unwrap());
        assert!(most - least <= 1, "{medians:?}");
    }

    #[test]
    fn frames_differ_and_can_be_had_again() {
        let size = Size { width: 64, height: 48 };
        let (mut one, other) = (simulator(size), simulator(size));
        let shots: Vec<Image> = (0..3).map(|_| one.next(Duration::from_secs(9)).unwrap().image).collect();
        assert_ne!(shots[0], shots[1]);
        assert_eq!(shots[2], other.frame(2).unwrap());
        assert!((0..5000).all(|number| other.frame(number).is_ok()));
    }
}
