//! microtome on the OpenMV Cam H7: frames of the sensor, row by row, through the network; objects leave by USB.
//!
//! A start is: the newest plan from flash; a rehearsal, in which the network runs on a frame from memory to find out how
//! slowly the sensor has to read out; and then frames, until the computer asks for something.
#![no_std]
#![no_main]

mod board;
mod live;
mod session;
mod update;

use core::cell::Cell;
use core::fmt::Write;

use cortex_m_rt::entry;
#[cfg(feature = "defmt")]
use defmt_rtt as _;
use embassy_time::{Duration, Instant};
use microtome_app::store::Slot;
use microtome_app::{Store, Watchdog, Workspace};
use microtome_openmv_h7::WIDTH;
use microtome_openmv_h7::ov7725::{Light, Resolution};
use microtome_openmv_h7::pace::{Pace, Rehearsal};
use static_cell::{ConstStaticCell, StaticCell};

use board::{Board, PlanMemory, Serial};
use session::Run;

/// Most objects that are open at once.
const OPEN: usize = 256;

static REHEARSAL: ConstStaticCell<Rehearsal> = ConstStaticCell::new(Rehearsal::NEW);
static WORKSPACE: ConstStaticCell<Workspace<WIDTH, OPEN>> = ConstStaticCell::new(Workspace::EMPTY);

/// The plan that comes with the program, in the first slot.
#[used]
#[unsafe(link_section = ".plans")]
static PLAN: [u8; include_bytes!(concat!(env!("OUT_DIR"), "/plan.slot")).len()] =
    *include_bytes!(concat!(env!("OUT_DIR"), "/plan.slot"));

#[entry]
fn main() -> ! {
    static PACE: StaticCell<Cell<Pace>> = StaticCell::new();
    let pace: &'static Cell<Pace> = PACE.init(Cell::new(Pace::fastest(Resolution::BUILT)));
    let Board { before, mut serial, inbox, mut dog, plans, microscope, mut lamps, banks } = Board::take(pace);
    let mut store = Store::new(plans);
    let mut run =
        Run { workspace: WORKSPACE.take(), rehearsal: REHEARSAL.take(), banks, pace, light: Light::START, inbox };
    let mut microscope = microscope.inspect_err(|_| lamps.red.set_low());
    loop {
        let _ = writeln!(serial, "# microtome {}, {before}", env!("CARGO_PKG_VERSION"));
        lamps.blue.set_high();
        match (store.newest(), &mut microscope) {
            (Some(found), Ok(microscope)) => run.frames(&found, microscope, &mut dog, serial, &mut lamps),
            (None, _) => no_plan(&store, &mut serial),
            (_, Err(error)) => {
                let _ = writeln!(serial, "# idle: {error}");
            }
        }
        lamps.blue.set_low();
        // Until the computer asks for something: after frames, it has.
        let told = Instant::now();
        while !inbox.waiting() && told.elapsed() < Duration::from_secs(2) {
            dog.feed();
        }
        if inbox.waiting() {
            update::serve(inbox, &mut store, &mut run.light, &mut dog, &mut serial);
        }
    }
}

/// Says what is wrong with the slots.
fn no_plan(store: &Store<PlanMemory>, serial: &mut Serial) {
    let _ = writeln!(serial, "# idle: no plan to run");
    for slot in Slot::ALL {
        if let Err(error) = store.read(slot) {
            let _ = writeln!(serial, "# slot {slot:?}: {error}");
        }
    }
}
