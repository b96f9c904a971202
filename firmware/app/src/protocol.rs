//! The line protocol: what a device tells a computer, in text that a person can read and a program can check.
//!
//! ```text
//! frame n=0 width=96 height=96 low=4 high=131 *5f2c
//! object n=0 id=1 class=1 area=444 row=15.50 column=73.02 top=5 left=61 bottom=27 right=86 perimeter=75.11 border=0 *01d8
//! end n=0 objects=1 area=444 mask=ba762acf *9a40
//! fault n=1 at=source what="source: row 17: the rows ended early" *77e0
//! ```
//!
//! - One record a line: its kind, `key=value` pairs in this order, ` *`, and the CRC-16 (IBM-3740, of all before the
//!   blank in front of the asterisk) in four hexadecimal digits. Lines end in `\n`. A line whose check fails, or without
//!   one, is to be thrown away; lines that start with `#` are for people.
//! - `n` counts frames from 0. Objects belong to the `frame` before them, which counts once its `end` is there and names
//!   as many objects as came. After a `fault`, nothing of that frame counts.
//! - Lengths are in pixels, with two decimals; the box's `bottom` and `right` are one past its last pixel. `border` is 1
//!   for an object that the frame's edge cuts. `mask` is the CRC-32 of the frame's mask rows, one byte per pixel.

use core::fmt::{self, Write};

use crc::{CRC_16_IBM_3740, Crc, Digest};

use crate::report::{Hundredths, Record, Report, Unsent};

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// Writes records as lines.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: Write> Report for Lines<W> {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Unsent> {
        let mut checked = Checked { out: &mut self.0, digest: CRC.digest() };
        checked.write(record).and_then(|()| checked.end()).map_err(|_| Unsent)
    }
}

/// A line under way, and the check of it so far.
struct Checked<'w, W> {
    out: &'w mut W,
    digest: Digest<'static, u16>,
}

impl<W: Write> Write for Checked<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.digest.update(text.as_bytes());
        self.out.write_str(text)
    }
}

impl<W: Write> Checked<'_, W> {
    fn write(&mut self, record: &Record<'_>) -> fmt::Result {
        match record {
            Record::Frame { number, frame, levels } => {
                // Levels are whole numbers of a camera's 8 bits.
                let (low, high) = (levels.low as i32, levels.high as i32);
                write!(self, "frame n={number} width={} height={} low={low} high={high}", frame.width, frame.height)
            }
            Record::Object { number, object } => {
                let ([row, column], bounds) = (object.centroid_hundredths().map(Hundredths), object.bounding_box());
                let (id, class, area) = (object.id(), object.class(), object.area());
                write!(self, "object n={number} id={id} class={class} area={area}")?;
                write!(self, " row={row} column={column}")?;
                write!(self, " top={} left={}", bounds.top, bounds.left)?;
                write!(self, " bottom={} right={}", bounds.bottom, bounds.right)?;
                let border = u8::from(object.touches_border());
                write!(self, " perimeter={} border={border}", Hundredths(object.perimeter_hundredths()))
            }
            Record::End { number, summary } => {
                let (objects, area, digest) = (summary.objects, summary.area, summary.digest);
                write!(self, "end n={number} objects={objects} area={area} mask={digest:08x}")
            }
            Record::Fault { number, fault } => {
                write!(self, "fault n={number} at={} what=\"{fault}\"", fault.place())
            }
        }
    }

    fn end(self) -> fmt::Result {
        writeln!(self.out, " *{:04x}", self.digest.finalize())
    }
}

/// Why a line is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// There is no check at its end.
    Unchecked,
    /// It was changed on its way.
    Damaged {
        /// The check of what arrived.
        found: u16,
        /// The check that it carries.
        expected: u16,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Unchecked => f.write_str("line: it does not end in a check"),
            LineError::Damaged { found, expected } => {
                write!(f, "line: its check is {found:04x}, expected {expected:04x}")
            }
        }
    }
}

impl core::error::Error for LineError {}

/// A line without its check, which is right: what the receiving side starts with.
///
/// # Errors
/// The line was cut, or changed.
pub fn verify(line: &str) -> Result<&str, LineError> {
    let (text, check) = line.trim_end_matches(['\r', '\n']).rsplit_once(" *").ok_or(LineError::Unchecked)?;
    let expected = u16::from_str_radix(check, 16).ok().filter(|_| check.len() == 4).ok_or(LineError::Unchecked)?;
    let found = CRC.checksum(text.as_bytes());
    if found == expected { Ok(text) } else { Err(LineError::Damaged { found, expected }) }
}
