//! The camera as the program uses it: at a pace that the network keeps up with, and until the computer asks for something.

use core::cell::Cell;

use embassy_time::Instant;
use microtome_app::{RowSource, SourceError};
use microtome_core::Frame;
use microtome_openmv_h7::ov7725::{Light, Resolution};
use microtome_openmv_h7::pace::{Pace, Rehearsal};

use crate::board::{Inbox, Microscope};

/// The camera, live.
pub struct Live<'m> {
    pub microscope: &'m mut Microscope,
    pub pace: &'static Cell<Pace>,
    pub light: Light,
    pub inbox: Inbox,
    /// Whether the last frame was lost to a ring that was full.
    pub late: bool,
}

impl Live<'_> {
    /// Sets the sensor to a pace.
    ///
    /// # Errors
    /// It does not answer.
    pub fn set(&mut self, pace: Pace) -> Result<(), SourceError> {
        let light = self.light.registers(Resolution::BUILT, pace.line_us());
        let mut registers = pace.registers().into_iter().chain(light);
        registers.try_for_each(|register| self.microscope.set(register))?;
        self.pace.set(pace);
        Ok(())
    }
}

impl RowSource for Live<'_> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        if self.inbox.waiting() {
            return Ok(None);
        }
        if core::mem::take(&mut self.late) {
            let slower = self.pace.get().slower().ok_or(SourceError::Device("the sensor gets no slower"))?;
            self.set(slower)?;
        }
        self.microscope.begin()
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.microscope.again()
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        self.microscope.row().inspect_err(|error| self.late |= *error == SourceError::Overrun)
    }

    fn abandon(&mut self) {
        self.microscope.abandon();
    }
}

/// A source whose rows are always there; when each is asked for is written down.
pub struct Rehearsed<'r, S> {
    pub source: S,
    pub rehearsal: &'r mut Rehearsal,
}

impl<S: RowSource> RowSource for Rehearsed<'_, S> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        self.rehearsal.begin();
        self.source.begin()
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.rehearsal.begin();
        self.source.again()
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        self.rehearsal.ask(Instant::now().as_micros() as u32);
        self.source.row()
    }
}
