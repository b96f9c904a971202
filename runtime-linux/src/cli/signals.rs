//! The wish to stop: Ctrl-C at a terminal, SIGTERM from a service manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A flag that such a signal raises. What is being done is finished then; a second signal ends the process at once.
///
/// # Errors
/// [`Error::Usage`] when the system lets no signal be handled.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::Relaxed) {
            std::process::exit(SIGNALLED);
        }
    })
    .map_err(|e| Error::usage(format!("cannot handle signals: {e}")))?;
    Ok(flag)
}

/// What a shell shows of a process that Ctrl-C ended.
const SIGNALLED: i32 = 130;
