//! MPS2 with the FPGA images AN385, AN386 and AN500: a Cortex-M3, M4F or M7 at 25 MHz.

use super::cmsdk::{Block, Counter, Dog, Uart};

/// QEMU's name of the machine.
pub const NAME: &str = if cfg!(feature = "an385") {
    "mps2-an385"
} else if cfg!(feature = "an500") {
    "mps2-an500"
} else {
    "mps2-an386"
};

/// Interrupts that it has.
pub const INTERRUPTS: usize = 32;

/// A tick of the 25 MHz clock.
pub const TICK_PS: u64 = 40_000;

/// Longest time between two rows, in ticks: 20 s, which no row of a frame takes under QEMU's clock.
const PATIENCE: u32 = 20 * 25_000_000;

// SAFETY: UART0 of the machine, and only here.
pub static SERIAL: Uart = Uart(unsafe { Block::at(0x4000_4000) });
// SAFETY: TIMER0 of the machine, and only here.
static TIMER: Block = unsafe { Block::at(0x4000_0000) };
/// Its control register; bit 0 lets it count.
const CONTROL: usize = 0x00;
/// Its value, which falls.
const VALUE: usize = 0x04;
/// What it falls from.
const RELOAD: usize = 0x08;

/// The watchdog, running.
pub fn dog() -> Dog {
    // SAFETY: the watchdog of the machine, which `Board::take` asks for once.
    Dog::start(unsafe { Block::at(0x4000_8000) }, PATIENCE)
}

/// The counter of ticks.
pub fn counter() -> Counter {
    TIMER.write(RELOAD, u32::MAX);
    TIMER.write(VALUE, u32::MAX);
    TIMER.write(CONTROL, 1);
    Counter::new(|| u32::MAX - TIMER.read(VALUE))
}
