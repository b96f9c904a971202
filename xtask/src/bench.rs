//! `cargo xtask bench …`: microtome beside its peers, on the same models.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`peers`] | wall time and memory: workers that take turns |
//! | [`instructions`] | executed instructions on AArch64, under qemu |
//! | [`firmware`] | executed instructions on Cortex-M, under qemu |
//! | [`contenders`] | who takes part, with which file of a model |
//! | [`models`] | the models, in every form that a contender reads |
//! | [`worker`] | a process that holds one runtime and one model |
//! | [`table`] | what is printed and recorded |
//! | [`machine`] | a name for this machine |

mod contenders;
mod firmware;
mod instructions;
pub mod machine;
mod models;
mod peers;
mod table;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use xshell::Shell;

/// What to measure.
#[derive(Subcommand)]
pub enum Bench {
    /// Time, throughput and memory beside the peers, interleaved in one run; goes on record.
    Peers(peers::Arguments),
    /// Executed instructions per frame on AArch64, under qemu-aarch64; goes on record.
    Instructions(instructions::Arguments),
    /// Executed instructions on Cortex-M4, M7 and M55, under qemu-system-arm, beside CMSIS-NN's.
    Firmware,
}

/// Runs it.
pub fn bench(sh: &Shell, what: &Bench) -> Result<()> {
    match what {
        Bench::Peers(arguments) => peers::run(sh, arguments),
        Bench::Instructions(arguments) => instructions::run(sh, arguments),
        Bench::Firmware => firmware::run(sh),
    }
}

/// Where cargo builds, and where generated files go.
pub fn target(sh: &Shell) -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    sh.current_dir().join(named)
}
