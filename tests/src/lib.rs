//! The oracle and the conformance suites.
//!
//! | module | what it has |
//! | --- | --- |
//! | [`oracle`] | what every operator should give, on whole tensors; shares no code with core |
//! | [`graph`] | a network, which the oracle runs layer by layer |
//! | [`emit`], [`run`] | the same network as a plan, and core running it row by row |
//! | [`fixtures`] | what ONNX Runtime gave |
//! | [`draw`], [`cases`], [`networks`] | seeded random choices, operators, U-Nets |
//! | [`corpus`] | cases written down for machines on which the suites cannot run |
//! | [`fuzz`] | any bytes at all, for the bounded suite and for cargo-fuzz |
//!
//! The suites under `tests/` hold these against each other. They are plain tests and run on any target with a runner:
//! `cargo test --target aarch64-unknown-linux-gnu -p microtome-tests` under qemu-user, for one. A failure names its seed.
#![forbid(unsafe_code)]

pub mod cases;
pub mod corpus;
pub mod draw;
pub mod emit;
pub mod fixtures;
pub mod fuzz;
pub mod graph;
pub mod networks;
pub mod oracle;
pub mod run;
