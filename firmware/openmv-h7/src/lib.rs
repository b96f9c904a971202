//! What of the board is data and arithmetic, apart from registers and memory: this part is tested on the host.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`ov7725`] | the sensor: its registers, by name and source |
//! | [`pace`] | how slowly the sensor has to read out, so that the network keeps up |
//! | [`exposure`] | which of the sensor's frames is the first that was lit all along |
//! | [`luma`] | the grey values among the bytes of a line |
//! | [`command`] | what the computer asks for |
//! | [`last_words`] | what a program that panicked leaves behind |
//!
//! The rest, from [`main.rs`](../../main.rs) on, is the board.
#![no_std]
#![forbid(unsafe_code)]

pub mod command;
pub mod exposure;
pub mod last_words;
pub mod luma;
pub mod ov7725;
pub mod pace;

/// Pixels of a row.
pub const WIDTH: usize = if cfg!(feature = "vga") { 640 } else { 320 };
/// Rows of a frame.
pub const HEIGHT: usize = if cfg!(feature = "vga") { 480 } else { 240 };

/// Lines that wait in the ring for the network: 40 KiB at 640 pixels.
pub const LINES: usize = 32;
/// A line in words of the DMA: YUV 4:2:2 is two bytes a pixel.
pub const LINE_WORDS: usize = WIDTH * 2 / size_of::<u32>();
