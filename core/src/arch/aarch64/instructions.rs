//! Instructions that stable Rust has no intrinsics for, or of which it makes others.
//!
//! None is declared pure: so the compiler keeps them in the order in which a tile names them, in which no more values are
//! alive than there are registers. Left to itself it moves loads up until it must spill.
//!
//! # Safety (all of them)
//! The CPU has the instruction, and the bytes that it loads are there.

use core::arch::aarch64::*;
use core::arch::asm;

/// A load of consecutive registers, which stay where they are loaded. `from` moves behind them, or by `step` bytes.
macro_rules! load {
    ($(#[$doc:meta])* $name:ident($count:literal) $load:literal $registers:literal $bytes:literal $($value:ident $register:tt)*) => {
        $(#[$doc])*
        #[inline(always)]
        pub(super) unsafe fn $name(from: &mut *const u8) -> [int8x16_t; $count] {
            $(let $value;)*
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    concat!($load, " {{", $registers, "}}, [{from}], #", $bytes),
                    from = inout(reg) *from, $(out($register) $value,)*
                    options(readonly, nostack, preserves_flags),
                );
            }
            [$($value),*]
        }
    };
    ($(#[$doc:meta])* $name:ident($count:literal, step) $load:literal $registers:literal $($value:ident $register:tt)*) => {
        $(#[$doc])*
        #[inline(always)]
        pub(super) unsafe fn $name(from: &mut *const u8, step: usize) -> [int8x16_t; $count] {
            $(let $value;)*
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    concat!($load, " {{", $registers, "}}, [{from}], {step}"),
                    from = inout(reg) *from, step = in(reg) step, $(out($register) $value,)*
                    options(readonly, nostack, preserves_flags),
                );
            }
            [$($value),*]
        }
    };
}

load! {
    /// Weights of two steps.
    load_weights(4) "ld1" "v28.16b-v31.16b" "64" a "v28" b "v29" c "v30" d "v31"
}
load! {
    /// Weights of one step.
    load_half_weights(2) "ld1" "v28.16b-v29.16b" "32" a "v28" b "v29"
}
load! {
    /// The first values.
    load_first_4(4) "ld1" "v24.16b-v27.16b" "64" a "v24" b "v25" c "v26" d "v27"
}
load! {
    /// The first values.
    load_first_3(3) "ld1" "v24.16b-v26.16b" "48" a "v24" b "v25" c "v26"
}
load! {
    /// The first values.
    load_first_2(2) "ld1" "v24.16b-v25.16b" "32" a "v24" b "v25"
}
load! {
    /// Others beside these.
    load_other_3(3) "ld1" "v8.16b-v10.16b" "48" a "v8" b "v9" c "v10"
}
load! {
    /// The values behind the first four.
    load_next_4(4) "ld1" "v8.16b-v11.16b" "64" a "v8" b "v9" c "v10" d "v11"
}
load! {
    /// The values behind these.
    load_last_2(2) "ld1" "v12.16b-v13.16b" "32" a "v12" b "v13"
}

load! {
    /// Values, some way apart.
    load_by_4(4, step) "ld1" "v24.16b-v27.16b" a "v24" b "v25" c "v26" d "v27"
}
load! {
    /// De-interleaves 64 bytes: those of each row of four. So below; there are five, as all can be alive.
    load_rows_0(4, step) "ld4" "v24.16b-v27.16b" a "v24" b "v25" c "v26" d "v27"
}
load! {
    /// See [`load_rows_0`].
    load_rows_1(4, step) "ld4" "v28.16b-v31.16b" a "v28" b "v29" c "v30" d "v31"
}
load! {
    /// See [`load_rows_0`].
    load_rows_2(4, step) "ld4" "v4.16b-v7.16b" a "v4" b "v5" c "v6" d "v7"
}
load! {
    /// See [`load_rows_0`].
    load_rows_3(4, step) "ld4" "v16.16b-v19.16b" a "v16" b "v17" c "v18" d "v19"
}
load! {
    /// See [`load_rows_0`].
    load_rows_4(4, step) "ld4" "v20.16b-v23.16b" a "v20" b "v21" c "v22" d "v23"
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

/// Four registers of bytes, from every eighth on.
#[inline(always)]
pub(super) unsafe fn load_by_8(from: *const u8) -> [int8x16_t; 4] {
    let (a, b, c, d);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ldp {a:q}, {c:q}, [{from}]",
            "ldur {b:q}, [{from}, #8]",
            "ldur {d:q}, [{from}, #24]",
            from = in(reg) from,
            a = out(vreg) a, b = out(vreg) b, c = out(vreg) c, d = out(vreg) d,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b, c, d]
}

