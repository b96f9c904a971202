//! Writing a slot, step by step, the header last.

use core::fmt;

use embedded_storage::nor_flash::NorFlashError;
use microtome_core::{Plan, PlanError};

use super::slot::{HEADER_LEN, header};
use super::{PlanFlash, Slot};

/// Why an update did not come to its end. The plan that ran before it still does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateError<E> {
    /// A slot is too short for it.
    TooLong {
        /// Bytes of the plan.
        found: usize,
        /// Bytes that a slot has room for.
        room: usize,
    },
    /// More or fewer bytes came than were announced.
    Length {
        /// Bytes that came.
        found: usize,
        /// Bytes announced.
        expected: usize,
    },
    /// What was written is not what reads back, or was no plan that this firmware runs.
    Plan(PlanError),
    /// The flash failed.
    Flash(E),
}

impl<E: NorFlashError> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateError::TooLong { found, room } => {
                write!(f, "update: a plan of {found} bytes, where {room} have room")
            }
            UpdateError::Length { found, expected } => write!(f, "update: {found} bytes came, expected {expected}"),
            UpdateError::Plan(error) => error.fmt(f),
            UpdateError::Flash(error) => write!(f, "update: the flash failed: {:?}", error.kind()),
        }
    }
}

impl<E: NorFlashError> core::error::Error for UpdateError<E> {}

/// An update under way. Dropped before [`finish`](Self::finish), it leaves the slot empty.
#[derive(Debug)]
pub struct Update<'f, F> {
    flash: &'f mut F,
    /// Where the slot starts.
    start: usize,
    sequence: u32,
    len: usize,
    /// Bytes that came.
    came: usize,
    /// The last of them, until they are as many as the flash writes at once.
    waiting: [u8; HEADER_LEN],
}

impl<'f, F: PlanFlash> Update<'f, F> {
    pub(super) fn begin(
        flash: &'f mut F,
        slot: Slot,
        sequence: u32,
        len: usize,
    ) -> Result<Self, UpdateError<F::Error>> {
        const { assert!(HEADER_LEN.is_multiple_of(F::WRITE_SIZE), "a flash that writes more than 32 bytes at once") };
        let half = flash.capacity() / 2;
        let start = slot.start(2 * half);
        let room = half.saturating_sub(HEADER_LEN);
        if len > room {
            return Err(UpdateError::TooLong { found: len, room });
        }
        // From the header on: it is the first that must not be believed any more.
        for block in (start..start + half).step_by(F::ERASE_SIZE) {
            flash.erase(block as u32, (block + F::ERASE_SIZE) as u32).map_err(UpdateError::Flash)?;
        }
        Ok(Update { flash, start, sequence, len, came: 0, waiting: [0xff; HEADER_LEN] })
    }

    /// Takes the next bytes of the plan, as many as came.
    ///
    /// # Errors
    /// They are more than were announced; the flash failed.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), UpdateError<F::Error>> {
        if bytes.len() > self.len - self.came {
            return Err(UpdateError::Length { found: self.came + bytes.len(), expected: self.len });
        }
        while !bytes.is_empty() {
            let at = self.came % HEADER_LEN;
            let (now, later) = bytes.split_at(bytes.len().min(HEADER_LEN - at));
            self.waiting[at..at + now.len()].copy_from_slice(now);
            self.came += now.len();
            bytes = later;
            if self.came.is_multiple_of(HEADER_LEN) {
                self.flush(self.came - HEADER_LEN)?;
            }
        }
        Ok(())
    }

    /// Reads the plan back, and makes it the newest.
    ///
    /// # Errors
    /// Bytes are missing; it is no plan that could run; the flash failed.
    pub fn finish(mut self) -> Result<(), UpdateError<F::Error>> {
        if self.came != self.len {
            return Err(UpdateError::Length { found: self.came, expected: self.len });
        }
        let rest = self.came % HEADER_LEN;
        if rest > 0 {
            self.waiting[rest..].fill(0xff);
            self.flush(self.came - rest)?;
        }
        let first = self.start + HEADER_LEN;
        let written = self.flash.mapped().get(first..first + self.len).unwrap_or(&[]);
        Plan::parse(written).map_err(UpdateError::Plan)?;
        let header = header(self.sequence, written);
        self.flash.write(self.start as u32, &header).map_err(UpdateError::Flash)
    }

    /// Writes what waits, at this byte of the plan.
    fn flush(&mut self, at: usize) -> Result<(), UpdateError<F::Error>> {
        let at = (self.start + HEADER_LEN + at) as u32;
        self.flash.write(at, &self.waiting).map_err(UpdateError::Flash)
    }
}
