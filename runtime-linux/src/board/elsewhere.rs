//! Builds without a board: pins that cannot exist, so that whoever uses a board compiles everywhere.

use std::convert::Infallible;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use embedded_hal::pwm::{self, SetDutyCycle};

use super::{Fault, Pins, ThisBoard};

/// No pin, no lamp, no clock: there is no value of it.
#[derive(Debug)]
pub enum Nothing {}

/// The light's pin.
pub type Lamp = Nothing;
/// An input.
pub type Input = Nothing;
/// An output.
pub type Output = Nothing;
/// The clock of step pulses.
pub type Delay = Nothing;

impl ErrorType for Nothing {
    type Error = Infallible;
}

impl OutputPin for Nothing {
    fn set_low(&mut self) -> Result<(), Infallible> {
        match *self {}
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        match *self {}
    }
}

impl InputPin for Nothing {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        match *self {}
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        match *self {}
    }
}

impl pwm::ErrorType for Nothing {
    type Error = Fault;
}

impl SetDutyCycle for Nothing {
    fn max_duty_cycle(&self) -> u16 {
        match *self {}
    }

    fn set_duty_cycle(&mut self, _: u16) -> Result<(), Fault> {
        match *self {}
    }
}

impl DelayNs for Nothing {
    fn delay_ns(&mut self, _: u32) {
        match *self {}
    }
}

/// There is no board to open.
///
/// # Errors
/// Always.
pub fn open(pins: &Pins) -> Result<ThisBoard, String> {
    pins.check()?;
    Err("this build drives no pins: those of a Raspberry Pi need the feature raspberry, on Linux".into())
}
