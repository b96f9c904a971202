//! Perimeter: which edge pixels of an object meet how, counted pixel by pixel in a window of five rows.
//!
//! scikit-image's `perimeter` takes the pixels of an object that have a 4-neighbour outside it (the frame's surroundings
//! are outside), and weighs each by how many of its eight neighbours are such edge pixels too: 1 where the contour goes
//! straight on, √2 where it runs diagonally, their mean where it turns. A pixel's weight so depends on the 5x5 pixels
//! around it without the four corners. Here those are one word of 25 bits, and a whole neighbourhood is a few shifts.

/// Columns and rows from the centre to the rim of a window.
pub(super) const RADIUS: usize = 2;
const SIDE: usize = 2 * RADIUS + 1;
const CENTRE: usize = RADIUS * SIDE + RADIUS;

/// The four neighbours that share a side with the centre.
const SIDES: u32 = 1 << (CENTRE - SIDE) | 1 << (CENTRE - 1) | 1 << (CENTRE + 1) | 1 << (CENTRE + SIDE);
/// The four that share a corner.
const CORNERS: u32 =
    1 << (CENTRE - SIDE - 1) | 1 << (CENTRE - SIDE + 1) | 1 << (CENTRE + SIDE - 1) | 1 << (CENTRE + SIDE + 1);

/// Which pixels around (and including) a pixel belong to one object: one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window(u32);

impl Window {
    /// Adds the pixel at `row`, `column` of the window (each below 5).
    pub fn insert(&mut self, row: usize, column: usize) {
        self.0 |= 1 << (row * SIDE + column);
    }

    /// Whether the pixel at `row`, `column` of a window cannot matter to its centre: its four corners.
    pub fn ignores(row: usize, column: usize) -> bool {
        row.is_multiple_of(SIDE - 1) && column.is_multiple_of(SIDE - 1)
    }

    /// The pixels of either window.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How the contour passes through the centre pixel, if it does.
    pub fn centre(self) -> Option<Passage> {
        let object = self.0;
        // Right for the inner 3x3: their neighbours all lie in the window. The rim is never read.
        let surrounded = object << 1 & object >> 1 & object << SIDE & object >> SIDE;
        let edge = object & !surrounded;
        if edge & 1 << CENTRE == 0 {
            return None;
        }
        match ((edge & SIDES).count_ones(), (edge & CORNERS).count_ones()) {
            (2 | 3, 0..=2) => Some(Passage::Straight),
            (0, 2) | (1, 3) => Some(Passage::Diagonal),
            (1, 1 | 2) => Some(Passage::Corner),
            _ => None,
        }
    }
}

/// How a contour passes through one of its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// Contributes 1.
    Straight,
    /// Contributes √2.
    Diagonal,
    /// Contributes (1 + √2) / 2.
    Corner,
}

/// Counts of an object's [`Passage`]s, or a correction to them.
///
/// Addition wraps: corrections may go far in either direction on the way, and the sum, which is a count of a frame's
/// pixels, is exact all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Contour([i32; 3]);

impl Contour {
    pub const EMPTY: Self = Self([0; 3]);

    /// The counts of straight, diagonal and corner passages.
    pub fn counts(self) -> [i32; 3] {
        self.0
    }

    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    /// The difference of both.
    pub fn minus(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
    }
}

impl From<Option<Passage>> for Contour {
    fn from(passage: Option<Passage>) -> Self {
        Self(match passage {
            None => [0, 0, 0],
            Some(Passage::Straight) => [1, 0, 0],
            Some(Passage::Diagonal) => [0, 1, 0],
            Some(Passage::Corner) => [0, 0, 1],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Passage, Window};

    fn centre(rows: [&str; 5]) -> Option<Passage> {
        let mut window = Window::default();
        for (y, row) in rows.iter().enumerate() {
            for (x, pixel) in row.bytes().enumerate() {
                if pixel == b'#' {
                    window.insert(y, x);
                }
            }
        }
        window.centre()
    }

    #[test]
    fn passages_are_those_of_scikit_image() {
        assert_eq!(centre([".....", ".....", "#####", ".....", "....."]), Some(Passage::Straight));
        assert_eq!(centre(["#....", ".#...", "..#..", "...#.", "....#"]), Some(Passage::Diagonal));
        assert_eq!(centre([".....", ".....", "###..", "...#.", "....#"]), Some(Passage::Corner));
        // A lone pixel has no contour to follow, and neither has the end of a line.
        assert_eq!(centre([".....", ".....", "..#..", ".....", "....."]), None);
        assert_eq!(centre([".....", ".....", "..###", ".....", "....."]), None);
        // Inside: no edge.
        assert_eq!(centre(["#####"; 5]), None);
        assert_eq!(centre([".....", "..#..", ".###.", "..#..", "....."]), None);
        // The rim of a solid half plane is straight: the row below it is no edge.
        assert_eq!(centre([".....", ".....", "#####", "#####", "#####"]), Some(Passage::Straight));
    }

    #[test]
    fn corners_of_the_window_do_not_matter() {
        // Every assignment of the 3x3 core with an arbitrary rim, with and without the corners.
        for bits in 0..1u32 << 16 {
            let mut window = Window::default();
            let mut next = bits.wrapping_mul(0x9e37_79b1);
            for row in 0..5 {
                for column in 0..5 {
                    if !Window::ignores(row, column) && next & 1 == 1 {
                        window.insert(row, column);
                    }
                    next = next.rotate_right(1) ^ (next >> 7);
                }
            }
            let bare = window.centre();
            for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
                assert!(Window::ignores(row, column));
                window.insert(row, column);
            }
            assert_eq!(window.centre(), bare);
        }
    }
}
