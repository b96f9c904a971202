//! Where rows come from.

use core::fmt;

use microtome_core::Frame;

/// Gives frames, row by row: a sensor's lines, a file, pixels in flash.
///
/// A frame is begun, and then its rows are asked for one after another, from the top. Rows hold 8-bit values, as many
/// per pixel as the frame's layout says; one of another length is refused by whoever asked.
pub trait RowSource {
    /// Begins the next frame; `None` when there are no more.
    ///
    /// # Errors
    /// There is a frame, but not one that can be read. The next call begins the one after it.
    fn begin(&mut self) -> Result<Option<Frame>, SourceError>;

    /// Begins the frame once more. A camera takes another exposure of the same view: levels are measured in one pass,
    /// and used in the next.
    ///
    /// # Errors
    /// It cannot be had again.
    fn again(&mut self) -> Result<(), SourceError>;

    /// The next row of the frame.
    ///
    /// # Errors
    /// It did not come, or not in time. The frame is lost; [`begin`](Self::begin) may go on with the next.
    fn row(&mut self) -> Result<&[u8], SourceError>;

    /// The frame is given up: no more of its rows will be asked for. A camera turns its light off.
    fn abandon(&mut self) {}
}

/// Why a source gave no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// The frame ended early: a file that was cut, a sensor that stopped.
    Ended,
    /// The row did not come in time.
    TimedOut,
    /// A row was overwritten before it was taken: the pipeline is slower than the sensor.
    Overrun,
    /// What is there is no frame.
    Format(&'static str),
    /// The device below says so.
    Device(&'static str),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Ended => f.write_str("the rows ended early"),
            SourceError::TimedOut => f.write_str("the row did not come in time"),
            SourceError::Overrun => f.write_str("a row was overwritten before it was taken"),
            SourceError::Format(what) | SourceError::Device(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for SourceError {}

/// Values in a row of a frame.
pub fn row_len(frame: Frame) -> usize {
    frame.width as usize * frame.layout.channels()
}

/// One frame that lies in memory: built in, or in flash.
#[derive(Clone, Debug)]
pub struct Still<'a> {
    frame: Frame,
    pixels: &'a [u8],
    given: bool,
    at: usize,
}

impl<'a> Still<'a> {
    /// `pixels` holds the rows one after another, without gaps.
    pub fn new(frame: Frame, pixels: &'a [u8]) -> Still<'a> {
        Still { frame, pixels, given: false, at: 0 }
    }
}

impl RowSource for Still<'_> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        self.at = 0;
        Ok((!core::mem::replace(&mut self.given, true)).then_some(self.frame))
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.at = 0;
        Ok(())
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        let end = self.at + row_len(self.frame);
        let row = self.pixels.get(self.at..end).ok_or(SourceError::Ended)?;
        self.at = end;
        Ok(row)
    }
}
