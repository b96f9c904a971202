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
//! | `ways` | and how a tile goes through the window |
//! | `epilogue` | from sums to int8 |
//! | `instructions` | those that stable Rust has no intrinsics for |
//! | `double` | linear Resize to twice the width |
//! | `bytes` | copies, interleaving, tables |
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
mod double;
mod epilogue;
mod flat;
mod instructions;
mod narrow;
mod neon;
mod neon_dot;
mod neon_i8mm;
mod tile;
mod ways;

use core::ops::Range;

pub use neon::Neon;
pub use neon_dot::NeonDot;
pub use neon_i8mm::NeonI8mm;

use crate::arch::Isa;
use crate::arch::job::{ConvRow, DepthwiseRow, DoubleRow, Layout};

/// An instruction set of 128-bit registers: what its products are made with. A value of it is the proof that the CPU has it.
///
/// # Safety (all functions)
/// There is such a value; the row was checked, and has the layout.
trait Vector128: Copy + Send + Sync {
    /// As [`Isa::NAME`].
    const NAME: &'static str;
    /// How values and weights lie for [`Vector128::conv`].
    const LAYOUT: Layout;
    /// The same for [`Vector128::narrow`].
    const NARROW: Layout;

    /// A row of a convolution.
    unsafe fn conv(row: &ConvRow, out: &mut [i8]);

    /// The same, to [`narrow::MOST`] channels at most.
    unsafe fn narrow(row: &ConvRow, out: &mut [i8]);

    /// A run of a depthwise convolution.
    unsafe fn depthwise(row: &DepthwiseRow, out: &mut [i8]);
}

impl<V: Vector128> Isa for V {
    const NAME: &'static str = V::NAME;

    fn layout(self, outputs: usize) -> Option<Layout> {
        Some(if outputs <= narrow::MOST { V::NARROW } else { V::LAYOUT })
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: `self` is the proof; `check` saw to the lengths that pointers rely on.
        unsafe { if row.layout == V::NARROW { V::narrow(row, out) } else { V::conv(row, out) } }
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        row.check(out);
        // SAFETY: as above.
        unsafe { V::depthwise(row, out) }
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        bytes::stage(from, to);
    }

    fn stage_plane(self, from: &[i8], channels: usize, plane: Range<usize>, to: &mut [u8]) {
        bytes::stage_plane(from, channels, plane, to);
    }

    fn interleave(self, rows: [&[i8]; 4], _: u8, to: &mut [u8]) {
        bytes::interleave(rows, to);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        bytes::look_up(table, from, out);
    }

    fn double(self, row: &DoubleRow, out: &mut [i8]) -> bool {
        double::double(row, out)
    }
}

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
