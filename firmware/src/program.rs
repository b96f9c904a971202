//! What programs share: the plan from its slot, a run with its account, and how it ends.

use core::fmt::{Display, Write};

use microtome_app::store::{Found, Slot, Store};
use microtome_app::{Report, RowSource, Served, Workspace, serve};
use microtome_core::{Frame, Kernel, Setup};

use crate::board::{self, PlanFlash, Pulse, Serial, exit};
use crate::memory::Account;

/// The newest plan. Without one, the device says what is wrong with the slots, and stays idle.
pub fn plan(store: &Store<PlanFlash>) -> Found<'_> {
    store.newest().unwrap_or_else(|| {
        for slot in Slot::ALL {
            if let Err(error) = store.read(slot) {
                let _ = writeln!(Serial, "# slot {slot:?}: {error}");
            }
        }
        idle(&"no plan to run")
    })
}

/// What an idle program ends with.
const IDLE: i32 = 3;

/// Nothing can run: says why, and waits for somebody to bring what is missing. Under QEMU nobody will, so that it ends.
pub fn idle(why: &dyn Display) -> ! {
    let _ = writeln!(Serial, "# idle: {why}");
    exit(IDLE)
}

/// Segments all that a source gives and reports it; then says, in lines for people, what it took.
pub fn run<const WIDTH: usize, const OPEN: usize>(
    found: &Found<'_>,
    arena: &mut [u8],
    workspace: &'static mut Workspace<WIDTH, OPEN>,
    source: &mut impl RowSource,
    pulse: &mut Pulse,
    report: &mut impl Report,
) -> Served {
    let before = pulse.instructions();
    let kernel = Kernel::best();
    let served = serve(&found.plan, kernel, arena, workspace, source, pulse, report);
    let instructions = pulse.instructions() - before;
    let _ = writeln!(Serial, "# board {}, kernel {}, {instructions} instructions", board::NAME, kernel.name());
    // Nobody listens on a line that takes everything only if it is cut.
    served.unwrap_or_else(|fault| idle(&fault))
}

/// Says where the memory went, after frames like `frame`.
pub fn account<const WIDTH: usize, const OPEN: usize>(found: &Found<'_>, frame: Frame, arena: &mut [u8]) {
    let setup = Setup::alone(Kernel::best());
    let needed = found.plan.arena_len_in(frame, &setup, arena).ok().and_then(|len| len.total());
    let account = Account::now(needed.unwrap_or(usize::MAX), size_of::<Workspace<WIDTH, OPEN>>());
    let _ = writeln!(Serial, "# memory {account}");
}

/// Ends a program that served frames: well if none failed.
pub fn end(served: Served) -> ! {
    exit(if served.faults == 0 { 0 } else { 1 })
}
