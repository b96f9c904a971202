//! Whether the light is still what it was.
//!
//! The lamp's level is a percentile of the luma, and its colour the same percentile of red and of blue over that of green: in transmitted
//! light most pixels are background, so their median hardly depends on what swims by. An alarm rises above its limit and falls below
//! four fifths of it, so that a value at the limit does not make it flicker.

use serde::{Deserialize, Serialize};

use super::profile::{Alarms, Illumination};
use crate::source::{Channels, Histogram, Image};

/// Where an alarm falls, as a share of where it rises.
const HYSTERESIS: f64 = 0.8;

/// The light of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// The lamp's level, in the frame's units.
    pub brightness: f64,
    /// Its red over its green; none in a grey frame, or without green.
    pub red_over_green: Option<f64>,
    /// Its blue over its green, likewise.
    pub blue_over_green: Option<f64>,
    /// Share of the samples at full scale.
    pub overexposed: f64,
    /// Share of the samples at 0.
    pub underexposed: f64,
}

impl Exposure {
    /// Of `image`, as the camera gave it. `percentile` (0 to 100) stands for the lamp; `full_scale` is the largest sample.
    pub fn of(image: &Image, percentile: f64, full_scale: u16) -> Self {
        let samples = Histogram::of_samples(image);
        let level = |histogram: &Histogram| f64::from(histogram.percentile(percentile));
        let (brightness, [red_over_green, blue_over_green]) = match image.channels() {
            Channels::Grey => (level(&samples), [None; 2]),
            Channels::Rgb => {
                let [red, green, blue] = [0, 1, 2].map(|channel| level(&Histogram::of_channel(image, channel)));
                let over_green = [red, blue].map(|level| (green > 0.0).then(|| level / green));
                (level(&Histogram::of(image)), over_green)
            }
        };
        Exposure {
            brightness,
            red_over_green,
            blue_over_green,
            overexposed: samples.share(full_scale..=u16::MAX),
            underexposed: samples.share(0..=0),
        }
    }
}

/// What is wrong with the light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// Brighter or darker than the reference.
    Brightness,
    /// Of another colour than the reference.
    WhiteBalance,
    /// Too many samples at full scale.
    Overexposed,
    /// Too many samples at 0.
    Underexposed,
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Alarm::Brightness => "brightness off its reference",
            Alarm::WhiteBalance => "white balance off its reference",
            Alarm::Overexposed => "overexposed",
            Alarm::Underexposed => "underexposed",
        })
    }
}

/// A value that must stay below a limit.
#[derive(Debug, Clone, Copy)]
struct Latch {
    limit: f64,
    on: bool,
}

impl Latch {
    fn see(&mut self, value: f64) -> bool {
        self.on = value > if self.on { HYSTERESIS * self.limit } else { self.limit };
        self.on
    }
}

/// What a value should be: known, or the mean of the first frames.
#[derive(Debug, Clone, Copy, Default)]
struct Reference {
    sum: f64,
    frames: u32,
    known: Option<f64>,
}

impl Reference {
    fn new(known: Option<f64>) -> Self {
        Reference { known, ..Reference::default() }
    }

    /// How far `value` is from the reference, as a share of it; nothing while the reference is being learned from `frames` frames.
    fn deviation(&mut self, value: Option<f64>, frames: u32) -> Option<f64> {
        let value = value?;
        if self.known.is_none() {
            self.sum += value;
            self.frames += 1;
            if self.frames >= frames {
                self.known = Some(self.sum / f64::from(self.frames));
            }
            return None;
        }
        let known = self.known.filter(|&known| known > 0.0)?;
        Some((value / known - 1.0).abs())
    }
}

/// How light is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    percentile: f64,
    bits: Option<u32>,
}

impl Meter {
    /// The light of `image`, as the camera gave it.
    pub fn read(&self, image: &Image) -> Exposure {
        let depth = if matches!(image.samples(), crate::source::Samples::U8(_)) { 8 } else { 16 };
        let bits = self.bits.map_or(depth, |bits| bits.min(depth));
        Exposure::of(image, self.percentile, ((1_u32 << bits) - 1) as u16)
    }
}

/// The alarms of a run.
pub struct Watch {
    meter: Meter,
    reference_frames: u32,
    brightness: Reference,
    red: Reference,
    blue: Reference,
    latches: [(Alarm, Latch); 4],
}

impl Watch {
    /// Nothing seen yet. `bits` are those of a sample, where they are fewer than the frames' 8 or 16.
    pub fn new(light: &Illumination, alarms: &Alarms, bits: Option<u32>) -> Self {
        let latch = |limit| Latch { limit, on: false };
        Watch {
            meter: Meter { percentile: light.percentile.0, bits },
            reference_frames: light.reference_frames,
            brightness: Reference::new(light.brightness.map(|v| v.0)),
            red: Reference::new(light.red_over_green.map(|v| v.0)),
            blue: Reference::new(light.blue_over_green.map(|v| v.0)),
            latches: [
                (Alarm::Brightness, latch(alarms.brightness.0)),
                (Alarm::WhiteBalance, latch(alarms.white_balance.0)),
                (Alarm::Overexposed, latch(alarms.overexposed.0)),
                (Alarm::Underexposed, latch(alarms.underexposed.0)),
            ],
        }
    }

