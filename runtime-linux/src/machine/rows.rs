//! How many rows a step makes.
//!
//! A taller strip shares the cost of a step among more rows, and gives several threads enough to do; but its rings are
//! taller. On one thread, 8 rows are within 2 % of the fastest, and 1 row costs 10 to 50 % more; several threads gain up to
//! 32 rows. So, without a budget, memory is spent where it is cheap: on what the cores' second-level caches hold, or where
//! the network's skip connections take more than that anyway, on a few times as much as one row per step needs.

use std::num::NonZeroUsize;

use microtome_core::plan::strips::Strips;
use microtome_core::{ArenaLen, Frame, SessionError, Setup};

use super::cores::Cache;

/// Most rows per step that are tried.
const MOST: u16 = 32;

/// A second-level cache, where the system does not say.
const USUAL_CACHE: Cache = Cache { bytes: 1 << 20, sharers: NonZeroUsize::MIN };

/// How many times the rings of one row per step are never too much, in halves.
const HALVES: usize = 5;

/// A rule for strips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// So many rows.
    Exactly(u16),
    /// As many as leave the arena within so many bytes, or one.
    Within(usize),
    /// As many as leave the rings within caches of so many bytes, or, at two and a half times what one row needs.
    Cached(usize),
}

/// A choice, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Rows of the frame per step.
    pub rows: u16,
    /// The arena.
    pub arena: ArenaLen,
}

impl Rows {
    /// As many as the second-level caches of so many threads' cores like; twice as many where threads have to meet.
    pub fn cached(cache: Option<Cache>, threads: NonZeroUsize) -> Rows {
        let Cache { bytes, sharers } = cache.unwrap_or(USUAL_CACHE);
        let caches = threads.get().div_ceil(sharers.get());
        Rows::Cached(bytes.saturating_mul(if threads.get() > 1 { 2 * caches } else { caches }))
    }

    /// Writes the choice for frames like `frame` into a plan.
    ///
    /// # Errors
    /// The frame does not fit the network.
    pub fn fit(self, strips: &mut Strips<'_>, frame: Frame, setup: &Setup<'_>) -> Result<Fit, SessionError> {
        let mut scratch = vec![0; strips.scratch_len()];
        let mut set = |rows: u16| {
            let rows = match strips.set(frame, rows, &mut scratch) {
                // Whole tensors of such a frame are beyond all bounds, so that nothing can be measured. Its rings may not be.
                Err(SessionError::TooLarge) => strips.plan().operators().map(|o| o.strip).max().unwrap_or(1),
                set => set.map(|()| rows)?,
            };
            let arena = strips.plan().arena_len_in(frame, setup, &mut scratch)?;
            Ok(Fit { rows, arena })
        };
        let (mut rows, rings) = match self {
            Rows::Exactly(rows) => (rows, 0),
            Rows::Within(_) => (MOST, 0),
            Rows::Cached(bytes) => (MOST, bytes.max(set(1)?.arena.rings.saturating_mul(HALVES) / 2)),
        };
        let fits = |arena: &ArenaLen| match self {
            Rows::Exactly(_) => true,
            Rows::Within(bytes) => arena.total().is_some_and(|total| total <= bytes),
            Rows::Cached(_) => arena.rings <= rings,
        };
        loop {
            let fit = set(rows)?;
            if rows <= 1 || fit.rows != rows || fits(&fit.arena) {
                return Ok(fit);
            }
            rows /= 2;
        }
    }
}
