//! `microtome doctor`: what is missing.

use std::path::PathBuf;

use super::{Outcome, say, say_json};
use crate::doctor::{Verdict, checks};
use crate::error::Result;

/// Arguments of `microtome doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Where results are to go
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn doctor(args: &Args) -> Result<Outcome> {
    let checks = checks(&args.out);
    if args.json {
        say_json(&checks)?;
    } else {
        for check in &checks {
            let mark = match check.verdict {
                Verdict::Good => "good",
                Verdict::Absent => "-",
                Verdict::Warning => "WARNING",
                Verdict::Problem => "PROBLEM",
            };
            say(format_args!("{mark:<8} {:<12} {}", check.what, check.found))?;
            if let Some(advice) = &check.advice {
                say(format_args!("{:<21} {advice}", ""))?;
            }
        }
    }
    Ok(Outcome::of(checks.iter().filter(|check| check.verdict == Verdict::Problem).count()))
}
