//! The light: off, on, dimmed, or on for one exposure.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use embedded_hal::delay::DelayNs;
use embedded_hal::pwm::SetDutyCycle;

use crate::camera::Shot;

/// How bright: 0 is off, 1 is all there is.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level(f32);

impl Level {
    /// No light.
    pub const OFF: Level = Level(0.0);
    /// All of it.
    pub const ON: Level = Level(1.0);

    /// A level; `None` unless it is from 0 to 1.
    pub fn new(level: f32) -> Option<Self> {
        (0.0..=1.0).contains(&level).then_some(Level(level))
    }

    /// Whether a pin shows it without pulses.
    pub fn is_steady(self) -> bool {
        self == Level::OFF || self == Level::ON
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text {
            "off" => Some(Level::OFF),
            "on" => Some(Level::ON),
            _ => text.parse().ok().and_then(Level::new),
        };
        level.ok_or_else(|| "expected on, off or a level from 0 to 1".into())
    }
}

/// Light for one exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flash {
    /// How bright.
    pub level: Level,
    /// From switching on until the light is steady.
    pub settle: Duration,
    /// From the beginning of an exposure to the time that the camera gives its frame: at most a frame's interval.
    pub exposure: Duration,
}

/// Frames from before the light that [`Illumination::flash`] lets pass.
const STALE_FRAMES: usize = 30;

/// The light. Dropping it switches it off.
#[derive(Debug)]
pub struct Illumination<L: SetDutyCycle> {
    lamp: L,
    active_low: bool,
    stays: bool,
}

impl<L: SetDutyCycle> Illumination<L> {
    /// A light, switched off.
    ///
    /// # Errors
    /// The lamp's.
    pub fn new(lamp: L, active_low: bool) -> Result<Self, L::Error> {
        let mut light = Illumination { lamp, active_low, stays: false };
        light.set(Level::OFF)?;
        Ok(light)
    }

    /// Sets how bright it is.
    ///
    /// # Errors
    /// The lamp's.
    pub fn set(&mut self, level: Level) -> Result<(), L::Error> {
        let most = self.lamp.max_duty_cycle();
        let duty = (level.0 * f32::from(most)).round() as u16;
        self.lamp.set_duty_cycle(if self.active_low { most - duty } else { duty })
    }

    /// Leaves the light as it is when this is dropped.
    pub fn stay(&mut self) {
        self.stays = true;
    }

    /// Lights one exposure: on, until the light is `settle`d; frames from `next` until one whose exposure began after that; and off again,
    /// whatever came of it. `None` where `next` had no frame, or only older ones, of which it lets 30 pass.
    ///
    /// # Errors
    /// The lamp's.
    pub fn flash(
        &mut self,
        delay: &mut impl DelayNs,
        flash: Flash,
        next: impl FnMut() -> Option<Shot>,
    ) -> Result<Option<Shot>, L::Error> {
        self.set(flash.level)?;
        delay.delay_us(u32::try_from(flash.settle.as_micros()).unwrap_or(u32::MAX));
        let lit = SystemTime::now() + flash.exposure;
        let shot = std::iter::from_fn(next).take(STALE_FRAMES).find(|shot| shot.taken >= lit);
        self.set(Level::OFF)?;
        Ok(shot)
    }
}

impl<L: SetDutyCycle> Drop for Illumination<L> {
    fn drop(&mut self) {
        if !self.stays {
            // There is nobody left to tell, and nothing else to try.
            let _ = self.set(Level::OFF);
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::delay::{CheckedDelay, Transaction as Wait};
    use embedded_hal_mock::eh1::pwm::{Mock, Transaction as Pwm};

    use super::*;
    use crate::source::{Channels, Image, Samples};

    /// A lamp of 1000 levels that expects these, and off at the end of it.
    fn lamp(duties: &[u16]) -> Mock {
        let calls = duties.iter().flat_map(|&duty| [Pwm::max_duty_cycle(1000), Pwm::set_duty_cycle(duty)]);
        Mock::new(&calls.collect::<Vec<_>>())
    }

    fn shot(taken: SystemTime) -> Shot {
        Shot { taken, ..Shot::now(Image::new(1, 1, Channels::Grey, Samples::U8(vec![0])).unwrap()) }
    }

    #[test]
    fn levels_are_duty_cycles_and_the_light_goes_out() {
        let mut lamp = lamp(&[0, 1000, 250, 0]);
        let mut light = Illumination::new(lamp.clone(), false).unwrap();
        light.set(Level::ON).unwrap();
        light.set("0.25".parse().unwrap()).unwrap();
        drop(light);
        lamp.done();
    }

    #[test]
    fn active_low_is_the_other_way_round_and_may_stay() {
        let mut lamp = lamp(&[1000, 0]);
        let mut light = Illumination::new(lamp.clone(), true).unwrap();
        light.set(Level::ON).unwrap();
        light.stay();
        drop(light);
        lamp.done();
    }

    #[test]
    fn a_flash_waits_for_a_frame_exposed_in_its_light() {
        let mut lamp = lamp(&[0, 1000, 0, 0]);
        let mut delay = CheckedDelay::new(&[Wait::delay_us(2000)]);
        let mut light = Illumination::new(lamp.clone(), false).unwrap();
        let [settle, exposure] = [2, 40].map(Duration::from_millis);
        let start = SystemTime::now();
        // One frame from before, one whose exposure began in the dark, one in the light.
        let mut ages = [0, 39, 5000, 9000].into_iter();
        let next = || ages.next().map(|after| shot(start + Duration::from_millis(after)));
        let flash = Flash { level: Level::ON, settle, exposure };
        let found = light.flash(&mut delay, flash, next).unwrap().unwrap();
        assert_eq!(found.taken, start + Duration::from_secs(5));
        assert_eq!(ages.next(), Some(9000));
        drop(light);
        lamp.done();
        delay.done();
    }

    #[test]
    fn a_flash_without_a_frame_goes_out_all_the_same() {
        let mut lamp = lamp(&[0, 500, 0, 0]);
        let mut delay = CheckedDelay::new(&[Wait::delay_us(0)]);
        let mut light = Illumination::new(lamp.clone(), false).unwrap();
        let flash = Flash { level: Level(0.5), settle: Duration::ZERO, exposure: Duration::ZERO };
        let mut asked = 0;
        let old = || {
            asked += 1;
            Some(shot(SystemTime::UNIX_EPOCH))
        };
        assert!(light.flash(&mut delay, flash, old).unwrap().is_none());
        assert_eq!(asked, STALE_FRAMES);
        drop(light);
        lamp.done();
        delay.done();
    }

    #[test]
    fn levels_are_from_nought_to_one() {
        assert_eq!(("on".parse(), "off".parse()), (Ok(Level::ON), Ok(Level::OFF)));
        for bad in ["1.1", "-0.1", "NaN", "bright", ""] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}
