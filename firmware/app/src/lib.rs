//! The microscope's pipeline on a microcontroller: a row source feeds the session, mask rows feed the measurement, and
//! records leave by a line protocol. No frame buffer, no heap, no operating system.
//!
//! This crate knows no board, and builds for the host too: there, tests hold the very same runs against what emulated
//! microcontrollers print.
//!
//! ```text
//!  RowSource ─▶ [ Pipeline: levels ─▶ Session ─▶ Objects ] ─▶ Report
//!  (camera,        │ per row                                  (line protocol)
//!   file, flash)   ▼
//!               Watchdog              Store (two slots in flash) ─▶ Plan
//! ```
//!
//! What a board brings is small: something that implements [`RowSource`] (a sensor's lines, through [`Camera`]),
//! [`Watchdog`], and a [`NorFlash`](embedded_storage::nor_flash::NorFlash) for the [`Store`] of plans; and anything that
//! takes text, for the [`Lines`] of the [`protocol`].
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`source`] | where rows come from: [`RowSource`], frames in memory, what can fail |
//! | [`camera`] | a real sensor: registers by I²C, a light, a trigger, lines |
//! | [`pgm`] | the header of a PGM file |
//! | [`frames`] | frames that tests and demos share |
//! | [`levels`] | the black and white point, from one histogram |
//! | [`pipeline`] | one frame after another, and how a bad one is survived |
//! | [`report`], [`protocol`] | what is found out, and how it is written as lines |
//! | [`store`] | which plan runs: two slots, the last good one kept |
//! | [`watchdog`] | the timer that resets a device that hangs |
//! | [`digest`] | a run in one line, for comparison between machines |
#![no_std]
#![forbid(unsafe_code)]

mod log;

pub mod camera;
pub mod digest;
pub mod fault;
pub mod frames;
pub mod levels;
pub mod pgm;
pub mod pipeline;
pub mod protocol;
pub mod report;
pub mod source;
pub mod store;
pub mod watchdog;

pub use camera::Camera;
pub use fault::Fault;
pub use pipeline::{Pipeline, Served, Workspace, serve};
pub use protocol::Lines;
pub use report::{Record, Report, Summary};
pub use source::{RowSource, SourceError, Still};
pub use store::Store;
pub use watchdog::Watchdog;
