//! What a compilation is asked, and what it tells on its way.

use crate::calibrate::Method;

/// How to compile.
#[derive(Clone, Debug)]
pub struct Options {
    /// How ranges are drawn; `None` tries several and keeps the one that serves the outputs best.
    pub method: Option<Method>,
    /// Whether to try to correct biases for the mean error of the rounded weights.
    pub bias_correction: bool,
    /// Whether to try to equalize channels across layers.
    pub equalization: bool,
    /// Whether to try to round weights so that their errors cancel.
    pub rounding: bool,
    /// Most images that choices and the report are measured on.
    pub measured: usize,
    /// Memory to fill with rows; `None` makes one row per step, which needs the least.
    pub memory: Option<Memory>,
}

/// Memory that a session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of the arena, as the scalar kernel needs it: others keep packed weights besides.
    pub bytes: usize,
    /// Pixels in a row of the frames it is for.
    pub width: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { method: None, bias_correction: true, equalization: true, rounding: true, measured: 4, memory: None }
    }
}

/// What is going on, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Steps of it that are done,
    pub done: usize,
    /// of so many.
    pub total: usize,
}
