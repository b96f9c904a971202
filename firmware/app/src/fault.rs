//! Why a frame was given up, in a small value that says where and what.

use core::fmt;

use microtome_core::measure::MeasureError;
use microtome_core::{PlanError, SessionError};

use crate::report::Unsent;
use crate::source::SourceError;

/// Why a frame was not segmented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The plan is bad.
    Plan(PlanError),
    /// The plan makes no mask of objects.
    NoObjects,
    /// No session can be opened for such frames: the network, or the arena, does not suit them.
    Session(SessionError),
    /// The source had no frame to begin.
    Begin(SourceError),
    /// The source gave no row.
    Source {
        /// Which row of the frame.
        row: u32,
        /// Why.
        error: SourceError,
    },
    /// The session refused a row.
    Row {
        /// Which row of the frame.
        row: u32,
        /// Why.
        error: SessionError,
    },
    /// There is more in the frame than the bounds of the measurement allow.
    Measure(MeasureError),
    /// Whoever is told of the objects did not take it.
    Unsent,
}

impl Fault {
    /// Where it was noticed, in one word: what the line protocol gives as `at`.
    pub fn place(&self) -> &'static str {
        match self {
            Fault::Plan(_) | Fault::NoObjects => "plan",
            Fault::Session(_) => "session",
            Fault::Begin(_) | Fault::Source { .. } => "source",
            Fault::Row { .. } => "row",
            Fault::Measure(_) => "measure",
            Fault::Unsent => "report",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Plan(error) => error.fmt(f),
            Fault::NoObjects => f.write_str("plan: it makes no mask of objects"),
            Fault::Session(error) => error.fmt(f),
            Fault::Begin(error) => write!(f, "source: {error}"),
            Fault::Source { row, error } => write!(f, "source: row {row}: {error}"),
            Fault::Row { row, error } => write!(f, "row {row}: {error}"),
            Fault::Measure(error) => error.fmt(f),
            Fault::Unsent => Unsent.fmt(f),
        }
    }
}

impl core::error::Error for Fault {}

impl From<PlanError> for Fault {
    fn from(error: PlanError) -> Fault {
        Fault::Plan(error)
    }
}

impl From<MeasureError> for Fault {
    fn from(error: MeasureError) -> Fault {
        Fault::Measure(error)
    }
}

impl From<Unsent> for Fault {
    fn from(_: Unsent) -> Fault {
        Fault::Unsent
    }
}
