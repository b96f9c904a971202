//! Fixtures, and images to calibrate on.
#![allow(dead_code, reason = "every test file takes what it needs")]

pub mod cases;
pub mod noise;

use std::path::PathBuf;

use microtome_compiler::{Model, Tensor};

/// The path of a fixture.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A fixture, loaded.
pub fn load(name: &str) -> Model {
    Model::load(path(&format!("{name}.onnx"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Smooth images with some noise: sums of waves, in [0, 1]; seeded.
pub fn images(channels: usize, rows: usize, width: usize, count: usize) -> Vec<Tensor> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..count)
        .map(|_| {
            let mut data = Vec::new();
            for _ in 0..channels {
                let (a, b, c) = (random() * 0.5, random() * 0.5, random() * 6.0);
                for y in 0..rows {
                    for x in 0..width {
                        let wave = (a * x as f32 + c).sin() * (b * y as f32).cos();
                        data.push((0.5 + 0.4 * wave + 0.2 * (random() - 0.5)).clamp(0.0, 1.0));
                    }
                }
            }
            Tensor::new(vec![1, channels, rows, width], data).unwrap()
        })
        .collect()
}
