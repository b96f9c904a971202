//! Executed instructions, by a timer of the emulated machine: QEMU's `-icount shift=N` lets 2^N ns pass with each.
//!
//! Neither is asked for long enough at a time to wrap twice: a row of a frame.

/// CMSDK's TIMER0 on the MPS2 boards, 32 bits at 25 MHz, under `-icount shift=6`.
#[cfg(not(feature = "thumbv8m-mve"))]
mod timer {
    const CONTROL: *mut u32 = 0x4000_0000 as *mut u32;
    const VALUE: *mut u32 = 0x4000_0004 as *mut u32;
    const RELOAD: *mut u32 = 0x4000_0008 as *mut u32;
    /// One less than what it counts down from.
    pub const MASK: u32 = u32::MAX;
    /// Nanoseconds of a tick, and of an instruction.
    pub const TICK: (u64, u64) = (40, 1);
    pub const INSTRUCTION: u64 = 64;

    pub fn start() {
        // SAFETY: the timer's registers, which nothing else uses.
        unsafe {
            RELOAD.write_volatile(MASK);
            VALUE.write_volatile(MASK);
            CONTROL.write_volatile(1);
        }
    }

    pub fn value() -> u32 {
        // SAFETY: as above.
        unsafe { VALUE.read_volatile() }
    }
}

/// SysTick on mps3-an547, 24 bits at 32 MHz, under `-icount shift=5`.
#[cfg(feature = "thumbv8m-mve")]
mod timer {
    const CONTROL: *mut u32 = 0xe000_e010 as *mut u32;
    const RELOAD: *mut u32 = 0xe000_e014 as *mut u32;
    const VALUE: *mut u32 = 0xe000_e018 as *mut u32;
    /// One less than what it counts down from.
    pub const MASK: u32 = 0xff_ffff;
    /// Nanoseconds of a tick, and of an instruction.
    pub const TICK: (u64, u64) = (125, 4);
    pub const INSTRUCTION: u64 = 32;

    pub fn start() {
        // SAFETY: the timer's registers, which nothing else uses.
        unsafe {
            RELOAD.write_volatile(MASK);
            VALUE.write_volatile(0);
            // On, with the processor's clock.
            CONTROL.write_volatile(5);
        }
    }

    pub fn value() -> u32 {
        // SAFETY: as above.
        unsafe { VALUE.read_volatile() }
    }
}

pub use timer::{start, value as now};

/// Ticks since the timer had this value; it counts down.
pub fn since(start: u32) -> u64 {
    u64::from(start.wrapping_sub(timer::value()) & timer::MASK)
}

/// Instructions of so many ticks.
pub fn instructions(ticks: u64) -> u64 {
    let (nanoseconds, of) = timer::TICK;
    ticks * nanoseconds / (of * timer::INSTRUCTION)
}
