//! The pins of a Raspberry Pi, by rppal, which takes the model from the device tree and drives the registers.

use std::time::Duration;

use embedded_hal::pwm::{ErrorType, SetDutyCycle};
use rppal::gpio::{self, Gpio};
use rppal::pwm::{self, Channel, Polarity, Pwm};
use rppal::system::DeviceInfo;

use super::{Fault, Illumination, Line, Part, Pins, Status, Steps, ThisBoard, Trigger};

/// An input.
pub type Input = gpio::InputPin;
/// An output.
pub type Output = gpio::OutputPin;
/// The clock of step pulses.
pub type Delay = rppal::hal::Delay;

/// The light's pin: dimmed by a thread that switches it, or by the PWM peripheral.
#[derive(Debug)]
pub enum Lamp {
    /// Any GPIO, and the period of its pulses.
    Program(Output, Duration),
    /// A channel of the peripheral.
    Hardware(Pwm),
}

/// Duty cycles are in thousandths.
const MOST: u16 = 1000;

impl ErrorType for Lamp {
    type Error = Fault;
}

impl SetDutyCycle for Lamp {
    fn max_duty_cycle(&self) -> u16 {
        MOST
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Fault> {
        match self {
            Lamp::Hardware(pwm) => {
                pwm.set_duty_cycle(f64::from(duty) / f64::from(MOST)).map_err(|e| Fault(channel_fault(&e)))
            }
            Lamp::Program(pin, period) if (1..MOST).contains(&duty) => {
                pin.set_pwm(*period, *period * u32::from(duty) / u32::from(MOST)).map_err(|e| Fault(fault(&e)))
            }
            Lamp::Program(pin, _) => {
                // Waits for the thread's end: it would switch the pin once more.
                pin.clear_pwm().map_err(|e| Fault(fault(&e)))?;
                pin.write(if duty == 0 { gpio::Level::Low } else { gpio::Level::High });
                Ok(())
            }
        }
    }
}

/// Opens the pins of this Raspberry Pi; outputs are inactive, the motor is without current.
///
/// # Errors
/// One sentence: this is no Raspberry Pi, a pin does not exist or is not to be had, or pins contradict each other.
pub fn open(pins: &Pins) -> Result<ThisBoard, String> {
    pins.check()?;
    let gpio = Gpio::new().map_err(|e| fault(&e))?;
    let machine = DeviceInfo::new().map_or_else(|e| e.to_string(), |info| info.model().to_string());
    let opened = Opened { gpio, pins };
    let light = match opened.lamp()? {
        Some(lamp) => Some(Illumination::new(lamp, pins.is_active_low(Part::Light)).map_err(|e| e.to_string())?),
        None => None,
    };
    let trigger = opened.input(Part::Trigger, pins.trigger)?;
    let trigger = trigger.map(|line| Trigger::new(line, pins.trigger_hold())).transpose().map_err(never)?;
    let [step, direction, enable, status] = [
        (Part::Step, pins.step),
        (Part::Direction, pins.direction),
        (Part::Enable, pins.enable),
        (Part::Status, pins.status),
    ]
    .map(|(part, pin)| opened.output(part, pin));
    let (direction, enable) = (direction?, enable?);
    let steps = step?.map(|step| Steps::new(step, direction, enable, Delay::new())).transpose().map_err(never)?;
    let status = status?.map(Status::new).transpose().map_err(never)?;
    Ok(ThisBoard { machine, light, trigger, steps, status, delay: Delay::new() })
}

/// The GPIO's pins cannot fail.
fn never(fault: std::convert::Infallible) -> String {
    match fault {}
}

struct Opened<'p> {
    gpio: Gpio,
    pins: &'p Pins,
}

impl Opened<'_> {
    fn lamp(&self) -> Result<Option<Lamp>, String> {
        let period = self.pins.light_period();
        if let Some(number) = self.pins.light_pwm {
            let channel = match number {
                0 => Channel::Pwm0,
                1 => Channel::Pwm1,
                2 => Channel::Pwm2,
                3 => Channel::Pwm3,
                _ => return Err(format!("board: PWM channel {number} does not exist; they are 0 to 3")),
            };
            // Which level is "on" is the Illumination's business.
            let mut pwm = Pwm::with_period(channel, period, Duration::ZERO, Polarity::Normal, true)
                .map_err(|e| channel_fault(&e))?;
            pwm.set_reset_on_drop(false);
            return Ok(Some(Lamp::Hardware(pwm)));
        }
        let pin = self.driven(Part::Light, self.pins.light)?;
        Ok(pin.map(|pin| Lamp::Program(pin, period)))
    }

    fn output(&self, part: Part, number: Option<u8>) -> Result<Option<Line<Output>>, String> {
        let pin = self.driven(part, number)?;
        Ok(pin.map(|pin| Line::new(pin, self.pins.is_active_low(part))))
    }

    /// A pin that is driven to its inactive level, and stays so when the program ends: an input's level would be anybody's guess.
    fn driven(&self, part: Part, number: Option<u8>) -> Result<Option<Output>, String> {
        let Some(number) = number else { return Ok(None) };
        let pin = self.gpio.get(number).map_err(|e| fault(&e))?;
        let mut pin = if self.pins.is_active_low(part) { pin.into_output_high() } else { pin.into_output_low() };
        pin.set_reset_on_drop(false);
        Ok(Some(pin))
    }

    fn input(&self, part: Part, number: Option<u8>) -> Result<Option<Line<Input>>, String> {
        let Some(number) = number else { return Ok(None) };
        let pin = self.gpio.get(number).map_err(|e| fault(&e))?;
        let active_low = self.pins.is_active_low(part);
        let pin = if active_low { pin.into_input_pullup() } else { pin.into_input_pulldown() };
        Ok(Some(Line::new(pin, active_low)))
    }
}

fn fault(error: &gpio::Error) -> String {
    match error {
        gpio::Error::UnknownModel => NO_PI.into(),
        gpio::Error::PermissionDenied(path) => {
            format!("board: {path} may not be opened: add the user to the group gpio")
        }
        gpio::Error::PinNotAvailable(pin) => format!("board: this Raspberry Pi has no GPIO {pin}"),
        other => format!("board: {other}"),
    }
}

fn channel_fault(error: &pwm::Error) -> String {
    match error {
        pwm::Error::UnknownModel => NO_PI.into(),
        _ => format!(
            "board: the PWM channel cannot be used ({error}): it needs dtoverlay=pwm in config.txt and the group gpio"
        ),
    }
}

/// What a machine that is none is told.
const NO_PI: &str = "board: this machine is not a Raspberry Pi, so there is no light, trigger, stepper or status LED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_pins_says_so() {
        // The one thing that can be tried everywhere but on a Raspberry Pi; there, QEMU tries the rest (`cargo xtask pi`).
        if DeviceInfo::new().is_err() {
            let error = open(&Pins { light: Some(18), ..Pins::default() }).err();
            assert_eq!(error.as_deref(), Some(NO_PI));
        }
    }
}
