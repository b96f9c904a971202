//! AArch64: staged values are int8 as they are.
//!
//! | module | what |
//! | --- | --- |
//! | `neon` | what every AArch64 CPU has: 16 products in two long multiplications, added up in pairs |
//! | `neon_dot` | the dot product extension: 16 products in one instruction |
//! | `neon_i8mm` | the matrix extension: 32 products in one instruction |
//! | `narrow` | convolutions to very few channels |
//! | `flat` | depthwise convolutions |
//! | `tile` | what all three have in common: a row, tile by tile |
//! | `epilogue` | from sums to int8 |
//! | `instructions` | those that stable Rust has no intrinsics for |
//! | `bytes` | interleaving, tables |
//!
//! All tiles have sixteen registers of sums, which half of the register file holds; the other half holds values and
//! weights. What differs is what a sum is of, and which values of a row serve several pixels.
//!
//! Everything is inlined into one function per instruction set: `neon::conv` (twice, with and without weights of −128),
//! `neon_dot::conv`, `neon_i8mm::conv`, `flat::dot_products`, `flat::long_products`. A way through a window is a loop in it
//! that ends with a backward branch and has nothing but multiplications and their loads: so it is easily cut out of a
//! disassembly, for llvm-mca.
#![allow(clippy::needless_range_loop, reason = "registers are known by their number")]

mod bytes;
mod epilogue;
mod flat;
mod instructions;
mod narrow;
mod neon;
mod neon_dot;
mod neon_i8mm;
mod tile;

pub use neon::Neon;
pub use neon_dot::NeonDot;
pub use neon_i8mm::NeonI8mm;

/// Whether this CPU has all of these features; without `std`, whether the target promises them.
macro_rules! detected {
    ($($feature:tt),*) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_aarch64_feature_detected!($feature))* }
        #[cfg(not(feature = "std"))]
        { true $(&& cfg!(target_feature = $feature))* }
    }};
}
use detected;
