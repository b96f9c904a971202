//! Rows cut into parts that several threads write at once.
//!
//! Each part is a range of columns of every row, and each is taken at most once, so no two threads ever hold the same
//! value.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

/// Most parts.
pub(crate) const MAX_PARTS: usize = 16;

/// Equally long rows, to be cut at given columns.
pub(crate) struct Parts<'a, T> {
    start: *mut T,
    rows: usize,
    stride: usize,
    taken: AtomicU64,
    /// The first value of each part in a row, and the end of the last.
    cuts: &'a [usize],
    rows_of: PhantomData<&'a mut [T]>,
}

// SAFETY: a shared `Parts` gives out nothing but parts, each once, as `taken` records; parts don't overlap.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// Cuts `values`, rows of `stride`, at `cuts`; `None` unless these rise from 0 or above to at most `stride`.
    pub fn new(values: &'a mut [T], stride: usize, cuts: &'a [usize]) -> Option<Parts<'a, T>> {
        let rises = cuts.is_sorted() && cuts.last().is_some_and(|&last| last <= stride);
        if stride == 0 || !rises || cuts.len() > MAX_PARTS + 1 {
            return None;
        }
        let rows = values.len() / stride;
        Some(Parts { start: values.as_mut_ptr(), rows, stride, taken: AtomicU64::new(0), cuts, rows_of: PhantomData })
    }

    /// Part `index`, the first time.
    pub fn take(&self, index: usize) -> Option<Part<'_, T>> {
        let (from, to) = (*self.cuts.get(index)?, *self.cuts.get(index + 1)?);
        let bit = 1 << index;
        if self.taken.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return None;
        }
        Some(Part { start: self.start, rows: self.rows, stride: self.stride, from, to, rows_of: PhantomData })
    }
}

/// One part of all rows.
pub(crate) struct Part<'a, T> {
    start: *mut T,
    rows: usize,
    stride: usize,
    from: usize,
    to: usize,
    rows_of: PhantomData<&'a mut [T]>,
}

impl<T> Part<'_, T> {
    /// The part's values of row `row`; empty where there is no such row.
    pub fn row(&mut self, row: usize) -> &mut [T] {
        if row >= self.rows {
            return &mut [];
        }
        // SAFETY: `row` is one of `rows` whole rows of `stride` values, and `from..to` lies inside a row, as `Parts::new`
        // checked. Nobody else has these columns, as a part is taken once, and the borrow of `self` keeps the slice the
        // only one.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(row * self.stride + self.from), self.to - self.from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn parts_are_taken_once_and_cover_their_columns() {
        let mut values = vec![0u8; 12];
        let cuts = [0, 2, 2, 4];
        let parts = Parts::new(&mut values, 4, &cuts).unwrap();
        std::thread::scope(|scope| {
            for index in 0..3 {
                let parts = &parts;
                scope.spawn(move || {
                    let mut part = parts.take(index).unwrap();
                    assert!(parts.take(index).is_none());
                    (0..3).for_each(|row| part.row(row).fill(index as u8 + 1));
                    assert!(part.row(3).is_empty());
                });
            }
        });
        assert!(parts.take(3).is_none());
        assert_eq!(values, [1, 1, 3, 3].repeat(3));
    }

    #[test]
    fn cuts_beyond_the_row_are_refused() {
        assert!(Parts::new(&mut [0u8; 8], 4, &[0, 5]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 4, &[3, 2]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 0, &[0]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 4, &[]).is_none());
    }
}
