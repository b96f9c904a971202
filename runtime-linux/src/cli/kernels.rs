//! `microtome kernels`: what this CPU can run.

use microtome_core::Kernel;
use serde::Serialize;

use super::{Outcome, say, say_json};
use crate::error::Result;
use crate::machine::cores;

/// Arguments of `microtome kernels`.
#[derive(clap::Args)]
pub struct Args {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    cpu: String,
    performance_cores: usize,
    second_level_cache_bytes: Option<usize>,
    /// The fastest last.
    kernels: Vec<&'static str>,
}

/// Runs the command.
pub fn kernels(args: &Args) -> Result<Outcome> {
    let report = Report {
        cpu: cores::name(),
        performance_cores: cores::performance_cores().get(),
        second_level_cache_bytes: cores::second_level_cache().map(|cache| cache.bytes),
        kernels: Kernel::available().iter().map(|kernel| kernel.name()).collect(),
    };
    if args.json {
        say_json(&report)?;
        return Ok(Outcome::Done);
    }
    let cores = report.performance_cores;
    say(format_args!("{}, {cores} performance core{}", report.cpu, if cores == 1 { "" } else { "s" }))?;
    let fastest = Kernel::best().name();
    for name in report.kernels {
        say(if name == fastest {
            format!("  {name}  (fastest: used unless --kernel says otherwise)")
        } else {
            format!("  {name}")
        })?;
    }
    Ok(Outcome::Done)
}