/// Two halves of registers, consecutive bytes from `AT` on.
#[inline(always)]
pub(super) unsafe fn load_halves<const AT: usize>(from: *const u8) -> [int8x16_t; 2] {
    let (a, b);
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "ldp {a:d}, {b:d}, [{from}, #{at}]",
            from = in(reg) from, at = const AT, a = out(vreg) a, b = out(vreg) b,
            options(readonly, nostack, preserves_flags),
        );
    }
    [a, b]
}

/// Stores both halves, `stride` apart; `to` moves so far behind the second.
#[inline(always)]
pub(super) unsafe fn store_halves(value: int8x16_t, to: &mut *mut i8, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "st1 {{{value:v}.d}}[0], [{to}], {stride}",
            "st1 {{{value:v}.d}}[1], [{to}], {stride}",
            value = in(vreg) value, to = inout(reg) *to, stride = in(reg) stride,
            options(nostack, preserves_flags),
        );
    }
}

/// The same for quarters.
#[inline(always)]
pub(super) unsafe fn store_quarters(value: int8x16_t, to: &mut *mut i8, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "st1 {{{value:v}.s}}[0], [{to}], {stride}",
            "st1 {{{value:v}.s}}[1], [{to}], {stride}",
            "st1 {{{value:v}.s}}[2], [{to}], {stride}",
            "st1 {{{value:v}.s}}[3], [{to}], {stride}",
            value = in(vreg) value, to = inout(reg) *to, stride = in(reg) stride,
            options(nostack, preserves_flags),
        );
    }
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

/// The products of the first halves.
#[inline(always)]
pub(super) unsafe fn multiply_first(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    let product;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "smull {product:v}.8h, {a:v}.8b, {b:v}.8b",
            product = out(vreg) product, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
    product
}

/// The products of the second halves.
#[inline(always)]
pub(super) unsafe fn multiply_second(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    let product;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "smull2 {product:v}.8h, {a:v}.16b, {b:v}.16b",
            product = out(vreg) product, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
    product
}

/// Adds the products of the first halves.
#[inline(always)]
pub(super) unsafe fn add_first(product: &mut int16x8_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "smlal {product:v}.8h, {a:v}.8b, {b:v}.8b",
            product = inout(vreg) *product, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// Adds the products of the second halves.
#[inline(always)]
pub(super) unsafe fn add_second(product: &mut int16x8_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "smlal2 {product:v}.8h, {a:v}.16b, {b:v}.16b",
            product = inout(vreg) *product, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// Adds neighbours to sums.
#[inline(always)]
pub(super) unsafe fn add_pairs(sum: &mut int32x4_t, products: int16x8_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sadalp {sum:v}.4s, {products:v}.8h",
            sum = inout(vreg) *sum, products = in(vreg) products,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// `sum[2 · i + j] += Σ a[8 · i + k] · b[8 · j + k]` over k from 0 to 7.
#[inline(always)]
pub(super) unsafe fn matrix(sum: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "smmla {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) *sum, a = in(vreg) a, b = in(vreg) b,
            options(nomem, nostack, preserves_flags),
        );
    }
}
