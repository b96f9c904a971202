//! Who checks a plan: where the check is, and which rule was found broken.
//!
//! A [`PlanError`] is as long as ten registers, and plans have a hundred rules. Handed up through memory from each of them, it
//! takes a microcontroller 4 KiB of code; here it stays where it is, and what is handed up is one bit.

use core::cell::Cell;

use crate::error::{Place, PlanError};

/// A rule is broken; which, the [`Inspector`] knows.
#[derive(Debug)]
pub(super) struct Broken;

/// Goes from place to place, and keeps the rule that it found broken.
pub(super) struct Inspector {
    place: Cell<Place>,
    found: Cell<PlanError>,
}

impl Inspector {
    /// At the header, with nothing found.
    pub fn new() -> Inspector {
        Inspector { place: Cell::new(Place::Header), found: Cell::new(PlanError::NotAPlan) }
    }

    /// Goes there.
    pub fn at(&self, place: Place) {
        self.place.set(place);
    }

    /// The place's field breaks a rule.
    #[inline(never)]
    pub fn field(&self, field: &'static str, found: i64, rule: &'static str, limit: i64) -> Broken {
        self.found.set(PlanError::Field { place: self.place.get(), field, found, rule, limit });
        Broken
    }

    /// The place has a text that is none.
    pub fn text(&self) -> Broken {
        self.found.set(PlanError::Text { place: self.place.get() });
        Broken
    }

    /// Checks a number.
    #[inline(never)]
    pub fn exactly(&self, field: &'static str, found: usize, limit: usize) -> Result<(), Broken> {
        if found == limit { Ok(()) } else { Err(self.field(field, found as i64, "exactly", limit as i64)) }
    }

    /// Likewise.
    #[inline(never)]
    pub fn at_most(&self, field: &'static str, found: usize, high: usize) -> Result<(), Broken> {
        if found > high { Err(self.field(field, found as i64, "at most", high as i64)) } else { Ok(()) }
    }

    /// Likewise.
    #[inline(never)]
    pub fn at_least(&self, field: &'static str, found: usize, low: usize) -> Result<(), Broken> {
        if found < low { Err(self.field(field, found as i64, "at least", low as i64)) } else { Ok(()) }
    }

    /// Likewise, `low` and `high` included.
    pub fn range(&self, field: &'static str, found: usize, low: usize, high: usize) -> Result<(), Broken> {
        self.at_least(field, found, low)?;
        self.at_most(field, found, high)
    }

    /// Checks a real number: finite, and `ok`.
    #[inline(never)]
    pub fn real(&self, field: &'static str, found: f32, ok: bool) -> Result<(), Broken> {
        if found.is_finite() && ok {
            return Ok(());
        }
        self.found.set(PlanError::Real { place: self.place.get(), field, found });
        Err(Broken)
    }

    /// What was found broken last.
    pub fn found(&self) -> PlanError {
        self.found.get()
    }
}
