//! What a session computes with: the kernels of an instruction set, and operators.
//!
//! | | which kernels | which operators |
//! | --- | --- | --- |
//! | [`Kernel`] | those named when the session opens | all |
//! | [`Only`] | those named in the program | those named in the program |
//!
//! The first is for machines with room for everything. The second leaves all other code out of the program, which is for
//! microcontrollers: build scripts find the operators of a plan with [`Operators::of`].

#![allow(private_interfaces, reason = "only core can call what is sealed")]

use core::ops::Range;

use crate::arch::job::Layout;
use crate::arch::parts::Part;
use crate::arch::{Isa, Kernel, with_isa};
use crate::ops::input::{self, Converter};
use crate::ops::{self, Context};
use crate::plan::{Op, Operators};

/// What a session computes with; see the [module](self).
pub trait Compute: sealed::Compute {
    /// Printable name of the kernels.
    fn name(self) -> &'static str;
}

pub(crate) mod sealed {
    use super::*;

    /// What sessions ask for.
    pub trait Compute: Copy + Send + Sync {
        /// The operators that there is code for.
        const OPERATORS: Operators;

        /// How a convolution of so many output channels is laid out.
        fn layout(self, outputs: usize) -> Option<Layout>;

        /// See [`ops::run`].
        fn run(self, cx: &Context, op: &Op, rows: Range<u32>, part: &mut Part<i8>, scratch: &mut [u8]);

        /// Copies values.
        fn copy(self, from: &[i8], to: &mut [i8]);

        /// Converts a row of 8-bit camera values.
        fn convert(self, converter: Converter, tables: &[i8], layout: input::Layout, row: &[u8], out: &mut [i8]);
    }
}

/// The kernels of one instruction set, and the operators of one set ([`Operators::bits`]): nothing else is compiled in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Only<I, const OPERATORS: u32 = { u32::MAX }>(pub I);

impl<I: Isa, const OPERATORS: u32> sealed::Compute for Only<I, OPERATORS> {
    const OPERATORS: Operators = Operators::from_bits(OPERATORS);

    fn layout(self, outputs: usize) -> Option<Layout> {
        self.0.layout(outputs)
    }

    fn run(self, cx: &Context, op: &Op, rows: Range<u32>, part: &mut Part<i8>, scratch: &mut [u8]) {
        ops::run::<I, OPERATORS>(self.0, cx, op, rows, part, scratch);
    }

    fn copy(self, from: &[i8], to: &mut [i8]) {
        self.0.copy(from, to);
    }

    fn convert(self, converter: Converter, tables: &[i8], layout: input::Layout, row: &[u8], out: &mut [i8]) {
        converter.row_u8(self.0, tables, layout, row, out);
    }
}

impl<I: Isa, const OPERATORS: u32> Compute for Only<I, OPERATORS> {
    fn name(self) -> &'static str {
        I::NAME
    }
}

impl sealed::Compute for Kernel {
    const OPERATORS: Operators = Operators::ALL;

    fn layout(self, outputs: usize) -> Option<Layout> {
        with_isa!(self, isa => isa.layout(outputs))
    }

    fn run(self, cx: &Context, op: &Op, rows: Range<u32>, part: &mut Part<i8>, scratch: &mut [u8]) {
        with_isa!(self, isa => ops::run::<_, { u32::MAX }>(isa, cx, op, rows, part, scratch));
    }

    fn copy(self, from: &[i8], to: &mut [i8]) {
        with_isa!(self, isa => isa.copy(from, to));
    }

    fn convert(self, converter: Converter, tables: &[i8], layout: input::Layout, row: &[u8], out: &mut [i8]) {
        with_isa!(self, isa => converter.row_u8(isa, tables, layout, row, out));
    }
}

impl Compute for Kernel {
    fn name(self) -> &'static str {
        Kernel::name(self)
    }
}
