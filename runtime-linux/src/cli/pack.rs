//! `microtome pack`: a plan for a microcontroller, which reads its weights from flash.

use std::io::Write;
use std::path::PathBuf;

use microtome_core::plan::packed::{Packing, pack as pack_plan, packed_len};
use microtome_core::{Kernel, Plan};

use super::{Outcome, say};
use crate::engine::CONTAINER;
use crate::error::{Error, Result};
use crate::sink::write_whole;

/// Arguments of `microtome pack`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm)
    plan: PathBuf,
    /// The kernel whose order the weights take, a microcontroller's or one of this machine's
    #[arg(long, value_name = "NAME")]
    kernel: String,
    /// The packed plan; it serves every other kernel too
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
pub fn pack(args: &Args) -> Result<Outcome> {
    let packing = Packing::named(&args.kernel).ok_or_else(|| {
        let known: Vec<_> = Packing::from_flash().chain(Kernel::available().iter().map(|k| k.name())).collect();
        Error::usage(format!("--kernel {}: no such kernel, expected one of {}", args.kernel, known.join(", ")))
    })?;
    let bytes = std::fs::read(&args.plan).map_err(|e| Error::model(&args.plan, e))?;
    if bytes.starts_with(CONTAINER) {
        return Err(Error::model(
            &args.plan,
            "a container holds several plans, and what tract runs; expected one plan",
        ));
    }
    let plan = Plan::parse(&bytes).map_err(|e| Error::model(&args.plan, e))?;
    let mut packed = vec![0; packed_len(&plan, packing)];
    pack_plan(&plan, packing, &mut packed)
        .ok_or_else(|| Error::model(&args.plan, "packed, it would exceed the 4 GiB that a plan can have"))?;
    write_whole(&args.output, |w| w.write_all(&packed))?;
    say(format_args!("{}: {} bytes, packed for {}", args.output.display(), packed.len(), packing.name()))?;
    Ok(Outcome::Done)
}
