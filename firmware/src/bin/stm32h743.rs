//! `nuclei` on frames 560 pixels wide, in the memory of an STM32H743: small things and the stack in the DTCM, the arena in
//! the AXI SRAM. Frames of 640x480 take 570 KiB of arena, more than the AXI SRAM has: they wait for sessions that use
//! SRAM1 to 3 as well.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::frames::{Scene, Synthetic};
use microtome_app::{Lines, Store, Workspace};
use microtome_core::Frame;
use microtome_firmware::board::Board;
use microtome_firmware::{link_plan, program, region};
use static_cell::ConstStaticCell;

link_plan!("nuclei");

/// Rows and columns of a frame, as the account has it.
const SIZE: (u32, u32) = (420, 560);
/// Rows that are run: memory does not depend on how many there are, and emulating all would take a minute.
const ROWS: u32 = 96;
const WIDTH: usize = SIZE.1 as usize;
const OPEN: usize = 256;

static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { lines, mut pulse, plans }) = Board::take() else { program::idle(&"the board is taken") };
    let Some(arena) = region!(".axi", 512 * 1024) else { program::idle(&"the arena is taken") };
    let store = Store::new(plans);
    let found = program::plan(&store);
    let mut source = Synthetic::<WIDTH>::new(Scene::Nuclei, ROWS, SIZE.1);
    let served = program::run(&found, arena, WORKSPACE.take(), &mut source, &mut pulse, &mut Lines(lines));
    program::account::<WIDTH, OPEN>(&found, Frame::grey(SIZE.0, SIZE.1), arena);
    program::end(served)
}
