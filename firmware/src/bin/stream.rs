//! Segments frames of the host, and answers in the line protocol: `cargo run --release --bin stream -- a.pgm b.pgm`, or
//! `-- --size 640x480 a.raw`. Frames are up to 640 pixels wide. `--plan model.mtm` before them updates the store first.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microtome_app::{Lines, Store, Workspace};
use microtome_firmware::board::Board;
use microtome_firmware::host::{self, Files};
use microtome_firmware::{link_plan, program};
use static_cell::ConstStaticCell;

link_plan!("nuclei");

const WIDTH: usize = 640;
const OPEN: usize = 512;

static ARENA: ConstStaticCell<[u8; 640 * 1024]> = ConstStaticCell::new([0; 640 * 1024]);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { lines, mut pulse, plans }) = Board::take() else { program::idle(&"the board is taken") };
    let mut store = Store::new(plans);
    let arguments = host::arguments().unwrap_or_else(|_| program::idle(&"no command line of up to 4096 bytes"));
    let next = || (&arguments).next().and_then(Result::ok);
    let mut first = next();
    if first == Some("--plan") {
        next().into_iter().for_each(|name| host::update(&mut store, name));
        first = next();
    }
    let found = program::plan(&store);
    let mut source = Files::<WIDTH>::new(first, &arguments);
    let served = program::run(&found, ARENA.take(), WORKSPACE.take(), &mut source, &mut pulse, &mut Lines(lines));
    program::end(served)
}
