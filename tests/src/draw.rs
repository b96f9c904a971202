//! Seeded random choices: the same on every machine, and named by their seed when something fails.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::oracle::{Clamp, Padding, Quant, Tensor, Window};

/// Runs `check` for seeds 0 to `count`, each with its own choices; a panic says which seed it was.
pub fn for_seeds(what: &str, count: u64, mut check: impl FnMut(&mut Draw)) {
    struct Named<'a>(&'a str, u64);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the failing case is seed {} of {}", self.1, self.0);
            }
        }
    }
    for seed in 0..count {
        let _named = Named(what, seed);
        check(&mut Draw::new(what, seed));
    }
}

/// A source of choices.
pub struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// The choices of a seed; suites of different names choose differently.
    pub fn new(what: &str, seed: u64) -> Draw {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        for (index, byte) in what.bytes().enumerate() {
            bytes[8 + index % 24] ^= byte;
        }
        Draw { rng: ChaCha8Rng::from_seed(bytes) }
    }

    /// A number from `low` to `high`, both included.
    pub fn from(&mut self, low: usize, high: usize) -> usize {
        self.rng.random_range(low as u64..=high as u64) as usize
    }

    /// True once in `of` times.
    pub fn once_in(&mut self, of: usize) -> bool {
        self.from(1, of) == 1
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.from(0, choices.len() - 1)]
    }

    /// Two numbers from `low` to `high`.
    pub fn pair(&mut self, low: usize, high: usize) -> [usize; 2] {
        [self.from(low, high), self.from(low, high)]
    }

    /// Any int8; the extremes more often than by chance.
    pub fn int8(&mut self) -> i8 {
        match self.from(0, 19) {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => self.rng.random(),
        }
    }

    /// `count` of them.
    pub fn int8s(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.int8()).collect()
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.rng.random()
    }

    /// A real number.
    pub fn real(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.rng.random::<f32>()
    }

    /// A scale; often a power of two, so that exact ties are rounded.
    pub fn scale(&mut self) -> f32 {
        if self.once_in(3) { 1.0 / self.of(&[8.0, 16.0, 32.0, 64.0]) } else { self.real(0.002, 0.1) }
    }

    /// A scale and a zero point.
    pub fn quant(&mut self) -> Quant {
        let any = self.int8();
        Quant { scale: self.scale(), zero_point: self.of(&[-128, 0, 127, any, any]) }
    }

    /// All of int8, or what a ReLU or a Clip leaves of it.
    pub fn clamp(&mut self) -> Clamp {
        let (a, b) = (self.int8(), self.int8());
        if self.once_in(3) { Clamp { low: a.min(b), high: a.max(b) } } else { Clamp::FULL }
    }

    /// A number of channels: few, and around the sizes of vector registers.
    pub fn channels(&mut self) -> usize {
        self.of(&[1, 1, 2, 3, 4, 5, 7, 8, 8, 15, 16, 16, 17, 24, 32, 33, 64])
    }

    /// Sides of a frame: odd ones, and single pixels.
    pub fn sides(&mut self, most: usize) -> [usize; 2] {
        [0, 1].map(|_| if self.once_in(8) { 1 } else { self.from(1, most) })
    }

    /// A full-range tensor.
    pub fn tensor(&mut self, [rows, width]: [usize; 2], channels: usize, quant: Quant) -> Tensor {
        Tensor::from_fn([rows, width, channels], quant, |_, _, _| self.int8())
    }

    /// A window of which at least one fits an input of these sides. Pads may exceed the kernel for a convolution
    /// (`wide`), not for a pool.
    pub fn window(&mut self, sides: [usize; 2], most: usize, wide: bool) -> Window {
        loop {
            let kernel = self.pair(1, most);
            let dilation = if self.once_in(4) { self.pair(1, 3) } else { [1, 1] };
            let room = |axis: usize| if wide { kernel[axis] } else { kernel[axis] - 1 };
            let padding = match self.from(0, 3) {
                0 => Padding::SameUpper,
                1 => Padding::SameLower,
                2 => Padding::Explicit([0, 1, 0, 1].map(|axis| (kernel[axis] - 1) / 2)),
                _ => Padding::Explicit([0, 1, 0, 1].map(|axis| self.from(0, room(axis)))),
            };
            let window = Window { kernel, stride: self.pair(1, 3), dilation, padding, ceil: false };
            if (0..2).all(|axis| window.outputs(axis, sides[axis]) > 0) {
                return window;
            }
        }
    }
}
