//! tract, at arm's length: what it panics about becomes an [`Error::Tract`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tract_onnx::prelude::TractResult;

use crate::error::{Error, Result};

thread_local! {
    /// Whether what panics on this thread becomes an error, so that nothing need be printed.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a piece of tract; its errors and panics become ours.
pub fn guarded<T>(doing: &'static str, work: impl FnOnce() -> TractResult<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                loud(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Tract { doing, reason: one_line(&format!("{error:#}")) }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            Err(Error::Tract { doing, reason: one_line(&format!("it panicked: {}", text.unwrap_or_default())) })
        }
    }
}

/// The first 300 characters of a message, on one line.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
