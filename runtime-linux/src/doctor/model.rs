//! The bundled plan on this very machine: the right bytes, and how fast.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use microtome_core::Kernel;
use sha2::{Digest, Sha256};

use super::Check;
use crate::engine::{BUNDLED, Engine, PlanEngine};
use crate::machine::{Machine, Rows, cores};
use crate::simulate::{Settings, scene};

/// The mask of the first simulated frame below, the same on every machine (contract C1).
const DIGEST: &str = "b0d309bbfa833c8b";
const SMALL: Settings = Settings { seed: 1, height: 96, width: 128 };
const LARGE: Settings = Settings { seed: 1, height: 480, width: 640 };
const FRAMES: u32 = 5;

fn engine(kernel: Kernel, threads: NonZeroUsize) -> Result<PlanEngine, String> {
    let rows = Rows::cached(cores::second_level_cache(), threads);
    let machine = Machine::of(kernel, threads, rows).map_err(|e| e.to_string())?;
    PlanEngine::new(BUNDLED.to_vec(), Arc::new(machine))
}

/// Whether every kernel of this CPU makes the bytes that all make everywhere.
pub fn same_bytes() -> Check {
    let what = "self-test";
    let advice = "this machine computes wrongly; please report it with the output of `microtome kernels`";
    for &kernel in &*Kernel::available() {
        let digest = digest(kernel);
        if digest.as_deref() != Ok(DIGEST) {
            let found = digest.unwrap_or_else(|error| error);
            return Check::problem(what, format!("kernel {}: {found}, expected {DIGEST}", kernel.name()), advice);
        }
    }
    Check::good(what, format!("{} kernels give the expected bytes", Kernel::available().len()))
}

fn digest(kernel: Kernel) -> Result<String, String> {
    let mask = engine(kernel, NonZeroUsize::MIN)?.mask(&scene(SMALL, 0)?.image)?;
    Ok(Sha256::digest(&mask.classes)[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Frames a second that a camera may bring.
pub fn speed() -> Check {
    let what = "speed";
    match frames_per_second() {
        Ok(rate) => Check::good(what, format!("{rate:.0} frames of 640x480 a second by the bundled model")),
        Err(reason) => Check::problem(what, reason, "please report it"),
    }
}

fn frames_per_second() -> Result<f64, String> {
    let mut engine = engine(Kernel::best(), cores::performance_cores())?;
    let image = scene(LARGE, 0)?.image;
    // The first opens the session.
    engine.mask(&image)?;
    let start = Instant::now();
    for _ in 0..FRAMES {
        engine.mask(&image)?;
    }
    Ok(f64::from(FRAMES) / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;

    #[test]
    fn the_bundled_plan_gives_the_expected_bytes_here() {
        let check = super::same_bytes();
        assert_eq!(check.verdict, Verdict::Good, "{check:?}");
    }
}
