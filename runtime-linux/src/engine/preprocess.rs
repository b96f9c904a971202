//! Frames to the network inputs that a float model, and calibration, take.
//!
//! In f32 and before any quantization, by the same formula and channel rules as core applies row by row:
//! `(x − low) / (high − low)`, clipped to [0, 1] under a percentile policy, then `· gain + offset` per channel.

use microtome_compiler::{Description, Tensor, description};
use microtome_core::plan::{Input, Levels, MAX_CAMERA_CHANNELS, Normalization, Order};

use super::levels;
use crate::source::{Channels, Image};

/// What a description says about the input, as a plan would hold it.
pub fn input(description: &Description) -> Input {
    let input = &description.input;
    let spread = |values: &[f32], default: f32| {
        std::array::from_fn::<f32, MAX_CAMERA_CHANNELS, _>(|channel| {
            let channel = if values.len() == 1 { 0 } else { channel };
            values.get(channel).copied().unwrap_or(default)
        })
    };
    let normalization = match input.normalization {
        description::Normalization::Fixed => {
            Normalization::Fixed(Levels { low: input.low.unwrap_or(0.0), high: input.high.unwrap_or(255.0) })
        }
        description::Normalization::Percentile => Normalization::Percentile {
            low: input.low.unwrap_or(1.0),
            high: input.high.unwrap_or(99.8),
            previous: input.of == description::Of::Previous,
        },
    };
    let order = if input.order == description::Order::Bgr { Order::Bgr } else { Order::Rgb };
    Input { normalization, order, gain: spread(&input.gain, 1.0), offset: spread(&input.offset, 0.0) }
}

/// `image` as a network input `[1, channels, rows, width]`, each side padded to `sides` by repeating its last row and pixel.
///
/// A network of two channels, such as Cellpose's, gets the brightness in both, each with its own gain and offset: `gain = [1.0, 0.0]` leaves the
/// second empty.
///
/// # Errors
/// One sentence when the network takes more than three channels.
pub fn tensor(image: &Image, input: &Input, channels: usize, sides: [usize; 2]) -> Result<Tensor, String> {
    if !(1..=3).contains(&channels) {
        return Err(format!("the model takes {channels} channels; camera frames serve models of 1, 2 or 3"));
    }
    let Levels { low, high } = levels(input.normalization, image);
    let high = if high > low { high } else { low + 1.0 };
    let clip = matches!(input.normalization, Normalization::Percentile { .. });
    let mut data = Vec::with_capacity(channels * sides[0] * sides[1]);
    for channel in 0..channels {
        let source = if input.order == Order::Bgr { 2 - channel % 3 } else { channel };
        for y in 0..sides[0] {
            let row = y.min(image.height() - 1) * image.width();
            for x in 0..sides[1] {
                let pixel = row + x.min(image.width() - 1);
                let sample = match (image.channels(), channels) {
                    (Channels::Rgb, 3) => image.sample(3 * pixel + source),
                    _ => image.luma(pixel),
                };
                let v = (f32::from(sample) - low) / (high - low);
                let v = if clip { v.clamp(0.0, 1.0) } else { v };
                data.push(v * input.gain[channel] + input.offset[channel]);
            }
        }
    }
    Tensor::new(vec![1, channels, sides[0], sides[1]], data).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Samples;

    #[test]
    fn channels_levels_and_padding() {
        let text = "[input]\nnormalization = \"fixed\"\nlow = 0\nhigh = 10\norder = \"bgr\"\noffset = [0.0, 0.0, 1.0]";
        let input = input(&Description::parse(text).unwrap());
        let image = Image::new(1, 2, Channels::Rgb, Samples::U8(vec![10, 20, 30, 40, 50, 60])).unwrap();
        let tensor = tensor(&image, &input, 3, [2, 3]).unwrap();
        assert_eq!(tensor.shape, [1, 3, 2, 3]);
        assert_eq!(tensor.data[..6], [3.0, 6.0, 6.0, 3.0, 6.0, 6.0]);
        assert_eq!(tensor.data[12..15], [2.0, 5.0, 5.0]);
    }
}
