//! Figures over all frames since the start, or since the model was changed.
//!
//! Invariant: of fixed size, however long the run.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::message::Focus;
use crate::live::{Observation, Times};

/// Width of a size class, in pixels.
const BIN: f64 = 0.5;
/// Size classes; the last has all that is larger.
const BINS: usize = 1024;
/// Seconds of counts that are kept.
const SECONDS: usize = 600;
/// Over how long the frame rate is taken.
const RATE: Duration = Duration::from_secs(2);
/// Latencies that the percentiles are taken of.
const SHOWN: usize = 256;
/// How much of an average the newest frame is.
const NEWEST: f64 = 0.1;

/// The figures.
pub struct Run {
    start: Instant,
    sizes: Vec<u64>,
    seconds: VecDeque<Second>,
    recent: VecDeque<(Instant, u64)>,
    times: Option<Times>,
    encode_ms: f64,
    best_focus: f64,
    shown: VecDeque<f64>,
}

/// Counts of a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the run began.
    pub second: u64,
    /// Frames that were counted.
    pub frames: u64,
    /// Objects in all of them.
    pub objects: u64,
}

/// Sizes over the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sizes {
    /// `px`, or `um` where the size of a pixel is known.
    pub unit: &'static str,
    /// Width of a class, in that unit.
    pub bin_width: f64,
    /// Objects whose equivalent diameter lies in a class, from 0 up to the largest that occurred.
    pub counts: Vec<u64>,
}

/// How long it takes from a frame's arrival until the page has drawn it, in milliseconds. Its answer's way back counts too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shown {
    /// Half of the frames take no longer.
    pub median_ms: f64,
    /// 19 of 20 take no longer.
    pub p95_ms: f64,
}

impl Default for Run {
    fn default() -> Self {
        Run {
            start: Instant::now(),
            sizes: vec![0; BINS],
            seconds: VecDeque::new(),
            recent: VecDeque::new(),
            times: None,
            encode_ms: 0.0,
            best_focus: 0.0,
            shown: VecDeque::new(),
        }
    }
}

impl Run {
    /// Takes an observation into account.
    pub fn see(&mut self, observation: &Observation, now: Instant) {
        let objects = &observation.made.found.objects;
        for object in objects {
            let bin = (object.equivalent_diameter() / BIN) as usize;
            self.sizes[bin.min(BINS - 1)] += 1;
        }
        let second = now.duration_since(self.start).as_secs();
        if self.seconds.back().is_none_or(|last| last.second != second) {
            self.seconds.push_back(Second { second, frames: 0, objects: 0 });
        }
        if let Some(last) = self.seconds.back_mut() {
            last.frames += 1;
            last.objects += objects.len() as u64;
        }
        while self.seconds.len() > SECONDS {
            self.seconds.pop_front();
        }
        self.recent.push_back((now, observation.number));
        while self.recent.front().is_some_and(|&(then, _)| now.duration_since(then) > RATE) {
            self.recent.pop_front();
        }
        let Times { waited_ms, segment_ms, latency_ms } = observation.times;
        let old = self.times.unwrap_or(observation.times);
        self.times = Some(Times {
            waited_ms: mix(old.waited_ms, waited_ms),
            segment_ms: mix(old.segment_ms, segment_ms),
            latency_ms: mix(old.latency_ms, latency_ms),
        });
    }

    /// A picture took so long to encode.
    pub fn encoded(&mut self, ms: f64) {
        self.encode_ms = if self.encode_ms == 0.0 { ms } else { mix(self.encode_ms, ms) };
    }

    /// A page has drawn a frame so long after it came.
    pub fn shown(&mut self, latency: Duration) {
        if self.shown.len() == SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(ms(latency));
    }

    /// Latencies of the last frames that pages have drawn.
    pub fn latency(&self) -> Option<Shown> {
        let mut sorted: Vec<f64> = self.shown.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted.get((sorted.len().saturating_sub(1) as f64 * share).round() as usize).copied();
        Some(Shown { median_ms: at(0.5)?, p95_ms: at(0.95)? })
    }

    /// Frames done per second, lately.
    pub fn rate(&self, now: Instant) -> f64 {
        let (Some(&(first, from)), Some(&(last, to))) = (self.recent.front(), self.recent.back()) else { return 0.0 };
        if now.duration_since(last) > RATE || last == first {
            return 0.0;
        }
        (to - from) as f64 / last.duration_since(first).as_secs_f64()
    }

