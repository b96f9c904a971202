//! The last few mask rows, each pixel replaced by the component it belongs to.

use super::components::SlotId;
use super::grow::MAX_REACH;
use super::perimeter::RADIUS;

/// Rows kept: growing looks `MAX_REACH` rows to either side, and the perimeter's five rows follow behind it.
const KEPT: usize = {
    let growing = 2 * MAX_REACH + 1;
    let following = MAX_REACH + 2 * RADIUS + 1;
    if growing > following { growing } else { following }
};

/// What is known of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell(u16);

impl Cell {
    /// No object's.
    pub const NONE: Self = Self(0);
    /// Of the border class, and not (yet) grown over.
    pub const BORDER: Self = Self(u16::MAX);
    /// Slots that a cell can tell apart.
    pub const SLOTS: usize = (Self::GROWN - 2) as usize;

    const GROWN: u16 = 1 << 15;

    /// A pixel of the component's own class.
    pub fn seed(slot: SlotId) -> Self {
        Self(slot.0 + 1)
    }

    /// A pixel of the border class that the component grew over.
    pub fn grown(slot: SlotId) -> Self {
        Self((slot.0 + 1) | Self::GROWN)
    }

    /// The component that owns the pixel, by class or by growing.
    pub fn owner(self) -> Option<SlotId> {
        match self {
            Self::NONE | Self::BORDER => None,
            Self(cell) => Some(SlotId((cell & !Self::GROWN) - 1)),
        }
    }

    /// The component that owns the pixel by class.
    pub fn seed_of(self) -> Option<SlotId> {
        if self.0 & Self::GROWN == 0 { self.owner() } else { None }
    }
}

/// A ring of the last rows, up to `WIDTH` px wide. Rows are named by their number in the frame; the ones above the frame
/// are empty, and so are those below it once [`begin`](Self::begin) has been called for them.
#[derive(Debug)]
pub(super) struct Rows<const WIDTH: usize> {
    cells: [[Cell; WIDTH]; KEPT],
}

impl<const WIDTH: usize> Rows<WIDTH> {
    pub const EMPTY: Self = Self { cells: [[Cell::NONE; WIDTH]; KEPT] };

    /// Forgets every row.
    pub fn clear(&mut self) {
        self.cells.as_flattened_mut().fill(Cell::NONE);
    }

    /// Makes room for `row` in place of the oldest, empty.
    pub fn begin(&mut self, row: i32) -> &mut [Cell] {
        let cells = self.row_mut(row);
        cells.fill(Cell::NONE);
        cells
    }

    /// One row's cells.
    pub fn row(&self, row: i32) -> &[Cell] {
        &self.cells[row.rem_euclid(KEPT as i32) as usize]
    }

    /// One row's cells, to write.
    pub fn row_mut(&mut self, row: i32) -> &mut [Cell] {
        &mut self.cells[row.rem_euclid(KEPT as i32) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, KEPT, Rows};
    use crate::measure::components::SlotId;

    #[test]
    fn cells_tell_their_kinds_apart() {
        for slot in [0, 1, Cell::SLOTS as u16 - 1].map(SlotId) {
            assert_eq!(Cell::seed(slot).owner(), Some(slot));
            assert_eq!(Cell::seed(slot).seed_of(), Some(slot));
            assert_eq!(Cell::grown(slot).owner(), Some(slot));
            assert_eq!(Cell::grown(slot).seed_of(), None);
            assert_ne!(Cell::grown(slot), Cell::BORDER);
        }
        for cell in [Cell::NONE, Cell::BORDER] {
            assert_eq!((cell.owner(), cell.seed_of()), (None, None));
        }
    }

    #[test]
    fn a_ring_keeps_its_last_rows() {
        let mut rows = Rows::<1>::EMPTY;
        for row in 0..100 {
            rows.begin(row)[0] = Cell::seed(SlotId(row as u16));
            for kept in 0..KEPT as i32 {
                let expected = u16::try_from(row - kept).ok().map(SlotId);
                assert_eq!(rows.row(row - kept)[0].owner(), expected);
            }
        }
    }
}
