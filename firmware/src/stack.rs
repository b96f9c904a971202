//! How much of the stack was used, and what happens when it is not enough.
//!
//! Startup paints it (cortex-m-rt's `paint-stack`), and it lies below all else in RAM (`memory/sections.x`): a push
//! beyond its end hits no memory and faults (`last`), before anything is overwritten. Armv8-M checks its limit register besides
//! (`set-msplim`).

use core::ptr;

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static mut _stack_start: u32;
    static mut _stack_end: u32;
}

/// The stack's last byte, by address: what lies below it is no memory.
pub(crate) fn end() -> usize {
    ptr::addr_of!(_stack_end).addr()
}

/// Bytes of the stack.
pub fn size() -> usize {
    ptr::addr_of!(_stack_start).addr() - end()
}

/// Bytes that were ever used.
pub fn used() -> usize {
    let words = size() / size_of::<u32>();
    let lowest = ptr::addr_of!(_stack_end);
    // SAFETY: words of the stack's memory, which startup painted; reading does not disturb those in use, because this
    // stops at the first word that was.
    let painted = (0..words).take_while(|&word| unsafe { lowest.add(word).read_volatile() } == STACK_PAINT_VALUE);
    (words - painted.count()) * size_of::<u32>()
}
