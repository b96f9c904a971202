//! How kernels of Cortex-M want values and weights: plain data, the same on the machine that packs them and on the one that
//! runs them.

use crate::arch::job::Layout;

/// The name of the kernel of ARMv7E-M.
pub(crate) const DSP_NAME: &str = "thumbv7em-dsp";
/// The name of the kernel of ARMv8.1-M.
pub(crate) const MVE_NAME: &str = "thumbv8m-mve";

/// Pairs of i16, for two output channels at a time.
pub(crate) const DSP: Layout = Layout { value: 2, flip: 0, depth: 4, channels: 2, planes: &[], interleaved: 2 };

/// 16 int8, for four output channels at a time.
pub(crate) const MVE: Layout = Layout { value: 1, flip: 0, depth: 16, channels: 4, planes: &[], interleaved: 1 };
