//! Cortex-M: staged values are int8 as they are, or widened to i16.
//!
//! | module | what |
//! | --- | --- |
//! | [`layout`] | how values and weights lie, for every compiler that packs them |
//! | `dsp` | ARMv7E-M with an FPU (Cortex-M4F, M7): two products of i16 per instruction |
//! | `mve` | ARMv8.1-M with Helium (Cortex-M55): 16 products of int8 per instruction |
//!
//! Stable Rust does not tell a crate whether the target has these extensions, so a Cargo feature of the same name as the
//! kernel is the promise that the CPU does. The loops are assembly, as intrinsics are unstable: whole tiles with the loops
//! around them, so that compilers spill nothing in between.

pub(crate) mod layout;

#[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv7em-dsp"))]
mod dsp;

#[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv8m-mve"))]
mod mve;

#[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv7em-dsp"))]
pub use dsp::Dsp;
#[cfg(all(target_arch = "arm", target_abi = "eabihf", feature = "thumbv8m-mve"))]
pub use mve::Mve;
