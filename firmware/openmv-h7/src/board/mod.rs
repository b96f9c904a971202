//! The OpenMV Cam H7: what of the microcontroller is used for what.
//!
//! | part | use |
//! | --- | --- |
//! | PC6 PC7 PE0 PE1 PE4 PB6 PE5 PE6, PA4, PB7, PA6 | DCMI: D0 to D7, HSYNC, VSYNC, pixel clock |
//! | PA8 (TIM1) | the sensor's clock |
//! | PB8, PB9 (I2C1) | the sensor's registers |
//! | PA10, PD7 | the sensor's reset (low) and power-down (high) |
//! | PA11, PA12 (OTG FS) | USB |
//! | PC0, PC1, PC2 | red, green, blue LED, on when low |
//! | PE2 | the infrared LEDs, on when low |
//! | PD12 (P7), PD13 (P8) | the microscope's light, and a trigger |
//! | DMA1 stream 0 | lines |
//! | TIM2 | time |
//! | UART4's interrupt | runs the tasks of USB, as software asks for it |
//!
//! Pins are those of OpenMV's `boards/OPENMV4`.

mod capture;
mod clocks;
mod fault;
mod lamp;
mod memory;
mod plans;
mod sensor;
mod serial;

use core::cell::Cell;

use embassy_stm32::flash::Flash;
use embassy_stm32::gpio::{AnyPin, Level, Output, Speed};
use embassy_stm32::peripherals::IWDG1;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, bind_interrupts, dma, i2c, pac, peripherals, usb};
use microtome_app::{SourceError, Watchdog};
use microtome_openmv_h7::pace::Pace;

pub use fault::{Before, restart_into_bootloader};
pub use lamp::{Lamps, Signal};
pub use plans::PlanMemory;
pub use sensor::Microscope;
pub use serial::{Inbox, Serial};

bind_interrupts!(struct Irqs {
    OTG_FS => usb::InterruptHandler<peripherals::USB_OTG_FS>;
    DMA1_STREAM0 => dma::InterruptHandler<peripherals::DMA1_CH0>;
});

/// Longest time between two rows, in µs; nearly all that the watchdog can count (4096 · 256 / 32 kHz).
const PATIENCE_US: u32 = 30_000_000;

/// All that the program needs of the board.
pub struct Board {
    /// How the run before this one ended.
    pub before: Before,
    /// The line to the computer.
    pub serial: Serial,
    /// What the computer sends.
    pub inbox: Inbox,
    /// The watchdog, running.
    pub dog: Dog,
    /// Where plans are kept.
    pub plans: PlanMemory,
    /// The camera with its light; or why there is none.
    pub microscope: Result<Microscope, SourceError>,
    /// The LEDs that say how it goes.
    pub lamps: Lamps,
    /// The arena's banks.
    pub banks: [&'static mut [u8]; 2],
}

impl Board {
    /// Sets the board up. `pace` is where the camera finds out how slowly lines come.
    ///
    /// # Panics
    /// The second time.
    pub fn take(pace: &'static Cell<Pace>) -> Board {
        let mut core = cortex_m::Peripherals::take().expect("the core's peripherals are taken here only");
        fault::hush(&mut core);
        memory::protect(&mut core);
        let p = embassy_stm32::init(clocks::config());
        memory::start();
        // SAFETY: all handlers of interrupts that can come are in place, and nothing is under way that they could disturb.
        unsafe { cortex_m::interrupt::enable() };
        let before = fault::before();

        let (serial, inbox) = serial::start(p.USB_OTG_FS, p.PA12, p.PA11);
        let mut dog = IndependentWatchdog::new(p.IWDG1, PATIENCE_US);
        dog.unleash();
        let plans = PlanMemory::new(Flash::new_blocking(p.FLASH), core.SCB);
        let off = |pin: Peri<'static, AnyPin>| Output::new(pin, Level::High, Speed::Low);
        let lamps = Lamps { red: off(p.PC0.into()), green: off(p.PC1.into()), blue: off(p.PC2.into()) };
        let light = if cfg!(feature = "infrared") {
            sensor::Light::on_when_low(p.PE2.into(), p.PD12.into())
        } else {
            sensor::Light::on_when_high(p.PD12.into(), p.PE2.into())
        };
        let trigger = Output::new(p.PD13, Level::Low, Speed::Low);
        let capture = capture::Lines::new(
            (p.DCMI, p.DMA1_CH0, Irqs),
            (p.PC6, p.PC7, p.PE0, p.PE1, p.PE4, p.PB6, p.PE5, p.PE6),
            (p.PA4, p.PB7, p.PA6),
            pace,
        );
        let i2c = i2c::I2c::new_blocking(p.I2C1, p.PB8, p.PB9, i2c::Config::default());
        let clock = sensor::Clock::start(p.TIM1, p.PA8);
        let microscope = sensor::power_up(clock, p.PD7.into(), p.PA10.into(), i2c)
            .and_then(|powered| powered.microscope((light, trigger), capture, pace.get()));
        Board { before, serial, inbox, dog: Dog(dog), plans, microscope, lamps, banks: memory::banks() }
    }
}

/// The independent watchdog.
pub struct Dog(IndependentWatchdog<'static, IWDG1>);

impl Watchdog for Dog {
    fn feed(&mut self) {
        self.0.pet();
    }
}

/// The silicon's revision: Y is 0x1003, V is 0x2003 (RM0433, DBGMCU_IDC).
fn revision() -> u16 {
    pac::DBGMCU.idc().read().rev_id()
}

/// The last revision that is not to run faster than 400 MHz, and reads the AXI SRAM wrongly unless told otherwise.
const REVISION_Y: u16 = 0x1003;
