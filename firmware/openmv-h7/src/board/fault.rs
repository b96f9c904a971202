//! How a run ends: by a panic, a fault or the watchdog, each of which restarts the board; and what the next run says of it.
//!
//! Last words lie in SRAM4, which a reset leaves alone, and which is not cached.

use core::arch::{global_asm, naked_asm};
use core::fmt;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr;

use cortex_m::Peripherals;
use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;
use embassy_stm32::pac;
use microtome_openmv_h7::last_words::{LastWords, ROOM};

#[unsafe(link_section = ".shared")]
static mut LAST_WORDS: MaybeUninit<LastWords> = MaybeUninit::uninit();

/// Says last words, and restarts.
fn leave(what: impl fmt::Display) -> ! {
    let words = LastWords::of(what);
    // SAFETY: nothing else runs any more, or will: `before` read it at the start.
    unsafe { (&raw mut LAST_WORDS).cast::<LastWords>().write_volatile(words) };
    cortex_m::asm::dsb();
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    cortex_m::interrupt::disable();
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(info));
    leave(info)
}

/// Stops interrupts, and whatever a bootloader left running: its handlers are not ours.
pub fn hush(core: &mut Peripherals) {
    cortex_m::interrupt::disable();
    core.SYST.disable_interrupt();
    core.SYST.disable_counter();
    SCB::clear_pendst();
    // SAFETY: disabling interrupts, and forgetting those that came, breaks nothing that was begun since the reset.
    unsafe {
        core.NVIC.icer.iter().for_each(|disable| disable.write(u32::MAX));
        core.NVIC.icpr.iter().for_each(|forget| forget.write(u32::MAX));
    }
}

// Called by startup before anything else: OpenMV's bootloader hands over with its interrupts on.
global_asm!(".global __pre_init", ".type __pre_init, %function", ".thumb_func", "__pre_init:", "cpsid i", "bx lr");

/// How the run before this one ended.
pub struct Before {
    watchdog: bool,
    words: Option<LastWords>,
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = [0; ROOM];
        match self.words.as_ref().and_then(|words| words.text(&mut room)) {
            Some(text) => write!(f, "restarted: {text}"),
            None if self.watchdog => f.write_str("restarted by the watchdog"),
            None => f.write_str("started"),
        }
    }
}

/// Finds out, once: what is known is then forgotten.
pub fn before() -> Before {
    let causes = pac::RCC.rsr().read();
    pac::RCC.rsr().modify(|causes| causes.set_rmvf(true));
    let place = (&raw mut LAST_WORDS).cast::<LastWords>();
    // After power-on, there is nothing but noise.
    let powered = causes.porrstf() || causes.borrstf();
    // SAFETY: words of memory that exists, of which any bits are integers; there is no reference to it.
    let words = (!powered).then(|| unsafe { place.read_volatile() });
    // SAFETY: as above.
    unsafe { place.write_volatile(LastWords::NONE) };
    Before { watchdog: causes.iwdg1rstf(), words }
}

/// Restarts into OpenMV's bootloader, which then waits to flash the board.
pub fn restart_into_bootloader() -> ! {
    /// Where it looks, and for what (OpenMV, `OMV_BOOT_MAGIC_ADDR` and `OMV_BOOT_MAGIC_VALUE`).
    const MAGIC: (usize, u32) = (0x2001_fffc, 0xb007_10ad);
    cortex_m::interrupt::disable();
    // SAFETY: the end of the DTCM, which the linker script leaves out.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(MAGIC.0).write_volatile(MAGIC.1) };
    cortex_m::asm::dsb();
    SCB::sys_reset()
}

unsafe extern "C" {
    static _stack_end: u8;
}

/// The handler of all faults. The stack pointer may be what is wrong: the stack is begun anew, and nothing returns. (If
/// even that is no use, the watchdog restarts the board.)
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() -> ! {
    naked_asm!(
        "mov r0, sp",
        "ldr r1, =_stack_start",
        "mov sp, r1",
        "b {report}",
        report = sym report,
    )
}

extern "C" fn report(pointer: usize) -> ! {
    cortex_m::interrupt::disable();
    let end = (&raw const _stack_end).addr();
    // The CPU stores registers below the pointer before it gets here, where there is memory.
    let what = if pointer < end + 128 { "the stack overflowed" } else { "a fault" };
    // SAFETY: registers that reading does not change, and that nothing else uses any more.
    let (status, address) = unsafe {
        let scb = &*SCB::PTR;
        (scb.cfsr.read(), scb.bfar.read())
    };
    leave(format_args!("{what}: status {status:08x}, address {address:08x}, stack pointer {pointer:08x}"))
}

/// No other exception is asked for.
#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    leave(format_args!("exception {number}"))
}