    /// The light of the next frame, as the camera gave it, and the alarms that are on.
    pub fn see(&mut self, image: &Image) -> (Exposure, Vec<Alarm>) {
        let exposure = self.meter.read(image);
        (exposure, self.judge(&exposure))
    }

    /// How light is measured.
    pub(super) fn meter(&self) -> Meter {
        self.meter
    }

    /// The alarms that are on, after the light of the next frame.
    pub(super) fn judge(&mut self, exposure: &Exposure) -> Vec<Alarm> {
        let frames = self.reference_frames;
        let brightness = self.brightness.deviation(Some(exposure.brightness), frames);
        let red = self.red.deviation(exposure.red_over_green, frames);
        let blue = self.blue.deviation(exposure.blue_over_green, frames);
        let colour = red.into_iter().chain(blue).reduce(f64::max);
        let values = [brightness, colour, Some(exposure.overexposed), Some(exposure.underexposed)];
        let mut on = Vec::new();
        for ((alarm, latch), value) in self.latches.iter_mut().zip(values) {
            if value.is_some_and(|value| latch.see(value)) {
                on.push(*alarm);
            }
        }
        on
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::number::Positive;
    use crate::source::Samples;

    fn grey(lamp: u8) -> Image {
        // Three of ten pixels are an object.
        let samples = (0..10).map(|pixel| if pixel < 3 { 5 } else { lamp }).collect();
        Image::new(2, 5, Channels::Grey, Samples::U8(samples)).unwrap()
    }

    fn rgb(lamp: [u8; 3]) -> Image {
        Image::new(1, 4, Channels::Rgb, Samples::U8(lamp.repeat(4))).unwrap()
    }

    fn watch(light: Illumination) -> Watch {
        Watch::new(&light, &Alarms::default(), None)
    }

    #[test]
    fn the_lamp_is_what_most_pixels_show() {
        let exposure = Exposure::of(&grey(180), 50.0, 180);
        assert_eq!((exposure.brightness, exposure.overexposed, exposure.underexposed), (180.0, 0.7, 0.0));
        assert_eq!(exposure.red_over_green, None);
        let exposure = Exposure::of(&rgb([150, 100, 0]), 50.0, 255);
        assert_eq!((exposure.red_over_green, exposure.blue_over_green), (Some(1.5), Some(0.0)));
        assert_eq!(exposure.underexposed, 1.0 / 3.0);
        assert_eq!(Exposure::of(&rgb([150, 0, 9]), 50.0, 255).red_over_green, None);
    }

    #[test]
    fn alarms_rise_late_and_fall_later() {
        let mut watch = watch(Illumination { reference_frames: 2, ..Illumination::default() });
        // The reference is (190 + 210) / 2.
        let seen: Vec<bool> = [190, 210, 200, 219, 221, 219, 217, 215, 219, 170, 183, 185]
            .map(|lamp| watch.see(&grey(lamp)).1.contains(&Alarm::Brightness))
            .into();
        let expected = [false, false, false, false, true, true, true, false, false, true, true, false];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_value_at_the_limit_does_not_flicker() {
        let light = Illumination { brightness: Some(Positive(200.0)), ..Illumination::default() };
        let mut watch = watch(light);
        let changes = (0..40)
            .map(|step| watch.see(&grey(if step % 2 == 0 { 221 } else { 219 })).1.len())
            .collect::<Vec<_>>()
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count();
        assert_eq!(changes, 0);
    }

    #[test]
    fn colours_are_watched_beside_brightness() {
        let light = Illumination { reference_frames: 1, ..Illumination::default() };
        let mut watch = watch(light);
        assert_eq!(watch.see(&rgb([100, 100, 100])).1, []);
        assert_eq!(watch.see(&rgb([104, 100, 100])).1, []);
        assert_eq!(watch.see(&rgb([100, 100, 92])).1, [Alarm::WhiteBalance]);
        assert_eq!(watch.see(&rgb([80, 80, 80])).1, [Alarm::Brightness]);
        assert_eq!(watch.see(&rgb([100, 0, 100])).1, [Alarm::Brightness, Alarm::Underexposed]);
    }

    #[test]
    fn full_scale_follows_the_bits() {
        let deep = Image::new(1, 2, Channels::Grey, Samples::U16(vec![4095, 100])).unwrap();
        assert_eq!(watch(Illumination::default()).see(&deep).1, []);
        let mut twelve = Watch::new(&Illumination::default(), &Alarms::default(), Some(12));
        let (exposure, alarms) = twelve.see(&deep);
        assert_eq!((exposure.overexposed, alarms), (0.5, vec![Alarm::Overexposed]));
    }
}
