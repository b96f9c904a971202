//! The end of a network: probabilities and class indices.

use zerocopy::little_endian::U32;

use super::Context;
use crate::arch::{Isa, Work};
use crate::plan::Classify;

/// Index of the largest channel, the first of equals.
pub(super) fn arg_max(cx: &Context, y: u32, out: &mut [i8]) {
    let channels = usize::from(cx.input(0).channels.get());
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
pub(super) fn softmax<I: Isa>(isa: I, cx: &Context, exponentials: &[U32], y: u32, out: &mut [i8]) {
    /// Values whose divisions are made together.
    const BLOCK: usize = 240;
    let channels = usize::from(cx.output.channels.get());
    let row = cx.span(0, y);
    let Some(exponentials) = exponentials.first_chunk::<256>() else { return };
    let (mut numerators, mut denominators) = ([0; BLOCK], [1; BLOCK]);
    let pixels = BLOCK / channels * channels;
    if pixels == 0 {
        for (out, scores) in out.chunks_exact_mut(channels).zip(row.chunks_exact(channels)) {
            let top = top(scores);
            let sum = scores.iter().map(|&score| exponential(exponentials, top, score)).sum();
            for (out, &score) in out.iter_mut().zip(scores) {
                *out = probability(exponential(exponentials, top, score), sum);
            }
        }
        return;
    }
    for (out, row) in out.chunks_mut(pixels).zip(row.chunks(pixels)) {
        match channels {
            2 if I::KNOWN_CHANNELS => look_up::<2>(exponentials, row, &mut numerators, &mut denominators),
            3 if I::KNOWN_CHANNELS => look_up::<3>(exponentials, row, &mut numerators, &mut denominators),
            4 if I::KNOWN_CHANNELS => look_up::<4>(exponentials, row, &mut numerators, &mut denominators),
            _ => {
                let places = numerators.chunks_exact_mut(channels).zip(denominators.chunks_exact_mut(channels));
                for (scores, (numerators, denominators)) in row.chunks_exact(channels).zip(places) {
                    let top = top(scores);
                    for (numerator, &score) in numerators.iter_mut().zip(scores) {
                        *numerator = exponential(exponentials, top, score);
                    }
                    denominators.fill(numerators.iter().sum());
                }
            }
        }
        isa.vectorize(Divide { numerators: &numerators, denominators: &denominators, out });
    }
}

fn top(scores: &[i8]) -> i8 {
    scores.iter().fold(i8::MIN, |top, &score| top.max(score))
}

/// The exponential of a score's difference to the largest one.
fn exponential(exponentials: &[U32; 256], top: i8, score: i8) -> u32 {
    exponentials[usize::from((top as u8).wrapping_sub(score as u8))].get()
}

/// Exponentials and their sums, for pixels of `C` channels.
fn look_up<const C: usize>(exponentials: &[U32; 256], row: &[i8], numerators: &mut [u32], denominators: &mut [u32]) {
    let places = numerators.as_chunks_mut::<C>().0.iter_mut().zip(denominators.as_chunks_mut::<C>().0);
    for (scores, (numerators, denominators)) in row.as_chunks::<C>().0.iter().zip(places) {
        let top = top(scores);
        let found = scores.map(|score| exponential(exponentials, top, score));
        *numerators = found;
        *denominators = [found.iter().sum(); C];
    }
}

#[inline(always)]
fn probability(exponential: u32, sum: u32) -> i8 {
    let probability = (exponential * 256 + sum / 2).checked_div(sum).unwrap_or(0);
    (probability.min(255) as i32 - 128) as i8
}

/// Many probabilities. Where there are vectors of f64 they divide: the quotient of two integers below 2²⁶ is never
/// rounded up to the next one, so its integer part is the integers' own.
struct Divide<'a> {
    numerators: &'a [u32],
    denominators: &'a [u32],
    out: &'a mut [i8],
}

impl Work for Divide<'_> {
    #[inline(always)]
    fn run(self) {
        for ((out, &numerator), &sum) in self.out.iter_mut().zip(self.numerators).zip(self.denominators) {
            *out = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
                let quotient = f64::from((numerator * 256 + sum / 2) as i32) / f64::from(sum.max(1) as i32);
                ((quotient as i32).min(255) - 128) as i8
            } else {
                probability(numerator, sum)
            };
        }
    }
}

/// Class indices from probabilities.
pub(super) fn classify<I: Isa>(isa: I, cx: &Context, classify: &Classify, y: u32, out: &mut [i8]) {
    let row = cx.span(0, y);
    match *classify {
        Classify::Above { threshold } => isa.vectorize(Above { row, threshold, out }),
        Classify::InteriorBorder { object, border, threshold } => {
            isa.vectorize(InteriorBorder { row, object, border, threshold, out });
        }
    }
}

/// Class 1 above the threshold.
struct Above<'a> {
    row: &'a [i8],
    threshold: i8,
    out: &'a mut [i8],
}

impl Work for Above<'_> {
    #[inline(always)]
    fn run(self) {
        for (out, &probability) in self.out.iter_mut().zip(self.row) {
            *out = i8::from(probability > self.threshold);
        }
    }
}

/// Interiors above the threshold, and borders where the background is not likely.
struct InteriorBorder<'a> {
    row: &'a [i8],
    object: u8,
    border: u8,
    threshold: i8,
    out: &'a mut [i8],
}

impl Work for InteriorBorder<'_> {
    #[inline(always)]
    fn run(self) {
        /// One half, as an int8 probability.
        const HALF: i8 = 0;
        let object = usize::from(self.object).min(2);
        for (out, probabilities) in self.out.iter_mut().zip(self.row.as_chunks::<3>().0) {
            let other = if probabilities[0] >= HALF { 0 } else { self.border };
            *out = if probabilities[object] > self.threshold { self.object as i8 } else { other as i8 };
        }
    }
}
