//! The inner loops, per instruction set, and which of them this machine has.
//!
//! Operators are written once, generic over [`Isa`]. A value of an `Isa` type is the proof that the CPU can run it. The
//! scalar one is the definition: every other must give the same integers (contract C1), on the full range of int8, at
//! every width and number of channels.
//!
//! Two kinds of work are asked of an instruction set:
//!
//! - **Convolutions**, which are nearly all of the time. [`job`] says how values and weights are laid out for them;
//!   each instruction set has tiles of its own.
//! - **Everything else**, written in plain Rust in a form that compilers vectorize, and compiled once more for each
//!   instruction set: [`Isa::vectorize`].
//!
//! This is the only module that may hold `unsafe`. Kernels check the lengths of their slices once, when they are
//! called, and then use pointers.
#![allow(unsafe_code)]

pub(crate) mod job;
pub(crate) mod parts;
mod scalar;

#[cfg(target_arch = "aarch64")]
pub mod aarch64;
pub mod cortex_m;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;

use core::ops::{Deref, Range};

use heapless::Vec;

use job::{ConvRow, DepthwiseRow, DoubleRow, Layout};
pub use scalar::Scalar;

/// A loop that compilers vectorize. `run` and all that it calls must be `#[inline(always)]`, or it is compiled for the
/// least CPU of the target.
pub(crate) trait Work {
    /// Does it.
    fn run(self);
}

/// What operators ask of an instruction set.
pub(crate) trait Isa: Copy + Send + Sync {
    /// Printable name, as `--kernel` takes it.
    const NAME: &'static str;

    /// Whether loops over pixels are also compiled for the usual numbers of channels: faster on machines of wide registers, and
    /// 3 KiB of code on those that have few.
    const KNOWN_CHANNELS: bool = true;

    /// How a convolution of so many output channels is laid out; `None` if there are no kernels for it, and
    /// [`Isa::dot`] is all there is. `value` and `flip` are the same for every number.
    fn layout(self, outputs: usize) -> Option<Layout>;

    /// A row of a convolution.
    fn conv(self, row: &ConvRow, out: &mut [i8]);

    /// A run of outputs of a depthwise convolution.
    fn depthwise(self, row: &DepthwiseRow, out: &mut [i8]);

    /// Stages bytes: each exclusive-ored with `flip`, widened to `value` bytes (sign extended). `to` is `value` times as
    /// long as `from`.
    fn stage(self, from: &[i8], layout: &Layout, to: &mut [u8]) {
        self.vectorize(scalar::Stage { from, layout, to });
    }

    /// Copies; both are equally long.
    #[inline(always)]
    fn copy(self, from: &[i8], to: &mut [i8]) {
        to.copy_from_slice(from);
    }

    /// Stages some channels of pixels of `channels` values each into a plane: pixels of `to.len() / pixels` bytes, of which
    /// the first are these. Only asked for where [`Layout::planes`] are.
    fn stage_plane(self, from: &[i8], channels: usize, plane: Range<usize>, to: &mut [u8]) {
        scalar::stage_plane(from, channels, plane, to);
    }

    /// Interleaves four rows of equal length: `to[4 · i + r] = rows[r][i] ^ flip`; where interleaved values take two bytes
    /// ([`Layout::interleaved`]), `to` is of them.
    fn interleave(self, rows: [&[i8]; 4], flip: u8, to: &mut [u8]) {
        self.vectorize(scalar::Interleave { rows, flip, to });
    }

    /// The largest of each square of four pixels of two rows of pixels of `channels` values, which are as long as twice the
    /// output.
    fn squares(self, rows: [&[i8]; 2], channels: usize, out: &mut [i8]) {
        scalar::squares(self, rows, channels, out);
    }

    /// `out[i] = table[from[i] + 128]`; the table has 256 entries.
    fn look_up(self, table: &[i8; 256], from: &[i8], out: &mut [i8]) {
        scalar::look_up(table, from, out);
    }

    /// A run of a linear Resize to twice the width: `out` has two pixels for each of the input. Means of values that are
    /// whole once an even zero point is taken from them, rounded half to even. `false` if there is no kernel for this, and
    /// nothing is done.
    fn double(self, _row: &DoubleRow, _out: &mut [i8]) -> bool {
        false
    }

