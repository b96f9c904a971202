//! How a session runs: with which kernel, and on how many cores. Never what it computes (contract C1).

use core::fmt;

use crate::arch::Kernel;
use crate::compute::Compute;

/// Threads that share the work of a step. core has no threads of its own; whoever has an operating system brings them.
pub trait Crew: Sync {
    /// How many.
    fn workers(&self) -> usize;

    /// The least work that is worth the meeting, in products; a step of less is the calling thread's.
    fn worth(&self) -> usize {
        1 << 17
    }

    /// Calls `work(0)`, `work(1)`, … `work(workers − 1)`, each once, side by side where that can be, and returns after the
    /// last. (A worker that is left out leaves its part of the rows as it was; nothing worse happens.)
    fn share(&self, work: &(dyn Fn(usize) + Sync));
}

/// The calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn workers(&self) -> usize {
        1
    }

    fn share(&self, work: &(dyn Fn(usize) + Sync)) {
        work(0);
    }
}

/// Told when steps begin and end, on the thread that pushes rows: for profiles.
pub trait Watch: Sync {
    /// Operator `operator` starts to make so many rows.
    fn begin(&self, operator: usize, rows: u32);

    /// It has made them.
    fn end(&self, operator: usize);
}

/// How a session runs.
#[derive(Clone, Copy)]
pub struct Setup<'c, C: Compute = Kernel> {
    /// What it computes with.
    pub kernel: C,
    /// Who does the work.
    pub crew: &'c dyn Crew,
}

impl<C: Compute> Setup<'_, C> {
    /// The calling thread, with this kernel.
    pub fn alone(kernel: C) -> Setup<'static, C> {
        Setup { kernel, crew: &Alone }
    }
}

impl Default for Setup<'_> {
    /// The calling thread, with the fastest kernel that this CPU has.
    fn default() -> Self {
        Setup { kernel: Kernel::best(), crew: &Alone }
    }
}

impl<C: Compute> fmt::Debug for Setup<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} threads", self.kernel.name(), self.crew.workers())
    }
}
