//! A program's last words: a panic, a fault, a watchdog that was not fed. Each is reported, and the device starts anew;
//! under QEMU, it ends with a code of its own.

use core::arch::naked_asm;
use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;

use crate::board::{Serial, exit};
use crate::stack;

/// What a program that panics ends with, as Rust's programs do elsewhere.
pub const PANIC: i32 = 101;
/// What a program that overflows its stack, or does what the CPU cannot, ends with.
pub const FAULT: i32 = 102;
/// What a program ends with that did not feed its watchdog.
pub const WATCHDOG: i32 = 103;

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(info));
    let _ = writeln!(Serial, "# {info}");
    exit(PANIC)
}

/// The handler of hard faults. The stack pointer may be what is wrong: the stack is begun anew, and nothing returns.
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

/// Bytes that the CPU stores on a fault, FPU and all, before it asks for the handler.
const STACKED: usize = 128;

/// The bit of the fault status that says that Armv8-M's limit of the stack was hit.
const STACK_LIMIT: u32 = 1 << 20;

extern "C" fn report(pointer: usize) -> ! {
    // SAFETY: a register that every Cortex-M of these boards has; reading it changes nothing.
    let limit = unsafe { (*SCB::PTR).cfsr.read() } & STACK_LIMIT != 0;
    let what = if limit || pointer < stack::end() + STACKED { "the stack overflowed" } else { "a hard fault" };
    let _ = writeln!(Serial, "# fault: {what}, stack pointer {pointer:08x}, end of the stack {:08x}", stack::end());
    exit(FAULT)
}

/// The watchdog's interrupt comes before its reset: time to say so.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    let _ = writeln!(Serial, "# watchdog: not fed in time");
    exit(WATCHDOG)
}

/// No other exception is asked for.
#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    let _ = writeln!(Serial, "# fault: exception {}", i32::from(number));
    exit(FAULT)
}
