//! The cases of the app, on the board: one after another, by name. One that fails panics, which ends the program with a
//! code that is not zero.
#![no_std]
#![no_main]

#[path = "../app/tests/cases/mod.rs"]
mod cases;

use core::fmt::Write;

use cases::{Kit, faults, plans};
use cortex_m_rt::entry;
use microtome_app::Watchdog;
use microtome_firmware::board::{Board, exit};
use microtome_firmware::program;
use static_cell::ConstStaticCell;

static KIT: ConstStaticCell<Kit> = ConstStaticCell::new(Kit::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { mut lines, mut pulse, .. }) = Board::take() else { program::idle(&"the board is taken") };
    let kit = KIT.take();
    for (name, case) in faults::ALL.iter().chain(&plans::ALL) {
        let _ = write!(lines, "{name} ... ");
        pulse.feed();
        case(kit, &mut pulse);
        let _ = writeln!(lines, "ok");
    }
    exit(0)
}
