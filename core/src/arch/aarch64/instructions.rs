//! Instructions that stable Rust has no intrinsics for, or of which it makes others.
//!
//! None is declared pure: so the compiler keeps them in the order in which a tile names them, in which no more values are
//! alive than there are registers. Left to itself it moves loads up until it must spill.
//!
//! # Safety (all of them)
//! The CPU has the instruction, and the bytes that it loads are there.

use core::arch::aarch64::*;
use core::arch::asm;

/// Four registers of bytes; `from` moves behind them.
#[inline(always)]
pub(super) unsafe fn load_4(from: &mut *const u8) -> [int8x16_t; 4] {
    let (a, b, c, d);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ld1 {{v28.16b-v31.16b}}, [{from}], #64",
            from = inout(reg) *from, out("v28") a, out("v29") b, out("v30") c, out("v31") d,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b, c, d]
}

/// The same into other registers, so that both can be kept.
#[inline(always)]
pub(super) unsafe fn load_other_4(from: &mut *const u8) -> [int8x16_t; 4] {
    let (a, b, c, d);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ld1 {{v24.16b-v27.16b}}, [{from}], #64",
            from = inout(reg) *from, out("v24") a, out("v25") b, out("v26") c, out("v27") d,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b, c, d]
}

/// Two registers of bytes; `from` moves behind them.
#[inline(always)]
pub(super) unsafe fn load_2(from: &mut *const u8) -> [int8x16_t; 2] {
    let (a, b);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ld1 {{v28.16b-v29.16b}}, [{from}], #32",
            from = inout(reg) *from, out("v28") a, out("v29") b,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b]
}

/// A register of bytes; `from` moves behind it.
#[inline(always)]
pub(super) unsafe fn load(from: &mut *const u8) -> int8x16_t {
    let value;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ldr {value:q}, [{from}], #16",
            from = inout(reg) *from, value = out(vreg) value,
            options(readonly, nostack, preserves_flags),
        );
    }
    value
}

/// Sixteen registers of sums, every four of them from the same 64 bytes.
///
/// These are loads, and not copies of registers, as those would take the place of multiplications.
#[inline(always)]
pub(super) unsafe fn start(from: &[i32; 16]) -> [int32x4_t; 16] {
    let (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ld1 {{v0.4s-v3.4s}}, [{from}]",
            "ld1 {{v4.4s-v7.4s}}, [{from}]",
            "ld1 {{v16.4s-v19.4s}}, [{from}]",
            "ld1 {{v20.4s-v23.4s}}, [{from}]",
            from = in(reg) from,
            out("v0") a, out("v1") b, out("v2") c, out("v3") d,
            out("v4") e, out("v5") f, out("v6") g, out("v7") h,
            out("v16") i, out("v17") j, out("v18") k, out("v19") l,
            out("v20") m, out("v21") n, out("v22") o, out("v23") p,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Four registers of sums.
#[inline(always)]
pub(super) unsafe fn start_4(from: *const i32) -> [int32x4_t; 4] {
    let (a, b, c, d);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ld1 {{v0.4s-v3.4s}}, [{from}]",
            from = in(reg) from, out("v0") a, out("v1") b, out("v2") c, out("v3") d,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b, c, d]
}

/// `sum[i] += Σ a[4 · i + j] · b[4 · i + j]` over j from 0 to 3.
#[inline(always)]
pub(super) unsafe fn dot(sum: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) *sum, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// `sum[i] += Σ a[4 · i + j] · b[4 · LANE + j]` over j from 0 to 3.
#[inline(always)]
pub(super) unsafe fn dot_lane<const LANE: usize>(sum: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]",
            sum = inout(vreg) *sum, a = in(vreg) a, b = in(vreg) b, lane = const LANE,
            options(nomem, nostack, preserves_flags),
        );
    }
}
