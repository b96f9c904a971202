//! The host side of microtome: frames from files, a plan or a float model over them, and pictures, tables and scores out.
//!
//! ```text
//!     source ─▶ engine ─▶ objects ─▶ sink      cli: one module per command, thin over these
//!     files     plan      labels     pictures  machine: kernel, threads and memory that a plan runs with
//!     stacks    float     figures    table     metrics: the scores that `eval` prints
//!                                              bench: how long a plan takes, operator by operator
//!                                              simulate: frames with known truth
//!                                              diffuse: pictures from noise, by a denoising network
//! ```
//!
//! The binary is `main.rs`, a few lines over [`cli`]; everything else is here, where tests can call it.
// One module says why it needs some: `machine::crew`.
#![deny(unsafe_code)]

pub mod bench;
pub mod cli;
#[cfg(feature = "onnx")]
pub mod diffuse;
pub mod engine;
pub mod error;
pub mod inspect;
pub mod machine;
pub mod metrics;
pub mod objects;
pub mod outline;
pub mod segment;
pub mod simulate;
pub mod sink;
pub mod source;
pub mod tensor;