    /// Where the time of a frame goes, on average over the last frames; and how long a picture for the page takes.
    pub fn times(&self) -> (Times, f64) {
        (self.times.unwrap_or_default(), self.encode_ms)
    }

    /// A sharpness beside the best so far.
    pub fn focus(&mut self, value: f64) -> Focus {
        self.best_focus = self.best_focus.max(value);
        Focus { value, best: self.best_focus }
    }

    /// Counts per second, the last ten minutes.
    pub fn seconds(&self) -> Vec<Second> {
        self.seconds.iter().copied().collect()
    }

    /// Sizes over the run.
    pub fn sizes(&self, pixel_size_um: Option<f64>) -> Sizes {
        let used = self.sizes.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        let unit = if pixel_size_um.is_some() { "um" } else { "px" };
        Sizes { unit, bin_width: BIN * pixel_size_um.unwrap_or(1.0), counts: self.sizes[..used].to_vec() }
    }
}

/// A duration in milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mix(old: f64, new: f64) -> f64 {
    old + NEWEST * (new - old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Counts, Shot};
    use crate::engine::Mask;
    use crate::objects::find;
    use crate::segment::Segmentation;
    use crate::source::{Channels, Image, Samples};

    fn grey(width: usize, samples: Vec<u8>) -> Image {
        Image::new(samples.len() / width, width, Channels::Grey, Samples::U8(samples)).unwrap()
    }

    /// A frame with one object of `area` pixels in a row.
    fn observation(number: u64, area: usize) -> Observation {
        let image = grey(64, vec![7; 64]);
        let mask = Mask { height: 1, width: 64, classes: (0..64).map(|x| u8::from(x < area)).collect() };
        let found = find(microtome_core::measure::Task::Components { min_area: 1 }, &mask, &image).unwrap();
        let made = Segmentation { mask, found, elapsed: Duration::ZERO };
        let times = Times { waited_ms: 1.0, segment_ms: 10.0, latency_ms: 12.0 };
        Observation {
            number,
            shot: Shot::now(image),
            made,
            extra: Vec::new(),
            figures: None,
            pixel_size_um: None,
            times,
            counts: Counts::default(),
        }
    }

    #[test]
    fn sizes_and_counts_add_up() {
        let mut run = Run::default();
        let start = Instant::now();
        // Areas 3 and 50: diameters of 1.95 and 7.98 pixels.
        for (number, area) in [(1, 3), (2, 3), (3, 50)] {
            run.see(&observation(number, area), start + Duration::from_millis(400 * number));
        }
        let Sizes { unit, bin_width, counts } = run.sizes(None);
        assert_eq!((unit, bin_width, counts.len(), counts[3], counts[15]), ("px", 0.5, 16, 2, 1));
        assert_eq!(run.sizes(Some(0.2)).bin_width, 0.1);
        let seconds = run.seconds();
        assert_eq!(seconds.iter().map(|second| second.frames).sum::<u64>(), 3);
        assert_eq!(seconds.len(), 2);
        assert!((run.rate(start + Duration::from_secs(2)) - 2.5).abs() < 1e-9);
        assert_eq!(run.rate(start + Duration::from_secs(60)), 0.0);
        assert!((run.times().0.segment_ms - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_long_run_takes_no_more_memory() {
        let mut run = Run::default();
        let start = Instant::now();
        for number in 0..3000 {
            run.see(&observation(number, 9), start + Duration::from_secs(number));
            run.shown(Duration::from_millis(number));
        }
        assert_eq!((run.seconds.len(), run.shown.len()), (SECONDS, SHOWN));
        assert!(run.recent.len() < 10);
        let Shown { median_ms, p95_ms } = run.latency().unwrap();
        assert!((2850.0..2900.0).contains(&median_ms) && (2980.0..2990.0).contains(&p95_ms), "{median_ms} {p95_ms}");
    }

    #[test]
    fn focus_is_told_beside_the_best() {
        let mut run = Run::default();
        let found = [0.5, 0.75, 0.25].map(|value| run.focus(value)).map(|Focus { value, best }| (value, best));
        assert_eq!(found, [(0.5, 0.5), (0.75, 0.75), (0.25, 0.75)]);
    }
}
