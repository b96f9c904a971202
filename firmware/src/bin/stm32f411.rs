//! `nuclei-micro` on frames of 320x240, in the memory of an STM32F411xE: 128 KiB of RAM in all, which the linker
//! enforces.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::Workspace;
use microtome_core::Frame;
use microtome_firmware::{board, link_plan, models, program};
use static_cell::ConstStaticCell;

link_plan!("nuclei-micro");

const HEIGHT: u32 = 240;
const WIDTH: usize = 320;
const OPEN: usize = 112;

static ARENA: ConstStaticCell<[u8; 93_760]> = ConstStaticCell::new([0; 93_760]);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let kernel = board::kernel::<{ models::NUCLEI_MICRO }>();
    let arena = ARENA.take().as_mut_slice().into();
    program::part(kernel, arena, WORKSPACE.take(), Frame::grey(HEIGHT, WIDTH as u32), HEIGHT)
}
