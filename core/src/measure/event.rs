//! What goes in beside the mask, and what comes out.

use core::ops::Range;

use super::moments::Brightness;
use super::object::Object;

/// One row of intensities, one value per pixel.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'f> {
    /// 8 bits.
    U8(&'f [u8]),
    /// 16 bits.
    U16(&'f [u16]),
    /// 8 bits, signed: a row of a network's output.
    I8(&'f [i8]),
}

impl Pixels<'_> {
    /// Number of pixels.
    pub fn width(&self) -> usize {
        match self {
            Self::U8(row) => row.len(),
            Self::U16(row) => row.len(),
            Self::I8(row) => row.len(),
        }
    }

    /// Adds the intensities of `columns`, which must lie within the row.
    pub(super) fn add_to(&self, brightness: &mut Brightness, columns: Range<usize>) {
        match self {
            Self::U8(row) => brightness.add(&row[columns]),
            Self::U16(row) => brightness.add(&row[columns]),
            Self::I8(row) => brightness.add(&row[columns]),
        }
    }
}

/// What [`Objects`](super::Objects) found out, in the order in which it did.
///
/// Whoever wants a picture of the instances paints every [`Run`](Self::Run) with its id, and renames when all is over:
/// a merged id to the one it merged into, a dropped one to the background. The pixels are then exactly those measured.
/// Whoever wants the objects alone looks at [`Closed`](Self::Closed).
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'o> {
    /// These pixels belong to the component `id`. Runs come in scan-line order, once for every pixel of an object.
    Run {
        /// The row in the frame.
        row: u32,
        /// The columns.
        columns: Range<usize>,
        /// The component's id as known now: it may merge, or be dropped, later.
        id: u32,
    },
    /// Two components turned out to be one. `from` will not be named again.
    Merge {
        /// The id that ends.
        from: u32,
        /// The id that stays, the smaller one.
        into: u32,
    },
    /// An object is complete. Objects come by the last row of their interior, and by id among those that share it.
    Closed(&'o Object),
    /// A component is complete, and smaller than the task's `min_area`. Its pixels belong to no object.
    Dropped {
        /// The id.
        id: u32,
    },
}
