//! The worker's side of the comparison with peers: a runtime, a model, and a line protocol over stdin and stdout.
//!
//! `cargo xtask bench peers` starts one process per runtime and model and lets them take turns, so that whatever
//! happens on the machine happens to all of them. This crate is the worker for the runtimes that are Rust crates;
//! `peers/worker.py` is the same for those that are Python packages.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`protocol`] | commands and answers |
//! | [`runtime`] | microtome, tract, rten, and the loop that measures the machine's peak, each behind [`runtime::Runtime`] |
//! | [`memory`] | what Linux says of this process |
//!
//! The criterion benches under `benches/` need none of this.
#![deny(unsafe_code)]

pub mod memory;
pub mod protocol;
pub mod runtime;
