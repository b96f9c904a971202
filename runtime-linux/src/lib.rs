//! The host side of microtome: frames from files, a plan or a float model over them, and pictures, tables and scores out.
//!
//! ```text
//!     source ─▶ engine ─▶ objects ─▶ sink        files: run, eval
//!     files     plan      labels     pictures
//!     stacks    float     figures    tables
//!
//!     camera ─▶ live: the same, frame by frame ─▶ whoever watches, publishes, or keeps: record
//!
//!     cli: one module per command, thin over these
//!     heads: objects from networks without a class mask
//!     machine: kernel, threads and memory that a plan runs with
//!     instrument: what counts, in µm and per mL, and whether the light holds
//!     board: light, trigger, stepper and status LED
//!     metrics: the scores that `eval` prints      bench: how long a plan takes, operator by operator
//!     doctor: what is missing on a machine       serve: the page and the HTTP API over `live`
//!     simulate: frames with known truth           diffuse: pictures from noise, by a denoising network
//! ```
//!
//! The binary is `main.rs`, a few lines over [`cli`]; everything else is here, where tests can call it.
// One module says why it needs some: `machine::crew`.
#![deny(unsafe_code)]

pub mod bench;
pub mod board;
pub mod camera;
pub mod cli;
#[cfg(feature = "onnx")]
pub mod diffuse;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod heads;
pub mod inspect;
pub mod instrument;
pub mod live;
pub mod machine;
pub mod metrics;
pub mod objects;
pub mod outline;
pub mod record;
pub mod segment;
#[cfg(feature = "serve")]
pub mod serve;
pub mod simulate;
pub mod sink;
pub mod source;
pub mod tensor;
