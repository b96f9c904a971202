//! The microscope's pipeline on a microcontroller: a row source feeds the session, mask rows feed the measurement.
//!
//! No frame buffer, no heap. This library knows no board and builds for the host too, so that a test there can hold the
//! very same run against what an emulated Cortex-M prints.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use microtome_core::measure::{Event, MeasureError, Object, Objects};
use microtome_core::{Frame, Kernel, Levels, OutputRow, Plan, PlanError, Row, Session, SessionError, Setup};

pub mod frame;

/// Widest frame of the bundled program, in pixels.
pub const WIDTH: usize = 96;
/// Most objects that one row of it can meet.
pub const OPEN: usize = 64;

/// Why a frame was not segmented.
#[derive(Debug)]
pub enum Error {
    /// The plan is bad.
    Plan(PlanError),
    /// The session refused the frame, the arena or a row.
    Session(SessionError),
    /// The objects are more than the bounds allow.
    Measure(MeasureError),
    /// The plan makes no mask of objects.
    NoObjects,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Plan(error) => error.fmt(f),
            Error::Session(error) => error.fmt(f),
            Error::Measure(error) => error.fmt(f),
            Error::NoObjects => f.write_str("plan: it makes no mask of objects"),
        }
    }
}

impl core::error::Error for Error {}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Error {
        Error::Plan(error)
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Error {
        Error::Session(error)
    }
}

impl From<MeasureError> for Error {
    fn from(error: MeasureError) -> Error {
        Error::Measure(error)
    }
}

/// An object, as the firmware prints it.
pub struct Line<'a>(pub &'a Object);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(object) = self;
        let centre = object.centroid();
        let (id, area) = (object.id(), object.area());
        write!(f, "object {id}: {area} px at row {:.2}, column {:.2}", centre.row, centre.column)
    }
}

/// A run in one line, the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Objects found.
    pub objects: u32,
    /// Their pixels.
    pub area: u32,
    /// CRC-32 of all mask rows.
    pub digest: u32,
    /// Bytes of the session's arena.
    pub arena: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { objects, area, digest, arena } = self;
        write!(f, "{objects} objects, {area} pixels, mask {digest:08x}, arena {arena} bytes")
    }
}

/// Segments one grey 8-bit frame, row by row; `levels` are its black and white point. `each` sees every object.
///
/// # Errors
/// The plan, the arena, a row or the number of objects is not what was expected.
pub fn segment<'r>(
    plan: &[u8],
    frame: Frame,
    levels: Levels,
    rows: impl Iterator<Item = &'r [u8]>,
    arena: &mut [u8],
    mut each: impl FnMut(&Object),
) -> Result<Summary, Error> {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let plan = Plan::parse(plan)?;
    let task = plan.post().measure_task().ok_or(Error::NoObjects)?;
    let mask = plan.mask_output().ok_or(Error::NoObjects)?;
    // The kernel is named, so that what is printed of the arena is the same wherever this runs.
    let setup = Setup::alone(Kernel::Scalar);
    let len = plan.arena_len_in(frame, &setup, arena)?.total().unwrap_or(usize::MAX);
    let mut session = Session::open(&plan, frame, arena, setup)?;
    session.set_levels(levels);
    let mut summary = Summary { objects: 0, area: 0, digest: 0, arena: len };
    let mut objects = Objects::<WIDTH, OPEN>::new(task, frame.height, frame.width)?;
    let mut digest = CRC.digest();
    let mut measured = Ok(());
    let mut report = |event: Event<'_>| {
        if let Event::Closed(object) = event {
            summary.objects += 1;
            summary.area += object.area();
            each(object);
        }
    };
    let mut take = |out: OutputRow| {
        if out.output == mask && measured.is_ok() {
            out.data.iter().for_each(|&class| digest.update(&[class as u8]));
            measured = objects.push(out.data, |_| None, &mut report);
        }
    };
    for row in rows {
        session.push(Row::U8(row), &mut take)?;
    }
    session.finish(&mut take)?;
    measured?;
    objects.finish(|_| None, &mut report)?;
    summary.digest = digest.finalize();
    Ok(summary)
}
