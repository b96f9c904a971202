//! The command line's say in it.

use std::num::{NonZeroU16, NonZeroUsize};

use microtome_core::Kernel;

use super::crew::MAX_THREADS;
use super::{KERNEL_VARIABLE, Rows, cores};
use crate::error::{Error, Result};

/// How to run plans. Results are the same bytes with any choice.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(id = "machine")]
#[command(next_help_heading = "Machine")]
pub struct Options {
    /// Inner loops to use, by a name that `microtome kernels` lists [default: $MICROTOME_KERNEL, or the fastest]
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Threads to use, 1 to 16 [default: as many as there are performance cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Most memory for a session, such as 512KiB or 4MiB: decides how many rows a step makes [default: what this CPU's
    /// second-level cache likes]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_budget: Option<usize>,
    /// Rows per step, instead of the most that fit the memory
    #[arg(long, value_name = "ROWS", conflicts_with = "memory_budget")]
    strip: Option<NonZeroU16>,
}

/// Parses a number of bytes, as options give it.
///
/// # Errors
/// What was expected.
pub fn bytes(text: &str) -> Result<usize, String> {
    cores::parse_size(text).ok_or_else(|| "expected a number of bytes, such as 65536, 256KiB or 2MiB".into())
}

impl Options {
    /// The kernel that was asked for, or the fastest.
    pub(super) fn kernel(&self) -> Result<Kernel> {
        let variable = || std::env::var_os(KERNEL_VARIABLE).filter(|name| !name.is_empty());
        let (from, name) = match (&self.kernel, variable()) {
            (Some(name), _) => ("--kernel", name.clone()),
            (None, Some(name)) => (KERNEL_VARIABLE, name.to_string_lossy().into_owned()),
            (None, None) => return Ok(Kernel::best()),
        };
        Kernel::named(&name).ok_or_else(|| {
            let available: Vec<&str> = Kernel::available().iter().map(|kernel| kernel.name()).collect();
            Error::usage(format!("{from}: this CPU has no kernel `{name}`; it runs {}", available.join(", ")))
        })
    }

    /// The threads that were asked for, or one per performance core.
    pub(super) fn threads(&self) -> Result<NonZeroUsize> {
        match self.threads {
            Some(threads) if threads.get() > MAX_THREADS => {
                Err(Error::usage(format!("--threads {threads}: expected 1 to {MAX_THREADS}")))
            }
            Some(threads) => Ok(threads),
            None => Ok(cores::performance_cores().min(NonZeroUsize::new(MAX_THREADS).unwrap_or(NonZeroUsize::MIN))),
        }
    }

    /// For each of `jobs` machines that work at the same time: cores are shared among them, unless it was said how many threads to use.
    pub fn shared_by(&self, jobs: NonZeroUsize) -> Self {
        let share = || {
            NonZeroUsize::new((cores::performance_cores().get() / jobs).min(MAX_THREADS)).unwrap_or(NonZeroUsize::MIN)
        };
        let threads = if jobs.get() > 1 { Some(self.threads.unwrap_or_else(share)) } else { self.threads };
        Options { threads, ..self.clone() }
    }

    /// The rule for strips.
    pub(super) fn rows(&self, threads: NonZeroUsize) -> Rows {
        match (self.strip, self.memory_budget) {
            (Some(rows), _) => Rows::Exactly(rows.get()),
            (None, Some(bytes)) => Rows::Within(bytes),
            (None, None) => Rows::cached(cores::second_level_cache(), threads),
        }
    }
}
