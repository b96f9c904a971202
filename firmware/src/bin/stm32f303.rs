//! `nuclei-micro` on frames of 96x96, in the memory of an STM32F303xC: 48 KiB of RAM in all, which the linker enforces.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::frames::{Scene, Synthetic};
use microtome_app::{Lines, Store, Workspace};
use microtome_core::Frame;
use microtome_firmware::board::Board;
use microtome_firmware::{link_plan, program};
use static_cell::ConstStaticCell;

link_plan!("nuclei-micro");

/// Rows and columns of a frame.
const SIZE: (u32, u32) = (96, 96);
const WIDTH: usize = SIZE.1 as usize;
const OPEN: usize = 24;

static ARENA: ConstStaticCell<[u8; 22_912]> = ConstStaticCell::new([0; 22_912]);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { lines, mut pulse, plans }) = Board::take() else { program::idle(&"the board is taken") };
    let (arena, store) = (ARENA.take(), Store::new(plans));
    let found = program::plan(&store);
    let mut source = Synthetic::<WIDTH>::new(Scene::Nuclei, SIZE.0, SIZE.1);
    let served = program::run(&found, arena, WORKSPACE.take(), &mut source, &mut pulse, &mut Lines(lines));
    program::account::<WIDTH, OPEN>(&found, Frame::grey(SIZE.0, SIZE.1), arena);
    program::end(served)
}
