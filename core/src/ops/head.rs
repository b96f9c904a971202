//! The end of a network: probabilities and class indices.

use zerocopy::little_endian::U32;

use super::Context;
use crate::plan::Classify;

/// Index of the largest channel, the first of equals.
pub(super) fn arg_max(cx: &Context, y: u32, out: &mut [i8]) {
    let channels = usize::from(cx.input(0).channels);
    for (value, scores) in out.iter_mut().zip(cx.span(0, y).chunks_exact(channels)) {
        let mut best = 0;
        for (class, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = class;
            }
        }
        *value = best as i8;
    }
}

/// `round_half_up(256·e / Σe)` per channel, at most 255; the exponentials are the compiler's integers, so that no
/// machine's `exp` matters.
pub(super) fn softmax(cx: &Context, exponentials: &[U32], y: u32, out: &mut [i8]) {
    let channels = usize::from(cx.output().channels);
    for (pixel, scores) in out.chunks_exact_mut(channels).zip(cx.span(0, y).chunks_exact(channels)) {
        let top = scores.iter().fold(i8::MIN, |top, &score| top.max(score));
        let exponential = |score: i8| exponentials[(i32::from(top) - i32::from(score)) as usize].get();
        let sum: u32 = scores.iter().map(|&score| exponential(score)).sum();
        for (value, &score) in pixel.iter_mut().zip(scores) {
            let probability = (exponential(score) * 256 + sum / 2).checked_div(sum).unwrap_or(0);
            *value = (probability.min(255) as i32 - 128) as i8;
        }
    }
}

/// Class indices from probabilities.
pub(super) fn classify(cx: &Context, classify: &Classify, y: u32, out: &mut [i8]) {
    /// One half, as an int8 probability.
    const HALF: i8 = 0;
    let row = cx.span(0, y);
    match *classify {
        Classify::Above { threshold } => {
            for (value, &probability) in out.iter_mut().zip(row) {
                *value = i8::from(probability > threshold);
            }
        }
        Classify::InteriorBorder { object, border, threshold } => {
            for (value, probabilities) in out.iter_mut().zip(row.chunks_exact(3)) {
                let class = if probabilities[usize::from(object)] > threshold {
                    object
                } else if probabilities[0] >= HALF {
                    0
                } else {
                    border
                };
                *value = class as i8;
            }
        }
    }
}
