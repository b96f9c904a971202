//! The background as the median of the last frames: whatever stays, dirt on the glass or a shadow of the lamp, is in it; what passes is not.
//!
//! The median is exact, over an odd number of frames up to [`Window::MOST`], the current one included. An approximation that
//! steps by one per frame would need memory for one frame only, but hundreds of frames until it has settled; an acquisition is often
//! shorter than that. The memory is that of the window's frames.

use std::collections::VecDeque;

use serde::Deserialize;

use super::{Sample, with_samples};
use crate::instrument::number::Window;
use crate::source::{Image, Samples};

/// How a background is taken out of a frame. Both keep the mean level of the background, channel by channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Frame / background: what is in the way absorbs a share of transmitted light.
    #[default]
    Divide,
    /// Frame − background: what glows adds its light.
    Subtract,
}

/// The last frames of a run.
pub struct RunningMedian {
    window: Window,
    mode: Mode,
    kept: VecDeque<Image>,
}

/// With fewer frames, most of a moving object would still be background.
const FEWEST: usize = 3;

/// Samples that are sorted side by side.
const LANES: usize = 64;

impl RunningMedian {
    /// Over the last `window` frames.
    pub fn new(window: Window, mode: Mode) -> Self {
        RunningMedian { window, mode, kept: VecDeque::new() }
    }

    /// `image` without its background; `None` for the first two frames, after which the largest odd number of frames that there are
    /// counts. A frame of another size or kind begins anew.
    pub fn apply(&mut self, image: &Image) -> Option<Image> {
        if self.kept.back().is_some_and(|last| !alike(last, image)) {
            self.kept.clear();
        }
        if self.kept.len() == self.window.frames() {
            self.kept.pop_front();
        }
        self.kept.push_back(image.clone());
        if self.kept.len() < FEWEST {
            return None;
        }
        let skipped = usize::from(self.kept.len().is_multiple_of(2));
        let last = self.kept.iter().skip(skipped);
        let samples = match image.samples() {
            Samples::U8(samples) => {
                let frames = last.filter_map(|frame| if let Samples::U8(v) = frame.samples() { Some(v) } else { None });
                Samples::U8(self.without(samples, &frames.map(Vec::as_slice).collect::<Vec<_>>(), image))
            }
            Samples::U16(samples) => {
                let frames =
                    last.filter_map(|frame| if let Samples::U16(v) = frame.samples() { Some(v) } else { None });
                Samples::U16(self.without(samples, &frames.map(Vec::as_slice).collect::<Vec<_>>(), image))
            }
        };
        with_samples(image, samples).ok()
    }

    fn without<S: Sample>(&self, samples: &[S], frames: &[&[S]], image: &Image) -> Vec<S> {
        let background = median(frames);
        let channels = image.channels().count();
        let mut sums = [0_u64; 3];
        for pixel in background.chunks_exact(channels) {
            pixel.iter().zip(&mut sums).for_each(|(&sample, sum)| *sum += u64::from(sample.into()));
        }
        let pixels = (image.height() * image.width()) as u64;
        let means = sums.map(|sum| ((sum + pixels / 2) / pixels) as u32);
        let mut corrected = Vec::with_capacity(samples.len());
        for (pixel, behind) in samples.chunks_exact(channels).zip(background.chunks_exact(channels)) {
            for ((&sample, &behind), mean) in pixel.iter().zip(behind).zip(means) {
                let (sample, behind): (u32, u32) = (sample.into(), behind.into());
                let value = match self.mode {
                    // Below 2³² for 16-bit samples.
                    Mode::Divide => (sample * mean + behind / 2) / behind.max(1),
                    Mode::Subtract => (sample + mean).saturating_sub(behind),
                };
                corrected.push(S::saturated(value));
            }
        }
        corrected
    }
}

fn alike(one: &Image, other: &Image) -> bool {
    let shape =
        |image: &Image| (image.height(), image.width(), image.channels(), matches!(image.samples(), Samples::U8(_)));
    shape(one) == shape(other)
}

