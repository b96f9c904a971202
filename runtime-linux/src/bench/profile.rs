//! Time per operator, measured from inside a session.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use microtome_core::Watch;

/// Sums of the steps of every operator, for the frame that is running.
pub struct Profile {
    epoch: Instant,
    /// When the step began that is going on, or the last one ended, in nanoseconds since the epoch.
    mark: AtomicU64,
    operators: Vec<Sums>,
    /// Nanoseconds outside of steps.
    rest: AtomicU64,
}

#[derive(Default)]
struct Sums {
    nanos: AtomicU64,
    steps: AtomicU64,
    rows: AtomicU64,
}

/// What one operator took of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Seconds.
    pub seconds: f64,
    /// Steps.
    pub steps: u64,
    /// Rows made.
    pub rows: u64,
}

/// What a frame consisted of.
pub struct Frame {
    /// By operator.
    pub operators: Vec<Taken>,
    /// Seconds outside of steps.
    pub rest: f64,
}

impl Profile {
    /// For so many operators.
    pub fn new(operators: usize) -> Self {
        let operators = (0..operators).map(|_| Sums::default()).collect();
        Profile { epoch: Instant::now(), mark: AtomicU64::new(0), operators, rest: AtomicU64::new(0) }
    }

    /// A frame starts now.
    pub fn start(&self) {
        self.mark.store(self.epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Nanoseconds since the mark, which is set anew.
    fn lap(&self) -> u64 {
        let now = self.epoch.elapsed().as_nanos() as u64;
        now - self.mark.swap(now, Ordering::Relaxed)
    }

    /// The frame has ended: its sums, which start again from nothing.
    pub fn take(&self) -> Frame {
        self.rest.fetch_add(self.lap(), Ordering::Relaxed);
        let take = |sum: &AtomicU64| sum.swap(0, Ordering::Relaxed);
        let taken = |sums: &Sums| Taken {
            seconds: take(&sums.nanos) as f64 / 1e9,
            steps: take(&sums.steps),
            rows: take(&sums.rows),
        };
        Frame { operators: self.operators.iter().map(taken).collect(), rest: take(&self.rest) as f64 / 1e9 }
    }
}

// Steps begin and end on one thread, so there is nothing to order.
impl Watch for Profile {
    fn begin(&self, operator: usize, rows: u32) {
        if let Some(sums) = self.operators.get(operator) {
            sums.steps.fetch_add(1, Ordering::Relaxed);
            sums.rows.fetch_add(rows.into(), Ordering::Relaxed);
        }
        self.rest.fetch_add(self.lap(), Ordering::Relaxed);
    }

    fn end(&self, operator: usize) {
        let nanos = self.lap();
        if let Some(sums) = self.operators.get(operator) {
            sums.nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }
}
