//! What a run finds out, record by record, and where it goes.

use core::fmt;

use microtome_core::measure::Object;
use microtome_core::{Frame, Levels};

use crate::fault::Fault;

/// Takes records as they come: a serial line, a file, a display.
pub trait Report {
    /// Takes one.
    ///
    /// # Errors
    /// It could not be handed on, nor can those that follow: the run ends.
    fn record(&mut self, record: &Record<'_>) -> Result<(), Unsent>;
}

/// A record could not be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent;

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("report: a record could not be sent")
    }
}

impl core::error::Error for Unsent {}

/// One thing found out. A frame is one `Frame`, its objects, and one `End`; or anything up to a `Fault`, after which
/// nothing more comes of that frame, and what came before it does not count.
#[derive(Debug)]
pub enum Record<'a> {
    /// The pixels of a frame begin.
    Frame {
        /// Frames since the start, from 0.
        number: u32,
        /// Its size.
        frame: Frame,
        /// Its black and white point.
        levels: Levels,
    },
    /// An object is complete.
    Object {
        /// The frame's number.
        number: u32,
        /// The object.
        object: &'a Object,
    },
    /// A frame is complete.
    End {
        /// The frame's number.
        number: u32,
        /// All of it.
        summary: Summary,
    },
    /// A frame was given up.
    Fault {
        /// The frame's number.
        number: u32,
        /// Why.
        fault: &'a Fault,
    },
}

/// A frame in one line, the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Objects found.
    pub objects: u32,
    /// Their pixels.
    pub area: u32,
    /// CRC-32 of all mask rows.
    pub digest: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { objects, area, digest } = self;
        write!(f, "{objects} objects, {area} pixels, mask {digest:08x}")
    }
}

/// Hundredths, printed as a decimal: in integers, because printing real numbers would take a tenth of a small device's flash.
pub(crate) struct Hundredths(pub u64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Records in plain words, for a person at a terminal.
#[derive(Debug)]
pub struct Words<W>(pub W);

impl<W: fmt::Write> Report for Words<W> {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Unsent> {
        let Words(out) = self;
        match record {
            Record::Frame { .. } => Ok(()),
            Record::Object { object, .. } => {
                let (id, area) = (object.id(), object.area());
                let [row, column] = object.centroid_hundredths().map(Hundredths);
                writeln!(out, "object {id}: {area} px at row {row}, column {column}")
            }
            Record::End { summary, .. } => writeln!(out, "{summary}"),
            Record::Fault { number, fault } => writeln!(out, "frame {number}: {fault}"),
        }
        .map_err(|_| Unsent)
    }
}
