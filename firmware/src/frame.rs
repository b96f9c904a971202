//! The built-in frame: synthetic nuclei from the simulator (`microtome simulate --seed 7 --width 96 --height 96`), grey.

use microtome_core::{Frame, Levels};

/// Pixels, row after row.
pub static PIXELS: &[u8; 96 * 96] = include_bytes!("../frames/nuclei-96x96.grey");

/// Its size.
pub fn size() -> Frame {
    Frame::grey(96, 96)
}

/// Percentiles 1 and 99.8 of its pixels (inverted CDF), as the model's plan asks for.
pub fn levels() -> Levels {
    let mut histogram = [0u32; 256];
    PIXELS.iter().for_each(|&pixel| histogram[usize::from(pixel)] += 1);
    let percentile = |thousandths: u32| {
        let wanted = (PIXELS.len() as u32 * thousandths).div_ceil(1000);
        let mut below = 0;
        histogram.iter().position(|&count| {
            below += count;
            below >= wanted
        })
    };
    Levels { low: percentile(10).unwrap_or(0) as f32, high: percentile(998).unwrap_or(255) as f32 }
}
