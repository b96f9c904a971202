//! The trigger: edges of an input, debounced.
//!
//! Levels are polled, and edges found here: that works the same on every machine, and debouncing has to look at levels anyway. A pulse
//! shorter than `hold`, or than the interval of polling, is none.

use std::time::{Duration, Instant};

use embedded_hal::digital::InputPin;
use serde::Serialize;

use super::Line;

/// How the input changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// It went on.
    On,
    /// It went off.
    Off,
}

/// Between two looks at the pin.
const POLL: Duration = Duration::from_micros(500);

/// An input that something outside triggers by.
#[derive(Debug)]
pub struct Trigger<I> {
    line: Line<I>,
    hold: Duration,
    on: bool,
    /// Since when the pin has disagreed with `on`.
    changing: Option<Instant>,
}

impl<I: InputPin> Trigger<I> {
    /// A trigger whose level has to `hold` for so long before it counts.
    ///
    /// # Errors
    /// The pin's.
    pub fn new(mut line: Line<I>, hold: Duration) -> Result<Self, I::Error> {
        let on = line.is_on()?;
        Ok(Trigger { line, hold, on, changing: None })
    }

    /// Whether it is on, bouncing aside.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Looks at the pin at the time `now`; times must not go backwards.
    ///
    /// # Errors
    /// The pin's.
    pub fn poll(&mut self, now: Instant) -> Result<Option<Edge>, I::Error> {
        if self.line.is_on()? == self.on {
            self.changing = None;
            return Ok(None);
        }
        let since = *self.changing.get_or_insert(now);
        if now.saturating_duration_since(since) < self.hold {
            return Ok(None);
        }
        (self.on, self.changing) = (!self.on, None);
        Ok(Some(if self.on { Edge::On } else { Edge::Off }))
    }

    /// Waits for an edge; `None` where none came in time.
    ///
    /// # Errors
    /// The pin's.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<Edge>, I::Error> {
        let start = Instant::now();
        loop {
            let now = Instant::now();
            if let Some(edge) = self.poll(now)? {
                return Ok(Some(edge));
            }
            if now - start >= timeout {
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;

    /// The edges of a pin that reads so, once per millisecond, and the milliseconds at which they were seen.
    fn edges(levels: &str, active_low: bool, hold: u64) -> Vec<(usize, Edge)> {
        let state = |c| Transaction::get(if c == '1' { State::High } else { State::Low });
        let mut pin = Mock::new(&levels.chars().map(state).collect::<Vec<_>>());
        let mut trigger = Trigger::new(Line::new(pin.clone(), active_low), Duration::from_millis(hold)).unwrap();
        let start = Instant::now();
        let looks = (1..levels.len()).map(|ms| (ms, trigger.poll(start + Duration::from_millis(ms as u64)).unwrap()));
        let found = looks.filter_map(|(ms, edge)| Some((ms, edge?))).collect();
        pin.done();
        found
    }

    #[test]
    fn edges_are_seen_once() {
        assert_eq!(edges("0011100", false, 0), [(2, Edge::On), (5, Edge::Off)]);
        assert_eq!(edges("0011100", true, 0), [(2, Edge::Off), (5, Edge::On)]);
        assert_eq!(edges("1111", false, 0), []);
    }

    #[test]
    fn bounces_are_none() {
        assert_eq!(edges("0101100111111", false, 3), [(10, Edge::On)]);
        assert_eq!(edges("0010010010", false, 2), []);
    }
}
