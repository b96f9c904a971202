//! What may be missing on a machine, found before a day at the microscope is lost to it.
//!
//! Each check looks at one thing as it is here and now, changes nothing, and says what to do where something is wrong.

mod devices;
mod machine;
mod model;
mod storage;

use std::path::Path;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not there, and not everybody needs it.
    Absent,
    /// It works, but not as well as it could.
    Warning,
    /// It will not work.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Check { what, verdict: Verdict::Good, found: found.into(), advice: None }
    }

    fn absent(what: &'static str, found: impl Into<String>) -> Self {
        Check { verdict: Verdict::Absent, ..Check::good(what, found) }
    }

    fn warning(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Check { verdict: Verdict::Warning, advice: Some(advice.into()), ..Check::good(what, found) }
    }

    fn problem(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Check { verdict: Verdict::Problem, advice: Some(advice.into()), ..Check::good(what, found) }
    }
}

/// Looks at everything; `folder` is where results are to go.
pub fn checks(folder: &Path) -> Vec<Check> {
    let root = Path::new("/");
    let mut checks = vec![machine::processor(), model::same_bytes(), model::speed(), machine::memory(root)];
    checks.extend(machine::temperature(root));
    checks.extend([machine::clock(std::time::SystemTime::now()), devices::cameras(root), devices::gpio(root)]);
    checks.push(storage::disk(folder));
    checks
}
