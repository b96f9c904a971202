//! What programs share: the plan from its slot, a run with its account, and how it ends.

use core::fmt::{Display, Write};

use microtome_app::frames::{Scene, Synthetic};
use microtome_app::store::{Found, Slot, Store};
use microtome_app::{Lines, Report, RowSource, Served, Workspace, serve};
use microtome_core::session::Arena;
use microtome_core::{Compute, Frame, Setup};

use crate::board::{self, Board, PlanFlash, Pulse, Serial, exit};
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
pub fn run<'a, const WIDTH: usize, const OPEN: usize>(
    found: &Found<'_>,
    kernel: impl Compute,
    arena: impl Into<Arena<'a>>,
    workspace: &'static mut Workspace<WIDTH, OPEN>,
    source: &mut impl RowSource,
    pulse: &mut Pulse,
    report: &mut impl Report,
) -> Served {
    let before = pulse.instructions();
    if found.plan.packing() != Some(kernel.name()) {
        let _ = writeln!(Serial, "# its weights are packed into memory: `microtome pack` leaves them in flash");
    }
    let served = serve(&found.plan, kernel, arena, workspace, source, pulse, report);
    let instructions = pulse.instructions() - before;
    let _ = writeln!(Serial, "# board {}, kernel {}, {instructions} instructions", board::NAME, kernel.name());
    // Nobody listens on a line that takes everything only if it is cut.
    served.unwrap_or_else(|fault| idle(&fault))
}

/// A program in the memory of a real part: segments `rows` rows of a synthetic frame as wide as `frame`, and says what a whole
/// one takes.
pub fn part<const WIDTH: usize, const OPEN: usize>(
    kernel: impl Compute,
    Arena { main, more }: Arena<'static>,
    workspace: &'static mut Workspace<WIDTH, OPEN>,
    frame: Frame,
    rows: u32,
) -> ! {
    let Some(Board { lines, mut pulse, plans }) = Board::take() else { idle(&"the board is taken") };
    let store = Store::new(plans);
    let found = plan(&store);
    let mut source = Synthetic::<WIDTH>::new(Scene::Nuclei, rows, frame.width);
    let arena = Arena { main: &mut *main, more };
    let served = run(&found, kernel, arena, workspace, &mut source, &mut pulse, &mut Lines(lines));
    account::<WIDTH, OPEN>(&found, frame, kernel, main);
    end(served)
}

/// Says where the memory went, after frames like `frame`.
pub fn account<const WIDTH: usize, const OPEN: usize>(
    found: &Found<'_>,
    frame: Frame,
    kernel: impl Compute,
    arena: &mut [u8],
) {
    let setup = Setup::alone(kernel);
    let needed = found.plan.arena_len_in(frame, &setup, arena).ok().and_then(|len| len.total());
    let account = Account::now(needed.unwrap_or(usize::MAX), size_of::<Workspace<WIDTH, OPEN>>());
    let _ = writeln!(Serial, "# memory {account}");
}

/// Ends a program that served frames: well if none failed.
pub fn end(served: Served) -> ! {
    exit(if served.faults == 0 { 0 } else { 1 })
}
