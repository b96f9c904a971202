//! Segments the built-in frame and prints its objects; `main.out` is what comes out, on every board and in a test on the
//! host. Lines that start with `#` are measurements, each machine's own.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::report::Words;
use microtome_app::{Still, Store, Workspace, frames};
use microtome_firmware::board::Board;
use microtome_firmware::{link_plan, program};
use static_cell::ConstStaticCell;

link_plan!("nuclei");

const WIDTH: usize = 96;
const OPEN: usize = 64;

static ARENA: ConstStaticCell<[u8; 256 * 1024]> = ConstStaticCell::new([0; 256 * 1024]);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { lines, mut pulse, plans }) = Board::take() else { program::idle(&"the board is taken") };
    let (arena, store) = (ARENA.take(), Store::new(plans));
    let found = program::plan(&store);
    let mut source = Still::new(frames::size(), frames::NUCLEI);
    let served = program::run(&found, arena, WORKSPACE.take(), &mut source, &mut pulse, &mut Words(lines));
    program::account::<WIDTH, OPEN>(&found, frames::size(), arena);
    program::end(served)
}
