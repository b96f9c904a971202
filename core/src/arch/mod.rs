//! The primitives that an instruction set may do faster, and which of them this machine has.
//!
//! Operators are written once, generic over `Isa`. A value of an `Isa` type is the proof that the CPU can run it.
//! The scalar one is the definition: every other must give the same integers (contract C1).

mod scalar;

pub(crate) use scalar::Scalar;

/// What operators ask of an instruction set.
pub(crate) trait Isa: Copy {
    /// Printable name.
    fn name(self) -> &'static str;

    /// The dot products of `P` patches with the same weights.
    ///
    /// A patch holds values less their zero point, from −255 to 255. All slices have the same length, and no sum
    /// leaves i32, which the plan's check saw to.
    fn dot<const P: usize>(self, patches: [&[i16]; P], weights: &[i8]) -> [i32; P];

    /// `sums[c] += (values[c] − zero_point) · weights[c]`: one tap of a depthwise convolution.
    fn multiply_add(self, sums: &mut [i32], values: &[i8], zero_point: i8, weights: &[i8]);
}

/// A set of kernels that this CPU can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Portable Rust: the definition of every result.
    Scalar,
}

impl Kernel {
    /// All kernels that this CPU can run, the fastest last.
    pub fn available() -> &'static [Kernel] {
        &[Kernel::Scalar]
    }

    /// The printable name, as `--kernel` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Scalar => Scalar.name(),
        }
    }
}
