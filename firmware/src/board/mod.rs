//! The machine that the program is built for, by Cargo feature.
//!
//! | feature | QEMU machine | CPU |
//! | --- | --- | --- |
//! | `an385` | mps2-an385 | Cortex-M3, no FPU |
//! | `an386` (default) | mps2-an386 | Cortex-M4F |
//! | `an500` | mps2-an500 | Cortex-M7 |
//! | `an547` | mps3-an547 | Cortex-M55 |
//!
//! All four carry Arm's CMSDK peripherals at different addresses, so one [`Board`] serves them; a file per family says
//! where they are. A board of another kind is a crate of its own beside this one, on the traits of the app.

mod cmsdk;
#[cfg(any(feature = "an385", feature = "an386", feature = "an500"))]
#[path = "mps2.rs"]
mod machine;
#[cfg(feature = "an547")]
#[path = "an547.rs"]
mod machine;

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

pub use cmsdk::{Counter, Dog};
pub use machine::NAME;
use microtome_app::Watchdog;
use microtome_app::store::Emulated;
use microtome_core::Only;

use crate::memory;

/// Flash for plans: memory that behaves as an STM32G4's flash does, which writes 8 bytes and erases 2 KiB.
pub type PlanFlash = Emulated<'static, 8, 2048>;

/// The kernels of the CPU.
#[cfg(any(feature = "an386", feature = "an500"))]
pub type Isa = microtome_core::arch::cortex_m::Dsp;
/// The kernels of the CPU.
#[cfg(feature = "an547")]
pub type Isa = microtome_core::arch::cortex_m::Mve;
/// The kernels of the CPU.
#[cfg(feature = "an385")]
pub type Isa = microtome_core::arch::Scalar;

/// The kernels of the CPU, with code for these operators only.
pub const fn kernel<const OPERATORS: u32>() -> Only<Isa, OPERATORS> {
    Only(Isa::NEW)
}

/// All that a program needs of the machine.
pub struct Board {
    /// The serial line that records leave by.
    pub lines: Serial,
    /// The watchdog, running, and the counter of instructions.
    pub pulse: Pulse,
    /// Where plans are kept.
    pub plans: PlanFlash,
}

impl Board {
    /// Sets the machine up; `None` after the first time.
    pub fn take() -> Option<Board> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::AcqRel) {
            return None;
        }
        machine::SERIAL.start();
        // SAFETY: asked for once, as TAKEN sees to.
        let plans = Emulated::new(unsafe { memory::plans() });
        let pulse = Pulse { dog: machine::dog(), counter: machine::counter() };
        Some(Board { lines: Serial, pulse, plans })
    }
}

/// The serial line.
#[derive(Clone, Copy, Debug)]
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        machine::SERIAL.write(text.as_bytes());
        Ok(())
    }
}

/// What beats with every row: the watchdog is fed, and the counter looked at before it can wrap.
#[derive(Debug)]
pub struct Pulse {
    dog: Dog,
    counter: Counter,
}

impl Pulse {
    /// Instructions executed since the start. The runner has QEMU count 64 ns of the machine's clock for each.
    pub fn instructions(&mut self) -> u64 {
        let ticks = self.counter.ticks();
        ticks * machine::TICK_PS / INSTRUCTION_PS
    }
}

/// What `-icount shift=6` makes of an instruction.
const INSTRUCTION_PS: u64 = 64_000;

impl Watchdog for Pulse {
    fn feed(&mut self) {
        self.dog.feed();
        self.counter.ticks();
    }
}

/// Ends the program. On a machine without a host, this is where it would wait for the next command, or reset.
pub fn exit(code: i32) -> ! {
    machine::SERIAL.flush();
    semihosting::process::exit(code)
}

/// Which machine the runner is to start.
#[used]
#[unsafe(link_section = ".board")]
static BOARD: [u8; NAME.len()] = {
    let mut name = [0; NAME.len()];
    name.copy_from_slice(NAME.as_bytes());
    name
};

unsafe extern "C" {
    /// See [`last`](crate::last).
    fn DefaultHandler();
}

/// What the machine's interrupts call, of which none is asked for. Without this table, cortex-m-rt has one for as many as a
/// CPU may have, in up to 2 KiB.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); machine::INTERRUPTS] = [DefaultHandler; machine::INTERRUPTS];
