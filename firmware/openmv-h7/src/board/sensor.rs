//! The sensor and the light, from power-up to a camera.

use core::convert::Infallible;

use embassy_stm32::Peri;
use embassy_stm32::gpio::{AnyPin, Level, Output, OutputType, Speed};
use embassy_stm32::i2c::{I2c, Master};
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::{PA8, TIM1};
use embassy_stm32::time::Hertz;
use embassy_stm32::timer::low_level::CountingMode;
use embassy_stm32::timer::simple_pwm::{PwmPin, SimplePwm};
use embassy_time::{Duration, block_for};
use embedded_hal::digital::{ErrorType, OutputPin};
use microtome_app::{Camera, SourceError};
use microtome_core::Frame;
use microtome_openmv_h7::ov7725::{ADDRESS, IDENTITY, PID, REGISTERS, RESET, Resolution, VER};
use microtome_openmv_h7::pace::{Pace, XCLK};
use microtome_openmv_h7::{HEIGHT, WIDTH};

use super::capture::Lines;

type Bus = I2c<'static, Blocking, Master>;

/// The camera with its light and trigger.
pub type Microscope = Camera<Bus, Light, Output<'static>, Lines>;

/// The light, whichever it is; the other one is off.
pub struct Light {
    light: Output<'static>,
    on: Level,
    _dark: Output<'static>,
}

impl Light {
    /// The pin P7, which a transistor of the light hangs on; the infrared LEDs stay off.
    pub fn on_when_high(pin: Peri<'static, AnyPin>, infrared: Peri<'static, AnyPin>) -> Light {
        let light = Output::new(pin, Level::Low, Speed::Low);
        Light { light, on: Level::High, _dark: Output::new(infrared, Level::High, Speed::Low) }
    }

    /// The infrared LEDs; P7 stays low.
    pub fn on_when_low(infrared: Peri<'static, AnyPin>, pin: Peri<'static, AnyPin>) -> Light {
        let light = Output::new(infrared, Level::High, Speed::Low);
        Light { light, on: Level::Low, _dark: Output::new(pin, Level::Low, Speed::Low) }
    }
}

impl ErrorType for Light {
    type Error = Infallible;
}

impl OutputPin for Light {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.light.set_level(if self.on == Level::High { Level::Low } else { Level::High });
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.light.set_level(self.on);
        Ok(())
    }
}

/// The sensor's clock, running.
pub struct Clock {
    _pwm: SimplePwm<'static, TIM1>,
}

impl Clock {
    /// Starts it: [`XCLK`], half of the time high.
    pub fn start(timer: Peri<'static, TIM1>, pin: Peri<'static, PA8>) -> Clock {
        let pin = PwmPin::new(pin, OutputType::PushPull);
        let mut pwm = SimplePwm::new(timer, Some(pin), None, None, None, Hertz(XCLK), CountingMode::EdgeAlignedUp);
        pwm.ch1().set_duty_cycle_fraction(1, 2);
        pwm.ch1().enable();
        Clock { _pwm: pwm }
    }
}

/// A sensor that answered to its name. Its clock and pins stay as they are for good.
pub struct Powered {
    i2c: Bus,
}

/// Switches the sensor on, resets it, and asks who it is.
///
/// # Errors
/// It does not answer, or is another.
pub fn power_up(
    clock: Clock,
    power_down: Peri<'static, AnyPin>,
    reset: Peri<'static, AnyPin>,
    mut i2c: Bus,
) -> Result<Powered, SourceError> {
    let pause = || block_for(Duration::from_millis(10));
    // As OpenMV does it: off and on, then a reset, which is active when low.
    let mut power_down = Output::new(power_down, Level::High, Speed::Low);
    let mut reset = Output::new(reset, Level::Low, Speed::Low);
    pause();
    power_down.set_low();
    pause();
    reset.set_high();
    pause();
    core::mem::forget((clock, power_down, reset));

    let silent = |_| SourceError::Device("the sensor does not answer");
    i2c.blocking_write(ADDRESS, &[RESET.0, RESET.1]).map_err(silent)?;
    pause();
    let mut identity = [0; IDENTITY.len()];
    for (register, value) in [PID, VER].into_iter().zip(&mut identity) {
        // Not in one transaction: SCCB, which the sensor speaks, knows no repeated start.
        i2c.blocking_write(ADDRESS, &[register]).map_err(silent)?;
        i2c.blocking_read(ADDRESS, core::slice::from_mut(value)).map_err(silent)?;
    }
    if identity != IDENTITY {
        return Err(SourceError::Device("the sensor is no OV7725"));
    }
    Ok(Powered { i2c })
}

impl Powered {
    /// Writes the sensor's registers.
    ///
    /// # Errors
    /// It does not answer any more.
    pub fn microscope(
        self,
        (light, trigger): (Light, Output<'static>),
        capture: Lines,
        pace: Pace,
    ) -> Result<Microscope, SourceError> {
        let mut registers = [RESET; REGISTERS + 3];
        let (fixed, paced) = registers.split_at_mut(REGISTERS);
        fixed.copy_from_slice(&Resolution::BUILT.registers());
        paced.copy_from_slice(&pace.registers());
        let frame = Frame::grey(HEIGHT as u32, WIDTH as u32);
        Camera::new(self.i2c, ADDRESS, &registers, (light, trigger), capture, frame)
    }
}
