//! Portable Rust, in a form that compilers vectorize: the definition of every result.

use super::Isa;

/// Runs everywhere.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Isa for Scalar {
    fn name(self) -> &'static str {
        "scalar"
    }

    #[inline]
    fn dot<const P: usize>(self, patches: [&[i16]; P], weights: &[i8]) -> [i32; P] {
        // One weight serves P products; slices of one length spare the checks inside.
        let patches = patches.map(|patch| &patch[..weights.len()]);
        let mut sums = [0; P];
        for (i, &weight) in weights.iter().enumerate() {
            for (sum, patch) in sums.iter_mut().zip(patches) {
                *sum += i32::from(patch[i]) * i32::from(weight);
            }
        }
        sums
    }

    #[inline]
    fn multiply_add(self, sums: &mut [i32], values: &[i8], zero_point: i8, weights: &[i8]) {
        for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
            *sum += (i32::from(value) - i32::from(zero_point)) * i32::from(weight);
        }
    }
}
