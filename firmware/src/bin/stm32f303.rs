//! `nuclei-micro` on frames of 96x96, in the memory of an STM32F303xC: 48 KiB of RAM in all, which the linker enforces.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::Workspace;
use microtome_core::Frame;
use microtome_firmware::{board, link_plan, models, program};
use static_cell::ConstStaticCell;

link_plan!("nuclei-micro");

const HEIGHT: u32 = 96;
const WIDTH: usize = 96;
const OPEN: usize = 24;

static ARENA: ConstStaticCell<[u8; 29_824]> = ConstStaticCell::new([0; 29_824]);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let kernel = board::kernel::<{ models::NUCLEI_MICRO }>();
    let arena = ARENA.take().as_mut_slice().into();
    program::part(kernel, arena, WORKSPACE.take(), Frame::grey(HEIGHT, WIDTH as u32), HEIGHT)
}
