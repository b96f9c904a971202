//! The JSON of an observation and of the status: what `openapi.json` calls `Observation` and `Status`.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::run::Shown;
use crate::camera::{Counts, State};
use crate::instrument::density::{Density, Totals};
use crate::instrument::drift;
use crate::live::{Alarm, Observation, Times};
use crate::outline::{Polygon, Ring, outlines};
use crate::source::{Histogram, Image, Samples};

/// How all is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// `status`, as messages of the stream are told apart.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The camera.
    pub camera: State,
    /// What became of its frames. `received = done + failed + dropped`, but for one that waits and one that is being done.
    pub frames: Counts,
    /// Frames done.
    pub done: u64,
    /// Frames that the model could not take.
    pub failed: u64,
    /// Frames done per second.
    pub rate: f64,
    /// The model's name.
    pub model: String,
    /// The probability above which a pixel is an object's, where the model has one that can be set.
    pub threshold: Option<f32>,
    /// The recording that runs.
    pub recording: Option<String>,
    /// Sums over all frames since the start.
    pub totals: Option<Totals>,
    /// What a person should look after.
    pub alarms: Vec<Alarm>,
    /// Streams that are open.
    pub watchers: usize,
    /// Where the time goes, averaged.
    pub times: Spent,
    /// From a frame's arrival until a page had drawn it.
    pub shown: Option<Shown>,
    /// Seconds since the start.
    pub uptime: f64,
}

/// Where the time of a frame goes, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spent {
    /// Until it was taken.
    pub waited_ms: f64,
    /// Network and measurement.
    pub segment_ms: f64,
    /// Recording.
    pub record_ms: f64,
    /// The picture for the page; other frames are segmented meanwhile.
    pub encode_ms: f64,
}

impl Spent {
    /// From the pipeline's times and that of the picture.
    pub fn new(times: Times, encode_ms: f64) -> Self {
        let Times { waited_ms, segment_ms, latency_ms } = times;
        Spent { waited_ms, segment_ms, record_ms: (latency_ms - waited_ms - segment_ms).max(0.0), encode_ms }
    }
}

/// How sharp a frame is, as [`instrument::focus`](crate::instrument::focus) has it. Values are comparable between frames of like content.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Focus {
    /// Of this frame.
    pub value: f64,
    /// The best so far.
    pub best: f64,
}

/// How a frame uses the camera's range, all as shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Exposure {
    /// The percentile 1 of its brightness.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The percentile 99.8.
    pub high: f64,
    /// Pixels at the upper end.
    pub saturated: f64,
    /// Pixels at zero.
    pub black: f64,
}

impl Exposure {
    /// Of `image`; what the camera itself cut off is known from before the frame was corrected.
    pub fn of(image: &Image, light: Option<drift::Exposure>) -> Self {
        let full = match image.samples() {
            Samples::U8(_) => u16::from(u8::MAX),
            Samples::U16(_) => u16::MAX,
        };
        let histogram = Histogram::of(image);
        let level = |percent| f64::from(histogram.percentile(percent)) / f64::from(full);
        Exposure {
            low: level(1.0),
            median: level(50.0),
            high: level(99.8),
            saturated: light.map_or_else(|| histogram.share(full..=u16::MAX), |light| light.overexposed),
            black: light.map_or_else(|| histogram.share(0..=0), |light| light.underexposed),
        }
    }
}

/// A frame and what was found in it.
#[derive(Serialize)]
pub struct Seen<'o> {
    /// `observation`.
    #[serde(rename = "type")]
    kind: &'static str,
    number: u64,
    /// Its file's name, where it has one.
    name: Option<&'o str>,
    /// Seconds since 1970.
    taken: f64,
    width: usize,
    height: usize,
    pixel_size_um: Option<f64>,
    count: usize,
    density: Option<Density>,
    focus: Option<Focus>,
    exposure: Exposure,
    latency_ms: f64,
    objects: Vec<Outlined>,
}

/// An object, in pixels from the frame's upper left corner: pixel (0, 0) is the square from there to (1, 1).
#[derive(Serialize)]
struct Outlined {
    label: usize,
    class: u8,
    area_px: u32,
    diameter_px: f64,
    x: f64,
    y: f64,
    intensity_mean: Option<f64>,
    eccentricity: f64,
    touches_border: bool,
    /// Closed rings of corners, x and y in turn: boundaries and holes.
    outline: Vec<Vec<u32>>,
}

impl<'o> Seen<'o> {
    /// All of `observation`.
    pub fn new(observation: &'o Observation, focus: Option<Focus>, exposure: Exposure) -> Self {
        let Observation { number, shot, made, figures, pixel_size_um, times, .. } = observation;
        let image = &shot.image;
        let rings = outlines(&made.found.labels, image.width());
        let objects = made.found.objects.iter().zip(rings).zip(1..);
        Seen {
            kind: "observation",
            number: *number,
            name: shot.name.as_deref(),
            taken: shot.taken.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            width: image.width(),
            height: image.height(),
            pixel_size_um: *pixel_size_um,
            count: made.found.objects.len(),
            density: figures.as_ref().and_then(|figures| figures.density),
            focus,
            exposure,
            latency_ms: times.latency_ms,
            objects: objects
                .map(|((object, polygons), label)| Outlined {
                    label,
                    class: object.class(),
                    area_px: object.area(),
                    diameter_px: object.equivalent_diameter(),
                    // Core counts from the centre of the first pixel.
                    x: object.centroid().column + 0.5,
                    y: object.centroid().row + 0.5,
                    intensity_mean: object.intensity().map(|intensity| intensity.mean),
                    eccentricity: object.ellipse().eccentricity,
                    touches_border: object.touches_border(),
                    outline: polygons.iter().flat_map(corners).collect(),
                })
                .collect(),
        }
    }
}

fn corners(polygon: &Polygon) -> impl Iterator<Item = Vec<u32>> {
    let flat = |ring: &Ring| ring.corners().iter().flatten().copied().collect();
    std::iter::once(&polygon.outer).chain(&polygon.holes).map(flat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Channels;

    #[test]
    fn exposure_is_a_share_of_the_range() {
        let image = Image::new(1, 4, Channels::Grey, Samples::U8(vec![0, 51, 255, 255])).unwrap();
        let exposure = Exposure::of(&image, None);
        assert_eq!((exposure.low, exposure.median, exposure.high), (0.0, 0.2, 1.0));
        assert_eq!((exposure.saturated, exposure.black), (0.5, 0.25));
        let camera = drift::Exposure::of(&image, 50.0, 51);
        assert_eq!(Exposure::of(&image, Some(camera)).saturated, 0.75);
    }
}
