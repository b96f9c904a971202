//! A camera without a camera: a stage that moves under the simulated microscope.
//!
//! One large scene is drawn when it is opened; a frame is a window on it that drifts back and forth, with shot noise of its own. So a frame
//! costs a copy and not a drawing, objects come, stay and go as they do under a moving stage, and the same settings give the same frames.

use std::time::{Duration, Instant};

use super::{Camera, Options, Shot, Size, Trouble};
use crate::simulate::{Random, Settings, scene};
use crate::source::{Channels, Image, Samples};

const SEED: u64 = 1;
const SIZE: Size = Size { width: 640, height: 480 };
const FPS: f64 = 30.0;
/// How far the window moves per frame, in pixels; prime to each other, so that it does not come by the same way for long.
const STEP: [usize; 2] = [1, 3];
/// The scene is larger than the window by this share of its sides.
const MARGIN: [usize; 2] = [2, 1];
/// Values of noise; frames begin at various places in it.
const NOISE: usize = 65_537;

/// The simulator.
pub struct Simulator {
    size: Size,
    slide: Slide,
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
        let scene = scene(Settings { seed: SEED, height: whole.height, width: whole.width }, 0)?;
        let samples = match scene.image.samples() {
            Samples::U8(samples) => samples.clone(),
            Samples::U16(_) => return Err("the simulator draws 8 bits".into()),
        };
        let mut random = Random::new(SEED, 1);
        let noise = (0..NOISE).map(|_| (2.0 * random.normal()).round().clamp(-9.0, 9.0) as i8).collect();
        let interval = Duration::from_secs_f64(1.0 / options.fps.unwrap_or(FPS));
        Ok(Simulator { size, slide: Slide { size: whole, samples }, noise, interval, due: Instant::now(), number: 0 })
    }

    /// Frame `number`: the window's place follows from it.
    fn frame(&self, number: usize) -> Result<Image, String> {
        let [dy, dx] = STEP;
        let top = swing(number * dy, self.slide.size.height - self.size.height);
        let left = swing(number * dx, self.slide.size.width - self.size.width);
        let mut noise = self.noise.iter().cycle().skip(number.wrapping_mul(7919) % NOISE);
        let mut samples = Vec::with_capacity(self.size.width * self.size.height);
        for row in self.slide.samples.chunks_exact(self.slide.size.width).skip(top).take(self.size.height) {
            let window = row[left..left + self.size.width].iter().zip(&mut noise);
            samples.extend(window.map(|(&sample, &noise)| sample.saturating_add_signed(noise)));
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
    fn frames_differ_and_can_be_had_again() {
        let size = Size { width: 64, height: 48 };
        let (mut one, other) = (simulator(size), simulator(size));
        let shots: Vec<Image> = (0..3).map(|_| one.next(Duration::from_secs(9)).unwrap().image).collect();
        assert_ne!(shots[0], shots[1]);
        assert_eq!(shots[2], other.frame(2).unwrap());
        assert!((0..5000).all(|number| other.frame(number).is_ok()));
    }
}
