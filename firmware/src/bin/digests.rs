//! Every model of the zoo on every shared scene, one line each; `digests.out` is what comes out, on every board and, by
//! every kernel there, in a test on the host.
#![no_std]
#![no_main]

use core::fmt::Write;

use cortex_m_rt::entry;
use microtome_app::{Workspace, digest};
use microtome_core::{Kernel, Plan};
use microtome_firmware::board::{Board, exit};
use microtome_firmware::program;
use static_cell::ConstStaticCell;

const ZOO: [(&str, &[u8]); 3] = [
    ("nuclei", include_bytes!("../../../models/zoo/nuclei/model.mtm")),
    ("nuclei-micro", include_bytes!("../../../models/zoo/nuclei-micro/model.mtm")),
    ("phase", include_bytes!("../../../models/zoo/phase/model.mtm")),
];

static ARENA: ConstStaticCell<[u8; digest::ARENA]> = ConstStaticCell::new([0; digest::ARENA]);
static WORKSPACE: ConstStaticCell<Workspace<{ digest::WIDTH }, { digest::OPEN }>> =
    ConstStaticCell::new(Workspace::EMPTY);

#[entry]
fn main() -> ! {
    let Some(Board { mut lines, mut pulse, .. }) = Board::take() else { program::idle(&"the board is taken") };
    let (arena, workspace) = (ARENA.take(), WORKSPACE.take());
    for (model, bytes) in ZOO {
        let plan = Plan::parse(bytes).unwrap_or_else(|error| program::idle(&error));
        for scene in digest::SCENES {
            let line = digest::run(model, &plan, scene, Kernel::best(), arena, workspace, &mut pulse);
            let line = line.unwrap_or_else(|fault| program::idle(&fault));
            // The serial line takes everything.
            let _ = writeln!(lines, "{line}");
        }
    }
    exit(0)
}
