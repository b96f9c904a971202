//! What a session ended up with, in words: for `inspect` and `bench`.

use std::fmt;

use microtome_core::ArenaLen;
use serde::Serialize;

use super::{Fit, Machine, cores};

/// Kernel, threads, rows per step, and the arena by part.
#[derive(Debug, Clone, Serialize)]
pub struct Footing {
    /// The processor.
    pub cpu: String,
    /// The kernel.
    pub kernel: &'static str,
    /// Threads.
    pub threads: usize,
    /// Rows of the frame per step.
    pub strip_rows: u16,
    /// The arena.
    pub arena: Arena,
}

/// Bytes of an arena, part by part.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Arena {
    /// Records and tables.
    pub state: usize,
    /// Rows of all tensors.
    pub rings: usize,
    /// Weights in the kernel's order.
    pub packed: usize,
    /// Rows under a convolution's window, for every thread.
    pub scratch: usize,
    /// All of it.
    pub total: usize,
}

impl From<ArenaLen> for Arena {
    fn from(len: ArenaLen) -> Self {
        let ArenaLen { state, rings, packed, scratch } = len;
        Arena { state, rings, packed, scratch, total: len.total().unwrap_or(usize::MAX) }
    }
}

impl Footing {
    /// What `machine` gave a session.
    pub fn new(machine: &Machine, fit: Fit) -> Self {
        Footing {
            cpu: cores::name(),
            kernel: machine.kernel().name(),
            threads: machine.threads(),
            strip_rows: fit.rows,
            arena: fit.arena.into(),
        }
    }
}

/// A number of bytes, in KiB.
pub fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

/// `s` where there are several.
pub fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl fmt::Display for Footing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Footing { cpu, kernel, threads, strip_rows, arena } = self;
        let (threads_s, rows_s) = (plural(*threads), plural((*strip_rows).into()));
        let parts = [arena.state, arena.rings, arena.packed, arena.scratch].map(|bytes| bytes as f64 / 1024.0);
        let [state, rings, packed, scratch] = parts;
        writeln!(f, "machine          {cpu}")?;
        writeln!(f, "runs             {kernel}, {threads} thread{threads_s}, {strip_rows} row{rows_s} per step")?;
        write!(
            f,
            "in an arena of   {}: state {state:.1}, rings {rings:.1}, packed weights {packed:.1}, scratch {scratch:.1}",
            kib(arena.total),
        )
    }
}
