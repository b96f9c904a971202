//! What plans run on: a kernel, a crew of threads, and how much memory a step's rows may take.
//!
//! None of it changes a byte of any result (contract C1); it is the user's to choose, and without a choice this machine's
//! best.

pub mod cores;
pub mod crew;
mod footing;
mod options;
mod rows;

pub use crew::Pool;
pub use footing::{Arena, Footing, kib, plural};
pub use options::{Options, bytes};
pub use rows::{Fit, Rows};

use std::num::NonZeroUsize;

use microtome_core::{Crew, Kernel, Setup};

use crate::error::{Error, Result};

/// Names the kernel where `--kernel` does not.
pub const KERNEL_VARIABLE: &str = "MICROTOME_KERNEL";

/// A kernel, threads, and a rule for strips.
pub struct Machine {
    kernel: Kernel,
    crew: Pool,
    rows: Rows,
}

impl Machine {
    /// Sets up what `options` ask for.
    ///
    /// # Errors
    /// [`Error::Usage`] where this CPU has no such kernel, or the system starts no more threads.
    pub fn new(options: &Options) -> Result<Machine> {
        let kernel = options.kernel()?;
        let threads = options.threads()?;
        let rows = options.rows(threads);
        Machine::of(kernel, threads, rows)
    }

    /// This kernel on so many threads, with strips by this rule.
    ///
    /// # Errors
    /// [`Error::Usage`] where the system starts no more threads.
    pub fn of(kernel: Kernel, threads: NonZeroUsize, rows: Rows) -> Result<Machine> {
        let crew = Pool::new(threads)
            .map_err(|e| Error::usage(format!("cannot start {threads} threads: {e}; choose fewer with --threads")))?;
        Ok(Machine { kernel, crew, rows })
    }

    /// As core takes it.
    pub fn setup(&self) -> Setup<'_> {
        Setup { kernel: self.kernel, crew: &self.crew }
    }

    /// The kernel.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Threads, the calling one included.
    pub fn threads(&self) -> usize {
        self.crew.workers()
    }

    /// How many rows a step makes.
    pub fn rows(&self) -> Rows {
        self.rows
    }
}
