//! Sums over an object's pixels, in integers: what two halves of an object add up to does not depend on where it was cut.
//!
//! Every figure that is a sum, a smallest or a largest is kept here exactly and turned into a real number once, when the
//! object is complete (`object.rs`). For frames up to [`MAX_PIXELS`] with sides up to [`MAX_SIDE`], no sum overflows:
//! the widest, Σ row², stays below 2³¹ · 2³² = 2⁶³.

/// The longest side of a frame that can be measured, in px.
pub const MAX_SIDE: u32 = 65_535;

/// The largest frame that can be measured, in px: counts of its pixels fit `i32`.
pub const MAX_PIXELS: u64 = i32::MAX as u64;

/// A box around pixels, in px, half open as in scikit-image: rows `top..bottom`, columns `left..right`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundingBox {
    /// First row.
    pub top: u16,
    /// First column.
    pub left: u16,
    /// The row after the last.
    pub bottom: u16,
    /// The column after the last.
    pub right: u16,
}

/// Raw sums over the pixels of (a part of) an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moments {
    pub area: u32,
    pub row: u64,
    pub column: u64,
    pub row_row: u64,
    pub row_column: u64,
    pub column_column: u64,
    pub bounds: BoundingBox,
}

impl Moments {
    pub const EMPTY: Self = Self {
        area: 0,
        row: 0,
        column: 0,
        row_row: 0,
        row_column: 0,
        column_column: 0,
        bounds: BoundingBox { top: u16::MAX, left: u16::MAX, bottom: 0, right: 0 },
    };

    /// Adds the pixels of columns `start..end` in `row`.
    pub fn add_run(&mut self, row: u16, start: u16, end: u16) {
        let (y, count) = (u64::from(row), u64::from(end - start));
        let columns = sum_below(end) - sum_below(start);
        self.area += u32::from(end - start);
        self.row += y * count;
        self.column += columns;
        self.row_row += y * y * count;
        self.row_column += y * columns;
        self.column_column += sum_of_squares_below(end) - sum_of_squares_below(start);
        let bounds = &mut self.bounds;
        bounds.top = bounds.top.min(row);
        bounds.bottom = bounds.bottom.max(row + 1);
        bounds.left = bounds.left.min(start);
        bounds.right = bounds.right.max(end);
    }

    /// Adds the pixels of `other`, which shares none with `self`.
    pub fn absorb(&mut self, other: &Self) {
        self.area += other.area;
        self.row += other.row;
        self.column += other.column;
        self.row_row += other.row_row;
        self.row_column += other.row_column;
        self.column_column += other.column_column;
        let bounds = &mut self.bounds;
        bounds.top = bounds.top.min(other.bounds.top);
        bounds.left = bounds.left.min(other.bounds.left);
        bounds.bottom = bounds.bottom.max(other.bounds.bottom);
        bounds.right = bounds.right.max(other.bounds.right);
    }

    /// `area²` times the covariances of the pixels' coordinates (row with row, row with column, column with column),
    /// exactly: `n Σab - Σa Σb`, at most 2³¹ · 2⁶³ in size.
    pub fn scaled_covariances(&self) -> [i128; 3] {
        let area = i128::from(self.area);
        let (row, column) = (i128::from(self.row), i128::from(self.column));
        [
            area * i128::from(self.row_row) - row * row,
            area * i128::from(self.row_column) - row * column,
            area * i128::from(self.column_column) - column * column,
        ]
    }
}

/// 0 + 1 + … + (n - 1)
fn sum_below(n: u16) -> u64 {
    let n = u64::from(n);
    n * n.saturating_sub(1) / 2
}

/// 0² + 1² + … + (n - 1)²
fn sum_of_squares_below(n: u16) -> u64 {
    let n = u64::from(n);
    n.saturating_sub(1) * n * (2 * n).saturating_sub(1) / 6
}

/// Sum, smallest and largest of the intensities under an object's pixels, and how many of them were known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brightness {
    pub known: u32,
    pub sum: i64,
    pub min: i32,
    pub max: i32,
}

impl Brightness {
    pub const EMPTY: Self = Self { known: 0, sum: 0, min: i32::MAX, max: i32::MIN };

    /// Adds the intensities of pixels.
    pub fn add<T: Copy + Into<i32>>(&mut self, values: &[T]) {
        for &value in values {
            let value = value.into();
            self.known += 1;
            self.sum += i64::from(value);
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }

    /// Adds the pixels of `other`, which shares none with `self`.
    pub fn absorb(&mut self, other: &Self) {
        self.known += other.known;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::{Brightness, MAX_PIXELS, MAX_SIDE, Moments};

    #[test]
    fn runs_sum_as_their_pixels_do() {
        let mut by_run = Moments::EMPTY;
        let mut by_pixel = Moments::EMPTY;
        for (row, start, end) in [(0, 0, 1), (3, 5, 17), (7, 0, 40), (9, 39, 40)] {
            by_run.add_run(row, start, end);
            for column in start..end {
                let (y, x) = (u64::from(row), u64::from(column));
                let mut pixel = Moments::EMPTY;
                pixel.add_run(row, column, column + 1);
                assert_eq!((pixel.area, pixel.row, pixel.column), (1, y, x));
                assert_eq!((pixel.row_row, pixel.row_column, pixel.column_column), (y * y, y * x, x * x));
                by_pixel.absorb(&pixel);
            }
        }
        assert_eq!(by_run, by_pixel);
    }

    #[test]
    fn the_largest_frames_do_not_overflow() {
        let long = MAX_SIDE as u16;
        let short = (MAX_PIXELS / u64::from(MAX_SIDE)) as u16;
        let (mut tall, mut wide) = (Moments::EMPTY, Moments::EMPTY);
        for row in 0..long {
            tall.add_run(row, 0, short);
        }
        for row in 0..short {
            wide.add_run(row, 0, long);
        }
        assert_eq!(tall.scaled_covariances()[0], wide.scaled_covariances()[2]);
        assert_eq!(tall.scaled_covariances()[1], 0, "a rectangle's axes are its sides");
    }

    #[test]
    fn brightness_of_halves_is_that_of_the_whole() {
        let (mut left, mut right, mut whole) = (Brightness::EMPTY, Brightness::EMPTY, Brightness::EMPTY);
        left.add(&[3u8, 200]);
        right.add(&[-7i8, 5]);
        left.absorb(&right);
        whole.add(&[3i32, 200, -7, 5]);
        assert_eq!(left, whole);
        assert_eq!((whole.known, whole.sum, whole.min, whole.max), (4, 201, -7, 200));
    }
}
