//! Flash that is memory: on emulated boards, and in tests, where its power fails at a chosen step.
//!
//! It behaves as NOR flash does: erasing sets all bits of a block, writing clears bits. A step that the power fails in
//! is done by half.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use super::PlanFlash;

/// Memory that takes `WRITE` bytes at once and erases `ERASE`.
#[derive(Debug)]
pub struct Emulated<'m, const WRITE: usize, const ERASE: usize> {
    memory: &'m mut [u8],
    power: Power,
}

/// Why a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmulatedError {
    /// The power is gone.
    Power,
    /// A range that is not one.
    Range(NorFlashErrorKind),
}

impl NorFlashError for EmulatedError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            EmulatedError::Power => NorFlashErrorKind::Other,
            EmulatedError::Range(kind) => *kind,
        }
    }
}

impl fmt::Display for EmulatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmulatedError::Power => f.write_str("flash: the power is gone"),
            EmulatedError::Range(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for EmulatedError {}

impl<'m, const WRITE: usize, const ERASE: usize> Emulated<'m, WRITE, ERASE> {
    /// Flash of this contents.
    pub fn new(memory: &'m mut [u8]) -> Self {
        Emulated { memory, power: Power::Steps(u32::MAX) }
    }

    /// Flash that does so many whole steps, and half of the next.
    pub fn failing_after(memory: &'m mut [u8], steps: u32) -> Self {
        Emulated { memory, power: Power::Steps(steps) }
    }

    /// How many of `bytes` the next step does.
    fn step(&mut self, bytes: usize) -> Result<usize, EmulatedError> {
        match self.power {
            Power::Gone => Err(EmulatedError::Power),
            Power::Steps(0) => {
                self.power = Power::Gone;
                Ok(bytes / 2)
            }
            Power::Steps(left) => {
                self.power = Power::Steps(left - 1);
                Ok(bytes)
            }
        }
    }
}

/// How long the power stays.
#[derive(Clone, Copy, Debug)]
enum Power {
    /// For so many steps, and half of the next.
    Steps(u32),
    /// It does not come back.
    Gone,
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for Emulated<'_, WRITE, ERASE> {
    type Error = EmulatedError;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for Emulated<'_, WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), EmulatedError> {
        check_read(self, offset, bytes.len()).map_err(EmulatedError::Range)?;
        let offset = offset as usize;
        bytes.copy_from_slice(&self.memory[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.memory.len()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for Emulated<'_, WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), EmulatedError> {
        check_erase(self, from, to).map_err(EmulatedError::Range)?;
        for block in (from as usize..to as usize).step_by(ERASE) {
            let done = self.step(ERASE)?;
            self.memory[block..block + done].fill(0xff);
            if done < ERASE {
                return Err(EmulatedError::Power);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), EmulatedError> {
        check_write(self, offset, bytes.len()).map_err(EmulatedError::Range)?;
        for (at, word) in (offset as usize..).step_by(WRITE).zip(bytes.chunks(WRITE)) {
            let done = self.step(word.len())?;
            self.memory[at..at + done].iter_mut().zip(word).for_each(|(cell, byte)| *cell &= byte);
            if done < word.len() {
                return Err(EmulatedError::Power);
            }
        }
        Ok(())
    }
}

impl<const WRITE: usize, const ERASE: usize> PlanFlash for Emulated<'_, WRITE, ERASE> {
    fn mapped(&self) -> &[u8] {
        self.memory
    }
}
