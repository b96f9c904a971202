//! MPS3 with the FPGA image AN547: a Cortex-M55 in an SSE-300 subsystem at 32 MHz. Addresses are the secure ones.

use super::cmsdk::{Block, Counter, Dog, Uart};

/// QEMU's name of the machine.
pub const NAME: &str = "mps3-an547";

/// Interrupts that it has.
pub const INTERRUPTS: usize = 128;

/// A tick of the 32 MHz clock.
pub const TICK_PS: u64 = 31_250;

/// Longest time between two rows, in ticks of the slow clock of 32,768 Hz: 20 s.
const PATIENCE: u32 = 20 * 32_768;

// SAFETY: UART0 of the machine, and only here.
pub static SERIAL: Uart = Uart(unsafe { Block::at(0x5930_3000) });
// SAFETY: the control frame of the subsystem's counter (SSE-300), and only here.
static COUNTER: Block = unsafe { Block::at(0x5810_0000) };
/// Its control register; bit 0 lets it count.
const CONTROL: usize = 0x00;
/// The lower half of its value.
const VALUE: usize = 0x08;

/// The watchdog, running.
pub fn dog() -> Dog {
    // SAFETY: the watchdog of the slow clock, which `Board::take` asks for once.
    Dog::start(unsafe { Block::at(0x5802_e000) }, PATIENCE)
}

/// The counter of ticks.
pub fn counter() -> Counter {
    COUNTER.write(CONTROL, 1);
    Counter::new(|| COUNTER.read(VALUE))
}
