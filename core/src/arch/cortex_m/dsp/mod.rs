//! ARMv7E-M's DSP extension, with an FPU: `smlad` multiplies two pairs of i16 and adds both products to a sum.
//!
//! Values are staged, and weights packed, as i16. Converting a value costs two instructions once per row under the window;
//! converting it in the tile, as it must be where values stay bytes, costs a half per product.
//!
//! | module | what |
//! | --- | --- |
//! | [`conv`], [`tile`] | tiles of 2 pixels by 2 channels |
//! | [`depthwise`] | a channel down all its pixels |
//! | [`bytes`] | staging, interleaving |
//!
//! Sums are rounded in the FPU's default mode, to the nearest even, which is also what Rust relies on.

/// Lets the assembler know of the FPU, which naked functions (rustc 1.95) are not told of, whatever the target.
macro_rules! fpu {
    () => {
        ".fpu fpv4-sp-d16"
    };
}

mod bytes;
mod conv;
mod depthwise;
mod tile;

use super::layout;
use crate::arch::job::{ConvRow, DepthwiseRow, Layout};
use crate::arch::{Isa, scalar};

/// The proof that this CPU has the DSP extension and an FPU: the Cargo feature `thumbv7em-dsp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dsp(());

impl Dsp {
    /// The proof, which whoever chose the Cargo feature gave.
    pub const NEW: Dsp = Dsp(());

    /// The same, as other instruction sets are asked.
    pub fn new() -> Option<Dsp> {
        Some(Dsp::NEW)
    }
}

impl Isa for Dsp {
    const NAME: &'static str = layout::DSP_NAME;
    const KNOWN_CHANNELS: bool = false;

    fn layout(self, _: usize) -> Option<Layout> {
        Some(layout::DSP)
    }

    fn conv(self, row: &ConvRow, out: &mut [i8]) {
        conv::row(row, out);
    }

    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]) {
        depthwise::row(row, out);
    }

    fn stage(self, from: &[i8], _: &Layout, to: &mut [u8]) {
        bytes::stage(from, to);
    }

    fn copy(self, from: &[i8], to: &mut [i8]) {
        bytes::copy(from, to);
    }

    fn interleave(self, rows: [&[i8]; 4], _: u8, to: &mut [u8]) {
        bytes::interleave(rows, to);
    }

    fn squares(self, rows: [&[i8]; 2], channels: usize, out: &mut [i8]) {
        if channels.is_multiple_of(4) {
            bytes::squares(rows, channels, out);
        } else {
            scalar::squares(self, rows, channels, out);
        }
    }
}
