//! A pin and its sense.

use embedded_hal::digital::{InputPin, OutputPin, PinState};

/// A pin that means "on" when it is high or, `active_low`, when it is low.
#[derive(Debug)]
pub struct Line<P> {
    pin: P,
    active_low: bool,
}

impl<P> Line<P> {
    /// A line over a pin.
    pub fn new(pin: P, active_low: bool) -> Self {
        Line { pin, active_low }
    }
}

impl<P: OutputPin> Line<P> {
    /// Switches it.
    ///
    /// # Errors
    /// The pin's.
    pub fn set(&mut self, on: bool) -> Result<(), P::Error> {
        self.pin.set_state(PinState::from(on != self.active_low))
    }
}

impl<P: InputPin> Line<P> {
    /// Whether it is on.
    ///
    /// # Errors
    /// The pin's.
    pub fn is_on(&mut self) -> Result<bool, P::Error> {
        Ok(self.pin.is_high()? != self.active_low)
    }
}
