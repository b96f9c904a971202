//! Memory beyond the DTCM: what the linker laid out, handed out once; caches, and what is not to be cached.
//!
//! The data cache is on, for the arena and for plans in flash. DMA does not see it: what DMA writes lies in SRAM4, all of
//! which the MPU says is not cached. DMA1 reaches SRAM4, and not the DTCM (RM0433, bus matrix).

use core::ptr;
use core::slice;

use cortex_m::Peripherals;
use embassy_stm32::pac;

use super::{REVISION_Y, revision};

/// Zeroed memory in a region of its own (`.axi`, `.sram`, `.shared`), which startup does not touch.
///
/// # Panics
/// When it is asked for again.
macro_rules! region {
    ($section:literal, [$item:ty; $len:expr]) => {{
        use core::mem::MaybeUninit;
        use core::sync::atomic::{AtomicBool, Ordering};
        static TAKEN: AtomicBool = AtomicBool::new(false);
        #[unsafe(link_section = $section)]
        static mut MEMORY: MaybeUninit<[$item; $len]> = MaybeUninit::uninit();
        assert!(!TAKEN.swap(true, Ordering::AcqRel), "memory that is taken");
        let memory: *mut [$item; $len] = (&raw mut MEMORY).cast();
        // SAFETY: TAKEN sees to it that there is one reference, and the bytes are written before there is; zeros are
        // integers.
        unsafe {
            memory.write_bytes(0, 1);
            &mut *memory
        }
    }};
}
pub(crate) use region;

/// SRAM4: 64 KiB from here.
const SHARED: u32 = 0x3800_0000;

// Fields of MPU_RASR (Armv7-M ARM, B3.5.9).
const ENABLE: u32 = 1;
/// 2^(15 + 1) bytes.
const SIZE_64K: u32 = 15 << 1;
const SHAREABLE: u32 = 1 << 18;
/// Normal memory, not cached: TEX 1, C 0, B 0.
const NOT_CACHED: u32 = 1 << 19;
const READ_WRITE: u32 = 3 << 24;
const NO_CODE: u32 = 1 << 28;
// Fields of MPU_CTRL (B3.5.5). In fault handlers, too: last words are not to wait in the cache.
const IN_FAULTS: u32 = 1 << 1;
const REST_AS_EVER: u32 = 1 << 2;

/// Turns caches and memory protection on, whatever a bootloader left of them.
pub fn protect(core: &mut Peripherals) {
    core.SCB.disable_dcache(&mut core.CPUID);
    core.SCB.disable_icache();
    let mpu = &core.MPU;
    let regions = mpu._type.read() >> 8 & 0xff;
    // SAFETY: with the MPU off, memory is as after a reset. Nothing lies in SRAM4 yet whose attributes would change under
    // it, and the cache, which could hold some of it, is empty.
    unsafe {
        mpu.ctrl.write(0);
        for region in 0..regions {
            mpu.rnr.write(region);
            mpu.rasr.write(0);
        }
        mpu.rnr.write(0);
        mpu.rbar.write(SHARED);
        mpu.rasr.write(ENABLE | SIZE_64K | SHAREABLE | NOT_CACHED | READ_WRITE | NO_CODE);
        mpu.ctrl.write(ENABLE | IN_FAULTS | REST_AS_EVER);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
}

/// Switches memory on that is off after a reset, once clocks run.
pub fn start() {
    pac::RCC.ahb2enr().modify(|enable| {
        enable.set_sram1en(true);
        enable.set_sram2en(true);
        enable.set_sram3en(true);
    });
    // Enabled clocks take two cycles (RM0433, RCC): a read back is longer.
    pac::RCC.ahb2enr().read();
    if revision() <= REVISION_Y {
        /// AXI_TARG7_FN_MOD, the AXI SRAM's; bit 0: one read at a time.
        const READ_ISSUE: usize = 0x5100_8108;
        // SAFETY: a register of the AXI interconnect. ST's erratum "Reading from AXI SRAM may lead to data read corruption"
        // (ES0392, revision Y) asks for this before the AXI SRAM is used, and it is not yet.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(READ_ISSUE).write_volatile(1) };
    }
}

/// The arena's banks: all of the AXI SRAM, and all of SRAM1 to SRAM3.
pub fn banks() -> [&'static mut [u8]; 2] {
    [region!(".axi", [u8; 512 * 1024]), region!(".sram", [u8; 288 * 1024])]
}

unsafe extern "C" {
    static _plans_start: u8;
    static _plans_end: u8;
}

/// Where plans are kept.
pub fn plans() -> &'static [u8] {
    let (start, end) = (&raw const _plans_start, &raw const _plans_end);
    // SAFETY: flash that the linker set apart. Only `PlanMemory` writes it, which lends this slice as if it were its own.
    unsafe { slice::from_raw_parts(start, end.addr() - start.addr()) }
}
