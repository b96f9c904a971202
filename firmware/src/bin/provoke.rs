//! Ends in each of the ways that a program can end badly, for a test to see that it says so: `overflow`, `wild`,
//! `panic`, `watchdog`, `idle`.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use microtome_app::Store;
use microtome_firmware::board::Board;
use microtome_firmware::{host, program};

#[entry]
fn main() -> ! {
    let Some(Board { plans, .. }) = Board::take() else { program::idle(&"the board is taken") };
    let arguments = host::arguments().unwrap_or_else(|_| program::idle(&"no command line"));
    match (&arguments).next() {
        Some(Ok("overflow")) => panic!("{} levels deep", deeper(1)),
        Some(Ok("wild")) => panic!("{}", wild()),
        Some(Ok("watchdog")) => loop {
            cortex_m::asm::nop();
        },
        // Nothing was linked into this program's slots.
        Some(Ok("idle")) => panic!("a plan of {} bytes", program::plan(&Store::new(plans)).plan.file_len()),
        _ => panic!("as it was told"),
    }
}

/// Calls itself until the stack is used up.
#[inline(never)]
fn deeper(level: u32) -> u32 {
    let page = black_box([level; 64]);
    if level == 0 { page[0] } else { deeper(level.wrapping_add(1)) + black_box(page)[1] }
}

/// Reads where no machine has memory.
fn wild() -> u32 {
    // SAFETY: none: this is the fault to be provoked. Nothing comes of the read but the CPU's exception.
    unsafe { core::ptr::with_exposed_provenance::<u32>(black_box(0xf000_0000)).read_volatile() }
}
