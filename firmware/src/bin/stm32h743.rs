//! `nuclei` on frames of 640x480, in the memory of an STM32H743: small things and the stack in the DTCM, the arena in the AXI
//! SRAM, and what that has no room for in SRAM1 to 3.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::Workspace;
use microtome_core::Frame;
use microtome_core::session::Arena;
use microtome_firmware::{board, link_plan, models, program, region};
use static_cell::ConstStaticCell;

link_plan!("nuclei");

const HEIGHT: u32 = 480;
/// Rows that are run: memory does not depend on how many there are, and emulating all would take a minute.
const ROWS: u32 = 96;
const WIDTH: usize = 640;
const OPEN: usize = 256;

static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(main) = region!(".axi", 512 * 1024) else { program::idle(&"the AXI SRAM is taken") };
    let Some(more) = region!(".sram", 288 * 1024) else { program::idle(&"SRAM1 to 3 are taken") };
    let kernel = board::kernel::<{ models::NUCLEI }>();
    program::part(kernel, Arena { main, more }, WORKSPACE.take(), Frame::grey(HEIGHT, WIDTH as u32), ROWS)
}
