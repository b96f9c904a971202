//! Running a plan: the rehearsal, and then frames.

use core::cell::Cell;
use core::fmt::Write;

use microtome_app::frames::{Scene, Synthetic};
use microtome_app::report::Unsent;
use microtome_app::store::Found;
use microtome_app::{Fault, Lines, Record, Report, SourceError, Workspace, serve};
use microtome_core::Only;
use microtome_core::arch::cortex_m::Dsp;
use microtome_core::session::Arena;
use microtome_openmv_h7::ov7725::{Light, Resolution};
use microtome_openmv_h7::pace::{Pace, Rehearsal};
use microtome_openmv_h7::{HEIGHT, WIDTH};

use crate::OPEN;
use crate::board::{Dog, Inbox, Lamps, Microscope, Serial, Signal};
use crate::live::{Live, Rehearsed};

/// The kernels of the CPU, with code for all operators: another plan may come.
const KERNEL: Only<Dsp> = Only(Dsp::NEW);

/// What runs need.
pub struct Run {
    pub workspace: &'static mut Workspace<WIDTH, OPEN>,
    pub rehearsal: &'static mut Rehearsal,
    pub banks: [&'static mut [u8]; 2],
    pub pace: &'static Cell<Pace>,
    pub light: Light,
    pub inbox: Inbox,
}

impl Run {
    /// Segments what the microscope shows until the computer asks for something.
    pub fn frames(
        &mut self,
        found: &Found<'_>,
        microscope: &mut Microscope,
        dog: &mut Dog,
        mut serial: Serial,
        lamps: &mut Lamps,
    ) {
        let mut live = Live { microscope, pace: self.pace, light: self.light, inbox: self.inbox, late: false };
        let set = self.rehearse(found, dog, serial).and_then(|pace| live.set(pace).map_err(Fault::Begin));
        if let Err(fault) = set {
            let _ = writeln!(serial, "# idle: {fault}");
            return;
        }
        let (slot, sequence, pace) = (found.slot, found.sequence, self.pace.get());
        let (line, frame) = (pace.line_us(), pace.frame_us());
        let _ = writeln!(serial, "# slot {slot:?}, plan {sequence}: a line takes {line} us, a frame {frame} us");
        let mut report = Signal { report: Lines(serial), lamps };
        // The report never fails, so that the only end is that the source has no more.
        let arena = arena(&mut self.banks);
        let _ = serve(&found.plan, KERNEL, arena, self.workspace, &mut live, dog, &mut report);
    }

    /// Runs the plan on a frame from memory, to find out at which pace it keeps up.
    fn rehearse(&mut self, found: &Found<'_>, dog: &mut Dog, mut serial: Serial) -> Result<Pace, Fault> {
        let _ = writeln!(serial, "# rehearsing");
        let synthetic = Synthetic::<WIDTH>::new(Scene::Nuclei, HEIGHT as u32, WIDTH as u32);
        let mut source = Rehearsed { source: synthetic, rehearsal: &mut *self.rehearsal };
        let mut report = Quiet(None);
        let arena = arena(&mut self.banks);
        serve(&found.plan, KERNEL, arena, self.workspace, &mut source, dog, &mut report)?;
        if let Some(fault) = report.0 {
            return Err(fault);
        }
        // A real frame may hold more objects, and USB takes its share: a quarter more.
        let line_us = self.rehearsal.line_us();
        let slow = Fault::Begin(SourceError::Device("the network is too slow for the sensor"));
        Pace::at_least(Resolution::BUILT, line_us + line_us / 4).ok_or(slow)
    }
}

/// Rings lie in the AXI SRAM, which is the faster, and in SRAM1 to SRAM3 if they have no room there.
fn arena<'b>([main, more]: &'b mut [&'static mut [u8]; 2]) -> Arena<'b> {
    Arena { main, more }
}

/// Keeps the first fault, and nothing else.
struct Quiet(Option<Fault>);

impl Report for Quiet {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Unsent> {
        if let Record::Fault { fault, .. } = record {
            self.0.get_or_insert(**fault);
        }
        Ok(())
    }
}
