//! Which plan runs: two slots in flash, of which an update writes one and leaves the other alone.
//!
//! ```text
//! slot = [ header, 32 bytes | plan … ]        header = magic, sequence, length, CRC of the plan, …, CRC of the header
//! ```
//!
//! An update erases the slot that is *not* in use, writes the plan, reads it back and parses it, and writes the header
//! last. At start, the slot of the higher sequence number whose header, contents and plan are all right is chosen.
//!
//! Invariant: whatever step of an update the power fails at, the plan that ran before it, or the new one, is found
//! afterwards. A slot is never believed for its header alone: an erase or a write that was cut short shows in the CRCs.

mod emulated;
mod slot;
mod update;

use embedded_storage::nor_flash::NorFlash;
use microtome_core::Plan;

pub use emulated::{Emulated, EmulatedError};
pub use slot::{HEADER_LEN, SlotError, header};
pub use update::{Update, UpdateError};

/// Flash that the CPU also reads as memory: plans are used in place. Its capacity is shared by two slots.
pub trait PlanFlash: NorFlash {
    /// All of it.
    fn mapped(&self) -> &[u8];
}

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The lower half of the flash.
    A,
    /// The upper half.
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::A, Slot::B];

    /// The other.
    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    fn start(self, capacity: usize) -> usize {
        match self {
            Slot::A => 0,
            Slot::B => capacity / 2,
        }
    }
}

/// A plan that was found good.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Where.
    pub slot: Slot,
    /// How many updates it is old: the higher, the newer.
    pub sequence: u32,
    /// The plan.
    pub plan: Plan<'a>,
}

/// Two slots for plans in a flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
}

impl<F: PlanFlash> Store<F> {
    /// The store in this flash.
    pub fn new(flash: F) -> Store<F> {
        Store { flash }
    }

    /// What a slot holds.
    ///
    /// # Errors
    /// No plan that could run.
    pub fn read(&self, slot: Slot) -> Result<Found<'_>, SlotError> {
        let half = self.flash.mapped().len() / 2;
        let start = slot.start(2 * half);
        let bytes = self.flash.mapped().get(start..start + half).unwrap_or(&[]);
        let (sequence, plan) = slot::read(bytes)?;
        Ok(Found { slot, sequence, plan })
    }

    /// The newest good plan. Without one, a device stays idle, and [`read`](Self::read) says why.
    pub fn newest(&self) -> Option<Found<'_>> {
        match Slot::ALL.map(|slot| self.read(slot).ok()) {
            // The difference is signed, so that sequence numbers may wrap.
            [Some(a), Some(b)] => Some(if b.sequence.wrapping_sub(a.sequence) as i32 > 0 { b } else { a }),
            [a, b] => a.or(b),
        }
    }

    /// Begins an update by a plan of `len` bytes: erases the slot that [`newest`](Self::newest) does not name.
    ///
    /// # Errors
    /// The plan is longer than a slot, or the flash fails.
    pub fn update(&mut self, len: usize) -> Result<Update<'_, F>, UpdateError<F::Error>> {
        let (slot, sequence) = match self.newest() {
            Some(found) => (found.slot.other(), found.sequence.wrapping_add(1)),
            None => (Slot::A, 1),
        };
        Update::begin(&mut self.flash, slot, sequence, len)
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }
}
