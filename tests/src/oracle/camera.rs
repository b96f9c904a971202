//! From camera values to the network's input.

use super::{Clamp, Quant, Tensor, saturate};

/// How a plan reads a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Whether a three-channel network wants blue first.
    pub blue_first: bool,
    /// Whether the levels are percentiles, beyond which values are clipped.
    pub percentile: bool,
    /// Factor per channel.
    pub gain: [f32; 4],
    /// Added per channel.
    pub offset: [f32; 4],
}

impl Camera {
    /// Levels that are fixed, and values that are taken as they are.
    pub const PLAIN: Camera = Camera { blue_first: false, percentile: false, gain: [1.0; 4], offset: [0.0; 4] };
}

/// What a network of `channels` sees of a frame of grey (one value per pixel) or RGB (three) `pixels`:
/// `(x - low) / (high - low) * gain + offset` in steps of the input's scale.
pub fn photograph(
    pixels: &[u32],
    [rows, width, per_pixel]: [usize; 3],
    [low, high]: [f32; 2],
    camera: &Camera,
    channels: usize,
    quant: Quant,
) -> Tensor {
    Tensor::from_fn([rows, width, channels], quant, |y, x, c| {
        let pixel = &pixels[(y * width + x) * per_pixel..][..per_pixel];
        let value = match (per_pixel, channels) {
            (1, _) => pixel[0],
            (_, 1) => (77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2] + 128) / 256,
            _ if camera.blue_first => pixel[2 - c],
            _ => pixel[c],
        };
        let mut level = (value as f32 - low) / (high - low);
        if camera.percentile {
            level = level.clamp(0.0, 1.0);
        }
        saturate((level * camera.gain[c] + camera.offset[c]) / quant.scale, quant.zero_point, Clamp::FULL)
    })
}
