//! Step pulses for the driver of a stage or a pump.

use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;

use super::Line;

/// How fast steps follow each other: from `start` to `rate` and back, at a constant acceleration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Steps per second, once it is up to speed.
    pub rate: f64,
    /// Steps per second that the motor starts and stops at without losing any.
    pub start: f64,
    /// Steps per second, per second.
    pub acceleration: f64,
}

/// Steps per second that can be asked for; pulses by an operating system's clock are no faster.
pub const RATES: std::ops::RangeInclusive<f64> = 0.01..=20_000.0;

/// Longest high time that common drivers ask of a pulse, and the shortest low time.
const PULSE: Duration = Duration::from_micros(5);

/// From setting the direction, or switching the driver on, to the first step.
const SETUP: Duration = Duration::from_millis(1);

impl Pace {
    /// All steps at one rate.
    pub fn steady(rate: f64) -> Self {
        Pace { rate, start: rate, acceleration: 0.0 }
    }

    /// The time from step `k` of `n` to the next: the speed after k steps is √(start² + 2·acceleration·k), and braking mirrors it.
    fn interval(&self, k: u64, n: u64) -> Duration {
        let from_end = k.min(n - 1 - k) as f64;
        let speed = (self.start.powi(2) + 2.0 * self.acceleration * from_end).sqrt().min(self.rate);
        Duration::from_secs_f64(1.0 / speed.clamp(*RATES.start(), *RATES.end()))
    }
}

/// A stepper driver: step, and where they are wired, direction and enable.
#[derive(Debug)]
pub struct Steps<O, D> {
    step: Line<O>,
    direction: Option<Line<O>>,
    enable: Option<Line<O>>,
    delay: D,
}

impl<O: OutputPin, D: DelayNs> Steps<O, D> {
    /// A driver, without current.
    ///
    /// # Errors
    /// A pin's.
    pub fn new(step: Line<O>, direction: Option<Line<O>>, enable: Option<Line<O>>, delay: D) -> Result<Self, O::Error> {
        let mut steps = Steps { step, direction, enable, delay };
        steps.step.set(false)?;
        steps.power(false)?;
        Ok(steps)
    }

    /// Whether it can go backwards.
    pub fn has_direction(&self) -> bool {
        self.direction.is_some()
    }

    /// Makes `count` steps, backwards where that is negative, unless `stop` says so before; returns how many it made. The motor is
    /// without current before and after.
    ///
    /// # Errors
    /// A pin's; the driver is switched off then too, if it lets itself.
    pub fn run(&mut self, count: i64, pace: &Pace, stop: impl FnMut() -> bool) -> Result<u64, O::Error> {
        if let Some(direction) = &mut self.direction {
            direction.set(count < 0)?;
        }
        self.power(true)?;
        let made = self.pulses(count.unsigned_abs(), pace, stop);
        self.power(false)?;
        made
    }

    fn pulses(&mut self, count: u64, pace: &Pace, mut stop: impl FnMut() -> bool) -> Result<u64, O::Error> {
        self.wait(SETUP);
        for k in 0..count {
            if stop() {
                return Ok(k);
            }
            self.step.set(true)?;
            self.wait(PULSE);
            self.step.set(false)?;
            self.wait(pace.interval(k, count) - PULSE);
        }
        Ok(count)
    }

    fn power(&mut self, on: bool) -> Result<(), O::Error> {
        self.enable.as_mut().map_or(Ok(()), |enable| enable.set(on))
    }

    fn wait(&mut self, time: Duration) {
        // RATES keeps it below 100 s.
        self.delay.delay_us(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::delay::{CheckedDelay, NoopDelay, Transaction as Wait};
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;

    fn pin(states: &[State]) -> Mock {
        Mock::new(&states.iter().map(|&state| Transaction::set(state)).collect::<Vec<_>>())
    }

    const LOW: State = State::Low;
    const HIGH: State = State::High;

    #[test]
    fn pulses_come_at_their_rate_with_direction_and_current() {
        let mut step = pin(&[LOW, HIGH, LOW, HIGH, LOW]);
        let mut direction = pin(&[HIGH]);
        // Enable is active low, as with most drivers.
        let mut enable = pin(&[HIGH, LOW, HIGH]);
        let waits = [1000, 5, 9995, 5, 9995].map(Wait::delay_us);
        let mut delay = CheckedDelay::new(&waits);
        let line = |pin: &Mock, active_low| Line::new(pin.clone(), active_low);
        let mut steps =
            Steps::new(line(&step, false), Some(line(&direction, false)), Some(line(&enable, true)), delay.clone())
                .unwrap();
        assert_eq!(steps.run(-2, &Pace::steady(100.0), || false), Ok(2));
        for pin in [&mut step, &mut direction, &mut enable] {
            pin.done();
        }
        delay.done();
    }

    #[test]
    fn steps_end_when_told_to() {
        let mut step = pin(&[LOW, HIGH, LOW, HIGH, LOW]);
        let mut steps = Steps::new(Line::new(step.clone(), false), None, None, NoopDelay::new()).unwrap();
        let mut asked = 0;
        let stop = || {
            asked += 1;
            asked > 2
        };
        assert_eq!(steps.run(1000, &Pace::steady(1000.0), stop), Ok(2));
        step.done();
    }

    #[test]
    fn a_broken_pin_leaves_the_motor_without_current() {
        let fault = MockError::Io(std::io::ErrorKind::BrokenPipe);
        let mut step = Mock::new(&[Transaction::set(LOW), Transaction::set(HIGH).with_error(fault.clone())]);
        let mut enable = pin(&[LOW, HIGH, LOW]);
        let line = |pin: &Mock| Line::new(pin.clone(), false);
        let mut steps = Steps::new(line(&step), None, Some(line(&enable)), NoopDelay::new()).unwrap();
        assert_eq!(steps.run(5, &Pace::steady(1000.0), || false), Err(fault));
        step.done();
        enable.done();
    }

    #[test]
    fn a_ramp_rises_to_the_rate_and_mirrors_itself() {
        let pace = Pace { rate: 1000.0, start: 100.0, acceleration: 10_000.0 };
        let intervals: Vec<Duration> = (0..200).map(|k| pace.interval(k, 200)).collect();
        assert_eq!(intervals[0], Duration::from_millis(10));
        // v² = v0² + 2·a·k reaches 1000² at k = 49.5.
        assert!(intervals[49] > Duration::from_millis(1) && intervals[50] == Duration::from_millis(1));
        assert!(intervals[..50].is_sorted_by(|a, b| a > b));
        assert!(intervals.iter().eq(intervals.iter().rev()));
        // Too short to get there: it turns in the middle.
        assert!((0..20).all(|k| pace.interval(k, 20) > Duration::from_millis(1)));
    }
}