/// The median of every sample over an odd number of frames.
///
/// By odd-even transposition (Habermann, 1972): its compare-exchanges do not depend on the values, so a block of samples is sorted in the
/// lanes of vector registers.
fn median<S: Sample>(frames: &[&[S]]) -> Vec<S> {
    let len = frames.first().map_or(0, |frame| frame.len());
    let mut medians = Vec::with_capacity(len);
    let mut block = [[S::default(); LANES]; Window::MOST];
    let block = &mut block[..frames.len()];
    for start in (0..len).step_by(LANES) {
        let lanes = LANES.min(len - start);
        for (lines, frame) in block.iter_mut().zip(frames) {
            lines[..lanes].copy_from_slice(&frame[start..start + lanes]);
        }
        for round in 0..block.len() {
            for pair in block[round % 2..].chunks_exact_mut(2) {
                let [low, high] = pair else { continue };
                for (low, high) in low.iter_mut().zip(high) {
                    (*low, *high) = ((*low).min(*high), (*low).max(*high));
                }
            }
        }
        medians.extend_from_slice(&block[frames.len() / 2][..lanes]);
    }
    medians
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Random;
    use crate::source::Channels;

    fn window(frames: usize) -> Window {
        Window::try_from(frames).unwrap()
    }

    fn grey(samples: &[u8]) -> Image {
        Image::new(1, samples.len(), Channels::Grey, Samples::U8(samples.into())).unwrap()
    }

    #[test]
    fn medians_are_the_middle_of_the_sorted() {
        let mut random = Random::new(3, 0);
        for count in [1, 3, 5, 7, 9, 11, 13, 15] {
            let frames: Vec<Vec<u16>> =
                (0..count).map(|_| (0..150).map(|_| random.between(0.0, 65_535.0) as u16).collect()).collect();
            let medians = median(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (place, &found) in medians.iter().enumerate() {
                let mut sorted: Vec<u16> = frames.iter().map(|frame| frame[place]).collect();
                sorted.sort_unstable();
                assert_eq!(found, sorted[count / 2]);
            }
        }
    }

    /// A lamp that falls off, a speck on the glass at 2, an object that passes from 3 on.
    fn passing(step: usize) -> Image {
        let mut samples = [200, 180, 40, 140, 120, 100, 100, 100];
        samples[3 + step % 5] /= 2;
        grey(&samples)
    }

    #[test]
    fn what_stays_goes_and_what_passes_stays() {
        let mut background = RunningMedian::new(window(5), Mode::Divide);
        assert!(background.apply(&passing(0)).is_none() && background.apply(&passing(1)).is_none());
        for step in 2..12 {
            let corrected = background.apply(&passing(step)).unwrap();
            // The mean of the background is 980 / 8 = 122.5.
            let mut expected = [123; 8];
            expected[3 + step % 5] = 62;
            assert_eq!(corrected, grey(&expected), "frame {step}");
        }
    }

    #[test]
    fn light_of_its_own_is_subtracted() {
        let mut background = RunningMedian::new(window(3), Mode::Subtract);
        for samples in [[10, 30, 50], [10, 90, 50], [10, 30, 50]] {
            background.apply(&grey(&samples));
        }
        assert_eq!(background.apply(&grey(&[110, 30, 40])).unwrap(), grey(&[130, 30, 20]));
    }

    #[test]
    fn extremes_do_not_wrap() {
        let deep = |a: u16, b: u16| Image::new(1, 2, Channels::Grey, Samples::U16(vec![a, b])).unwrap();
        for (mode, expected) in [(Mode::Divide, deep(65_535, 65_535)), (Mode::Subtract, deep(65_535, 32_767))] {
            let mut background = RunningMedian::new(window(3), mode);
            for _ in 0..2 {
                background.apply(&deep(0, 65_535));
            }
            assert_eq!(background.apply(&deep(65_535, 65_535)).unwrap().sample(0), expected.sample(0), "{mode:?}");
        }
    }

    #[test]
    fn another_size_begins_anew() {
        let mut background = RunningMedian::new(window(3), Mode::Divide);
        for _ in 0..3 {
            background.apply(&grey(&[1, 2, 3]));
        }
        assert!(background.apply(&grey(&[1, 2])).is_none());
    }
}
