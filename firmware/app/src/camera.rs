//! A real sensor as a row source: its registers by I²C, the light of the microscope, a trigger, and its lines.
//!
//! Parts come as embedded-hal's traits, so any HAL fits. Only the lines do not: capture hardware (DCMI with DMA, a
//! parallel port, a serial link) is each its own, and stands behind [`Capture`].
//!
//! For each exposure the light goes on, the trigger pin is pulsed, the rows are taken, and the light goes off again:
//! a specimen bleaches while it is lit.

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use microtome_core::Frame;

use crate::source::{RowSource, SourceError};

/// Brings in the lines of an exposure. A driver lends a line out of a short ring that its hardware fills.
pub trait Capture {
    /// Gets ready for the first line of the next exposure.
    ///
    /// # Errors
    /// The hardware says so.
    fn start(&mut self) -> Result<(), SourceError>;

    /// Waits for the next line, for as long as a line may take.
    ///
    /// # Errors
    /// [`SourceError::TimedOut`], and [`SourceError::Overrun`] if it came too late to be read.
    fn line(&mut self) -> Result<&[u8], SourceError>;
}

/// A sensor's register and what to write into it.
pub type Register = (u8, u8);

/// A sensor with its light and trigger.
#[derive(Debug)]
pub struct Camera<I, L, T, C> {
    i2c: I,
    address: u8,
    light: L,
    trigger: T,
    capture: C,
    frame: Frame,
    rows_left: u32,
}

impl<I: I2c, L: OutputPin, T: OutputPin, C: Capture> Camera<I, L, T, C> {
    /// Writes the sensor's registers in this order, and leaves the light off.
    ///
    /// # Errors
    /// The sensor does not answer at `address`, or a pin does not switch.
    pub fn new(
        mut i2c: I,
        address: u8,
        registers: &[Register],
        (mut light, mut trigger): (L, T),
        capture: C,
        frame: Frame,
    ) -> Result<Self, SourceError> {
        light.set_low().map_err(|_| SourceError::Device("the light does not switch"))?;
        trigger.set_low().map_err(|_| SourceError::Device("the trigger does not switch"))?;
        for &(register, value) in registers {
            i2c.write(address, &[register, value]).map_err(|_| SourceError::Device("the sensor does not answer"))?;
        }
        Ok(Camera { i2c, address, light, trigger, capture, frame, rows_left: 0 })
    }

    /// Writes one register: exposure, gain.
    ///
    /// # Errors
    /// The sensor does not answer.
    pub fn set(&mut self, (register, value): Register) -> Result<(), SourceError> {
        let written = self.i2c.write(self.address, &[register, value]);
        written.map_err(|_| SourceError::Device("the sensor does not answer"))
    }

    /// Gives the parts back.
    pub fn release(self) -> (I, L, T, C) {
        (self.i2c, self.light, self.trigger, self.capture)
    }

    fn expose(&mut self) -> Result<(), SourceError> {
        self.light.set_high().map_err(|_| SourceError::Device("the light does not switch"))?;
        self.capture.start()?;
        let mut pulse = || {
            self.trigger.set_high()?;
            self.trigger.set_low()
        };
        pulse().map_err(|_: T::Error| SourceError::Device("the trigger does not switch"))?;
        self.rows_left = self.frame.height;
        Ok(())
    }

    fn dark(&mut self) -> Result<(), SourceError> {
        self.light.set_low().map_err(|_| SourceError::Device("the light does not switch"))
    }
}

impl<I: I2c, L: OutputPin, T: OutputPin, C: Capture> RowSource for Camera<I, L, T, C> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        self.again()?;
        Ok(Some(self.frame))
    }

    fn again(&mut self) -> Result<(), SourceError> {
        let exposed = self.expose();
        if exposed.is_err() {
            self.dark()?;
        }
        exposed
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        self.rows_left = self.rows_left.saturating_sub(1);
        // The last row is read out after its exposure.
        if self.rows_left == 0 {
            self.dark()?;
        }
        self.capture.line()
    }

    fn abandon(&mut self) {
        // Nobody is left to be told if it stays on.
        let _ = self.dark();
    }
}