    /// Runs a loop with all that the instruction set has.
    fn vectorize<W: Work>(self, work: W) {
        work.run();
    }

    /// The dot products of `P` patches with the same weights: what convolutions come down to where there is no kernel
    /// for them.
    ///
    /// A patch holds values less their zero point, from −255 to 255. All slices have the same length, and no sum
    /// leaves i32, which the plan's check saw to.
    #[inline(always)]
    fn dot<const P: usize>(self, patches: [&[i16]; P], weights: &[i8]) -> [i32; P] {
        scalar::dot(patches, weights)
    }

    /// `sums[c] += (values[c] − zero_point) · weights[c]`: one tap of a depthwise convolution.
    #[inline(always)]
    fn multiply_add(self, sums: &mut [i32], values: &[i8], zero_point: i8, weights: &[i8]) {
        scalar::multiply_add(sums, values, zero_point, weights);
    }
}

/// Names every instruction set of this target once: the enumeration of kernels, their detection, and the match that
/// turns a kernel into a type.
macro_rules! kernels {
    // `$d` stands for the dollar of the macro that this one defines.
    ($d:tt $(#[doc = $doc:literal] #[cfg($cfg:meta)] $variant:ident($token:path),)*) => {
        /// A set of kernels that this CPU can run: all but the scalar one hold the proof of it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kernel {
            /// Portable Rust: the definition of every result.
            Scalar,
            $(#[doc = $doc] #[cfg($cfg)] $variant($token),)*
        }

        impl Kernel {
            /// All kernels that this CPU can run, the fastest last.
            ///
            /// Without the feature `std`, only those that the target promises.
            pub fn available() -> impl Deref<Target = [Kernel]> {
                let mut kernels: Vec<Kernel, 8> = Vec::new();
                let _ = kernels.push(Kernel::Scalar);
                $(#[cfg($cfg)] if let Some(isa) = <$token>::new() {
                    let _ = kernels.push(Kernel::$variant(isa));
                })*
                kernels
            }

            /// The printable name, as `--kernel` takes it.
            pub fn name(self) -> &'static str {
                match self {
                    Kernel::Scalar => Scalar::NAME,
                    $(#[cfg($cfg)] Kernel::$variant(_) => <$token as Isa>::NAME,)*
                }
            }
        }

        /// Evaluates an expression with `$isa` bound to the kernel's instruction set.
        macro_rules! with_isa {
            ($d kernel:expr, $d isa:ident => $d body:expr) => {
                match $d kernel {
                    $crate::arch::Kernel::Scalar => {
                        let $d isa = $crate::arch::Scalar;
                        $d body
                    }
                    $(#[cfg($cfg)] $crate::arch::Kernel::$variant($d isa) => $d body,)*
                }
            };
        }
    };
}

kernels! { $
    /// NEON, which every AArch64 CPU has.
    #[cfg(target_arch = "aarch64")]
    Neon(aarch64::Neon),
    /// NEON with the dot product extension.
    #[cfg(target_arch = "aarch64")]
    NeonDot(aarch64::NeonDot),
    /// NEON with the matrix extension.
    #[cfg(target_arch = "aarch64")]
    NeonI8mm(aarch64::NeonI8mm),
    /// The DSP extension of Cortex-M4 and M7.
    #[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv7em-dsp"))]
    Dsp(cortex_m::Dsp),
    /// Helium, of Cortex-M55.
    #[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv8m-mve"))]
    Mve(cortex_m::Mve),
    /// AVX2 without VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx2(x86_64::Avx2),
    /// AVX2 with VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(x86_64::AvxVnni),
    /// The same kernels, in the encoding of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512VlVnni(x86_64::Avx512VlVnni),
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(x86_64::Avx512Vnni),
}
pub(crate) use with_isa;

impl Kernel {
    /// The fastest kernel that this CPU can run.
    pub fn best() -> Kernel {
        Kernel::available().last().copied().unwrap_or(Kernel::Scalar)
    }

    /// The kernel of this name, if this CPU can run it.
    pub fn named(name: &str) -> Option<Kernel> {
        Kernel::available().iter().copied().find(|kernel| kernel.name() == name)
    }
}
