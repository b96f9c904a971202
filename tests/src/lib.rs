//! The oracle and the conformance suites.
//!
//! [`oracle`] says what every operator should give; [`graph`] describes networks, which the oracle runs layer by layer
//! and core row by row; [`fixtures`] reads what ONNX Runtime gave. The suites under `tests/` hold them against each
//! other. They run natively and, being plain tests, on any target that has a runner.
#![forbid(unsafe_code)]

pub mod cases;
pub mod draw;
pub mod emit;
pub mod fixtures;
pub mod fuzz;
pub mod graph;
pub mod networks;
pub mod oracle;
pub mod run;
