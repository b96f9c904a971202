//! The flash of plans: the second bank's first four sectors, two for each slot.
//!
//! The program is in the first bank, so it goes on while the second is erased or written (RM0433, read-while-write).

use core::arch::asm;
use core::ops::Range;
use core::ptr;

use cortex_m::peripheral::SCB;
use embassy_stm32::flash::{Blocking, Error, Flash};
use embassy_stm32::pac;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use microtome_app::store::PlanFlash;

use super::memory;

/// Where the flash begins: embassy counts from there.
const FLASH: usize = 0x0800_0000;

/// The flash of plans.
pub struct PlanMemory {
    flash: Flash<'static, Blocking>,
    scb: SCB,
}

impl PlanMemory {
    /// Takes the flash; erases a slot in which a write was cut short by the power.
    pub fn new(flash: Flash<'static, Blocking>, scb: SCB) -> PlanMemory {
        let mut plans = PlanMemory { flash, scb };
        plans.mend();
        plans
    }

    /// A word of this flash that was half written does not only read wrongly: its error correction fails, and the CPU
    /// faults, at every start anew. So all of it is read once with such faults left unheeded, and what cannot be read is
    /// erased.
    fn mend(&mut self) {
        let half = memory::plans().len() / 2;
        for slot in [0..half, half..2 * half] {
            if !self.readable(slot.clone()) {
                // A slot that cannot be erased either stays bad; the other one is as good as it was.
                let _ = self.erase(slot.start as u32, slot.end as u32);
            }
        }
    }

    fn readable(&mut self, range: Range<usize>) -> bool {
        /// CCR.BFHFNMIGN (Armv7-M ARM, B3.2.8): loads that fail are ignored at the priority of a hard fault.
        const UNHEEDED: u32 = 1 << 8;
        /// CFSR's flags of bus faults, cleared by ones.
        const BUS_FAULTS: u32 = 0xff << 8;
        let words = memory::plans().get(range).unwrap_or(&[]).as_chunks::<4>().0;
        forget_errors();
        // SAFETY: `cpsid f` raises the priority to that of a hard fault, so that no interrupt comes either; both are taken
        // back. The words lie in the region of plans.
        unsafe {
            self.scb.ccr.modify(|control| control | UNHEEDED);
            asm!("cpsid f", "dsb", "isb");
            words.iter().for_each(|word| {
                ptr::from_ref(word).cast::<u32>().read_volatile();
            });
            asm!("dsb", "cpsie f", "isb");
            self.scb.ccr.modify(|control| control & !UNHEEDED);
            self.scb.cfsr.write(BUS_FAULTS);
        }
        let readable = !pac::FLASH.bank(1).sr().read().dbeccerr();
        forget_errors();
        readable
    }

    /// The range in embassy's count, and forgets what the cache has of it once `change` is done.
    fn change(
        &mut self,
        offset: u32,
        len: usize,
        change: impl FnOnce(&mut Flash<'static, Blocking>, u32) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let address = memory::plans().as_ptr().addr() + offset as usize;
        forget_errors();
        let changed = change(&mut self.flash, (address - FLASH) as u32);
        self.scb.clean_invalidate_dcache_by_address(address, len);
        changed
    }
}

/// Clears the flags of the second bank: one that is left would be taken for the next step's. (Flags of the status
/// register are cleared in another, which embassy does not.)
fn forget_errors() {
    pac::FLASH.bank(1).ccr().write(|clear| {
        clear.set_clr_eop(true);
        clear.set_clr_wrperr(true);
        clear.set_clr_pgserr(true);
        clear.set_clr_strberr(true);
        clear.set_clr_incerr(true);
        clear.set_clr_operr(true);
        clear.set_clr_rdperr(true);
        clear.set_clr_rdserr(true);
        clear.set_clr_sneccerr(true);
        clear.set_clr_dbeccerr(true);
    });
}

fn in_range(result: Result<(), NorFlashErrorKind>) -> Result<(), Error> {
    result.map_err(|kind| if kind == NorFlashErrorKind::OutOfBounds { Error::Size } else { Error::Unaligned })
}

impl ErrorType for PlanMemory {
    type Error = Error;
}

impl ReadNorFlash for PlanMemory {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        in_range(check_read(self, offset, bytes.len()))?;
        let offset = offset as usize;
        bytes.copy_from_slice(&memory::plans()[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        memory::plans().len()
    }
}

impl NorFlash for PlanMemory {
    const WRITE_SIZE: usize = 32;
    const ERASE_SIZE: usize = 128 * 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        in_range(check_erase(self, from, to))?;
        self.change(from, (to - from) as usize, |flash, at| flash.blocking_erase(at, at + (to - from)))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        in_range(check_write(self, offset, bytes.len()))?;
        self.change(offset, bytes.len(), |flash, at| flash.blocking_write(at, bytes))
    }
}

impl PlanFlash for PlanMemory {
    fn mapped(&self) -> &[u8] {
        memory::plans()
    }
}
