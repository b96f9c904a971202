//! What can go wrong while measuring.

use core::fmt;

use crate::error::Real;

/// Why a frame could not be measured. The frame is lost then; [`restart`](super::Objects::restart) begins the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MeasureError {
    /// The frame's sides do not suit the measuring side.
    Frame {
        /// The frame's height, in px.
        height: u32,
        /// The frame's width, in px.
        width: u32,
        /// The widest row that `Objects<WIDTH, …>` takes.
        widest: usize,
    },
    /// The task's grow distance is not a number from 0 to 4.
    Grow {
        /// The distance found, in px.
        grow_px: f32,
    },
    /// The task's object class is the background, or its border class as well.
    Classes {
        /// The object class found.
        object: u8,
        /// The border class found.
        border: u8,
    },
    /// A mask row has the wrong length.
    MaskRow {
        /// The row's number in the frame.
        row: u32,
        /// Its length.
        found: usize,
        /// The frame's width.
        expected: u32,
    },
    /// A row of intensities has the wrong length.
    IntensityRow {
        /// The row's number in the frame.
        row: u32,
        /// Its length.
        found: usize,
        /// The frame's width.
        expected: u32,
    },
    /// A mask pixel is no class: classes are 0 to 255.
    Class {
        /// The pixel's row.
        row: u32,
        /// The pixel's column.
        column: usize,
        /// The value found.
        found: i16,
    },
    /// The frame was finished early, or a row came after its last.
    Rows {
        /// Rows pushed, this one included.
        found: u32,
        /// The frame's height.
        expected: u32,
    },
    /// More objects are open at once than the table holds.
    TooManyOpen {
        /// The mask row that opened one too many.
        row: u32,
        /// The table's size: the `OPEN` of `Objects<WIDTH, OPEN>`.
        open: usize,
        /// A size that is enough for any frame of this width.
        enough: usize,
    },
    /// Open objects touch each other in more ways than the table of seams holds.
    TooManySeams {
        /// The row whose perimeters were being measured.
        row: u32,
        /// The table's size: the `OPEN` of `Objects<WIDTH, OPEN>`.
        open: usize,
    },
}

impl fmt::Display for MeasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Frame { height, width, widest } => write!(
                f,
                "measure: the frame is {height} rows of {width} px; expected at least one pixel, rows of at most {widest} px \
                 (WIDTH of Objects<WIDTH, OPEN>), at most 65535 rows and 2^31 - 1 px in all"
            ),
            Self::Grow { grow_px } => {
                write!(f, "measure: the grow distance is {} px; expected 0 to 4 px", Real(grow_px))
            }
            Self::Classes { object, border } => write!(
                f,
                "measure: the object class is {} and the border class {}; expected two classes, neither of them the \
                 background (0)",
                u32::from(object),
                u32::from(border)
            ),
            Self::MaskRow { row, found, expected } => {
                write!(f, "measure: mask row {row} has {found} px; expected {expected}")
            }
            Self::IntensityRow { row, found, expected } => {
                write!(f, "measure: the intensities of row {row} are {found} values; expected {expected}")
            }
            Self::Class { row, column, found } => {
                let found = i32::from(found);
                write!(
                    f,
                    "measure: the mask pixel at row {row}, column {column} is {found}; expected a class, 0 to 255"
                )
            }
            Self::Rows { found, expected } => {
                write!(f, "measure: the frame has {found} mask rows; expected {expected}")
            }
            Self::TooManyOpen { row, open, enough } => write!(
                f,
                "measure: at mask row {row} more than {open} objects are open; raise OPEN of Objects<WIDTH, OPEN> \
                 ({enough} is enough for any frame of this width)"
            ),
            Self::TooManySeams { row, open } => write!(
                f,
                "measure: at row {row} open objects touch in more than {open} ways; raise OPEN of Objects<WIDTH, OPEN>"
            ),
        }
    }
}

impl core::error::Error for MeasureError {}
