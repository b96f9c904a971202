//! The host side of microtome: frames from files, a plan or a float model over them, and pictures, tables and scores out.
//!
//! ```text
//!     source ─▶ engine ─▶ objects ─▶ sink      cli: one module per command, thin over these
//!     files     plan      labels     pictures  metrics: the scores that `eval` prints
//!     stacks    float     figures    table     simulate: frames with known truth
//! ```
//!
//! The binary is `main.rs`, a few lines over [`cli`]; everything else is here, where tests can call it.
#![forbid(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod error;
pub mod inspect;
pub mod metrics;
pub mod objects;
pub mod segment;
pub mod simulate;
pub mod sink;
pub mod source;
pub mod tensor;
