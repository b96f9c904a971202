//! ARMv8.1-M's vector extension, Helium: registers of 16 bytes, and sums in general registers, to which `vmladava` adds 16
//! products of int8.
//!
//! | module | what |
//! | --- | --- |
//! | [`conv`] | tiles of 2 pixels by 4 channels |
//! | [`depthwise`] | four channels down all their pixels |
//! | [`bytes`] | staging, interleaving |
//!
//! Everything else is plain loops, which compilers vectorize where they know of the CPU (`-C target-cpu=cortex-m55`).

/// Lets the assembler know of the extension, which naked functions (rustc 1.95) are not told of, whatever the target.
macro_rules! mve {
    () => {
        ".arch armv8.1-m.main
        .arch_extension mve.fp"
    };
}

mod bytes;
mod conv;
mod depthwise;

use super::layout;
use crate::arch::Isa;
use crate::arch::job::{ConvRow, DepthwiseRow, Layout};

/// The proof that this CPU has Helium, with floats: the Cargo feature `thumbv8m-mve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mve(());

impl Mve {
    /// The proof, which whoever chose the Cargo feature gave.
    pub const NEW: Mve = Mve(());

    /// The same, as other instruction sets are asked.
    pub fn new() -> Option<Mve> {
        Some(Mve::NEW)
    }
}

impl Isa for Mve {
    const NAME: &'static str = layout::MVE_NAME;
    const KNOWN_CHANNELS: bool = false;

    fn layout(self, _: usize) -> Option<Layout> {
        Some(layout::MVE)
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        conv::row(row, out);
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        depthwise::row(row, out);
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        bytes::copy(from, zerocopy::transmute_mut!(to));
    }

    #[inline(always)]
    fn copy(self, from: &[i8], to: &mut [i8]) {
        bytes::copy(from, to);
    }

    fn interleave(self, rows: [&[i8]; 4], _: u8, to: &mut [u8]) {
        bytes::interleave(rows, to);
    }

    fn squares(self, rows: [&[i8]; 2], channels: usize, out: &mut [i8]) {
        bytes::squares(rows, channels, out);
    }

    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        bytes::look_up(table, from, out);
    }
}
