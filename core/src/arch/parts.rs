//! Rows cut into parts that several threads write at once.
//!
//! Each part is a range of columns of every row, or all columns of a run of rows; parts don't overlap, and each is taken
//! at most once, so no two threads ever hold the same value.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};

/// Most parts.
pub(crate) const MAX_PARTS: usize = 16;

/// Equally long rows, to be cut at given columns or between given rows.
pub(crate) struct Parts<'a, T> {
    start: *mut T,
    rows: usize,
    stride: usize,
    taken: AtomicU32,
    /// Where each part starts, and where the last ends: values of a row, or rows from `first` on.
    cuts: &'a [usize],
    /// The row that the first part starts with, where parts are rows.
    first: Option<usize>,
    rows_of: PhantomData<&'a mut [T]>,
}

// SAFETY: a shared `Parts` gives out nothing but parts, each once, as `taken` records; parts don't overlap.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// Cuts `values`, rows of `stride`, at `cuts`; `None` unless these rise from 0 or above to at most `stride`.
    pub fn new(values: &'a mut [T], stride: usize, cuts: &'a [usize]) -> Option<Parts<'a, T>> {
        Parts::cut(values, stride, cuts, None).filter(|_| cuts.last().is_some_and(|&last| last <= stride))
    }

    /// Cuts `values`, a ring of rows of `stride`, into runs of rows, the first of which starts with row `first`; `None`
    /// unless `cuts` rise from 0 or above to at most the ring's rows.
    pub fn by_rows(values: &'a mut [T], stride: usize, first: usize, cuts: &'a [usize]) -> Option<Parts<'a, T>> {
        Parts::cut(values, stride, cuts, Some(first))
            .filter(|parts| first < parts.rows && cuts.last().is_some_and(|&last| last <= parts.rows))
    }

    fn cut(values: &'a mut [T], stride: usize, cuts: &'a [usize], first: Option<usize>) -> Option<Parts<'a, T>> {
        if stride == 0 || !cuts.is_sorted() || cuts.len() > MAX_PARTS + 1 {
            return None;
        }
        let (start, rows) = (values.as_mut_ptr(), values.len() / stride);
        Some(Parts { start, rows, stride, taken: AtomicU32::new(0), cuts, first, rows_of: PhantomData })
    }

    /// Part `index`, the first time.
    pub fn take(&self, index: usize) -> Option<Part<'_, T>> {
        let (from, to) = (*self.cuts.get(index)?, *self.cuts.get(index + 1)?);
        let bit = 1 << index;
        if self.taken.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return None;
        }
        let (start, rows, stride) = (self.start, self.rows, self.stride);
        Some(match self.first {
            None => Part { start, rows, stride, columns: (from, to), first: 0, count: rows, rows_of: PhantomData },
            Some(first) => {
                let (first, count) = ((first + from) % rows, to - from);
                Part { start, rows, stride, columns: (0, stride), first, count, rows_of: PhantomData }
            }
        })
    }
}

/// One part of all rows, or of each of some rows all.
pub(crate) struct Part<'a, T> {
    start: *mut T,
    rows: usize,
    stride: usize,
    /// The first value of a row, and the end.
    columns: (usize, usize),
    /// The first row of the part.
    first: usize,
    /// Its rows, around the ring's end.
    count: usize,
    rows_of: PhantomData<&'a mut [T]>,
}

impl<T> Part<'_, T> {
    /// The part's values of row `row`; empty where it has none.
    pub fn row(&mut self, row: usize) -> &mut [T] {
        let (from, to) = self.columns;
        if row >= self.rows || (row + self.rows - self.first) % self.rows >= self.count {
            return &mut [];
        }
        // SAFETY: `row` is one of `rows` whole rows of `stride` values, and `from..to` lies inside a row, as `Parts` checked.
        // Nobody else has these values, as a part is taken once, and parts differ either in their columns or in their
        // rows: runs of rows that follow each other, all of them no more than the ring has, never meet. The borrow of
        // `self` keeps the slice the only one.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(row * self.stride + from), to - from) }
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
    fn runs_of_rows_go_around_the_ring_and_do_not_meet() {
        for first in 0..5 {
            let mut values = vec![0u8; 15];
            let cuts = [0, 2, 2, 4];
            let parts = Parts::by_rows(&mut values, 3, first, &cuts).unwrap();
            std::thread::scope(|scope| {
                for index in 0..3 {
                    let parts = &parts;
                    scope.spawn(move || {
                        let mut part = parts.take(index).unwrap();
                        (0..6).for_each(|row| part.row(row).fill(index as u8 + 1));
                    });
                }
            });
            let expected = [1, 1, 3, 3, 0].into_iter().cycle().skip(5 - first).take(5);
            assert!(values.chunks(3).zip(expected).all(|(row, value)| row == [value; 3]), "{first}: {values:?}");
        }
    }

    #[test]
    fn cuts_beyond_the_row_are_refused() {
        assert!(Parts::new(&mut [0u8; 8], 4, &[0, 5]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 4, &[3, 2]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 0, &[0]).is_none());
        assert!(Parts::new(&mut [0u8; 8], 4, &[]).is_none());
        assert!(Parts::by_rows(&mut [0u8; 8], 4, 1, &[0, 3]).is_none());
        assert!(Parts::by_rows(&mut [0u8; 8], 4, 2, &[0, 2]).is_none());
        assert!(Parts::by_rows(&mut [0u8; 3], 4, 0, &[0, 0]).is_none());
    }
}
