//! Samples as pixels.

use crate::source::{Channels, Image, Samples};

/// A sample `[channels, rows, width]` as 8-bit pixels; `values` are black and white, and what is beyond them is cut.
///
/// # Errors
/// One sentence when it has neither one channel nor three.
pub fn picture(sample: &[f32], [channels, rows, width]: [usize; 3], values: [f32; 2]) -> Result<Image, String> {
    let kind = match channels {
        1 => Channels::Grey,
        3 => Channels::Rgb,
        _ => return Err(format!("samples of {channels} channels are no pictures; write them to a .npy file")),
    };
    let [black, white] = values;
    let pixel = |value: f32| ((value - black) / (white - black) * 255.0).round_ties_even() as u8;
    let pixels = rows * width;
    let samples = (0..pixels * channels).map(|i| pixel(sample[i % channels * pixels + i / channels])).collect();
    Image::new(rows, width, kind, Samples::U8(samples))
}

/// Pictures of one size side by side, `columns` in a row, with white lines of 2 pixels between, each pixel `scale` times
/// as large. The last row may be short.
///
/// # Errors
/// One sentence when there is no picture, or they are not of one size.
pub fn grid(pictures: &[Image], columns: usize, scale: usize) -> Result<Image, String> {
    const GAP: usize = 2;
    let first = pictures.first().ok_or("no pictures")?;
    let (rows, width, channels) = (first.height(), first.width(), first.channels());
    if pictures.iter().any(|p| (p.height(), p.width(), p.channels()) != (rows, width, channels)) {
        return Err("the pictures are not of one size".into());
    }
    let (columns, scale) = (columns.clamp(1, pictures.len()), scale.max(1));
    let lines = pictures.len().div_ceil(columns);
    let (cell_rows, cell_width) = (rows * scale + GAP, width * scale + GAP);
    let (all_rows, all_width) = (lines * cell_rows - GAP, columns * cell_width - GAP);
    let count = channels.count();
    let mut samples = vec![255; all_rows * all_width * count];
    for (number, picture) in pictures.iter().enumerate() {
        let (top, left) = (number / columns * cell_rows, number % columns * cell_width);
        for y in 0..rows * scale {
            for x in 0..width * scale {
                let (from, to) = (y / scale * width + x / scale, (top + y) * all_width + left + x);
                for c in 0..count {
                    samples[to * count + c] = picture.sample(from * count + c) as u8;
                }
            }
        }
    }
    Image::new(all_rows, all_width, channels, Samples::U8(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels_and_pixels_a_grid() {
        let red = picture(&[1.0, 1.0, -1.0, -3.0, 0.0, -1.0], [3, 1, 2], [-1.0, 1.0]).unwrap();
        assert_eq!(red.samples(), &Samples::U8(vec![255, 0, 128, 255, 0, 0]));
        assert!(picture(&[0.0; 4], [4, 1, 1], [-1.0, 1.0]).unwrap_err().contains(".npy"));
        let [dark, light] = [0.2, 0.4].map(|v| picture(&[v], [1, 1, 1], [0.0, 1.0]).unwrap());
        let all = grid(&[dark.clone(), light, dark], 2, 2).unwrap();
        assert_eq!((all.height(), all.width()), (6, 6));
        let row = |y: usize| (0..6).map(|x| all.sample(6 * y + x)).collect::<Vec<_>>();
        assert_eq!(row(1), [51, 51, 255, 255, 102, 102]);
        assert_eq!(row(2), [255; 6]);
        assert_eq!(row(5), [51, 51, 255, 255, 255, 255]);
    }
}
