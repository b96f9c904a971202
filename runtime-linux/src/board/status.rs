//! The status LED: blink codes that can be told apart across a room.

use std::time::Duration;

use embedded_hal::digital::OutputPin;

use super::Line;

/// What the LED tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Signal {
    /// All is well: a short flash every two seconds
    Running,
    /// Something wants a look: two flashes every two seconds
    Warning,
    /// It does not work: fast blinking
    Error,
}

impl Signal {
    /// Whether the LED is lit at this time; the code repeats for ever.
    pub fn is_lit(self, elapsed: Duration) -> bool {
        // Milliseconds: the code's length, and the flashes in it.
        let (period, flashes): (u128, &[(u128, u128)]) = match self {
            Signal::Running => (2000, &[(0, 100)]),
            Signal::Warning => (2000, &[(0, 200), (400, 600)]),
            Signal::Error => (200, &[(0, 100)]),
        };
        let time = elapsed.as_millis() % period;
        flashes.iter().any(|(from, to)| (*from..*to).contains(&time))
    }
}

/// The LED. Dropping it switches it off.
#[derive(Debug)]
pub struct Status<O: OutputPin> {
    line: Line<O>,
    lit: bool,
}

impl<O: OutputPin> Status<O> {
    /// An LED, switched off.
    ///
    /// # Errors
    /// The pin's.
    pub fn new(mut line: Line<O>) -> Result<Self, O::Error> {
        line.set(false)?;
        Ok(Status { line, lit: false })
    }

    /// Shows what the signal is at this time; call it some twenty times a second. The pin is written only when it changes.
    ///
    /// # Errors
    /// The pin's.
    pub fn show(&mut self, signal: Signal, elapsed: Duration) -> Result<(), O::Error> {
        let lit = signal.is_lit(elapsed);
        if lit != self.lit {
            self.line.set(lit)?;
            self.lit = lit;
        }
        Ok(())
    }
}

impl<O: OutputPin> Drop for Status<O> {
    fn drop(&mut self) {
        // There is nobody left to tell, and nothing else to try.
        let _ = self.line.set(false);
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let flashes = |signal: Signal| {
            let lit = |ms| signal.is_lit(Duration::from_millis(ms));
            (0..4000).filter(|&ms| lit(ms) && !lit(ms + 3999)).count()
        };
        assert_eq!([Signal::Running, Signal::Warning, Signal::Error].map(flashes), [2, 4, 20]);
    }

    #[test]
    fn the_pin_is_written_when_it_changes() {
        let written = [State::Low, State::High, State::Low, State::Low].map(Transaction::set);
        let mut pin = Mock::new(&written);
        let mut status = Status::new(Line::new(pin.clone(), false)).unwrap();
        for ms in (0..2000).step_by(20) {
            status.show(Signal::Running, Duration::from_millis(ms)).unwrap();
        }
        drop(status);
        pin.done();
    }
}
