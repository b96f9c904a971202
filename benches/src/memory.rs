//! Peak resident memory of this process, as Linux counts it.

use std::fs;

use anyhow::{Context, Result};

/// Forgets the peak so far: from now on it is counted from what is resident at this moment.
///
/// # Errors
/// The kernel does not allow it (`/proc/self/clear_refs`).
pub fn reset_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("/proc/self/clear_refs: cannot reset the peak of resident memory")
}

/// The peak since the start or the last [`reset_peak`], in kB.
///
/// # Errors
/// `/proc/self/status` has no `VmHWM`.
pub fn peak_kb() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("/proc/self/status cannot be read")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.context("/proc/self/status has no line VmHWM")?;
    let number = line.trim().trim_end_matches(" kB");
    number.parse().with_context(|| format!("/proc/self/status: VmHWM is {number:?}, expected a number of kB"))
}
