//! Boards for the [app](microtome_app), as QEMU emulates them, and what programs share on them.
//!
//! A board is one file under [`board`]: where its registers are, how a program starts and ends on it. The others know
//! no address. All that is `unsafe` here is about memory that the linker laid out and registers that a machine has.
#![no_std]

pub mod board;
pub mod host;
pub mod last;
pub mod memory;
pub mod program;
pub mod stack;

// For its critical section.
use cortex_m as _;
#[cfg(feature = "defmt")]
use defmt_semihosting as _;
